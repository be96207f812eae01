//! Who changed what.

use crate::device::cut;
use crate::limits::{AUDIT_TEXT_BYTES_MAX, PAGE_AUDIT_MAX};
use crate::{Backend, Milliseconds, Store, StoreError};

/// Somebody is about to change something.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NewAuditEntry {
    /// When.
    pub at: Milliseconds,
    /// The name of the token that was shown.
    pub actor: String,
    /// From which address.
    pub remote: Option<String>,
    /// What is to be done.
    pub action: String,
    /// To what: the Endpoint ID of a device, the name of a token.
    pub target: String,
    /// What exactly, for people. No values.
    pub what: String,
    /// The number of the Operation that it became.
    pub operation: Option<i64>,
    /// What it was answered with: a status of HTTP; none while that is not known.
    pub status: Option<u16>,
}

/// An entry as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditEntry {
    /// Its number: later ones have higher numbers, and none is used twice.
    pub id: i64,
    /// What it says.
    pub entry: NewAuditEntry,
}

/// Which entries are looked for, and from where on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AuditQuery {
    /// Only those of this actor.
    pub actor: Option<String>,
    /// Only those that do this.
    pub action: Option<String>,
    /// Only those to this target.
    pub target: Option<String>,
    /// Only those before this number.
    pub before: Option<i64>,
}

/// One page of the audit, the newest first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditListing {
    /// The entries.
    pub entries: Vec<AuditEntry>,
    /// Before which number the next page begins; none after the last.
    pub next: Option<i64>,
}

impl NewAuditEntry {
    fn bounded(self) -> Self {
        let bounded = |text: String| cut(text, AUDIT_TEXT_BYTES_MAX);
        Self {
            actor: bounded(self.actor),
            remote: self.remote.map(bounded),
            action: bounded(self.action),
            target: bounded(self.target),
            what: bounded(self.what),
            ..self
        }
    }
}

impl Store {
    /// Writes down, durably, that somebody is about to change something, and says under which number. Overlong
    /// texts are cut.
    ///
    /// # Errors
    /// What the backend says.
    pub fn begin_audit(&self, entry: NewAuditEntry) -> Result<i64, StoreError> {
        let entry = entry.bounded();
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.begin_audit(entry),
        }
    }

    /// As [`Store::begin_audit`], without waiting for the disk: for what was refused.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when too much waits.
    pub fn audit_soon(&self, entry: NewAuditEntry) -> Result<(), StoreError> {
        let entry = entry.bounded();
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.audit_soon(entry),
        }
    }

    /// Completes an entry, without waiting for the disk: its target, what, operation and status become those of
    /// `entry`.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when too much waits.
    pub fn end_audit_soon(&self, id: i64, entry: NewAuditEntry) -> Result<(), StoreError> {
        let entry = entry.bounded();
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.end_audit_soon(id, entry),
        }
    }

    /// The audit, the newest first: at most `limit`, at most [`PAGE_AUDIT_MAX`].
    ///
    /// # Errors
    /// What the backend says.
    pub fn audit(&self, query: &AuditQuery, limit: u32) -> Result<AuditListing, StoreError> {
        let limit = limit.clamp(1, PAGE_AUDIT_MAX);
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.audit(query, limit),
        }
    }
}
