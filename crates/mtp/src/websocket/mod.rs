//! USP over WebSocket (TR-369, mtp/websocket), both ends.
//!
//! [`dial`] and [`Listener`] do the opening handshake and yield a [`Link`]. Its [`LinkReceiver`] *is*
//! the connection: whoever polls it drives reading, writing, Pings and deadlines, so a link needs
//! no task of its own and no hop between tasks. Its [`LinkSender`] only queues.
//!
//! Every link speaks `v1.usp` and carries one Record per binary message. This module must never
//! send a fragment, accept a link without the subprotocol, or hold more for a peer than
//! [`Settings`] and [`limits`] allow.

mod connection;
mod dial;
mod failed;
mod gate;
mod identity;
mod keepalive;
mod link;
mod listener;
mod opening;
mod partial;
mod queue;
mod seats;
mod target;
mod turning;
mod within;

use std::sync::Arc;
use std::time::Duration;

use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use usphere_proto::EndpointId;

use crate::limits;
use crate::tls::Tls;

pub use dial::{DialError, DialStep, dial};
pub use failed::{DoorFault, DoorStep, FailedContact, RequestFault, Witness};
pub use link::{CloseReason, Link, LinkEvent, LinkReceiver};
pub use listener::{BindError, Door, DoorCounts, DoorWatch, Listener, ListenerLimits};
pub use queue::{LinkSender, SendError};
pub use target::{Target, TargetError};
pub use within::within_process;

/// The WebSocket subprotocol of USP. (R-WS.9)
pub const SUBPROTOCOL: &str = "v1.usp";

/// The WebSocket extension by which USP before 1.3 told the Endpoint ID. (R-WS.10a, R-WS.11a)
pub const LEGACY_EXTENSION: &str = "bbf-usp-protocol";

/// Status codes of Close frames that this crate sends or gives a meaning. (RFC 6455 7.4.1)
pub mod close_code {
    /// The purpose of the connection is fulfilled.
    pub const NORMAL: u16 = 1000;
    /// The sender goes away: it shuts down, or has a newer connection to the same Endpoint.
    pub const GOING_AWAY: u16 = 1001;
    /// The peer broke the WebSocket protocol.
    pub const PROTOCOL: u16 = 1002;
    /// What came is not a Record: a text message, or bytes that do not decode. (R-WS.16)
    pub const UNSUPPORTED: u16 = 1003;
    /// The peer broke a rule that no other code names.
    pub const POLICY: u16 = 1008;
    /// The message is larger than this end accepts.
    pub const TOO_BIG: u16 = 1009;
}

/// How a link behaves; the same for both ends. Start from [`Settings::new`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// The Endpoint ID of this end, told to the peer.
    pub our_id: EndpointId,
    /// Time between two Pings; zero sends none. (R-WS.18)
    pub ping_interval: Duration,
    /// Time in which a Ping must be answered, or some other sign of life come.
    pub pong_timeout: Duration,
    /// Time in which a blocked write must make progress; else the peer is a slow reader and is cut.
    pub write_timeout: Duration,
    /// Time for the closing handshake.
    pub close_timeout: Duration,
    /// Time for resolving and connecting. Dialling only.
    pub connect_timeout: Duration,
    /// Time for the opening handshake.
    pub handshake_timeout: Duration,
    /// Largest Record that is received, in bytes.
    pub record_bytes_max: usize,
    /// Most bytes that wait to be sent.
    pub queue_bytes_max: usize,
    /// Most Records that wait to be sent.
    pub queue_records_max: usize,
    /// Whether a client also sends the extension of USP before 1.3. A server always answers it.
    pub legacy_extension: bool,
    /// For `wss`. Without it such a target cannot be dialled, nor such a door be opened.
    pub tls: Option<Arc<Tls>>,
    /// Whom the caller means to reach, if it knows; TLS takes nobody else's certificate where the
    /// name of the host does not speak for it. Dialling only.
    pub peer_id: Option<EndpointId>,
    /// Who is told of connections of which no link came. Listening only.
    pub witness: Option<Witness>,
}

impl Settings {
    /// The defaults of [`limits`], for the Endpoint `our_id`.
    pub fn new(our_id: EndpointId) -> Self {
        Self {
            our_id,
            ping_interval: limits::PING_INTERVAL,
            pong_timeout: limits::PONG_TIMEOUT,
            write_timeout: limits::WRITE_TIMEOUT,
            close_timeout: limits::CLOSE_TIMEOUT,
            connect_timeout: limits::CONNECT_TIMEOUT,
            handshake_timeout: limits::HANDSHAKE_TIMEOUT,
            record_bytes_max: limits::RECORD_BYTES_MAX,
            queue_bytes_max: limits::QUEUE_BYTES_MAX,
            queue_records_max: limits::QUEUE_RECORDS_MAX,
            legacy_extension: false,
            tls: None,
            peer_id: None,
            witness: None,
        }
    }

    /// What tungstenite is told. Its write buffer holds at most what [`WRITE_BUFFER_BYTES`] lets
    /// gather, one Record and some Pongs; a peer that Pings without reading meets that bound.
    ///
    /// [`WRITE_BUFFER_BYTES`]: limits::WRITE_BUFFER_BYTES
    fn protocol(&self) -> WebSocketConfig {
        WebSocketConfig::default()
            .read_buffer_size(limits::READ_BUFFER_BYTES)
            .write_buffer_size(limits::WRITE_BUFFER_BYTES)
            .max_write_buffer_size(
                self.queue_bytes_max
                    .saturating_add(4 * limits::WRITE_BUFFER_BYTES),
            )
            .max_message_size(Some(self.record_bytes_max))
            .max_frame_size(Some(self.record_bytes_max))
    }
}
