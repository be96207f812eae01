//! Fleets of simulated devices: thousands of USP Agents in one process.
//!
//! Every [`Device`] is the real Agent engine with a small gateway below it and its store in memory; it
//! is sans-I/O, and the same seed and inputs give the same life. A [`Fleet`] gives many of them links,
//! over real sockets or within the process ([`Way`]), in one task each. This crate must never answer a
//! Record by itself: what a Controller sees is what the engine says.

mod chance;
mod device;
mod fleet;
pub mod gateway;
mod journal;
mod life;
pub mod limits;
mod plan;
mod tally;
mod way;

pub use device::{Device, Want};
pub use fleet::Fleet;
pub use plan::{Kit, Plan, PlanError, Rates};
pub use tally::Counts;
pub use way::{FilesOf, Identities, NoLink, Sockets, Way, controller_at};
