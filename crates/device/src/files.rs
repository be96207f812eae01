//! Reading small files of the host, and replacing one so that it is whole at any instant.
//!
//! What is not there and what could not be read must never be told as the same: of the latter nothing is
//! known, least of all that it is empty.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use usphere_datamodel::model::OwnerError;

use crate::limits::{FILE_BYTES_MAX, TABLE_BYTES_MAX};

/// A file that is there, or may be, and could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub(crate) struct Unread {
    path: PathBuf,
    error: io::Error,
}

impl From<Unread> for OwnerError {
    fn from(unread: Unread) -> Self {
        Self::failed(unread.to_string())
    }
}

/// Errors that say that this process or the host has run out of what reading takes.
pub(crate) const SHORTAGES: [Errno; 3] = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];

/// What comes of reading; None where there is no such file.
pub(crate) type Reading<T> = Result<Option<T>, Unread>;

/// What was read of a file that others may keep to themselves, or in which the kernel may have nothing to
/// tell: such a one is as good as none.
///
/// # Errors
/// Only when this process or the host has run out of what reading takes.
pub(crate) fn if_told<T>(read: Result<T, Unread>) -> Result<T, Unread>
where
    T: Default,
{
    match read {
        Err(unread) if !unread.is_shortage() => Ok(T::default()),
        read => read,
    }
}

impl Unread {
    /// Whether another time, with less going on, would do better.
    fn is_shortage(&self) -> bool {
        let error = self.error.raw_os_error();
        SHORTAGES
            .map(|errno| Some(errno.raw_os_error()))
            .contains(&error)
    }
}

/// The start of a file. None where there is none.
pub(crate) fn bytes(path: &Path) -> Reading<Vec<u8>> {
    start(path, FILE_BYTES_MAX)
}

/// The same of a file that may be longer.
pub(crate) fn long_bytes(path: &Path) -> Reading<Vec<u8>> {
    start(path, TABLE_BYTES_MAX)
}

/// The same of a table, which may be longer, as a text.
pub(crate) fn table(path: &Path) -> Reading<String> {
    Ok(long_bytes(path)?.map(lossy))
}

/// The start of a file as a text; what is no UTF-8 is replaced.
pub(crate) fn text(path: &Path) -> Reading<String> {
    Ok(bytes(path)?.map(lossy))
}

/// The whole of a file of ours, nothing where there is none; what is no UTF-8 is replaced.
///
/// # Errors
/// When it is there and cannot be read, or is longer than `bytes_max`.
pub(crate) fn kept_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        file => file?,
    };
    let mut content = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut content)?;
    if content.len() as u64 > bytes_max {
        let text = format!("it is longer than {bytes_max} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(String::from_utf8_lossy(&content).into_owned())
}

/// As [`replace`]; where `path` is a link, it stays one, and what it leads to is replaced.
pub(crate) fn replace_behind_link(path: &Path, content: &str) -> io::Result<()> {
    let file = fs::canonicalize(path);
    replace(file.as_deref().unwrap_or(path), content)
}

/// Replaces the file at `path`, or makes it, and lets it keep its mode: after a power cut it has the old content or the new.
pub(crate) fn replace(path: &Path, content: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    // Left over from a power cut, or put there by somebody to be followed: it is not ours.
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::create_new(beside)?;
    if let Ok(before) = fs::metadata(path) {
        file.set_permissions(before.permissions())?;
    }
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    let replaced = fs::rename(beside, path);
    if replaced.is_err() {
        // What is left of the attempt is of no use; the error that counts is the one returned.
        let _ = fs::remove_file(beside);
    }
    replaced?;
    match path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// The paths of at most `most` entries of a folder, sorted; none where there is no such folder.
pub(crate) fn list(folder: &Path, most: usize) -> Result<Vec<PathBuf>, Unread> {
    let entries = || {
        let entries = fs::read_dir(folder)?.take(most);
        let paths = entries.map(|entry| Ok(entry?.path()));
        paths.collect::<io::Result<Vec<PathBuf>>>()
    };
    let mut paths = known(folder, entries())?.unwrap_or_default();
    paths.sort_unstable();
    Ok(paths)
}

fn start(path: &Path, bytes_max: u64) -> Reading<Vec<u8>> {
    let content = || {
        let mut content = Vec::new();
        let mut start = File::open(path)?.take(bytes_max);
        start.read_to_end(&mut content)?;
        Ok(content)
    };
    known(path, content())
}

/// Tells what is not there from what could not be read.
fn known<T>(path: &Path, read: io::Result<T>) -> Reading<T> {
    use io::ErrorKind::{NotADirectory, NotFound};
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if matches!(error.kind(), NotADirectory | NotFound) => Ok(None),
        Err(error) => Err(Unread {
            path: path.to_owned(),
            error,
        }),
    }
}

fn lossy(content: Vec<u8>) -> String {
    String::from_utf8_lossy(&content).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_told_from_what_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "x").unwrap();
        assert_eq!(text(&at("file")).unwrap().as_deref(), Some("x"));
        assert!(text(&at("none")).unwrap().is_none());
        assert!(text(&at("file/none")).unwrap().is_none());
        assert!(text(folder.path()).is_err());
        assert!(list(&at("none"), 1).unwrap().is_empty());
        std::os::unix::fs::symlink("loop", at("loop")).unwrap();
        assert!(list(&at("loop"), 1).is_err());
    }

    #[test]
    fn only_a_shortage_keeps_from_knowing_what_may_be_kept_secret() {
        let unread = |errno: Errno| Unread {
            path: PathBuf::new(),
            error: errno.into(),
        };
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM] {
            assert!(if_told::<Option<()>>(Err(unread(errno))).is_err());
        }
        for errno in [Errno::ACCESS, Errno::INVAL, Errno::NODEV] {
            assert!(if_told::<Option<()>>(Err(unread(errno))).unwrap().is_none());
        }
    }
}
