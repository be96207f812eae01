//! Adding, setting and deleting, each checked and journaled.
//!
//! Permissions are the caller's to check: which right a failure means differs from request to request.

use std::collections::BTreeSet;

use super::journal::Step;
use super::owned::OwnedChange;
use super::references;
use super::resolve::{ResolvedKind, Sight};
use super::transaction::Transaction;
use crate::declare::ParameterAccess;
use crate::fault::{Fault, FaultKind};
use crate::limits::{Clipped, OBJECTS_MAX, ROWS_MAX};
use crate::path::{End, Operator, Path, Segment};
use crate::schema::{Node, NodeId, ParameterNode};
use crate::tree::ObjectId;
use crate::types::{self, Reference, ValueError};

/// When a parameter is set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Setting {
    /// While its row is made: write-once parameters may be given.
    Initial,
    /// On an object that exists.
    Update,
}

impl Transaction<'_> {
    /// Adds a row to the table `table` of `parent`. [`Self::finish_row`] completes it.
    ///
    /// # Errors
    /// When rows cannot be added, the table is full, or its owner refuses.
    pub fn add(&mut self, parent: ObjectId, table: NodeId) -> Result<ObjectId, Fault> {
        let node = self.view.node(table);
        let addable = node
            .object()
            .and_then(|object| object.rows)
            .is_some_and(|rows| rows.addable);
        if !addable {
            return Err(self.fault(
                FaultKind::NotAddable,
                parent,
                node,
                "rows cannot be added to this",
            ));
        }
        self.add_row(parent, table)
    }

    /// As [`Self::add`], also where only the device adds rows.
    ///
    /// # Errors
    /// When the table is full or its owner refuses.
    pub fn add_row(&mut self, parent: ObjectId, table: NodeId) -> Result<ObjectId, Fault> {
        let node = self.view.node(table);
        self.may_write(parent, node)?;
        self.gather(node, parent)?;
        let Some(rows) = self.tree.table(self.view, parent, table) else {
            return Err(self.fault(FaultKind::NotAddable, parent, node, "this is not a table"));
        };
        let (count, next) = (rows.rows().len(), rows.next());
        self.depends = self.depends.max(rows.changed);
        if count >= ROWS_MAX || next == u32::MAX || self.tree.len() >= OBJECTS_MAX {
            return Err(self.fault(
                FaultKind::ResourcesExceeded,
                parent,
                node,
                "the table is full",
            ));
        }
        if node.unit.is_some() {
            let table = format!("{}{}.", self.path(parent), node.name);
            self.ask_owner(OwnedChange::Add {
                table,
                instance: next,
            })?;
        }
        self.note(Step::Next {
            parent,
            table,
            old: next,
        });
        let row = self.tree.add_row(self.view, parent, table, next);
        self.note(Step::Linked { row });
        Ok(row)
    }

    /// Completes a row whose parameters were given: unique keys that were left out are assigned, and
    /// all are compared with the other rows. (R-ADD.5)
    ///
    /// # Errors
    /// When another row has the same unique key.
    pub fn finish_row(&mut self, row: ObjectId) -> Result<(), Fault> {
        let Some(object) = self.node_of(row).object() else {
            return Ok(());
        };
        for parameter in &object.parameters {
            let of = self
                .view
                .node(*parameter)
                .parameter()
                .filter(|of| of.assigned);
            let given = of
                .and_then(|of| self.tree.object(row).value(of.slot))
                .is_some_and(|value| !value.is_empty());
            if let Some(of) = of.filter(|_| !given) {
                let value = self.assigned(row, *parameter, of)?;
                self.put(row, *parameter, of, value);
            }
        }
        self.check_unique(row)
    }

    /// Sets a parameter as a protocol does: declared access, type, facets and references are checked.
    ///
    /// # Errors
    /// [`FaultKind::NotWritable`], [`FaultKind::ValueType`], [`FaultKind::ValueInvalid`],
    /// [`FaultKind::ReferenceInvalid`], or what its owner answered.
    pub fn set(
        &mut self,
        object: ObjectId,
        parameter: NodeId,
        text: &str,
        when: Setting,
    ) -> Result<(), Fault> {
        let node = self.view.node(parameter);
        let of = self.parameter_node(object, node)?;
        let refusal = match (of.access, when) {
            (ParameterAccess::ReadWrite, _) | (ParameterAccess::WriteOnce, Setting::Initial) => {
                None
            }
            (ParameterAccess::WriteOnce, Setting::Update) => {
                Some("can be given only when its object is added")
            }
            (ParameterAccess::ReadOnly, _) => Some("is read-only"),
        };
        if let Some(refusal) = refusal {
            return Err(self.fault(FaultKind::NotWritable, object, node, refusal));
        }
        self.assign(object, parameter, text)
    }

    /// As [`Self::set`], also where only the device writes.
    ///
    /// # Errors
    /// As [`Self::set`], but never for the declared access.
    pub fn assign(&mut self, object: ObjectId, parameter: NodeId, text: &str) -> Result<(), Fault> {
        let node = self.view.node(parameter);
        let of = self.parameter_node(object, node)?;
        self.may_write(object, node)?;
        let value = match of.value_type.reference {
            Some(reference) => self.reference(object, node, of, reference, text)?,
            None => text.to_owned(),
        };
        let value = match of.value_type.canonical(&value) {
            Ok(canonical) => canonical.into_owned(),
            Err(error) => return Err(self.misfit(object, node, &error)),
        };
        self.gather(node, object)?;
        self.touch(object);
        if node.unit.is_some() {
            let is_new = self.is_new(object);
            let previous: &str = if is_new {
                &of.default
            } else {
                self.tree.value(self.view, object, parameter)
            };
            if is_new || *previous != *value {
                self.ask_owner(OwnedChange::Set {
                    path: format!("{}{}", self.path(object), node.name),
                    value: value.clone(),
                    previous: previous.to_owned(),
                })?;
            }
        }
        self.put(object, parameter, of, value);
        Ok(())
    }

    /// Compares every unique key of `row` with the other rows of its table. (R-KEY.2)
    ///
    /// # Errors
    /// When another row has the same values.
    pub fn check_unique(&mut self, row: ObjectId) -> Result<(), Fault> {
        let node = self.node_of(row);
        let (Some(object), Some(parent)) = (node.object(), self.parent(row)) else {
            return Ok(());
        };
        if object.unique.is_empty() || !object.table {
            return Ok(());
        }
        let others = self.rows(parent, node.id)?;
        // Whether a key is taken may be news that are not kept yet.
        others.iter().for_each(|other| self.touch(*other));
        for key in &object.unique {
            if key
                .iter()
                .any(|parameter| self.is_left_to_owner(row, *parameter))
            {
                continue;
            }
            let same = |transaction: &Self, other: ObjectId| {
                key.iter().all(|parameter| {
                    let value =
                        |object| transaction.tree.value(transaction.view, object, *parameter);
                    value(other) == value(row)
                })
            };
            let taken = others
                .iter()
                .any(|other| *other != row && same(self, *other));
            if taken {
                let names: Vec<&str> = key
                    .iter()
                    .map(|parameter| &*self.view.node(*parameter).name)
                    .collect();
                // Which row, and with what, the asker may have no right to read.
                let text = format!(
                    "{} is a unique key, and another row has the same already",
                    names.join(" and ")
                );
                return Err(Fault::new(
                    FaultKind::UniqueKeyConflict,
                    self.path(row),
                    text,
                ));
            }
        }
        Ok(())
    }

    /// Deletes a row with everything below it, as a protocol does. Strong references to it are emptied
    /// or pruned, weak ones are left alone. (R-ARC.12)
    ///
    /// # Errors
    /// When it is not a row, cannot be deleted, or its owner refuses.
    pub fn delete(&mut self, row: ObjectId) -> Result<(), Fault> {
        let node = self.node_of(row);
        let deletable = node
            .object()
            .and_then(|object| object.rows)
            .is_some_and(|rows| rows.deletable);
        if self.instance(row) == 0 {
            return Err(Fault::new(
                FaultKind::NotAnInstance,
                self.path(row),
                "this is not a row of a table",
            ));
        }
        if !deletable {
            return Err(Fault::new(
                FaultKind::NotDeletable,
                self.path(row),
                "rows of this table cannot be deleted",
            ));
        }
        self.delete_row(row)
    }

    /// As [`Self::delete`], also where only the device deletes rows. Rows that make no sense without it
    /// ([`Parameter::cascading`](crate::declare::Parameter::cascading)) go before it.
    ///
    /// # Errors
    /// When it is not a row, or its owner refuses.
    pub fn delete_row(&mut self, row: ObjectId) -> Result<(), Fault> {
        let mut going = vec![row];
        let mut at = 0;
        while let Some(row) = going.get(at) {
            let mut new = references::dependents(self.view, self.tree, self.path(*row));
            new.retain(|row| !going.contains(row));
            going.extend(new);
            at += 1;
        }
        going
            .into_iter()
            .rev()
            .try_for_each(|row| self.delete_alone(row))
    }

    fn delete_alone(&mut self, row: ObjectId) -> Result<(), Fault> {
        let node = self.node_of(row);
        self.may_write(row, node)?;
        if !self.tree.is_linked(self.view, row) {
            let text = "this row is deleted already";
            return Err(Fault::new(FaultKind::NotInstantiated, self.path(row), text));
        }
        if let Some(parent) = self.parent(row) {
            self.gather(node, parent)?;
        }
        self.touch(row);
        if node.unit.is_some() {
            self.ask_owner(OwnedChange::Delete {
                path: self.path(row).to_owned(),
            })?;
        }
        let gone = self.path(row).to_owned();
        self.note(Step::Unlinked { row });
        self.tree.unlink(self.view, row);
        self.prune_references(&gone);
        Ok(())
    }

    /// Whether the owner has yet to say what a new row has for `parameter`, for nobody gave it a value.
    fn is_left_to_owner(&self, row: ObjectId, parameter: NodeId) -> bool {
        let node = self.view.node(parameter);
        let slot = node.parameter().map(|of| of.slot);
        let value = slot.and_then(|slot| self.tree.object(row).value(slot));
        node.unit.is_some() && value.is_none() && self.is_new(row)
    }

    /// Every parameter that is part of a unique key of the row, once, with its value.
    pub fn unique_keys(&mut self, row: ObjectId) -> Vec<(NodeId, String)> {
        let Some(object) = self.node_of(row).object() else {
            return Vec::new();
        };
        let mut keys: Vec<(NodeId, String)> = Vec::new();
        for parameter in object.unique.iter().flatten() {
            if keys.iter().all(|(known, _)| known != parameter) {
                let value = self.value(row, *parameter).unwrap_or("").to_owned();
                keys.push((*parameter, value));
            }
        }
        keys
    }

    /// A value that no other row of the table has.
    fn assigned(
        &mut self,
        row: ObjectId,
        parameter: NodeId,
        of: &ParameterNode,
    ) -> Result<String, Fault> {
        let node = self.node_of(row);
        let others = match self.parent(row) {
            Some(parent) => self.rows(parent, node.id)?,
            None => Vec::new(),
        };
        let prefix = match of.value_type.base {
            types::Base::String => "cpe-",
            _ => "",
        };
        let taken: BTreeSet<&str> = others
            .iter()
            .filter(|other| **other != row)
            .map(|other| self.tree.value(self.view, *other, parameter))
            .collect();
        let mut number = self.instance(row);
        loop {
            let value = format!("{prefix}{number}");
            if !taken.contains(&*value) {
                return Ok(value);
            }
            number = number.wrapping_add(1);
        }
    }

    fn put(&mut self, object: ObjectId, parameter: NodeId, of: &ParameterNode, value: String) {
        // Nothing is written where nothing changes, which spares the flash.
        // (What was given for an assigned one counts as given, even when it is the default.)
        if !of.assigned && self.tree.value(self.view, object, parameter) == value {
            return;
        }
        let old = self.tree.put(object, of.slot, Some(value.into()));
        self.note(Step::Value {
            object,
            parameter,
            old,
        });
    }

    /// The value of a reference as it is kept: paths with instance numbers, no dot at the end.
    fn reference(
        &mut self,
        object: ObjectId,
        node: &Node,
        of: &ParameterNode,
        reference: Reference,
        text: &str,
    ) -> Result<String, Fault> {
        if of.value_type.list.is_none() {
            return if text.is_empty() {
                Ok(String::new())
            } else {
                self.referred(object, node, reference, text)
            };
        }
        let mut kept = Vec::new();
        for item in types::list::items(text) {
            kept.push(self.referred(object, node, reference, &item)?);
        }
        Ok(types::list::join(kept.iter().map(String::as_str)))
    }

    fn referred(
        &mut self,
        object: ObjectId,
        node: &Node,
        reference: Reference,
        text: &str,
    ) -> Result<String, Fault> {
        let (target, strong) = match reference {
            Reference::Strong(target) => (target, true),
            Reference::Weak(target) => (target, false),
            Reference::Path => return Ok(text.to_owned()),
        };
        // The value of a reference has no dot at its end; with one it is the path of the object.
        let written = if text.ends_with('.') {
            text.to_owned()
        } else {
            format!("{text}.")
        };
        let found = Path::parse_object(&written).ok().and_then(|path| {
            if !self.is_addressed_by_keys(&path) {
                return None;
            }
            let resolved = self.resolve(&path, text, Sight::Everything).ok()?;
            let one = resolved.kind == ResolvedKind::Object && resolved.targets.len() == 1;
            one.then(|| resolved.targets[0].object)
        });
        let fits = found.filter(|found| target.is_empty() || *self.node_of(*found).path == *target);
        match fits {
            Some(found) => Ok(self.path(found).trim_end_matches('.').to_owned()),
            None if strong => {
                let of = if target.is_empty() {
                    "an object"
                } else {
                    target
                };
                let text = format!("{} does not refer to {of} that exists", Clipped::new(text));
                Err(self.fault(FaultKind::ReferenceInvalid, object, node, text))
            }
            None => Ok(text.trim_end_matches('.').to_owned()),
        }
    }

    /// Whether the searches of a path are unique keys. Who may write a reference could otherwise find out
    /// by it what he may not read. (R-ARC.11)
    fn is_addressed_by_keys(&self, path: &Path) -> bool {
        debug_assert_eq!(path.end, End::Object);
        let mut supported = String::new();
        path.segments.iter().all(|segment| {
            match segment {
                Segment::Name(name) => supported.push_str(name),
                Segment::Instance(_) => supported.push_str("{i}"),
                Segment::Search(expression) => {
                    let Some(table) = self.view.find(&supported).and_then(Node::object) else {
                        return false;
                    };
                    supported.push_str("{i}");
                    let by_key = expression.comparisons.iter().all(|comparison| {
                        let parameter = table
                            .member(&comparison.path.parameter)
                            .and_then(|node| self.view.node(node).parameter());
                        comparison.operator == Operator::Equal
                            && comparison.path.segments.is_empty()
                            && parameter.is_some_and(|of| of.key && !of.secured)
                    });
                    if !by_key {
                        return false;
                    }
                }
                Segment::Follow { .. } | Segment::Placeholder | Segment::Wildcard => return false,
            }
            supported.push('.');
            true
        })
    }

    /// Empties strong references to what was below `gone`, and prunes lists of them.
    fn prune_references(&mut self, gone: &str) {
        for found in references::dangling(self.view, self.tree, &[gone].into()) {
            if let Some(of) = self.view.node(found.parameter).parameter() {
                self.put(found.object, found.parameter, of, found.value);
            }
        }
    }

    /// Whether the object was added by this transaction.
    fn is_new(&self, object: ObjectId) -> bool {
        self.journal.added(object)
    }

    fn ask_owner(&mut self, change: OwnedChange) -> Result<(), Fault> {
        for answers in [&self.memo.checked, &self.memo.applied] {
            if let Some(Err(error)) = answers.get(&change) {
                return Err(error.at(change.path()));
            }
        }
        self.owned.push(change);
        Ok(())
    }

    fn may_write(&self, object: ObjectId, node: &Node) -> Result<(), Fault> {
        match &self.memo.refusal {
            Some((kind, text)) => Err(self.fault(*kind, object, node, text.clone())),
            None => Ok(()),
        }
    }

    fn parameter_node<'n>(
        &self,
        object: ObjectId,
        node: &'n Node,
    ) -> Result<&'n ParameterNode, Fault> {
        let wrong = || {
            self.fault(
                FaultKind::ParameterUnsupported,
                object,
                node,
                "this is not a parameter",
            )
        };
        node.parameter().ok_or_else(wrong)
    }

    fn misfit(&self, object: ObjectId, node: &Node, error: &ValueError) -> Fault {
        let kind = if matches!(error, ValueError::Lexical { .. }) {
            FaultKind::ValueType
        } else {
            FaultKind::ValueInvalid
        };
        self.fault(kind, object, node, error.to_string())
    }

    fn fault(
        &self,
        kind: FaultKind,
        object: ObjectId,
        node: &Node,
        text: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Fault {
        let own = self.tree.object(object).node == node.id;
        let name = if own { "" } else { &*node.name };
        Fault::new(kind, format!("{}{name}", self.path(object)), text)
    }
}
