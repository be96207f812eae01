//! What of the host a Controller may change, and how that ends.

use usphere_datamodel::FaultKind;
use usphere_datamodel::model::{OwnedChange, Phase};
use usphere_device::{DeviceConfig, Host};
use usphere_runtime::Owner;

use crate::scene::{Files, Scene};

fn allowed() -> DeviceConfig {
    DeviceConfig {
        allow_host_writes: true,
        ..DeviceConfig::default()
    }
}

#[test]
fn a_host_that_may_not_be_changed_says_so_and_stays_as_it_is() {
    let files = Files::router();
    let mut scene = Scene::new(files.paths());
    for (path, value) in [
        ("Device.DeviceInfo.HostName", "other"),
        ("Device.Time.LocalTimeZone", "UTC0"),
    ] {
        let fault = scene.set(path, value).unwrap_err();
        assert_eq!(fault.kind, FaultKind::WriteForbidden);
        assert!(fault.text.contains("allow_host_writes"), "{fault}");
    }
    assert_eq!(files.read("proc/sys/kernel/hostname"), "myhgw\n");
    assert_eq!(files.read("etc/TZ"), "CET-1CEST,M3.5.0,M10.5.0/3\n");
}

#[test]
fn the_name_of_the_host_is_set_now_and_for_its_next_start() {
    let files = Files::router();
    let mut scene = Scene::configured(allowed(), files.paths());
    scene
        .set("Device.DeviceInfo.HostName", "gw.home.arpa")
        .unwrap();
    assert_eq!(files.read("proc/sys/kernel/hostname"), "gw.home.arpa");
    assert_eq!(files.read("etc/hostname"), "gw.home.arpa\n");
    let lines = scene.get("Device.DeviceInfo.").unwrap();
    assert!(lines.contains(&"Device.DeviceInfo.HostName=gw.home.arpa".to_owned()));
}

#[test]
fn a_name_that_no_host_can_have_is_refused() {
    let files = Files::router();
    let mut scene = Scene::configured(allowed(), files.paths());
    for name in ["", "a b", "-a", "a\n"] {
        let fault = scene.set("Device.DeviceInfo.HostName", name).unwrap_err();
        assert_eq!(fault.kind, FaultKind::ValueInvalid, "{name:?}");
    }
    assert_eq!(files.read("etc/hostname"), "myhgw\n");
}

#[test]
fn a_name_that_cannot_be_kept_is_not_set_at_all() {
    let files = Files::router();
    files.remove("etc/hostname");
    std::fs::create_dir_all(files.folder().join("etc/hostname/in-the-way")).unwrap();
    let mut scene = Scene::configured(allowed(), files.paths());
    let fault = scene
        .set("Device.DeviceInfo.HostName", "other")
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::OwnerFailed);
    assert_eq!(files.read("proc/sys/kernel/hostname"), "myhgw");
    assert!(!files.folder().join("etc/hostname.new").exists());
}

#[test]
fn checking_changes_nothing_and_undoing_brings_the_old_value_back() {
    let files = Files::router();
    let mut host = Host::new(allowed(), files.paths()).unwrap();
    let change = [OwnedChange::Set {
        path: "Device.DeviceInfo.HostName".to_owned(),
        value: "other".to_owned(),
        previous: "myhgw".to_owned(),
    }];
    assert_eq!(host.apply(Phase::Check, &change), [Ok(())]);
    assert_eq!(files.read("etc/hostname"), "myhgw\n");
    assert_eq!(host.apply(Phase::Apply, &change), [Ok(())]);
    assert_eq!(files.read("etc/hostname"), "other\n");
    assert_eq!(host.apply(Phase::Undo, &change), [Ok(())]);
    assert_eq!(files.read("etc/hostname"), "myhgw\n");
}

#[test]
fn the_time_zone_is_set_where_the_host_keeps_it_as_text() {
    let files = Files::router();
    let mut scene = Scene::configured(allowed(), files.paths());
    scene
        .set("Device.Time.LocalTimeZone", "EST5EDT,M3.2.0,M11.1.0")
        .unwrap();
    assert_eq!(files.read("etc/TZ"), "EST5EDT,M3.2.0,M11.1.0\n");
    let fault = scene
        .set("Device.Time.LocalTimeZone", "Europe/Berlin")
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::ValueInvalid);
    files.remove("etc/TZ");
    let fault = scene.set("Device.Time.LocalTimeZone", "EST5").unwrap_err();
    assert!(fault.text.contains("localtime"), "{fault}");
}

#[test]
fn the_time_client_can_only_be_wished_as_it_is() {
    let files = Files::router();
    let mut scene = Scene::configured(allowed(), files.paths());
    scene.set("Device.Time.Enable", "true").unwrap();
    let fault = scene.set("Device.Time.Enable", "false").unwrap_err();
    assert_eq!(fault.kind, FaultKind::OwnerFailed);
    assert!(
        scene
            .get("Device.Time.")
            .unwrap()
            .contains(&"Device.Time.Enable=true".to_owned())
    );
}

#[test]
fn rows_of_the_host_are_not_made_or_removed() {
    let mut host = Host::new(allowed(), Files::router().paths()).unwrap();
    let path = "Device.DeviceInfo.ProcessStatus.Process.".to_owned();
    let changes = [
        OwnedChange::Add {
            table: path.clone(),
            instance: 1,
        },
        OwnedChange::Delete { path: path + "1." },
    ];
    assert!(
        host.apply(Phase::Check, &changes)
            .iter()
            .all(Result::is_err)
    );
}
