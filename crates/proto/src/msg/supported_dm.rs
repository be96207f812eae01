//! GetSupportedDM: what an Agent could have.

/// Asks for the supported data model.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GetSupportedDm {
    /// Paths of objects.
    #[prost(string, repeated, tag = "1")]
    pub obj_paths: Vec<String>,
    /// Leave out what lies below the named objects and their direct sub-objects.
    #[prost(bool, tag = "2")]
    pub first_level_only: bool,
    /// Include commands.
    #[prost(bool, tag = "3")]
    pub return_commands: bool,
    /// Include events.
    #[prost(bool, tag = "4")]
    pub return_events: bool,
    /// Include parameters.
    #[prost(bool, tag = "5")]
    pub return_params: bool,
    /// Include unique keys.
    #[prost(bool, tag = "6")]
    pub return_unique_key_sets: bool,
}

/// Answers a GetSupportedDM.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GetSupportedDmResp {
    /// One result per requested path, in the order asked.
    #[prost(message, repeated, tag = "1")]
    pub req_obj_results: Vec<RequestedObjectResult>,
}

/// What one path of a GetSupportedDM came to.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RequestedObjectResult {
    /// The path as it was asked for.
    #[prost(string, tag = "1")]
    pub req_obj_path: String,
    /// What went wrong, as a code; 0 when nothing did.
    #[prost(fixed32, tag = "2")]
    pub err_code: u32,
    /// What went wrong, for people.
    #[prost(string, tag = "3")]
    pub err_msg: String,
    /// URI of the data model instance document.
    #[prost(string, tag = "4")]
    pub data_model_inst_uri: String,
    /// The object and those below it.
    #[prost(message, repeated, tag = "5")]
    pub supported_objs: Vec<SupportedObjectResult>,
}

/// One object that is supported.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SupportedObjectResult {
    /// Path of the object, `{i}` for instance numbers.
    #[prost(string, tag = "1")]
    pub supported_obj_path: String,
    /// Whether instances may be added and deleted; an [`ObjAccessType`].
    #[prost(enumeration = "ObjAccessType", tag = "2")]
    pub access: i32,
    /// Whether the object is a table.
    #[prost(bool, tag = "3")]
    pub is_multi_instance: bool,
    /// Its commands.
    #[prost(message, repeated, tag = "4")]
    pub supported_commands: Vec<SupportedCommandResult>,
    /// Its events.
    #[prost(message, repeated, tag = "5")]
    pub supported_events: Vec<SupportedEventResult>,
    /// Its parameters.
    #[prost(message, repeated, tag = "6")]
    pub supported_params: Vec<SupportedParamResult>,
    /// Instances whose model differs from this one.
    #[prost(string, repeated, tag = "7")]
    pub divergent_paths: Vec<String>,
    /// Its unique keys.
    #[prost(message, repeated, tag = "8")]
    pub unique_key_sets: Vec<SupportedUniqueKeySet>,
}

/// One parameter that is supported.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SupportedParamResult {
    /// Its name.
    #[prost(string, tag = "1")]
    pub param_name: String,
    /// Whether it may be read and written; a [`ParamAccessType`].
    #[prost(enumeration = "ParamAccessType", tag = "2")]
    pub access: i32,
    /// Its type; a [`ParamValueType`].
    #[prost(enumeration = "ParamValueType", tag = "3")]
    pub value_type: i32,
    /// Whether ValueChange may be subscribed; a [`ValueChangeType`].
    #[prost(enumeration = "ValueChangeType", tag = "4")]
    pub value_change: i32,
}

/// One command that is supported.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SupportedCommandResult {
    /// Its name, with parentheses.
    #[prost(string, tag = "1")]
    pub command_name: String,
    /// Names of its input arguments.
    #[prost(string, repeated, tag = "2")]
    pub input_arg_names: Vec<String>,
    /// Names of its output arguments.
    #[prost(string, repeated, tag = "3")]
    pub output_arg_names: Vec<String>,
    /// Whether it ends at once; a [`CmdType`].
    #[prost(enumeration = "CmdType", tag = "4")]
    pub command_type: i32,
}

/// One event that is supported.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SupportedEventResult {
    /// Its name, with exclamation mark.
    #[prost(string, tag = "1")]
    pub event_name: String,
    /// Names of its arguments.
    #[prost(string, repeated, tag = "2")]
    pub arg_names: Vec<String>,
}

/// One unique key.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SupportedUniqueKeySet {
    /// Names of the parameters that together are unique.
    #[prost(string, repeated, tag = "1")]
    pub key_names: Vec<String>,
}

/// Access to a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum ParamAccessType {
    /// May be read.
    ReadOnly = 0,
    /// May be read and written.
    ReadWrite = 1,
    /// May be written.
    WriteOnly = 2,
}

/// Access to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum ObjAccessType {
    /// Instances come and go by themselves.
    ReadOnly = 0,
    /// Instances may be added and deleted.
    AddDelete = 1,
    /// Instances may be added.
    AddOnly = 2,
    /// Instances may be deleted.
    DeleteOnly = 3,
}

/// Type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum ParamValueType {
    /// Not known to the Agent.
    Unknown = 0,
    /// `base64`.
    Base64 = 1,
    /// `boolean`.
    Boolean = 2,
    /// `dateTime`.
    DateTime = 3,
    /// `decimal`.
    Decimal = 4,
    /// `hexBinary`.
    HexBinary = 5,
    /// `int`.
    Int = 6,
    /// `long`.
    Long = 7,
    /// `string`.
    String = 8,
    /// `unsignedInt`.
    UnsignedInt = 9,
    /// `unsignedLong`.
    UnsignedLong = 10,
}

/// Whether changes of a parameter are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum ValueChangeType {
    /// Not known to the Agent.
    Unknown = 0,
    /// A ValueChange subscription works.
    Allowed = 1,
    /// A ValueChange subscription is ignored.
    WillIgnore = 2,
}

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum CmdType {
    /// Not known to the Agent.
    Unknown = 0,
    /// Its result is in the response.
    Sync = 1,
    /// Its result is in a later notification.
    Async = 2,
}
