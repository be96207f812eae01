//! The language of dhclient's files: statements that end in semicolons, and blocks of them.

use tz::UtcDateTime;

use super::leases::Expiry;
use crate::limits::LEASE_DEPTH_MAX;

/// Something in a file.
#[derive(Debug, PartialEq)]
pub(crate) enum Event<'a> {
    /// A block begins after these words.
    Open(Vec<&'a str>),
    /// Words up to a semicolon.
    Statement(Vec<&'a str>),
    /// The block ends.
    Close,
}

/// Everything in `text`, in order; what is not closed at its end is left out. Commas count as blanks.
pub(crate) fn events(text: &str) -> Vec<Event<'_>> {
    let mut events = Vec::new();
    let mut words = Vec::new();
    let mut depth = 0;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' => {
                let end = rest[1..].find('"').map_or(rest.len(), |end| end + 1);
                words.push(&rest[1..end]);
                (end + 1).min(rest.len())
            }
            '{' => {
                depth += 1;
                if depth > LEASE_DEPTH_MAX {
                    return events;
                }
                events.push(Event::Open(core::mem::take(&mut words)));
                1
            }
            '}' => {
                words.clear();
                if depth > 0 {
                    depth -= 1;
                    events.push(Event::Close);
                }
                1
            }
            ';' => {
                events.push(Event::Statement(core::mem::take(&mut words)));
                1
            }
            blank if is_blank(blank) => blank.len_utf8(),
            _ => {
                let ends = |character: char| is_blank(character) || "\"{};#".contains(character);
                let end = rest.find(ends).unwrap_or(rest.len());
                words.push(&rest[..end]);
                end
            }
        };
        rest = &rest[length..];
    }
    events
}

/// `4 2026/01/01 12:00:00`, in UTC after the day of the week; `epoch 1767225600`; `never`.
pub(crate) fn time(words: &[&str]) -> Expiry {
    match words {
        ["never"] => Expiry::Never,
        ["epoch", seconds] => seconds.parse().map_or(Expiry::Unknown, Expiry::At),
        [_, date, time] => unix(date, time).map_or(Expiry::Unknown, Expiry::At),
        _ => Expiry::Unknown,
    }
}

fn unix(date: &str, time: &str) -> Option<i64> {
    let mut date = date.split('/');
    let year = date.next()?.parse().ok()?;
    let (month, day) = (date.next()?.parse().ok()?, date.next()?.parse().ok()?);
    let mut time = time.split(':');
    let hour = time.next()?.parse().ok()?;
    let (minute, second) = (time.next()?.parse().ok()?, time.next()?.parse().ok()?);
    let time = UtcDateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    Some(time.unix_time())
}

fn is_blank(character: char) -> bool {
    character.is_whitespace() || character == ','
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_and_blocks_are_told_apart() {
        let text = "a b,\tc; # d;\n e { \"f ; }\" g; } } h";
        assert_eq!(
            events(text),
            [
                Event::Statement(vec!["a", "b", "c"]),
                Event::Open(vec!["e"]),
                Event::Statement(vec!["f ; }", "g"]),
                Event::Close,
            ]
        );
        assert_eq!(events("\"").len(), 0);
        assert!(events(&"{".repeat(1000)).len() <= LEASE_DEPTH_MAX);
    }

    #[test]
    fn times_are_in_utc() {
        assert_eq!(
            time(&["4", "2026/01/01", "12:00:00"]),
            Expiry::At(1_767_268_800)
        );
        assert_eq!(time(&["epoch", "7"]), Expiry::At(7));
        assert_eq!(time(&["never"]), Expiry::Never);
        assert_eq!(time(&["4", "2026/13/01", "12:00:00"]), Expiry::Unknown);
    }
}
