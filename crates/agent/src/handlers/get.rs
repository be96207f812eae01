//! Get: values by path. (R-GET.0 to R-GET.5)

use std::collections::BTreeMap;

use usphere_datamodel::model::{Gather, ResolvedKind, Sight, Target};
use usphere_datamodel::{Fault, FaultKind, Transaction};
use usphere_proto::msg::{Get, GetResp, RequestedPathResult, ResolvedPathResult};

use super::Caller;
use super::limits::ANSWER_BYTES_MAX;
use super::shared::shown;
use crate::codes::{Deed, code_of};

/// Answers a Get: one result per requested path, in the order asked.
pub(super) fn get(transaction: &mut Transaction<'_>, request: &Get, caller: &Caller) -> GetResp {
    let mut room = ANSWER_BYTES_MAX;
    let results = request.param_paths.iter().map(|path| {
        let mut found = Found {
            results: Vec::new(),
            room,
        };
        let outcome = read(transaction, path, request.max_depth, caller, &mut found);
        match outcome.and_then(|()| found.fits(path)) {
            Ok(()) => {
                room = found.room;
                RequestedPathResult {
                    requested_path: path.clone(),
                    resolved_path_results: found.results,
                    ..RequestedPathResult::default()
                }
            }
            Err(fault) => RequestedPathResult {
                requested_path: path.clone(),
                err_code: code_of(fault.kind, Deed::Read).number(),
                err_msg: fault.to_string(),
                ..RequestedPathResult::default()
            },
        }
    });
    GetResp {
        req_path_results: results.collect(),
    }
}

fn read(
    transaction: &mut Transaction<'_>,
    path: &str,
    max_depth: u32,
    caller: &Caller,
    found: &mut Found,
) -> Result<(), Fault> {
    let access = &*caller.access;
    let resolved = transaction.resolve_text(path, Sight::Readable(access))?;
    match resolved.kind {
        ResolvedKind::Object => {
            for target in &resolved.targets {
                transaction.visit(target.object, max_depth, access, found)?;
            }
            Ok(())
        }
        ResolvedKind::Parameter => resolved
            .targets
            .iter()
            .try_for_each(|target| read_parameter(transaction, *target, caller, found)),
        ResolvedKind::Table => {
            for target in &resolved.targets {
                for row in transaction.rows(target.object, target.node)? {
                    transaction.visit(row, max_depth, access, found)?;
                }
            }
            Ok(())
        }
        ResolvedKind::Command | ResolvedKind::Event => Err(Fault::new(
            FaultKind::PathInvalid,
            path,
            "Get reads parameters, and this is a command or an event",
        )),
    }
}

/// The resolved path is the parameter's object, and nothing else of it is shown. (R-GET.2, R-GET.3)
fn read_parameter(
    transaction: &mut Transaction<'_>,
    target: Target,
    caller: &Caller,
    found: &mut Found,
) -> Result<(), Fault> {
    let name = &*transaction.node(target.node).name;
    found.object(transaction.path(target.object));
    let value = shown(transaction, &caller.access, target.object, target.node)?;
    found.value(name, value);
    Ok(())
}

/// Takes what a visit finds, as long as there is room in the answer.
struct Found {
    results: Vec<ResolvedPathResult>,
    room: usize,
}

impl Found {
    /// What a result, and what a value needs on the wire beside its texts.
    const FRAME_BYTES: usize = 8;

    fn take(&mut self, bytes: usize) -> bool {
        self.room = self.room.saturating_sub(bytes + Self::FRAME_BYTES);
        self.room > 0
    }

    fn fits(&self, path: &str) -> Result<(), Fault> {
        if self.room > 0 {
            return Ok(());
        }
        let text = format!(
            "the answer would be longer than {ANSWER_BYTES_MAX} bytes; ask for less at once, or limit max_depth"
        );
        Err(Fault::new(FaultKind::ResourcesExceeded, path, text))
    }
}

impl Gather for Found {
    fn object(&mut self, path: &str) {
        if self.take(path.len()) {
            self.results.push(ResolvedPathResult {
                resolved_path: path.to_owned(),
                result_params: BTreeMap::new(),
            });
        }
    }

    fn value(&mut self, name: &str, value: &str) {
        if self.take(name.len() + value.len())
            && let Some(result) = self.results.last_mut()
        {
            result
                .result_params
                .insert(name.to_owned(), value.to_owned());
        }
    }
}
