//! Writes Operations in their order, as many in one transaction as wait.
//!
//! Reads that were answered already are recorded when something else is written, or a moment later: nobody waits for
//! them, and the disk is not asked to sync for each.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use usphere_store::{NewOperation, OperationWrite, OperationWritten, StoreError};

use super::Shared;
use super::core::Ticket;
use crate::blocking::call;
use crate::health;
use crate::limits::{OPERATIONS_TOGETHER_MAX, READS_GATHER, READS_WAITING_MAX};

/// What is to be done in order.
#[derive(Debug)]
pub(super) enum Job {
    /// Says whether everything before it was written.
    Flush(oneshot::Sender<bool>),
    Write(Ticket, Box<OperationWrite>),
}

/// The way to the writer.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    jobs: mpsc::UnboundedSender<Job>,
    records: mpsc::Sender<NewOperation>,
}

/// The other end.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: mpsc::UnboundedReceiver<Job>,
    records: mpsc::Receiver<NewOperation>,
}

/// What came of a write.
pub(super) type Written = Result<OperationWritten, StoreError>;

pub(super) fn queue() -> (Queue, Writer) {
    // Bounded by the Operations that live: `OPERATION_WRITES_MAX`.
    let (jobs, jobs_receiver) = mpsc::unbounded_channel();
    let (records, records_receiver) = mpsc::channel(READS_WAITING_MAX);
    let writer = Writer {
        jobs: jobs_receiver,
        records: records_receiver,
    };
    (Queue { jobs, records }, writer)
}

impl Queue {
    pub(super) fn push(&self, job: Job) {
        // Without a writer the server is going down.
        drop(self.jobs.send(job));
    }

    /// Waits only where very much waits already.
    pub(super) async fn record(&self, operation: NewOperation) {
        drop(self.records.send(operation).await);
    }

    /// Whether everything before was written.
    pub(super) async fn flush(&self) -> bool {
        let (sender, flushed) = oneshot::channel();
        self.push(Job::Flush(sender));
        flushed.await.unwrap_or(false)
    }
}

impl Writer {
    /// Writes until there is nobody left who could want something written.
    pub(super) async fn run(mut self, shared: Arc<Shared>) {
        loop {
            let mut jobs = Vec::new();
            let mut records = Vec::new();
            tokio::select! {
                biased;
                count = self.jobs.recv_many(&mut jobs, OPERATIONS_TOGETHER_MAX) => {
                    if count == 0 {
                        return;
                    }
                }
                count = self.records.recv_many(&mut records, OPERATIONS_TOGETHER_MAX) => {
                    if count > 0
                        && let Ok(Some(job)) = timeout(READS_GATHER, self.jobs.recv()).await
                    {
                        jobs.push(job);
                    }
                }
            }
            while jobs.len() < OPERATIONS_TOGETHER_MAX
                && let Ok(job) = self.jobs.try_recv()
            {
                jobs.push(job);
            }
            while records.len() < READS_WAITING_MAX
                && let Ok(record) = self.records.try_recv()
            {
                records.push(record);
            }
            write(&shared, jobs, records).await;
        }
    }
}

async fn write(shared: &Arc<Shared>, jobs: Vec<Job>, records: Vec<NewOperation>) {
    let mut writes = Vec::with_capacity(jobs.len() + records.len());
    let mut tickets = Vec::with_capacity(jobs.len());
    let mut flushes = Vec::new();
    for job in jobs {
        match job {
            Job::Flush(sender) => flushes.push(sender),
            Job::Write(ticket, write) => {
                tickets.push(ticket);
                writes.push(*write);
            }
        }
    }
    writes.extend(records.into_iter().map(OperationWrite::Add));
    let written = match writes.is_empty() {
        true => Ok(Vec::new()),
        false => call(&shared.store, move |store| store.write_operations(writes)).await,
    };
    if let Err(error) = &written {
        health::not_kept(error, "operations");
    }
    let is_written = written.is_ok();
    shared.written(tickets, written);
    for flush in flushes {
        // Whoever asked may be gone.
        let _ = flush.send(is_written);
    }
}
