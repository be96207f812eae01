//! The wall clock, as far as the engine is told of it, and its times as TR-106 writes them.
//!
//! The engine reads no clock: it is told the time and counts on from there. A clock that is not known to
//! be right must never decide anything; what depends on it does without.

use usphere_datamodel::Moment;
use usphere_datamodel::types::UNKNOWN_TIME;

/// A time of the wall clock, in UTC.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Utc {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub unix_micros: i64,
    /// Whether the clock is known to be right.
    pub reliable: bool,
}

impl Utc {
    /// Whole seconds since 1970-01-01T00:00:00Z; `None` when the clock is not known to be right.
    pub fn unix_seconds(self) -> Option<i64> {
        self.reliable
            .then(|| self.unix_micros.div_euclid(1_000_000))
    }

    /// The dateTime of TR-106 in whole seconds; its Unknown Time when the clock is not known to be right.
    pub fn date_time(self) -> String {
        if self.reliable {
            date_time(self.unix_micros)
        } else {
            UNKNOWN_TIME.to_owned()
        }
    }
}

/// The dateTime of TR-106, in UTC and whole seconds, of a number of microseconds since
/// 1970-01-01T00:00:00Z. What lies outside of the years 1 to 9999 is the Unknown Time.
pub fn date_time(unix_micros: i64) -> String {
    let seconds = unix_micros.div_euclid(1_000_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    if !(1..=9_999).contains(&year) {
        return UNKNOWN_TIME.to_owned();
    }
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The wall clock as it was told last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    told: Option<(Moment, Utc)>,
}

impl Clock {
    pub(crate) fn set(&mut self, utc: Utc, now: Moment) {
        self.told = Some((now, utc));
    }

    /// What it shows at `now`; a clock that was never told is not reliable.
    pub(crate) fn at(&self, now: Moment) -> Utc {
        let Some((then, utc)) = self.told else {
            return Utc::default();
        };
        let passed = i64::try_from(now.since(then).as_micros()).unwrap_or(i64::MAX);
        Utc {
            unix_micros: utc.unix_micros.saturating_add(passed),
            ..utc
        }
    }
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    /// From 0000-03-01, where leap days come last in their years, to 1970-01-01.
    const EPOCH: i64 = 719_468;
    let days = days.saturating_add(EPOCH);
    let (era, day_of_era) = (
        days.div_euclid(DAYS_OF_400_YEARS),
        days.rem_euclid(DAYS_OF_400_YEARS),
    );
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months of March to February have 153 days in every five.
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use usphere_datamodel::types::unix_micros;

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (-62_135_596_799, "0001-01-01T00:00:01Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (253_402_300_800, UNKNOWN_TIME),
            (i64::MAX / 1_000_000, UNKNOWN_TIME),
        ] {
            assert_eq!(date_time(seconds * 1_000_000), text);
            if text != UNKNOWN_TIME {
                assert_eq!(unix_micros(text), Some(seconds * 1_000_000));
            }
        }
    }

    #[test]
    fn a_clock_runs_on_from_what_it_was_told_and_counts_only_when_it_is_right() {
        let mut clock = Clock::default();
        assert_eq!(clock.at(Moment::from_micros(5)).date_time(), UNKNOWN_TIME);
        let (unix_micros, told) = (1_700_000_000_000_000, Moment::from_micros(7_000_000));
        clock.set(
            Utc {
                unix_micros,
                reliable: true,
            },
            told,
        );
        let later = clock.at(Moment::from_micros(67_000_001));
        assert_eq!(later.unix_micros, unix_micros + 60_000_001);
        assert_eq!(later.unix_seconds(), Some(1_700_000_060));
        assert_eq!(later.date_time(), "2023-11-14T22:14:20Z");
        let wrong = Utc {
            reliable: false,
            ..later
        };
        assert_eq!(
            (wrong.unix_seconds(), &*wrong.date_time()),
            (None, UNKNOWN_TIME)
        );
    }
}
