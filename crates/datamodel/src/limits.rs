//! Every bound on what comes from outside, in one place, and how much of a bad value is shown.
//!
//! A bound is checked before the work it bounds; nothing here grows with the input.

use std::fmt;

/// Longest path name that is read, in bytes.
pub const PATH_BYTES_MAX: usize = 8 * 1024;

/// Most segments (names, instances, references to follow) of one path name.
pub const SEGMENTS_MAX: usize = 64;

/// Most comparisons joined by `&&` in one search expression.
pub const COMPARISONS_MAX: usize = 32;

/// Longest name of an object, parameter, command or event, in bytes (TR-106).
pub const NAME_BYTES_MAX: usize = 256;

/// Longest value of one parameter, in bytes, whatever its type allows.
pub const VALUE_BYTES_MAX: usize = 256 * 1024;

/// Most digits of a decimal number, superfluous zeros not counted.
pub const DECIMAL_DIGITS_MAX: usize = 64;

/// Most rows of one table.
pub const ROWS_MAX: usize = 10_000;

/// Most objects that requests can make the Tree hold.
pub const OBJECTS_MAX: usize = 200_000;

/// Most rows that owners gave and took away again whose instance numbers are remembered.
pub const NUMBERS_ABSENT_MAX: usize = 4_096;

/// How many objects one plan may look at while it resolves paths: a wildcard behind a wildcard, a
/// search through lists of references. Far more than a device has, and done in well under a second.
pub const RESOLVING_STEPS_MAX: u32 = 1_000_000;

/// Most matches of one path.
pub const TARGETS_MAX: usize = 65_536;

/// How often a plan is run again because of what it still has to ask; a plan that needs more than
/// this is refused.
pub const PLAN_ROUNDS_MAX: u32 = 16;

/// Most plans that wait for owners or for the store at once.
pub const PLANS_WAITING_MAX: usize = 4_096;

/// How often a unit is asked for anew because a request changed it meanwhile.
pub const FETCHES_OVERTAKEN_MAX: u32 = 3;

/// Most characters of a bad value that a message shows.
pub const SHOWN_CHARACTERS_MAX: usize = 64;

/// The start of a text from outside, kept for a message. Shown in quotes, control characters escaped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Clipped {
    start: Box<str>,
    whole: bool,
}

impl Clipped {
    /// Keeps the first [`SHOWN_CHARACTERS_MAX`] characters of `text`.
    pub fn new(text: &str) -> Self {
        let end = text
            .char_indices()
            .nth(SHOWN_CHARACTERS_MAX)
            .map_or(text.len(), |(at, _)| at);
        Self {
            start: text[..end].into(),
            whole: end == text.len(),
        }
    }

    /// Whether there was no text.
    pub fn is_empty(&self) -> bool {
        self.start.is_empty()
    }
}

impl fmt::Display for Clipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\"{}{}\"",
            self.start.escape_debug(),
            if self.whole { "" } else { "…" }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipped_counts_characters_and_escapes_controls() {
        assert_eq!(Clipped::new("a\nb").to_string(), r#""a\nb""#);
        assert_eq!(
            Clipped::new(&"ä".repeat(64)).to_string(),
            format!("\"{}\"", "ä".repeat(64))
        );
        assert_eq!(
            Clipped::new(&"ä".repeat(65)).to_string(),
            format!("\"{}…\"", "ä".repeat(64))
        );
    }
}
