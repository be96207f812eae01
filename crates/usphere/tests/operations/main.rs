//! Operations as a user of the command line sees them, and under a server that is killed under load.

mod caller;
#[path = "../common/mod.rs"]
mod common;
mod device;
mod killed;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

use serde_json::json;

use crate::common::{Program, Ran, Signal, eventually, free_port, ran, usphere};

const SERVER: &str = "self::mortal-server";

/// A server in a folder, which lives more than once.
struct House {
    folder: std::path::PathBuf,
    api: String,
    ws: String,
}

impl House {
    fn new(folder: &Path) -> Self {
        let address = || format!("127.0.0.1:{}", free_port());
        Self {
            folder: folder.to_owned(),
            api: address(),
            ws: address(),
        }
    }

    fn data(&self) -> String {
        self.folder.join("server").display().to_string()
    }

    fn start(&self) -> Program {
        let mut command = usphere();
        command.args(["server", "--endpoint-id", SERVER, "--api", &self.api]);
        command.args(["--ws", &self.ws, "--data", &self.data()]);
        Program::start(&mut command, self.folder.join("server.log"))
    }

    fn token(&self) -> String {
        let path = Path::new(&self.data()).join("token");
        let token = eventually("the token", || std::fs::read_to_string(&path).ok());
        token.trim().to_owned()
    }

    /// `usphere WORDS…` on this server.
    fn ask(&self, words: &[&str]) -> Ran {
        let mut command = usphere();
        let server = format!("http://{}", self.api);
        command
            .args(words)
            .args(["--server", &server, "--data", &self.data()]);
        ran(&mut command)
    }
}

#[test]
fn a_verb_with_later_is_kept_for_a_device_that_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(folder.path());
    let mut server = house.start();
    server.wait_for("an Agent comes with");
    let agent = || {
        let mut command = usphere();
        let controller = format!("{SERVER}=ws://{}/usp", house.ws);
        command.args([
            "agent",
            "--endpoint-id",
            "self::away",
            "--controller",
            &controller,
        ]);
        command.arg("--data").arg(folder.path().join("agent"));
        Program::start(&mut command, folder.path().join("agent.log"))
    };
    let first = agent();
    let is_there = |wanted: bool| {
        eventually("its presence", || {
            let shown = house.ask(&["devices", "show", "away", "--json"]);
            (shown.code == 0 && shown.json()["online"] == wanted).then_some(())
        });
    };
    is_there(true);
    assert_eq!(first.end(Signal::TERM), 0);
    is_there(false);

    let code = "Device.DeviceInfo.ProvisioningCode";
    house
        .ask(&["set", "away", &format!("{code}=now")])
        .ended(3)
        .says("not connected");
    let later = format!("{code}=later");
    let keyed = ["set", "away", &later, "--later", "--idempotency-key", "one"];
    let id = house.ask(&keyed).ended(0).out.trim().to_owned();
    // Whoever lost the answer asks again, and nothing is done twice.
    assert_eq!(house.ask(&keyed).ended(0).out.trim(), id);
    house
        .ask(&[
            "set",
            "away",
            &format!("{code}=other"),
            "--later",
            "--idempotency-key",
            "one",
        ])
        .ended(2)
        .says(&id);
    let read = house.ask(&["get", "away", code, "--later", "--expires", "1h", "--json"]);
    let read = read.ended(0).json()["id"].as_str().unwrap().to_owned();
    let other = house
        .ask(&["delete", "away", "Device.X.1.", "--later"])
        .ended(0);
    house
        .ask(&["operations", "cancel", other.out.trim()])
        .ended(0)
        .says("cancelled");
    house
        .ask(&["operations", "show", &id])
        .ended(0)
        .says("queued");
    let listed = house.ask(&[
        "operations",
        "list",
        "--state",
        "queued",
        "--device",
        "away",
        "--json",
    ]);
    let listed = listed.ended(0).json();
    let ids: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|each| &each["id"])
        .collect();
    assert_eq!(ids, [&json!(read), &json!(id)]);
    house
        .ask(&["operations", "list"])
        .ended(0)
        .says("cancelled");

    let _agent = agent();
    let done = eventually("the end", || {
        let shown = house
            .ask(&["operations", "show", &read, "--json"])
            .ended(0)
            .json();
        (shown["state"] == "done").then_some(shown)
    });
    let value = &done["outcome"]["results"][0]["found"][0]["parameters"]["ProvisioningCode"];
    assert_eq!(value, "later");
    // Also who waits is told what came of it then.
    house
        .ask(&["set", "away", &format!("{code}=between")])
        .ended(0);
    house
        .ask(&["set", "away", &later, "--idempotency-key", "one"])
        .ended(0);
    house.ask(&["get", "away", code]).ended(0).says("between");
    house
        .ask(&["operations", "cancel", &id])
        .ended(3)
        .says("only what is queued");
    house
        .ask(&["operations", "show", "op-1"])
        .ended(3)
        .says("no such operation");
    let mut direct = usphere();
    direct.args(["get", "--agent", "ws://127.0.0.1:1/usp", code, "--later"]);
    ran(&mut direct).ended(2);
}
