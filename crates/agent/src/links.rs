//! What the engine knows of each open connection.

use std::collections::VecDeque;
use std::time::Duration;

use usphere_datamodel::Moment;
use usphere_proto::{EndpointId, Record};
use usphere_trust::PeerIdentity;

use crate::event::Origin;
use crate::limits::RECORDS_BEFORE_ADMISSION_MAX;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) origin: Origin,
    pub(crate) peer: PeerIdentity,
    pub(crate) stage: Stage,
    /// What came while the row of a new Controller was being made.
    pub(crate) waiting: VecDeque<Record>,
    /// How long it may be silent, and when it has been silent for too long; for peers that are trusted on
    /// first use. (TOFUInactivityTimer)
    silence: Option<(Duration, Moment)>,
    /// Whether its Controller has to prove who it is, and cannot here: it has the untrusted role. (R-SEC.0)
    pub(crate) is_doubted: bool,
    /// At what time its peer was judged last, in seconds since 1970, where that was known.
    pub(crate) judged_at: Option<i64>,
    /// When a certificate expires that this may rest on.
    pub(crate) judged_until: Option<Moment>,
    /// Whether its Controller has spoken on it.
    pub(crate) is_proven: bool,
}

/// How far a connection has got.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    /// A new Controller is there; its row is being made.
    Admitting {
        /// Who it is.
        id: EndpointId,
        /// When the connection is closed if nothing comes of it.
        until: Moment,
    },
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

/// How much it is worth what a peer says of itself.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Rank {
    /// Anybody may have said it.
    Claimed,
    /// It is believed, because of where it was said.
    Believed,
    /// It is proven by a certificate.
    Proven,
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
            waiting: VecDeque::new(),
            silence: None,
            is_doubted: false,
            judged_at: None,
            judged_until: None,
            is_proven: false,
        }
    }

    /// Lets the link be silent for no longer than `patience` from now on.
    pub(crate) fn bear_silence(&mut self, patience: Option<Duration>, now: Moment) {
        self.silence = patience.map(|patience| (patience, now + patience));
    }

    /// A Message has come.
    pub(crate) fn heard(&mut self, now: Moment) {
        if let Some((patience, until)) = &mut self.silence {
            *until = now + *patience;
        }
    }

    /// Keeps a Record until its sender is admitted; whether there was room.
    pub(crate) fn keep(&mut self, record: Record) -> bool {
        let room = self.waiting.len() < RECORDS_BEFORE_ADMISSION_MAX;
        if room {
            self.waiting.push_back(record);
        }
        room
    }

    /// Whether the peer has proven by TLS to own a certificate.
    pub(crate) fn is_over_tls(&self) -> bool {
        self.peer.channel.session().is_some()
    }

    /// Who is there, if that is known.
    pub(crate) fn party(&self) -> Option<&Party> {
        match &self.stage {
            Stage::Open(party) | Stage::Parted { party, .. } => Some(party),
            Stage::Admitting { .. } | Stage::Unknown { .. } => None,
        }
    }

    /// When it is closed if nothing comes.
    pub(crate) fn until(&self) -> Option<Moment> {
        let silence = self.silence.map(|(_, until)| until);
        let stage = match self.stage {
            Stage::Open(_) => None,
            Stage::Admitting { until, .. }
            | Stage::Parted { until, .. }
            | Stage::Unknown { until } => Some(until),
        };
        silence.into_iter().chain(stage).min()
    }

    /// How much its peer's word for who it is is worth.
    pub(crate) fn rank(&self) -> Rank {
        match (self.is_over_tls(), self.is_trusted()) {
            (true, _) => Rank::Proven,
            (false, true) => Rank::Believed,
            (false, false) => Rank::Claimed,
        }
    }

    /// Whether the peer may be taken for the Controller that it says it is. One that dials in through a
    /// channel that anybody can read and change has the untrusted role, whatever it says. (R-SEC.0)
    pub(crate) fn is_trusted(&self) -> bool {
        let is_protected = match self.origin {
            Origin::Accepted => self.peer.channel.is_protected(),
            Origin::Dialled(_) => true,
        };
        is_protected && !self.is_doubted
    }

    /// By what name its peer goes in the log: who is there, or says so.
    pub(crate) fn name(&self) -> &str {
        let known = self.party().map(|party| &party.id);
        let name = known.or(self.peer.endpoint_id.as_ref());
        name.map(EndpointId::as_str).unwrap_or_default()
    }
}
