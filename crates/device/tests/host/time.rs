//! Time clients: which there are, and the servers that may be changed.

use usphere_datamodel::FaultKind;
use usphere_datamodel::model::{OwnedChange, Phase};
use usphere_device::{DeviceConfig, Host, TimeConfig};
use usphere_runtime::Owner;

use crate::scene::{Files, Scene};

const TIMESYNCD: &str = "etc/systemd/timesyncd.conf.d/usphere.conf";

fn writable(files: &Files, path: &str) -> DeviceConfig {
    DeviceConfig {
        time: TimeConfig {
            write_to: Some(files.folder().join(path)),
            ..TimeConfig::default()
        },
        ..DeviceConfig::default()
    }
}

#[test]
fn each_client_that_the_host_has_is_a_row() {
    let files = Files::router();
    files.write("etc/chrony/chrony.conf", "pool a.example iburst\n");
    let mut scene = Scene::new(files.paths());
    assert_eq!(
        scene.get("Device.Time.Client.*.").unwrap(),
        [
            "Device.Time.Client.1.Alias=cpe-1",
            "Device.Time.Client.1.Enable=false",
            "Device.Time.Client.1.Status=Disabled",
            "Device.Time.Client.1.Servers=a.example",
            "Device.Time.Client.5.Alias=cpe-5",
            "Device.Time.Client.5.Enable=true",
            "Device.Time.Client.5.Status=Synchronized",
            "Device.Time.Client.5.Servers=0.pool.example,1.pool.example",
        ]
    );
}

#[test]
fn servers_are_written_to_the_file_that_is_configured_and_nowhere_else() {
    let files = Files::router();
    let main = files.read("etc/systemd/timesyncd.conf");
    let mut scene = Scene::new(files.paths());
    let fault = scene
        .set("Device.Time.Client.5.Servers", "x.example")
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::WriteForbidden);
    assert!(fault.text.contains("time.write_to"), "{fault}");

    std::fs::create_dir_all(files.folder().join("etc/systemd/timesyncd.conf.d")).unwrap();
    let mut scene = Scene::configured(writable(&files, TIMESYNCD), files.paths());
    scene
        .set("Device.Time.Client.5.Servers", "x.example,192.0.2.1")
        .unwrap();
    assert_eq!(
        files.read(TIMESYNCD),
        "[Time]\nNTP=\nNTP=x.example 192.0.2.1\n"
    );
    assert_eq!(files.read("etc/systemd/timesyncd.conf"), main);
    let lines = scene.get("Device.Time.Client.5.").unwrap();
    assert!(lines.contains(&"Device.Time.Client.5.Servers=x.example,192.0.2.1".to_owned()));
    for wrong in ["a b", "-x", "x\ny", "%25"] {
        let fault = scene
            .set("Device.Time.Client.5.Servers", wrong)
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::ValueInvalid, "{wrong:?}");
    }
}

#[test]
fn the_client_is_asked_to_take_up_its_file_where_a_command_is_configured() {
    let files = Files::router();
    std::fs::create_dir_all(files.folder().join("etc/systemd/timesyncd.conf.d")).unwrap();
    let mark = files.folder().join("reloaded; true");
    let mut config = writable(&files, TIMESYNCD);
    config.time.reload = vec!["touch".to_owned(), mark.display().to_string()];
    let mut scene = Scene::configured(config, files.paths());
    scene
        .set("Device.Time.Client.5.Servers", "a b")
        .unwrap_err();
    assert!(!mark.exists());
    scene
        .set("Device.Time.Client.5.Servers", "x.example")
        .unwrap();
    let began = std::time::Instant::now();
    while !mark.exists() {
        assert!(began.elapsed().as_secs() < 30);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn servers_that_another_file_names_cannot_be_wished_away() {
    let files = Files::router();
    files.write("etc/chrony/chrony.conf", "pool a.example iburst\n");
    files.write("etc/chrony/sources.d/usphere.sources", "");
    let config = writable(&files, "etc/chrony/sources.d/usphere.sources");
    let mut scene = Scene::configured(config, files.paths());
    let fault = scene
        .set("Device.Time.Client.1.Servers", "x.example")
        .unwrap_err();
    assert!(fault.text.contains("other files of chrony"), "{fault}");
    scene
        .set("Device.Time.Client.1.Servers", "a.example,x.example")
        .unwrap_err();
    files.write("etc/chrony/chrony.conf", "makestep 1 3\n");
    scene
        .set("Device.Time.Client.1.Servers", "a.example,x.example")
        .unwrap();
    assert_eq!(
        files.read("etc/chrony/sources.d/usphere.sources"),
        "server a.example iburst\nserver x.example iburst\n"
    );
}

#[test]
fn what_is_undone_leaves_the_file_as_it_was() {
    let files = Files::router();
    let path = "etc/systemd/timesyncd.conf";
    let before = files.read(path);
    let mut host = Host::new(writable(&files, path), files.paths()).unwrap();
    let change = [OwnedChange::Set {
        path: "Device.Time.Client.5.Servers".to_owned(),
        value: "x.example".to_owned(),
        previous: "0.pool.example,1.pool.example".to_owned(),
    }];
    assert_eq!(host.apply(Phase::Check, &change), [Ok(())]);
    assert_eq!(files.read(path), before);
    assert_eq!(host.apply(Phase::Apply, &change), [Ok(())]);
    assert_eq!(files.read(path), "[Time]\nNTP=x.example\n");
    assert_eq!(host.apply(Phase::Undo, &change), [Ok(())]);
    assert_eq!(files.read(path), before);
}

#[test]
fn a_client_is_not_started_made_or_removed_by_a_controller() {
    let files = Files::router();
    let mut scene = Scene::configured(writable(&files, TIMESYNCD), files.paths());
    scene.set("Device.Time.Client.5.Enable", "true").unwrap();
    assert!(scene.set("Device.Time.Client.5.Enable", "false").is_err());
    assert!(scene.add("Device.Time.Client.", &[]).is_err());
    assert!(scene.delete("Device.Time.Client.5.").is_err());
}

#[test]
fn a_file_that_no_client_reads_is_told_at_the_start() {
    let files = Files::router();
    let error = Host::new(writable(&files, "etc/hosts"), files.paths()).unwrap_err();
    assert_eq!(error.name, "time.write_to");
}
