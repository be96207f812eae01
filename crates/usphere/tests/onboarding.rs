//! Coming on board as a user sees it: a device waits, is approved, and tells what all are to tell.

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::common::{Program, Ran, Signal, eventually, free_port, ran, usphere};

const AGENT: &str = "self::test-agent";
const SERVER: &str = "self::test-server";
const TABLE: &str = "Device.LocalAgent.Subscription.";

struct House {
    _server: Program,
    agent: Program,
    options: [String; 4],
}

impl House {
    /// A server that takes devices on board so, and an Agent that dials it.
    fn new(folder: &Path, policy: &str) -> Self {
        let (api, ws) = (free_port(), free_port());
        let file = folder.join("server.toml");
        fs::write(
            &file,
            format!("api = \"127.0.0.1:{api}\"\nws = \"127.0.0.1:{ws}\"\n[onboarding]\n{policy}"),
        )
        .unwrap();
        let data = folder.join("server").display().to_string();
        let mut command = usphere();
        command.args(["server", "--data", &data, "--endpoint-id", SERVER]);
        command.arg("--config").arg(&file);
        let mut server = Program::start(&mut command, folder.join("server.log"));
        server.wait_for("an Agent comes with");
        let mut command = usphere();
        let door = format!("{SERVER}=ws://127.0.0.1:{ws}/usp");
        command.args(["agent", "--endpoint-id", AGENT, "--controller", &door]);
        let product = "[device]\nmanufacturer = \"Lamps\"\nproduct_class = \"Lamp\"\nsoftware_version = \"1\"\n";
        let file = folder.join("agent.toml");
        fs::write(&file, product).unwrap();
        command.arg("--data").arg(folder.join("agent"));
        command.arg("--config").arg(file);
        let agent = Program::start(&mut command, folder.join("agent.log"));
        let url = format!("http://127.0.0.1:{api}");
        Self {
            _server: server,
            agent,
            options: ["--server".into(), url, "--data".into(), data],
        }
    }

    fn run(&self, words: &[&str]) -> Ran {
        usphere_with(&self.options, words)
    }

    /// What the API says of the products whose supported data models are known.
    fn models(&self) -> String {
        let [_, url, _, data] = &self.options;
        let token = fs::read_to_string(Path::new(data).join("token")).unwrap();
        let address = url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!(
            "GET /api/v1/models HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            token.trim()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        answer
    }

    /// What was asked of the device to change something, in order.
    fn changes(&self) -> Vec<String> {
        let listed = self.run(&["operations", "list", "--json"]).ended(0).json();
        let listed = listed.as_array().unwrap().iter().rev();
        let kinds = listed.map(|kept| kept["kind"].as_str().unwrap().to_owned());
        kinds
            .filter(|kind| ["add", "delete", "operate", "set"].contains(&kind.as_str()))
            .collect()
    }

    fn ids(&self) -> Vec<String> {
        let listed = self.run(&["instances", AGENT, TABLE]).ended(0).out;
        let words = listed.split_whitespace();
        let mut ids: Vec<String> = words
            .filter_map(|word| word.strip_prefix("ID="))
            .map(str::to_owned)
            .collect();
        ids.sort_unstable();
        ids
    }
}

#[test]
fn a_device_waits_is_approved_and_gets_its_subscriptions() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(folder.path(), "first_contact = \"approval\"\n");
    eventually("the device waits", || {
        let ran = house.run(&["devices", "list", "--pending"]).ended(0);
        ran.out.contains("online, pending").then_some(())
    });
    for (filter, is_listed) in [
        (["--search", AGENT], true),
        (["--search", "nobody"], false),
        (["--tag", "lab"], false),
    ] {
        let words = [&["devices", "list", "--pending"][..], &filter].concat();
        let out = house.run(&words).ended(0).out;
        assert_eq!(out.contains(AGENT), is_listed, "{filter:?}: {out}");
    }
    house
        .run(&["get", AGENT, "Device.DeviceInfo.Manufacturer"])
        .ended(3)
        .says("usphere devices approve self::test-agent");
    // It is back at once, as a new one that waits.
    house
        .run(&["devices", "remove", "--pending"])
        .ended(0)
        .says("removed 1 that waited");
    eventually("the device waits again", || {
        let ran = house.run(&["devices", "list", "--pending"]).ended(0);
        ran.out.contains("online, pending").then_some(())
    });
    house
        .run(&["devices", "approve", "--all"])
        .ended(0)
        .says("approved self::test-agent");
    house
        .run(&["devices", "list", "--pending"])
        .ended(0)
        .says("no device waits");
    let own = [
        "usphere:boot",
        "usphere:operations",
        "usphere:subscriptions",
    ];
    eventually("the server's own are there", || {
        (house.ids() == own).then_some(())
    });
    // The server writes it down once the device has said so.
    eventually("they are kept", || {
        let ran = house.run(&["devices", "show", AGENT]).ended(0);
        ran.out.contains("Subscriptions  kept").then_some(())
    });

    house
        .run(&[
            "subscriptions",
            "add",
            "code",
            "Device.DeviceInfo.ProvisioningCode",
        ])
        .ended(0)
        .says("ValueChange");
    let with_one_more = [
        "usphere:boot",
        "usphere:code",
        "usphere:operations",
        "usphere:subscriptions",
    ];
    eventually("it is there", || {
        (house.ids() == with_one_more).then_some(())
    });
    house
        .run(&["subscriptions", "list"])
        .ended(0)
        .says("Device.DeviceInfo.ProvisioningCode");
    // Somebody takes it away, and it is back in a moment; so is all at once.
    let row = format!("{TABLE}[ID==\"usphere:code\"].");
    for (row, pause) in [(&row, 6), (&format!("{TABLE}*."), 11)] {
        // Soon after a check none is made again at once, the less so the more there was to mend.
        sleep(Duration::from_secs(pause));
        house.run(&["delete", AGENT, row]).ended(0);
        eventually("they are mended", || {
            (house.ids() == with_one_more).then_some(())
        });
    }
    house
        .run(&[
            "subscriptions",
            "add",
            "boots",
            "--type",
            "event",
            "Device.Boot!",
        ])
        .ended(0);
    eventually("both are there", || {
        let ids = house.ids();
        let is_there = |id: &str| ids.iter().any(|known| known == id);
        (is_there("usphere:code") && is_there("usphere:boots")).then_some(())
    });
    for name in ["code", "boots"] {
        house.run(&["subscriptions", "remove", name]).ended(0);
    }
    eventually("they are gone", || (house.ids() == own).then_some(()));
    house.run(&["subscriptions", "remove", "boot"]).ended(3);
}

/// Through a server that hears of the ends of commands, each is waited for by its operation; through another, by a
/// Subscription of its own.
#[test]
fn the_end_of_a_command_is_waited_for_without_asking_for_more_than_that() {
    let timer = ["operate", AGENT, "Device.ScheduleTimer()"];
    let ran = |house: &House, words: &[&str]| house.run(&[&timer, words].concat());
    for (policy, subscriptions, changes) in [
        ("", "kept", &["operate", "operate"][..]),
        (
            "subscriptions = false\n",
            "",
            &["add", "operate", "delete", "add", "operate", "delete"],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let house = House::new(folder.path(), policy);
        eventually("the device is on board", || {
            let device = house.run(&["devices", "show", AGENT, "--json"]);
            let device = (device.code == 0).then(|| device.json())?;
            let told = device["subscriptions"].as_str().unwrap_or_default();
            (device["online"] == true && told == subscriptions).then_some(())
        });
        ran(&house, &["DelaySeconds=1"])
            .ended(0)
            .says("completed Device.ScheduleTimer()");
        let late = ran(&house, &["DelaySeconds=60", "--wait", "1s"]).ended(3);
        let late = late.says("not complete after 1 s");
        assert_eq!(
            late.err.contains("operations show op-"),
            !subscriptions.is_empty(),
            "{late:#?}"
        );
        assert_eq!(house.changes(), changes, "{policy}");
    }
}

/// What its product can do is told while a device is away, but not as the device itself says it now.
#[test]
fn what_is_to_be_fresh_is_asked_of_the_device_itself() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(folder.path(), "first_contact = \"open\"\n");
    let known = ["schema", AGENT, "Device.DeviceInfo."];
    let fresh = [&known[..], &["--fresh"]].concat();
    let is_known = || house.models().contains("\"Lamp\"").then_some(());
    eventually("the server has heard what the product can do", is_known);
    house.run(&fresh).ended(0).says("SoftwareVersion");
    // It has the device tell all of it anew.
    eventually("the server has heard it again", is_known);
    assert_eq!(house.agent.end(Signal::TERM), 0);
    eventually("the device is away", || {
        let ran = usphere_with(&house.options, &["devices", "show", AGENT]);
        ran.out.contains("offline").then_some(())
    });
    usphere_with(&house.options, &known)
        .ended(0)
        .says("SoftwareVersion");
    usphere_with(&house.options, &fresh)
        .ended(3)
        .says("not connected");
}

fn usphere_with(options: &[String], words: &[&str]) -> Ran {
    ran(usphere().args(words).args(options))
}
