//! Putting a backup back.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use usphere_store::Store;

use super::archive::{self, MANIFEST, SMALL_BYTES_MAX, SUMS, Summed};
use super::{BackupError, FORMAT, Manifest, failed, sync_folder_of};
use crate::data_folder::{DATABASE, DataFolder, ENDPOINT_ID, TOKEN};
use crate::inventory::now;

/// What a backup may have of a data folder, in the order in which it is put into its place: with the database it is a
/// whole.
const FILES: [&str; 3] = [ENDPOINT_ID, TOKEN, DATABASE];

/// What else belongs to a database that is replaced.
const BESIDE: [&str; 3] = ["server.db-wal", "server.db-shm", "server.db.outline"];

/// A backup was put back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Restored {
    /// What it is of.
    pub manifest: Manifest,
    /// Where that is kept which it replaced.
    pub replaced: Option<PathBuf>,
    /// The names of its tokens that are good again, also those that were revoked since.
    pub tokens: Vec<String>,
}

/// Reads a backup to its end, and says what it is of if it is whole and this software could use it. Nothing is changed.
///
/// # Errors
/// [`BackupError`].
pub fn examine(from: &Path) -> Result<Manifest, BackupError> {
    let folder =
        std::env::temp_dir().join(format!("usphere-examine-{}-{}", std::process::id(), now()));
    make_folder(&folder)?;
    let manifest = unpack(from, &folder);
    drop(fs::remove_dir_all(&folder));
    manifest
}

/// Puts a backup into a data folder, which is made if it is not there and which no server uses. A database that is there
/// stops it, unless it is to be replaced; then what was there is kept in a folder beside it.
///
/// # Errors
/// [`BackupError`]; the folder is then as it was, or a server refuses it until a restore has succeeded.
pub fn restore(from: &Path, data: &Path, replaces: bool) -> Result<Restored, BackupError> {
    let folder = DataFolder::open_unrestored(data)?;
    let (new, database) = (folder.restoring(), folder.database());
    if database.exists() && !replaces {
        return Err(BackupError::Exists {
            path: database,
            advice: "there is a database already; --replace puts the backup in its place and keeps it aside",
        });
    }
    // What an interrupted restore left is of no use: it begins again.
    let was_interrupted = new.exists();
    if was_interrupted {
        fs::remove_dir_all(&new).map_err(|source| failed(&new, source))?;
    }
    make_folder(&new)?;
    let unpacked = unpack(from, &new);
    let manifest = match unpacked {
        Ok(manifest) => manifest,
        Err(error) => {
            // A folder that is whole is not to be refused because a broken backup was tried on it.
            if !was_interrupted || database.exists() {
                drop(fs::remove_dir_all(&new));
            }
            return Err(error);
        }
    };
    let tokens = good_tokens(&new.join(DATABASE));
    let replaced = set_aside(data)?;
    for name in FILES {
        let path = new.join(name);
        if path.exists() {
            let place = data.join(name);
            fs::rename(&path, &place).map_err(|source| failed(&place, source))?;
        }
    }
    sync_folder_of(&database)?;
    fs::remove_dir_all(&new).map_err(|source| failed(&new, source))?;
    sync_folder_of(&database)?;
    Ok(Restored {
        manifest,
        replaced,
        tokens,
    })
}

/// The names of the tokens that have not expired. That they cannot be read does not undo a restore.
fn good_tokens(database: &Path) -> Vec<String> {
    let tokens = Store::tokens_in(database).unwrap_or_else(|error| {
        tracing::warn!(%error, "which tokens are good again is not known");
        Vec::new()
    });
    let now = now();
    let good = tokens
        .into_iter()
        .filter(|token| token.expires.is_none_or(|expires| expires > now));
    good.map(|token| token.name).collect()
}

/// Moves what is there into a folder of its own; none where nothing is there.
fn set_aside(data: &Path) -> Result<Option<PathBuf>, BackupError> {
    let there = FILES.into_iter().chain(BESIDE).map(|name| data.join(name));
    let there: Vec<_> = there.filter(|path| path.exists()).collect();
    if there.is_empty() {
        return Ok(None);
    }
    let aside = data.join(format!("replaced-{}", now()));
    make_folder(&aside)?;
    for path in there {
        let name = path.file_name().unwrap_or_default();
        fs::rename(&path, aside.join(name)).map_err(|source| failed(&path, source))?;
    }
    sync_folder_of(&aside.join(DATABASE))?;
    Ok(Some(aside))
}

fn make_folder(path: &Path) -> Result<(), BackupError> {
    let made = DirBuilder::new().mode(0o700).create(path);
    made.map_err(|source| failed(path, source))
}

/// Unpacks a backup into a folder, and looks whether it is whole and can be used.
fn unpack(from: &Path, into: &Path) -> Result<Manifest, BackupError> {
    let broken = |reason: String| BackupError::Broken {
        path: from.to_owned(),
        reason,
    };
    let file = File::open(from).map_err(|source| failed(from, source))?;
    let mut archive = tar::Archive::new(file);
    // Raw: what lengthens names is read into memory as a whole, and no name here is long.
    let entries = archive.entries().map(|entries| entries.raw(true));
    let entries = entries.map_err(|error| broken(error.to_string()))?;
    let (mut sums, mut said, mut manifest) = (BTreeMap::new(), None, None);
    for entry in entries {
        let mut entry = entry.map_err(|error| broken(error.to_string()))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if !entry.header().entry_type().is_file() || sums.contains_key(&name) || said.is_some() {
            return Err(broken(format!("{name:?} is not expected there")));
        }
        let small = |entry: &mut dyn Read| {
            let mut bytes = Vec::new();
            let mut summed = Summed::new(entry.take(SMALL_BYTES_MAX + 1));
            summed
                .read_to_end(&mut bytes)
                .map_err(|error| broken(error.to_string()))?;
            match bytes.len() as u64 > SMALL_BYTES_MAX {
                true => Err(broken(format!("{name} is too large"))),
                false => Ok((bytes, summed.sum())),
            }
        };
        let sum = match name.as_str() {
            MANIFEST => {
                let (bytes, sum) = small(&mut entry)?;
                manifest = Some(read(&bytes).map_err(broken)?);
                sum
            }
            SUMS => {
                let (bytes, _) = small(&mut entry)?;
                said = Some(String::from_utf8_lossy(&bytes).into_owned());
                continue;
            }
            ENDPOINT_ID | TOKEN if entry.size() > SMALL_BYTES_MAX => {
                return Err(broken(format!("{name} is too large")));
            }
            known if FILES.contains(&known) => {
                let mut summed = Summed::new(&mut entry);
                write(&into.join(known), &mut summed)?;
                summed.sum()
            }
            _ => return Err(broken(format!("{name:?} is not expected there"))),
        };
        sums.insert(name, sum);
    }
    let said = said.ok_or_else(|| broken(format!("{SUMS} is missing, its end is cut off")))?;
    archive::compare(&said, &sums).map_err(broken)?;
    let manifest = manifest.ok_or_else(|| broken(format!("{MANIFEST} is missing")))?;
    let database = into.join(DATABASE);
    if !database.exists() {
        return Err(broken(format!("{DATABASE} is missing")));
    }
    let schema = Store::examine(&database)?;
    // A file without anything in it is a sound database, too: of no version.
    if schema != manifest.schema {
        return Err(broken(format!(
            "{DATABASE} has the schema version {schema}, and {MANIFEST} says {}",
            manifest.schema
        )));
    }
    // They were made by looking.
    for name in BESIDE {
        super::remove(&into.join(name))?;
    }
    Ok(manifest)
}

fn read(manifest: &[u8]) -> Result<Manifest, String> {
    let manifest: Manifest =
        serde_json::from_slice(manifest).map_err(|error| format!("{MANIFEST}: {error}"))?;
    match manifest.format {
        FORMAT => Ok(manifest),
        other => Err(format!(
            "it has the form {other}, this software knows {FORMAT}; version {} made it",
            manifest.version
        )),
    }
}

fn write(path: &Path, content: &mut impl Read) -> Result<(), BackupError> {
    let mut write = || {
        let mode = match path.ends_with(ENDPOINT_ID) {
            true => 0o644,
            false => 0o600,
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        io::copy(content, &mut file)?;
        file.sync_all()
    };
    write().map_err(|source| failed(path, source))
}
