//! Where the tables of a database begin, kept in a small file beside it: with it the rows can be read where the schema,
//! which says that, is lost.
//!
//! It holds nothing that the database does not hold, and is made anew at every start; only one that was found damaged is
//! read by it. It must never be what keeps a server from starting.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::salvage::remove;
use super::{Place, create_private, schema};
use crate::StoreError;
use crate::limits::OUTLINE_BYTES_MAX;

/// What comes after the name of the file of the database.
const SUFFIX: &str = ".outline";

/// Where the header of a file says how many pages it has, and where its free ones begin and how many they are. Zeros have
/// SQLite count for itself.
const COUNTS: Range<usize> = 28..40;

/// Where the header says that there is a log beside the file, by twos.
const LOGGED: Range<usize> = 18..20;

/// Where the tables of a database begin.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Outline {
    page_bytes: u32,
    pub(super) version: i64,
    /// The first page of each table, by name.
    tables: BTreeMap<String, u32>,
}

/// A copy to read from, taken away when it is no longer needed.
pub(super) struct Grafted(pub(super) Place);

impl Outline {
    /// The one that is kept, if it can be used.
    pub(super) fn kept(place: &Place) -> Option<Self> {
        let path = place.beside(SUFFIX);
        let is_small = fs::metadata(&path).ok()?.len() <= OUTLINE_BYTES_MAX;
        let bytes = is_small.then(|| fs::read(path).ok()).flatten()?;
        let outline: Self = serde_json::from_slice(&bytes).ok()?;
        let sizes = 512..=65536;
        let is_sound = outline.page_bytes.is_power_of_two()
            && sizes.contains(&outline.page_bytes)
            && (1..=schema::newest()).contains(&outline.version)
            && outline.tables.values().all(|root| *root > 1);
        is_sound.then_some(outline)
    }

    /// Keeps that of a database that is sound. Where that fails, the next start tries again.
    pub(super) fn keep(place: &Place, connection: &Connection) {
        if let Ok(outline) = Self::of(connection)
            && Self::kept(place).as_ref() != Some(&outline)
        {
            drop(outline.write(place));
        }
    }

    /// Copies the database, with another beginning: one that knows the tables, and nothing else.
    pub(super) fn graft(&self, place: &Place) -> Result<Grafted, StoreError> {
        let grafted = Grafted(Place(place.beside(".reading")));
        grafted.remove();
        let failed = |error: io::Error| place.failed("copy it to salvage it", error);
        let first = self.first_page(&grafted.0)?;
        let from_to = |suffix| (place.beside(suffix), grafted.0.beside(suffix));
        let (from, to) = from_to("");
        fs::copy(from, &to).map_err(failed)?;
        let (from, to_log) = from_to("-wal");
        match fs::copy(from, to_log) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        self.plant(&first, &to).map_err(failed)?;
        // What is in the log would hide the beginning again, so it is put where it belongs before.
        fold(&grafted.0);
        self.plant(&first, &to).map_err(failed)?;
        Ok(grafted)
    }

    fn plant(&self, first: &[u8], file: &Path) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(file)?;
        file.write_all_at(first, 0)?;
        // A table that begins behind the end would keep all others from being read.
        let end = self.tables.values().max().copied().unwrap_or(1);
        let end = u64::from(end) * u64::from(self.page_bytes);
        match file.metadata()?.len() < end {
            true => file.set_len(end),
            false => Ok(()),
        }
    }

    fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement =
            connection.prepare("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'")?;
        let tables = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self {
            page_bytes: connection.pragma_query_value(None, "page_size", |row| row.get(0))?,
            version: connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
            tables: tables.collect::<Result<_, _>>()?,
        })
    }

    fn write(&self, place: &Place) -> io::Result<()> {
        let (path, new) = (place.beside(SUFFIX), place.beside(".outline-new"));
        remove(&new)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(new, path)
    }

    /// The first page of a database that has these tables where they are.
    fn first_page(&self, scratch: &Place) -> Result<Vec<u8>, StoreError> {
        let failed = |error: io::Error| scratch.failed("make the beginning of it", error);
        create_private(&scratch.0).map_err(failed)?;
        self.make_schema(scratch)
            .map_err(|error| scratch.database("make the beginning of it", &error))?;
        let mut page = fs::read(&scratch.0).map_err(failed)?;
        if page.len() != self.page_bytes as usize {
            return Err(failed(io::Error::other("the tables fill more than a page")));
        }
        page[COUNTS].fill(0);
        page[LOGGED].fill(2);
        Ok(page)
    }

    fn make_schema(&self, scratch: &Place) -> rusqlite::Result<()> {
        let known = schema::sample(self.version)?;
        let made = Connection::open(&scratch.0)?;
        made.pragma_update(None, "page_size", self.page_bytes)?;
        made.pragma_update(None, "writable_schema", true)?;
        made.pragma_update(None, "user_version", self.version)?;
        for (name, root) in &self.tables {
            if let Some(text) = terse(&known, name)? {
                made.execute(
                    "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql)
                     VALUES ('table', ?1, ?1, ?2, ?3)",
                    rusqlite::params![name, root, text],
                )?;
            }
        }
        Ok(())
    }
}

impl Grafted {
    fn remove(&self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            drop(fs::remove_file(self.0.beside(suffix)));
        }
    }
}

impl Drop for Grafted {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Has SQLite put a log into its file: the last who closes it does, whatever could be read.
fn fold(place: &Place) {
    if let Ok(connection) = Connection::open(&place.0) {
        drop(connection.query_row("SELECT 1 FROM sqlite_schema", [], |_| Ok(())));
    }
}

/// As few words as make the rows of a table readable; none where there is no such table.
fn terse(known: &Connection, table: &str) -> rusqlite::Result<Option<String>> {
    let has_numbers = "SELECT wr = 0 FROM pragma_table_list WHERE name = ?1";
    let mut statement = known.prepare(has_numbers)?;
    let Some(has_numbers) = statement.query_map([table], |row| row.get(0))?.next() else {
        return Ok(None);
    };
    let has_numbers: bool = has_numbers?;
    let mut statement =
        known.prepare("SELECT name, type, dflt_value, pk FROM pragma_table_info(?1)")?;
    let mut keys = BTreeMap::new();
    let columns = statement.query_map([table], |row| {
        let (name, kind): (String, String) = (row.get(0)?, row.get(1)?);
        let (default, key): (Option<String>, i64) = (row.get(2)?, row.get(3)?);
        if key > 0 {
            keys.insert(key, name.clone());
        }
        // Only such a key is where the number of the row is.
        let key = match key == 1 && has_numbers && kind == "INTEGER" {
            true => " INTEGER PRIMARY KEY",
            false => "",
        };
        let default = default.map(|text| format!(" DEFAULT {text}"));
        Ok(format!("{name}{key}{}", default.unwrap_or_default()))
    })?;
    let columns = columns.collect::<Result<Vec<_>, _>>()?.join(",");
    let keys: Vec<_> = keys.into_values().collect();
    Ok(Some(match has_numbers {
        true => format!("CREATE TABLE {table}({columns})"),
        false => format!(
            "CREATE TABLE {table}({columns},PRIMARY KEY({}))WITHOUT ROWID",
            keys.join(",")
        ),
    }))
}
