//! Reading small files of the host, and replacing one so that it is whole at any instant.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::limits::{FILE_BYTES_MAX, TABLE_BYTES_MAX};

/// The start of a file. None where there is none, or it may not be read.
pub(crate) fn bytes(path: &Path) -> Option<Vec<u8>> {
    start(path, FILE_BYTES_MAX)
}

/// The same of a file that may be longer.
pub(crate) fn long_bytes(path: &Path) -> Option<Vec<u8>> {
    start(path, TABLE_BYTES_MAX)
}

/// The same of a table, which may be longer, as a text.
pub(crate) fn table(path: &Path) -> Option<String> {
    long_bytes(path).map(|content| String::from_utf8_lossy(&content).into_owned())
}

/// The start of a file as a text; what is no UTF-8 is replaced.
pub(crate) fn text(path: &Path) -> Option<String> {
    bytes(path).map(|content| String::from_utf8_lossy(&content).into_owned())
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

/// The paths of at most `most` entries of a folder, sorted; none where it cannot be read.
pub(crate) fn list(folder: &Path, most: usize) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .take(most)
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort_unstable();
    paths
}

fn start(path: &Path, bytes_max: u64) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)
        .ok()?
        .take(bytes_max)
        .read_to_end(&mut content)
        .ok()?;
    Some(content)
}
