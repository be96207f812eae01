//! What the log should know. A notice never carries a value from a payload.

use std::fmt;

use usphere_proto::{EndpointId, ErrorCode};

use crate::limits::NOTICE_TEXT_MAX;
use crate::{HangupReason, LinkId};

/// Something that the log should know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Notice {
    /// The Controller closes a link.
    HungUp {
        /// The link.
        link: LinkId,
        /// Why.
        reason: HangupReason,
    },
    /// What came was dropped without an answer.
    Ignored {
        /// The link it came on.
        link: LinkId,
        /// Who it says it came from, cut to a bearable length.
        from: String,
        /// Why.
        why: Ignored,
    },
    /// What came was answered with an Error.
    Refused {
        /// The link it came on.
        link: LinkId,
        /// Whose request it was.
        agent: EndpointId,
        /// The code of the answer.
        code: ErrorCode,
        /// Its text.
        text: String,
    },
    /// An Agent connected while it had a link already; the older one is closed. Seen again and again, two
    /// Agents use one Endpoint ID. (R-WS.4)
    Replaced {
        /// The Agent.
        agent: EndpointId,
        /// The link that is closed.
        old: LinkId,
        /// The link that is used from now on.
        new: LinkId,
    },
    /// A notification was not taken, and stays unanswered: too many wait, or nobody wants it.
    Untaken {
        /// The link it came on.
        link: LinkId,
        /// Whose it was.
        agent: EndpointId,
        /// The ID of its Subscription, cut to a bearable length.
        subscription_id: String,
    },
}

/// Why something was dropped without an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ignored {
    /// No Connect Record came before it. (R-MTP.8)
    BeforeConnect,
    /// It breaks a rule, and is no request that could be told so. (R-ENC.4, R-MTP.5)
    Erroneous(String),
    /// The peer opened the link in another name than it speaks in. (R-SEC.0a)
    Forbidden(String),
    /// The Endpoint ID that it says it is from is none. (R-MTP.5)
    FromNobody(String),
    /// It is for another Endpoint. (R-E2E.1)
    Misdirected(String),
    /// It answers no request that waits: it is late, doubled, or was never asked. (R-MSG.9)
    NotAsked(String),
    /// The link belongs to another Agent.
    OtherAgent,
    /// The same notification waits to be taken; this is its msg_id.
    Repeated(String),
    /// The certificate of the peer does not stand for the Endpoint that it speaks as. (R-SEC.0a)
    Unproven(String),
    /// It is signed, and this Controller cannot verify signatures yet. (R-E2E.30)
    Unverified,
    /// Its version is none. (R-MTP.4b)
    Version(String),
    /// It is the Connect Record of another MTP. (R-MTP.8)
    WrongConnect,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HungUp { link, reason } => write!(f, "{link}: closed: {reason}"),
            Self::Ignored { link, from, why } => {
                write!(f, "{link}: ignored what came from {from}: {why}")
            }
            Self::Refused {
                link,
                agent,
                code,
                text,
            } => write!(f, "{link}: answered {agent} with {code}: {text}"),
            Self::Untaken {
                link,
                agent,
                subscription_id,
            } => write!(
                f,
                "{link}: a notification of {agent} for Subscription {subscription_id:?} is not taken now"
            ),
            Self::Replaced { agent, old, new } => {
                write!(
                    f,
                    "{agent} connected anew ({new}); its older connection ({old}) is closed"
                )
            }
        }
    }
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeforeConnect => f.write_str("no Connect Record came before it"),
            Self::Forbidden(why) | Self::Unproven(why) => {
                write!(f, "it may not speak here: {why}")
            }
            Self::Erroneous(why)
            | Self::FromNobody(why)
            | Self::Misdirected(why)
            | Self::Version(why) => f.write_str(why),
            Self::NotAsked(msg_id) => write!(f, "msg_id {msg_id} answers nothing that waits"),
            Self::OtherAgent => f.write_str("the connection belongs to another Agent"),
            Self::Repeated(msg_id) => write!(f, "notification {msg_id} waits already"),
            Self::Unverified => f.write_str("it is signed, and signatures cannot be verified yet"),
            Self::WrongConnect => f.write_str("it is the Connect Record of another MTP"),
        }
    }
}

/// `text`, cut to what a line of a log can bear, without control characters.
pub(crate) fn clip(text: &str) -> String {
    let kept: String = text
        .chars()
        .take(NOTICE_TEXT_MAX)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if kept.len() < text.len() && text.chars().nth(NOTICE_TEXT_MAX).is_some() {
        kept + "…"
    } else {
        kept
    }
}
