//! References between objects, which go when their target goes.

use std::collections::BTreeSet;

use crate::schema::{NodeId, SchemaView};
use crate::tree::{ObjectId, Tree};
use crate::types::{Reference, list};

/// A strong reference to something that is gone.
pub(super) struct Dangling {
    pub(super) object: ObjectId,
    pub(super) parameter: NodeId,
    /// What is left of its value.
    pub(super) value: String,
}

/// Every strong reference to one of the objects at `gone`, or to something below them. (R-ARC.12)
pub(super) fn dangling(view: &SchemaView, tree: &Tree, gone: &BTreeSet<&str>) -> Vec<Dangling> {
    let gone: BTreeSet<&str> = gone.iter().map(|path| path.trim_end_matches('.')).collect();
    let mut found = Vec::new();
    for node in view.nodes() {
        let (Some(of), Some(parent)) = (node.parameter(), node.parent) else {
            continue;
        };
        if !matches!(of.value_type.reference, Some(Reference::Strong(_))) {
            continue;
        }
        for object in tree.instances(view, parent) {
            let Some(value) = tree.object(object).value(of.slot) else {
                continue;
            };
            if list::items(value).any(|item| is_gone(&gone, &item)) {
                let kept: Vec<_> = list::items(value)
                    .filter(|item| !is_gone(&gone, item))
                    .collect();
                found.push(Dangling {
                    object,
                    parameter: node.id,
                    value: list::join(kept.iter().map(|item| &**item)),
                });
            }
        }
    }
    found
}

/// The rows that refer to the object at `gone`, or to something below it, by a parameter that cascades.
pub(super) fn dependents(view: &SchemaView, tree: &Tree, gone: &str) -> Vec<ObjectId> {
    let gone = BTreeSet::from([gone.trim_end_matches('.')]);
    let mut found = Vec::new();
    for node in view.nodes() {
        let (Some(of), Some(parent)) = (node.parameter().filter(|of| of.cascading), node.parent)
        else {
            continue;
        };
        let rows = tree.instances(view, parent).into_iter();
        found.extend(rows.filter(|row| {
            let value = tree.object(*row).value(of.slot).unwrap_or_default();
            list::items(value).any(|item| is_gone(&gone, &item))
        }));
    }
    found
}

/// Whether `item` is one of `gone` or below it. Paths without the dot at their end.
fn is_gone(gone: &BTreeSet<&str>, item: &str) -> bool {
    let item = item.trim_end_matches('.');
    gone.contains(item)
        || item
            .match_indices('.')
            .any(|(dot, _)| gone.contains(&item[..dot]))
}
