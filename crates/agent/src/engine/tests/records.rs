//! Records and Messages that are wrong: which are answered, and that none does harm.

use bytes::Bytes;
use usphere_proto::msg::{Body, Header, MsgBody, Response, ResponseType, SetResp};
use usphere_proto::record::{MqttConnect, NoSessionContext, PayloadSecurity, SessionContext};
use usphere_proto::{Limits, Msg, Record, RecordType, Refusal};
use usphere_trust::Channel;

use super::{AGENT, get, ignored};
use crate::scene::{LiveAgent, Scene, id, request_record};
use crate::{HangupReason, Input, LinkId};

fn scene() -> (LiveAgent, LinkId) {
    let mut live = Scene::new()
        .controller("operator")
        .controller("other")
        .agent();
    let link = live.connect("operator");
    (live, link)
}

fn asking() -> Record {
    request_record("operator", "1", get(&["Device.LocalAgent.EndpointID"]))
}

fn carrying(payload: impl Into<Bytes>) -> Record {
    let record_type = RecordType::NoSessionContext(NoSessionContext {
        payload: payload.into(),
    });
    Record {
        record_type: Some(record_type),
        ..asking()
    }
}

/// The code of the one Error that `record` is answered with.
fn error_code(record: Record) -> u32 {
    let (mut live, link) = scene();
    live.send(link, record);
    let messages = live.take_messages(link);
    let [message] = &messages[..] else {
        panic!("not one answer: {messages:?}")
    };
    assert_eq!(message.msg_id(), "1");
    let code = message
        .as_error()
        .unwrap_or_else(|| panic!("no Error: {message:?}"))
        .err_code;
    is_unharmed(&mut live);
    code
}

/// Nothing is said to `record`, and the link goes on.
fn is_ignored(record: Record) {
    let (mut live, link) = scene();
    live.send(link, record.clone());
    assert_eq!(live.take(link), [], "{record:?}");
    assert_eq!(ignored(&live, link).len(), 1, "{record:?}");
    is_unharmed(&mut live);
}

fn is_unharmed(live: &mut LiveAgent) {
    assert_eq!(live.hangups, []);
    assert_eq!(
        live.value("operator", "Device.LocalAgent.EndpointID"),
        "self::agent"
    );
}

/// Proves: R-E2E.1, TP-469 2.2
#[test]
fn a_record_for_somebody_else_is_ignored() {
    for to in ["self::other", "", "self::Agent", "self::agent "] {
        is_ignored(Record {
            to_id: to.to_owned(),
            ..asking()
        });
    }
}

/// Proves: R-SEC.0a, R-ARC.2, R-MTP.5
#[test]
fn a_record_in_another_name_than_the_peers_is_ignored() {
    for from in [
        "self::other",
        "self::nobody",
        "self::agent",
        "",
        "no endpoint ID",
    ] {
        is_ignored(Record {
            from_id: from.to_owned(),
            ..asking()
        });
    }
}

/// Neither within a session context nor without one is anything said to who has our own Endpoint ID.
///
/// Proves: R-ARC.2, TP-469 2.1
#[test]
fn a_record_from_our_own_endpoint_id_is_ignored() {
    let (agent, payload) = (id("agent"), asking().payload().unwrap().clone());
    let context = SessionContext {
        session_id: 7,
        sequence_id: 1,
        expected_id: 1,
        payload: vec![payload.clone()],
        ..SessionContext::default()
    };
    is_ignored(Record::session(&agent, &agent, context.clone()));
    is_ignored(Record::no_session(&agent, &agent, payload));
    let mut live = Scene::new().controller("operator").agent();
    let link = live.arrive(None, Channel::PlainLoopback);
    live.send(link, Record::session(&agent, &agent, context));
    assert_eq!(live.take(link), []);
}

#[test]
fn a_link_whose_peer_told_nothing_belongs_to_the_first_who_speaks_on_it() {
    let mut live = Scene::new()
        .controller("operator")
        .controller("other")
        .agent();
    let link = live.arrive(None, Channel::PlainLoopback);
    live.send(link, asking());
    assert_eq!(live.take(link).len(), 2);
    live.send(link, request_record("other", "2", get(&[AGENT])));
    assert_eq!(live.take(link), []);
    assert_eq!(
        ignored(&live, link),
        ["it may not speak here: self::operator is there"]
    );
}

#[test]
fn a_broken_first_record_does_not_tell_who_is_there() {
    let mut live = Scene::new().controller("operator").agent();
    let link = live.arrive(None, Channel::PlainLoopback);
    live.send(
        link,
        Record {
            to_id: "self::other".to_owned(),
            ..asking()
        },
    );
    live.send(
        link,
        Record {
            from_id: "?".to_owned(),
            ..asking()
        },
    );
    assert_eq!(live.take(link), []);
    assert_eq!(live.hangups, []);
    live.send(link, asking());
    assert_eq!(live.take(link).len(), 2);
}

/// Until signatures can be verified, what is signed is not processed.
#[test]
fn a_signed_record_is_ignored() {
    is_ignored(Record {
        mac_signature: Bytes::from_static(b"x"),
        ..asking()
    });
}

/// Proves: R-MTP.5, TP-469 3.1
#[test]
fn an_erroneous_record_is_answered_only_where_it_carries_a_request_that_can_be_named() {
    let bad = |record: Record| Record {
        version: "one".to_owned(),
        ..record
    };
    assert_eq!(error_code(bad(asking())), 7104);
    assert_eq!(
        error_code(Record {
            version: String::new(),
            ..asking()
        }),
        7104
    );
    let response = Msg::response("1", SetResp::default());
    is_ignored(bad(carrying(response.into_payload())));
    is_ignored(bad(carrying(
        Msg::error("1", 7000_u32, "", Vec::new()).into_payload(),
    )));
    is_ignored(bad(request_record("operator", "", get(&[AGENT]))));
    is_ignored(bad(carrying(&b"\xff\xff\xff"[..])));
    is_ignored(bad(Record {
        to_id: "self::other".to_owned(),
        ..asking()
    }));
    is_ignored(bad(Record {
        from_id: "self::other".to_owned(),
        ..asking()
    }));
}

/// Proves: R-ENC.2
#[test]
fn an_unknown_value_of_an_enumeration_is_an_erroneous_record() {
    assert_eq!(
        error_code(Record {
            payload_security: 7,
            ..asking()
        }),
        7104
    );
    is_ignored(Record {
        payload_security: 7,
        ..carrying(&b"\xff"[..])
    });
}

/// Proves: R-ENC.3, R-ENC.4
#[test]
fn a_record_without_a_type_is_thrown_away() {
    is_ignored(Record {
        record_type: None,
        ..asking()
    });
}

/// Proves: R-ENC.3, R-ENC.5, R-MSG.7
#[test]
fn a_request_without_content_is_answered_with_7004() {
    let header = Some(Header {
        msg_id: "1".to_owned(),
        msg_type: 1,
    });
    let unset = Some(MsgBody::Request(usphere_proto::msg::Request {
        req_type: None,
    }));
    for body in [
        None,
        Some(Body { msg_body: None }),
        Some(Body { msg_body: unset }),
    ] {
        let msg = Msg {
            header: header.clone(),
            body,
        };
        assert_eq!(
            error_code(carrying(msg.clone().into_payload())),
            7004,
            "{msg:?}"
        );
    }
    let unset = Some(MsgBody::Response(Response { resp_type: None }));
    let msg = Msg {
        header,
        body: Some(Body { msg_body: unset }),
    };
    is_ignored(carrying(msg.into_payload()));
}

/// Proves: R-MSG.6, R-MSG.8
#[test]
fn a_message_without_header_or_message_id_is_ignored() {
    let whole = Msg::request("1", get(&[AGENT]));
    is_ignored(carrying(
        Msg {
            header: None,
            ..whole.clone()
        }
        .into_payload(),
    ));
    let header = Some(Header {
        msg_id: String::new(),
        msg_type: 1,
    });
    is_ignored(carrying(Msg { header, ..whole }.into_payload()));
}

/// A request of a kind that a newer version may add.
///
/// Proves: R-MSG.1
#[test]
fn a_request_of_unknown_kind_is_answered_with_7001() {
    // Header: msg_id "1". Body: request with the unknown member 31.
    let payload = b"\x0a\x03\x0a\x011\x12\x05\x0a\x03\xfa\x01\x00";
    assert_eq!(error_code(carrying(&payload[..])), 7001);
}

/// Proves: R-MSG.1
#[test]
fn what_is_no_message_is_ignored() {
    for payload in [&b"\xff\xff\xff\xff"[..], b"\x0a", b"\x00", &[0x12; 5000]] {
        is_ignored(carrying(payload));
    }
}

/// Proves: R-E2E.26
#[test]
fn an_empty_payload_is_ignored() {
    is_ignored(carrying(Bytes::new()));
}

/// Proves: R-E2E.6a, R-MTP.9
#[test]
fn a_session_context_is_refused_with_7106() {
    let context = |session_id| SessionContext {
        session_id,
        sequence_id: 1,
        expected_id: 1,
        payload: vec![asking().payload().unwrap().clone()],
        ..SessionContext::default()
    };
    for (session_id, security) in [
        (7, PayloadSecurity::Plaintext),
        (7, PayloadSecurity::Tls12),
        (0, PayloadSecurity::Plaintext),
    ] {
        let (mut live, link) = scene();
        let record = Record::session(&id("agent"), &id("operator"), context(session_id));
        live.send(
            link,
            Record {
                payload_security: security as i32,
                ..record
            },
        );
        let records = live.take(link);
        let Some(RecordType::Disconnect(goodbye)) = &records[0].record_type else {
            panic!("{records:?}")
        };
        assert_eq!(goodbye.reason_code, 7106);
        assert!(!goodbye.reason.is_empty());
        assert_eq!(records.len(), 2);
        assert!(
            records[1].is_connect(),
            "the exchange goes on without a session context"
        );
        is_unharmed(&mut live);
    }
}

/// Proves: R-E2E.41
#[test]
fn a_payload_in_tls_outside_a_session_context_is_refused() {
    let secured = |record| Record {
        payload_security: PayloadSecurity::Tls12 as i32,
        ..record
    };
    assert_eq!(error_code(secured(asking())), 7102);
    is_ignored(secured(carrying(&b"\x16\x03\x03\x00\x05hello"[..])));
}

#[test]
fn the_connect_record_of_another_mtp_is_ignored() {
    let connect = MqttConnect {
        version: 1,
        subscribed_topic: "a".to_owned(),
    };
    is_ignored(Record {
        record_type: Some(RecordType::MqttConnect(connect)),
        ..asking()
    });
}

#[test]
fn a_connect_record_on_an_open_link_changes_nothing() {
    let (mut live, link) = scene();
    live.send(
        link,
        Record::websocket_connect(&id("agent"), &id("operator")),
    );
    assert_eq!(live.take(link), []);
    is_unharmed(&mut live);
}

/// Any version is answered, and we name ours.
#[test]
fn a_request_of_another_version_is_answered() {
    for version in ["1.0", "1.9", "2.0"] {
        let (mut live, link) = scene();
        live.send(
            link,
            Record {
                version: version.to_owned(),
                ..asking()
            },
        );
        let records = live.take(link);
        assert_eq!(records.len(), 1, "{version}");
        assert_eq!(records[0].version, usphere_proto::VERSION);
    }
}

/// Proves: R-MSG.9
#[test]
fn a_response_to_nothing_is_ignored() {
    let responses: Vec<ResponseType> = vec![
        ResponseType::GetResp(Default::default()),
        ResponseType::NotifyResp(Default::default()),
        ResponseType::RegisterResp(Default::default()),
    ];
    for response in responses {
        is_ignored(carrying(Msg::response("1", response).into_payload()));
    }
    is_ignored(carrying(
        Msg::error("1", 7004_u32, "", Vec::new()).into_payload(),
    ));
}

/// The refusal of bytes that decode as a Record and break a rule of the encoding.
fn refusal(bytes: Bytes) -> Box<Refusal> {
    Record::receive(bytes, &id("agent"), &Limits::DEFAULT).unwrap_err()
}

/// What the transport could not make a Record of is judged as every Record is.
///
/// Proves: R-MTP.5, R-ENC.2
#[test]
fn a_record_that_the_transport_refused_is_answered_where_it_may_be() {
    let bad = Record {
        payload_security: 9,
        ..asking()
    };
    let refused = |record: &Record| refusal(record.to_bytes());
    let (mut live, link) = scene();
    let tell = |live: &mut LiveAgent, refusal| live.tell(Input::Refused { link, refusal });
    tell(&mut live, refused(&bad));
    let answers = live.take_messages(link);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].msg_id(), "1");
    assert_eq!(answers[0].as_error().unwrap().err_code, 7104);
    for silent in [
        Record {
            from_id: "self::other".to_owned(),
            ..bad.clone()
        },
        Record {
            to_id: "self::other".to_owned(),
            ..bad.clone()
        },
        Record {
            record_type: None,
            ..bad.clone()
        },
    ] {
        tell(&mut live, refused(&silent));
        assert_eq!(live.take(link), [], "{silent:?}");
    }
    is_unharmed(&mut live);
    let goodbye = Record::disconnect(&id("agent"), &id("operator"), 0_u32, "");
    live.send(link, goodbye);
    tell(&mut live, refused(&bad));
    assert_eq!(live.take(link), [], "not before the next Connect Record");
}

/// Also by what was refused a peer tells who it is; the Connect Record still comes first.
///
/// Proves: R-MTP.8
#[test]
fn a_refused_first_record_is_answered_after_our_connect_record() {
    let mut live = Scene::new().controller("operator").agent();
    let link = live.arrive(None, Channel::PlainLoopback);
    let bad = Record {
        payload_security: 9,
        ..asking()
    };
    let refusal = refusal(bad.to_bytes());
    live.tell(Input::Refused { link, refusal });
    let records = live.take(link);
    assert_eq!(records.len(), 2);
    assert!(records[0].is_connect());
}

/// A peer that sends nonsense without end fills no log.
#[test]
fn the_log_is_bounded() {
    let (mut live, link) = scene();
    for _ in 0..10_000 {
        live.send(link, carrying(&b"\xff"[..]));
        live.send(
            link,
            Record {
                version: "x".to_owned(),
                ..asking()
            },
        );
    }
    assert!(live.notices.len() < 200, "{}", live.notices.len());
    let _ = live.take(link);
    is_unharmed(&mut live);
}

#[test]
fn nothing_is_heard_on_a_link_that_was_never_opened() {
    let (mut live, _) = scene();
    live.send(LinkId(77), asking());
    assert_eq!(live.take(LinkId(77)), []);
    live.cut(LinkId(78));
    assert!(!live.hangups.contains(&(LinkId(77), HangupReason::Stranger)));
    is_unharmed(&mut live);
}
