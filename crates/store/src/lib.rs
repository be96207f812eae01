//! The platform's persistent state: the inventory of devices, what they said, what they were asked
//! for, and a few settings.
//!
//! [`Store`] is one face over several backends; each backend keeps its statements in one module. The
//! calls block, for a disk as long as it takes: async code makes them from a blocking thread. Writes
//! that wait at the same time share one transaction and one sync, and what a write returned is there
//! after a power cut. The store never decides anything about devices, and never starts afresh
//! because it could not read what was there.

mod audit;
mod contact;
mod device;
mod error;
mod event;
pub mod limits;
mod onboarding;
mod operation;
mod retention;
mod sqlite;
mod stats;
mod tag;
mod token;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::audit::{AuditEntry, AuditListing, AuditQuery, NewAuditEntry};
pub use self::contact::{
    Contact, ContactListing, ContactOf, ContactPlace, ContactQuery, NewContacts,
};
pub use self::device::{Description, Device, Field, Filter, Listing, Protocol, Sighting};
pub use self::error::StoreError;
pub use self::event::{Event, NewEvent};
pub use self::onboarding::{Described, DeviceState, ModelEntry, Product, Subscription};
pub use self::operation::{
    NewOperation, Operation, OperationListing, OperationProgress, OperationQuery, OperationState,
    OperationWrite, OperationWritten,
};
pub use self::retention::{Kept, KeptOperations};
pub use self::token::{NewToken, Scope, Token};

pub use self::stats::{COMMIT_SECONDS, Soundness, StoreStats};

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Milliseconds = i64;

/// The platform's store. Clones are the same store; any thread may use it.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
}

/// A database was found damaged, and what could be read of it is in its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Salvaged {
    /// Where the damaged one is kept.
    pub aside: PathBuf,
    /// What was found.
    pub reason: String,
    /// What could be read.
    pub tables: Vec<SalvagedTable>,
}

/// What could be read of a table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SalvagedTable {
    /// Its name.
    pub name: String,
    /// Rows that are kept.
    pub kept: u64,
    /// Rows that were read, and broke a rule of the table.
    pub refused: u64,
    /// Whether all of its rows could be reached.
    pub is_whole: bool,
}

/// A database was brought to another schema version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Migrated {
    /// The version that it had.
    pub from: i64,
    /// The version that it has.
    pub to: i64,
    /// Where it is kept as it was.
    pub copy: Option<PathBuf>,
}

#[derive(Clone)]
enum Backend {
    Sqlite(Arc<sqlite::Sqlite>),
}

impl Store {
    /// Opens the SQLite database in the file `path`, or makes one (mode 0600, its folder 0700).
    /// Earlier schema versions are kept beside it and migrated. Of a damaged one, what can be read is taken over, and the
    /// damaged file is set aside: [`Store::salvaged`] tells.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], where nothing of it can be read, and [`StoreError::Newer`] leave the file as it is;
    /// otherwise what the system says.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            backend: Backend::Sqlite(Arc::new(sqlite::Sqlite::open(path)?)),
        })
    }

    /// Writes the SQLite database in the file `path`, as it is at one moment, into the new file `to` (mode 0600), durably.
    /// It may be in use meanwhile. Its schema version, which stays as it is.
    ///
    /// # Errors
    /// What the system says of either file, [`StoreError::Damaged`] among it; then nothing is left of the copy.
    pub fn copy(path: &Path, to: &Path) -> Result<i64, StoreError> {
        sqlite::files::copy(path, to)
    }

    /// Looks whether the SQLite database in the file `path` could be opened, and says its schema version. Nothing is
    /// changed.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn examine(path: &Path) -> Result<i64, StoreError> {
        sqlite::files::examine(path)
    }

    /// The tokens in the SQLite database in the file `path`; none where its version knows none. Nothing is changed.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn tokens_in(path: &Path) -> Result<Vec<Token>, StoreError> {
        sqlite::files::tokens(path)
    }

    /// Brings the SQLite database in the file `path`, which nobody uses, to the schema version `to`, or to the newest.
    /// What an older version does not know is lost on the way down; with `keeps_copy` the file as it was is kept beside
    /// it.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] where the version is not known, else as [`Store::open`]; then nothing was changed.
    pub fn migrate(path: &Path, to: Option<i64>, keeps_copy: bool) -> Result<Migrated, StoreError> {
        sqlite::files::migrate(path, to, keeps_copy)
    }

    /// What was done when the database was found damaged as it was opened.
    pub fn salvaged(&self) -> Option<&Salvaged> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.salvaged(),
        }
    }

    /// What is known of whether the file is sound. A large one is looked through while it is in use.
    pub fn soundness(&self) -> Soundness {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.soundness(),
        }
    }

    /// The files of databases that were found damaged earlier, and are kept.
    pub fn kept_aside(&self) -> Vec<PathBuf> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.kept_aside(),
        }
    }

    /// How the store has fared since it was opened. Never blocks for long.
    pub fn stats(&self) -> StoreStats {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.stats(),
        }
    }

    /// Has nothing more be forgotten from now on, where that is under way too: it may take minutes where there is much.
    pub fn leave_pruning(&self) {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.leave_pruning(),
        }
    }

    /// Looks whether something can be written, by writing something that says nothing.
    ///
    /// # Errors
    /// Why nothing can be.
    pub fn probe(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.probe(),
        }
    }

    /// Records that devices were there, in one transaction; the unknown ones are added.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for an impossible Endpoint ID, with nothing recorded.
    pub fn seen(&self, sightings: Vec<Sighting>) -> Result<(), StoreError> {
        let sightings: Result<Vec<_>, _> = sightings.into_iter().map(Sighting::checked).collect();
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.seen(sightings?),
        }
    }

    /// Records that a device was there without waiting for the disk: never blocks, and what a power
    /// cut takes is seen again. Where it cannot be written, `lost` is called, by the thread that writes and before
    /// any later write is answered; it must not wait for anything.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when too much waits; [`StoreError::Invalid`] as with [`Store::seen`]. `lost` is not
    /// called then.
    pub fn seen_soon(
        &self,
        sighting: Sighting,
        lost: impl FnOnce() + Send + 'static,
    ) -> Result<(), StoreError> {
        let sighting = sighting.checked()?;
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.seen_soon(sighting, lost),
        }
    }

    /// Records that known devices were there until `at`, in one transaction. It adds none: one that was
    /// removed stays away.
    ///
    /// # Errors
    /// What the backend says.
    pub fn left(&self, endpoint_ids: Vec<String>, at: Milliseconds) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.left(endpoint_ids, at),
        }
    }

    /// As [`Store::left`] for one device, without waiting for the disk: never blocks. `lost` as with
    /// [`Store::seen_soon`].
    ///
    /// # Errors
    /// [`StoreError::Busy`] when too much waits.
    pub fn left_soon(
        &self,
        endpoint_id: &str,
        at: Milliseconds,
        lost: impl FnOnce() + Send + 'static,
    ) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.left_soon(endpoint_id.to_owned(), at, lost),
        }
    }

    /// The devices after the Endpoint ID `after`, or from the first, that fit `filter`: at most `limit` of
    /// them and at most [`limits::PAGE_DEVICES_MAX`]. It looks at one device after the other until the page is
    /// full: a matter of the number of devices, where few fit.
    ///
    /// # Errors
    /// What the backend says.
    pub fn list(
        &self,
        after: Option<&str>,
        limit: u32,
        filter: &Filter<'_>,
    ) -> Result<Listing, StoreError> {
        let limit = limit.clamp(1, limits::PAGE_DEVICES_MAX);
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.list(after.unwrap_or_default(), limit, filter),
        }
    }

    /// As [`list`](Self::list), their Endpoint IDs alone. Fewer than `limit` are the last.
    ///
    /// # Errors
    /// What the backend says.
    pub fn names(
        &self,
        after: Option<&str>,
        limit: u32,
        filter: &Filter<'_>,
    ) -> Result<Vec<String>, StoreError> {
        let limit = limit.clamp(1, limits::PAGE_DEVICES_MAX);
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.names(after.unwrap_or_default(), limit, filter),
        }
    }

    /// The device with this Endpoint ID or else this alias, or else the only one whose Endpoint ID
    /// contains the text (ASCII letters in either case).
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::Ambiguous`] with the candidates.
    pub fn find(&self, text: &str) -> Result<Device, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.find(text),
        }
    }

    /// The device with exactly this Endpoint ID; none where it is not known. Costs the same however many there are.
    ///
    /// # Errors
    /// What the backend says.
    pub fn known(&self, endpoint_id: &str) -> Result<Option<Device>, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.known(endpoint_id),
        }
    }

    /// Gives a device an alias, or takes it away.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::AliasTaken`], or [`StoreError::Invalid`] when it is
    /// empty, too long, or contains what cannot be seen.
    pub fn set_alias(&self, endpoint_id: &str, alias: Option<&str>) -> Result<(), StoreError> {
        let alias = alias.map(str::to_owned);
        self.change_device(endpoint_id, Some(alias), None)
    }

    /// Gives a device an alias, or takes it away, and these tags and no others: both or nothing. What is `None` stays as
    /// it is.
    ///
    /// # Errors
    /// As [`Store::set_alias`] and [`Store::set_tags`].
    pub fn change_device(
        &self,
        endpoint_id: &str,
        alias: Option<Option<String>>,
        tags: Option<Vec<String>>,
    ) -> Result<(), StoreError> {
        let given = alias.as_ref().and_then(Option::as_deref);
        given.map_or(Ok(()), device::check_alias)?;
        tags.as_deref().map_or(Ok(()), tag::check_all)?;
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.change_device(endpoint_id.to_owned(), alias, tags),
        }
    }

    /// Keeps what devices said, in one transaction, and says under which numbers; none where an event was kept
    /// before. Older events give way.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for an impossible Endpoint ID, with nothing kept.
    pub fn add_events(&self, events: Vec<NewEvent>) -> Result<Vec<Option<i64>>, StoreError> {
        let events: Result<Vec<_>, _> = events.into_iter().map(NewEvent::checked).collect();
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.add_events(events?),
        }
    }

    /// As [`Store::add_events`], for what the server itself saw: each counts once however often it is the same, and
    /// what is about an unknown device is not kept.
    ///
    /// # Errors
    /// As [`Store::add_events`].
    pub fn add_events_of_known(
        &self,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Option<i64>>, StoreError> {
        let events: Result<Vec<_>, _> = events.into_iter().map(NewEvent::checked).collect();
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.add_events_of_known(events?),
        }
    }

    /// The events of a device after the number `after`, in order: at most `limit`, at most
    /// [`limits::PAGE_EVENTS_MAX`], and not much more than [`limits::PAGE_EVENTS_BYTES`].
    ///
    /// # Errors
    /// What the backend says.
    pub fn events(&self, device: &str, after: i64, limit: u32) -> Result<Vec<Event>, StoreError> {
        let limit = limit.clamp(1, limits::PAGE_EVENTS_MAX);
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.events(device, after, limit),
        }
    }

    /// As [`Store::events`], of all devices together.
    ///
    /// # Errors
    /// What the backend says.
    pub fn all_events(&self, after: i64, limit: u32) -> Result<Vec<Event>, StoreError> {
        let limit = limit.clamp(1, limits::PAGE_EVENTS_MAX);
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.all_events(after, limit),
        }
    }

    /// Forgets the contacts that came last before a moment.
    ///
    /// # Errors
    /// What the backend says.
    pub fn prune_contacts(&self, before: Milliseconds) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.prune_contacts(before),
        }
    }

    /// The number of the newest event of all; 0 before the first.
    ///
    /// # Errors
    /// What the backend says.
    pub fn last_event(&self) -> Result<i64, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.last_event(),
        }
    }

    /// Writes what happened to Operations, in order, in one transaction, and says what came of each write.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for an impossible Endpoint ID or key, with nothing written.
    pub fn write_operations(
        &self,
        writes: Vec<OperationWrite>,
    ) -> Result<Vec<OperationWritten>, StoreError> {
        let writes: Result<Vec<_>, _> = writes.into_iter().map(OperationWrite::checked).collect();
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.write_operations(writes?),
        }
    }

    /// The Operation of this number.
    ///
    /// # Errors
    /// What the backend says.
    pub fn operation(&self, number: i64) -> Result<Option<Operation>, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.operation(number),
        }
    }

    /// The Operation that has this idempotency key.
    ///
    /// # Errors
    /// What the backend says.
    pub fn operation_by_key(&self, key: &str) -> Result<Option<Operation>, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.operation_by_key(key),
        }
    }

    /// Operations, the newest first: at most `limit`, at most [`limits::PAGE_OPERATIONS_MAX`], and not
    /// much more than [`limits::PAGE_OPERATIONS_BYTES`].
    ///
    /// # Errors
    /// What the backend says.
    pub fn operations(
        &self,
        query: &OperationQuery,
        limit: u32,
    ) -> Result<OperationListing, StoreError> {
        let limit = limit.clamp(1, limits::PAGE_OPERATIONS_MAX);
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.operations(query, limit),
        }
    }

    /// Operations after the number `after` that have not ended, the oldest first: at most `limit`, at
    /// most [`limits::PAGE_OPERATIONS_MAX`].
    ///
    /// # Errors
    /// What the backend says.
    pub fn open_operations(&self, after: i64, limit: u32) -> Result<Vec<Operation>, StoreError> {
        let limit = limit.clamp(1, limits::PAGE_OPERATIONS_MAX);
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.open_operations(after, limit),
        }
    }

    /// The highest number of an Operation; 0 before the first.
    ///
    /// # Errors
    /// What the backend says.
    pub fn last_operation(&self) -> Result<i64, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.last_operation(),
        }
    }

    // Contacts that failed.

    /// Keeps contacts that failed, in one transaction; those that failed alike are counted together. Older
    /// ones give way.
    ///
    /// # Errors
    /// What the backend says.
    pub fn add_contacts(&self, contacts: Vec<NewContacts>) -> Result<(), StoreError> {
        let contacts = contacts.into_iter().map(NewContacts::bounded).collect();
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.add_contacts(contacts),
        }
    }

    /// Contacts that failed, those that came last first: at most `limit`, at most
    /// [`limits::PAGE_CONTACTS_MAX`].
    ///
    /// # Errors
    /// What the backend says.
    pub fn contacts(&self, query: &ContactQuery, limit: u32) -> Result<ContactListing, StoreError> {
        let limit = limit.clamp(1, limits::PAGE_CONTACTS_MAX);
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.contacts(query, limit),
        }
    }

    /// Forgets a device and what it said. It comes back when it is seen again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when no device has this Endpoint ID.
    pub fn remove(&self, endpoint_id: &str) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.remove(endpoint_id.to_owned()),
        }
    }

    /// How many devices there are.
    ///
    /// # Errors
    /// What the backend says.
    pub fn count(&self) -> Result<u64, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.count(),
        }
    }

    /// The setting under this key.
    ///
    /// # Errors
    /// What the backend says.
    pub fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.setting(key),
        }
    }

    /// Replaces the setting under this key, or takes it away.
    ///
    /// # Errors
    /// What the backend says.
    pub fn set_setting(&self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.set_setting(key.to_owned(), value.map(str::to_owned)),
        }
    }

    /// The setting under this key, which becomes `value` if there is none. For what is made once and
    /// kept, such as the `endpoint_id` of the server.
    ///
    /// # Errors
    /// What the backend says.
    pub fn keep_setting(&self, key: &str, value: &str) -> Result<String, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.keep_setting(key.to_owned(), value.to_owned()),
        }
    }
}
