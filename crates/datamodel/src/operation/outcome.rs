//! What came of an operation: a struct per kind, and the error when nothing did.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{OperationKind, SupportedModelOutcome};

/// What came of an operation that the device carried out, wholly or in part.
///
/// Its JSON is that of the struct inside; [`Outcome::from_json`] reads it back, given the kind.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// Of an [`Add`](super::Add).
    Add(AddOutcome),
    /// Of a [`Delete`](super::Delete).
    Delete(DeleteOutcome),
    /// Of a [`Get`](super::Get).
    Get(GetOutcome),
    /// Of an [`Instances`](super::Instances).
    Instances(InstancesOutcome),
    /// Of an [`Operate`](super::Operate).
    Operate(OperateOutcome),
    /// Of a [`Set`](super::Set).
    Set(SetOutcome),
    /// Of a [`SupportedModel`](super::SupportedModel).
    SupportedModel(SupportedModelOutcome),
    /// Of a [`SupportedProtocol`](super::SupportedProtocol).
    SupportedProtocol(SupportedProtocolOutcome),
}

impl Outcome {
    /// The kind of operation it came of.
    pub fn kind(&self) -> OperationKind {
        match self {
            Self::Add(_) => OperationKind::Add,
            Self::Delete(_) => OperationKind::Delete,
            Self::Get(_) => OperationKind::Get,
            Self::Instances(_) => OperationKind::Instances,
            Self::Operate(_) => OperationKind::Operate,
            Self::Set(_) => OperationKind::Set,
            Self::SupportedModel(_) => OperationKind::SupportedModel,
            Self::SupportedProtocol(_) => OperationKind::SupportedProtocol,
        }
    }

    /// Reads the JSON of an outcome of `kind` from any serde format.
    ///
    /// # Errors
    /// Those of the format: a missing field, a wrong type.
    pub fn from_json<'de, D: serde::Deserializer<'de>>(
        kind: OperationKind,
        json: D,
    ) -> Result<Self, D::Error> {
        Ok(match kind {
            OperationKind::Add => Self::Add(AddOutcome::deserialize(json)?),
            OperationKind::Delete => Self::Delete(DeleteOutcome::deserialize(json)?),
            OperationKind::Get => Self::Get(GetOutcome::deserialize(json)?),
            OperationKind::Instances => Self::Instances(InstancesOutcome::deserialize(json)?),
            OperationKind::Operate => Self::Operate(OperateOutcome::deserialize(json)?),
            OperationKind::Set => Self::Set(SetOutcome::deserialize(json)?),
            OperationKind::SupportedModel => {
                Self::SupportedModel(SupportedModelOutcome::deserialize(json)?)
            }
            OperationKind::SupportedProtocol => {
                Self::SupportedProtocol(SupportedProtocolOutcome::deserialize(json)?)
            }
        })
    }
}

/// Why nothing came of an operation.
///
/// Its JSON carries the name of the variant in `error`: `{"error": "refused", "code": 7002, …}`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "error", rename_all = "snake_case")]
pub enum OperationError {
    /// The connection ended before the answer came. Whether the device carried the operation out is
    /// not known.
    #[error(
        "the device disconnected before it answered; whether it carried the operation out is not known"
    )]
    Disconnected,
    /// The device answered with something that cannot be read as the answer to this operation.
    #[error("the device's answer is not valid: {text}")]
    InvalidAnswer {
        /// What was wrong with it.
        text: String,
    },
    /// The device is not connected.
    #[error("the device is not connected")]
    NotConnected,
    /// Too many operations on this device wait for their answers already.
    #[error("{limit} operations on the device wait already")]
    Overloaded {
        /// How many may.
        limit: usize,
    },
    /// The device refused the whole operation.
    #[error("the device refused: {0}")]
    Refused(Refusal),
    /// No answer came in time. Whether the device carried the operation out is not known.
    #[error("the device did not answer in time")]
    TimedOut,
    /// The operation cannot be expressed in the device's protocol.
    #[error("not supported: {text}")]
    Unsupported {
        /// What is not supported.
        text: String,
    },
}

/// The error with which a device refused a whole operation.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Refusal {
    /// The protocol's number of the error.
    pub code: u32,
    /// The device's words.
    pub text: String,
    /// The parameters that were the cause, by full path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<ParameterFailure>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (code {})", self.text, self.code)?;
        self.parameters
            .iter()
            .try_for_each(|each| write!(f, "; {}: {} ({})", each.parameter, each.text, each.code))
    }
}

/// Why one thing failed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Failure {
    /// The protocol's number of the error.
    pub code: u32,
    /// The device's words.
    pub text: String,
}

/// Why one parameter failed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParameterFailure {
    /// The parameter: relative to its object in results, the full path in a [`Refusal`].
    pub parameter: String,
    /// The protocol's number of the error.
    pub code: u32,
    /// The device's words.
    pub text: String,
}

/// Why one object could not be deleted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PathFailure {
    /// The object.
    pub path: String,
    /// The protocol's number of the error.
    pub code: u32,
    /// The device's words.
    pub text: String,
}

/// Values read.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GetOutcome {
    /// One for each path asked for.
    pub results: Vec<GetResult>,
}

/// What one path of a [`Get`](super::Get) gave.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GetResult {
    /// The path as it was asked for.
    pub requested: String,
    /// The values, or why there are none.
    #[serde(flatten)]
    pub status: GetStatus,
}

/// The values at a path, or why there are none.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GetStatus {
    /// The path cannot be read.
    Failed(Failure),
    /// What it led to; empty when a search found nothing.
    Found(Vec<ObjectValues>),
}

/// Values of one object.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ObjectValues {
    /// The object, with instance numbers.
    pub path: String,
    /// Its parameters by name.
    pub parameters: BTreeMap<String, String>,
}

/// Values written.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetOutcome {
    /// One for each object asked for.
    pub results: Vec<SetResult>,
}

/// What came of one object of a [`Set`](super::Set).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetResult {
    /// The path as it was asked for.
    pub requested: String,
    /// What was written, or why nothing was.
    #[serde(flatten)]
    pub status: SetStatus,
}

/// What was written at a path, or why nothing was.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SetStatus {
    /// Nothing was written.
    Failed(SetFailure),
    /// The objects written; empty when a search found nothing.
    Updated(Vec<Updated>),
}

/// Why nothing was written at a path.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetFailure {
    /// The protocol's number of the error.
    pub code: u32,
    /// The device's words.
    pub text: String,
    /// The objects that were the cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<InstanceFailure>,
}

/// The parameters of one object that could not be written.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InstanceFailure {
    /// The object, with instance numbers.
    pub path: String,
    /// Its parameters that failed.
    pub failures: Vec<ParameterFailure>,
}

/// One object that was written.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Updated {
    /// The object, with instance numbers.
    pub path: String,
    /// The values it has now, by parameter.
    pub parameters: BTreeMap<String, String>,
    /// Optional parameters that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<ParameterFailure>,
}

/// Rows added.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddOutcome {
    /// One for each row asked for; more when the path of the table was a search.
    pub results: Vec<AddResult>,
}

/// What came of one row of an [`Add`](super::Add).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddResult {
    /// The path of the table as it was asked for.
    pub requested: String,
    /// The new row, or why there is none.
    #[serde(flatten)]
    pub status: AddStatus,
}

/// The new row, or why there is none.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AddStatus {
    /// The new row.
    Created(Created),
    /// There is no new row.
    Failed(Failure),
}

/// A new row.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Created {
    /// Its path, with its instance number; empty when a search found no table.
    pub path: String,
    /// Its unique keys by parameter.
    pub unique_keys: BTreeMap<String, String>,
    /// Optional parameters that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<ParameterFailure>,
}

/// Rows deleted.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeleteOutcome {
    /// One for each path asked for.
    pub results: Vec<DeleteResult>,
}

/// What came of one path of a [`Delete`](super::Delete).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeleteResult {
    /// The path as it was asked for.
    pub requested: String,
    /// What was deleted, or why nothing was.
    #[serde(flatten)]
    pub status: DeleteStatus,
}

/// What was deleted at a path, or why nothing was.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeleteStatus {
    /// What is gone, and what stayed.
    Deleted(Deleted),
    /// Nothing was deleted.
    Failed(Failure),
}

/// What a deletion took away.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Deleted {
    /// The objects that are gone, those below the deleted ones included; empty when there were none.
    pub paths: Vec<String>,
    /// The objects that stayed, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<PathFailure>,
}

/// Commands run.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OperateOutcome {
    /// One for each object that the command's path led to; none when no answer was asked for.
    pub results: Vec<OperateResult>,
}

/// What came of a command on one object.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OperateResult {
    /// The command, with instance numbers.
    pub command: String,
    /// Its output, where to watch it, or why it failed.
    #[serde(flatten)]
    pub status: OperateStatus,
}

/// How far a command got.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum OperateStatus {
    /// It is complete, with these output arguments.
    Completed(BTreeMap<String, String>),
    /// It failed.
    Failed(Failure),
    /// It runs; this is the path of its request object.
    Started(String),
}

/// Instances listed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InstancesOutcome {
    /// One for each path asked for.
    pub results: Vec<InstancesResult>,
}

/// What one path of an [`Instances`](super::Instances) gave.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InstancesResult {
    /// The path as it was asked for.
    pub requested: String,
    /// The instances, or why none can be listed.
    #[serde(flatten)]
    pub status: InstancesStatus,
}

/// The instances at a path, or why none can be listed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum InstancesStatus {
    /// They cannot be listed.
    Failed(Failure),
    /// The instances.
    Found(Vec<Instance>),
}

/// One row of a table.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Instance {
    /// Its path, with its instance number.
    pub path: String,
    /// Its unique keys by parameter.
    pub unique_keys: BTreeMap<String, String>,
}

/// Versions of its protocol that the device speaks.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SupportedProtocolOutcome {
    /// As `major.minor`, in the device's order.
    pub versions: Vec<String>,
}
