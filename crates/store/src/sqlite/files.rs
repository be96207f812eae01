//! The file of the database as a whole: a copy of it while it is in use, a look at it, and the way to another
//! schema version.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::outline::Outline;
use super::statements::Done;
use super::{Place, schema, tokens};
use crate::{Migrated, StoreError, Token};

/// Writes the database, as it is at one moment, into a new file for its owner alone. It may be in use.
pub(crate) fn copy(path: &Path, to: &Path) -> Result<i64, StoreError> {
    let place = Place::existing(path)?;
    let connection = place.connect()?;
    let version = schema::version(&place, &connection)?;
    copy_from(&place, &connection, to)?;
    Ok(version)
}

/// Looks whether a server of this version could use the file, and says its schema version. What does something of its
/// own with what is written is not used: nobody has looked at what it does. Nothing is changed.
pub(crate) fn examine(path: &Path) -> Result<i64, StoreError> {
    let place = Place::existing(path)?;
    let connection = place.connect()?;
    schema::check(&place, &connection, None)?;
    schema::check_is_passive(&place, &connection)?;
    schema::version(&place, &connection)
}

/// The tokens in the file, whatever its version. Nothing is changed.
pub(crate) fn tokens(path: &Path) -> Result<Vec<Token>, StoreError> {
    let place = Place::existing(path)?;
    let (connection, _) = place.checked(None)?;
    let read = || -> Done<Vec<Token>> {
        let has_tokens = connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'tokens')",
            [],
            |row| row.get(0),
        )?;
        match has_tokens {
            true => tokens::list(&connection),
            false => Ok(Vec::new()),
        }
    };
    read().map_err(|refusal| place.refused("read it", refusal))
}

/// Brings a database that nobody uses to another version, or to the newest.
pub(crate) fn migrate(
    path: &Path,
    to: Option<i64>,
    keeps_copy: bool,
) -> Result<Migrated, StoreError> {
    let place = Place::existing(path)?;
    let mut connection = place.connect()?;
    schema::check(&place, &connection, None)?;
    let from = schema::version(&place, &connection)?;
    let to = to.unwrap_or(schema::newest());
    if !(1..=schema::newest()).contains(&to) {
        return Err(StoreError::Invalid(format!(
            "there is no schema version {to}; this software knows 1 to {}",
            schema::newest()
        )));
    }
    let copy = match keeps_copy && from != to {
        true => Some(keep_copy(&place, &connection, from)?),
        false => None,
    };
    schema::move_to(&place, &mut connection, to)?;
    Outline::keep(&place, &connection);
    Ok(Migrated { from, to, copy })
}

/// Keeps the database as it is before it is migrated, beside it. An earlier copy of the same version gives way.
pub(super) fn keep_copy(
    place: &Place,
    connection: &Connection,
    version: i64,
) -> Result<PathBuf, StoreError> {
    let mut name = place.0.clone().into_os_string();
    name.push(format!(".schema-{version}"));
    let copy = PathBuf::from(name);
    match fs::remove_file(&copy) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(place.failed("replace the copy of it from an earlier migration", error));
        }
        _ => copy_from(place, connection, &copy)?,
    }
    Ok(copy)
}

fn copy_from(place: &Place, connection: &Connection, to: &Path) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| StoreError::Failed {
        place: to.display().to_string(),
        action: "write a copy of the database there",
        reason: error.to_string(),
    };
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(failed)?;
    let name = to
        .to_str()
        .ok_or_else(|| failed(std::io::Error::other("its name is not valid UTF-8")))?;
    let copied = connection
        .execute("VACUUM INTO ?1", [name])
        .map_err(|error| place.database("copy it", &error));
    let synced = copied.and_then(|_| file.sync_all().map_err(failed));
    let synced = synced.and_then(|()| {
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new(".")));
        folder.and_then(|folder| folder.sync_all()).map_err(failed)
    });
    if synced.is_err() {
        // Half a copy is none; that it stays is the lesser evil.
        drop(fs::remove_file(to));
    }
    synced
}
