//! What a Controller tells of its Agents' comings and goings. Events may be lost; what Agents say of their own
//! accord comes by [`Notifications`](super::Notifications), where nothing is.

use std::net::SocketAddr;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use usphere_controller::OfflineReason;
use usphere_proto::EndpointId;
use usphere_trust::{Channel, Verdict};

/// Something that happened to an Agent or a connection.
#[derive(Clone, Debug)]
pub enum ControllerEvent {
    /// A connection ended, whether an Agent was online on it or not.
    Closed {
        /// The other end.
        remote: SocketAddr,
        /// Why, for people.
        reason: String,
    },
    /// So many events were lost because they were not taken in time. What is online now is told by
    /// [`ControllerHandle::online`](super::ControllerHandle::online).
    Missed(u64),
    /// An Agent can no longer be asked.
    Offline {
        /// The Agent.
        agent: EndpointId,
        /// Which of its arrivals this ends: [`OnlineAgent::arrival`].
        arrival: u64,
        /// Why.
        reason: OfflineReason,
    },
    /// An Agent can be asked.
    Online(OnlineAgent),
}

/// An Agent that can be asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OnlineAgent {
    /// Its Endpoint ID.
    pub agent: EndpointId,
    /// Which arrival this was: 1 for the first Agent that came online, one more for every further one,
    /// in the order in which [`ControllerEvent::Online`] tells them.
    pub arrival: u64,
    /// The other end of its connection.
    pub remote: SocketAddr,
    /// The version of USP that its Connect Record names.
    pub version: String,
    /// What its Endpoint ID rests on.
    pub proof: Proof,
}

/// What the Endpoint ID of a peer rests on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Proof {
    /// A certificate that somebody trusted vouches for.
    Certificate,
    /// Its word, from within this host.
    Loopback,
    /// Its word.
    Nothing,
}

impl Proof {
    /// The proof that a peer on this channel has given: it was let in only in the name of its certificate.
    pub(super) fn on(channel: &Channel) -> Self {
        match channel {
            Channel::PlainLoopback => Self::Loopback,
            Channel::Tls(session) => match session.verdict() {
                Verdict::FirstUse => Self::Nothing,
                Verdict::Pinned { .. } | Verdict::VouchedFor { .. } => Self::Certificate,
            },
            // Whatever else there is, or will be.
            _ => Self::Nothing,
        }
    }
}

/// The events from some moment on.
#[derive(Debug)]
pub struct Events {
    pub(super) receiver: broadcast::Receiver<ControllerEvent>,
}

impl Events {
    /// The next event; `None` when the Controller and all handles on it are gone. Cancelling loses nothing.
    pub async fn next(&mut self) -> Option<ControllerEvent> {
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(count)) => Some(ControllerEvent::Missed(count)),
            Err(RecvError::Closed) => None,
        }
    }
}
