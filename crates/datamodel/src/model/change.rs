//! What others are told of a change, whoever made it.

use std::collections::{BTreeMap, BTreeSet};

use crate::schema::{NodeId, SchemaView};
use crate::tree::{Content, ObjectId, Tree};

/// Something that changed, as others are told of it.
///
/// A new row is told before its values, of which those are told that differ from their defaults. The
/// parameters that count rows (`…NumberOfEntries`) are told last.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// A row was added.
    Added {
        /// Its path.
        path: String,
        /// Its table.
        node: NodeId,
    },
    /// A row was deleted. The rows below it are told after it, each by itself.
    Deleted {
        /// Its path.
        path: String,
        /// Its table.
        node: NodeId,
    },
    /// A parameter has another value.
    Set {
        /// The path of its object.
        object: String,
        /// The parameter.
        node: NodeId,
        /// The value before.
        old: String,
        /// The value now.
        new: String,
    },
}

impl Change {
    /// The table or the parameter.
    pub fn node(&self) -> NodeId {
        match self {
            Self::Added { node, .. } | Self::Deleted { node, .. } | Self::Set { node, .. } => *node,
        }
    }

    /// The path of the row, or of the object that the parameter is of.
    pub fn object(&self) -> &str {
        match self {
            Self::Added { path, .. } | Self::Deleted { path, .. } => path,
            Self::Set { object, .. } => object,
        }
    }

    /// Whether the Tree says the same now.
    pub(super) fn holds(&self, view: &SchemaView, tree: &Tree) -> bool {
        let object = tree.find(view, self.object());
        match self {
            Self::Added { .. } => object.is_some(),
            Self::Deleted { .. } => object.is_none(),
            Self::Set { node, new, .. } => {
                object.is_some_and(|object| tree.value(view, object, *node) == new)
            }
        }
    }
}

/// Tells that `row` is gone, and every row below it, those that nobody knows of excepted.
pub(super) fn tell_deleted(
    tree: &Tree,
    row: ObjectId,
    unknown: &BTreeSet<ObjectId>,
    changes: &mut Vec<Change>,
) {
    if unknown.contains(&row) {
        return;
    }
    let object = tree.object(row);
    if object.instance != 0 {
        changes.push(Change::Deleted {
            path: object.path.clone().into_string(),
            node: object.node,
        });
    }
    for child in object.children() {
        match &child.content {
            Content::Single(single) => tell_deleted(tree, *single, unknown, changes),
            Content::Table(table) => {
                let rows = table.rows().iter();
                rows.for_each(|(_, row)| tell_deleted(tree, *row, unknown, changes));
            }
        }
    }
}

/// Whether `object` is where it belongs: neither it nor a row that it is in was taken out of its table.
pub(super) fn is_attached(view: &SchemaView, tree: &Tree, object: ObjectId) -> bool {
    let mut at = Some(object).filter(|object| tree.exists(*object));
    while let Some(id) = at {
        let object = tree.object(id);
        if object.instance != 0 && !tree.is_linked(view, id) {
            return false;
        }
        match object.parent {
            Some(parent) => at = Some(parent),
            None => return true,
        }
    }
    false
}

/// By how much the number of rows of tables changed, by parent and table.
#[derive(Debug, Default)]
pub(super) struct Counts(BTreeMap<(ObjectId, NodeId), i64>);

impl Counts {
    pub(super) fn note(&mut self, parent: ObjectId, table: NodeId, by: i64) {
        *self.0.entry((parent, table)).or_default() += by;
    }

    /// Tells what the parameters that count rows say now.
    pub(super) fn tell(self, view: &SchemaView, tree: &Tree, changes: &mut Vec<Change>) {
        for ((parent, table), by) in self.0 {
            let counter = view.node(table).object().and_then(|table| table.counter);
            let Some(counter) = counter.filter(|_| by != 0 && is_attached(view, tree, parent))
            else {
                continue;
            };
            let rows = tree
                .table(view, parent, table)
                .map_or(0, |table| table.rows().len());
            let rows = i64::try_from(rows).unwrap_or(i64::MAX);
            changes.push(Change::Set {
                object: tree.object(parent).path.clone().into_string(),
                node: counter,
                old: rows.saturating_sub(by).to_string(),
                new: rows.to_string(),
            });
        }
    }
}
