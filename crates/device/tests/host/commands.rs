//! Asynchronous commands, begun as the runtime begins them.

use std::collections::BTreeMap;

use usphere_datamodel::FaultKind;
use usphere_datamodel::declare::Command;
use usphere_datamodel::model::Outputs;
use usphere_device::{DeviceConfig, Host, HostPaths};
use usphere_runtime::{Cancelled, Owner};

use crate::scene::Files;

fn arguments(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    let given = given.iter();
    given
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn run(host: &mut Host, command: &str, given: &[(&str, &str)]) -> Outputs {
    let work = host.begin(command, &arguments(given), Cancelled::default());
    work.unwrap()().unwrap()
}

/// Every asynchronous command, with its path.
fn declared() -> Vec<(String, Command)> {
    let objects = usphere_device::objects().into_iter();
    let commands = objects.flat_map(|object| {
        let commands = object.commands.iter();
        commands.map(|command| (format!("{}{}", object.path, command.name), *command))
    });
    commands.collect()
}

/// Enough for any of them to be begun.
const ANY: [(&str, &str); 6] = [
    ("ProtocolVersion", "IPv4"),
    ("Host", "127.0.0.1"),
    ("HostName", "localhost"),
    ("NumberOfRepetitions", "1"),
    ("Timeout", "100"),
    ("DataBlockSize", "8"),
];

#[test]
fn every_declared_command_is_begun_and_gives_what_is_declared() {
    let files = Files::router();
    files.write("etc/resolv.conf", "nameserver 127.0.0.1\n");
    let mut host = Host::new(DeviceConfig::default(), files.paths()).unwrap();
    let commands = declared();
    assert_eq!(commands.len(), 4);
    for (path, command) in commands {
        assert!(command.asynchronous, "{path}");
        let outputs = run(&mut host, &path, &ANY);
        assert!(!outputs["Status"].is_empty(), "{path}");
        for name in outputs.keys() {
            let words: Vec<&str> = name
                .split('.')
                .map(|word| word.parse::<u32>().map_or(word, |_| "{i}"))
                .collect();
            let name = words.join(".");
            assert!(command.output.contains(&&*name), "{path}: {name}");
        }
    }
}

#[test]
fn a_command_that_cannot_be_begun_says_why() {
    let mut host = Host::new(DeviceConfig::default(), HostPaths::default()).unwrap();
    let mut begin = |command: &str, name: &'static str, value: &'static str| {
        let mut all = arguments(&ANY);
        all.extend(arguments(&[(name, value)]));
        let begun = host.begin(command, &all, Cancelled::default());
        begun.err().map(|error| (error.kind, error.text))
    };
    let (kind, text) = begin("Device.IP.Diagnostics.IPPing()", "Timeout", "0").unwrap();
    assert_eq!(kind, FaultKind::ValueInvalid);
    assert!(text.contains("Timeout"), "{text}");
    let (kind, text) = begin(
        "Device.IP.Diagnostics.TraceRoute()",
        "Interface",
        "Device.IP.Interface.77",
    )
    .unwrap();
    assert_eq!(kind, FaultKind::ValueInvalid);
    assert!(text.contains("Interface"), "{text}");
    assert!(begin("Device.Reboot()", "Timeout", "1").is_some());
}

/// Proves: R-OPR.3
#[test]
fn a_command_that_is_cancelled_before_it_runs_ends_at_once() {
    let mut host = Host::new(DeviceConfig::default(), HostPaths::default()).unwrap();
    let cancelled = Cancelled::default();
    let mut all = arguments(&ANY);
    all.extend(arguments(&[("NumberOfRepetitions", "1000")]));
    let work = host
        .begin("Device.IP.Diagnostics.IPPing()", &all, cancelled.clone())
        .unwrap();
    cancelled.set();
    assert!(work().is_err(), "what is there until then is no result");
}

#[test]
fn the_self_test_tells_what_is_wrong() {
    let files = Files::router();
    let config = DeviceConfig {
        first_use_file: Some(files.folder().join("first-use")),
        ..DeviceConfig::default()
    };
    let mut host = Host::new(config, files.paths()).unwrap();
    let mut test = || run(&mut host, "Device.SelfTestDiagnostics()", &[]);
    let outputs = test();
    assert_eq!(outputs["Status"], "Complete");
    assert!(outputs["Results"].starts_with("passed: "), "{outputs:?}");
    assert!(!files.folder().join("first-use").exists());
    files.remove("proc/meminfo");
    let outputs = test();
    assert_eq!(outputs["Status"], "Complete");
    assert!(
        outputs["Results"].contains("meminfo does not tell"),
        "{outputs:?}"
    );
    files.write("proc/meminfo", "MemTotal: 4096 kB\nMemAvailable: 7 kB\n");
    assert!(test()["Results"].contains("memory: 7 KiB"));
}
