//! Server, Agent and command line as a user starts them: every verb over the API, against an Agent that
//! listens, and against one that dials in.

mod common;

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::verbs::{Facts, Way, every_verb};
use crate::common::{Program, Ran, Signal, eventually, free_port, plain, ran, usphere};

const AGENT: &str = "self::test-agent";
const SERVER: &str = "self::test-server";

const FACTS: Facts = Facts {
    endpoint_id: AGENT,
    writable: "Device.DeviceInfo.ProvisioningCode",
    table: "Device.LocalAgent.ControllerTrust.Role.",
    row: ["Name=guest", "Enable=true"],
    version: "1.4",
    listed: "Device.LocalAgent.Controller.",
};

/// A server in a folder, on ports of its own.
struct Server {
    program: Program,
    data: String,
    api: String,
    door: String,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let data = folder.join("server").display().to_string();
        let (api, ws) = (
            format!("127.0.0.1:{}", free_port()),
            format!("127.0.0.1:{}", free_port()),
        );
        let mut command = usphere();
        command.args([
            "server",
            "--data",
            &data,
            "--api",
            &api,
            "--ws",
            &ws,
            "--endpoint-id",
            SERVER,
        ]);
        let mut program = Program::start(&mut command, folder.join("server.log"));
        program.wait_for("an Agent comes with");
        Self {
            program,
            data,
            api: format!("http://{api}"),
            door: format!("ws://{ws}/usp"),
        }
    }

    fn devices(&self, words: &[&str]) -> Ran {
        let mut command = usphere();
        command
            .arg("devices")
            .args(words)
            .args(["--server", &self.api, "--data", &self.data]);
        ran(&mut command)
    }

    fn way(&self, device: &str) -> Way {
        let options = ["--server", &self.api, "--data", &self.data].map(str::to_owned);
        Way {
            device: Some(device.to_owned()),
            options: options.into(),
        }
    }

    fn is_online(&self, device: &str) -> Option<()> {
        let devices = self.devices(&["list", "--json"]).ended(0).json();
        let found = devices
            .as_array()?
            .iter()
            .find(|each| each["endpoint_id"] == device)?;
        (found["online"] == true).then_some(())
    }
}

/// An Agent in a folder.
fn agent(folder: &Path, arguments: &[&str]) -> Program {
    let mut command = usphere();
    command
        .args(["agent", "--endpoint-id", AGENT, "--data"])
        .arg(folder.join("agent"))
        .args(arguments);
    let mut program = Program::start(&mut command, folder.join("agent.log"));
    program.wait_for("Agent started");
    program
}

#[test]
fn every_verb_works_over_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.devices(&["list"]).ended(0).says("no devices yet");
    let agent = agent(
        folder.path(),
        &["--controller", &format!("{SERVER}={}", server.door)],
    );
    eventually("the Agent is on board", || server.is_online(AGENT));
    every_verb(&server.way(AGENT), &FACTS);
    server
        .way(AGENT)
        .ask(
            "operate",
            &["Device.LocalAgent.Controller.1.MTP.*.WebSocket.Reset()"],
        )
        .ended(0)
        .says("completed");
    // The session ends after the answer, so it is not enough that the Agent is online still.
    eventually("the Agent has dialled again", || {
        (agent.log().matches("connected to").count() == 2).then_some(())
    });
    eventually("the Agent answers again", || {
        (server.way(AGENT).ask("protocol", &[]).code == 0).then_some(())
    });

    // That nothing fits is told, and leaves nothing in a pipe.
    let row = "Device.LocalAgent.Controller.[EndpointID==\"self::nobody\"].";
    let command = format!("{row}MTP.1.WebSocket.Reset()");
    for (verb, path) in [("get", row), ("instances", row), ("operate", &command)] {
        let ran = server.way(AGENT).ask(verb, &[path]).ended(0);
        assert_eq!(ran.out, "", "{verb}");
        ran.says(&format!("nothing fits {path}"));
    }

    // DEVICE may be a part of the endpoint ID, or an alias.
    server.way("test-ag").ask("protocol", &[]).ended(0);
    server
        .devices(&["alias", "test-ag", "kitchen"])
        .ended(0)
        .says("kitchen");
    server.way("kitchen").ask("protocol", &[]).ended(0);
    server
        .devices(&["show", "kitchen"])
        .ended(0)
        .says(AGENT)
        .says("online");
    server
        .way("nobody")
        .ask("protocol", &[])
        .ended(3)
        .says("devices list");
    same_shape_as_documented(
        &server
            .devices(&["show", "kitchen", "--json"])
            .ended(0)
            .json(),
    );

    // Both say goodbye and end well; a device that has gone is told.
    assert_eq!(agent.end(Signal::TERM), 0);
    eventually("the Agent is gone", || match server.is_online(AGENT) {
        None => Some(()),
        Some(()) => None,
    });
    server
        .way("kitchen")
        .ask("get", &["Device."])
        .ended(3)
        .says("not connected");
    let json = server
        .way("kitchen")
        .ask("get", &["Device.", "--json"])
        .ended(3)
        .json();
    assert_eq!(json["error"], "not_connected");
    server.devices(&["alias", "kitchen"]).ended(0);
    server.devices(&["show", "kitchen"]).ended(3);
    server.devices(&["remove", AGENT]).ended(0).says(AGENT);
    server.devices(&["remove", AGENT]).ended(3);
    assert_eq!(server.program.end(Signal::INT), 0);
}

/// `devices show --json` has the keys that docs/cli.md shows.
fn same_shape_as_documented(device: &Value) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let page = fs::read_to_string(page).unwrap();
    let section = page.split("### `devices show --json").nth(1).unwrap();
    let shown = section
        .split("```json\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let shown: Value = serde_json::from_str(shown).unwrap();
    let keys = |value: &Value| {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(keys(device), keys(&shown));
}

#[test]
fn a_wrong_token_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let mut command = usphere();
    command.args([
        "devices",
        "list",
        "--server",
        &server.api,
        "--token",
        "wrong",
    ]);
    ran(&mut command).ended(4).says("does not take the token");
    // Flag over environment over file.
    let mut command = usphere();
    command.args([
        "devices",
        "list",
        "--server",
        &server.api,
        "--data",
        &server.data,
    ]);
    command.env("USPHERE_TOKEN", "wrong");
    ran(&mut command).ended(4);
    let token = fs::read_to_string(format!("{}/token", server.data)).unwrap();
    command.args(["--token", token.trim()]);
    ran(&mut command).ended(0);
    let mut second = usphere();
    second.args([
        "server",
        "--api",
        "127.0.0.1:0",
        "--ws",
        "127.0.0.1:0",
        "--data",
        &server.data,
    ]);
    ran(&mut second).ended(4).says("another server");
}

#[test]
fn every_verb_works_against_an_agent_that_listens() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("ws://127.0.0.1:{}/usp", free_port());
    let mut agent = agent(
        folder.path(),
        &["--controller", "self::usphere-cli", "--listen", &url],
    );
    agent.wait_for("listening");
    let way = Way {
        device: None,
        options: ["--agent", &url].map(str::to_owned).into(),
    };
    every_verb(&way, &FACTS);

    // Who is not known has no rights, and a path that leads nowhere is refused.
    let stranger = Way {
        device: None,
        options: ["--agent", &url, "--as", "self::stranger"]
            .map(str::to_owned)
            .into(),
    };
    assert_ne!(stranger.ask("get", &["Device.DeviceInfo.HostName"]).code, 0);
    let astray = format!("{}/nowhere", url.trim_end_matches("/usp"));
    let astray = Way {
        device: None,
        options: vec!["--agent".into(), astray],
    };
    astray.ask("protocol", &[]).ended(3);
    assert_eq!(agent.end(Signal::INT), 0);
}

#[test]
fn every_verb_works_against_an_agent_that_dials_in() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("ws://127.0.0.1:{}/usp", free_port());
    // The back-off of the Agent doubles with each failure; the least there is keeps the test short.
    let agent = agent(
        folder.path(),
        &["--controller", &format!("self::usphere-cli={url}")],
    );
    let way = Way {
        device: None,
        options: ["--listen", &url, "--timeout", "120s"]
            .map(str::to_owned)
            .into(),
    };
    way.ask("get", &["Device.LocalAgent.EndpointID"])
        .ended(0)
        .says(AGENT);
    quicken(&way);
    every_verb(&way, &FACTS);
    assert_eq!(agent.end(Signal::TERM), 0);
}

/// Has the Agent dial again after a second, always.
fn quicken(way: &Way) {
    let row = "Device.LocalAgent.Controller.[EndpointID==\"self::usphere-cli\"].MTP.1.WebSocket.";
    let wait = format!("{row}SessionRetryMinimumWaitInterval=1");
    let multiplier = format!("{row}SessionRetryIntervalMultiplier=1000");
    way.ask("set", &[&wait, &multiplier]).ended(0);
}

#[test]
fn what_was_set_on_an_agent_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("ws://127.0.0.1:{}/usp", free_port());
    let arguments = ["--controller", "self::usphere-cli", "--listen", &url];
    let way = Way {
        device: None,
        options: ["--agent", &url].map(str::to_owned).into(),
    };
    let mut first = agent(folder.path(), &arguments);
    first.wait_for("listening");
    way.ask("set", &["Device.DeviceInfo.ProvisioningCode=kept"])
        .ended(0);
    let mut third = usphere();
    third
        .args(["agent", "--data"])
        .arg(folder.path().join("agent"));
    ran(&mut third).ended(4);
    assert_eq!(first.end(Signal::KILL), -1);
    let mut second = agent(folder.path(), &arguments);
    second.wait_for("listening");
    way.ask("get", &["Device.DeviceInfo.ProvisioningCode"])
        .ended(0)
        .says("kept");
}

/// Endpoint IDs that are for prototypes and documents are said to be so at every start.
///
/// Proves: R-ARC.3, R-ARC.4
#[test]
fn who_starts_under_an_endpoint_id_that_is_not_for_production_is_warned() {
    for (id, warning) in [
        ("proto::x", Some("authority-scheme")),
        ("oui:00256D:x", Some("OUI 00256D")),
        ("pen:3561:x", Some("enterprise number 3561")),
        ("self::x", None),
    ] {
        for (role, ready) in [("agent", "Agent started"), ("server", "server started")] {
            let folder = tempfile::tempdir().unwrap();
            let mut command = usphere();
            command
                .args([role, "--endpoint-id", id, "--data"])
                .arg(folder.path().join("data"));
            if role == "server" {
                command.args(["--api", "127.0.0.1:0", "--ws", "127.0.0.1:0"]);
            }
            let mut program = Program::start(&mut command, folder.path().join("log"));
            program.wait_for(ready);
            let log = program.log();
            assert_eq!(
                log.contains("not for production"),
                warning.is_some(),
                "{role} {id}: {log}"
            );
            assert!(log.contains(warning.unwrap_or_default()), "{log}");
        }
    }
}

#[test]
fn the_device_only_binary_makes_an_endpoint_id_and_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = plain(env!("CARGO_BIN_EXE_usphere-agent"));
        command
            .arg("--data")
            .arg(folder.path())
            .args(["--controller", "self::x"]);
        let mut program = Program::start(&mut command, folder.path().join("log"));
        program.wait_for("Agent started");
        assert_eq!(program.end(Signal::TERM), 0);
        fs::read_to_string(folder.path().join("endpoint-id")).unwrap()
    };
    let id = start();
    assert!(id.starts_with("uuid::"), "{id}");
    assert!(
        !fs::read_to_string(folder.path().join("log"))
            .unwrap()
            .contains("not for production")
    );
    assert_eq!(start(), id);
}
