//! Where fuzzing starts from: one Message of every kind with every member of every oneof, and the
//! pieces of text that mean something to the Agent.

use std::collections::BTreeMap;

use usphere_proto::msg::*;
use usphere_proto::record::{MqttVersion, SessionContext};
use usphere_proto::{EndpointId, Msg, Record};

/// Texts that stand in Messages: paths, values, and some that are almost right.
pub const WORDS: [&str; 48] = [
    "Device.",
    "Device.LocalAgent.",
    "Device.LocalAgent.Controller.",
    "Device.LocalAgent.Controller.1.",
    "Device.LocalAgent.Controller.*.",
    "Device.LocalAgent.Controller.*.Enable",
    "Device.LocalAgent.Controller.{i}.",
    "Device.LocalAgent.Controller.[Enable==true].",
    "Device.LocalAgent.Controller.[EndpointID==\"self::c1\"&&Enable==1].Alias",
    "Device.LocalAgent.Controller.1.MTP.1.WebSocket.Path",
    "Device.LocalAgent.Controller.1.AssignedRole+.Name",
    "Device.LocalAgent.Controller.1.AssignedRole#1+.Permission.*.",
    "Device.LocalAgent.Controller.*.AssignedRole#*+.",
    "Device.LocalAgent.ControllerTrust.Role.1.",
    "Device.LocalAgent.EndpointID",
    "Device.LocalAgent.Reboot()",
    "Device.LocalAgent.Periodic!",
    "[Alias==\"%22%25\"]",
    "[A.B+.C!=-1]",
    "*.",
    "{i}.",
    "#*+.",
    "..",
    "()",
    "!",
    "&&",
    "\"",
    "%2C",
    "%",
    ",",
    " ",
    "",
    "true",
    "1",
    "-0",
    "+007",
    "4294967296",
    "18446744073709551616",
    "0001-01-01T00:00:00Z",
    "2026-02-29T24:00:00.5+14:01",
    "cpe-1",
    "self::c1",
    "os::012345-AA",
    "1.4",
    "\u{0}",
    "é日本\u{202e}",
    "Ünïcode.\n",
    "2001:db8::/32",
];

/// The Endpoint that receives.
pub fn own() -> EndpointId {
    endpoint("self::a")
}

/// An Endpoint that sends.
pub fn peer() -> EndpointId {
    endpoint("self::c1")
}

fn endpoint(text: &str) -> EndpointId {
    EndpointId::from_wire(text).expect("the IDs of the seeds are valid")
}

/// Messages of all kinds.
pub fn messages() -> Vec<Msg> {
    let requests = requests()
        .into_iter()
        .map(|request| Msg::request("r-1", request));
    let responses = responses()
        .into_iter()
        .map(|response| Msg::response("r-1", response));
    let errors = vec![ParamError::new("Device.P", 7012_u32, "e")];
    requests
        .chain(responses)
        .chain([Msg::error("r-1", 7000_u32, "e", errors)])
        .collect()
}

/// Records of all kinds; those with a payload carry each of [`messages`].
pub fn records() -> Vec<Record> {
    let (to, from) = (&own(), &peer());
    let payloads: Vec<_> = messages().into_iter().map(Msg::into_payload).collect();
    let context = SessionContext {
        session_id: 1,
        sequence_id: 2,
        expected_id: 3,
        retransmit_id: 4,
        payload_sar_state: 1,
        payloadrec_sar_state: 3,
        payload: payloads.iter().take(3).cloned().collect(),
    };
    let mut records = vec![
        Record::session(to, from, context),
        Record::websocket_connect(to, from),
        Record::uds_connect(to, from),
        Record::mqtt_connect(to, from, MqttVersion::V5, "topic"),
        Record::stomp_connect(to, from, "destination"),
        Record::disconnect(to, from, 7105_u32, "bye"),
    ];
    records.extend(
        payloads
            .into_iter()
            .map(|payload| Record::no_session(to, from, payload)),
    );
    let mut signed = Record::websocket_connect(to, from);
    signed.mac_signature = b"mac".as_slice().into();
    signed.sender_cert = b"cert".as_slice().into();
    records.push(signed);
    records
}

fn requests() -> Vec<RequestType> {
    let paths = || {
        vec![
            "Device.".to_owned(),
            "Device.LocalAgent.Controller.*.Enable".to_owned(),
        ]
    };
    let mut requests = vec![
        Get {
            param_paths: paths(),
            max_depth: 2,
        }
        .into(),
        GetInstances {
            obj_paths: paths(),
            first_level_only: true,
        }
        .into(),
        GetSupportedDm {
            obj_paths: paths(),
            first_level_only: true,
            return_commands: true,
            return_events: true,
            return_params: true,
            return_unique_key_sets: true,
        }
        .into(),
        GetSupportedProtocol {
            controller_supported_protocol_versions: "1.3,1.4".into(),
        }
        .into(),
        Set {
            allow_partial: true,
            update_objs: vec![update("Alias"), update("Enable")],
        }
        .into(),
        Add {
            allow_partial: true,
            create_objs: vec![create("Alias"), create("Enable")],
        }
        .into(),
        Delete {
            allow_partial: true,
            obj_paths: paths(),
        }
        .into(),
        Operate {
            command: "Device.Reboot()".into(),
            command_key: "key".into(),
            send_resp: true,
            input_args: strings(),
        }
        .into(),
        Register {
            allow_partial: true,
            reg_paths: vec![RegistrationPath {
                path: "Device.X.".into(),
            }],
        }
        .into(),
        Deregister { paths: paths() }.into(),
    ];
    requests.extend(notifications().into_iter().map(|notification| {
        RequestType::from(Notify {
            subscription_id: "s".into(),
            send_resp: true,
            notification: Some(notification),
        })
    }));
    requests
}

fn notifications() -> Vec<Notification> {
    let obj_path = || "Device.LocalAgent.Controller.1.".to_owned();
    let complete = |outcome| {
        Notification::OperComplete(OperationComplete {
            obj_path: obj_path(),
            command_name: "Reboot()".into(),
            command_key: "key".into(),
            operation_resp: Some(outcome),
        })
    };
    vec![
        Notification::Event(Event {
            obj_path: obj_path(),
            event_name: "Boot!".into(),
            params: strings(),
        }),
        Notification::ValueChange(ValueChange {
            param_path: "Device.P".into(),
            param_value: "v".into(),
        }),
        Notification::ObjCreation(ObjectCreation {
            obj_path: obj_path(),
            unique_keys: strings(),
        }),
        Notification::ObjDeletion(ObjectDeletion {
            obj_path: obj_path(),
        }),
        complete(CompletionOutcome::ReqOutputArgs(strings().into())),
        complete(CompletionOutcome::CmdFailure(CommandFailure::new(
            7022_u32, "e",
        ))),
        Notification::OnBoardReq(OnBoardRequest {
            oui: "012345".into(),
            product_class: "p".into(),
            serial_number: "s".into(),
            agent_supported_protocol_versions: "1.4".into(),
        }),
    ]
}

fn responses() -> Vec<ResponseType> {
    let path = || "Device.A.1.".to_owned();
    let failed = || OperationFailure::new(7016_u32, "e");
    let errors = || vec![ParameterError::new("P", 7012_u32, "e")];
    let resolved = ResolvedPathResult {
        resolved_path: path(),
        result_params: strings(),
    };
    let got = RequestedPathResult {
        requested_path: path(),
        err_code: 7026,
        err_msg: "e".into(),
        resolved_path_results: vec![resolved.clone(), resolved],
    };
    let instance = CurrInstance {
        instantiated_obj_path: path(),
        unique_keys: strings(),
    };
    let instances = RequestedInstancesResult {
        requested_path: path(),
        err_code: 7026,
        err_msg: "e".into(),
        curr_insts: vec![instance.clone(), instance],
    };
    let added = AddSuccess {
        instantiated_path: path(),
        param_errs: errors(),
        unique_keys: strings(),
    };
    let deleted = DeleteSuccess {
        affected_paths: vec![path()],
        unaffected_path_errs: vec![UnaffectedPathError {
            unaffected_path: path(),
            err_code: 7018,
            err_msg: "e".into(),
        }],
    };
    let set = SetSuccess {
        updated_inst_results: vec![UpdatedInstanceResult {
            affected_path: path(),
            param_errs: errors(),
            updated_params: strings(),
        }],
    };
    let not_set = SetFailure {
        err_code: 7021,
        err_msg: "e".into(),
        updated_inst_failures: vec![UpdatedInstanceFailure {
            affected_path: path(),
            param_errs: errors(),
        }],
    };
    let operated = [
        OperationOutcome::ReqObjPath(path()),
        OperationOutcome::ReqOutputArgs(strings().into()),
        OperationOutcome::CmdFailure(CommandFailure::new(7022_u32, "e")),
    ];
    let registered = |outcome| RegisteredPathResult {
        requested_path: path(),
        oper_status: Some(RegisterOperationStatus {
            oper_status: Some(outcome),
        }),
    };
    let deregistered = |outcome| DeregisteredPathResult {
        requested_path: path(),
        oper_status: Some(DeregisterOperationStatus {
            oper_status: Some(outcome),
        }),
    };
    vec![
        GetResp {
            req_path_results: vec![got],
        }
        .into(),
        GetInstancesResp {
            req_path_results: vec![instances],
        }
        .into(),
        supported().into(),
        GetSupportedProtocolResp {
            agent_supported_protocol_versions: "1.3,1.4".into(),
        }
        .into(),
        AddResp {
            created_obj_results: vec![
                CreatedObjectResult::success(path(), added),
                CreatedObjectResult::failure(path(), failed()),
            ],
        }
        .into(),
        DeleteResp {
            deleted_obj_results: vec![
                DeletedObjectResult::success(path(), deleted),
                DeletedObjectResult::failure(path(), failed()),
            ],
        }
        .into(),
        SetResp {
            updated_obj_results: vec![
                UpdatedObjectResult::success(path(), set),
                UpdatedObjectResult::failure(path(), not_set),
            ],
        }
        .into(),
        OperateResp {
            operation_results: operated
                .into_iter()
                .map(|outcome| OperationResult {
                    executed_command: path(),
                    operation_resp: Some(outcome),
                })
                .collect(),
        }
        .into(),
        NotifyResp {
            subscription_id: "s".into(),
        }
        .into(),
        RegisterResp {
            registered_path_results: vec![
                registered(RegisterOutcome::OperSuccess(RegisterSuccess {
                    registered_path: path(),
                })),
                registered(RegisterOutcome::OperFailure(failed())),
            ],
        }
        .into(),
        DeregisterResp {
            deregistered_path_results: vec![
                deregistered(DeregisterOutcome::OperSuccess(DeregisterSuccess {
                    deregistered_path: vec![path(), path()],
                })),
                deregistered(DeregisterOutcome::OperFailure(failed())),
            ],
        }
        .into(),
    ]
}

fn supported() -> GetSupportedDmResp {
    let object = SupportedObjectResult {
        supported_obj_path: "Device.A.{i}.".into(),
        access: ObjAccessType::AddDelete as i32,
        is_multi_instance: true,
        supported_commands: vec![SupportedCommandResult {
            command_name: "C()".into(),
            input_arg_names: vec!["I".into()],
            output_arg_names: vec!["O".into()],
            command_type: CmdType::Async as i32,
        }],
        supported_events: vec![SupportedEventResult {
            event_name: "E!".into(),
            arg_names: vec!["A".into()],
        }],
        supported_params: vec![SupportedParamResult {
            param_name: "P".into(),
            access: ParamAccessType::ReadWrite as i32,
            value_type: ParamValueType::UnsignedLong as i32,
            value_change: ValueChangeType::WillIgnore as i32,
        }],
        divergent_paths: vec!["Device.A.1.B.".into()],
        unique_key_sets: vec![SupportedUniqueKeySet {
            key_names: vec!["Alias".into()],
        }],
    };
    GetSupportedDmResp {
        req_obj_results: vec![RequestedObjectResult {
            req_obj_path: "Device.".into(),
            err_code: 7026,
            err_msg: "e".into(),
            data_model_inst_uri: "urn:broadband-forum-org:tr-181-2-19-1-usp".into(),
            supported_objs: vec![object],
        }],
    }
}

fn update(param: &str) -> UpdateObject {
    let setting = UpdateParamSetting {
        param: param.into(),
        value: "true".into(),
        required: true,
    };
    UpdateObject {
        obj_path: "Device.LocalAgent.Controller.1.".into(),
        param_settings: vec![setting],
    }
}

fn create(param: &str) -> CreateObject {
    let setting = CreateParamSetting {
        param: param.into(),
        value: "true".into(),
        required: true,
    };
    CreateObject {
        obj_path: "Device.LocalAgent.Controller.".into(),
        param_settings: vec![setting],
    }
}

fn strings() -> BTreeMap<String, String> {
    [("A", "1"), ("B", "")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use usphere_proto::Limits;

    use super::*;

    #[test]
    fn every_kind_of_message_is_there_and_valid() {
        let kinds: BTreeSet<_> = messages()
            .iter()
            .filter_map(Msg::kind)
            .map(|kind| kind as i32)
            .collect();
        assert_eq!(kinds, (0..=22).collect());
        for msg in messages() {
            assert_eq!(
                Msg::receive(msg.clone().into_payload(), &Limits::DEFAULT),
                Ok(msg)
            );
        }
        for record in records() {
            assert_eq!(record.check(&own()), Ok(()), "{record:?}");
        }
    }
}
