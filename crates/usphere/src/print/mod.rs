//! From outcomes to what stands on the terminal: aligned text, a tree, or JSON.
//!
//! What was done goes to stdout, what failed to stderr. No character of a device reaches a terminal as a
//! control character.

mod changes;
pub(crate) mod devices;
mod schema;
mod values;

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};

use comfy_table::{Cell, ContentArrangement, Table, presets};
use owo_colors::OwoColorize;
use serde::Serialize;
use usphere_datamodel::operation::{Operation, Outcome};
use usphere_proto::code_name;

use crate::failure::{Exit, Failure};
use crate::log::is_coloured;

/// What an outcome looks like.
#[derive(Debug, Default)]
struct Rendered {
    /// What was done or found.
    text: String,
    /// What nothing fits, a line each.
    notes: Vec<String>,
    /// What failed, a line each.
    failures: Vec<String>,
}

/// Prints what came of an operation. Anything in it that failed makes the exit code. That nothing fits a
/// search is told on stderr, so that a pipe gets results only; JSON says it by itself.
pub(crate) fn outcome(
    operation: &Operation,
    outcome: &Outcome,
    as_json: bool,
) -> Result<Exit, Failure> {
    let rendered = render(operation, outcome);
    if as_json {
        json(outcome)?;
    } else {
        text(&rendered.text)?;
        rendered.notes.iter().for_each(|note| eprintln!("{note}"));
    }
    let is_coloured = is_coloured(io::stderr().is_terminal());
    for failure in &rendered.failures {
        match is_coloured {
            true => eprintln!("{}", failure.red()),
            false => eprintln!("{failure}"),
        }
    }
    Ok(match rendered.failures.is_empty() {
        true => Exit::Done,
        false => Exit::Refused,
    })
}

fn render(operation: &Operation, outcome: &Outcome) -> Rendered {
    match outcome {
        Outcome::Add(outcome) => changes::added(outcome),
        Outcome::Delete(outcome) => changes::deleted(outcome),
        Outcome::Get(outcome) => values::got(outcome),
        Outcome::Instances(outcome) => values::instances(outcome),
        Outcome::Operate(outcome) => changes::operated(operation, outcome),
        Outcome::Set(outcome) => changes::set(outcome),
        Outcome::SupportedModel(outcome) => schema::tree(outcome),
        Outcome::SupportedProtocol(outcome) => Rendered {
            text: outcome
                .versions
                .iter()
                .fold(String::new(), |text, version| text + &clean(version) + "\n"),
            ..Rendered::default()
        },
    }
}

fn nothing(requested: &str) -> String {
    format!("nothing fits {}", clean(requested))
}

/// Prints JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<Exit, Failure> {
    let json = serde_json::to_string_pretty(value).map_err(Failure::local)?;
    text(&(json + "\n"))
}

/// Prints text. A reader that has gone away is no failure.
pub(crate) fn text(text: &str) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::local(format_args!("stdout: {error}")))
        }
        _ => Ok(Exit::Done),
    }
}

/// The text without control characters: what a peer sends must not move the cursor.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => clean.extend(character.escape_default()),
            false => clean.push(character),
        }
    }
    clean
}

/// What to do about an error code of a device.
pub(crate) fn advice(code: u32) -> Option<&'static str> {
    match code {
        7006 => Some("the role that the device gives this Controller does not permit it"),
        7026 => Some("`usphere schema` shows what the device has"),
        _ => None,
    }
}

/// One line for something that failed. Many devices begin their text with the path.
fn failed(what: &str, code: u32, text: &str) -> String {
    let subject = match text.starts_with(what) {
        true => String::new(),
        false => format!("{}: ", clean(what)),
    };
    let mut line = format!("{subject}{} ({code}, {})", clean(text), code_name(code));
    if let Some(advice) = advice(code) {
        let _ = write!(line, "; {advice}");
    }
    line
}

/// Aligned columns; the last is not padded. The head, where there is one, is bold on a terminal.
fn columns(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    if !head.is_empty() {
        table.set_header(head.iter().map(Cell::new));
    }
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let is_bold = !head.is_empty() && is_coloured(io::stdout().is_terminal());
    let mut text = String::new();
    for (number, line) in table.lines().enumerate() {
        let line = line.trim_end();
        match is_bold && number == 0 {
            true => text += &line.bold().to_string(),
            false => text += line,
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_device_says_moves_the_cursor() {
        assert_eq!(
            clean("a\u{1b}[2Jb\r\n\u{9b}ü"),
            "a\\u{1b}[2Jb\\r\\n\\u{9b}ü"
        );
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [
            vec!["a".to_owned(), "1".to_owned()],
            vec!["long".to_owned(), String::new()],
        ];
        assert_eq!(columns(&[], rows), "a     1\nlong\n");
        assert_eq!(columns(&[], []), "");
    }

    #[test]
    fn a_failure_names_its_code() {
        let line = failed("Device.X.", 7026, "no such\nobject");
        assert!(
            line.starts_with("Device.X.: no such\\nobject (7026, "),
            "{line}"
        );
        assert!(
            line.ends_with("`usphere schema` shows what the device has"),
            "{line}"
        );
    }
}
