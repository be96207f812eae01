//! A fleet on real sockets, with a real server in the same process.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use usphere_agent::Target;
use usphere_mtp::websocket;
use usphere_proto::EndpointId;
use usphere_server::{Config, Server};
use usphere_sim::{Fleet, Plan, Rates, Sockets, Way, controller_at};

const PATIENCE: Duration = Duration::from_secs(60);

const DEVICES: u32 = 200;

/// Two hundred devices come on board, each answers for itself, and what changes on one is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_comes_on_board_answers_and_tells_what_changes() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(Config {
        api: ([127, 0, 0, 1], 0).into(),
        ws: ([127, 0, 0, 1], 0).into(),
        ..Config::new(data.path())
    })
    .await
    .unwrap();
    let url: websocket::Target = server.ws_url().parse().unwrap();
    let asking: EndpointId = "self::asking".parse().unwrap();
    let told = controller_at(&url, &asking, &Sockets::default()).await;
    assert_eq!(told.unwrap().as_ref(), Some(server.endpoint_id()));

    let target = Target {
        host: url.host,
        port: url.port,
        path: url.path,
        encryption: false,
    };
    let plan = Plan {
        rates: Rates {
            changes_per_minute: 60.0,
            ..Rates::default()
        },
        ..Plan::new(DEVICES, server.endpoint_id().clone(), target)
    };
    let fleet = Fleet::start(plan, Way::Sockets(Sockets::default())).unwrap();
    until(&server, "/api/v1/server", |info| {
        info["online"] == DEVICES && info["devices"] == DEVICES
    })
    .await;
    assert_eq!(fleet.counts().online, u64::from(DEVICES));

    every_one_answers(&server).await;

    let subscription = json!({"objects": [{
        "path": "Device.LocalAgent.Subscription.",
        "parameters": [
            {"name": "Enable", "value": "true"},
            {"name": "ID", "value": "signal"},
            {"name": "NotifType", "value": "ValueChange"},
            {"name": "ReferenceList", "value": "Device.WiFi."},
            {"name": "NotifRetry", "value": "true"},
        ],
    }]});
    let device = "/api/v1/devices/os::012345-SIM000007";
    let added = request(&server, "POST", &format!("{device}/add"), &subscription).await;
    assert!(added.to_string().contains("Subscription."), "{added}");
    let events = until(&server, &format!("{device}/events"), |events| {
        events["events"].as_array().is_some_and(|events| {
            events
                .iter()
                .any(|event| event["type"] == "ValueChange" && event["subscription"] == "signal")
        })
    })
    .await;
    assert!(events.to_string().contains("Device.WiFi."), "{events}");
    assert!(fleet.counts().notifies > 0);

    let counts = fleet.stop().await;
    assert_eq!((counts.errors, counts.refused), (0, 0), "{counts:?}");
    until(&server, "/api/v1/server", |info| info["online"] == 0).await;
    server.shutdown().await;
}

/// One Get to all at the same time; each serial number is the device's own.
async fn every_one_answers(server: &Server) {
    let api = (server.api_addr(), server.token().to_owned());
    let mut asked = JoinSet::new();
    for number in 1..=DEVICES {
        let (address, token) = api.clone();
        asked.spawn(async move {
            let path = format!("/api/v1/devices/os::012345-SIM{number:06}/get");
            let body = json!({"paths": ["Device.DeviceInfo.SerialNumber"]});
            let answer = ask(address, &token, "POST", &path, &body).await;
            let wanted = format!("SIM{number:06}");
            assert!(
                answer.to_string().contains(&format!("{wanted:?}")),
                "{answer}"
            );
        });
    }
    while let Some(answered) = asked.join_next().await {
        answered.unwrap();
    }
}

async fn until(server: &Server, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let found = request(server, "GET", path, &Value::Null).await;
        if wanted(&found) {
            return found;
        }
        assert!(Instant::now() < end, "{path}: {found}");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn request(server: &Server, method: &str, path: &str, body: &Value) -> Value {
    ask(server.api_addr(), server.token(), method, path, body).await
}

async fn ask(
    api: std::net::SocketAddr,
    token: &str,
    method: &str,
    path: &str,
    body: &Value,
) -> Value {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let length = body.len();
    let asking = async {
        let mut stream = TcpStream::connect(api).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = timeout(PATIENCE, asking).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 "), "{path}: {answer}");
    serde_json::from_str(body).unwrap()
}
