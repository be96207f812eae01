//! `cargo xtask trace`: which requirements have a test that ran and passed, and which have none.
//!
//! Reads `Proves:` lines in the sources and the list of tests of the last `cargo xtask test`. It never
//! counts a test that did not run.

mod ledger;
mod proofs;

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::Outcome;
use crate::project::Project;
use crate::results::{FILE, Results};

use self::ledger::{Ledger, Requirement};
use self::proofs::{Proof, Tests};

#[derive(Args, Default)]
pub(crate) struct Options {
    /// Count a test as soon as it is written, whether it ran or not
    #[arg(long)]
    declared: bool,
    /// List what is not proven
    #[arg(long)]
    missing: bool,
    /// Only this section: an ID's prefix such as ADD, WS, or TP-469-1
    #[arg(long, value_name = "NAME")]
    section: Option<String>,
    /// Everything as JSON
    #[arg(long)]
    json: bool,
}

/// How it stands with one requirement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// A test named it, ran and passed.
    Proven,
    /// A test names it, which did not run or did not pass.
    NotRun,
    /// Not proven, with a reason that is written down.
    Excepted,
    /// No test names it.
    Missing,
    /// Deprecated, obsolete or not runnable: nobody is bound.
    Inactive,
}

/// One line of the answer.
#[derive(Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    requirement: &'a Requirement,
    state: State,
    tests: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// The command.
pub(crate) fn run(project: &Project, options: &Options) -> Outcome {
    let ledger = Ledger::read(project)?;
    let (proofs, mut errors) = proofs::scan(project)?;
    errors.extend(ledger.check(&proofs));
    let ran = Results::read(&project.target)?;
    if ran.is_none() && !options.declared {
        eprintln!("no test has run ({FILE} is absent: run `cargo xtask test`); none is counted");
    }
    let tests = if options.declared {
        Tests::All
    } else {
        Tests::These(ran.unwrap_or_default())
    };
    let mut entries = entries(&ledger, &proofs, &tests);
    errors.extend(needless_exceptions(&entries));
    if let Some(section) = &options.section {
        entries.retain(|entry| entry.requirement.section.eq_ignore_ascii_case(section));
    }
    if options.json {
        let text = serde_json::to_string_pretty(&entries).map_err(|error| error.to_string())?;
        println!("{text}");
    } else {
        print(&entries, options.missing);
    }
    for error in &errors {
        eprintln!("error: {error}");
    }
    match errors.len() {
        0 => Ok(ExitCode::SUCCESS),
        count => Err(format!("{count} faults in what the tests claim to prove")),
    }
}

/// The form that ends `cargo xtask test`.
pub(crate) fn summary(project: &Project) -> Result<(), String> {
    run(project, &Options::default()).map(|_| ())
}

fn entries<'a>(ledger: &'a Ledger, proofs: &[Proof], tests: &Tests) -> Vec<Entry<'a>> {
    let mut claims: BTreeMap<&str, Vec<&Proof>> = BTreeMap::new();
    for proof in proofs {
        for id in &proof.ids {
            claims.entry(id).or_default().push(proof);
        }
    }
    let entry = |requirement: &'a Requirement| {
        let named = claims
            .get(requirement.id.as_str())
            .map(Vec::as_slice)
            .unwrap_or_default();
        let passed: Vec<_> = named.iter().filter(|proof| tests.passed(proof)).collect();
        let reason = ledger.exceptions.get(&requirement.id).map(String::as_str);
        let state = match (
            requirement.is_active,
            passed.is_empty(),
            named.is_empty(),
            reason,
        ) {
            (false, ..) => State::Inactive,
            (_, false, ..) => State::Proven,
            (.., Some(_)) => State::Excepted,
            (_, _, false, _) => State::NotRun,
            _ => State::Missing,
        };
        let shown = if passed.is_empty() {
            named.to_vec()
        } else {
            passed.into_iter().copied().collect()
        };
        let tests = shown.iter().map(|proof| proof.to_string()).collect();
        Entry {
            requirement,
            state,
            tests,
            reason,
        }
    };
    ledger.requirements.iter().map(entry).collect()
}

/// Exceptions for what is proven all the same.
fn needless_exceptions(entries: &[Entry<'_>]) -> Vec<String> {
    let needless = entries
        .iter()
        .filter(|entry| entry.state == State::Proven && entry.reason.is_some());
    needless
        .map(|entry| format!("{} is proven: remove its exception", entry.requirement.id))
        .collect()
}

fn print(entries: &[Entry<'_>], list_missing: bool) {
    let mut sections: Vec<(&str, [usize; 5])> = Vec::new();
    for entry in entries {
        let section = entry.requirement.section.as_str();
        if sections.last().is_none_or(|(last, _)| *last != section) {
            sections.push((section, [0; 5]));
        }
        if let Some((_, counts)) = sections.last_mut() {
            counts[entry.state as usize] += 1;
        }
    }
    println!(
        "{:<12} {:>7} {:>8} {:>9} {:>8}",
        "section", "proven", "not run", "excepted", "missing"
    );
    let mut total = [0; 5];
    for (section, counts) in &sections {
        print_counts(section, counts);
        for (sum, count) in total.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    print_counts("all", &total);
    if list_missing {
        for entry in entries
            .iter()
            .filter(|entry| matches!(entry.state, State::Missing | State::NotRun))
        {
            let requirement = entry.requirement;
            println!(
                "{:<14} {:<9} {:<10} {}",
                requirement.id, requirement.level, requirement.party, requirement.summary
            );
            for test in &entry.tests {
                println!("{:<14} not run or not passed: {test}", "");
            }
        }
    }
}

fn print_counts(section: &str, [proven, not_run, excepted, missing, _]: &[usize; 5]) {
    println!("{section:<12} {proven:>7} {not_run:>8} {excepted:>9} {missing:>8}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Test;

    fn proof(name: &str, ids: &[&str]) -> Proof {
        Proof {
            package: "usphere-agent".to_owned(),
            binary: "usphere-agent".to_owned(),
            name: name.to_owned(),
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            place: "agent/src/a.rs:1".to_owned(),
        }
    }

    #[test]
    fn only_what_ran_and_passed_is_proven() {
        let ledger = ledger::tests::ledger();
        let proofs = [
            proof("a::one", &["R-ADD.1", "R-ADD.9"]),
            proof("a::two", &["R-ADD.2"]),
            proof("a::three", &["TP-469 1.1"]),
        ];
        let ran = |name: &str| Test {
            package: "usphere-agent".to_owned(),
            binary: "usphere-agent".to_owned(),
            name: name.to_owned(),
        };
        let tests = Tests::These(Results {
            passed: vec![ran("a::one")],
            failed: Vec::new(),
            left_out: vec![ran("a::two")],
        });
        let entries = entries(&ledger, &proofs, &tests);
        let states: Vec<_> = entries
            .iter()
            .map(|entry| (entry.requirement.id.as_str(), entry.state))
            .collect();
        let expected = [
            ("R-ADD.1", State::Proven),
            ("R-ADD.2", State::NotRun),
            ("R-ADD.3", State::Excepted),
            ("R-ADD.4", State::Missing),
            ("R-ADD.9", State::Inactive),
            ("TP-469 1.1", State::NotRun),
        ];
        assert_eq!(states, expected);
        assert!(needless_exceptions(&entries).is_empty());
    }

    #[test]
    fn an_exception_for_what_is_proven_is_told() {
        let ledger = ledger::tests::ledger();
        let proofs = [proof("a::one", &["R-ADD.3"])];
        let entries = entries(&ledger, &proofs, &Tests::All);
        assert_eq!(needless_exceptions(&entries).len(), 1);
    }
}
