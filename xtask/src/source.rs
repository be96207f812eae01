//! A Rust file as the lint and the trace see it: code with comments and literals blanked, the line
//! comments, and which lines are test code.
//!
//! This is a scanner, not a parser: it knows strings, characters, comments and braces, no grammar.
//! Offsets and line numbers are the same in `raw` and `code`.

/// One scanned file.
pub(crate) struct Source {
    /// The file as it is.
    pub(crate) raw: String,
    /// The same length, with comments and the insides of literals replaced by blanks.
    pub(crate) code: String,
    /// Each `//` comment, in order.
    pub(crate) comments: Vec<Comment>,
    /// Modules that are declared `#[cfg(test)] mod name;` here and live in a file of their own.
    pub(crate) test_modules: Vec<String>,
    line_starts: Vec<usize>,
    test_ranges: Vec<(usize, usize)>,
}

/// One `//` comment: its line, from 0, and its text from the slashes on.
pub(crate) struct Comment {
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl Source {
    /// Scans a file's text. Never fails: what it does not understand it takes for code.
    pub(crate) fn scan(raw: String) -> Self {
        let line_starts: Vec<usize> = std::iter::once(0)
            .chain(raw.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        let (code, comment_ranges) = blank(&raw);
        let comments = comment_ranges
            .into_iter()
            .map(|(from, to)| Comment {
                line: line_at(&line_starts, from),
                text: raw[from..to].trim_end().to_owned(),
            })
            .collect();
        let (test_ranges, test_modules) = test_code(&code);
        Self {
            raw,
            code,
            comments,
            test_modules,
            line_starts,
            test_ranges,
        }
    }

    /// The line, from 0, of an offset.
    pub(crate) fn line(&self, offset: usize) -> usize {
        line_at(&self.line_starts, offset)
    }

    /// How many lines the file has.
    pub(crate) fn lines(&self) -> usize {
        self.raw.lines().count()
    }

    /// True when the offset lies in an item marked `#[cfg(test)]` or in a test function.
    pub(crate) fn is_test(&self, offset: usize) -> bool {
        self.test_ranges
            .iter()
            .any(|&(from, to)| (from..to).contains(&offset))
    }

    /// The blanked code of a line, from 0; empty beyond the end.
    pub(crate) fn code_line(&self, line: usize) -> &str {
        let Some(&from) = self.line_starts.get(line) else {
            return "";
        };
        let to = self
            .line_starts
            .get(line + 1)
            .copied()
            .unwrap_or(self.code.len());
        &self.code[from..to]
    }
}

/// The offset after the item that begins at `from`: after its `;`, or after the brace that closes it.
pub(crate) fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    let mut braces = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'{' => braces += 1,
            b'}' if braces <= 1 => return offset + 1,
            b'}' => braces -= 1,
            b';' if depth == 0 && braces == 0 => return offset + 1,
            _ => {}
        }
    }
    code.len()
}

/// True for a byte that may stand in an identifier.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn line_at(line_starts: &[usize], offset: usize) -> usize {
    line_starts
        .partition_point(|&start| start <= offset)
        .saturating_sub(1)
}

/// The text with comments and literals blanked, and where the line comments were.
fn blank(raw: &str) -> (String, Vec<(usize, usize)>) {
    let bytes = raw.as_bytes();
    let mut code = bytes.to_vec();
    let mut comments = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let Some(token) = Opaque::at(bytes, at) else {
            at += 1;
            continue;
        };
        if token.is_line_comment {
            comments.push((token.from, token.to));
        }
        for byte in &mut code[token.from..token.to] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = token.next;
    }
    (String::from_utf8_lossy(&code).into_owned(), comments)
}

/// A comment or literal: what of it is to be blanked, and where code goes on.
struct Opaque {
    from: usize,
    to: usize,
    next: usize,
    is_line_comment: bool,
}

impl Opaque {
    fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let comment = |next, is_line_comment| Self {
            from: at,
            to: next,
            next,
            is_line_comment,
        };
        let rest = &bytes[at..];
        match rest[0] {
            b'/' if rest.starts_with(b"//") => Some(comment(line_end(bytes, at), true)),
            b'/' if rest.starts_with(b"/*") => Some(comment(block_comment_end(bytes, at), false)),
            b'"' => {
                let (to, next) = string_end(bytes, at);
                Some(Self {
                    from: at + 1,
                    to,
                    next,
                    is_line_comment: false,
                })
            }
            b'\'' => {
                let to = character_end(bytes, at)?;
                Some(Self {
                    from: at + 1,
                    to,
                    next: to + 1,
                    is_line_comment: false,
                })
            }
            _ => None,
        }
    }
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|&byte| byte == b'\n')
        .map_or(bytes.len(), |length| at + length)
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// Where the inside of the string that opens at `quote` ends, and where code goes on.
fn string_end(bytes: &[u8], quote: usize) -> (usize, usize) {
    let hashes = bytes[..quote]
        .iter()
        .rev()
        .take_while(|&&byte| byte == b'#')
        .count();
    if is_raw_string(&bytes[..quote - hashes]) {
        let mut close = vec![b'"'];
        close.resize(hashes + 1, b'#');
        let inside = &bytes[quote + 1..];
        return match inside
            .windows(close.len())
            .position(|window| window == close)
        {
            Some(length) => (quote + 1 + length, quote + 1 + length + close.len()),
            None => (bytes.len(), bytes.len()),
        };
    }
    let mut at = quote + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    let end = at.min(bytes.len());
    (end, (end + 1).min(bytes.len()))
}

/// True when what stands before the hashes is `r`, `br` or `cr` and no longer word.
fn is_raw_string(before: &[u8]) -> bool {
    let Some(before) = before.strip_suffix(b"r") else {
        return false;
    };
    let before = before
        .strip_suffix(b"b")
        .or_else(|| before.strip_suffix(b"c"))
        .unwrap_or(before);
    !before.last().is_some_and(|&byte| is_word(byte))
}

/// The offset of the closing quote of a character literal; `None` for a lifetime.
fn character_end(bytes: &[u8], quote: usize) -> Option<usize> {
    let inside = &bytes[quote + 1..];
    if inside.first() == Some(&b'\\') {
        let close = inside.iter().skip(2).position(|&byte| byte == b'\'')?;
        return Some(quote + 3 + close);
    }
    let first = std::str::from_utf8(&inside[..inside.len().min(4)])
        .or_else(|error| std::str::from_utf8(&inside[..error.valid_up_to()]))
        .ok()?
        .chars()
        .next()?;
    (inside.get(first.len_utf8()) == Some(&b'\'')).then(|| quote + 1 + first.len_utf8())
}

/// Where test code lies, and the names of the test modules that live in other files.
fn test_code(code: &str) -> (Vec<(usize, usize)>, Vec<String>) {
    const MARKS: [&str; 5] = [
        "#[cfg(test)]",
        "#[cfg(all(test",
        "#[cfg(any(test",
        "#[test]",
        "#[tokio::test",
    ];
    let mut ranges = Vec::new();
    let mut modules = Vec::new();
    if code.contains("#![cfg(test)]") {
        ranges.push((0, code.len()));
    }
    for mark in MARKS {
        for (start, _) in code.match_indices(mark) {
            let end = item_end(code, start);
            ranges.push((start, end));
            modules.extend(outline_module(&code[start..end]));
        }
    }
    (ranges, modules)
}

/// The name in `… mod name;`.
fn outline_module(item: &str) -> Option<String> {
    let declaration = item.strip_suffix(';')?;
    let (_, name) = declaration.rsplit_once("mod ")?;
    let name = name.trim();
    name.bytes().all(is_word).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(raw: &str) -> String {
        Source::scan(raw.to_owned()).code
    }

    #[test]
    fn comments_and_literals_are_blanked_and_nothing_moves() {
        assert_eq!(code("a // b\nc"), "a     \nc");
        assert_eq!(code("a /* b /* c */ d */ e"), "a                   e");
        assert_eq!(code(r#"f("a\"b", 1)"#), r#"f("    ", 1)"#);
        assert_eq!(
            code("g('x', '\\'', '\\u{41}', 'é')"),
            "g(' ', '  ', '      ', '  ')"
        );
        assert_eq!(code("fn f<'a>(x: &'a str) {}"), "fn f<'a>(x: &'a str) {}");
        assert_eq!(code("r#\"a \"b\" c\"# ;"), "r#\"       \"# ;");
        assert_eq!(code("var\"x\""), "var\" \"");
        assert_eq!(code("\"never closed"), "\"            ");
    }

    #[test]
    fn slashes_in_strings_are_no_comments() {
        let source = Source::scan("let a = \"// no\"; // yes\n/// doc".to_owned());
        let found: Vec<_> = source
            .comments
            .iter()
            .map(|c| (c.line, c.text.as_str()))
            .collect();
        assert_eq!(found, [(0, "// yes"), (1, "/// doc")]);
    }

    #[test]
    fn test_code_is_told_from_the_rest() {
        let raw = "fn a() { x(); }\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n fn b() { { y(); } }\n}\nfn c() { z(); }\n";
        let source = Source::scan(raw.to_owned());
        let at = |needle: &str| raw.find(needle).map(|offset| source.is_test(offset));
        assert_eq!(
            (at("x();"), at("y();"), at("z();")),
            (Some(false), Some(true), Some(false))
        );
    }

    #[test]
    fn test_modules_in_their_own_file_are_named() {
        let source = Source::scan(
            "#[cfg(test)]\nmod tests;\n#[cfg(test)]\npub(crate) mod scene;\nmod other;".to_owned(),
        );
        assert_eq!(source.test_modules, ["tests", "scene"]);
    }
}
