//! dateTime: ISO 8601 with an offset, as points in time.

/// A point in time, as nanoseconds since the start of year 1 (UTC), which may lie before it by the offset.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Time {
    nanoseconds: i128,
}

impl Time {
    /// TR-106's unknown time, `0001-01-01T00:00:00Z`.
    pub(super) const UNKNOWN: Self = Self { nanoseconds: 0 };

    /// Microseconds since 1970-01-01T00:00:00Z, rounded down.
    pub(super) fn unix_micros(self) -> Option<i64> {
        const EPOCH_SECONDS: i128 = 719_162 * 86_400;
        let micros = self.nanoseconds.div_euclid(1_000) - EPOCH_SECONDS * 1_000_000;
        i64::try_from(micros).ok()
    }

    /// Reads `2026-01-31T23:59:59.5+02:00`; none for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (date_and_time, zone) = text.split_at_checked(SECONDS_END)?;
        let bytes = date_and_time.as_bytes();
        let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if separators
            .iter()
            .any(|(at, separator)| bytes[*at] != *separator)
        {
            return None;
        }
        let number = |start, end| number(&bytes[start..end]);
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let days = days(year, month, day)?;
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let fraction_end = fraction_end(zone)?;
        let (fraction, offset) = zone.split_at(fraction_end);
        let seconds =
            days * 86_400 + hour * 3600 + minute * 60 + second - offset_minutes(offset)? * 60;
        Some(Self {
            nanoseconds: i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds(fraction)?),
        })
    }
}

/// The one spelling of a time that [`Time::parse`] takes: no trailing zeros in the fraction, `Z` for no offset. The offset
/// stays, because a local time is read for it.
pub(super) fn canonical(text: &str) -> String {
    let Some((seconds, zone)) = text.split_at_checked(SECONDS_END) else {
        return text.into();
    };
    let (fraction, offset) = zone.split_at(fraction_end(zone).unwrap_or(0));
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    let offset = if offset_minutes(offset) == Some(0) {
        "Z"
    } else {
        offset
    };
    format!("{seconds}{fraction}{offset}")
}

/// Bytes of `YYYY-MM-DDThh:mm:ss`.
const SECONDS_END: usize = 19;

/// Most digits of a fraction of a second.
const FRACTION_DIGITS_MAX: usize = 9;

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + i64::from(digit - b'0'))
    })
}

/// Days since 0001-01-01, if there is such a day.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    const LENGTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let before = usize::try_from(month - 1).ok()?;
    let length = *LENGTHS.get(before)? + i64::from(leap && month == 2);
    if year < 1 || !(1..=length).contains(&day) {
        return None;
    }
    let years = year - 1;
    let leap_days = years / 4 - years / 100 + years / 400 + i64::from(leap && month > 2);
    Some(years * 365 + leap_days + LENGTHS[..before].iter().sum::<i64>() + day - 1)
}

/// Where the fraction of `.5+02:00` ends; none if it is a dot without digits or has too many.
fn fraction_end(zone: &str) -> Option<usize> {
    let Some(rest) = zone.strip_prefix('.') else {
        return Some(0);
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    (1..=FRACTION_DIGITS_MAX)
        .contains(&digits)
        .then_some(digits + 1)
}

fn nanoseconds(fraction: &str) -> Option<i64> {
    let digits = fraction.strip_prefix('.').unwrap_or("");
    let missing = u32::try_from(FRACTION_DIGITS_MAX - digits.len()).ok()?;
    Some(number(digits.as_bytes())? * 10_i64.pow(missing))
}

/// Minutes that `+02:00` is ahead of UTC.
fn offset_minutes(offset: &str) -> Option<i64> {
    let bytes = offset.as_bytes();
    let sign = match bytes {
        b"Z" => return Some(0),
        [b'+', _, _, b':', _, _] => 1,
        [b'-', _, _, b':', _, _] => -1,
        _ => return None,
    };
    let (hours, minutes) = (number(&bytes[1..3])?, number(&bytes[4..6])?);
    let ahead = hours * 60 + minutes;
    (minutes < 60 && ahead <= 14 * 60).then_some(sign * ahead)
}
