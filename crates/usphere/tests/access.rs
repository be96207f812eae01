//! Who may do what, who did it, and what devices are called, as a user sees it: tokens, the audit, tags and approval.

mod common;

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::common::{Program, Ran, eventually, free_port, ran, usphere};

const SERVER: &str = "self::test-server";
const ONE: &str = "self::one";
const TWO: &str = "self::two";

/// A server that lets nobody in by itself, and two Agents at its door.
struct House {
    _server: Program,
    _agents: Vec<Program>,
    url: String,
    data: String,
}

impl House {
    fn new(folder: &Path) -> Self {
        let (api, ws) = (free_port(), free_port());
        let file = folder.join("server.toml");
        let policy = "[onboarding]\nfirst_contact = \"approval\"\n";
        let addresses = format!("api = \"127.0.0.1:{api}\"\nws = \"127.0.0.1:{ws}\"\n");
        fs::write(&file, addresses + policy).unwrap();
        let data = folder.join("server").display().to_string();
        let mut command = usphere();
        command.args(["server", "--data", &data, "--endpoint-id", SERVER]);
        command.arg("--config").arg(&file);
        let mut server = Program::start(&mut command, folder.join("server.log"));
        server.wait_for("an Agent comes with");
        let agents = [ONE, TWO].map(|id| {
            let name = id.replace(':', "-");
            let mut command = usphere();
            let door = format!("{SERVER}=ws://127.0.0.1:{ws}/usp");
            command.args(["agent", "--endpoint-id", id, "--controller", &door]);
            command.arg("--data").arg(folder.join(&name));
            Program::start(&mut command, folder.join(name + ".log"))
        });
        Self {
            _server: server,
            _agents: agents.into(),
            url: format!("http://127.0.0.1:{api}"),
            data,
        }
    }

    /// With the token of the data folder.
    fn run(&self, words: &[&str]) -> Ran {
        let reach = ["--server", &self.url, "--data", &self.data];
        ran(usphere().args(words).args(reach))
    }

    /// With another token.
    fn run_as(&self, token: &str, words: &[&str]) -> Ran {
        let reach = ["--server", &self.url, "--token", token];
        ran(usphere().args(words).args(reach))
    }

    /// Waits until both are at the door.
    fn both_wait(&self) {
        eventually("both wait", || {
            let waiting = self.run(&["devices", "list", "--pending"]).ended(0).out;
            (waiting.contains(ONE) && waiting.contains(TWO)).then_some(())
        });
    }

    fn token(&self, words: &[&str]) -> String {
        let made = self.run(&[&["tokens", "create"], words].concat()).ended(0);
        made.out.trim().to_owned()
    }

    /// What the audit has, the newest first: who, what, to whom, with what answer.
    fn audit(&self, words: &[&str]) -> Vec<(String, String, String, u64)> {
        let told = self.run(&[&["audit", "--json"], words].concat()).ended(0);
        let entries = told.json();
        let entries = entries.as_array().unwrap().iter();
        entries
            .map(|entry| {
                let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
                let status = entry["status"].as_u64().unwrap_or_default();
                (text("actor"), text("action"), text("target"), status)
            })
            .collect()
    }
}

fn entry(actor: &str, action: &str, target: &str, status: u64) -> (String, String, String, u64) {
    (actor.into(), action.into(), target.into(), status)
}

fn names(list: &Value) -> Vec<&str> {
    let devices = list.as_array().unwrap().iter();
    devices
        .map(|device| device["endpoint_id"].as_str().unwrap())
        .collect()
}

#[test]
fn a_token_does_what_its_scope_allows_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(folder.path());
    house.both_wait();
    house
        .run(&["tokens", "list"])
        .ended(0)
        .says("no tokens but the one in the data folder");

    let reader = house.token(&["reader", "--scope", "read", "--expires", "2h"]);
    let worker = house.token(&["worker", "--scope", "operate"]);
    let admin = house.token(&["boss", "--scope", "admin"]);
    let listed = house.run(&["tokens", "list"]).ended(0);
    for secret in [&reader, &worker, &admin] {
        assert!(!listed.out.contains(secret.as_str()), "{}", listed.out);
    }
    listed.says("reader  read     119 min").says("never");
    house
        .run(&["tokens", "create", "reader", "--scope", "admin"])
        .ended(3)
        .says("there is a token with the name \"reader\"");

    let list = house
        .run_as(&reader, &["devices", "list", "--json"])
        .ended(0);
    assert_eq!(names(&list.json()), [ONE, TWO]);
    let tag = ["devices", "tag", ONE, "attic"];
    house
        .run_as(&reader, &tag)
        .ended(4)
        .says("the token \"reader\" has the scope read, and this needs operate")
        .says("usphere tokens create NAME --scope SCOPE");
    house.run_as(&worker, &tag).ended(0).says("attic");
    house
        .run_as(&worker, &["tokens", "list"])
        .ended(4)
        .says("needs admin");
    house
        .run_as(&worker, &["audit"])
        .ended(4)
        .says("needs admin");
    house
        .run_as(&admin, &["tokens", "list"])
        .ended(0)
        .says("worker");

    house
        .run_as(&admin, &["tokens", "revoke", "worker"])
        .ended(0)
        .says("revoked worker");
    let again = house.run(&["tokens", "revoke", "worker"]).ended(3);
    assert!(!again.err.contains("devices list"), "{}", again.err);
    again
        .says("there is no token with the name \"worker\"")
        .says("usphere tokens list");
    house
        .run_as(&worker, &["devices", "list"])
        .ended(4)
        .says("the server does not take the token");

    let brief = house.token(&["brief", "--scope", "read", "--expires", "1s"]);
    sleep(Duration::from_millis(1100));
    house
        .run_as(&brief, &["devices", "list"])
        .ended(4)
        .says("expired");
    house.run(&["tokens", "list"]).ended(0).says("expired");
    let made = house.run(&["tokens", "create", "ci", "--scope", "metrics", "--json"]);
    let made = made.ended(0).json();
    assert_eq!(made["scope"], "metrics");
    assert!(made["token"].as_str().unwrap().starts_with("usphere_"));
    house
        .run_as(made["token"].as_str().unwrap(), &["devices", "list"])
        .ended(4)
        .says("needs read");
}

#[test]
fn the_audit_has_who_did_what_and_who_was_refused() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(folder.path());
    house.both_wait();
    let reader = house.token(&["reader", "--scope", "read"]);
    let worker = house.token(&["worker", "--scope", "operate"]);
    house.run(&["devices", "approve", ONE]).ended(0);
    house
        .run_as(&worker, &["devices", "tag", ONE, "attic"])
        .ended(0);
    house
        .run_as(&reader, &["devices", "untag", ONE, "attic"])
        .ended(4);
    let code = "Device.DeviceInfo.ProvisioningCode";
    let secret = format!("{code}=not-for-the-audit");
    eventually("the device takes it", || {
        let ran = house.run_as(&worker, &["set", ONE, &secret]);
        (ran.code == 0).then_some(())
    });
    house.run(&["tokens", "revoke", "reader"]).ended(0);

    let all = house.audit(&[]);
    for expected in [
        entry("root", "token.revoke", "reader", 204),
        entry("worker", "set", ONE, 200),
        entry("reader", "device.untag", ONE, 403),
        entry("worker", "device.tag", ONE, 200),
        entry("root", "device.approve", ONE, 200),
        entry("root", "token.create", "worker", 201),
    ] {
        assert!(all.contains(&expected), "{expected:?} in {all:#?}");
    }
    assert_eq!(house.audit(&["--limit", "2"]), all[..2]);
    let of_worker = house.audit(&["--actor", "worker", "--target", ONE]);
    assert!(of_worker.len() >= 2 && of_worker.iter().all(|(actor, ..)| actor == "worker"));
    assert_eq!(house.audit(&["--action", "device.approve"]).len(), 1);
    assert!(house.audit(&["--actor", "nobody"]).is_empty());

    let told = house.run(&["audit"]).ended(0);
    assert!(!told.out.contains("not-for-the-audit"), "{}", told.out);
    told.says("refused (403)").says("done (200)").says(code);
    house
        .run(&["audit", "--actor", "nobody"])
        .ended(0)
        .says("nothing was changed");
}

#[test]
fn devices_are_approved_and_found_by_tags() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(folder.path());
    house.both_wait();
    house
        .run(&["devices", "approve", "self::nobody"])
        .ended(3)
        .says("no device fits")
        .says("usphere devices list");
    house
        .run(&["devices", "approve", ONE])
        .ended(0)
        .says("approved self::one");
    let waiting = house.run(&["devices", "list", "--pending", "--json"]);
    assert_eq!(names(&waiting.ended(0).json()), [TWO]);
    let both = house.run(&["devices", "approve", ONE, TWO, "--json"]);
    assert_eq!(names(&both.ended(0).json()), [ONE, TWO]);
    house
        .run(&["devices", "approve", "--all"])
        .ended(0)
        .says("no device waits");

    house
        .run(&["devices", "tag", ONE, "site=attic", "pilot"])
        .ended(0)
        .says("pilot, site=attic");
    house.run(&["devices", "tag", TWO, "site=attic"]).ended(0);
    house
        .run(&["devices", "tag", TWO, "two words"])
        .ended(2)
        .says("the tag \"two words\"");
    let found = |words: &[&str]| {
        let ran = house.run(&[&["devices", "list", "--json"], words].concat());
        let list = ran.ended(0).json();
        names(&list).join(" ")
    };
    assert_eq!(found(&["--tag", "site=attic"]), format!("{ONE} {TWO}"));
    assert_eq!(found(&["--tag", "site=attic", "--tag", "pilot"]), ONE);
    assert_eq!(found(&["--tag", "pilot", "--pending"]), "");
    house
        .run(&["devices", "list", "--tag", "nowhere"])
        .ended(0)
        .says("no device fits");
    let left = house.run(&["devices", "untag", ONE, "pilot", "nowhere", "--json"]);
    assert_eq!(
        left.ended(0).json()["tags"],
        serde_json::json!(["site=attic"])
    );
    assert_eq!(found(&["--tag", "pilot"]), "");
}
