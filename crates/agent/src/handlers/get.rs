//! Get: values by path. (R-GET.0 to R-GET.5)

use usphere_datamodel::model::{Gather, ResolvedKind, Sight, Target};
use usphere_datamodel::{Fault, FaultKind, Transaction};
use usphere_proto::msg::Get;
use usphere_proto::{EncodedGetResp, GetRespWriter};

use super::Caller;
use super::room::Room;
use super::shared::shown;
use crate::codes::{Deed, code_of};

/// Answers a Get: one result per requested path, in the order asked.
pub(super) fn get(
    transaction: &mut Transaction<'_>,
    request: &Get,
    caller: &Caller,
) -> EncodedGetResp {
    let mut room = Room::new();
    let mut answer = GetRespWriter::default();
    for path in &request.param_paths {
        answer.path(path);
        let outcome = room.for_path(path).and_then(|left| {
            let mut found = Found {
                answer: &mut answer,
                room: left,
            };
            read(transaction, path, request.max_depth, caller, &mut found)?;
            room.settle(found.room, path)
        });
        if let Err(fault) = outcome {
            let code = code_of(fault.kind, Deed::Read).number();
            answer.fail(code, &fault.to_string());
        }
    }
    answer.finish()
}

fn read(
    transaction: &mut Transaction<'_>,
    path: &str,
    max_depth: u32,
    caller: &Caller,
    found: &mut Found<'_>,
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
                    if found.is_full() {
                        break;
                    }
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
    found: &mut Found<'_>,
) -> Result<(), Fault> {
    let name = &*transaction.node(target.node).name;
    found.object(transaction.path(target.object));
    let value = shown(transaction, &caller.access, target.object, target.node)?;
    found.value(name, value);
    Ok(())
}

/// Takes what a visit finds, as long as there is room in the answer.
struct Found<'a> {
    answer: &'a mut GetRespWriter,
    room: Room,
}

impl Gather for Found<'_> {
    fn is_full(&self) -> bool {
        self.room.is_full()
    }

    fn object(&mut self, path: &str) {
        if self.room.take(path.len()) {
            self.answer.object(path);
        }
    }

    fn value(&mut self, name: &str, value: &str) {
        if self.room.take(name.len() + value.len()) {
            self.answer.value(name, value);
        }
    }
}
