//! What the engine knows of each open connection.

use usphere_datamodel::Moment;
use usphere_proto::EndpointId;
use usphere_trust::PeerIdentity;

use crate::event::Origin;
use crate::limits::NOTICES_PER_LINK_MAX;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) origin: Origin,
    pub(crate) peer: PeerIdentity,
    pub(crate) stage: Stage,
    notices: u32,
}

/// How far a connection has got.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    /// Connect Records were exchanged as far as needed; Records may be. (R-MTP.8)
    Open(Party),
    /// A Disconnect Record came. Nothing is exchanged before the next Connect Record. (R-MTP.8)
    Parted {
        /// Who is there.
        party: Party,
        /// When the connection is closed if none comes.
        until: Moment,
    },
    /// The peer has not told who it is.
    Unknown {
        /// When the connection is closed if it does not.
        until: Moment,
    },
}

/// The Controller at the other end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Party {
    /// The instance number of its row.
    pub(crate) instance: u32,
    pub(crate) id: EndpointId,
}

impl Link {
    pub(crate) fn new(origin: Origin, peer: PeerIdentity, stage: Stage) -> Self {
        Self {
            origin,
            peer,
            stage,
            notices: 0,
        }
    }

    /// Who is there, if that is known.
    pub(crate) fn party(&self) -> Option<&Party> {
        match &self.stage {
            Stage::Open(party) | Stage::Parted { party, .. } => Some(party),
            Stage::Unknown { .. } => None,
        }
    }

    /// When it is closed if nothing comes.
    pub(crate) fn until(&self) -> Option<Moment> {
        match self.stage {
            Stage::Open(_) => None,
            Stage::Parted { until, .. } | Stage::Unknown { until } => Some(until),
        }
    }

    /// Whether the peer may be taken for the Controller that it says it is. One that dials in through a
    /// channel that anybody can read and change has the untrusted role, whatever it says. (R-SEC.0)
    pub(crate) fn is_trusted(&self) -> bool {
        match self.origin {
            Origin::Accepted => self.peer.channel.is_protected(),
            Origin::Dialled(_) => true,
        }
    }

    /// Whether another line of the log may be spent on it.
    pub(crate) fn may_note(&mut self) -> bool {
        self.notices += 1;
        self.notices <= NOTICES_PER_LINK_MAX
    }
}
