//! Add: new instances.

use std::collections::BTreeMap;

use super::{OperationFailure, ParameterError};

/// Creates instances.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Add {
    /// Whether some objects may fail while others are created; otherwise all or nothing.
    #[prost(bool, tag = "1")]
    pub allow_partial: bool,
    /// What to create.
    #[prost(message, repeated, tag = "2")]
    pub create_objs: Vec<CreateObject>,
}

/// One object to create.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CreateObject {
    /// Path of the table; it may be a search path.
    #[prost(string, tag = "1")]
    pub obj_path: String,
    /// Values for the new instance.
    #[prost(message, repeated, tag = "2")]
    pub param_settings: Vec<CreateParamSetting>,
}

/// A value for a new instance.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CreateParamSetting {
    /// Name of the parameter, relative to the instance.
    #[prost(string, tag = "1")]
    pub param: String,
    /// Its value in the textual form of TR-106.
    #[prost(string, tag = "2")]
    pub value: String,
    /// Whether the object fails when this parameter does.
    #[prost(bool, tag = "3")]
    pub required: bool,
}

/// Answers an Add.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct AddResp {
    /// One result per created or failed object.
    #[prost(message, repeated, tag = "1")]
    pub created_obj_results: Vec<CreatedObjectResult>,
}

/// What one object of an Add came to.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CreatedObjectResult {
    /// The path as it was asked for.
    #[prost(string, tag = "1")]
    pub requested_path: String,
    /// Success or failure.
    #[prost(message, optional, tag = "2")]
    pub oper_status: Option<AddOperationStatus>,
}

/// Wraps the outcome of one object of an Add.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct AddOperationStatus {
    /// The outcome. Required; `None` violates R-ENC.3.
    #[prost(oneof = "AddOutcome", tags = "1, 2")]
    pub oper_status: Option<AddOutcome>,
}

/// Outcome of one object of an Add.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum AddOutcome {
    /// Nothing was created.
    #[prost(message, tag = "1")]
    OperFailure(OperationFailure),
    /// The instance exists.
    #[prost(message, tag = "2")]
    OperSuccess(AddSuccess),
}

/// The instance that an Add created.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct AddSuccess {
    /// Path of the instance, by instance numbers.
    #[prost(string, tag = "1")]
    pub instantiated_path: String,
    /// Optional parameters that were not accepted.
    #[prost(message, repeated, tag = "2")]
    pub param_errs: Vec<ParameterError>,
    /// Values of its unique keys by parameter name.
    #[prost(btree_map = "string, string", tag = "3")]
    pub unique_keys: BTreeMap<String, String>,
}

impl CreatedObjectResult {
    /// The result of an object that was created.
    pub fn success(requested_path: impl Into<String>, success: AddSuccess) -> Self {
        Self::new(requested_path.into(), AddOutcome::OperSuccess(success))
    }

    /// The result of an object that was not created.
    pub fn failure(requested_path: impl Into<String>, failure: OperationFailure) -> Self {
        Self::new(requested_path.into(), AddOutcome::OperFailure(failure))
    }

    /// The outcome, where the peer sent one.
    pub fn outcome(&self) -> Option<&AddOutcome> {
        self.oper_status.as_ref()?.oper_status.as_ref()
    }

    fn new(requested_path: String, outcome: AddOutcome) -> Self {
        let oper_status = Some(AddOperationStatus {
            oper_status: Some(outcome),
        });
        Self {
            requested_path,
            oper_status,
        }
    }
}
