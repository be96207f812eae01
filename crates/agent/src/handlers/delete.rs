//! Delete: rows go. (R-DEL.0 to R-DEL.4)
//!
//! A path that is supported and names nothing that exists is a success, `allow_partial` or not
//! (R-DEL.2a, TP-469 1.25).

use usphere_datamodel::model::{Resolved, ResolvedKind, Sight};
use usphere_datamodel::{Fault, FaultKind, ObjectId, Rights, Transaction};
use usphere_proto::msg::{
    Delete, DeleteResp, DeleteSuccess, DeletedObjectResult, ParamError, UnaffectedPathError,
};

use super::shared::{Failure, check_number, object_text, refusal};
use super::{Answer, Caller};
use crate::codes::{Deed, code_of};

/// Answers a Delete: one result per requested path, in the order asked.
pub(super) fn delete(
    transaction: &mut Transaction<'_>,
    request: &Delete,
    caller: &Caller,
) -> Answer {
    let start = transaction.savepoint();
    let mut results = Vec::with_capacity(request.obj_paths.len());
    let mut failures = Vec::new();
    for path in &request.obj_paths {
        let outcome = delete_path(transaction, path, caller);
        if request.allow_partial {
            results.push(match outcome.and_then(Deleted::into_success) {
                Ok(success) => DeletedObjectResult::success(&**path, success),
                Err(fault) => {
                    let failure = Failure::new(path, &fault, Deed::Delete);
                    DeletedObjectResult::failure(&**path, failure.into_operation_failure())
                }
            });
            continue;
        }
        match outcome {
            Ok(deleted) if deleted.undeleted.is_empty() => {
                let success = DeleteSuccess {
                    affected_paths: deleted.affected,
                    unaffected_path_errs: Vec::new(),
                };
                results.push(DeletedObjectResult::success(&**path, success));
            }
            Ok(deleted) => failures.extend(deleted.into_failures(path)),
            Err(fault) => failures.push(Failure::new(path, &fault, Deed::Delete)),
        }
    }
    if !failures.is_empty() {
        transaction.rollback(start);
        return refusal(failures);
    }
    DeleteResp {
        deleted_obj_results: results,
    }
    .into()
}

/// What became of the rows that one path matched.
#[derive(Default)]
struct Deleted {
    /// Paths of rows that are gone and could be read. (R-DEL.2)
    affected: Vec<String>,
    /// Rows that are still there, and whether they could be read.
    undeleted: Vec<(Fault, bool)>,
    is_search: bool,
}

impl Deleted {
    /// As part of a response. A row that may not be read is not named; where it is the one that was asked
    /// for, the whole fails, for nothing else would tell. (R-DEL.3, R-DEL.4)
    fn into_success(self) -> Result<DeleteSuccess, Fault> {
        let mut unaffected_path_errs = Vec::new();
        for (fault, readable) in self.undeleted {
            if readable {
                unaffected_path_errs.push(UnaffectedPathError {
                    err_code: code_of(fault.kind, Deed::Delete).number(),
                    err_msg: fault.text.into_owned(),
                    unaffected_path: fault.path,
                });
            } else if !self.is_search {
                return Err(fault);
            }
        }
        Ok(DeleteSuccess {
            affected_paths: self.affected,
            unaffected_path_errs,
        })
    }

    /// As reasons of an Error Message; rows that may not be read go by the path that was asked for, once,
    /// so that nobody can count them. (R-DEL.4)
    fn into_failures(self, path: &str) -> impl Iterator<Item = Failure> {
        let mut is_told = false;
        self.undeleted
            .into_iter()
            .filter_map(move |(fault, readable)| {
                if readable {
                    return Some(Failure::new(&fault.path, &fault, Deed::Delete));
                }
                if std::mem::replace(&mut is_told, true) {
                    return None;
                }
                let code = code_of(fault.kind, Deed::Delete);
                Some(Failure {
                    code,
                    text: format!("{path}: {}", fault.text),
                    details: vec![ParamError::new(path, code, &*fault.text)],
                })
            })
    }
}

fn delete_path(
    transaction: &mut Transaction<'_>,
    path: &str,
    caller: &Caller,
) -> Result<Deleted, Fault> {
    let text = object_text(path);
    let resolved = match transaction.resolve_text(&text, Sight::Addressable(&caller.access)) {
        Err(fault) if fault.kind == FaultKind::NotInstantiated => return Ok(Deleted::default()),
        resolved => resolved?,
    };
    check(transaction, &resolved, path)?;
    let mut deleted = Deleted {
        is_search: path.contains(['*', '[', '+']),
        ..Deleted::default()
    };
    for target in resolved.targets {
        let at = transaction.path(target.object).to_owned();
        let readable = transaction
            .rights(&caller.access, target.node, target.object)
            .grants(Rights::OBJECT_READ);
        match delete_row(transaction, target.object, &at, caller) {
            Ok(()) if readable => deleted.affected.push(at),
            Ok(()) => {}
            Err(fault) => {
                let fault = Fault { path: at, ..fault };
                deleted.undeleted.push((fault, readable));
            }
        }
    }
    Ok(deleted)
}

/// Whether the path names rows, and not too many. (R-DEL.1)
fn check(transaction: &Transaction<'_>, resolved: &Resolved, path: &str) -> Result<(), Fault> {
    if resolved.kind != ResolvedKind::Object {
        let text = "this is a table, name one of its instances, or all by \"*\"";
        return Err(Fault::new(FaultKind::PathInvalid, path, text));
    }
    let single = |object: ObjectId| transaction.instance(object) == 0;
    if resolved.targets.iter().any(|target| single(target.object)) {
        let text = "only instances of a table can be deleted";
        return Err(Fault::new(FaultKind::NotAnInstance, path, text));
    }
    check_number(resolved.targets.len(), path, "deletes")
}

fn delete_row(
    transaction: &mut Transaction<'_>,
    row: ObjectId,
    path: &str,
    caller: &Caller,
) -> Result<(), Fault> {
    if transaction.find(path) != Some(row) {
        // It went with a row above it.
        return Ok(());
    }
    let node = transaction.node_of(row).id;
    let may_delete = transaction
        .rights(&caller.access, node, row)
        .grants(Rights::INSTANCE_WRITE);
    if !may_delete {
        let text = "the Controller may not delete this instance";
        return Err(Fault::new(FaultKind::DeleteForbidden, path, text));
    }
    let start = transaction.savepoint();
    let outcome = transaction.delete(row);
    if outcome.is_err() {
        transaction.rollback(start);
    }
    outcome
}
