//! A file of the host that somebody changes, told to a Controller over a real connection.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use usphere_agent::{Config, KnownController, Target, TrustConfig};
use usphere_datamodel::operation::{
    Add, Get, Notification, ObjectSettings, Operation, Outcome, Setting,
};
use usphere_device::{DeviceConfig, Host};
use usphere_proto::EndpointId;
use usphere_runtime::agent_host::{AgentHost, AgentHostConfig, HostCommands, clock_is_plausible};
use usphere_runtime::controller_host::{ControllerConfig, ControllerHost, Notifications};

use crate::scene::Files;

/// A change is to be heard in this time.
const SOON: Duration = Duration::from_secs(1);

/// How often it may take longer.
const TRIES: usize = 5;

/// How long anything may take at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything below, as the files tell it.
const WATCHED: [&str; 4] = [
    "Device.DHCPv4.Client.",
    "Device.DNS.Client.",
    "Device.Time.",
    "Device.Users.",
];

/// How a file is changed.
#[derive(Clone, Copy)]
enum Way {
    Replaced,
    WrittenOver,
}

/// A file, what is written to it time after time, and the parameter that this changes.
struct Change {
    file: &'static str,
    contents: [&'static str; 2],
    path: &'static str,
    values: [&'static str; 2],
}

const CHANGES: [Change; 4] = [
    Change {
        file: "etc/TZ",
        contents: ["UTC0\n", "JST-9\n"],
        path: "Device.Time.LocalTimeZone",
        values: ["UTC0", "JST-9"],
    },
    Change {
        file: "etc/systemd/timesyncd.conf",
        contents: ["[Time]\nNTP=a.example\n", "[Time]\nNTP=b.example\n"],
        path: "Device.Time.Client.5.Servers",
        values: ["a.example", "b.example"],
    },
    Change {
        file: "etc/resolv.conf",
        contents: ["", "nameserver 192.0.2.53\n"],
        path: "Device.DNS.Client.Status",
        values: ["Error", "Enabled"],
    },
    Change {
        file: "run/systemd/netif/leases/2",
        contents: [
            "ADDRESS=192.0.2.11\nNETMASK=255.255.255.0\nLIFETIME=4294967295\n",
            "ADDRESS=192.0.2.12\nNETMASK=255.255.255.0\nLIFETIME=4294967295\n",
        ],
        path: "Device.DHCPv4.Client.1.IPAddress",
        values: ["192.0.2.11", "192.0.2.12"],
    },
];

/// Whether the file is written over, or replaced by another, as most programs do it.
///
/// Proves: R-NOT.0a
#[tokio::test]
async fn a_changed_file_is_told_to_a_subscriber_within_a_second() {
    let files = Files::router();
    let port = free_port();
    let agent = agent(&files, port);
    let (end, ended) = oneshot::channel::<()>();
    let test = async {
        let mut controller = connect(port).await;
        let mut heard = controller.handle().notifications();
        subscribe(&controller).await;
        for change in &CHANGES {
            for way in [Way::WrittenOver, Way::Replaced] {
                is_told_soon(&files, change, &mut heard, way).await;
            }
        }
        controller.shutdown().await;
        drop(end);
    };
    let life = agent.run(async { drop(ended.await) });
    let (lived, ()) = tokio::join!(life, test);
    lived.unwrap();
}

/// It is enough that it is soon once: the machine may be busy, but what is only looked at now and then is
/// never soon.
async fn is_told_soon(files: &Files, change: &Change, heard: &mut Notifications, way: Way) {
    let file = files.folder().join(change.file);
    let mut waits = Vec::new();
    while waits.len() < TRIES {
        let before = fs::read_to_string(&file).unwrap_or_default();
        let this = usize::from(before == change.contents[0]);
        let written = Instant::now();
        match way {
            Way::Replaced => {
                let new = file.with_extension("new");
                fs::write(&new, change.contents[this]).unwrap();
                fs::rename(&new, &file).unwrap();
            }
            Way::WrittenOver => fs::write(&file, change.contents[this]).unwrap(),
        }
        hear(heard, change.path, change.values[this]).await;
        waits.push(written.elapsed());
        if waits.last() < Some(&SOON) {
            return;
        }
    }
    panic!("{}: heard after {waits:?}", change.path);
}

/// Waits for this value; whatever else follows from the change is passed over.
async fn hear(heard: &mut Notifications, at: &str, expected: &str) {
    let listening = async {
        loop {
            let delivery = heard.next().await.unwrap();
            let found = match &delivery.notified.notification {
                Notification::ValueChange { path, value } => path == at && value == expected,
                other => panic!("nobody asked for {other:?}"),
            };
            delivery.taken();
            if found {
                return;
            }
        }
    };
    let heard = timeout(PATIENCE, listening).await;
    heard.unwrap_or_else(|_| panic!("{at} did not become {expected}"));
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn agent(files: &Files, port: u16) -> AgentHost {
    let host = Host::new(DeviceConfig::default(), files.paths()).unwrap();
    let config = Config {
        endpoint_id: id("self::agent"),
        software_version: "1".to_owned(),
        controllers: vec![KnownController {
            endpoint_id: id("self::controller"),
            target: None,
        }],
        listen: Some(Target {
            host: String::new(),
            port,
            path: "/usp".to_owned(),
            encryption: false,
        }),
        trust: TrustConfig::default(),
    };
    AgentHost::start(AgentHostConfig {
        agent: config,
        objects: usphere_device::objects(),
        owners: vec![Box::new(host)],
        data: files.folder().join("agent"),
        listen_address: Ipv4Addr::LOCALHOST.into(),
        insecure: false,
        identity: None,
        seed: 1,
        clock_is_right: Box::new(clock_is_plausible),
        host_commands: HostCommands::default(),
    })
    .unwrap()
}

async fn connect(port: u16) -> ControllerHost {
    let target = format!("ws://127.0.0.1:{port}/usp").parse().unwrap();
    let config = ControllerConfig {
        endpoint_id: id("self::controller"),
        msg_id_prefix: String::new(),
    };
    let dialling = async {
        loop {
            // The Agent opens its door when it runs.
            match ControllerHost::dial(&target, config.clone(), None).await {
                Ok(host) => return host,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let host = timeout(PATIENCE, dialling).await.unwrap();
    host.wait_for_agent(PATIENCE).await.unwrap();
    host
}

/// Subscribes to all that the files tell, and has it read once, so that what comes is a change.
async fn subscribe(controller: &ControllerHost) {
    let parameters = [
        ("ID", "files"),
        ("NotifType", "ValueChange"),
        ("ReferenceList", &*WATCHED.join(",")),
        ("Enable", "true"),
    ];
    let subscription = ObjectSettings {
        path: "Device.LocalAgent.Subscription.".to_owned(),
        parameters: parameters
            .map(|(name, value)| Setting::required(name, value))
            .into(),
    };
    let add = Add {
        objects: vec![subscription],
        allow_partial: false,
    };
    let read = Get::all(WATCHED);
    for operation in [Operation::Add(add), Operation::Get(read)] {
        let handle = controller.handle();
        let outcome = handle
            .request(&id("self::agent"), operation, PATIENCE)
            .await;
        assert!(
            matches!(&outcome, Ok(Outcome::Add(_) | Outcome::Get(_))),
            "{outcome:?}"
        );
    }
}

fn id(text: &str) -> EndpointId {
    text.parse().unwrap()
}
