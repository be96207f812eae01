//! The wall clock of the host, and when the engine has to be told of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use usphere_datamodel::Moment;

/// How long the engine counts on from what it was told.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// What the wall clock may drift from the monotonic one before it counts as set.
const JUMP_MICROS_MIN: u64 = 100_000;

/// 2026-01-01T00:00:00Z: a clock that shows less was never set.
const PLAUSIBLE_SECONDS_MIN: u64 = 1_767_225_600;

/// Whether the wall clock shows a time at which this program can run. A device without a battery for its
/// clock begins in 1970, or with the date of its image.
pub fn clock_is_plausible() -> bool {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.is_ok_and(|since| since.as_secs() >= PLAUSIBLE_SECONDS_MIN)
}

/// Watches the wall clock.
pub(super) struct WallClock {
    is_right: Box<dyn Fn() -> bool + Send>,
    told: Option<Told>,
}

#[derive(Clone, Copy)]
struct Told {
    at: Moment,
    unix_micros: i64,
}

impl WallClock {
    pub(super) fn new(is_right: Box<dyn Fn() -> bool + Send>) -> Self {
        Self {
            is_right,
            told: None,
        }
    }

    /// A new engine has to be told.
    pub(super) fn forget(&mut self) {
        self.told = None;
    }

    /// When [`Self::news`] is to be asked at the latest.
    pub(super) fn next_look(&self) -> Moment {
        match self.told {
            Some(told) => told.at + LOOK_INTERVAL,
            None => Moment::ORIGIN,
        }
    }

    /// The time in microseconds since 1970 and whether it is right, when the engine has to be told: at
    /// first, every minute, and when the clock was set.
    pub(super) fn news(&mut self, now: Moment) -> Option<(i64, bool)> {
        self.news_at(now, unix_micros())
    }

    fn news_at(&mut self, now: Moment, unix_micros: i64) -> Option<(i64, bool)> {
        if let Some(told) = self.told.filter(|_| now < self.next_look()) {
            let passed = i64::try_from((now - told.at).as_micros()).unwrap_or(i64::MAX);
            let expected = told.unix_micros.saturating_add(passed);
            if expected.abs_diff(unix_micros) < JUMP_MICROS_MIN {
                return None;
            }
        }
        self.told = Some(Told {
            at: now,
            unix_micros,
        });
        Some((unix_micros, (self.is_right)()))
    }
}

fn unix_micros() -> i64 {
    let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => micros(after),
        Err(before) => -micros(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_told_at_first_every_minute_and_when_the_clock_was_set() {
        let mut clock = WallClock::new(Box::new(|| true));
        let at = |seconds: u64| Moment::from_micros(seconds * 1_000_000);
        let wall = |seconds: i64| 1_800_000_000_000_000 + seconds * 1_000_000;
        assert_eq!(clock.next_look(), at(0));
        assert_eq!(clock.news_at(at(1), wall(1)), Some((wall(1), true)));
        assert_eq!(clock.news_at(at(2), wall(2) + 50_000), None);
        assert_eq!(clock.next_look(), at(61));
        assert_eq!(clock.news_at(at(61), wall(61)), Some((wall(61), true)));
        assert_eq!(
            clock.news_at(at(62), wall(3_662)),
            Some((wall(3_662), true))
        );
        assert_eq!(clock.news_at(at(63), wall(3_663)), None);
        assert_eq!(clock.news_at(at(64), wall(3)), Some((wall(3), true)));
    }
}
