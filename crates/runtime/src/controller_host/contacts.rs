//! Contacts that came to nothing, or not to what they should have: who tried, and what was wrong.
//!
//! What is told may be lost where too much of it comes at once. It must never carry a value of a payload.

use std::net::SocketAddr;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use usphere_controller::{HangupReason, Ignored};
use usphere_mtp::websocket::{CloseReason, DoorFault, close_code};
use usphere_proto::{EndpointId, ErrorCode};

/// A peer that was refused, or did something wrong.
#[derive(Clone, Debug)]
pub struct FailedContact {
    /// The address of the peer.
    pub remote: SocketAddr,
    /// Who it says it is, as far as that is known. Where nothing proves it, it is a claim.
    pub claimed: Option<EndpointId>,
    /// What was wrong.
    pub fault: ContactFault,
}

/// What was wrong with a contact.
#[derive(Clone, Debug)]
pub enum ContactFault {
    /// The Agent is online, and waits to be approved.
    AwaitsApproval,
    /// The connection ended by a fault of the peer, or before it said who it is.
    Closed(CloseReason),
    /// No WebSocket came about.
    Door(DoorFault),
    /// Another connection from another address uses the same Endpoint ID.
    Doubled {
        /// The address of the one before, which was closed.
        before: SocketAddr,
    },
    /// The Controller closed the connection.
    HungUp(HangupReason),
    /// What came was dropped without an answer.
    Ignored(Ignored),
    /// The Agent took its leave with a code that tells of an error.
    Left {
        /// Its code.
        code: u32,
        /// Its words, cut to a bearable length.
        text: String,
    },
    /// What came was answered with an Error.
    Refused {
        /// The code of the answer.
        code: ErrorCode,
        /// Its text.
        text: String,
    },
    /// The Agent is online, and answers as if nothing were there of what every Agent has.
    ShowsNothing,
    /// The Agent was sent away: as many wait to be approved as may.
    TooManyAwaitApproval,
    /// Who comes without a certificate names an Endpoint that has proved itself by one.
    Unproven,
    /// The Connect Record is of a version that this Controller does not know.
    UnknownVersion(String),
}

/// The failed contacts from some moment on.
#[derive(Debug)]
pub struct FailedContacts {
    pub(super) receiver: broadcast::Receiver<FailedContact>,
}

/// The next thing that is told.
#[derive(Debug)]
pub enum NextContact {
    /// A contact failed.
    Failed(FailedContact),
    /// So many were lost because they were not taken in time.
    Missed(u64),
}

impl FailedContacts {
    /// The next; `None` when the Controller and all handles on it are gone. Cancelling loses nothing.
    pub async fn next(&mut self) -> Option<NextContact> {
        match self.receiver.recv().await {
            Ok(contact) => Some(NextContact::Failed(contact)),
            Err(RecvError::Lagged(count)) => Some(NextContact::Missed(count)),
            Err(RecvError::Closed) => None,
        }
    }
}

/// Whether the end of a connection tells of a fault. Where nothing else does, any end but a proper one
/// does.
pub(super) fn is_fault(reason: &CloseReason, is_explained: bool) -> bool {
    match reason {
        CloseReason::ByPeer { code, .. } => match code {
            Some(close_code::NORMAL | close_code::GOING_AWAY) => false,
            Some(_) => true,
            None => !is_explained,
        },
        CloseReason::ByUs { .. } => false,
        CloseReason::Lost(_) => !is_explained,
        CloseReason::NotARecord(_)
        | CloseReason::Protocol(_)
        | CloseReason::Silent
        | CloseReason::SlowReader
        | CloseReason::TooLarge { .. } => true,
    }
}

/// Whether the code of a Disconnect Record tells of an error. That a session ends is said by those who shut
/// down in good order, too.
pub(super) fn is_complaint(code: u32) -> bool {
    code != 0 && code != ErrorCode::SessionContextTerminated.number()
}

/// Whether what was ignored tells of a fault, and not of an answer that came late or twice.
pub(super) fn is_wrong(why: &Ignored) -> bool {
    !matches!(why, Ignored::NotAsked(_) | Ignored::Repeated(_))
}

/// Whether a Controller understands what an Agent of this version says: the first number tells. (R-MTP.4b)
pub(super) fn is_known(version: &str) -> bool {
    version.split('.').next() == Some("1")
}
