//! What can be told of bytes that may be broken: enough to decide whether the sender gets an answer.

use super::wire::{Reader, WireValue};
use crate::msg::MsgType;

/// Groups inside groups that a look skips over.
const GROUPS_MAX: usize = 16;

/// What can be told of a Message that may be broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MsgPeek<'a> {
    /// The message ID, where there is one that is not empty.
    pub msg_id: Option<&'a str>,
    /// Whether it is a request: by its body, or by its header where the body does not tell. A Message
    /// that holds a response or an error is none, so that errors are never answered by errors.
    pub is_request: bool,
    /// What the header says it is, where that is known.
    pub msg_type: Option<MsgType>,
}

impl<'a> MsgPeek<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        let mut msg_id = None;
        let mut named = None;
        let (mut has_request, mut has_other) = (false, false);
        for (number, value) in fields(bytes) {
            match (number, value) {
                (1, WireValue::Bytes(header)) => {
                    for field in fields(header) {
                        match field {
                            (1, WireValue::Bytes(text)) => msg_id = std::str::from_utf8(text).ok(),
                            (2, WireValue::Varint(value)) => named = i32::try_from(value).ok(),
                            _ => {}
                        }
                    }
                }
                (2, WireValue::Bytes(body)) => {
                    for (number, _) in fields(body) {
                        has_request |= number == 1;
                        has_other |= number == 2 || number == 3;
                    }
                }
                _ => {}
            }
        }
        let msg_type = named.and_then(|named| MsgType::try_from(named).ok());
        let named_request = msg_type.is_some_and(MsgType::is_request);
        Self {
            msg_id: msg_id.filter(|id| !id.is_empty()),
            is_request: !has_other && (has_request || named_request),
            msg_type,
        }
    }
}

/// What can be told of a Record that may be broken.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RecordPeek<'a> {
    pub(crate) to_id: Option<&'a str>,
    pub(crate) from_id: Option<&'a str>,
    /// The payload of the only record type, if that is `no_session_context`.
    pub(crate) payload: Option<&'a [u8]>,
}

impl<'a> RecordPeek<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        let mut peek = Self::default();
        for (number, value) in fields(bytes) {
            let WireValue::Bytes(value) = value else {
                continue;
            };
            match number {
                2 => peek.to_id = std::str::from_utf8(value).ok(),
                3 => peek.from_id = std::str::from_utf8(value).ok(),
                7 => peek.payload = payload_of(value),
                _ => {}
            }
        }
        peek
    }
}

fn payload_of(no_session_context: &[u8]) -> Option<&[u8]> {
    let payloads = fields(no_session_context).filter_map(|field| match field {
        (2, WireValue::Bytes(payload)) => Some(payload),
        _ => None,
    });
    payloads.last()
}

/// The fields up to the first fault.
fn fields(bytes: &[u8]) -> impl Iterator<Item = (u32, WireValue<'_>)> {
    Reader::new(bytes, GROUPS_MAX).map_while(Result::ok)
}
