//! The API over TLS, as a user has it: one certificate, every verb, live streams, and what is said where something is
//! wrong.

mod common;

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use usphere_mtp::tls::{Authority, Holder, Term};

use crate::common::verbs::{Facts, Way, every_verb};
use crate::common::{Program, Signal, eventually, free_port, ran, usphere};

const AGENT: &str = "self::test-agent";
const SERVER: &str = "self::server.example";
const CODE: &str = "Device.DeviceInfo.ProvisioningCode";

const FACTS: Facts = Facts {
    endpoint_id: AGENT,
    writable: CODE,
    table: "Device.LocalAgent.ControllerTrust.Role.",
    row: ["Name=guest", "Enable=true"],
    version: "1.4",
    listed: "Device.LocalAgent.Controller.",
};

fn word(path: &Path) -> String {
    path.display().to_string()
}

/// A CA in `folder`, and a certificate of the API that it issued for 127.0.0.1.
fn certificates(folder: &Path) {
    ran(usphere().args(["certs", "ca", "--dir"]).arg(folder)).ended(0);
    issue(folder);
}

fn issue(folder: &Path) {
    let words = ["certs", "issue", SERVER, "--dns", "127.0.0.1", "--dir"];
    ran(usphere().args(words).arg(folder)).ended(0);
}

/// The options by which the API speaks TLS with what is in `folder`.
fn tls(folder: &Path) -> Vec<String> {
    let file = |name: &str| word(&folder.join(name));
    vec![
        "--api-tls-cert".to_owned(),
        file("self__server.example.pem"),
        "--api-tls-key".to_owned(),
        file("self__server.example.key"),
    ]
}

/// A server with its data in `folder`, and the port of its API.
fn server(folder: &Path, options: &[String]) -> (Program, u16) {
    let port = free_port();
    let mut command = usphere();
    command.args(["server", "--ws", "127.0.0.1:0", "--endpoint-id", SERVER]);
    command.args(["--api", &format!("127.0.0.1:{port}"), "--data"]);
    command.arg(folder.join("server")).args(options);
    let mut program = Program::start(&mut command, folder.join("server.log"));
    program.wait_for("an Agent comes with");
    (program, port)
}

fn way(folder: &Path, url: &str, extra: &[&str]) -> Way {
    let data = word(&folder.join("server"));
    let words = [&["--server", url, "--data", &data], extra].concat();
    Way {
        device: None,
        options: words.into_iter().map(str::to_owned).collect(),
    }
}

/// Verbs, streams, and a certificate that is renewed while a stream is open.
#[test]
fn every_verb_and_every_stream_works_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    certificates(&certs);
    let (server, port) = server(folder.path(), &tls(&certs));
    let log = server.log();
    let door = log.split(&format!("{SERVER}=")).nth(1).unwrap();
    let door = door.split_whitespace().next().unwrap();
    let mut agent = usphere();
    agent.args(["agent", "--endpoint-id", AGENT, "--data"]);
    agent.arg(folder.path().join("agent"));
    agent.args(["--controller", &format!("{SERVER}={door}")]);
    let _agent = Program::start(&mut agent, folder.path().join("agent.log"));

    let url = format!("https://127.0.0.1:{port}");
    let ca = word(&certs.join("ca.pem"));
    let mut device = way(folder.path(), &url, &["--tls-ca", &ca]);
    let whole = way(folder.path(), &url, &["--tls-ca", &ca]);
    device.device = Some(AGENT.to_owned());
    eventually("the Agent is on board", || {
        (device.ask("protocol", &[]).code == 0).then_some(())
    });
    every_verb(&device, &FACTS);
    whole.ask("devices", &["list"]).ended(0).says(AGENT);
    whole.ask("doctor", &[]).ended(0).says(SERVER);

    let start = |verb: &str, words: &[&str], says: &str| {
        let log = folder.path().join(format!("{verb}.txt"));
        let mut program = Program::start(&mut device.command(verb, words), log);
        program.wait_for(says);
        program
    };
    let mut watch = start("watch", &[CODE, "--json"], "watching");
    let mut follower = start("log", &["--follow"], "listening in");
    // Another certificate, of another CA: who is connected stays so.
    fs::remove_dir_all(&certs).unwrap();
    certificates(&certs);
    server.signal(Signal::HUP);
    eventually("it is taken up", || {
        let log = server.log();
        log.contains("configuration reloaded").then_some(())
    });
    device.ask("set", &[&format!("{CODE}=renewed")]).ended(0);
    watch.wait_for("renewed");
    follower.wait_for("<- SetResp");
    assert!(!watch.log().contains("gone"), "{}", watch.log());

    // A key that is wrong leaves all as it was.
    fs::write(certs.join("self__server.example.key"), "nonsense").unwrap();
    server.signal(Signal::HUP);
    eventually("it is refused", || {
        server.log().contains("not reloaded").then_some(())
    });
    whole.ask("devices", &["list"]).ended(0);
}

/// Each says what is wrong and what to do.
#[test]
fn what_is_wrong_with_a_certificate_or_an_address_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    certificates(&certs);
    let other = folder.path().join("other");
    certificates(&other);
    let (_server, port) = server(folder.path(), &tls(&certs));
    let (url, ca) = (
        format!("https://127.0.0.1:{port}"),
        word(&certs.join("ca.pem")),
    );
    let list = |url: &str, extra: &[&str]| way(folder.path(), url, extra).ask("devices", &["list"]);

    list(&url, &["--tls-ca", &word(&other.join("ca.pem"))])
        .ended(4)
        .says("no CA that is trusted here vouches for its certificate")
        .says("USPHERE_CA");
    list(&url, &[]).ended(4).says("no CA that is trusted here");
    list(&format!("https://localhost:{port}"), &["--tls-ca", &ca])
        .ended(4)
        .says("its certificate is not for localhost, but for")
        .says("--dns");
    list(&format!("http://127.0.0.1:{port}"), &[])
        .ended(2)
        .says("only TLS is spoken here, use https://");
    list(&url, &["--tls-ca", "/nonexistent/ca.pem"])
        .ended(4)
        .says("/nonexistent/ca.pem");
    list(&url, &["--tls-ca", &word(&certs.join("ca.key"))])
        .ended(4)
        .says("ca.key");

    // The environment, and what `usphere certs` has put in its place, do as well.
    let ask = |name: &str, value: &Path| {
        let mut command = way(folder.path(), &url, &[]).command("devices", &["list"]);
        ran(command.env(name, value))
    };
    ask("USPHERE_CA", &certs.join("ca.pem")).ended(0);
    if !rustix::process::geteuid().is_root() {
        let kept = folder.path().join("usphere");
        fs::rename(&other, folder.path().join("gone")).unwrap();
        fs::create_dir(&kept).unwrap();
        fs::rename(&certs, kept.join("certs")).unwrap();
        ask("XDG_STATE_HOME", folder.path()).ended(0);
    }
}

#[test]
fn a_certificate_that_has_expired_and_a_plain_server_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    certificates(&certs);
    let file = |name: &str| certs.join(name);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(since.as_secs()).unwrap();
    let authority = Authority::from_files(&file("ca.pem"), &file("ca.key")).unwrap();
    let holder = Holder {
        endpoints: vec![SERVER.parse().unwrap()],
        addresses: vec![[127, 0, 0, 1].into()],
        ..Holder::default()
    };
    let term = Term {
        not_before: now - 7200,
        not_after: now - 3600,
    };
    let expired = authority.issue(&holder, term).unwrap();
    let (pem, key) = (
        file("self__server.example.pem"),
        file("self__server.example.key"),
    );
    expired.write(&pem, &key).unwrap();
    let ca = word(&file("ca.pem"));
    let list = |port: u16| {
        let url = format!("https://127.0.0.1:{port}");
        way(folder.path(), &url, &["--tls-ca", &ca]).ask("devices", &["list"])
    };
    let (running, port) = server(folder.path(), &tls(&certs));
    list(port).ended(4).says("its certificate has expired");
    drop(running);
    let (_plain, port) = server(folder.path(), &[]);
    list(port)
        .ended(2)
        .says("TLS is not spoken there")
        .says(&format!("use http://127.0.0.1:{port}"));
    list(free_port()).ended(3).says("cannot be reached");
}

/// What a start would refuse, a check refuses, and a check that says yes shows what flags have made of it.
#[test]
fn a_check_refuses_what_a_start_would() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    certificates(&certs);
    let data = word(&folder.path().join("server"));
    let run = |check: &[&str], words: &[String]| {
        let mut command = usphere();
        command.args(["server", "--data", &data]).args(check);
        ran(command.args(words))
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let mut absent: Vec<String> = tls(&certs);
    absent[3] = "/nonexistent/api.key".to_owned();
    let pem = word(&certs.join("ca.pem"));
    let half: Vec<String> = words(&["--tls-cert", &pem, "--tls-key", &pem, "--tls-ca", &pem]);
    for (options, code, says) in [
        (words(&["--api", "0.0.0.0:0"]), 2, "`api_tls_cert`"),
        (words(&["--ws", "0.0.0.0:0"]), 2, "`tls_cert`"),
        (absent, 4, "/nonexistent/api.key"),
        (half, 4, "chmod 600"),
    ] {
        run(&["--check"], &options).ended(code).says(says);
        run(&[], &options).ended(code).says(says);
    }
    assert!(!folder.path().join("server").exists(), "nothing was made");
    let options = [
        tls(&certs),
        words(&["--api", "0.0.0.0:8443", "--endpoint-id", SERVER]),
    ];
    run(&["--check"], &options.concat())
        .ended(0)
        .says("api = \"0.0.0.0:8443\"")
        .says("/certs/self__server.example.key\"")
        .says("endpoint_id = \"self::server.example\"");
}
