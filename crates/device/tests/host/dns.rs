//! The DNS client: what the files say, and changing the one that may be changed.

use usphere_datamodel::FaultKind;
use usphere_datamodel::model::{OwnedChange, Phase};
use usphere_device::{DeviceConfig, DnsConfig, Host, HostPaths};
use usphere_runtime::Owner;

use crate::scene::{Files, Scene};

const CONF: &str = "etc/resolv.conf";
const TABLE: &str = "Device.DNS.Client.Server.";

fn writable(files: &Files) -> DeviceConfig {
    DeviceConfig {
        rows_file: Some(files.folder().join("rows")),
        dns: DnsConfig {
            write_to: Some(files.folder().join(CONF)),
        },
        ..DeviceConfig::default()
    }
}

/// `Server.1.DNSServer=…` and so on, without the table.
fn servers(scene: &mut Scene, parameter: &str) -> Vec<String> {
    let lines = scene.get("Device.DNS.Client.Server.*.").unwrap();
    let wanted = format!(".{parameter}=");
    let lines = lines.iter().filter(|line| line.contains(&wanted));
    lines
        .map(|line| line.strip_prefix(TABLE).unwrap().to_owned())
        .collect()
}

#[test]
fn servers_are_those_of_the_file_and_their_origin_is_told_by_leases() {
    let files = Files::router();
    let mut scene = Scene::new(files.paths());
    assert_eq!(
        servers(&mut scene, "DNSServer"),
        ["1.DNSServer=192.0.2.53", "2.DNSServer=2001:db8::53"]
    );
    assert_eq!(
        servers(&mut scene, "Type"),
        ["1.Type=DHCPv4", "2.Type=Static"]
    );
    files.write(CONF, "");
    let lines = scene.get("Device.DNS.Client.").unwrap();
    assert!(lines.contains(&"Device.DNS.Client.Status=Error".to_owned()));
    assert!(lines.contains(&"Device.DNS.Client.ServerNumberOfEntries=0".to_owned()));
}

#[test]
fn behind_the_door_of_a_local_resolver_are_the_servers_that_it_asks() {
    let files = Files::router();
    files.write(CONF, "nameserver 127.0.0.53\noptions edns0\n");
    let mut scene = Scene::new(files.paths());
    assert_eq!(servers(&mut scene, "DNSServer"), ["1.DNSServer=127.0.0.53"]);
    files.write(
        "run/systemd/resolve/resolv.conf",
        "nameserver 198.51.100.1\n",
    );
    assert_eq!(
        servers(&mut scene, "DNSServer"),
        ["2.DNSServer=198.51.100.1"]
    );
}

/// Compared with the resolver file of the machine that runs the tests, read in another way.
#[test]
fn this_very_hosts_servers_are_shown() {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let words = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next().unwrap_or_default().to_owned())
    });
    let expected: Vec<String> = words.collect();
    if expected
        .iter()
        .any(|server| server.starts_with("127.0.0.5"))
    {
        return;
    }
    let mut scene = Scene::new(HostPaths::default());
    let shown = servers(&mut scene, "DNSServer");
    let shown: Vec<&str> = shown
        .iter()
        .map(|line| line.split_once('=').unwrap().1)
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn without_a_file_for_it_nothing_is_changed_and_the_setting_is_named() {
    let files = Files::router();
    let before = files.read(CONF);
    let mut scene = Scene::new(files.paths());
    let faults = [
        scene
            .set("Device.DNS.Client.Server.1.DNSServer", "192.0.2.1")
            .unwrap_err(),
        scene.add(TABLE, &[("DNSServer", "192.0.2.1")]).unwrap_err(),
        scene.delete("Device.DNS.Client.Server.1.").unwrap_err(),
    ];
    for fault in faults {
        assert_eq!(fault.kind, FaultKind::WriteForbidden);
        assert!(fault.text.contains("dns.write_to"), "{fault}");
    }
    scene.set("Device.DNS.Client.Enable", "true").unwrap();
    assert!(scene.set("Device.DNS.Client.Enable", "false").is_err());
    assert_eq!(files.read(CONF), before);
}

#[test]
fn servers_are_added_changed_switched_off_and_deleted() {
    let files = Files::router();
    let mut scene = Scene::configured(writable(&files), files.paths());
    scene.get(TABLE).unwrap();
    scene
        .set("Device.DNS.Client.Server.1.DNSServer", "192.0.2.54")
        .unwrap();
    assert_eq!(
        servers(&mut scene, "DNSServer"),
        ["1.DNSServer=192.0.2.54", "2.DNSServer=2001:db8::53"]
    );
    let added = scene
        .add(
            TABLE,
            &[
                ("Enable", "true"),
                ("DNSServer", "198.51.100.7"),
                ("Alias", "spare one"),
            ],
        )
        .unwrap();
    assert_eq!(added, ["Device.DNS.Client.Server.3."]);
    scene
        .set("Device.DNS.Client.Server.2.Enable", "false")
        .unwrap();
    assert_eq!(
        files.read(CONF),
        "search home.arpa\nnameserver 192.0.2.54 # usphere name=192.0.2.53\n# usphere nameserver 2001:db8::53\n\
         nameserver 198.51.100.7 # usphere name=#3 alias=spare%20one\n"
    );
    assert_eq!(
        servers(&mut scene, "Status"),
        ["1.Status=Enabled", "2.Status=Disabled", "3.Status=Enabled"]
    );
    assert_eq!(
        servers(&mut scene, "Alias"),
        ["1.Alias=cpe-1", "2.Alias=cpe-2", "3.Alias=spare one"]
    );
    scene.delete("Device.DNS.Client.Server.1.").unwrap();
    assert_eq!(
        servers(&mut scene, "DNSServer"),
        ["2.DNSServer=2001:db8::53", "3.DNSServer=198.51.100.7"]
    );
    // After a restart the rows are the same.
    let mut scene = Scene::configured(writable(&files), files.paths());
    assert_eq!(
        servers(&mut scene, "DNSServer"),
        ["2.DNSServer=2001:db8::53", "3.DNSServer=198.51.100.7"]
    );
    assert_eq!(scene.troubles, [""; 0]);
}

#[test]
fn a_server_without_an_address_waits_for_one() {
    let files = Files::router();
    let mut scene = Scene::configured(writable(&files), files.paths());
    scene.add(TABLE, &[("Enable", "true")]).unwrap();
    assert_eq!(
        servers(&mut scene, "Status").last().unwrap(),
        "3.Status=Error"
    );
    scene
        .set("Device.DNS.Client.Server.3.DNSServer", "192.0.2.3")
        .unwrap();
    assert!(
        files
            .read(CONF)
            .ends_with("\nnameserver 192.0.2.3 # usphere name=#3\n")
    );
}

#[test]
fn two_servers_of_one_address_are_refused_and_leave_nothing_behind() {
    let files = Files::router();
    let before = files.read(CONF);
    let mut scene = Scene::configured(writable(&files), files.paths());
    scene.get(TABLE).unwrap();
    let fault = scene
        .add(TABLE, &[("DNSServer", "192.0.2.53")])
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::UniqueKeyConflict);
    assert_eq!(files.read(CONF), before);
}

#[test]
fn what_is_undone_leaves_the_file_as_it_was() {
    let files = Files::router();
    let mut host = Host::new(writable(&files), files.paths()).unwrap();
    host.fetch("host.dns").unwrap();
    let before = files.read(CONF);
    let path = |row: u32| format!("{TABLE}{row}.");
    let changes = [
        OwnedChange::Delete { path: path(1) },
        OwnedChange::Add {
            table: TABLE.to_owned(),
            instance: 9,
        },
        OwnedChange::Set {
            path: path(9) + "DNSServer",
            value: "192.0.2.9".to_owned(),
            previous: String::new(),
        },
    ];
    assert_eq!(host.apply(Phase::Check, &changes), vec![Ok(()); 3]);
    assert_eq!(files.read(CONF), before);
    assert_eq!(host.apply(Phase::Apply, &changes), vec![Ok(()); 3]);
    assert!(files.read(CONF).contains("192.0.2.9"));
    let mut back = changes.clone();
    back.reverse();
    assert_eq!(host.apply(Phase::Undo, &back), vec![Ok(()); 3]);
    assert_eq!(files.read(CONF), before);

    // The same when somebody else has written meanwhile: only what was changed is taken back.
    assert_eq!(host.apply(Phase::Apply, &changes), vec![Ok(()); 3]);
    files.write(CONF, files.read(CONF) + "options rotate\n");
    assert_eq!(host.apply(Phase::Undo, &back), vec![Ok(()); 3]);
    assert_eq!(files.read(CONF), before + "options rotate\n");
}

#[test]
fn one_change_that_is_refused_keeps_the_others_from_the_file() {
    let files = Files::router();
    let mut host = Host::new(writable(&files), files.paths()).unwrap();
    host.fetch("host.dns").unwrap();
    let before = files.read(CONF);
    let changes = [
        OwnedChange::Delete {
            path: format!("{TABLE}1."),
        },
        OwnedChange::Delete {
            path: format!("{TABLE}77."),
        },
    ];
    let results = host.apply(Phase::Apply, &changes);
    assert!(results.iter().all(Result::is_err), "{results:?}");
    assert_eq!(files.read(CONF), before);
}

#[test]
fn what_the_host_itself_names_is_shown_beside_the_file_and_not_changed() {
    let files = Files::router();
    files.write("etc/dns-of-controllers", "nameserver 198.51.100.7\n");
    let config = DeviceConfig {
        dns: DnsConfig {
            write_to: Some(files.folder().join("etc/dns-of-controllers")),
        },
        ..DeviceConfig::default()
    };
    let mut scene = Scene::configured(config, files.paths());
    assert_eq!(
        servers(&mut scene, "Status"),
        ["1.Status=Error", "2.Status=Enabled", "3.Status=Enabled"]
    );
    let fault = scene
        .set("Device.DNS.Client.Server.2.Enable", "false")
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::WriteForbidden);
    scene
        .set("Device.DNS.Client.Server.1.DNSServer", "198.51.100.8")
        .unwrap();
    assert!(
        files
            .read("etc/dns-of-controllers")
            .starts_with("nameserver 198.51.100.8 ")
    );
}
