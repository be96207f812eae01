//! Delete: instances go.

use super::OperationFailure;

/// Removes instances.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Delete {
    /// Whether some paths may fail while others are deleted; otherwise all or nothing.
    #[prost(bool, tag = "1")]
    pub allow_partial: bool,
    /// Paths of instances, and search paths.
    #[prost(string, repeated, tag = "2")]
    pub obj_paths: Vec<String>,
}

/// Answers a Delete.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeleteResp {
    /// One result per requested path, in the order asked.
    #[prost(message, repeated, tag = "1")]
    pub deleted_obj_results: Vec<DeletedObjectResult>,
}

/// What one path of a Delete came to.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeletedObjectResult {
    /// The path as it was asked for.
    #[prost(string, tag = "1")]
    pub requested_path: String,
    /// Success or failure.
    #[prost(message, optional, tag = "2")]
    pub oper_status: Option<DeleteOperationStatus>,
}

/// Wraps the outcome of one path of a Delete.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeleteOperationStatus {
    /// The outcome. Required; `None` violates R-ENC.3.
    #[prost(oneof = "DeleteOutcome", tags = "1, 2")]
    pub oper_status: Option<DeleteOutcome>,
}

/// Outcome of one path of a Delete.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum DeleteOutcome {
    /// Nothing was deleted.
    #[prost(message, tag = "1")]
    OperFailure(OperationFailure),
    /// What was deleted and what was not.
    #[prost(message, tag = "2")]
    OperSuccess(DeleteSuccess),
}

/// What one path of a Delete removed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeleteSuccess {
    /// Paths of the instances that are gone.
    #[prost(string, repeated, tag = "1")]
    pub affected_paths: Vec<String>,
    /// Matched instances that could not be deleted.
    #[prost(message, repeated, tag = "2")]
    pub unaffected_path_errs: Vec<UnaffectedPathError>,
}

/// An instance that could not be deleted.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct UnaffectedPathError {
    /// Path of the instance.
    #[prost(string, tag = "1")]
    pub unaffected_path: String,
    /// What went wrong, as a code.
    #[prost(fixed32, tag = "2")]
    pub err_code: u32,
    /// What went wrong, for people.
    #[prost(string, tag = "3")]
    pub err_msg: String,
}

impl DeletedObjectResult {
    /// The result of a path that was deleted, wholly or in part.
    pub fn success(requested_path: impl Into<String>, success: DeleteSuccess) -> Self {
        Self::new(requested_path.into(), DeleteOutcome::OperSuccess(success))
    }

    /// The result of a path of which nothing was deleted.
    pub fn failure(requested_path: impl Into<String>, failure: OperationFailure) -> Self {
        Self::new(requested_path.into(), DeleteOutcome::OperFailure(failure))
    }

    /// The outcome, where the peer sent one.
    pub fn outcome(&self) -> Option<&DeleteOutcome> {
        self.oper_status.as_ref()?.oper_status.as_ref()
    }

    fn new(requested_path: String, outcome: DeleteOutcome) -> Self {
        let oper_status = Some(DeleteOperationStatus {
            oper_status: Some(outcome),
        });
        Self {
            requested_path,
            oper_status,
        }
    }
}
