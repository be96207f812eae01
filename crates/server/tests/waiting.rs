//! Devices of other kinds, and those that only wait, among the ones that are managed.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use support::{PATIENCE, Played, Reply, config, get, polite};
use tokio::time::sleep;
use usphere_proto::msg::{GetResp, RequestType, RequestedPathResult, ResolvedPathResult};
use usphere_server::{Config, FirstContact, OnboardingConfig, Server};

const AGENT: &str = "self::agent-1";

async fn asking(data: &Path) -> Server {
    let onboarding = OnboardingConfig {
        first_contact: FirstContact::Approval,
        ..OnboardingConfig::default()
    };
    let config = Config {
        onboarding,
        ..config(data)
    };
    Server::start(config).await.unwrap()
}

/// Names that somebody made up keep nobody out for ever.
#[tokio::test]
async fn those_that_wait_and_are_away_give_way() {
    let data = tempfile::tempdir().unwrap();
    asking(data.path()).await.shutdown().await;
    let database = rusqlite::Connection::open(data.path().join("server.db")).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap().as_millis()).unwrap();
    let old = now - 31 * 24 * 3600 * 1000;
    let add = |first: i64, count: i64, seen: i64| {
        let added = database.execute(
            "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1 + ?2)
             INSERT INTO devices (endpoint_id, protocol, first_seen, last_seen, state)
             SELECT 'self::made-up-' || i, 'USP', ?3, ?3 + i, 'pending' FROM n",
            [first, count, seen],
        );
        assert_eq!(added.unwrap() as i64, count);
    };
    add(0, 9_998, now - 1_000_000);
    add(9_998, 2, old);
    let server = asking(data.path()).await;
    // Nobody has seen these two for a month.
    let gone = async |number: u32| {
        let path = format!("/api/v1/devices/self::made-up-{number}");
        while get(&server, &path).await.status != 404 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let both = async { (gone(9_998).await, gone(9_999).await) };
    tokio::time::timeout(PATIENCE, both).await.unwrap();
    // Two take their places, and for the third the longest away gives way.
    let mut there = Vec::new();
    for number in 0..3 {
        let name = format!("self::real-{number}");
        there.push(Played::introduced(&server, &name, polite).await);
        let device = get(&server, &format!("/api/v1/devices/{name}")).await.body;
        assert_eq!(device["state"], "pending", "{device}");
    }
    tokio::time::timeout(PATIENCE, gone(0)).await.unwrap();
    let last = get(&server, "/api/v1/devices/self::made-up-9997").await;
    assert_eq!(last.status, 200);
}

/// A device that has no DeviceInfo is one of another kind, and no contact that failed.
#[tokio::test]
async fn a_device_without_device_info_is_well() {
    let data = tempfile::tempdir().unwrap();
    let server = support::server(data.path()).await;
    let small = |request: RequestType| match request {
        RequestType::Get(get) => {
            let results = get.param_paths.into_iter().map(|path| {
                let is_itself = path == "Device.LocalAgent.EndpointID";
                let found = ResolvedPathResult {
                    resolved_path: "Device.LocalAgent.".into(),
                    result_params: BTreeMap::from([("EndpointID".into(), AGENT.into())]),
                };
                RequestedPathResult {
                    requested_path: path,
                    err_code: if is_itself { 0 } else { 7026 },
                    resolved_path_results: if is_itself { vec![found] } else { vec![] },
                    ..RequestedPathResult::default()
                }
            });
            let req_path_results = results.collect();
            Reply::Response(GetResp { req_path_results }.into())
        }
        other => polite(other),
    };
    let _played = Played::introduced(&server, AGENT, small).await;
    let contacts = get(&server, "/api/v1/contacts").await.body;
    assert_eq!(contacts["contacts"], json!([]));
}
