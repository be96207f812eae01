//! Handshakes that are under way: how many, of whom, and who has to leave when there is no room.
//!
//! Whoever opens connections and never goes on would take all places of a listener; so where they are
//! taken, the one that has sat longest makes room, unless nobody has sat for long: then there are
//! simply many, and the newcomer is told to come back.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::ListenerLimits;
use crate::limits::HANDSHAKE_GRACE;

/// The handshakes of one listener.
#[derive(Debug)]
pub(super) struct Seats {
    state: Mutex<State>,
    limits: ListenerLimits,
}

#[derive(Debug, Default)]
struct State {
    /// By the order of their coming.
    taken: BTreeMap<u64, Sitting>,
    last: u64,
    evicted: u64,
}

#[derive(Debug)]
struct Sitting {
    source: IpAddr,
    since: Instant,
    leave: Arc<Notify>,
}

/// The place of one handshake, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    number: u64,
    leave: Arc<Notify>,
}

impl Seats {
    pub(super) fn new(limits: ListenerLimits) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            limits,
        })
    }

    /// A place for a handshake with `source`; `None` where there is none.
    pub(super) fn take(self: &Arc<Self>, source: IpAddr, now: Instant) -> Option<Seat> {
        let mut state = self.lock();
        let of_source = |sitting: &Sitting| sitting.source == source;
        let all = state.taken.len();
        if all >= self.limits.handshakes_per_source_max
            && state
                .taken
                .values()
                .filter(|sitting| of_source(sitting))
                .count()
                >= self.limits.handshakes_per_source_max
        {
            state.make_room(of_source, now)?;
        } else if all >= self.limits.handshakes_max {
            state.make_room(|_| true, now)?;
        }
        state.last += 1;
        let number = state.last;
        let leave = Arc::new(Notify::new());
        let sitting = Sitting {
            source,
            since: now,
            leave: Arc::clone(&leave),
        };
        state.taken.insert(number, sitting);
        Some(Seat {
            seats: Arc::clone(self),
            number,
            leave,
        })
    }

    /// Handshakes that are under way.
    pub(super) fn count(&self) -> usize {
        self.lock().taken.len()
    }

    /// Handshakes so far that had to make room.
    pub(super) fn evicted(&self) -> u64 {
        self.lock().evicted
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Sends the oldest of those that `may_leave` away, if it has sat long enough.
    fn make_room(&mut self, may_leave: impl Fn(&Sitting) -> bool, now: Instant) -> Option<()> {
        let (number, sitting) = self
            .taken
            .iter()
            .find(|(_, sitting)| may_leave(sitting))
            .filter(|(_, sitting)| now.duration_since(sitting.since) >= HANDSHAKE_GRACE)?;
        let number = *number;
        sitting.leave.notify_one();
        self.taken.remove(&number);
        self.evicted += 1;
        Some(())
    }
}

impl Seat {
    /// Waits until somebody else is to have the place.
    pub(super) async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.lock().taken.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seats(all: usize, of_source: usize) -> (Arc<Seats>, Instant) {
        let limits = ListenerLimits {
            handshakes_max: all,
            handshakes_per_source_max: of_source,
            ..ListenerLimits::default()
        };
        (Seats::new(limits), Instant::now())
    }

    fn has_to_leave(seat: &Seat) -> bool {
        use futures_util::FutureExt as _;
        seat.asked_to_leave().now_or_never().is_some()
    }

    #[test]
    fn the_oldest_makes_room_once_it_has_had_its_time() {
        let (seats, start) = seats(2, 2);
        let (a, b): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let oldest = seats.take(a, start).unwrap();
        let second = seats.take(b, start).unwrap();
        assert!(seats.take(b, start).is_none());
        let later = start + HANDSHAKE_GRACE;
        let third = seats.take(b, later).unwrap();
        assert!(has_to_leave(&oldest) && !has_to_leave(&second) && !has_to_leave(&third));
        assert_eq!((seats.count(), seats.evicted()), (2, 1));
        drop(oldest);
        assert_eq!(seats.count(), 2);
        drop((second, third));
        assert_eq!(seats.count(), 0);
    }

    #[test]
    fn a_source_makes_room_among_its_own() {
        let (seats, start) = seats(9, 2);
        let (a, b): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let other = seats.take(a, start).unwrap();
        let _own: Vec<Seat> = (0..2).map(|_| seats.take(b, start).unwrap()).collect();
        let later = start + HANDSHAKE_GRACE + Duration::from_secs(1);
        let _third = seats.take(b, later).unwrap();
        assert!(!has_to_leave(&other));
        assert_eq!(seats.count(), 3);
    }
}
