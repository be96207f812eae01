//! What a device can do, as it tells it itself: its objects, parameters, commands and events.

use serde::{Deserialize, Serialize};

use super::Failure;

/// What there can be.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SupportedModelOutcome {
    /// One for each path asked for.
    pub results: Vec<SupportedModelResult>,
}

/// What one path of a [`SupportedModel`](super::SupportedModel) gave.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SupportedModelResult {
    /// The path as it was asked for.
    pub requested: String,
    /// What is supported, or why nothing is.
    #[serde(flatten)]
    pub status: SupportedModelStatus,
}

/// What is supported at a path, or why nothing is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SupportedModelStatus {
    /// Nothing is.
    Failed(Failure),
    /// What is.
    Supported(Supported),
}

/// The supported objects below a path.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Supported {
    /// Where the device's data model is described; may be empty.
    pub model_uri: String,
    /// The objects, parents first.
    pub objects: Vec<SupportedObject>,
}

/// One object that there can be.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SupportedObject {
    /// Its path, with `{i}` for instances.
    pub path: String,
    /// Whether rows can be added and deleted.
    pub access: ObjectAccess,
    /// Whether it is a table.
    pub multi_instance: bool,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<SupportedParameter>,
    /// Its commands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<SupportedCommand>,
    /// Its events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<SupportedEvent>,
    /// Its unique keys, each a list of parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unique_keys: Vec<Vec<String>>,
    /// Instances whose supported model differs from this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub divergent_paths: Vec<String>,
}

/// Whether rows of a table can be added and deleted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ObjectAccess {
    /// Both.
    AddDelete,
    /// Added only.
    AddOnly,
    /// Deleted only.
    DeleteOnly,
    /// Neither.
    ReadOnly,
}

/// One parameter that there can be.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SupportedParameter {
    /// Its name.
    pub name: String,
    /// Whether it can be read and written.
    pub access: ParameterAccess,
    /// The type of its value.
    #[serde(rename = "type")]
    pub kind: ParameterKind,
    /// Whether the device can tell that it changed.
    pub value_change: ValueChange,
}

/// Whether a parameter can be read and written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ParameterAccess {
    /// Read only.
    ReadOnly,
    /// Both.
    ReadWrite,
    /// Written only.
    WriteOnly,
}

/// The type of a parameter, by its TR-106 name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum ParameterKind {
    /// `base64`.
    Base64,
    /// `boolean`.
    Boolean,
    /// `dateTime`.
    DateTime,
    /// `decimal`.
    Decimal,
    /// `hexBinary`.
    HexBinary,
    /// `int`.
    Int,
    /// `long`.
    Long,
    /// `string`.
    String,
    /// The device does not say: `unknown`.
    Unknown,
    /// `unsignedInt`.
    UnsignedInt,
    /// `unsignedLong`.
    UnsignedLong,
}

/// Whether a device tells that a parameter changed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ValueChange {
    /// It does.
    Allowed,
    /// It does not say.
    Unknown,
    /// It takes the wish and never tells.
    WillIgnore,
}

/// One command that there can be.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SupportedCommand {
    /// Its name, with `()`.
    pub name: String,
    /// Whether it answers when it is done, or at once.
    pub kind: CommandKind,
    /// Names of its input arguments.
    pub inputs: Vec<String>,
    /// Names of its output arguments.
    pub outputs: Vec<String>,
}

/// When a command answers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CommandKind {
    /// At once, with the path of a request object: `async`.
    #[serde(rename = "async")]
    Asynchronous,
    /// When it is done: `sync`.
    #[serde(rename = "sync")]
    Synchronous,
    /// The device does not say.
    Unknown,
}

/// One event that there can be.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SupportedEvent {
    /// Its name, with `!`.
    pub name: String,
    /// Names of its arguments.
    pub arguments: Vec<String>,
}
