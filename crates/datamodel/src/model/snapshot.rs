//! Taking in what an owner says of its unit: rows appear, disappear and keep their numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::owned::{OwnerError, Snapshot, SnapshotObject};
use super::{Model, ModelOutput};
use crate::declare::Numbering;
use crate::entry::Entry;
use crate::limits::ROWS_MAX;
use crate::schema::{Kind, NodeId, UnitId};
use crate::tree::{ObjectId, instance_number, is_numbering_kept};

impl<A> Model<A> {
    /// Makes the unit's part of the Tree say what `snapshot` says.
    ///
    /// # Errors
    /// When the snapshot names what the unit does not have; what was taken in until then stays, and
    /// counts as stale.
    pub(super) fn take_in(&mut self, unit: UnitId, snapshot: Snapshot) -> Result<(), OwnerError> {
        let mut numbered = Vec::new();
        let taken = self.take_objects(unit, &snapshot, &mut numbered);
        self.keep_numbers(numbered);
        taken
    }

    fn take_objects(
        &mut self,
        unit: UnitId,
        snapshot: &Snapshot,
        numbered: &mut Vec<Numbered>,
    ) -> Result<(), OwnerError> {
        let mut seen: BTreeSet<ObjectId> = BTreeSet::new();
        for object in &snapshot.objects {
            let Some(id) = self.reach(unit, object, numbered)? else {
                continue;
            };
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

    /// The object that a snapshot means; rows that are new are made. None where it is below a row that
    /// another unit of the owner has given away meanwhile, or not given yet.
    fn reach(
        &mut self,
        unit: UnitId,
        object: &SnapshotObject,
        numbered: &mut Vec<Numbered>,
    ) -> Result<Option<ObjectId>, OwnerError> {
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
            let row = self.reach_row(unit, at, node, key, numbered);
            if row.is_none() && self.is_numbered_elsewhere(unit, node) {
                return Ok(None);
            }
            at = row.ok_or_else(|| wrong("the table is full or not of this unit"))?;
        }
        Ok(Some(at))
    }

    fn reach_row(
        &mut self,
        unit: UnitId,
        parent: ObjectId,
        node: NodeId,
        key: &str,
        numbered: &mut Vec<Numbered>,
    ) -> Option<ObjectId> {
        let table = self.tree.table(&self.view, parent, node)?;
        if self.view.node(node).unit.is_none() {
            // The Tree's own rows are named by their numbers.
            return table.row(instance_number(key)?);
        }
        if self.is_given(node) {
            return self.reach_given(unit, parent, node, instance_number(key)?);
        }
        let path = self.tree.table_path(&self.view, parent, node);
        let known = self.tree.numbers.of(&path, key);
        if let Some(row) = known.and_then(|number| table.row(number)) {
            return Some(row);
        }
        if self.view.node(node).unit != Some(unit) {
            return None;
        }
        // A row that a request added is known to its owner by its number, until it has a key.
        let added = instance_number(key).and_then(|number| table.row(number));
        let added = added.filter(|row| self.tree.object(*row).key.is_none());
        if added.is_none() && table.rows().len() >= ROWS_MAX {
            return None;
        }
        let number = match (known, added) {
            (Some(number), _) => number,
            (None, Some(row)) => self.tree.object(row).instance,
            (None, None) => table.next().max(self.tree.numbers.next(&path)),
        };
        let row = match added.filter(|_| known.is_none()) {
            Some(row) => row,
            None => self.tree.add_row(&self.view, parent, node, number),
        };
        if let Some(object) = self.tree.object_mut(row) {
            object.key = Some(key.into());
        }
        if self.tree.numbers.keep(&path, key, number) && is_numbering_kept(&self.view, node) {
            let entry = Entry::put(format!("{path}#{key}"), number.to_string());
            numbered.push(Numbered {
                parent,
                table: node,
                entry,
            });
        }
        Some(row)
    }

    /// The row to which its owner gave `number`.
    fn reach_given(
        &mut self,
        unit: UnitId,
        parent: ObjectId,
        node: NodeId,
        number: u32,
    ) -> Option<ObjectId> {
        let table = self.tree.table(&self.view, parent, node)?;
        if let Some(row) = table.row(number) {
            return Some(row);
        }
        let is_own = self.view.node(node).unit == Some(unit);
        if !is_own || table.rows().len() >= ROWS_MAX || number == u32::MAX {
            return None;
        }
        Some(self.tree.add_row(&self.view, parent, node, number))
    }

    fn is_given(&self, table: NodeId) -> bool {
        let unit = self.view.node(table).unit;
        let unit = unit.and_then(|unit| self.view.unit(unit));
        unit.is_some_and(|unit| unit.numbering == Numbering::Given)
    }

    fn is_numbered_elsewhere(&self, unit: UnitId, table: NodeId) -> bool {
        self.is_given(table) && self.view.node(table).unit != Some(unit)
    }

    /// Has the numbers of owners' rows kept across restarts, in one commit.
    fn keep_numbers(&mut self, numbered: Vec<Numbered>) {
        let forgotten = self.tree.trim_numbers(&self.view);
        if numbered.is_empty() && forgotten.removed.is_empty() {
            return;
        }
        self.sequence += 1;
        let sequence = self.sequence;
        let removed: BTreeSet<&str> = forgotten.removed.iter().map(String::as_str).collect();
        self.numbers
            .retain(|(_, entry)| !removed.contains(&*entry.key));
        let mut entries = self.overdue_numbers(sequence);
        for new in numbered {
            if let Some(table) = self.tree.table_mut(&self.view, new.parent, new.table) {
                table.changed = sequence;
            }
            entries.push(new.entry.clone());
            self.numbers.push((sequence, new.entry));
        }
        entries.extend(forgotten.removed.iter().map(Entry::remove));
        let next = forgotten.next.into_iter();
        entries.extend(next.map(|(key, next)| Entry::put(key, next.to_string())));
        self.outputs
            .push_back(ModelOutput::Commit { sequence, entries });
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
                    self.remove_row(table, row);
                }
            }
        }
    }

    fn remove_row(&mut self, table: NodeId, row: ObjectId) {
        if !self.tree.exists(row) {
            return;
        }
        let object = self.tree.object(row);
        let (parent, key, path) = (object.parent, object.key.clone(), object.path.clone());
        self.tree.unlink(&self.view, row);
        if let (Some(parent), Some(key)) = (parent, key)
            && !is_numbering_kept(&self.view, table)
        {
            let table = self.tree.table_path(&self.view, parent, table);
            self.tree.numbers.forget(&table, &key);
            self.tree.numbers.forget_below(&path);
        }
        self.entomb(row);
    }
}

/// A row whose instance number has to be kept.
struct Numbered {
    parent: ObjectId,
    table: NodeId,
    entry: Entry,
}
