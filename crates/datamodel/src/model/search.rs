//! Which rows a search expression or a permission's condition holds for.

use super::transaction::Transaction;
use crate::access::{Access, Predicate, Rights, Selector};
use crate::fault::{Fault, FaultKind};
use crate::path::{Comparison, Expression, Segment};
use crate::schema::NodeId;
use crate::tree::ObjectId;

/// The predicates of the caller's permissions that hold for the object asked about last.
#[derive(Debug, Default)]
pub(super) struct Matched {
    object: Option<ObjectId>,
    /// `None` until somebody asks.
    holds: Vec<Option<bool>>,
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
    pub(super) fn holds(
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
        if self.matched.object != Some(object) {
            holds.clear();
            holds.resize(access.predicates().len(), None);
            self.matched.object = Some(object);
        }
        // Only what decides about this node is evaluated, and once for all parameters of the object.
        let rights = access.conditional(node, |at| match holds[at] {
            Some(known) => known,
            None => {
                let found = self.predicate_holds(&access.predicates()[at], object);
                holds[at] = Some(found);
                found
            }
        });
        self.matched.holds = holds;
        rights
    }

    fn predicate_holds(&mut self, predicate: &Predicate, object: ObjectId) -> bool {
        predicate.steps.iter().all(|(table, selector)| {
            let Some(row) = self.ancestor(object, *table) else {
                return false;
            };
            match selector {
                Selector::Row(number) => self.tree.object(row).instance == *number,
                Selector::Search(expression) => self.holds(expression, row, None).unwrap_or(false),
            }
        })
    }

    /// `object` or the object above it that is an instance of `node`.
    fn ancestor(&self, object: ObjectId, node: NodeId) -> Option<ObjectId> {
        let mut at = Some(object);
        while let Some(id) = at {
            let object = self.tree.object(id);
            if object.node == node {
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
            objects = self.step_inside(&objects, segment, comparison)?;
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
    ) -> Result<Vec<ObjectId>, Fault> {
        let mut found = Vec::new();
        for object in objects {
            match segment {
                Segment::Name(name) => {
                    let node = self.member(*object, name);
                    let single = node.and_then(|node| self.single(*object, node));
                    found.push(single.ok_or_else(|| self.no_such(*object, name))?);
                }
                Segment::Follow { parameter, which } => {
                    self.follow(*object, parameter, *which, &mut found)?;
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
        Ok(found)
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
