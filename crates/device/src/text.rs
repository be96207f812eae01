//! Texts of the host made fit for a parameter.

/// `bytes` as a text of at most `characters_max` characters: what is no UTF-8 is replaced, control
/// characters become blanks, and blanks and NULs around it go.
pub(crate) fn fit(bytes: &[u8], characters_max: u32) -> String {
    let text = String::from_utf8_lossy(bytes);
    let trimmed =
        text.trim_matches(|character: char| character.is_whitespace() || character == '\0');
    trimmed
        .chars()
        .take(usize::try_from(characters_max).unwrap_or(usize::MAX))
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect()
}

/// A number as an unsignedInt; the greatest one where it is greater.
pub(crate) fn unsigned_int(number: u64) -> String {
    number.min(u64::from(u32::MAX)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_parameter_cannot_show_is_replaced() {
        assert_eq!(fit(b"\0 a\x07b\xffc \n\0", 64), "a b\u{fffd}c");
        assert_eq!(fit("ääää".as_bytes(), 3), "äää");
        assert_eq!(fit(b" \n", 3), "");
    }

    #[test]
    fn numbers_stay_in_their_type() {
        assert_eq!(unsigned_int(u64::MAX), "4294967295");
        assert_eq!(unsigned_int(7), "7");
    }
}
