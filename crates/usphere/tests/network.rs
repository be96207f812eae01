//! A Controller builds a network over USP, in a namespace of its own, and iproute2 agrees after each step.

mod common;
#[path = "../../device/tests/net/namespace.rs"]
mod namespace;
#[path = "../../device/tests/net/uml.rs"]
mod uml;

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::verbs::Way;
use crate::common::{Program, Ran, Signal, free_port, usphere};
use crate::namespace::Namespace;
use crate::uml::with_vlans;

const AGENT: &str = "self::network-agent";

/// An Agent that serves the namespace, and the way to it.
struct House {
    _agent: Program,
    way: Way,
}

impl House {
    fn new(folder: &Path, namespace: &Namespace) -> Self {
        let url = format!("ws://127.0.0.1:{}/usp", free_port());
        Self::at(&url, folder, namespace)
    }

    /// The Agent whose data are in `folder`, which listens at `url`.
    fn at(url: &str, folder: &Path, namespace: &Namespace) -> Self {
        let config = folder.join("agent.toml");
        let text = format!(
            "controllers = [\"self::usphere-cli\"]\nlisten = \"{url}\"\n\
             [network]\nwrite = true\nnamespace = \"{}\"\n",
            namespace.path().display()
        );
        fs::write(&config, text).unwrap();
        let mut command = usphere();
        command.args(["agent", "--endpoint-id", AGENT]);
        command.arg("--data").arg(folder.join("agent"));
        command.arg("--config").arg(&config);
        let mut agent = Program::start(&mut command, folder.join("agent.log"));
        agent.wait_for("listening");
        Self {
            _agent: agent,
            way: Way {
                device: None,
                options: vec!["--agent".to_owned(), url.to_owned()],
            },
        }
    }

    /// Adds a row and gives its path, which ends in a dot.
    fn add(&self, table: &str, values: &[&str]) -> String {
        let words = [&[table], values, &["--json"]].concat();
        let json = self.way.ask("add", &words).ended(0).json();
        let path = json["results"][0]["created"]["path"].as_str();
        path.expect("a row").to_owned()
    }

    fn ask(&self, verb: &str, words: &[&str]) -> Ran {
        self.way.ask(verb, words)
    }
}

/// Everything that `ip` says, but for what the kernel counts and makes up.
fn all(namespace: &Namespace) -> Vec<Value> {
    let mut links = namespace.ask("link show");
    for link in &mut links {
        link["ifindex"] = Value::Null;
        link["linkinfo"]["info_data"] = Value::Null;
        link["linkinfo"]["info_slave_data"] = Value::Null;
        link["promiscuity"] = Value::Null;
        link["operstate"] = Value::Null;
        link["flags"] = Value::Null;
    }
    links.extend(namespace.ask("route show"));
    links
}

fn has_address(namespace: &Namespace, device: &str, address: &str) -> bool {
    let links = namespace.ask(&format!("addr show dev {device}"));
    let mut addresses = links[0]["addr_info"].as_array().into_iter().flatten();
    addresses.any(|each| each["local"] == address)
}

fn has_route(namespace: &Namespace, to: &str, device: &str) -> bool {
    let mut routes = namespace.ask("route show").into_iter();
    routes.any(|route| route["dst"] == to && route["dev"] == device)
}

/// A VLAN on a bridge gets an address and a route, moves to another port with both, and is taken down again;
/// what the kernel refuses on the way leaves nothing behind.
#[test]
fn a_controller_builds_and_takes_down_a_vlan_over_usp() {
    with_vlans(
        "a_controller_builds_and_takes_down_a_vlan_over_usp",
        |namespace| {
            for line in [
                "link add lan1 type veth peer name far1",
                "link add lan2 type veth peer name far2",
                "link set far1 up",
                "link set far2 up",
                "link set lan1 up",
                "link set lan2 up",
                "link add br0 type bridge",
                "link set lan1 master br0",
                "link set br0 up",
            ] {
                namespace.ip(line);
            }
            let folder = tempfile::tempdir().unwrap();
            let house = House::new(folder.path(), &namespace);
            let untouched = all(&namespace);
            build_and_take_down(&house, &namespace);
            assert_eq!(all(&namespace), untouched, "nothing is left behind");
        },
    );
}

fn build_and_take_down(house: &House, namespace: &Namespace) {
    let on = |device: &str| format!("LowerLayers=Device.Ethernet.Link.[Name==\"{device}\"].");
    let vlans = "Device.Ethernet.VLANTermination.";
    let vlan = house.add(vlans, &[&on("br0"), "VLANID=100", "Enable=true"]);
    let link = &namespace.ask("link show dev vlan100")[0];
    assert_eq!(link["link"], "br0");
    assert_eq!(link["linkinfo"]["info_data"]["id"], 100);
    assert!(link["flags"].as_array().unwrap().contains(&"UP".into()));

    let stacked = format!("LowerLayers={vlan}");
    let interface = house.add("Device.IP.Interface.", &[&stacked, "Enable=true"]);
    house.add(
        &format!("{interface}IPv4Address."),
        &[
            "IPAddress=192.0.2.1",
            "SubnetMask=255.255.255.0",
            "Enable=true",
        ],
    );
    assert!(has_address(namespace, "vlan100", "192.0.2.1"));

    let routes = "Device.Routing.Router.1.IPv4Forwarding.";
    let by = format!("Interface={interface}");
    let to = ["DestIPAddress=198.51.100.0", "DestSubnetMask=255.255.255.0"];
    let route = house.add(
        routes,
        &[
            to[0],
            to[1],
            "GatewayIPAddress=192.0.2.9",
            &by,
            "Enable=true",
        ],
    );
    assert!(has_route(namespace, "198.51.100.0/24", "vlan100"));

    let before = all(namespace);
    let lost = "GatewayIPAddress=203.0.113.9";
    let other = "DestIPAddress=198.51.101.0";
    house
        .ask("add", &[routes, other, to[1], lost, &by, "Enable=true"])
        .ended(1)
        .says("the kernel refuses to add the route to 198.51.101.0/24");
    house
        .ask("add", &[vlans, &on("br0"), "VLANID=100", "Enable=true"])
        .ended(1)
        .says("the kernel refuses to make VLAN 100 on br0");
    assert_eq!(
        all(namespace),
        before,
        "a refused step leaves nothing behind"
    );
    let rows = house.ask("instances", &[vlans]).ended(0);
    assert_eq!(rows.out.matches("VLANTermination.").count(), 1, "{rows:#?}");

    let set = format!("{vlan}{}", on("lan2"));
    house.ask("set", &[&set]).ended(0);
    let link = &namespace.ask("link show dev vlan100")[0];
    assert_eq!(link["link"], "lan2");
    assert!(has_address(namespace, "vlan100", "192.0.2.1"));
    assert!(has_route(namespace, "198.51.100.0/24", "vlan100"));

    house.ask("delete", &[&route]).ended(0);
    assert!(!has_route(namespace, "198.51.100.0/24", "vlan100"));
    house.ask("delete", &[&interface]).ended(0);
    assert!(!has_address(namespace, "vlan100", "192.0.2.1"));
    house.ask("delete", &[&vlan]).ended(0);
    let links = namespace.ask("link show");
    assert!(!links.iter().any(|link| link["ifname"] == "vlan100"));
}

/// Changes made with `ip` are told at once, for the kernel announces them: nothing of this is polled.
#[test]
fn what_ip_changes_is_told_at_once() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    namespace.ip("link add lan1 type veth peer name far1");
    namespace.ip("link set lan1 up");
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(folder.path(), &namespace);
    let words = [
        "Device.IP.Interface.*.IPv4AddressNumberOfEntries",
        "Device.Ethernet.Interface.*.Status",
        "Device.Hosts.HostNumberOfEntries",
        "--json",
    ];
    let command = &mut house.way.command("watch", &words);
    let mut watch = Program::start(command, folder.path().join("watch.log"));
    watch.wait_for("watching");
    for (line, told) in [
        ("addr add 192.0.2.7/24 dev lan1", "\"value\":\"1\""),
        ("link set far1 up", "\"value\":\"Up\""),
        (
            "neigh add 192.0.2.8 lladdr 02:00:5e:00:53:08 dev lan1 nud permanent",
            "HostNumberOfEntries\",\"value\":\"1\"",
        ),
        (
            "neigh del 192.0.2.8 dev lan1",
            "HostNumberOfEntries\",\"value\":\"0\"",
        ),
        ("link set far1 down", "\"value\":\"LowerLayerDown\""),
    ] {
        let started = Instant::now();
        namespace.ip(line);
        watch.wait_for(told);
        // With the time that `ip` takes to start, and up to 20 ms of looking.
        println!("told of `ip {line}` after {:?}", started.elapsed());
    }
    assert_eq!(watch.end(Signal::INT), 0);
}

/// What Controllers have configured is made again in a kernel that knows nothing of it, and is the same rows.
///
/// Proves: R-ARC.8
#[test]
fn what_was_configured_comes_back_after_a_reboot() {
    let (Some(before), Some(after)) = (Namespace::new(), Namespace::new()) else {
        return;
    };
    let boot = |namespace: &Namespace| {
        for line in [
            "link add lan1 type veth peer name far1",
            "link add lan2 type veth peer name far2",
            "link set far1 up",
            "link set far2 up",
            "link set lan1 up",
        ] {
            namespace.ip(line);
        }
    };
    boot(&before);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("ws://127.0.0.1:{}/usp", free_port());
    let house = House::at(&url, folder.path(), &before);
    let on = |row: &str| format!("LowerLayers={row}");
    let hardware = |name: &str| on(&format!("Device.Ethernet.Interface.[Name==\"{name}\"]."));
    let bridge = house.add("Device.Bridging.Bridge.", &["Enable=true", "AgingTime=60"]);
    let ports = format!("{bridge}Port.");
    let management = house.add(&ports, &["ManagementPort=true", "Enable=true"]);
    house.add(&ports, &[&hardware("lan2"), "Enable=true"]);
    let link = house.add("Device.Ethernet.Link.", &[&on(&management), "Enable=true"]);
    let interface = house.add("Device.IP.Interface.", &[&on(&link), "Enable=true"]);
    let addresses = format!("{interface}IPv4Address.");
    let mask = "SubnetMask=255.255.255.0";
    house.add(&addresses, &["IPAddress=192.0.2.1", mask, "Enable=true"]);
    house.add(&addresses, &["IPAddress=192.0.2.3", mask, "Enable=false"]);
    house.add(
        "Device.Routing.Router.1.IPv4Forwarding.",
        &[
            "DestIPAddress=198.51.100.0",
            "DestSubnetMask=255.255.255.0",
            "GatewayIPAddress=192.0.2.9",
            &format!("Interface={interface}"),
            "Enable=true",
        ],
    );
    let up = "Device.Ethernet.Interface.[Name==\"lan1\"].Enable=false";
    house.ask("set", &[up]).ended(0);
    let rows = |house: &House| {
        let words = [
            "Device.Bridging.Bridge.*.AgingTime",
            "Device.Bridging.Bridge.*.Port.*.Name",
            "Device.IP.Interface.*.IPv4Address.*.IPAddress",
            "Device.IP.Interface.*.IPv4Address.*.Status",
            "Device.Routing.Router.1.IPv4Forwarding.*.GatewayIPAddress",
            "Device.Ethernet.Interface.*.Enable",
        ];
        house.ask("get", &words).ended(0).out
    };
    let configured = rows(&house);
    assert!(is_made(&before), "{configured}");
    drop(house);

    boot(&after);
    assert!(!is_made(&after));
    let house = House::at(&url, folder.path(), &after);
    let started = Instant::now();
    while !is_made(&after) || rows(&house) != configured {
        let patience = started.elapsed() < Duration::from_secs(20);
        assert!(
            patience,
            "{:#?}\n{}\n{configured}",
            all(&after),
            rows(&house)
        );
        sleep(Duration::from_millis(50));
    }
    println!(
        "made again {:?} after the Agent listened",
        started.elapsed()
    );
}

/// Whether the kernel has what the test above configures.
fn is_made(namespace: &Namespace) -> bool {
    let links = namespace.ask("link show");
    let named = |name: &str| links.iter().find(|link| link["ifname"] == name);
    let is_down = |link: &Value| {
        !link["flags"]
            .as_array()
            .is_some_and(|all| all.contains(&"UP".into()))
    };
    named("br1").is_some_and(|bridge| bridge["linkinfo"]["info_data"]["ageing_time"] == 6000)
        && named("lan2").is_some_and(|port| port["master"] == "br1")
        && named("lan1").is_some_and(is_down)
        && has_address(namespace, "br1", "192.0.2.1")
        && !has_address(namespace, "br1", "192.0.2.3")
        && has_route(namespace, "198.51.100.0/24", "br1")
}
