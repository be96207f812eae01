//! Pure verdicts about peers: who is it, and may it speak.
//!
//! A peer that proves over TLS to own a certificate presents a [`Chain`]. [`judge_mtp`] says whether the
//! connection may be used at all, [`judge_record`] whether a Record on it may be processed and what
//! follows for the Controller's roles, [`judge_send`] whether a Record may be sent to somebody on it.
//! What is trusted is in the [`Store`], which is compiled from `Device.LocalAgent.`
//!
//! Everything here is a function of what it is given. This crate must never open a socket, read a
//! clock, or grant a permission: roles are the Agent's.

pub mod limits;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

mod certificate;
mod chain;
mod distrust;
mod judge;
mod peer;
mod revocation;
mod session;
mod signatures;
mod store;

pub use certificate::{
    Certificate, CertificateError, EndpointName, FingerprintAlgorithm, Validity,
};
pub use chain::Chain;
pub use distrust::Distrust;
pub use judge::{Admission, Expected, Rejection, Standing, judge_mtp, judge_record, judge_send};
pub use peer::{Channel, PeerIdentity, Refusal, may_speak};
pub use revocation::{RevocationError, RevocationList};
pub use session::{Session, Verdict};
pub use store::{AllowedUses, Credential, Peer, Store};
