//! What a transaction did, so that it can be taken back, kept and told.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, Counts, is_attached, tell_deleted};
use crate::entry::Entry;
use crate::schema::{NodeId, SchemaView};
use crate::tree::{ObjectId, Tree};

/// One elementary change of the Tree.
#[derive(Debug)]
pub(super) enum Step {
    Linked {
        row: ObjectId,
    },
    Next {
        parent: ObjectId,
        table: NodeId,
        old: u32,
    },
    Unlinked {
        row: ObjectId,
    },
    Value {
        object: ObjectId,
        parameter: NodeId,
        old: Option<Box<str>>,
    },
}

/// The steps of one transaction, in order.
#[derive(Debug, Default)]
pub(super) struct Journal {
    steps: Vec<Step>,
}

impl Journal {
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The steps after the first `count`.
    pub(super) fn since(&self, count: usize) -> impl Iterator<Item = &Step> {
        self.steps.iter().skip(count)
    }

    /// Whether one of the steps added `row`.
    pub(super) fn added(&self, row: ObjectId) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step, Step::Linked { row: added } if *added == row))
    }

    pub(super) fn note(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Takes back every step after the first `keep`, the last one first.
    pub(super) fn rollback(&mut self, view: &SchemaView, tree: &mut Tree, keep: usize) {
        while self.steps.len() > keep {
            match self.steps.pop() {
                Some(Step::Linked { row }) => {
                    tree.unlink(view, row);
                    tree.discard(row);
                }
                Some(Step::Next { parent, table, old }) => {
                    give_back(view, tree, parent, table, old)
                }
                Some(Step::Unlinked { row }) => relink(view, tree, row),
                Some(Step::Value {
                    object,
                    parameter,
                    old,
                }) => {
                    let slot = view
                        .node(parameter)
                        .parameter()
                        .map(|parameter| parameter.slot);
                    if let Some(slot) = slot.filter(|_| tree.exists(object)) {
                        tree.put(object, slot, old);
                    }
                }
                None => {}
            }
        }
    }

    /// Frees what the steps took out of the Tree. After this they cannot be taken back.
    pub(super) fn settle(self, tree: &mut Tree) {
        for step in self.steps {
            if let Step::Unlinked { row } = step
                && tree.exists(row)
            {
                if tree.object(row).key.is_none() {
                    // Its number is not used again, so nothing below it comes back.
                    let path = tree.object(row).path.clone();
                    tree.numbers.forget_below(&path);
                }
                tree.discard(row);
            }
        }
    }

    /// Marks everything that was changed with the commit that keeps it.
    pub(super) fn mark(&self, view: &SchemaView, tree: &mut Tree, sequence: u64) {
        for step in &self.steps {
            match *step {
                Step::Linked { row } | Step::Unlinked { row } => {
                    mark_row(view, tree, row, sequence)
                }
                Step::Next { .. } => {}
                Step::Value { object, .. } => {
                    if let Some(object) = tree.object_mut(object) {
                        object.changed = sequence;
                    }
                }
            }
        }
    }

    /// What has to be kept so that the steps outlive a restart.
    pub(super) fn entries(&self, view: &SchemaView, tree: &Tree) -> Vec<Entry> {
        let mut kept: BTreeMap<String, Option<String>> = BTreeMap::new();
        for step in &self.steps {
            match *step {
                Step::Linked { row } if tree.is_own(view, row) => {
                    kept.insert(tree.row_key(row), Some(String::new()));
                }
                Step::Next { parent, table, .. } if tree.is_own(view, parent) => {
                    let next = tree
                        .table(view, parent, table)
                        .map(|rows| rows.next().to_string());
                    kept.insert(tree.next_key(view, parent, table), next);
                }
                Step::Value {
                    object, parameter, ..
                } if is_value_kept(view, tree, object, parameter) => {
                    let slot = view
                        .node(parameter)
                        .parameter()
                        .map_or(usize::MAX, |node| node.slot);
                    let value = tree.object(object).value(slot).map(str::to_owned);
                    kept.insert(tree.value_key(view, object, parameter), value);
                }
                _ => {}
            }
        }
        // What is gone in the end is gone, whatever was done with it before.
        for step in &self.steps {
            if let Step::Unlinked { row } = *step
                && tree.is_own(view, row)
            {
                let mut keys = Vec::new();
                tree.keys_below(view, row, &mut keys);
                kept.extend(keys.into_iter().map(|key| (key, None)));
            }
        }
        kept.into_iter()
            .map(|(key, value)| Entry { key, value })
            .collect()
    }

    /// What others are told: rows that were added and deleted, and values that differ from before.
    pub(super) fn changes(&self, view: &SchemaView, tree: &Tree) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut counts = Counts::default();
        let mut added: BTreeSet<ObjectId> = BTreeSet::new();
        let mut seen: BTreeSet<(ObjectId, NodeId)> = BTreeSet::new();
        for step in &self.steps {
            match step {
                Step::Linked { row } => {
                    added.insert(*row);
                    let object = tree.object(*row);
                    if let Some(parent) = object.parent {
                        counts.note(parent, object.node, 1);
                    }
                    if is_attached(view, tree, *row) {
                        changes.push(Change::Added {
                            path: object.path.clone().into_string(),
                            node: object.node,
                        });
                    }
                }
                Step::Next { .. } => {}
                Step::Unlinked { row } => {
                    let object = tree.object(*row);
                    if let Some(parent) = object.parent {
                        counts.note(parent, object.node, -1);
                    }
                    // What came and went meanwhile was never there.
                    tell_deleted(tree, *row, &added, &mut changes);
                }
                Step::Value {
                    object,
                    parameter,
                    old,
                } => {
                    if seen.insert((*object, *parameter)) && is_attached(view, tree, *object) {
                        changes.extend(set(view, tree, *object, *parameter, old.as_deref()));
                    }
                }
            }
        }
        counts.tell(view, tree, &mut changes);
        changes
    }
}

/// The change of a value that was `old` before; nothing where it is the same again.
fn set(
    view: &SchemaView,
    tree: &Tree,
    object: ObjectId,
    parameter: NodeId,
    old: Option<&str>,
) -> Option<Change> {
    let default = view
        .node(parameter)
        .parameter()
        .map_or("", |node| &node.default);
    let old = old.unwrap_or(default);
    let new = tree.value(view, object, parameter);
    (old != new).then(|| Change::Set {
        object: tree.object(object).path.clone().into_string(),
        node: parameter,
        old: old.to_owned(),
        new: new.to_owned(),
    })
}

fn mark_row(view: &SchemaView, tree: &mut Tree, row: ObjectId, sequence: u64) {
    let (parent, node) = (tree.object(row).parent, tree.object(row).node);
    if let Some(object) = tree.object_mut(row) {
        object.changed = sequence;
    }
    let Some(parent) = parent else { return };
    if let Some(table) = tree.table_mut(view, parent, node) {
        table.changed = sequence;
    }
    // The parent's counter has another value.
    if let Some(parent) = tree.object_mut(parent) {
        parent.changed = sequence;
    }
}

/// Puts a row back, unless its owner has given it anew meanwhile.
fn relink(view: &SchemaView, tree: &mut Tree, row: ObjectId) {
    if tree.exists(row) && !tree.link(view, row) {
        tree.discard(row);
    }
}

/// Makes an instance number free again, unless a later one was given to a row that stays.
fn give_back(view: &SchemaView, tree: &mut Tree, parent: ObjectId, table: NodeId, old: u32) {
    let rows = tree
        .exists(parent)
        .then(|| tree.table(view, parent, table))
        .flatten();
    if rows.is_some_and(|rows| rows.next() == old.saturating_add(1)) {
        tree.set_next(view, parent, table, old);
    }
}

fn is_value_kept(view: &SchemaView, tree: &Tree, object: ObjectId, parameter: NodeId) -> bool {
    let node = view.node(parameter);
    let own = node
        .parameter()
        .is_some_and(|parameter| !parameter.volatile && parameter.counts.is_none());
    own && node.unit.is_none() && tree.is_own(view, object)
}
