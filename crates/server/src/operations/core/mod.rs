//! The lives of Operations as a state machine, the queue of each device included.
//!
//! It is driven as every engine here: one [`Input`], then [`poll`](Core::poll) until there is nothing left, then
//! [`deadline`](Core::deadline). It knows no clock, no store and no device. Times are milliseconds since 1970, since
//! they outlive the process.
//!
//! Two rules hold it together. What a device must not be asked twice is not sent before the row that says so is
//! durable: a row in the state `sent` is one that may have reached the device. And what leads an Operation further is
//! told to nobody before it is written.

mod answers;
mod lane;
mod recovery;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use usphere_datamodel::operation::{
    OperateOutcome, Operation, OperationError, OperationKind, Outcome,
};
use usphere_store::{
    Milliseconds, NewOperation, OperationProgress, OperationState, OperationWrite,
};

use self::lane::Lane;
use super::end::{self, CommandEnd, End, Failure, Obstacle};
use super::name::Number;
use crate::limits::{
    OPERATIONS_BYTES_MAX, OPERATIONS_MAX, OPERATIONS_PER_DEVICE_MAX, OUTCOME_BYTES_MAX, PAUSE,
};

/// The lives of all Operations that have not ended.
#[derive(Debug, Default)]
pub(super) struct Core {
    live: HashMap<Number, Live>,
    lanes: HashMap<Arc<str>, Lane>,
    timers: BTreeSet<(Milliseconds, Number)>,
    /// Of the requests of all that live.
    bytes: usize,
    /// Whether nothing more is sent.
    is_held: bool,
    outputs: VecDeque<Output>,
}

/// What happened.
#[derive(Debug)]
pub(super) enum Input {
    /// The device answered, or it will not.
    Answered {
        number: Number,
        answer: Result<Outcome, OperationError>,
        /// Whether the device can be asked now.
        is_online: bool,
    },
    /// Somebody takes it back. Only what is queued can be.
    Cancelled(Number),
    /// A device told that a command of this key has ended.
    Completed {
        device: String,
        key: String,
        end: CommandEnd,
    },
    /// Its key belongs to another, and it is not to be.
    Known(Ticket),
    /// A device can be asked.
    Online(String),
    /// It was kept by an earlier life of the server, and had not ended.
    Recovered(Box<usphere_store::Operation>),
    /// A device was taken out of the inventory.
    Removed(String),
    /// A write is durable.
    Stored(Ticket),
    /// Somebody wants something.
    Submitted(Box<Submission>),
    /// The time of [`Core::deadline`] has come.
    Tick,
    /// Its request cannot be read.
    Unreadable(Number),
    /// A write could not be made.
    Unstored(Ticket),
}

/// What is to be done or known.
#[derive(Debug)]
pub(super) enum Output {
    /// It is kept, and will be carried out.
    Accepted(Number),
    /// Those who wait for it can be told what came of it.
    Ended(Number, Arc<End>),
    /// Ask the device. [`Input::Answered`] follows, or [`Input::Unreadable`].
    Send {
        number: Number,
        device: Arc<str>,
        /// What for; none where it has to be read from the store.
        request: Option<Box<Operation>>,
        command_key: Option<String>,
        patience: i64,
    },
    /// Write it, in order. [`Input::Stored`], [`Input::Unstored`] or [`Input::Known`] follows.
    Write(Ticket, OperationWrite),
}

/// Something that somebody wants.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) number: Number,
    pub(super) device: Arc<str>,
    pub(super) request: Operation,
    /// The same as JSON.
    pub(super) json: String,
    pub(super) key: Option<String>,
    /// Whether its caller waits for the answer, so that it is not kept for a device that is away.
    pub(super) is_awaited: bool,
    pub(super) patience: i64,
    pub(super) expires: Milliseconds,
    pub(super) is_online: bool,
}

/// Names one write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Ticket {
    pub(super) number: Number,
    serial: u32,
}

/// Why there is no room for one more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Full {
    /// For this device.
    Device,
    /// At all.
    Server,
}

#[derive(Debug)]
struct Live {
    device: Arc<str>,
    kind: OperationKind,
    phase: Phase,
    is_awaited: bool,
    request: Option<Box<Operation>>,
    bytes: usize,
    command_key: Option<String>,
    patience: i64,
    expires: Milliseconds,
    attempts: u32,
    /// The last write of it.
    serial: u32,
    timer: Option<Milliseconds>,
    /// Whether those who waited for the answer were told.
    is_told: bool,
    /// Ends of its commands that were told before the answer was taken in.
    early: Vec<CommandEnd>,
}

#[derive(Debug)]
enum Phase {
    /// Its row is being made; it is in its queue, or `is_direct`.
    Adding { is_direct: bool },
    /// It has ended; that is being written.
    Ending {
        progress: OperationProgress,
        end: Arc<End>,
    },
    /// It is about to be sent; that is being written.
    Marking,
    /// It is in its queue.
    Queued,
    /// The device has been asked.
    Sent,
    /// The device has answered and carries it out.
    Waiting {
        outcome: Box<OperateOutcome>,
        until: Milliseconds,
    },
}

impl Core {
    /// Takes in one thing that happened.
    pub(super) fn handle(&mut self, input: Input, now: Milliseconds) {
        match input {
            Input::Answered {
                number,
                answer,
                is_online,
            } => self.answered(number, answer, is_online, now),
            Input::Cancelled(number) => self.cancel(number, now),
            Input::Completed { device, key, end } => self.completed(&device, &key, end, now),
            Input::Known(ticket) => self.withdraw(ticket, now),
            Input::Online(device) => self.arrived(&device, now),
            Input::Recovered(row) => self.recover(*row, now),
            Input::Removed(device) => self.removed(&device, now),
            Input::Stored(ticket) => self.stored(ticket, now),
            Input::Submitted(submission) => self.submit(*submission, now),
            Input::Tick => {}
            Input::Unreadable(number) => self.end(number, Err(Failure::Damaged), now),
            Input::Unstored(ticket) => self.unstored(ticket, now),
        }
        self.fire(now);
    }

    /// The next thing to do, until there is none.
    pub(super) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::Tick`] if nothing else happens before.
    pub(super) fn deadline(&self) -> Option<Milliseconds> {
        self.timers.first().map(|(time, _)| *time)
    }

    /// Whether there is room for one more Operation on this device, with a request of so many bytes.
    pub(super) fn room(&self, device: &str, bytes: usize) -> Result<(), Full> {
        let of_device = self.lanes.get(device).map_or(0, |lane| lane.live.len());
        if of_device >= OPERATIONS_PER_DEVICE_MAX {
            return Err(Full::Device);
        }
        match self.live.len() < OPERATIONS_MAX && self.bytes + bytes <= OPERATIONS_BYTES_MAX {
            true => Ok(()),
            false => Err(Full::Server),
        }
    }

    /// Whether it lives, and if so, whether it can still be cancelled.
    pub(super) fn is_queued(&self, number: Number) -> Option<bool> {
        let live = self.live.get(&number)?;
        Some(matches!(live.phase, Phase::Queued))
    }

    /// Whether what is to be told of it is still to come.
    pub(super) fn is_unanswered(&self, number: Number) -> bool {
        let live = self.live.get(&number);
        live.is_some_and(|live| !live.is_told)
    }

    /// From now on nothing is sent but what is being marked as sent.
    pub(super) fn hold(&mut self) {
        self.is_held = true;
    }

    /// How many may have reached their devices and have no answer that is kept. Looks at all that live.
    pub(super) fn in_flight(&self) -> usize {
        let is_under_way = |live: &&Live| match live.phase {
            Phase::Adding { is_direct } => is_direct,
            Phase::Ending { .. } | Phase::Marking | Phase::Sent => true,
            Phase::Queued | Phase::Waiting { .. } => false,
        };
        self.live.values().filter(is_under_way).count()
    }

    /// How many have not ended.
    pub(super) fn count(&self) -> usize {
        self.live.len()
    }

    /// Whether the end of a command of this key means an Operation.
    pub(super) fn expects(&self, device: &str, key: &str) -> bool {
        self.running(device, key).next().is_some()
    }

    /// Devices with Operations that wait to be sent.
    pub(super) fn awaited_devices(&self) -> Vec<Arc<str>> {
        let lanes = self.lanes.iter();
        let waiting = lanes.filter(|(_, lane)| lane.has_queue());
        waiting.map(|(device, _)| Arc::clone(device)).collect()
    }

    fn submit(&mut self, wanted: Submission, now: Milliseconds) {
        let Submission { number, .. } = wanted;
        let kind = wanted.request.kind();
        let command_key = match &wanted.request {
            Operation::Operate(operate) if operate.command_key.is_empty() => {
                Some(number.to_string())
            }
            Operation::Operate(operate) => Some(operate.command_key.clone()),
            _ => None,
        };
        let lane = self.lanes.entry(Arc::clone(&wanted.device)).or_default();
        lane.is_online = wanted.is_online;
        lane.live.insert(number);
        let is_direct = lane.admit(number, wanted.is_awaited);
        let attempts = u32::from(is_direct);
        let bytes = wanted.json.len();
        self.bytes += bytes;
        let keeps_request = wanted.is_awaited || is_direct;
        let live = Live {
            device: Arc::clone(&wanted.device),
            kind,
            phase: Phase::Adding { is_direct },
            is_awaited: wanted.is_awaited,
            request: keeps_request.then(|| Box::new(wanted.request)),
            bytes,
            command_key: command_key.clone(),
            patience: wanted.patience,
            expires: wanted.expires,
            attempts,
            serial: 0,
            timer: None,
            is_told: false,
            early: Vec::new(),
        };
        self.live.insert(number, live);
        let state = match is_direct {
            true => OperationState::Sent,
            false => OperationState::Queued,
        };
        let row = NewOperation {
            number: number.0,
            device: wanted.device.as_ref().to_owned(),
            kind: kind.as_str().to_owned(),
            request: wanted.json,
            key: wanted.key,
            command_key,
            is_awaited: wanted.is_awaited,
            is_read: is_repeatable(kind),
            patience: wanted.patience,
            created: now,
            expires: wanted.expires,
            progress: progress(state, now, attempts),
        };
        self.write(number, OperationWrite::Add(row));
    }

    fn stored(&mut self, ticket: Ticket, now: Milliseconds) {
        let number = ticket.number;
        let Some(live) = self.live_of(ticket) else {
            return;
        };
        match &live.phase {
            Phase::Adding { is_direct: false } => {
                live.phase = Phase::Queued;
                let (device, expires) = (Arc::clone(&live.device), live.expires);
                self.set_timer(number, Some(expires));
                self.outputs.push_back(Output::Accepted(number));
                self.advance(&device, now);
            }
            Phase::Adding { is_direct: true } => {
                self.outputs.push_back(Output::Accepted(number));
                self.send(number);
            }
            Phase::Ending { end, .. } => {
                let end = Arc::clone(end);
                self.outputs.push_back(Output::Ended(number, end));
                self.forget(number);
            }
            Phase::Marking => self.send(number),
            Phase::Waiting { outcome, .. } => {
                let end = Arc::new(Ok(Outcome::Operate(outcome.as_ref().clone())));
                live.is_told = true;
                self.outputs.push_back(Output::Ended(number, end));
            }
            // Nobody waits for these writes.
            Phase::Queued | Phase::Sent => {}
        }
    }

    /// The device is asked now: the row says that it may have been.
    fn send(&mut self, number: Number) {
        let Some(live) = self.live.get_mut(&number) else {
            return;
        };
        live.phase = Phase::Sent;
        self.outputs.push_back(Output::Send {
            number,
            device: Arc::clone(&live.device),
            request: live.request.take(),
            command_key: live.command_key.clone(),
            patience: live.patience,
        });
    }

    fn unstored(&mut self, ticket: Ticket, now: Milliseconds) {
        let number = ticket.number;
        let Some(live) = self.live_of(ticket) else {
            return;
        };
        match &live.phase {
            // Whoever wanted it is told by whoever drives this.
            Phase::Adding { .. } => self.withdraw(ticket, now),
            Phase::Ending { .. } | Phase::Waiting { .. } => {
                self.set_timer(number, Some(now + PAUSE))
            }
            Phase::Marking => {
                live.attempts = live.attempts.saturating_sub(1);
                self.requeue(number, now);
                self.pause(number, now);
            }
            Phase::Queued | Phase::Sent => {}
        }
    }

    fn cancel(&mut self, number: Number, now: Milliseconds) {
        if self.is_queued(number) == Some(true) {
            self.end(number, Err(Failure::Cancelled), now);
        }
    }

    /// Nothing more comes of it; that is written, then told.
    fn end(&mut self, number: Number, end: End, now: Milliseconds) {
        self.release(number);
        let Some(live) = self.live.get_mut(&number) else {
            return;
        };
        let progress = end::progress(end.as_ref(), now, live.attempts, OUTCOME_BYTES_MAX);
        live.request = None;
        live.phase = Phase::Ending {
            progress: progress.clone(),
            end: Arc::new(end),
        };
        let device = Arc::clone(&live.device);
        self.set_timer(number, None);
        self.write(number, OperationWrite::Change(number.0, progress));
        self.advance(&device, now);
    }

    /// It is not to be: nothing of it is kept.
    fn withdraw(&mut self, ticket: Ticket, now: Milliseconds) {
        let Some(live) = self.live_of(ticket) else {
            return;
        };
        let device = Arc::clone(&live.device);
        self.release(ticket.number);
        self.forget(ticket.number);
        self.advance(&device, now);
    }

    fn forget(&mut self, number: Number) {
        self.set_timer(number, None);
        let Some(live) = self.live.remove(&number) else {
            return;
        };
        self.bytes = self.bytes.saturating_sub(live.bytes);
        if let Some(lane) = self.lanes.get_mut(&live.device) {
            lane.live.remove(&number);
            if lane.live.is_empty() {
                self.lanes.remove(&live.device);
            }
        }
    }

    fn fire(&mut self, now: Milliseconds) {
        while let Some((time, number)) = self.timers.first().copied()
            && time <= now
        {
            self.set_timer(number, None);
            let Some(live) = self.live.get(&number) else {
                continue;
            };
            match &live.phase {
                Phase::Ending { progress, .. } => {
                    let write = OperationWrite::Change(number.0, progress.clone());
                    self.write(number, write);
                }
                Phase::Queued if live.expires <= now => {
                    let obstacle = self.obstacle(number);
                    self.end(number, Err(Failure::Expired(obstacle)), now);
                }
                Phase::Queued => self.resume(number, now),
                Phase::Waiting { until, .. } if *until <= now => {
                    self.end(number, Err(Failure::Uncompleted), now);
                }
                Phase::Waiting { outcome, .. } => {
                    // It could not be written.
                    let outcome = outcome.as_ref().clone();
                    self.run_on(number, outcome, now);
                }
                Phase::Adding { .. } | Phase::Marking | Phase::Sent => {}
            }
        }
    }

    fn obstacle(&self, number: Number) -> Obstacle {
        let lane = self
            .live
            .get(&number)
            .and_then(|live| self.lanes.get(&live.device));
        match lane.is_some_and(|lane| lane.is_online) {
            true => Obstacle::Others,
            false => Obstacle::Away,
        }
    }

    /// What a write belongs to, if nothing was written after it.
    fn live_of(&mut self, ticket: Ticket) -> Option<&mut Live> {
        let live = self.live.get_mut(&ticket.number)?;
        (live.serial == ticket.serial).then_some(live)
    }

    fn write(&mut self, number: Number, write: OperationWrite) {
        let Some(live) = self.live.get_mut(&number) else {
            return;
        };
        live.serial += 1;
        let ticket = Ticket {
            number,
            serial: live.serial,
        };
        self.outputs.push_back(Output::Write(ticket, write));
    }

    fn set_timer(&mut self, number: Number, time: Option<Milliseconds>) {
        let Some(live) = self.live.get_mut(&number) else {
            return;
        };
        if let Some(before) = std::mem::replace(&mut live.timer, time) {
            self.timers.remove(&(before, number));
        }
        self.timers.extend(time.map(|time| (time, number)));
    }
}

/// Whether a device may be asked twice: nothing changes by it. What changes something may not, since a device takes
/// a second request for a new one, also under the same msg_id, once it has answered the first. (R-MSG.4)
pub(crate) const fn is_repeatable(kind: OperationKind) -> bool {
    match kind {
        OperationKind::Get
        | OperationKind::Instances
        | OperationKind::SupportedModel
        | OperationKind::SupportedProtocol => true,
        OperationKind::Add
        | OperationKind::Delete
        | OperationKind::Operate
        | OperationKind::Set => false,
    }
}

fn progress(state: OperationState, now: Milliseconds, attempts: u32) -> OperationProgress {
    OperationProgress {
        state,
        updated: now,
        attempts,
        outcome: None,
        outcome_bytes: 0,
        error: None,
    }
}
