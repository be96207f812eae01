//! `cargo xtask lint`: what no compiler checks. Reads files and `cargo metadata`; changes nothing.
//!
//! Each rule stands in ARCHITECTURE.md or CONTRIBUTING.md in words; here is the machine that holds it.

mod floors;
mod habits;
mod tr181;

use std::path::Path;
use std::process::ExitCode;

use crate::Outcome;
use crate::project::Project;

/// What a rule found, as lines for people: `place: what is wrong and what to do`.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) errors: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

impl Report {
    pub(crate) fn error(&mut self, place: impl std::fmt::Display, message: impl std::fmt::Display) {
        self.errors.push(format!("{place}: {message}"));
    }

    pub(crate) fn warn(&mut self, place: impl std::fmt::Display, message: impl std::fmt::Display) {
        self.warnings.push(format!("{place}: {message}"));
    }
}

/// The command.
pub(crate) fn run(project: &Project, tr181: Option<&Path>) -> Outcome {
    check(project, tr181).map(|()| ExitCode::SUCCESS)
}

/// Applies every rule and prints what was found; an error when any rule is broken.
pub(crate) fn check(project: &Project, tr181: Option<&Path>) -> Result<(), String> {
    let mut report = Report::default();
    floors::check(project, &mut report);
    habits::check(project, &mut report)?;
    match tr181 {
        Some(folder) => tr181::check(project, folder, &mut report)?,
        None => println!("declared objects: left out (give --tr181 DIR)"),
    }
    for line in &report.warnings {
        println!("warning: {line}");
    }
    for line in &report.errors {
        println!("error: {line}");
    }
    println!(
        "lint: {} errors, {} warnings",
        report.errors.len(),
        report.warnings.len()
    );
    match report.errors.len() {
        0 => Ok(()),
        errors => Err(format!("{errors} rules broken")),
    }
}
