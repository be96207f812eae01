//! The places of connections: what each does, and who has to leave when others come and there is no room.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::rate::network;

/// The places of the connections that are open, the oldest first.
#[derive(Default)]
pub(super) struct Seats(VecDeque<Arc<Seat>>);

/// The place of one connection.
pub(super) struct Seat {
    source: IpAddr,
    doing: Mutex<Doing>,
    /// Rung when somebody else is to have the place.
    leave: Notify,
}

/// What is done on a connection, from what is given up first to what is not given up.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Doing {
    /// There is no whole request.
    Nothing,
    /// An answer is sent.
    Answered,
    /// A request is worked on, or its answer goes on for ever.
    Busy,
}

impl Seats {
    pub(super) fn take(&mut self, source: IpAddr) -> Arc<Seat> {
        self.forget_those_that_ended();
        let seat = Arc::new(Seat {
            source: network(source),
            doing: Mutex::new(Doing::Nothing),
            leave: Notify::new(),
        });
        self.0.push_back(Arc::clone(&seat));
        seat
    }

    /// Has one leave that has no request under way, if there is one; else one whose answer is sent.
    pub(super) fn make_room(&mut self) {
        self.forget_those_that_ended();
        let leaving = [Doing::Nothing, Doing::Answered]
            .into_iter()
            .find_map(|doing| self.oldest_of_the_largest_crowd(doing));
        if let Some(seat) = leaving {
            seat.leave.notify_one();
        }
    }

    fn oldest_of_the_largest_crowd(&self, doing: Doing) -> Option<&Arc<Seat>> {
        let all = || self.0.iter().filter(|seat| seat.doing() == doing);
        let mut crowds = HashMap::new();
        for seat in all() {
            *crowds.entry(seat.source).or_insert(0) += 1;
        }
        let largest = crowds.values().max()?;
        all().find(|seat| crowds.get(&seat.source) == Some(largest))
    }

    fn forget_those_that_ended(&mut self) {
        self.0.retain(|seat| Arc::strong_count(seat) > 1);
    }
}

impl Seat {
    pub(super) fn set(&self, doing: Doing) {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = doing;
    }

    fn doing(&self) -> Doing {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Receives somebody on this place, until that has ended or somebody else is to have the place.
    pub(super) async fn sit(&self, mut received: Pin<&mut impl Future<Output = ()>>) {
        loop {
            tokio::select! {
                biased;
                () = received.as_mut() => return,
                () = self.leave.notified() => {}
            }
            let before = self.doing();
            // What has arrived meanwhile is read first: it may be a request.
            tokio::select! {
                biased;
                () = received.as_mut() => return,
                () = yield_now() => {}
            }
            let now = self.doing();
            if now < Doing::Busy && now <= before {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn has_to_leave(seat: &Seat) -> bool {
        seat.leave.notified().now_or_never().is_some()
    }

    #[test]
    fn the_oldest_of_the_largest_crowd_makes_room() {
        let mut seats = Seats::default();
        let (one, many): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let alone = seats.take(one);
        let crowd: Vec<_> = (0..3).map(|_| seats.take(many)).collect();
        crowd[0].set(Doing::Busy);
        seats.make_room();
        let left: Vec<_> = crowd.iter().map(|seat| has_to_leave(seat)).collect();
        assert_eq!(left, [false, true, false]);
        assert!(!has_to_leave(&alone));
    }

    #[test]
    fn who_is_answered_leaves_after_all_who_say_nothing() {
        let mut seats = Seats::default();
        let source = [10, 0, 0, 1].into();
        let [busy, answered, silent] =
            [Doing::Busy, Doing::Answered, Doing::Nothing].map(|doing| {
                let seat = seats.take(source);
                seat.set(doing);
                seat
            });
        seats.make_room();
        assert!(has_to_leave(&silent) && !has_to_leave(&answered));
        drop(silent);
        seats.make_room();
        assert!(has_to_leave(&answered) && !has_to_leave(&busy));
    }

    /// What has arrived is read before anybody is sent away.
    #[tokio::test]
    async fn who_has_asked_by_then_need_not_leave() {
        let seat = Seats::default().take([10, 0, 0, 1].into());
        let is_answered = Mutex::new(false);
        seat.leave.notify_one();
        let received = async {
            yield_now().await;
            seat.set(Doing::Busy);
            yield_now().await;
            *is_answered.lock().unwrap() = true;
        };
        seat.sit(std::pin::pin!(received)).await;
        assert!(*is_answered.lock().unwrap());
    }
}
