//! The platform's persistent state: the inventory of devices, what they said, what they were asked
//! for, and a few settings.
//!
//! [`Store`] is one face over several backends; each backend keeps its statements in one module. The
//! calls block, for a disk as long as it takes: async code makes them from a blocking thread. Writes
//! that wait at the same time share one transaction and one sync, and what a write returned is there
//! after a power cut. The store never decides anything about devices, and never starts afresh
//! because it could not read what was there.

mod audit;
mod device;
mod error;
mod event;
pub mod limits;
mod operation;
mod sqlite;
mod tag;
mod token;

use std::path::Path;
use std::sync::Arc;

pub use self::audit::{AuditEntry, AuditListing, AuditQuery, NewAuditEntry};
pub use self::device::{Description, Device, Field, Filter, Listing, Protocol, Sighting};
pub use self::error::StoreError;
pub use self::event::{Event, NewEvent};
pub use self::operation::{
    NewOperation, Operation, OperationListing, OperationProgress, OperationQuery, OperationState,
    OperationWrite, OperationWritten,
};
pub use self::token::{NewToken, Scope, Token};

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Milliseconds = i64;

/// The platform's store. Clones are the same store; any thread may use it.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
}

#[derive(Clone)]
enum Backend {
    Sqlite(Arc<sqlite::Sqlite>),
}

impl Store {
    /// Opens the SQLite database in the file `path`, or makes one (mode 0600, its folder 0700).
    /// Earlier schema versions are migrated.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] and [`StoreError::Newer`] leave the file as it is; otherwise what the
    /// system says.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            backend: Backend::Sqlite(Arc::new(sqlite::Sqlite::open(path)?)),
        })
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
    /// cut takes is seen again.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when too much waits; [`StoreError::Invalid`] as with [`Store::seen`].
    pub fn seen_soon(&self, sighting: Sighting) -> Result<(), StoreError> {
        let sighting = sighting.checked()?;
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.seen_soon(sighting),
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

    /// As [`Store::left`] for one device, without waiting for the disk: never blocks.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when too much waits.
    pub fn left_soon(&self, endpoint_id: &str, at: Milliseconds) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.left_soon(endpoint_id.to_owned(), at),
        }
    }

    /// Records what a known device says about itself. Overlong texts are cut.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when no device has this Endpoint ID.
    pub fn describe(&self, endpoint_id: &str, said: Description) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.describe(endpoint_id.to_owned(), said.bounded()),
        }
    }

    /// The devices after the Endpoint ID `after`, or from the first, at most `limit` of them and at
    /// most [`limits::PAGE_DEVICES_MAX`].
    ///
    /// # Errors
    /// What the backend says.
    pub fn list(&self, after: Option<&str>, limit: u32) -> Result<Listing, StoreError> {
        let limit = limit.clamp(1, limits::PAGE_DEVICES_MAX);
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.list(after.unwrap_or_default(), limit),
        }
    }

    /// As [`Store::list`], but only the devices that fit `filter`. It looks at one device after the other
    /// until the page is full: a matter of the number of devices, not of those that fit.
    ///
    /// # Errors
    /// What the backend says.
    pub fn search(
        &self,
        after: Option<&str>,
        limit: u32,
        filter: &Filter<'_>,
    ) -> Result<Listing, StoreError> {
        let limit = limit.clamp(1, limits::PAGE_DEVICES_MAX);
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.search(after.unwrap_or_default(), limit, filter),
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

    /// Gives a device an alias, or takes it away.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::AliasTaken`], or [`StoreError::Invalid`] when it is
    /// empty, too long, or contains what cannot be seen.
    pub fn set_alias(&self, endpoint_id: &str, alias: Option<&str>) -> Result<(), StoreError> {
        alias.map_or(Ok(()), device::check_alias)?;
        match &self.backend {
            Backend::Sqlite(sqlite) => {
                sqlite.set_alias(endpoint_id.to_owned(), alias.map(str::to_owned))
            }
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

    /// Forgets the events from before a moment, the oldest first, [`limits::PRUNED_TOGETHER_MAX`] at most, and says
    /// how many that were.
    ///
    /// # Errors
    /// What the backend says.
    pub fn prune_events(&self, before: Milliseconds) -> Result<usize, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.prune_events(before),
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

    /// Forgets Operations that ended too long ago, and those that are too many or too much, and says how
    /// many that were.
    ///
    /// # Errors
    /// What the backend says.
    pub fn prune_operations(&self, now: Milliseconds) -> Result<usize, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.prune_operations(now),
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
