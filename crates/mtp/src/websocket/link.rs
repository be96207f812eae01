//! An open link: Records in, Records out, and one end.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio_tungstenite::WebSocketStream;
use usphere_proto::{Record, Refusal};
use usphere_trust::PeerIdentity;

use super::connection::Connection;
use super::gate::Permit;
use super::partial::Begun;
use super::queue::Queue;
use super::within::End;
use super::{LinkSender, Settings};
use crate::wire::Wire;

/// An open WebSocket to one peer.
#[derive(Debug)]
pub struct Link {
    /// What the peer told of itself while the link opened, and over what.
    pub peer: PeerIdentity,
    /// The address of the peer.
    pub remote: SocketAddr,
    /// Queues what is to be sent.
    pub sender: LinkSender,
    /// Receives, and drives the link.
    pub receiver: LinkReceiver,
}

/// What happens on a link.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every event is a Record; a box would cost an allocation each"
)]
pub enum LinkEvent {
    /// A Record came; its size on the wire in bytes.
    Record(Record, usize),
    /// Something came that decodes, but breaks a rule of the encoding so that no Record can be made
    /// of it: an unknown enumeration value, a oneof without member. The link stays open. The refusal
    /// says whether there is an answer, should the sender be one that may speak. (R-MTP.5)
    Refused(Box<Refusal>),
    /// The link is gone. This is the last event.
    Closed(CloseReason),
}

/// Why a link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer began the closing handshake, with its status code if it gave one.
    ByPeer {
        /// Status code of the Close frame.
        code: Option<u16>,
        /// Text of the Close frame.
        text: String,
    },
    /// We began the closing handshake by [`LinkSender::close`].
    ByUs {
        /// Status code of the Close frame.
        code: u16,
        /// Text of the Close frame.
        text: String,
    },
    /// The connection broke without a closing handshake.
    Lost(String),
    /// The peer sent something that is not a Record; it was told 1003. (R-WS.16)
    NotARecord(String),
    /// The peer broke the WebSocket protocol; it was told 1002.
    Protocol(String),
    /// The peer gave no sign of life after a Ping.
    Silent,
    /// The peer did not read what we sent.
    SlowReader,
    /// The peer sent a message that is larger than allowed; it was told 1009.
    TooLarge {
        /// Largest size that is received, in bytes.
        max: usize,
    },
}

impl CloseReason {
    /// The text of the Close frame that tells the peer.
    pub(super) fn told(&self) -> String {
        match self {
            Self::ByPeer { text, .. } | Self::ByUs { text, .. } => text.clone(),
            Self::Lost(_) | Self::Silent | Self::SlowReader => String::new(),
            Self::NotARecord(what) => format!("not a USP Record: {what}"),
            Self::Protocol(what) => what.clone(),
            Self::TooLarge { max } => format!("at most {max} bytes are accepted"),
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let closed = |f: &mut fmt::Formatter<'_>, who, code: Option<u16>, text: &str| {
            write!(f, "closed by {who}")?;
            code.map_or(Ok(()), |code| write!(f, " with status {code}"))?;
            if text.is_empty() {
                Ok(())
            } else {
                write!(f, ": {text}")
            }
        };
        match self {
            Self::ByPeer { code, text } => closed(f, "the peer", *code, text),
            Self::ByUs { code, text } => closed(f, "this end", Some(*code), text),
            Self::Lost(why) => write!(f, "connection lost: {why}"),
            Self::NotARecord(what) => write!(f, "the peer sent no Record: {what}"),
            Self::Protocol(what) => write!(f, "the peer broke the WebSocket protocol: {what}"),
            Self::Silent => write!(f, "the peer did not answer a Ping in time"),
            Self::SlowReader => write!(f, "the peer did not read what was sent in time"),
            Self::TooLarge { max } => {
                write!(f, "the peer sent a message of more than {max} bytes")
            }
        }
    }
}

/// The receiving half of a [`Link`], and the connection itself: reading, writing, Pings and all
/// deadlines happen while it is polled, and only then. Dropping it closes the socket at once.
///
/// A host may poll it in the task that handles the events, or give it a small task of its own that
/// forwards batches of them. What is sent between two polls leaves in one write.
#[derive(Debug)]
pub struct LinkReceiver {
    /// `None` once the end has been reported.
    open: Option<Open>,
}

#[derive(Debug)]
enum Open {
    /// Over a socket. Boxed, since links within the process are small.
    Socket {
        connection: Box<Connection>,
        /// Counts the connection at its listener for as long as it lives.
        _permit: Option<Permit>,
    },
    /// Within this process.
    Within(End),
}

impl Open {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<LinkEvent> {
        match self {
            Self::Socket { connection, .. } => connection.poll_event(cx),
            Self::Within(end) => end.poll_event(cx),
        }
    }

    fn ready_event(&mut self, cx: &mut Context<'_>) -> Option<LinkEvent> {
        match self {
            Self::Socket { connection, .. } => connection.ready_event(cx),
            Self::Within(end) => end.ready_event(),
        }
    }
}

impl Link {
    /// A link within this process.
    pub(super) fn new(
        peer: PeerIdentity,
        remote: SocketAddr,
        sender: LinkSender,
        end: End,
    ) -> Self {
        Self {
            peer,
            remote,
            sender,
            receiver: LinkReceiver {
                open: Some(Open::Within(end)),
            },
        }
    }
}

impl LinkReceiver {
    /// The next event; `None` after [`LinkEvent::Closed`]. Cancelling loses nothing.
    pub async fn recv(&mut self) -> Option<LinkEvent> {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Waits for an event and adds it to `events`, with what else is there already, up to `limit`
    /// together. Returns how many were added; 0 after [`LinkEvent::Closed`]. Cancelling loses
    /// nothing.
    pub async fn recv_many(&mut self, events: &mut Vec<LinkEvent>, limit: usize) -> usize {
        std::future::poll_fn(|cx| self.poll_recv_many(cx, events, limit)).await
    }

    /// As [`recv`](Self::recv), for hosts that poll many things in one task.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<LinkEvent>> {
        let Some(open) = &mut self.open else {
            return Poll::Ready(None);
        };
        open.poll_event(cx).map(|event| Some(self.reported(event)))
    }

    /// As [`recv_many`](Self::recv_many), for hosts that poll many things in one task.
    pub fn poll_recv_many(
        &mut self,
        cx: &mut Context<'_>,
        events: &mut Vec<LinkEvent>,
        limit: usize,
    ) -> Poll<usize> {
        let Some(first) = ready!(self.poll_recv(cx)) else {
            return Poll::Ready(0);
        };
        events.push(first);
        let mut count = 1;
        while count < limit
            && let Some(open) = &mut self.open
            && let Some(event) = open.ready_event(cx)
        {
            events.push(self.reported(event));
            count += 1;
        }
        Poll::Ready(count)
    }

    /// Lets go of the connection with its last event.
    fn reported(&mut self, event: LinkEvent) -> LinkEvent {
        if let LinkEvent::Closed(_) = event {
            self.open = None;
        }
        event
    }
}

/// Puts a link together from a stream whose opening handshake is done.
pub(super) fn link(
    socket: WebSocketStream<Wire>,
    peer: PeerIdentity,
    remote: SocketAddr,
    place: Option<(Permit, Arc<Begun>)>,
    settings: &Settings,
) -> Link {
    let queue = Queue::new(settings);
    let (permit, begun) = place.unzip();
    Link {
        peer,
        remote,
        sender: LinkSender::new(Arc::clone(&queue)),
        receiver: LinkReceiver {
            open: Some(Open::Socket {
                connection: Box::new(Connection::new(socket, queue, settings, begun)),
                _permit: permit,
            }),
        },
    }
}
