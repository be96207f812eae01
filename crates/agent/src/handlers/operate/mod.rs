//! Operate: commands. Whatever goes wrong with one is said in its result. (R-OPR.1)
//!
//! What a command sets going beyond the data model is an [`Effect`], and begins once the
//! changes that were made here are durable.

mod request;
mod restart;

use std::collections::BTreeMap;

use usphere_datamodel::model::{Outputs, ResolvedKind, Sight, Target};
use usphere_datamodel::schema::CommandNode;
use usphere_datamodel::{Fault, FaultKind, Rights, Transaction};
use usphere_proto::msg::{
    CommandFailure, Operate, OperateResp, OperationOutcome, OperationResult, OutputArgs,
};

use super::challenges::Response;
use super::shared::check_number;
use super::{Answer, Caller, Effect, certificates, challenges};
use crate::codes::{Deed, code_of};
use crate::objects::OWNER;

/// Answers an Operate: one result per command that the path matched. Without `send_resp` only failures
/// are told. What was set going is added to `effects`. (R-OPR.4)
pub(super) fn operate(
    transaction: &mut Transaction<'_>,
    request: &Operate,
    caller: &Caller,
    effects: &mut Vec<Effect>,
) -> Answer {
    let mut results = match resolve(transaction, &request.command, caller) {
        Ok(targets) => targets
            .into_iter()
            .map(|target| result(transaction, target, request, caller, effects))
            .collect(),
        Err(fault) => vec![OperationResult {
            executed_command: request.command.clone(),
            operation_resp: Some(failure(&fault)),
        }],
    };
    if !request.send_resp {
        results.retain(is_failure);
    }
    if results.is_empty() && !request.send_resp {
        return Answer::Silence;
    }
    Answer::from(OperateResp {
        operation_results: results,
    })
}

fn resolve(
    transaction: &mut Transaction<'_>,
    command: &str,
    caller: &Caller,
) -> Result<Vec<Target>, Fault> {
    let resolved = transaction.resolve_text(command, Sight::Addressable(&caller.access))?;
    if resolved.kind != ResolvedKind::Command {
        let text = "the path of a command ends in its name and \"()\"";
        return Err(Fault::new(FaultKind::PathInvalid, command, text));
    }
    check_number(resolved.targets.len(), command, "runs on")?;
    Ok(resolved.targets)
}

fn result(
    transaction: &mut Transaction<'_>,
    target: Target,
    request: &Operate,
    caller: &Caller,
    effects: &mut Vec<Effect>,
) -> OperationResult {
    let name = &*transaction.node(target.node).name;
    let path = format!("{}{name}", transaction.path(target.object));
    let start = transaction.savepoint();
    let outcome = match run(transaction, target, &path, request, caller) {
        Ok(done) => {
            effects.extend(done.effect);
            done.outcome
        }
        Err(fault) => {
            transaction.rollback(start);
            failure(&fault)
        }
    };
    OperationResult {
        executed_command: path,
        operation_resp: Some(outcome),
    }
}

/// A command that was run, or is to be.
struct Done {
    outcome: OperationOutcome,
    effect: Option<Effect>,
}

impl From<Outputs> for Done {
    fn from(outputs: Outputs) -> Self {
        Self {
            outcome: OperationOutcome::ReqOutputArgs(OutputArgs::from(outputs)),
            effect: None,
        }
    }
}

fn run(
    transaction: &mut Transaction<'_>,
    target: Target,
    path: &str,
    request: &Operate,
    caller: &Caller,
) -> Result<Done, Fault> {
    let may_run = transaction
        .rights(&caller.access, target.node, target.object)
        .grants(Rights::COMMAND_EXECUTE);
    if !may_run {
        let text = "the Controller may not execute this command";
        return Err(Fault::new(FaultKind::CommandForbidden, path, text));
    }
    let node = transaction.node(target.node);
    let Some(command) = node.command() else {
        return Err(Fault::new(FaultKind::PathInvalid, path, "not a command"));
    };
    let arguments = arguments(command, &request.input_args, path)?;
    if command.asynchronous {
        return request::begin(transaction, path, command, arguments, request, caller);
    }
    let object = target.object;
    let outputs = match &*node.path {
        "Device.FactoryReset()" | "Device.Reboot()" if *command.owner == *OWNER => {
            return restart::restart(transaction, path, &arguments, &request.command_key);
        }
        "Device.LocalAgent.Request.{i}.Cancel()" => return request::cancel(transaction, object),
        "Device.LocalAgent.AddCertificate()" => certificates::add(transaction, path, &arguments),
        "Device.LocalAgent.Certificate.{i}.Delete()" => certificates::delete(transaction, object),
        "Device.LocalAgent.Certificate.{i}.GetFingerprint()" => {
            certificates::fingerprint(transaction, object, path, &arguments)
        }
        "Device.LocalAgent.Controller.{i}.AddMyCertificate()" => {
            certificates::add_mine(transaction, object, path, &arguments, caller)
        }
        "Device.LocalAgent.ControllerTrust.ChallengeResponse()" => {
            match challenges::respond(transaction, path, &arguments, caller)? {
                Response::Right => Ok(Outputs::new()),
                Response::Wrong(fault) => {
                    return Ok(Done {
                        outcome: failure(&fault),
                        effect: None,
                    });
                }
            }
        }
        "Device.LocalAgent.ControllerTrust.RequestChallenge()" => {
            challenges::request(transaction, path, &arguments, caller)
        }
        _ => transaction.operate(object, target.node, arguments),
    };
    outputs.map(Done::from)
}

/// The arguments that the command knows; the others are ignored, and what is left out has its default.
/// (R-OPR.5 to R-OPR.7)
fn arguments(
    command: &CommandNode,
    given: &BTreeMap<String, String>,
    path: &str,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut known: BTreeMap<String, String> = given
        .iter()
        .filter(|(name, _)| command.input.iter().any(|input| names(input, name)))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let missing: Vec<&str> = command
        .mandatory
        .iter()
        .filter(|name| !known.keys().any(|given| names(name, given)))
        .map(|name| &**name)
        .collect();
    if missing.is_empty() {
        for (name, value) in &command.defaults {
            if !known.contains_key(&**name) {
                known.insert(name.to_string(), value.to_string());
            }
        }
        return Ok(known);
    }
    let text = format!("mandatory arguments are missing: {}", missing.join(", "));
    Err(Fault::new(FaultKind::ArgumentInvalid, path, text))
}

/// Whether `given` is the declared argument, whose name may have `{i}` for instance numbers.
fn names(declared: &str, given: &str) -> bool {
    if !declared.contains('{') {
        return declared == given;
    }
    let mut given = given.split('.');
    let same = declared.split('.').all(|step| {
        given.next().is_some_and(|given| match step {
            "{i}" => !given.is_empty() && given.bytes().all(|byte| byte.is_ascii_digit()),
            step => step == given,
        })
    });
    same && given.next().is_none()
}

fn failure(fault: &Fault) -> OperationOutcome {
    let code = code_of(fault.kind, Deed::Operate);
    OperationOutcome::CmdFailure(CommandFailure::new(code, fault.to_string()))
}

fn is_failure(result: &OperationResult) -> bool {
    matches!(result.operation_resp, Some(OperationOutcome::CmdFailure(_)))
}
