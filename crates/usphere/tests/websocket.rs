//! The Agent before a WebSocket server that knows only what RFC 6455 says, and USP's subprotocol.

mod common;

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};
use usphere_proto::msg::{
    AddOperationStatus, AddOutcome, AddResp, AddSuccess, CompletionOutcome, CreatedObjectResult,
    DeleteResp, Get, Notification, Notify, OperateResp, OperationComplete, OperationOutcome,
    OperationResult, OutputArgs, RequestType, ResponseType,
};
use usphere_proto::{EndpointId, Limits, Msg, Record, RecordType};

use crate::common::{PATIENCE, Program, Signal, ran, usphere};

const AGENT: &str = "self::bare-agent";
const CONTROLLER: &str = "self::bare-controller";

/// The server end of one connection.
struct Bare(WebSocketStream<TcpStream>);

impl Bare {
    /// Takes the next connection; answers nothing but the subprotocol.
    async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = soon(listener.accept()).await.unwrap();
        Self(soon(accept_hdr_async(stream, subprotocol)).await.unwrap())
    }

    async fn send(&mut self, message: Message) {
        soon(self.0.send(message)).await.unwrap();
    }

    async fn next(&mut self) -> Option<Message> {
        soon(self.0.next()).await.map(Result::unwrap)
    }

    async fn say(&mut self, msg: &Msg) {
        let id = |text: &str| EndpointId::parse(text).unwrap();
        let record = Record::no_session(&id(CONTROLLER), &id(AGENT), msg.clone().into_payload());
        self.send(Message::Binary(record.to_bytes())).await;
    }

    async fn message(&mut self) -> Msg {
        let record = self.record().await;
        Msg::decode_bounded(record.payload().unwrap().clone(), &Limits::default()).unwrap()
    }

    /// The next Message, which is a request: its msg_id and what it asks.
    async fn request(&mut self) -> (String, RequestType) {
        let msg = self.message().await;
        let request = msg.as_request().unwrap_or_else(|| panic!("{msg:?}"));
        (msg.msg_id().to_owned(), request.clone())
    }

    async fn record(&mut self) -> Record {
        let Some(Message::Binary(bytes)) = self.next().await else {
            panic!("not a binary message")
        };
        Record::decode_bounded(bytes, &Limits::default()).unwrap()
    }
}

#[expect(clippy::result_large_err, reason = "the library's signature")]
fn subprotocol(_: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let name = HeaderValue::from_static("v1.usp");
    response
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", name);
    assert!(!response.headers().contains_key("Sec-WebSocket-Extensions"));
    Ok(response)
}

async fn soon<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("in time")
}

fn question() -> Record {
    let id = |text: &str| EndpointId::parse(text).unwrap();
    let get = Get {
        param_paths: vec!["Device.DeviceInfo.".to_owned()],
        ..Get::default()
    };
    let payload = Msg::request("1", get).into_payload();
    Record::no_session(&id(AGENT), &id(CONTROLLER), payload)
}

/// Without the legacy extension the Agent connects and answers; a Record may come in fragments; a Ping is
/// answered, a Pong that nobody asked for is not minded, and a Close frame is answered before the end.
///
/// Proves: R-WS.5, TP-469 7.1, TP-469 7.4, TP-469 7.7, TP-469 7.11, TP-469 7.12
#[tokio::test]
async fn an_agent_works_with_a_bare_websocket_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/usp", listener.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut command = usphere();
    command
        .args(["agent", "--endpoint-id", AGENT, "--controller"])
        .arg(format!("{CONTROLLER}={url}"))
        .arg("--data")
        .arg(folder.path().join("agent"));
    let _agent = Program::start(&mut command, folder.path().join("log"));
    let mut bare = Bare::accept(&listener).await;
    assert!(bare.record().await.is_connect());

    bare.send(Message::Ping("beat".into())).await;
    assert_eq!(bare.next().await, Some(Message::Pong("beat".into())));
    bare.send(Message::Pong("unasked".into())).await;

    let bytes = question().to_bytes();
    let (third, last) = (bytes.len() / 3, bytes.len() - 1);
    for (part, opcode, is_final) in [
        (0..third, Data::Binary, false),
        (third..last, Data::Continue, false),
        (last..bytes.len(), Data::Continue, true),
    ] {
        let frame = Frame::message(bytes.slice(part), OpCode::Data(opcode), is_final);
        bare.send(Message::Frame(frame)).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let answer = bare.record().await;
    let answer =
        Msg::decode_bounded(answer.payload().unwrap().clone(), &Limits::default()).unwrap();
    let Some(ResponseType::GetResp(response)) = answer.as_response() else {
        panic!("{answer:?}")
    };
    let found = &response.req_path_results[0].resolved_path_results;
    assert_eq!(found[0].resolved_path, "Device.DeviceInfo.");

    let close = CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    };
    // The library answers nothing by itself after this, so that the Close frame that comes is the Agent's.
    bare.send(Message::Close(Some(close.clone()))).await;
    assert_eq!(bare.next().await, Some(Message::Close(Some(close))));
    assert_eq!(bare.next().await, None);
}

/// Ctrl-C while a verb waits for its answer: the Agent is told goodbye, not merely cut off.
#[tokio::test]
async fn a_verb_that_is_interrupted_says_goodbye_to_its_agent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/usp", listener.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut command = usphere();
    command.args(["get", "--agent", &url, "--as", CONTROLLER, "Device."]);
    let verb = Program::start(&mut command, folder.path().join("log"));
    let mut bare = Bare::accept(&listener).await;
    let id = |text: &str| EndpointId::parse(text).unwrap();
    let connect = Record::websocket_connect(&id(CONTROLLER), &id(AGENT));
    bare.send(Message::Binary(connect.to_bytes())).await;
    assert!(bare.record().await.payload().is_some());
    let code = tokio::task::spawn_blocking(move || verb.end(Signal::INT));
    let goodbye = bare.record().await;
    assert!(
        matches!(goodbye.record_type, Some(RecordType::Disconnect(_))),
        "{goodbye:?}"
    );
    assert!(matches!(bare.next().await, Some(Message::Close(_))));
    drop(bare);
    assert_eq!(code.await.unwrap(), 130);
}

/// The end of a command that takes long is waited for: it is subscribed to before the command is run, known by its
/// key, acknowledged, and the Subscription is taken away.
#[tokio::test]
async fn the_end_of_a_command_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/usp", listener.local_addr().unwrap());
    let mut command = usphere();
    command.args([
        "operate",
        "--agent",
        &url,
        "--as",
        CONTROLLER,
        "Device.Test()",
    ]);
    let verb = tokio::task::spawn_blocking(move || ran(&mut command));
    let mut bare = Bare::accept(&listener).await;
    let id = |text: &str| EndpointId::parse(text).unwrap();
    let connect = Record::websocket_connect(&id(CONTROLLER), &id(AGENT));
    bare.send(Message::Binary(connect.to_bytes())).await;

    let (msg_id, request) = bare.request().await;
    let RequestType::Add(add) = request else {
        panic!("{request:?}")
    };
    let settings = &add.create_objs[0].param_settings;
    let setting = |name: &str| {
        let setting = settings.iter().find(|setting| setting.param == name);
        setting.map(|setting| setting.value.clone()).unwrap()
    };
    assert_eq!(setting("NotifType"), "OperationComplete");
    assert_eq!(setting("ReferenceList"), "Device.Test()");
    assert_eq!(setting("Persistent"), "false");
    let row = "Device.LocalAgent.Subscription.1.";
    let created = CreatedObjectResult {
        requested_path: add.create_objs[0].obj_path.clone(),
        oper_status: Some(AddOperationStatus {
            oper_status: Some(AddOutcome::OperSuccess(AddSuccess {
                instantiated_path: row.into(),
                ..AddSuccess::default()
            })),
        }),
    };
    let answer = AddResp {
        created_obj_results: vec![created],
    };
    bare.say(&Msg::response(msg_id, answer)).await;

    let (msg_id, request) = bare.request().await;
    let RequestType::Operate(operate) = request else {
        panic!("{request:?}")
    };
    let started = OperationResult {
        executed_command: operate.command.clone(),
        operation_resp: Some(OperationOutcome::ReqObjPath(
            "Device.LocalAgent.Request.1.".into(),
        )),
    };
    let answer = OperateResp {
        operation_results: vec![started],
    };
    bare.say(&Msg::response(msg_id, answer)).await;
    let complete = |command_key: &str, result: &str| OperationComplete {
        obj_path: "Device.".into(),
        command_name: "Test()".into(),
        command_key: command_key.into(),
        operation_resp: Some(CompletionOutcome::ReqOutputArgs(OutputArgs {
            output_args: [("Result".to_owned(), result.to_owned())].into(),
        })),
    };
    // The end of another run of the same command is not the one that is waited for.
    for (msg_id, key, result) in [
        ("n-1", "other", "wrong"),
        ("n-2", &operate.command_key, "right"),
    ] {
        let notify = Notify {
            subscription_id: setting("ID"),
            send_resp: true,
            notification: Some(Notification::OperComplete(complete(key, result))),
        };
        bare.say(&Msg::request(msg_id, notify)).await;
        let answer = bare.message().await;
        assert_eq!(answer.msg_id(), msg_id);
        assert!(matches!(
            answer.as_response(),
            Some(ResponseType::NotifyResp(_))
        ));
    }

    let (msg_id, request) = bare.request().await;
    let RequestType::Delete(delete) = request else {
        panic!("{request:?}")
    };
    assert!(delete.obj_paths[0].contains(&setting("ID")), "{delete:?}");
    bare.say(&Msg::response(msg_id, DeleteResp::default()))
        .await;
    let goodbye = bare.record().await;
    assert!(matches!(
        goodbye.record_type,
        Some(RecordType::Disconnect(_))
    ));
    drop(bare);
    let verb = verb.await.unwrap().ended(0).says("completed Device.Test()");
    assert!(
        verb.out.contains("right") && !verb.out.contains("wrong"),
        "{verb:#?}"
    );
}
