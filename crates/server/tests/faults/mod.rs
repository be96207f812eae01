//! Faults, each made from a loopback address of its own: a small proxy stands between, so that the server
//! sees who it was.

mod tls;

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, client_async};
use usphere_proto::msg::{Get, GetResp, RequestType, RequestedPathResult};
use usphere_proto::record::{MqttConnect, SessionContext};
use usphere_proto::{EndpointId, Msg, Record, RecordType};
use usphere_server::{Config, Server};

use crate::support::{self, PATIENCE, Played, Reply, id, polite};

pub(crate) use self::tls::*;

/// Longer than contacts are gathered before they are written.
const GATHERED: Duration = Duration::from_millis(400);

/// A server to be visited.
pub(crate) struct House {
    pub(crate) server: Server,
    pub(crate) data: TempDir,
    certificates: Arc<Certificates>,
    wards: Cell<u8>,
}

/// A device that something is wrong with.
pub(crate) struct Ward {
    /// Where it comes from.
    pub(crate) address: Ipv4Addr,
    /// Who it is.
    pub(crate) agent: EndpointId,
    /// The way to the server.
    door: SocketAddr,
    controller: EndpointId,
    certificates: Arc<Certificates>,
}

type WebSocket = WebSocketStream<TcpStream>;

impl House {
    pub(crate) async fn plain() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn of_one() -> Self {
        Self::with(|config| config.connections_per_source_max = 1).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let certificates = Certificates::make(data.path());
        let mut config = support::config(data.path());
        config.endpoint_id = Some(id(CONTROLLER));
        change(&mut config);
        Self {
            server: Server::start(config).await.unwrap(),
            data,
            certificates: Arc::new(certificates),
            wards: Cell::new(1),
        }
    }

    pub(crate) async fn tls() -> Self {
        let data = tempfile::tempdir().unwrap();
        let certificates = Certificates::make(data.path());
        let mut config = support::config(data.path());
        config.endpoint_id = Some(id(CONTROLLER));
        config.tls = Some(certificates.files(data.path()));
        Self {
            server: Server::start(config).await.unwrap(),
            data,
            certificates: Arc::new(certificates),
            wards: Cell::new(1),
        }
    }

    /// The next device, at an address of its own.
    pub(crate) fn ward(&self) -> Ward {
        let number = self.wards.get() + 1;
        self.wards.set(number);
        let address = Ipv4Addr::new(127, 0, 0, number);
        Ward {
            address,
            agent: id(&format!("self::device-{number}x")),
            door: way(address, self.server.ws_addr()),
            controller: self.server.endpoint_id().clone(),
            certificates: Arc::clone(&self.certificates),
        }
    }

    /// What is told of an address, once something is.
    pub(crate) async fn contacts(&self, ward: &Ward) -> Vec<Value> {
        let path = format!("/api/v1/contacts?device={}", ward.address);
        let contacts = |page: &Value| page["contacts"].as_array().unwrap().clone();
        let page = support::until(&self.server, &path, |page| !contacts(page).is_empty()).await;
        contacts(&page)
    }

    /// Waits until all is written that happened until now.
    pub(crate) async fn settle(&self) {
        sleep(GATHERED).await;
    }
}

/// A proxy that comes from `address` to `server`.
fn way(address: Ipv4Addr, server: SocketAddr) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let door = listener.local_addr().unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    tokio::spawn(async move {
        while let Ok((mut came, _)) = listener.accept().await {
            tokio::spawn(async move {
                let socket = TcpSocket::new_v4().unwrap();
                socket.bind((address, 0).into()).unwrap();
                let Ok(mut onward) = socket.connect(server).await else {
                    return;
                };
                drop(copy_bidirectional(&mut came, &mut onward).await);
            });
        }
    });
    door
}

/// Sends bytes and reads what comes until the end.
async fn says(ward: &Ward, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(ward.door).await.unwrap();
    // The server may refuse it before it has read all of it.
    drop(stream.write_all(bytes).await);
    let mut answer = Vec::new();
    drop(timeout(PATIENCE, stream.read_to_end(&mut answer)).await);
    answer
}

/// An opening handshake with these differences.
async fn asks(ward: &Ward, path: &str, version: u8, more: &str) -> Vec<u8> {
    let request = format!(
        "GET {path}?eid={} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n",
        ward.agent
    );
    says(ward, request.as_bytes()).await
}

const OFFER: &str = "Sec-WebSocket-Protocol: v1.usp\r\n";

pub(crate) async fn wrong_path(ward: &Ward) {
    asks(ward, "/ws", 13, OFFER).await;
}

pub(crate) async fn no_subprotocol(ward: &Ward) {
    asks(ward, "/usp", 13, "").await;
}

pub(crate) async fn other_subprotocol(ward: &Ward) {
    asks(ward, "/usp", 13, "Sec-WebSocket-Protocol: mqtt\r\n").await;
}

pub(crate) async fn old_web_socket(ward: &Ward) {
    asks(ward, "/usp", 8, OFFER).await;
}

pub(crate) async fn large_request(ward: &Ward) {
    let cookie = format!("Cookie: {}\r\n", "x".repeat(10_000));
    asks(ward, "/usp", 13, &cookie).await;
}

pub(crate) async fn browser(ward: &Ward) {
    says(ward, b"GET /usp HTTP/1.1\r\nHost: test\r\n\r\n").await;
}

pub(crate) async fn post(ward: &Ward) {
    let request = b"POST /usp HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n";
    says(ward, request).await;
}

pub(crate) async fn mqtt(ward: &Ward) {
    says(ward, b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03abc").await;
}

pub(crate) async fn tls_hello(ward: &Ward) {
    says(ward, OLD_HELLO).await;
}

pub(crate) async fn bad_eid(ward: &Ward) {
    let request = format!(
        "GET /usp?eid=nonsense HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{OFFER}\r\n"
    );
    says(ward, request.as_bytes()).await;
}

pub(crate) async fn vanishes(ward: &Ward) {
    let mut stream = TcpStream::connect(ward.door).await.unwrap();
    stream.write_all(b"GET /usp HTTP/1.1\r\n").await.unwrap();
}

/// An open WebSocket of who says it is `name`, or nothing.
async fn open(ward: &Ward, name: Option<&str>) -> WebSocket {
    let query = name.map_or_else(String::new, |name| format!("?eid={name}"));
    let url = format!("ws://{}/usp{query}", ward.door);
    let mut request = url.into_client_request().unwrap();
    let offer = HeaderValue::from_static("v1.usp");
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, offer);
    let stream = TcpStream::connect(ward.door).await.unwrap();
    client_async(request, stream).await.unwrap().0
}

async fn named(ward: &Ward) -> WebSocket {
    open(ward, Some(ward.agent.as_str())).await
}

fn connect(ward: &Ward) -> Record {
    Record::websocket_connect(&ward.controller, &ward.agent)
}

async fn send(socket: &mut WebSocket, record: &Record) {
    let message = Message::binary(record.to_bytes());
    socket.send(message).await.unwrap();
}

/// Opens a WebSocket and sends a Record; the connection stays open.
async fn opens_with(ward: &Ward, record: &Record) -> WebSocket {
    let mut socket = named(ward).await;
    send(&mut socket, record).await;
    socket
}

/// An Agent that is online and says no more.
pub(crate) async fn online(ward: &Ward) -> WebSocket {
    online_as(ward, &ward.agent).await
}

/// The same in a name that may be another's.
pub(crate) async fn online_as(ward: &Ward, agent: &EndpointId) -> WebSocket {
    let mut socket = open(ward, None).await;
    send(
        &mut socket,
        &Record::websocket_connect(&ward.controller, agent),
    )
    .await;
    // The server asks who it is.
    timeout(PATIENCE, socket.next()).await.unwrap();
    socket
}

/// An Agent that is online and answers by a script.
pub(crate) async fn served(
    ward: &Ward,
    script: impl Fn(RequestType) -> Reply + Send + 'static,
) -> Played {
    Played::dial(
        ward.door,
        ward.controller.clone(),
        ward.agent.as_str(),
        script,
    )
    .await
}

pub(crate) async fn own_id(ward: &Ward) -> WebSocket {
    open(ward, Some(CONTROLLER)).await
}

pub(crate) async fn endpoint_mismatch(ward: &Ward) -> WebSocket {
    let mut socket = open(ward, Some("self::claimed")).await;
    send(&mut socket, &connect(ward)).await;
    socket
}

pub(crate) async fn wrong_to_id(ward: &Ward) -> WebSocket {
    let record = Record::websocket_connect(&id("self::elsewhere"), &ward.agent);
    opens_with(ward, &record).await
}

/// Opens a WebSocket and sends a message; the connection stays open.
async fn opens_saying(ward: &Ward, message: Message) -> WebSocket {
    let mut socket = named(ward).await;
    // The server may close it in the middle.
    drop(socket.send(message).await);
    socket
}

pub(crate) async fn not_a_record(ward: &Ward) -> WebSocket {
    opens_saying(ward, Message::binary(&b"\xff\xff\xff"[..])).await
}

pub(crate) async fn text_message(ward: &Ward) -> WebSocket {
    opens_saying(ward, Message::text("hello")).await
}

pub(crate) async fn large_record(ward: &Ward) -> WebSocket {
    opens_saying(ward, Message::binary(vec![0; (8 << 20) + 1])).await
}

pub(crate) async fn unmasked(ward: &Ward) -> WebSocket {
    let mut socket = named(ward).await;
    let stream = socket.get_mut();
    stream.write_all(&[0x82, 0x01, 0x00]).await.unwrap();
    socket
}

fn request(ward: &Ward) -> Msg {
    let get = Get {
        param_paths: vec![format!("Device.{}", ward.agent)],
        ..Get::default()
    };
    Msg::request("1", get)
}

pub(crate) async fn before_connect(ward: &Ward) -> WebSocket {
    let payload = request(ward).into_payload();
    let record = Record::no_session(&ward.controller, &ward.agent, payload);
    opens_with(ward, &record).await
}

pub(crate) async fn wrong_connect(ward: &Ward) -> WebSocket {
    let mqtt = MqttConnect {
        subscribed_topic: "agents/1".into(),
        ..MqttConnect::default()
    };
    let record = Record {
        record_type: Some(RecordType::MqttConnect(mqtt)),
        ..connect(ward)
    };
    opens_with(ward, &record).await
}

async fn of_version(ward: &Ward, version: &str) -> WebSocket {
    let record = Record {
        version: version.into(),
        ..connect(ward)
    };
    opens_with(ward, &record).await
}

pub(crate) async fn bad_version(ward: &Ward) -> WebSocket {
    of_version(ward, "two").await
}

pub(crate) async fn future_version(ward: &Ward) -> WebSocket {
    of_version(ward, "9.0").await
}

pub(crate) async fn bad_from_id(ward: &Ward) -> WebSocket {
    let record = Record {
        from_id: "nonsense".into(),
        ..connect(ward)
    };
    opens_with(ward, &record).await
}

pub(crate) async fn signed(ward: &Ward) -> WebSocket {
    let record = Record {
        mac_signature: b"signature"[..].into(),
        ..connect(ward)
    };
    opens_with(ward, &record).await
}

pub(crate) async fn session_context(ward: &Ward) -> WebSocket {
    let mut socket = opens_with(ward, &connect(ward)).await;
    let context = SessionContext {
        session_id: 1,
        sequence_id: 1,
        expected_id: 1,
        payload: vec![request(ward).into_payload()],
        ..SessionContext::default()
    };
    let record = Record {
        record_type: Some(RecordType::SessionContext(context)),
        ..connect(ward)
    };
    send(&mut socket, &record).await;
    socket
}

pub(crate) async fn bad_request(ward: &Ward) -> WebSocket {
    let mut socket = opens_with(ward, &connect(ward)).await;
    let payload = request(ward).into_payload();
    let record = Record::no_session(&ward.controller, &ward.agent, payload);
    send(&mut socket, &record).await;
    socket
}

pub(crate) async fn says_goodbye(ward: &Ward) -> WebSocket {
    let mut socket = opens_with(ward, &connect(ward)).await;
    let text = "not without TLS".to_owned();
    let record = Record::disconnect(&ward.controller, &ward.agent, 7101_u32, text);
    send(&mut socket, &record).await;
    socket
}

pub(crate) async fn closes_with_error(ward: &Ward) {
    let mut socket = named(ward).await;
    let frame = CloseFrame {
        code: CloseCode::Policy,
        reason: "who are you".into(),
    };
    socket.close(Some(frame)).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
}

pub(crate) async fn shows_nothing(ward: &Ward) -> Played {
    served(ward, |request| match request {
        RequestType::Get(get) => {
            let results = get
                .param_paths
                .into_iter()
                .map(|requested_path| RequestedPathResult {
                    requested_path,
                    err_code: 7026,
                    err_msg: "no such path".into(),
                    ..RequestedPathResult::default()
                });
            let response = GetResp {
                req_path_results: results.collect(),
            };
            Reply::Response(response.into())
        }
        other => polite(other),
    })
    .await
}

pub(crate) async fn other_agent(ward: &Ward) -> WebSocket {
    let mut socket = online(ward).await;
    let other = Record::websocket_connect(&ward.controller, &id("self::other"));
    send(&mut socket, &other).await;
    socket
}
