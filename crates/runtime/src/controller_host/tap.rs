//! Listening in on what one Agent and the Controller say to each other.
//!
//! A tap is bounded and never holds anybody up: what does not fit is counted instead. Where nobody listens,
//! nothing is copied. What is told holds all that was said, secrets too: whoever shows it takes them out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use usphere_proto::{EndpointId, Record};

use super::core::Core;

/// Things told that wait for one listener.
const WAITING_MAX: usize = 1024;

/// Bytes of Records that wait for one listener.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// What was overheard.
#[derive(Clone, Debug)]
pub enum Overheard {
    /// So many things were not told because the listener was too slow.
    Missed(u64),
    /// Something happened to the connection, in words for people.
    Note(String),
    /// The Agent sent this, or somebody in its name; whether it was taken is told by the notes.
    Received(Record),
    /// The Agent was sent this.
    Sent(Record),
}

/// What is said from some moment on. Dropping it ends the listening.
#[derive(Debug)]
pub struct Tap {
    pub(super) core: Arc<Core>,
    pub(super) overheard: mpsc::Receiver<(Overheard, usize)>,
    pub(super) waiting: Arc<AtomicUsize>,
}

impl Tap {
    /// The next thing that was overheard; `None` when the Controller is gone. Cancelling loses nothing.
    pub async fn next(&mut self) -> Option<Overheard> {
        let (overheard, bytes) = self.overheard.recv().await?;
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        Some(overheard)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.overheard.close();
        self.core.forget_taps();
    }
}

/// All who listen.
#[derive(Debug, Default)]
pub(super) struct Taps(Vec<Listener>);

#[derive(Debug)]
struct Listener {
    agent: EndpointId,
    sender: mpsc::Sender<(Overheard, usize)>,
    waiting: Arc<AtomicUsize>,
    missed: u64,
}

impl Taps {
    /// Listens in on this Agent from now on.
    pub(super) fn add(&mut self, agent: EndpointId, core: Arc<Core>) -> Tap {
        let (sender, overheard) = mpsc::channel(WAITING_MAX);
        let waiting = Arc::new(AtomicUsize::new(0));
        self.0.push(Listener {
            agent,
            sender,
            waiting: Arc::clone(&waiting),
            missed: 0,
        });
        Tap {
            core,
            overheard,
            waiting,
        }
    }

    /// Forgets who has gone.
    pub(super) fn forget_gone(&mut self) {
        self.0.retain(|listener| !listener.sender.is_closed());
    }

    /// Tells of a Record from this Endpoint, as it calls itself.
    pub(super) fn received(&mut self, record: &Record) {
        self.tell(&record.from_id, || Overheard::Received(record.clone()));
    }

    /// Tells of a Record to this Endpoint.
    pub(super) fn sent(&mut self, record: &Record) {
        self.tell(&record.to_id, || Overheard::Sent(record.clone()));
    }

    /// Tells what happened to a connection of this Endpoint.
    pub(super) fn note(&mut self, agent: &str, note: impl Fn() -> String) {
        self.tell(agent, || Overheard::Note(note()));
    }

    fn tell(&mut self, agent: &str, overheard: impl Fn() -> Overheard) {
        for listener in &mut self.0 {
            if listener.agent.as_str() == agent {
                listener.tell(overheard());
            }
        }
    }
}

impl Listener {
    fn tell(&mut self, overheard: Overheard) {
        if self.missed > 0 && self.offer(Overheard::Missed(self.missed)) {
            self.missed = 0;
        }
        if self.missed > 0 || !self.offer(overheard) {
            self.missed += 1;
        }
    }

    fn offer(&self, overheard: Overheard) -> bool {
        let bytes = match &overheard {
            Overheard::Missed(_) => 0,
            Overheard::Note(note) => note.len(),
            Overheard::Received(record) | Overheard::Sent(record) => {
                record.payload().map_or(0, |payload| payload.len())
            }
        };
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting > 0 && waiting + bytes > WAITING_BYTES_MAX {
            return false;
        }
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let is_taken = self.sender.try_send((overheard, bytes)).is_ok();
        if !is_taken {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        }
        is_taken
    }
}
