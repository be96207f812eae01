//! Keeping a server, as its operator does: configuration, backup, restore, migration.

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use crate::common::{PATIENCE, Program, Signal, eventually, free_port, plain, ran, usphere};

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

/// What the system allows is said where that is less than what is configured, the server's own files counted.
#[test]
fn a_server_says_how_many_agents_the_system_allows() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = plain("sh");
    command.args(["-c", "ulimit -n 400; exec \"$@\"", "sh"]);
    command.arg(usphere().get_program());
    command.args(["server", "--api", "127.0.0.1:0", "--ws", "127.0.0.1:0"]);
    command.arg("--data").arg(folder.path().join("data"));
    let mut program = Program::start(&mut command, folder.path().join("server.log"));
    program.wait_for("allowed=80 connections=20000");
}

/// Nobody writes to that pipe: whoever opened it would wait for ever.
#[test]
fn what_is_no_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (pipe, long) = (at("pipe"), at("long.toml"));
    assert!(ran(Command::new("mkfifo").arg(&pipe)).code == 0);
    fs::write(&long, vec![b'#'; 2 << 20]).unwrap();
    let tls = ["--tls-cert", &pipe, "--tls-key", &pipe, "--tls-ca", &pipe];
    fs::set_permissions(&pipe, fs::Permissions::from_mode(0o600)).unwrap();
    for (words, code, says) in [
        (&["server", "--check", "--config", &pipe][..], 2, "pipe: "),
        (&["server", "--config", &pipe], 2, "no regular file"),
        (&["server", "--check", "--config", &long], 2, "more than"),
        (&["agent", "--config", &pipe], 2, "no regular file"),
        (&["agent", "--config", "/dev/zero"], 2, "no regular file"),
        (&["agent", "--config", &long], 2, "more than 1048576 bytes"),
        (
            &[&["server", "--check"], &tls[..]].concat(),
            4,
            "no regular file",
        ),
    ] {
        ran(usphere().args(words)).ended(code).says(says);
    }
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
    assert!(
        body.contains(r#""ready":false"#) && body.contains(r#""store":"full""#),
        "{body}"
    );
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

/// What systemd would hear, where it had started a server.
#[test]
fn whoever_started_the_server_is_told_how_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let heard = UnixDatagram::bind(&socket).unwrap();
    heard.set_read_timeout(Some(PATIENCE)).unwrap();
    let wait_for = |word: &str| {
        let mut bytes = [0; 4096];
        loop {
            let count = heard
                .recv(&mut bytes)
                .unwrap_or_else(|error| panic!("no {word}: {error}"));
            if String::from_utf8_lossy(&bytes[..count])
                .lines()
                .any(|line| line == word)
            {
                return;
            }
        }
    };
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
        .arg(folder.path().join("data"))
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "200000");
    let running = Program::start(&mut command, folder.path().join("server.log"));
    // A start may take longer than systemd waits for one.
    wait_for("EXTEND_TIMEOUT_USEC=60000000");
    wait_for("READY=1");
    wait_for("WATCHDOG=1");
    wait_for("WATCHDOG=1");
    running.signal(Signal::HUP);
    wait_for("RELOADING=1");
    wait_for("READY=1");
    running.signal(Signal::TERM);
    wait_for("STOPPING=1");
}

#[test]
fn the_units_name_the_program() {
    let unit = ran(usphere().args(["service", "server", "--program", "/opt/usphere"])).ended(0);
    let unit = unit
        .says("ExecStart=/opt/usphere server")
        .says("Type=notify");
    assert!(!unit.out.contains("/usr/bin"), "{}", unit.out);
    ran(usphere().args(["service", "agent"]))
        .ended(0)
        .says(env!("CARGO_BIN_EXE_usphere"));
    ran(usphere().args(["service", "user"]))
        .ended(0)
        .says("u usphere");
    ran(usphere().args(["service", "server", "--program", "usphere"])).ended(2);
}

/// What systemd says of the units itself, where it is there.
#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let folder = tempfile::tempdir().unwrap();
    let verify = |name: &str, unit: &str| {
        let file = folder.path().join(format!("usphere-{name}.service"));
        fs::write(&file, unit).unwrap();
        ran(plain("systemd-analyze").arg("verify").arg(file))
    };
    let is_there = Command::new("systemd-analyze").arg("--version").output();
    if !is_there.is_ok_and(|version| version.status.success()) {
        eprintln!("left out: there is no systemd-analyze here");
        return;
    }
    for name in ["server", "agent"] {
        let unit = ran(usphere().args(["service", name])).ended(0).out;
        let found = verify(name, &unit).ended(0);
        assert_eq!(found.out + &found.err, "", "{name}");
        let wrong = unit.replace("\n[Service]\n", "\n[Service]\nRestrat=always\n");
        verify(name, &wrong).says("Restrat");
    }
}

/// Whatever the level: neither tokens nor the values of devices are in the log, of the server and of the Agent.
#[test]
fn no_secret_is_in_the_log_at_any_level() {
    let folder = tempfile::tempdir().unwrap();
    let (port, secret) = (free_port(), "xyzzy-is-the-password");
    let [data, agent] = ["server", "agent"].map(|name| folder.path().join(name));
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    let token = "t".repeat(32);
    fs::write(data.join("token"), &token).unwrap();
    fs::set_permissions(data.join("token"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = usphere();
    command
        .args(["--log", "trace", "server", "--ws", "127.0.0.1:0", "--api"])
        .arg(format!("127.0.0.1:{port}"))
        .arg("--data")
        .arg(&data);
    let mut server = Program::start(&mut command, folder.path().join("server.log"));
    server.wait_for("an Agent comes with");
    let log = server.log();
    let controller = log.split("--controller ").nth(1).unwrap();
    let controller = controller.split_whitespace().next().unwrap();
    let mut command = usphere();
    command
        .args(["--log", "trace", "agent", "--endpoint-id", "self::quiet"])
        .args(["--controller", controller, "--data"])
        .arg(&agent);
    let device = Program::start(&mut command, folder.path().join("agent.log"));
    server.wait_for("Agent online");

    let post = |verb: &str, body: &str| {
        eventually("the device answers", || {
            let head = format!("POST /api/v1/devices/self::quiet/{verb}");
            let (status, answer) = asked(port, &head, body);
            (status == 200).then_some(answer)
        })
    };
    post(
        "set",
        &format!(
            r#"{{"objects":[{{"path":"Device.DeviceInfo.","parameters":[{{"name":"ProvisioningCode","value":"{secret}"}}]}}]}}"#
        ),
    );
    let answer = post("get", r#"{"paths":["Device.DeviceInfo.ProvisioningCode"]}"#);
    assert!(answer.contains(secret), "{answer}");
    let wrong = "w".repeat(40);
    let refused = ran(usphere()
        .args(["devices", "list", "--token", &wrong, "--server"])
        .arg(format!("http://127.0.0.1:{port}")));
    assert_ne!(refused.code, 0);
    for (program, name) in [(&server, "server"), (&device, "agent")] {
        let log = program.log();
        assert!(log.contains("Agent "), "{name} says little:\n{log}");
        for hidden in [token.as_str(), wrong.as_str(), secret] {
            assert!(
                !log.contains(hidden),
                "{hidden} is in the log of the {name}:\n{log}"
            );
        }
    }
    assert_eq!(device.end(Signal::TERM), 0);
    assert_eq!(server.end(Signal::TERM), 0);
}
