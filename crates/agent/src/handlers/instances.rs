//! GetInstances: which rows there are, and their unique keys. (R-GIN.0, R-GIN.1)

use usphere_datamodel::model::{ResolvedKind, Sight};
use usphere_datamodel::{Fault, FaultKind, NodeId, ObjectId, Rights, Transaction};
use usphere_proto::msg::{CurrInstance, GetInstances, GetInstancesResp, RequestedInstancesResult};

use super::Caller;
use super::room::Room;
use super::shared::{object_text, unique_keys};
use crate::codes::{Deed, code_of};

/// Answers a GetInstances: one result per requested path, in the order asked.
pub(super) fn instances(
    transaction: &mut Transaction<'_>,
    request: &GetInstances,
    caller: &Caller,
) -> GetInstancesResp {
    let mut room = Room::new();
    let results = request.obj_paths.iter().map(|path| {
        let outcome = room.for_path(path).and_then(|left| {
            let mut found = Found {
                caller,
                first_level_only: request.first_level_only,
                instances: Vec::new(),
                room: left,
            };
            found.look(transaction, path)?;
            room.settle(found.room, path)?;
            Ok(found.instances)
        });
        match outcome {
            Ok(curr_insts) => RequestedInstancesResult {
                requested_path: path.clone(),
                curr_insts,
                ..RequestedInstancesResult::default()
            },
            Err(fault) => RequestedInstancesResult {
                requested_path: path.clone(),
                err_code: code_of(fault.kind, Deed::List).number(),
                err_msg: fault.to_string(),
                ..RequestedInstancesResult::default()
            },
        }
    });
    GetInstancesResp {
        req_path_results: results.collect(),
    }
}

struct Found<'c> {
    caller: &'c Caller,
    first_level_only: bool,
    instances: Vec<CurrInstance>,
    room: Room,
}

impl Found<'_> {
    fn look(&mut self, transaction: &mut Transaction<'_>, path: &str) -> Result<(), Fault> {
        let text = object_text(path);
        let sight = Sight::Instances(&self.caller.access);
        let resolved = transaction.resolve_text(&text, sight)?;
        for target in resolved.targets {
            match resolved.kind {
                ResolvedKind::Table => {
                    for row in transaction.rows(target.object, target.node)? {
                        self.row(transaction, row);
                    }
                }
                ResolvedKind::Object if transaction.instance(target.object) != 0 => {
                    self.row(transaction, target.object);
                }
                ResolvedKind::Command
                | ResolvedKind::Event
                | ResolvedKind::Object
                | ResolvedKind::Parameter => {
                    return Err(Fault::new(
                        FaultKind::NotAnInstance,
                        path,
                        "this is no table and has no instances",
                    ));
                }
            }
        }
        Ok(())
    }

    fn row(&mut self, transaction: &mut Transaction<'_>, row: ObjectId) {
        let access = &*self.caller.access;
        let node = transaction.node_of(row).id;
        let readable = transaction
            .rights(access, node, row)
            .grants(Rights::INSTANCE_READ);
        if !readable || self.room.is_full() {
            return;
        }
        let instance = CurrInstance {
            instantiated_obj_path: transaction.path(row).to_owned(),
            unique_keys: unique_keys(transaction, access, row),
        };
        if !self.room.take_all(weight(&instance), elements(&instance)) {
            return;
        }
        self.instances.push(instance);
        if !self.first_level_only {
            self.below(transaction, row);
        }
    }

    /// The tables below an object. Rows that an owner could not give are left out.
    fn below(&mut self, transaction: &mut Transaction<'_>, object: ObjectId) {
        let view = transaction.view();
        let node = transaction.node_of(object).id;
        let path = transaction.path(object).to_owned();
        let children: Vec<NodeId> = view.objects(node, Some(&path)).collect();
        for child in children {
            match transaction.single(object, child) {
                Some(single) => self.below(transaction, single),
                None => {
                    if self.room.is_full() {
                        return;
                    }
                    for row in transaction.rows(object, child).unwrap_or_default() {
                        self.row(transaction, row);
                    }
                }
            }
        }
    }
}

/// About how many bytes an instance takes on the wire.
fn weight(instance: &CurrInstance) -> usize {
    let keys = instance.unique_keys.iter();
    let keys = keys.map(|(name, value)| name.len() + value.len() + 8);
    instance.instantiated_obj_path.len() + 8 + keys.sum::<usize>()
}

/// How many list items and map entries an instance is.
fn elements(instance: &CurrInstance) -> usize {
    1 + instance.unique_keys.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_weighs_what_its_texts_and_their_frames_do() {
        let mut instance = CurrInstance {
            instantiated_obj_path: "Device.A.1.".to_owned(),
            ..CurrInstance::default()
        };
        assert_eq!((weight(&instance), elements(&instance)), (11 + 8, 1));
        let keys = [("Alias", "cpe-1"), ("ID", "abc")];
        let keys = keys.map(|(name, value)| (name.to_owned(), value.to_owned()));
        instance.unique_keys.extend(keys);
        let keys = (5 + 5 + 8) + (2 + 3 + 8);
        assert_eq!((weight(&instance), elements(&instance)), (11 + 8 + keys, 3));
    }
}
