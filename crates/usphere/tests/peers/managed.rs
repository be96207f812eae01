//! The peer is managed by a server, which is killed, ended and started again.

use std::env;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::common::verbs::Way;
use crate::common::{PATIENCE, Program, Ran, Signal, eventually, free_port, ran, usphere};
use crate::{Over, dials, obuspa};

const PEER: &str = "proto::peer";
const TABLE: &str = "Device.LocalAgent.Controller.";
const SUBSCRIPTIONS: &str = "Device.LocalAgent.Subscription.";

/// Longer than the peer waits before it says again what was not answered.
const RETRIES: Duration = Duration::from_secs(5);

/// Where a server is, whether it runs or not.
struct Place {
    data: String,
    api: String,
    ws: String,
}

impl Place {
    fn new(folder: &Path, port: u16) -> Self {
        Self {
            data: folder.join("server").display().to_string(),
            api: format!("127.0.0.1:{}", free_port()),
            ws: format!("127.0.0.1:{port}"),
        }
    }

    fn start(&self, folder: &Path) -> Program {
        let mut command = usphere();
        command.args(["server", "--data", &self.data, "--api", &self.api]);
        command.args(["--ws", &self.ws, "--endpoint-id", "self::usphere-cli"]);
        let mut server = Program::start(&mut command, folder.join("server.log"));
        server.wait_for("an Agent comes with");
        server
    }

    fn options(&self) -> [String; 4] {
        let url = format!("http://{}", self.api);
        ["--server".into(), url, "--data".into(), self.data.clone()]
    }

    fn run(&self, words: &[&str]) -> Ran {
        ran(usphere().args(words).args(self.options()))
    }

    fn way(&self) -> Way {
        Way {
            device: Some(PEER.to_owned()),
            options: self.options().into(),
        }
    }

    /// The peer is there, and checked.
    fn is_on_board(&self) {
        eventually("the peer is on board", || {
            let ran = self.run(&["devices", "show", PEER, "--json"]);
            let device = (ran.code == 0).then(|| ran.json())?;
            let is_kept = device["online"] == true && device["subscriptions"] == "kept";
            is_kept.then_some(())
        });
    }

    /// What the peer has told of its own accord.
    fn events(&self) -> Vec<Value> {
        let token = fs::read_to_string(Path::new(&self.data).join("token")).unwrap();
        let mut stream = TcpStream::connect(&self.api).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "GET /api/v1/devices/{PEER}/events HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
            token.trim()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{text}"));
        body["events"].as_array().unwrap().clone()
    }

    /// How many events of this kind it has told.
    fn told(&self, kind: &str) -> usize {
        let events = self.events().into_iter();
        events.filter(|event| event["type"] == kind).count()
    }
}

/// Adds a row on the peer's own command line, and deletes it, since the next would be too like it.
fn add(folder: &Path) {
    let run = |words: [&str; 2]| {
        let mut command = Command::new(env::var_os("OBUSPA").unwrap());
        command.arg("-s").arg(folder.join("peer.sock")).arg("-c");
        ran(command.current_dir(folder).args(words))
    };
    let added = run(["add", TABLE]);
    let mut words = added.out.split_whitespace();
    let row = words.find(|word| word.starts_with(TABLE) && *word != TABLE);
    let row = row
        .unwrap_or_else(|| panic!("{added:#?}"))
        .trim_end_matches('.');
    run(["del", row]).ended(0).says("Deleted");
}

/// How often the peer has notified.
fn notified(peer: &Program) -> usize {
    peer.log().matches("msg_type: NOTIFY\n").count()
}

/// What happens on the peer while the server is away is told when it is back, and acknowledged: the peer stops
/// telling it. The server's Subscriptions outlive both, and are there once.
///
/// Proves: R-NOT.10
#[test]
fn obuspa_stays_managed_through_server_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let port = free_port();
    let patience = [
        "USPNotifRetryMinimumWaitInterval \"1\"",
        "USPNotifRetryIntervalMultiplier \"1000\"",
    ];
    let patience = patience.map(|line| format!("Controller.1.{line}"));
    let lines = [&dials(port, Over::Plain)[..], &patience].concat();
    let place = Place::new(folder, port);
    let Some(peer) = obuspa(folder, &lines, &[]) else {
        return;
    };
    let mut server = place.start(folder);
    place.is_on_board();
    let more = [
        "subscriptions",
        "add",
        "rows",
        "--type",
        "ObjectCreation",
        TABLE,
    ];
    place.run(&more).ended(0);
    let way = place.way();
    let has_rows = || {
        let ran = way.ask("instances", &[SUBSCRIPTIONS]).ended(0);
        (ran.out.matches("usphere:").count() == 4).then_some(())
    };
    eventually("the Subscriptions are there", has_rows);
    let rows = |count| (place.told("ObjectCreation") == count).then_some(());
    add(folder);
    eventually("it is told", || rows(1));

    for (count, signal) in [(2, Signal::KILL), (3, Signal::TERM)] {
        let _ = server.end(signal);
        add(folder);
        sleep(Duration::from_secs(2));
        server = place.start(folder);
        place.is_on_board();
        eventually("it is told afterwards", || rows(count));
        way.ask("get", &["Device.LocalAgent.EndpointID"])
            .ended(0)
            .says(PEER);
        has_rows().expect("each is there once");
        let notified_before = notified(&peer);
        assert!(notified_before >= count, "{}", peer.log());
        sleep(RETRIES);
        assert_eq!(
            notified(&peer),
            notified_before,
            "it tells again what was answered"
        );
    }

    // The peer starts anew, and says so.
    let before = place.told("Event");
    assert_eq!(peer.end(Signal::TERM), 0);
    let Some(_peer) = obuspa(folder, &lines, &[]) else {
        return;
    };
    eventually("it says that it has started", || {
        (place.told("Event") == before + 1).then_some(())
    });
    place.is_on_board();
    has_rows().expect("each is there once");
}
