//! An Agent whose Controller talks nonsense.

use std::time::{Duration, Instant};

use usphere_mtp::websocket::CloseReason;
use usphere_proto::msg::{
    Add, Body, CreateObject, GetSupportedDm, Header, MsgBody, Request, RequestType, Set,
    UpdateObject, UpdateParamSetting,
};
use usphere_proto::{Msg, Record};

use super::{AGENT, BAD, Besieged, GOOD, is_served};
use crate::support::bytes::{BINARY, Raw, TEXT};
use crate::support::{Peer, get, got, id};

const OWN_ID: &str = "Device.LocalAgent.EndpointID";

/// What a Record is answered with.
#[derive(Clone, Copy, Debug)]
enum Told {
    Error(u32),
    Nothing,
}

/// Each is answered as it has to be or passed over, on one and the same link.
#[tokio::test]
async fn records_and_messages_that_are_wrong_are_told_or_ignored() {
    use Told::{Error, Nothing};
    let folder = tempfile::tempdir().unwrap();
    let agent = Besieged::agent(folder.path());
    let mut bad = agent.controller(BAD).await;
    let mut good = agent.controller(GOOD).await;
    let whole = Msg::request("1", get(&[OWN_ID]));
    let right = bad.carrying(whole.clone().into_payload());
    let msg = |header: Option<Header>, body: Option<Body>| {
        bad.carrying(Msg { header, body }.into_payload())
    };
    let request = |req_type| Body {
        msg_body: Some(MsgBody::Request(Request { req_type })),
    };
    let other = |change: fn(&mut Record)| {
        let mut record = right.clone();
        change(&mut record);
        record
    };
    // Header: msg_id "1". Body: request with a member that is not known.
    let unknown = b"\x0a\x03\x0a\x011\x12\x05\x0a\x03\xfa\x01\x00";
    // Header: msg_id "1". Body: request: Get of a path that is not UTF-8.
    let no_text = b"\x0a\x03\x0a\x011\x12\x08\x0a\x06\x0a\x04\x0a\x02\xc3\x28";
    let cases: Vec<(&str, Record, Told)> = vec![
        (
            "to_id of another",
            other(|record| record.to_id = "self::other".into()),
            Nothing,
        ),
        ("no to_id", other(|record| record.to_id.clear()), Nothing),
        (
            "from_id of another",
            other(|record| record.from_id = GOOD.into()),
            Nothing,
        ),
        (
            "from_id of nobody",
            other(|record| record.from_id = "\u{1}".repeat(99)),
            Nothing,
        ),
        (
            "from_id of the Agent",
            other(|record| record.from_id = AGENT.into()),
            Nothing,
        ),
        (
            "no version",
            other(|record| record.version.clear()),
            Error(7104),
        ),
        (
            "absurd version",
            other(|record| record.version = "9".repeat(1 << 20)),
            Error(7104),
        ),
        (
            "no type",
            other(|record| record.record_type = None),
            Nothing,
        ),
        (
            "absurd security",
            other(|record| record.payload_security = -1),
            Error(7104),
        ),
        (
            "empty payload",
            other(|record| {
                let content = usphere_proto::record::NoSessionContext::default();
                record.record_type = Some(usphere_proto::RecordType::NoSessionContext(content));
            }),
            Nothing,
        ),
        (
            "a payload of zeros",
            bad.carrying(vec![0; 1 << 20]),
            Nothing,
        ),
        ("a payload of nonsense", bad.carrying([0xff; 999]), Nothing),
        ("nested too deep", bad.carrying(nested(20_000)), Nothing),
        (
            "too many elements",
            bad.carrying([10, 0].repeat(1 << 20)),
            Nothing,
        ),
        ("not UTF-8", bad.carrying(*no_text), Error(7004)),
        ("unknown request", bad.carrying(*unknown), Error(7001)),
        (
            "header without body",
            msg(whole.header.clone(), None),
            Error(7004),
        ),
        (
            "empty body",
            msg(whole.header.clone(), Some(Body::default())),
            Error(7004),
        ),
        (
            "empty request",
            msg(whole.header.clone(), Some(request(None))),
            Error(7004),
        ),
        (
            "body without header",
            msg(None, whole.body.clone()),
            Nothing,
        ),
        (
            "a message ID of a megabyte",
            {
                let header = Header {
                    msg_id: "1".repeat(1 << 20),
                    msg_type: 1,
                };
                msg(Some(header), Some(Body::default()))
            },
            Error(7004),
        ),
    ];
    for (what, record, told) in cases {
        bad.send_record(&record);
        let marker = bad.request(get(&[OWN_ID]));
        let first = bad
            .next()
            .await
            .unwrap_or_else(|end| panic!("{what}: {end}"));
        let code = first.as_error().map(|error| error.err_code);
        match told {
            Error(expected) => {
                assert_eq!(code, Some(expected), "{what}: {first:?}");
                bad.answer(&marker).await;
            }
            Nothing => assert_eq!(
                (code, first.msg_id()),
                (None, &*marker),
                "{what}: {first:?}"
            ),
        }
        is_served(&mut good, what).await;
    }
    agent.is_sound("wrong Records");
    let log = agent.program.log();
    assert!(log.len() < 64 << 10, "the log has {} bytes", log.len());
}

/// Messages in messages, each of which is the first field of the one around it.
fn nested(depth: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..depth {
        let mut around = Vec::from([0x0a]);
        let mut length = bytes.len();
        while length >= 0x80 {
            around.push(length as u8 | 0x80);
            length >>= 7;
        }
        around.push(length as u8);
        around.append(&mut bytes);
        bytes = around;
        if bytes.len() > 1 << 20 {
            break;
        }
    }
    bytes
}

/// Proves: R-WS.16
#[tokio::test]
async fn what_is_no_record_ends_its_own_link() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Besieged::agent(folder.path());
    let mut good = agent.controller(GOOD).await;
    let right = good
        .carrying(Msg::request("1", get(&[OWN_ID])).into_payload())
        .to_bytes();
    let frames: [(&str, u8, Vec<u8>); 6] = [
        (
            "a text frame",
            TEXT,
            b"{\"to_id\": \"self::besieged\"}".to_vec(),
        ),
        ("a Record as text", TEXT, right.to_vec()),
        ("half a Record", BINARY, right[..right.len() / 2].to_vec()),
        ("nonsense", BINARY, vec![0xff; 1000]),
        (
            "a to_id that is not UTF-8",
            BINARY,
            b"\x12\x02\xc3\x28".to_vec(),
        ),
        ("groups in groups", BINARY, vec![0x7b; 1 << 20]),
    ];
    for (what, opcode, payload) in frames {
        let mut raw = Raw::open(agent.port, BAD);
        raw.send(opcode, &payload);
        assert_eq!(raw.closed_with(), Some(1003), "{what}");
        is_served(&mut good, what).await;
    }
    agent.is_sound("no Records");
}

#[tokio::test]
async fn messages_of_ten_megabytes_are_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Besieged::agent(folder.path());
    let mut good = agent.controller(GOOD).await;
    let many: Vec<_> = (0..4)
        .map(|_| {
            let port = agent.port;
            std::thread::spawn(move || {
                let mut raw = Raw::open(port, BAD);
                // The Agent may close before it has read all of it.
                raw.send(BINARY, &vec![0; 10 << 20]);
            })
        })
        .collect();
    is_served(&mut good, "four times 10 MB").await;
    many.into_iter().for_each(|each| each.join().unwrap());

    for length in [10 << 20, 1 << 40, u64::MAX >> 1] {
        let mut raw = Raw::open(agent.port, BAD);
        raw.announce(BINARY, length);
        assert_eq!(raw.closed_with(), Some(1009), "{length}");
    }
    let mut raw = Raw::open(agent.port, BAD);
    raw.announce(BINARY, u64::MAX);
    raw.closed_with();
    is_served(&mut good, "announced only").await;
    agent.is_sound("10 MB");
}

/// Whatever is asked is answered, and soon; the other Controller is not kept waiting.
#[tokio::test]
async fn requests_of_absurd_size_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Besieged::agent(folder.path());
    let mut bad = agent.controller(BAD).await;
    let mut good = agent.controller(GOOD).await;
    let set = |value: String| Set {
        allow_partial: true,
        update_objs: vec![UpdateObject {
            obj_path: "Device.DeviceInfo.".to_owned(),
            param_settings: vec![UpdateParamSetting {
                param: "ProvisioningCode".to_owned(),
                value,
                required: true,
            }],
        }],
    };
    let path = |path: String| RequestType::Get(get(&[&path]));
    let roles = "Device.LocalAgent.ControllerTrust.Role.";
    let add = CreateObject {
        obj_path: format!("{roles}1.Permission."),
        param_settings: Vec::new(),
    };
    let requests: Vec<(&str, RequestType)> = vec![
        (
            "a path of a megabyte",
            path(format!("Device.{}", "A".repeat(1 << 20))),
        ),
        ("a million dots", path(".".repeat(1 << 20))),
        (
            "a path of wildcards",
            path(format!("Device.{}", "*.".repeat(1 << 19))),
        ),
        ("a path of 7 MB", path("Device.".repeat(1 << 20))),
        (
            "an open bracket",
            path(format!("{roles}{}", "[".repeat(1 << 20))),
        ),
        (
            "a search of a megabyte",
            path(format!("{roles}[Name==\"{}\"].", "x".repeat(1 << 20))),
        ),
        ("ten thousand comparisons", {
            let all = vec!["Name==\"x\""; 10_000].join("&&");
            path(format!("{roles}[{all}]."))
        }),
        (
            "following for ever",
            path(format!("{roles}1.{}", "Name+.".repeat(1000))),
        ),
        ("ten thousand paths", {
            let paths = vec!["Device.DeviceInfo.Nonsense"; 10_000];
            get(&paths).into()
        }),
        (
            "all of it a thousand times",
            get(&vec!["Device."; 1_000]).into(),
        ),
        (
            "a hundred thousand paths of the model",
            GetSupportedDm {
                obj_paths: vec!["Device.".to_owned(); 100_000],
                first_level_only: false,
                return_commands: true,
                return_events: true,
                return_params: true,
                return_unique_key_sets: true,
            }
            .into(),
        ),
        ("a value of 7 MB", set("x".repeat(7 << 20)).into()),
        (
            "twenty thousand rows at once",
            Add {
                allow_partial: false,
                create_objs: vec![add; 20_000],
            }
            .into(),
        ),
    ];
    for (what, request) in requests {
        let began = Instant::now();
        let msg_id = bad.request(request);
        let other = async {
            // By now the request is on its way.
            tokio::time::sleep(Duration::from_millis(10)).await;
            let began = Instant::now();
            is_served(&mut good, what).await;
            began.elapsed()
        };
        let (answer, waited) = tokio::join!(bad.answer(&msg_id), other);
        println!(
            "{what}: answered after {:.1?}, the other after {waited:.1?}",
            began.elapsed()
        );
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        let refused = answer.as_error().is_some()
            || got(&answer)
                .is_some_and(|got| got.req_path_results.iter().any(|path| path.err_code != 0))
            || matches!(answer.kind(), Some(usphere_proto::msg::MsgType::SetResp));
        assert!(
            refused,
            "{what}: {:?}, {:?}",
            answer.kind(),
            got(&answer).map(|got| got.req_path_results.len())
        );
        agent.is_sound(what);
    }
}

/// A flood that is read, and one whose answers are not.
#[tokio::test]
async fn a_controller_that_floods_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Besieged::agent(folder.path());
    let mut good = agent.controller(GOOD).await;
    let port = agent.port;
    let request = |path: &str, msg_id: u32| {
        let msg = Msg::request(msg_id.to_string(), get(&[path]));
        Record::no_session(&id(AGENT), &id(BAD), msg.into_payload()).to_bytes()
    };
    for (what, path, reads) in [
        ("a flood of small requests", OWN_ID, true),
        ("a flood of requests for all", "Device.", true),
        ("a flood that reads nothing", "Device.", false),
    ] {
        let frames: Vec<_> = (0..1000).map(|number| request(path, number)).collect();
        let flood = std::thread::spawn(move || {
            let mut raw = Raw::open(port, BAD);
            raw.stream
                .set_write_timeout(Some(Duration::from_millis(200)))
                .unwrap();
            let reading = raw.stream.try_clone().unwrap();
            let reader = reads.then(|| {
                std::thread::spawn(move || std::io::copy(&mut &reading, &mut std::io::sink()))
            });
            let until = Instant::now() + Duration::from_millis(1500);
            let mut sent = 0;
            for frame in frames.iter().cycle() {
                if Instant::now() > until || !raw.send(BINARY, frame) {
                    break;
                }
                sent += 1;
            }
            let _ = raw.stream.shutdown(std::net::Shutdown::Both);
            drop(reader.map(std::thread::JoinHandle::join));
            sent
        });
        while !flood.is_finished() {
            is_served(&mut good, what).await;
        }
        let sent: u32 = flood.join().unwrap();
        println!("{what}: {sent} requests");
        assert!(sent > 50, "{what}: {sent}");
        agent.is_sound(what);
    }
}

/// Proves: R-WS.4
#[tokio::test]
async fn of_two_controllers_with_one_endpoint_id_the_newer_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Besieged::agent(folder.path());
    let mut good = agent.controller(GOOD).await;
    let mut older = agent.controller(BAD).await;
    assert_eq!(older.value(OWN_ID).await, AGENT);
    // Asked on the one, answered on the other or not at all; never a broken link.
    older.request(get(&["Device."]));
    let mut newer: Peer = agent.controller(BAD).await;
    let end = older.end().await;
    assert!(
        matches!(
            end,
            CloseReason::ByPeer {
                code: Some(1001),
                ..
            }
        ),
        "{end}"
    );
    assert_eq!(newer.value(OWN_ID).await, AGENT);
    agent.program.wait_for(&format!("{BAD} connected anew"));
    is_served(&mut good, "two with one ID").await;
    agent.is_sound("two with one ID");
}
