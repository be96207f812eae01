//! What becomes of a database with damaged pages or rows: what can be read goes into a new one, and the old one is set
//! aside.
//!
//! Nothing is ever lost here that could be read elsewhere: the damaged file stays, whole, under another name. A file
//! whose beginning cannot be read is read by its [`Outline`]; where there is none, or it is not ours, it is not touched. A power cut at any moment leaves either the old
//! file in its place or the new one.

mod table;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::outline::{Grafted, Outline};
use super::{Place, create_private, schema};
use crate::{Salvaged, SalvagedTable, StoreError};

/// What comes after the name of the file while it is being made.
const UNFINISHED: &str = ".salvaging";

/// What comes after the name of the file when it is whole and waits for its place.
const WHOLE: &str = ".salvaged-";

/// What comes after the name of the damaged file.
const DAMAGED: &str = ".damaged-";

/// Puts what can be read of a damaged database into its place.
pub(super) fn salvage(place: &Place, damage: StoreError) -> Result<Salvaged, StoreError> {
    let unfinished = place.beside(UNFINISHED);
    remove(&unfinished).map_err(|error| place.failed("salvage it", error))?;
    let tables = match read(place, &unfinished) {
        // With an outline it is known to be ours, and what is lost stays aside.
        Ok(tables)
            if Outline::kept(place).is_some() || tables.iter().any(|table| table.kept > 0) =>
        {
            tables
        }
        // Where nothing can be read and nothing says whose it is, to begin anew is not ours to decide.
        Ok(_) | Err(_) => {
            drop(remove(&unfinished));
            return Err(damage);
        }
    };
    let at = milliseconds();
    let moved = sync(&unfinished)
        .and_then(|()| fs::rename(&unfinished, place.beside(&format!("{WHOLE}{at}"))))
        .and_then(|()| exchange(place, at));
    let aside = moved.map_err(|error| place.failed("set the damaged one aside", error))?;
    let reason = match damage {
        StoreError::Damaged { reason, .. } => reason,
        other => other.to_string(),
    };
    Ok(Salvaged {
        aside,
        reason,
        tables,
    })
}

/// Ends an exchange that a power cut interrupted.
pub(super) fn finish(place: &Place) -> Result<(), StoreError> {
    let failed = |error: io::Error| place.failed("end its exchange for a salvaged one", error);
    let Some(folder) = place.0.parent() else {
        return Ok(());
    };
    let prefix = place.beside(WHOLE);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let at = path.to_str().zip(prefix.to_str());
        let at = at.and_then(|(path, prefix)| path.strip_prefix(prefix)?.parse().ok());
        if let Some(at) = at {
            exchange(place, at).map_err(failed)?;
        }
    }
    Ok(())
}

/// Files of databases that were damaged and are kept.
pub(super) fn kept_aside(place: &Place) -> Vec<PathBuf> {
    let prefix = place.beside(DAMAGED);
    let folder = place.0.parent().map(fs::read_dir);
    let entries = folder.and_then(Result::ok).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut kept: Vec<_> = paths
        .filter(|path| {
            let name = path.to_str().zip(prefix.to_str());
            name.is_some_and(|(path, prefix)| {
                let number = path.strip_prefix(prefix);
                number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
            })
        })
        .collect();
    kept.sort();
    kept
}

/// What is read, and of which version that is.
struct Source {
    connection: Connection,
    version: i64,
    /// Where it is a copy of the file. After the connection, which is closed first.
    _copy: Option<Grafted>,
}

/// The damaged database as it is, where its schema can be read; else with the beginning that its outline gives it.
fn source(place: &Place) -> Result<Source, StoreError> {
    let as_it_is = || {
        let connection = connect(place).map_err(|error| place.database("salvage it", &error))?;
        let version = schema::version_of_ours(place, &connection)?;
        Ok(Source {
            connection,
            version,
            _copy: None,
        })
    };
    let Some(outline) = Outline::kept(place) else {
        return as_it_is();
    };
    if !place.is_emptied()
        && let Ok(source) = as_it_is()
        && schema::has_all_tables(&source.connection, source.version)
    {
        return Ok(source);
    }
    let copy = outline.graft(place)?;
    let connection = connect(&copy.0).map_err(|error| place.database("salvage it", &error))?;
    Ok(Source {
        connection,
        version: outline.version,
        _copy: Some(copy),
    })
}

/// Copies what can be read into a new database of the same version.
fn read(place: &Place, into: &Path) -> Result<Vec<SalvagedTable>, StoreError> {
    let source = source(place)?;
    let (old, version) = (&source.connection, source.version);
    create_private(into).map_err(|error| place.failed("salvage it", error))?;
    let new_place = Place(into.to_owned());
    let mut new = new_place.connect()?;
    schema::build(&new_place, &mut new, version)?;
    let failed = |error: rusqlite::Error| new_place.database("write it", &error);
    new.pragma_update(None, "journal_mode", "DELETE")
        .map_err(failed)?;
    let names: Vec<String> = {
        let mut statement = new
            .prepare(
                "SELECT name FROM sqlite_schema
                 WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
            )
            .map_err(failed)?;
        let names = statement.query_map([], |row| row.get(0)).map_err(failed)?;
        names.collect::<Result<_, _>>().map_err(failed)?
    };
    let transaction = new.transaction().map_err(failed)?;
    let tables = names
        .into_iter()
        .map(|name| table::copy(old, &transaction, name).map_err(failed))
        .collect::<Result<Vec<_>, _>>()?;
    for table in &tables {
        keep_numbering(old, &transaction, &table.name).map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    // All of it is in the one file until now.
    new.pragma_update(None, "journal_mode", "WAL")
        .map_err(failed)?;
    Ok(tables)
}

/// A connection that reads a file that is cut off too.
fn connect(place: &Place) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&place.0, flags)?;
    connection.pragma_update(None, "writable_schema", true)?;
    Ok(connection)
}

/// A number that was given is not given again, also where its row is lost.
fn keep_numbering(old: &Connection, new: &Connection, table: &str) -> rusqlite::Result<()> {
    let last: Option<i64> = old
        .query_row(
            "SELECT seq FROM sqlite_sequence WHERE name = ?1",
            [table],
            |row| row.get(0),
        )
        .optional()
        .unwrap_or_default();
    if let Some(last) = last {
        new.execute(
            "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1",
            rusqlite::params![table, last],
        )?;
    }
    Ok(())
}

/// Takes the damaged file out of its place and puts the salvaged one there. May be done again where it was interrupted.
fn exchange(place: &Place, at: u64) -> io::Result<PathBuf> {
    let whole = place.beside(&format!("{WHOLE}{at}"));
    let aside = place.beside(&format!("{DAMAGED}{at}"));
    let name = |path: &Path, suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    // First the log: with another database it would be the ruin of that.
    for suffix in ["-wal", "-shm"] {
        match fs::rename(name(&place.0, suffix), name(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    match fs::hard_link(&place.0, &aside) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_folder(place)?;
    fs::rename(&whole, &place.0)?;
    sync_folder(place)?;
    Ok(aside)
}

/// Takes a file away that may not be there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn sync_folder(place: &Place) -> io::Result<()> {
    let folder = place
        .0
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    sync(folder.unwrap_or(Path::new(".")))
}

fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
