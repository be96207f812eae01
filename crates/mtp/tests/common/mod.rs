//! Two ends on loopback, and peers made of bytes that do what no library does.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod tls;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use usphere_mtp::websocket::{
    CloseReason, Door, Link, LinkEvent, LinkReceiver, Listener, ListenerLimits, Settings, Target,
    dial,
};
use usphere_proto::{EndpointId, Record};

pub(crate) const SERVER: &str = "self::server";
pub(crate) const CLIENT: &str = "oui:00AABB:client%2D1";

pub(crate) const BINARY: u8 = 0x82;
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8A;

pub(crate) fn id(text: &str) -> EndpointId {
    text.parse().unwrap()
}

pub(crate) fn settings(our_id: &str) -> Settings {
    let mut settings = Settings::new(id(our_id));
    settings.ping_interval = Duration::ZERO;
    settings.close_timeout = Duration::from_millis(500);
    settings
}

pub(crate) async fn listen(settings: Settings) -> Listener {
    listen_within(settings, ListenerLimits::default()).await
}

pub(crate) async fn listen_within(settings: Settings, limits: ListenerLimits) -> Listener {
    let door = Door {
        address: "127.0.0.1:0".parse().unwrap(),
        path: "/usp".to_owned(),
        tls: settings.tls.is_some(),
        insecure: false,
    };
    Listener::bind(door, settings, limits).await.unwrap()
}

pub(crate) fn target(listener: &Listener) -> Target {
    let scheme = if listener.is_tls() { "wss" } else { "ws" };
    format!("{scheme}://{}/usp", listener.local_addr())
        .parse()
        .unwrap()
}

/// Both ends of one link: the client's, the server's.
pub(crate) async fn pair(client: Settings, server: Settings) -> (Link, Link) {
    let mut listener = listen(server).await;
    let target = target(&listener);
    let (client, server) = tokio::join!(spawnable(dial(&target, &client)), listener.accept());
    (client.unwrap(), server.unwrap())
}

/// Hosts spawn what they wait for.
fn spawnable<F: Future + Send>(future: F) -> F {
    future
}

pub(crate) fn record(from: &str, to: &str, bytes: usize) -> Record {
    Record::no_session(&id(to), &id(from), vec![7; bytes.max(1)])
}

/// The next event, which is a Record.
pub(crate) async fn next_record(receiver: &mut LinkReceiver) -> Record {
    match soon(receiver.recv()).await {
        Some(LinkEvent::Record(record, _)) => record,
        other => panic!("{other:?}"),
    }
}

/// How the link ends; Records before that are passed over.
pub(crate) async fn end(receiver: &mut LinkReceiver) -> CloseReason {
    loop {
        match soon(receiver.recv()).await {
            Some(LinkEvent::Record(..)) => {}
            Some(LinkEvent::Closed(reason)) => return reason,
            other => panic!("{other:?}"),
        }
    }
}

/// Guards a test against waiting for ever.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future)
        .await
        .expect("nothing happened")
}

/// The handshake request that a correct client sends.
pub(crate) fn request(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

pub(crate) const OFFER: &str = "Sec-WebSocket-Protocol: v1.usp\r\n";

/// A peer made of bytes.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    /// Whether it is a client, which masks.
    masks: bool,
}

impl Raw {
    pub(crate) async fn connect(listener: &Listener) -> Self {
        let stream = TcpStream::connect(listener.local_addr()).await.unwrap();
        Self {
            stream,
            masks: true,
        }
    }

    /// A client whose handshake succeeded, and the server's link to it.
    pub(crate) async fn client(listener: &mut Listener) -> (Self, Link) {
        let mut raw = Self::connect(listener).await;
        let head = raw.exchange(&request("/usp?eid=self::raw", OFFER)).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        (raw, soon(listener.accept()).await.unwrap())
    }

    /// Sends a request and returns the head of the answer.
    pub(crate) async fn exchange(&mut self, request: &str) -> String {
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.head().await
    }

    /// Reads up to and with the empty line.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match soon(self.stream.read_u8()).await {
                Ok(byte) => head.push(byte),
                Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&head)),
            }
        }
        String::from_utf8(head).unwrap()
    }

    /// Sends a request that is refused, and returns the whole answer.
    pub(crate) async fn refused(mut self, request: &str) -> String {
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.rest().await
    }

    /// All that comes until the other end closes.
    pub(crate) async fn rest(&mut self) -> String {
        let mut answer = Vec::new();
        soon(self.stream.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Sends one frame; `first` is its first byte: FIN bit and opcode.
    pub(crate) async fn send(&mut self, first: u8, payload: &[u8]) {
        let frame = frame(first, payload, self.masks);
        self.stream.write_all(&frame).await.unwrap();
    }

    /// Receives one frame: first byte and payload.
    pub(crate) async fn receive(&mut self) -> (u8, Vec<u8>) {
        soon(async {
            let first = self.stream.read_u8().await.unwrap();
            let second = self.stream.read_u8().await.unwrap();
            let length = match second & 0x7F {
                126 => u64::from(self.stream.read_u16().await.unwrap()),
                127 => self.stream.read_u64().await.unwrap(),
                short => u64::from(short),
            };
            let mut mask = [0; 4];
            assert_eq!(second & 0x80 != 0, !self.masks, "only clients mask");
            if second & 0x80 != 0 {
                self.stream.read_exact(&mut mask).await.unwrap();
            }
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.stream.read_exact(&mut payload).await.unwrap();
            for (at, byte) in payload.iter_mut().enumerate() {
                *byte ^= mask[at % 4];
            }
            (first, payload)
        })
        .await
    }

    /// Receives a Close frame and returns its status code.
    pub(crate) async fn receive_close(&mut self) -> u16 {
        let (first, payload) = self.receive().await;
        assert_eq!(first, CLOSE, "{payload:?}");
        u16::from_be_bytes([payload[0], payload[1]])
    }

    /// Whether the other end has closed the connection.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let mut space = [0; 64];
        matches!(soon(self.stream.read(&mut space)).await, Ok(0) | Err(_))
    }
}

pub(crate) fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
    let bit = if masked { 0x80 } else { 0 };
    let mut frame = vec![first];
    match payload.len() {
        length @ ..126 => frame.push(bit | u8::try_from(length).unwrap()),
        length @ ..65_536 => {
            frame.push(bit | 126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(bit | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    if masked {
        frame.extend(MASK);
        frame.extend(
            payload
                .iter()
                .enumerate()
                .map(|(at, byte)| byte ^ MASK[at % 4]),
        );
    } else {
        frame.extend(payload);
    }
    frame
}

/// A server made of bytes: takes one connection and answers its request with `headers` after a
/// correct 101. Returns the address, and a task that yields the request and the connection.
pub(crate) async fn raw_server(
    status: &'static str,
    headers: &'static str,
) -> (Target, tokio::task::JoinHandle<(String, Raw)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("ws://{}/usp?x=1", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let task = tokio::spawn(async move {
        let mut raw = Raw {
            stream: listener.accept().await.unwrap().0,
            masks: false,
        };
        let request = raw.head().await;
        let key = header(&request, "Sec-WebSocket-Key").unwrap();
        let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 {status}\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
        );
        raw.stream.write_all(answer.as_bytes()).await.unwrap();
        (request, raw)
    });
    (target, task)
}

/// The value of a header of a request or response.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
