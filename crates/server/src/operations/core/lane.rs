//! The queue of each device: Operations are sent in the order in which they were accepted.
//!
//! An Operation that nobody waits for holds the lane until it is answered, so that it may be sent once more without being
//! overtaken. One whose caller waits does not: on one link, requests are carried out in their order.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use usphere_datamodel::operation::OperationError;
use usphere_store::{Milliseconds, OperationState, OperationWrite};

use super::{Core, Phase, progress};
use crate::limits::PAUSE;
use crate::operations::end::Failure;
use crate::operations::name::Number;

/// The way to one device.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Those that have not ended.
    pub(super) live: BTreeSet<Number>,
    /// Those that wait to be sent, in the order of their numbers.
    queue: VecDeque<Number>,
    /// Until it is answered, nothing is sent after it.
    holder: Option<Number>,
    pub(super) is_online: bool,
    /// Whether nothing is sent for a moment.
    is_paused: bool,
}

impl Lane {
    /// Takes one in at the end. Whether it is sent as soon as it is written.
    pub(super) fn admit(&mut self, number: Number, is_awaited: bool) -> bool {
        let is_direct =
            self.is_online && !self.is_paused && self.holder.is_none() && self.queue.is_empty();
        match is_direct {
            true if is_awaited => {}
            true => self.holder = Some(number),
            false => self.queue.push_back(number),
        }
        is_direct
    }

    /// Puts one in where it belongs.
    pub(super) fn insert(&mut self, number: Number) {
        let place = self.queue.partition_point(|other| *other < number);
        self.queue.insert(place, number);
    }

    pub(super) fn has_queue(&self) -> bool {
        !self.queue.is_empty()
    }

    fn remove(&mut self, number: Number) {
        if self.holder == Some(number) {
            self.holder = None;
        }
        if let Ok(place) = self.queue.binary_search(&number) {
            self.queue.remove(place);
        }
    }
}

impl Core {
    /// Has as many sent as may be now.
    pub(super) fn advance(&mut self, device: &Arc<str>, now: Milliseconds) {
        while let Some(number) = self.next(device) {
            let Some(live) = self.live.get_mut(&number) else {
                return;
            };
            live.phase = Phase::Marking;
            live.attempts += 1;
            let progress = progress(OperationState::Sent, now, live.attempts);
            self.set_timer(number, None);
            self.write(number, OperationWrite::Change(number.0, progress));
        }
    }

    /// Takes the one out of the queue that is to be sent next.
    fn next(&mut self, device: &Arc<str>) -> Option<Number> {
        if self.is_held {
            return None;
        }
        let lane = self.lanes.get_mut(device)?;
        let front = *lane.queue.front()?;
        let live = self.live.get(&front)?;
        let is_free = lane.is_online && !lane.is_paused && lane.holder.is_none();
        if !is_free || !matches!(live.phase, Phase::Queued) {
            return None;
        }
        if !live.is_awaited {
            lane.holder = Some(front);
        }
        lane.queue.pop_front()
    }

    /// It was not sent, or may be sent again.
    pub(super) fn requeue(&mut self, number: Number, now: Milliseconds) {
        self.release(number);
        let Some(live) = self.live.get_mut(&number) else {
            return;
        };
        live.phase = Phase::Queued;
        let (expires, attempts) = (live.expires, live.attempts);
        if let Some(lane) = self.lanes.get_mut(&live.device) {
            lane.insert(number);
        }
        self.set_timer(number, Some(expires));
        let progress = progress(OperationState::Queued, now, attempts);
        self.write(number, OperationWrite::Change(number.0, progress));
    }

    /// Stops its lane for a moment.
    pub(super) fn pause(&mut self, number: Number, now: Milliseconds) {
        let Some(live) = self.live.get(&number) else {
            return;
        };
        let until = live.expires.min(now + PAUSE);
        if let Some(lane) = self.lanes.get_mut(&live.device) {
            lane.is_paused = true;
        }
        self.set_timer(number, Some(until));
    }

    /// The moment is over.
    pub(super) fn resume(&mut self, number: Number, now: Milliseconds) {
        let Some(live) = self.live.get(&number) else {
            return;
        };
        let (device, expires) = (Arc::clone(&live.device), live.expires);
        if let Some(lane) = self.lanes.get_mut(&device) {
            lane.is_paused = false;
        }
        self.set_timer(number, Some(expires));
        self.advance(&device, now);
    }

    /// Takes it out of its lane, and what was behind it may follow. Only one that is in the queue can have paused it.
    pub(super) fn release(&mut self, number: Number) {
        let Some(live) = self.live.get(&number) else {
            return;
        };
        if let Some(lane) = self.lanes.get_mut(&live.device) {
            lane.remove(number);
            lane.is_paused &= !matches!(live.phase, Phase::Queued);
        }
    }

    pub(super) fn arrived(&mut self, device: &str, now: Milliseconds) {
        let Some((device, _)) = self.lanes.get_key_value(device) else {
            return;
        };
        let device = Arc::clone(device);
        if let Some(lane) = self.lanes.get_mut(&device) {
            lane.is_online = true;
        }
        self.advance(&device, now);
    }

    /// The device is away: those whose callers wait are not sent any more.
    pub(super) fn abandon(&mut self, device: &Arc<str>, now: Milliseconds) {
        for number in self.queued(device) {
            if self.live.get(&number).is_some_and(|live| live.is_awaited) {
                let failure = Failure::Device(OperationError::NotConnected);
                self.end(number, Err(failure), now);
            }
        }
    }

    /// The device is not ours any more.
    pub(super) fn removed(&mut self, device: &str, now: Milliseconds) {
        for number in self.queued(device) {
            self.end(number, Err(Failure::Cancelled), now);
        }
    }

    fn queued(&self, device: &str) -> Vec<Number> {
        let queue = self
            .lanes
            .get(device)
            .into_iter()
            .flat_map(|lane| &lane.queue);
        let is_queued = |number: &Number| {
            let live = self.live.get(number);
            live.is_some_and(|live| matches!(live.phase, Phase::Queued))
        };
        queue.copied().filter(is_queued).collect()
    }
}
