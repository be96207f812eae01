//! How the store fares: what it counts while it works.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::StoreError;

/// The upper bounds of the classes of how long commits take, in seconds; there is one more class above them.
pub const COMMIT_SECONDS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// How a store has fared since it was opened.
#[derive(Clone, Debug, Default)]
pub struct StoreStats {
    /// Writes that were taken up.
    pub writes: u64,
    /// Writes that wait to be taken up.
    pub waiting: u64,
    /// Transactions by how long they took, syncs included: the classes of [`COMMIT_SECONDS`].
    pub commits: [u64; COMMIT_SECONDS.len() + 1],
    /// How long they took together.
    pub commit_time: Duration,
    /// Writes and transactions that failed for another reason than what was asked.
    pub failures: u64,
    /// Why the last transaction failed, wholly or in part; none where it did not.
    pub trouble: Option<StoreError>,
}

/// Whether the file of a store is sound.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Soundness {
    /// It is damaged, for this reason. What can be read of it is salvaged when it is opened the next time.
    Damaged(String),
    /// All of it was looked at since it was opened.
    Sound,
    /// It is large, and not all of it was looked at yet.
    Unknown,
}

/// What is counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    writes: AtomicU64,
    waiting: AtomicU64,
    failures: AtomicU64,
    commits: Mutex<Commits>,
}

#[derive(Debug, Default)]
struct Commits {
    by_time: [u64; COMMIT_SECONDS.len() + 1],
    time: Duration,
    /// Of the transaction that goes on.
    failed: Option<StoreError>,
    trouble: Option<StoreError>,
}

impl Counts {
    pub(crate) fn came(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn taken(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.writes.fetch_add(1, Ordering::Relaxed);
    }

    /// It came and was not taken up.
    pub(crate) fn left(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// A part of the transaction that goes on failed.
    pub(crate) fn failed(&self, error: &StoreError) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.lock().failed.get_or_insert_with(|| error.clone());
    }

    /// The transaction ended.
    pub(crate) fn committed(&self, time: Duration) {
        let mut commits = self.lock();
        let seconds = time.as_secs_f64();
        let class = COMMIT_SECONDS.iter().take_while(|bound| seconds > **bound);
        let class = class.count();
        commits.by_time[class] += 1;
        commits.time += time;
        commits.trouble = commits.failed.take();
    }

    pub(crate) fn read(&self) -> StoreStats {
        let commits = self.lock();
        StoreStats {
            writes: self.writes.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed),
            commits: commits.by_time,
            commit_time: commits.time,
            failures: self.failures.load(Ordering::Relaxed),
            trouble: commits.trouble.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Commits> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
