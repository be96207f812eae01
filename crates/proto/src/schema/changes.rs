//! The schema of the Messages that report per path: Add, Delete, Set, Register, Deregister.

use super::Kind::{Bool, Fixed32, Message, String};
use super::{Field, MessageType, map, member, message, repeated, single, with_oneof};

// Add

pub(super) static ADD: MessageType = message(
    "Add",
    &[
        single(1, "allow_partial", Bool),
        repeated(2, "create_objs", Message(&CREATE_OBJECT)),
    ],
);

static CREATE_OBJECT: MessageType = message(
    "CreateObject",
    &[
        single(1, "obj_path", String),
        repeated(
            2,
            "param_settings",
            Message(&message("CreateParamSetting", PARAM_SETTING)),
        ),
    ],
);

const PARAM_SETTING: &[Field] = &[
    single(1, "param", String),
    single(2, "value", String),
    single(3, "required", Bool),
];

pub(super) static ADD_RESP: MessageType = message(
    "AddResp",
    &[repeated(
        1,
        "created_obj_results",
        Message(&message("CreatedObjectResult", &result_of(&ADD_STATUS))),
    )],
);

static ADD_STATUS: MessageType = with_oneof(
    "OperationStatus",
    "oper_status",
    &status_of(&FAILURE, &ADD_SUCCESS),
);

static ADD_SUCCESS: MessageType = message(
    "OperationSuccess",
    &[
        single(1, "instantiated_path", String),
        repeated(2, "param_errs", Message(&PARAMETER_ERROR)),
        map(3, "unique_keys"),
    ],
);

static PARAMETER_ERROR: MessageType = message("ParameterError", ERROR_OF_PARAM);

static FAILURE: MessageType = message("OperationFailure", FAILURE_FIELDS);

pub(super) const FAILURE_FIELDS: &[Field] =
    &[single(1, "err_code", Fixed32), single(2, "err_msg", String)];

// Delete

pub(super) static DELETE: MessageType = message(
    "Delete",
    &[
        single(1, "allow_partial", Bool),
        repeated(2, "obj_paths", String),
    ],
);

pub(super) static DELETE_RESP: MessageType = message(
    "DeleteResp",
    &[repeated(
        1,
        "deleted_obj_results",
        Message(&message("DeletedObjectResult", &result_of(&DELETE_STATUS))),
    )],
);

static DELETE_STATUS: MessageType = with_oneof(
    "OperationStatus",
    "oper_status",
    &status_of(&FAILURE, &DELETE_SUCCESS),
);

static DELETE_SUCCESS: MessageType = message(
    "OperationSuccess",
    &[
        repeated(1, "affected_paths", String),
        repeated(
            2,
            "unaffected_path_errs",
            Message(&message("UnaffectedPathError", ERROR_OF_UNAFFECTED_PATH)),
        ),
    ],
);

// Set

pub(super) static SET: MessageType = message(
    "Set",
    &[
        single(1, "allow_partial", Bool),
        repeated(2, "update_objs", Message(&UPDATE_OBJECT)),
    ],
);

static UPDATE_OBJECT: MessageType = message(
    "UpdateObject",
    &[
        single(1, "obj_path", String),
        repeated(
            2,
            "param_settings",
            Message(&message("UpdateParamSetting", PARAM_SETTING)),
        ),
    ],
);

pub(super) static SET_RESP: MessageType = message(
    "SetResp",
    &[repeated(
        1,
        "updated_obj_results",
        Message(&message("UpdatedObjectResult", &result_of(&SET_STATUS))),
    )],
);

static SET_STATUS: MessageType = with_oneof(
    "OperationStatus",
    "oper_status",
    &status_of(&SET_FAILURE, &SET_SUCCESS),
);

static SET_FAILURE: MessageType = message(
    "OperationFailure",
    &[
        single(1, "err_code", Fixed32),
        single(2, "err_msg", String),
        repeated(
            3,
            "updated_inst_failures",
            Message(&message(
                "UpdatedInstanceFailure",
                &[
                    single(1, "affected_path", String),
                    repeated(2, "param_errs", Message(&PARAMETER_ERROR)),
                ],
            )),
        ),
    ],
);

static SET_SUCCESS: MessageType = message(
    "OperationSuccess",
    &[repeated(
        1,
        "updated_inst_results",
        Message(&message(
            "UpdatedInstanceResult",
            &[
                single(1, "affected_path", String),
                repeated(2, "param_errs", Message(&PARAMETER_ERROR)),
                map(3, "updated_params"),
            ],
        )),
    )],
);

// Register and Deregister

pub(super) static REGISTER: MessageType = message(
    "Register",
    &[
        single(1, "allow_partial", Bool),
        repeated(
            2,
            "reg_paths",
            Message(&message("RegistrationPath", &[single(1, "path", String)])),
        ),
    ],
);

pub(super) static REGISTER_RESP: MessageType = message(
    "RegisterResp",
    &[repeated(
        1,
        "registered_path_results",
        Message(&message(
            "RegisteredPathResult",
            &result_of(&REGISTER_STATUS),
        )),
    )],
);

static REGISTER_STATUS: MessageType = with_oneof(
    "OperationStatus",
    "oper_status",
    &status_of(&FAILURE, &REGISTER_SUCCESS),
);

static REGISTER_SUCCESS: MessageType =
    message("OperationSuccess", &[single(1, "registered_path", String)]);

pub(super) static DEREGISTER: MessageType = message("Deregister", &[repeated(1, "paths", String)]);

pub(super) static DEREGISTER_RESP: MessageType = message(
    "DeregisterResp",
    &[repeated(
        1,
        "deregistered_path_results",
        Message(&message(
            "DeregisteredPathResult",
            &result_of(&DEREGISTER_STATUS),
        )),
    )],
);

static DEREGISTER_STATUS: MessageType = with_oneof(
    "OperationStatus",
    "oper_status",
    &status_of(&FAILURE, &DEREGISTER_SUCCESS),
);

static DEREGISTER_SUCCESS: MessageType = message(
    "OperationSuccess",
    &[repeated(1, "deregistered_path", String)],
);

// Shapes that several Messages share

const ERROR_OF_PARAM: &[Field] = &[
    single(1, "param", String),
    single(2, "err_code", Fixed32),
    single(3, "err_msg", String),
];
const ERROR_OF_UNAFFECTED_PATH: &[Field] = &[
    single(1, "unaffected_path", String),
    single(2, "err_code", Fixed32),
    single(3, "err_msg", String),
];

const fn result_of(status: &'static MessageType) -> [Field; 2] {
    [
        single(1, "requested_path", String),
        single(2, "oper_status", Message(status)),
    ]
}

const fn status_of(failure: &'static MessageType, success: &'static MessageType) -> [Field; 2] {
    [
        member(1, "oper_failure", Message(failure)),
        member(2, "oper_success", Message(success)),
    ]
}
