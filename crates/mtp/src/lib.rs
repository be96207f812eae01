//! Message transfer protocols on tokio: the client and the server end of each, down to the socket.
//!
//! An MTP turns bytes into Records once, and hands them up with what it knows about the peer. It
//! must never know a data model, decide when to dial again, or judge whether a peer may speak.

pub mod files;
pub mod limits;
mod metered;
pub mod tls;
pub mod websocket;
mod wire;
