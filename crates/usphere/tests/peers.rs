//! Every verb against OB-USP-AGENT, the reference Agent in C, listening and dialling in; and a server that manages
//! it through restarts of both.
//!
//! `OBUSPA` names its binary (11.0 or later); without it these tests only say that they are left out.

mod common;
#[path = "peers/distance.rs"]
mod distance;
#[path = "peers/managed.rs"]
mod managed;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::verbs::{Facts, Way, every_verb};
use crate::common::{Program, Signal, eventually, free_port, ran, usphere};

const FACTS: Facts = Facts {
    endpoint_id: "proto::peer",
    writable: "Device.LocalAgent.Controller.1.ProvisioningCode",
    table: "Device.LocalAgent.Controller.",
    row: ["EndpointID=self::guest", "Enable=false"],
    version: "1.3",
    listed: "Device.LocalAgent.Controller.",
};

/// Starts the peer with these lines in its factory settings; `None` where there is none.
fn obuspa(folder: &Path, lines: &[String], options: &[PathBuf]) -> Option<Program> {
    let Some(binary) = env::var_os("OBUSPA").filter(|binary| !binary.is_empty()) else {
        eprintln!("left out: OBUSPA does not name the binary of OB-USP-AGENT");
        return None;
    };
    let known = [
        "LocalAgent.EndpointID \"proto::peer\"",
        "LocalAgent.Controller.1.EndpointID \"self::usphere-cli\"",
    ];
    let known = known.map(|line| format!("Device.{line}\n")).concat();
    let common = [
        "Alias \"cpe-1\"",
        "Enable \"true\"",
        "AssignedRole \"Device.LocalAgent.ControllerTrust.Role.1\"",
    ];
    let common = common
        .map(|line| format!("Device.LocalAgent.Controller.1.{line}\n"))
        .concat();
    let lines: String = lines
        .iter()
        .map(|line| format!("Device.LocalAgent.{line}\n"))
        .collect();
    let settings = folder.join("factory.txt");
    let cause = "Internal.Reboot.Cause \"LocalFactoryReset\"\n";
    fs::write(&settings, format!("{known}{common}{lines}{cause}")).unwrap();
    let mut command = Command::new(binary);
    command
        .args(["-i", "lo", "-p", "-v", "4", "-f"])
        .arg(folder.join("peer.db"));
    command
        .arg("-s")
        .arg(folder.join("peer.sock"))
        .arg("-r")
        .arg(settings)
        .args(options)
        .current_dir(folder);
    Some(Program::start(&mut command, folder.join("peer.log")))
}

/// Commands of the peer: one that answers when it is done, one that answers at once.
fn commands(way: &Way) {
    way.ask(
        "operate",
        &["Device.LocalAgent.Controller.1.SendOnBoardRequest()"],
    )
    .ended(0)
    .says("completed");
    let arguments = [
        "Device.ScheduleTimer()",
        "DelaySeconds=1",
        "--command-key",
        "k",
    ];
    let started = [&arguments[..], &["--no-wait"]].concat();
    way.ask("operate", &started)
        .ended(0)
        .says("started")
        .says("Device.LocalAgent.Request.");
    way.ask("operate", &arguments)
        .ended(0)
        .says("completed Device.ScheduleTimer()");
    way.ask("instances", &["Device.LocalAgent.Subscription."])
        .ended(0)
        .says("nothing fits");
}

/// A row that comes to be, added on the peer's own command line, is told by `watch`.
fn watched(way: &Way, folder: &Path) {
    let table = "Device.LocalAgent.Controller.";
    let words = [table, "--type", "ObjectCreation", "--json"];
    let mut watch = Program::start(&mut way.command("watch", &words), folder.join("watch.log"));
    watch.wait_for("watching");
    let mut add = Command::new(env::var_os("OBUSPA").unwrap());
    add.arg("-s").arg(folder.join("peer.sock"));
    let added = ran(add.current_dir(folder).args(["-c", "add", table]));
    assert!(added.out.contains(table), "{added:#?}");
    watch.wait_for("\"type\":\"ObjectCreation\"");
    assert_eq!(watch.end(Signal::INT), 0);
    way.ask("instances", &["Device.LocalAgent.Subscription."])
        .ended(0)
        .says("nothing fits");
}

/// How a link to the peer is protected.
#[derive(Clone, Copy, PartialEq)]
enum Over {
    Plain,
    Tls,
}

impl Over {
    fn scheme(self) -> &'static str {
        match self {
            Self::Plain => "ws",
            Self::Tls => "wss",
        }
    }

    /// Certificates of both ends: what the peer is started with, and what our verbs are.
    fn certificates(self, folder: &Path) -> (Vec<PathBuf>, Vec<String>) {
        if self == Self::Plain {
            return (Vec::new(), Vec::new());
        }
        let certs = |arguments: &[&str]| {
            let mut command = usphere();
            command.arg("certs").args(arguments).arg("--dir");
            ran(command.arg(folder)).ended(0);
        };
        certs(&["ca"]);
        // The peer compares the address that it dials with the names in the certificate.
        certs(&[
            "issue",
            "self::usphere-cli",
            "proto::peer",
            "--dns",
            "127.0.0.1",
        ]);
        let file = |name: &str| folder.join(name);
        let both = ["proto__peer.pem", "proto__peer.key"].map(|name| fs::read(file(name)).unwrap());
        fs::write(file("both.pem"), both.concat()).unwrap();
        let theirs = ["-t".into(), file("ca.pem"), "-a".into(), file("both.pem")];
        let ours = [
            ("--tls-cert", "self__usphere-cli.pem"),
            ("--tls-key", "self__usphere-cli.key"),
            ("--tls-ca", "ca.pem"),
        ];
        let ours = ours.map(|(flag, name)| [flag.to_owned(), file(name).display().to_string()]);
        (theirs.into(), ours.concat())
    }
}

#[test]
fn every_verb_works_against_obuspa_that_listens() {
    peer_listens(Over::Plain);
}

#[test]
fn every_verb_works_against_obuspa_that_dials_in() {
    peer_dials_in(Over::Plain);
}

/// Proves: R-WS.22
#[test]
fn every_verb_works_against_obuspa_that_listens_for_tls() {
    peer_listens(Over::Tls);
}

/// Proves: R-WS.22
#[test]
fn every_verb_works_against_obuspa_that_dials_in_over_tls() {
    peer_dials_in(Over::Tls);
}

fn peer_listens(over: Over) {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let (theirs, ours) = over.certificates(folder.path());
    let lines = [
        "MTP.1.Alias \"cpe-1\"".to_owned(),
        "MTP.1.Enable \"true\"".to_owned(),
        "MTP.1.Protocol \"WebSocket\"".to_owned(),
        format!("MTP.1.WebSocket.Port \"{port}\""),
        "MTP.1.WebSocket.Path \"/usp\"".to_owned(),
        format!("MTP.1.WebSocket.EnableEncryption \"{}\"", over == Over::Tls),
    ];
    let Some(_peer) = obuspa(folder.path(), &lines, &theirs) else {
        return;
    };
    // The peer is made for a network: it is not dialled without a delay.
    let port = distance::from(port);
    let url = format!("{}://127.0.0.1:{port}/usp", over.scheme());
    let way = Way {
        device: None,
        options: ["--agent".to_owned(), url]
            .into_iter()
            .chain(ours)
            .collect(),
    };
    eventually("the peer listens", || {
        (way.ask("protocol", &[]).code == 0).then_some(())
    });
    every_verb(&way, &FACTS);
    commands(&way);
    watched(&way, folder.path());
}

/// The lines by which the peer dials in at this port. Its answers can wait for its next keep-alive, and its next try
/// for the back-off: both short.
fn dials(port: u16, over: Over) -> [String; 10] {
    [
        "Alias \"cpe-1\"".to_owned(),
        "Enable \"true\"".to_owned(),
        "Protocol \"WebSocket\"".to_owned(),
        "WebSocket.Host \"127.0.0.1\"".to_owned(),
        format!("WebSocket.Port \"{port}\""),
        "WebSocket.Path \"/usp\"".to_owned(),
        format!("WebSocket.EnableEncryption \"{}\"", over == Over::Tls),
        "WebSocket.KeepAliveInterval \"2\"".to_owned(),
        "WebSocket.SessionRetryMinimumWaitInterval \"1\"".to_owned(),
        "WebSocket.SessionRetryIntervalMultiplier \"1000\"".to_owned(),
    ]
    .map(|line| format!("Controller.1.MTP.1.{line}"))
}

fn peer_dials_in(over: Over) {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let (theirs, ours) = over.certificates(folder.path());
    let lines = dials(port, over);
    let Some(_peer) = obuspa(folder.path(), &lines, &theirs) else {
        return;
    };
    let url = format!("{}://127.0.0.1:{port}/usp", over.scheme());
    let way = Way {
        device: None,
        options: ["--listen", &url, "--timeout", "60s"]
            .map(str::to_owned)
            .into_iter()
            .chain(ours)
            .collect(),
    };
    every_verb(&way, &FACTS);
    commands(&way);
    watched(&way, folder.path());
}
