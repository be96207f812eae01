//! Making a unit's part of the Tree say what its owner says, and noting what that changes.
//!
//! Nearly always nothing has changed, so values are compared where they stand, and what is the same
//! costs no memory.

use std::collections::BTreeSet;

use super::change::{Change, Counts, tell_deleted};
use super::owned::{OwnerError, Snapshot, SnapshotObject};
use crate::declare::Numbering;
use crate::entry::Entry;
use crate::limits::ROWS_MAX;
use crate::schema::{Node, NodeId, ObjectNode, ParameterNode, SchemaView, UnitId};
use crate::tree::{ObjectId, Tree, instance_number, is_numbering_kept};

/// One snapshot on its way into the Tree.
pub(super) struct Intake<'m> {
    view: &'m SchemaView,
    tree: &'m mut Tree,
    unit: UnitId,
    /// Whether there was a snapshot before, so that what differs is news.
    known: bool,
    pub(super) changes: Vec<Change>,
    pub(super) numbered: Vec<Numbered>,
    /// Rows that were taken out of their tables. They are in memory still.
    pub(super) gone: Vec<ObjectId>,
    counts: Counts,
    seen: Seen,
    /// Which slots of the object at hand were given.
    given: Vec<bool>,
    /// The path of the table that was needed last.
    table: Option<(ObjectId, NodeId, String)>,
}

/// A row whose instance number has to be kept.
pub(super) struct Numbered {
    pub(super) parent: ObjectId,
    pub(super) table: NodeId,
    pub(super) entry: Entry,
}

impl<'m> Intake<'m> {
    pub(super) fn new(view: &'m SchemaView, tree: &'m mut Tree, unit: UnitId, known: bool) -> Self {
        Self {
            view,
            tree,
            unit,
            known,
            changes: Vec::new(),
            numbered: Vec::new(),
            gone: Vec::new(),
            counts: Counts::default(),
            seen: Seen::default(),
            given: Vec::new(),
            table: None,
        }
    }

    /// Takes in everything, and takes out what is not there any more.
    ///
    /// # Errors
    /// When the snapshot names what the unit does not have. What was taken in until then stays.
    pub(super) fn take(&mut self, snapshot: &Snapshot) -> Result<(), OwnerError> {
        for object in &snapshot.objects {
            if let Some(id) = self.reach(object)? {
                self.see(id);
                self.fill(id, object)?;
            }
        }
        self.remove_unseen();
        Ok(())
    }

    /// Tells last what counts rows now.
    pub(super) fn finish(&mut self) {
        let counts = core::mem::take(&mut self.counts);
        if self.known {
            counts.tell(self.view, self.tree, &mut self.changes);
        }
    }

    /// The object that a snapshot means; rows that are new are made. None where it is below a row that
    /// another unit of the owner has given away meanwhile, or not given yet.
    fn reach(&mut self, object: &SnapshotObject) -> Result<Option<ObjectId>, OwnerError> {
        let view = self.view;
        let wrong = |what: &str| OwnerError::failed(format!("{}: {what}", object.path));
        let mut at = self.tree.root();
        let mut keys = object.keys.iter();
        let rest = object
            .path
            .strip_prefix(&*view.root().path)
            .ok_or_else(|| wrong("not below the root"))?;
        let mut steps = rest.strip_suffix('.').unwrap_or(rest).split('.');
        while let Some(name) = steps.next().filter(|name| !name.is_empty()) {
            let found = self.tree.object(at);
            let node = view.member(found.node, name, Some(&found.path));
            let node = node.filter(|node| view.node(*node).object().is_some());
            let node = node.ok_or_else(|| wrong("the model has no such object"))?;
            if let Some(single) = self.tree.single(view, at, node) {
                at = single;
                continue;
            }
            if steps.next() != Some("{i}") {
                return Err(wrong("rows are named by {i} and a key"));
            }
            let key = keys
                .next()
                .ok_or_else(|| wrong("there are fewer keys than tables on the way"))?;
            let row = self.reach_row(at, node, key);
            if row.is_none() && self.is_numbered_elsewhere(node) {
                return Ok(None);
            }
            at = row.ok_or_else(|| wrong("the table is full or not of this unit"))?;
        }
        Ok(Some(at))
    }

    fn reach_row(&mut self, parent: ObjectId, node: NodeId, key: &str) -> Option<ObjectId> {
        if self.view.node(node).unit.is_none() {
            // The Tree's own rows are named by their numbers.
            let table = self.tree.table(self.view, parent, node)?;
            return table.row(instance_number(key)?);
        }
        if self.is_given(node) {
            return self.reach_given(parent, node, instance_number(key)?);
        }
        let path = self.table_path(parent, node);
        let known = self.tree.numbers.of(&path, key);
        let table = self.tree.table(self.view, parent, node)?;
        let row = match known.and_then(|number| table.row(number)) {
            Some(row) => Some(row),
            None if self.view.node(node).unit == Some(self.unit) => {
                self.make_row(parent, node, &path, key, known)
            }
            None => None,
        };
        self.table = Some((parent, node, path));
        row
    }

    /// The row to which its owner gave `number`.
    fn reach_given(&mut self, parent: ObjectId, node: NodeId, number: u32) -> Option<ObjectId> {
        let table = self.tree.table(self.view, parent, node)?;
        if let Some(row) = table.row(number) {
            return Some(row);
        }
        let is_own = self.view.node(node).unit == Some(self.unit);
        if !is_own || table.rows().len() >= ROWS_MAX || number == u32::MAX {
            return None;
        }
        Some(self.add_row(parent, node, number))
    }

    fn is_given(&self, table: NodeId) -> bool {
        let unit = self.view.node(table).unit;
        let unit = unit.and_then(|unit| self.view.unit(unit));
        unit.is_some_and(|unit| unit.numbering == Numbering::Given)
    }

    fn is_numbered_elsewhere(&self, table: NodeId) -> bool {
        self.is_given(table) && self.view.node(table).unit != Some(self.unit)
    }

    /// The row for a key that the Tree has none for.
    fn make_row(
        &mut self,
        parent: ObjectId,
        node: NodeId,
        path: &str,
        key: &str,
        known: Option<u32>,
    ) -> Option<ObjectId> {
        let table = self.tree.table(self.view, parent, node)?;
        // A row that a request added is known to its owner by its number, until it has a key.
        let added = instance_number(key).and_then(|number| table.row(number));
        let added = added.filter(|row| self.tree.object(*row).key.is_none());
        if added.is_none() && table.rows().len() >= ROWS_MAX {
            return None;
        }
        let number = match (known, added) {
            (Some(number), _) => number,
            (None, Some(row)) => self.tree.object(row).instance,
            (None, None) => table.next().max(self.tree.numbers.next(path)),
        };
        let row = match added.filter(|_| known.is_none()) {
            Some(row) => row,
            None => self.add_row(parent, node, number),
        };
        if let Some(object) = self.tree.object_mut(row) {
            object.key = Some(key.into());
        }
        self.keep_number(parent, node, path, key, number);
        Some(row)
    }

    fn add_row(&mut self, parent: ObjectId, node: NodeId, number: u32) -> ObjectId {
        let row = self.tree.add_row(self.view, parent, node, number);
        if self.known {
            self.counts.note(parent, node, 1);
            self.changes.push(Change::Added {
                path: self.tree.object(row).path.clone().into_string(),
                node,
            });
        }
        row
    }

    fn keep_number(&mut self, parent: ObjectId, table: NodeId, path: &str, key: &str, number: u32) {
        if self.tree.numbers.keep(path, key, number) && is_numbering_kept(self.view, table) {
            let entry = Entry::put(format!("{path}#{key}"), number.to_string());
            self.numbered.push(Numbered {
                parent,
                table,
                entry,
            });
        }
    }

    /// The path of a table, taken from where it was put last if it is the same.
    fn table_path(&mut self, parent: ObjectId, node: NodeId) -> String {
        match self.table.take() {
            Some((known_parent, known, path)) if (known_parent, known) == (parent, node) => path,
            _ => self.tree.table_path(self.view, parent, node),
        }
    }

    /// Notes that an object and all that it is in are there.
    fn see(&mut self, object: ObjectId) {
        let mut at = Some(object);
        while let Some(object) = at.filter(|object| self.seen.insert(*object)) {
            at = self.tree.object(object).parent;
        }
    }

    fn fill(&mut self, id: ObjectId, object: &SnapshotObject) -> Result<(), OwnerError> {
        let wrong =
            |name: &str, what: &str| OwnerError::failed(format!("{}{name}: {what}", object.path));
        let view = self.view;
        let Some(node) = view.node(self.tree.object(id).node).object() else {
            return Ok(());
        };
        self.given.clear();
        self.given.resize(node.parameters.len(), false);
        for (at, (name, value)) in object.values.iter().enumerate() {
            let member = member(view, node, at, name).filter(|node| node.unit == Some(self.unit));
            let of = member.and_then(|member| Some((member, member.parameter()?)));
            let (member, of) = of.ok_or_else(|| wrong(name, "not a parameter of this unit"))?;
            self.given[of.slot] = true;
            // What is there is canonical, so the same text is the same value.
            if self.value(id, of) == *value {
                continue;
            }
            let canonical = of
                .value_type
                .canonical(value)
                .map_err(|error| wrong(name, &error.to_string()))?;
            self.put(id, member, of, &canonical);
        }
        for parameter in &node.parameters {
            let member = view.node(*parameter);
            let Some(of) = member.parameter() else {
                continue;
            };
            if member.unit == Some(self.unit) && of.counts.is_none() && !self.given[of.slot] {
                self.put(id, member, of, &of.default);
            }
        }
        Ok(())
    }

    fn value<'a>(&'a self, id: ObjectId, of: &'a ParameterNode) -> &'a str {
        self.tree.object(id).value(of.slot).unwrap_or(&of.default)
    }

    fn put(&mut self, id: ObjectId, member: &Node, of: &ParameterNode, value: &str) {
        let old = self.value(id, of);
        if old == value {
            return;
        }
        if self.known {
            self.changes.push(Change::Set {
                object: self.tree.object(id).path.clone().into_string(),
                node: member.id,
                old: old.to_owned(),
                new: value.to_owned(),
            });
        }
        let value = (*value != *of.default).then(|| value.into());
        self.tree.put(id, of.slot, value);
    }

    fn remove_unseen(&mut self) {
        let (view, unit) = (self.view, self.unit);
        let tables = view
            .nodes()
            .filter(|node| node.unit == Some(unit))
            .filter(|node| node.object().is_some_and(|object| object.table));
        for table in tables {
            for row in self.tree.instances(view, table.id) {
                if !self.seen.contains(row) {
                    self.remove_row(table.id, row);
                }
            }
        }
    }

    fn remove_row(&mut self, table: NodeId, row: ObjectId) {
        let object = self.tree.object(row);
        let (parent, key, path) = (object.parent, object.key.clone(), object.path.clone());
        if self.known {
            tell_deleted(self.tree, row, &BTreeSet::new(), &mut self.changes);
        }
        self.tree.unlink(self.view, row);
        if let Some(parent) = parent {
            self.counts.note(parent, table, -1);
            if let Some(key) = key
                && !is_numbering_kept(self.view, table)
            {
                let table = self.tree.table_path(self.view, parent, table);
                self.tree.numbers.forget(&table, &key);
                self.tree.numbers.forget_below(&path);
            }
        }
        self.gone.push(row);
    }
}

/// The member called `name`. Owners give values in declared order mostly, so where the last ended is
/// looked at first.
fn member<'v>(
    view: &'v SchemaView,
    object: &ObjectNode,
    at: usize,
    name: &str,
) -> Option<&'v Node> {
    let likely = object.parameters.get(at).map(|member| view.node(*member));
    match likely.filter(|node| *node.name == *name) {
        Some(node) => Some(node),
        None => object.member(name).map(|member| view.node(member)),
    }
}

/// A set of objects, one bit for each place in memory.
#[derive(Default)]
struct Seen(Vec<u64>);

impl Seen {
    /// Whether it was not in it before.
    fn insert(&mut self, object: ObjectId) -> bool {
        let (word, bit) = place(object);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    fn contains(&self, object: ObjectId) -> bool {
        let (word, bit) = place(object);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

fn place(object: ObjectId) -> (usize, u64) {
    (object.index() / 64, 1 << (object.index() % 64))
}
