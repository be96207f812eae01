//! The Message: a request, a response or an error, with its header.
//!
//! Field numbers follow the USP Message schema 1.4. One file per family of Messages.
//! This module holds words only; it must never judge a Message (see `validate`) nor read raw bytes
//! (see `codec`).

mod add;
mod delete;
mod get;
mod instances;
mod notify;
mod operate;
mod protocol;
mod register;
mod set;
mod supported_dm;

pub use add::*;
pub use delete::*;
pub use get::*;
pub use instances::*;
pub use notify::*;
pub use operate::*;
pub use protocol::*;
pub use register::*;
pub use set::*;
pub use supported_dm::*;

/// A USP Message.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Msg {
    /// Who is answered by what. Required. (R-MSG.6)
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// What is said. Required. (R-MSG.7)
    #[prost(message, optional, tag = "2")]
    pub body: Option<Body>,
}

/// The header of a Message.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Header {
    /// Names the request, and is repeated by its response. Required. (R-MSG.8, R-MSG.9)
    #[prost(string, tag = "1")]
    pub msg_id: String,
    /// The kind of Message, for information only; a [`MsgType`]. (R-MSG.10)
    #[prost(enumeration = "MsgType", tag = "2")]
    pub msg_type: i32,
}

/// The kinds of Message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum MsgType {
    /// An error that concerns a whole Message.
    Error = 0,
    /// Reads values.
    Get = 1,
    /// Answers a Get.
    GetResp = 2,
    /// Tells a recipient that something happened.
    Notify = 3,
    /// Changes values.
    Set = 4,
    /// Answers a Set.
    SetResp = 5,
    /// Runs a command.
    Operate = 6,
    /// Answers an Operate.
    OperateResp = 7,
    /// Creates instances.
    Add = 8,
    /// Answers an Add.
    AddResp = 9,
    /// Removes instances.
    Delete = 10,
    /// Answers a Delete.
    DeleteResp = 11,
    /// Asks for the supported data model.
    GetSupportedDm = 12,
    /// Answers a GetSupportedDM.
    GetSupportedDmResp = 13,
    /// Lists instances.
    GetInstances = 14,
    /// Answers a GetInstances.
    GetInstancesResp = 15,
    /// Acknowledges a Notify.
    NotifyResp = 16,
    /// Asks for the supported versions of USP.
    GetSupportedProto = 17,
    /// Answers a GetSupportedProtocol.
    GetSupportedProtoResp = 18,
    /// Registers paths of a USP Service.
    Register = 19,
    /// Answers a Register.
    RegisterResp = 20,
    /// Withdraws paths of a USP Service.
    Deregister = 21,
    /// Answers a Deregister.
    DeregisterResp = 22,
}

/// The body of a Message.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Body {
    /// What is said. Required; `None` violates R-ENC.3.
    #[prost(oneof = "MsgBody", tags = "1, 2, 3")]
    pub msg_body: Option<MsgBody>,
}

/// Request, response or error.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum MsgBody {
    /// Something is asked for.
    #[prost(message, tag = "1")]
    Request(Request),
    /// A request is answered.
    #[prost(message, tag = "2")]
    Response(Response),
    /// A request as a whole has failed.
    #[prost(message, tag = "3")]
    Error(Error),
}

/// Wraps the request of a Message.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Request {
    /// The request. Required; `None` violates R-ENC.3.
    #[prost(oneof = "RequestType", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11")]
    pub req_type: Option<RequestType>,
}

/// The kinds of request.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum RequestType {
    /// Reads values.
    #[prost(message, tag = "1")]
    Get(Get),
    /// Asks for the supported data model.
    #[prost(message, tag = "2")]
    GetSupportedDm(GetSupportedDm),
    /// Lists instances.
    #[prost(message, tag = "3")]
    GetInstances(GetInstances),
    /// Changes values.
    #[prost(message, tag = "4")]
    Set(Set),
    /// Creates instances.
    #[prost(message, tag = "5")]
    Add(Add),
    /// Removes instances.
    #[prost(message, tag = "6")]
    Delete(Delete),
    /// Runs a command.
    #[prost(message, tag = "7")]
    Operate(Operate),
    /// Tells a recipient that something happened.
    #[prost(message, tag = "8")]
    Notify(Notify),
    /// Asks for the supported versions of USP.
    #[prost(message, tag = "9")]
    GetSupportedProtocol(GetSupportedProtocol),
    /// Registers paths of a USP Service.
    #[prost(message, tag = "10")]
    Register(Register),
    /// Withdraws paths of a USP Service.
    #[prost(message, tag = "11")]
    Deregister(Deregister),
}

/// Wraps the response of a Message.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Response {
    /// The response. Required; `None` violates R-ENC.3.
    #[prost(oneof = "ResponseType", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11")]
    pub resp_type: Option<ResponseType>,
}

/// The kinds of response.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum ResponseType {
    /// Answers a Get.
    #[prost(message, tag = "1")]
    GetResp(GetResp),
    /// Answers a GetSupportedDM.
    #[prost(message, tag = "2")]
    GetSupportedDmResp(GetSupportedDmResp),
    /// Answers a GetInstances.
    #[prost(message, tag = "3")]
    GetInstancesResp(GetInstancesResp),
    /// Answers a Set.
    #[prost(message, tag = "4")]
    SetResp(SetResp),
    /// Answers an Add.
    #[prost(message, tag = "5")]
    AddResp(AddResp),
    /// Answers a Delete.
    #[prost(message, tag = "6")]
    DeleteResp(DeleteResp),
    /// Answers an Operate.
    #[prost(message, tag = "7")]
    OperateResp(OperateResp),
    /// Acknowledges a Notify.
    #[prost(message, tag = "8")]
    NotifyResp(NotifyResp),
    /// Answers a GetSupportedProtocol.
    #[prost(message, tag = "9")]
    GetSupportedProtocolResp(GetSupportedProtocolResp),
    /// Answers a Register.
    #[prost(message, tag = "10")]
    RegisterResp(RegisterResp),
    /// Answers a Deregister.
    #[prost(message, tag = "11")]
    DeregisterResp(DeregisterResp),
}

/// A request as a whole has failed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Error {
    /// What went wrong, one of the codes of [`ErrorCode`](crate::ErrorCode).
    #[prost(fixed32, tag = "1")]
    pub err_code: u32,
    /// What went wrong, for people.
    #[prost(string, tag = "2")]
    pub err_msg: String,
    /// What went wrong where, for Add, Set and Delete with allow_partial false.
    #[prost(message, repeated, tag = "3")]
    pub param_errs: Vec<ParamError>,
}

/// What went wrong with one object or parameter of a request that failed as a whole.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ParamError {
    /// Path of the object or parameter.
    #[prost(string, tag = "1")]
    pub param_path: String,
    /// What went wrong, as a code.
    #[prost(fixed32, tag = "2")]
    pub err_code: u32,
    /// What went wrong, for people.
    #[prost(string, tag = "3")]
    pub err_msg: String,
}

/// What went wrong with one parameter of an Add or a Set whose object succeeded or failed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ParameterError {
    /// Name of the parameter, relative to its object.
    #[prost(string, tag = "1")]
    pub param: String,
    /// What went wrong, as a code.
    #[prost(fixed32, tag = "2")]
    pub err_code: u32,
    /// What went wrong, for people.
    #[prost(string, tag = "3")]
    pub err_msg: String,
}

/// Why one object or path of an Add, Delete, Register or Deregister failed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct OperationFailure {
    /// What went wrong, as a code.
    #[prost(fixed32, tag = "1")]
    pub err_code: u32,
    /// What went wrong, for people.
    #[prost(string, tag = "2")]
    pub err_msg: String,
}
