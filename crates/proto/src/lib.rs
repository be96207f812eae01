//! The words of USP: Record, Msg, EndpointId and error codes.
//!
//! Everything here is a pure function of its arguments. This crate must never do I/O, read a clock,
//! use randomness, or panic on bytes from outside.

pub mod msg;
pub mod record;

pub use msg::{Msg, MsgType};
pub use record::{Record, RecordType};
