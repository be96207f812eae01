//! Operations: whatever is asked of a device through the server has a name, a life and an end.
//!
//! | state | means |
//! |---|---|
//! | `queued` | accepted; it waits for the device, or for those before it |
//! | `sent` | the device has been asked, or may have been; there is no answer yet |
//! | `waiting` | the device has answered, and an asynchronous command that it started still runs; OperationComplete with its command key ends it |
//! | `done` | the device carried it out; the outcome says what came of each part |
//! | `failed` | nothing came of it, or nobody knows what did; the error says which |
//! | `expired` | it could not be sent in time; the device was not asked |
//!
//! **When what is durable.** An Operation that is acknowledged (202) is. One that changes something, or that nobody waits for,
//! has a durable row that says `sent` before a device is asked, and its outcome is durable before its caller is told. A
//! read whose caller waits is sent at once, without the disk, and recorded a moment after it was answered: to lose it in a
//! crash is to lose nothing, since its caller is gone too.
//!
//! **What is sent twice.** Reads, when the connection or the server ends before the answer, a few times at most. Set, Add,
//! Delete and Operate never: a device takes a second request for a new one (R-MSG.4 has it pass over one that is still being
//! processed, and nothing more), so that a second Set could undo what somebody else has set since, or find other objects
//! by its search. They end as failed, and the error says that it is not known whether the device did it.
//!
//! Each time it is sent it has a msg_id of its own, which begins with what is random in each life of the server: a late
//! answer to an earlier try is not taken for one to this.
//!
//! **Order.** What waits for a device is sent in the order in which it was accepted. Only reads whose callers wait
//! overtake.
//!
//! This module must never know how an Operation travels.

mod core;
mod end;
mod name;
mod request;
mod shell;
mod writer;

pub(crate) use self::core::{Full, is_repeatable};
pub(crate) use self::end::{End, Failure, NAMES};
pub(crate) use self::name::Number;
pub(crate) use self::request::read;
use self::shell::Shared;
pub(crate) use self::shell::{Accepted, NotAccepted, Operations, Wanted};
