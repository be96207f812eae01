//! The conformance suite as its users run it: against our own Agent over real WebSockets, in both directions.
//!
//! In virtual time all tests are run that can be (`crates/conformance`); here all that our Agent has to pass. Those that
//! wait for minutes are run at the same time, each with an Agent of its own.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, kill_process};
use serde_json::Value;

use crate::common::{Program, Ran, Signal, eventually, free_port, ran, usphere};

/// What takes long.
const LONG: [&str; 12] = [
    "1.53", "1.54", "1.55", "1.56", "1.59", "1.79", "1.92", "1.100", "1.102", "1.103", "2.20",
    "9.11",
];

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
    let short = lines(MUST_PASS).filter(|id| !LONG.contains(id));
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

/// The command that starts our Agent, which keeps its data in this folder.
fn agent_in(folder: &Path) -> String {
    format!(
        "exec {} agent --data {} --endpoint-id self::agent --controller {{controller}}={{url}}",
        env!("CARGO_BIN_EXE_usphere"),
        folder.join("agent").display(),
    )
}

/// The Agent dials the suite, which starts it and restarts it.
///
/// Proves: TP-469 7.1, TP-469 7.4, TP-469 7.6, TP-469 7.7, TP-469 7.8, TP-469 7.10, TP-469 7.11, TP-469 7.12
#[test]
fn our_agent_conforms_where_it_dials() {
    let folder = tempfile::tempdir().expect("a folder");
    let agent = agent_in(folder.path());
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

/// The command that starts our Agent in `folder`, with its certificate in `certs`.
fn agent_over_tls(folder: &Path, certs: &Path) -> String {
    let file = |name: &str| certs.join(name).display().to_string();
    format!(
        "{} --tls-cert {} --tls-key {} --tls-ca {}",
        agent_in(folder),
        file("self__agent.pem"),
        file("self__agent.key"),
        file("ca.pem"),
    )
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
    let agent = agent_over_tls(folder.path(), &certs);
    let url = format!("wss://127.0.0.1:{}/usp", free_port());
    all_passed("dials-tls", &certs, &["--listen", &url, "--spawn", &agent]);
}

/// Why an Agent is not let in is said, not only that it never came.
#[test]
fn an_agent_of_another_ca_is_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = tempfile::tempdir().expect("a folder");
    let (certs, others) = (certificates(folder.path()), certificates(other.path()));
    let agent = agent_over_tls(folder.path(), &others);
    let profile = folder.path().join("profile.toml");
    fs::write(&profile, "connect_seconds = 3\n").expect("a file");
    let url = format!("wss://127.0.0.1:{}/usp", free_port());
    let mut run = usphere();
    run.args(["conformance", "run", "--only", "4.1", "--listen", &url]);
    run.args(["--spawn", &agent, "--certs"]).arg(&certs);
    run.arg("--profile").arg(&profile);
    ran(&mut run)
        .ended(3)
        .says("were not connected within 3 s; the last connection came to nothing: ")
        .says("over TLS it has to show a certificate of a CA that we trust");
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

/// What takes long is passed over sockets as well.
#[test]
fn our_agent_conforms_where_that_takes_long() {
    let runs = LONG.map(|id| {
        thread::spawn(move || {
            let folder = tempfile::tempdir().expect("a folder");
            let agent = agent_in(folder.path());
            let mut run = usphere();
            run.args(["conformance", "run", "--json", "--only", id, "--spawn"]);
            let report = ran(run.arg(&agent)).json();
            let test = &report["tests"][0];
            (id, test["result"].clone(), test["reason"].clone())
        })
    });
    let results = runs.map(|run| run.join().expect("a report"));
    let others = results.iter().filter(|(_, result, _)| result != "passed");
    let others: Vec<_> = others.collect();
    assert!(others.is_empty(), "{others:#?}");
}

/// Runs three tests, and sends the Agent a signal during the second, which listens to nothing for a while: the third is
/// passed all the same. What the second says.
#[track_caller]
fn survived(signal: Signal) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("profile"), "answer_seconds = 5\nsilence_seconds = 5\n").expect("written");
    let agent = format!(
        "echo $$ > {}; {}",
        file("process").display(),
        agent_in(folder.path())
    );
    let mut run = usphere();
    run.args(["conformance", "run", "--only", "1.80,2.1,2.10"]);
    run.args(["--spawn", &agent]);
    run.arg("--profile").arg(file("profile"));
    run.arg("--report").arg(folder.path());
    let mut run = Program::start(&mut run, file("log"));
    run.wait_for("1.80   passed");
    thread::sleep(Duration::from_secs(1));
    let number = std::fs::read_to_string(file("process")).expect("its number");
    let number = number.trim().parse().ok().and_then(Pid::from_raw);
    kill_process(number.expect("a number"), signal).expect("it runs");
    run.wait_for("2.1    failed");
    run.wait_for("2.10   passed");
    let mut report = eventually("the report", || {
        let text = std::fs::read_to_string(file("report.json")).ok()?;
        serde_json::from_str::<Value>(&text).ok()
    });
    assert_eq!(report["incomplete"], Value::Null);
    report["tests"][1].take()
}

/// An Agent that is killed fails the test in which it is, which tells of it, and is there again for the next.
#[test]
fn a_run_survives_the_end_of_the_agent() {
    let test = survived(Signal::KILL);
    let steps = test["steps"].to_string();
    let note =
        "the Agent's process has ended by itself (signal: 9 (SIGKILL)), and was started again";
    assert!(steps.contains(note), "{steps}");
}

/// So does one that hangs.
#[test]
fn a_run_survives_an_agent_that_hangs() {
    let test = survived(Signal::STOP);
    let reason = test["reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with("the Agent did not answer after the test, and was brought back"),
        "{reason}"
    );
}

/// Ctrl-C ends a run at once, with a report of what was run until then.
#[test]
fn a_run_that_is_interrupted_says_how_far_it_came() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = usphere();
    run.args(["conformance", "run", "--only", "1.80,1.100", "--spawn"]);
    run.arg(agent_in(folder.path()));
    run.arg("--report").arg(folder.path());
    let mut run = Program::start(&mut run, folder.path().join("log"));
    run.wait_for("1.80   passed");
    assert_eq!(run.end(Signal::INT), 130);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect(name);
    let report: Value = serde_json::from_str(&read("report.json")).expect("JSON");
    assert_eq!(report["incomplete"]["from"], "1.100");
    assert_eq!(report["tests"].as_array().map(Vec::len), Some(1));
    assert!(read("report.xml").contains("<error "));
    assert!(read("report.html").contains("incomplete from test 1.100 on"));
    assert!(read("log").contains("incomplete from test 1.100 on"));
}

/// Who waits for an Agent is told where, and may give up.
#[test]
fn what_is_waited_for_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("ws://127.0.0.1:{}/usp", free_port());
    let mut run = usphere();
    run.args(["conformance", "run", "--only", "1.80", "--listen", &url]);
    let mut run = Program::start(&mut run, folder.path().join("log"));
    run.wait_for(&format!(
        "waiting for the Agent: WebSocket, which the Agent dials at {url}"
    ));
    assert_eq!(run.end(Signal::INT), 130);
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
        .says("soon after its start")
        .says("is kept where --report is given")
        .says("to know self::usphere-conformance as a Controller");
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().to_str().unwrap();
    let wrong = "echo; printf '\\033[31mno such option\\n'; exit 7";
    run(&["--spawn", wrong, "--only", "1.1", "--report", report])
        .ended(3)
        .says("exit status: 7\n  it said (")
        .says("\n  | [31mno such option\n");
}
