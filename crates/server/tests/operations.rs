//! Operations that outlive their callers, devices that are away, and the server itself.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use support::{
    Answer, PATIENCE, Played, Reply, get, id, polite, post, raw, request, server, until,
};
use tokio::time::{sleep, timeout};
use usphere_proto::msg::{
    CompletionOutcome, Notification, Notify, OperateResp, OperationComplete, OperationOutcome,
    OperationResult, OutputArgs, RequestType, SetResp, SetSuccess, UpdatedObjectResult,
};
use usphere_proto::{Msg, Record};
use usphere_server::Server;
use usphere_server::limits::OPERATIONS_PER_DEVICE_MAX;

const AGENT: &str = "self::agent-1";
const DEVICE: &str = "/api/v1/devices/agent-1";
const OPERATIONS: &str = "/api/v1/operations";

/// What a device was told to set, and the keys of its commands.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// A device that notes what it is asked, does what it can, and starts commands.
    fn keep(&self, request: RequestType) -> Reply {
        match request {
            RequestType::Set(set) => {
                let object = &set.update_objs[0];
                let line = object.param_settings[0].value.clone();
                self.0.lock().unwrap().push(line);
                let result =
                    UpdatedObjectResult::success(object.obj_path.clone(), SetSuccess::default());
                let updated_obj_results = vec![result];
                Reply::Response(
                    SetResp {
                        updated_obj_results,
                    }
                    .into(),
                )
            }
            RequestType::Operate(operate) => {
                self.0.lock().unwrap().push(operate.command_key);
                let started = OperationResult {
                    executed_command: operate.command,
                    operation_resp: Some(OperationOutcome::ReqObjPath(
                        "Device.LocalAgent.Request.1.".into(),
                    )),
                };
                let operation_results = vec![started];
                Reply::Response(OperateResp { operation_results }.into())
            }
            RequestType::Add(_) => Reply::Nothing,
            other => polite(other),
        }
    }

    async fn connect(&self, server: &Server) -> Played {
        let diary = self.clone();
        Played::introduced(server, AGENT, move |request| diary.keep(request)).await
    }
}

fn set(value: &str) -> String {
    let parameters = json!([{"name": "B", "value": value}]);
    json!({"objects": [{"path": "Device.A.", "parameters": parameters}]}).to_string()
}

async fn later(server: &Server, verb: &str, body: &str) -> String {
    let answer = post(server, &format!("{DEVICE}/{verb}?wait=false"), body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.body["id"].as_str().unwrap().to_owned()
}

async fn keyed(server: &Server, path: &str, key: &str, body: &str) -> Answer {
    let token = server.token();
    let headers = format!("Authorization: Bearer {token}\r\nIdempotency-Key: {key}\r\n");
    raw(server.api_addr(), "POST", path, &headers, body).await
}

/// Waits until it is in this state.
async fn reaches(server: &Server, id: &str, state: &str) -> Value {
    until(server, &format!("{OPERATIONS}/{id}"), |operation| {
        operation["state"] == state
    })
    .await
}

/// The device is there once, and goes.
async fn away(server: &Server, diary: &Diary) {
    let agent = diary.connect(server).await;
    agent.sender.close(1000, "");
    until(server, DEVICE, |device| device["online"] == false).await;
}

#[tokio::test]
async fn what_a_device_misses_waits_for_it_in_order() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let diary = Diary::default();
    away(&server, &diary).await;
    let refused = post(&server, &format!("{DEVICE}/set"), &set("0")).await;
    assert_eq!(
        (refused.status, &refused.body["error"]),
        (503, &json!("not_connected"))
    );
    let mut ids = Vec::new();
    for value in ["1", "2", "3"] {
        ids.push(later(&server, "set", &set(value)).await);
    }
    let read = later(
        &server,
        "get",
        r#"{"paths": ["Device.DeviceInfo.SerialNumber"]}"#,
    )
    .await;
    let first = reaches(&server, &ids[0], "queued").await;
    assert_eq!(first["device"], AGENT);
    assert_eq!(
        (&first["kind"], &first["attempts"]),
        (&json!("set"), &json!(0))
    );
    assert_eq!(
        first["request"]["objects"][0]["parameters"][0]["value"],
        "1"
    );
    let day = first["expires"].as_i64().unwrap() - first["created"].as_i64().unwrap();
    assert_eq!(day, 24 * 3600 * 1000);

    let _agent = diary.connect(&server).await;
    let read = reaches(&server, &read, "done").await;
    let found = &read["outcome"]["results"][0]["found"][0]["parameters"];
    assert_eq!(found["SerialNumber"], "the SerialNumber");
    assert_eq!(diary.lines(), ["1", "2", "3"]);
    for id in &ids {
        assert_eq!(reaches(&server, id, "done").await["attempts"], 1);
    }
    let page = get(
        &server,
        &format!("{OPERATIONS}?device=agent-1&state=done&limit=2"),
    )
    .await;
    let newest = page.body["operations"].as_array().unwrap();
    assert_eq!((newest.len(), &newest[0]["id"]), (2, &read["id"]));
    let next = page.body["next"].as_str().unwrap();
    let page = get(&server, &format!("{OPERATIONS}?state=done&after={next}")).await;
    let rest = page.body["operations"].as_array().unwrap();
    assert_eq!((rest.len(), &rest[1]["id"]), (2, &json!(ids[0])));
    assert_eq!(page.body["next"], Value::Null);
    for state in ["nonsense", ""] {
        let refused = get(&server, &format!("{OPERATIONS}?state={state}")).await;
        assert_eq!(refused.status, 400, "{state:?}");
    }
    assert_eq!(
        get(&server, &format!("{OPERATIONS}/op-1")).await.status,
        404
    );
}

#[tokio::test]
async fn whoever_waits_gets_the_outcome_and_finds_it_again() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let diary = Diary::default();
    let _agent = diary.connect(&server).await;
    for (verb, body) in [
        ("set", set("1")),
        ("get", r#"{"paths":["Device.X"]}"#.into()),
    ] {
        let answer = post(&server, &format!("{DEVICE}/{verb}"), &body).await;
        assert_eq!(answer.status, 200);
        let name = answer
            .head
            .lines()
            .find_map(|line| line.strip_prefix("operation-id: "));
        let kept = timeout(PATIENCE, async {
            loop {
                // A read is recorded a moment later.
                let kept = get(&server, &format!("{OPERATIONS}/{}", name.unwrap())).await;
                if kept.status == 200 {
                    return kept.body;
                }
                sleep(Duration::from_millis(10)).await;
            }
        });
        let kept = kept.await.unwrap();
        assert_eq!(
            (&kept["state"], &kept["outcome"]),
            (&json!("done"), &answer.body)
        );
    }
}

#[tokio::test]
async fn a_key_makes_a_request_one_operation_however_often_it_comes() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let diary = Diary::default();
    let _agent = diary.connect(&server).await;
    let path = format!("{DEVICE}/set");
    let first = keyed(&server, &path, "k-1", &set("1")).await;
    let spaced = set("1").replace(':', " : ");
    let second = keyed(&server, &path, "k-1", &spaced).await;
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(first.body, second.body);
    let later = keyed(&server, &format!("{path}?wait=false"), "k-1", &set("1")).await;
    assert_eq!((later.status, &later.body["state"]), (200, &json!("done")));
    assert_eq!(diary.lines(), ["1"]);
    let other = keyed(&server, &path, "k-1", &set("2")).await;
    assert_eq!(other.status, 422, "{other:?}");
    let long = keyed(&server, &path, &"k".repeat(256), &set("2")).await;
    assert_eq!(long.status, 400);
    assert_eq!(diary.lines(), ["1"]);
}

#[tokio::test]
async fn there_is_room_for_so_many_and_what_waits_can_be_cancelled() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let diary = Diary::default();
    away(&server, &diary).await;
    let mut ids = Vec::new();
    for number in 0..OPERATIONS_PER_DEVICE_MAX {
        ids.push(later(&server, "set", &set(&number.to_string())).await);
    }
    let path = format!("{DEVICE}/set?wait=false");
    let full = post(&server, &path, &set("one more")).await;
    assert_eq!(
        (full.status, &full.body["error"]),
        (429, &json!("overloaded"))
    );
    for id in &ids[1..] {
        let gone = request(&server, "DELETE", &format!("{OPERATIONS}/{id}"), "").await;
        assert_eq!((gone.status, &gone.body["state"]), (200, &json!("failed")));
        assert_eq!(gone.body["error"]["error"], "cancelled");
    }
    let _agent = diary.connect(&server).await;
    reaches(&server, &ids[0], "done").await;
    assert_eq!(diary.lines(), ["0"]);
    let late = request(&server, "DELETE", &format!("{OPERATIONS}/{}", ids[0]), "").await;
    assert_eq!(late.status, 409);
    let expires = post(&server, &format!("{path}&expires=1"), &set("1")).await;
    assert_eq!(expires.status, 202);
    let wrong = post(&server, &format!("{DEVICE}/set?expires=1"), &set("1")).await;
    assert_eq!(wrong.status, 422);
}

#[tokio::test]
async fn one_whose_time_is_over_expires() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let diary = Diary::default();
    away(&server, &diary).await;
    let path = format!("{DEVICE}/set?wait=false&expires=1");
    let id = post(&server, &path, &set("1")).await.body["id"].clone();
    let expired = reaches(&server, id.as_str().unwrap(), "expired").await;
    assert_eq!(expired["error"]["error"], "expired");
    let _agent = diary.connect(&server).await;
    assert_eq!(diary.lines(), [""; 0]);
}

/// The end of a command comes by a notification, which is acknowledged when the Operation has ended.
#[tokio::test]
async fn a_command_that_runs_is_waited_for_also_by_the_next_life_of_the_server() {
    let data = tempfile::tempdir().unwrap();
    let first = server(data.path()).await;
    let diary = Diary::default();
    let agent = diary.connect(&first).await;
    let body = r#"{"command": "Device.Go()"}"#;
    let answer = post(&first, &format!("{DEVICE}/operate"), body).await;
    assert!(
        answer.body["results"][0]["started"].is_string(),
        "{answer:?}"
    );
    let page = get(&first, &format!("{OPERATIONS}?state=waiting"))
        .await
        .body;
    let id = page["operations"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        diary.lines(),
        std::slice::from_ref(&id),
        "its name is the command key"
    );
    drop(agent);
    first.shutdown().await;

    let second = server(data.path()).await;
    let mut agent = diary.connect(&second).await;
    assert_eq!(reaches(&second, &id, "waiting").await["attempts"], 1);
    let complete = OperationComplete {
        obj_path: "Device.".into(),
        command_name: "Go()".into(),
        command_key: id.clone(),
        operation_resp: Some(CompletionOutcome::ReqOutputArgs(OutputArgs {
            output_args: [("Went".to_owned(), "far".to_owned())].into(),
        })),
    };
    let notify = Notify {
        subscription_id: "s".into(),
        send_resp: true,
        notification: Some(Notification::OperComplete(complete)),
    };
    let payload = Msg::request("n", notify).into_payload();
    let record = Record::no_session(second.endpoint_id(), &id_of_agent(), payload);
    agent.sender.try_send(&record).unwrap();
    timeout(PATIENCE, agent.others.recv())
        .await
        .unwrap()
        .unwrap();
    let done = get(&second, &format!("{OPERATIONS}/{id}")).await.body;
    assert_eq!(done["state"], "done");
    assert_eq!(
        done["outcome"]["results"][0]["completed"],
        json!({"Went": "far"})
    );
}

fn id_of_agent() -> usphere_proto::EndpointId {
    id(AGENT)
}

#[tokio::test]
async fn a_restart_keeps_what_waits_and_does_not_repeat_what_was_sent() {
    let data = tempfile::tempdir().unwrap();
    let first = server(data.path()).await;
    let diary = Diary::default();
    let agent = diary.connect(&first).await;
    // The device does not answer an Add.
    let adding = later(&first, "add", r#"{"objects": [{"path": "Device.A."}]}"#).await;
    let behind = later(&first, "set", &set("behind")).await;
    reaches(&first, &adding, "sent").await;
    first.shutdown().await;
    drop(agent);

    let second = server(data.path()).await;
    let failed = reaches(&second, &adding, "failed").await;
    assert_eq!(failed["error"]["error"], "disconnected");
    let detail = failed["error"]["detail"].as_str().unwrap();
    assert!(detail.contains("not known"), "{detail}");
    reaches(&second, &behind, "queued").await;
    let _agent = diary.connect(&second).await;
    reaches(&second, &behind, "done").await;
    assert_eq!(diary.lines(), ["behind"]);
}

/// Whatever is in a row, the server starts, and lists it and the others.
#[tokio::test]
async fn a_poisoned_row_is_in_nobodys_way() {
    let data = tempfile::tempdir().unwrap();
    let first = server(data.path()).await;
    let diary = Diary::default();
    away(&first, &diary).await;
    let mut ids = Vec::new();
    for value in 0..5 {
        ids.push(later(&first, "set", &set(&value.to_string())).await);
    }
    first.shutdown().await;
    let poisons = [
        "state = 'nonsense'",
        "request = '{\"garbage'",
        "state = 'waiting', outcome = 'garbage'",
        "device = '', kind = '', request = CAST(x'ff00' AS TEXT), expires = -9223372036854775808, \
         patience = -1, attempts = -5, command_key = CAST(x'ff' AS TEXT), ended = NULL, state = 'done'",
    ];
    let database = rusqlite::Connection::open(data.path().join("server.db")).unwrap();
    for (id, poison) in ids.iter().zip(poisons) {
        let number = i64::from_str_radix(&id[3..], 16).unwrap();
        let changed = database
            .execute(
                &format!("UPDATE operations SET {poison} WHERE number = {number}"),
                [],
            )
            .unwrap();
        assert_eq!(changed, 1);
    }
    drop(database);

    let second = server(data.path()).await;
    let page = get(&second, OPERATIONS).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.body["operations"].as_array().map(Vec::len), Some(5));
    let _agent = diary.connect(&second).await;
    reaches(&second, &ids[4], "done").await;
    for id in &ids[..4] {
        let ended = reaches(&second, id, "failed").await;
        assert_eq!(ended["error"]["error"], "damaged", "{ended}");
    }
    assert_eq!(diary.lines(), ["4"]);
}
