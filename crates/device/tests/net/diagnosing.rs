//! Diagnostics in the namespace that is served.

use std::collections::BTreeMap;

use usphere_device::{DeviceConfig, Host, HostPaths};
use usphere_runtime::{Cancelled, Owner};

use crate::namespace::Namespace;

#[test]
fn a_ping_leaves_from_the_namespace_that_is_served() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    namespace.ip("address add 192.0.2.77/32 dev lo");
    let config = DeviceConfig {
        namespace: Some(namespace.path()),
        ..DeviceConfig::default()
    };
    let mut host = Host::new(config, HostPaths::default()).unwrap();
    let arguments = [
        ("Host", "192.0.2.77"),
        ("ProtocolVersion", "IPv4"),
        ("NumberOfRepetitions", "1"),
        ("Timeout", "5000"),
        ("DataBlockSize", "65507"),
    ];
    let arguments: BTreeMap<String, String> = arguments
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let ping = "Device.IP.Diagnostics.IPPing()";
    let work = host.begin(ping, &arguments, Cancelled::default()).unwrap();
    // As the runtime does, in a thread of its own.
    let outputs = std::thread::spawn(work).join().unwrap().unwrap();
    assert_eq!(outputs["Status"], "Complete", "{outputs:?}");
    assert_eq!(outputs["SuccessCount"], "1", "{outputs:?}");
}
