//! The suite against our own Agent, in virtual time.

use std::path::PathBuf;

use usphere_conformance::virtual_time::VirtualTime;
use usphere_conformance::{Profile, Report, Selection, TestId, Verdict, run};

/// The tests that have to pass, a line each.
const MUST_PASS: &str = include_str!("../must-pass.txt");

fn report(selection: &Selection) -> Report {
    let peer = VirtualTime::new().expect("the Agent starts");
    let report = run(Box::new(peer), Profile::default(), selection, &mut ());
    report.expect("the Agent is there")
}

fn must_pass() -> Vec<TestId> {
    let lines = MUST_PASS.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.parse().expect(line)).collect()
}

/// Our Agent fails no test of the plan, and passes those that it has passed before. `REPORT` names a folder for
/// the report.
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
