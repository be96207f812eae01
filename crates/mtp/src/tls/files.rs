//! Files of certificates and keys: bounded when read, wholly there or not at all when written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::IdentityError;
use crate::limits::TLS_FILE_BYTES_MAX;

/// Permissions of those who do not own a file.
const OTHERS: u32 = 0o077;

/// Reads a file that anyone may read.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, IdentityError> {
    let failed = |source| IdentityError::File {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(TLS_FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > TLS_FILE_BYTES_MAX {
        return Err(IdentityError::Content {
            path: path.to_owned(),
            reason: format!("more than {TLS_FILE_BYTES_MAX} bytes"),
        });
    }
    Ok(bytes)
}

/// Reads a file that nobody but its owner may read.
pub(super) fn read_private(path: &Path) -> Result<Vec<u8>, IdentityError> {
    let mode = fs::metadata(path).map(|about| about.mode() & 0o7777);
    let mode = mode.map_err(|source| IdentityError::File {
        path: path.to_owned(),
        source,
    })?;
    if mode & OTHERS != 0 {
        return Err(IdentityError::Open {
            path: path.to_owned(),
            mode,
        });
    }
    read(path)
}

/// Writes a file that nobody but its owner may read.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), IdentityError> {
    write(path, bytes, 0o600).map_err(|source| IdentityError::File {
        path: path.to_owned(),
        source,
    })
}

/// Writes a file that anyone may read.
pub(super) fn write_public(path: &Path, bytes: &[u8]) -> Result<(), IdentityError> {
    write(path, bytes, 0o644).map_err(|source| IdentityError::File {
        path: path.to_owned(),
        source,
    })
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let beside = path.with_extension("new");
    // Whoever may read what was left there by another life must not read this.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
