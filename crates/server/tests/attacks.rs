//! What hostile devices and clients of a small token try, and do not get.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{
    Live, PATIENCE, Played, Reply, config, get, id, made, polite, post, raw, request, server,
    until, with,
};
use tokio::time::{sleep, timeout};
use usphere_proto::msg::{
    CompletionOutcome, Event, GetSupportedDmResp, Notification, Notify, OperateResp,
    OperationComplete, OperationOutcome, OperationResult, OutputArgs, RequestType,
    RequestedObjectResult, SupportedObjectResult, ValueChange,
};
use usphere_proto::{Msg, Record};
use usphere_server::limits::{
    FLEET_READS_PER_TOKEN_MAX, REFUSED_BURST, REQUESTS_PER_TOKEN_MAX, STREAMS_PER_TOKEN_MAX,
};
use usphere_server::{Config, FirstContact, OnboardingConfig, Server};
use usphere_store::limits::PENDING_MAX;
use usphere_store::{DeviceState, Protocol, Sighting, Store};

const DEVICE: &str = "/api/v1/devices/self::agent-1";

/// A server on which everybody waits to be approved.
async fn guarded(data: &std::path::Path) -> Server {
    let onboarding = OnboardingConfig {
        first_contact: FirstContact::Approval,
        subscriptions: false,
        ..OnboardingConfig::default()
    };
    let config = Config {
        onboarding,
        ..config(data)
    };
    Server::start(config).await.unwrap()
}

/// The compatible face of the API is no way around the approval.
#[tokio::test]
async fn a_device_that_waits_is_asked_nothing_by_any_route() {
    let data = tempfile::tempdir().unwrap();
    let server = guarded(data.path()).await;
    let _waiting = Played::introduced(&server, "self::agent-1", polite).await;
    let agent = "/bbf/v2/agents/self::agent-1";
    let elements = format!("{agent}/serviceElements");
    let info = format!("{elements}/Device.DeviceInfo");
    let row = r#"{"name":"Device.A"}"#;
    let element = r#"{"propertyList":[]}"#;
    let keyed = r#"{"uniqueKeyList":[{"elementProperty":"Alias","elementValue":"x"}]}"#;
    let command = r#"{"name":"Device.Reboot()","inputArgs":[]}"#;
    for (method, path, body) in [
        ("GET", &info, ""),
        ("PATCH", &info, element),
        ("DELETE", &info, keyed),
        ("POST", &elements, row),
        ("POST", &format!("{agent}/commands"), command),
    ] {
        let refused = request(&server, method, path, body).await;
        assert_eq!(refused.status, 409, "{method} {path}: {refused:?}");
    }
    // Who is let in is named in full: a stranger may call itself much like one who is not there yet.
    let part = post(&server, "/api/v1/devices/self::agent/approve", "").await;
    assert_eq!(part.status, 404, "{part:?}");
    let detail = part.body["detail"].as_str().unwrap();
    assert!(
        detail.contains("self::agent-1 has it as a part"),
        "{detail}"
    );
    assert_eq!(get(&server, &info).await.status, 409);
    // The audit names the device that was let in, however it was called.
    let alias = r#"{"alias":"kitchen"}"#;
    assert_eq!(request(&server, "PATCH", DEVICE, alias).await.status, 200);
    let approved = post(&server, "/api/v1/devices/kitchen/approve", "").await;
    assert_eq!(approved.status, 200);
    let page = until(&server, "/api/v1/audit?limit=1", |page| {
        page["audit"][0]["status"] == 200
    })
    .await;
    assert_eq!(page["audit"][0]["target"], "self::agent-1");
}

/// What somebody wrote and no device would tell is not to be had from the list of what was asked either.
#[tokio::test]
async fn who_may_only_read_does_not_see_the_secrets_that_others_wrote() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let _agent = Played::introduced(&server, "self::agent-1", polite).await;
    let (read, operate) = (
        made(&server, "reader", "read").await,
        made(&server, "ci", "operate").await,
    );
    let settings =
        json!([{"name": "Password", "value": "hush-1"}, {"name": "Username", "value": "plain"}]);
    let set = json!({"objects": [{"path": "Device.Users.User.1.", "parameters": settings}]});
    let login = json!({"command": "Device.X.Login()", "arguments": {"Password": "hush-2", "User": "plain"}});
    let find = json!({"paths": ["Device.Users.User.[Password==\"hush-3\"]."]});
    for (verb, body) in [("set", set), ("operate", login), ("delete", find)] {
        let path = format!("{DEVICE}/{verb}?wait=false");
        let kept = with(&server, &operate, "POST", &path, &body.to_string()).await;
        assert_eq!(kept.status, 202, "{kept:?}");
        let one = format!("/api/v1/operations/{}", kept.body["id"].as_str().unwrap());
        for path in [one.as_str(), "/api/v1/operations"] {
            let shown = with(&server, &read, "GET", path, "").await.body.to_string();
            assert!(
                shown.contains("(hidden)") && !shown.contains("hush"),
                "{shown}"
            );
            let shown = with(&server, &operate, "GET", path, "")
                .await
                .body
                .to_string();
            assert!(
                shown.contains("hush") && !shown.contains("(hidden)"),
                "{shown}"
            );
        }
    }
}

/// Nor by the compatible face of the API, of what a command gave.
#[tokio::test]
async fn who_may_only_read_does_not_see_the_secrets_that_commands_gave() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let giving = |request: RequestType| match request {
        RequestType::Operate(operate) => {
            let output = [("Password", "hush-4"), ("User", "plain")];
            let output = output.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let output_args = output.into_iter().collect();
            let result = OperationResult {
                executed_command: operate.command,
                operation_resp: Some(OperationOutcome::ReqOutputArgs(OutputArgs { output_args })),
            };
            let operation_results = vec![result];
            Reply::Response(OperateResp { operation_results }.into())
        }
        other => polite(other),
    };
    let _agent = Played::introduced(&server, "self::agent-1", giving).await;
    let (read, operate) = (
        made(&server, "reader", "read").await,
        made(&server, "ci", "operate").await,
    );
    let command = r#"{"command": "Device.X.NewLogin()"}"#;
    let path = format!("{DEVICE}/operate");
    let done = with(&server, &operate, "POST", &path, command).await;
    assert_eq!(done.status, 200, "{done:?}");
    let id = done
        .head
        .lines()
        .find_map(|line| line.strip_prefix("operation-id: "));
    let path = format!("/bbf/v2/agents/self::agent-1/commands/{}", id.unwrap());
    let of = async |token: &str| {
        with(&server, token, "GET", &path, "")
            .await
            .body
            .to_string()
    };
    let (shown, whole) = (of(&read).await, of(&operate).await);
    assert!(
        shown.contains("plain") && !shown.contains("hush"),
        "{shown}"
    );
    assert!(whole.contains("hush-4"), "{whole}");
}

/// Nor by the events in which devices tell what commands gave, and what has changed.
#[tokio::test]
async fn who_may_only_read_does_not_see_the_secrets_that_devices_tell() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let agent = Played::introduced(&server, "self::agent-1", polite).await;
    let (read, operate) = (
        made(&server, "reader", "read").await,
        made(&server, "ci", "operate").await,
    );
    let values = |secret: &str| {
        let values = [("Password", secret), ("User", "plain")];
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
        values.into_iter().collect()
    };
    let told = [
        Notification::OperComplete(OperationComplete {
            obj_path: "Device.X.".into(),
            command_name: "NewLogin()".into(),
            command_key: "key".into(),
            operation_resp: Some(CompletionOutcome::ReqOutputArgs(OutputArgs {
                output_args: values("hush-1"),
            })),
        }),
        Notification::Event(Event {
            obj_path: "Device.X.".into(),
            event_name: "Login!".into(),
            params: values("hush-2"),
        }),
        Notification::ValueChange(ValueChange {
            param_path: "Device.X.Password".into(),
            param_value: "hush-3".into(),
        }),
    ];
    let of_device = format!("{DEVICE}/events");
    let streams = [("/api/v1/events", "all"), (of_device.as_str(), "one")];
    let mut live = Vec::new();
    for (path, _) in streams {
        for token in [&read, &operate] {
            let path = format!("{path}/live");
            live.push(
                Live::open_with(&server, token, &path, "")
                    .await
                    .ok()
                    .unwrap(),
            );
        }
    }
    for (number, notification) in told.into_iter().enumerate() {
        let notify = Notify {
            subscription_id: "s".into(),
            send_resp: true,
            notification: Some(notification),
        };
        let payload = Msg::request(format!("n-{number}"), notify).into_payload();
        let record = Record::no_session(server.endpoint_id(), &id("self::agent-1"), payload);
        agent.sender.try_send(&record).unwrap();
    }
    let is_there = |page: &Value| page.to_string().contains("Device.X.Password");
    until(&server, "/api/v1/events", is_there).await;
    let judge = |shown: &str, may_know: bool, by: &str| {
        assert_eq!(shown.contains("hush"), may_know, "{by}: {shown}");
        assert_eq!(shown.contains("(hidden)"), !may_know, "{by}: {shown}");
    };
    for (path, name) in streams {
        for (token, may_know) in [(&read, false), (&operate, true)] {
            let page = with(&server, token, "GET", path, "").await.body.to_string();
            judge(&page, may_know, name);
            assert!(page.contains("plain"), "{page}");
        }
    }
    for (live, may_know) in live.iter_mut().zip([false, true].into_iter().cycle()) {
        let mut shown = String::new();
        while !shown.contains("Device.X.Password") {
            shown += &format!("{:?}", live.next().await.unwrap());
        }
        judge(&shown, may_know, "live");
    }
}

/// What a device and the server say to each other is not told on with a token that was taken back.
#[tokio::test]
async fn every_stream_ends_with_its_token() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let _agent = Played::introduced(&server, "self::agent-1", polite).await;
    let token = made(&server, "reader", "read").await;
    let mut streams = Vec::new();
    for path in ["log/live", "events/live"] {
        let path = format!("{DEVICE}/{path}");
        let live = Live::open_with(&server, &token, &path, "Connection: close\r\n").await;
        streams.push(live.ok().unwrap());
    }
    let revoked = request(&server, "DELETE", "/api/v1/tokens/reader", "").await;
    assert_eq!(revoked.status, 204);
    for live in &mut streams {
        while live.next().await.is_some() {}
    }
}

/// Says nothing to a Get of `Device.Mute.`, and so keeps who asks waiting.
fn mute(request: RequestType) -> Reply {
    match request {
        RequestType::Get(get) if get.param_paths == ["Device.Mute."] => Reply::Nothing,
        other => polite(other),
    }
}

/// A token that reads has neither all streams nor all connections, and the operator's own is never kept out.
#[tokio::test]
async fn one_token_has_its_share_of_streams_and_requests() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let _agent = Played::introduced(&server, "self::agent-1", mute).await;
    let token = made(&server, "reader", "read").await;
    let live = "/api/v1/events/live";
    let mut streams = Vec::new();
    for _ in 0..STREAMS_PER_TOKEN_MAX {
        streams.push(
            Live::open_with(&server, &token, live, "")
                .await
                .ok()
                .unwrap(),
        );
    }
    let refused = Live::open_with(&server, &token, live, "").await;
    assert_eq!(refused.err(), Some(429));
    let log = format!("{DEVICE}/log/live");
    let refused = Live::open_with(&server, &token, &log, "").await;
    assert_eq!(refused.err(), Some(429));
    assert!(Live::open(&server, live, "").await.is_ok());

    let waiting = (0..REQUESTS_PER_TOKEN_MAX).map(|_| {
        let (api, token) = (server.api_addr(), token.clone());
        tokio::spawn(async move {
            let token = format!("Authorization: Bearer {token}\r\n");
            let path = format!("{DEVICE}/get?timeout=600");
            raw(api, "POST", &path, &token, r#"{"paths":["Device.Mute."]}"#).await
        })
    });
    let waiting: Vec<_> = waiting.collect();
    let full = async {
        loop {
            let answer = with(&server, &token, "GET", DEVICE, "").await;
            let detail = answer.body["detail"].as_str().unwrap_or_default();
            if detail.contains("are under way") {
                return answer;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let refused = timeout(PATIENCE, full).await.unwrap();
    assert_eq!(refused.status, 429);
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    assert_eq!(get(&server, DEVICE).await.status, 200);
    waiting.iter().for_each(|waiting| waiting.abort());

    // Nor does it ask the whole fleet as often as the server does at all.
    let ask = |token: String| {
        let api = server.api_addr();
        tokio::spawn(async move {
            let token = format!("Authorization: Bearer {token}\r\n");
            let body = r#"{"paths":["Device.Mute."],"timeout":600}"#;
            raw(api, "POST", "/api/v1/fleet/get", &token, body).await
        })
    };
    let asking: Vec<_> = (0..=FLEET_READS_PER_TOKEN_MAX)
        .map(|_| ask(token.clone()))
        .collect();
    let (refused, _, asking) = futures_util::future::select_all(asking).await;
    let refused = refused.unwrap();
    assert_eq!(refused.status, 429);
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains("with this token"), "{detail}");
    asking.iter().for_each(|asking| asking.abort());
    let free = async {
        while with(&server, &token, "GET", DEVICE, "").await.status != 200 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, free).await.unwrap();
}

/// Three tokens that take whatever they get leave room for the fourth, and for its streams.
#[tokio::test]
async fn many_tokens_together_leave_something_for_the_next() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let _agent = Played::introduced(&server, "self::agent-1", mute).await;
    let live = "/api/v1/events/live";
    let mut streams = Vec::new();
    let mut waiting = Vec::new();
    for name in ["one", "two", "three"] {
        let token = made(&server, name, "read").await;
        while let Ok(stream) = Live::open_with(&server, &token, live, "").await {
            streams.push(stream);
        }
        waiting.extend((0..REQUESTS_PER_TOKEN_MAX).map(|_| {
            let (api, token) = (server.api_addr(), token.clone());
            tokio::spawn(async move {
                let token = format!("Authorization: Bearer {token}\r\n");
                let path = format!("{DEVICE}/get?timeout=600");
                raw(api, "POST", &path, &token, r#"{"paths":["Device.Mute."]}"#).await
            })
        }));
        let full = async {
            while with(&server, &token, "GET", DEVICE, "").await.status != 429 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, full).await.unwrap();
    }
    let token = made(&server, "four", "read").await;
    let answer = with(&server, &token, "GET", DEVICE, "").await;
    assert_eq!(answer.status, 200);
    assert!(
        Live::open_with(&server, &token, live, "").await.is_ok(),
        "{} streams are open",
        streams.len()
    );
    waiting.iter().for_each(|waiting| waiting.abort());
}

/// A token that may change nothing cannot push out of the audit what others have changed.
#[tokio::test]
async fn refused_attempts_do_not_fill_the_audit() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let token = made(&server, "prometheus", "metrics").await;
    for _ in 0..REFUSED_BURST + 20 {
        let refused = with(&server, &token, "DELETE", DEVICE, "").await;
        assert_eq!(refused.status, 403);
    }
    let path = "/api/v1/audit?actor=prometheus&limit=1000";
    let burst = REFUSED_BURST as usize;
    let page = until(&server, path, |page| {
        page["audit"]
            .as_array()
            .is_some_and(|all| all.len() >= burst)
    })
    .await;
    assert_eq!(page["audit"].as_array().map(Vec::len), Some(burst));
    let page = get(&server, "/api/v1/audit?action=token.create").await.body;
    assert_eq!(page["audit"][0]["target"], "prometheus");
}

/// A polite device that says its model has this object.
fn having(object: &'static str) -> impl Fn(RequestType) -> Reply + Send + 'static {
    move |request| match request {
        RequestType::GetSupportedDm(dm) => {
            let told = |path: &str| SupportedObjectResult {
                supported_obj_path: path.into(),
                ..SupportedObjectResult::default()
            };
            let objects = vec![told("Device."), told(object)];
            let results = dm.obj_paths.into_iter().map(|path| RequestedObjectResult {
                req_obj_path: path,
                supported_objs: objects.clone(),
                ..RequestedObjectResult::default()
            });
            let req_obj_results = results.collect();
            Reply::Response(GetSupportedDmResp { req_obj_results }.into())
        }
        other => polite(other),
    }
}

/// A device that says it is the product of others, and has another model, is believed for itself alone.
#[tokio::test]
async fn a_lying_device_does_not_speak_for_its_product() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let _liar = Played::introduced(&server, "self::liar", having("Device.Trap.")).await;
    let told_by = async |device: &str| {
        until(&server, "/api/v1/models", |page| {
            page["models"][0]["device"] == device
        })
        .await
    };
    told_by("self::liar").await;
    let schema = async |device: &str| {
        let path = format!("/api/v1/devices/{device}/schema");
        let answer = post(&server, &path, r#"{"paths":["Device."]}"#).await;
        let objects = &answer.body["results"][0]["supported"]["objects"];
        let is_kept = answer.head.contains("age: ");
        (
            objects[1]["path"].as_str().unwrap_or_default().to_owned(),
            is_kept,
        )
    };
    let _honest = Played::introduced(&server, "self::agent-1", having("Device.A.")).await;
    assert_eq!(schema("self::agent-1").await.0, "Device.A.");
    told_by("self::agent-1").await;
    assert_eq!(
        schema("self::agent-1").await,
        ("Device.A.".to_owned(), true)
    );
    // Nor for others of the product before it is known who is right; the liar is asked for itself.
    assert_eq!(
        schema("self::liar").await,
        ("Device.Trap.".to_owned(), false)
    );
    let _other = Played::introduced(&server, "self::agent-2", having("Device.A.")).await;
    assert_eq!(
        schema("self::agent-2").await,
        ("Device.A.".to_owned(), false)
    );
}

/// Names that somebody made up and does not use give way to a device that is there.
#[tokio::test]
async fn devices_that_wait_and_are_gone_keep_nobody_out() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(&data.path().join("server.db")).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap().as_millis()).unwrap();
    let made_up = (0..PENDING_MAX).map(|number| Sighting {
        endpoint_id: format!("self::made-up-{number}"),
        protocol: Protocol::Usp,
        at: now,
        remote_address: None,
        mtp: None,
        state: DeviceState::Pending,
        proven: false,
    });
    store.seen(made_up.collect()).unwrap();
    drop(store);
    let server = guarded(data.path()).await;
    let _waiting = Played::introduced(&server, "self::agent-1", polite).await;
    assert_eq!(get(&server, DEVICE).await.body["state"], "pending");
    let known = get(&server, "/api/v1/server").await.body;
    let known = known["devices"].as_u64().unwrap();
    assert!(known > 1 && known <= PENDING_MAX as u64, "{known}");
    assert_eq!(
        post(&server, &format!("{DEVICE}/approve"), "").await.status,
        200
    );
}

/// No alias is the name that another device may come with.
#[tokio::test]
async fn an_alias_cannot_be_taken_over_by_a_name() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let _agent = Played::introduced(&server, "self::agent-1", polite).await;
    for alias in ["self::agent-2", "00:25:6D:01:02:03"] {
        let body = json!({"alias": alias}).to_string();
        let refused = request(&server, "PATCH", DEVICE, &body).await;
        assert_eq!(refused.status, 400, "{refused:?}");
    }
}

/// No browser keeps what it was told, or takes it for a page.
#[tokio::test]
async fn answers_are_not_kept_and_are_what_they_say() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    for path in [
        "/api/v1/devices",
        "/api/v1/nothing",
        "/metrics",
        "/api/v1/events/live?x=1",
    ] {
        let head = get(&server, path).await.head;
        for line in ["cache-control: no-store", "x-content-type-options: nosniff"] {
            assert!(head.contains(line), "{path}: {head}");
        }
        assert!(!head.contains("access-control"), "{path}: {head}");
    }
}
