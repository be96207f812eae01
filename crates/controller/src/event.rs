//! What goes into the engine and what comes out.

use std::fmt;
use std::time::Duration;

use usphere_datamodel::operation::{Notified, Operation, OperationError, Outcome};
use usphere_proto::{EndpointId, Msg, Record, Refusal};
use usphere_trust::PeerIdentity;

use crate::Notice;

/// Names one connection, as long as it lasts. Chosen by whoever drives the engine, never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LinkId(pub u64);

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.0)
    }
}

/// Names one Operation. Chosen by whoever asks, never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OperationId(pub u64);

/// Names one notification until it is taken or declined. Chosen by the engine, never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NotificationId(pub u64);

/// What the engine is told.
#[derive(Debug)]
pub enum Input {
    /// Nobody waits for this Operation any more. Its answer is ignored.
    Cancel {
        /// The Operation.
        operation: OperationId,
    },
    /// A WebSocket is open, whoever opened it.
    Connected {
        /// Its name from now on.
        link: LinkId,
        /// What the transport knows of the peer.
        peer: PeerIdentity,
    },
    /// Nobody takes this notification now. It stays unanswered, so that the Agent sends it again.
    Declined {
        /// The notification.
        notification: NotificationId,
    },
    /// Say goodbye to this Agent and close its connection, if it has one. It may come back.
    Dismiss {
        /// The Agent.
        agent: EndpointId,
    },
    /// A connection is closed, from whatever side.
    Disconnected {
        /// The connection.
        link: LinkId,
        /// Why, for people.
        reason: String,
    },
    /// A Record came, and its Message was read beside the engine: a large one takes a while, and the engine is one for
    /// all. It has to be what [`Msg::receive`] says of the plain payload, within the default limits.
    Read {
        /// The connection it came on.
        link: LinkId,
        /// The Record.
        record: Record,
        /// Its Message, or what is wrong with it.
        msg: Result<Msg, Box<Refusal>>,
    },
    /// A Record came.
    Received {
        /// The connection it came on.
        link: LinkId,
        /// The Record.
        record: Record,
    },
    /// What came decodes as a Record, and breaks a rule of the encoding.
    Refused {
        /// The connection it came on.
        link: LinkId,
        /// What is wrong, and whether its sender is told.
        refusal: Box<Refusal>,
    },
    /// Somebody wants something from an Agent. Exactly one [`Output::Outcome`] follows, unless it is cancelled.
    Request {
        /// The name of the Operation.
        operation: OperationId,
        /// The Agent.
        agent: EndpointId,
        /// What is wanted.
        request: Operation,
        /// How long the answer may take.
        timeout: Duration,
    },
    /// Say goodbye to every Agent, close every connection, and let nobody in any more.
    Shutdown,
    /// This notification is not lost any more: the Agent may forget it.
    Taken {
        /// The notification.
        notification: NotificationId,
    },
    /// The time of [`Controller::deadline`](crate::Controller::deadline) has come.
    Tick,
}

/// What the engine wants done or known.
#[derive(Debug)]
pub enum Output {
    /// Close a connection, after what was sent on it. The engine forgets it at once.
    Hangup {
        /// The connection.
        link: LinkId,
        /// Why.
        reason: HangupReason,
    },
    /// A line for the log.
    Note(Notice),
    /// An Agent notified us. [`Input::Taken`] or [`Input::Declined`] has to follow, sooner or later; the Agent
    /// is answered after the first.
    Notified {
        /// The name of the notification.
        notification: NotificationId,
        /// The Agent.
        agent: EndpointId,
        /// The msg_id of its request. One that it sends again after a restart of the Controller has the same,
        /// and the same content.
        msg_id: String,
        /// What it said.
        notified: Notified,
    },
    /// An Agent can no longer be asked.
    Offline {
        /// The Agent.
        agent: EndpointId,
        /// Why.
        reason: OfflineReason,
    },
    /// An Agent can be asked.
    Online {
        /// The Agent.
        agent: EndpointId,
        /// The connection.
        link: LinkId,
        /// The version of USP that its Connect Record names.
        version: String,
    },
    /// What came of an Operation.
    Outcome {
        /// The Operation.
        operation: OperationId,
        /// What came of it.
        outcome: Result<Outcome, OperationError>,
    },
    /// Send a Record.
    Send {
        /// The connection.
        link: LinkId,
        /// The Record.
        record: Record,
    },
}

/// Why the engine closes a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HangupReason {
    /// Whoever drives the engine wants it.
    Dismissed,
    /// The peer has our own Endpoint ID. (R-ARC.2)
    OurEndpointId,
    /// The Agent has a newer connection. (R-WS.4)
    Replaced,
    /// The Controller shuts down.
    ShuttingDown,
    /// No Connect Record came. (R-MTP.8)
    Silent,
}

impl fmt::Display for HangupReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dismissed => "the Controller was told to let the Agent go",
            Self::OurEndpointId => "the peer uses this Controller's own Endpoint ID",
            Self::Replaced => "the Agent opened a newer connection",
            Self::ShuttingDown => "the Controller shuts down",
            Self::Silent => "no Connect Record came",
        })
    }
}

/// Why an Agent can no longer be asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum OfflineReason {
    /// It said goodbye with a Disconnect Record.
    Disconnected {
        /// Its code; 0 when it gave none.
        code: u32,
        /// Its words.
        text: String,
    },
    /// Whoever drives the engine wanted it.
    Dismissed,
    /// A newer connection took over; [`Output::Online`] follows.
    Replaced,
    /// The Controller shuts down.
    ShuttingDown,
    /// The connection ended, with this reason.
    Lost(String),
}

impl fmt::Display for OfflineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected { code: 0, text } if text.is_empty() => {
                f.write_str("it said goodbye")
            }
            Self::Disconnected { code: 0, text } => write!(f, "it said goodbye: {text}"),
            Self::Disconnected { code, text } => write!(f, "it said goodbye: {text} ({code})"),
            Self::Dismissed => HangupReason::Dismissed.fmt(f),
            Self::Replaced => f.write_str("a newer connection took over"),
            Self::ShuttingDown => f.write_str("the Controller shuts down"),
            Self::Lost(reason) => write!(f, "the connection ended: {reason}"),
        }
    }
}
