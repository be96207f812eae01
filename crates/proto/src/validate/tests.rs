use bytes::Bytes;
use prost::Message;

use super::*;
use crate::code_name;
use crate::msg::{Body, Get, GetResp, Header, Request, RequestType, Response};
use crate::record::{NoSessionContext, StompConnect};

const LIMITS: &Limits = &Limits::DEFAULT;

fn agent() -> EndpointId {
    EndpointId::parse("os::00256D-1").unwrap()
}

fn controller() -> EndpointId {
    EndpointId::parse("self::controller").unwrap()
}

fn get() -> Msg {
    Msg::request(
        "7",
        Get {
            param_paths: vec!["Device.".into()],
            max_depth: 0,
        },
    )
}

fn carrying(msg: &Msg) -> Record {
    Record::no_session(&agent(), &controller(), msg.clone().into_payload())
}

fn refusal(record: &Record) -> Box<Refusal> {
    Record::receive(record.to_bytes(), &agent(), LIMITS).expect_err("a refusal")
}

fn msg_refusal(msg: &Msg) -> Box<Refusal> {
    Msg::receive(msg.clone().into_payload(), LIMITS).expect_err("a refusal")
}

/// The code and message ID of the answer, if there is one.
fn answer(refusal: &Refusal) -> Option<(u32, String)> {
    let msg = refusal.error_msg()?;
    Some((msg.as_error().unwrap().err_code, msg.msg_id().to_owned()))
}

fn answered(code: u32) -> Option<(u32, String)> {
    Some((code, "7".to_owned()))
}

/// Proves: R-MTP.4b
#[test]
fn what_we_make_passes_our_own_checks() {
    let (to, from) = (agent(), controller());
    for record in [
        carrying(&get()),
        Record::websocket_connect(&to, &from),
        Record::uds_connect(&to, &from),
        Record::mqtt_connect(&to, &from, crate::record::MqttVersion::V5, "topic/a"),
        Record::stomp_connect(&to, &from, "/queue/a"),
        Record::disconnect(&to, &from, ErrorCode::SessionContextTerminated, "bye"),
        Record::session(
            &to,
            &from,
            SessionContext {
                session_id: 1,
                sequence_id: 1,
                expected_id: 1,
                ..Default::default()
            },
        ),
    ] {
        assert_eq!(
            Record::receive(record.to_bytes(), &to, LIMITS),
            Ok(record.clone())
        );
        assert_eq!(
            (&*record.version, &*record.to_id, &*record.from_id),
            ("1.4", to.as_str(), from.as_str())
        );
    }
    assert_eq!(Msg::receive(get().into_payload(), LIMITS), Ok(get()));
}

/// Proves: R-MTP.4b
#[test]
fn required_fields_of_a_record_are_required() {
    let session = |numbers: [u64; 3]| {
        let [session_id, sequence_id, expected_id] = numbers;
        RecordType::SessionContext(SessionContext {
            session_id,
            sequence_id,
            expected_id,
            ..Default::default()
        })
    };
    let mqtt = |topic: &str| {
        RecordType::MqttConnect(MqttConnect {
            version: 1,
            subscribed_topic: topic.into(),
        })
    };
    for (record_type, expected) in [
        (
            session([0, 1, 1]),
            "Record.session_context.session_id: required",
        ),
        (
            session([1, 0, 1]),
            "Record.session_context.sequence_id: required",
        ),
        (
            session([1, 1, 0]),
            "Record.session_context.expected_id: required",
        ),
        (mqtt(""), "Record.mqtt_connect.subscribed_topic: required"),
        (
            mqtt("a/#"),
            "Record.mqtt_connect.subscribed_topic: \"a/#\" has wildcards",
        ),
        (
            RecordType::StompConnect(StompConnect::default()),
            "Record.stomp_connect.subscribed_destination: required",
        ),
    ] {
        let record = Record {
            record_type: Some(record_type),
            ..carrying(&get())
        };
        let refusal = refusal(&record);
        assert_eq!(refusal.to_string(), expected);
        assert_eq!(
            refusal.reaction,
            Reaction::Ignore,
            "there is no request to answer"
        );
    }
}

/// Proves: R-MTP.4b, R-MTP.5
#[test]
fn a_version_that_is_none_is_answered() {
    for version in ["", "1", "1.", ".4", "one.four", "1.4.1", "12345.1", "v1.4"] {
        let record = Record {
            version: version.to_owned(),
            ..carrying(&get())
        };
        let refusal = refusal(&record);
        assert_eq!(answer(&refusal), answered(7104), "{version}");
        assert!(refusal.to_string().starts_with("Record.version: "));
    }
    for version in ["1.0", "1.5", "2.0", "1.10"] {
        let record = Record {
            version: version.to_owned(),
            ..carrying(&get())
        };
        assert!(record.check(&agent()).is_ok(), "{version}");
    }
}

/// Proves: R-E2E.1
#[test]
fn a_record_for_somebody_else_is_ignored() {
    for to_id in ["", "os::00256D-2", "OS::00256D-1", "os::00256D-1 "] {
        let record = Record {
            to_id: to_id.to_owned(),
            ..carrying(&get())
        };
        let refusal = refusal(&record);
        assert!(
            matches!(refusal.reason, Reason::Record(RecordError::NotOurs { .. })),
            "{to_id}"
        );
        assert_eq!(refusal.reaction, Reaction::Ignore);
    }
}

/// Proves: R-MTP.5
#[test]
fn a_record_from_nobody_is_ignored() {
    for from_id in ["", "x", "self::", "self::a b", "self::\n"] {
        let record = Record {
            from_id: from_id.to_owned(),
            version: String::new(),
            ..carrying(&get())
        };
        let refusal = refusal(&record);
        assert!(
            matches!(refusal.reason, Reason::Record(RecordError::FromId(_))),
            "{from_id}"
        );
        assert_eq!(
            (&refusal.reaction, &refusal.from),
            (&Reaction::Ignore, &None)
        );
    }
}

/// Two that share an ID do not talk.
///
/// Proves: R-ARC.2
#[test]
fn a_record_from_our_own_id_is_ignored() {
    let record = Record {
        from_id: agent().to_string(),
        ..carrying(&get())
    };
    assert_eq!(refusal(&record).reaction, Reaction::Ignore);
    assert_eq!(
        refusal(&record).to_string(),
        "Record.from_id: os::00256D-1 is our own endpoint ID"
    );
}

/// Proves: R-ENC.4
#[test]
fn a_record_without_exactly_one_type_is_ignored() {
    let none = Record {
        record_type: None,
        ..carrying(&get())
    };
    let refused = refusal(&none);
    assert_eq!(refused.reaction, Reaction::Ignore);
    assert!(!refused.is_unreadable());
    assert_eq!(none.check(&agent()), Err(RecordError::NoType));

    let two = [carrying(&get()).encode_to_vec(), vec![9 << 3 | 2, 0]].concat();
    let refused = Record::receive(&two[..], &agent(), LIMITS).unwrap_err();
    assert_eq!(refused.reaction, Reaction::Ignore);
    assert!(refused.error_record(&agent()).is_none());
}

/// Proves: R-E2E.26
#[test]
fn a_payload_is_required_outside_a_session_context() {
    let empty = RecordType::NoSessionContext(NoSessionContext {
        payload: Bytes::new(),
    });
    let record = Record {
        record_type: Some(empty),
        ..carrying(&get())
    };
    let refusal = refusal(&record);
    assert_eq!(refusal.reason, Reason::Record(RecordError::EmptyPayload));
    assert_eq!(refusal.reaction, Reaction::Ignore);
}

/// Proves: R-ENC.2, R-MTP.5
#[test]
fn an_unknown_value_in_a_record_is_answered_if_it_carries_a_request() {
    let secured = |msg: &Msg| Record {
        payload_security: 2,
        ..carrying(msg)
    };
    let refused = refusal(&secured(&get()));
    assert_eq!(answer(&refused), answered(7104));
    let record = refused.error_record(&agent()).unwrap();
    assert_eq!(
        (&*record.to_id, &*record.from_id),
        (controller().as_str(), agent().as_str())
    );
    assert!(
        Msg::receive(record.payload().unwrap().clone(), LIMITS)
            .unwrap()
            .is_error()
    );

    let response = Msg::response("7", GetResp::default());
    for record in [
        secured(&response),
        secured(&Msg::error("7", ErrorCode::InternalError, "", Vec::new())),
        secured(&Msg::request("", Get::default())),
        Record {
            to_id: "self::other".into(),
            ..secured(&get())
        },
        Record {
            from_id: "nobody".into(),
            ..secured(&get())
        },
        Record {
            from_id: agent().to_string(),
            ..secured(&get())
        },
    ] {
        assert_eq!(refusal(&record).reaction, Reaction::Ignore, "{record:?}");
    }
    assert_eq!(
        secured(&get())
            .check(&agent())
            .map_err(|error| error.to_string()),
        Err("Record.payload_security: unknown enumeration value 2".to_owned())
    );
}

/// Proves: R-E2E.41
#[test]
fn a_payload_in_tls_belongs_in_a_session_context() {
    let record = Record {
        payload_security: PayloadSecurity::Tls12 as i32,
        ..carrying(&get())
    };
    assert_eq!(
        record.check(&agent()),
        Err(RecordError::SecuredOutsideSession)
    );
}

/// Proves: R-ENC.2, R-MTP.5
#[test]
fn an_unknown_value_in_a_request_is_answered() {
    let mut msg = get();
    msg.header.as_mut().unwrap().msg_type = 99;
    assert_eq!(answer(&msg_refusal(&msg)), answered(7004));
    let mut msg = Msg::response("7", GetResp::default());
    msg.header.as_mut().unwrap().msg_type = 99;
    assert_eq!(answer(&msg_refusal(&msg)), None);
}

/// Proves: R-ENC.5
#[test]
fn a_message_without_exactly_one_member_is_answered_as_invalid() {
    let with_body = |named: MsgType, body: Body| Msg {
        header: Some(Header {
            msg_id: "7".into(),
            msg_type: named as i32,
        }),
        body: Some(body),
    };
    let request = Body {
        msg_body: Some(MsgBody::Request(Request { req_type: None })),
    };
    let response = Body {
        msg_body: Some(MsgBody::Response(Response { resp_type: None })),
    };
    assert_eq!(
        answer(&msg_refusal(&with_body(MsgType::Get, request.clone()))),
        answered(7004)
    );
    assert_eq!(
        answer(&msg_refusal(&with_body(MsgType::Get, Body::default()))),
        answered(7004)
    );
    assert_eq!(
        answer(&msg_refusal(&with_body(MsgType::GetResp, Body::default()))),
        None
    );
    assert_eq!(
        answer(&msg_refusal(&with_body(MsgType::Get, response))),
        None
    );
    assert_eq!(
        with_body(MsgType::Get, request).check(),
        Err(MsgError::Unset { oneof: "req_type" })
    );
    let nested = Msg::request("7", crate::msg::Notify::default());
    assert_eq!(answer(&msg_refusal(&nested)), answered(7004));
}

/// Proves: R-MSG.6, R-MSG.7, R-MSG.8
#[test]
fn header_message_id_and_body_are_required() {
    let no_header = Msg {
        header: None,
        ..get()
    };
    let no_body = Msg {
        body: None,
        ..get()
    };
    let mut no_id = get();
    no_id.header.as_mut().unwrap().msg_id.clear();
    for (msg, expected, reaction) in [
        (no_header, "Msg.header: required", None),
        (no_id, "Msg.header.msg_id: required", None),
        (no_body, "Msg.body: required", answered(7004)),
    ] {
        let refusal = msg_refusal(&msg);
        assert_eq!(refusal.to_string(), expected);
        assert_eq!(answer(&refusal), reaction);
    }
    assert!(Msg::receive(&b""[..], LIMITS).is_err());
}

/// Proves: R-MSG.9
#[test]
fn responses_and_errors_carry_the_id_of_the_request() {
    let request = get();
    let response = Msg::response(request.msg_id(), GetResp::default());
    let error = Msg::error(request.msg_id(), ErrorCode::RequestDenied, "no", Vec::new());
    for msg in [response, error] {
        assert_eq!(
            Msg::receive(msg.into_payload(), LIMITS).unwrap().msg_id(),
            "7"
        );
    }
}

/// Proves: R-MSG.10
#[test]
fn the_body_tells_the_kind_whatever_the_header_says() {
    let mut msg = get();
    assert_eq!((msg.check(), msg.misnamed_as()), (Ok(MsgType::Get), None));
    msg.header.as_mut().unwrap().msg_type = MsgType::DeleteResp as i32;
    let received = Msg::receive(msg.into_payload(), LIMITS).unwrap();
    assert_eq!(
        (received.check(), received.misnamed_as()),
        (Ok(MsgType::Get), Some(11))
    );
    assert!(received.is_request() && !received.is_response() && !received.is_error());
    assert!(matches!(received.as_request(), Some(RequestType::Get(_))));
}

#[test]
fn the_answer_tells_the_field_and_fits_in_a_record() {
    let mut msg = get();
    msg.header.as_mut().unwrap().msg_type = 99;
    let error = msg_refusal(&msg).error_msg().unwrap();
    let content = error.as_error().unwrap();
    assert_eq!(
        content.err_msg,
        "Msg.header.msg_type: unknown enumeration value 99"
    );
    assert_eq!(code_name(content.err_code), "Invalid arguments");
}

#[test]
fn long_values_are_cut_in_messages() {
    let record = Record {
        to_id: "x".repeat(100_000),
        ..carrying(&get())
    };
    assert!(refusal(&record).to_string().len() < 200);
}
