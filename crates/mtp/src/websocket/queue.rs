//! What waits to be sent on a link: filled by any number of senders, emptied by the one receiver.
//!
//! Bounded by count and bytes. An empty queue holds no memory beyond itself.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use usphere_proto::Record;

use super::Settings;
use crate::limits::CLOSE_TEXT_BYTES_MAX;

/// Capacity of an emptied queue that is kept for the next batch.
const CAPACITY_KEPT: usize = 64;

/// The sending half of a [`Link`](super::Link). Cheap to clone; never blocks.
///
/// What is queued goes out when the link's [`LinkReceiver`](super::LinkReceiver) is polled, which
/// is woken for it.
#[derive(Clone, Debug)]
pub struct LinkSender {
    queue: Arc<Queue>,
}

impl LinkSender {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self { queue }
    }

    /// Queues `record`, in the order of the calls. It is encoded here, once.
    ///
    /// # Errors
    /// [`SendError`]; the Record is then not sent and the link is as it was.
    pub fn try_send(&self, record: &Record) -> Result<(), SendError> {
        self.try_send_encoded(record.to_bytes())
    }

    /// Queues the bytes of an encoded Record.
    ///
    /// # Errors
    /// As [`try_send`](Self::try_send).
    pub fn try_send_encoded(&self, record: Bytes) -> Result<(), SendError> {
        self.queue.push(record)
    }

    /// Asks for the closing handshake, after what is already queued. Nothing can be queued from now
    /// on. The receiver reports the end. A second call changes nothing. (R-WS.8)
    ///
    /// `code` is a status code of RFC 6455 7.4; `text` is cut to what a Close frame can hold.
    pub fn close(&self, code: u16, text: &str) {
        let text = close_text(text).to_owned();
        self.queue.close(Farewell { code, text });
    }

    /// Whether nothing can be queued any more.
    pub fn is_closed(&self) -> bool {
        !self.queue.lock().open
    }
}

/// Why a Record was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The link is closed or closing.
    #[error("the link is closed")]
    Closed,
    /// The peer reads more slowly than we send. Try later, or give the peer up.
    #[error("the queue of the link is full")]
    Full,
    /// The Record is larger than the queue of any link may become.
    #[error("the Record has {bytes} bytes, at most {max} can be sent")]
    TooLarge {
        /// Size of the Record in bytes.
        bytes: usize,
        /// Largest size that can be sent, in bytes.
        max: usize,
    },
}

/// How a close was asked for.
#[derive(Clone, Debug)]
pub(super) struct Farewell {
    pub(super) code: u16,
    pub(super) text: String,
}

/// As much of `text` as a Close frame can hold.
pub(super) fn close_text(text: &str) -> &str {
    let fits = (0..=text.len().min(CLOSE_TEXT_BYTES_MAX)).rev();
    let end = fits.into_iter().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// What the receiver finds.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// The bytes of a Record.
    Record(Bytes),
    /// All Records are out and a close was asked for.
    Farewell(Farewell),
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Whether `state` may hold something for the receiver; spares it the lock.
    filled: AtomicBool,
    bytes_max: usize,
    records_max: usize,
}

#[derive(Debug)]
struct State {
    records: VecDeque<Bytes>,
    bytes: usize,
    farewell: Option<Farewell>,
    open: bool,
    /// The receiver, while it waits.
    receiver: Option<Waker>,
}

impl Queue {
    pub(super) fn new(settings: &Settings) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                records: VecDeque::new(),
                bytes: 0,
                farewell: None,
                open: true,
                receiver: None,
            }),
            filled: AtomicBool::new(false),
            bytes_max: settings.queue_bytes_max,
            records_max: settings.queue_records_max,
        })
    }

    fn push(&self, record: Bytes) -> Result<(), SendError> {
        let bytes = record.len();
        if bytes > self.bytes_max {
            return Err(SendError::TooLarge {
                bytes,
                max: self.bytes_max,
            });
        }
        let mut state = self.lock();
        if !state.open {
            return Err(SendError::Closed);
        }
        if state.records.len() >= self.records_max || state.bytes + bytes > self.bytes_max {
            return Err(SendError::Full);
        }
        state.records.push_back(record);
        state.bytes += bytes;
        self.filled_and_wake(state);
        Ok(())
    }

    fn close(&self, farewell: Farewell) {
        let mut state = self.lock();
        if state.open {
            state.open = false;
            state.farewell = Some(farewell);
            self.filled_and_wake(state);
        }
    }

    fn filled_and_wake(&self, mut state: MutexGuard<'_, State>) {
        self.filled.store(true, Ordering::Release);
        let receiver = state.receiver.take();
        drop(state);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }

    /// Takes the next thing to send.
    pub(super) fn pop(&self) -> Option<Outgoing> {
        if !self.filled.load(Ordering::Acquire) {
            return None;
        }
        let mut state = self.lock();
        if let Some(record) = state.records.pop_front() {
            state.bytes -= record.len();
            return Some(Outgoing::Record(record));
        }
        if state.records.capacity() > CAPACITY_KEPT {
            state.records = VecDeque::new();
        }
        self.filled.store(false, Ordering::Release);
        state.farewell.take().map(Outgoing::Farewell)
    }

    /// The close that was asked for and is still waiting behind Records.
    pub(super) fn waiting_farewell(&self) -> Option<Farewell> {
        match self.filled.load(Ordering::Acquire) {
            true => self.lock().farewell.clone(),
            false => None,
        }
    }

    /// Notes who is to be woken. Returns whether there is something to send already.
    pub(super) fn park(&self, receiver: &Waker) -> bool {
        let mut state = self.lock();
        match &mut state.receiver {
            Some(known) => known.clone_from(receiver),
            none => *none = Some(receiver.clone()),
        }
        !state.records.is_empty() || state.farewell.is_some()
    }

    /// Whether nothing is left of it and nothing will come.
    pub(super) fn is_over(&self) -> bool {
        let state = self.lock();
        !state.open && state.records.is_empty() && state.farewell.is_none()
    }

    /// Answers the farewell of the other end with the same. `false` where this end was the first to say it.
    pub(super) fn answer(&self, farewell: Farewell) -> bool {
        let is_first = self.lock().open;
        self.close(farewell);
        is_first
    }

    /// Nothing more will be sent; what was, may still be taken.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.open = false;
        self.filled_and_wake(state);
    }

    /// The receiver is awake and needs no waking.
    pub(super) fn unpark(&self) {
        self.lock().receiver = None;
    }

    /// Nothing more will be sent: lets go of everything.
    pub(super) fn shut(&self) {
        let mut state = self.lock();
        state.open = false;
        state.farewell = None;
        state.bytes = 0;
        let records = std::mem::take(&mut state.records);
        self.filled.store(false, Ordering::Release);
        drop(state);
        drop(records);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(records_max: usize, bytes_max: usize) -> LinkSender {
        let mut settings = Settings::new("self::a".parse().unwrap());
        settings.queue_records_max = records_max;
        settings.queue_bytes_max = bytes_max;
        LinkSender::new(Queue::new(&settings))
    }

    fn send(sender: &LinkSender, bytes: usize) -> Result<(), SendError> {
        sender.try_send_encoded(Bytes::from(vec![0; bytes]))
    }

    #[test]
    fn the_queue_is_bounded_by_count_and_by_bytes() {
        let sender = queue(2, 100);
        assert_eq!(
            send(&sender, 101),
            Err(SendError::TooLarge {
                bytes: 101,
                max: 100
            })
        );
        send(&sender, 60).unwrap();
        assert_eq!(send(&sender, 60), Err(SendError::Full));
        send(&sender, 40).unwrap();
        assert_eq!(send(&sender, 0), Err(SendError::Full));
        assert!(matches!(sender.queue.pop(), Some(Outgoing::Record(_))));
        send(&sender, 60).unwrap();
    }

    #[test]
    fn a_farewell_waits_for_the_records_before_it_and_ends_sending() {
        let sender = queue(9, 100);
        send(&sender, 1).unwrap();
        sender.close(1000, &"ä".repeat(100));
        sender.close(1001, "too late");
        assert_eq!(send(&sender, 1), Err(SendError::Closed));
        assert!(sender.queue.waiting_farewell().is_some());
        assert!(matches!(sender.queue.pop(), Some(Outgoing::Record(_))));
        let Some(Outgoing::Farewell(farewell)) = sender.queue.pop() else {
            panic!()
        };
        assert_eq!((farewell.code, farewell.text.len()), (1000, 122));
        assert!(sender.queue.pop().is_none());
    }
}
