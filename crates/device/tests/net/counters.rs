//! What interfaces have counted: the tree, `ip -s` and sysfs say the same after traffic of several sorts.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::thread::sleep;
use std::time::Duration;

use crate::chance::{Dice, seed};
use crate::inside::{output, within};
use crate::namespace::Namespace;
use crate::scene::{Scene, Tree};
use crate::uml::with_vlans;

/// The parameter, where `ip -j` has it, and its file below `statistics`.
const COUNTERS: [(&str, &str, &str, &str); 11] = [
    ("BytesReceived", "rx", "bytes", "rx_bytes"),
    ("BytesSent", "tx", "bytes", "tx_bytes"),
    ("Collisions", "tx", "collisions", "collisions"),
    ("DiscardPacketsReceived", "rx", "dropped", "rx_dropped"),
    ("DiscardPacketsSent", "tx", "dropped", "tx_dropped"),
    ("ErrorsReceived", "rx", "errors", "rx_errors"),
    ("ErrorsSent", "tx", "errors", "tx_errors"),
    ("MulticastPacketsReceived", "rx", "multicast", "multicast"),
    ("PacketsReceived", "rx", "packets", "rx_packets"),
    ("PacketsSent", "tx", "packets", "tx_packets"),
    (
        "UnknownProtoPacketsReceived",
        "rx",
        "nohandler",
        "rx_nohandler",
    ),
];

/// Counters by device and parameter.
type Counted = BTreeMap<(String, &'static str), String>;

/// Here a port of a bridge, and a link with a VLAN where the kernel makes some; there the other ends. Both have addresses.
fn connect(here: &Namespace, there: &Namespace) -> Vec<String> {
    let other = &there.name;
    here.ip(&format!(
        "link add port type veth peer name far0 netns {other}"
    ));
    here.ip(&format!(
        "link add near type veth peer name far1 netns {other}"
    ));
    here.ip("link add br0 type bridge");
    here.ip("link set port master br0");
    let mut ways = vec![
        ("br0".to_owned(), "far0".to_owned()),
        ("near".to_owned(), "far1".to_owned()),
    ];
    if here.can_make_vlans() {
        here.ip("link add link near name vlan7 type vlan id 7");
        there.ip("link add link far1 name vlan7 type vlan id 7");
        ways.push(("vlan7".to_owned(), "vlan7".to_owned()));
    }
    let up = |namespace: &Namespace| {
        for link in namespace.ask("link show") {
            let name = link["ifname"].as_str().unwrap();
            namespace.ip(&format!("link set {name} up"));
        }
    };
    up(here);
    up(there);
    for (at, (near, far)) in ways.iter().enumerate() {
        for (namespace, device, host) in [(here, near, 1), (there, far, 2)] {
            namespace.ip(&format!("addr add 10.7.{at}.{host}/24 dev {device}"));
            namespace.ip(&format!(
                "addr add 2001:db8:7:{at}::{host}/64 dev {device} nodad"
            ));
        }
    }
    (0..ways.len())
        .flat_map(|at| [format!("10.7.{at}.2"), format!("2001:db8:7:{at}::2")])
        .collect()
}

/// Streams both ways, datagrams that somebody takes and that nobody does, and multicast.
fn talk(here: &Namespace, there: &Namespace, addresses: &[String], dice: &mut Dice) {
    let listener = within(there, || TcpListener::bind("[::]:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    for address in addresses {
        let mut near = within(here, || {
            TcpStream::connect((address.as_str(), port)).unwrap()
        });
        let mut far = listener.accept().unwrap().0;
        let bytes = vec![7; 1 + dice.below(60_000) as usize];
        near.write_all(&bytes).unwrap();
        let mut taken = vec![0; bytes.len()];
        far.read_exact(&mut taken).unwrap();
        far.write_all(&taken[..taken.len() / 2]).unwrap();
        near.read_exact(&mut taken[..bytes.len() / 2]).unwrap();
    }
    let count = 1 + dice.below(50);
    for (from, to) in [
        (here, Ipv4Addr::new(10, 7, 1, 2)),
        (there, Ipv4Addr::new(10, 7, 1, 1)),
    ] {
        within(from, || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            let group = Ipv4Addr::new(239, 0, 0, 7);
            for _ in 0..count {
                // Nobody listens, and nobody need have a way to the group.
                let _ = socket.send_to(b"to nobody", (to, 9));
                let _ = socket.send_to(b"to all", (group, 9));
            }
        });
    }
    // What is sent to a link whose other end is down is lost.
    there.ip("link set far1 down");
    within(here, || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        for _ in 0..count {
            let _ = socket.send_to(b"lost", ("10.7.1.2", 9));
        }
    });
    there.ip("link set far1 up");
}

fn of_iproute(namespace: &Namespace) -> Counted {
    let mut counted = Counted::new();
    for link in namespace.ask("-s -s link show") {
        let name = link["ifname"].as_str().unwrap();
        for (parameter, way, what, _) in COUNTERS {
            let count = link["stats64"][way][what].as_u64().unwrap_or(0);
            counted.insert((name.to_owned(), parameter), count.to_string());
        }
    }
    counted
}

fn of_sysfs(namespace: &Namespace) -> Counted {
    let said = output(namespace, "cd /sys/class/net && grep . */statistics/*");
    let mut counted = Counted::new();
    for line in said.lines() {
        let (path, count) = line.split_once(':').unwrap();
        let (device, file) = path.split_once("/statistics/").unwrap();
        for (parameter, _, _, known) in COUNTERS {
            if known == file {
                counted.insert((device.to_owned(), parameter), count.to_owned());
            }
        }
    }
    counted
}

/// All rows that count, by the device that each is on.
fn of_tree(tree: &Tree) -> Vec<(String, String, Counted)> {
    let mut tables: Vec<String> = ["Interface", "Link", "VLANTermination"]
        .map(|table| format!("Device.Ethernet.{table}."))
        .to_vec();
    tables.push("Device.IP.Interface.".to_owned());
    let bridges = tree.rows("Device.Bridging.Bridge.");
    tables.extend(bridges.iter().map(|bridge| format!("{bridge}.Port.")));
    let rows = tables.iter().flat_map(|table| tree.rows(table));
    rows.map(|row| {
        let device = tree.value(&format!("{row}.Name")).to_owned();
        let stats = tree.of(&format!("{row}.Stats"));
        let all = COUNTERS.iter().map(|(parameter, ..)| *parameter);
        let has = |parameter: &&str| {
            *parameter != "Collisions" || row.starts_with("Device.Ethernet.Interface.")
        };
        let counted = all
            .filter(has)
            .map(|parameter| ((device.clone(), parameter), stats(parameter)))
            .collect();
        (row, device, counted)
    })
    .collect()
}

#[test]
fn what_interfaces_count_is_what_iproute_and_sysfs_say() {
    let seed = seed();
    for at in 0..3 {
        match Namespace::new() {
            Some(namespace) => generated(&namespace, seed + at),
            None => return,
        }
    }
}

/// The same where the kernel has VLANs.
#[test]
fn what_vlans_count_is_what_iproute_and_sysfs_say() {
    with_vlans(
        "counters::what_vlans_count_is_what_iproute_and_sysfs_say",
        |namespace| generated(&namespace, seed()),
    );
}

fn generated(here: &Namespace, seed: u64) {
    let there = Namespace::new().expect("another one");
    let addresses = connect(here, &there);
    talk(here, &there, &addresses, &mut Dice::new(seed));
    let mut scene = Scene::new(here);
    let still = (0..100).any(|_| {
        let before = of_iproute(here);
        let rows = of_tree(&scene.tree("Device."));
        let files = of_sysfs(here);
        if before != of_iproute(here) {
            sleep(Duration::from_millis(50));
            return false;
        }
        for (row, device, counted) in &rows {
            for (key, count) in counted {
                assert_eq!(before.get(key), Some(count), "{row} {key:?} SEED={seed}");
                assert_eq!(files.get(key), Some(count), "{row} {key:?} SEED={seed}");
            }
            let sent = &counted[&(device.clone(), "BytesSent")];
            assert_eq!(sent == "0", device == "lo", "{row}: all was talked over");
        }
        assert!(rows.len() >= 8, "{rows:#?}");
        true
    });
    assert!(still, "the counters never stood still");
}
