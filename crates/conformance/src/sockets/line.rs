//! One link, from its handshake to its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL,
};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use usphere_mtp::websocket::{LEGACY_EXTENSION, SUBPROTOCOL, Target};
use usphere_proto::append_eid;

use super::{Order, Shared, Wire};
use crate::limits::{HANDSHAKE, MESSAGE_BYTES_MAX};
use crate::peer::{Seat, What};

type Socket = WebSocketStream<Box<dyn Wire>>;

/// In how many frames a message is sent that is to be in several.
const FRAGMENTS: usize = 3;

/// What tungstenite is told.
pub(super) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
}

/// Opens a WebSocket to the Agent as the Controller of `seat`. (R-WS.5, R-WS.9 to R-WS.10b)
///
/// # Errors
/// There is none; why.
pub(super) async fn dial(target: &Target, seat: Seat, shared: &Shared) -> Result<Socket, String> {
    let dialled = timeout(HANDSHAKE, open(target, seat, shared)).await;
    dialled.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

async fn open(target: &Target, seat: Seat, shared: &Shared) -> Result<Socket, String> {
    let stream = TcpStream::connect((target.host.as_str(), target.port)).await;
    let stream = stream.map_err(|error| format!("cannot connect: {error}"))?;
    // Small messages should not wait for more.
    drop(stream.set_nodelay(true));
    let stream: Box<dyn Wire> = match shared.tls(seat).filter(|_| target.tls) {
        None => Box::new(stream),
        Some(tls) => {
            let connected = tls.connect_bare(stream, &target.host, None).await;
            Box::new(connected.map_err(|error| error.to_string())?)
        }
    };
    let own = shared.endpoint_id(seat);
    let scheme = if target.tls { "wss" } else { "ws" };
    let path = append_eid(&target.path, own);
    let url = format!("{scheme}://{}{path}", target.authority());
    let request = url.into_client_request();
    let mut request = request.map_err(|error| error.to_string())?;
    let headers = request.headers_mut();
    headers.insert(
        SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(SUBPROTOCOL),
    );
    if shared.tells_extension.load(Ordering::Relaxed) {
        let value = HeaderValue::try_from(format!("{LEGACY_EXTENSION}; eid=\"{own}\""));
        headers.insert(
            SEC_WEBSOCKET_EXTENSIONS,
            value.map_err(|error| error.to_string())?,
        );
    }
    let opened = client_async_with_config(request, stream, Some(config())).await;
    opened
        .map(|(socket, _)| socket)
        .map_err(|error| error.to_string())
}

/// Carries messages both ways until the end.
pub(super) async fn run(
    mut socket: Socket,
    seat: Seat,
    number: u64,
    mut orders: UnboundedReceiver<Order>,
    shared: Arc<Shared>,
) {
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                None | Some(Order::Cut) => return,
                Some(order) => {
                    if let Err(error) = obey(&mut socket, order).await {
                        shared.heard(seat, number, What::Lost(error.to_string()));
                        return;
                    }
                }
            },
            came = socket.next() => {
                let (what, is_over) = heard(came);
                if let Some(what) = what {
                    shared.heard(seat, number, what);
                }
                if is_over {
                    // The closing handshake is brought to its end, if the Agent takes part in it.
                    drop(timeout(HANDSHAKE, finish(socket)).await);
                    return;
                }
            }
        }
    }
}

async fn finish(mut socket: Socket) {
    while let Some(Ok(_)) = socket.next().await {}
}

/// What came, and whether it is the last thing.
fn heard(came: Option<Result<Message, Error>>) -> (Option<What>, bool) {
    match came {
        None => (
            Some(What::Lost("the connection has ended".to_owned())),
            true,
        ),
        Some(Err(error)) => (Some(What::Lost(error.to_string())), true),
        Some(Ok(message)) => match message {
            Message::Binary(bytes) => (Some(What::Message(bytes)), false),
            Message::Close(frame) => (Some(closed(frame)), true),
            Message::Frame(_) => (None, false),
            Message::Ping(payload) => (Some(What::Ping(payload)), false),
            Message::Pong(payload) => (Some(What::Pong(payload)), false),
            Message::Text(text) => (Some(What::Text(text.as_str().to_owned())), false),
        },
    }
}

fn closed(frame: Option<CloseFrame>) -> What {
    match frame {
        None => What::Closed {
            code: None,
            text: String::new(),
        },
        Some(frame) => What::Closed {
            code: Some(frame.code.into()),
            text: frame.reason.as_str().to_owned(),
        },
    }
}

async fn obey(socket: &mut Socket, order: Order) -> Result<(), Error> {
    let message = match order {
        Order::Close(code) => Message::Close(Some(CloseFrame {
            code: CloseCode::from(code),
            reason: "the test wants it".into(),
        })),
        Order::Cut => return Ok(()),
        Order::Fragments(bytes) => return send_fragments(socket, bytes).await,
        Order::Ping(payload) => Message::Ping(payload),
        Order::Pong(payload) => Message::Pong(payload),
        Order::Send(bytes) => Message::Binary(bytes),
    };
    socket.send(message).await
}

async fn send_fragments(socket: &mut Socket, mut bytes: Bytes) -> Result<(), Error> {
    let each = bytes.len().div_ceil(FRAGMENTS).max(1);
    let mut kind = Data::Binary;
    while !bytes.is_empty() {
        let part = bytes.split_to(each.min(bytes.len()));
        let frame = Frame::message(part, OpCode::Data(kind), bytes.is_empty());
        socket.send(Message::Frame(frame)).await?;
        kind = Data::Continue;
    }
    Ok(())
}
