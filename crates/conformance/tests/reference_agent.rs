//! The tests of MQTT and STOMP against OB-USP-AGENT, the reference Agent in C, whose server is the suite.
//!
//! `OBUSPA` names its binary (11.0 or later); without it these tests only say that they are left out. `REPORT`
//! names a folder for the reports.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use usphere_conformance::sockets::Spawn;
use usphere_conformance::sockets::broker::{Broker, BrokerSetup};
use usphere_conformance::{Profile, Report, Verdict, run};

const CONTROLLER: &str = "self::conformance";

const COMMON: [&str; 7] = [
    "LocalAgent.EndpointID \"proto::obuspa-agent\"",
    "LocalAgent.MTP.1.Alias \"cpe-1\"",
    "LocalAgent.MTP.1.Enable \"true\"",
    "LocalAgent.Controller.1.Alias \"cpe-1\"",
    "LocalAgent.Controller.1.Enable \"true\"",
    "LocalAgent.Controller.1.AssignedRole \"Device.LocalAgent.ControllerTrust.Role.1\"",
    "LocalAgent.Controller.1.EndpointID \"self::conformance\"",
];

const MQTT: [&str; 16] = [
    "LocalAgent.MTP.1.Protocol \"MQTT\"",
    "LocalAgent.MTP.1.MQTT.Reference \"Device.MQTT.Client.1\"",
    "LocalAgent.MTP.1.MQTT.ResponseTopicConfigured \"usphere/conformance/agent\"",
    "MQTT.Client.1.Alias \"cpe-1\"",
    "MQTT.Client.1.Enable \"true\"",
    "MQTT.Client.1.BrokerAddress \"127.0.0.1\"",
    "MQTT.Client.1.BrokerPort \"{port}\"",
    "MQTT.Client.1.ProtocolVersion \"5.0\"",
    "MQTT.Client.1.TransportProtocol \"TCP/IP\"",
    "MQTT.Client.1.ConnectRetryTime \"2\"",
    "MQTT.Client.1.ConnectRetryIntervalMultiplier \"2000\"",
    "LocalAgent.Controller.1.MTP.1.Alias \"cpe-1\"",
    "LocalAgent.Controller.1.MTP.1.Enable \"true\"",
    "LocalAgent.Controller.1.MTP.1.Protocol \"MQTT\"",
    "LocalAgent.Controller.1.MTP.1.MQTT.Reference \"Device.MQTT.Client.1\"",
    "LocalAgent.Controller.1.MTP.1.MQTT.Topic \"usphere/conformance/controller\"",
];

const STOMP: [&str; 15] = [
    "LocalAgent.MTP.1.Protocol \"STOMP\"",
    "LocalAgent.MTP.1.STOMP.Reference \"Device.STOMP.Connection.1\"",
    "STOMP.Connection.1.Alias \"cpe-1\"",
    "STOMP.Connection.1.Enable \"true\"",
    "STOMP.Connection.1.Host \"127.0.0.1\"",
    "STOMP.Connection.1.Port \"{port}\"",
    "STOMP.Connection.1.EnableEncryption \"false\"",
    "STOMP.Connection.1.VirtualHost \"/\"",
    "STOMP.Connection.1.ServerRetryInitialInterval \"2\"",
    "STOMP.Connection.1.ServerRetryIntervalMultiplier \"2000\"",
    "LocalAgent.Controller.1.MTP.1.Alias \"cpe-1\"",
    "LocalAgent.Controller.1.MTP.1.Enable \"true\"",
    "LocalAgent.Controller.1.MTP.1.Protocol \"STOMP\"",
    "LocalAgent.Controller.1.MTP.1.STOMP.Reference \"Device.STOMP.Connection.1\"",
    "LocalAgent.Controller.1.MTP.1.STOMP.Destination \"usphere/conformance/controller\"",
];

/// The port of the server: what the command of the Agent is given, it cannot read from a URL.
const PORT: &str = "port=$(echo {url} | sed 's/.*://'); sed \"s/{port}/$port/\" factory.txt > settings.txt; \
    exec $OBUSPA -i lo -f agent.db -s agent.sock -r settings.txt -p -v 4";

fn report(scheme: &str, lines: &[&str], only: &str) -> Option<Report> {
    let Some(binary) = env::var_os("OBUSPA").filter(|binary| !binary.is_empty()) else {
        eprintln!("left out: OBUSPA does not name the binary of OB-USP-AGENT");
        return None;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let lines = COMMON.iter().chain(lines);
    let lines: String = lines.map(|line| format!("Device.{line}\n")).collect();
    let settings = format!("{lines}Internal.Reboot.Cause \"LocalFactoryReset\"\n");
    fs::write(folder.path().join("factory.txt"), settings).expect("it is written");
    let kept = env::var_os("REPORT").map(|kept| Path::new(&kept).join(scheme));
    if let Some(kept) = &kept {
        fs::create_dir_all(kept).expect("it is made");
    }
    let command = format!(
        "cd {}; OBUSPA={}; {PORT}",
        folder.path().display(),
        PathBuf::from(binary).display()
    );
    let setup = BrokerSetup {
        url: format!("{scheme}://127.0.0.1:0").parse().expect("a URL"),
        primary: CONTROLLER.parse().expect("an ID"),
        second: format!("{CONTROLLER}-2").parse().expect("an ID"),
        tls: None,
        credentials: None,
        spawn: Some(Spawn {
            command,
            log: kept.as_ref().map(|kept| kept.join("agent.log")),
        }),
        stop: Arc::new(AtomicBool::new(false)),
    };
    let peer = Broker::start(setup).expect("the server starts");
    let only = env::var("ONLY").unwrap_or_else(|_| only.to_owned());
    let only = only.parse().expect("tests");
    let report = run(Box::new(peer), Profile::default(), &only, &mut ());
    let report = report.expect("the Agent is there");
    println!("{}", report.to_text());
    if let Some(kept) = kept {
        report.write(&kept).expect("it is written");
    }
    Some(report)
}

fn failed(report: &Report) -> Vec<String> {
    let outcomes = report.outcomes.iter();
    let failed = outcomes.filter(|outcome| outcome.result == Verdict::Failed);
    failed.map(|outcome| outcome.id.to_string()).collect()
}

/// The reference Agent passes the tests of STOMP, and those of Messages over it.
#[test]
fn the_reference_agent_over_stomp() {
    if let Some(report) = report("stomp", &STOMP, "1.1-1.20,6.*,9.9") {
        assert_eq!(failed(&report), Vec::<String>::new());
    }
}

/// The reference Agent passes the tests of MQTT 5, and those of Messages over it, but for the one that it also fails
/// in the results that its project publishes.
#[test]
fn the_reference_agent_over_mqtt() {
    if let Some(report) = report("mqtt", &MQTT, "1.1-1.20,9.9,11.*") {
        assert_eq!(failed(&report), ["11.8"]);
    }
}
