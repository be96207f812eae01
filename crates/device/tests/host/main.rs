//! The host read through a model, from files made up and from the machine that runs the tests.

mod commands;
mod dns;
mod scene;
mod seen;
mod telling;
mod time;
mod writing;

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use scene::{Files, ROUTER, Scene, units, value};
use usphere_datamodel::declare::Object;
use usphere_device::{DeviceConfig, Host, HostPaths};
use usphere_runtime::Owner;

/// Reading a folder fails, as reading anything does where no more files can be opened.
#[test]
fn what_cannot_be_read_is_not_told_as_empty() {
    for (path, unit) in [
        ("etc/TZ", "host.time"),
        ("etc/passwd", "host.users"),
        ("etc/resolv.conf", "host.dns"),
        ("proc/meminfo", "host.memory"),
        ("proc/stat", "host.cpu"),
        ("proc/sys/kernel/hostname", "host.system"),
        ("proc/sys/net/ipv4/tcp_rmem", "host.network-properties"),
        ("proc/uptime", "host.system"),
    ] {
        assert!(units().contains(&unit), "{unit} of {:?}", units());
        let files = Files::router();
        let mut host = Host::new(DeviceConfig::default(), files.paths()).unwrap();
        assert!(host.fetch(unit).is_ok(), "{path}");
        let path = files.folder().join(path);
        let _ = fs::remove_file(&path);
        fs::create_dir(&path).unwrap();
        let error = host.fetch(unit).unwrap_err();
        assert!(error.text.contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_router_shows_itself() {
    let files = Files::router();
    files.process(1, "init", 5);
    let config = DeviceConfig::default();
    let numbers = [("br0".to_owned(), 9), ("eth0".to_owned(), 4)];
    config.interfaces.set(numbers.into());
    let mut scene = Scene::configured(config, files.paths());
    let mut lines = scene.get("Device.").unwrap();
    let local_time = lines
        .iter()
        .position(|line| line.starts_with("Device.Time.CurrentLocalTime=2"))
        .unwrap();
    lines.remove(local_time);
    lines.retain(|line| !line.contains(".ActiveLastChange=20"));
    assert_eq!(
        lines,
        [
            "Device.DeviceInfo.DeviceCategory=",
            "Device.DeviceInfo.Manufacturer=acme",
            "Device.DeviceInfo.ManufacturerOUI=00005E",
            "Device.DeviceInfo.ModelName=Acme Home Gateway 7",
            "Device.DeviceInfo.ModelNumber=hgw-7",
            "Device.DeviceInfo.Description=acme, Acme Home Gateway 7, AcmeOS 23.05",
            "Device.DeviceInfo.ProductClass=Acme Home Gateway 7",
            "Device.DeviceInfo.SerialNumber=A7-000123",
            "Device.DeviceInfo.HardwareVersion=1.2",
            "Device.DeviceInfo.SoftwareVersion=23.05.3",
            "Device.DeviceInfo.AdditionalHardwareVersion=BIOS 2024.01",
            "Device.DeviceInfo.AdditionalSoftwareVersion=Linux 6.6.30",
            "Device.DeviceInfo.ProvisioningCode=",
            "Device.DeviceInfo.UpTime=3881",
            "Device.DeviceInfo.FirstUseDate=0001-01-01T00:00:00Z",
            "Device.DeviceInfo.HostName=myhgw",
            "Device.DeviceInfo.FriendlyName=",
            "Device.DeviceInfo.MemoryStatus.Total=252164",
            "Device.DeviceInfo.MemoryStatus.Free=131072",
            "Device.DeviceInfo.ProcessStatus.CPUUsage=20",
            "Device.DeviceInfo.ProcessStatus.ProcessNumberOfEntries=1",
            "Device.DeviceInfo.ProcessStatus.Process.1.PID=1",
            "Device.DeviceInfo.ProcessStatus.Process.1.Command=init",
            &format!(
                "Device.DeviceInfo.ProcessStatus.Process.1.Size={}",
                416 * page_kibibytes()
            ),
            "Device.DeviceInfo.ProcessStatus.Process.1.Priority=20",
            &format!(
                "Device.DeviceInfo.ProcessStatus.Process.1.CPUTime={}",
                300_000 / ticks_per_second()
            ),
            "Device.DeviceInfo.ProcessStatus.Process.1.State=Sleeping",
            "Device.DeviceInfo.NetworkProperties.MaxTCPWindowSize=6291456",
            "Device.DeviceInfo.NetworkProperties.TCPImplementation=New Reno",
            "Device.Time.Enable=true",
            "Device.Time.Status=Synchronized",
            "Device.Time.LocalTimeZone=CET-1CEST,M3.5.0,M10.5.0/3",
            "Device.Time.ClientNumberOfEntries=1",
            "Device.Time.Client.5.Alias=cpe-5",
            "Device.Time.Client.5.Enable=true",
            "Device.Time.Client.5.Status=Synchronized",
            "Device.Time.Client.5.Servers=0.pool.example,1.pool.example",
            "Device.DNS.SupportedRecordTypes=A,AAAA,SRV,PTR",
            "Device.DNS.Client.Enable=true",
            "Device.DNS.Client.Status=Enabled",
            "Device.DNS.Client.ServerNumberOfEntries=2",
            "Device.DNS.Client.Server.1.Enable=true",
            "Device.DNS.Client.Server.1.Status=Enabled",
            "Device.DNS.Client.Server.1.Alias=cpe-1",
            "Device.DNS.Client.Server.1.DNSServer=192.0.2.53",
            "Device.DNS.Client.Server.1.Type=DHCPv4",
            "Device.DNS.Client.Server.2.Enable=true",
            "Device.DNS.Client.Server.2.Status=Enabled",
            "Device.DNS.Client.Server.2.Alias=cpe-2",
            "Device.DNS.Client.Server.2.DNSServer=2001:db8::53",
            "Device.DNS.Client.Server.2.Type=Static",
            "Device.DHCPv4.ClientNumberOfEntries=1",
            "Device.DHCPv4.Client.1.Enable=true",
            "Device.DHCPv4.Client.1.Alias=cpe-eth0",
            "Device.DHCPv4.Client.1.Interface=Device.IP.Interface.4",
            "Device.DHCPv4.Client.1.Status=Enabled",
            "Device.DHCPv4.Client.1.DHCPStatus=Bound",
            "Device.DHCPv4.Client.1.IPAddress=192.0.2.10",
            "Device.DHCPv4.Client.1.SubnetMask=255.255.255.0",
            "Device.DHCPv4.Client.1.IPRouters=192.0.2.1",
            "Device.DHCPv4.Client.1.DNSServers=192.0.2.53",
            "Device.DHCPv4.Client.1.LeaseTimeRemaining=-1",
            "Device.DHCPv4.Client.1.DHCPServer=192.0.2.1",
            "Device.DHCPv6.ClientNumberOfEntries=1",
            "Device.DHCPv6.Client.1.Enable=true",
            "Device.DHCPv6.Client.1.Alias=cpe-eth1",
            "Device.DHCPv6.Client.1.Interface=",
            "Device.DHCPv6.Client.1.Status=Enabled",
            "Device.DHCPv6.Client.1.DUID=00030001",
            "Device.DHCPv6.Client.1.RequestAddresses=false",
            "Device.DHCPv6.Client.1.RequestPrefixes=true",
            "Device.IP.Diagnostics.IPv4PingSupported=true",
            "Device.IP.Diagnostics.IPv6PingSupported=true",
            "Device.IP.Diagnostics.IPv4TraceRouteSupported=true",
            "Device.IP.Diagnostics.IPv6TraceRouteSupported=true",
            "Device.Users.UserNumberOfEntries=1",
            "Device.Users.User.1.Alias=cpe-0",
            "Device.Users.User.1.Enable=true",
            "Device.Users.User.1.UserID=0",
            "Device.Users.User.1.Username=root",
            "Device.Users.User.1.StaticUser=true",
            "Device.Security.CertificateNumberOfEntries=0",
        ]
    );
    assert!(scene.troubles.is_empty(), "{:?}", scene.troubles);
}

#[test]
fn a_host_without_files_shows_what_there_is_and_fails_where_there_is_nothing() {
    let files = Files::empty();
    let mut scene = Scene::new(files.paths());
    let lines = scene.get("Device.").unwrap();
    assert!(lines.contains(&"Device.DeviceInfo.ManufacturerOUI=000000".to_owned()));
    assert!(lines.contains(&"Device.DeviceInfo.SerialNumber=".to_owned()));
    assert!(lines.contains(&"Device.DeviceInfo.UpTime=0".to_owned()));
    assert!(lines.contains(&"Device.Time.Status=Disabled".to_owned()));
    assert!(lines.contains(&"Device.Time.LocalTimeZone=UTC0".to_owned()));
    assert!(!lines.iter().any(|line| line.contains("MemoryStatus")));
    let fault = scene.get("Device.DeviceInfo.MemoryStatus.").unwrap_err();
    assert!(fault.text.contains("meminfo does not tell"), "{fault}");
}

#[test]
fn the_serial_number_and_the_oui_fall_back_to_the_first_card_with_an_address_of_its_own() {
    let files = Files::router();
    files.remove("sys/firmware/devicetree/base/serial-number");
    let mut host = Host::new(DeviceConfig::default(), files.paths()).unwrap();
    assert_eq!(
        value(&host.fetch("host.identity").unwrap(), "SerialNumber"),
        "00005E005301"
    );
    files.write("sys/class/net/eth0/addr_assign_type", "1\n");
    assert_eq!(
        value(&host.fetch("host.identity").unwrap(), "SerialNumber"),
        "00005E005302"
    );
    files.remove("sys/class/net/eth1");
    let identity = host.fetch("host.identity").unwrap();
    assert_eq!(
        (
            value(&identity, "SerialNumber"),
            value(&identity, "ManufacturerOUI")
        ),
        ("", "000000")
    );
}

#[test]
fn what_is_configured_goes_before_what_the_host_tells() {
    let config = DeviceConfig {
        device_category: vec!["IoT, hub".to_owned(), "AP".to_owned()],
        manufacturer_oui: Some("0123AB".to_owned()),
        serial_number: Some("S1".to_owned()),
        ..DeviceConfig::default()
    };
    let mut scene = Scene::configured(config, Files::router().paths());
    let lines = scene.get("Device.DeviceInfo.").unwrap();
    assert!(
        lines.contains(&"Device.DeviceInfo.DeviceCategory=IoT%2C hub,AP".to_owned()),
        "{lines:?}"
    );
    assert!(lines.contains(&"Device.DeviceInfo.ManufacturerOUI=0123AB".to_owned()));
    assert!(lines.contains(&"Device.DeviceInfo.SerialNumber=S1".to_owned()));
}

#[test]
fn a_configured_value_has_to_fit_its_parameter() {
    let with = |config| {
        Host::new(config, HostPaths::default())
            .err()
            .map(|error| error.name)
    };
    let oui = DeviceConfig {
        manufacturer_oui: Some("0123ab".to_owned()),
        ..DeviceConfig::default()
    };
    assert_eq!(
        with(oui).as_deref(),
        Some("Device.DeviceInfo.ManufacturerOUI")
    );
    let model = DeviceConfig {
        model_name: Some("x".repeat(65)),
        ..DeviceConfig::default()
    };
    assert_eq!(with(model).as_deref(), Some("Device.DeviceInfo.ModelName"));
}

#[test]
fn every_declared_unit_is_answered_and_no_other() {
    let files = Files::router();
    let mut host = Host::new(DeviceConfig::default(), files.paths()).unwrap();
    for unit in units() {
        assert!(host.fetch(unit).is_ok(), "{unit}");
    }
    assert!(host.fetch("host.nonsense").is_err());
    assert!(
        host.operate("Device.Reboot()", &Default::default())
            .is_err()
    );
}

#[test]
fn the_declarations_fit_beside_those_of_the_agent() {
    let mut objects = usphere_agent::objects::objects();
    objects.extend(usphere_device::objects());
    usphere_datamodel::Schema::build(&objects).unwrap();
}

#[test]
fn the_processors_are_watched_from_one_look_to_the_next() {
    let files = Files::router();
    let mut host = Host::new(DeviceConfig::default(), files.paths()).unwrap();
    assert_eq!(value(&host.fetch("host.cpu").unwrap(), "CPUUsage"), "20");
    files.write("proc/stat", "cpu  175 0 100 725 100 0 0 0 0 0\n");
    assert_eq!(value(&host.fetch("host.cpu").unwrap(), "CPUUsage"), "75");
}

#[test]
fn the_date_of_first_use_waits_for_the_right_time() {
    let files = Files::router();
    files.remove("run/systemd/timesync/synchronized");
    let marker = files.folder().join("clock-is-right");
    let config = DeviceConfig {
        first_use_file: Some(files.folder().join("first-use")),
        clock_marker: Some(marker.clone()),
        ..DeviceConfig::default()
    };
    let mut host = Host::new(config, files.paths()).unwrap();
    assert_eq!(
        value(&host.fetch("host.time").unwrap(), "Status"),
        "Unsynchronized"
    );
    assert_eq!(
        value(&host.fetch("host.system").unwrap(), "FirstUseDate"),
        "0001-01-01T00:00:00Z"
    );
    fs::write(marker, "").unwrap();
    assert_eq!(
        value(&host.fetch("host.time").unwrap(), "Status"),
        "Synchronized"
    );
    let system = host.fetch("host.system").unwrap();
    assert!(value(&system, "FirstUseDate").starts_with("20"));
    assert_eq!(
        files.read("first-use").trim(),
        value(&system, "FirstUseDate")
    );
}

/// Instance numbers stay with their processes while they live.
#[test]
fn a_process_keeps_its_instance_and_a_reused_pid_gets_another() {
    let files = Files::router();
    files.process(10, "a", 1);
    files.process(20, "b", 2);
    let mut scene = Scene::new(files.paths());
    assert_eq!(
        commands(&mut scene),
        ["1.PID=10", "1.Command=a", "2.PID=20", "2.Command=b"]
    );
    files.remove("proc/10");
    files.process(15, "c", 3);
    assert_eq!(
        commands(&mut scene),
        ["2.PID=20", "2.Command=b", "3.PID=15", "3.Command=c"]
    );
    files.process(20, "d", 4);
    assert_eq!(
        commands(&mut scene),
        ["3.PID=15", "3.Command=c", "4.PID=20", "4.Command=d"]
    );
}

#[test]
fn a_process_that_vanishes_while_it_is_read_is_left_out() {
    let files = Files::router();
    files.process(10, "a", 1);
    files.write("proc/11/stat", "");
    files.write("proc/12/stat", "12 (cut) S 1 12");
    fs::create_dir_all(files.folder().join("proc/13/stat")).unwrap();
    fs::create_dir_all(files.folder().join("proc/14")).unwrap();
    files.write("proc/15", "not a folder");
    let mut scene = Scene::new(files.paths());
    assert_eq!(commands(&mut scene), ["1.PID=10", "1.Command=a"]);
}

#[test]
fn more_processes_than_a_table_holds_are_cut_off() {
    let files = Files::empty();
    let most = usphere_device::limits::PROCESSES_MAX;
    for pid in 1..=u32::try_from(most + 3).unwrap() {
        files.process(pid, "x", 1);
    }
    let mut host = Host::new(DeviceConfig::default(), files.paths()).unwrap();
    let snapshot = host.fetch("host.processes").unwrap();
    assert_eq!(snapshot.objects.len(), most);
    assert_eq!(snapshot.objects[most - 1].values[0].1, most.to_string());
}

/// The machine that runs the tests, while processes come and go on it.
#[test]
fn this_very_host_is_read_while_processes_come_and_go() {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let restless = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            let _ = Command::new("/bin/true").status();
        }
    });
    let mut scene = Scene::new(HostPaths::default());
    for _ in 0..50 {
        let lines = scene.get("Device.").unwrap();
        let own = format!(".PID={}", std::process::id());
        assert!(
            lines.iter().any(|line| line.ends_with(&own)),
            "this test is not among the processes"
        );
    }
    stop.store(true, Ordering::Relaxed);
    restless.join().unwrap();
    for object in usphere_device::objects() {
        let path = all_of(object);
        assert!(scene.get(&path).is_ok(), "{path}");
    }
    assert!(scene.troubles.is_empty(), "{:?}", scene.troubles);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever the files of a host hold, what the host answers is taken by the model.
    #[test]
    fn no_content_makes_a_value_that_its_parameter_cannot_hold(
        spoilt in proptest::collection::vec((0..ROUTER.len() + 2, content()), 1..12),
    ) {
        let files = Files::router();
        files.process(17, "sh", 1);
        for (which, bytes) in spoilt {
            let path = ROUTER.get(which).map_or("proc/17/stat", |(path, _)| path);
            files.write(path, bytes);
        }
        let mut scene = Scene::new(files.paths());
        let answered: Vec<bool> = units().iter().map(|unit| scene.host.fetch(unit).is_ok()).collect();
        for object in usphere_device::objects() {
            let path = all_of(object);
            let got = scene.get(&path);
            prop_assert!(got.is_ok() || answered.contains(&false), "{path}: {got:?}");
        }
        prop_assert!(scene.troubles.is_empty(), "{:?}", scene.troubles);
    }
}

/// Bytes at random, numbers too large, texts too long, and lines of the right form with wrong numbers.
fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        "[0-9]{1,40}\n".prop_map(String::into_bytes),
        "\\PC{0,400}".prop_map(String::into_bytes),
        "MemTotal: [0-9]{1,25} kB\nMemFree: -?[0-9]{1,25} kB\n".prop_map(String::into_bytes),
        "cpu( -?[0-9]{1,21}){0,12}\n".prop_map(String::into_bytes),
        "17 \\(\\PC{0,300}\\) [A-Z]( -?[0-9]{1,20}){49}\n".prop_map(String::into_bytes),
        "(VERSION_ID|PRETTY_NAME|NAME)=\"?\\PC{0,100}\"?\n".prop_map(String::into_bytes),
        "[0-9a-f]{2}(:[0-9a-f]{2}){5}\n".prop_map(String::into_bytes),
        "(nameserver ([0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-f:]{2,39})\\PC{0,20}\n|# usphere nameserver (alias|name|enable)=\\PC{0,80}\n){0,4}"
            .prop_map(String::into_bytes),
        "(ADDRESS|NETMASK|ROUTER|DNS|LIFETIME|SERVER_ADDRESS)=[0-9. ]{1,30}\n".prop_map(String::into_bytes),
        "x\n([0-9]{1,3}(\\.[0-9]{1,3}){3} 0x1 0x2 [0-9a-f]{2}(:[0-9a-f]{2}){5} \\* \\PC{1,9}\n){0,3}"
            .prop_map(String::into_bytes),
        "[0-9]{1,9} [0-9a-f]{2}(:[0-9a-f]{2}){5} [0-9]{1,3}(\\.[0-9]{1,3}){3} \\PC{1,90} x\n"
            .prop_map(String::into_bytes),
        "lease6? \\{ interface \"\\PC{0,90}\"; (option (routers|subnet-mask|dhcp6.client-id) [0-9a-f.:]{1,400};)? \\}"
            .prop_map(String::into_bytes),
        "\\[Time\\]\nNTP=[^\n]{0,300}\n".prop_map(String::into_bytes),
        "[A-Z<>]{1,6}[+-]?[0-9]{1,3}([A-Z]{3,4}(,M[0-9]{1,2}\\.[0-9]\\.[0-9]){2})?"
            .prop_map(String::into_bytes),
    ]
}

/// The path of all there is of an object.
fn all_of(object: &Object) -> String {
    object.path.replace("{i}", "*")
}

/// Instance, PID and command of each process.
fn commands(scene: &mut Scene) -> Vec<String> {
    let lines = scene
        .get("Device.DeviceInfo.ProcessStatus.Process.")
        .unwrap();
    let of_process = |line: &String| {
        line.strip_prefix("Device.DeviceInfo.ProcessStatus.Process.")
            .map(str::to_owned)
    };
    let mut shown: Vec<String> = lines.iter().filter_map(of_process).collect();
    shown.retain(|line| line.contains(".PID=") || line.contains(".Command="));
    shown
}

fn page_kibibytes() -> usize {
    rustix::param::page_size() / 1024
}

fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}
