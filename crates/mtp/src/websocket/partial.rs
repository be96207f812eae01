//! What has come of Records that are not whole yet.
//!
//! Any link may begin a large Record and take its time. Many that do so at once would fill the memory, so
//! all links of a listener have a bound together; where it is passed, a link that has begun much is cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits::BEGUN_BYTES_FREE;

/// What all links of a listener hold.
#[derive(Debug)]
pub(super) struct Begun {
    bytes: AtomicUsize,
    max: usize,
}

/// What one link holds.
#[derive(Debug)]
pub(super) struct Partial {
    all: Option<Arc<Begun>>,
    /// Bytes read when the last message was whole.
    since: u64,
    counted: usize,
}

impl Begun {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes: AtomicUsize::new(0),
            max,
        })
    }
}

impl Partial {
    /// Counts for `all`, if anything does.
    pub(super) fn new(all: Option<Arc<Begun>>) -> Self {
        Self {
            all,
            since: 0,
            counted: 0,
        }
    }

    /// A message is whole, with `read` bytes read so far.
    pub(super) fn whole(&mut self, read: u64) {
        self.since = read;
        if self.counted > 0 {
            self.count(0);
        }
    }

    /// Whether this link has begun too much, with `read` bytes read so far.
    pub(super) fn is_too_much(&mut self, read: u64) -> bool {
        let begun = usize::try_from(read - self.since).unwrap_or(usize::MAX);
        if begun == self.counted || begun <= BEGUN_BYTES_FREE {
            return false;
        }
        let (all, max) = self.count(begun);
        all > max
    }

    /// Counts so many bytes; what all hold, and may hold.
    fn count(&mut self, bytes: usize) -> (usize, usize) {
        let Some(all) = &self.all else {
            return (0, usize::MAX);
        };
        let before = match bytes >= self.counted {
            true => all.bytes.fetch_add(bytes - self.counted, Ordering::Relaxed),
            false => all.bytes.fetch_sub(self.counted - bytes, Ordering::Relaxed),
        };
        let now = before.wrapping_add(bytes).wrapping_sub(self.counted);
        self.counted = bytes;
        (now, all.max)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        self.count(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_begins_too_much_beside_others_is_told_and_what_is_whole_does_not_count() {
        let all = Begun::new(3 * BEGUN_BYTES_FREE);
        let large = 2 * BEGUN_BYTES_FREE as u64;
        let mut first = Partial::new(Some(Arc::clone(&all)));
        let mut second = Partial::new(Some(Arc::clone(&all)));
        let mut small = Partial::new(Some(Arc::clone(&all)));
        assert!(!first.is_too_much(large));
        assert!(second.is_too_much(large));
        assert!(!small.is_too_much(1_000));
        drop(second);
        assert_eq!(all.bytes.load(Ordering::Relaxed), 2 * BEGUN_BYTES_FREE);
        first.whole(large + 5);
        assert_eq!(all.bytes.load(Ordering::Relaxed), 0);
        assert!(!first.is_too_much(2 * large));
        let mut dialled = Partial::new(None);
        assert!(!dialled.is_too_much(u64::MAX));
    }
}
