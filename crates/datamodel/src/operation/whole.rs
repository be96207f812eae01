//! Whole numbers as JSON has them: `3.0` is 3.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// The largest number that a double has exactly, with all below it.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Reads a whole number, for `deserialize_with`. Some clients write one as `3.0`, which in JSON is the same.
///
/// # Errors
/// For what is negative, no whole number, or more than `T` holds.
pub fn whole<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    deserializer.deserialize_u64(Whole(PhantomData))
}

struct Whole<T>(PhantomData<T>);

impl<T: TryFrom<u64>> Visitor<'_> for Whole<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = 8 * size_of::<T>();
        write!(f, "a whole number from 0 on, of at most {bits} bits")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        T::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        let is_whole = number.fract() == 0.0 && (0.0..=EXACT_MAX).contains(&number);
        if !is_whole {
            return Err(E::invalid_value(Unexpected::Float(number), &self));
        }
        // Writing it without its fraction is exact, as its type is not.
        let text = format!("{number:.0}");
        let number = text.parse().map_err(E::custom)?;
        self.visit_u64(number)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Number(#[serde(deserialize_with = "super::whole")] u32);

    fn read(text: &str) -> Option<u32> {
        let read: Result<Number, _> = serde_json::from_str(text);
        read.ok().map(|Number(number)| number)
    }

    #[test]
    fn a_fraction_of_nothing_is_none() {
        assert_eq!(read("3"), Some(3));
        assert_eq!(read("3.0"), Some(3));
        assert_eq!(read("4294967295.0"), Some(u32::MAX));
        for wrong in [
            "-1",
            "-1.0",
            "0.5",
            "4294967296",
            "4294967296.0",
            "1e300",
            "\"3\"",
            "null",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
