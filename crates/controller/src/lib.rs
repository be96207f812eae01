//! The USP Controller as a deterministic state machine, for many Agents at once.
//!
//! It is driven by four calls. [`Controller::handle`] takes in one thing that happened and the time.
//! Then [`Controller::poll`] is called until it returns `None`, and each output is done in that order.
//! Then the timer is set to [`Controller::deadline`]; when it fires, [`Input::Tick`] is handed in.
//!
//! ```text
//! controller.handle(Input::Received { link, record }, now);
//! while let Some(output) = controller.poll() { obey(output) }
//! timer.reset(controller.deadline());
//! ```
//!
//! An Agent can be asked from its Connect Record on until its Disconnect Record or the end of the
//! connection. One connection per Agent: the newest wins, requests that wait on the older one fail as
//! disconnected. Nothing an Agent sends ends anything but its own connection.
//!
//! This crate must never do I/O, read a clock or draw a random number, and never panic on what a peer sends.

mod engine;
mod event;
pub mod limits;
mod notice;
mod registration;
mod translate;

pub use engine::{Config, Controller};
pub use event::{HangupReason, Input, LinkId, NotificationId, OfflineReason, OperationId, Output};
pub use notice::{Ignored, Notice};
