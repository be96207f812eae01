//! Everything that iproute2 says of a namespace is in the tree, and nothing else.

use std::fmt::Write as _;

use usphere_device::HostPaths;
use usphere_device::net::{Net, NetConfig};
use usphere_runtime::Owner;

use crate::chance::{Dice, seed};
use crate::facts::{is_homeless, of_iproute, of_tree};
use crate::namespace::Namespace;
use crate::scene::Scene;
use crate::uml::with_vlans;

/// Builds something at random with `ip`; what the kernel refuses is left out. Gives what was done.
fn build(namespace: &Namespace, dice: &mut Dice, has_vlans: bool) -> String {
    let mut done = String::new();
    let mut devices: Vec<String> = vec!["lo".to_owned()];
    let mut bridges: Vec<String> = Vec::new();
    for step in 0..40 {
        let device = devices[dice.below(devices.len() as u64) as usize].clone();
        let (a, b, c) = (dice.below(8), dice.below(250) + 1, dice.below(3));
        let line = match dice.below(12) {
            0 | 1 => {
                devices.extend([format!("near{step}"), format!("far{step}")]);
                format!("link add near{step} type veth peer name far{step}")
            }
            2 => {
                bridges.push(format!("br{step}"));
                devices.push(format!("br{step}"));
                let stp = dice.below(2);
                format!("link add br{step} type bridge stp_state {stp} ageing_time {b}000")
            }
            3 | 4 if !bridges.is_empty() => {
                let bridge = &bridges[dice.below(bridges.len() as u64) as usize];
                format!("link set {device} master {bridge}")
            }
            5 if has_vlans => {
                devices.push(format!("v{step}"));
                format!("link add link {device} name v{step} type vlan id {b}")
            }
            6 => format!("addr add 10.{a}.{b}.1/24 dev {device}"),
            7 => format!("addr add 2001:db8:{a}:{b}::1/64 dev {device}"),
            8 => format!("link set {device} mtu {}", 1280 + b),
            9 if c == 0 => format!("route add blackhole 198.51.{b}.0/24"),
            9 if c == 1 => format!("route add 10.99.{b}.0/24 dev {device} metric {a}"),
            9 => format!("-6 route add 2001:db8:ff{a}::/48 dev {device}"),
            10 if c == 0 => format!("link set {device} down"),
            _ => format!("link set {device} up"),
        };
        let refused = namespace.try_ip(&line).is_err();
        let _ = writeln!(done, "ip {line}{}", if refused { " # refused" } else { "" });
    }
    done
}

fn settle() {
    // Duplicate address detection ends after a second or so; what it does is no part of the comparison.
    std::thread::sleep(std::time::Duration::from_millis(50));
}

/// Generated namespaces, each compared as a whole.
#[test]
fn what_iproute_says_of_links_addresses_and_routes_is_what_the_tree_says() {
    let seed = seed();
    for at in 0..6 {
        match Namespace::new() {
            Some(namespace) => generated(&namespace, seed + at),
            None => return,
        }
    }
}

/// Some of them where the kernel has VLANs.
#[test]
fn what_iproute_says_of_vlans_is_what_the_tree_says() {
    with_vlans(
        "reading::what_iproute_says_of_vlans_is_what_the_tree_says",
        |namespace| {
            let seed = seed();
            generated(&namespace, seed);
            generated(&Namespace::new().expect("another one"), seed + 1);
        },
    );
}

fn generated(namespace: &Namespace, seed: u64) {
    let has_vlans = namespace.can_make_vlans();
    let done = build(namespace, &mut Dice::new(seed), has_vlans);
    settle();
    let mut scene = Scene::new(namespace);
    let (before, tree, after) = (
        of_iproute(namespace),
        of_tree(&scene.tree("Device.")),
        of_iproute(namespace),
    );
    // What the kernel changes by itself meanwhile is nobody's error.
    let missing: Vec<_> = before
        .intersection(&after)
        .filter(|fact| !tree.contains(*fact) && !is_homeless(fact, &before))
        .collect();
    let invented: Vec<_> = tree
        .iter()
        .filter(|fact| !before.contains(*fact) && !after.contains(*fact))
        .collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "SEED={seed}\n{done}\nnot in the tree: {missing:#?}\nonly in the tree: {invented:#?}"
    );
}

/// Rows keep their numbers while they are away, and across a restart.
///
/// Proves: R-ARC.8
#[test]
fn a_device_that_comes_back_is_the_same_row() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let config = || NetConfig {
        namespace: Some(namespace.path()),
        state_file: Some(folder.path().join("network")),
        ..NetConfig::default()
    };
    let mut scene = Scene::configured(config());
    namespace.ip("link add one type veth peer name two");
    let tree = scene.tree("Device.Ethernet.");
    let row = tree
        .find("Device.Ethernet.Interface.", "Name", "one")
        .unwrap();
    namespace.ip("link del one");
    namespace.ip("link add three type veth peer name four");
    assert_eq!(
        scene
            .tree("Device.Ethernet.")
            .find("Device.Ethernet.Interface.", "Name", "one"),
        None
    );
    let mut scene = Scene::configured(config());
    namespace.ip("link add one type veth peer name two");
    let tree = scene.tree("Device.Ethernet.");
    assert_eq!(
        tree.find("Device.Ethernet.Interface.", "Name", "one"),
        Some(row)
    );
}

/// Nothing is changed unless the operator says so.
#[test]
fn writing_is_refused_by_default() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let mut scene = Scene::configured(NetConfig {
        namespace: Some(namespace.path()),
        ..NetConfig::default()
    });
    let fault = scene.add("Device.Bridging.Bridge.", &[]).unwrap_err();
    assert!(fault.text.contains("write"), "{fault}");
    namespace.ip("link add near type veth peer name far");
    let tree = scene.tree("Device.Ethernet.");
    let row = tree
        .find("Device.Ethernet.Interface.", "Name", "near")
        .unwrap();
    scene.set(&row, &[("Enable", "true")]).unwrap_err();
    scene.delete("Device.Ethernet.Link.1.").unwrap_err();
    assert_eq!(
        scene
            .tree("Device.Bridging.")
            .rows("Device.Bridging.Bridge."),
        [""; 0]
    );
}

#[test]
fn a_namespace_that_is_not_there_is_an_error_in_words() {
    let config = NetConfig {
        namespace: Some("/run/netns/there-is-none".into()),
        ..NetConfig::default()
    };
    let mut net = Net::new(config, &HostPaths::default());
    let error = net.fetch("network.interfaces").unwrap_err();
    assert!(error.text.contains("there-is-none"), "{error}");
}
