use prost::Message;
use serde_json::json;

use super::*;
use crate::EndpointId;
use crate::msg::{Get, Notify, Operate, OperateResp, OperationOutcome, OperationResult};
use crate::record::SessionContext;

fn ids() -> (EndpointId, EndpointId) {
    (
        EndpointId::parse("self::a").unwrap(),
        EndpointId::parse("self::b").unwrap(),
    )
}

fn get() -> Msg {
    Msg::request(
        "1",
        Get {
            param_paths: vec!["Device.".into()],
            max_depth: 2,
        },
    )
}

#[test]
fn a_message_has_the_names_of_the_schema() {
    let json = json!({
        "header": { "msg_id": "1", "msg_type": "GET" },
        "body": { "request": { "get": { "param_paths": ["Device."], "max_depth": 2 } } },
    });
    assert_eq!(get().to_json(), json);
    assert_eq!(Msg::from_json(&json), Ok(get()));
    assert_eq!(
        serde_json::from_str::<Msg>(&serde_json::to_string(&get()).unwrap()).unwrap(),
        get()
    );
}

#[test]
fn booleans_and_enumerations_are_always_shown() {
    let operate = Msg::request(
        "1",
        Operate {
            command: "D.X()".into(),
            ..Operate::default()
        },
    );
    assert_eq!(
        operate.to_json()["body"]["request"]["operate"],
        json!({ "send_resp": false, "command": "D.X()" })
    );
    let error = Msg::error("1", 7000_u32, "", Vec::new());
    assert_eq!(error.to_json()["header"]["msg_type"], json!("ERROR"));
    assert_eq!(
        error.to_json()["body"]["error"],
        json!({ "err_code": 7000 })
    );
}

#[test]
fn large_numbers_bytes_and_unknown_values_are_kept() {
    let (to, from) = ids();
    let context = SessionContext {
        session_id: u64::MAX,
        sequence_id: 1,
        expected_id: 1,
        payload_sar_state: 77,
        payloadrec_sar_state: -1,
        payload: vec![vec![0xfb, 0xff].into(), vec![].into()],
        ..SessionContext::default()
    };
    let record = Record::session(&to, &from, context);
    let json = record.to_json();
    assert_eq!(
        json["session_context"],
        json!({
            "payload_sar_state": 77,
            "payloadrec_sar_state": -1,
            "session_id": "18446744073709551615",
            "sequence_id": "1",
            "expected_id": "1",
            "payload": ["+/8=", ""],
        })
    );
    assert_eq!(Record::from_json(&json), Ok(record.clone()));
    let mut other = json;
    other["session_context"]["payload"][0] = json!("-_8");
    other["session_context"]["sequence_id"] = json!(1);
    assert_eq!(Record::from_json(&other), Ok(record));
}

#[test]
fn an_empty_member_of_a_oneof_is_kept() {
    let result = OperationResult {
        operation_resp: Some(OperationOutcome::ReqObjPath(String::new())),
        ..Default::default()
    };
    let msg = Msg::response(
        "1",
        OperateResp {
            operation_results: vec![result],
        },
    );
    assert_eq!(Msg::from_json(&msg.to_json()), Ok(msg));
}

#[test]
fn a_record_shows_its_message_in_place_of_the_payload() {
    let (to, from) = ids();
    let record = Record::no_session(&to, &from, get().into_payload());
    let json = record.to_readable_json();
    assert_eq!(
        json,
        json!({
            "payload_security": "PLAINTEXT",
            "version": "1.4",
            "to_id": "self::a",
            "from_id": "self::b",
            "no_session_context": { "payload": get().to_json() },
        })
    );
    assert_eq!(Record::from_json(&json), Ok(record));
}

#[test]
fn a_payload_that_we_would_encode_otherwise_stays_beside_its_message() {
    let (to, from) = ids();
    // Body before header: lawful, but not the order in which we write.
    let msg = get();
    let (header, body) = (
        msg.header.unwrap().encode_to_vec(),
        msg.body.unwrap().encode_to_vec(),
    );
    let payload = [
        &[0x12, body.len() as u8],
        &body[..],
        &[0x0a, header.len() as u8],
        &header[..],
    ]
    .concat();
    let record = Record::no_session(&to, &from, payload);
    let json = record.to_readable_json();
    assert_eq!(
        json["no_session_context"]["payload_decoded"]["header"]["msg_id"],
        json!("1")
    );
    assert!(json["no_session_context"]["payload"].is_string());
    assert_eq!(Record::from_json(&json), Ok(record));
}

/// Agents list map entries in whatever order they have; that order is kept.
#[test]
fn the_order_of_map_entries_does_not_hide_a_message() {
    let (to, from) = ids();
    let entry = |key: u8| vec![0x22, 6, 0x0a, 1, key, 0x12, 1, b'v'];
    let operate = [
        vec![0x0a, 4, b'D', b'.', b'(', b')'],
        entry(b'z'),
        entry(b'a'),
    ]
    .concat();
    let mut payload = operate;
    for number in [7_u8, 1, 2] {
        payload = [&[number << 3 | 2, payload.len() as u8], &payload[..]].concat();
    }
    let payload = [&[0x0a, 5, 0x0a, 1, b'1', 0x10, 6][..], &payload[..]].concat();
    let record = Record::no_session(&to, &from, payload);
    let json = record.to_readable_json();
    let args = json
        .pointer("/no_session_context/payload/body/request/operate/input_args")
        .unwrap();
    assert_eq!(args.to_string(), r#"{"z":"v","a":"v"}"#);
    assert_eq!(Record::from_json(&json), Ok(record));
}

#[test]
fn a_payload_that_is_no_message_stays() {
    let (to, from) = ids();
    let notify = Notify::default().encode_to_vec();
    for payload in [vec![0xff], vec![0x0a, 0], notify, vec![0; 100]] {
        let record = Record::session(
            &to,
            &from,
            SessionContext {
                payload: vec![payload.into()],
                ..SessionContext::default()
            },
        );
        let json = record.to_readable_json();
        assert!(json["session_context"]["payload"][0].is_string());
        assert_eq!(Record::from_json(&json), Ok(record));
    }
}

#[test]
fn what_does_not_fit_the_schema_is_named() {
    let get = |get: Value| json!({ "body": { "request": { "get": get } } });
    for (json, expected) in [
        (json!([]), "Msg: expected an object, found []"),
        (
            json!({ "hedaer": {} }),
            "Msg: expected a field of the schema, found \"hedaer\"",
        ),
        (
            json!({ "payload_decoded": {} }),
            "Msg: expected a field of the schema, found \"payload_decoded\"",
        ),
        (
            get(json!({ "param_paths": "D." })),
            "Msg.body.request.get.param_paths: expected a list, found \"D.\"",
        ),
        (
            get(json!({ "param_paths": [1] })),
            "Msg.body.request.get.param_paths[0]: expected a string, found 1",
        ),
        (
            get(json!({ "max_depth": -1 })),
            "Msg.body.request.get.max_depth: expected a number of 32 bits, found -1",
        ),
        (
            json!({ "body": { "request": { "get": {}, "set": {} } } }),
            "Msg.body.request.set: expected no second member beside get, found {}",
        ),
        (
            json!({ "body": { "request": { "set": { "allow_partial": "yes" } } } }),
            "Msg.body.request.set.allow_partial: expected true or false, found \"yes\"",
        ),
    ] {
        assert_eq!(Msg::from_json(&json).unwrap_err().to_string(), expected);
    }
    let security = Record::from_json(&json!({ "payload_security": "TLS13" })).unwrap_err();
    assert_eq!(
        security.to_string(),
        "Record.payload_security: expected PLAINTEXT, TLS12, found \"TLS13\""
    );
    let mac = Record::from_json(&json!({ "mac_signature": "*" })).unwrap_err();
    assert_eq!(
        mac.to_string(),
        "Record.mac_signature: expected base64, found \"*\""
    );
    assert!(serde_json::from_str::<Msg>("{\"body\": 1}").is_err());
    assert_eq!(
        Msg::from_json(&json!({ "header": null })),
        Ok(Msg::default())
    );
}
