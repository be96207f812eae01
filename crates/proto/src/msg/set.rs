//! Set: new values.

use std::collections::BTreeMap;

use super::ParameterError;

/// Changes values.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Set {
    /// Whether some objects may fail while others are updated; otherwise all or nothing.
    #[prost(bool, tag = "1")]
    pub allow_partial: bool,
    /// What to update.
    #[prost(message, repeated, tag = "2")]
    pub update_objs: Vec<UpdateObject>,
}

/// One object, or the objects of one search path, to update.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct UpdateObject {
    /// Path of the object; it may be a search path.
    #[prost(string, tag = "1")]
    pub obj_path: String,
    /// The new values.
    #[prost(message, repeated, tag = "2")]
    pub param_settings: Vec<UpdateParamSetting>,
}

/// A new value.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct UpdateParamSetting {
    /// Name of the parameter, relative to the object.
    #[prost(string, tag = "1")]
    pub param: String,
    /// Its value in the textual form of TR-106.
    #[prost(string, tag = "2")]
    pub value: String,
    /// Whether the object fails when this parameter does.
    #[prost(bool, tag = "3")]
    pub required: bool,
}

/// Answers a Set.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SetResp {
    /// One result per requested path, in the order asked.
    #[prost(message, repeated, tag = "1")]
    pub updated_obj_results: Vec<UpdatedObjectResult>,
}

/// What one path of a Set came to.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct UpdatedObjectResult {
    /// The path as it was asked for.
    #[prost(string, tag = "1")]
    pub requested_path: String,
    /// Success or failure.
    #[prost(message, optional, tag = "2")]
    pub oper_status: Option<SetOperationStatus>,
}

/// Wraps the outcome of one path of a Set.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SetOperationStatus {
    /// The outcome. Required; `None` violates R-ENC.3.
    #[prost(oneof = "SetOutcome", tags = "1, 2")]
    pub oper_status: Option<SetOutcome>,
}

/// Outcome of one path of a Set.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum SetOutcome {
    /// Nothing was changed.
    #[prost(message, tag = "1")]
    OperFailure(SetFailure),
    /// The objects were updated.
    #[prost(message, tag = "2")]
    OperSuccess(SetSuccess),
}

/// Why one path of a Set failed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SetFailure {
    /// What went wrong, as a code.
    #[prost(fixed32, tag = "1")]
    pub err_code: u32,
    /// What went wrong, for people.
    #[prost(string, tag = "2")]
    pub err_msg: String,
    /// What went wrong with which instance.
    #[prost(message, repeated, tag = "3")]
    pub updated_inst_failures: Vec<UpdatedInstanceFailure>,
}

/// What one path of a Set changed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SetSuccess {
    /// One entry per updated instance.
    #[prost(message, repeated, tag = "1")]
    pub updated_inst_results: Vec<UpdatedInstanceResult>,
}

/// An instance that was not updated.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct UpdatedInstanceFailure {
    /// Path of the instance.
    #[prost(string, tag = "1")]
    pub affected_path: String,
    /// Its parameters that failed.
    #[prost(message, repeated, tag = "2")]
    pub param_errs: Vec<ParameterError>,
}

/// An instance that was updated.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct UpdatedInstanceResult {
    /// Path of the instance.
    #[prost(string, tag = "1")]
    pub affected_path: String,
    /// Its optional parameters that failed.
    #[prost(message, repeated, tag = "2")]
    pub param_errs: Vec<ParameterError>,
    /// New values by parameter name, relative to `affected_path`.
    #[prost(btree_map = "string, string", tag = "3")]
    pub updated_params: BTreeMap<String, String>,
}

impl UpdatedObjectResult {
    /// The result of a path whose objects were updated.
    pub fn success(requested_path: impl Into<String>, success: SetSuccess) -> Self {
        Self::new(requested_path.into(), SetOutcome::OperSuccess(success))
    }

    /// The result of a path that failed.
    pub fn failure(requested_path: impl Into<String>, failure: SetFailure) -> Self {
        Self::new(requested_path.into(), SetOutcome::OperFailure(failure))
    }

    /// The outcome, where the peer sent one.
    pub fn outcome(&self) -> Option<&SetOutcome> {
        self.oper_status.as_ref()?.oper_status.as_ref()
    }

    fn new(requested_path: String, outcome: SetOutcome) -> Self {
        let oper_status = Some(SetOperationStatus {
            oper_status: Some(outcome),
        });
        Self {
            requested_path,
            oper_status,
        }
    }
}
