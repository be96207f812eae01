//! What a receiver checks of a Record and of a Message, and how it reacts. (R-MTP.5, R-ENC.2 to R-ENC.5)
//!
//! These checks need nothing but the bytes and the receiver's own Endpoint ID. Who the sender is and
//! what it may do is judged elsewhere.

#[cfg(test)]
mod tests;

use bytes::Buf;
use thiserror::Error;

use crate::codec::{DecodeError, RecordPeek};
use crate::endpoint_id::{EndpointId, EndpointIdError};
use crate::error_code::ErrorCode;
use crate::limits::{Limits, QUOTED_CHARACTERS_MAX};
use crate::msg::{Msg, MsgBody, MsgType};
use crate::record::{MqttConnect, PayloadSecurity, Record, RecordType, SessionContext};

impl Record {
    /// Decodes a Record and checks it as its receiver `own`.
    ///
    /// A refusal says whether the sender is answered. That the way back is known, which R-MTP.5 asks too, is
    /// the caller's to see.
    pub fn receive(
        bytes: impl Buf + AsRef<[u8]> + Clone,
        own: &EndpointId,
        limits: &Limits,
    ) -> Result<Self, Box<Refusal>> {
        let record = Self::decode_bounded(bytes.clone(), limits)
            .map_err(|error| Refusal::of_record_bytes(error, bytes.as_ref(), own))?;
        match record.check(own) {
            Ok(()) => Ok(record),
            Err(error) => Err(Refusal::of_record(error, &record)),
        }
    }

    /// Checks a decoded Record as its receiver `own`: required fields, addresses, type, payload.
    /// (R-MTP.4b, R-E2E.1, R-E2E.26, R-E2E.41, R-ENC.3, R-ARC.2)
    ///
    /// Addresses are read by [`EndpointId::from_wire`]: a sender's own ID need not keep every rule of its scheme.
    pub fn check(&self, own: &EndpointId) -> Result<(), RecordError> {
        if self.to_id != own.as_str() {
            return Err(RecordError::NotOurs {
                to_id: quoted(&self.to_id),
                own: own.clone(),
            });
        }
        let from = EndpointId::from_wire(&self.from_id).map_err(RecordError::FromId)?;
        if from == *own {
            return Err(RecordError::FromSelf { from_id: from });
        }
        let Some(record_type) = &self.record_type else {
            return Err(RecordError::NoType);
        };
        if !is_version(&self.version) {
            return Err(RecordError::Version {
                version: quoted(&self.version),
            });
        }
        let Ok(security) = PayloadSecurity::try_from(self.payload_security) else {
            return Err(RecordError::PayloadSecurity {
                value: self.payload_security,
            });
        };
        check_type(record_type, security)
    }
}

impl Msg {
    /// Decodes a Message and checks it.
    pub fn receive(
        payload: impl Buf + AsRef<[u8]> + Clone,
        limits: &Limits,
    ) -> Result<Self, Box<Refusal>> {
        let msg = Self::decode_bounded(payload.clone(), limits)
            .map_err(|error| Refusal::of_msg(Reason::Decode(error), payload.as_ref()))?;
        match msg.check() {
            Ok(_) => Ok(msg),
            Err(error) => Err(Refusal::of_msg(Reason::Msg(error), payload.as_ref())),
        }
    }

    /// Checks a decoded Message and tells its kind: header, message ID and body are there. (R-MSG.6 to R-MSG.8)
    pub fn check(&self) -> Result<MsgType, MsgError> {
        match &self.header {
            None => return Err(MsgError::NoHeader),
            Some(header) if header.msg_id.is_empty() => return Err(MsgError::NoMsgId),
            Some(_) => {}
        }
        let body = self.body.as_ref().ok_or(MsgError::NoBody)?;
        match (self.kind(), &body.msg_body) {
            (Some(kind), _) => Ok(kind),
            (None, None) => Err(MsgError::Unset { oneof: "msg_body" }),
            (None, Some(MsgBody::Request(_))) => Err(MsgError::Unset { oneof: "req_type" }),
            (None, Some(_)) => Err(MsgError::Unset { oneof: "resp_type" }),
        }
    }
}

/// What is wrong with a Record that decodes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// A payload is required. (R-E2E.26)
    #[error("Record.no_session_context.payload: empty, a Message is required")]
    EmptyPayload,
    /// The sender's Endpoint ID is invalid. (R-MTP.5)
    #[error("Record.from_id: {0}")]
    FromId(EndpointIdError),
    /// The sender claims the receiver's own Endpoint ID. (R-ARC.2)
    #[error("Record.from_id: {from_id} is our own endpoint ID")]
    FromSelf {
        /// The ID.
        from_id: EndpointId,
    },
    /// A required field is missing or has its default. (R-MTP.4b)
    #[error("Record.{field}: required")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// The record type is not set. (R-ENC.3, R-ENC.4)
    #[error("Record.record_type: not set")]
    NoType,
    /// The Record is for somebody else. (R-E2E.1)
    #[error("Record.to_id: {to_id:?} is not our endpoint ID {own}")]
    NotOurs {
        /// Whom it is for, cut where it is long.
        to_id: String,
        /// Who we are.
        own: EndpointId,
    },
    /// A value that the enumeration does not have. (R-ENC.2)
    #[error("Record.payload_security: unknown enumeration value {value}")]
    PayloadSecurity {
        /// The value.
        value: i32,
    },
    /// A payload in TLS outside of a session context. (R-E2E.41)
    #[error("Record.payload_security: TLS12 is for session contexts only")]
    SecuredOutsideSession,
    /// The version is not of the form "major.minor". (R-MTP.4b)
    #[error("Record.version: {version:?}, expected \"major.minor\" such as \"1.4\"")]
    Version {
        /// The version, cut where it is long.
        version: String,
    },
    /// A topic to answer to has wildcards.
    #[error("Record.mqtt_connect.subscribed_topic: {topic:?} has wildcards")]
    WildcardTopic {
        /// The topic, cut where it is long.
        topic: String,
    },
}

impl RecordError {
    /// Whether R-MTP.5, R-ENC.4 or R-E2E.1 let no answer be made, whatever the payload is.
    fn is_ignored(&self) -> bool {
        matches!(
            self,
            Self::FromId(_) | Self::FromSelf { .. } | Self::NoType | Self::NotOurs { .. }
        )
    }
}

/// What is wrong with a Message that decodes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MsgError {
    /// There is no body. (R-MSG.7)
    #[error("Msg.body: required")]
    NoBody,
    /// There is no header. (R-MSG.6)
    #[error("Msg.header: required")]
    NoHeader,
    /// There is no message ID. (R-MSG.8)
    #[error("Msg.header.msg_id: required")]
    NoMsgId,
    /// The body is empty. (R-ENC.3)
    #[error("Msg.body: {oneof} has no member")]
    Unset {
        /// The oneof.
        oneof: &'static str,
    },
}

/// Why a Record or a Message is not processed, and what happens instead.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct Refusal {
    /// What is wrong.
    pub reason: Reason,
    /// What the receiver does.
    pub reaction: Reaction,
    /// The sender of the Record, where it is known; never known for a Message.
    pub from: Option<EndpointId>,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Reason {
    /// The bytes.
    #[error(transparent)]
    Decode(DecodeError),
    /// The Message.
    #[error(transparent)]
    Msg(MsgError),
    /// The Record.
    #[error(transparent)]
    Record(RecordError),
}

/// What the receiver of something erroneous does. (R-MTP.5)
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It answers the request by an Error Message.
    Answer {
        /// The request's message ID.
        msg_id: String,
        /// The code of the Error.
        code: ErrorCode,
        /// The text of the Error.
        text: String,
    },
    /// It says nothing.
    Ignore,
}

impl Refusal {
    /// Whether the bytes are no Record or Message at all, or more than we take.
    pub fn is_unreadable(&self) -> bool {
        matches!(&self.reason, Reason::Decode(error) if error.is_unreadable())
    }

    /// The Error Message that answers, if there is an answer.
    pub fn error_msg(&self) -> Option<Msg> {
        match &self.reaction {
            Reaction::Answer { msg_id, code, text } => {
                Some(Msg::error(msg_id, *code, text, Vec::new()))
            }
            Reaction::Ignore => None,
        }
    }

    /// The Record that answers an erroneous Record, outside of any session context, if there is an answer.
    pub fn error_record(&self, own: &EndpointId) -> Option<Record> {
        let to = self.from.as_ref()?;
        Some(Record::no_session(
            to,
            own,
            self.error_msg()?.into_payload(),
        ))
    }

    fn of_record(error: RecordError, record: &Record) -> Box<Self> {
        let from = EndpointId::from_wire(&record.from_id).ok();
        let payload = record.payload().filter(|_| !error.is_ignored());
        let reaction = Reaction::to(
            payload.map(|payload| &payload[..]),
            ErrorCode::InvalidRecordValue,
            &error,
        );
        Box::new(Self {
            reason: Reason::Record(error),
            reaction,
            from,
        })
    }

    fn of_record_bytes(error: DecodeError, bytes: &[u8], own: &EndpointId) -> Box<Self> {
        let peek = RecordPeek::of(bytes);
        let from = peek
            .from_id
            .and_then(|id| EndpointId::from_wire(id).ok())
            .filter(|from| from != own);
        // R-ENC.4 discards a Record whose oneof is not right.
        let answered =
            from.is_some() && peek.to_id == Some(own.as_str()) && !error.is_oneof_fault();
        let reaction = Reaction::to(peek.payload.filter(|_| answered), error.code(), &error);
        Box::new(Self {
            reason: Reason::Decode(error),
            reaction,
            from,
        })
    }

    fn of_msg(reason: Reason, payload: &[u8]) -> Box<Self> {
        let code = match &reason {
            Reason::Decode(error) => error.code(),
            Reason::Msg(_) | Reason::Record(_) => ErrorCode::InvalidArguments,
        };
        let reaction = Reaction::to(Some(payload), code, &reason);
        Box::new(Self {
            reason,
            reaction,
            from: None,
        })
    }
}

impl Reaction {
    /// Answers where the payload is a request whose message ID is known.
    fn to(payload: Option<&[u8]>, code: ErrorCode, text: &impl ToString) -> Self {
        let peek = payload.map(Msg::peek).unwrap_or_default();
        match peek.msg_id {
            Some(msg_id) if peek.is_request => Self::Answer {
                msg_id: msg_id.to_owned(),
                code,
                text: text.to_string(),
            },
            _ => Self::Ignore,
        }
    }
}

fn check_type(record_type: &RecordType, security: PayloadSecurity) -> Result<(), RecordError> {
    match record_type {
        RecordType::NoSessionContext(_) if security == PayloadSecurity::Tls12 => {
            Err(RecordError::SecuredOutsideSession)
        }
        RecordType::NoSessionContext(record) if record.payload.is_empty() => {
            Err(RecordError::EmptyPayload)
        }
        RecordType::NoSessionContext(_) => Ok(()),
        RecordType::SessionContext(context) => check_session(context),
        RecordType::MqttConnect(connect) => check_mqtt(connect),
        RecordType::StompConnect(connect) if connect.subscribed_destination.is_empty() => {
            Err(RecordError::Missing {
                field: "stomp_connect.subscribed_destination",
            })
        }
        RecordType::Disconnect(_)
        | RecordType::StompConnect(_)
        | RecordType::UdsConnect(_)
        | RecordType::WebSocketConnect(_) => Ok(()),
    }
}

/// The required numbers are never 0: sequences start with 1. (R-MTP.4b)
fn check_session(context: &SessionContext) -> Result<(), RecordError> {
    let required = [
        ("session_context.session_id", context.session_id),
        ("session_context.sequence_id", context.sequence_id),
        ("session_context.expected_id", context.expected_id),
    ];
    match required.into_iter().find(|(_, value)| *value == 0) {
        Some((field, _)) => Err(RecordError::Missing { field }),
        None => Ok(()),
    }
}

fn check_mqtt(connect: &MqttConnect) -> Result<(), RecordError> {
    let topic = &connect.subscribed_topic;
    if topic.is_empty() {
        return Err(RecordError::Missing {
            field: "mqtt_connect.subscribed_topic",
        });
    }
    if topic.contains(['#', '+']) {
        return Err(RecordError::WildcardTopic {
            topic: quoted(topic),
        });
    }
    Ok(())
}

/// Any version is taken that is written as one: a newer sender is met with what we know.
fn is_version(text: &str) -> bool {
    let is_number = |part: &str| {
        (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.split_once('.')
        .is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARACTERS_MAX).collect()
}
