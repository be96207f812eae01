//! How long what is written down is kept, and how much of it.
//!
//! Whoever keeps house calls these from time to time. They look through readers and delete in pieces, so that other
//! writes get between them, and never delete what their bounds allow.

use crate::{Backend, Milliseconds, Store, StoreError};

/// What is kept of one kind: what is from since then, and the newest of that.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Kept {
    /// What is from before goes.
    pub since: Milliseconds,
    /// So many at most; none for as many as there are.
    pub max: Option<u64>,
}

/// What is kept of Operations that have ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeptOperations {
    /// Of those that may have changed something.
    pub changes: Kept,
    /// Of those that only read. They never push out the others.
    pub reads: Kept,
    /// Those with an idempotency key that ended since then stay, however many there are, up to
    /// [`limits::OPERATIONS_KEYED_MAX`](crate::limits::OPERATIONS_KEYED_MAX) more.
    pub keys_since: Milliseconds,
}

impl Store {
    /// Forgets the oldest events, and says how many that were.
    ///
    /// # Errors
    /// What the backend says; what was forgotten before stays so.
    pub fn prune_events(&self, kept: Kept) -> Result<u64, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.prune_events(kept),
        }
    }

    /// Forgets the oldest entries of the audit, and says how many that were.
    ///
    /// # Errors
    /// As [`Store::prune_events`].
    pub fn prune_audit(&self, kept: Kept) -> Result<u64, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.prune_audit(kept),
        }
    }

    /// Forgets Operations that have ended, those first that ended first, and says how many that were. Beside `kept`,
    /// their requests and outcomes have bounds in bytes, see [`limits`](crate::limits).
    ///
    /// # Errors
    /// As [`Store::prune_events`].
    pub fn prune_operations(&self, kept: KeptOperations) -> Result<u64, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.prune_operations(kept),
        }
    }
}
