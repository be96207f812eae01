use bytes::Bytes;

use super::*;
use crate::ErrorCode;
use crate::msg::Get;

fn msg_error(bytes: &[u8]) -> DecodeError {
    Msg::decode_bounded(bytes, LIMITS).expect_err("a fault")
}

fn record_error(bytes: &[u8]) -> DecodeError {
    Record::decode_bounded(bytes, LIMITS).expect_err("a fault")
}

/// Payloads of a Record that came in `Bytes` are parts of it, not copies.
#[test]
fn payloads_are_not_copied() {
    let bytes = Bytes::from(record(&[&field(7, &[&field(2, &[b"payload"])])]));
    let record = Record::decode_bounded(bytes.clone(), LIMITS).unwrap();
    let range = bytes.as_ptr_range();
    assert!(range.contains(&record.payload().unwrap().as_ptr()));
}

/// Proves: R-ENC.2
#[test]
fn unknown_enumeration_values_are_found() {
    for (bytes, at, value) in [
        (request(23, 1, &[]), "Msg.header.msg_type", 23),
        (
            response(
                13,
                2,
                &[&field(1, &[&field(5, &[&field(6, &[&varint(3, 11)])])])],
            ),
            "Msg.body.response.get_supported_dm_resp.req_obj_results[0].supported_objs[0].supported_params[0].value_type",
            11,
        ),
    ] {
        let error = msg_error(&bytes);
        assert_eq!(
            (&*error.at, &error.fault),
            (at, &DecodeFault::UnknownEnum { value })
        );
        assert!(!error.is_unreadable());
    }
    let negative = [vec![4 << 3], vec![0xff; 9], vec![1], field(9, &[])].concat();
    for (parts, at, value) in [
        (
            [varint(4, 2), field(9, &[])].concat(),
            "Record.payload_security",
            2,
        ),
        (negative, "Record.payload_security", -1),
        (
            field(8, &[&varint(5, 4)]),
            "Record.session_context.payload_sar_state",
            4,
        ),
        (
            field(10, &[&varint(1, 2)]),
            "Record.mqtt_connect.version",
            2,
        ),
    ] {
        let error = record_error(&record(&[&parts]));
        assert_eq!(
            (&*error.at, &error.fault),
            (at, &DecodeFault::UnknownEnum { value })
        );
        assert_eq!(error.code(), ErrorCode::InvalidRecordValue);
    }
}

/// Proves: R-ENC.3
#[test]
fn oneofs_without_a_member_are_found_wherever_they_are() {
    let unset = |oneof| DecodeFault::OneofUnset {
        oneof,
        unknown: None,
    };
    for (bytes, at, oneof) in [
        ([header(1), field(2, &[])].concat(), "Msg.body", "msg_body"),
        (
            [header(1), field(2, &[&field(1, &[])])].concat(),
            "Msg.body.request",
            "req_type",
        ),
        (
            [header(2), field(2, &[&field(2, &[])])].concat(),
            "Msg.body.response",
            "resp_type",
        ),
        (
            request(3, 8, &[]),
            "Msg.body.request.notify",
            "notification",
        ),
        (
            request(3, 8, &[&field(7, &[])]),
            "Msg.body.request.notify.oper_complete",
            "operation_resp",
        ),
        (
            response(
                5,
                4,
                &[
                    &field(1, &[&field(2, &[&field(1, &[])])]),
                    &field(1, &[&field(2, &[])]),
                ],
            ),
            "Msg.body.response.set_resp.updated_obj_results[1].oper_status",
            "oper_status",
        ),
        (
            response(7, 7, &[&field(1, &[])]),
            "Msg.body.response.operate_resp.operation_results[0]",
            "operation_resp",
        ),
    ] {
        let error = msg_error(&bytes);
        assert_eq!((&*error.at, &error.fault), (at, &unset(oneof)));
        assert_eq!(error.code(), ErrorCode::InvalidArguments);
    }
    let error = record_error(&record(&[]));
    assert_eq!((&*error.at, error.fault), ("Record", unset("record_type")));
}

/// Proves: R-ENC.3
#[test]
fn oneofs_with_several_members_are_found() {
    let error = msg_error(&[header(1), field(2, &[&field(3, &[]), &field(3, &[])])].concat());
    assert_eq!(
        error.to_string(),
        "Msg.body.error: exactly one member of msg_body is allowed, found error and error"
    );
    let error = record_error(&record(&[&field(9, &[]), &field(13, &[])]));
    assert_eq!(
        error.to_string(),
        "Record.uds_connect: exactly one member of record_type is allowed, found websocket_connect and uds_connect"
    );
    assert!(!error.is_unreadable() && error.is_oneof_fault());
}

/// Proves: R-MSG.6, R-MSG.7
#[test]
fn a_second_header_or_body_is_found() {
    let msg = request(1, 1, &[]);
    let error = msg_error(&[header(1), msg.clone()].concat());
    assert_eq!(error.to_string(), "Msg.header: sent more than once");
    let error = msg_error(&[msg, field(2, &[&field(3, &[])])].concat());
    assert_eq!(error.to_string(), "Msg.body: sent more than once");
}

/// A kind of request that we do not know is told from an empty request.
#[test]
fn a_request_of_a_newer_version_is_not_supported() {
    let error = msg_error(&request(1, 12, &[]));
    assert_eq!(
        error.fault,
        DecodeFault::OneofUnset {
            oneof: "req_type",
            unknown: Some(12)
        }
    );
    assert_eq!(error.code(), ErrorCode::MessageNotSupported);
}

#[test]
fn unknown_fields_are_passed_over() {
    let unknown = [
        field(15, &[b"x"]),
        varint(9, 1),
        fixed32(8, 1),
        vec![0x4b, 0x08, 1, 0x4c],
    ]
    .concat();
    let bytes = [request(1, 1, &[&field(1, &[b"D."])]), unknown].concat();
    assert_eq!(
        Msg::decode_bounded(&bytes[..], LIMITS)
            .unwrap()
            .as_request(),
        Some(
            &Get {
                param_paths: vec!["D.".into()],
                max_depth: 0
            }
            .into()
        )
    );
}

#[test]
fn broken_bytes_are_named_with_their_place() {
    for (bytes, expected) in [
        (
            request(1, 1, &[&field(1, &[b"\xff"])]),
            "Msg.body.request.get.param_paths[0]: not UTF-8",
        ),
        (
            request(6, 7, &[&field(4, &[&field(2, &[b"\xff"])])]),
            "Msg.body.request.operate.input_args[0]: not UTF-8",
        ),
        (
            request(1, 1, &[&varint(2, 1)]),
            "Msg.body.request.get.max_depth: not of this field's type",
        ),
        (vec![0x0a, 5, 0x0a], "Msg: ends in the middle of a field"),
        (
            vec![0x0a, 1, 0x0a],
            "Msg.header: ends in the middle of a field",
        ),
        (vec![0x07], "Msg: invalid field number"),
        (vec![0x0e], "Msg: invalid wire type"),
        (vec![0x0c], "Msg: end of a group that did not start"),
        (vec![0x1b, 0x24], "Msg: end of a group that did not start"),
        (vec![0xff; 11], "Msg: invalid varint"),
    ] {
        let error = msg_error(&bytes);
        assert_eq!(error.to_string(), expected);
        assert!(error.is_unreadable());
    }
}

#[test]
fn bytes_and_nesting_are_limited() {
    let tight = Limits {
        record_bytes_max: 10,
        msg_bytes_max: 10,
        depth_max: 4,
        elements_max: 100,
    };
    let error = Msg::decode_bounded(&[0_u8; 11][..], &tight).unwrap_err();
    assert_eq!(error.to_string(), "Msg: 11 bytes, at most 10 are read");
    assert_eq!(error.code(), ErrorCode::ResourcesExceeded);
    assert!(
        Record::decode_bounded(&[0_u8; 11][..], &tight)
            .unwrap_err()
            .is_unreadable()
    );
    let tight = Limits {
        depth_max: 3,
        ..Limits::DEFAULT
    };
    let error = Msg::decode_bounded(&request(1, 1, &[])[..], &tight).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Msg.body.request.get: nested more than 3 deep"
    );
    for groups in [100, 1_000_000] {
        let error = msg_error(&vec![0x1b; groups]);
        assert_eq!(
            error.fault,
            DecodeFault::TooDeep {
                max: Limits::DEFAULT.depth_max
            }
        );
    }
}

/// Two bytes may not become two hundred: 7 MB of empty results are refused before they are decoded.
#[test]
fn counts_are_limited() {
    let mut results = [0x0a, 0].repeat(3_500_000);
    for number in [0x0a_u8, 0x12, 0x12] {
        let mut outer = vec![number];
        let mut length = results.len();
        while length > 0x7f {
            outer.push(length as u8 | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.append(&mut results);
        results = outer;
    }
    let error = msg_error(&results);
    assert_eq!(
        error.to_string(),
        "Msg.body.response.get_resp.req_path_results[249997]: more than 250000 items in all"
    );
    assert_eq!(error.code(), ErrorCode::ResourcesExceeded);

    let tight = Limits {
        elements_max: 4,
        ..Limits::DEFAULT
    };
    let three = request(1, 1, &[]);
    assert!(Msg::decode_bounded(&three[..], &tight).is_ok());
    let five = request(6, 7, &[&entry(4, "A", "1")]);
    assert_eq!(
        Msg::decode_bounded(&five[..], &tight).unwrap_err().fault,
        DecodeFault::TooMany { max: 4 }
    );
}

/// What is passed over is counted too: nobody makes us read 8 MiB of nothing.
#[test]
fn what_is_passed_over_is_limited() {
    let tight = Limits {
        elements_max: 20,
        ..Limits::DEFAULT
    };
    let limited = |bytes: &[u8]| {
        let error = Msg::decode_bounded(bytes, &tight).unwrap_err();
        assert_eq!(error.fault, DecodeFault::TooMany { max: 20 }, "{error}");
        assert!(Msg::decode_bounded(bytes, LIMITS).is_ok());
    };
    let get = request(1, 1, &[]);
    // Fields that no version has.
    limited(&[get.clone(), varint(15, 1).repeat(18)].concat());
    // Groups: each field in them, and groups in groups.
    let group = [vec![0x7b], varint(1, 1).repeat(18), vec![0x7c]].concat();
    limited(&[get.clone(), group].concat());
    limited(&[get.clone(), [0x7b, 0x7b, 0x7c, 0x7c].repeat(9)].concat());
    // A field that there is once, and parts of an entry that there are once.
    limited(&request(1, 1, &[&fixed32(2, 1).repeat(20)]));
    let keys = field(1, &[b"A"]).repeat(20);
    limited(&request(6, 7, &[&field(4, &[&keys])]));
    let unknown = varint(9, 1).repeat(20);
    limited(&request(6, 7, &[&field(4, &[&unknown])]));

    let within = [get, varint(15, 1).repeat(16)].concat();
    assert!(Msg::decode_bounded(&within[..], &tight).is_ok());
    let large = varint(15, 1).repeat(4 << 20);
    assert_eq!(
        msg_error(&large).fault,
        DecodeFault::TooMany {
            max: Limits::DEFAULT.elements_max
        }
    );
    let large = [vec![0x7b], varint(15, 1).repeat(4 << 20)].concat();
    assert_eq!(
        msg_error(&large[..8 << 20]).fault,
        DecodeFault::TooMany {
            max: Limits::DEFAULT.elements_max
        }
    );
}

#[test]
fn our_own_answers_are_measured_by_the_limits_of_a_peer() {
    let tight = Limits {
        msg_bytes_max: 1_000,
        elements_max: 100,
        ..Limits::DEFAULT
    };
    let paths = |count: usize, text: &'static str| {
        let get = Get {
            param_paths: vec![text.to_owned(); count],
            max_depth: 0,
        };
        Msg::request("1", get).into_payload()
    };
    assert!(Msg::is_within(&paths(96, "Device."), &tight));
    assert!(!Msg::is_within(&paths(97, "Device."), &tight));
    assert!(!Msg::is_within(&paths(90, "Device.More."), &tight));
    assert!(Msg::is_within(&paths(97, "Device."), LIMITS));
}

/// Proves: R-MTP.5
#[test]
fn a_broken_message_still_tells_whom_to_answer() {
    let peek = |bytes: &[u8]| {
        let peek = Msg::peek(bytes);
        (peek.msg_id.map(str::to_owned), peek.is_request)
    };
    let id = || Some("1".to_owned());
    assert_eq!(peek(&request(1, 12, &[])), (id(), true));
    assert_eq!(peek(&response(2, 1, &[])), (id(), false));
    assert_eq!(
        peek(&[header(1), field(2, &[&field(1, &[]), &field(3, &[])])].concat()),
        (id(), false)
    );
    assert_eq!(peek(&header(1)), (id(), true));
    assert_eq!(peek(&header(2)), (id(), false));
    assert_eq!(peek(&field(2, &[&field(1, &[])])), (None, true));
    assert_eq!(
        peek(&[request(1, 1, &[]), vec![0xff]].concat()),
        (id(), true)
    );
    assert_eq!(peek(b"\xff"), (None, false));
}
