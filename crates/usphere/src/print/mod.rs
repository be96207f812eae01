//! From outcomes to what stands on the terminal: aligned text, a tree, or JSON.
//!
//! What was done goes to stdout, what failed to stderr. No character of a device reaches a terminal as a
//! control character.

pub(crate) mod audit;
mod changes;
pub(crate) mod contacts;
pub(crate) mod devices;
pub(crate) mod log;
pub(crate) mod notifications;
pub(crate) mod operations;
mod schema;
pub(crate) mod subscriptions;
pub(crate) mod tokens;
mod values;

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};

use comfy_table::{Cell, ContentArrangement, Table, presets};
use owo_colors::OwoColorize;
use serde::Serialize;
use usphere_datamodel::operation::{GetOutcome, Operation, Outcome, ParameterFailure, Refusal};
use usphere_proto::code_name;

use crate::failure::{Exit, Failure};
use crate::log::is_coloured;

const INSTANCES: &str = "`usphere instances` shows which there are";

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

/// Prints what one of many devices has told, each line with its name. Where `is_told` that was printed already, and
/// only what failed is.
pub(crate) fn told_by(device: &str, outcome: &GetOutcome, is_told: bool) -> Result<Exit, Failure> {
    let rendered = values::got(outcome);
    let device = clean(device);
    if !is_told {
        let lines = rendered.text.lines();
        text(&lines.fold(String::new(), |all, line| {
            all + &device + "  " + line + "\n"
        }))?;
    }
    for line in rendered.notes.iter().chain(&rendered.failures) {
        eprintln!("{device}: {line}");
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

/// The text without control characters: what a peer sends must not move the cursor, nor turn around what stands beside.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() || turns(character) {
            true => clean.extend(character.escape_default()),
            false => clean.push(character),
        }
    }
    clean
}

/// Whether a character changes the direction of those around it, so that they look like something else.
fn turns(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What to do about an error of a device.
pub(crate) fn advice(code: u32, text: &str) -> Option<&'static str> {
    match code {
        7016 => Some(INSTANCES),
        7026 if text.contains("instance") => Some(INSTANCES),
        7006 => Some("the role that the device gives this Controller does not permit it"),
        7026 => Some("`usphere schema` shows what the device has"),
        _ => None,
    }
}

/// A refusal in words: a headline, then a line for each parameter that was a cause.
pub(crate) fn refusal(refusal: &Refusal) -> String {
    let parameters = refusal.parameters.iter();
    let headline = told("", refusal.code, summary(&refusal.text, parameters.clone()));
    let mut lines = vec![format!("the device refused: {headline}")];
    for each in parameters {
        let line = format!("  {}", told(&each.parameter, each.code, &each.text));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// A device's words for the whole, without those that it says again of each parameter.
fn summary<'a>(text: &'a str, causes: impl IntoIterator<Item = &'a ParameterFailure>) -> &'a str {
    let is_repeated =
        |cause: &ParameterFailure| !cause.text.is_empty() && text.contains(&cause.text);
    match causes.into_iter().any(is_repeated) {
        true => "",
        false => text,
    }
}

/// One line for something that failed, with what to do about it.
fn failed(what: &str, code: u32, text: &str) -> String {
    let mut line = told(what, code, text);
    if let Some(advice) = advice(code, text) {
        let _ = write!(line, "; {advice}");
    }
    line
}

/// What failed, why, and the code. Many devices begin their text with the path.
fn told(what: &str, code: u32, text: &str) -> String {
    let subject = match what.is_empty() || text.starts_with(what) {
        true => String::new(),
        false => format!("{}: ", clean(what)),
    };
    match text {
        "" => format!("{subject}{} ({code})", code_name(code)),
        text => format!("{subject}{} ({code}, {})", clean(text), code_name(code)),
    }
}

/// Aligned columns; the last is not padded. The head, where there is one, is bold on a terminal.
pub(crate) fn columns(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
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
        assert_eq!(clean("gw-\u{202e}1"), "gw-\\u{202e}1");
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
    fn a_refusal_says_each_cause_once() {
        let cause = ParameterFailure {
            parameter: "Device.X.A".into(),
            code: 7013,
            text: "is read-only".into(),
        };
        let mut refused = Refusal {
            code: 7021,
            text: "Device.X.: not updated, because of Device.X.A: is read-only".into(),
            parameters: vec![cause.clone(), cause],
        };
        let name = |code| code_name(code);
        let line = format!("\n  Device.X.A: is read-only (7013, {})", name(7013));
        assert_eq!(
            refusal(&refused),
            format!("the device refused: {} (7021){line}", name(7021))
        );
        refused.text = "no".into();
        assert_eq!(
            refusal(&refused),
            format!("the device refused: no (7021, {}){line}", name(7021))
        );
    }

    #[test]
    fn a_missing_instance_is_looked_for_among_the_instances() {
        let line = failed("Device.X.9.", 7026, "there is no such instance");
        assert!(line.ends_with(INSTANCES), "{line}");
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
