//! What devices say of their own accord, through the whole server.

mod support;

use std::path::Path;

use serde_json::json;
use support::{Live, PATIENCE, Played, config, get, id, polite, server, until};
use tokio::time::timeout;
use usphere_proto::msg::{Notification, Notify, ValueChange};
use usphere_proto::{Limits, Msg, Record};
use usphere_server::Server;
use usphere_server::limits::{SCANNED_EVENTS_MAX, STREAMS_MAX};
use usphere_store::limits::{EVENTS_PER_DEVICE_MAX, PAGE_EVENTS_BYTES};
use usphere_store::{NewEvent, Store};

const AGENT: &str = "self::agent-1";
const EVENTS: &str = "/api/v1/devices/agent-1/events";
const SAID: &str = "/api/v1/events?device=agent-1&type=ValueChange";
const LIVE: &str = "/api/v1/devices/agent-1/events/live";

fn notify(agent: &Played, server: &Server, msg_id: &str, value: &str) {
    let change = ValueChange {
        param_path: "Device.A.B".into(),
        param_value: value.into(),
    };
    let notify = Notify {
        subscription_id: "s".into(),
        send_resp: true,
        notification: Some(Notification::ValueChange(change)),
    };
    let payload = Msg::request(msg_id, notify).into_payload();
    let record = Record::no_session(server.endpoint_id(), &id(AGENT), payload);
    agent.sender.try_send(&record).unwrap();
}

/// The msg_id of the next answer.
async fn answered(agent: &mut Played) -> String {
    let record = timeout(PATIENCE, agent.others.recv())
        .await
        .unwrap()
        .unwrap();
    let msg = Msg::receive(record.payload().unwrap().clone(), &Limits::DEFAULT).unwrap();
    assert!(msg.as_response().is_some(), "{msg:?}");
    msg.msg_id().to_owned()
}

/// What was answered is kept, once, also over a restart of the server in the middle of a retry.
#[tokio::test]
async fn a_notification_is_kept_before_it_is_answered_and_only_once() {
    let data = tempfile::tempdir().unwrap();
    let first = server(data.path()).await;
    let mut agent = Played::introduced(&first, AGENT, polite).await;
    notify(&agent, &first, "n-1", "1");
    assert_eq!(answered(&mut agent).await, "n-1");
    let events = get(&first, SAID).await.body;
    let at = events["events"][0]["at"].clone();
    assert!(at.as_i64() > Some(1_700_000_000_000));
    let number = events["events"][0]["id"].as_i64().unwrap();
    let kept = json!([{
        "id": number, "device": AGENT, "at": at, "subscription": "s",
        "type": "ValueChange", "path": "Device.A.B", "value": "1",
    }]);
    assert_eq!(events["events"], kept);
    first.shutdown().await;

    // The answer was lost on its way, for all the Agent knows.
    let second = server(data.path()).await;
    let mut agent = Played::introduced(&second, AGENT, polite).await;
    notify(&agent, &second, "n-1", "1");
    assert_eq!(answered(&mut agent).await, "n-1");
    notify(&agent, &second, "n-2", "2");
    assert_eq!(answered(&mut agent).await, "n-2");
    let events = get(&second, &format!("{SAID}&after={number}")).await.body;
    assert_eq!(events["events"].as_array().map(Vec::len), Some(1));
    assert_eq!(events["events"][0]["value"], "2");
    for wrong in ["after=abc", "after=-1", "limit=x"] {
        let refused = get(&second, &format!("{EVENTS}?{wrong}")).await;
        assert_eq!(refused.status, 400, "{wrong}");
        let (name, _) = wrong.split_once('=').unwrap();
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("{name}: ")), "{detail}");
    }
    let limited = get(&second, &format!("{SAID}&limit=1")).await.body;
    assert_eq!(limited["events"][0]["value"], "1");
    assert_eq!(limited["events"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        get(&second, "/api/v1/devices/nobody/events").await.status,
        404
    );
}

#[tokio::test]
async fn a_stream_tells_what_comes_and_can_be_taken_up_again() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let mut agent = Played::introduced(&server, AGENT, polite).await;
    notify(&agent, &server, "n-0", "0");
    answered(&mut agent).await;

    let mut live = Live::open(&server, LIVE, "").await.ok().unwrap();
    let presence = |online: bool| Some(("presence".to_owned(), None, json!({"online": online})));
    assert_eq!(live.next().await, presence(true));
    let mut ids = Vec::new();
    for value in ["1", "2", "3"] {
        notify(&agent, &server, &format!("n-{value}"), value);
        let (name, id, event) = live.next().await.unwrap();
        assert_eq!((name.as_str(), id), ("message", event["id"].as_i64()));
        assert_eq!(event["value"], value);
        ids.extend(id);
    }
    // Whoever comes again says which event it saw last, and misses nothing.
    let first = format!("Last-Event-ID: {}\r\n", ids[0]);
    let mut again = Live::open(&server, LIVE, &first).await.ok().unwrap();
    assert_eq!(again.next().await, presence(true));
    assert_eq!(again.next().await.unwrap().2["value"], "2");
    assert_eq!(again.next().await.unwrap().2["value"], "3");
    drop(again);

    agent.sender.close(1000, "");
    assert_eq!(live.next().await, presence(false));
    let _agent = Played::introduced(&server, AGENT, polite).await;
    assert_eq!(live.next().await, presence(true));

    // A stream does not hold the server up when it ends.
    let ending = tokio::spawn(server.shutdown());
    while live.next().await.is_some() {}
    timeout(PATIENCE, ending).await.unwrap().unwrap();
}

/// A server that was put back to a backup knows less than its readers: they are told, and hear what comes.
#[tokio::test]
async fn who_is_further_than_the_store_begins_at_its_end() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let mut agent = Played::introduced(&server, "self::agent-1", polite).await;
    let newest = until(&server, "/api/v1/events", |page| !page["next"].is_null()).await;
    let newest: i64 = newest["next"].as_str().unwrap().parse().unwrap();
    let mut streams = Vec::new();
    for path in ["/api/v1/devices/agent-1", "/api/v1"] {
        let page = get(&server, &format!("{path}/events?after=1000000")).await;
        assert_eq!(page.body, json!({"events": [], "reset": newest}), "{path}");
        let page = get(&server, &format!("{path}/events?after={newest}")).await;
        assert_eq!(page.body, json!({"events": []}), "{path}");
        let path = format!("{path}/events/live");
        let position = "Last-Event-ID: 1000000\r\n";
        let mut live = Live::open(&server, &path, position).await.ok().unwrap();
        let told = live.next().await.unwrap();
        assert_eq!(
            told,
            ("reset".into(), Some(newest), json!({"last": newest}))
        );
        streams.push(live);
    }
    notify(&agent, &server, "one", "1");
    answered(&mut agent).await;
    for mut live in streams {
        loop {
            let (name, id, told) = live.next().await.unwrap();
            if name == "message" {
                assert_eq!((id, &told["value"]), (Some(newest + 1), &json!("1")));
                break;
            }
        }
    }
}

/// That devices come and go is kept too, and all devices can be followed at once.
#[tokio::test]
async fn all_devices_are_listed_and_followed_together() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let mut agent = Played::introduced(&server, AGENT, polite).await;
    notify(&agent, &server, "n-1", "1");
    answered(&mut agent).await;
    let other = Played::introduced(&server, "self::other", polite).await;
    until(&server, "/api/v1/events", |page| {
        page["events"].as_array().map(Vec::len) == Some(3)
    })
    .await;
    let kinds = |page: &serde_json::Value| {
        let events = page["events"].as_array().unwrap().iter();
        let kind = |event: &serde_json::Value| {
            format!(
                "{} {}",
                event["device"].as_str().unwrap(),
                event["type"].as_str().unwrap()
            )
        };
        events.map(kind).collect::<Vec<_>>()
    };
    let all = get(&server, "/api/v1/events").await.body;
    assert_eq!(
        kinds(&all),
        [
            "self::agent-1 Online",
            "self::agent-1 ValueChange",
            "self::other Online"
        ]
    );
    let end = all["next"].as_str().unwrap();
    for list in ["/api/v1/events", "/api/v1/devices/other/events"] {
        let nothing = get(&server, &format!("{list}?after={end}")).await.body;
        assert_eq!(nothing, json!({"events": []}), "{list}");
    }

    // Page by page, of one device.
    let of_device = "/api/v1/devices/agent-1/events?limit=1";
    let first = get(&server, of_device).await.body;
    assert_eq!(kinds(&first), ["self::agent-1 Online"]);
    let next = first["next"].as_str().unwrap();
    let second = get(&server, &format!("{of_device}&after={next}")).await;
    assert_eq!(kinds(&second.body), ["self::agent-1 ValueChange"]);

    // Page by page, of one type.
    let first = get(&server, "/api/v1/events?type=Online,Offline&limit=1")
        .await
        .body;
    assert_eq!(kinds(&first), ["self::agent-1 Online"]);
    let second = format!(
        "/api/v1/events?type=Online,Offline&limit=1&after={}",
        first["next"].as_str().unwrap()
    );
    assert_eq!(
        kinds(&get(&server, &second).await.body),
        ["self::other Online"]
    );
    assert_eq!(
        get(&server, "/api/v1/events?type=Nonsense").await.status,
        400
    );
    assert_eq!(
        get(&server, "/api/v1/events?device=nobody").await.status,
        404
    );

    let mut live = Live::open(
        &server,
        "/api/v1/events/live?type=Offline,ValueChange",
        "Last-Event-ID: 0\r\n",
    )
    .await
    .ok()
    .unwrap();
    assert_eq!(live.next().await.unwrap().2["value"], "1");
    other.sender.close(1000, "");
    let (name, id, gone) = live.next().await.unwrap();
    assert_eq!(
        (name.as_str(), &gone["device"], &gone["type"]),
        ("message", &json!("self::other"), &json!("Offline"))
    );
    assert_eq!(id, gone["id"].as_i64());

    // What is about a device that was removed is gone, and its going is not kept.
    assert_eq!(
        support::request(&server, "DELETE", "/api/v1/devices/agent-1", "")
            .await
            .status,
        204
    );
    agent.end().await;
    let left = get(&server, "/api/v1/events").await.body;
    assert_eq!(kinds(&left), ["self::other Online", "self::other Offline"]);
}

#[tokio::test]
async fn streams_are_limited_and_guarded() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(config(data.path())).await.unwrap();
    let _agent = Played::introduced(&server, AGENT, polite).await;
    let wrong = Live::open(&server, LIVE, "Last-Event-ID: x\r\n").await;
    assert_eq!(wrong.err(), Some(400));
    let nobody = "/api/v1/devices/nobody/events/live";
    assert_eq!(Live::open(&server, nobody, "").await.err(), Some(404));
    let without = support::raw(server.api_addr(), "GET", LIVE, "", "").await;
    assert_eq!(without.status, 401);
    let mut streams = Vec::new();
    for _ in 0..STREAMS_MAX {
        streams.push(Live::open(&server, LIVE, "").await.ok().unwrap());
    }
    assert_eq!(Live::open(&server, LIVE, "").await.err(), Some(429));
    // Those who ask are served all the same, and a stream that ends makes room.
    until(&server, "/api/v1/server", |info| info["online"] == 1).await;
    streams.pop();
    let opened = async {
        while Live::open(&server, LIVE, "").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, opened).await.unwrap();
}

/// Whoever does not read its stream neither holds up the others nor misses anything, as long as it begins to
/// read before it is cut.
#[tokio::test]
async fn a_stream_that_is_not_read_waits_and_holds_up_nobody() {
    const EVENTS: usize = 40;
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let mut agent = Played::introduced(&server, AGENT, polite).await;
    let mut slow = Live::open(&server, LIVE, "").await.ok().unwrap();
    let mut quick = Live::open(&server, LIVE, "").await.ok().unwrap();
    quick.next().await.unwrap();
    // Together far more than the buffers of a connection hold, and less than the store keeps.
    let value = |number: usize| format!("{number} {}", "x".repeat(200_000));
    for number in 0..EVENTS {
        notify(&agent, &server, &format!("n-{number}"), &value(number));
        answered(&mut agent).await;
        assert_eq!(quick.next().await.unwrap().2["value"], value(number));
    }
    slow.next().await.unwrap();
    for number in 0..EVENTS {
        assert_eq!(slow.next().await.unwrap().2["value"], value(number));
    }
}

/// A server that was started with a store in which these devices have said that many things, each of this length.
async fn with_events(data: &Path, devices: u32, count: u32, length: usize) -> Server {
    server(data).await.shutdown().await;
    let store = Store::open(&data.join("server.db")).unwrap();
    let value = "x".repeat(length);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let at = i64::try_from(now.unwrap().as_millis()).unwrap();
    for device in 0..devices {
        let said = |number| NewEvent {
            device: format!("self::{device}"),
            at,
            msg_id: format!("n-{number}"),
            content: json!({
                "subscription": "s", "type": "ValueChange", "path": "Device.A", "value": value,
            })
            .to_string(),
        };
        store.add_events((0..count).map(said).collect()).unwrap();
    }
    drop(store);
    server(data).await
}

/// Where none of so many is wanted that no page looks at all of them, the pages lead on to what is.
#[tokio::test]
async fn what_is_looked_for_is_found_behind_any_number_of_others() {
    let data = tempfile::tempdir().unwrap();
    let devices = SCANNED_EVENTS_MAX / EVENTS_PER_DEVICE_MAX + 1;
    let server = with_events(data.path(), devices, EVENTS_PER_DEVICE_MAX, 1).await;
    let _agent = Played::introduced(&server, AGENT, polite).await;
    until(&server, EVENTS, |page| {
        page["events"][0]["type"] == "Online"
    })
    .await;
    let first = get(&server, "/api/v1/events?type=Online").await.body;
    assert_eq!(first["events"], json!([]));
    let next = first["next"].as_str().unwrap();
    let path = format!("/api/v1/events?type=Online&after={next}");
    let second = get(&server, &path).await.body;
    assert_eq!(second["events"][0]["device"], AGENT);
    // Nor is one passed over that stands next to the last of a page.
    let mut after = String::new();
    for number in 1..=3 {
        let path = format!("/api/v1/events?type=ValueChange&limit=1&after={after}");
        let page = get(&server, &path).await.body;
        assert_eq!(page["events"][0]["id"], number);
        after = page["next"].as_str().unwrap().to_owned();
    }
}

/// What takes more than one read of the store is told to the end, also when nothing new comes.
#[tokio::test]
async fn a_stream_catches_up_with_large_events() {
    const LENGTH: usize = 200_000;
    let data = tempfile::tempdir().unwrap();
    let count = u32::try_from(PAGE_EVENTS_BYTES).unwrap() / 200_000 + 2;
    let server = with_events(data.path(), 1, count, LENGTH).await;
    let all = "/api/v1/events/live";
    let mut live = Live::open(&server, all, "Last-Event-ID: 0\r\n")
        .await
        .ok()
        .unwrap();
    for _ in 0..count {
        let told = timeout(PATIENCE, live.next()).await.unwrap();
        assert_eq!(told.unwrap().2["type"], "ValueChange");
    }
}
