//! Backups: one file that has everything of a data folder, made while the server runs, and put back while it does not.
//!
//! A backup is a tar archive: `manifest.json`, the files of the data folder, and `SHA256SUMS` over all of them at its
//! end, so that `tar` and `sha256sum` can look into it too. What is not whole is never restored, and what a restore
//! replaces is kept.

mod archive;
mod restore;
#[cfg(test)]
mod tests;

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use usphere_store::{Migrated, Store, StoreError};

use crate::data_folder::{DATABASE, DataError, DataFolder, ENDPOINT_ID, TOKEN};
use crate::inventory::now;

pub use self::restore::{Restored, examine, restore};

/// The form of the archive.
const FORMAT: u32 = 1;

/// What a backup is of.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Manifest {
    /// The form of the archive.
    pub format: u32,
    /// The version of the software that made it.
    pub version: String,
    /// The version of the database's schema.
    pub schema: i64,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
    /// The server's Endpoint ID, where it was known.
    pub endpoint_id: Option<String>,
}

/// Why a backup was not made or not restored. Nothing is changed then, unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The archive is not one, not whole, or was changed.
    #[error("{}: not a whole backup: {reason}", path.display())]
    Broken {
        /// The archive.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// There is something already.
    #[error("{}: {advice}", path.display())]
    Exists {
        /// The file that is in the way.
        path: PathBuf,
        /// What to do.
        advice: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The database cannot be copied or used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes a backup of the data folder into the new file `to`, for its owner alone: the token is in it. A server may use
/// the folder; the backup has what was durable at one moment.
///
/// # Errors
/// [`BackupError`]; then there is no such file.
pub fn backup(data: &Path, to: &Path) -> Result<Manifest, BackupError> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(BackupError::Exists {
            path: to.to_owned(),
            advice: "is there already; choose another name for the backup",
        });
    }
    let (copy, unfinished) = (beside(to, "database"), beside(to, "unfinished"));
    for left_over in [&copy, &unfinished] {
        remove(left_over)?;
    }
    let made = make(data, &copy, &unfinished);
    drop(fs::remove_file(&copy));
    let made = made.and_then(|manifest| {
        fs::rename(&unfinished, to).map_err(|source| failed(to, source))?;
        sync_folder_of(to)?;
        Ok(manifest)
    });
    if made.is_err() {
        drop(fs::remove_file(&unfinished));
    }
    made
}

/// Brings the database of a data folder that no server uses to a schema version that an older server knows, or to the
/// newest.
///
/// # Errors
/// [`BackupError`]; then it is as it was.
pub fn migrate(data: &Path, to: Option<i64>, keeps_copy: bool) -> Result<Migrated, BackupError> {
    if !data.join(DATABASE).exists() {
        let source = io::Error::from(io::ErrorKind::NotFound);
        return Err(failed(&data.join(DATABASE), source));
    }
    let folder = DataFolder::open(data)?;
    Ok(Store::migrate(&folder.database(), to, keeps_copy)?)
}

fn make(data: &Path, copy: &Path, to: &Path) -> Result<Manifest, BackupError> {
    let schema = Store::copy(&data.join(DATABASE), copy)?;
    let files = [
        (ENDPOINT_ID, data.join(ENDPOINT_ID)),
        (TOKEN, data.join(TOKEN)),
    ];
    let endpoint_id = fs::read_to_string(&files[0].1).ok();
    let manifest = Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema,
        created: now(),
        endpoint_id: endpoint_id.map(|id| id.trim().to_owned()),
    };
    let archive = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(|source| failed(to, source))?;
    let mut writer = archive::Writer::new(&archive, manifest.created);
    let written = (|| {
        writer.add(
            archive::MANIFEST,
            &mut serde_json::to_vec_pretty(&manifest)?.as_slice(),
        )?;
        for (name, path) in files {
            match fs::read(&path) {
                Ok(bytes) => writer.add(name, &mut bytes.as_slice())?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        writer.add_file(DATABASE, &mut fs::File::open(copy)?)?;
        writer.finish()?;
        archive.sync_all()
    })();
    written.map_err(|source| failed(to, source))?;
    Ok(manifest)
}

/// A name beside a file, for what is not finished.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{what}"));
    PathBuf::from(name)
}

/// Removes a file that may not be there.
fn remove(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, error)),
        _ => Ok(()),
    }
}

fn sync_folder_of(path: &Path) -> Result<(), BackupError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| failed(folder, source))
}

fn failed(path: &Path, source: io::Error) -> BackupError {
    BackupError::Io {
        path: path.to_owned(),
        source,
    }
}
