//! The USP Agent as a deterministic state machine.
//!
//! An [`Agent`] opens no socket, reads no clock, draws no randomness and stores nothing. Whoever drives
//! it tells it what happened and when ([`Agent::handle`]), does what it says ([`Agent::poll`], until
//! there is nothing more), and comes back at [`Agent::deadline`] at the latest with [`Input::Tick`]:
//!
//! ```ignore
//! agent.handle(Input::Received { link, record }, now);
//! while let Some(output) = agent.poll() {
//!     match output {
//!         Output::Send { link, record } => links.send(link, record),
//!         Output::Commit { sequence, entries } => store.commit(sequence, entries),
//!         Output::Fetch { ticket, owner, unit, .. } => owners.fetch(owner, ticket, unit),
//!         Output::Dial { dial, target, .. } => links.dial(dial, target),
//!         // and so on
//!     }
//! }
//! timer.reset(agent.deadline());
//! ```
//!
//! What the driver can rely on:
//!
//! - The same inputs at the same moments give the same outputs. Moments never go back.
//! - Outputs are to be done in their order. A [`Output::Hangup`] lets what was sent before go out first.
//! - Nothing that reveals a change comes out before [`Input::Committed`] has confirmed it; after
//!   [`Input::CommitFailed`] it has never happened, and who asked for it gets an error.
//! - Every question with a ticket may be answered late, wrongly or never: its deadline ends it.
//! - No input panics, and what a peer can make it hold is bounded by [`limits`].

pub mod limits;
pub mod objects;
#[cfg(any(test, feature = "testing"))]
pub mod scene;

mod clock;
mod codes;
mod config;
mod dialling;
mod engine;
mod event;
mod handlers;
mod links;
mod lockout;
mod notice;
mod random;
mod records;
mod roles;

pub use clock::{Utc, date_time};
pub use config::{Authority, Config, KnownController, Pin, Target, TrustConfig};
pub use engine::Agent;
pub use engine::operations::reset_store;
pub use event::{DialId, HangupReason, Input, LinkId, ListenerId, Origin, Output, RestartAction};
pub use notice::{Ignored, Notice};
