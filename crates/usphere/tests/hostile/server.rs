//! A server whose Agents talk nonsense.

use std::time::{Duration, Instant};

use usphere_proto::msg::{GetResp, MsgType, RequestedPathResult};
use usphere_proto::{Msg, Record};

use super::api::{Api, is_asked};
use super::{BAD, Besieged, GOOD, SERVER};
use crate::common::{Program, eventually, usphere};
use crate::support::bytes::{BINARY, Raw, TEXT};
use crate::support::id;

/// A server with the Agent of this host, which behaves.
struct House {
    server: Besieged,
    api: Api,
    _good: Program,
}

impl House {
    fn new(folder: &std::path::Path) -> Self {
        let server = Besieged::server(folder);
        let mut command = usphere();
        command
            .args(["agent", "--endpoint-id", GOOD, "--data"])
            .arg(folder.join("agent"))
            .args(["--controller", &format!("{SERVER}={}", server.url())]);
        let good = Program::start(&mut command, folder.join("agent.log"));
        let api = Api::new(&server, folder);
        eventually("the good Agent is on board", || {
            api.device(GOOD, "get").ok()
        });
        Self {
            server,
            api,
            _good: good,
        }
    }

    /// The good device is asked and answers; the server is not too large.
    #[track_caller]
    fn is_unharmed(&self, context: &str) {
        is_asked(&self.api, GOOD, context);
        self.server.is_sound(context);
    }

    /// An Agent that a test plays. It has said who it is, and the server knows.
    fn agent(&self, name: &str) -> Raw {
        let mut raw = Raw::open(self.server.port, name);
        let connect = Record::websocket_connect(&id(SERVER), &id(name));
        assert!(raw.send(BINARY, &connect.to_bytes()));
        // The server asks every Agent that comes who it is.
        raw.message();
        eventually("it is in the inventory", || self.api.knows(name));
        raw
    }
}

#[test]
fn agents_that_send_what_is_no_record_are_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(folder.path());
    let frames: [(&str, u8, Vec<u8>); 4] = [
        ("a text frame", TEXT, b"hello".to_vec()),
        ("nonsense", BINARY, vec![0xff; 1000]),
        (
            "a from_id that is not UTF-8",
            BINARY,
            b"\x1a\x02\xc3\x28".to_vec(),
        ),
        ("groups in groups", BINARY, vec![0x7b; 1 << 20]),
    ];
    for (what, opcode, payload) in frames {
        let mut raw = Raw::open(house.server.port, BAD);
        raw.send(opcode, &payload);
        assert_eq!(raw.closed_with(), Some(1003), "{what}");
    }
    let mut raw = Raw::open(house.server.port, BAD);
    raw.announce(BINARY, 10 << 20);
    assert_eq!(raw.closed_with(), Some(1009));
    house.is_unharmed("no Records");
}

#[test]
fn agents_whose_records_are_wrong_disturb_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(folder.path());
    let (us, them) = (id(BAD), id(SERVER));
    let carrying = |payload: Vec<u8>| Record::no_session(&them, &us, payload);
    let saying = |msg: &Msg| carrying(msg.clone().into_payload().into());
    let msg = Msg::response("1", GetResp::default());
    let right = saying(&msg);
    let boast = GetResp {
        req_path_results: vec![RequestedPathResult::default(); 200_000],
    };
    let megabyte = || "x".repeat(1 << 20);
    let records = [
        Record {
            to_id: "self::other".into(),
            ..right.clone()
        },
        Record {
            from_id: GOOD.into(),
            ..right.clone()
        },
        Record {
            version: megabyte(),
            ..right.clone()
        },
        Record {
            record_type: None,
            ..right.clone()
        },
        carrying(vec![0xff; 999]),
        carrying(vec![0; 1 << 20]),
        saying(&Msg {
            body: None,
            ..msg.clone()
        }),
        saying(&Msg {
            header: None,
            ..msg.clone()
        }),
        saying(&Msg::response("never asked", boast)),
        saying(&Msg::error(megabyte(), 7000_u32, megabyte(), vec![])),
        right.clone(),
        Record::disconnect(&them, &us, 7100_u32, megabyte()),
        right.clone(),
        // Whoever says to be the server is cut off.
        Record {
            from_id: SERVER.into(),
            ..right.clone()
        },
    ];
    let mut bad = house.agent(BAD);
    for record in &records {
        assert!(bad.send(BINARY, &record.to_bytes()), "{record:?}");
        is_asked(&house.api, GOOD, "wrong Records");
    }
    assert_eq!(bad.closed_with(), Some(1008));
    house.is_unharmed("wrong Records");

    // Answers that nobody asked for, as fast as they go.
    let flood = house.agent(BAD);
    let stream = flood.stream.try_clone().unwrap();
    let flooding = std::thread::spawn(move || {
        let mut flood = flood;
        let right = right.to_bytes();
        (0_u32..).take_while(|_| flood.send(BINARY, &right)).count()
    });
    let until = Instant::now() + Duration::from_millis(1500);
    while Instant::now() < until {
        is_asked(&house.api, GOOD, "a flood of answers");
    }
    stream.shutdown(std::net::Shutdown::Both).unwrap();
    let sent = flooding.join().unwrap();
    println!("{sent} answers that nobody asked for");
    assert!(sent > 1000, "{sent}");
    house.is_unharmed("a flood of answers");
    let log = house.server.program.log();
    assert!(log.len() < 64 << 10, "the log has {} bytes", log.len());
}

/// Proves: R-WS.4
#[test]
fn of_two_agents_with_one_endpoint_id_the_newer_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::new(folder.path());
    let mut older = house.agent(BAD);
    let mut newer = house.agent(BAD);
    assert_eq!(older.closed_with(), Some(1001));
    // Both are logged, and each by its connection.
    let log = "self::bad connected anew";
    house.server.program.wait_for(log);
    let line = house.server.program.log();
    let line = line.lines().find(|line| line.contains(log)).unwrap();
    assert!(
        line.contains("WARN") && line.contains("its older connection"),
        "{line}"
    );
    // The newer is asked what the API wants to know.
    let api = house.api.clone();
    let asking = std::thread::spawn(move || api.ask_shortly(BAD, "delete"));
    while newer.message().kind() != Some(MsgType::Delete) {}
    assert_eq!(asking.join().unwrap(), 504);
    house.is_unharmed("two with one ID");
}

/// A request on its way to an Agent ends when the Agent connects anew; the next is served.
#[test]
fn an_agent_that_reconnects_in_the_middle_of_a_request_is_served_again() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(folder.path());
    let mut bad = house.agent(BAD);
    let api = house.api.clone();
    let asking = std::thread::spawn(move || api.device(BAD, "delete"));
    while bad.message().kind() != Some(MsgType::Delete) {}
    let mut anew = house.agent(BAD);
    let refusal = asking.join().unwrap().unwrap_err();
    assert!(refusal.contains("\"disconnected\""), "{refusal}");
    let api = house.api.clone();
    let asking = std::thread::spawn(move || api.ask_shortly(BAD, "delete"));
    while anew.message().kind() != Some(MsgType::Delete) {}
    assert_eq!(asking.join().unwrap(), 504);
    house.is_unharmed("reconnected");
}

/// Agents that connect and never read what they are sent.
#[test]
fn agents_that_never_read_keep_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::new(folder.path());
    // The requests themselves wait at the API, each as it came, as text, and encoded.
    house.server.memory_kib_max = 256 << 10;
    let deaf: Vec<Raw> = (0..4)
        .map(|number| house.agent(&format!("self::deaf-{number}")))
        .collect();
    // Some 18 MB for each, of which 8 may wait.
    let large = format!(r#"{{"paths":["Device.{}"]}}"#, "A".repeat(900_000));
    let asking: Vec<_> = (0..80)
        .map(|number| {
            let (api, body) = (house.api.clone(), large.clone());
            std::thread::spawn(move || {
                let path = format!("/api/v1/devices/self::deaf-{}/get?timeout=1", number % 4);
                api.request("POST", &path, &body).0
            })
        })
        .collect();
    house.is_unharmed("nobody reads");
    for asked in asking {
        let status = asked.join().unwrap();
        assert!([429, 502, 503, 504].contains(&status), "{status}");
    }
    house.is_unharmed("nobody read");
    drop(deaf);
}
