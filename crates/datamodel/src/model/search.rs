//! Which rows a search expression or a permission's condition holds for.

use std::sync::Arc;

use super::transaction::Transaction;
use crate::access::{Access, Predicate, Rights, Selector};
use crate::fault::{Fault, FaultKind};
use crate::path::{Comparison, Expression, Segment};
use crate::schema::NodeId;
use crate::tree::ObjectId;

/// Which predicates of the caller's permissions hold for the object asked about last.
#[derive(Debug, Default)]
pub(super) struct Matched {
    object: Option<ObjectId>,
    predicates: Arc<[Predicate]>,
    holds: Vec<Holds>,
}

/// Whether a predicate selects an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Holds {
    No,
    /// Nobody asked yet.
    Unasked,
    /// An owner did not say.
    Unknown,
    Yes,
}

impl Matched {
    pub(super) fn forget(&mut self) {
        self.object = None;
    }
}

impl Transaction<'_> {
    /// Whether `expression` holds for `row`. What `access` may not read holds for no row. (R-GIN.0)
    ///
    /// # Errors
    /// When the supported model has no such parameter, the operator does not fit its type, or an owner
    /// failed.
    pub fn holds(
        &mut self,
        expression: &Expression,
        row: ObjectId,
        access: Option<&Access>,
    ) -> Result<bool, Fault> {
        for comparison in &expression.comparisons {
            if !self.compare(comparison, row, access)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn rights_here(
        &mut self,
        access: &Access,
        node: NodeId,
        object: ObjectId,
    ) -> Rights {
        let mut holds = core::mem::take(&mut self.matched.holds);
        let same = Arc::ptr_eq(&self.matched.predicates, access.predicates());
        if !same || self.matched.object != Some(object) {
            holds.clear();
            holds.resize(access.predicates().len(), Holds::Unasked);
            self.matched.object = Some(object);
            if !same {
                self.matched.predicates = Arc::clone(access.predicates());
            }
        }
        // Only what decides about this node is evaluated, and once for all parameters of the object.
        let rights = access.conditional(node, |at| match holds[at] {
            Holds::Unasked => {
                holds[at] = self.predicate_holds(&access.predicates()[at], object);
                holds[at]
            }
            known => known,
        });
        self.matched.holds = holds;
        rights
    }

    fn predicate_holds(&mut self, predicate: &Predicate, object: ObjectId) -> Holds {
        let mut all = Holds::Yes;
        for (tables, selector) in &predicate.steps {
            let Some(row) = self.ancestor(object, tables) else {
                return Holds::No;
            };
            let holds = match selector {
                Selector::Row(number) => Ok(self.tree.object(row).instance == *number),
                Selector::Search(expression) => self.holds(expression, row, None),
            };
            match holds {
                Ok(true) => {}
                Ok(false) => return Holds::No,
                // Such a condition makes no sense, so it selects nothing.
                Err(fault) if fault.kind == FaultKind::PathUnsupported => return Holds::No,
                Err(fault) if fault.kind == FaultKind::PathInvalid => return Holds::No,
                Err(_) => all = Holds::Unknown,
            }
        }
        all
    }

    /// `object` or the object above it that is an instance of one of `nodes`.
    fn ancestor(&self, object: ObjectId, nodes: &[NodeId]) -> Option<ObjectId> {
        let mut at = Some(object);
        while let Some(id) = at {
            let object = self.tree.object(id);
            if nodes.contains(&object.node) {
                return Some(id);
            }
            at = object.parent;
        }
        None
    }

    fn compare(
        &mut self,
        comparison: &Comparison,
        row: ObjectId,
        access: Option<&Access>,
    ) -> Result<bool, Fault> {
        let mut objects = vec![row];
        for segment in &comparison.path.segments {
            self.spend(objects.len())?;
            objects = self.step_inside(&objects, segment, comparison, access)?;
        }
        for object in objects {
            let Some(parameter) = self.parameter(object, &comparison.path.parameter) else {
                return Err(self.no_such(object, &comparison.path.parameter));
            };
            if let Some(access) = access
                && !self
                    .rights(access, parameter, object)
                    .grants(Rights::PARAMETER_READ)
            {
                continue;
            }
            let Some(of) = self.view.node(parameter).parameter() else {
                continue;
            };
            let misfit = |text: String| {
                Fault::new(FaultKind::PathInvalid, &*comparison.path.parameter, text)
            };
            of.value_type
                .check_comparison(comparison)
                .map_err(|error| misfit(error.to_string()))?;
            let hidden = of.secured && access.is_some_and(|access| !access.is_secured());
            let value = if hidden {
                ""
            } else {
                self.value(object, parameter)?
            };
            let holds = of
                .value_type
                .matches(comparison.operator, value, &comparison.constant);
            if holds.map_err(|error| misfit(error.to_string()))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn step_inside(
        &mut self,
        objects: &[ObjectId],
        segment: &Segment,
        comparison: &Comparison,
        access: Option<&Access>,
    ) -> Result<Vec<ObjectId>, Fault> {
        let mut found = Vec::new();
        for object in objects {
            match segment {
                Segment::Name(name) => {
                    let node = self.member(*object, name);
                    match node.and_then(|node| self.single(*object, node)) {
                        Some(single) => found.push(single),
                        // Another instance may have it.
                        None if self.may_diverge(*object, name) => {}
                        None => return Err(self.no_such(*object, name)),
                    }
                }
                Segment::Follow { parameter, which } => {
                    if !self.hides(*object, parameter, access) {
                        self.follow(*object, parameter, *which, &mut found)?;
                    }
                }
                Segment::Instance(_)
                | Segment::Placeholder
                | Segment::Search(_)
                | Segment::Wildcard => {
                    return Err(Fault::new(
                        FaultKind::PathInvalid,
                        &*comparison.path.parameter,
                        "a search compares parameters of the row, of its single objects or of what it refers to",
                    ));
                }
            }
        }
        if matches!(segment, Segment::Follow { .. }) {
            found.sort_unstable();
            found.dedup();
        }
        Ok(found)
    }

    fn may_diverge(&self, object: ObjectId, name: &str) -> bool {
        let node = self.view.member_anywhere(self.node_of(object).id, name);
        node.is_some_and(|node| self.view.node(node).object().is_some())
    }

    fn no_such(&self, object: ObjectId, name: &str) -> Fault {
        let path = format!("{}{name}", self.node_of(object).path);
        Fault::new(
            FaultKind::PathUnsupported,
            path,
            "the search names something that is not supported",
        )
    }
}
