//! The thread that writes: it takes everything that waits into one transaction and answers when that
//! is synced.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rusqlite::{Connection, TransactionBehavior};

use super::{Place, Refusal};
use crate::limits::{GROUP_WRITES_MAX, WRITES_WAITING_MAX};
use crate::stats::Counts;
use crate::{StoreError, StoreStats};

const ACTION: &str = "write to it";

/// The handle of the writing thread. Dropping it finishes what waits.
pub(super) struct Writer {
    place: Place,
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    counts: Arc<Counts>,
}

/// Does its work inside the transaction, if there is one, and returns what to say when the outcome is
/// known.
type Job = Box<dyn FnOnce(Option<&Connection>) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

impl Writer {
    pub(super) fn spawn(place: Place, mut connection: Connection) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::sync_channel(WRITES_WAITING_MAX);
        let of_thread = place.clone();
        let counts = Arc::<Counts>::default();
        let counting = Arc::clone(&counts);
        let thread = thread::Builder::new()
            .name("store writer".to_owned())
            .spawn(move || {
                while let Ok(first) = waiting.recv() {
                    write_group(&of_thread, &mut connection, first, &waiting, &counting);
                }
            })?;
        Ok(Self {
            place,
            jobs: Some(jobs),
            thread: Some(thread),
            counts,
        })
    }

    pub(super) fn stats(&self) -> StoreStats {
        self.counts.read()
    }

    /// Does the work and waits until it is durable. What a refused work had changed is taken back.
    pub(super) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let place = self.place.clone();
        let counts = Arc::clone(&self.counts);
        let job: Job = Box::new(move |connection| {
            counts.taken();
            let done = connection.map(|connection| in_savepoint(connection, work));
            if let Some(Err(Refusal::Database(error))) = &done {
                counts.failed(&place.database(ACTION, error));
            }
            Box::new(move |committed| {
                let told = match (done, committed) {
                    (Some(Ok(done)), Ok(())) => Ok(done),
                    (Some(Err(Refusal::Answer(error))), Ok(())) => Err(error),
                    // The cause says more than that nothing could be committed any more.
                    (Some(Err(Refusal::Database(error))), _) => Err(place.database(ACTION, &error)),
                    (_, Err(error)) => Err(error),
                    (None, Ok(())) => Err(place.failed(ACTION, "it was not attempted")),
                };
                // Nobody listens any more when the caller's thread has ended.
                let _ = answer.send(told);
            })
        });
        let ended = || self.place.failed(ACTION, "its thread has ended");
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        self.counts.came();
        jobs.send(job).map_err(|_| ended())?;
        answered.recv().map_err(|_| ended())?
    }

    /// Leaves the work for later and never blocks.
    pub(super) fn write_soon(
        &self,
        work: impl FnOnce(&Connection) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<(), StoreError> {
        // It was promised to nobody.
        self.write_soon_or(work, || ())
    }

    /// As [`write_soon`](Self::write_soon), and calls `lost` where nothing comes of it: before what is given to be
    /// written later is answered.
    pub(super) fn write_soon_or(
        &self,
        work: impl FnOnce(&Connection) -> Result<(), Refusal> + Send + 'static,
        lost: impl FnOnce() + Send + 'static,
    ) -> Result<(), StoreError> {
        let place = self.place.clone();
        let counts = Arc::clone(&self.counts);
        let job: Job = Box::new(move |connection| {
            counts.taken();
            let done = connection.map(|connection| in_savepoint(connection, work));
            if let Some(Err(Refusal::Database(error))) = &done {
                counts.failed(&place.database(ACTION, error));
            }
            let is_done = matches!(done, Some(Ok(())));
            Box::new(move |committed| {
                if !is_done || committed.is_err() {
                    lost();
                }
            })
        });
        let ended = || self.place.failed(ACTION, "its thread has ended");
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        self.counts.came();
        jobs.try_send(job).map_err(|error| {
            self.counts.left();
            match error {
                TrySendError::Full(_) => StoreError::Busy,
                TrySendError::Disconnected(_) => ended(),
            }
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write_group(
    place: &Place,
    connection: &mut Connection,
    first: Job,
    waiting: &Receiver<Job>,
    counts: &Counts,
) {
    let begun = Instant::now();
    let group = std::iter::once(first)
        .chain(waiting.try_iter())
        .take(GROUP_WRITES_MAX);
    let mut answers: Vec<Answer> = Vec::new();
    let committed = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => {
            answers.extend(group.map(|job| job(active(&transaction))));
            transaction.commit()
        }
        Err(error) => {
            answers.extend(group.map(|job| job(None)));
            Err(error)
        }
    };
    let committed = committed.map_err(|error| place.database(ACTION, &error));
    if let Err(error) = &committed {
        counts.failed(error);
    }
    counts.committed(begun.elapsed());
    for answer in answers {
        answer(committed.clone());
    }
}

/// None when the transaction has ended before its time: nothing is done outside of one.
fn active(connection: &Connection) -> Option<&Connection> {
    (!connection.is_autocommit()).then_some(connection)
}

/// One work of a group can be refused without harm to the others.
fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    connection.execute_batch("SAVEPOINT work")?;
    let done = work(connection);
    if done.is_ok() {
        connection.execute_batch("RELEASE work")?;
    } else if connection
        .execute_batch("ROLLBACK TO work; RELEASE work")
        .is_err()
    {
        // The transaction ended by itself, on a full disk for example, or has to be ended: half a
        // work must not be committed. The rest of the group is refused with it.
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}
