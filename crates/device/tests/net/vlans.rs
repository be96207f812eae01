//! VLANs of a bridge, and which port carries which, as a Controller writes them and `bridge vlan` says them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::inside::output;
use crate::namespace::Namespace;
use crate::scene::Scene;
use crate::uml::with_vlans;

/// `lan1 carries 100 untagged`, of everything but the VLAN that all ports have at first.
fn of_bridge(namespace: &Namespace) -> BTreeSet<String> {
    let said: Vec<Value> = serde_json::from_str(&output(namespace, "bridge -j vlan show")).unwrap();
    let mut facts = BTreeSet::new();
    for port in &said {
        let name = port["ifname"].as_str().unwrap();
        for vlan in port["vlans"].as_array().into_iter().flatten() {
            let first = vlan["vlan"].as_u64().unwrap();
            let last = vlan["vlanEnd"].as_u64().unwrap_or(first);
            let flags = vlan["flags"].as_array().cloned().unwrap_or_default();
            let tag = match flags.contains(&"Egress Untagged".into()) {
                true => "untagged",
                false => "tagged",
            };
            facts.extend((first..=last).map(|id| format!("{name} carries {id} {tag}")));
        }
    }
    facts
}

/// The same of the tree.
fn of_tree(scene: &mut Scene) -> BTreeSet<String> {
    let tree = scene.tree("Device.Bridging.");
    let mut facts = BTreeSet::new();
    for bridge in tree.rows("Device.Bridging.Bridge.") {
        for row in tree.rows(&format!("{bridge}.VLANPort.")) {
            let of = tree.of(&row);
            if of("Enable") != "true" {
                continue;
            }
            let port = tree.value(&format!("{}.Name", of("Port")));
            let id = tree.value(&format!("{}.VLANID", of("VLAN")));
            let tag = if of("Untagged") == "true" {
                "untagged"
            } else {
                "tagged"
            };
            facts.insert(format!("{port} carries {id} {tag}"));
        }
    }
    facts
}

fn agree(namespace: &Namespace, scene: &mut Scene) -> BTreeSet<String> {
    let facts = of_bridge(namespace);
    assert_eq!(of_tree(scene), facts);
    facts
}

#[test]
fn vlans_of_a_bridge_are_written_changed_and_taken_back() {
    with_vlans(
        "vlans::vlans_of_a_bridge_are_written_changed_and_taken_back",
        |namespace| {
            if let Err(trouble) = namespace.try_ip("link add probe type bridge vlan_filtering 1") {
                println!("LEFT OUT: this kernel's bridges know no VLANs, {trouble}");
                return;
            }
            namespace.ip("link del probe");
            for port in ["lan1", "lan2"] {
                namespace.ip(&format!("link add {port} type veth peer name far-{port}"));
                namespace.ip(&format!("link set {port} up"));
            }
            write(&namespace, &mut Scene::new(&namespace));
        },
    );
}

fn write(namespace: &Namespace, scene: &mut Scene) {
    let tree = scene.tree("Device.Ethernet.");
    let device = |name| {
        tree.find("Device.Ethernet.Interface.", "Name", name)
            .unwrap()
    };
    let enabled = ("Enable", "true");
    let bridge = scene
        .add(
            "Device.Bridging.Bridge.",
            &[("Standard", "802.1Q-2011"), enabled],
        )
        .unwrap();
    let ports = format!("{bridge}.Port.");
    let management = scene
        .add(&ports, &[("ManagementPort", "true"), enabled])
        .unwrap();
    let mut port = |name| {
        let lower = device(name);
        scene
            .add(&ports, &[("LowerLayers", &lower), enabled])
            .unwrap()
    };
    let (first, second) = (port("lan1"), port("lan2"));
    let before = agree(namespace, scene);

    let vlans = format!("{bridge}.VLAN.");
    let vlan = scene
        .add(&vlans, &[("VLANID", "100"), ("Name", "guests"), enabled])
        .unwrap();
    assert_eq!(of_bridge(namespace), before, "nobody carries it yet");
    let carried = format!("{bridge}.VLANPort.");
    let tagged = scene
        .add(&carried, &[("VLAN", &vlan), ("Port", &first), enabled])
        .unwrap();
    let untagged = scene
        .add(
            &carried,
            &[
                ("VLAN", &vlan),
                ("Port", &second),
                ("Untagged", "true"),
                enabled,
            ],
        )
        .unwrap();
    scene
        .add(&carried, &[("VLAN", &vlan), ("Port", &management), enabled])
        .unwrap();
    let facts = agree(namespace, scene);
    for fact in [
        "lan1 carries 100 tagged",
        "lan2 carries 100 untagged",
        "br1 carries 100 tagged",
    ] {
        assert!(facts.contains(fact), "{fact}: {facts:#?}");
    }
    let tree = scene.tree("Device.Bridging.");
    assert_eq!(tree.value(&format!("{vlan}.Name")), "guests");

    scene.set(&untagged, &[("Untagged", "false")]).unwrap();
    assert!(agree(namespace, scene).contains("lan2 carries 100 tagged"));
    scene.set(&vlan, &[("VLANID", "200")]).unwrap();
    let facts = agree(namespace, scene);
    assert!(facts.contains("lan1 carries 200 tagged"), "{facts:#?}");
    assert!(
        !facts.iter().any(|fact| fact.contains(" 100 ")),
        "{facts:#?}"
    );
    scene.set(&tagged, &[("Enable", "false")]).unwrap();
    assert!(!agree(namespace, scene).contains("lan1 carries 200 tagged"));
    scene.set(&tagged, &[("Enable", "true")]).unwrap();
    assert!(agree(namespace, scene).contains("lan1 carries 200 tagged"));

    // A VLAN that is disabled is carried by nobody; one that is gone takes its ports with it.
    scene.set(&vlan, &[("Enable", "false")]).unwrap();
    assert_eq!(of_bridge(namespace), before);
    scene.set(&vlan, &[("Enable", "true")]).unwrap();
    assert!(of_bridge(namespace).contains("lan1 carries 200 tagged"));
    scene.delete(&format!("{untagged}.")).unwrap();
    assert!(!agree(namespace, scene).contains("lan2 carries 200 tagged"));
    scene.delete(&format!("{vlan}.")).unwrap();
    assert_eq!(of_bridge(namespace), before);
}
