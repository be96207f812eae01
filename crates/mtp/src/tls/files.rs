//! Files of certificates and keys: bounded when read, wholly there or not at all when written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::IdentityError;
use crate::limits::TLS_FILE_BYTES_MAX;

/// Permissions of those who do not own a file.
const OTHERS: u32 = 0o077;

/// Reads a file that anyone may read.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, IdentityError> {
    crate::files::read(path, TLS_FILE_BYTES_MAX).map_err(failed(path))
}

/// Reads a file that nobody but its owner may read.
pub(super) fn read_private(path: &Path) -> Result<Vec<u8>, IdentityError> {
    let about = fs::metadata(path).map_err(failed(path))?;
    let mode = about.mode() & 0o7777;
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
    Beside::write(path, bytes, PRIVATE)?.take_its_place()
}

/// Writes a certificate, which anyone may read, and its key, which nobody but its owner may. Both or neither:
/// one without the other would be worth nothing.
pub(super) fn write_pair(
    (certificate, public): (&Path, &[u8]),
    (key, private): (&Path, &[u8]),
) -> Result<(), IdentityError> {
    let new_key = Beside::write(key, private, PRIVATE)?;
    let new_certificate = Beside::write(certificate, public, PUBLIC)?;
    let before = Before::keep(key)?;
    new_key.take_its_place()?;
    let replaced = new_certificate.take_its_place();
    if replaced.is_err() {
        before.put_back();
    }
    replaced
}

const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o644;

/// A whole file that is to take the place of another. It goes unless it does.
struct Beside<'a> {
    path: &'a Path,
    beside: PathBuf,
}

impl<'a> Beside<'a> {
    fn write(path: &'a Path, bytes: &[u8], mode: u32) -> Result<Self, IdentityError> {
        let beside = with_ending(path, ".new");
        // Whoever may read what was left there by another life must not read this.
        remove(&beside).map_err(failed(path))?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        let mut file = options.open(&beside).map_err(failed(path))?;
        let beside = Self { path, beside };
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.map_err(failed(path))?;
        Ok(beside)
    }

    fn take_its_place(self) -> Result<(), IdentityError> {
        fs::rename(&self.beside, self.path).map_err(failed(self.path))?;
        sync_folder(self.path).map_err(failed(self.path))
    }
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        // It is gone already where it took its place.
        let _ = fs::remove_file(&self.beside);
    }
}

/// What a file is, for the case that replacing it was in vain.
struct Before<'a> {
    path: &'a Path,
    /// None where there is no such file.
    kept: Option<PathBuf>,
}

impl<'a> Before<'a> {
    fn keep(path: &'a Path) -> Result<Self, IdentityError> {
        let kept = with_ending(path, ".old");
        remove(&kept).map_err(failed(path))?;
        let kept = match fs::hard_link(path, &kept) {
            Ok(()) => Some(kept),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(path)(error)),
        };
        Ok(Self { path, kept })
    }

    fn put_back(&self) {
        // The error that counts is the one that led here.
        let _ = match &self.kept {
            Some(kept) => fs::rename(kept, self.path),
            None => fs::remove_file(self.path),
        };
    }
}

impl Drop for Before<'_> {
    fn drop(&mut self) {
        if let Some(kept) = &self.kept {
            let _ = fs::remove_file(kept);
        }
    }
}

/// A file is never taken for another's whose name differs in its ending only.
fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> IdentityError {
    move |source| IdentityError::File {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_replaced_as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (certificate, key) = (at("a.pem"), at("a.key"));
        let write = |public: &str, private: &str| {
            let public = (certificate.as_path(), public.as_bytes());
            write_pair(public, (&key, private.as_bytes()))
        };
        write("certificate", "key").unwrap();
        write("certificate 2", "key 2").unwrap();
        assert_eq!(fs::read_to_string(&certificate).unwrap(), "certificate 2");
        assert_eq!(fs::read_to_string(&key).unwrap(), "key 2");
        // Now no certificate can take the place of the one before.
        fs::remove_file(&certificate).unwrap();
        fs::create_dir_all(certificate.join("full")).unwrap();
        write("certificate 3", "key 3").unwrap_err();
        assert_eq!(fs::read_to_string(&key).unwrap(), "key 2");
        fs::remove_file(&key).unwrap();
        write("certificate 3", "key 3").unwrap_err();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}
