//! Where the store lies: files in the data folder, or a simulated disk. A medium knows names, rights
//! and renames; it never looks into what it holds.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::StorageBackend;
use redb::backends::FileBackend;
use rustix::fs::{FlockOperation, flock};

use super::error::StoreError;
use super::limits::KEPT_ASIDE_MAX;

/// A place for one store and for the one that is to replace it.
pub trait Medium: Send + 'static {
    /// The name of the place, for messages.
    fn name(&self) -> &str;

    /// The bytes of the store; none when there is no store yet.
    fn open(&self) -> io::Result<Option<Arc<dyn StorageBackend>>>;

    /// An empty place for a replacement of the store. What an earlier, unfinished one left is gone.
    fn begin_replacement(&self) -> io::Result<Arc<dyn StorageBackend>>;

    /// Puts the replacement, which was synced, in the place of the store: at once or not at all, and
    /// durable when this returns.
    fn finish_replacement(&self) -> io::Result<()>;

    /// Moves the store out of the way and returns its new name.
    fn set_aside(&self) -> io::Result<String>;
}

/// Files in a folder of the Agent's own. Holds the lock that keeps other processes away for as long
/// as it lives.
#[derive(Debug)]
pub(super) struct FileMedium {
    path: PathBuf,
    name: String,
    _lock: File,
}

impl FileMedium {
    /// Makes the folder (0700) where it is missing, and takes the lock.
    pub(super) fn new(path: &Path) -> Result<Self, StoreError> {
        let name = path.display().to_string();
        let failed = |action| {
            let name = name.clone();
            move |source| StoreError::io(&name, action, source)
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder_of(path))
            .map_err(failed("create its folder"))?;
        let lock =
            open_private(&sibling(path, "lock"), false).map_err(failed("create its lock file"))?;
        // The lock has a file of its own, which is never renamed: a lock on the store would be lost
        // whenever the store is replaced or set aside.
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                name,
                _lock: lock,
            }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::Locked { place: name }),
            Err(error) => Err(failed("lock it")(error.into())),
        }
    }
}

impl Medium for FileMedium {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> io::Result<Option<Arc<dyn StorageBackend>>> {
        match OpenOptions::new().read(true).write(true).open(&self.path) {
            Ok(file) => {
                file.set_permissions(Permissions::from_mode(0o600))?;
                backend(file).map(Some)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn begin_replacement(&self) -> io::Result<Arc<dyn StorageBackend>> {
        backend(open_private(&sibling(&self.path, "new"), true)?)
    }

    fn finish_replacement(&self) -> io::Result<()> {
        fs::rename(sibling(&self.path, "new"), &self.path)?;
        sync_folder(&self.path)
    }

    fn set_aside(&self) -> io::Result<String> {
        let mut kept = PathBuf::new();
        for number in 1..=KEPT_ASIDE_MAX {
            kept = sibling(&self.path, &format!("corrupt-{number}"));
            if !kept.try_exists()? {
                break;
            }
        }
        fs::rename(&self.path, &kept)?;
        sync_folder(&self.path)?;
        Ok(kept.display().to_string())
    }
}

fn backend(file: File) -> io::Result<Arc<dyn StorageBackend>> {
    let backend = FileBackend::new(file).map_err(io::Error::other)?;
    Ok(Arc::new(backend))
}

/// Opens a file that only its owner may read, made where it is missing.
fn open_private(path: &Path, truncate: bool) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(truncate)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// A rename is durable when the folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// `agent.redb` and `lock` give `agent.redb.lock`.
fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
