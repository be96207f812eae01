//! What the command line says and with which code it ends, where nobody is there to be asked.

mod common;

use std::fs;
use std::net::TcpListener;
use std::time::Instant;

use usphere_proto::msg::Get;
use usphere_proto::{EndpointId, Msg, Record};

use crate::common::{fed, free_port, plain, ran, usphere};

fn message() -> Vec<u8> {
    let get = Get {
        param_paths: vec!["Device.Time.".into()],
        ..Get::default()
    };
    Msg::request("7", get).into_payload().to_vec()
}

fn record(payload: Vec<u8>) -> Vec<u8> {
    let id = |text| EndpointId::parse(text).unwrap();
    Record::no_session(&id("self::to"), &id("self::from"), payload)
        .to_bytes()
        .to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x} ")).collect()
}

#[test]
fn records_and_messages_are_decoded_from_file_and_stdin() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("record");
    fs::write(&file, record(message())).unwrap();
    ran(usphere().arg("decode").arg(&file))
        .ended(0)
        .says("self::from")
        .says("Device.Time.");
    fed(usphere().args(["decode", "-"]), &message())
        .ended(0)
        .says("Device.Time.");
    let digits = hex(&message());
    let json = fed(
        usphere().args(["decode", "--hex", "--json"]),
        digits.as_bytes(),
    )
    .ended(0)
    .json();
    assert_eq!(json["msg"]["header"]["msg_id"], "7");
    let json = fed(usphere().args(["decode", "--json"]), &record(message()))
        .ended(0)
        .json();
    assert_eq!(
        json["record"]["no_session_context"]["payload"]["header"]["msg_id"],
        "7"
    );
    fed(usphere().args(["decode", "--base64"]), b"CgMKATc=").ended(0);
}

#[test]
fn what_cannot_be_decoded_is_told_with_its_place() {
    let mut broken = message();
    *broken.last_mut().unwrap() = 0xff;
    fed(usphere().arg("decode"), &broken)
        .ended(1)
        .says("Msg.body.request.get.param_paths[0]: not UTF-8");
    fed(usphere().arg("decode"), &record(vec![0xff]))
        .ended(1)
        .says("its payload is no Message")
        .says("self::from");
    fed(usphere().arg("decode"), b"").ended(1).says("empty");
    fed(usphere().arg("decode"), hex(&message()).as_bytes())
        .ended(1)
        .says("--hex");
    fed(usphere().args(["decode", "--hex"]), b"0x0g")
        .ended(1)
        .says("offset");
    ran(usphere().args(["decode", "/no/such/file"]))
        .ended(4)
        .says("/no/such/file");
    ran(usphere().args(["decode", "--hex", "--base64"])).ended(2);
}

#[test]
fn wrong_command_lines_end_with_2_and_say_what_is_missing() {
    for (arguments, expected) in [
        (&["get"][..], "Usage"),
        (&["nonsense"], "nonsense"),
        (&["get", "Device.Time."], "DEVICE is missing"),
        (&["get", "gateway"], "PATH is missing"),
        (
            &["get", "gateway"],
            "usage: usphere get DEVICE PATH...\n         usphere get --all|--tag TAG|--search WORDS|--online PATH...\n         usphere get --agent URL PATH...\n",
        ),
        (&["operate", "gateway"], "WebSocket.Reset()"),
        (&["set", "gateway", "Device.Time.Enable"], "NAME=VALUE"),
        (
            &["set", "gateway", "Device.Time.=1"],
            "full path of a parameter",
        ),
        (
            &["set", "gateway", "Device.A.B=1", "--optional", "Device.A.C"],
            "Device.A.C",
        ),
        (&["add", "gateway"], "OBJECT is missing"),
        (&["operate", "gateway"], "COMMAND is missing"),
        (&["protocol"], "DEVICE is missing"),
        (
            &["protocol", "--agent", "ws://127.0.0.1:1/usp", "os::1"],
            "left out",
        ),
        (&["get", "--agent", "http://127.0.0.1:1/", "Device."], "ws"),
        (&["get", "--agent", "wss://127.0.0.1:1/", "Device."], "wss"),
        (&["get", "--listen", "wss://127.0.0.1:1/", "Device."], "wss"),
        (
            &["get", "--listen", "ws://192.0.2.1:1/", "Device."],
            "loopback",
        ),
        (
            &[
                "get", "--agent", "ws://a/", "--server", "http://b", "Device.",
            ],
            "cannot be used with",
        ),
        (
            &["get", "--as", "self::x", "gateway", "Device."],
            "--as goes with",
        ),
        (
            &[
                "get",
                "--as",
                "x",
                "--agent",
                "ws://127.0.0.1:1/",
                "Device.",
            ],
            "endpoint ID",
        ),
        (&["get", "--timeout", "1h", "gateway", "Device."], "600 s"),
        (
            &["get", "--log", "loud", "gateway", "Device."],
            "log filter",
        ),
        (
            &["devices", "list", "--server", "ftp://127.0.0.1"],
            "https://",
        ),
        (&["devices", "list", "--server", "nonsense"], "http://"),
        (&["server", "--config", "/no/such/file"], "/no/such/file"),
        (&["server", "--api", "0.0.0.0:0"], "loopback"),
        (&["agent", "--config", "/no/such/file"], "/no/such/file"),
        (&["agent", "--controller", "nonsense"], "endpoint ID"),
        (&["agent", "--controller", "self::x=http://a"], "ws"),
        (&["agent", "--listen", "ws://0.0.0.0:0/usp"], ""),
    ] {
        let home = tempfile::tempdir().unwrap();
        let mut command = usphere();
        command.args(arguments).env("USPHERE_DATA", home.path());
        if arguments[0] == "agent" {
            command.arg("--data").arg(home.path());
        }
        ran(&mut command).ended(2).says(expected);
    }
}

#[test]
fn a_misspelt_key_is_told_with_the_likely_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    fs::write(&file, "endpont_id = \"self::x\"\n").unwrap();
    for role in ["server", "agent"] {
        let mut command = usphere();
        command
            .arg(role)
            .arg("--config")
            .arg(&file)
            .arg("--data")
            .arg(folder.path());
        ran(&mut command)
            .ended(2)
            .says(&file.display().to_string())
            .says("endpont_id")
            .says("endpoint_id");
    }
    ran(plain(env!("CARGO_BIN_EXE_usphere-agent"))
        .arg("--config")
        .arg(&file))
    .ended(2)
    .says("endpoint_id");
}

#[test]
fn an_absent_server_is_told_with_how_to_start_it() {
    let url = format!("http://127.0.0.1:{}", free_port());
    for arguments in [
        &["get", "gateway", "Device."][..],
        &["devices", "list"],
        &["devices", "remove", "x"],
    ] {
        ran(usphere().args(arguments).args(["--server", &url]))
            .ended(3)
            .says("usphere server")
            .says(&url);
        ran(usphere().args(arguments).env("USPHERE_API", &url))
            .ended(3)
            .says(&url);
    }
}

#[test]
fn a_missing_token_is_told_with_where_it_was_looked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut command = usphere();
    command
        .args(["devices", "list", "--server", &url, "--data"])
        .arg(folder.path());
    ran(&mut command)
        .ended(4)
        .says(&folder.path().join("token").display().to_string())
        .says("USPHERE_TOKEN");
}

#[test]
fn a_server_that_says_nothing_ends_with_the_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/usp", listener.local_addr().unwrap());
    let started = Instant::now();
    ran(usphere().args(["get", "--agent", &url, "--timeout", "300ms", "Device."]))
        .ended(3)
        .says("--timeout");
    assert!(started.elapsed().as_secs() < 10);
}

#[test]
fn an_absent_agent_is_told() {
    let url = format!("ws://127.0.0.1:{}/usp", free_port());
    ran(usphere().args(["get", "--agent", &url, "Device."]))
        .ended(3)
        .says("is the Agent running");
    ran(usphere().args(["get", "--listen", &url, "--timeout", "200ms", "Device."]))
        .ended(3)
        .says("self::usphere-cli");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/usp", taken.local_addr().unwrap());
    ran(usphere().args(["get", "--listen", &url, "Device."]))
        .ended(4)
        .says("another program");
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let script = "\"$0\" decode --help | true";
    let status = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_usphere")])
        .status();
    assert!(status.unwrap().success());
}
