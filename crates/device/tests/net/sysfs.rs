//! What sysfs says of links is what the tree says: of generated namespaces, and of this machine itself.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use usphere_device::net::NetConfig;

use crate::chance::{Dice, seed};
use crate::inside::output;
use crate::namespace::Namespace;
use crate::scene::{Scene, Tree};

/// The files of each device.
type Files = BTreeMap<String, BTreeMap<String, String>>;

/// Files that say nothing are left out, as the speed of a link that is down.
const READ: &str = "cd /sys/class/net && grep -s . */mtu */address */operstate */flags */carrier */speed */duplex; true";

fn files(said: &str) -> Files {
    let mut files = Files::new();
    for line in said.lines() {
        let (path, text) = line.split_once(':').unwrap();
        let (device, file) = path.split_once('/').unwrap();
        let known = files.entry(device.to_owned()).or_default();
        known.insert(file.to_owned(), text.to_owned());
    }
    files
}

/// Links in several states, at random.
fn build(namespace: &Namespace, dice: &mut Dice) {
    for at in 0..6 {
        namespace.ip(&format!("link add near{at} type veth peer name far{at}"));
        let mtu = 1280 + dice.below(8_000);
        namespace.ip(&format!("link set near{at} mtu {mtu}"));
        for side in ["near", "far"] {
            let state = if dice.below(4) == 0 { "down" } else { "up" };
            namespace.ip(&format!("link set {side}{at} {state}"));
        }
    }
    namespace.ip("link add br0 type bridge");
    namespace.ip("link set near0 master br0");
    namespace.ip("link set br0 up");
    namespace.ip("link set near1 address 02:00:5e:00:53:31");
}

fn compare(tree: &Tree, files: &Files) {
    let mut shown = BTreeSet::new();
    for row in tree.rows("Device.Ethernet.Interface.") {
        let of = tree.of(&row);
        let file = |name: &str| files[&of("Name")].get(name).map_or("", String::as_str);
        let context = format!("{row} {:#?}", files[&of("Name")]);
        assert_eq!(
            of("MACAddress"),
            file("address").to_uppercase(),
            "{context}"
        );
        let speed = match file("speed") {
            "" | "-1" => "0",
            speed => speed,
        };
        assert_eq!(of("CurrentBitRate"), speed, "{context}");
        let duplex = match file("duplex") {
            "full" => "Full",
            "half" => "Half",
            _ => "Unknown",
        };
        assert_eq!(of("CurrentDuplexMode"), duplex, "{context}");
        shown.insert(of("Name"));
    }
    for row in tree.rows("Device.Ethernet.Link.") {
        let of = tree.of(&row);
        let file = &files[&of("Name")];
        assert_eq!(of("MTU"), file["mtu"], "{row}");
        assert_eq!(of("MACAddress"), file["address"].to_uppercase(), "{row}");
    }
    for row in tree.rows("Device.IP.Interface.") {
        let of = tree.of(&row);
        let mtu: u32 = files[&of("Name")]["mtu"].parse().unwrap();
        assert_eq!(of("MaxMTUSize"), mtu.min(65_535).to_string(), "{row}");
        shown.insert(of("Name"));
    }
    for table in [
        "Device.Ethernet.Interface.",
        "Device.Ethernet.Link.",
        "Device.IP.Interface.",
    ] {
        for row in tree.rows(table) {
            let of = tree.of(&row);
            let file = &files[&of("Name")];
            let flags = u32::from_str_radix(file["flags"].trim_start_matches("0x"), 16).unwrap();
            let is_up = flags & 1 != 0;
            assert_eq!(of("Enable"), is_up.to_string(), "{row}");
            let status = match file["operstate"].as_str() {
                _ if !is_up => "Down",
                "up" => "Up",
                "lowerlayerdown" => "LowerLayerDown",
                "dormant" => "Dormant",
                "notpresent" => "NotPresent",
                "unknown" if file["carrier"] == "1" => "Up",
                "unknown" => "Unknown",
                _ => "Down",
            };
            assert_eq!(of("Status"), status, "{row} {file:#?}");
        }
    }
    let bridges = tree.rows("Device.Bridging.Bridge.");
    shown.extend(bridges.iter().map(|row| tree.of(row)("Name")));
    let all: BTreeSet<String> = files.keys().cloned().collect();
    assert_eq!(shown, all);
}

/// Compares once the links hold still.
fn agree(scene: &mut Scene, read: impl Fn() -> Files) {
    for _ in 0..40 {
        let before = read();
        let tree = scene.tree("Device.");
        if before == read() {
            compare(&tree, &before);
            return;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("the links never stood still")
}

#[test]
fn what_sysfs_says_of_the_links_of_namespaces_is_what_the_tree_says() {
    let seed = seed();
    for at in 0..3 {
        let Some(namespace) = Namespace::new() else {
            return;
        };
        build(&namespace, &mut Dice::new(seed + at));
        let mut scene = Scene::new(&namespace);
        agree(&mut scene, || files(&output(&namespace, READ)));
    }
}

/// The network that this test runs in, whatever it is. Nothing of it is changed.
#[test]
fn what_sysfs_says_of_the_links_of_this_machine_is_what_the_tree_says() {
    let mut scene = Scene::configured(NetConfig::default());
    agree(&mut scene, || {
        let said = Command::new("sh").args(["-c", READ]).output().unwrap();
        files(&String::from_utf8(said.stdout).unwrap())
    });
}
