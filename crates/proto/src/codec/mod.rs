//! From bytes to Records and Messages, within limits.
//!
//! The bytes are scanned by the schema before anything is decoded, so that a small input cannot grow
//! into a large structure, and so that errors can tell the field. Nothing here may panic on, recurse
//! with, or allocate by the wish of a peer.

mod error;
mod peek;
mod scan;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use bytes::Buf;
use prost::Message;

pub use self::error::{DecodeError, DecodeFault, Subject};
pub use self::peek::MsgPeek;
pub(crate) use self::peek::RecordPeek;
use crate::limits::Limits;
use crate::msg::Msg;
use crate::record::Record;
use crate::schema::{MSG, MessageType, RECORD};

impl Record {
    /// Decodes a Record within limits. From [`bytes::Bytes`], payloads are not copied.
    ///
    /// An error whose [`DecodeError::is_unreadable`] is true means that the bytes are no Record at all; the
    /// others break R-ENC.2 or R-ENC.3. [`Record::receive`] also says how to react.
    pub fn decode_bounded(
        bytes: impl Buf + AsRef<[u8]>,
        limits: &Limits,
    ) -> Result<Self, DecodeError> {
        decode(
            bytes,
            Subject::Record,
            &RECORD,
            limits.record_bytes_max,
            limits,
        )
    }
}

impl Msg {
    /// Decodes a Message within limits.
    ///
    /// Whether header, body and message ID are there is not looked at; [`Msg::receive`] does, and
    /// also says how to react.
    pub fn decode_bounded(
        bytes: impl Buf + AsRef<[u8]>,
        limits: &Limits,
    ) -> Result<Self, DecodeError> {
        decode(bytes, Subject::Msg, &MSG, limits.msg_bytes_max, limits)
    }

    /// Whether an encoded Message of ours is within the limits of a peer. Looks at it closely only where it is
    /// so large that it may not be: no element takes less than two bytes.
    pub fn is_within(payload: &[u8], limits: &Limits) -> bool {
        payload.len() <= limits.msg_bytes_max
            && (payload.len() / 2 <= limits.elements_max
                || scan::scan(payload, &MSG, limits).is_ok())
    }

    /// What can be told of a Message that may be broken; reads no further than the first break.
    pub fn peek(bytes: &[u8]) -> MsgPeek<'_> {
        MsgPeek::of(bytes)
    }
}

fn decode<M: Message + Default>(
    bytes: impl Buf + AsRef<[u8]>,
    subject: Subject,
    schema: &'static MessageType,
    bytes_max: usize,
    limits: &Limits,
) -> Result<M, DecodeError> {
    let at_root = |fault| DecodeError {
        subject,
        at: schema.name.to_owned(),
        fault,
    };
    let length = bytes.as_ref().len();
    if length > bytes_max {
        return Err(at_root(DecodeFault::TooLarge {
            bytes: length,
            max: bytes_max,
        }));
    }
    scan::scan(bytes.as_ref(), schema, limits).map_err(|(at, fault)| DecodeError {
        subject,
        at,
        fault,
    })?;
    M::decode(bytes).map_err(|_| at_root(DecodeFault::Wire("not decodable")))
}
