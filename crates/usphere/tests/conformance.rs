//! The conformance suite as its users run it: against our own Agent over real WebSockets, in both directions.
//!
//! In virtual time all tests are run (`crates/conformance`); here those that do not wait for minutes, and those that
//! need a socket.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::common::{Program, Ran, free_port, ran, usphere};

/// What takes long, and is run in virtual time.
const LONG: [&str; 11] = [
    "1.53", "1.54", "1.55", "1.56", "1.59", "1.79", "1.100", "1.102", "1.103", "2.20", "9.11",
];

/// What wants a secured parameter, which the Agent of the program has not.
const NOT_HERE: &str = "2.27";

/// What has to pass in virtual time, and so does over plain sockets.
const MUST_PASS: &str = include_str!("../../conformance/must-pass.txt");

/// What has to pass over sockets, a line each: the test, and the ways in which the Agent is reached.
const MUST_PASS_SOCKETS: &str = include_str!("../../conformance/must-pass-sockets.txt");

fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The tests that have to pass where the Agent is reached in this way.
fn must_pass(way: &str) -> Vec<&'static str> {
    let listed = lines(MUST_PASS_SOCKETS).filter_map(|line| {
        let (id, ways) = line.split_once(' ').expect("a test and its ways");
        ways.split(' ').any(|one| one == way).then_some(id)
    });
    let listed: Vec<&str> = listed.collect();
    assert!(!listed.is_empty(), "{way}");
    listed
}

/// Every live test of these sections that does not take long.
fn only() -> String {
    let all = ran(usphere().args(["conformance", "list", "--json"])).ended(0);
    let all = all.json();
    let all = all.as_array().expect("a list").iter();
    let wanted = |test: &&Value| {
        let id = test["id"].as_str().expect("an ID");
        let section = id.split('.').next().expect("a section");
        let level = test["level"].as_str().expect("a level");
        ["1", "2", "3", "4", "7", "9"].contains(&section)
            && ["mandatory", "conditional"].contains(&level)
            && !LONG.contains(&id)
    };
    let ids = all
        .filter(wanted)
        .map(|test| test["id"].as_str().expect("an ID"));
    ids.collect::<Vec<_>>().join(",")
}

fn suite(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = usphere();
    command.args(["conformance", "run", "--only", &only(), "--report"]);
    command.arg(folder.join("report")).args(arguments);
    command
}

/// Nothing has failed, what has to pass has passed, and what could not be tried is just this.
#[track_caller]
fn passed(ran: Ran, folder: &Path, way: &str, untried: &[&str]) {
    let report = std::fs::read_to_string(folder.join("report/report.json"));
    let report: Value = serde_json::from_str(&report.expect("a report")).expect("JSON");
    let tests = report["tests"].as_array().expect("a list");
    let with = |result: &str| -> BTreeSet<&str> {
        let these = tests.iter().filter(|test| test["result"] == result);
        these
            .map(|test| test["id"].as_str().expect("an ID"))
            .collect()
    };
    assert_eq!(with("failed"), BTreeSet::new(), "{ran:#?}");
    assert_eq!(
        with("not-runnable"),
        untried.iter().copied().collect(),
        "{ran:#?}"
    );
    let has_passed = with("passed");
    let is_run = |id: &&str| !LONG.contains(id) && *id != NOT_HERE;
    let short = lines(MUST_PASS).filter(is_run);
    let others: Vec<&str> = short
        .chain(must_pass(way))
        .filter(|id| !has_passed.contains(id))
        .collect();
    assert!(others.is_empty(), "{others:?} have to pass: {ran:#?}");
    for name in ["report.xml", "report.html"] {
        assert!(folder.join("report").join(name).exists(), "{name}");
    }
    ran.ended(0);
}

/// The Agent dials the suite, which starts it and restarts it.
///
/// Proves: TP-469 7.1, TP-469 7.4, TP-469 7.6, TP-469 7.7, TP-469 7.8, TP-469 7.10, TP-469 7.11, TP-469 7.12
#[test]
fn our_agent_conforms_where_it_dials() {
    let folder = tempfile::tempdir().expect("a folder");
    let agent = format!(
        "exec {} agent --data {} --endpoint-id self::agent --controller {{controller}}={{url}}",
        env!("CARGO_BIN_EXE_usphere"),
        folder.path().join("agent").display(),
    );
    let ran = ran(&mut suite(folder.path(), &["--spawn", &agent]));
    // Without TLS, and with an Agent that dials.
    passed(
        ran,
        folder.path(),
        "dials",
        &["2.9", "4.1", "7.2", "7.9", "9.2"],
    );
}

/// The suite dials the Agent.
///
/// Proves: TP-469 7.2
#[test]
fn our_agent_conforms_where_it_listens() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("ws://127.0.0.1:{}/usp", free_port());
    let mut agent = usphere();
    agent.args(["agent", "--endpoint-id", "self::agent", "--listen", &url]);
    agent.args(["--controller", "self::usphere-conformance", "--data"]);
    agent.arg(folder.path().join("agent"));
    let _agent = Program::start(&mut agent, folder.path().join("agent.log"));
    let ran = ran(&mut suite(folder.path(), &["--agent", &url]));
    passed(
        ran,
        folder.path(),
        "listens",
        &["2.9", "4.1", "7.8", "7.9", "9.2"],
    );
}

/// Certificates for both Controllers and the Agent, in a folder of their own.
fn certificates(folder: &Path) -> PathBuf {
    let certs = folder.join("certs");
    let make = |arguments: &[&str]| {
        let mut command = usphere();
        command.arg("certs").args(arguments).arg("--dir");
        ran(command.arg(&certs)).ended(0);
    };
    make(&["ca"]);
    let ids = [
        "self::usphere-conformance",
        "self::usphere-conformance-2",
        "self::agent",
    ];
    make(&[&["issue", "--dns", "127.0.0.1"], &ids[..]].concat());
    certs
}

/// What has to pass over TLS has passed, every test.
#[track_caller]
fn all_passed(way: &str, certs: &Path, arguments: &[&str]) {
    let mut run = usphere();
    let only = must_pass(way);
    run.args(["conformance", "run", "--json", "--only", &only.join(",")]);
    run.args(arguments).arg("--certs").arg(certs);
    let report = ran(&mut run).ended(0).json();
    let tests = report["tests"].as_array().expect("a list").iter();
    assert_eq!(tests.len(), only.len());
    let others: Vec<&Value> = tests.filter(|test| test["result"] != "passed").collect();
    assert!(others.is_empty(), "{others:#?}");
}

/// The Agent dials the suite over TLS, with certificates on both ends.
///
/// Proves: TP-469 4.1, TP-469 7.9, TP-469 9.2
#[test]
fn our_agent_conforms_over_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let certs = certificates(folder.path());
    let file = |name: &str| certs.join(name).display().to_string();
    let agent = format!(
        "exec {} agent --data {} --endpoint-id self::agent --controller {{controller}}={{url}} \
         --tls-cert {} --tls-key {} --tls-ca {}",
        env!("CARGO_BIN_EXE_usphere"),
        folder.path().join("agent").display(),
        file("self__agent.pem"),
        file("self__agent.key"),
        file("ca.pem"),
    );
    let url = format!("wss://127.0.0.1:{}/usp", free_port());
    all_passed("dials-tls", &certs, &["--listen", &url, "--spawn", &agent]);
}

/// The suite dials the Agent over TLS: only there does it let a Controller in that it does not know.
///
/// Proves: TP-469 2.9
#[test]
fn our_agent_gives_strangers_the_untrusted_role() {
    let folder = tempfile::tempdir().expect("a folder");
    let certs = certificates(folder.path());
    let url = format!("wss://127.0.0.1:{}/usp", free_port());
    let mut agent = usphere();
    agent.args(["agent", "--endpoint-id", "self::agent", "--listen", &url]);
    agent.args(["--controller", "self::usphere-conformance", "--data"]);
    agent.arg(folder.path().join("agent"));
    for (option, name) in [
        ("--tls-cert", "self__agent.pem"),
        ("--tls-key", "self__agent.key"),
        ("--tls-ca", "ca.pem"),
    ] {
        agent.arg(option).arg(certs.join(name));
    }
    let _agent = Program::start(&mut agent, folder.path().join("agent.log"));
    all_passed("listens-tls", &certs, &["--agent", &url]);
}

/// What a new user may get wrong is said.
#[test]
fn what_is_missing_is_said() {
    let run = |arguments: &[&str]| ran(usphere().args(["conformance", "run"]).args(arguments));
    run(&[]).ended(2).says("--spawn");
    run(&["--agent", "ws://127.0.0.1:1/usp", "--only", "99.1"])
        .ended(2)
        .says("99.1");
    run(&["--listen", "ws://example.org/usp"])
        .ended(2)
        .says("address");
    run(&["--spawn", "exit 7", "--only", "1.1"])
        .ended(3)
        .says("soon after its start");
}
