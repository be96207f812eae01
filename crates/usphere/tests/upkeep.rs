//! Keeping a server, as its operator does: configuration, backup, restore, migration.

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use crate::common::{Program, Signal, eventually, free_port, ran, usphere};

/// A running server on free ports.
fn server(folder: &Path, data: &Path, extra: &[&str]) -> Program {
    let mut command = usphere();
    command
        .args([
            "server",
            "--api",
            "127.0.0.1:0",
            "--ws",
            "127.0.0.1:0",
            "--data",
        ])
        .arg(data)
        .args(extra);
    let mut program = Program::start(&mut command, folder.join("server.log"));
    program.wait_for("server started");
    program
}

#[test]
fn a_configuration_is_checked_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    let check = |text: &str| {
        fs::write(&file, text).unwrap();
        ran(usphere().args(["server", "--check", "--config"]).arg(&file))
    };
    check("ws_path = \"/agents\"\n")
        .ended(0)
        .says("ws_path = \"/agents\"")
        .says("connections_max = 20000");
    check("\nws_pat = \"/agents\"\n")
        .ended(2)
        .says("server.toml: line 2, column 1: ws_pat: unknown key, did you mean `ws_path`?");
    check("log = \"loud\"\n").ended(2).says("not a log filter");
    check("connections_max = \"many\"\n")
        .ended(2)
        .says("line 1");
}

#[test]
fn a_backup_of_a_running_server_is_restored_where_none_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("backup.tar"));
    let running = server(folder.path(), &data, &["--endpoint-id", "self::kept"]);
    let verb = |verb: &str, extra: &[&str]| {
        let mut command = usphere();
        command.arg(verb).args(extra).arg("--data").arg(&data);
        match verb {
            "migrate" => ran(&mut command),
            _ => ran(command.arg(&file)),
        }
    };
    verb("backup", &[]).ended(0).says("a backup of self::kept");
    verb("backup", &[]).ended(2).says("is there already");
    verb("restore", &["--check"]).ended(0).says("whole");
    verb("restore", &["--replace"])
        .ended(4)
        .says("another server uses");
    verb("migrate", &["--to", "1"])
        .ended(4)
        .says("another server uses");
    assert_eq!(running.end(Signal::TERM), 0);
    verb("restore", &[]).ended(2).says("--replace");

    fs::remove_dir_all(&data).unwrap();
    verb("restore", &[]).ended(0).says("restored to");
    let again = server(folder.path(), &data, &[]);
    assert!(again.log().contains("self::kept"), "{}", again.log());
    assert_eq!(again.end(Signal::TERM), 0);

    // An older server could use it now; this one brings it back up by itself.
    let down = verb("migrate", &["--to", "1", "--json"]).ended(0).json();
    assert_eq!(down["to"], 1);
    verb("migrate", &["--to", "99"])
        .ended(4)
        .says("there is no schema version 99");
    let newest = down["from"].clone();
    assert_eq!(server(folder.path(), &data, &[]).end(Signal::TERM), 0);
    assert_eq!(verb("migrate", &["--json"]).ended(0).json()["from"], newest);
}

/// SIGHUP and the API take up what can be; what is wrong changes nothing, and connections stay.
#[test]
fn a_changed_configuration_is_taken_up_without_a_new_start() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (
        folder.path().join("data"),
        folder.path().join("server.toml"),
    );
    fs::write(&file, "log = \"info\"\n").unwrap();
    let mut running = server(folder.path(), &data, &["--config", file.to_str().unwrap()]);
    fs::write(
        &file,
        "log = \"info,usphere_server=debug\"\nconnections_max = 7\n",
    )
    .unwrap();
    running.signal(Signal::HUP);
    running.wait_for("configuration reloaded applied=[\"log\"]");
    running.wait_for("keys=[\"connections_max\"]");
    fs::write(&file, "log = \"loud\"\n").unwrap();
    running.signal(Signal::HUP);
    running.wait_for("not reloaded: the configuration stays as it was: log: \"loud\" is no level");
    fs::write(&file, "lag = 1\n").unwrap();
    running.signal(Signal::HUP);
    running.wait_for("did you mean `log`?");
    assert_eq!(running.end(Signal::TERM), 0);
}

/// What an HTTP request is answered with: the status and the body.
fn asked(port: u16, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let length = body.len();
    write!(
        stream,
        "{head} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n"
    )
    .unwrap();
    write!(
        stream,
        "Authorization: Bearer {}\r\n\r\n{body}",
        "t".repeat(32)
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// A server whose data lies on a small disk of its own, in a mount namespace; none where that is not allowed here.
fn server_on_a_small_disk(folder: &Path, port: u16) -> Option<Program> {
    let disk = folder.join("disk");
    fs::create_dir(&disk).unwrap();
    let alone = |command: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["-r", "-m", "sh", "-c"]);
        let mount = format!(
            "mount -t tmpfs -o size=2m tmpfs {0} && chmod 700 {0}",
            disk.display()
        );
        unshare.arg(format!("{mount} && {command}"));
        unshare
    };
    if !alone("true")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        println!("left out: this system gives no mount namespace of one's own");
        return None;
    }
    let token = format!(
        "mkdir -m 700 {0}/data && umask 077 && echo {1} > {0}/data/token",
        disk.display(),
        "t".repeat(32)
    );
    let run = format!(
        "{token} && exec {} server --api 127.0.0.1:{port} --ws 127.0.0.1:0 --data {}/data",
        env!("CARGO_BIN_EXE_usphere"),
        disk.display()
    );
    let mut program = Program::start(&mut alone(&run), folder.join("server.log"));
    program.wait_for("server started");
    Some(program)
}

/// While the disk is full, what is there is told, what should be kept is refused with that reason, and the server says
/// that it is not ready; when there is room again, all goes on by itself.
#[test]
fn a_full_disk_is_told_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let Some(mut running) = server_on_a_small_disk(folder.path(), port) else {
        return;
    };
    let ready = || asked(port, "GET /readyz", "");
    assert_eq!(ready().0, 200);
    let disk = format!(
        "/proc/{}/root{}/disk/filler",
        running.id(),
        folder.path().display()
    );
    let mut filler = fs::File::create(&disk).unwrap();
    while filler.write_all(&[0; 4096]).is_ok() {}
    running.wait_for("the disk is full");
    eventually("it is not ready", || (ready().0 == 503).then_some(()));
    let (_, body) = ready();
    assert_eq!(body, r#"{"ready":false,"store":"full","stopping":false}"#);
    // It answers, and tells the truth.
    let (status, body) = asked(port, "GET /api/v1/server", "");
    assert!(
        status == 200 && body.contains(r#""store":"full""#),
        "{status} {body}"
    );
    assert_eq!(asked(port, "GET /api/v1/devices", "").0, 200);

    drop(filler);
    fs::remove_file(&disk).unwrap();
    running.wait_for("what is written is kept again");
    eventually("it is ready", || (ready().0 == 200).then_some(()));
    assert_eq!(
        running.log().matches("nothing can be kept").count(),
        1,
        "{}",
        running.log()
    );
    assert_eq!(running.end(Signal::TERM), 0);
}
