//! The suite against OB-USP-AGENT, the reference Agent in C: each result is held against that which its project
//! publishes, except where docs/conformance.md explains why it is another.
//!
//! `OBUSPA` names its binary (11.0 or later); without it these tests only say that they are left out. `REPORT`
//! names a folder for the reports, and `ONLY` tests to run alone. What takes long is run at the same time, each with
//! an Agent of its own. Nothing is run over TLS here.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use usphere_conformance::sockets::broker::{Broker, BrokerSetup};
use usphere_conformance::sockets::{Listen, Reach, Setup, Sockets, Spawn};
use usphere_conformance::{CATALOGUE, Outcome, Peer, Profile, Selection, TestId, Verdict, run};

/// What is published for all three transports.
const EVERYWHERE: &str = "1.1-1.62,1.64-1.68,1.70-1.84,1.86-1.91,1.95-1.100,1.104-1.107,2.1-2.2,2.10-2.26,3.1,4.1,9.2,9.9,9.11,10.1-10.2,10.5-10.13";

/// What is published for STOMP, for WebSocket and for MQTT alone.
const OF_STOMP: &str = "6.*";
const OF_WEBSOCKET: &str = "7.1-7.2,7.4,7.6-7.12";
const OF_MQTT: &str = "11.*";

/// What of all that has failed.
const PUBLISHED_FAILED: [&str; 2] = ["7.6", "11.8"];

/// What wants TLS.
const OVER_TLS: [&str; 7] = ["4.1", "6.11", "7.9", "9.2", "10.2", "10.6", "11.3"];

/// What takes long, beside bulk data.
const LONG: [&str; 10] = [
    "1.53", "1.54", "1.55", "1.56", "1.59", "1.79", "1.100", "2.20", "9.11", "11.16",
];

const CONTROLLER: &str = "self::conformance";

const COMMON: [&str; 5] = [
    "LocalAgent.EndpointID \"proto::obuspa-agent\"",
    "LocalAgent.Controller.1.Alias \"cpe-1\"",
    "LocalAgent.Controller.1.Enable \"true\"",
    "LocalAgent.Controller.1.AssignedRole \"Device.LocalAgent.ControllerTrust.Role.1\"",
    "LocalAgent.Controller.1.EndpointID \"self::conformance\"",
];

const MQTT: [&str; 18] = [
    "LocalAgent.MTP.1.Alias \"cpe-1\"",
    "LocalAgent.MTP.1.Enable \"true\"",
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

const STOMP: [&str; 17] = [
    "LocalAgent.MTP.1.Alias \"cpe-1\"",
    "LocalAgent.MTP.1.Enable \"true\"",
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

/// Where much is said at once, it sometimes sends what it has to say only with its next Ping.
const DIALS: [&str; 10] = [
    "LocalAgent.Controller.1.MTP.1.Alias \"cpe-1\"",
    "LocalAgent.Controller.1.MTP.1.Enable \"true\"",
    "LocalAgent.Controller.1.MTP.1.Protocol \"WebSocket\"",
    "LocalAgent.Controller.1.MTP.1.WebSocket.Host \"127.0.0.1\"",
    "LocalAgent.Controller.1.MTP.1.WebSocket.Port \"{port}\"",
    "LocalAgent.Controller.1.MTP.1.WebSocket.Path \"/usp\"",
    "LocalAgent.Controller.1.MTP.1.WebSocket.EnableEncryption \"false\"",
    "LocalAgent.Controller.1.MTP.1.WebSocket.KeepAliveInterval \"1\"",
    "LocalAgent.Controller.1.MTP.1.WebSocket.SessionRetryMinimumWaitInterval \"1\"",
    "LocalAgent.Controller.1.MTP.1.WebSocket.SessionRetryIntervalMultiplier \"2000\"",
];

const LISTENS: [&str; 7] = [
    "LocalAgent.MTP.1.Alias \"cpe-1\"",
    "LocalAgent.MTP.1.Enable \"true\"",
    "LocalAgent.MTP.1.Protocol \"WebSocket\"",
    "LocalAgent.MTP.1.WebSocket.Port \"{port}\"",
    "LocalAgent.MTP.1.WebSocket.Path \"/usp\"",
    "LocalAgent.MTP.1.WebSocket.EnableEncryption \"false\"",
    "LocalAgent.MTP.1.WebSocket.KeepAliveInterval \"1\"",
];

/// The port at which it dials or listens; what it is told, it cannot read from a URL.
const PORT: &str = "port=$(echo {url} | sed 's/.*:\\([0-9]*\\).*/\\1/'); sed \"s/{port}/$port/\" factory.txt > settings.txt; \
    exec $OBUSPA -i lo -f agent.db -s agent.sock -r settings.txt -p -v 4";

/// How the Agent is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Dials,
    Listens,
    Mqtt,
    Stomp,
}

impl Way {
    fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Dials => &DIALS,
            Self::Listens => &LISTENS,
            Self::Mqtt => &MQTT,
            Self::Stomp => &STOMP,
        }
    }

    /// What is published for this transport.
    fn published(self) -> Vec<TestId> {
        let of_it = match self {
            Self::Dials | Self::Listens => OF_WEBSOCKET,
            Self::Mqtt => OF_MQTT,
            Self::Stomp => OF_STOMP,
        };
        let chosen: Selection = format!("{EVERYWHERE},{of_it}").parse().expect("tests");
        let all = CATALOGUE.iter().map(|entry| entry.id);
        all.filter(|id| chosen.has(*id)).collect()
    }

    fn peer(self, spawn: Spawn) -> Box<dyn Peer> {
        let primary = CONTROLLER.parse().expect("an ID");
        let second = format!("{CONTROLLER}-2").parse().expect("an ID");
        let (spawn, stop) = (Some(spawn), Arc::new(AtomicBool::new(false)));
        let reach = match self {
            Self::Dials => Reach::Listen(Listen {
                address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                path: "/usp".to_owned(),
                tls: false,
            }),
            Self::Listens => Reach::Dial(
                format!("ws://127.0.0.1:{}/usp", free_port())
                    .parse()
                    .expect("a URL"),
            ),
            Self::Mqtt | Self::Stomp => {
                let scheme = format!("{self:?}").to_lowercase();
                let setup = BrokerSetup {
                    url: format!("{scheme}://127.0.0.1:0").parse().expect("a URL"),
                    primary,
                    second,
                    tls: None,
                    credentials: None,
                    web: None,
                    spawn,
                    stop,
                };
                return Box::new(Broker::start(setup).expect("the server starts"));
            }
        };
        let setup = Setup {
            reach,
            primary,
            second,
            tls: None,
            second_tls: None,
            web: None,
            credentials: None,
            spawn,
            stop,
        };
        Box::new(Sockets::start(setup).expect("it starts"))
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("bound").port()
}

/// Runs tests against an Agent that starts for the first time.
fn outcomes(way: Way, binary: &Path, part: &[TestId]) -> Vec<Outcome> {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = COMMON.iter().chain(way.settings());
    let lines: String = lines.map(|line| format!("Device.{line}\n")).collect();
    let settings = format!("{lines}Internal.Reboot.Cause \"LocalFactoryReset\"\n");
    fs::write(folder.path().join("factory.txt"), settings).expect("it is written");
    let kept = env::var_os("REPORT").map(|kept| {
        let kept = Path::new(&kept).join(format!("{way:?}-{}", part[0]));
        fs::create_dir_all(&kept).expect("it is made");
        kept
    });
    let (home, binary) = (folder.path().display(), binary.display());
    let peer = way.peer(Spawn {
        command: format!("cd {home}; OBUSPA={binary}; {PORT}"),
        log: kept.as_ref().map(|kept| kept.join("agent.log")),
    });
    let part: Selection = part.iter().copied().collect();
    let report = run(peer, Profile::default(), &part, &mut ()).expect("the Agent is there");
    if let Some(kept) = kept {
        report.write(&kept).expect("it is written");
    }
    report.outcomes
}

/// The tests in parts that are run at the same time: what takes long by itself, the rest by section.
fn parts(tests: Vec<TestId>) -> Vec<Vec<TestId>> {
    let mut parts: BTreeMap<(u16, u16), Vec<TestId>> = BTreeMap::new();
    for id in tests {
        let is_long = id.section == 10 || LONG.contains(&id.to_string().as_str());
        let number = if is_long { id.number } else { 0 };
        parts.entry((id.section, number)).or_default().push(id);
    }
    parts.into_values().collect()
}

/// Each result is the published one, but for these: in this way of reaching the Agent they are so.
fn is_as_published(way: Way, others: &[(&str, Verdict)]) {
    let Some(binary) = env::var_os("OBUSPA").filter(|binary| !binary.is_empty()) else {
        eprintln!("left out: OBUSPA does not name the binary of OB-USP-AGENT");
        return;
    };
    let binary = PathBuf::from(binary);
    let mut tests = way.published();
    if let Ok(only) = env::var("ONLY") {
        let only: Selection = only.parse().expect("tests");
        tests.retain(|id| only.has(*id));
    }
    let outcomes = thread::scope(|scope| {
        let binary = &binary;
        let parts = parts(tests).into_iter();
        let running: Vec<_> = parts
            .map(|part| scope.spawn(move || outcomes(way, binary, &part)))
            .collect();
        let ended = running.into_iter().map(|one| one.join().expect("it ends"));
        ended.flatten().collect::<Vec<_>>()
    });
    let mut wrong = Vec::new();
    for outcome in outcomes {
        let id = outcome.id.to_string();
        let other = others.iter().find(|(other, _)| *other == id);
        let expected = match other {
            Some((_, verdict)) => *verdict,
            None if OVER_TLS.contains(&id.as_str()) => Verdict::NotRunnable,
            None if PUBLISHED_FAILED.contains(&id.as_str()) => Verdict::Failed,
            None => Verdict::Passed,
        };
        let line = format!("{id} {}: {}", outcome.result.name(), outcome.reason);
        println!("{line}");
        if outcome.result != expected {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every published result is held against ours: 172 tests, of which each transport has some.
#[test]
fn no_published_result_is_left_out() {
    let of = |way: Way| way.published().len();
    assert_eq!(
        (
            of(Way::Stomp),
            of(Way::Mqtt),
            of(Way::Dials),
            of(Way::Listens)
        ),
        (145, 150, 143, 143)
    );
    let ways = [Way::Stomp, Way::Mqtt, Way::Dials];
    let all: BTreeSet<TestId> = ways.into_iter().flat_map(Way::published).collect();
    assert_eq!(all.len(), 172);
}

/// The reference Agent dials the suite.
#[test]
fn the_reference_agent_where_it_dials() {
    is_as_published(Way::Dials, &[("7.2", Verdict::NotRunnable)]);
}

/// The suite dials the reference Agent.
#[test]
fn the_reference_agent_where_it_listens() {
    is_as_published(Way::Listens, &[("7.8", Verdict::NotRunnable)]);
}

/// The reference Agent reaches the suite over STOMP.
#[test]
fn the_reference_agent_over_stomp() {
    is_as_published(Way::Stomp, &[]);
}

/// The reference Agent reaches the suite over MQTT 5.
#[test]
fn the_reference_agent_over_mqtt() {
    is_as_published(Way::Mqtt, &[]);
}
