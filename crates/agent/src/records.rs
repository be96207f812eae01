//! What a Record that came is worth. (R-MTP.5, R-MTP.8, R-E2E.1, R-E2E.6a, R-E2E.26, R-ENC.2 to R-ENC.5)
//!
//! Everything here is a function of the Record; who may send what is judged by the engine.

use bytes::Bytes;
use usphere_proto::RecordError;
use usphere_proto::record::{PayloadSecurity, Record, RecordType};
use usphere_proto::{EndpointId, ErrorCode, Msg};

use crate::notice::Ignored;

/// What a Record is, or why it is none that can be processed.
#[derive(Debug)]
pub(crate) enum Content {
    /// The Connect Record of a WebSocket.
    Connect,
    /// The peer says goodbye.
    Disconnect,
    /// It is dropped without an answer.
    Ignored(Ignored),
    /// It carries an encoded Message.
    Message(Bytes),
    /// It carries a request that cannot be processed, which is answered. (R-MTP.5)
    Refused {
        /// The request.
        msg_id: String,
        code: ErrorCode,
        text: String,
    },
    /// It belongs to a session context. There are none. (R-E2E.6a)
    Session,
}

/// What `record` is for the Endpoint `own`, which it was found to be addressed to.
pub(crate) fn content_of(record: Record, own: &EndpointId) -> Content {
    if !record.mac_signature.is_empty() {
        return Content::Ignored(Ignored::Unverified);
    }
    if let Some(RecordType::SessionContext(_)) = record.record_type {
        return Content::Session;
    }
    if !is_plain(&record)
        && let Err(error) = record.check(own)
    {
        return refusal_of(&record, &error);
    }
    match record.record_type {
        Some(RecordType::NoSessionContext(record)) => Content::Message(record.payload),
        Some(RecordType::WebSocketConnect(_)) => Content::Connect,
        Some(RecordType::Disconnect(_)) => Content::Disconnect,
        _ => Content::Ignored(Ignored::WrongConnect),
    }
}

/// Whether all that can be wrong with an ordinary Record is seen to be right, so that it need not be
/// looked at in full.
fn is_plain(record: &Record) -> bool {
    let known = matches!(
        &*record.version,
        "1.0" | "1.1" | "1.2" | "1.3" | "1.4" | "1.5"
    );
    let full = record.payload().is_some_and(|payload| !payload.is_empty());
    known && full && record.payload_security == PayloadSecurity::Plaintext as i32
}

/// An erroneous Record is answered when it carries a request that can be named, otherwise there is
/// silence. That sender, receiver and the way back are known was seen before. (R-MTP.5)
fn refusal_of(record: &Record, error: &RecordError) -> Content {
    let code = match error {
        RecordError::EmptyPayload
        | RecordError::FromId(_)
        | RecordError::FromSelf { .. }
        | RecordError::NoType
        | RecordError::NotOurs { .. } => {
            return Content::Ignored(Ignored::Erroneous(error.to_string()));
        }
        RecordError::SecuredOutsideSession => ErrorCode::SecureSessionNotSupported,
        RecordError::Missing { .. }
        | RecordError::PayloadSecurity { .. }
        | RecordError::Version { .. }
        | RecordError::WildcardTopic { .. } => ErrorCode::InvalidRecordValue,
    };
    let peek = record
        .payload()
        .map(|payload| Msg::peek(payload))
        .unwrap_or_default();
    match peek.msg_id {
        Some(msg_id) if peek.is_request => Content::Refused {
            msg_id: msg_id.to_owned(),
            code,
            text: error.to_string(),
        },
        _ => Content::Ignored(Ignored::Erroneous(error.to_string())),
    }
}
