//! Who changed what: written down before it is done, and completed when it is known what came of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use usphere_store::{AuditListing, AuditQuery, NewAuditEntry, Store, StoreError};

use crate::blocking::call;
use crate::limits::{AUDITED_BYTES_MAX, REFUSED_BURST, REFUSED_INTERVAL};
use crate::operations::Number;
use crate::rate::{self, Rates};
use crate::tokens::Caller;

/// The audit of the server. Clones are the same.
#[derive(Clone)]
pub(crate) struct Audit {
    store: Store,
    /// How many refused attempts of each token are written down.
    refused: Arc<Rates>,
}

/// What is found out about a change while it is made. Of what changes nothing, nothing is written down.
#[derive(Clone, Default)]
pub(crate) struct Trail(Option<Arc<Mutex<NewAuditEntry>>>);

/// An entry that is to be completed. It is, whatever becomes of the request.
pub(crate) struct Open {
    store: Store,
    id: i64,
    trail: Trail,
}

impl Audit {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            refused: Arc::new(Rates::slow(REFUSED_INTERVAL, REFUSED_BURST)),
        }
    }

    /// Writes down, durably, what is about to be done.
    pub(crate) async fn begin(&self, entry: NewAuditEntry) -> Result<Open, StoreError> {
        let kept = entry.clone();
        let id = call(&self.store, move |store| store.begin_audit(kept)).await?;
        Ok(Open {
            store: self.store.clone(),
            id,
            trail: Trail(Some(Arc::new(Mutex::new(entry)))),
        })
    }

    /// Writes down soon what was tried and refused, unless this caller tries all the time.
    pub(crate) fn refused(&self, caller: &Caller, entry: NewAuditEntry) {
        let caller = rate::Caller::Token(caller.id);
        if self.refused.take(caller, Instant::now()).is_err() {
            return;
        }
        if let Err(error) = self.store.audit_soon(entry) {
            tracing::warn!(%error, "the audit lacks an attempt that was refused");
        }
    }

    pub(crate) async fn list(
        &self,
        query: AuditQuery,
        limit: u32,
    ) -> Result<AuditListing, StoreError> {
        call(&self.store, move |store| store.audit(&query, limit)).await
    }
}

impl Open {
    /// Where the change leaves what is found out about it.
    pub(crate) fn trail(&self) -> Trail {
        self.trail.clone()
    }

    /// What it is answered with.
    pub(crate) fn answered(self, status: u16) {
        self.trail.note(|entry| entry.status = Some(status));
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut entry = NewAuditEntry::default();
        self.trail.note(|known| entry = known.clone());
        if let Err(error) = self.store.end_audit_soon(self.id, entry) {
            tracing::warn!(%error, id = self.id, "an entry of the audit is not complete");
        }
    }
}

impl Trail {
    /// What is changed: the Endpoint ID of a device, the name of a token.
    pub(crate) fn target(&self, target: &str) {
        self.note(|entry| target.clone_into(&mut entry.target));
    }

    /// What exactly, for people. Values do not belong there: they may be secret.
    pub(crate) fn what<T: AsRef<str>>(&self, words: impl IntoIterator<Item = T>) {
        self.note(|entry| {
            for word in words {
                if entry.what.len() > AUDITED_BYTES_MAX {
                    entry.what.push_str(", …");
                    break;
                }
                if !entry.what.is_empty() {
                    entry.what.push_str(", ");
                }
                entry.what.push_str(word.as_ref());
            }
        });
    }

    /// Which Operation it became.
    pub(crate) fn operation(&self, number: Number) {
        self.note(|entry| entry.operation = Some(number.0));
    }

    fn note(&self, note: impl FnOnce(&mut NewAuditEntry)) {
        if let Some(entry) = &self.0 {
            note(&mut entry.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}
