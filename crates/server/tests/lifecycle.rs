//! Start, stop, and what comes in between: nothing that happens there is lost.

mod support;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use support::{PATIENCE, Played, Reply, config, get, polite, raw, server, until};
use tokio::time::{sleep, timeout};
use usphere_proto::EndpointId;
use usphere_proto::msg::{RequestType, SetResp};
use usphere_server::{Config, Server};
use usphere_store::{NewOperation, OperationProgress, OperationState, OperationWrite, Store};

/// Operations that are taken up at the start.
const QUEUED: i64 = 5_000;

/// Devices that dial meanwhile.
const DEVICES: i64 = 12;

/// A port that nothing has.
fn free_address() -> SocketAddr {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    taken.local_addr().unwrap()
}

fn name(number: i64) -> String {
    format!("self::early-{number}")
}

/// An Operation that waits for a device that was away.
fn waiting(number: i64, device: String) -> OperationWrite {
    let now = i64::try_from(
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_millis(),
    )
    .unwrap();
    OperationWrite::Add(NewOperation {
        number: (now << 20) + number,
        device,
        kind: "get".into(),
        request: r#"{"paths":["Device.DeviceInfo.Manufacturer"]}"#.into(),
        key: None,
        command_key: None,
        is_awaited: false,
        is_read: true,
        patience: 10_000,
        created: now,
        expires: now + 3_600_000,
        progress: OperationProgress {
            state: OperationState::Queued,
            updated: now,
            attempts: 0,
            outcome: None,
            outcome_bytes: 0,
            error: None,
        },
    })
}

fn leave_operations(data: &Path) {
    let database = std::fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "db"));
    let store = Store::open(&database.unwrap()).unwrap();
    let of_others = (DEVICES..QUEUED).map(|number| waiting(number, format!("self::{number}")));
    let of_ours = (0..DEVICES).map(|number| waiting(QUEUED + number, name(number)));
    store
        .write_operations(of_others.chain(of_ours).collect())
        .unwrap();
}

/// Dials until somebody is there.
async fn dial(door: SocketAddr, controller: EndpointId, us: String) -> Played {
    let dialling = async {
        while std::net::TcpStream::connect(door).is_err() {
            sleep(Duration::from_millis(1)).await;
        }
        Played::dial(door, controller, &us, polite).await
    };
    timeout(PATIENCE, dialling).await.unwrap()
}

/// The types of what happened with a device, in order.
async fn events(server: &Server, device: &str) -> Vec<String> {
    let answer = get(server, &format!("/api/v1/devices/{device}/events")).await;
    let events = answer.body["events"].as_array().cloned();
    let types = events.unwrap_or_default();
    let types = types.iter().map(|event| event["type"].as_str());
    types.map(|of| of.unwrap().to_owned()).collect()
}

/// Waits until this and nothing else has happened with a device.
async fn happened(server: &Server, device: &str, wanted: &[&str]) {
    let waiting = async {
        while events(server, device).await != wanted {
            sleep(Duration::from_millis(10)).await;
        }
    };
    if timeout(PATIENCE, waiting).await.is_err() {
        panic!("{device}: {:?}", events(server, device).await);
    }
}

/// Whoever comes while the server takes up what an earlier life left behind is there as everybody else: listed, told
/// as online, asked who it is, and given what waited for it.
#[tokio::test]
async fn who_comes_while_the_server_starts_is_there_as_everybody_else() {
    let data = tempfile::tempdir().unwrap();
    let before = server(data.path()).await;
    let controller = before.endpoint_id().clone();
    before.shutdown().await;
    leave_operations(data.path());
    let door = free_address();
    let dialling: Vec<_> = (0..DEVICES)
        .map(|number| tokio::spawn(dial(door, controller.clone(), name(number))))
        .collect();
    let server = Server::start(Config {
        ws: door,
        ..config(data.path())
    });
    let server = server.await.unwrap();
    let mut devices = Vec::new();
    for device in dialling {
        devices.push(device.await.unwrap());
    }
    for number in 0..DEVICES {
        let device = name(number);
        let shown = |shown: &Value| shown["serial_number"] == "the SerialNumber";
        until(&server, &format!("/api/v1/devices/{device}"), shown).await;
        happened(&server, &device, &["Online"]).await;
        let path = format!("/api/v1/operations?device={device}");
        until(&server, &path, |page| {
            let operations = page["operations"].as_array().unwrap();
            operations.len() == 1 && operations[0]["state"] == "done"
        })
        .await;
    }
    server.shutdown().await;
}

/// A proper stop is the end of everybody's presence, and that is kept.
#[tokio::test]
async fn a_stop_takes_down_that_devices_went() {
    let data = tempfile::tempdir().unwrap();
    let first = server(data.path()).await;
    let mut devices = Vec::new();
    for number in 0..DEVICES {
        devices.push(Played::introduced(&first, &name(number), polite).await);
        happened(&first, &name(number), &["Online"]).await;
    }
    // The disk takes its time.
    let database = rusqlite::Connection::open(data.path().join("server.db")).unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ending = tokio::spawn(first.shutdown());
    sleep(Duration::from_millis(1500)).await;
    assert!(!ending.is_finished());
    database.execute_batch("COMMIT").unwrap();
    ending.await.unwrap();
    let second = server(data.path()).await;
    for number in 0..DEVICES {
        assert_eq!(events(&second, &name(number)).await, ["Online", "Offline"]);
    }
    drop(devices);
    second.shutdown().await;
}

/// What was asked of a device when the server is told to stop is answered, and its caller knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_what_is_under_way() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let slow = |request: RequestType| match request {
        RequestType::Set(_) => {
            std::thread::sleep(Duration::from_millis(700));
            Reply::Response(SetResp::default().into())
        }
        request => polite(request),
    };
    let mut agent = Played::introduced(&server, "self::slow", slow).await;
    let (api, token) = (
        server.api_addr(),
        format!("Authorization: Bearer {}\r\n", server.token()),
    );
    let body = r#"{"objects":[{"path":"Device.DeviceInfo.","parameters":[{"name":"ProvisioningCode","value":"x"}]}]}"#;
    let waiting = tokio::spawn(async move {
        raw(api, "POST", "/api/v1/devices/self::slow/set", &token, body).await
    });
    sleep(Duration::from_millis(200)).await;
    server.shutdown().await;
    let answer = waiting.await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    // It was told goodbye only then.
    let goodbye = timeout(PATIENCE, agent.others.recv()).await.unwrap();
    assert!(goodbye.is_some());
}

/// Who comes for the first time while nothing can be written is in the inventory once something can, with its coming
/// and what it says about itself.
#[tokio::test]
async fn who_comes_while_nothing_can_be_written_is_known_afterwards() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let known = Played::introduced(&server, "self::known", polite).await;
    let database = rusqlite::Connection::open(data.path().join("server.db")).unwrap();
    database.busy_timeout(PATIENCE).unwrap();
    for table in ["devices", "events"] {
        let poison = format!(
            "CREATE TRIGGER poison_{table} BEFORE INSERT ON {table}
             BEGIN SELECT RAISE(ABORT, 'no room'); END"
        );
        database.execute_batch(&poison).unwrap();
    }
    let new = Played::connect(&server, "self::new", polite).await;
    known.sender.close(1000, "");
    let gone = |device: &Value| device["online"] == false;
    until(&server, "/api/v1/devices/self::known", gone).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(get(&server, "/api/v1/devices/self::new").await.status, 404);
    database
        .execute_batch("DROP TRIGGER poison_devices; DROP TRIGGER poison_events")
        .unwrap();
    let shown = |shown: &Value| shown["serial_number"] == "the SerialNumber";
    until(&server, "/api/v1/devices/self::new", shown).await;
    happened(&server, "self::new", &["Online"]).await;
    happened(&server, "self::known", &["Online", "Offline"]).await;
    drop(new);
    server.shutdown().await;
}
