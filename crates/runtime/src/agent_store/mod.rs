//! The Agent's durable store: flat key and value texts that survive a power cut at any instruction.
//!
//! What [`AgentStore::commit`] accepted is there after a restart; what it refused, or did not answer
//! before the power went, is there as a whole batch or not at all, and what it refused is taken back
//! before anything else is written. The store must never interpret a key, never answer before the
//! sync, and never end the Agent because of what a file holds.
//!
//! The engine is redb: copy on write, checksummed pages, one sync per commit. A commit of a few
//! entries writes about 24 KiB however small it is (measured by the test
//! `commits_write_little`), hence one commit for all plans that wait together; see [`Committer`].
//!
//! - `database`: whole transactions on redb, and a look at a file that changes nothing
//! - `medium`: files, renames, the lock
//! - `committer`: the thread that syncs
//! - `simulated`: a disk that loses, tears and reorders what was not synced

mod committer;
mod database;
mod error;
pub mod limits;
mod medium;
mod migration;
mod overlay;
#[cfg(any(test, feature = "simulation"))]
pub mod simulated;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use usphere_datamodel::Entry;

pub use self::committer::{Answer, Committer, Gone};
pub use self::error::{Notice, StoreError};
pub use self::medium::Medium;
pub use self::migration::{MIGRATIONS, Migration};

use self::database::{Changes, Contents, Database};
use self::medium::FileMedium;

/// The open store. One process at a time has it.
pub struct AgentStore {
    medium: Box<dyn Medium>,
    /// The schema version that this software writes.
    version: u64,
    /// None after a failure, until the store has recovered from it.
    database: Option<Database>,
    /// What a failed commit may have changed, as it was before.
    undo: Vec<Entry>,
    /// Set when a sync failed: the file must be replaced before it is written again.
    doubtful: Arc<AtomicBool>,
}

/// What came out of opening a store.
pub struct Opened {
    /// The store.
    pub store: AgentStore,
    /// Everything that is stored, in order of the keys, with values.
    pub entries: Vec<Entry>,
    /// What somebody should be told.
    pub notice: Option<Notice>,
}

impl AgentStore {
    /// Opens the store in the file `path`, or makes one: the folder with mode 0700, the file with
    /// 0600. Beside it may lie `path.lock`, `path.new` (an unfinished replacement) and
    /// `path.corrupt-N`.
    ///
    /// A damaged file is kept as `path.corrupt-N`, said in the notice, and the store starts empty.
    /// Earlier schema versions are migrated.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process has it, [`StoreError::Newer`] when a newer version
    /// of the software wrote it (the file is not touched), otherwise what the system says.
    pub fn open(path: &Path) -> Result<Opened, StoreError> {
        Self::open_on(FileMedium::new(path)?)
    }

    /// Opens the store on any medium; the rest is as with [`AgentStore::open`].
    ///
    /// # Errors
    /// As [`AgentStore::open`].
    pub fn open_on(medium: impl Medium) -> Result<Opened, StoreError> {
        Self::open_with(medium, MIGRATIONS)
    }

    /// Opens the store with other steps than those of this software.
    fn open_with(medium: impl Medium, migrations: &[Migration]) -> Result<Opened, StoreError> {
        let mut store = Self {
            medium: Box::new(medium),
            version: 1 + migrations.len() as u64,
            database: None,
            undo: Vec::new(),
            doubtful: Arc::default(),
        };
        let (contents, notice) = match store.inspect() {
            Ok(Some(contents)) => (contents, None),
            Ok(None) => (store.start_empty()?, None),
            Err(StoreError::Damaged { place, reason }) => {
                let kept = store.medium.set_aside();
                let kept = kept.map_err(|source| store.io("set it aside", source))?;
                (
                    store.start_empty()?,
                    Some(Notice::SetAside {
                        place,
                        kept,
                        reason,
                    }),
                )
            }
            Err(error) => return Err(error),
        };
        let database = store.open_database()?;
        let entries = migrate(&database, contents, migrations)?;
        store.database = Some(database);
        Ok(Opened {
            store,
            entries,
            notice,
        })
    }

    /// Writes the batches, in their order, in one transaction, and returns when it is synced.
    ///
    /// The first member of a batch is the sequence number of its plan, which the store passes over.
    /// Of several entries with one key the last counts.
    ///
    /// # Errors
    /// When it did not take place: none of the batches is there then. The store stays usable; a later
    /// commit first repairs what is to be repaired, and fails in its turn as long as that is
    /// impossible.
    pub fn commit(&mut self, batches: &[(u64, Vec<Entry>)]) -> Result<(), StoreError> {
        let entries = batches.iter().flat_map(|(_, entries)| entries);
        let changes = last_word(entries);
        self.recover()?;
        let Some(database) = &self.database else {
            return Err(StoreError::damaged(self.medium.name(), "it is closed"));
        };
        let mut former = Vec::new();
        let Err(error) = database.transact(&changes, None, &mut former) else {
            return Ok(());
        };
        // Neither the database, which refuses everything after an error, nor the failed transaction,
        // which may be on the disk, can stay.
        self.database = None;
        self.undo = former;
        // Where this fails the next commit tries again.
        let _ = self.recover();
        Err(error)
    }

    /// Ends the use of the store. Dropping it does the same, without telling what went wrong; nothing
    /// that was committed depends on either.
    ///
    /// # Errors
    /// When the last words could not be written; the next opening then takes a little longer.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.database.take().map_or(Ok(()), Database::close)
    }

    /// Makes the store as it was after the last commit that succeeded, if something failed since.
    fn recover(&mut self) -> Result<(), StoreError> {
        if self.database.is_some() {
            return Ok(());
        }
        if self.doubtful.load(Ordering::Acquire) {
            self.rewrite()?;
        }
        let database = self.open_database()?;
        database.transact(&last_word(&self.undo), None, &mut Vec::new())?;
        self.undo.clear();
        self.database = Some(database);
        Ok(())
    }

    /// Puts a new file with the same contents in the place of one whose sync failed.
    fn rewrite(&mut self) -> Result<(), StoreError> {
        let Some(mut contents) = self.inspect()? else {
            return Err(StoreError::damaged(self.medium.name(), "the file is gone"));
        };
        contents.apply(&self.undo);
        self.replace(&contents)?;
        self.undo.clear();
        self.doubtful.store(false, Ordering::Release);
        Ok(())
    }

    /// Makes a store with nothing in it.
    fn start_empty(&self) -> Result<Contents, StoreError> {
        let contents = Contents {
            version: self.version,
            entries: Vec::new(),
        };
        self.replace(&contents)?;
        Ok(contents)
    }

    /// Puts a new file with these contents in the place of the store.
    fn replace(&self, contents: &Contents) -> Result<(), StoreError> {
        let backend = self.medium.begin_replacement();
        let backend = backend.map_err(|source| self.io("create it", source))?;
        let database = Database::open(self.medium.name(), backend, &Arc::default())?;
        database.transact(
            &last_word(&contents.entries),
            Some(contents.version),
            &mut Vec::new(),
        )?;
        database.close()?;
        let finished = self.medium.finish_replacement();
        finished.map_err(|source| self.io("replace it", source))
    }

    fn inspect(&self) -> Result<Option<Contents>, StoreError> {
        let backend = self
            .medium
            .open()
            .map_err(|source| self.io("open it", source))?;
        backend
            .map(|backend| Database::inspect(self.medium.name(), backend, self.version))
            .transpose()
    }

    fn open_database(&self) -> Result<Database, StoreError> {
        let backend = self
            .medium
            .open()
            .map_err(|source| self.io("open it", source))?;
        match backend {
            Some(backend) => Database::open(self.medium.name(), backend, &self.doubtful),
            None => Err(StoreError::damaged(self.medium.name(), "the file is gone")),
        }
    }

    fn io(&self, action: &'static str, source: std::io::Error) -> StoreError {
        StoreError::io(self.medium.name(), action, source)
    }
}

/// Brings the contents to the version of this software, each step in a transaction of its own.
fn migrate(
    database: &Database,
    mut contents: Contents,
    migrations: &[Migration],
) -> Result<Vec<Entry>, StoreError> {
    let done = usize::try_from(contents.version.saturating_sub(1)).unwrap_or(usize::MAX);
    for migration in migrations.iter().skip(done) {
        let changes = (migration.run)(&contents.entries);
        contents.version += 1;
        database.transact(
            &last_word(&changes),
            Some(contents.version),
            &mut Vec::new(),
        )?;
        contents.apply(&changes);
    }
    Ok(contents.entries)
}

fn last_word<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Changes<'a> {
    entries
        .into_iter()
        .map(|entry| (entry.key.as_str(), entry.value.as_deref()))
        .collect()
}

impl Contents {
    /// The contents after these changes.
    fn apply(&mut self, changes: &[Entry]) {
        if changes.is_empty() {
            return;
        }
        let entries = std::mem::take(&mut self.entries);
        let mut kept: BTreeMap<String, Option<String>> = entries
            .into_iter()
            .map(|entry| (entry.key, entry.value))
            .collect();
        kept.extend(
            changes
                .iter()
                .map(|entry| (entry.key.clone(), entry.value.clone())),
        );
        self.entries = kept
            .into_iter()
            .filter(|(_, value)| value.is_some())
            .map(|(key, value)| Entry { key, value })
            .collect();
    }
}
