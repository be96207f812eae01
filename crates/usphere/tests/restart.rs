//! An Agent that is told to start anew, as a user sees it.

mod common;
mod support;

use std::collections::BTreeMap;
use std::path::Path;

use usphere_proto::msg::{Notification, Operate, RequestType, ResponseType};

use crate::common::verbs::Way;
use crate::common::{PATIENCE, Program, free_port, usphere};
use crate::support::Peer;

const AGENT: &str = "self::restarted";
const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
const UP_TIME: &str = "Device.LocalAgent.UpTime";

/// An Agent that listens and dials nobody, two Controllers that know the way to it, and its log.
struct House {
    agent: Program,
    url: String,
    ours: Way,
    other: Way,
}

fn house(folder: &Path, configuration: &str) -> House {
    let url = format!("ws://127.0.0.1:{}/usp", free_port());
    let file = folder.join("agent.toml");
    std::fs::write(&file, configuration).unwrap();
    let mut command = usphere();
    command
        .args(["agent", "--endpoint-id", AGENT, "--config"])
        .arg(file)
        .arg("--data")
        .arg(folder.join("agent"))
        .args(["--controller", "self::other"])
        .args(["--controller", "self::usphere-cli", "--listen", &url]);
    let mut agent = Program::start(&mut command, folder.join("agent.log"));
    agent.wait_for("listening");
    let way = |extra: &[&str]| Way {
        device: None,
        options: [&["--agent", &url], extra]
            .concat()
            .iter()
            .map(|word| (*word).to_owned())
            .collect(),
    };
    let (ours, other) = (way(&[]), way(&["--as", "self::other"]));
    House {
        agent,
        url,
        ours,
        other,
    }
}

impl House {
    /// Waits until the Agent listens for the `count`th time.
    fn listens(&mut self, count: usize) {
        let started = std::time::Instant::now();
        while self.agent.log().matches(" listening ").count() < count {
            assert!(started.elapsed() < PATIENCE, "{}", self.agent.log());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// The answer comes, then the goodbye; the process stays, what was set is there, and Boot! tells why.
///
/// Proves: TP-469 1.61, TP-469 9.10
#[tokio::test]
async fn a_reboot_starts_the_agent_anew_and_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = house(folder.path(), "");
    let subscription = [
        "Device.LocalAgent.Subscription.",
        "Enable=true",
        "ID=boot",
        "NotifType=Event",
        "ReferenceList=Device.Boot!",
        "Persistent=true",
        "NotifRetry=true",
    ];
    house.other.ask("add", &subscription).ended(0);
    let parameter = [
        "Device.LocalAgent.Controller.1.BootParameter.",
        "Enable=true",
        &format!("ParameterName={CODE}"),
    ];
    house.other.ask("add", &parameter).ended(0);
    house.ours.ask("set", &[&format!("{CODE}=kept")]).ended(0);
    let mut other = Peer::dial(&house.url, "self::other", AGENT).await;
    other.send_record(&other.connect_record());
    let reboot = Operate {
        command: "Device.Reboot()".to_owned(),
        command_key: "why".to_owned(),
        send_resp: true,
        input_args: BTreeMap::from([("Reason".to_owned(), "a test".to_owned())]),
    };
    let answer = other.ask(reboot).await;
    let answered = matches!(answer.as_response(), Some(ResponseType::OperateResp(_)));
    assert!(answered, "{answer:?}");
    other.end().await;
    house.listens(2);
    let mut other = Peer::dial(&house.url, "self::other", AGENT).await;
    other.send_record(&other.connect_record());
    let boot = loop {
        let msg = other.next().await.unwrap();
        if let Some(RequestType::Notify(notify)) = msg.as_request()
            && let Some(Notification::Event(event)) = &notify.notification
        {
            break event.clone();
        }
    };
    assert_eq!((&*boot.obj_path, &*boot.event_name), ("Device.", "Boot!"));
    let map = format!("{{\"{CODE}\":\"kept\"}}");
    for (name, value) in [
        ("Cause", "RemoteReboot"),
        ("CommandKey", "why"),
        ("Reason", "a test"),
        ("FirmwareUpdated", "false"),
        ("ParameterMap", &*map),
    ] {
        assert_eq!(boot.params[name], value);
    }
    house.ours.ask("get", &[CODE]).ended(0).says("kept");
}

/// Nothing is left but who the Agent is and what its configuration seeds.
#[test]
fn a_factory_reset_leaves_what_the_configuration_seeds() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = house(folder.path(), "");
    house.ours.ask("set", &[&format!("{CODE}=gone")]).ended(0);
    house
        .other
        .ask("delete", &["Device.LocalAgent.Controller.1."])
        .ended(0);
    house
        .ours
        .ask("operate", &["Device.FactoryReset()"])
        .ended(0);
    house.listens(2);
    let code = house.ours.ask("get", &[CODE]).ended(0);
    assert!(!code.out.contains("gone"), "{code:#?}");
    house
        .other
        .ask("get", &["Device.LocalAgent.EndpointID"])
        .ended(0)
        .says("self::restarted");
}

/// A command for the host that fails does not keep the Agent from starting anew.
#[test]
fn the_host_is_acted_on_where_that_is_configured() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let script = format!("echo rebooted > {}; exit 1", trace.display());
    let configuration = format!("reboot_command = [\"/bin/sh\", \"-c\", \"{script}\"]\n");
    let mut house = house(folder.path(), &configuration);
    house.ours.ask("operate", &["Device.Reboot()"]).ended(0);
    house.listens(2);
    assert_eq!(std::fs::read_to_string(trace).unwrap(), "rebooted\n");
    house.agent.wait_for("only the Agent starts anew");
    house.ours.ask("get", &[UP_TIME]).ended(0);
}
