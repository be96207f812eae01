//! The thread that makes changes durable, so that nothing else waits for a disk.
//!
//! It takes everything that waits, commits it in one transaction, and answers once. After a failure it
//! drops what is submitted until the host has told the engine: changes made before that stand on
//! changes that are undone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use usphere_datamodel::Entry;

use super::AgentStore;
use super::limits::GROUP_ENTRIES_MAX;

/// The end of the committing thread that the host holds.
pub struct Committer {
    jobs: Option<Sender<Job>>,
    waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread says, through the function it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Everything submitted up to and with this sequence is durable, what was dropped after a
    /// failure excepted.
    Committed {
        /// The last sequence of the group.
        sequence: u64,
    },
    /// Nothing that was submitted and not yet answered took place. The host gives this to the engine
    /// and then calls [`Committer::failure_handled`].
    Failed {
        /// The cause, for people.
        reason: String,
    },
}

/// The thread is gone; nothing will be committed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store is closed")]
pub struct Gone;

enum Job {
    Commit(u64, Vec<Entry>),
    FailureHandled,
}

impl Committer {
    /// Starts the thread. `answer` is called on it, once per group, and must not block.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(
        store: AgentStore,
        answer: impl FnMut(Answer) + Send + 'static,
    ) -> io::Result<Self> {
        let (jobs, waiting_jobs) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let group = Group {
            jobs: waiting_jobs,
            waiting: Arc::clone(&waiting),
            next: None,
        };
        let thread = thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || run(store, group, answer))?;
        Ok(Self {
            jobs: Some(jobs),
            waiting,
            thread: Some(thread),
        })
    }

    /// Hands the entries of one plan over. Sequences are submitted in ascending order.
    ///
    /// # Errors
    /// [`Gone`] when the thread has ended.
    pub fn submit(&self, sequence: u64, entries: Vec<Entry>) -> Result<(), Gone> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.send(Job::Commit(sequence, entries))
    }

    /// Says that the engine has undone everything that [`Answer::Failed`] was about. What is
    /// submitted from here on is committed again.
    ///
    /// # Errors
    /// [`Gone`] when the thread has ended.
    pub fn failure_handled(&self) -> Result<(), Gone> {
        self.send(Job::FailureHandled)
    }

    /// How many plans were submitted and not taken up yet. The queue itself has no bound: a host
    /// stops reading from its peers while this is high.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Commits what waits, answers it, closes the store, and returns when that is done. What is submitted
    /// after it finds the store gone.
    pub fn close(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the answering function ended it; there is nothing left to close.
            let _ = thread.join();
        }
    }

    fn send(&self, job: Job) -> Result<(), Gone> {
        let jobs = self.jobs.as_ref().ok_or(Gone)?;
        jobs.send(job).map_err(|_| Gone)
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.close();
    }
}

fn run(mut store: AgentStore, mut group: Group, mut answer: impl FnMut(Answer)) {
    while let Some(batches) = group.take() {
        let Some((sequence, _)) = batches.last() else {
            continue;
        };
        match store.commit(&batches) {
            Ok(()) => answer(Answer::Committed {
                sequence: *sequence,
            }),
            Err(error) => {
                answer(Answer::Failed {
                    reason: error.to_string(),
                });
                group.drop_until_handled();
            }
        }
    }
}

/// The queue, seen from the thread.
struct Group {
    jobs: Receiver<Job>,
    waiting: Arc<AtomicUsize>,
    /// What no longer fitted into the last group.
    next: Option<Job>,
}

impl Group {
    /// Waits for something and takes all that is there; none when the host is gone.
    fn take(&mut self) -> Option<Vec<(u64, Vec<Entry>)>> {
        let mut job = self.next.take().or_else(|| self.jobs.recv().ok())?;
        let mut batches = Vec::new();
        let mut size = 0;
        loop {
            if let Job::Commit(sequence, entries) = job {
                if size > 0 && size + entries.len() > GROUP_ENTRIES_MAX {
                    self.next = Some(Job::Commit(sequence, entries));
                    break;
                }
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                size += entries.len();
                batches.push((sequence, entries));
            }
            match self.jobs.try_recv() {
                Ok(following) => job = following,
                Err(_) => break,
            }
        }
        Some(batches)
    }

    fn drop_until_handled(&mut self) {
        let mut job = self.next.take();
        loop {
            match job.or_else(|| self.jobs.recv().ok()) {
                Some(Job::Commit(..)) => self.waiting.fetch_sub(1, Ordering::Relaxed),
                Some(Job::FailureHandled) | None => return,
            };
            job = None;
        }
    }
}
