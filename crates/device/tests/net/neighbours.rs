//! What iproute2 says of neighbours is what the tree says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use usphere_device::net::NetConfig;

use crate::chance::{Dice, seed};
use crate::inside::{output, within};
use crate::namespace::Namespace;
use crate::scene::{Scene, Tree};
use crate::uml::with_vlans;

/// What is said of neighbours, in sentences.
type Facts = BTreeSet<String>;

/// Devices of each sort with neighbours at random; what the kernel refuses is left out.
fn build(namespace: &Namespace, dice: &mut Dice) -> String {
    let mut devices = vec!["near0", "near1", "br0", "br1"];
    for line in [
        "link add near0 type veth peer name far0",
        "link add near1 type veth peer name far1",
        "link add port0 type veth peer name far2",
        "link add port1 type veth peer name far3",
        "link add br0 type bridge",
        "link add br1 type bridge",
        "link set port0 master br0",
        "link set port1 master br0",
    ] {
        namespace.ip(line);
    }
    if namespace.can_make_vlans() {
        devices.extend(["vlan0", "vlan1"]);
        namespace.ip("link add link near0 name vlan0 type vlan id 7");
        namespace.ip("link add link br0 name vlan1 type vlan id 7");
    }
    for link in namespace.ask("link show") {
        namespace.ip(&format!("link set {} up", text(&link, "ifname")));
    }
    let mut done = String::new();
    for _ in 0..40 {
        let device = devices[dice.below(devices.len() as u64) as usize];
        let (host, number) = (dice.below(9), dice.below(60) + 1);
        let mac = format!("lladdr 02:00:5e:00:53:0{host}");
        let state = ["permanent", "reachable", "stale", "noarp", "delay", "probe"];
        let state = state[dice.below(6) as usize];
        let line = match dice.below(8) {
            0..3 => format!("neigh replace 192.0.2.{number} {mac} dev {device} nud {state}"),
            3..5 => format!("neigh replace 2001:db8::{number} {mac} dev {device} nud {state}"),
            5 => format!("neigh replace fe80::{number} {mac} dev {device} nud {state}"),
            6 => format!("neigh replace 192.0.2.{number} dev {device} nud failed"),
            _ => {
                let port = dice.below(2);
                let mac = format!("02:00:5e:00:53:0{host}");
                output(
                    namespace,
                    &format!("bridge fdb replace {mac} dev port{port} master static"),
                );
                continue;
            }
        };
        let refused = namespace.try_ip(&line).is_err();
        done += &format!("ip {line}{}\n", if refused { " # refused" } else { "" });
    }
    done
}

/// Who has which addresses where, by `ip neigh`, `ip link` and `bridge fdb`.
fn of_iproute(namespace: &Namespace) -> Facts {
    let links = namespace.ask("link show");
    let forwarding: Vec<Value> =
        serde_json::from_str(&output(namespace, "bridge -j fdb show")).unwrap();
    let mut facts = Facts::new();
    for neighbour in namespace.ask("neigh show") {
        let mac = text(&neighbour, "lladdr");
        let is_known = neighbour["state"]
            .as_array()
            .is_some_and(|states| !states.iter().any(|state| state == "NOARP"));
        if mac.is_empty() || !is_known {
            continue;
        }
        let (address, device) = (text(&neighbour, "dst"), text(&neighbour, "dev"));
        let host = mac.to_uppercase();
        facts.insert(format!("{host} has {address}"));
        let port = port(&device, &mac, &links, &forwarding);
        facts.insert(format!("{host} at {device} behind {port}: {address}"));
    }
    facts
}

/// The Ethernet interface behind which a host at `device` is.
fn port(device: &str, mac: &str, links: &[Value], forwarding: &[Value]) -> String {
    let link = links.iter().find(|link| link["ifname"] == device).unwrap();
    match link["linkinfo"]["info_kind"].as_str() {
        Some("vlan") => port(link["link"].as_str().unwrap(), mac, links, forwarding),
        Some("bridge") => {
            let is_it = |entry: &&Value| {
                entry["mac"] == mac && entry["master"] == device && entry["state"] != "permanent"
            };
            let entry = forwarding.iter().find(is_it);
            entry.map_or_else(|| "-".to_owned(), |entry| text(entry, "ifname"))
        }
        _ => device.to_owned(),
    }
}

/// The same of the tree. Where a host is, it says for one of its addresses.
fn of_tree(tree: &Tree) -> (Facts, BTreeMap<String, String>) {
    let (mut facts, mut places) = (Facts::new(), BTreeMap::new());
    for row in tree.rows("Device.Hosts.Host.") {
        let of = tree.of(&row);
        let host = of("PhysAddress");
        for table in ["IPv4Address", "IPv6Address"] {
            let rows = tree.rows(&format!("{row}.{table}."));
            assert_eq!(
                of(&format!("{table}NumberOfEntries")),
                rows.len().to_string()
            );
            for address in rows {
                let address = tree.value(&format!("{address}.IPAddress"));
                facts.insert(format!("{host} has {address}"));
            }
        }
        assert_eq!(of("Active"), "true");
        let name = |row: String| match row.as_str() {
            "" => "-".to_owned(),
            row => tree.value(&format!("{row}.Name")).to_owned(),
        };
        let kind = if of("Layer1Interface").is_empty() {
            "Other"
        } else {
            "Ethernet"
        };
        assert_eq!(of("InterfaceType"), kind);
        let (device, port) = (name(of("Layer3Interface")), name(of("Layer1Interface")));
        places.insert(
            host.clone(),
            format!("{host} at {device} behind {port}: {}", of("IPAddress")),
        );
    }
    (facts, places)
}

/// Compares once the kernel holds still.
fn agree(namespace: &Namespace, scene: &mut Scene, context: &str) -> Facts {
    for _ in 0..40 {
        let before = of_iproute(namespace);
        let (told, places) = of_tree(&scene.tree("Device."));
        if before == of_iproute(namespace) {
            let has = |fact: &&String| fact.contains(" has ");
            let expected: Facts = before.iter().filter(has).cloned().collect();
            assert_eq!(told, expected, "{context}");
            for place in places.values() {
                assert!(before.contains(place), "{place}\n{before:#?}\n{context}");
            }
            return before;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("the neighbours never stood still")
}

/// Generated namespaces, each with other neighbours at other devices.
#[test]
fn what_iproute_says_of_neighbours_is_what_the_tree_says() {
    let seed = seed();
    for at in 0..4 {
        match Namespace::new() {
            Some(namespace) => generated(&namespace, seed + at),
            None => return,
        }
    }
}

/// One of them where the kernel has VLANs.
#[test]
fn what_iproute_says_of_neighbours_on_vlans_is_what_the_tree_says() {
    with_vlans(
        "neighbours::what_iproute_says_of_neighbours_on_vlans_is_what_the_tree_says",
        |namespace| generated(&namespace, seed()),
    );
}

fn generated(namespace: &Namespace, seed: u64) {
    let done = build(namespace, &mut Dice::new(seed));
    let mut scene = Scene::new(namespace);
    let context = format!("SEED={seed}\n{done}");
    let facts = agree(namespace, &mut scene, &context);
    assert!(!facts.is_empty(), "{context}");
}

/// Two namespaces that talk to each other are neighbours by both versions of IP, until they are not.
#[test]
fn who_is_talked_to_is_there_and_who_is_forgotten_is_not() {
    let (Some(here), Some(there)) = (Namespace::new(), Namespace::new()) else {
        return;
    };
    here.ip(&format!(
        "link add near type veth peer name far netns {}",
        there.name
    ));
    for (namespace, device, host) in [(&here, "near", 1), (&there, "far", 2)] {
        namespace.ip(&format!("addr add 192.0.2.{host}/24 dev {device}"));
        namespace.ip(&format!("addr add 2001:db8::{host}/64 dev {device} nodad"));
        namespace.ip(&format!("link set {device} up"));
    }
    let mut scene = Scene::new(&here);
    assert_eq!(agree(&here, &mut scene, ""), Facts::new());
    let listener = within(&there, || TcpListener::bind("[::]:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    let _streams: Vec<TcpStream> = within(&here, || {
        let to = ["192.0.2.2", "2001:db8::2"].into_iter();
        to.map(|to| TcpStream::connect((to, port)).unwrap())
            .collect()
    });
    let facts = agree(&here, &mut scene, "");
    for address in ["192.0.2.2", "2001:db8::2"] {
        let fact = format!(" at near behind near: {address}");
        assert!(
            facts.iter().any(|known| known.ends_with(&fact)),
            "{facts:#?}"
        );
    }
    let tree = scene.tree("Device.Hosts.");
    let row = tree.rows("Device.Hosts.Host.").remove(0);
    assert_eq!(tree.value(&format!("{row}.IPAddress")), "192.0.2.2");
    here.ip("neigh flush all");
    assert_eq!(agree(&here, &mut scene, ""), Facts::new());
}

/// A lease gives a neighbour its name, and tells of one that is away.
#[test]
fn leases_name_hosts_and_tell_of_those_that_are_away() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    namespace.ip("link add near type veth peer name far");
    namespace.ip("link set near up");
    namespace.ip("neigh add 192.0.2.7 lladdr 02:00:5e:00:53:07 dev near nud permanent");
    let folder = tempfile::tempdir().unwrap();
    let leases = folder.path().join("leases");
    let text = "1767225600 02:00:5e:00:53:07 192.0.2.7 desk *\n1767225600 02:00:5e:00:53:99 192.0.2.99 gone *\n";
    fs::write(&leases, text).unwrap();
    let mut scene = Scene::configured(NetConfig {
        namespace: Some(namespace.path()),
        leases: vec![leases],
        ..NetConfig::default()
    });
    let tree = scene.tree("Device.");
    let of = |mac: &str| {
        let row = tree.find("Device.Hosts.Host.", "PhysAddress", mac).unwrap();
        let of = tree.of(&row);
        (
            of("HostName"),
            of("Active"),
            of("InterfaceType"),
            of("IPv4AddressNumberOfEntries"),
        )
    };
    let expected = |name: &str, active: &str, kind: &str| {
        (
            name.to_owned(),
            active.to_owned(),
            kind.to_owned(),
            "1".to_owned(),
        )
    };
    assert_eq!(
        of("02:00:5E:00:53:07"),
        expected("desk", "true", "Ethernet")
    );
    assert_eq!(of("02:00:5E:00:53:99"), expected("gone", "false", "Other"));
    assert_eq!(tree.rows("Device.Hosts.Host.").len(), 2);
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}
