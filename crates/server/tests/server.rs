//! The whole server over real sockets.

mod support;

use std::time::Duration;

use serde_json::json;
use support::{PATIENCE, Played, Reply, config, get, polite, post, raw, request, server, until};
use tokio::time::timeout;
use usphere_mtp::websocket::CloseReason;
use usphere_proto::msg::{
    RequestType, SetResp, SetSuccess, UpdatedInstanceResult, UpdatedObjectResult,
};
use usphere_proto::{ErrorCode, RecordType};
use usphere_server::{AdmissionError, Config, Server, StartError};

#[tokio::test]
async fn a_device_that_connects_is_in_the_inventory_with_its_identity() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    assert_eq!(
        get(&server, "/api/v1/devices").await.body,
        json!({"devices": []})
    );
    let _agent = Played::introduced(&server, "self::agent-1", polite).await;
    let device = get(&server, "/api/v1/devices/self::agent-1").await.body;
    assert_eq!(device["endpoint_id"], "self::agent-1");
    assert_eq!(device["online"], true);
    assert_eq!(device["manufacturer"], "the Manufacturer");
    assert_eq!(device["oui"], "the ManufacturerOUI");
    assert_eq!(device["serial_number"], "the SerialNumber");
    assert_eq!(device["software_version"], "the SoftwareVersion");
    let info = get(&server, "/api/v1/server").await.body;
    assert_eq!((&info["devices"], &info["online"]), (&json!(1), &json!(1)));
    assert_eq!(info["endpoint_id"], server.endpoint_id().as_str());
}

#[tokio::test]
async fn presence_follows_the_connection_and_a_removed_device_stays_away() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let agent = Played::introduced(&server, "self::agent-1", polite).await;
    agent.sender.close(1000, "");
    let device = until(&server, "/api/v1/devices/agent-1", |device| {
        device["online"] == false
    })
    .await;
    assert!(device["last_seen"].as_i64() >= device["first_seen"].as_i64());

    let mut agent = Played::introduced(&server, "self::agent-1", polite).await;
    until(&server, "/api/v1/devices/agent-1", |device| {
        device["online"] == true
    })
    .await;
    assert_eq!(
        request(&server, "DELETE", "/api/v1/devices/agent-1", "")
            .await
            .status,
        204
    );
    // Nobody is connected and not listed: it is told goodbye and its connection is closed.
    let goodbye = timeout(PATIENCE, agent.others.recv()).await.unwrap();
    assert!(
        matches!(
            goodbye
                .as_ref()
                .and_then(|record| record.record_type.as_ref()),
            Some(RecordType::Disconnect(_))
        ),
        "{goodbye:?}"
    );
    let reason = agent.end().await;
    assert!(
        matches!(
            reason,
            CloseReason::ByPeer {
                code: Some(1001),
                ..
            }
        ),
        "{reason:?}"
    );
    until(&server, "/api/v1/server", |info| info["online"] == 0).await;
    assert_eq!(get(&server, "/api/v1/devices/agent-1").await.status, 404);
    // It may come back, and is listed anew.
    let _agent = Played::introduced(&server, "self::agent-1", polite).await;
}

#[tokio::test]
async fn devices_are_found_by_part_of_the_endpoint_id_or_by_alias() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let _one = Played::introduced(&server, "self::agent-1", polite).await;
    let _two = Played::introduced(&server, "self::agent-2", polite).await;
    assert_eq!(
        get(&server, "/api/v1/devices/gent-2").await.body["endpoint_id"],
        "self::agent-2"
    );
    let ambiguous = get(&server, "/api/v1/devices/agent").await;
    assert_eq!(ambiguous.status, 409);
    assert_eq!(
        ambiguous.body["candidates"],
        json!(["self::agent-1", "self::agent-2"])
    );
    let unknown = post(
        &server,
        "/api/v1/devices/nobody/get",
        r#"{"paths":["Device."]}"#,
    )
    .await;
    assert_eq!(unknown.status, 404);
    assert!(
        unknown
            .head
            .contains("content-type: application/problem+json"),
        "{}",
        unknown.head
    );

    let named = request(
        &server,
        "PATCH",
        "/api/v1/devices/agent-2",
        r#"{"alias":"hall"}"#,
    )
    .await;
    assert_eq!((named.status, &named.body["alias"]), (200, &json!("hall")));
    assert_eq!(
        get(&server, "/api/v1/devices/hall").await.body["endpoint_id"],
        "self::agent-2"
    );
    let taken = request(
        &server,
        "PATCH",
        "/api/v1/devices/agent-1",
        r#"{"alias":"hall"}"#,
    )
    .await;
    assert_eq!(taken.status, 409);
}

#[tokio::test]
async fn operations_travel_to_the_device_and_back() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let _agent = Played::introduced(&server, "self::agent-1", |request| match request {
        RequestType::Set(set) => {
            assert!(set.allow_partial);
            let settings = &set.update_objs[0].param_settings[0];
            let updated = UpdatedInstanceResult {
                affected_path: "Device.LocalAgent.Controller.1.".into(),
                updated_params: [(settings.param.clone(), settings.value.clone())].into(),
                ..UpdatedInstanceResult::default()
            };
            let success = SetSuccess {
                updated_inst_results: vec![updated],
            };
            let result = UpdatedObjectResult::success(set.update_objs[0].obj_path.clone(), success);
            Reply::Response(
                SetResp {
                    updated_obj_results: vec![result],
                }
                .into(),
            )
        }
        other => polite(other),
    })
    .await;
    let body = r#"{"paths":["Device.DeviceInfo.SerialNumber","Device.Nothing."]}"#;
    let got = post(&server, "/api/v1/devices/agent-1/get", body).await;
    assert_eq!(got.status, 200);
    let expected = json!({"results": [
        {"requested": "Device.DeviceInfo.SerialNumber",
         "found": [{"path": "Device.DeviceInfo.", "parameters": {"SerialNumber": "the SerialNumber"}}]},
        {"requested": "Device.Nothing.", "failed": {"code": 7026, "text": "no such path"}},
    ]});
    assert_eq!(got.body, expected);

    let body = json!({"allow_partial": true, "objects": [
        {"path": "Device.LocalAgent.Controller.*.", "parameters": [{"name": "Enable", "value": "true"}]},
    ]});
    let set = post(&server, "/api/v1/devices/agent-1/set", &body.to_string()).await;
    let updated =
        json!([{"path": "Device.LocalAgent.Controller.1.", "parameters": {"Enable": "true"}}]);
    assert_eq!(
        (set.status, &set.body["results"][0]["updated"]),
        (200, &updated)
    );

    let spoken = post(&server, "/api/v1/devices/agent-1/protocol", "").await;
    assert_eq!(spoken.body, json!({"versions": ["1.3", "1.4"]}));
}

#[tokio::test]
async fn what_goes_wrong_with_a_device_has_its_status() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let agent = Played::introduced(&server, "self::agent-1", |request| match request {
        RequestType::Delete(_) => Reply::Nothing,
        RequestType::Operate(_) => Reply::Error(ErrorCode::PermissionDenied, "not you"),
        other => polite(other),
    })
    .await;
    let refused = post(
        &server,
        "/api/v1/devices/agent-1/operate",
        r#"{"command":"Device.Reboot()"}"#,
    )
    .await;
    assert_eq!(refused.status, 422);
    assert_eq!(
        (&refused.body["error"], &refused.body["code"]),
        (&json!("refused"), &json!(7006))
    );
    let late = post(
        &server,
        "/api/v1/devices/agent-1/delete?timeout=1",
        r#"{"paths":["Device.X.1."]}"#,
    )
    .await;
    assert_eq!(
        (late.status, &late.body["error"]),
        (504, &json!("timed_out"))
    );
    agent.sender.close(1000, "");
    until(&server, "/api/v1/devices/agent-1", |device| {
        device["online"] == false
    })
    .await;
    let offline = post(
        &server,
        "/api/v1/devices/agent-1/get",
        r#"{"paths":["Device."]}"#,
    )
    .await;
    assert_eq!(
        (offline.status, &offline.body["error"]),
        (503, &json!("not_connected"))
    );
    // Nobody was asked: there is no Operation to look at.
    assert!(!offline.head.contains("operation-id"), "{}", offline.head);
}

#[tokio::test]
async fn requests_that_make_no_sense_are_told_why() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let _agent = Played::introduced(&server, "self::agent-1", polite).await;
    let device = "/api/v1/devices/agent-1";
    for (method, path, body, status, detail) in [
        (
            "POST",
            format!("{device}/get"),
            r#"{"pahts":[]}"#,
            400,
            "unknown field `pahts`",
        ),
        ("POST", format!("{device}/get"), "{", 400, "EOF"),
        (
            "POST",
            format!("{device}/get?timeout=0"),
            r#"{"paths":[]}"#,
            400,
            "1 to 600",
        ),
        (
            "POST",
            format!("{device}/get?timeout=x"),
            r#"{"paths":[]}"#,
            400,
            "timeout",
        ),
        ("POST", format!("{device}/fetch"), "{}", 404, "no such verb"),
        ("POST", device.to_owned(), "{}", 405, "method"),
        (
            "GET",
            "/api/v1/nothing".to_owned(),
            "",
            404,
            "no such resource",
        ),
        ("GET", "/api/v1/devices/%ff".to_owned(), "", 400, "UTF-8"),
        (
            "GET",
            "/api/v1/devices?limit=x".to_owned(),
            "",
            400,
            "limit",
        ),
    ] {
        let answer = request(&server, method, &path, body).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(
            answer.head.contains("application/problem+json"),
            "{path}: {answer:?}"
        );
        let text = answer.body["detail"].as_str().unwrap();
        assert!(text.contains(detail), "{path}: {text}");
    }
    for (path, kind) in [
        ("/api/v1/devices/nobody", "no_such_device"),
        ("/api/v1/nothing", "no_such_resource"),
        (
            "/api/v1/operations/op-0000000000000001",
            "no_such_operation",
        ),
    ] {
        let answer = request(&server, "GET", path, "").await;
        assert_eq!(answer.body["kind"], kind, "{path}");
    }
    let large = format!(r#"{{"paths":["{}"]}}"#, "x".repeat(1 << 20));
    assert_eq!(
        post(&server, &format!("{device}/get"), &large).await.status,
        413
    );
}

#[tokio::test]
async fn nothing_but_health_is_told_without_the_token() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let api = server.api_addr();
    let wrong = format!("Authorization: Bearer {}\r\n", "0".repeat(64));
    let longer = format!("Authorization: Bearer {}0\r\n", server.token());
    for headers in [
        "",
        "Authorization: Bearer \r\n",
        "Authorization: Basic abc\r\n",
        &wrong,
        &longer,
    ] {
        for (method, path) in [
            ("GET", "/api/v1/server"),
            ("GET", "/api/v1/devices"),
            ("GET", "/api/v1/devices/x"),
            ("PATCH", "/api/v1/devices/x"),
            ("DELETE", "/api/v1/devices/x"),
            ("POST", "/api/v1/devices/x/get"),
        ] {
            let answer = raw(api, method, path, headers, "").await;
            assert_eq!(answer.status, 401, "{method} {path} {headers}");
        }
    }
    assert_eq!(
        raw(api, "GET", "/api/v1/health", "", "").await.body,
        json!({"status": "ok"})
    );
    let kept = std::fs::read_to_string(data.path().join("token")).unwrap();
    assert_eq!(kept.trim(), server.token());
}

/// Proves: R-WS.4
#[tokio::test]
async fn of_two_agents_with_one_endpoint_id_the_newer_wins() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let older = Played::introduced(&server, "self::agent-1", polite).await;
    let _newer = Played::connect(&server, "self::agent-1", |request| match request {
        RequestType::Delete(_) => Reply::Error(ErrorCode::RequestDenied, "the newer"),
        other => polite(other),
    })
    .await;
    let reason = older.end().await;
    assert!(
        matches!(
            reason,
            CloseReason::ByPeer {
                code: Some(1001),
                ..
            }
        ),
        "{reason:?}"
    );
    let answer = post(
        &server,
        "/api/v1/devices/agent-1/delete",
        r#"{"paths":["Device.X.1."]}"#,
    )
    .await;
    assert_eq!(answer.body["text"], "the newer");
    assert_eq!(get(&server, "/api/v1/server").await.body["online"], 1);
}

#[tokio::test]
async fn a_request_under_way_ends_when_its_agent_reconnects() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let mut agent = Played::introduced(&server, "self::agent-1", |request| match request {
        RequestType::Delete(_) => Reply::Nothing,
        other => polite(other),
    })
    .await;
    let asking = post(
        &server,
        "/api/v1/devices/agent-1/delete",
        r#"{"paths":["Device.X.1."]}"#,
    );
    let (answer, _newer) = tokio::join!(asking, async {
        timeout(PATIENCE, agent.others.recv())
            .await
            .unwrap()
            .unwrap();
        Played::connect(&server, "self::agent-1", polite).await
    });
    assert_eq!(
        (answer.status, &answer.body["error"]),
        (502, &json!("disconnected"))
    );
    let body = r#"{"paths":["Device.DeviceInfo.SerialNumber"]}"#;
    assert_eq!(
        post(&server, "/api/v1/devices/agent-1/get", body)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn an_agent_that_talks_nonsense_disturbs_nobody() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let _good = Played::introduced(&server, "self::good", polite).await;
    let bad = Played::introduced(&server, "self::bad", polite).await;
    let us = server.endpoint_id();
    for round in 0_u32..500 {
        let noise = round.to_be_bytes().repeat(7);
        let record = usphere_proto::Record::no_session(us, &support::id("self::bad"), noise);
        while bad.sender.try_send(&record).is_err() {
            tokio::task::yield_now().await;
        }
    }
    for device in ["good", "bad"] {
        let path = format!("/api/v1/devices/{device}/get");
        let got = post(
            &server,
            &path,
            r#"{"paths":["Device.DeviceInfo.SerialNumber"]}"#,
        )
        .await;
        assert_eq!(got.status, 200, "{got:?}");
    }
}

#[tokio::test]
async fn a_shutdown_says_goodbye_and_the_next_start_finds_everything() {
    let data = tempfile::tempdir().unwrap();
    let first = server(data.path()).await;
    let mut agent = Played::introduced(&first, "self::agent-1", polite).await;
    let (id, token) = (first.endpoint_id().clone(), first.token().to_owned());
    first.shutdown().await;
    let goodbye = timeout(PATIENCE, agent.others.recv())
        .await
        .unwrap()
        .unwrap();
    assert!(
        matches!(goodbye.record_type, Some(RecordType::Disconnect(_))),
        "{goodbye:?}"
    );
    assert!(matches!(
        agent.end().await,
        CloseReason::ByPeer {
            code: Some(1001),
            ..
        }
    ));

    let second = server(data.path()).await;
    assert_eq!(
        (second.endpoint_id(), second.token()),
        (&id, token.as_str())
    );
    let published = std::fs::read_to_string(data.path().join("endpoint-id")).unwrap();
    assert_eq!(published.trim(), id.as_str());
    let device = get(&second, "/api/v1/devices/agent-1").await.body;
    assert_eq!(
        (&device["online"], &device["serial_number"]),
        (&json!(false), &json!("the SerialNumber"))
    );
}

#[tokio::test]
async fn what_prevents_a_start_is_told_with_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let running = server(data.path()).await;
    let other = tempfile::tempdir().unwrap();
    let start = async |config: Config| Server::start(config).await.unwrap_err();

    let error = start(Config {
        api: running.api_addr(),
        ..config(other.path())
    })
    .await;
    assert!(
        error
            .to_string()
            .contains("another server runs there already"),
        "{error}"
    );
    assert!(error.to_string().contains("--api"), "{error}");
    let error = start(Config {
        ws: running.ws_addr(),
        ..config(other.path())
    })
    .await;
    assert!(
        error
            .to_string()
            .contains("another server runs there already"),
        "{error}"
    );
    assert!(error.to_string().contains("--ws"), "{error}");
    let error = start(config(data.path())).await;
    assert!(
        error
            .to_string()
            .contains("another server uses this data folder"),
        "{error}"
    );
    let error = start(Config {
        api: ([0, 0, 0, 0], 0).into(),
        ..config(other.path())
    })
    .await;
    assert!(
        matches!(
            error,
            StartError::Refused(AdmissionError::NotLoopback { key: "api", .. })
        ),
        "{error}"
    );
    let error = start(Config {
        ws: ([0, 0, 0, 0], 0).into(),
        ..config(other.path())
    })
    .await;
    assert!(
        matches!(
            error,
            StartError::Refused(AdmissionError::NotLoopback { key: "ws", .. })
        ),
        "{error}"
    );

    let open = Config {
        ws: ([0, 0, 0, 0], 0).into(),
        insecure: true,
        ..config(other.path())
    };
    timeout(
        Duration::from_secs(10),
        Server::start(open).await.unwrap().shutdown(),
    )
    .await
    .unwrap();
}
