//! When one Controller is dialled, and where: which MTP comes first, and how long to wait after a
//! failure. (R-WS.5, R-WS.19 to R-WS.21)
//!
//! One attempt is under way at a time. The MTP with the lowest Order that need not wait is tried
//! first; when it fails, it waits, and the next one is tried. A Controller has one row per protocol,
//! so that several rows begin to count when there are several protocols.

use std::time::Duration;

use usphere_datamodel::Moment;

use crate::config::Target;
use crate::event::DialId;
use crate::limits::{RETRY_RANGES, RETRY_WAIT_MAX};
use crate::random::Random;

/// One way to a Controller, as its row says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Way {
    /// The instance number of the MTP's row.
    pub(crate) instance: u32,
    pub(crate) order: u32,
    pub(crate) target: Target,
    pub(crate) ping_interval: Duration,
    pub(crate) retry: Retry,
}

impl Way {
    /// Whether a connection that was made by `self` is still as `other` says.
    fn leads_to_the_same(&self, other: &Self) -> bool {
        self.instance == other.instance
            && self.target == other.target
            && self.ping_interval == other.ping_interval
    }
}

/// The two numbers of the back-off. (R-WS.19)
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Retry {
    /// `m`, in seconds.
    pub(crate) minimum_seconds: u32,
    /// `k`, in thousandths.
    pub(crate) multiplier: u32,
}

impl Retry {
    /// How long to wait before the retry number `retry`, which is at least 1: from `m (k/1000)^(n-1)` to
    /// `m (k/1000)^n`, where `n` is `retry`, at most ten. (R-WS.19)
    pub(crate) fn wait(self, retry: u32, random: &mut Random) -> Duration {
        let growth = f64::from(self.multiplier) / 1_000.0;
        let steps = retry.clamp(1, RETRY_RANGES) - 1;
        let least = f64::from(self.minimum_seconds) * growth.powi(steps as i32);
        let seconds = least + (least * growth - least) * random.fraction();
        Duration::try_from_secs_f64(seconds).map_or(RETRY_WAIT_MAX, |wait| wait.min(RETRY_WAIT_MAX))
    }
}

/// Dials one Controller.
#[derive(Debug, Default)]
pub(crate) struct Dialler {
    tries: Vec<Try>,
    underway: Option<(DialId, Way)>,
    /// The way of the connection that there is; `None` in it when the Controller dialled in.
    connected: Option<Option<Way>>,
}

#[derive(Debug)]
struct Try {
    way: Way,
    /// Failures in a row.
    retries: u32,
    /// When it may be tried.
    ready: Moment,
}

/// What a change of the ways means for what is under way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Upset {
    /// This attempt is to be given up.
    Attempt(DialId),
    /// The connection that we opened is not wanted like this any more.
    Connection,
}

impl Dialler {
    /// Takes over the ways that there are now. What changed may be tried at once.
    pub(crate) fn follow(&mut self, mut ways: Vec<Way>, now: Moment) -> Option<Upset> {
        ways.sort_by_key(|way| (way.order, way.instance));
        let mut known = std::mem::take(&mut self.tries);
        self.tries = ways
            .into_iter()
            .map(
                |way| match known.iter().position(|old| old.way.leads_to_the_same(&way)) {
                    Some(place) => Try {
                        way,
                        ..known.swap_remove(place)
                    },
                    None => Try {
                        way,
                        retries: 0,
                        ready: now,
                    },
                },
            )
            .collect();
        if let Some((dial, _)) = self
            .underway
            .take_if(|(_, way)| !leads_there(&self.tries, way))
        {
            return Some(Upset::Attempt(dial));
        }
        let gone = matches!(&self.connected, Some(Some(way)) if !leads_there(&self.tries, way));
        gone.then_some(Upset::Connection)
    }

    /// Begins the attempt that is due, if there is one, under the name `dial`.
    pub(crate) fn begin(&mut self, dial: DialId, now: Moment) -> Option<&Way> {
        if self.underway.is_some() || self.connected.is_some() {
            return None;
        }
        let due = self.tries.iter().find(|attempt| attempt.ready <= now)?;
        let (_, way) = self.underway.insert((dial, due.way.clone()));
        Some(way)
    }

    /// When [`Self::begin`] is to be asked.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        match (&self.underway, &self.connected) {
            (None, None) => self.tries.iter().map(|attempt| attempt.ready).min(),
            _ => None,
        }
    }

    /// Whether the attempt `dial` is the one under way.
    pub(crate) fn is_underway(&self, dial: DialId) -> bool {
        self.underway
            .as_ref()
            .is_some_and(|(underway, _)| *underway == dial)
    }

    /// The attempt under way failed. How often in a row its way has failed now.
    pub(crate) fn failed(&mut self, now: Moment, random: &mut Random) -> u32 {
        let Some((_, way)) = self.underway.take() else {
            return 0;
        };
        self.put_off(Some(&way), now, random)
    }

    /// There is a connection: by the attempt under way if `dialled`, otherwise the Controller made it
    /// and the attempt under way, which is returned, is to be given up. (R-WS.4)
    pub(crate) fn connected(&mut self, dialled: bool) -> Option<DialId> {
        let underway = self.underway.take();
        let (dial, way) = underway.map_or((None, None), |(dial, way)| (Some(dial), Some(way)));
        self.connected = Some(way.filter(|_| dialled));
        dial.filter(|_| !dialled)
    }

    /// The Controller has spoken on the connection that there is: only that makes a session of it, since
    /// anybody may pick up where it was dialled. (R-WS.20)
    pub(crate) fn heard(&mut self) {
        self.tries
            .iter_mut()
            .for_each(|attempt| attempt.retries = 0);
    }

    /// The connection is gone, and not by our wish: it is made again after the wait of the first retry, or
    /// of the next where the Controller was not heard on it.
    pub(crate) fn lost(&mut self, now: Moment, random: &mut Random) {
        if let Some(way) = self.connected.take() {
            self.put_off(way.as_ref(), now, random);
        }
    }

    /// The connection is gone, and may be made again at once.
    pub(crate) fn released(&mut self) {
        self.connected = None;
    }

    /// Whether the MTP row `instance` is one of the ways.
    pub(crate) fn dials(&self, instance: u32) -> bool {
        self.tries
            .iter()
            .any(|attempt| attempt.way.instance == instance)
    }

    /// Lets the way of the MTP row `instance` begin anew, at once. What there is already, however it
    /// came to be, is to be given up.
    pub(crate) fn restart(&mut self, instance: u32, now: Moment) -> Option<Upset> {
        let attempt = self
            .tries
            .iter_mut()
            .find(|attempt| attempt.way.instance == instance)?;
        (attempt.retries, attempt.ready) = (0, now);
        match self.underway.take() {
            Some((dial, _)) => Some(Upset::Attempt(dial)),
            None => self.connected.is_some().then_some(Upset::Connection),
        }
    }

    /// Failures in a row of every way. (`CurrentRetryCount`)
    pub(crate) fn retries(&self) -> impl Iterator<Item = (u32, u32)> {
        self.tries
            .iter()
            .map(|attempt| (attempt.way.instance, attempt.retries))
    }

    /// Lets `way` wait, or all ways.
    fn put_off(&mut self, way: Option<&Way>, now: Moment, random: &mut Random) -> u32 {
        let mut retries = 0;
        for attempt in &mut self.tries {
            if way.is_none_or(|way| way.leads_to_the_same(&attempt.way)) {
                attempt.retries = attempt.retries.saturating_add(1);
                attempt.ready = now + attempt.way.retry.wait(attempt.retries, random);
                retries = attempt.retries;
            }
        }
        retries
    }
}

fn leads_there(tries: &[Try], way: &Way) -> bool {
    tries
        .iter()
        .any(|attempt| attempt.way.leads_to_the_same(way))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry {
        minimum_seconds: 5,
        multiplier: 2_000,
    };

    fn way(instance: u32, order: u32) -> Way {
        let target = Target {
            host: format!("host{instance}"),
            port: 80,
            path: "/".to_owned(),
            encryption: false,
        };
        Way {
            instance,
            order,
            target,
            ping_interval: Duration::from_secs(30),
            retry: RETRY,
        }
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    /// Every range is kept and filled, and the tenth is the last that grows.
    ///
    /// Proves: R-WS.19
    #[test]
    fn waits_are_spread_over_the_ranges_of_the_table() {
        let mut random = Random::new(1);
        for (retry, least, most) in [
            (1, 5, 10),
            (2, 10, 20),
            (5, 80, 160),
            (9, 1280, 2560),
            (10, 2560, 5120),
            (99, 2560, 5120),
        ] {
            let waits: Vec<f64> = (0..2_000)
                .map(|_| RETRY.wait(retry, &mut random).as_secs_f64())
                .collect();
            let (least, most) = (f64::from(least), f64::from(most));
            assert!(
                waits.iter().all(|wait| (least..=most).contains(wait)),
                "retry {retry}"
            );
            let low = waits
                .iter()
                .filter(|wait| **wait < (least + most) / 2.0)
                .count();
            assert!(
                (800..1_200).contains(&low),
                "retry {retry}: {low} of 2000 in the lower half"
            );
        }
    }

    #[test]
    fn the_largest_parameters_do_not_overflow() {
        let largest = Retry {
            minimum_seconds: 65_535,
            multiplier: 65_535,
        };
        assert_eq!(largest.wait(u32::MAX, &mut Random::new(1)), RETRY_WAIT_MAX);
    }

    #[test]
    fn the_next_way_is_tried_while_the_first_waits() {
        let mut random = Random::new(1);
        let mut dialler = Dialler::default();
        assert_eq!(dialler.follow(vec![way(1, 2), way(2, 1)], at(0)), None);
        assert_eq!(
            dialler.begin(DialId(1), at(0)).map(|way| way.instance),
            Some(2)
        );
        assert!(dialler.begin(DialId(2), at(0)).is_none(), "one at a time");
        assert_eq!(dialler.failed(at(1), &mut random), 1);
        assert_eq!(
            dialler.begin(DialId(2), at(1)).map(|way| way.instance),
            Some(1)
        );
        assert_eq!(dialler.failed(at(2), &mut random), 1);
        assert!(dialler.begin(DialId(3), at(5)).is_none());
        assert_eq!(
            dialler.begin(DialId(3), at(11)).map(|way| way.instance),
            Some(2)
        );
    }

    #[test]
    fn a_connection_ends_waiting_and_a_lost_one_waits_as_after_the_first_failure() {
        let mut random = Random::new(1);
        let mut dialler = Dialler::default();
        dialler.follow(vec![way(1, 1)], at(0));
        for _ in 0..3 {
            let due = dialler.deadline().unwrap();
            assert!(dialler.begin(DialId(1), due).is_some());
            dialler.failed(due, &mut random);
        }
        assert_eq!(dialler.retries().collect::<Vec<_>>(), [(1, 3)]);
        assert_eq!(dialler.connected(false), None);
        assert_eq!(dialler.deadline(), None);
        assert_eq!(dialler.retries().collect::<Vec<_>>(), [(1, 3)]);
        dialler.heard();
        assert_eq!(dialler.retries().collect::<Vec<_>>(), [(1, 0)]);
        dialler.lost(at(1_000), &mut random);
        let wait = dialler.deadline().unwrap() - at(1_000);
        assert!((5.0..=10.0).contains(&wait.as_secs_f64()));
    }

    #[test]
    fn a_change_of_the_way_upsets_what_went_by_it() {
        let mut dialler = Dialler::default();
        dialler.follow(vec![way(1, 1)], at(0));
        dialler.begin(DialId(7), at(0));
        let mut moved = way(1, 1);
        moved.target.port = 81;
        assert_eq!(
            dialler.follow(vec![moved.clone()], at(0)),
            Some(Upset::Attempt(DialId(7)))
        );
        assert!(dialler.begin(DialId(8), at(0)).is_some());
        dialler.connected(true);
        moved.retry.minimum_seconds = 9;
        assert_eq!(
            dialler.follow(vec![moved], at(0)),
            None,
            "how it is retried does not matter now"
        );
        assert_eq!(dialler.follow(Vec::new(), at(0)), Some(Upset::Connection));
    }
}
