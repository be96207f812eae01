//! A look at a database that changes nothing: what the database writes while it opens and repairs
//! itself stays in memory. So a file of a newer version is refused untouched, a damaged one is kept
//! exactly as it was found, and one whose sync failed is read without building upon it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

const PAGE_BYTES: u64 = 4096;

/// A backend over another one that is never written.
#[derive(Debug)]
pub(super) struct Overlay {
    below: Arc<dyn StorageBackend>,
    above: Mutex<Above>,
}

#[derive(Debug)]
struct Above {
    length: u64,
    /// The bytes below that were never cut off.
    visible: u64,
    pages: BTreeMap<u64, Box<[u8]>>,
}

impl Overlay {
    pub(super) fn new(below: Arc<dyn StorageBackend>) -> io::Result<Self> {
        let length = below.len()?;
        let above = Above {
            length,
            visible: length,
            pages: BTreeMap::new(),
        };
        Ok(Self {
            below,
            above: Mutex::new(above),
        })
    }

    fn above(&self) -> MutexGuard<'_, Above> {
        self.above.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One page as it stands now.
    fn page(&self, above: &Above, number: u64) -> io::Result<Box<[u8]>> {
        if let Some(page) = above.pages.get(&number) {
            return Ok(page.clone());
        }
        let mut page = vec![0; PAGE_BYTES as usize].into_boxed_slice();
        let start = number * PAGE_BYTES;
        let there = above.visible.saturating_sub(start).min(PAGE_BYTES) as usize;
        if there > 0 {
            self.below.read(start, &mut page[..there])?;
        }
        Ok(page)
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.above().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let above = self.above();
        check_inside(offset, out.len(), above.length)?;
        for part in parts(offset, out.len()) {
            let page = self.page(&above, part.page)?;
            out[part.bytes()].copy_from_slice(&page[part.within..part.within + part.length]);
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut above = self.above();
        if length < above.length {
            let kept = length.div_ceil(PAGE_BYTES);
            let cut = (length % PAGE_BYTES) as usize;
            above.pages.split_off(&kept);
            above.visible = above.visible.min(length);
            if let Some(page) = above.pages.get_mut(&(length / PAGE_BYTES)) {
                page[cut..].fill(0);
            }
        }
        above.length = length;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut above = self.above();
        for part in parts(offset, data.len()) {
            let mut page = self.page(&above, part.page)?;
            page[part.within..part.within + part.length].copy_from_slice(&data[part.bytes()]);
            above.pages.insert(part.page, page);
        }
        above.length = above.length.max(offset.saturating_add(data.len() as u64));
        Ok(())
    }
}

/// The share that one page has in a range of bytes.
struct Part {
    page: u64,
    within: usize,
    /// Where in the caller's buffer it starts.
    start: usize,
    length: usize,
}

impl Part {
    fn bytes(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.length
    }
}

fn parts(offset: u64, length: usize) -> impl Iterator<Item = Part> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let left = length.checked_sub(start).filter(|left| *left > 0)?;
        let at = offset + start as u64;
        let within = (at % PAGE_BYTES) as usize;
        let part = Part {
            page: at / PAGE_BYTES,
            within,
            start,
            length: left.min(PAGE_BYTES as usize - within),
        };
        start += part.length;
        Some(part)
    })
}

fn check_inside(offset: u64, length: usize, end: u64) -> io::Result<()> {
    match offset.checked_add(length as u64) {
        Some(last) if last <= end => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("it ends at {end}, {length} bytes at {offset} were expected"),
        )),
    }
}
