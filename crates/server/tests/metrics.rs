//! What is measured, and how the server says that it is well.

mod support;

use serde_json::json;
use usphere_server::{Config, Server};

use crate::support::{Answer, Played, config, get, polite, post, raw, request, until};

/// What a WebSocket client begins with, beside what is in every request.
const UPGRADE: &str = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: v1.usp\r\n";

/// The value of a series; none where it is not there.
fn value(metrics: &Answer, series: &str) -> Option<f64> {
    let text = metrics.body.as_str().unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

#[tokio::test]
async fn what_happens_is_counted() {
    let data = tempfile::tempdir().unwrap();
    let config = Config {
        metrics: Some(([127, 0, 0, 1], 0).into()),
        ..config(data.path())
    };
    let server = Server::start(config).await.unwrap();
    let open = server.metrics_addr().unwrap();
    let scrape = async || raw(open, "GET", "/metrics", "", "").await;
    let before = scrape().await;
    assert!(
        before.head.contains("application/openmetrics-text"),
        "{}",
        before.head
    );
    assert!(before.body.as_str().unwrap().ends_with("# EOF\n"));
    assert_eq!(value(&before, "usphere_agents_online"), Some(0.0));

    let _agent = Played::introduced(&server, "self::agent-1", polite).await;
    let body = r#"{"paths":["Device.DeviceInfo.Manufacturer"]}"#;
    let answer = post(&server, "/api/v1/devices/agent-1/get", body).await;
    assert_eq!(answer.status, 200);
    get(&server, "/api/v1/devices/nobody").await;
    let knock = raw(server.ws_addr(), "GET", "/nowhere", UPGRADE, "").await;
    assert_eq!(knock.status, 404);
    until(&server, "/api/v1/contacts", |page| {
        page["contacts"] != json!([])
    })
    .await;
    get(&server, "/some/thing/that/a/client/chose").await;
    request(&server, "BREW", "/api/v1/devices", "").await;

    let after = scrape().await;
    for (series, wanted) in [
        ("usphere_agents_online", 1.0),
        ("usphere_devices", 1.0),
        ("usphere_links", 1.0),
        ("usphere_links_opened_total", 1.0),
        ("usphere_arrivals_total", 1.0),
        ("usphere_presences_total{type=\"Online\"}", 1.0),
        ("usphere_checks_total{result=\"well\"}", 1.0),
        ("usphere_requests_waiting", 0.0),
        ("usphere_operations_open", 0.0),
        ("usphere_door_turned_away_total", 0.0),
        ("usphere_door_evicted_total", 0.0),
        ("usphere_devices_pending", 0.0),
        ("usphere_checks_waiting", 0.0),
        ("usphere_streams_open", 0.0),
        ("usphere_contacts_failed_total{reason=\"wrong_path\"}", 1.0),
        ("usphere_store_writable", 1.0),
        (
            "usphere_device_answers_total{kind=\"get\",result=\"done\"}",
            1.0,
        ),
        ("usphere_device_answer_seconds_count{kind=\"get\"}", 1.0),
        (
            "usphere_api_requests_total{method=\"POST\",route=\"/api/v1/devices/{device}/{verb}\",status=\"200\"}",
            1.0,
        ),
        (
            "usphere_api_requests_total{method=\"GET\",route=\"none\",status=\"404\"}",
            1.0,
        ),
        (
            "usphere_api_requests_total{method=\"other\",route=\"/api/v1/devices\",status=\"405\"}",
            1.0,
        ),
    ] {
        assert_eq!(
            value(&after, series),
            Some(wanted),
            "{series}\n{}",
            after.body
        );
    }
    for series in [
        "usphere_records_received_total",
        "usphere_door_connections",
        "usphere_door_failed_total",
        "usphere_records_sent_total",
        "usphere_store_writes_total",
        "usphere_store_commit_seconds_count",
        "usphere_store_commit_seconds_bucket{le=\"+Inf\"}",
        "usphere_store_bytes",
        "usphere_store_disk_free_bytes",
        "usphere_process_resident_memory_bytes",
        "usphere_process_open_fds",
        "usphere_process_cpu_seconds_total",
    ] {
        assert!(
            value(&after, series).is_some_and(|value| value > 0.0),
            "{series}\n{}",
            after.body
        );
    }
    let text = after.body.as_str().unwrap();
    for chosen in ["chose", "nobody", "self::agent", "BREW"] {
        assert!(!text.contains(chosen), "{chosen} is in it");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn metrics_need_the_token_at_the_api_and_health_does_not() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(config(data.path())).await.unwrap();
    assert_eq!(server.metrics_addr(), None);
    let bare = async |path| raw(server.api_addr(), "GET", path, "", "").await;
    assert_eq!(bare("/metrics").await.status, 401);
    assert_eq!(get(&server, "/metrics").await.status, 200);
    let health = bare("/healthz").await;
    assert_eq!((health.status, health.body), (200, json!({"status": "ok"})));
    let ready = bare("/readyz").await;
    let expected = json!({"ready": true, "store": "ok", "damaged_kept": 0, "stopping": false});
    assert_eq!((ready.status, ready.body), (200, expected));
    assert_eq!(get(&server, "/api/v1/server").await.body["store"], "ok");

    let elsewhere = tempfile::tempdir().unwrap();
    let config = Config {
        metrics: Some(([0, 0, 0, 0], 0).into()),
        ..config(elsewhere.path())
    };
    let error = Server::start(config).await.unwrap_err().to_string();
    assert!(error.contains("`metrics`"), "{error}");
}
