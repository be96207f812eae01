//! Notify: something happened.

use std::collections::BTreeMap;

use super::{CommandFailure, OutputArgs};

/// Tells a recipient that something happened.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Notify {
    /// `ID` of the Subscription; empty in an OnBoardRequest.
    #[prost(string, tag = "1")]
    pub subscription_id: String,
    /// Whether a NotifyResp is wanted.
    #[prost(bool, tag = "2")]
    pub send_resp: bool,
    /// What happened. Required; `None` violates R-ENC.3.
    #[prost(oneof = "Notification", tags = "3, 4, 5, 6, 7, 8")]
    pub notification: Option<Notification>,
}

/// The kinds of notification.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum Notification {
    /// An event of the data model.
    #[prost(message, tag = "3")]
    Event(Event),
    /// A parameter has a new value.
    #[prost(message, tag = "4")]
    ValueChange(ValueChange),
    /// An instance was created.
    #[prost(message, tag = "5")]
    ObjCreation(ObjectCreation),
    /// An instance was deleted.
    #[prost(message, tag = "6")]
    ObjDeletion(ObjectDeletion),
    /// A command has ended.
    #[prost(message, tag = "7")]
    OperComplete(OperationComplete),
    /// The Agent asks to be taken on board.
    #[prost(message, tag = "8")]
    OnBoardReq(OnBoardRequest),
}

/// An event of the data model.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Event {
    /// Path of the object that has the event.
    #[prost(string, tag = "1")]
    pub obj_path: String,
    /// Name of the event, with its exclamation mark.
    #[prost(string, tag = "2")]
    pub event_name: String,
    /// Arguments by name.
    #[prost(btree_map = "string, string", tag = "3")]
    pub params: BTreeMap<String, String>,
}

/// A parameter has a new value.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ValueChange {
    /// Path of the parameter.
    #[prost(string, tag = "1")]
    pub param_path: String,
    /// Its value in the textual form of TR-106.
    #[prost(string, tag = "2")]
    pub param_value: String,
}

/// An instance was created.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ObjectCreation {
    /// Path of the instance.
    #[prost(string, tag = "1")]
    pub obj_path: String,
    /// Values of its unique keys by parameter name.
    #[prost(btree_map = "string, string", tag = "2")]
    pub unique_keys: BTreeMap<String, String>,
}

/// An instance was deleted.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ObjectDeletion {
    /// Path of the instance.
    #[prost(string, tag = "1")]
    pub obj_path: String,
}

/// A command has ended.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct OperationComplete {
    /// Path of the object that has the command.
    #[prost(string, tag = "1")]
    pub obj_path: String,
    /// Name of the command, with its parentheses.
    #[prost(string, tag = "2")]
    pub command_name: String,
    /// The key that the Operate gave.
    #[prost(string, tag = "3")]
    pub command_key: String,
    /// The outcome. Required; `None` violates R-ENC.3.
    #[prost(oneof = "CompletionOutcome", tags = "4, 5")]
    pub operation_resp: Option<CompletionOutcome>,
}

/// Outcome of a command that has ended.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum CompletionOutcome {
    /// The command succeeded.
    #[prost(message, tag = "4")]
    ReqOutputArgs(OutputArgs),
    /// The command failed.
    #[prost(message, tag = "5")]
    CmdFailure(CommandFailure),
}

/// The Agent asks to be taken on board.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct OnBoardRequest {
    /// OUI of the device's maker, six hexadecimal digits.
    #[prost(string, tag = "1")]
    pub oui: String,
    /// Product class of the device.
    #[prost(string, tag = "2")]
    pub product_class: String,
    /// Serial number of the device.
    #[prost(string, tag = "3")]
    pub serial_number: String,
    /// Versions of USP that the Agent speaks, separated by commas.
    #[prost(string, tag = "4")]
    pub agent_supported_protocol_versions: String,
}

/// Acknowledges a Notify.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct NotifyResp {
    /// The `subscription_id` of the Notify.
    #[prost(string, tag = "1")]
    pub subscription_id: String,
}
