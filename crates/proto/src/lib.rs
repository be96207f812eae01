//! The words of USP: Record, Msg, EndpointId and error codes.
//!
//! Everything here is a pure function of its arguments. This crate must never do I/O, read a clock,
//! use randomness, or panic on bytes from outside.

pub mod msg;
pub mod record;

mod codec;
mod endpoint_id;
mod error_code;
mod gathered;
mod integrity;
mod json;
mod limits;
mod make;
mod schema;
mod text;
mod validate;

pub use codec::{DecodeError, DecodeFault, MsgPeek, Subject};
pub use endpoint_id::{
    EndpointId, EndpointIdError, ProductionWarning, QueryError, Scheme, append_eid,
    decode_query_value, eid_in_query, encode_query_value,
};
pub use error_code::{CodeRange, ErrorCode, code_name};
pub use gathered::{EncodedGetResp, GetRespWriter};
pub use json::JsonError;
pub use limits::{ENDPOINT_ID_BYTES_MAX, Limits};
pub use make::VERSION;
pub use msg::{Msg, MsgType};
pub use record::{Record, RecordType};
pub use validate::{MsgError, Reaction, Reason, RecordError, Refusal};
