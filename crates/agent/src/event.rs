//! What goes into the engine and what comes out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use usphere_datamodel::model::{Outputs, OwnedChange, OwnerError, Phase, Snapshot};
use usphere_datamodel::{Entry, Moment, Ticket};
use usphere_proto::{EndpointId, Record, Refusal};
use usphere_trust::{PeerIdentity, Store};

use crate::config::Target;
use crate::notice::Notice;

/// Names one connection, as long as it lasts. Chosen by whoever drives the engine, never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LinkId(pub u64);

/// Names one attempt to connect. Chosen by the engine, never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DialId(pub u64);

/// Names a place to listen at: the instance number of its row of `Device.LocalAgent.MTP.`
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ListenerId(pub u32);

/// How the Agent is to start anew.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RestartAction {
    /// With nothing but its identity and what the configuration seeds.
    FactoryReset,
    /// As it was.
    Reboot,
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// The peer did.
    Accepted,
    /// We did, as [`Output::Dial`] asked for.
    Dialled(DialId),
}

/// What the engine is told.
#[derive(Debug)]
pub enum Input {
    /// What an owner says to [`Output::Apply`]: one result per change, in their order.
    Applied {
        /// The question.
        ticket: Ticket,
        /// The results.
        results: Vec<Result<(), OwnerError>>,
    },
    /// What the wall clock shows at this moment: at the start, every minute, and when it was set or has
    /// become right or wrong.
    Clock {
        /// Microseconds since 1970-01-01T00:00:00Z.
        unix_micros: i64,
        /// Whether the clock is known to be right.
        reliable: bool,
    },
    /// The store could not keep the commits that it has not confirmed. It has kept none of them.
    CommitFailed {
        /// Why.
        reason: String,
    },
    /// The store has kept every commit up to this one.
    Committed {
        /// The last commit that was kept.
        sequence: u64,
    },
    /// A connection is open.
    Connected {
        /// Its name from now on.
        link: LinkId,
        /// Who opened it.
        origin: Origin,
        /// What the transport knows of the peer.
        peer: PeerIdentity,
    },
    /// An attempt to connect failed.
    DialFailed {
        /// The attempt.
        dial: DialId,
        /// Why, for people.
        reason: String,
    },
    /// A connection is closed, from whatever side.
    Disconnected {
        /// The connection.
        link: LinkId,
        /// Why, for people.
        reason: String,
    },
    /// An owner says that one of its units is not as it was fetched last.
    Disturbed {
        /// The owner.
        owner: String,
        /// The unit.
        unit: String,
    },
    /// An owner says that an event of the data model happened.
    Event {
        /// The path of its object, with instance numbers.
        object: String,
        /// Its name with `!`.
        name: String,
        /// Its arguments.
        parameters: BTreeMap<String, String>,
    },
    /// What an owner says to [`Output::Fetch`].
    Fetched {
        /// The question.
        ticket: Ticket,
        /// All there is of the unit, or why not.
        result: Result<Snapshot, OwnerError>,
    },
    /// What came of [`Output::Listen`], now or when something has changed since.
    Listening {
        /// The place.
        listener: ListenerId,
        /// Whether Controllers can connect; why not, for people.
        result: Result<(), String>,
    },
    /// What an owner says to [`Output::Begin`], when the command has ended, or to [`Output::Operate`].
    Operated {
        /// The question.
        ticket: Ticket,
        /// The output arguments, or why there are none.
        result: Result<Outputs, OwnerError>,
    },
    /// A Record came.
    Received {
        /// The connection it came on.
        link: LinkId,
        /// The Record.
        record: Record,
    },
    /// Something came that decodes as a Record and breaks a rule, so that no Record was made of it.
    Refused {
        /// The connection it came on.
        link: LinkId,
        /// What is wrong with it, who sent it, and whether that is answered. (R-MTP.5)
        refusal: Box<Refusal>,
    },
    /// Say goodbye to every Controller and close every connection.
    Shutdown,
    /// The time of [`Agent::deadline`](crate::Agent::deadline) has come.
    Tick,
}

/// What the engine wants done or known.
#[derive(Debug)]
pub enum Output {
    /// Ask an owner to check, apply or undo changes; [`Input::Applied`] is the answer.
    Apply {
        /// The question.
        ticket: Ticket,
        /// Who is asked.
        owner: String,
        /// What to do.
        phase: Phase,
        /// The changes, in order.
        changes: Vec<OwnedChange>,
        /// When the answer is no longer waited for.
        deadline: Moment,
    },
    /// Ask an owner to run an asynchronous command; [`Input::Operated`] is the answer once it has ended, and
    /// is waited for as long as it takes.
    Begin {
        /// The question.
        ticket: Ticket,
        /// Who is asked.
        owner: String,
        /// The command's path, with instance numbers.
        command: String,
        /// The input arguments.
        arguments: BTreeMap<String, String>,
    },
    /// End an asynchronous command as soon as possible; [`Input::Operated`] is still the answer, whatever
    /// came of it.
    Cancel {
        /// The question of its [`Output::Begin`].
        ticket: Ticket,
    },
    /// Give up an attempt to connect. Nothing needs to be said about it any more; a connection that
    /// came of it all the same is closed by the engine when it hears of it.
    CancelDial {
        /// The attempt.
        dial: DialId,
    },
    /// Keep these entries durably; [`Input::Committed`] or [`Input::CommitFailed`] is the answer.
    /// Those that came together may be kept by one sync.
    Commit {
        /// Counts up by one.
        sequence: u64,
        /// What to keep and what to remove.
        entries: Vec<Entry>,
    },
    /// Open a connection; [`Input::Connected`] or [`Input::DialFailed`] is the answer. (R-WS.5)
    Dial {
        /// The name of the attempt.
        dial: DialId,
        /// The Controller that is expected there.
        controller: EndpointId,
        /// Where.
        target: Target,
        /// Time between two Pings on the connection. (R-WS.18)
        ping_interval: Duration,
    },
    /// Ask an owner for all of a unit; [`Input::Fetched`] is the answer.
    Fetch {
        /// The question.
        ticket: Ticket,
        /// Who is asked.
        owner: String,
        /// The unit's name.
        unit: String,
        /// When the answer is no longer waited for.
        deadline: Moment,
    },
    /// Close a connection, after what was sent on it. The engine has forgotten it already.
    Hangup {
        /// The connection.
        link: LinkId,
        /// The status code of the WebSocket's Close frame. (RFC 6455 7.4.1)
        code: u16,
        /// Why.
        reason: HangupReason,
    },
    /// Accept connections here, instead of where this listener was before; [`Input::Listening`] is the
    /// answer. (R-WS.6)
    Listen {
        /// The listener.
        listener: ListenerId,
        /// Port, path and encryption.
        target: Target,
        /// Time between two Pings on accepted connections. (R-WS.18)
        ping_interval: Duration,
    },
    /// A line for the log.
    Note(Notice),
    /// Ask an owner to run a synchronous command; [`Input::Operated`] is the answer.
    Operate {
        /// The question.
        ticket: Ticket,
        /// Who is asked.
        owner: String,
        /// The command's path, with instance numbers.
        command: String,
        /// The input arguments.
        arguments: BTreeMap<String, String>,
        /// When the answer is no longer waited for.
        deadline: Moment,
    },
    /// End this Agent (with [`Input::Shutdown`], so that Controllers hear of it), and make a new one of what
    /// is stored then; see [`reset_store`](crate::reset_store). Where it is configured, the whole host
    /// starts anew.
    Restart {
        /// How.
        action: RestartAction,
    },
    /// Send a Record.
    Send {
        /// The connection.
        link: LinkId,
        /// The Record.
        record: Record,
    },
    /// Accept no more connections there. Those that are open are closed one by one.
    StopListening {
        /// The listener.
        listener: ListenerId,
    },
    /// What is trusted from now on. Handshakes of TLS are judged by it; the engine judges what is
    /// connected.
    Trust(Arc<Store>),
}

/// Why the engine closes a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HangupReason {
    /// The Controller was deleted, disabled or banned.
    Disabled,
    /// What the peer proves over TLS does not make it who it says it is.
    Distrusted,
    /// A peer that was trusted on first use had nothing to say. (TOFUInactivityTimer)
    Idle,
    /// Somebody else than the Controller that was dialled is there.
    NotWhoWasDialled,
    /// Nobody may dial in, or not any more.
    NotListening,
    /// The peer has our own Endpoint ID. (R-ARC.2)
    OurEndpointId,
    /// Where or how the Controller is reached was changed.
    Reconfigured,
    /// The Controller has a newer connection. (R-WS.4)
    Replaced,
    /// The Agent shuts down.
    ShuttingDown,
    /// It was not told in time who is there, or no Connect Record followed a Disconnect Record.
    Silent,
    /// The peer is no Controller of this Agent.
    Stranger,
    /// The Controller has a better connection, or the attempt was given up. (R-WS.4)
    Superfluous,
}

impl HangupReason {
    /// The status code of the WebSocket's Close frame. (RFC 6455 7.4.1)
    pub fn close_code(self) -> u16 {
        const GOING_AWAY: u16 = 1001;
        const POLICY: u16 = 1008;
        match self {
            Self::Reconfigured | Self::Replaced | Self::ShuttingDown | Self::Superfluous => {
                GOING_AWAY
            }
            Self::Disabled
            | Self::Distrusted
            | Self::Idle
            | Self::NotListening
            | Self::NotWhoWasDialled
            | Self::OurEndpointId
            | Self::Silent
            | Self::Stranger => POLICY,
        }
    }
}

impl fmt::Display for HangupReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disabled => "the Controller was deleted, disabled or banned",
            Self::NotListening => "no Controller may dial in here",
            Self::Distrusted => "the peer's certificate does not make it who it says it is",
            Self::Idle => "it was trusted on first use, and has been silent for too long",
            Self::NotWhoWasDialled => {
                "another Endpoint is there than the Controller that was dialled"
            }
            Self::OurEndpointId => "the peer uses this Agent's own Endpoint ID",
            Self::Reconfigured => "the Controller's MTP was changed",
            Self::Replaced => "the Controller opened a newer connection",
            Self::ShuttingDown => "the Agent shuts down",
            Self::Silent => "no Record told in time who is there",
            Self::Stranger => "the peer is no Controller of this Agent",
            Self::Superfluous => "the Controller has another connection",
        })
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.0)
    }
}

impl fmt::Display for ListenerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device.LocalAgent.MTP.{}.", self.0)
    }
}
