//! Connections of which no link came, told to whoever wants to know why a peer is not there.
//!
//! What is told is for people: it must never hold a payload, nor be taken for a proof of anything.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use usphere_proto::EndpointId;

use crate::tls::TlsError;

/// A connection to a listener of which no link came.
#[derive(Clone, Debug)]
pub struct FailedContact {
    /// The address of the peer.
    pub remote: SocketAddr,
    /// Who the peer says it is, where it came to that: in its request, or in the certificate that it
    /// presented. Nobody has checked it.
    pub claimed: Option<EndpointId>,
    /// What went wrong.
    pub fault: DoorFault,
}

/// Why no link came of a connection.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DoorFault {
    /// The connection ended before the handshake did.
    #[error("the connection ended while {step}: {reason}")]
    Broken {
        /// What was under way.
        step: DoorStep,
        /// What the system says.
        reason: String,
    },
    /// The listener has as many connections as it may have, all together or from this source.
    #[error("there are as many connections as are allowed{}", if *of_source { " from this address" } else { "" })]
    Full {
        /// Whether it is this source that has its share.
        of_source: bool,
    },
    /// A client came without TLS to a door where it is spoken. (R-WS.22)
    #[error("the client does not speak TLS, which is spoken at this door")]
    NotTls,
    /// The request for a WebSocket was refused.
    #[error("refused with HTTP status {status}: {text}")]
    Request {
        /// What was wrong with it.
        fault: RequestFault,
        /// The HTTP status that it was answered with.
        status: u16,
        /// What the client was told.
        text: String,
    },
    /// The handshake took too long.
    #[error("nothing more came while {step}, and time was up")]
    Timeout {
        /// What was under way.
        step: DoorStep,
    },
    /// There was no TLS with the client.
    #[error(transparent)]
    Tls(TlsError),
}

/// What is done with a connection before it is a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DoorStep {
    /// The client's request for a WebSocket is awaited.
    Request,
    /// The handshake of TLS is under way.
    Tls,
}

/// What is wrong with a request for a WebSocket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RequestFault {
    /// It comes from a page in a browser.
    Browser,
    /// The Endpoint ID that it names is none.
    EndpointId,
    /// Its method is not GET.
    Method,
    /// It is not HTTP.
    NotHttp,
    /// It is HTTP, and does not ask for a WebSocket.
    NotWebSocket,
    /// Nothing is at its path.
    Path {
        /// The path that was asked for, cut where it is long.
        asked: String,
        /// Where the Endpoint is.
        expected: String,
    },
    /// It does not offer `v1.usp`. (R-WS.12a)
    Subprotocol {
        /// What it does offer, cut where it is long.
        offered: String,
    },
    /// It is the beginning of TLS, which is not spoken at this door.
    Tls,
    /// It is larger than is read.
    TooLarge,
    /// It is of another version of HTTP or WebSocket.
    Version,
}

impl fmt::Display for DoorStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "the request for a WebSocket was awaited",
            Self::Tls => "TLS was agreed on",
        })
    }
}

/// Takes what is told of failed contacts. It is called in the middle of a connection, so it must not block.
#[derive(Clone)]
pub struct Witness(Arc<dyn Fn(FailedContact) + Send + Sync>);

impl Witness {
    /// A witness that does this with each.
    pub fn new(told: impl Fn(FailedContact) + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }

    pub(super) fn tell(&self, contact: FailedContact) {
        (self.0)(contact);
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness").finish_non_exhaustive()
    }
}
