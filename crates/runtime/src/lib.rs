//! Thin async shells around the engines: they move bytes, time and answers, and decide nothing.

pub mod agent_host;
pub mod agent_store;
pub mod controller_host;
pub mod descriptors;
mod owner;
#[cfg(test)]
mod power_cuts;
mod tls_files;
mod trusted;

pub use owner::{Announcer, Cancelled, CommandWork, Owner};
pub use tls_files::{ControllerTls, TlsFiles};
pub use trusted::Trusted;
