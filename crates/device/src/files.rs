//! Reading small files of the host, and replacing one so that it is whole at any instant.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::limits::FILE_BYTES_MAX;

/// The start of a file. None where there is none, or it may not be read.
pub(crate) fn bytes(path: &Path) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)
        .ok()?
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut content)
        .ok()?;
    Some(content)
}

/// The same as a text; what is no UTF-8 is replaced.
pub(crate) fn text(path: &Path) -> Option<String> {
    bytes(path).map(|content| String::from_utf8_lossy(&content).into_owned())
}

/// Replaces the file at `path`, or makes it: after a power cut it has the old content or the new.
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
