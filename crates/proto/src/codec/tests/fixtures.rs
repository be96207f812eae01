use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::msg::*;
use crate::record::*;
use crate::{EndpointId, ErrorCode};

fn strings<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Field numbers written down here a third time, apart from structs and schema table.
///
/// Proves: R-ENC.0, R-MSG.5
#[test]
fn requests_are_encoded_as_the_schema_numbers_them() {
    let path = || "D.".to_owned();
    let get = Get {
        param_paths: vec!["Device.".into()],
        max_depth: 2,
    };
    assert_eq!(
        Msg::request("1", get).encode_to_vec(),
        b"\x0a\x05\x0a\x011\x10\x01\x12\x12\x0a\x10\x0a\x0e\x0a\x07Device.\x15\x02\x00\x00\x00"
    );
    let setting = UpdateParamSetting {
        param: "P".into(),
        value: "v".into(),
        required: true,
    };
    let object = UpdateObject {
        obj_path: path(),
        param_settings: vec![setting],
    };
    assert_eq!(
        Msg::request(
            "1",
            Set {
                allow_partial: true,
                update_objs: vec![object]
            }
        )
        .encode_to_vec(),
        request(
            4,
            4,
            &[
                &varint(1, 1),
                &field(
                    2,
                    &[
                        &field(1, &[b"D."]),
                        &field(2, &[&field(1, &[b"P"]), &field(2, &[b"v"]), &varint(3, 1)])
                    ]
                )
            ]
        )
    );
    let setting = CreateParamSetting {
        param: "P".into(),
        value: "v".into(),
        required: true,
    };
    let object = CreateObject {
        obj_path: path(),
        param_settings: vec![setting],
    };
    assert_eq!(
        Msg::request(
            "1",
            Add {
                allow_partial: true,
                create_objs: vec![object]
            }
        )
        .encode_to_vec(),
        request(
            8,
            5,
            &[
                &varint(1, 1),
                &field(
                    2,
                    &[
                        &field(1, &[b"D."]),
                        &field(2, &[&field(1, &[b"P"]), &field(2, &[b"v"]), &varint(3, 1)])
                    ]
                )
            ]
        )
    );
    assert_eq!(
        Msg::request(
            "1",
            Delete {
                allow_partial: true,
                obj_paths: vec![path()]
            }
        )
        .encode_to_vec(),
        request(10, 6, &[&varint(1, 1), &field(2, &[b"D."])])
    );
    let operate = Operate {
        command: "D.X()".into(),
        command_key: "k".into(),
        send_resp: true,
        input_args: strings([("A", "1"), ("B", "2")]),
    };
    assert_eq!(
        Msg::request("1", operate).encode_to_vec(),
        request(
            6,
            7,
            &[
                &field(1, &[b"D.X()"]),
                &field(2, &[b"k"]),
                &varint(3, 1),
                &entry(4, "A", "1"),
                &entry(4, "B", "2")
            ]
        )
    );
    let model = GetSupportedDm {
        obj_paths: vec![path()],
        first_level_only: true,
        return_commands: true,
        return_events: true,
        return_params: true,
        return_unique_key_sets: true,
    };
    let flags: Vec<u8> = (2..=6).flat_map(|number| varint(number, 1)).collect();
    assert_eq!(
        Msg::request("1", model).encode_to_vec(),
        request(12, 2, &[&field(1, &[b"D."]), &flags])
    );
    assert_eq!(
        Msg::request(
            "1",
            GetInstances {
                obj_paths: vec![path()],
                first_level_only: true
            }
        )
        .encode_to_vec(),
        request(14, 3, &[&field(1, &[b"D."]), &varint(2, 1)])
    );
    let versions = GetSupportedProtocol {
        controller_supported_protocol_versions: "1.4".into(),
    };
    assert_eq!(
        Msg::request("1", versions).encode_to_vec(),
        request(17, 9, &[&field(1, &[b"1.4"])])
    );
    let register = Register {
        allow_partial: true,
        reg_paths: vec![RegistrationPath { path: path() }],
    };
    assert_eq!(
        Msg::request("1", register).encode_to_vec(),
        request(19, 10, &[&varint(1, 1), &field(2, &[&field(1, &[b"D."])])])
    );
    assert_eq!(
        Msg::request(
            "1",
            Deregister {
                paths: vec![path()]
            }
        )
        .encode_to_vec(),
        request(21, 11, &[&field(1, &[b"D."])])
    );
    let done = OperationComplete {
        obj_path: path(),
        command_name: "X()".into(),
        command_key: "k".into(),
        operation_resp: Some(CompletionOutcome::CmdFailure(CommandFailure::new(
            7022_u32, "e",
        ))),
    };
    let notify = Notify {
        subscription_id: "s".into(),
        send_resp: true,
        notification: Some(Notification::OperComplete(done)),
    };
    assert_eq!(
        Msg::request("1", notify).encode_to_vec(),
        request(
            3,
            8,
            &[
                &field(1, &[b"s"]),
                &varint(2, 1),
                &field(
                    7,
                    &[
                        &field(1, &[b"D."]),
                        &field(2, &[b"X()"]),
                        &field(3, &[b"k"]),
                        &field(5, &[&fixed32(1, 7022), &field(2, &[b"e"])])
                    ]
                )
            ]
        )
    );
}

/// Field numbers written down here a third time, apart from structs and schema table.
///
/// Proves: R-ENC.0, R-MSG.5
#[test]
fn responses_are_encoded_as_the_schema_numbers_them() {
    let resolved = ResolvedPathResult {
        resolved_path: "D.".into(),
        result_params: strings([("A", "b")]),
    };
    let result = RequestedPathResult {
        requested_path: "D.".into(),
        err_code: 7026,
        err_msg: "e".into(),
        resolved_path_results: vec![resolved],
    };
    assert_eq!(
        Msg::response(
            "1",
            GetResp {
                req_path_results: vec![result]
            }
        )
        .encode_to_vec(),
        response(
            2,
            1,
            &[&field(
                1,
                &[
                    &field(1, &[b"D."]),
                    &fixed32(2, 7026),
                    &field(3, &[b"e"]),
                    &field(4, &[&field(1, &[b"D."]), &entry(2, "A", "b")])
                ]
            )]
        )
    );
    let success = AddSuccess {
        instantiated_path: "D.1.".into(),
        param_errs: vec![ParameterError::new("P", ErrorCode::InvalidValue, "e")],
        unique_keys: strings([("A", "b")]),
    };
    let added = AddResp {
        created_obj_results: vec![CreatedObjectResult::success("D.", success)],
    };
    assert_eq!(
        Msg::response("1", added).encode_to_vec(),
        response(
            9,
            5,
            &[&field(
                1,
                &[
                    &field(1, &[b"D."]),
                    &field(
                        2,
                        &[&field(
                            2,
                            &[
                                &field(1, &[b"D.1."]),
                                &field(
                                    2,
                                    &[&field(1, &[b"P"]), &fixed32(2, 7012), &field(3, &[b"e"])]
                                ),
                                &entry(3, "A", "b")
                            ]
                        )]
                    )
                ]
            )]
        )
    );
    let going = OperationResult {
        executed_command: "D.X()".into(),
        operation_resp: Some(OperationOutcome::ReqObjPath("D.Request.1.".into())),
    };
    assert_eq!(
        Msg::response(
            "1",
            OperateResp {
                operation_results: vec![going]
            }
        )
        .encode_to_vec(),
        response(
            7,
            7,
            &[&field(
                1,
                &[&field(1, &[b"D.X()"]), &field(2, &[b"D.Request.1."])]
            )]
        )
    );
    assert_eq!(
        Msg::error(
            "1",
            ErrorCode::MessageFailed,
            "e",
            vec![ParamError::new("D.P", 7012_u32, "f")]
        )
        .encode_to_vec(),
        [
            // ERROR is 0 and therefore not on the wire.
            field(1, &[&field(1, &[b"1"])]),
            field(
                2,
                &[&field(
                    3,
                    &[
                        &fixed32(1, 7000),
                        &field(2, &[b"e"]),
                        &field(
                            3,
                            &[&field(1, &[b"D.P"]), &fixed32(2, 7012), &field(3, &[b"f"])]
                        )
                    ]
                )]
            )
        ]
        .concat()
    );
    for (response_type, kind, number) in [
        (ResponseType::from(GetSupportedDmResp::default()), 13, 2),
        (GetInstancesResp::default().into(), 15, 3),
        (SetResp::default().into(), 5, 4),
        (DeleteResp::default().into(), 11, 6),
        (NotifyResp::default().into(), 16, 8),
        (GetSupportedProtocolResp::default().into(), 18, 9),
        (RegisterResp::default().into(), 20, 10),
        (DeregisterResp::default().into(), 22, 11),
    ] {
        assert_eq!(
            Msg::response("1", response_type).encode_to_vec(),
            response(kind, number, &[])
        );
    }
}

/// Field numbers written down here a third time, apart from structs and schema table.
///
/// Proves: R-ENC.1
#[test]
fn records_are_encoded_as_the_schema_numbers_them() {
    let (to, from) = (
        EndpointId::parse("self::a").unwrap(),
        EndpointId::parse("self::b").unwrap(),
    );
    let context = SessionContext {
        session_id: 1,
        sequence_id: 2,
        expected_id: 3,
        retransmit_id: 4,
        payload_sar_state: PayloadSarState::Begin as i32,
        payloadrec_sar_state: PayloadSarState::Complete as i32,
        payload: vec![Bytes::from_static(b"x"), Bytes::from_static(b"y")],
    };
    for (expected, parts) in [
        (
            Record::no_session(&to, &from, Bytes::from_static(b"x")),
            field(7, &[&field(2, &[b"x"])]),
        ),
        (
            Record::session(&to, &from, context),
            field(
                8,
                &[
                    &varint(1, 1),
                    &varint(2, 2),
                    &varint(3, 3),
                    &varint(4, 4),
                    &varint(5, 1),
                    &varint(6, 3),
                    &field(7, &[b"x"]),
                    &field(7, &[b"y"]),
                ],
            ),
        ),
        (Record::websocket_connect(&to, &from), field(9, &[])),
        (
            Record::mqtt_connect(&to, &from, MqttVersion::V5, "t"),
            field(10, &[&varint(1, 1), &field(2, &[b"t"])]),
        ),
        (
            Record::stomp_connect(&to, &from, "d"),
            field(11, &[&field(2, &[b"d"])]),
        ),
        (
            Record::disconnect(&to, &from, ErrorCode::SessionContextTerminated, "bye"),
            field(12, &[&field(1, &[b"bye"]), &fixed32(2, 7105)]),
        ),
        (Record::uds_connect(&to, &from), field(13, &[])),
    ] {
        let bytes = record(&[&parts]);
        assert_eq!(expected.encode_to_vec(), bytes);
        assert_eq!(
            Record::decode_bounded(&bytes[..], LIMITS).unwrap(),
            expected
        );
    }
    let whole = record(&[
        &varint(4, 1),
        &field(5, &[b"mac"]),
        &field(6, &[b"cert"]),
        &field(9, &[]),
        &field(14, &[b"o"]),
        &field(15, &[b"d"]),
    ]);
    let decoded = Record::decode_bounded(&whole[..], LIMITS).unwrap();
    assert_eq!(
        (decoded.payload_security(), &decoded.mac_signature[..]),
        (PayloadSecurity::Tls12, &b"mac"[..])
    );
    assert_eq!(
        (
            &decoded.sender_cert[..],
            &*decoded.originator_id,
            &*decoded.destination_id
        ),
        (&b"cert"[..], "o", "d")
    );
}
