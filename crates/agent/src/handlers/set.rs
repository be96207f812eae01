//! Set: new values of objects that exist. (R-SET.0 to R-SET.3)
//!
//! One path is all or nothing whatever it matches; `allow_partial` is about paths. Unique keys are compared
//! when every path was applied, so that two rows may swap theirs in one request.

use std::collections::BTreeMap;

use usphere_datamodel::model::{ResolvedKind, Setting, Sight, Target};
use usphere_datamodel::{Fault, FaultKind, NodeId, ObjectId, Rights, Transaction};
use usphere_proto::ErrorCode;
use usphere_proto::msg::{
    ParamError, ParameterError, Set, SetFailure, SetResp, SetSuccess, UpdateObject,
    UpdateParamSetting, UpdatedInstanceFailure, UpdatedInstanceResult, UpdatedObjectResult,
};

use super::limits::CONFLICT_PASSES_MAX;
use super::shared::{
    Failure, check_number, is_readable, object_text, parameter_error, refusal, relative, shown,
};
use super::{Answer, Caller, subscription};
use crate::codes::{Deed, code_of};

/// Answers a Set: one result per requested path, in the order asked.
pub(super) fn set(transaction: &mut Transaction<'_>, request: &Set, caller: &Caller) -> Answer {
    let start = transaction.savepoint();
    let mut refused: BTreeMap<usize, SetFailure> = BTreeMap::new();
    for pass in 0..=request.update_objs.len() {
        let mut outcomes = apply(transaction, request, caller, &refused);
        let mut conflicts = conflicts(transaction, &outcomes);
        if conflicts.is_empty() || !request.allow_partial {
            for (index, failure) in conflicts {
                outcomes[index] = Err(failure);
            }
            return conclude(transaction, request, outcomes, start, caller);
        }
        // Without the last one, those before it may fit.
        if pass < CONFLICT_PASSES_MAX
            && let Some(last) = conflicts.pop_last()
        {
            conflicts = BTreeMap::from([last]);
        }
        refused.extend(conflicts);
        transaction.rollback(start);
    }
    Answer::error(ErrorCode::InternalError, "the request came to no end")
}

/// What one path came to: the objects it updated, or why it updated none.
type Outcome = Result<Vec<Updated>, SetFailure>;

/// An object with the values it was given.
struct Updated {
    object: ObjectId,
    /// Name as asked for, object and parameter.
    set: Vec<(String, ObjectId, NodeId)>,
    param_errs: Vec<ParameterError>,
}

fn apply(
    transaction: &mut Transaction<'_>,
    request: &Set,
    caller: &Caller,
    refused: &BTreeMap<usize, SetFailure>,
) -> Vec<Outcome> {
    let objects = request.update_objs.iter().enumerate();
    objects
        .map(|(index, object)| match refused.get(&index) {
            Some(failure) => Err(failure.clone()),
            None => update(transaction, object, caller),
        })
        .collect()
}

/// Updates every object that the path means, or none. (R-SET.2a)
fn update(transaction: &mut Transaction<'_>, request: &UpdateObject, caller: &Caller) -> Outcome {
    let targets =
        resolve(transaction, &request.obj_path, caller).map_err(|fault| path_failure(&fault))?;
    let start = transaction.savepoint();
    let mut updated = Vec::with_capacity(targets.len());
    let mut failures = Vec::new();
    for target in targets {
        match update_one(transaction, target.object, &request.param_settings, caller) {
            Ok(one) => updated.push(one),
            Err(failure) => failures.push(failure),
        }
    }
    if failures.is_empty() {
        return Ok(updated);
    }
    transaction.rollback(start);
    Err(instance_failure(&request.obj_path, failures))
}

fn resolve(
    transaction: &mut Transaction<'_>,
    path: &str,
    caller: &Caller,
) -> Result<Vec<Target>, Fault> {
    let text = object_text(path);
    let resolved = transaction.resolve_text(&text, Sight::Addressable(&caller.access))?;
    if resolved.kind != ResolvedKind::Object {
        let text = "this is a table, name one of its instances, or all by \"*\"";
        return Err(Fault::new(FaultKind::PathInvalid, path, text));
    }
    check_number(resolved.targets.len(), path, "updates")?;
    Ok(resolved.targets)
}

fn update_one(
    transaction: &mut Transaction<'_>,
    object: ObjectId,
    settings: &[UpdateParamSetting],
    caller: &Caller,
) -> Result<Updated, UpdatedInstanceFailure> {
    let mut updated = Updated {
        object,
        set: Vec::with_capacity(settings.len()),
        param_errs: Vec::new(),
    };
    let mut failed = Vec::new();
    for setting in settings {
        match set_one(transaction, object, setting, caller) {
            Ok((at, parameter)) => updated.set.push((setting.param.clone(), at, parameter)),
            Err(fault) => {
                let error = parameter_error(&setting.param, &fault, Deed::Set);
                if setting.required {
                    failed.push(error);
                } else {
                    updated.param_errs.push(error);
                }
            }
        }
    }
    if failed.is_empty() {
        return Ok(updated);
    }
    Err(UpdatedInstanceFailure {
        affected_path: transaction.path(object).to_owned(),
        param_errs: failed,
    })
}

fn set_one(
    transaction: &mut Transaction<'_>,
    object: ObjectId,
    setting: &UpdateParamSetting,
    caller: &Caller,
) -> Result<(ObjectId, NodeId), Fault> {
    let (at, parameter) = relative(transaction, object, &setting.param)?;
    let may_write = transaction
        .rights(&caller.access, parameter, at)
        .grants(Rights::PARAMETER_WRITE);
    if !may_write {
        let text = "the Controller may not write this parameter";
        return Err(Fault::new(FaultKind::WriteForbidden, &*setting.param, text));
    }
    subscription::check(transaction, at, parameter, &setting.value)?;
    transaction.set(at, parameter, &setting.value, Setting::Update)?;
    Ok((at, parameter))
}

/// The paths whose objects now have a unique key that another row has too. (R-KEY.2)
fn conflicts(
    transaction: &mut Transaction<'_>,
    outcomes: &[Outcome],
) -> BTreeMap<usize, SetFailure> {
    let mut conflicts = BTreeMap::new();
    for (index, outcome) in outcomes.iter().enumerate() {
        let Ok(updated) = outcome else { continue };
        let failures: Vec<UpdatedInstanceFailure> = updated
            .iter()
            .filter_map(|updated| conflict(transaction, updated))
            .collect();
        if !failures.is_empty() {
            let failure = SetFailure {
                err_code: code_of(FaultKind::UniqueKeyConflict, Deed::Set).number(),
                err_msg: text_of(&failures),
                updated_inst_failures: failures,
            };
            conflicts.insert(index, failure);
        }
    }
    conflicts
}

fn conflict(
    transaction: &mut Transaction<'_>,
    updated: &Updated,
) -> Option<UpdatedInstanceFailure> {
    let is_key = |parameter: NodeId| {
        let node = transaction.node(parameter).parameter();
        node.is_some_and(|node| node.key)
    };
    let keys: Vec<&(String, ObjectId, NodeId)> = updated
        .set
        .iter()
        .filter(|(_, object, parameter)| *object == updated.object && is_key(*parameter))
        .collect();
    if keys.is_empty() {
        return None;
    }
    let fault = transaction.check_unique(updated.object).err()?;
    let errors = keys
        .iter()
        .map(|(name, ..)| parameter_error(name, &fault, Deed::Set));
    Some(UpdatedInstanceFailure {
        affected_path: transaction.path(updated.object).to_owned(),
        param_errs: errors.collect(),
    })
}

fn conclude(
    transaction: &mut Transaction<'_>,
    request: &Set,
    outcomes: Vec<Outcome>,
    start: usphere_datamodel::model::Savepoint,
    caller: &Caller,
) -> Answer {
    if !request.allow_partial && outcomes.iter().any(Result::is_err) {
        transaction.rollback(start);
        let failed = outcomes.into_iter().zip(&request.update_objs);
        let failures = failed.filter_map(|(outcome, object)| {
            let failure = outcome.err()?;
            Some(as_failure(failure, &object.obj_path))
        });
        return refusal(failures.collect());
    }
    let results = request.update_objs.iter().zip(outcomes);
    let results = results.map(|(object, outcome)| match outcome {
        Ok(updated) => {
            let results = updated
                .into_iter()
                .map(|updated| instance_result(transaction, updated, caller));
            let success = SetSuccess {
                updated_inst_results: results.collect(),
            };
            UpdatedObjectResult::success(&*object.obj_path, success)
        }
        Err(failure) => UpdatedObjectResult::failure(&*object.obj_path, failure),
    });
    SetResp {
        updated_obj_results: results.collect(),
    }
    .into()
}

/// Every parameter that was set, changed or not, with its value after all; none that may not be read. (R-SET.3)
fn instance_result(
    transaction: &mut Transaction<'_>,
    updated: Updated,
    caller: &Caller,
) -> UpdatedInstanceResult {
    let mut updated_params = BTreeMap::new();
    for (name, object, parameter) in updated.set {
        if is_readable(transaction, &caller.access, object, parameter)
            && let Ok(value) = shown(transaction, &caller.access, object, parameter)
        {
            updated_params.insert(name, value.to_owned());
        }
    }
    UpdatedInstanceResult {
        affected_path: transaction.path(updated.object).to_owned(),
        param_errs: updated.param_errs,
        updated_params,
    }
}

fn path_failure(fault: &Fault) -> SetFailure {
    SetFailure {
        err_code: code_of(fault.kind, Deed::Set).number(),
        err_msg: fault.to_string(),
        updated_inst_failures: Vec::new(),
    }
}

/// The failure of a path for objects of which required parameters failed. What may not be written is
/// told apart; the codes of all else stand beside the parameters.
fn instance_failure(path: &str, failures: Vec<UpdatedInstanceFailure>) -> SetFailure {
    let denied = ErrorCode::PermissionDenied.number();
    let mut errors = failures.iter().flat_map(|failure| &failure.param_errs);
    let code = if errors.all(|error| error.err_code == denied) {
        ErrorCode::PermissionDenied
    } else {
        code_of(FaultKind::RequiredParameter, Deed::Set)
    };
    SetFailure {
        err_code: code.number(),
        err_msg: format!("{path}: not updated, because of {}", text_of(&failures)),
        updated_inst_failures: failures,
    }
}

fn text_of(failures: &[UpdatedInstanceFailure]) -> String {
    let all = failures.iter().flat_map(|failure| {
        let path = &failure.affected_path;
        let errors = failure.param_errs.iter();
        errors.map(move |error| format!("{path}{}: {}", error.param, error.err_msg))
    });
    let shown: Vec<String> = all.take(3).collect();
    shown.join("; ")
}

fn as_failure(failure: SetFailure, path: &str) -> Failure {
    let code = ErrorCode::from_number(failure.err_code).unwrap_or(ErrorCode::ObjectNotUpdated);
    let mut details: Vec<ParamError> = Vec::new();
    for instance in failure.updated_inst_failures {
        details.extend(instance.param_errs.into_iter().map(|error| {
            let at = format!("{}{}", instance.affected_path, error.param);
            ParamError::new(at, error.err_code, error.err_msg)
        }));
    }
    if details.is_empty() {
        details.push(ParamError::new(path, code, &*failure.err_msg));
    }
    Failure {
        code,
        text: failure.err_msg,
        details,
    }
}
