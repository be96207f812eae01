//! One question to many devices.

mod support;

use serde_json::{Value, json};
use support::{PATIENCE, Played, Reply, polite, post, request, server, until};
use tokio::time::timeout;
use usphere_proto::ErrorCode;
use usphere_proto::msg::RequestType;
use usphere_server::Server;

const SERIAL: &str = "Device.DeviceInfo.SerialNumber";

/// The lines of the answer.
async fn ask(server: &Server, wanted: Value) -> Vec<Value> {
    let answer = post(server, "/api/v1/fleet/get", &wanted.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    // The sizes of the chunks stand between them.
    let text = answer.body.as_str().unwrap();
    let lines = text.lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The devices of these lines, in order, and the last line.
fn told(lines: &[Value]) -> (Vec<&str>, &Value) {
    let (last, others) = lines.split_last().unwrap();
    let mut devices: Vec<_> = others
        .iter()
        .map(|line| line["device"].as_str().unwrap())
        .collect();
    devices.sort_unstable();
    (devices, &last["summary"])
}

/// Each device that is looked for has a line, whatever becomes of it, and the summary counts them.
#[tokio::test]
async fn a_fleet_is_asked_and_told_of_device_by_device() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let _first = Played::introduced(&server, "self::house-1", polite).await;
    let _second = Played::introduced(&server, "self::house-2", polite).await;
    let _refusing = Played::connect(&server, "self::house-3", |request| match request {
        RequestType::Get(_) => Reply::Error(ErrorCode::InternalError, "not today"),
        other => polite(other),
    })
    .await;
    let gone = Played::introduced(&server, "self::house-4", polite).await;
    gone.sender.close(1000, "");
    gone.end().await;
    until(&server, "/api/v1/devices/self::house-4", |device| {
        device["online"] == false
    })
    .await;
    until(&server, "/api/v1/devices/self::house-3", |device| {
        device["online"] == true
    })
    .await;
    for path in ["house-1/tags/canary", "house-4/tags/canary"] {
        request(&server, "PUT", &format!("/api/v1/devices/self::{path}"), "").await;
    }

    let lines = ask(&server, json!({"paths": [SERIAL]})).await;
    let (devices, summary) = told(&lines);
    let all = [
        "self::house-1",
        "self::house-2",
        "self::house-3",
        "self::house-4",
    ];
    assert_eq!(devices, all);
    assert_eq!(summary["devices"], 4);
    assert_eq!(summary["answered"], 2);
    assert_eq!(summary["failed"], 1);
    assert_eq!(summary["offline"], 1);
    assert!(summary["milliseconds"].is_u64());
    let line = |device: &str| lines.iter().find(|line| line["device"] == device).unwrap();
    let outcome = &line("self::house-1")["outcome"]["results"][0];
    assert_eq!(outcome["requested"], SERIAL);
    assert_eq!(line("self::house-3")["error"]["text"], "not today");
    assert_eq!(line("self::house-4")["error"]["error"], "not_connected");

    let some = |devices: Value| ask(&server, json!({"paths": [SERIAL], "devices": devices}));
    let lines = some(json!({"tags": ["canary"]})).await;
    assert_eq!(told(&lines).0, ["self::house-1", "self::house-4"]);
    let lines = some(json!({"tags": ["canary"], "online": true})).await;
    assert_eq!(told(&lines).0, ["self::house-1"]);
    let lines = some(json!({"search": "HOUSE-2"})).await;
    assert_eq!(told(&lines).0, ["self::house-2"]);
    let lines = some(json!({"manufacturer": "nobody"})).await;
    assert_eq!(told(&lines).1["devices"], 0);
}

/// More devices than are looked for at a time and asked at a time, each once.
#[tokio::test]
async fn a_fleet_may_be_larger_than_what_is_held_of_it() {
    let data = tempfile::tempdir().unwrap();
    let store = usphere_store::Store::open(&data.path().join("server.db")).unwrap();
    let count = 2_500;
    let sightings = (0..count).map(|number| usphere_store::Sighting {
        endpoint_id: format!("self::far-{number:05}"),
        protocol: usphere_store::Protocol::Usp,
        at: 1,
        remote_address: None,
        mtp: None,
        state: usphere_store::DeviceState::Approved,
        proven: false,
    });
    store.seen(sightings.collect()).unwrap();
    drop(store);
    let server = server(data.path()).await;
    let asked = ask(&server, json!({"paths": [SERIAL], "together": 7}));
    let lines = timeout(PATIENCE, asked).await.unwrap();
    let (mut devices, summary) = told(&lines);
    devices.dedup();
    assert_eq!(devices.len(), count);
    assert_eq!(summary["offline"], count);
}

/// What cannot be asked is told before anybody is asked.
#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    for wanted in [
        json!({}),
        json!({"paths": []}),
        json!({"paths": [SERIAL], "together": 0}),
        json!({"paths": [SERIAL], "together": 100_000}),
        json!({"paths": [SERIAL], "timeout": 0}),
        json!({"paths": [SERIAL], "devices": {"tags": vec!["a"; 9]}}),
        json!({"paths": [SERIAL], "devices": {"colour": "red"}}),
        json!({"paths": [SERIAL], "devices": [null, null]}),
        json!({"paths": [SERIAL], "max_depth": 0.5}),
        json!({"paths": [SERIAL], "together": null}),
        json!([null, [SERIAL]]),
    ] {
        let answer = post(&server, "/api/v1/fleet/get", &wanted.to_string()).await;
        assert_eq!(answer.status, 400, "{wanted}: {}", answer.body);
    }
}
