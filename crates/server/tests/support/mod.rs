//! A server on private ports, an Agent that a test plays, and an HTTP client of a few lines.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use usphere_mtp::websocket::{self, CloseReason, Link, LinkEvent, LinkSender, Settings};
use usphere_proto::msg::{
    GetResp, GetSupportedProtocolResp, Request, RequestType, RequestedPathResult,
    ResolvedPathResult, ResponseType,
};
use usphere_proto::{EndpointId, ErrorCode, Limits, Msg, Record};
use usphere_server::{Config, OnboardingConfig, Server};

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn id(text: &str) -> EndpointId {
    EndpointId::parse(text).unwrap()
}

pub(crate) fn config(data: &Path) -> Config {
    Config {
        api: ([127, 0, 0, 1], 0).into(),
        ws: ([127, 0, 0, 1], 0).into(),
        // What a played Agent is asked is what the test asks, beside who it is.
        onboarding: OnboardingConfig {
            subscriptions: false,
            ..OnboardingConfig::default()
        },
        ..Config::new(data)
    }
}

pub(crate) async fn server(data: &Path) -> Server {
    Server::start(config(data)).await.unwrap()
}

/// What a played Agent says to a request.
pub(crate) enum Reply {
    Error(ErrorCode, &'static str),
    Nothing,
    Response(ResponseType),
}

/// An Agent that connects to the server and answers by a script.
pub(crate) struct Played {
    pub(crate) sender: LinkSender,
    pub(crate) others: mpsc::UnboundedReceiver<Record>,
    ended: tokio::task::JoinHandle<CloseReason>,
}

impl Played {
    pub(crate) async fn connect(
        server: &Server,
        name: &str,
        script: impl Fn(RequestType) -> Reply + Send + 'static,
    ) -> Self {
        let controller = server.endpoint_id().clone();
        Self::dial(server.ws_addr(), controller, name, script).await
    }

    /// Connects to where the server, or a way to it, is.
    pub(crate) async fn dial(
        door: SocketAddr,
        controller: EndpointId,
        name: &str,
        script: impl Fn(RequestType) -> Reply + Send + 'static,
    ) -> Self {
        let target = format!("ws://{door}/usp").parse().unwrap();
        let link = websocket::dial(&target, &Settings::new(id(name)))
            .await
            .unwrap();
        Self::on(link, controller, name, script)
    }

    /// Speaks on a link that was opened otherwise.
    pub(crate) fn on(
        link: Link,
        controller: EndpointId,
        name: &str,
        script: impl Fn(RequestType) -> Reply + Send + 'static,
    ) -> Self {
        let us = id(name);
        let sender = link.sender.clone();
        sender
            .try_send(&Record::websocket_connect(&controller, &us))
            .unwrap();
        let (forward, others) = mpsc::unbounded_channel();
        let mut receiver = link.receiver;
        let ended = tokio::spawn(async move {
            loop {
                match receiver.recv().await {
                    Some(LinkEvent::Record(record, _)) => match answer(&record, &script) {
                        Some(msg) => {
                            let record = Record::no_session(&controller, &us, msg.into_payload());
                            link.sender.try_send(&record).unwrap_or_default();
                        }
                        None => drop(forward.send(record)),
                    },
                    Some(LinkEvent::Refused(refusal)) => panic!("{refusal}"),
                    Some(LinkEvent::Closed(reason)) => return reason,
                    None => panic!("the end was told already"),
                }
            }
        });
        Self {
            sender,
            others,
            ended,
        }
    }

    /// Connects, and waits until the server knows what the device says about itself.
    pub(crate) async fn introduced(
        server: &Server,
        name: &str,
        script: impl Fn(RequestType) -> Reply + Send + 'static,
    ) -> Self {
        let played = Self::connect(server, name, script).await;
        until(server, &format!("/api/v1/devices/{name}"), |device| {
            device["protocol_versions"] == "1.3,1.4"
        })
        .await;
        played
    }

    pub(crate) async fn end(self) -> CloseReason {
        timeout(PATIENCE, self.ended).await.unwrap().unwrap()
    }
}

fn answer(record: &Record, script: &impl Fn(RequestType) -> Reply) -> Option<Msg> {
    let msg = Msg::receive(record.payload()?.clone(), &Limits::DEFAULT).unwrap();
    let msg_id = msg.msg_id().to_owned();
    let usphere_proto::msg::MsgBody::Request(Request {
        req_type: Some(request),
    }) = msg.into_content()?
    else {
        return None;
    };
    match script(request) {
        Reply::Error(code, text) => Some(Msg::error(msg_id, code, text, vec![])),
        Reply::Nothing => None,
        Reply::Response(response) => Some(Msg::response(msg_id, response)),
    }
}

/// A device that says who it is and knows nothing else.
pub(crate) fn polite(request: RequestType) -> Reply {
    match request {
        RequestType::Get(get) => {
            let results = get
                .param_paths
                .into_iter()
                .map(|path| match path.rsplit_once('.') {
                    Some(("Device.DeviceInfo", name)) if !name.is_empty() => RequestedPathResult {
                        resolved_path_results: vec![ResolvedPathResult {
                            resolved_path: "Device.DeviceInfo.".into(),
                            result_params: BTreeMap::from([(
                                name.to_owned(),
                                format!("the {name}"),
                            )]),
                        }],
                        requested_path: path,
                        ..RequestedPathResult::default()
                    },
                    _ => RequestedPathResult {
                        requested_path: path,
                        err_code: 7026,
                        err_msg: "no such path".into(),
                        ..RequestedPathResult::default()
                    },
                });
            Reply::Response(
                GetResp {
                    req_path_results: results.collect(),
                }
                .into(),
            )
        }
        RequestType::GetSupportedProtocol(_) => {
            let versions = "1.3,1.4".into();
            Reply::Response(
                GetSupportedProtocolResp {
                    agent_supported_protocol_versions: versions,
                }
                .into(),
            )
        }
        _ => Reply::Error(ErrorCode::MessageNotSupported, "not here"),
    }
}

/// What the API answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

pub(crate) async fn get(server: &Server, path: &str) -> Answer {
    request(server, "GET", path, "").await
}

/// Asks with this token.
pub(crate) async fn with(
    server: &Server,
    token: &str,
    method: &str,
    path: &str,
    body: &str,
) -> Answer {
    let token = format!("Authorization: Bearer {token}\r\n");
    raw(server.api_addr(), method, path, &token, body).await
}

/// The secret of a new token.
pub(crate) async fn made(server: &Server, name: &str, scope: &str) -> String {
    let body = json!({"name": name, "scope": scope}).to_string();
    let made = post(server, "/api/v1/tokens", &body).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    made.body["token"].as_str().unwrap().to_owned()
}

pub(crate) async fn post(server: &Server, path: &str, body: &str) -> Answer {
    request(server, "POST", path, body).await
}

pub(crate) async fn request(server: &Server, method: &str, path: &str, body: &str) -> Answer {
    let token = format!("Authorization: Bearer {}\r\n", server.token());
    raw(server.api_addr(), method, path, &token, body).await
}

pub(crate) async fn raw(
    api: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Answer {
    let mut stream = TcpStream::connect(api).await.unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server may refuse a body before it has read all of it.
    drop(stream.write_all(body.as_bytes()).await);
    let mut bytes = Vec::new();
    drop(
        timeout(PATIENCE, stream.read_to_end(&mut bytes))
            .await
            .unwrap(),
    );
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = if body.is_empty() {
        Value::Null
    } else if head.to_ascii_lowercase().contains("json\r\n") && !head.contains("ndjson") {
        serde_json::from_str(body).unwrap()
    } else {
        Value::String(body.to_owned())
    };
    Answer {
        status,
        head: head.to_ascii_lowercase(),
        body,
    }
}

/// A live stream of the API, read as it comes.
pub(crate) struct Live {
    stream: TcpStream,
    read: String,
}

impl Live {
    /// Opens one and reads its head; the status when it is none.
    pub(crate) async fn open(server: &Server, path: &str, headers: &str) -> Result<Self, u16> {
        Self::open_with(server, server.token(), path, headers).await
    }

    /// As [`open`](Self::open), with another token.
    pub(crate) async fn open_with(
        server: &Server,
        token: &str,
        path: &str,
        headers: &str,
    ) -> Result<Self, u16> {
        let mut stream = TcpStream::connect(server.api_addr()).await.unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut live = Self {
            stream,
            read: String::new(),
        };
        let head = live.up_to("\r\n\r\n").await.unwrap();
        match head.split(' ').nth(1) {
            Some("200") => {
                assert!(head.contains("text/event-stream"), "{head}");
                Ok(live)
            }
            status => Err(status.unwrap().parse().unwrap()),
        }
    }

    /// The next event: its name, its ID and its data; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<(String, Option<i64>, Value)> {
        loop {
            // Chunk sizes stand between the lines; no field looks like one.
            let text = self.up_to("\n\n").await?;
            let field = |name: &str| {
                let mut lines = text.lines();
                lines
                    .find_map(|line| line.strip_prefix(name))
                    .map(str::trim)
            };
            if let Some(data) = field("data:") {
                let name = field("event:").unwrap_or("message").to_owned();
                let id = field("id:").map(|id| id.parse().unwrap());
                return Some((name, id, serde_json::from_str(data).unwrap()));
            }
        }
    }

    async fn up_to(&mut self, end: &str) -> Option<String> {
        loop {
            if let Some(at) = self.read.find(end) {
                let rest = self.read.split_off(at + end.len());
                return Some(std::mem::replace(&mut self.read, rest));
            }
            let mut bytes = [0; 4096];
            let count = timeout(PATIENCE, self.stream.read(&mut bytes))
                .await
                .unwrap();
            match count.unwrap_or_default() {
                0 => return None,
                count => self.read += std::str::from_utf8(&bytes[..count]).unwrap(),
            }
        }
    }
}

/// Asks until the answer is as wanted.
pub(crate) async fn until(server: &Server, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let asking = async {
        loop {
            let answer = get(server, path).await;
            if answer.status == 200 && wanted(&answer.body) {
                return answer.body;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, asking).await.unwrap()
}
