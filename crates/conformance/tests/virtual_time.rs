//! The suite against our own Agent, in virtual time.

use std::path::PathBuf;

use usphere_conformance::virtual_time::VirtualTime;
use usphere_conformance::{CATALOGUE, Level, Profile, Report, Selection, TestId, Verdict, run};

/// The tests that have to pass, a line each.
const MUST_PASS: &str = include_str!("../must-pass.txt");

/// The tests that have to pass over sockets, each with the ways in which the Agent is reached.
const MUST_PASS_SOCKETS: &str = include_str!("../must-pass-sockets.txt");

/// How long the lists have become: raised with every line and every way that is added to them.
const REACHED: Reached = Reached {
    tests: 127,
    ways: 32,
};

/// How long the lists are.
#[derive(Debug, PartialEq)]
struct Reached {
    tests: usize,
    ways: usize,
}

fn report(selection: &Selection) -> Report {
    let peer = VirtualTime::new().expect("the Agent starts");
    let report = run(Box::new(peer), Profile::default(), selection, &mut ());
    report.expect("the Agent is there")
}

fn lines(list: &'static str) -> impl Iterator<Item = &'static str> {
    let lines = list.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn must_pass() -> Vec<TestId> {
    let ids = lines(MUST_PASS).map(|line| line.parse().expect(line));
    ids.collect()
}

/// Each test that has to pass over sockets, as often as there are ways in which it has to.
fn must_pass_over_sockets() -> Vec<TestId> {
    let ids = lines(MUST_PASS_SOCKETS).flat_map(|line| {
        let mut words = line.split(' ');
        let id: TestId = words.next().and_then(|id| id.parse().ok()).expect(line);
        words.map(move |_| id)
    });
    ids.collect()
}

/// Whether our Agent is promised to pass it: all that needs no session context, no other transport, and no image.
fn is_promised(id: TestId) -> bool {
    match (id.section, id.number) {
        (1 | 7, _) => true,
        (2, number) => !(6..=8).contains(&number),
        (3 | 4, number) => number == 1,
        (9, number) => [2, 9, 11].contains(&number),
        _ => false,
    }
}

/// Our Agent fails no test of the plan, and passes those that it has passed before. `REPORT` names a folder for
/// the report.
///
/// Proves: TP-469 1.1, TP-469 1.2, TP-469 1.3, TP-469 1.4, TP-469 1.5, TP-469 1.6, TP-469 1.7, TP-469 1.8
/// Proves: TP-469 1.9, TP-469 1.10, TP-469 1.11, TP-469 1.12, TP-469 1.13, TP-469 1.14, TP-469 1.15
/// Proves: TP-469 1.16, TP-469 1.17, TP-469 1.18, TP-469 1.19, TP-469 1.20, TP-469 1.21, TP-469 1.22
/// Proves: TP-469 1.23, TP-469 1.24, TP-469 1.25, TP-469 1.26, TP-469 1.27, TP-469 1.28, TP-469 1.29
/// Proves: TP-469 1.30, TP-469 1.31, TP-469 1.32, TP-469 1.33, TP-469 1.34, TP-469 1.35, TP-469 1.36
/// Proves: TP-469 1.37, TP-469 1.38, TP-469 1.39, TP-469 1.40, TP-469 1.41, TP-469 1.42, TP-469 1.43
/// Proves: TP-469 1.44, TP-469 1.45, TP-469 1.46, TP-469 1.47, TP-469 1.48, TP-469 1.49, TP-469 1.50
/// Proves: TP-469 1.51, TP-469 1.52, TP-469 1.53, TP-469 1.54, TP-469 1.55, TP-469 1.56, TP-469 1.57
/// Proves: TP-469 1.58, TP-469 1.59, TP-469 1.60, TP-469 1.61, TP-469 1.62, TP-469 1.64, TP-469 1.65
/// Proves: TP-469 1.66, TP-469 1.67, TP-469 1.68, TP-469 1.70, TP-469 1.71, TP-469 1.72, TP-469 1.73
/// Proves: TP-469 1.74, TP-469 1.75, TP-469 1.76, TP-469 1.77, TP-469 1.78, TP-469 1.79, TP-469 1.80
/// Proves: TP-469 1.81, TP-469 1.82, TP-469 1.83, TP-469 1.84, TP-469 1.86, TP-469 1.87, TP-469 1.88
/// Proves: TP-469 1.89, TP-469 1.90, TP-469 1.91, TP-469 1.92, TP-469 1.93, TP-469 1.94, TP-469 1.95
/// Proves: TP-469 1.96, TP-469 1.97, TP-469 1.98, TP-469 1.99, TP-469 1.100, TP-469 1.101, TP-469 1.102
/// Proves: TP-469 1.103, TP-469 1.104, TP-469 1.105, TP-469 1.106, TP-469 1.107, TP-469 2.1, TP-469 2.2
/// Proves: TP-469 2.10, TP-469 2.11, TP-469 2.12, TP-469 2.13, TP-469 2.14, TP-469 2.15, TP-469 2.16
/// Proves: TP-469 2.17, TP-469 2.18, TP-469 2.19, TP-469 2.20, TP-469 2.21, TP-469 2.22, TP-469 2.23
/// Proves: TP-469 2.24, TP-469 2.25, TP-469 2.26, TP-469 2.27, TP-469 3.1, TP-469 9.9, TP-469 9.11
#[test]
fn our_agent_conforms() {
    let report = report(&Selection::all());
    if let Some(folder) = std::env::var_os("REPORT").map(PathBuf::from) {
        report.write(&folder).expect("the report is written");
    }
    println!("{}", report.to_text());
    let failed: Vec<_> = report
        .outcomes
        .iter()
        .filter(|outcome| outcome.result == Verdict::Failed)
        .map(|outcome| format!("{}: {}", outcome.id, outcome.reason))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    for id in must_pass() {
        let outcome = report.outcomes.iter().find(|outcome| outcome.id == id);
        let outcome = outcome.expect("the plan has it");
        assert_eq!(outcome.result, Verdict::Passed, "{id}: {}", outcome.reason);
    }
}

/// No test needs another before it: each passes by itself, on an Agent that starts for the first time.
#[test]
fn each_test_passes_alone() {
    for id in must_pass() {
        let report = report(&[id].into_iter().collect());
        let outcome = &report.outcomes[0];
        assert_eq!(outcome.result, Verdict::Passed, "{id}: {}", outcome.reason);
    }
}

/// What the first test says that it proves is what it makes sure of.
#[test]
fn what_must_pass_is_what_is_proven() {
    let said = include_str!("virtual_time.rs").lines();
    let said = said.filter_map(|line| line.strip_prefix("/// Proves: "));
    let said = said.flat_map(|line| line.split(", "));
    let said: Vec<String> = said.map(str::to_owned).collect();
    let sure: Vec<String> = must_pass()
        .iter()
        .map(|id| format!("TP-469 {id}"))
        .collect();
    assert_eq!(said, sure);
}

/// What is promised has to pass, and a list out of which a line was taken is noticed.
#[test]
fn the_lists_only_grow() {
    let (tests, ways) = (must_pass(), must_pass_over_sockets());
    let is_live = |level| matches!(level, Level::Conditional | Level::Mandatory);
    let live = CATALOGUE.iter().filter(|entry| is_live(entry.level));
    let promised = live.map(|entry| entry.id).filter(|id| is_promised(*id));
    let promised: Vec<TestId> = promised.collect();
    assert_eq!(promised.len(), 140);
    let missing = promised
        .iter()
        .filter(|id| !tests.contains(id) && !ways.contains(id));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&TestId>::new());
    let reached = Reached {
        tests: tests.len(),
        ways: ways.len(),
    };
    assert_eq!(
        reached, REACHED,
        "REACHED is raised with what is added; nothing is ever taken out"
    );
}
