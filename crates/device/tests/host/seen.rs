//! What is only shown, compared with what the machine's own tools say of it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use usphere_datamodel::FaultKind;
use usphere_device::{DeviceConfig, HostPaths, SecurityConfig};

use crate::scene::{Files, Scene};

/// The values of one parameter by the instance number of the row, below `table`.
fn column(scene: &mut Scene, table: &str, parameter: &str) -> BTreeMap<String, String> {
    let lines = scene.get(&format!("{table}*.")).unwrap();
    let lines = lines.iter().filter_map(|line| {
        let (row, rest) = line.strip_prefix(table)?.split_once('.')?;
        let value = rest.strip_prefix(parameter)?.strip_prefix('=')?;
        Some((row.to_owned(), value.to_owned()))
    });
    lines.collect()
}

fn output(command: &str) -> Option<String> {
    let words: Vec<&str> = command.split(' ').collect();
    let output = Command::new(words[0]).args(&words[1..]).output().ok()?;
    assert!(output.status.success(), "{command}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_window_and_the_algorithms_are_those_of_the_kernel() {
    let mut scene = Scene::new(HostPaths::default());
    let lines = scene.get("Device.DeviceInfo.NetworkProperties.").unwrap();
    let buffers = fs::read_to_string("/proc/sys/net/ipv4/tcp_rmem").unwrap();
    let most = buffers.split_whitespace().last().unwrap();
    let line = |name: &str, value: &str| {
        let line = format!("Device.DeviceInfo.NetworkProperties.{name}={value}");
        assert!(lines.contains(&line), "{line}: {lines:?}");
    };
    line("MaxTCPWindowSize", most);
    let known = fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control").unwrap();
    if known.trim() == "reno bbr cubic" {
        line("TCPImplementation", "New Reno");
    }
}

/// In KiB.
fn in_meminfo(name: &str) -> u64 {
    let report = fs::read_to_string("/proc/meminfo").unwrap();
    let line = report.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// What is free never stands still: it is between what it was before and what it was after.
#[test]
fn memory_is_what_the_kernel_says() {
    let mut scene = Scene::new(HostPaths::default());
    let total = in_meminfo("MemTotal:").min(u64::from(u32::MAX));
    let is_told = (0..500).any(|_| {
        let before = in_meminfo("MemAvailable:");
        let lines = scene.get("Device.DeviceInfo.MemoryStatus.").unwrap();
        let after = in_meminfo("MemAvailable:");
        let told = |name: &str| -> u64 {
            let start = format!("Device.DeviceInfo.MemoryStatus.{name}=");
            let found = lines.iter().find_map(|line| line.strip_prefix(&start));
            found.unwrap().parse().unwrap()
        };
        assert_eq!(told("Total"), total);
        assert!(told("Free") <= total);
        (before.min(after)..=before.max(after)).contains(&told("Free"))
    });
    assert!(is_told, "the free memory is another");
}

#[test]
fn every_user_that_the_host_knows_is_shown() {
    let Some(listed) = output("getent -s files passwd") else {
        eprintln!("left out: there is no getent");
        return;
    };
    let mut expected = BTreeMap::new();
    for line in listed.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        expected
            .entry(fields[2].to_owned())
            .or_insert(fields[0].to_owned());
    }
    let mut scene = Scene::new(HostPaths::default());
    let names = column(&mut scene, "Device.Users.User.", "Username");
    let identifiers = column(&mut scene, "Device.Users.User.", "UserID");
    let shown: BTreeMap<String, String> = identifiers
        .into_iter()
        .map(|(row, identifier)| (identifier, names[&row].clone()))
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn users_are_not_changed_and_no_password_is_shown() {
    let files = Files::router();
    let config = DeviceConfig {
        allow_host_writes: true,
        ..DeviceConfig::default()
    };
    let mut scene = Scene::configured(config, files.paths());
    let lines = scene.get("Device.Users.").unwrap();
    assert!(lines.contains(&"Device.Users.User.1.Username=root".to_owned()));
    assert!(!lines.iter().any(|line| line.contains("$6$")), "{lines:?}");
    for result in [
        scene.set("Device.Users.User.1.Enable", "false"),
        scene.add("Device.Users.User.", &[("Username", "x")]),
        scene.delete("Device.Users.User.1."),
    ] {
        assert_eq!(result.unwrap_err().kind, FaultKind::WriteForbidden);
    }
}

fn with_certificates(files: &Files) -> Scene {
    let config = DeviceConfig {
        security: SecurityConfig {
            certificates: vec![files.folder().join("certificates")],
        },
        ..DeviceConfig::default()
    };
    Scene::configured(config, files.paths())
}

#[test]
fn certificates_are_shown_as_openssl_shows_them() {
    let files = Files::empty();
    fs::create_dir_all(files.folder().join("certificates")).unwrap();
    let at = |name: &str| files.folder().join(name).display().to_string();
    let mut expected = Vec::new();
    for name in ["a", "b"] {
        let (key, certificate) = (at("key"), at(&format!("certificates/{name}.pem")));
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ])
            .args([
                "-nodes",
                "-keyout",
                &key,
                "-out",
                &certificate,
                "-days",
                "7",
            ])
            .args(["-subj", &format!("/CN={name}.example")])
            .args([
                "-addext",
                &format!("subjectAltName=DNS:{name}.example,DNS:www.{name}.example"),
            ])
            .output();
        let Ok(made) = made else {
            eprintln!("left out: there is no openssl");
            return;
        };
        assert!(made.status.success(), "{made:?}");
        let told = output(&format!(
            "openssl x509 -noout -serial -dates -dateopt iso_8601 -in {certificate}"
        ));
        let told = told.unwrap();
        let of = |key: &str| {
            let line = told
                .lines()
                .find_map(|line| line.strip_prefix(key))
                .unwrap();
            line.trim_start_matches('=').replace(' ', "T")
        };
        expected.push((
            of("serial"),
            of("notBefore"),
            of("notAfter"),
            format!("CN={name}.example"),
            format!("{name}.example,www.{name}.example"),
        ));
    }
    // One of them once more, in a bundle with what is none.
    let bundle = format!(
        "# a bundle\n{}-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n",
        files.read("certificates/a.pem")
    );
    files.write("certificates/bundle.crt", bundle);
    files.write("certificates/README", [0xff, 0xfe]);
    let mut scene = with_certificates(&files);
    let table = "Device.Security.Certificate.";
    let mut columns = |name| column(&mut scene, table, name);
    let (serial, before, after) = (
        columns("SerialNumber"),
        columns("NotBefore"),
        columns("NotAfter"),
    );
    let (subject, names) = (columns("Subject"), columns("SubjectAlt"));
    let mut shown: Vec<_> = serial
        .iter()
        .map(|(row, serial)| {
            (
                serial.clone(),
                before[row].clone(),
                after[row].clone(),
                subject[row].clone(),
                names[row].clone(),
            )
        })
        .collect();
    shown.sort();
    expected.sort();
    assert_eq!(shown, expected);

    scene
        .set("Device.Security.Certificate.1.Enable", "true")
        .unwrap();
    let fault = scene
        .set("Device.Security.Certificate.1.Enable", "false")
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::WriteForbidden);
}

#[test]
fn a_bundle_of_authorities_is_shown_whole() {
    const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
    let Ok(bundle) = fs::read_to_string(BUNDLE) else {
        eprintln!("left out: there is no {BUNDLE}");
        return;
    };
    let count = bundle.matches("-----BEGIN CERTIFICATE-----").count();
    let files = Files::empty();
    files.write("certificates", bundle);
    let mut scene = with_certificates(&files);
    let lines = scene.get("Device.Security.").unwrap();
    let expected = format!("Device.Security.CertificateNumberOfEntries={count}");
    assert!(lines.contains(&expected), "{:?}", lines.first());
    assert_eq!(scene.troubles, [""; 0]);
}
