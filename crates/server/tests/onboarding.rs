//! Devices that come on board: who is let in, how often it is asked, and what the server keeps on it.

mod house;
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use house::{House, checked, checks, eventually};
use serde_json::{Value, json};
use support::{
    PATIENCE, Played, Reply, config, get, id, polite, post, raw, request, server as plain_server,
    until,
};
use tokio::time::{sleep, timeout};
use usphere_proto::msg::{Event, Notification, Notify, ObjectDeletion, RequestType};
use usphere_proto::{Msg, Record};
use usphere_server::limits::CHECK_UNDONE_MIN;
use usphere_server::{Config, FirstContact, OnboardingConfig, Server};

const AGENT: &str = "self::agent-1";
const DEVICE: &str = "/api/v1/devices/self::agent-1";

fn keeping(data: &Path) -> Config {
    Config {
        onboarding: OnboardingConfig::default(),
        ..config(data)
    }
}

async fn server(data: &Path) -> Server {
    Server::start(keeping(data)).await.unwrap()
}

async fn asking(data: &Path) -> Server {
    let onboarding = OnboardingConfig {
        first_contact: FirstContact::Approval,
        ..OnboardingConfig::default()
    };
    Server::start(Config {
        onboarding,
        ..config(data)
    })
    .await
    .unwrap()
}

fn boot(agent: &Played, server: &Server, msg_id: &str) {
    let event = Notification::Event(Event {
        obj_path: "Device.".into(),
        event_name: "Boot!".into(),
        params: BTreeMap::new(),
    });
    notify(agent, server, msg_id, "usphere:boot", event);
}

fn notify(agent: &Played, server: &Server, msg_id: &str, by: &str, notification: Notification) {
    let notify = Notify {
        subscription_id: by.into(),
        send_resp: true,
        notification: Some(notification),
    };
    let payload = Msg::request(msg_id, notify).into_payload();
    let record = Record::no_session(server.endpoint_id(), &id(AGENT), payload);
    agent.sender.try_send(&record).unwrap();
}

/// At first all is asked that has to be, then one thing once, until the device has another software.
#[tokio::test]
async fn a_known_device_is_asked_once_per_connection() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let house = House::new("1.0");
    let played = house.settled(&server, AGENT).await;
    assert_eq!(house.asked(), ["get", "protocol", "add", "schema"]);
    let device = get(&server, DEVICE).await.body;
    assert_eq!(device["software_version"], "1.0");
    assert_eq!(device["serial_number"], "the SerialNumber");
    assert_eq!(device["protocol_versions"], "1.3,1.4");
    assert_eq!(device["state"], "approved");
    assert_eq!(device["subscriptions"], "kept");
    drop(played);

    house.forget_asked();
    let played = house.settled(&server, AGENT).await;
    assert_eq!(house.asked(), ["get"]);
    drop(played);
    server.shutdown().await;

    let server = self::server(data.path()).await;
    house.forget_asked();
    let played = house.settled(&server, AGENT).await;
    assert_eq!(house.asked(), ["get"]);
    drop(played);

    house.forget_asked();
    house.0.lock().unwrap().software = "2.0".into();
    let _played = house.settled(&server, AGENT).await;
    assert_eq!(house.asked(), ["get", "protocol", "schema"]);
    let device = get(&server, DEVICE).await.body;
    assert_eq!(device["software_version"], "2.0");
}

#[tokio::test]
async fn subscriptions_are_kept_on_every_device_and_healed() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let house = House::new("1.0");
    let played = house.settled(&server, AGENT).await;
    let rows = house.subscriptions();
    assert_eq!(rows.len(), 3);
    let boot = &rows["usphere:boot"];
    for (name, value) in [
        ("NotifType", "Event"),
        ("ReferenceList", "Device.Boot!"),
        ("Enable", "true"),
        ("Persistent", "true"),
        ("NotifRetry", "true"),
    ] {
        assert_eq!(boot[name], value, "{name}");
    }
    assert_eq!(rows["usphere:operations"]["NotifType"], "OperationComplete");
    assert_eq!(rows["usphere:subscriptions"]["NotifType"], "ObjectDeletion");
    drop(played);

    house.alter("usphere:boot", "Enable", "false");
    house.alter("usphere:operations", "NotifType", "Event");
    house.forget_asked();
    let played = house.settled(&server, AGENT).await;
    assert_eq!(house.asked(), ["get", "delete", "set", "add"]);
    assert_eq!(house.subscriptions(), rows);

    // One more for all, at once; then it changes, and goes.
    let path = "/api/v1/subscriptions/wan";
    let wish = json!({"type": "valuechange", "references": ["Device.A.", "Device.B.C"]});
    let put = request(&server, "PUT", path, &wish.to_string()).await;
    assert_eq!(put.status, 200, "{put:?}");
    assert_eq!(put.body["type"], "ValueChange");
    let audited = until(&server, "/api/v1/audit?action=subscription.put", |page| {
        page["audit"][0]["status"] == 200
    })
    .await;
    let entry = &audited["audit"][0];
    assert_eq!(
        (&entry["target"], &entry["what"]),
        (&json!("wan"), &json!("ValueChange, Device.A., Device.B.C"))
    );
    let wan = async |name: &str, value: &str| {
        let is = || Some(house.subscriptions().get("usphere:wan")?.get(name)? == value);
        let what = format!("{name} is {value}");
        eventually(&what, async || is().unwrap_or_default()).await;
    };
    wan("ReferenceList", "Device.A.,Device.B.C").await;
    let other = json!({"type": "ObjectCreation", "references": ["Device.A."]});
    request(&server, "PUT", path, &other.to_string()).await;
    wan("NotifType", "ObjectCreation").await;
    let listed = get(&server, "/api/v1/subscriptions").await.body;
    let names: Vec<&Value> = listed["subscriptions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| &each["name"])
        .collect();
    assert_eq!(names, ["boot", "operations", "subscriptions", "wan"]);
    // It is away when one is taken off the list.
    played.sender.close(1000, "");
    until(&server, DEVICE, |device| device["online"] == false).await;
    assert_eq!(request(&server, "DELETE", path, "").await.status, 204);
    let _played = house.settled(&server, AGENT).await;
    assert_eq!(house.subscriptions(), rows);

    for (method, path, body, status) in [
        ("DELETE", "/api/v1/subscriptions/wan", "", 404),
        ("DELETE", "/api/v1/subscriptions/boot", "", 409),
        ("PUT", "/api/v1/subscriptions/boot", &*wish.to_string(), 409),
        ("PUT", "/api/v1/subscriptions/a%20b", &wish.to_string(), 400),
        (
            "PUT",
            "/api/v1/subscriptions/x",
            r#"{"type": "X", "references": []}"#,
            400,
        ),
        (
            "PUT",
            "/api/v1/subscriptions/x",
            r#"{"type": "Event", "references": []}"#,
            400,
        ),
    ] {
        let answer = request(&server, method, path, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    }
}

/// It is mended at once; a device that goes on is asked no more often for that.
#[tokio::test]
async fn a_subscription_that_is_taken_away_is_back_while_the_device_stays() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let house = House::new("1.0");
    let played = house.settled(&server, AGENT).await;
    let rows = house.subscriptions();
    let take_away = |msg_id: &str, id: &str| {
        let path = house.take_away(id);
        let deletion = Notification::ObjDeletion(ObjectDeletion { obj_path: path });
        notify(&played, &server, msg_id, "usphere:subscriptions", deletion);
    };
    sleep(CHECK_UNDONE_MIN).await;
    house.forget_asked();
    take_away("1", "usphere:boot");
    let mended = async {
        while house.subscriptions() != rows {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, mended).await.unwrap();
    assert_eq!(house.asked(), ["get", "add"]);
    take_away("2", "usphere:boot");
    sleep(Duration::from_millis(300)).await;
    assert_eq!(house.asked(), ["get", "add"], "not at once again");
    sleep(CHECK_UNDONE_MIN).await;
    take_away("3", "usphere:operations");
    sleep(Duration::from_millis(300)).await;
    assert_eq!(
        house.asked(),
        ["get", "add"],
        "nor as soon as the first time"
    );
}

/// However many are changed at the same time, every device has all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn subscriptions_that_are_put_at_the_same_time_are_all_kept() {
    let data = tempfile::tempdir().unwrap();
    let server = Arc::new(server(data.path()).await);
    let wish = json!({"type": "ValueChange", "references": ["Device.A."]}).to_string();
    for round in 0..3 {
        let putting = (0..8).map(|number| {
            let (server, wish) = (Arc::clone(&server), wish.clone());
            tokio::spawn(async move {
                let path = format!("/api/v1/subscriptions/r{round}-{number}");
                assert_eq!(request(&server, "PUT", &path, &wish).await.status, 200);
            })
        });
        for put in putting.collect::<Vec<_>>() {
            put.await.unwrap();
        }
        let house = House::new("1.0");
        let name = format!("self::agent-{round}");
        let played = house.settled(&server, &name).await;
        assert_eq!(house.subscriptions().len(), 3 + (round + 1) * 8);
        // Gone before more are put: it is not checked then.
        played.sender.close(1000, "");
        until(&server, &format!("/api/v1/devices/{name}"), |device| {
            device["online"] == false
        })
        .await;
    }
}

/// A plain door that is open to other hosts lets nobody in by itself who comes from one, and does who comes from within.
#[tokio::test]
async fn who_comes_without_a_certificate_from_another_host_waits() {
    // No packet is sent: this only asks which of our addresses others would see.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let ours = socket
        .connect("198.51.100.1:9")
        .and_then(|()| socket.local_addr());
    let Ok(ours) = ours else {
        eprintln!("left out: this machine has no address but the loopback one");
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let config = Config {
        insecure: true,
        ws: ([0, 0, 0, 0], 0).into(),
        ..config(data.path())
    };
    let server = Server::start(config).await.unwrap();
    let port = server.ws_addr().port();
    for (from, name, state) in [
        (ours.ip(), "self::stranger", "pending"),
        ([127, 0, 0, 1].into(), "self::neighbour", "approved"),
    ] {
        let door = std::net::SocketAddr::new(from, port);
        let us = server.endpoint_id().clone();
        let _played = Played::dial(door, us, name, polite).await;
        let path = format!("/api/v1/devices/{name}");
        let device = until(&server, &path, |device| {
            device["serial_number"] != Value::Null
        })
        .await;
        assert_eq!(device["state"], state, "{device}");
    }
    let body = r#"{"paths": ["Device."]}"#;
    let refused = post(&server, "/api/v1/devices/self::stranger/get", body).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    server.shutdown().await;
}

/// What a device refuses is told, and asked again at the next check.
#[tokio::test]
async fn what_a_device_does_not_take_is_told() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let _played = Played::introduced(&server, AGENT, polite).await;
    let device = until(&server, DEVICE, |device| !device["subscriptions"].is_null()).await;
    assert_eq!(
        device["subscriptions"],
        "cannot be read: no such path (7026)"
    );
}

/// Nothing is asked of a device that waits but who it is, and nothing that it says is taken, until it is approved.
#[tokio::test]
async fn a_device_waits_until_it_is_approved() {
    let data = tempfile::tempdir().unwrap();
    let server = asking(data.path()).await;
    let house = House::new("1.0");
    let mut played = house.settled(&server, AGENT).await;
    assert_eq!(house.asked(), ["get", "protocol"]);
    let device = get(&server, DEVICE).await.body;
    assert_eq!(
        (&device["state"], &device["online"]),
        (&json!("pending"), &json!(true))
    );
    assert_eq!(device["serial_number"], "the SerialNumber");
    for verb in ["get", "set", "operate?wait=false"] {
        let body = match verb {
            "get" => r#"{"paths": ["Device."]}"#,
            "set" => r#"{"objects": []}"#,
            _ => r#"{"command": "Device.Reboot()"}"#,
        };
        let refused = post(&server, &format!("{DEVICE}/{verb}"), body).await;
        assert_eq!(refused.status, 409, "{refused:?}");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains("devices approve"), "{detail}");
    }
    boot(&played, &server, "n-1");
    // Longer than an answer takes: there is none.
    sleep(Duration::from_millis(300)).await;
    assert!(played.others.try_recv().is_err(), "it was answered");
    let events = get(&server, &format!("{DEVICE}/events")).await.body;
    let events = events["events"].as_array().unwrap().iter();
    let kinds: Vec<_> = events
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert!(
        kinds.is_empty(),
        "what a stranger does is no event of a device: {kinds:?}"
    );
    let contacts = get(&server, &format!("/api/v1/contacts?device={AGENT}"))
        .await
        .body;
    assert_eq!(
        contacts["contacts"][0]["reason"], "not_approved",
        "{contacts}"
    );
    assert_eq!(house.asked(), ["get", "protocol"]);
    for (state, count) in [("pending", 1), ("approved", 0)] {
        let listed = get(&server, &format!("/api/v1/devices?state={state}")).await;
        assert_eq!(listed.body["devices"].as_array().map(Vec::len), Some(count));
    }
    assert_eq!(get(&server, "/api/v1/server").await.body["pending"], 1);
    let wrong = get(&server, "/api/v1/devices?state=maybe").await;
    assert_eq!(wrong.status, 400);

    // It still waits after a restart.
    drop(played);
    server.shutdown().await;
    let server = asking(data.path()).await;
    house.forget_asked();
    let mut played = house.settled(&server, AGENT).await;
    assert_eq!(house.asked(), ["get"]);
    boot(&played, &server, "n-1");

    let before = checks(&server).await;
    let approved = post(&server, &format!("{DEVICE}/approve"), "").await;
    assert_eq!(approved.body["state"], "approved", "{approved:?}");
    let events = until(&server, &format!("{DEVICE}/events"), |events| {
        events["events"]
            .as_array()
            .is_some_and(|events| !events.is_empty())
    })
    .await;
    assert_eq!(events["events"][0]["type"], "Online", "{events}");
    checked(&server, before).await;
    assert_eq!(house.asked(), ["get", "get", "add", "schema"]);
    // The device says again what was not answered.
    boot(&played, &server, "n-1");
    let answer = tokio::time::timeout(support::PATIENCE, played.others.recv()).await;
    assert!(answer.unwrap().is_some());
    let again = post(&server, &format!("{DEVICE}/approve"), "").await;
    assert_eq!(again.status, 200);
    drop(played);
    server.shutdown().await;

    // Once let in, always let in; and a removed one is a new one.
    let server = asking(data.path()).await;
    let played = house.settled(&server, AGENT).await;
    assert_eq!(get(&server, DEVICE).await.body["state"], "approved");
    drop(played);
    assert_eq!(request(&server, "DELETE", DEVICE, "").await.status, 204);
    let _played = house.settled(&server, AGENT).await;
    let device = until(&server, DEVICE, |device| device["online"] == true).await;
    assert_eq!(device["state"], "pending");
    let unknown = post(&server, "/api/v1/devices/nobody/approve", "").await;
    assert_eq!(unknown.status, 404);
}

/// What a product can do is asked of one device of it, confirmed by another, and told of all, also while they are away.
#[tokio::test]
async fn a_supported_data_model_is_fetched_once_per_product() {
    let data = tempfile::tempdir().unwrap();
    let first = server(data.path()).await;
    let (one, two, three) = (House::new("1.0"), House::new("1.0"), House::new("1.0"));
    let played = one.settled(&first, AGENT).await;
    let _other = two.settled(&first, "self::agent-2").await;
    let schemas = two.asked().into_iter().filter(|kind| *kind == "schema");
    assert_eq!(schemas.count(), 1, "it confirms what the first has told");
    let _third = three.settled(&first, "self::agent-3").await;
    assert!(!three.asked().contains(&"schema"), "{:?}", three.asked());
    let wanted = r#"{"paths": ["Device.A."]}"#;
    let schema = |server: Arc<Server>| async move {
        post(&server, &format!("{DEVICE}/schema"), wanted).await
    };
    played.sender.close(1000, "");
    until(&first, DEVICE, |device| device["online"] == false).await;
    first.shutdown().await;

    // Another life of the server, and nobody is there.
    let server = Arc::new(server(data.path()).await);
    let answer = schema(Arc::clone(&server)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("age: "), "{}", answer.head);
    let objects = &answer.body["results"][0]["supported"]["objects"];
    assert_eq!(objects.as_array().map(Vec::len), Some(1));
    assert_eq!(objects[0]["path"], "Device.A.{i}.");
    let models = get(&server, "/api/v1/models").await.body;
    assert_eq!(models["models"][0]["software_version"], "1.0");
    assert_eq!(models["models"][0]["device"], "self::agent-2");

    // What is not known, and what is to be fresh, is asked of the device.
    let unknown = post(
        &server,
        &format!("{DEVICE}/schema"),
        r#"{"paths": ["Device.B."]}"#,
    )
    .await;
    assert_eq!(unknown.body["error"], "not_connected");
    one.forget_asked();
    let _played = one.settled(&server, AGENT).await;
    assert_eq!(one.asked(), ["get"]);
    let token = server.token();
    for (headers, query) in [("Cache-Control: no-cache\r\n", ""), ("", "?fresh=true")] {
        one.forget_asked();
        let headers = format!("Authorization: Bearer {token}\r\n{headers}");
        let path = format!("{DEVICE}/schema{query}");
        let answer = raw(server.api_addr(), "POST", &path, &headers, wanted).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.head.contains("age: "), "{}", answer.head);
        // Once for who asked, and once to have the model told anew.
        eventually("both were asked", async || {
            let asked = one.asked();
            asked.iter().filter(|kind| **kind == "schema").count() == 2
        })
        .await;
    }
    let known = post(&server, &format!("{DEVICE}/schema?fresh=false"), wanted).await;
    assert!(known.head.contains("age: "), "{}", known.head);
}

/// One device that goes away while it tells its model keeps no other of its product from telling it.
#[tokio::test]
async fn a_device_that_goes_away_while_it_tells_its_model_is_passed_over() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let house = House::new("1.0");
    let (asked, mut is_asked) = tokio::sync::mpsc::unbounded_channel();
    let inside = Arc::clone(&house.0);
    let played = Played::connect(&server, AGENT, move |request| match request {
        RequestType::GetSupportedDm(_) => {
            asked.send(()).unwrap();
            Reply::Nothing
        }
        other => inside.lock().unwrap().answer(other),
    })
    .await;
    is_asked.recv().await.unwrap();
    played.sender.close(1000, "");
    until(&server, DEVICE, |device| device["online"] == false).await;
    checked(&server, 0).await;
    let other = House::new("1.0");
    let _other = other.settled(&server, "self::agent-2").await;
    assert!(other.asked().contains(&"schema"), "{:?}", other.asked());
    // It itself is left alone for a while, though its word would confirm what the other said.
    house.forget_asked();
    let _again = house.settled(&server, AGENT).await;
    assert_eq!(house.asked(), ["get"]);
}

/// What was kept of a model cannot be read any more: it is fetched anew.
#[tokio::test]
async fn a_damaged_model_is_in_nobodys_way() {
    let data = tempfile::tempdir().unwrap();
    let first = server(data.path()).await;
    let house = House::new("1.0");
    let played = house.settled(&first, AGENT).await;
    drop(played);
    first.shutdown().await;
    let database = rusqlite::Connection::open(data.path().join("server.db")).unwrap();
    let damaged = database.execute("UPDATE models SET content = '{\"objects\": 7'", []);
    assert_eq!(damaged.unwrap(), 1);
    drop(database);
    let server = server(data.path()).await;
    let _played = house.settled(&server, AGENT).await;
    let wanted = r#"{"paths": ["Device.A."]}"#;
    let answer = post(&server, &format!("{DEVICE}/schema"), wanted).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.head.contains("age: "));
}

/// A server that keeps no Subscriptions asks for none and leaves those that are there.
#[tokio::test]
async fn the_configuration_can_have_none_kept() {
    let data = tempfile::tempdir().unwrap();
    let server = plain_server(data.path()).await;
    let house = House::new("1.0");
    let _played = house.settled(&server, AGENT).await;
    assert_eq!(house.asked(), ["get", "protocol", "schema"]);
    let listed = get(&server, "/api/v1/subscriptions").await.body;
    assert_eq!(listed, json!({"subscriptions": []}));
    let wish = json!({"type": "Event", "references": ["Device.A."]}).to_string();
    let refused = request(&server, "PUT", "/api/v1/subscriptions/x", &wish).await;
    assert_eq!(refused.status, 409);
    assert!(
        refused.body["detail"]
            .as_str()
            .unwrap()
            .contains("subscriptions = false")
    );
}
