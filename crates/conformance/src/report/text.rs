//! The summary on the terminal.

use std::fmt::Write as _;

use super::{Outcome, Report, Verdict};

impl Report {
    /// The summary: a line for each section, then what has failed or could not be tried.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let width = self
            .by_section()
            .values()
            .map(|(title, _)| title.len())
            .max();
        let width = width.unwrap_or_default().max("together".len());
        // Writing to a String cannot fail.
        let software = match self.software.as_str() {
            "" => "unknown".to_owned(),
            software => shown(software),
        };
        let _ = writeln!(
            text,
            "{}, software {software}, {}, suite {}\n",
            shown(&self.agent),
            self.date,
            super::SUITE
        );
        let _ = writeln!(
            text,
            "{:width$}  {:>6}  {:>6}  {:>14}  {:>12}",
            "", "passed", "failed", "not applicable", "not runnable"
        );
        let mut line = |title: &str, counts: [usize; 4]| {
            let [passed, failed, not_applicable, not_runnable] = counts;
            let _ = writeln!(
                text,
                "{title:width$}  {passed:>6}  {failed:>6}  {not_applicable:>14}  {not_runnable:>12}"
            );
        };
        for (title, counts) in self.by_section().into_values() {
            line(title, counts);
        }
        line("together", Verdict::ALL.map(|verdict| self.count(verdict)));
        for verdict in [Verdict::Failed, Verdict::NotRunnable] {
            self.list(verdict, &mut text);
        }
        if let Some(incomplete) = &self.incomplete {
            let _ = writeln!(text, "\n{}", shown(&incomplete.to_string()));
        }
        text
    }

    fn list(&self, verdict: Verdict, text: &mut String) {
        let these: Vec<&Outcome> = self
            .outcomes
            .iter()
            .filter(|outcome| outcome.result == verdict)
            .collect();
        if these.is_empty() {
            return;
        }
        let _ = writeln!(text, "\n{}:", verdict.name().replace('-', " "));
        for outcome in these {
            let id = outcome.id.to_string();
            let _ = writeln!(
                text,
                "  {id:<6} {}\n         {}",
                outcome.title,
                shown(&outcome.reason)
            );
        }
    }
}

/// A text of the Agent on a terminal: without control characters.
fn shown(text: &str) -> String {
    let plain = |letter: char| {
        if letter.is_control() {
            '\u{fffd}'
        } else {
            letter
        }
    };
    text.chars().map(plain).collect()
}
