//! The Broadband Forum's USP Controller API.

mod support;

use serde_json::{Value, json};
use support::{Played, Reply, get, polite, post, request, server, until};
use usphere_proto::msg::{
    CompletionOutcome, GetResp, Notification, Notify, OperateResp, OperationComplete,
    OperationOutcome, OperationResult, OutputArgs, RequestType, RequestedPathResult,
    ResolvedPathResult,
};
use usphere_proto::{ErrorCode, Msg, Record};

const AGENT: &str = "/bbf/v2/agents/self::agent-1";

/// A device with one row of a table, a command that answers and one that goes on.
fn device(asked: RequestType) -> Reply {
    match asked {
        RequestType::Get(wanted) if wanted.param_paths[0].starts_with("Device.WiFi.SSID.") => {
            let path = wanted.param_paths[0].clone();
            assert_eq!(path, "Device.WiFi.SSID.[Alias==\"one\"].");
            let row = ResolvedPathResult {
                resolved_path: "Device.WiFi.SSID.1.".into(),
                result_params: [("SSID".to_owned(), "home".to_owned())].into(),
            };
            let result = RequestedPathResult {
                requested_path: path,
                resolved_path_results: vec![row],
                ..RequestedPathResult::default()
            };
            Reply::Response(
                GetResp {
                    req_path_results: vec![result],
                }
                .into(),
            )
        }
        RequestType::Operate(wanted) => {
            let outcome = match wanted.command.as_str() {
                "Device.Ping()" => OperationOutcome::ReqOutputArgs(OutputArgs {
                    output_args: [("Time".to_owned(), wanted.input_args["Host"].clone())].into(),
                }),
                _ => OperationOutcome::ReqObjPath("Device.LocalAgent.Request.1.".into()),
            };
            let result = OperationResult {
                executed_command: wanted.command,
                operation_resp: Some(outcome),
            };
            Reply::Response(
                OperateResp {
                    operation_results: vec![result],
                }
                .into(),
            )
        }
        RequestType::Set(_) => Reply::Error(ErrorCode::PermissionDenied, "not you"),
        other => polite(other),
    }
}

#[tokio::test]
async fn an_agent_is_created_shown_and_removed() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let created = post(
        &server,
        "/bbf/v2/agents",
        r#"{"endpointID":"self::agent-1","mtpToUse":"WebSockets"}"#,
    )
    .await;
    assert_eq!(created.status, 201, "{:?}", created.body);
    assert!(
        created
            .head
            .contains("location: /bbf/v2/agents/self::agent-1"),
        "{}",
        created.head
    );
    for (body, word) in [
        (r#"{"endpointID":"nonsense"}"#, "endpointID"),
        (
            r#"{"endpointID":"self::x","mtpToUse":"MQTT"}"#,
            "WebSockets",
        ),
        (
            r#"{"endpointID":"self::x","communicationsAddress":"ws://x"}"#,
            "connect to this server",
        ),
    ] {
        let refused = post(&server, "/bbf/v2/agents", body).await;
        assert_eq!(refused.status, 400, "{body}");
        assert!(
            refused.body["detail"].as_str().unwrap().contains(word),
            "{:?}",
            refused.body
        );
    }
    let status = async || {
        get(&server, &format!("{AGENT}/status")).await.body["communicationsStatus"].clone()
    };
    assert_eq!(status().await, "Unavailable");
    let _agent = Played::introduced(&server, "self::agent-1", polite).await;
    assert_eq!(status().await, "Available");
    assert_eq!(get(&server, AGENT).await.body["mtpToUse"], "WebSockets");
    assert_eq!(
        request(&server, "PUT", AGENT, r#"{"mtpToUse":"WebSockets"}"#)
            .await
            .status,
        204
    );
    assert_eq!(
        request(&server, "PUT", AGENT, r#"{"mtpToUse":"CoAP"}"#)
            .await
            .status,
        400
    );

    // Who has the same site is associated.
    let _other = Played::introduced(&server, "self::other", polite).await;
    for device in ["self::agent-1", "self::other"] {
        request(
            &server,
            "PATCH",
            &format!("/api/v1/devices/{device}"),
            r#"{"tags":["site=a","lab"]}"#,
        )
        .await;
    }
    let associated = get(&server, &format!("{AGENT}/associatedAgents"))
        .await
        .body;
    assert_eq!(associated, json!({"outputArgs": ["self::other"]}));

    assert_eq!(request(&server, "DELETE", AGENT, "").await.status, 204);
    assert_eq!(get(&server, &format!("{AGENT}/status")).await.status, 404);
}

#[tokio::test]
async fn elements_are_read_by_their_keys_and_refusals_told() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let _agent = Played::introduced(&server, "self::agent-1", device).await;
    let element = format!("{AGENT}/serviceElements/Device.WiFi.SSID");
    let identifier =
        json!({"uniqueKeyList": [{"elementProperty": "Alias", "elementValue": "one"}]});
    let read = request(&server, "GET", &element, &identifier.to_string()).await;
    let expected = json!({"identifier": identifier, "propertyList": [{"elementProperty": "SSID", "elementValue": "home"}]});
    assert_eq!((read.status, read.body), (200, expected));
    let refused = request(
        &server,
        "PATCH",
        &element,
        &json!({"identifier": identifier, "propertyList": []}).to_string(),
    )
    .await;
    assert_eq!((refused.status, &refused.body["code"]), (422, &json!(7006)));
    let all = request(&server, "DELETE", &element, "").await;
    assert_eq!(all.status, 400, "all rows are never deleted");
    let nobody = request(
        &server,
        "GET",
        "/bbf/v2/agents/self::nobody/serviceElements/Device.X",
        "",
    )
    .await;
    assert_eq!(nobody.status, 404);
}

#[tokio::test]
async fn a_command_answers_or_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let agent = Played::introduced(&server, "self::agent-1", device).await;
    let commands = format!("{AGENT}/commands");
    let ping =
        json!({"name": "Device.Ping()", "inputArgs": [{"argName": "Host", "argValue": "x"}]});
    let done = post(&server, &commands, &ping.to_string()).await;
    assert_eq!(done.status, 202, "{:?}", done.body);
    assert_eq!(
        done.body,
        json!({"outputArgs": [{"argName": "Time", "argValue": "x"}]})
    );

    let started = post(&server, &commands, r#"{"name":"Device.Scan()"}"#).await;
    assert_eq!(started.status, 201, "{:?}", started.body);
    let id = started.body["asyncRequestID"].as_str().unwrap().to_owned();
    let request = format!("{commands}/{id}");
    assert_eq!(get(&server, &request).await.body, json!({}));
    let complete = OperationComplete {
        obj_path: "Device.".into(),
        command_name: "Scan()".into(),
        command_key: id,
        operation_resp: Some(CompletionOutcome::ReqOutputArgs(OutputArgs {
            output_args: [("Found".to_owned(), "3".to_owned())].into(),
        })),
    };
    let notify = Notify {
        subscription_id: "s".into(),
        send_resp: true,
        notification: Some(Notification::OperComplete(complete)),
    };
    let payload = Msg::request("n-1", notify).into_payload();
    let record = Record::no_session(server.endpoint_id(), &support::id("self::agent-1"), payload);
    agent.sender.try_send(&record).unwrap();
    let ended = until(&server, &request, |results| results != &json!({})).await;
    assert_eq!(
        ended,
        json!({"outputArgs": [{"argName": "Found", "argValue": "3"}]})
    );
    let unknown: Value = get(&server, &format!("{commands}/op-0000000000000001"))
        .await
        .body;
    assert_eq!(unknown["status"], 400);
}
