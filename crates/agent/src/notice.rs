//! What the log should know. A notice never carries a value from a payload.

use std::collections::BTreeMap;
use std::fmt;

use usphere_datamodel::{LoadProblem, Moment};
use usphere_proto::EndpointId;
use usphere_trust::Distrust;

use crate::event::{HangupReason, LinkId, ListenerId};
use crate::limits::{NOTICE_TEXT_MAX, NOTICES_PEERS_MAX, NOTICES_PER_PEER_MAX, NOTICES_PERIOD};

/// Something that the log should know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Notice {
    /// A connection to a Controller is open and its Connect Record is sent.
    Connected {
        /// The Controller.
        controller: EndpointId,
        /// The connection.
        link: LinkId,
    },
    /// A Controller could not be reached.
    DialFailed {
        /// The Controller.
        controller: EndpointId,
        /// Failures in a row.
        retries: u32,
        /// Why.
        reason: String,
    },
    /// A connection ended.
    Disconnected {
        /// The connection.
        link: LinkId,
        /// Why.
        reason: String,
    },
    /// A peer is not who it says it is, or is not trusted.
    Distrusted {
        /// The connection.
        link: LinkId,
        /// Who it says it is.
        id: EndpointId,
        /// Why it is not believed.
        distrust: Distrust,
    },
    /// The Agent closes a connection.
    HungUp {
        /// The connection.
        link: LinkId,
        /// Why.
        reason: HangupReason,
    },
    /// What came was dropped without an answer.
    Ignored {
        /// The connection it came on.
        link: LinkId,
        /// Who it says it came from, cut to a bearable length.
        from: String,
        /// Why.
        why: Ignored,
    },
    /// A new Controller could not be taken in.
    NotAdmitted {
        /// Its connection.
        link: LinkId,
        /// Why.
        reason: String,
    },
    /// Notify Messages are not delivered, and are not tried again.
    NotDelivered {
        /// The Controller that they were for.
        controller: EndpointId,
        /// Why.
        reason: String,
    },
    /// Controllers cannot connect at this place.
    NotListening {
        /// The place.
        listener: ListenerId,
        /// Why.
        reason: String,
    },
    /// An entry of the store has no place in the data model; it was left out.
    NotLoaded(LoadProblem),
    /// Something that the configuration asks for could not be seeded.
    NotSeeded {
        /// What went wrong.
        reason: String,
    },
    /// What a Subscription is to set could not be set.
    NotTriggered {
        /// The instance number of the Subscription.
        subscription: u32,
        /// Why.
        reason: String,
    },
    /// A Record or Message was answered with an Error, because it could not be processed.
    Refused {
        /// The connection it came on.
        link: LinkId,
        /// The code of the answer.
        code: u32,
        /// Its text.
        text: String,
    },
    /// A Controller connected while it had a connection already; the older one is closed. Seen again
    /// and again, two Controllers use one Endpoint ID. (R-WS.4)
    Replaced {
        /// The Controller.
        controller: EndpointId,
        /// The connection that is closed.
        old: LinkId,
        /// The connection that is used from now on.
        new: LinkId,
    },
    /// An owner did not answer, or said something that makes no sense.
    Trouble {
        /// The owner.
        owner: String,
        /// What happened.
        text: String,
    },
}

impl Notice {
    /// Whether somebody should look at it; the rest is the ordinary course of things.
    pub fn is_trouble(&self) -> bool {
        match self {
            Self::Connected { .. } | Self::Disconnected { .. } | Self::HungUp { .. } => false,
            Self::DialFailed { .. }
            | Self::Distrusted { .. }
            | Self::Ignored { .. }
            | Self::NotAdmitted { .. }
            | Self::NotDelivered { .. }
            | Self::NotListening { .. }
            | Self::NotLoaded(_)
            | Self::NotSeeded { .. }
            | Self::NotTriggered { .. }
            | Self::Refused { .. }
            | Self::Replaced { .. }
            | Self::Trouble { .. } => true,
        }
    }
}

/// Why something was dropped without an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ignored {
    /// No Connect Record came after a Disconnect Record. (R-MTP.8)
    BeforeConnect,
    /// A request with this message ID is in progress. (R-MSG.4)
    Duplicate(String),
    /// It breaks a rule, and is no request that could be told so. (R-E2E.1, R-ENC.4, R-MTP.5)
    Erroneous(String),
    /// The peer may not speak in this name on this connection. (R-SEC.0a, R-ARC.2)
    Forbidden(String),
    /// It answers nothing that was asked. (R-MSG.9)
    NotAsked(String),
    /// Its sender is being taken in, and too much of it waits already.
    TooMuch,
    /// It is signed, and signatures cannot be verified yet. (R-E2E.30)
    Unverified,
    /// It is the Connect Record of another MTP. (R-MTP.8)
    WrongConnect,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { controller, link } => write!(f, "{link}: connected to {controller}"),
            Self::DialFailed {
                controller,
                retries,
                reason,
            } => {
                write!(
                    f,
                    "{controller} was not reached, failure {retries} in a row: {reason}"
                )
            }
            Self::Disconnected { link, reason } => write!(f, "{link}: ended: {reason}"),
            Self::Distrusted { link, id, distrust } => {
                write!(
                    f,
                    "{link}: {} is not trusted: {distrust}",
                    clip(id.as_str())
                )
            }
            Self::HungUp { link, reason } => write!(f, "{link}: closed: {reason}"),
            Self::Ignored { link, from, why } => {
                write!(f, "{link}: ignored what came from {from}: {why}")
            }
            Self::NotAdmitted { link, reason } => {
                write!(f, "{link}: a new Controller was not taken in: {reason}")
            }
            Self::NotDelivered { controller, reason } => {
                write!(f, "a notification to {controller} is given up: {reason}")
            }
            Self::NotListening { listener, reason } => {
                write!(f, "{listener}: Controllers cannot connect: {reason}")
            }
            Self::NotLoaded(problem) => write!(f, "left out of the data model: {problem}"),
            Self::NotSeeded { reason } => write!(f, "the configuration was not applied: {reason}"),
            Self::NotTriggered {
                subscription,
                reason,
            } => {
                write!(
                    f,
                    "Subscription {subscription} could not set what it is to set: {reason}"
                )
            }
            Self::Refused { link, code, text } => write!(f, "{link}: answered with {code}: {text}"),
            Self::Replaced {
                controller,
                old,
                new,
            } => {
                write!(
                    f,
                    "{controller} connected anew ({new}); its older connection ({old}) is closed"
                )
            }
            Self::Trouble { owner, text } => write!(f, "{owner}: {text}"),
        }
    }
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeforeConnect => {
                f.write_str("no Connect Record came since the Disconnect Record")
            }
            Self::Duplicate(msg_id) => write!(f, "a request with msg_id {msg_id} is in progress"),
            Self::Erroneous(why) => f.write_str(why),
            Self::Forbidden(why) => write!(f, "it may not speak here: {why}"),
            Self::NotAsked(msg_id) => write!(f, "msg_id {msg_id} answers nothing that was asked"),
            Self::TooMuch => f.write_str("too much waits until its sender is taken in"),
            Self::Unverified => f.write_str("it is signed, and signatures cannot be verified yet"),
            Self::WrongConnect => f.write_str("it is the Connect Record of another MTP"),
        }
    }
}

/// Counts notices, so that no peer fills the log, however often it connects anew.
#[derive(Debug, Default)]
pub(crate) struct NoticeBudget {
    since: Moment,
    /// By the names of the peers; those beyond the limit have the empty name.
    spent: BTreeMap<String, u32>,
}

impl NoticeBudget {
    /// Begins anew when its time has come.
    pub(crate) fn renew(&mut self, now: Moment) {
        if now - self.since >= NOTICES_PERIOD {
            self.since = now;
            self.spent.clear();
        }
    }

    /// Whether another notice may be spent on the peer called `name`.
    pub(crate) fn spend(&mut self, name: &str) -> bool {
        let known = self.spent.contains_key(name) || self.spent.len() < NOTICES_PEERS_MAX;
        let name = if known { name } else { "" };
        let spent = self.spent.entry(name.to_owned()).or_default();
        *spent = spent.saturating_add(1);
        *spent <= NOTICES_PER_PEER_MAX
    }
}

/// `text`, cut to what a line of a log can bear, without control characters.
pub(crate) fn clip(text: &str) -> String {
    let printable = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    let mut characters = text.chars();
    let mut kept: String = characters
        .by_ref()
        .take(NOTICE_TEXT_MAX)
        .map(printable)
        .collect();
    if characters.next().is_some() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_a_budget_and_inventing_names_gives_no_more() {
        let mut budget = NoticeBudget::default();
        let spend = |budget: &mut NoticeBudget, name: &str| {
            (0..1_000).filter(|_| budget.spend(name)).count() as u32
        };
        assert_eq!(spend(&mut budget, "self::a"), NOTICES_PER_PEER_MAX);
        assert_eq!(spend(&mut budget, "self::b"), NOTICES_PER_PEER_MAX);
        let invented = (0..10_000).filter(|name| budget.spend(&format!("self::{name}")));
        let bound = NOTICES_PEERS_MAX as u32 - 2 + NOTICES_PER_PEER_MAX;
        assert_eq!(invented.count() as u32, bound);
        budget.renew(Moment::ORIGIN + NOTICES_PERIOD);
        assert!(budget.spend("self::a"));
    }

    #[test]
    fn that_somebody_comes_is_no_trouble_and_that_nobody_answers_is() {
        let (owner, text) = ("host".to_owned(), "no answer".to_owned());
        assert!(Notice::Trouble { owner, text }.is_trouble());
        let came = Notice::Disconnected {
            link: LinkId(1),
            reason: "it ended".to_owned(),
        };
        assert!(!came.is_trouble());
    }

    #[test]
    fn what_peers_say_is_cut_before_it_is_logged() {
        assert_eq!(clip("self::a\nb"), "self::a\u{fffd}b");
        assert_eq!(
            clip(&"x".repeat(NOTICE_TEXT_MAX)).chars().count(),
            NOTICE_TEXT_MAX
        );
        assert!(clip(&"x".repeat(1_000_000)).ends_with("x…"));
    }
}
