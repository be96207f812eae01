//! What a Controller may ask for by mistake: it is refused in words, or does what it says.

use usphere_device::net::NetConfig;

use crate::facts::of_iproute;
use crate::namespace::Namespace;
use crate::scene::Scene;

fn lan1(namespace: &Namespace) {
    namespace.ip("link add lan1 type veth peer name far-lan1");
    namespace.ip("link set lan1 up");
    namespace.ip("link set far-lan1 up");
}

/// The link of the host is the device: without the one there is not the other, and a protected one stays.
#[test]
fn a_disabled_link_is_down() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    lan1(&namespace);
    let mut scene = Scene::new(&namespace);
    let tree = scene.tree("Device.");
    let link = tree.find("Device.Ethernet.Link.", "Name", "lan1").unwrap();
    scene.set(&link, &[("Enable", "false")]).unwrap();
    assert!(of_iproute(&namespace).contains("lan1 up false"));
    scene.set(&link, &[("Enable", "true")]).unwrap();
    assert!(of_iproute(&namespace).contains("lan1 up true"));

    let mut scene = Scene::configured(NetConfig {
        write: true,
        namespace: Some(namespace.path()),
        protected: vec!["lan1".to_owned()],
        ..NetConfig::default()
    });
    let tree = scene.tree("Device.");
    let link = tree.find("Device.Ethernet.Link.", "Name", "lan1").unwrap();
    let fault = scene.set(&link, &[("Enable", "false")]).unwrap_err();
    assert!(fault.text.contains("lan1 is protected"), "{fault}");
}

/// An MTU with which there is no IPv6 is refused where a Controller wants an address of it; without one, it comes
/// back with the MTU.
#[test]
fn a_small_mtu_costs_nobody_an_address() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    lan1(&namespace);
    let mut scene = Scene::new(&namespace);
    let tree = scene.tree("Device.");
    let row = tree.find("Device.IP.Interface.", "Name", "lan1").unwrap();
    let address = scene
        .add(
            &format!("{row}.IPv6Address."),
            &[("IPAddress", "2001:db8::1"), ("Enable", "true")],
        )
        .unwrap();
    let fault = scene.set(&row, &[("MaxMTUSize", "600")]).unwrap_err();
    assert!(fault.text.contains("2001:db8::1"), "{fault}");
    let facts = of_iproute(&namespace);
    assert!(facts.contains("lan1 has 2001:db8::1/128"), "{facts:#?}");
    assert!(facts.contains("lan1 mtu 1500"), "{facts:#?}");

    scene.set(&address, &[("Enable", "false")]).unwrap();
    scene.set(&row, &[("MaxMTUSize", "600")]).unwrap();
    scene.set(&row, &[("MaxMTUSize", "1500")]).unwrap();
    scene.set(&address, &[("Enable", "true")]).unwrap();
    let facts = of_iproute(&namespace);
    assert!(facts.contains("lan1 has 2001:db8::1/128"), "{facts:#?}");
}

#[test]
fn what_is_no_address_of_an_interface_is_refused() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    lan1(&namespace);
    let mut scene = Scene::new(&namespace);
    let tree = scene.tree("Device.");
    let row = tree.find("Device.IP.Interface.", "Name", "lan1").unwrap();
    for nonsense in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "127.0.0.2"] {
        let values = [
            ("IPAddress", nonsense),
            ("SubnetMask", "255.255.255.0"),
            ("Enable", "true"),
        ];
        let fault = scene.add(&format!("{row}.IPv4Address."), &values);
        let text = fault.unwrap_err().text;
        assert!(text.contains(nonsense), "{text}");
    }
}

/// The host itself talks by its loopback, the Agent's doors among it.
#[test]
fn the_loopback_stays() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let before = of_iproute(&namespace);
    let mut scene = Scene::new(&namespace);
    let tree = scene.tree("Device.");
    let row = tree.find("Device.IP.Interface.", "Name", "lo").unwrap();
    let fault = scene.set(&row, &[("Enable", "false")]).unwrap_err();
    assert!(fault.text.contains("loopback"), "{fault}");
    assert_eq!(of_iproute(&namespace), before);
}

/// What the kernel would take longer for than anybody waits is refused before it is begun.
#[test]
fn too_many_devices_at_once_are_refused() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let mut scene = Scene::new(&namespace);
    for _ in 0..65 {
        let values = [("Enable", "true")];
        scene.add("Device.Bridging.Bridge.", &values).unwrap();
    }
    let fault = scene.delete("Device.Bridging.Bridge.*.").unwrap_err();
    assert!(fault.text.contains("more than 64 devices"), "{fault}");
    let bridges = namespace.ask("link show type bridge");
    assert_eq!(bridges.len(), 65);
}
