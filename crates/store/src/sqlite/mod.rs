//! The inventory in SQLite: write-ahead log, one writing thread, a few reading connections.
//!
//! `synchronous` is FULL. With NORMAL a power cut could take back the last transactions of a
//! write-ahead log, alias changes and removals that somebody was told of among them; the syncs that
//! FULL costs are shared by all writes that wait together.

mod audit;
mod contacts;
mod down;
mod events;
pub(crate) mod files;
mod looking;
mod onboarding;
mod operations;
mod outline;
mod retention;
mod salvage;
mod schema;
mod search;
mod statements;
mod tags;
#[cfg(test)]
mod tests;
mod tokens;
mod writer;

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use self::looking::Looking;
use self::outline::Outline;
use self::writer::Writer;
use crate::limits::{LOOK_PATIENCE, READERS_MAX};
use crate::{
    ContactListing, ContactQuery, Device, Event, Filter, Listing, Milliseconds, NewContacts,
    NewEvent, Operation, OperationListing, OperationQuery, OperationWrite, OperationWritten,
    Salvaged, Sighting, Soundness, StoreError, StoreStats,
};

/// How long a connection waits for another process, a backup for example.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The store on SQLite.
pub(crate) struct Sqlite {
    place: Place,
    readers: Mutex<Vec<Connection>>,
    /// What was done when it was found damaged.
    salvaged: Option<Salvaged>,
    /// Whether no more is to be forgotten.
    leaves_pruning: AtomicBool,
    /// Ends before the writer, which is the last to close the file.
    looking: Looking,
    writer: Writer,
}

/// The file, and how its errors are told.
#[derive(Clone, Debug)]
struct Place(PathBuf);

impl Sqlite {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_within(path, LOOK_PATIENCE)
    }

    /// Opens the file, and looks it through for at most so long before, unless it is known to be damaged; the rest is
    /// looked through beside its use.
    fn open_within(path: &Path, patience: Duration) -> Result<Self, StoreError> {
        let place = Place(path.to_owned());
        let lost = place.is_emptied();
        create_private(path)
            .map_err(|error| place.failed("create it or restrict it to its owner", error))?;
        salvage::finish(&place)?;
        let checked = match lost {
            // SQLite would take it for a new one, and throw its log away.
            true => Err(place.damaged("the file is empty, and was not when it was used last")),
            false => place.checked((!looking::is_suspect(&place)).then_some(patience)),
        };
        let ((mut connection, is_whole), salvaged) = match checked {
            Ok(checked) => (checked, None),
            Err(damage @ StoreError::Damaged { .. }) => {
                let salvaged = salvage::salvage(&place, damage)?;
                (place.checked(None)?, Some(salvaged))
            }
            Err(error) => return Err(error),
        };
        schema::prepare(&place, &mut connection)?;
        Outline::keep(&place, &connection);
        let looking = match is_whole {
            true => Looking::done(&place),
            false => Looking::begin(&place)?,
        };
        let writer = Writer::spawn(place.clone(), connection)
            .map_err(|error| place.failed("start its thread", error))?;
        Ok(Self {
            place,
            readers: Mutex::default(),
            salvaged,
            leaves_pruning: AtomicBool::default(),
            looking,
            writer,
        })
    }

    pub(crate) fn salvaged(&self) -> Option<&Salvaged> {
        self.salvaged.as_ref()
    }

    pub(crate) fn soundness(&self) -> Soundness {
        self.looking.found()
    }

    pub(crate) fn kept_aside(&self) -> Vec<PathBuf> {
        salvage::kept_aside(&self.place)
    }

    pub(crate) fn stats(&self) -> StoreStats {
        self.writer.stats()
    }

    /// Writes something that says nothing, and that is not what is there already: that would not be written.
    pub(crate) fn probe(&self) -> Result<(), StoreError> {
        self.writer.write(statements::probe)
    }

    pub(crate) fn seen(&self, sightings: Vec<Sighting>) -> Result<(), StoreError> {
        self.writer.write(move |connection| {
            sightings
                .iter()
                .try_for_each(|sighting| statements::seen(connection, sighting))
        })
    }

    pub(crate) fn seen_soon(
        &self,
        sighting: Sighting,
        lost: impl FnOnce() + Send + 'static,
    ) -> Result<(), StoreError> {
        let work = move |connection: &Connection| statements::seen(connection, &sighting);
        self.writer.write_soon_or(work, lost)
    }

    pub(crate) fn left(&self, ids: Vec<String>, at: Milliseconds) -> Result<(), StoreError> {
        self.writer.write(move |connection| {
            ids.iter()
                .try_for_each(|id| statements::left(connection, id, at))
        })
    }

    pub(crate) fn left_soon(
        &self,
        id: String,
        at: Milliseconds,
        lost: impl FnOnce() + Send + 'static,
    ) -> Result<(), StoreError> {
        let work = move |connection: &Connection| statements::left(connection, &id, at);
        self.writer.write_soon_or(work, lost)
    }

    pub(crate) fn change_device(
        &self,
        id: String,
        alias: Option<Option<String>>,
        tags: Option<Vec<String>>,
    ) -> Result<(), StoreError> {
        self.writer.write(move |connection| {
            if let Some(alias) = &alias {
                statements::set_alias(connection, &id, alias.as_deref())?;
            }
            match &tags {
                Some(tags) => tags::set(connection, &id, tags),
                None => Ok(()),
            }
        })
    }

    pub(crate) fn remove(&self, id: String) -> Result<(), StoreError> {
        self.writer
            .write(move |connection| statements::remove(connection, &id))
    }

    pub(crate) fn add_events(&self, events: Vec<NewEvent>) -> Result<Vec<Option<i64>>, StoreError> {
        self.writer
            .write(move |connection| events::add(connection, &events))
    }

    pub(crate) fn add_events_of_known(
        &self,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Option<i64>>, StoreError> {
        self.writer
            .write(move |connection| events::add_of_known(connection, &events))
    }

    pub(crate) fn events(
        &self,
        device: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        self.read(|connection| events::list(connection, device, after, limit))
    }

    pub(crate) fn all_events(&self, after: i64, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.read(|connection| events::list_all(connection, after, limit))
    }

    pub(crate) fn last_event(&self) -> Result<i64, StoreError> {
        self.read(events::last)
    }

    pub(crate) fn add_contacts(&self, contacts: Vec<NewContacts>) -> Result<(), StoreError> {
        self.writer
            .write(move |connection| contacts::add(connection, &contacts))
    }

    pub(crate) fn prune_contacts(&self, before: Milliseconds) -> Result<(), StoreError> {
        self.writer
            .write(move |connection| contacts::prune_before(connection, before))
    }

    pub(crate) fn contacts(
        &self,
        query: &ContactQuery,
        limit: u32,
    ) -> Result<ContactListing, StoreError> {
        self.read(|connection| contacts::list(connection, query, limit))
    }

    pub(crate) fn write_operations(
        &self,
        writes: Vec<OperationWrite>,
    ) -> Result<Vec<OperationWritten>, StoreError> {
        self.writer
            .write(move |connection| operations::write(connection, &writes))
    }

    pub(crate) fn operation(&self, number: i64) -> Result<Option<Operation>, StoreError> {
        self.read(|connection| operations::find(connection, number))
    }

    pub(crate) fn operation_by_key(&self, key: &str) -> Result<Option<Operation>, StoreError> {
        self.read(|connection| operations::find_key(connection, key))
    }

    pub(crate) fn operations(
        &self,
        query: &OperationQuery,
        limit: u32,
    ) -> Result<OperationListing, StoreError> {
        self.read(|connection| operations::list(connection, query, limit))
    }

    pub(crate) fn open_operations(
        &self,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Operation>, StoreError> {
        self.read(|connection| operations::open(connection, after, limit))
    }

    pub(crate) fn last_operation(&self) -> Result<i64, StoreError> {
        self.read(operations::last)
    }

    pub(crate) fn set_setting(&self, key: String, value: Option<String>) -> Result<(), StoreError> {
        self.writer
            .write(move |connection| statements::set_setting(connection, &key, value.as_deref()))
    }

    pub(crate) fn keep_setting(&self, key: String, value: String) -> Result<String, StoreError> {
        self.writer
            .write(move |connection| statements::keep_setting(connection, &key, &value))
    }

    pub(crate) fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.read(|connection| statements::setting(connection, key))
    }

    pub(crate) fn list(
        &self,
        after: &str,
        limit: u32,
        filter: &Filter<'_>,
    ) -> Result<Listing, StoreError> {
        self.read(|connection| search::list(connection, after, limit, filter))
    }

    pub(crate) fn names(
        &self,
        after: &str,
        limit: u32,
        filter: &Filter<'_>,
    ) -> Result<Vec<String>, StoreError> {
        self.read(|connection| search::names(connection, after, limit, filter))
    }

    pub(crate) fn find(&self, text: &str) -> Result<Device, StoreError> {
        self.read(|connection| statements::find(connection, text))
    }

    pub(crate) fn known(&self, id: &str) -> Result<Option<Device>, StoreError> {
        self.read(|connection| statements::known(connection, id))
    }

    pub(crate) fn count(&self) -> Result<u64, StoreError> {
        self.read(statements::count)
    }

    /// Reads in one snapshot, beside the writer.
    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Refusal>,
    ) -> Result<T, StoreError> {
        let kept = self
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.place.connect()?,
        };
        let refused = |refusal| self.place.refused("read it", refusal);
        let transaction = connection
            .transaction()
            .map_err(|error| refused(error.into()))?;
        let found = work(&transaction).map_err(refused);
        drop(transaction);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS_MAX {
            readers.push(connection);
        }
        found
    }
}

/// Why a statement did not do its work: an answer for the caller, or an error of the database.
#[derive(Debug)]
enum Refusal {
    Answer(StoreError),
    Database(rusqlite::Error),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Answer(error)
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl Place {
    /// A file that is there.
    fn existing(path: &Path) -> Result<Self, StoreError> {
        let place = Self(path.to_owned());
        match std::fs::metadata(path) {
            Ok(_) => Ok(place),
            Err(error) => Err(place.failed("open it", error)),
        }
    }

    fn name(&self) -> String {
        self.0.display().to_string()
    }

    /// The file of what belongs to it, by what comes after its name.
    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.0.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    }

    /// Whether it is there, was used before, and nothing is in it.
    fn is_emptied(&self) -> bool {
        std::fs::metadata(&self.0).is_ok_and(|file| file.len() == 0)
            && Outline::kept(self).is_some()
    }

    /// A connection, once the file was looked through for at most so long, and whether that was to its end.
    fn checked(&self, patience: Option<Duration>) -> Result<(Connection, bool), StoreError> {
        let connection = self.connect()?;
        let is_whole = schema::check(self, &connection, patience)?;
        Ok((connection, is_whole))
    }

    /// A connection with the settings that every connection has.
    fn connect(&self) -> Result<Connection, StoreError> {
        let connect = || -> rusqlite::Result<Connection> {
            // No URIs: a file name is a file name.
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&self.0, flags)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "trusted_schema", false)?;
            Ok(connection)
        };
        connect().map_err(|error| self.database("open it", &error))
    }

    fn failed(&self, action: &'static str, reason: impl ToString) -> StoreError {
        StoreError::Failed {
            place: self.name(),
            action,
            reason: reason.to_string(),
        }
    }

    fn damaged(&self, reason: impl ToString) -> StoreError {
        StoreError::Damaged {
            place: self.name(),
            reason: reason.to_string(),
        }
    }

    fn database(&self, action: &'static str, error: &rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => self.damaged(error),
            Some(ErrorCode::DiskFull) => StoreError::DiskFull {
                place: self.name(),
                action,
            },
            _ => self.failed(action, error),
        }
    }

    fn refused(&self, action: &'static str, refusal: Refusal) -> StoreError {
        match refusal {
            Refusal::Answer(error) => error,
            Refusal::Database(error) => self.database(action, &error),
        }
    }
}

/// Makes the folder and the file for their owner alone. The files that SQLite puts beside it get the
/// rights of the file.
fn create_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))
}
