//! What an Operation is called: `op-` and its number in hexadecimal digits, so that names sort as numbers do.

use std::fmt;
use std::str::FromStr;

const PREFIX: &str = "op-";

/// Digits of every name.
const DIGITS: usize = 16;

/// Bits of a number below the milliseconds at which it was given.
const SERIAL_BITS: u32 = 16;

/// The number of an Operation. Later ones have higher numbers.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Number(pub(crate) i64);

/// The text names no Operation.
#[derive(Debug)]
pub(crate) struct NoName;

impl Number {
    /// The number after `last`, which no earlier life of the server gave either: also what it gave and did
    /// not keep was given before `now`.
    pub(super) fn after(last: Self, now: i64) -> Self {
        let from_time = now.max(0).saturating_mul(1 << SERIAL_BITS);
        Self(last.0.saturating_add(1).max(from_time))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{:016x}", self.0)
    }
}

impl FromStr for Number {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let digits = text.strip_prefix(PREFIX).ok_or(NoName)?;
        if digits.len() != DIGITS || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(NoName);
        }
        i64::from_str_radix(digits, 16)
            .map(Self)
            .map_err(|_| NoName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_and_sorts_as_its_number_does() {
        let first = Number::after(Number(0), 1_700_000_000_000);
        let second = Number::after(first, 1_700_000_000_000);
        let earlier = Number::after(second, 5);
        assert!(first < second && second < earlier);
        assert!(first.to_string() < second.to_string());
        assert_eq!(second.to_string().parse::<Number>().unwrap(), second);
        for wrong in [
            "",
            "op-",
            "op-1",
            "17",
            "op-ffffffffffffffff",
            "op-+00000000000001",
        ] {
            assert!(wrong.parse::<Number>().is_err(), "{wrong}");
        }
    }
}
