//! What is wrong with bytes, where, and which code that becomes.

use thiserror::Error;

use crate::ErrorCode;

/// Why bytes were not decoded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{at}: {fault}")]
pub struct DecodeError {
    /// What was to be decoded.
    pub subject: Subject,
    /// The field, such as `Msg.body.request.get.param_paths[3]`.
    pub at: String,
    /// What is wrong with it.
    pub fault: DecodeFault,
}

/// What was to be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A Message.
    Msg,
    /// A Record.
    Record,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeFault {
    /// A oneof has more than one member. (R-ENC.3)
    #[error("exactly one member of {oneof} is allowed, found {first} and {second}")]
    OneofRepeated {
        /// Name of the oneof.
        oneof: &'static str,
        /// The member found first.
        first: &'static str,
        /// The member found next.
        second: &'static str,
    },
    /// A oneof has no member. (R-ENC.3)
    #[error("{oneof} has no member{}", unknown_text(.unknown))]
    OneofUnset {
        /// Name of the oneof.
        oneof: &'static str,
        /// Number of a field that we do not know: perhaps a member that a newer version adds.
        unknown: Option<u32>,
    },
    /// A field that there is once was sent again. (R-MSG.6, R-MSG.7)
    #[error("sent more than once")]
    Repeated,
    /// Groups lie too deep in each other.
    #[error("nested more than {max} deep")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// Too many bytes.
    #[error("{bytes} bytes, at most {max} are read")]
    TooLarge {
        /// How many there are.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Too many list items, map entries and sub-messages.
    #[error("more than {max} items in all")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// A value that the enumeration does not have. (R-ENC.2)
    #[error("unknown enumeration value {value}")]
    UnknownEnum {
        /// The value.
        value: i64,
    },
    /// A string that is no UTF-8.
    #[error("not UTF-8")]
    Utf8,
    /// Bytes that are no protobuf, or not of this field's type.
    #[error("{0}")]
    Wire(&'static str),
}

impl DecodeError {
    /// Whether the bytes are not decodable at all, or are more than we take: no Record was extracted, which
    /// ends a WebSocket with 1003. Otherwise they decode, and break a rule of the encoding.
    pub fn is_unreadable(&self) -> bool {
        match self.fault {
            DecodeFault::TooDeep { .. }
            | DecodeFault::TooLarge { .. }
            | DecodeFault::TooMany { .. }
            | DecodeFault::Utf8
            | DecodeFault::Wire(_) => true,
            DecodeFault::OneofRepeated { .. }
            | DecodeFault::OneofUnset { .. }
            | DecodeFault::Repeated
            | DecodeFault::UnknownEnum { .. } => false,
        }
    }

    /// Whether a oneof has no member or several. (R-ENC.3)
    pub fn is_oneof_fault(&self) -> bool {
        matches!(
            self.fault,
            DecodeFault::OneofRepeated { .. } | DecodeFault::OneofUnset { .. }
        )
    }

    /// The code that tells the sender, where it is told at all.
    pub fn code(&self) -> ErrorCode {
        match (self.subject, &self.fault) {
            (Subject::Record, _) if self.is_unreadable() => ErrorCode::RecordNotParsed,
            (Subject::Record, _) => ErrorCode::InvalidRecordValue,
            (
                Subject::Msg,
                DecodeFault::TooDeep { .. }
                | DecodeFault::TooLarge { .. }
                | DecodeFault::TooMany { .. },
            ) => ErrorCode::ResourcesExceeded,
            // A kind of request that a newer version adds. (R-MSG.1)
            (
                Subject::Msg,
                DecodeFault::OneofUnset {
                    oneof: "req_type",
                    unknown: Some(_),
                },
            ) => ErrorCode::MessageNotSupported,
            (Subject::Msg, _) => ErrorCode::InvalidArguments,
        }
    }
}

fn unknown_text(unknown: &Option<u32>) -> String {
    unknown.map_or_else(String::new, |number| {
        format!(", but unknown field {number}")
    })
}
