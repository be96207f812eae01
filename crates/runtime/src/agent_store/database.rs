//! The store's view of redb: two tables, whole transactions, and errors in place of panics. Decides
//! nothing about recovery.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{
    Builder, ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageBackend,
    TableDefinition,
};
use usphere_datamodel::Entry;

use super::error::StoreError;
use super::limits::CACHE_BYTES;
use super::overlay::Overlay;

const ENTRIES: TableDefinition<'_, &str, &str> = TableDefinition::new("entries");
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
const VERSION: &str = "version";

/// What to write: the last word on each key; none deletes.
pub(super) type Changes<'a> = BTreeMap<&'a str, Option<&'a str>>;

/// An open database.
pub(super) struct Database {
    inner: redb::Database,
    place: String,
}

/// What a database held when it was looked at.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) version: u64,
    pub(super) entries: Vec<Entry>,
}

impl Database {
    /// Opens what lies in `backend`, or makes an empty database where nothing lies there.
    ///
    /// `sync_failed` is set when a sync fails. What was written before it may then look as if it were
    /// on the disk without ever getting there, so nothing may be built on this file any more.
    pub(super) fn open(
        place: &str,
        backend: Arc<dyn StorageBackend>,
        sync_failed: &Arc<AtomicBool>,
    ) -> Result<Self, StoreError> {
        let watched = Watched {
            inner: backend,
            sync_failed: Arc::clone(sync_failed),
        };
        let inner = guarded(place, || {
            builder()
                .create_with_backend(watched)
                .map_err(|error| StoreError::database(place, "open it", error))
        })?;
        Ok(Self {
            inner,
            place: place.to_owned(),
        })
    }

    /// Reads everything, checking every page, without writing to `backend`.
    ///
    /// A version above `known` is refused before anything else is interpreted.
    pub(super) fn inspect(
        place: &str,
        backend: Arc<dyn StorageBackend>,
        known: u64,
    ) -> Result<Contents, StoreError> {
        let failed = |source| StoreError::io(place, "read it", source);
        if backend.len().map_err(failed)? == 0 {
            return Err(StoreError::damaged(place, "the file is empty"));
        }
        let overlay = Overlay::new(backend).map_err(failed)?;
        guarded(place, || {
            let inner = builder()
                .set_check_integrity_on_open(true)
                .create_with_backend(overlay)
                .map_err(|error| StoreError::database(place, "read it", error))?;
            let version = read_version(place, &inner)?;
            if version > known {
                return Err(StoreError::Newer {
                    place: place.to_owned(),
                    found: version,
                    known,
                });
            }
            Ok(Contents {
                version,
                entries: read_entries(place, &inner)?,
            })
        })
    }

    /// Writes the changes, and the version if one is given, in one synced transaction. Nothing is
    /// written when nothing would change.
    ///
    /// `former` receives what the changed keys held. When this fails, the transaction may be there or
    /// not, as a whole.
    pub(super) fn transact(
        &self,
        changes: &Changes<'_>,
        version: Option<u64>,
        former: &mut Vec<Entry>,
    ) -> Result<(), StoreError> {
        guarded(&self.place, || {
            self.write(changes, version, former)
                .map_err(|error| StoreError::database(&self.place, "write to it", error))
        })
    }

    /// Ends the use of the database.
    pub(super) fn close(self) -> Result<(), StoreError> {
        let Self { inner, place } = self;
        guarded(&place, || {
            inner
                .close()
                .map_err(|error| StoreError::database(&place, "close it", error))
        })
    }

    fn write(
        &self,
        changes: &Changes<'_>,
        version: Option<u64>,
        former: &mut Vec<Entry>,
    ) -> Result<(), redb::Error> {
        let transaction = self.inner.begin_write()?;
        {
            let mut table = transaction.open_table(ENTRIES)?;
            for (key, value) in changes {
                let before = table.get(*key)?.map(|before| before.value().to_owned());
                if before.as_deref() == *value {
                    continue;
                }
                former.push(Entry {
                    key: (*key).to_owned(),
                    value: before,
                });
                match value {
                    Some(value) => drop(table.insert(*key, *value)?),
                    None => drop(table.remove(*key)?),
                }
            }
            if let Some(version) = version {
                transaction.open_table(ABOUT)?.insert(VERSION, version)?;
            }
        }
        if former.is_empty() && version.is_none() {
            transaction.abort()?;
        } else {
            transaction.commit()?;
        }
        Ok(())
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn read_version(place: &str, database: &redb::Database) -> Result<u64, StoreError> {
    let read = || -> Result<Option<u64>, redb::Error> {
        let about = database.begin_read()?.open_table(ABOUT)?;
        Ok(about.get(VERSION)?.map(|version| version.value()))
    };
    read()
        .map_err(|error| StoreError::database(place, "read it", error))?
        .filter(|version| *version > 0)
        .ok_or_else(|| StoreError::damaged(place, "it names no schema version"))
}

fn read_entries(place: &str, database: &redb::Database) -> Result<Vec<Entry>, StoreError> {
    let read = || -> Result<Vec<Entry>, redb::Error> {
        let table = database.begin_read()?.open_table(ENTRIES)?;
        let mut entries = Vec::with_capacity(table.len()?.min(4096) as usize);
        for row in table.iter()? {
            let (key, value) = row?;
            entries.push(Entry {
                key: key.value().to_owned(),
                value: Some(value.value().to_owned()),
            });
        }
        Ok(entries)
    };
    read().map_err(|error| StoreError::database(place, "read it", error))
}

/// Runs code of the database. On damage that its checks did not foresee it panics, and no file may
/// end the Agent.
fn guarded<T>(place: &str, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    // Whatever the panic left half done is dropped, never used again: callers reopen after an error.
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StoreError::damaged(place, "the database gave up on it")))
}

/// Passes everything on and remembers whether a sync failed.
#[derive(Debug)]
struct Watched {
    inner: Arc<dyn StorageBackend>,
    sync_failed: Arc<AtomicBool>,
}

impl StorageBackend for Watched {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.inner.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        let synced = self.inner.sync_data();
        if synced.is_err() {
            self.sync_failed.store(true, Ordering::Release);
        }
        synced
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.inner.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }
}
