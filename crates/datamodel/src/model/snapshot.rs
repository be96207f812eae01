//! Taking in what an owner says of its unit: rows appear, disappear and keep their numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::Model;
use super::owned::{OwnerError, Snapshot, SnapshotObject};
use crate::declare::Numbering;
use crate::entry::Entry;
use crate::limits::ROWS_MAX;
use crate::schema::{Kind, NodeId, UnitId};
use crate::tree::ObjectId;

impl<A> Model<A> {
    /// Makes the unit's part of the Tree say what `snapshot` says.
    ///
    /// # Errors
    /// When the snapshot names what the unit does not have; what was taken in until then stays, and
    /// counts as stale.
    pub(super) fn take_in(&mut self, unit: UnitId, snapshot: Snapshot) -> Result<(), OwnerError> {
        let mut seen: BTreeSet<ObjectId> = BTreeSet::new();
        for object in &snapshot.objects {
            let id = self.reach(unit, object)?;
            let mut at = Some(id);
            while let Some(object) = at {
                seen.insert(object);
                at = self.tree.object(object).parent;
            }
            self.fill(unit, id, object)?;
        }
        self.remove_unseen(unit, &seen);
        Ok(())
    }

    /// The object that a snapshot means; rows that are new are made.
    fn reach(&mut self, unit: UnitId, object: &SnapshotObject) -> Result<ObjectId, OwnerError> {
        let wrong = |what: &str| OwnerError::failed(format!("{}: {what}", object.path));
        let mut at = self.tree.root();
        let mut keys = object.keys.iter();
        let rest = object
            .path
            .strip_prefix(&*self.view.root().path)
            .ok_or_else(|| wrong("not below the root"))?;
        let mut steps = rest.strip_suffix('.').unwrap_or(rest).split('.').peekable();
        while let Some(name) = steps.next().filter(|name| !name.is_empty()) {
            let found = self.tree.object(at);
            let node = self.view.member(found.node, name, Some(&found.path));
            let node = node.filter(|node| self.view.node(*node).object().is_some());
            let node = node.ok_or_else(|| wrong("the model has no such object"))?;
            if let Some(single) = self.tree.single(&self.view, at, node) {
                at = single;
                continue;
            }
            if steps.next() != Some("{i}") {
                return Err(wrong("rows are named by {i} and a key"));
            }
            let key = keys
                .next()
                .ok_or_else(|| wrong("there are fewer keys than tables on the way"))?;
            at = self
                .reach_row(unit, at, node, key)
                .ok_or_else(|| wrong("the table is full or not of this unit"))?;
        }
        Ok(at)
    }

    fn reach_row(
        &mut self,
        unit: UnitId,
        parent: ObjectId,
        node: NodeId,
        key: &str,
    ) -> Option<ObjectId> {
        let number = self.tree.number_of(&self.view, parent, node, key);
        let table = self.tree.table(&self.view, parent, node)?;
        if let Some(row) = number.and_then(|number| table.row(number)) {
            return Some(row);
        }
        if self.view.node(node).unit != Some(unit) || table.rows().len() >= ROWS_MAX {
            return None;
        }
        let number = number.unwrap_or_else(|| table.next());
        let row = self.tree.add_row(&self.view, parent, node, number);
        if let Some(object) = self.tree.object_mut(row) {
            object.key = Some(key.into());
        }
        if self.tree.number_of(&self.view, parent, node, key).is_none() {
            self.tree.keep_number(&self.view, parent, node, key, number);
            self.keep_number(unit, parent, node, key, number);
        }
        Some(row)
    }

    /// Has the number of an owner's row kept across restarts, where the unit says so.
    fn keep_number(
        &mut self,
        unit: UnitId,
        parent: ObjectId,
        node: NodeId,
        key: &str,
        number: u32,
    ) {
        let kept = self
            .view
            .unit(unit)
            .is_some_and(|unit| unit.numbering == Numbering::Kept);
        if kept {
            let table = self.tree.next_key(&self.view, parent, node);
            self.sequence += 1;
            let sequence = self.sequence;
            let entry = Entry::put(format!("{table}{key}"), number.to_string());
            let mut entries = self.overdue_numbers(sequence);
            entries.push(entry.clone());
            self.numbers.push((sequence, entry));
            if let Some(table) = self.tree.table_mut(&self.view, parent, node) {
                table.changed = sequence;
            }
            self.outputs
                .push_back(super::ModelOutput::Commit { sequence, entries });
        }
    }

    fn fill(
        &mut self,
        unit: UnitId,
        id: ObjectId,
        object: &SnapshotObject,
    ) -> Result<(), OwnerError> {
        let wrong =
            |name: &str, what: &str| OwnerError::failed(format!("{}{name}: {what}", object.path));
        let view = &self.view;
        let Kind::Object(node) = &view.node(self.tree.object(id).node).kind else {
            return Ok(());
        };
        let mut given: BTreeMap<usize, Box<str>> = BTreeMap::new();
        for (name, value) in &object.values {
            let member = node.member(name).map(|member| view.node(member));
            let member = member.filter(|member| member.unit == Some(unit));
            let parameter = member.and_then(|member| member.parameter());
            let parameter = parameter.ok_or_else(|| wrong(name, "not a parameter of this unit"))?;
            let canonical = parameter
                .value_type
                .canonical(value)
                .map_err(|error| wrong(name, &error.to_string()))?;
            given.insert(parameter.slot, canonical.as_ref().into());
        }
        for parameter in &node.parameters {
            let member = view.node(*parameter);
            let Some(of) = member.parameter() else {
                continue;
            };
            if member.unit == Some(unit) && of.counts.is_none() {
                self.tree.put(id, of.slot, given.remove(&of.slot));
            }
        }
        Ok(())
    }

    fn remove_unseen(&mut self, unit: UnitId, seen: &BTreeSet<ObjectId>) {
        let tables: Vec<NodeId> = self
            .view
            .nodes()
            .filter(|node| {
                node.unit == Some(unit) && node.object().is_some_and(|object| object.table)
            })
            .map(|node| node.id)
            .collect();
        for table in tables {
            for row in self.tree.instances(&self.view, table) {
                if !seen.contains(&row) {
                    self.remove_row(unit, table, row);
                }
            }
        }
    }

    fn remove_row(&mut self, unit: UnitId, table: NodeId, row: ObjectId) {
        if !self.tree.exists(row) {
            return;
        }
        let kept = self
            .view
            .unit(unit)
            .is_some_and(|unit| unit.numbering == Numbering::Kept);
        let (parent, key) = (
            self.tree.object(row).parent,
            self.tree.object(row).key.clone(),
        );
        self.tree.unlink(&self.view, row);
        if let (Some(parent), Some(key), false) = (parent, key, kept) {
            self.tree.forget_number(&self.view, parent, table, &key);
        }
        if self.unconfirmed.is_empty() {
            self.tree.discard(row);
        } else {
            self.graveyard.push(row);
        }
    }
}
