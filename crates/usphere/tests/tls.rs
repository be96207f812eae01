//! Mutual TLS in two commands, and every way of asking over it, as a user does it.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{Program, Ran, Signal, eventually, free_port, ran, usphere};

const SERVER: &str = "self::server.example";
const AGENT: &str = "os::00256D-0123456789";
const CLI: &str = "self::usphere-cli";

/// A folder with a CA and certificates of these Endpoints.
struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    fn new(folder: PathBuf, endpoints: &[&str]) -> Self {
        ran(usphere().args(["certs", "ca", "--dir"]).arg(&folder)).ended(0);
        let made = Self { folder };
        if !endpoints.is_empty() {
            made.issue(endpoints).ended(0);
        }
        made
    }

    fn issue(&self, arguments: &[&str]) -> Ran {
        ran(usphere()
            .args(["certs", "issue"])
            .args(arguments)
            .arg("--dir")
            .arg(&self.folder))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn options(&self, id: &str) -> Vec<String> {
        let name = id.replace(':', "_");
        let file = |name: &str| self.file(name).display().to_string();
        vec![
            "--tls-cert".into(),
            file(&format!("{name}.pem")),
            "--tls-key".into(),
            file(&format!("{name}.key")),
            "--tls-ca".into(),
            file("ca.pem"),
        ]
    }
}

/// Two Endpoints whose names look alike in a file system: the second does not get the files of the first.
#[test]
fn nobody_gets_the_files_of_another_endpoint() {
    let data = tempfile::tempdir().unwrap();
    let certificates = Certificates::new(data.path().join("certs"), &["proto:a:b_c"]);
    let file = certificates.file("proto_a_b_c.key");
    let key = fs::read(&file).unwrap();
    let refused = certificates.issue(&["proto:a_b:c"]);
    refused.ended(2).says("proto:a:b_c");
    assert_eq!(fs::read(&file).unwrap(), key);
    certificates
        .issue(&["proto:x:y_z", "proto:x_y:z"])
        .ended(2)
        .says("proto:x:y_z");
    assert!(!certificates.file("proto_x_y_z.key").exists());
    // Its own it does.
    certificates.issue(&["proto:a:b_c"]).ended(0);
    assert_ne!(fs::read(&file).unwrap(), key);
}

fn server(data: &Path, options: &[String]) -> Program {
    let mut command = usphere();
    command.args(["server", "--api", "127.0.0.1:0", "--ws", "127.0.0.1:0"]);
    command
        .args(["--endpoint-id", SERVER, "--data"])
        .arg(data.join("server"));
    let mut server = Program::start(command.args(options), data.join("server.log"));
    server.wait_for("an Agent comes with");
    server
}

fn agent(data: &Path, options: &[String]) -> Program {
    let mut command = usphere();
    command.args(["agent", "--endpoint-id", AGENT, "--data"]);
    command.arg(data.join("agent")).args(options);
    Program::start(&mut command, data.join("agent.log"))
}

/// The word after `before` in a log.
fn word_after(log: &str, before: &str) -> String {
    let rest = log.split(before).nth(1).expect("it was logged");
    let word = rest.split_whitespace().next().unwrap_or_default();
    word.trim_end_matches('\u{1b}').to_owned()
}

/// Where Agents and verbs reach a server, from its log.
fn addresses(server: &Program) -> (String, String) {
    let log = server.log();
    let url = word_after(&log, &format!("{SERVER}="));
    (word_after(&log, "api="), url)
}

fn asked(api: &str, data: &Path, verb: &str, arguments: &[&str]) -> Ran {
    let mut command = usphere();
    command.args([verb]).args(arguments);
    command.args(["--server", &format!("http://{api}"), "--data"]);
    ran(command.arg(data.join("server")))
}

/// Proves: R-WS.22, R-SEC.9, TP-469 7.9
#[test]
fn an_agent_and_a_server_meet_over_tls_with_what_two_commands_made() {
    let data = tempfile::tempdir().unwrap();
    let certificates = Certificates::new(data.path().join("certs"), &[SERVER, AGENT]);
    let server = server(data.path(), &certificates.options(SERVER));
    let (api, url) = addresses(&server);
    assert!(url.starts_with("wss://127.0.0.1:"), "{url}");
    let mut options = certificates.options(AGENT);
    options.extend(["--controller".to_owned(), format!("{SERVER}={url}")]);
    let agent = agent(data.path(), &options);
    eventually("the Agent answers", || {
        let got = asked(
            &api,
            data.path(),
            "get",
            &[AGENT, "Device.LocalAgent.EndpointID"],
        );
        (got.code == 0).then(|| got.says(AGENT))
    });
    // Nobody has to approve who has a certificate.
    let device = asked(&api, data.path(), "devices", &["show", AGENT, "--json"]).json();
    assert_eq!(device["state"], "approved");

    // Another certificate for both while the link stands: nobody notices.
    let before = fs::read(certificates.file("self__server.example.pem")).unwrap();
    certificates.issue(&[SERVER, AGENT]).ended(0);
    assert_ne!(
        before,
        fs::read(certificates.file("self__server.example.pem")).unwrap()
    );
    for (program, text) in [
        (&server, "configuration reloaded"),
        (&agent, "certificate reloaded"),
    ] {
        program.signal(Signal::HUP);
        eventually(text, || program.log().contains(text).then_some(()));
    }
    asked(
        &api,
        data.path(),
        "get",
        &[AGENT, "Device.LocalAgent.EndpointID"],
    )
    .ended(0);
    assert_eq!(
        server.log().matches("Agent online").count(),
        1,
        "{}",
        server.log()
    );
}

/// What an Agent says in a Record is worth nothing where its certificate names another one.
///
/// Proves: R-SEC.10a
#[test]
fn a_server_listens_to_nobody_whose_certificate_is_not_its_own() {
    let data = tempfile::tempdir().unwrap();
    let certificates =
        Certificates::new(data.path().join("certs"), &[SERVER, "self::other", AGENT]);
    let other = Certificates::new(data.path().join("other"), &[AGENT]);
    let server = server(data.path(), &certificates.options(SERVER));
    let (api, url) = addresses(&server);
    let controller = ["--controller".to_owned(), format!("{SERVER}={url}")];

    let mut options = certificates.options("self::other");
    options.extend(controller.clone());
    let liar = agent(data.path(), &options);
    eventually("it is refused", || {
        let words = format!("does not authenticate {AGENT}");
        server.log().contains(&words).then_some(())
    });
    drop(liar);

    let mut options = other.options(AGENT);
    // It trusts the server; the server does not trust it.
    let last = options.len() - 1;
    options[last] = certificates.file("ca.pem").display().to_string();
    options.extend(controller);
    let mut stranger = agent(data.path(), &options);
    stranger.wait_for("it does not trust the CA of our certificate");
    eventually("it is refused", || {
        server
            .log()
            .contains("nobody who is trusted vouches for")
            .then_some(())
    });
    asked(&api, data.path(), "get", &[AGENT, "Device.LocalAgent."]).ended(3);
}

/// Whom an Agent trusts is changed over USP, and the next handshake goes by it.
///
/// Proves: R-MTP.4
#[test]
fn an_agent_lets_nobody_in_by_a_ca_that_was_taken_from_it() {
    let data = tempfile::tempdir().unwrap();
    let certificates = Certificates::new(data.path().join("certs"), &[CLI, AGENT]);
    let url = format!("wss://127.0.0.1:{}/usp", free_port());
    let mut options = certificates.options(AGENT);
    options.extend(["--listen".to_owned(), url.clone()]);
    options.extend(["--controller".to_owned(), CLI.to_owned()]);
    // Somebody else keeps a way to give rights: without TLS, so without the CA. It need not be there.
    let other = format!("self::other=ws://127.0.0.1:{}/usp", free_port());
    options.extend(["--controller".to_owned(), other]);
    let mut agent = agent(data.path(), &options);
    agent.wait_for("listening");
    let ask = |verb: &str, what: &str| {
        let mut command = usphere();
        command.args([verb, what, "--agent", &url]);
        ran(command.args(certificates.options(CLI)))
    };
    ask("get", "Device.LocalAgent.Certificate.1.")
        .ended(0)
        .says("usphere CA");
    ask(
        "set",
        "Device.LocalAgent.ControllerTrust.Credential.1.Enable=false",
    )
    .ended(0);
    ask("get", "Device.LocalAgent.")
        .ended(3)
        .says("it does not trust the CA of our certificate");
}

/// Proves: R-WS.22
#[test]
fn a_verb_asks_an_agent_that_listens_or_dials_in_over_tls() {
    let data = tempfile::tempdir().unwrap();
    let certificates = Certificates::new(data.path().join("certs"), &[CLI, AGENT]);
    let (listening, waiting) = (free_port(), free_port());
    let mut options = certificates.options(AGENT);
    let (here, there) = (
        format!("wss://127.0.0.1:{listening}/usp"),
        format!("wss://127.0.0.1:{waiting}/usp"),
    );
    options.extend(["--listen".to_owned(), here.clone()]);
    options.extend(["--controller".to_owned(), format!("{CLI}={there}")]);
    let mut agent = agent(data.path(), &options);
    agent.wait_for("listening");
    for reach in [["--agent", &here], ["--listen", &there]] {
        let mut command = usphere();
        command.args(["get", "Device.LocalAgent.EndpointID", "--timeout", "60s"]);
        command.args(reach).args(certificates.options(CLI));
        ran(&mut command).ended(0).says(AGENT);
    }

    // Where `certs` put them, they need not be named.
    let state = data.path().join("state");
    fs::create_dir_all(state.join("usphere")).unwrap();
    fs::rename(certificates.file(""), state.join("usphere/certs")).unwrap();
    let is_root =
        fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
    if !is_root {
        let mut command = usphere();
        command.env("XDG_STATE_HOME", &state);
        command.args(["get", "Device.LocalAgent.EndpointID", "--agent", &here]);
        ran(&mut command).ended(0).says(AGENT);
    }
}

#[test]
fn what_is_wrong_with_tls_is_told_with_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let certificates = Certificates::new(data.path().join("certs"), &[CLI, AGENT]);
    let other = Certificates::new(data.path().join("other"), &[CLI]);
    let port = free_port();
    let url = format!("wss://127.0.0.1:{port}/usp");
    let mut options = certificates.options(AGENT);
    options.extend(["--listen".to_owned(), url.clone()]);
    options.extend(["--controller".to_owned(), CLI.to_owned()]);
    let mut agent = agent(data.path(), &options);
    agent.wait_for("listening");
    let get = |options: &[String]| {
        let mut command = usphere();
        command
            .env("XDG_STATE_HOME", data.path())
            .env("HOME", data.path());
        command.args(["get", "Device.LocalAgent.", "--agent", &url]);
        ran(command.args(options))
    };
    get(&other.options(CLI))
        .ended(3)
        .says("nobody who is trusted vouches for")
        .says("--tls-ca");
    let mut half = other.options(CLI);
    half[5] = certificates.file("ca.pem").display().to_string();
    get(&half)
        .ended(3)
        .says("it does not trust the CA of our certificate");
    get(&half[..4])
        .ended(2)
        .says("go together")
        .says("usphere certs");
    half[3] = certificates
        .file("self__usphere-cli.key")
        .display()
        .to_string();
    get(&half).ended(4).says("not the key of the certificate");
    let plain = url.replace("wss", "ws");
    let mut command = usphere();
    ran(command.args(["get", "Device.LocalAgent.", "--agent", &plain]))
        .ended(3)
        .says("use wss://");
}

#[test]
fn certificates_are_shown_with_what_usp_makes_of_them() {
    let data = tempfile::tempdir().unwrap();
    let certificates = Certificates::new(data.path().join("certs"), &[AGENT]);
    certificates
        .issue(&[
            "fqdn::acs.example.org",
            "--dns",
            "acs.lab",
            "--dns",
            "10.0.0.1",
        ])
        .ended(0)
        .says("--tls-cert");
    certificates.issue(&["os::00256D-*"]).ended(0);
    certificates.issue(&["self::*"]).ended(2).says("wildcard");
    certificates.issue(&["nonsense"]).ended(2);
    certificates.issue(&["self::a", "--days", "0"]).ended(2);

    let show = |name: &str, more: &[&str]| {
        let mut command = usphere();
        command.args(["certs", "show"]).arg(certificates.file(name));
        ran(command.args(more))
    };
    show("os__00256D-0123456789.pem", &[])
        .ended(0)
        .says(AGENT)
        .says("USP takes it");
    show("ca.pem", &[])
        .ended(0)
        .says("usphere CA")
        .says("as a CA");
    show("fqdn__acs.example.org.pem", &[])
        .ended(0)
        .says("acs.example.org")
        .says("acs.lab")
        .says("10.0.0.1");
    show("os__00256D-_.pem", &[]).ended(0).says("os::00256D-*");
    show("ca.key", &[]).ended(4).says("no certificate");
    let shown = show("os__00256D-0123456789.pem", &["--json"])
        .ended(0)
        .json();
    assert_eq!(shown["certificates"][0]["endpoint_ids"][0], AGENT);
    assert_eq!(shown["verdict"], "good");

    let other = Certificates::new(data.path().join("other"), &[]);
    let ca = other.file("ca.pem").display().to_string();
    show("os__00256D-0123456789.pem", &["--tls-ca", &ca])
        .ended(1)
        .says("nobody who is trusted vouches for");
    ran(usphere().args(["certs", "ca", "--dir"]).arg(&other.folder))
        .ended(2)
        .says("there is a CA already");
    ran(usphere()
        .args(["certs", "issue", "self::a", "--dir"])
        .arg(data.path()))
    .ended(4)
    .says("certs ca");
}

/// A plain door off loopback is there only because somebody wants it, and every start says so; one for TLS
/// needs no such word.
#[test]
fn an_agent_says_at_every_start_that_its_plain_doors_are_open() {
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("agent.toml");
    fs::write(&config, "insecure = true\n").unwrap();
    let url = |scheme: &str| format!("{scheme}://0.0.0.0:{}/usp", free_port());
    for _ in 0..2 {
        let options = [
            "--listen",
            &url("ws"),
            "--config",
            &config.display().to_string(),
        ];
        let mut agent = agent(data.path(), &options.map(str::to_owned));
        agent.wait_for("insecure = true");
        agent.wait_for("listening");
    }
    let other = data.path().join("other");
    fs::create_dir(&other).unwrap();
    let mut agent = agent(&other, &["--listen".to_owned(), url("wss")]);
    agent.wait_for("listening");
    assert!(!agent.log().contains("insecure"), "{}", agent.log());
}
