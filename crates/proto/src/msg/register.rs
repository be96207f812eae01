//! Register and Deregister: the paths that a USP Service serves.

use super::OperationFailure;

/// Registers paths of a USP Service.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Register {
    /// Whether some paths may fail while others are registered; otherwise all or nothing.
    #[prost(bool, tag = "1")]
    pub allow_partial: bool,
    /// The paths.
    #[prost(message, repeated, tag = "2")]
    pub reg_paths: Vec<RegistrationPath>,
}

/// One path to register.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RegistrationPath {
    /// Path of an object, without instances.
    #[prost(string, tag = "1")]
    pub path: String,
}

/// Answers a Register.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RegisterResp {
    /// One result per path, in the order asked.
    #[prost(message, repeated, tag = "1")]
    pub registered_path_results: Vec<RegisteredPathResult>,
}

/// What one path of a Register came to.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RegisteredPathResult {
    /// The path as it was asked for.
    #[prost(string, tag = "1")]
    pub requested_path: String,
    /// Success or failure.
    #[prost(message, optional, tag = "2")]
    pub oper_status: Option<RegisterOperationStatus>,
}

/// Wraps the outcome of one path of a Register.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RegisterOperationStatus {
    /// The outcome. Required; `None` violates R-ENC.3.
    #[prost(oneof = "RegisterOutcome", tags = "1, 2")]
    pub oper_status: Option<RegisterOutcome>,
}

/// Outcome of one path of a Register.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum RegisterOutcome {
    /// The path was not registered.
    #[prost(message, tag = "1")]
    OperFailure(OperationFailure),
    /// The path is registered.
    #[prost(message, tag = "2")]
    OperSuccess(RegisterSuccess),
}

/// A path that is registered.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RegisterSuccess {
    /// The path.
    #[prost(string, tag = "1")]
    pub registered_path: String,
}

/// Withdraws paths of a USP Service.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Deregister {
    /// The paths; an empty path means all that were registered.
    #[prost(string, repeated, tag = "1")]
    pub paths: Vec<String>,
}

/// Answers a Deregister.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeregisterResp {
    /// One result per path, in the order asked.
    #[prost(message, repeated, tag = "1")]
    pub deregistered_path_results: Vec<DeregisteredPathResult>,
}

/// What one path of a Deregister came to.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeregisteredPathResult {
    /// The path as it was asked for.
    #[prost(string, tag = "1")]
    pub requested_path: String,
    /// Success or failure.
    #[prost(message, optional, tag = "2")]
    pub oper_status: Option<DeregisterOperationStatus>,
}

/// Wraps the outcome of one path of a Deregister.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeregisterOperationStatus {
    /// The outcome. Required; `None` violates R-ENC.3.
    #[prost(oneof = "DeregisterOutcome", tags = "1, 2")]
    pub oper_status: Option<DeregisterOutcome>,
}

/// Outcome of one path of a Deregister.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum DeregisterOutcome {
    /// The path was not withdrawn.
    #[prost(message, tag = "1")]
    OperFailure(OperationFailure),
    /// The path is withdrawn.
    #[prost(message, tag = "2")]
    OperSuccess(DeregisterSuccess),
}

/// Paths that are withdrawn.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeregisterSuccess {
    /// The paths (`deregistered_path` in the schema, although it repeats).
    #[prost(string, repeated, tag = "1")]
    pub deregistered_path: Vec<String>,
}
