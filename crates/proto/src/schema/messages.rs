//! The schema of Messages, 1.4.

use super::Kind::{Bool, Enum, Fixed32, Message, String};
use super::changes::{
    ADD, ADD_RESP, DELETE, DELETE_RESP, DEREGISTER, DEREGISTER_RESP, FAILURE_FIELDS, REGISTER,
    REGISTER_RESP, SET, SET_RESP,
};
use super::{EnumType, Field, MessageType, map, member, message, repeated, single, with_oneof};

pub(crate) static MSG: MessageType = message(
    "Msg",
    &[
        single(1, "header", Message(&HEADER)),
        single(2, "body", Message(&BODY)),
    ],
);

static HEADER: MessageType = message(
    "Header",
    &[
        single(1, "msg_id", String),
        single(2, "msg_type", Enum(&MSG_TYPE)),
    ],
);

static MSG_TYPE: EnumType = EnumType {
    values: &[
        "ERROR",
        "GET",
        "GET_RESP",
        "NOTIFY",
        "SET",
        "SET_RESP",
        "OPERATE",
        "OPERATE_RESP",
        "ADD",
        "ADD_RESP",
        "DELETE",
        "DELETE_RESP",
        "GET_SUPPORTED_DM",
        "GET_SUPPORTED_DM_RESP",
        "GET_INSTANCES",
        "GET_INSTANCES_RESP",
        "NOTIFY_RESP",
        "GET_SUPPORTED_PROTO",
        "GET_SUPPORTED_PROTO_RESP",
        "REGISTER",
        "REGISTER_RESP",
        "DEREGISTER",
        "DEREGISTER_RESP",
    ],
};

static BODY: MessageType = with_oneof(
    "Body",
    "msg_body",
    &[
        member(1, "request", Message(&REQUEST)),
        member(2, "response", Message(&RESPONSE)),
        member(3, "error", Message(&ERROR)),
    ],
);

static REQUEST: MessageType = with_oneof(
    "Request",
    "req_type",
    &[
        member(1, "get", Message(&GET)),
        member(2, "get_supported_dm", Message(&GET_SUPPORTED_DM)),
        member(3, "get_instances", Message(&GET_INSTANCES)),
        member(4, "set", Message(&SET)),
        member(5, "add", Message(&ADD)),
        member(6, "delete", Message(&DELETE)),
        member(7, "operate", Message(&OPERATE)),
        member(8, "notify", Message(&NOTIFY)),
        member(
            9,
            "get_supported_protocol",
            Message(&GET_SUPPORTED_PROTOCOL),
        ),
        member(10, "register", Message(&REGISTER)),
        member(11, "deregister", Message(&DEREGISTER)),
    ],
);

static RESPONSE: MessageType = with_oneof(
    "Response",
    "resp_type",
    &[
        member(1, "get_resp", Message(&GET_RESP)),
        member(2, "get_supported_dm_resp", Message(&GET_SUPPORTED_DM_RESP)),
        member(3, "get_instances_resp", Message(&GET_INSTANCES_RESP)),
        member(4, "set_resp", Message(&SET_RESP)),
        member(5, "add_resp", Message(&ADD_RESP)),
        member(6, "delete_resp", Message(&DELETE_RESP)),
        member(7, "operate_resp", Message(&OPERATE_RESP)),
        member(8, "notify_resp", Message(&NOTIFY_RESP)),
        member(
            9,
            "get_supported_protocol_resp",
            Message(&GET_SUPPORTED_PROTOCOL_RESP),
        ),
        member(10, "register_resp", Message(&REGISTER_RESP)),
        member(11, "deregister_resp", Message(&DEREGISTER_RESP)),
    ],
);

static ERROR: MessageType = message(
    "Error",
    &[
        single(1, "err_code", Fixed32),
        single(2, "err_msg", String),
        repeated(
            3,
            "param_errs",
            Message(&message("ParamError", ERROR_OF_PARAM_PATH)),
        ),
    ],
);

// Get

static GET: MessageType = message(
    "Get",
    &[
        repeated(1, "param_paths", String),
        single(2, "max_depth", Fixed32),
    ],
);

static GET_RESP: MessageType = message(
    "GetResp",
    &[repeated(
        1,
        "req_path_results",
        Message(&message(
            "RequestedPathResult",
            &[
                single(1, "requested_path", String),
                single(2, "err_code", Fixed32),
                single(3, "err_msg", String),
                repeated(4, "resolved_path_results", Message(&RESOLVED_PATH_RESULT)),
            ],
        )),
    )],
);

static RESOLVED_PATH_RESULT: MessageType = message(
    "ResolvedPathResult",
    &[single(1, "resolved_path", String), map(2, "result_params")],
);

// GetSupportedDM

static GET_SUPPORTED_DM: MessageType = message(
    "GetSupportedDM",
    &[
        repeated(1, "obj_paths", String),
        single(2, "first_level_only", Bool),
        single(3, "return_commands", Bool),
        single(4, "return_events", Bool),
        single(5, "return_params", Bool),
        single(6, "return_unique_key_sets", Bool),
    ],
);

static GET_SUPPORTED_DM_RESP: MessageType = message(
    "GetSupportedDMResp",
    &[repeated(
        1,
        "req_obj_results",
        Message(&message(
            "RequestedObjectResult",
            &[
                single(1, "req_obj_path", String),
                single(2, "err_code", Fixed32),
                single(3, "err_msg", String),
                single(4, "data_model_inst_uri", String),
                repeated(5, "supported_objs", Message(&SUPPORTED_OBJECT_RESULT)),
            ],
        )),
    )],
);

static SUPPORTED_OBJECT_RESULT: MessageType = message(
    "SupportedObjectResult",
    &[
        single(1, "supported_obj_path", String),
        single(
            2,
            "access",
            Enum(&EnumType {
                values: &[
                    "OBJ_READ_ONLY",
                    "OBJ_ADD_DELETE",
                    "OBJ_ADD_ONLY",
                    "OBJ_DELETE_ONLY",
                ],
            }),
        ),
        single(3, "is_multi_instance", Bool),
        repeated(4, "supported_commands", Message(&SUPPORTED_COMMAND_RESULT)),
        repeated(5, "supported_events", Message(&SUPPORTED_EVENT_RESULT)),
        repeated(6, "supported_params", Message(&SUPPORTED_PARAM_RESULT)),
        repeated(7, "divergent_paths", String),
        repeated(
            8,
            "unique_key_sets",
            Message(&message(
                "SupportedUniqueKeySet",
                &[repeated(1, "key_names", String)],
            )),
        ),
    ],
);

static SUPPORTED_PARAM_RESULT: MessageType = message(
    "SupportedParamResult",
    &[
        single(1, "param_name", String),
        single(
            2,
            "access",
            Enum(&EnumType {
                values: &["PARAM_READ_ONLY", "PARAM_READ_WRITE", "PARAM_WRITE_ONLY"],
            }),
        ),
        single(3, "value_type", Enum(&PARAM_VALUE_TYPE)),
        single(
            4,
            "value_change",
            Enum(&EnumType {
                values: &[
                    "VALUE_CHANGE_UNKNOWN",
                    "VALUE_CHANGE_ALLOWED",
                    "VALUE_CHANGE_WILL_IGNORE",
                ],
            }),
        ),
    ],
);

static PARAM_VALUE_TYPE: EnumType = EnumType {
    values: &[
        "PARAM_UNKNOWN",
        "PARAM_BASE_64",
        "PARAM_BOOLEAN",
        "PARAM_DATE_TIME",
        "PARAM_DECIMAL",
        "PARAM_HEX_BINARY",
        "PARAM_INT",
        "PARAM_LONG",
        "PARAM_STRING",
        "PARAM_UNSIGNED_INT",
        "PARAM_UNSIGNED_LONG",
    ],
};

static SUPPORTED_COMMAND_RESULT: MessageType = message(
    "SupportedCommandResult",
    &[
        single(1, "command_name", String),
        repeated(2, "input_arg_names", String),
        repeated(3, "output_arg_names", String),
        single(
            4,
            "command_type",
            Enum(&EnumType {
                values: &["CMD_UNKNOWN", "CMD_SYNC", "CMD_ASYNC"],
            }),
        ),
    ],
);

static SUPPORTED_EVENT_RESULT: MessageType = message(
    "SupportedEventResult",
    &[
        single(1, "event_name", String),
        repeated(2, "arg_names", String),
    ],
);

// GetInstances

static GET_INSTANCES: MessageType = message(
    "GetInstances",
    &[
        repeated(1, "obj_paths", String),
        single(2, "first_level_only", Bool),
    ],
);

static GET_INSTANCES_RESP: MessageType = message(
    "GetInstancesResp",
    &[repeated(
        1,
        "req_path_results",
        Message(&message(
            "RequestedPathResult",
            &[
                single(1, "requested_path", String),
                single(2, "err_code", Fixed32),
                single(3, "err_msg", String),
                repeated(
                    4,
                    "curr_insts",
                    Message(&message(
                        "CurrInstance",
                        &[
                            single(1, "instantiated_obj_path", String),
                            map(2, "unique_keys"),
                        ],
                    )),
                ),
            ],
        )),
    )],
);

// GetSupportedProtocol

static GET_SUPPORTED_PROTOCOL: MessageType = message(
    "GetSupportedProtocol",
    &[single(1, "controller_supported_protocol_versions", String)],
);

static GET_SUPPORTED_PROTOCOL_RESP: MessageType = message(
    "GetSupportedProtocolResp",
    &[single(1, "agent_supported_protocol_versions", String)],
);

// Operate

static OPERATE: MessageType = message(
    "Operate",
    &[
        single(1, "command", String),
        single(2, "command_key", String),
        single(3, "send_resp", Bool),
        map(4, "input_args"),
    ],
);

static OPERATE_RESP: MessageType = message(
    "OperateResp",
    &[repeated(
        1,
        "operation_results",
        Message(&with_oneof(
            "OperationResult",
            "operation_resp",
            &[
                single(1, "executed_command", String),
                member(2, "req_obj_path", String),
                member(3, "req_output_args", Message(&OUTPUT_ARGS)),
                member(4, "cmd_failure", Message(&COMMAND_FAILURE)),
            ],
        )),
    )],
);

static OUTPUT_ARGS: MessageType = message("OutputArgs", &[map(1, "output_args")]);

static COMMAND_FAILURE: MessageType = message("CommandFailure", FAILURE_FIELDS);

// Notify

static NOTIFY: MessageType = with_oneof(
    "Notify",
    "notification",
    &[
        single(1, "subscription_id", String),
        single(2, "send_resp", Bool),
        member(3, "event", Message(&EVENT)),
        member(4, "value_change", Message(&VALUE_CHANGE)),
        member(5, "obj_creation", Message(&OBJECT_CREATION)),
        member(
            6,
            "obj_deletion",
            Message(&message("ObjectDeletion", &[single(1, "obj_path", String)])),
        ),
        member(7, "oper_complete", Message(&OPERATION_COMPLETE)),
        member(8, "on_board_req", Message(&ON_BOARD_REQUEST)),
    ],
);

static EVENT: MessageType = message(
    "Event",
    &[
        single(1, "obj_path", String),
        single(2, "event_name", String),
        map(3, "params"),
    ],
);

static VALUE_CHANGE: MessageType = message(
    "ValueChange",
    &[
        single(1, "param_path", String),
        single(2, "param_value", String),
    ],
);

static OBJECT_CREATION: MessageType = message(
    "ObjectCreation",
    &[single(1, "obj_path", String), map(2, "unique_keys")],
);

static OPERATION_COMPLETE: MessageType = with_oneof(
    "OperationComplete",
    "operation_resp",
    &[
        single(1, "obj_path", String),
        single(2, "command_name", String),
        single(3, "command_key", String),
        member(4, "req_output_args", Message(&OUTPUT_ARGS)),
        member(5, "cmd_failure", Message(&COMMAND_FAILURE)),
    ],
);

static ON_BOARD_REQUEST: MessageType = message(
    "OnBoardRequest",
    &[
        single(1, "oui", String),
        single(2, "product_class", String),
        single(3, "serial_number", String),
        single(4, "agent_supported_protocol_versions", String),
    ],
);

static NOTIFY_RESP: MessageType = message("NotifyResp", &[single(1, "subscription_id", String)]);

const ERROR_OF_PARAM_PATH: &[Field] = &[
    single(1, "param_path", String),
    single(2, "err_code", Fixed32),
    single(3, "err_msg", String),
];
