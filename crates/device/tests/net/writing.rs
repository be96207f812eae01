//! Changes reach the kernel, all of a request or nothing.

use std::thread::sleep;
use std::time::Duration;

use usphere_device::net::NetConfig;

use crate::facts::{Facts, compare, of_iproute, of_tree};
use crate::namespace::Namespace;
use crate::scene::Scene;
use crate::uml::with_vlans;

/// A namespace with two ports, `lan1` and `lan2`, whose other ends are up.
fn ports(namespace: &Namespace) {
    for port in ["lan1", "lan2"] {
        namespace.ip(&format!("link add {port} type veth peer name far-{port}"));
        namespace.ip(&format!("link set {port} up"));
        namespace.ip(&format!("link set far-{port} up"));
    }
    // Each gets an address of its own, when the kernel comes to it.
    for _ in 0..100 {
        let facts = of_iproute(namespace);
        let local = facts.iter().filter(|fact| fact.contains(" has fe80:"));
        if local.count() == 4 {
            return;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("the kernel gives no addresses")
}

/// What the tree says is what iproute2 says, once the kernel has done what it does by itself.
fn agree(namespace: &Namespace, scene: &mut Scene) -> Facts {
    for _ in 0..40 {
        let before = of_iproute(namespace);
        let told = of_tree(&scene.tree("Device."));
        let facts = of_iproute(namespace);
        if before == facts {
            compare(&facts, &told);
            return facts;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("the kernel does not hold still")
}

/// Waits until iproute2 says this of the namespace again.
fn is_again(namespace: &Namespace, expected: &Facts) {
    for _ in 0..100 {
        if of_iproute(namespace) == *expected {
            return;
        }
        sleep(Duration::from_millis(50));
    }
    assert_eq!(of_iproute(namespace), *expected, "nothing is left behind");
}

/// A VLAN on a bridge gets an address and a route, moves to another port with both, and goes again.
#[test]
fn a_vlan_on_a_bridge_is_made_addressed_restacked_and_removed() {
    with_vlans(
        "writing::a_vlan_on_a_bridge_is_made_addressed_restacked_and_removed",
        |namespace| {
            ports(&namespace);
            namespace.ip("link add br0 type bridge");
            namespace.ip("link set br0 up");
            namespace.ip("link set lan1 master br0");
            let untouched = of_iproute(&namespace);
            let mut scene = Scene::new(&namespace);
            let tree = scene.tree("Device.");
            let find = |name| tree.find("Device.Ethernet.Link.", "Name", name).unwrap();
            let (bridge, port) = (find("br0"), find("lan2"));

            let vlan = scene
                .add(
                    "Device.Ethernet.VLANTermination.",
                    &[
                        ("LowerLayers", &bridge),
                        ("VLANID", "100"),
                        ("Enable", "true"),
                    ],
                )
                .unwrap();
            let facts = agree(&namespace, &mut scene);
            assert!(facts.contains("vlan100 is vlan 100 on br0"), "{facts:#?}");
            assert!(facts.contains("vlan100 up true"));
            let tree = scene.tree("Device.");
            assert_eq!(tree.value(&format!("{vlan}.Name")), "vlan100");
            assert_eq!(tree.value(&format!("{vlan}.LowerLayers")), bridge);

            let interface = scene
                .add(
                    "Device.IP.Interface.",
                    &[("LowerLayers", &vlan), ("Enable", "true")],
                )
                .unwrap();
            scene
                .add(
                    &format!("{interface}.IPv4Address."),
                    &[
                        ("IPAddress", "192.0.2.1"),
                        ("SubnetMask", "255.255.255.0"),
                        ("Enable", "true"),
                    ],
                )
                .unwrap();
            scene
                .add(
                    "Device.Routing.Router.1.IPv4Forwarding.",
                    &[
                        ("DestIPAddress", "198.51.100.0"),
                        ("DestSubnetMask", "255.255.255.0"),
                        ("GatewayIPAddress", "192.0.2.9"),
                        ("Interface", &interface),
                        ("Enable", "true"),
                    ],
                )
                .unwrap();
            let facts = agree(&namespace, &mut scene);
            assert!(facts.contains("vlan100 has 192.0.2.1/24"), "{facts:#?}");
            let route = "Normal route to 198.51.100.0/24 via 192.0.2.9 by vlan100 metric 0";
            assert!(facts.contains(route), "{facts:#?}");

            scene.set(&vlan, &[("LowerLayers", &port)]).unwrap();
            let facts = agree(&namespace, &mut scene);
            assert!(facts.contains("vlan100 is vlan 100 on lan2"), "{facts:#?}");
            assert!(facts.contains("vlan100 has 192.0.2.1/24"), "{facts:#?}");
            assert!(facts.contains(route), "{facts:#?}");

            scene.delete(&format!("{interface}.")).unwrap();
            let tree = scene.tree("Device.Routing.");
            assert!(
                tree.find(
                    "Device.Routing.Router.1.IPv4Forwarding.",
                    "GatewayIPAddress",
                    "192.0.2.9"
                )
                .is_some()
            );
            scene
                .delete("Device.Routing.Router.1.IPv4Forwarding.[GatewayIPAddress==\"192.0.2.9\"].")
                .unwrap();
            scene.delete(&format!("{vlan}.")).unwrap();
            agree(&namespace, &mut scene);
            is_again(&namespace, &untouched);
        },
    );
}

/// A Controller builds a bridge from nothing: bridge, ports, link, interface, address.
#[test]
fn a_bridge_is_built_and_taken_down_by_a_controller() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    ports(&namespace);
    let untouched = of_iproute(&namespace);
    let mut scene = Scene::new(&namespace);
    let tree = scene.tree("Device.Ethernet.");
    let find = |name| {
        tree.find("Device.Ethernet.Interface.", "Name", name)
            .unwrap()
    };
    let (lan1, lan2) = (find("lan1"), find("lan2"));

    let bridge = scene
        .add(
            "Device.Bridging.Bridge.",
            &[("Enable", "true"), ("AgingTime", "60")],
        )
        .unwrap();
    let ports = format!("{bridge}.Port.");
    let management = scene
        .add(&ports, &[("ManagementPort", "true"), ("Enable", "true")])
        .unwrap();
    let first = scene
        .add(&ports, &[("LowerLayers", &lan1), ("Enable", "true")])
        .unwrap();
    let second = scene.add(&ports, &[("Enable", "false")]).unwrap();
    scene
        .set(&second, &[("LowerLayers", &lan2), ("Enable", "true")])
        .unwrap();
    let link = scene
        .add(
            "Device.Ethernet.Link.",
            &[("LowerLayers", &management), ("Enable", "true")],
        )
        .unwrap();
    let interface = scene
        .add(
            "Device.IP.Interface.",
            &[("LowerLayers", &link), ("Enable", "true")],
        )
        .unwrap();
    let prefix = scene
        .add(
            &format!("{interface}.IPv6Prefix."),
            &[("Prefix", "2001:db8:7::/64"), ("Enable", "true")],
        )
        .unwrap();
    scene
        .add(
            &format!("{interface}.IPv6Address."),
            &[
                ("IPAddress", "2001:db8:7::1"),
                ("Prefix", &prefix),
                ("Enable", "true"),
            ],
        )
        .unwrap();
    let facts = agree(&namespace, &mut scene);
    assert!(facts.contains("br1 ages 60"), "{facts:#?}");
    assert!(facts.contains("br1 has 2001:db8:7::1/64"), "{facts:#?}");
    for port in ["lan1", "lan2"] {
        let port = format!("{port} is port of br1");
        assert!(
            facts.iter().any(|fact| fact.starts_with(&port)),
            "{facts:#?}"
        );
    }
    let tree = scene.tree("Device.Bridging.");
    let mut below: Vec<&str> = tree
        .value(&format!("{management}.LowerLayers"))
        .split(',')
        .collect();
    below.sort_unstable();
    assert_eq!(below, [first.as_str(), second.as_str()]);

    scene.set(&first, &[("Enable", "false")]).unwrap();
    let facts = agree_but_for_disabled(&namespace);
    assert!(
        !facts.iter().any(|fact| fact.starts_with("lan1 is port")),
        "{facts:#?}"
    );
    scene.set(&first, &[("Enable", "true")]).unwrap();
    scene
        .set(&bridge, &[("AgingTime", "120"), ("STP.Enable", "true")])
        .unwrap();
    let facts = agree(&namespace, &mut scene);
    assert!(
        facts.contains("br1 ages 120") && facts.contains("br1 stp true"),
        "{facts:#?}"
    );

    scene.set(&bridge, &[("Enable", "false")]).unwrap();
    assert!(!of_iproute(&namespace).contains("br1 exists"));
    scene.set(&bridge, &[("Enable", "true")]).unwrap();
    let facts = of_iproute(&namespace);
    assert!(
        facts.contains("br1 has 2001:db8:7::1/64") && facts.contains("br1 ages 120"),
        "{facts:#?}"
    );
    assert!(
        facts
            .iter()
            .any(|fact| fact.starts_with("lan1 is port of br1")),
        "{facts:#?}"
    );

    scene.delete(&format!("{interface}.")).unwrap();
    scene.delete(&format!("{link}.")).unwrap();
    scene.delete(&format!("{bridge}.")).unwrap();
    agree(&namespace, &mut scene);
    is_again(&namespace, &untouched);
}

fn agree_but_for_disabled(namespace: &Namespace) -> Facts {
    of_iproute(namespace)
}

/// What the kernel refuses leaves nothing behind, in the kernel and in the tree.
#[test]
fn a_refused_step_leaves_nothing_behind() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    ports(&namespace);
    namespace.ip("addr add 192.0.2.1/24 dev lan1");
    let untouched = of_iproute(&namespace);
    let mut scene = Scene::new(&namespace);
    let before = scene.tree("Device.");
    let row = before.find("Device.IP.Interface.", "Name", "lan1").unwrap();

    // There is no way to the gateway, which only the kernel knows.
    let fault = scene
        .add(
            "Device.Routing.Router.1.IPv4Forwarding.",
            &[
                ("DestIPAddress", "198.51.100.0"),
                ("DestSubnetMask", "255.255.255.0"),
                ("GatewayIPAddress", "203.0.113.9"),
                ("Interface", &row),
                ("Enable", "true"),
            ],
        )
        .unwrap_err();
    assert!(
        fault
            .text
            .contains("the kernel refuses to add the route to 198.51.100.0/24"),
        "{fault}"
    );
    // An MTU that the device cannot have, and an address that it could.
    let address = before.rows(&format!("{row}.IPv4Address.")).remove(0);
    scene
        .set_both(
            (&address, &[("SubnetMask", "255.255.255.128")]),
            (&row, &[("MaxMTUSize", "64")]),
        )
        .unwrap_err();
    // A mask that is none, and the address of another.
    let fault = scene
        .set(&address, &[("SubnetMask", "255.0.255.0")])
        .unwrap_err();
    assert!(fault.text.contains("not a mask"), "{fault}");
    let tables = ["Device.Ethernet.Link.", "Device.IP.Interface."];
    for table in tables {
        let lower = before
            .find("Device.Ethernet.Interface.", "Name", "lan1")
            .unwrap();
        let fault = scene
            .add(table, &[("LowerLayers", &lower), ("Enable", "true")])
            .unwrap_err();
        assert!(fault.text.contains("stands on lan1 already"), "{fault}");
    }
    is_again(&namespace, &untouched);
    let ignored = |tree: &crate::scene::Tree| {
        let mut values = tree.values.clone();
        values.retain(|path, _| !path.contains(".Stats.") && !path.ends_with("LastChange"));
        values
    };
    assert_eq!(ignored(&scene.tree("Device.")), ignored(&before));
}

/// What the kernel takes away by the way is given back: with the last address of a device its routes, with
/// the first address of a network the others.
#[test]
fn nothing_else_goes_with_an_address() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    ports(&namespace);
    namespace.ip("addr add 192.0.2.1/24 dev lan1");
    namespace.ip("route add 198.51.100.0/24 via 192.0.2.9 dev lan1");
    namespace.ip("route add 203.0.113.0/24 dev lan1 metric 7");
    let mut scene = Scene::new(&namespace);
    let tree = scene.tree("Device.");
    let row = tree.find("Device.IP.Interface.", "Name", "lan1").unwrap();
    scene
        .add(
            "Device.Routing.Router.1.IPv4Forwarding.",
            &[
                ("DestIPAddress", "100.64.0.0"),
                ("DestSubnetMask", "255.255.0.0"),
                ("GatewayIPAddress", "192.0.2.8"),
                ("Interface", &row),
                ("Enable", "true"),
            ],
        )
        .unwrap();
    let address = tree.rows(&format!("{row}.IPv4Address.")).remove(0);
    let mut expected = of_iproute(&namespace);

    // The only address becomes another.
    scene.set(&address, &[("IPAddress", "192.0.2.2")]).unwrap();
    assert!(expected.remove("lan1 has 192.0.2.1/24"), "{expected:#?}");
    expected.insert("lan1 has 192.0.2.2/24".to_owned());
    let found = agree(&namespace, &mut scene);
    let routes = |facts: &Facts| {
        let routes = facts.iter().filter(|fact| fact.contains("route"));
        let of_lan1: Vec<String> = routes
            .filter(|fact| !fact.contains("/32"))
            .cloned()
            .collect();
        of_lan1
    };
    assert!(routes(&found).len() > 3, "{found:#?}");
    assert_eq!(routes(&found), routes(&expected));
    assert!(found.contains("lan1 has 192.0.2.2/24"), "{found:#?}");

    // The first address of a network goes, and a second with a lifetime stays.
    namespace.ip("addr add 192.0.2.3/24 dev lan1 valid_lft 5000 preferred_lft 4000");
    let before = routes(&of_iproute(&namespace));
    scene.delete(&format!("{address}.")).unwrap();
    let found = agree(&namespace, &mut scene);
    assert!(!found.contains("lan1 has 192.0.2.2/24"), "{found:#?}");
    assert!(found.contains("lan1 has 192.0.2.3/24"), "{found:#?}");
    assert_eq!(routes(&found), before);
    let addresses = namespace.ask("addr show dev lan1");
    let addresses = addresses[0]["addr_info"].as_array().unwrap();
    let kept = addresses
        .iter()
        .find(|one| one["local"] == "192.0.2.3")
        .unwrap();
    let valid = kept["valid_life_time"].as_u64().unwrap();
    assert!((4000..=5000).contains(&valid), "{kept}");

    // What is refused in the end leaves routes and addresses as they were.
    let untouched = of_iproute(&namespace);
    let tree = scene.tree("Device.");
    let address = tree.rows(&format!("{row}.IPv4Address.")).remove(0);
    scene
        .set_both(
            (&address, &[("IPAddress", "192.0.2.77")]),
            (&row, &[("MaxMTUSize", "64")]),
        )
        .unwrap_err();
    is_again(&namespace, &untouched);
}

/// Addresses and routes of the host can be changed, disabled and enabled again.
#[test]
fn what_the_host_has_by_itself_can_be_changed() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    ports(&namespace);
    namespace.ip("addr add 192.0.2.1/24 dev lan1");
    namespace.ip("addr add 2001:db8::1/64 dev lan1 nodad");
    namespace.ip("route add 198.51.100.0/24 via 192.0.2.9");
    let untouched = of_iproute(&namespace);
    let mut scene = Scene::new(&namespace);
    let tree = scene.tree("Device.");
    let interface = tree.find("Device.IP.Interface.", "Name", "lan1").unwrap();
    let port = tree
        .find("Device.Ethernet.Interface.", "Name", "lan2")
        .unwrap();
    let address = tree.rows(&format!("{interface}.IPv4Address.")).remove(0);

    scene.set(&interface, &[("MaxMTUSize", "1400")]).unwrap();
    scene.set(&port, &[("Enable", "false")]).unwrap();
    let facts = agree(&namespace, &mut scene);
    assert!(
        facts.contains("lan1 mtu 1400") && facts.contains("lan2 up false"),
        "{facts:#?}"
    );
    scene.set(&interface, &[("MaxMTUSize", "1500")]).unwrap();
    scene.set(&port, &[("Enable", "true")]).unwrap();
    assert!(of_iproute(&namespace).contains("lan2 up true"));

    scene.set(&address, &[("Enable", "false")]).unwrap();
    assert!(!of_iproute(&namespace).contains("lan1 has 192.0.2.1/24"));
    let tree = scene.tree("Device.IP.");
    assert_eq!(tree.value(&format!("{address}.Status")), "Disabled");
    scene.set(&address, &[("Enable", "true")]).unwrap();
    let tree = scene.tree("Device.IP.");
    assert_eq!(tree.value(&format!("{address}.Status")), "Enabled");

    scene.set(&interface, &[("Enable", "false")]).unwrap();
    let facts = of_iproute(&namespace);
    assert!(
        !facts
            .iter()
            .any(|fact| fact.starts_with("lan1 has 192") || fact.starts_with("lan1 has 2001")),
        "{facts:#?}"
    );
    scene.set(&interface, &[("Enable", "true")]).unwrap();
    let facts = agree(&namespace, &mut scene);
    assert!(facts.contains("lan1 has 192.0.2.1/24"), "{facts:#?}");
    assert!(facts.contains("lan1 has 2001:db8::1/64"), "{facts:#?}");
    namespace
        .try_ip("route add 198.51.100.0/24 via 192.0.2.9")
        .ok();
    is_again(&namespace, &untouched);

    scene
        .delete("Device.Routing.Router.1.IPv4Forwarding.[GatewayIPAddress==\"192.0.2.9\"].")
        .unwrap();
    scene.delete(&format!("{address}.")).unwrap();
    let facts = agree(&namespace, &mut scene);
    assert!(!facts.contains("lan1 has 192.0.2.1/24"), "{facts:#?}");
    assert!(
        scene.delete(&format!("{interface}.")).is_err(),
        "it is the host's"
    );
}

/// What a Controller has configured and the kernel cannot have yet is kept, also across a restart.
#[test]
fn what_is_not_complete_is_kept_until_it_is() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    ports(&namespace);
    let folder = tempfile::tempdir().unwrap();
    let config = || NetConfig {
        write: true,
        namespace: Some(namespace.path()),
        state_file: Some(folder.path().join("network")),
        ..NetConfig::default()
    };
    let mut scene = Scene::configured(config());
    let tree = scene.tree("Device.");
    let interface = tree.find("Device.IP.Interface.", "Name", "lan1").unwrap();
    let table = format!("{interface}.IPv4Address.");
    let row = scene
        .add(&table, &[("Alias", "mine"), ("Enable", "true")])
        .unwrap();
    let bridge = scene.add("Device.Bridging.Bridge.", &[]).unwrap();
    let mut scene = Scene::configured(config());
    let tree = scene.tree("Device.");
    assert_eq!(tree.value(&format!("{row}.Alias")), "mine");
    assert_eq!(tree.value(&format!("{row}.Status")), "Error");
    assert_eq!(tree.value(&format!("{bridge}.Status")), "Disabled");
    scene
        .set(
            &row,
            &[("IPAddress", "192.0.2.77"), ("SubnetMask", "255.255.255.0")],
        )
        .unwrap();
    let tree = scene.tree("Device.IP.");
    assert_eq!(tree.value(&format!("{row}.Status")), "Enabled");
    assert_eq!(tree.value(&format!("{row}.Alias")), "mine");
    assert!(of_iproute(&namespace).contains("lan1 has 192.0.2.77/24"));
}

#[test]
fn a_protected_device_is_left_alone() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    ports(&namespace);
    let mut scene = Scene::configured(NetConfig {
        write: true,
        namespace: Some(namespace.path()),
        protected: vec!["lan1".to_owned()],
        ..NetConfig::default()
    });
    let tree = scene.tree("Device.");
    let find = |name| {
        tree.find("Device.Ethernet.Interface.", "Name", name)
            .unwrap()
    };
    let fault = scene
        .set(&find("lan1"), &[("Enable", "false")])
        .unwrap_err();
    assert!(fault.text.contains("protected"), "{fault}");
    scene.set(&find("lan2"), &[("Enable", "false")]).unwrap();
    let facts = of_iproute(&namespace);
    assert!(facts.contains("lan1 up true") && facts.contains("lan2 up false"));
}

/// Nor is anything led through it: by a gateway beyond it, or into a bridge that is protected.
#[test]
fn nothing_leads_through_a_protected_device() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    ports(&namespace);
    namespace.ip("addr add 192.0.2.1/24 dev lan1");
    namespace.ip("link add br0 type bridge");
    namespace.ip("link set br0 up");
    let untouched = of_iproute(&namespace);
    let mut scene = Scene::configured(NetConfig {
        write: true,
        namespace: Some(namespace.path()),
        protected: vec!["lan1".to_owned(), "br0".to_owned()],
        ..NetConfig::default()
    });
    let fault = scene
        .add(
            "Device.Routing.Router.1.IPv4Forwarding.",
            &[
                ("DestIPAddress", "198.51.100.0"),
                ("DestSubnetMask", "255.255.255.0"),
                ("GatewayIPAddress", "192.0.2.9"),
                ("Enable", "true"),
            ],
        )
        .unwrap_err();
    assert!(fault.text.contains("lan1 is protected"), "{fault}");
    let tree = scene.tree("Device.");
    let lan2 = tree
        .find("Device.Ethernet.Interface.", "Name", "lan2")
        .unwrap();
    let bridge = tree.rows("Device.Bridging.Bridge.").remove(0);
    let fault = scene
        .add(
            &format!("{bridge}.Port."),
            &[("LowerLayers", &lan2), ("Enable", "true")],
        )
        .unwrap_err();
    assert!(fault.text.contains("br0 is protected"), "{fault}");
    is_again(&namespace, &untouched);
}
