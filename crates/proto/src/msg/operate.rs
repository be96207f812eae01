//! Operate: commands.

use std::collections::BTreeMap;

/// Runs a command.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Operate {
    /// Path of the command; it may be a search path.
    #[prost(string, tag = "1")]
    pub command: String,
    /// Chosen by the Controller, repeated in the completion.
    #[prost(string, tag = "2")]
    pub command_key: String,
    /// Whether a response is wanted.
    #[prost(bool, tag = "3")]
    pub send_resp: bool,
    /// Input arguments by name.
    #[prost(btree_map = "string, string", tag = "4")]
    pub input_args: BTreeMap<String, String>,
}

/// Answers an Operate.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct OperateResp {
    /// One result per command that the path matched.
    #[prost(message, repeated, tag = "1")]
    pub operation_results: Vec<OperationResult>,
}

/// What one command came to.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct OperationResult {
    /// Path of the command, by instance numbers.
    #[prost(string, tag = "1")]
    pub executed_command: String,
    /// The outcome. Required; `None` violates R-ENC.3.
    #[prost(oneof = "OperationOutcome", tags = "2, 3, 4")]
    pub operation_resp: Option<OperationOutcome>,
}

/// Outcome of one command of an Operate.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum OperationOutcome {
    /// The command goes on; this is the path of its Request object.
    #[prost(string, tag = "2")]
    ReqObjPath(String),
    /// The command is done.
    #[prost(message, tag = "3")]
    ReqOutputArgs(OutputArgs),
    /// The command failed.
    #[prost(message, tag = "4")]
    CmdFailure(CommandFailure),
}

/// What a command returned.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct OutputArgs {
    /// Output arguments by name.
    #[prost(btree_map = "string, string", tag = "1")]
    pub output_args: BTreeMap<String, String>,
}

/// Why a command failed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CommandFailure {
    /// What went wrong, as a code.
    #[prost(fixed32, tag = "1")]
    pub err_code: u32,
    /// What went wrong, for people.
    #[prost(string, tag = "2")]
    pub err_msg: String,
}

impl From<BTreeMap<String, String>> for OutputArgs {
    fn from(output_args: BTreeMap<String, String>) -> Self {
        Self { output_args }
    }
}
