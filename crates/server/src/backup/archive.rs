//! The archive of a backup: entries with their checksums, written and read as a stream.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Seek as _};

use ring::digest::{Context, SHA256};

/// The entry that says what the backup is of.
pub(super) const MANIFEST: &str = "manifest.json";

/// The entry with the checksums of all others, in the form of `sha256sum`.
pub(super) const SUMS: &str = "SHA256SUMS";

/// Bytes of an entry other than the database.
pub(super) const SMALL_BYTES_MAX: u64 = 64 * 1024;

/// Writes an archive.
pub(super) struct Writer<'a> {
    archive: tar::Builder<&'a File>,
    /// Seconds since 1970.
    at: u64,
    sums: String,
}

impl<'a> Writer<'a> {
    /// `created` in milliseconds since 1970.
    pub(super) fn new(file: &'a File, created: i64) -> Self {
        Self {
            archive: tar::Builder::new(file),
            at: created.unsigned_abs() / 1000,
            sums: String::new(),
        }
    }

    pub(super) fn add(&mut self, name: &str, bytes: &mut &[u8]) -> io::Result<()> {
        let size = bytes.len() as u64;
        self.append(name, size, bytes)
    }

    pub(super) fn add_file(&mut self, name: &str, file: &mut File) -> io::Result<()> {
        let size = file.seek(io::SeekFrom::End(0))?;
        file.rewind()?;
        self.append(name, size, file)
    }

    /// Ends the archive with the checksums.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let sums = std::mem::take(&mut self.sums);
        self.append(SUMS, sums.len() as u64, &mut sums.as_bytes())?;
        self.archive.into_inner().map(drop)
    }

    fn append(&mut self, name: &str, size: u64, content: &mut impl Read) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o600);
        header.set_mtime(self.at);
        let mut summed = Summed::new(content);
        self.archive.append_data(&mut header, name, &mut summed)?;
        // Writing to a text cannot fail.
        let _ = writeln!(self.sums, "{}  {name}", summed.sum());
        Ok(())
    }
}

/// Reads something and sums it up by the way.
pub(super) struct Summed<R> {
    content: R,
    context: Context,
}

impl<R: Read> Summed<R> {
    pub(super) fn new(content: R) -> Self {
        Self {
            content,
            context: Context::new(&SHA256),
        }
    }

    /// The SHA-256 of what was read, in hexadecimal digits.
    pub(super) fn sum(self) -> String {
        let digest = self.context.finish();
        digest
            .as_ref()
            .iter()
            .fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        self.context.update(&buffer[..count]);
        Ok(count)
    }
}

/// Whether the sums that were read are those that were found: of each entry one.
pub(super) fn compare(said: &str, found: &BTreeMap<String, String>) -> Result<(), String> {
    let said: BTreeMap<_, _> = said
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(sum, name)| (name.to_owned(), sum.to_owned()))
        .collect();
    for (name, sum) in &said {
        match found.get(name) {
            None => return Err(format!("{name} is missing")),
            Some(found) if found != sum => return Err(format!("{name} was changed or damaged")),
            Some(_) => {}
        }
    }
    match found.keys().find(|name| !said.contains_key(*name)) {
        Some(name) => Err(format!("{name} has no checksum")),
        None => Ok(()),
    }
}
