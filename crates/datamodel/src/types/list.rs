//! Comma-separated lists (TR-106 3.2.2): blanks around commas mean nothing; a comma, percent sign or blank that
//! belongs to an item is percent-encoded.

use std::borrow::Cow;

/// The items of a list as they are written, without the blanks around them. An empty text is an empty list.
pub fn written_items(list: &str) -> impl Iterator<Item = &str> {
    let blank = list.trim_matches(BLANKS).is_empty();
    list.split(',')
        .map(|item| item.trim_matches(BLANKS))
        .skip(usize::from(blank))
}

/// The items of a list, decoded.
pub fn items(list: &str) -> impl Iterator<Item = Cow<'_, str>> {
    written_items(list).map(decode)
}

/// A list of `items`, each encoded.
pub fn join<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let mut list = String::new();
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            list.push(',');
        }
        encode(item, &mut list);
    }
    list
}

/// An item as it is meant. Only what [`join`] writes is decoded: any other percent sign stands for itself, so
/// that a path name with escapes of its own (`[Alias=="%22"]`) survives.
pub fn decode(item: &str) -> Cow<'_, str> {
    if !item.contains('%') {
        return Cow::Borrowed(item);
    }
    let mut plain = String::with_capacity(item.len());
    let mut rest = item;
    while let Some(start) = rest.find('%') {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let known = ENCODED.iter().find(|(code, _)| {
            rest.get(..3)
                .is_some_and(|found| found.eq_ignore_ascii_case(code))
        });
        let (code, character) = known.copied().unwrap_or(("%", '%'));
        plain.push(character);
        rest = &rest[code.len()..];
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

const ENCODED: [(&str, char); 6] = [
    ("%2C", ','),
    ("%25", '%'),
    ("%20", ' '),
    ("%09", '\t'),
    ("%0A", '\n'),
    ("%0D", '\r'),
];

/// Writes an item. Blanks inside stay readable; those at its ends would be lost.
fn encode(item: &str, list: &mut String) {
    let inside =
        item.len() - item.trim_start_matches(BLANKS).len()..item.trim_end_matches(BLANKS).len();
    for (at, character) in item.char_indices() {
        let code = ENCODED.iter().find(|(_, plain)| *plain == character);
        match code {
            Some((code, plain)) if !BLANKS.contains(plain) || !inside.contains(&at) => {
                list.push_str(code)
            }
            _ => list.push(character),
        }
    }
}
