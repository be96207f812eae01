//! Pure verdicts about peers: who is it, and may it speak.
//!
//! Everything here is a function of what it is given. This crate must never open a socket, read a
//! clock, or grant a permission: roles are the Agent's.

mod peer;

pub use peer::{Channel, PeerIdentity, Refusal, may_speak};
