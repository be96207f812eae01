//! TP-469, the test plan that USP Agents are certified by, as a program that is run against any Agent.
//!
//! A test is a short function that reads like the plan's procedure ([`tests`] says how one is written). It is
//! given a [`Bench`]: a Controller made of nothing but the words of USP, so that it can also say what no honest
//! Controller would. Below the bench is a [`Peer`]: the Agent over real sockets, or one of ours in virtual time.
//! [`run`](run::run) takes tests one by one, survives an Agent that hangs or dies, and makes a [`Report`].
//!
//! This crate must never count a test as passed that was not run, nor leave one out without a reason.

pub mod bench;
pub mod brokered;
pub mod catalogue;
pub mod credentials;
pub mod limits;
pub mod network;
pub mod peer;
pub mod profile;
pub mod publications;
pub mod report;
pub mod run;
pub mod session;
pub mod sockets;
pub mod tests;
pub mod tries;
pub mod virtual_time;
pub mod web;

mod features;
mod stop;
mod transcript;
mod universal;

pub use bench::Bench;
pub use catalogue::{CATALOGUE, Entry, Level, Selection, TestId};
pub use credentials::Credentials;
pub use features::Features;
pub use peer::{Happening, Peer, Seat, Trouble, What};
pub use profile::Profile;
pub use report::{Outcome, Report, Verdict};
pub use run::{Progress, run};
pub use stop::{Done, Stop};
pub use transcript::{Direction, Exchange, Step};
