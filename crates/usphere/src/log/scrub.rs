//! The last look at a line before it is written: what is secret does not leave the process, and one event is one line,
//! whatever a device says.
//!
//! Nothing here is meant to log a secret in the first place; this is for the day on which something does, a library at
//! the level `trace` for example.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// What is written instead.
const MASK: &[u8] = "…".as_bytes();

/// What comes before something secret, in lower case.
const BEFORE: [&[u8]; 5] = [
    b"bearer ",
    b"passphrase=",
    b"password=",
    b"private key-----",
    b"secret=",
];

/// Shorter ones would be found everywhere.
const SECRET_BYTES_MIN: usize = 8;

/// Writes lines to stderr, without what is secret.
#[derive(Clone, Debug, Default)]
pub(super) struct Scrubbed {
    secrets: Arc<Mutex<Vec<String>>>,
}

impl Scrubbed {
    /// This text is not to be in any line from now on.
    pub(super) fn hide(&self, secret: &str) {
        if secret.len() >= SECRET_BYTES_MIN {
            let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
            secrets.push(secret.to_owned());
        }
    }
}

impl<'a> MakeWriter<'a> for Scrubbed {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(self.clone())
    }
}

/// Writes one line.
#[derive(Debug)]
pub(super) struct Line(Scrubbed);

impl Write for Line {
    /// The whole line comes at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let secrets = self
            .0
            .secrets
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        io::stderr().write_all(&scrub(&joined(line), &secrets))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The same in one line: nobody writes lines of the log but this process.
fn joined(line: &[u8]) -> Cow<'_, [u8]> {
    let (text, end) = match line {
        [text @ .., b'\n'] => (text, "\n"),
        text => (text, ""),
    };
    if !text.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return Cow::Borrowed(line);
    }
    let mut joined = Vec::with_capacity(line.len() + 8);
    for byte in text {
        match byte {
            b'\n' => joined.extend(b"\\n"),
            b'\r' => joined.extend(b"\\r"),
            other => joined.push(*other),
        }
    }
    joined.extend(end.as_bytes());
    Cow::Owned(joined)
}

fn scrub<'a>(line: &'a [u8], secrets: &[String]) -> Cow<'a, [u8]> {
    let mut clean = Cow::Borrowed(line);
    for secret in secrets {
        while let Some(at) = find(&clean, secret.as_bytes()) {
            mask(&mut clean, at, secret.len());
        }
    }
    for before in BEFORE {
        let mut from = 0;
        while let Some(at) = find(&clean[from..], before) {
            let begin = from + at + before.len();
            let quotes = clean[begin..]
                .iter()
                .take_while(|byte| is_quote(**byte))
                .count();
            let begin = begin + quotes;
            let length = clean[begin..]
                .iter()
                .take_while(|byte| !ends(**byte))
                .count();
            if length > 0 {
                mask(&mut clean, begin, length);
            }
            from = begin;
        }
    }
    clean
}

fn mask(line: &mut Cow<'_, [u8]>, at: usize, length: usize) {
    drop(line.to_mut().splice(at..at + length, MASK.iter().copied()));
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'\'')
}

fn ends(byte: u8) -> bool {
    byte.is_ascii_whitespace() || is_quote(byte) || matches!(byte, b',' | b'&' | b'}' | b')')
}

/// Where a text in lower case is, in any case.
fn find(line: &[u8], text: &[u8]) -> Option<usize> {
    line.windows(text.len())
        .position(|part| part.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that puts a line break into its words does not write a line of its own.
    #[test]
    fn an_event_is_one_line() {
        let forged = b"WARN it refused: no\r\nINFO root let me in\n";
        let clean = joined(forged);
        let expected = "WARN it refused: no\\r\\nINFO root let me in\n";
        assert_eq!(String::from_utf8_lossy(&clean), expected);
        assert!(matches!(joined(b"a line\n"), Cow::Borrowed(b"a line\n")));
    }

    #[test]
    fn secrets_are_masked_and_the_rest_stays() {
        let secrets = ["0123456789abcdef".to_owned()];
        for (line, expected) in [
            ("a line with nothing in it\n", "a line with nothing in it\n"),
            (
                "the token 0123456789abcdef, twice 0123456789abcdef\n",
                "the token …, twice …\n",
            ),
            (
                "headers={\"authorization\": \"Bearer abc.DEF-1\"} end\n",
                "headers={\"authorization\": \"Bearer …\"} end\n",
            ),
            (
                "url=wss://h/?password=pw&x=1 BEARER x\n",
                "url=wss://h/?password=…&x=1 BEARER …\n",
            ),
            ("secret=\"s p\" bearer \n", "secret=\"… p\" bearer \n"),
            (
                "-----BEGIN PRIVATE KEY-----\\nMIIB\n",
                "-----BEGIN PRIVATE KEY-----\\…\n",
            ),
        ] {
            let clean = scrub(line.as_bytes(), &secrets);
            assert_eq!(String::from_utf8_lossy(&clean), expected);
        }
    }
}
