//! `usphere watch` as a user runs it: over a server, and without one.

mod common;

use std::path::Path;

use serde_json::Value;

use crate::common::verbs::Way;
use crate::common::{Program, Signal, eventually, free_port, ran, usphere};

const AGENT: &str = "self::watched";
const SERVER: &str = "self::watch-server";
const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
const TABLE: &str = "Device.LocalAgent.Subscription.";

fn agent(folder: &Path, arguments: &[&str]) -> Program {
    let mut command = usphere();
    command
        .args(["agent", "--endpoint-id", AGENT, "--data"])
        .arg(folder.join("agent"))
        .args(["--controller", "self::other"])
        .args(arguments);
    let mut program = Program::start(&mut command, folder.join("agent.log"));
    program.wait_for("Agent started");
    program
}

/// Starts a watch; its standard output and error go to a file each.
fn watch(way: &Way, folder: &Path, words: &[&str]) -> Program {
    let mut program = Program::start(&mut way.command("watch", words), folder.join("watch.log"));
    program.wait_for("watching");
    program
}

fn set(way: &Way, value: &str) {
    way.ask("set", &[&format!("{CODE}={value}")]).ended(0);
}

/// The JSON lines of a watch.
fn told(log: &str) -> Vec<Value> {
    let lines = log.lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// But for those that a server keeps on every device.
fn no_subscription_is_left(way: &Way) {
    let left = way.ask("instances", &[TABLE]).ended(0);
    let mut lines = left.out.lines();
    assert!(lines.all(|line| line.contains("ID=usphere:")), "{left:#?}");
}

/// Two ways to one Agent that listens: ours, and that of another Controller.
fn listening(folder: &Path) -> (Program, Way, Way) {
    let url = format!("ws://127.0.0.1:{}/usp", free_port());
    let agent = relisten(folder, &url);
    let way = |extra: &[&str]| Way {
        device: None,
        options: [&["--agent", &url], extra]
            .concat()
            .iter()
            .map(|word| (*word).to_owned())
            .collect(),
    };
    (agent, way(&[]), way(&["--as", "self::other"]))
}

fn relisten(folder: &Path, url: &str) -> Program {
    let mut agent = agent(
        folder,
        &["--controller", "self::usphere-cli", "--listen", url],
    );
    agent.wait_for("listening");
    agent
}

#[test]
fn changes_of_others_are_shown_until_ctrl_c() {
    let folder = tempfile::tempdir().unwrap();
    let (_agent, way, other) = listening(folder.path());
    let mut program = watch(&way, folder.path(), &[CODE]);
    set(&other, "first");
    program.wait_for("first");
    set(&other, "second");
    program.wait_for("second");
    let log = program.log();
    let line = log.lines().find(|line| line.ends_with("first")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[1..], ["ValueChange", CODE, "first"], "{line}");
    other
        .ask("instances", &[TABLE])
        .ended(0)
        .says("Device.LocalAgent.Subscription.");
    assert_eq!(program.end(Signal::INT), 0);
    no_subscription_is_left(&other);
}

#[test]
fn rows_that_come_and_go_are_shown_as_json_lines_up_to_a_count() {
    let folder = tempfile::tempdir().unwrap();
    let (_agent, way, other) = listening(folder.path());
    let roles = "Device.LocalAgent.ControllerTrust.Role.";
    let types = ["--type", "ObjectCreation", "--type", "objectdeletion"];
    let words = [&[roles], &types[..], &["--json", "--count", "2"]].concat();
    let mut program = watch(&way, folder.path(), &words);
    let row = other
        .ask("add", &[roles, "Name=guest", "--json"])
        .ended(0)
        .json();
    let row = row["results"][0]["created"]["path"]
        .as_str()
        .unwrap()
        .to_owned();
    other.ask("delete", &[&row]).ended(0);
    program.wait_for("ObjectDeletion");
    let log = eventually("it ends by itself", || {
        let log = program.log();
        (told(&log).len() == 2).then_some(log)
    });
    let [creation, deletion] = &told(&log)[..] else {
        panic!("{log}")
    };
    assert_eq!(creation["type"], "ObjectCreation");
    assert_eq!(creation["device"], AGENT);
    assert_eq!(creation["path"], row.as_str());
    assert_eq!(creation["unique_keys"]["Name"], "guest");
    assert_eq!(deletion["type"], "ObjectDeletion");
    assert_eq!(deletion["path"], row.as_str());
    drop(program);
    eventually("nothing is left", || {
        (way.ask("instances", &[TABLE]).out.is_empty()).then_some(())
    });
}

/// An Agent that starts anew has forgotten a Subscription that is not persistent: it is made again.
#[test]
fn a_watch_outlives_a_restart_of_its_agent() {
    let folder = tempfile::tempdir().unwrap();
    let (agent, way, other) = listening(folder.path());
    let mut program = watch(&way, folder.path(), &[CODE, "--for", "5m"]);
    set(&other, "before");
    program.wait_for("before");
    assert_eq!(agent.end(Signal::KILL), -1);
    program.wait_for("the device is gone");
    let _agent = relisten(folder.path(), &way.options[1]);
    program.wait_for("the device is back");
    eventually("the Subscription is made anew", || {
        let rows = other.ask("instances", &[TABLE]);
        (rows.code == 0 && !rows.out.is_empty()).then_some(())
    });
    set(&other, "after");
    program.wait_for("after");
    assert_eq!(program.end(Signal::TERM), 0);
    no_subscription_is_left(&other);
}

#[test]
fn a_watch_ends_in_time_and_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (_agent, way, other) = listening(folder.path());
    way.ask("watch", &[CODE, "--for", "300ms"])
        .ended(0)
        .says("watching");
    no_subscription_is_left(&other);
    let absent = "Device.LocalAgent.Controller.99.Enable";
    way.ask("watch", &[absent, "--for", "300ms"])
        .ended(0)
        .says(&format!("note: {absent} is not there now"));
    way.ask("watch", &["Device.Nonsense.A", "--for", "1s"])
        .ended(1)
        .says("Device.Nonsense.A");
    no_subscription_is_left(&other);
    way.ask("watch", &["--type", "Event", "--for", "300ms"])
        .ended(0);
    way.ask("watch", &["--type", "ObjectCreation"])
        .ended(2)
        .says("name tables");
    way.ask("watch", &[]).ended(2).says("PATH is missing");
    way.ask("watch", &[CODE, "--type", "Nonsense"])
        .ended(2)
        .says("ObjectCreation");
}

/// Over a server: what happens while the server itself is away is told when it is back, once.
#[test]
fn a_watch_over_a_server_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("server").display().to_string();
    let api = format!("127.0.0.1:{}", free_port());
    let ws = format!("127.0.0.1:{}", free_port());
    let serve = || {
        let mut command = usphere();
        command.args(["server", "--data", &data, "--api", &api, "--ws", &ws]);
        command.args(["--endpoint-id", SERVER]);
        let mut program = Program::start(&mut command, folder.path().join("server.log"));
        program.wait_for("an Agent comes with");
        program
    };
    let server = serve();
    let door = format!("ws://127.0.0.1:{}/usp", free_port());
    let controller = format!("{SERVER}=ws://{ws}/usp");
    let _agent = agent(
        folder.path(),
        &["--controller", &controller, "--listen", &door],
    );
    let way = Way {
        device: Some(AGENT.to_owned()),
        options: ["--server", &format!("http://{api}"), "--data", &data]
            .map(str::to_owned)
            .into(),
    };
    let other = Way {
        device: None,
        options: ["--agent", &door, "--as", "self::other"]
            .map(str::to_owned)
            .into(),
    };
    eventually("the Agent is on board", || {
        (way.ask("protocol", &[]).code == 0).then_some(())
    });
    // The Agent is to dial again soon.
    let row = format!("Device.LocalAgent.Controller.[EndpointID==\"{SERVER}\"].MTP.1.WebSocket.");
    let wait = format!("{row}SessionRetryMinimumWaitInterval=1");
    other.ask("set", &[&wait]).ended(0);

    let mut program = watch(&way, folder.path(), &[CODE, "--json"]);
    set(&other, "first");
    program.wait_for("first");
    assert_eq!(server.end(Signal::TERM), 0);
    program.wait_for("the device is gone");
    set(&other, "meanwhile");
    let _server = serve();
    program.wait_for("the device is back");
    program.wait_for("meanwhile");
    set(&other, "last");
    program.wait_for("last");
    let log = program.log();
    let values: Vec<Value> = told(&log)
        .iter()
        .map(|event| event["value"].clone())
        .collect();
    assert_eq!(values, ["first", "meanwhile", "last"], "{log}");
    assert_eq!(program.end(Signal::INT), 0);
    no_subscription_is_left(&way);
    let mut command = usphere();
    command.args([
        "devices",
        "remove",
        AGENT,
        "--server",
        &format!("http://{api}"),
        "--data",
        &data,
    ]);
    ran(&mut command).ended(0);
}
