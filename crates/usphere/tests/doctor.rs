//! `usphere doctor` and `usphere log`, as a user runs them.

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use usphere_mtp::tls::{Authority, Holder, Term};

use crate::common::{Program, Ran, Signal, eventually, free_port, ran, usphere};

const SERVER: &str = "self::server.example";
const AGENT: &str = "os::00256D-0123456789";

/// A server, with TLS or without.
struct House {
    data: tempfile::TempDir,
    server: Program,
    api: String,
    url: String,
}

impl House {
    fn open(options: &[String]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut command = usphere();
        command.args(["server", "--api", "127.0.0.1:0", "--ws", "127.0.0.1:0"]);
        command.args(["--endpoint-id", SERVER, "--data"]);
        command.arg(data.path().join("server")).args(options);
        let mut server = Program::start(&mut command, data.path().join("server.log"));
        server.wait_for("an Agent comes with");
        let log = server.log();
        let word = |before: &str| {
            let rest = log.split(before).nth(1).expect("it was logged");
            rest.split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let api = format!("http://{}", word("api="));
        let url = word(&format!("{SERVER}="));
        Self {
            data,
            server,
            api,
            url,
        }
    }

    /// A verb that asks this server.
    fn verb(&self, verb: &str, words: &[&str]) -> Command {
        let mut command = usphere();
        command.arg(verb).args(words);
        command.args(["--server", &self.api, "--data"]);
        command.arg(self.data.path().join("server"));
        command
    }

    fn ask(&self, verb: &str, words: &[&str]) -> Ran {
        ran(&mut self.verb(verb, words))
    }

    /// The Agent of this machine, which dials the server.
    fn agent(&self, url: &str) -> Program {
        let mut command = usphere();
        command.args(["agent", "--endpoint-id", AGENT, "--data"]);
        command.arg(self.data.path().join("agent"));
        command.args(["--controller", &format!("{SERVER}={url}")]);
        Program::start(&mut command, self.data.path().join("agent.log"))
    }
}

/// `usphere doctor URL`.
fn visit(url: &str, options: &[&str]) -> Ran {
    ran(usphere()
        .args(["doctor", url, "--timeout", "5s"])
        .args(options))
}

/// Checks which step of a visit fails, and what is said of it.
#[track_caller]
fn fails(url: &str, options: &[&str], step: &str, detail: &str, advice: &str) {
    let ran = visit(url, options).ended(3);
    let line = ran.out.lines().find(|line| line.starts_with("FAILED"));
    let line = line.unwrap_or_else(|| panic!("{ran:#?}"));
    assert_eq!(line.split_whitespace().nth(1), Some(step), "{ran:#?}");
    assert!(line.contains(detail), "{detail:?}: {ran:#?}");
    assert!(ran.err.contains(advice), "{advice:?}: {ran:#?}");
    let told = visit(url, &[options, &["--json"]].concat()).ended(3).json();
    assert_eq!(told["ok"], false, "{told:#}");
    let steps = told["steps"].as_array().unwrap();
    let (last, before) = steps.split_last().unwrap();
    assert_eq!((&last["step"], &last["ok"]), (&step.into(), &false.into()));
    assert!(before.iter().all(|step| step["ok"] == true), "{told:#}");
}

/// A server that accepts connections and answers each with this, whatever it is sent.
fn answering(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            if answer.is_empty() {
                kept.push(stream);
            } else if stream.read(&mut request).is_ok_and(|count| count > 0) {
                drop(stream.write_all(answer));
            }
        }
    });
    port
}

/// Each step fails in its own way, and the doctor says which, why, and what to do.
#[test]
fn a_visit_names_the_step_that_fails() {
    let house = House::open(&[]);
    let port = house.url.split([':', '/']).nth(4).unwrap().to_owned();
    let at = |rest: &str| format!("ws://127.0.0.1:{port}{rest}");
    fails(
        "ws://no-such-host.invalid:1/usp",
        &[],
        "name",
        "no-such-host.invalid",
        "spelt",
    );
    let nobody = format!("ws://127.0.0.1:{}/usp", free_port());
    fails(
        &nobody,
        &[],
        "connection",
        "refused",
        "nothing listens there",
    );
    fails(&at("/ws"), &[], "websocket", "404", "the path is wrong");
    let api = house.api.replace("http", "ws");
    fails(&format!("{api}/usp"), &[], "websocket", "404", "path");
    let wss = at("/usp").replace("ws:", "wss:");
    fails(&wss, &[], "tls", "does not speak TLS", "use ws://");
    let silent = format!("127.0.0.1:{}/usp", answering(b""));
    let quick = ["--timeout", "1s"];
    let slow = ran(usphere()
        .args(["doctor", &format!("ws://{silent}")])
        .args(quick));
    slow.ended(3)
        .says("no answer in time while opening the WebSocket");
    let other = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let other = format!("ws://127.0.0.1:{other}/usp");
    fails(&other, &[], "websocket", "200", "a web server answers");
    let noise = format!("ws://127.0.0.1:{}/usp", answering(b"SSH-2.0-OpenSSH_9\r\n"));
    fails(&noise, &[], "websocket", "", "is the port right");

    // An address with a port is a door, too.
    visit(&format!("127.0.0.1:{port}"), &[])
        .ended(0)
        .says("speaks v1.usp");
    fails(&api["ws://".len()..], &[], "websocket", "404", "path");

    // Where all is well it says so, and goes on as a device when told.
    visit(&house.url, &[])
        .ended(0)
        .says("speaks v1.usp")
        .says(&format!("{SERVER} waits for a device to speak"));
    visit(&house.url, &["--as", "self::visitor"])
        .ended(0)
        .says(&format!("{SERVER} takes self::visitor for a device"));
    // A visit alone is no contact that failed.
    let told = house.ask("doctor", &["--json"]).ended(0).json();
    let reasons: Vec<_> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["reason"])
        .collect();
    assert!(
        reasons.iter().all(|reason| *reason == "wrong_path"
            || *reason == "tls_at_plain_door"
            || *reason == "untrusted_role"),
        "{told:#}"
    );
}

/// From 2001 to 2286, and to 2002.
const VALID: Term = Term {
    not_before: 1_000_000_000,
    not_after: 10_000_000_000,
};
const EXPIRED: Term = Term {
    not_before: 1_000_000_000,
    not_after: 1_009_843_200,
};

struct Certificates {
    folder: PathBuf,
    authority: Authority,
}

impl Certificates {
    fn make(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        let (certificate, key) = (folder.join("ca.pem"), folder.join("ca.key"));
        let made = Authority::make("Lab CA", VALID).unwrap();
        made.write(&certificate, &key).unwrap();
        Self {
            authority: Authority::from_files(&certificate, &key).unwrap(),
            folder,
        }
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// A certificate of `id`, and the options to show it.
    fn issue(&self, id: &str, host: &str, term: Term) -> Vec<String> {
        let holder = Holder {
            endpoints: vec![id.parse().unwrap()],
            dns_names: vec![host.to_owned()],
            addresses: match host {
                "localhost" => vec![[127, 0, 0, 1].into()],
                _ => Vec::new(),
            },
        };
        let name = format!("{}-{host}", id.replace(':', "_"));
        let (certificate, key) = (
            self.file(&format!("{name}.pem")),
            self.file(&format!("{name}.key")),
        );
        let issued = self.authority.issue(&holder, term).unwrap();
        issued
            .write(Path::new(&certificate), Path::new(&key))
            .unwrap();
        let ca = self.file("ca.pem");
        [
            "--tls-cert",
            &certificate,
            "--tls-key",
            &key,
            "--tls-ca",
            &ca,
        ]
        .map(str::to_owned)
        .into()
    }
}

/// What is wrong with TLS is told with the certificate that is there.
#[test]
fn a_visit_judges_certificates() {
    let data = tempfile::tempdir().unwrap();
    let lab = Certificates::make(data.path().join("lab"));
    let other = Certificates::make(data.path().join("other"));
    let good = House::open(&lab.issue(SERVER, "localhost", VALID));
    let own = lab.issue("self::visitor", "visitor.lab", VALID);
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    visit(&good.url, &own)
        .ended(0)
        .says("signed by \"CN=Lab CA\", valid 2001-09-09 to 2286-11-20")
        .says(&format!("for {SERVER}, localhost, 127.0.0.1"));
    let door = good.url.split('/').nth(2).unwrap();
    visit(door, &own).ended(0).says("speaks v1.usp");

    let [other_ca, lab_ca] = [other.file("ca.pem"), lab.file("ca.pem")];
    fails(
        &good.url,
        &["--tls-ca", &other_ca],
        "tls",
        "signed by \"CN=Lab CA\"",
        "--tls-ca names the CAs",
    );
    fails(
        &good.url,
        &["--tls-ca", &lab_ca],
        "tls",
        "it demands a certificate, and got none",
        "--tls-cert",
    );
    let strange = other.issue("self::visitor", "visitor.lab", VALID);
    let strange: Vec<&str> = strange[..4].iter().map(String::as_str).collect();
    fails(
        &good.url,
        &[&strange[..], &["--tls-ca", &lab_ca]].concat(),
        "tls",
        "it does not trust the CA of our certificate",
        "its tls_ca has to name it",
    );
    let plain = good.url.replace("wss", "ws");
    fails(&plain, &[], "websocket", "400", "use wss://");

    let elsewhere = House::open(&lab.issue(SERVER, "elsewhere.lab", VALID));
    fails(
        &elsewhere.url,
        &own,
        "tls",
        "devices do not take the certificate for 127.0.0.1",
        "--dns 127.0.0.1",
    );
    let expired = House::open(&lab.issue(SERVER, "localhost", EXPIRED));
    fails(
        &expired.url,
        &own,
        "tls",
        "valid 2001-09-09 to 2002-01-01",
        "has expired",
    );
}

/// An Agent that listens is talked to as a Controller does.
#[test]
fn a_visit_talks_to_an_agent() {
    let data = tempfile::tempdir().unwrap();
    let url = format!("ws://127.0.0.1:{}/usp", free_port());
    let mut command = usphere();
    command.args(["agent", "--endpoint-id", AGENT, "--listen", &url]);
    command.args(["--controller", "self::usphere-cli", "--data"]);
    command.arg(data.path().join("agent"));
    let mut agent = Program::start(&mut command, data.path().join("agent.log"));
    agent.wait_for("listening");
    let known = visit(&url, &[]).ended(0);
    assert!(
        known.out.contains(&format!("Agent {AGENT}, USP 1.")),
        "{known:#?}"
    );
}

/// A device that cannot get in is told of with what mends it; one that is in can be listened to.
#[test]
fn a_missing_device_is_found_and_a_present_one_is_listened_to() {
    let house = House::open(&[]);
    let wrong = house.url.replace("/usp", "/cwmp");
    let astray = house.agent(&wrong);
    let told = eventually("it is told", || {
        let told = house.ask("doctor", &[AGENT]).ended(0);
        told.out.contains("wrong path").then_some(told)
    });
    for words in [
        SERVER,
        "the server knows no such device",
        "it asked for /cwmp; Agents connect at /usp",
        "WebSocket.Path",
    ] {
        assert!(told.out.contains(words), "{words}: {told:#?}");
    }
    house
        .ask("doctor", &["127.0.0.1"])
        .ended(0)
        .says("wrong path");
    house
        .ask("doctor", &["os::nobody"])
        .ended(0)
        .says("has not reached the server at all");
    house.ask("doctor", &["--as", "self::x"]).ended(2);
    assert_eq!(astray.end(Signal::TERM), 0);
    fs::remove_dir_all(house.data.path().join("agent")).unwrap();

    let _agent = house.agent(&house.url);
    eventually("it is there", || {
        let told = house.ask("doctor", &[AGENT]).ended(0);
        told.out.contains("is online").then_some(())
    });
    house.ask("log", &[AGENT]).ended(2).says("--follow");
    let log = house.data.path().join("log.txt");
    let mut follower = house.verb("log", &[AGENT, "--follow"]);
    let mut follower = Program::start(&mut follower, log.clone());
    follower.wait_for("listening in");
    let mut counted = house.verb("log", &[AGENT, "--count", "2", "--json"]);
    let counted = Program::start(&mut counted, house.data.path().join("count.txt"));
    thread::sleep(Duration::from_millis(300));
    house
        .ask("get", &[AGENT, "Device.DeviceInfo.Manufacturer"])
        .ended(0);
    follower.wait_for("<- GetResp");
    let text = follower.log();
    assert!(text.contains("-> Get "), "{text}");
    assert!(
        text.contains("\"Device.DeviceInfo.Manufacturer\""),
        "{text}"
    );
    eventually("two Records", || {
        let lines = counted.log();
        let lines: Vec<Value> = lines
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let types = || {
            lines
                .iter()
                .map(|line| line["type"].as_str().unwrap_or_default())
        };
        (types().eq(["sent", "received"])).then_some(())
    });
    assert_eq!(follower.end(Signal::INT), 0);
    assert!(TcpStream::connect(house.api.trim_start_matches("http://")).is_ok());
    assert_eq!(house.server.end(Signal::TERM), 0);
}
