//! When a timer ends. (TR-181, Device.ScheduleTimer())
//!
//! While the Agent runs, a timer counts by the monotonic clock, whatever the wall clock is set to. Over a
//! restart only the wall clock goes on; where that is not known to be right, the whole delay begins
//! anew, for a timer must never end too early.

use std::time::Duration;

use usphere_datamodel::Moment;

use crate::clock::Utc;

/// A timer that runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Timer {
    at: Moment,
    /// When that is by the wall clock, in microseconds since 1970, if it is known.
    due: Option<i64>,
    /// When it began, and how long it is, if it was in progress before the last restart.
    survived: Option<(Moment, Duration)>,
}

impl Timer {
    /// A timer that begins now.
    pub(super) fn new(delay_seconds: u32, utc: Utc, now: Moment) -> Self {
        let delay = seconds(delay_seconds);
        Self {
            at: now + delay,
            due: utc.reliable.then(|| later(utc, delay)),
            survived: None,
        }
    }

    /// A timer that goes on after a restart.
    pub(super) fn survived(delay_seconds: u32, due: Option<i64>, utc: Utc, now: Moment) -> Self {
        let delay = seconds(delay_seconds);
        let mut timer = Self {
            at: now + delay,
            due,
            survived: Some((now, delay)),
        };
        if timer.due.is_some() {
            timer.reset(utc, now);
        }
        timer
    }

    /// When it ends.
    pub(super) fn at(self) -> Moment {
        self.at
    }

    /// Counts anew by the wall clock. When it ends by that, if this was not known before.
    pub(super) fn reset(&mut self, utc: Utc, now: Moment) -> Option<i64> {
        match (self.due, self.survived) {
            (None, _) if utc.reliable => {
                let due = later(utc, self.at - now);
                self.due = Some(due);
                return Some(due);
            }
            (Some(due), Some(_)) if utc.reliable => {
                let left = u64::try_from(due.saturating_sub(utc.unix_micros)).unwrap_or(0);
                self.at = now + Duration::from_micros(left);
            }
            (_, Some((began, delay))) => self.at = began + delay,
            (_, None) => {}
        }
        None
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

fn later(utc: Utc, delay: Duration) -> i64 {
    let delay = i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
    utc.unix_micros.saturating_add(delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    fn utc(seconds: i64, reliable: bool) -> Utc {
        Utc {
            unix_micros: seconds * 1_000_000,
            reliable,
        }
    }

    #[test]
    fn a_clock_that_is_set_does_not_move_a_timer_that_runs() {
        let mut timer = Timer::new(60, utc(1_000, true), at(5));
        assert_eq!(timer.at(), at(65));
        assert_eq!(timer.reset(utc(9_000, true), at(6)), None);
        assert_eq!(timer.at(), at(65));
    }

    #[test]
    fn after_a_restart_the_wall_clock_decides_once_it_is_right() {
        let due = Some(1_060_000_000);
        let mut timer = Timer::survived(60, due, utc(0, false), at(1));
        assert_eq!(
            timer.at(),
            at(61),
            "the whole delay, as long as the time is unknown"
        );
        timer.reset(utc(1_050, true), at(2));
        assert_eq!(timer.at(), at(12));
        timer.reset(utc(2_000, true), at(3));
        assert_eq!(timer.at(), at(3), "it is overdue");
    }

    #[test]
    fn when_a_timer_ends_is_learnt_as_soon_as_the_time_is_known() {
        let mut timer = Timer::new(60, utc(0, false), at(5));
        assert_eq!(timer.reset(utc(0, false), at(6)), None);
        assert_eq!(timer.reset(utc(1_000, true), at(15)), Some(1_050_000_000));
        assert_eq!(timer.reset(utc(1_000, true), at(15)), None);
    }
}
