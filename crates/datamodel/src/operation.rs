//! Operations on a managed device and their outcomes, in words that no protocol owns.
//!
//! These types are the public JSON of the platform: the body of an API request is one of the
//! operation structs, the body of its answer the outcome struct of the same kind, and `--json` on the
//! command line prints the same. Names are snake_case and stable. Whoever speaks to a device
//! translates them to its protocol in one place; nothing above that place asks which protocol it is.
//!
//! What a device says of its own accord is a [`Notified`], with a JSON of its own.
//!
//! Results come in the order the device gave them. A result says either what was done or why not:
//!
//! ```json
//! {"results": [
//!   {"requested": "Device.DeviceInfo.", "found": [
//!     {"path": "Device.DeviceInfo.", "parameters": {"Manufacturer": "Example"}}]},
//!   {"requested": "Device.Nothing.", "failed": {"code": 7026, "text": "no such object"}}]}
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

mod notification;
mod outcome;
mod supported;
#[cfg(test)]
mod tests;
mod whole;

pub use notification::{Completion, Notification, NotificationKind, Notified, UnknownNotification};
pub use outcome::{
    AddOutcome, AddResult, AddStatus, Created, DeleteOutcome, DeleteResult, DeleteStatus, Deleted,
    Failure, GetOutcome, GetResult, GetStatus, Instance, InstanceFailure, InstancesOutcome,
    InstancesResult, InstancesStatus, ObjectValues, OperateOutcome, OperateResult, OperateStatus,
    OperationError, Outcome, ParameterFailure, PathFailure, Refusal, SetFailure, SetOutcome,
    SetResult, SetStatus, SupportedProtocolOutcome, Updated,
};
pub use supported::{
    CommandKind, ObjectAccess, ParameterAccess, ParameterKind, Supported, SupportedCommand,
    SupportedEvent, SupportedModelOutcome, SupportedModelResult, SupportedModelStatus,
    SupportedObject, SupportedParameter, ValueChange,
};
pub use whole::whole;

/// Something that is asked of one device.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Add rows to tables.
    Add(Add),
    /// Delete rows of tables.
    Delete(Delete),
    /// Read values.
    Get(Get),
    /// List the instances of tables.
    Instances(Instances),
    /// Run a command.
    Operate(Operate),
    /// Write values.
    Set(Set),
    /// Tell which objects, parameters, commands and events there can be.
    #[serde(rename = "schema")]
    SupportedModel(SupportedModel),
    /// Tell which versions of its protocol the device speaks.
    #[serde(rename = "protocol")]
    SupportedProtocol(SupportedProtocol),
}

impl Operation {
    /// Which kind of operation this is.
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
}

/// The kinds of operations. As text they are the verbs of the command line and of the API.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum OperationKind {
    /// [`Add`], `add`.
    Add,
    /// [`Delete`], `delete`.
    Delete,
    /// [`Get`], `get`.
    Get,
    /// [`Instances`], `instances`.
    Instances,
    /// [`Operate`], `operate`.
    Operate,
    /// [`Set`], `set`.
    Set,
    /// [`SupportedModel`], `schema`.
    SupportedModel,
    /// [`SupportedProtocol`], `protocol`.
    SupportedProtocol,
}

impl OperationKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Add,
        Self::Delete,
        Self::Get,
        Self::Instances,
        Self::Operate,
        Self::Set,
        Self::SupportedModel,
        Self::SupportedProtocol,
    ];

    /// The verb.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Delete => "delete",
            Self::Get => "get",
            Self::Instances => "instances",
            Self::Operate => "operate",
            Self::Set => "set",
            Self::SupportedModel => "schema",
            Self::SupportedProtocol => "protocol",
        }
    }
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for OperationKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownKind)
    }
}

/// The text names no kind of operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected one of add, delete, get, instances, operate, protocol, schema, set")]
pub struct UnknownKind;

/// Reads values.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// Paths of objects and parameters; searches, wildcards and references are followed.
    pub paths: Vec<String>,
    /// How many levels of sub-objects to go down; 0 for all.
    #[serde(default, deserialize_with = "whole")]
    #[cfg_attr(feature = "openapi", schema(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64))]
    pub max_depth: u32,
}

/// Writes values.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// What to write, object by object.
    pub objects: Vec<ObjectSettings>,
    /// `true`: each object on its own. `false`: all or nothing.
    #[serde(default)]
    pub allow_partial: bool,
}

/// Adds rows to tables.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Add {
    /// The rows, each with the path of its table and the values it starts with.
    pub objects: Vec<ObjectSettings>,
    /// `true`: each row on its own. `false`: all or nothing.
    #[serde(default)]
    pub allow_partial: bool,
}

/// Values for the object, objects or new row at a path.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ObjectSettings {
    /// The object, a search that finds objects, or for [`Add`] the table.
    pub path: String,
    /// The values.
    #[serde(default)]
    pub parameters: Vec<Setting>,
}

/// One value to write.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// The parameter, relative to its object.
    pub name: String,
    /// The value in its TR-106 text form.
    pub value: String,
    /// Whether the object fails when this parameter does. `true` where not given.
    #[serde(default = "yes")]
    pub required: bool,
}

/// Deletes rows of tables.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// Paths of instances, or searches that find them.
    pub paths: Vec<String>,
    /// `true`: each path on its own. `false`: all or nothing.
    #[serde(default)]
    pub allow_partial: bool,
}

/// Runs a command.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Operate {
    /// Path of the command, with its `()`.
    pub command: String,
    /// Text that comes back in the notification that a long command is complete.
    #[serde(default)]
    pub command_key: String,
    /// Input arguments by name.
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
    /// Whether the device is to answer. When `false` the outcome is empty and comes as soon as the
    /// request was sent. `true` where not given.
    #[serde(default = "yes")]
    pub send_resp: bool,
}

/// Lists the instances of tables.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Instances {
    /// Paths of tables or objects.
    pub paths: Vec<String>,
    /// Leave out the tables below those instances.
    #[serde(default)]
    pub first_level_only: bool,
}

/// Asks what there can be below some paths.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SupportedModel {
    /// Paths of objects, parameters, commands or events, with `{i}` for instances.
    pub paths: Vec<String>,
    /// Leave out the objects below the direct children.
    #[serde(default)]
    pub first_level_only: bool,
    /// List commands. `true` where not given.
    #[serde(default = "yes")]
    pub commands: bool,
    /// List events. `true` where not given.
    #[serde(default = "yes")]
    pub events: bool,
    /// List parameters. `true` where not given.
    #[serde(default = "yes")]
    pub parameters: bool,
    /// List the unique keys of tables. `true` where not given.
    #[serde(default = "yes")]
    pub unique_keys: bool,
}

/// Asks which versions of its protocol the device speaks.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SupportedProtocol {
    /// The versions the asker says it speaks, as `major.minor`; its own list where empty.
    #[serde(default)]
    pub versions: Vec<String>,
}

impl Get {
    /// Reads all below `paths`.
    pub fn all<T: Into<String>>(paths: impl IntoIterator<Item = T>) -> Self {
        Self {
            paths: paths.into_iter().map(Into::into).collect(),
            max_depth: 0,
        }
    }
}

impl Operate {
    /// Runs `command` without arguments and waits for the answer.
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            command_key: String::new(),
            arguments: BTreeMap::new(),
            send_resp: true,
        }
    }
}

impl Setting {
    /// `name` is to become `value`, or its object fails.
    pub fn required(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            required: true,
        }
    }

    /// `name` is to become `value`; its object stays when that fails.
    pub fn optional(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            required: false,
            ..Self::required(name, value)
        }
    }
}

impl SupportedModel {
    /// Everything there can be below `paths`.
    pub fn all<T: Into<String>>(paths: impl IntoIterator<Item = T>) -> Self {
        Self {
            paths: paths.into_iter().map(Into::into).collect(),
            first_level_only: false,
            commands: true,
            events: true,
            parameters: true,
            unique_keys: true,
        }
    }
}

fn yes() -> bool {
    true
}
