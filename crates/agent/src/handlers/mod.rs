//! Requests as plans: what each kind of request does on the data model, and what it answers.
//!
//! A handler is a function of a transaction, the request and who asks. It may be run several times,
//! so it must never touch anything but the transaction, and never send, store or remember.

mod add;
mod certificates;
pub(crate) mod challenges;
mod delete;
mod get;
mod instances;
mod limits;
mod operate;
mod protocol;
mod register;
mod room;
mod set;
mod shared;
mod subscription;
mod supported_dm;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use usphere_datamodel::model::Work;
use usphere_datamodel::{Access, Transaction};
use usphere_proto::msg::{ParamError, RequestType, ResponseType};
use usphere_proto::{EncodedGetResp, ErrorCode, Limits, Msg};

use crate::clock::Utc;
use crate::event::RestartAction;
use crate::lockout;

pub(crate) use protocol::SUPPORTED_VERSIONS;
pub(crate) use shared::{shown, unique_keys};
pub(crate) use subscription::{check as check_subscription, setting};

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The path of its row, `Device.LocalAgent.Controller.1.`; empty when it has none.
    pub(crate) controller: String,
    /// What it may do.
    pub(crate) access: Arc<Access>,
    /// When it asks.
    pub(crate) utc: Utc,
    /// Whether a certificate proves on its connection who it is. (R-SEC.0)
    pub(crate) authenticated: bool,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answered {
    /// What the Controller is told.
    pub(crate) answer: Answer,
    /// What is set going by it, in order.
    pub(crate) effects: Vec<Effect>,
}

/// What a Controller is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// The request failed as a whole.
    Error {
        /// What went wrong.
        code: ErrorCode,
        /// What went wrong, for people.
        text: String,
        /// What went wrong where.
        param_errs: Vec<ParamError>,
    },
    /// The response to a Get, as it was gathered.
    GetResp(EncodedGetResp),
    /// Any other response.
    Response(ResponseType),
    /// Nothing is sent: the Controller wanted no response. (R-OPR.4)
    Silence,
}

/// What the engine does beyond the data model once the plan's changes are durable.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Begin an asynchronous command.
    Begin(Begun),
    /// End the command of the Request with this instance number.
    Cancel(u32),
    /// Start the Agent anew.
    Restart(RestartAction),
}

/// An asynchronous command that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Begun {
    /// The instance number of its Request.
    pub(crate) instance: u32,
    /// Who runs it.
    pub(crate) owner: String,
    /// Its path.
    pub(crate) command: String,
    /// The key that the Controller gave.
    pub(crate) command_key: String,
    /// The input arguments.
    pub(crate) arguments: BTreeMap<String, String>,
    /// How long it runs, if it is a timer.
    pub(crate) delay_seconds: Option<u32>,
}

impl From<Answer> for Answered {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            effects: Vec::new(),
        }
    }
}

impl Answer {
    fn error(code: ErrorCode, text: impl Into<String>) -> Self {
        Self::Error {
            code,
            text: text.into(),
            param_errs: Vec::new(),
        }
    }
}

impl<R: Into<ResponseType>> From<R> for Answer {
    fn from(response: R) -> Self {
        Self::Response(response.into())
    }
}

/// The plan that answers `request` for `caller`.
pub(crate) fn plan(request: RequestType, caller: Caller) -> Work<Answered> {
    Box::new(move |transaction| answer(transaction, &request, &caller))
}

fn answer(transaction: &mut Transaction<'_>, request: &RequestType, caller: &Caller) -> Answered {
    if paths_of(request) > limits::PATHS_MAX {
        let text = format!(
            "a request names at most {} paths, ask in parts",
            limits::PATHS_MAX
        );
        return Answer::error(ErrorCode::ResourcesExceeded, text).into();
    }
    let start = transaction.savepoint();
    let done = lockout::prevent(transaction, |transaction| {
        // What an attempt that was taken back would have set going goes with it.
        let mut effects = Vec::new();
        let answer = perform(transaction, request, caller, &mut effects);
        Answered { answer, effects }
    });
    let answered = match done {
        Ok(answered) => answered,
        Err(fault) => return Answer::error(ErrorCode::RequestDenied, fault.to_string()).into(),
    };
    if let Answer::Response(response) = &answered.answer
        && may_be_taken_back(response)
        && !is_sendable(response)
    {
        transaction.rollback(start);
        let text = "the answer would be longer than can be sent, change less at once";
        return Answer::error(ErrorCode::ResourcesExceeded, text).into();
    }
    answered
}

/// Whether nothing but the data model was changed.
fn may_be_taken_back(response: &ResponseType) -> bool {
    matches!(
        response,
        ResponseType::AddResp(_) | ResponseType::DeleteResp(_) | ResponseType::SetResp(_)
    )
}

/// Whether a response is within what a peer has to take.
fn is_sendable(response: &ResponseType) -> bool {
    let bytes = response.encoded_len();
    if bytes / 2 <= limits::ANSWER_ELEMENTS_MAX {
        return true;
    }
    bytes <= limits::ANSWER_BYTES_MAX
        && Msg::is_within(
            &Msg::response("", response.clone()).into_payload(),
            &Limits::DEFAULT,
        )
}

fn perform(
    transaction: &mut Transaction<'_>,
    request: &RequestType,
    caller: &Caller,
    effects: &mut Vec<Effect>,
) -> Answer {
    match request {
        RequestType::Add(request) => add::add(transaction, request, caller),
        RequestType::Delete(request) => delete::delete(transaction, request, caller),
        RequestType::Deregister(request) => register::deregister(request),
        RequestType::Get(request) => Answer::GetResp(get::get(transaction, request, caller)),
        RequestType::GetInstances(request) => {
            instances::instances(transaction, request, caller).into()
        }
        RequestType::GetSupportedDm(request) => {
            supported_dm::supported_dm(transaction, request, caller).into()
        }
        RequestType::GetSupportedProtocol(_) => protocol::supported_protocol().into(),
        RequestType::Notify(_) => Answer::error(
            ErrorCode::MessageNotSupported,
            "an Agent takes no notifications",
        ),
        RequestType::Operate(request) => operate::operate(transaction, request, caller, effects),
        RequestType::Register(_) => register::register(),
        RequestType::Set(request) => set::set(transaction, request, caller),
    }
}

fn paths_of(request: &RequestType) -> usize {
    match request {
        RequestType::Add(request) => request.create_objs.len(),
        RequestType::Delete(request) => request.obj_paths.len(),
        RequestType::Deregister(request) => request.paths.len(),
        RequestType::Get(request) => request.param_paths.len(),
        RequestType::GetInstances(request) => request.obj_paths.len(),
        RequestType::GetSupportedDm(request) => request.obj_paths.len(),
        RequestType::Set(request) => request.update_objs.len(),
        RequestType::GetSupportedProtocol(_)
        | RequestType::Notify(_)
        | RequestType::Operate(_)
        | RequestType::Register(_) => 0,
    }
}
