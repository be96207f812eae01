//! `NAME=VALUE` as it is typed. Names may hold search expressions, whose `=` and `.` do not count.

use crate::failure::Failure;

/// Splits at the first `=` outside brackets.
pub(super) fn split(text: &str) -> Result<(&str, &str), Failure> {
    match outside_brackets(text, b'=').next() {
        Some(at) if at > 0 => Ok((&text[..at], &text[at + 1..])),
        _ => Err(
            Failure::usage(format_args!("{text}: NAME=VALUE is expected"))
                .advise("quote it for the shell where it has blanks or brackets"),
        ),
    }
}

/// Splits the path of a parameter into its object, with the final `.`, and its name.
pub(super) fn parameter(path: &str) -> Result<(&str, &str), Failure> {
    match outside_brackets(path, b'.').last() {
        Some(at) if at + 1 < path.len() => Ok(path.split_at(at + 1)),
        _ => Err(Failure::usage(format_args!(
            "{path}: the full path of a parameter is expected, such as Device.Time.Enable"
        ))),
    }
}

/// Where `wanted` stands outside brackets and the quotes inside them.
fn outside_brackets(text: &str, wanted: u8) -> impl Iterator<Item = usize> {
    let (mut depth, mut quoted) = (0_usize, false);
    text.bytes().enumerate().filter_map(move |(at, byte)| {
        match byte {
            b'"' if depth > 0 => quoted = !quoted,
            b'[' if !quoted => depth += 1,
            b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        (byte == wanted && depth == 0).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_signs_of_searches_do_not_split() {
        let split = |text| split(text).map_err(|failure| failure.message);
        assert_eq!(split("A.B=c=d"), Ok(("A.B", "c=d")));
        assert_eq!(split("A.B="), Ok(("A.B", "")));
        assert_eq!(
            split(r#"A.[X=="]=" && Y!=1].B=v"#),
            Ok((r#"A.[X=="]=" && Y!=1].B"#, "v"))
        );
        assert!(split("A.B").is_err());
        assert!(split("=c").is_err());
        assert!(split(r#"A.[X=="1"]"#).is_err());
    }

    #[test]
    fn the_last_dot_outside_brackets_ends_the_object() {
        let parameter = |path| parameter(path).map_err(|failure| failure.message);
        assert_eq!(parameter("Device.A.B"), Ok(("Device.A.", "B")));
        assert_eq!(
            parameter(r#"Device.A.[X.Y=="1.2"].B"#),
            Ok((r#"Device.A.[X.Y=="1.2"]."#, "B"))
        );
        assert!(parameter("Device.A.").is_err());
        assert!(parameter("B").is_err());
    }
}
