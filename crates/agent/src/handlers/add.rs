//! Add: new rows, each with what it is given. (R-ADD.0 to R-ADD.6)

use usphere_datamodel::model::{ResolvedKind, Setting, Sight, Target};
use usphere_datamodel::types::Reference;
use usphere_datamodel::{Fault, FaultKind, NodeId, ObjectId, Rights, Transaction};
use usphere_proto::ErrorCode;
use usphere_proto::msg::{
    Add, AddResp, AddSuccess, CreateObject, CreateParamSetting, CreatedObjectResult, ParamError,
    ParameterError,
};

use super::shared::{
    Failure, check_number, object_text, parameter_error, refusal, relative, unique_keys,
};
use super::{Answer, Caller, subscription};
use crate::codes::{Deed, code_of};

/// The table whose rows are Controllers.
const CONTROLLERS: &str = "Device.LocalAgent.Controller.{i}.";

/// Answers an Add: one result per object that a path matched. Without `allow_partial` it is all or nothing.
pub(super) fn add(transaction: &mut Transaction<'_>, request: &Add, caller: &Caller) -> Answer {
    let start = transaction.savepoint();
    let mut results = Vec::with_capacity(request.create_objs.len());
    let mut failures = Vec::new();
    for object in &request.create_objs {
        for outcome in create(transaction, object, caller) {
            let requested = &*object.obj_path;
            match outcome {
                Ok(success) => results.push(CreatedObjectResult::success(requested, success)),
                Err(failure) if request.allow_partial => {
                    let failure = failure.into_operation_failure();
                    results.push(CreatedObjectResult::failure(requested, failure));
                }
                Err(failure) => failures.push(failure),
            }
        }
    }
    if !failures.is_empty() {
        transaction.rollback(start);
        return refusal(failures);
    }
    AddResp {
        created_obj_results: results,
    }
    .into()
}

/// One outcome per table that the path means; an empty success where a search finds none. (R-MSG.4a)
fn create(
    transaction: &mut Transaction<'_>,
    request: &CreateObject,
    caller: &Caller,
) -> Vec<Result<AddSuccess, Failure>> {
    match resolve(transaction, &request.obj_path, caller) {
        Err(fault) => vec![Err(Failure::new(&request.obj_path, &fault, Deed::Add))],
        Ok(tables) if tables.is_empty() => vec![Ok(AddSuccess::default())],
        Ok(tables) => tables
            .into_iter()
            .map(|table| {
                let start = transaction.savepoint();
                let outcome = create_one(transaction, table, request, caller);
                if outcome.is_err() {
                    transaction.rollback(start);
                }
                outcome
            })
            .collect(),
    }
}

fn resolve(
    transaction: &mut Transaction<'_>,
    path: &str,
    caller: &Caller,
) -> Result<Vec<Target>, Fault> {
    let text = object_text(path);
    let resolved = transaction.resolve_text(&text, Sight::Addressable(&caller.access))?;
    if resolved.kind != ResolvedKind::Table {
        let text = "rows are added to a table, whose path ends in its name";
        return Err(Fault::new(FaultKind::NotAnInstance, path, text));
    }
    check_number(resolved.targets.len(), path, "adds to")?;
    Ok(resolved.targets)
}

fn create_one(
    transaction: &mut Transaction<'_>,
    table: Target,
    request: &CreateObject,
    caller: &Caller,
) -> Result<AddSuccess, Failure> {
    let name = &*transaction.node(table.node).name;
    let path = format!("{}{name}.", transaction.path(table.object));
    let may_add = transaction
        .rights(&caller.access, table.node, table.object)
        .grants(Rights::OBJECT_WRITE);
    if !may_add {
        let text = "the Controller may not add instances here";
        let fault = Fault::new(FaultKind::AddForbidden, &*path, text);
        return Err(Failure::new(&path, &fault, Deed::Add));
    }
    // The row that a fault may name is gone with it.
    let at = |fault: Fault| {
        let fault = Fault {
            path: path.clone(),
            ..fault
        };
        Failure::new(&path, &fault, Deed::Add)
    };
    let row = transaction.add(table.object, table.node).map_err(at)?;
    let mut given = Given::default();
    for setting in &request.param_settings {
        given.set(transaction, row, setting, caller);
    }
    if !given.failed.is_empty() {
        return Err(given.into_failure(&path));
    }
    introduce(transaction, row, &given.keys, caller).map_err(at)?;
    subscription::complete(transaction, row, caller).map_err(at)?;
    transaction.finish_row(row).map_err(at)?;
    Ok(AddSuccess {
        instantiated_path: transaction.path(row).to_owned(),
        param_errs: given.param_errs,
        unique_keys: unique_keys(transaction, &caller.access, row),
    })
}

/// A unique key that names a Controller and was not given names the one that adds. (R-ADD.5; TR-181,
/// Subscription.{i}.Recipient)
fn introduce(
    transaction: &mut Transaction<'_>,
    row: ObjectId,
    given: &[NodeId],
    caller: &Caller,
) -> Result<(), Fault> {
    let Some(object) = transaction.node_of(row).object() else {
        return Ok(());
    };
    for key in object.unique.iter().flatten() {
        let node = transaction.node(*key).parameter();
        let names_controller = node.is_some_and(|node| {
            node.value_type.reference == Some(Reference::Strong(CONTROLLERS))
                && node.value_type.list.is_none()
        });
        if names_controller && !given.contains(key) && !caller.controller.is_empty() {
            transaction.assign(row, *key, &caller.controller)?;
        }
    }
    Ok(())
}

/// What became of the values that a new row was given.
#[derive(Default)]
struct Given {
    /// Unique keys that were given.
    keys: Vec<NodeId>,
    /// Optional values that were not accepted. (R-ADD.4)
    param_errs: Vec<ParameterError>,
    /// Required values that were not accepted, unique keys among them. (R-ADD.3)
    failed: Vec<ParameterError>,
}

impl Given {
    fn set(
        &mut self,
        transaction: &mut Transaction<'_>,
        row: ObjectId,
        setting: &CreateParamSetting,
        caller: &Caller,
    ) {
        let found = relative(transaction, row, &setting.param);
        let key = found.as_ref().ok().filter(|(_, parameter)| {
            let node = transaction.node(*parameter).parameter();
            node.is_some_and(|node| node.key)
        });
        self.keys.extend(key.map(|(_, parameter)| *parameter));
        let required = setting.required || key.is_some();
        let outcome = found.and_then(|(object, parameter)| {
            let may_write = transaction
                .rights(&caller.access, parameter, object)
                .grants(Rights::PARAMETER_WRITE);
            if !may_write {
                let text = "the Controller may not write this parameter";
                return Err(Fault::new(FaultKind::WriteForbidden, &*setting.param, text));
            }
            subscription::check(transaction, object, parameter, &setting.value)?;
            transaction.set(object, parameter, &setting.value, Setting::Initial)
        });
        let Err(fault) = outcome else { return };
        let error = parameter_error(&setting.param, &fault, Deed::Set);
        if required {
            self.failed.push(error);
        } else {
            self.param_errs.push(error);
        }
    }

    /// The failure of the object at `path`. A response has no room for what went wrong with each parameter,
    /// so its code is theirs where all have the same.
    fn into_failure(self, path: &str) -> Failure {
        let first = self.failed.first();
        let alike = first.is_some_and(|first| {
            let code = first.err_code;
            self.failed.iter().all(|error| error.err_code == code)
        });
        let code = first.and_then(|error| ErrorCode::from_number(error.err_code));
        let shown: Vec<String> = self
            .failed
            .iter()
            .take(3)
            .map(|error| format!("{}: {}", error.param, error.err_msg))
            .collect();
        Failure {
            code: code
                .filter(|_| alike)
                .unwrap_or(code_of(FaultKind::RequiredParameter, Deed::Add)),
            text: format!("{path}: not added, because of {}", shown.join("; ")),
            details: self
                .failed
                .into_iter()
                .map(|error| {
                    let at = format!("{path}{{i}}.{}", error.param);
                    ParamError::new(at, error.err_code, error.err_msg)
                })
                .collect(),
        }
    }
}
