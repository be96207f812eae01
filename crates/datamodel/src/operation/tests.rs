//! The JSON shapes are public: these tests are their snapshot.

use std::collections::BTreeMap;

use super::*;

fn round_trip(outcome: &Outcome, json: &str) {
    let written = serde_json::to_string(outcome).expect("outcomes are plain data");
    assert_eq!(written, json);
    let mut reader = serde_json::Deserializer::from_str(&written);
    let read = Outcome::from_json(outcome.kind(), &mut reader).expect("what was written is read");
    assert_eq!(&read, outcome);
}

#[test]
fn a_get_outcome_says_found_or_failed() {
    let outcome = Outcome::Get(GetOutcome {
        results: vec![
            GetResult {
                requested: "Device.A.".into(),
                status: GetStatus::Found(vec![ObjectValues {
                    path: "Device.A.".into(),
                    parameters: BTreeMap::from([("B".into(), "1".into())]),
                }]),
            },
            GetResult {
                requested: "Device.Z.".into(),
                status: GetStatus::Failed(Failure {
                    code: 7026,
                    text: "no such object".into(),
                }),
            },
        ],
    });
    round_trip(
        &outcome,
        concat!(
            r#"{"results":[{"requested":"Device.A.","found":[{"path":"Device.A.","parameters":{"B":"1"}}]},"#,
            r#"{"requested":"Device.Z.","failed":{"code":7026,"text":"no such object"}}]}"#
        ),
    );
}

#[test]
fn a_set_outcome_names_objects_and_parameters_that_failed() {
    let failure = ParameterFailure {
        parameter: "P".into(),
        code: 7012,
        text: "bad".into(),
    };
    let outcome = Outcome::Set(SetOutcome {
        results: vec![SetResult {
            requested: "Device.T.*.".into(),
            status: SetStatus::Failed(SetFailure {
                code: 7021,
                text: "required".into(),
                objects: vec![InstanceFailure {
                    path: "Device.T.1.".into(),
                    failures: vec![failure],
                }],
            }),
        }],
    });
    round_trip(
        &outcome,
        concat!(
            r#"{"results":[{"requested":"Device.T.*.","failed":{"code":7021,"text":"required","objects":"#,
            r#"[{"path":"Device.T.1.","failures":[{"parameter":"P","code":7012,"text":"bad"}]}]}}]}"#
        ),
    );
}

#[test]
fn a_schema_outcome_uses_the_names_of_tr_106() {
    let outcome = Outcome::SupportedModel(SupportedModelOutcome {
        results: vec![SupportedModelResult {
            requested: "Device.T.".into(),
            status: SupportedModelStatus::Supported(Supported {
                model_uri: String::new(),
                objects: vec![SupportedObject {
                    path: "Device.T.{i}.".into(),
                    access: ObjectAccess::AddDelete,
                    multi_instance: true,
                    parameters: vec![SupportedParameter {
                        name: "P".into(),
                        access: ParameterAccess::ReadWrite,
                        kind: ParameterKind::UnsignedInt,
                        value_change: ValueChange::WillIgnore,
                    }],
                    commands: vec![SupportedCommand {
                        name: "C()".into(),
                        kind: CommandKind::Asynchronous,
                        inputs: vec![],
                        outputs: vec!["O".into()],
                    }],
                    events: vec![],
                    unique_keys: vec![vec!["P".into()]],
                    divergent_paths: vec![],
                }],
            }),
        }],
    });
    round_trip(
        &outcome,
        concat!(
            r#"{"results":[{"requested":"Device.T.","supported":{"model_uri":"","objects":[{"path":"Device.T.{i}.","#,
            r#""access":"add_delete","multi_instance":true,"parameters":[{"name":"P","access":"read_write","#,
            r#""type":"unsignedInt","value_change":"will_ignore"}],"commands":[{"name":"C()","kind":"async","#,
            r#""inputs":[],"outputs":["O"]}],"unique_keys":[["P"]]}]}}]}"#
        ),
    );
}

#[test]
fn an_operation_error_names_its_variant() {
    let error = OperationError::Refused(Refusal {
        code: 7002,
        text: "no".into(),
        parameters: vec![],
    });
    let json = serde_json::to_string(&error).expect("plain data");
    assert_eq!(json, r#"{"error":"refused","code":7002,"text":"no"}"#);
    assert_eq!(
        serde_json::from_str::<OperationError>(&json).expect("read back"),
        error
    );
}

#[test]
fn an_operation_is_tagged_by_its_verb_and_fills_in_what_is_left_out() {
    let text =
        r#"{"set":{"objects":[{"path":"Device.A.","parameters":[{"name":"B","value":"1"}]}]}}"#;
    let read: Operation = serde_json::from_str(text).expect("valid");
    let expected = Operation::Set(Set {
        objects: vec![ObjectSettings {
            path: "Device.A.".into(),
            parameters: vec![Setting::required("B", "1")],
        }],
        allow_partial: false,
    });
    assert_eq!(read, expected);
    assert!(serde_json::from_str::<Set>(r#"{"objects":[],"alow_partial":true}"#).is_err());
}

#[test]
fn a_notification_is_flat_json_and_survives_it() {
    let change = Notified {
        subscription: "s".into(),
        notification: Notification::ValueChange {
            path: "Device.A.B".into(),
            value: "1".into(),
        },
    };
    let complete = Notified {
        subscription: "t".into(),
        notification: Notification::OperationComplete {
            path: "Device.IP.Diagnostics.".into(),
            command: "IPPing()".into(),
            command_key: "k".into(),
            completion: Completion::Failed(Failure {
                code: 7022,
                text: "no".into(),
            }),
        },
    };
    let shapes = [
        (
            &change,
            r#"{"subscription":"s","type":"ValueChange","path":"Device.A.B","value":"1"}"#,
        ),
        (
            &complete,
            r#"{"subscription":"t","type":"OperationComplete","path":"Device.IP.Diagnostics.","command":"IPPing()","command_key":"k","failed":{"code":7022,"text":"no"}}"#,
        ),
    ];
    for (notified, shape) in shapes {
        assert_eq!(serde_json::to_string(notified).unwrap(), shape);
        let read: Notified = serde_json::from_str(shape).unwrap();
        assert_eq!(&read, notified);
    }
    assert_eq!("valuechange".parse(), Ok(NotificationKind::ValueChange));
    let unasked: Result<NotificationKind, _> = "OnBoardRequest".parse();
    assert_eq!(unasked, Err(UnknownNotification));
}
