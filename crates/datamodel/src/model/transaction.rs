//! What a plan works on: the Tree with a journal, and a note of everything that has to be asked first.
//!
//! A transaction never waits. What it finds stale or undecided it notes as a need and goes on with
//! what it has; the Model throws such a run away, asks the owners, and runs the plan again.

use super::journal::{Journal, Step};
use super::owned::{Invocation, Memo, Needs, Outputs, OwnedChange, Units};
use super::search::Matched;
use crate::access::{Access, Rights};
use crate::fault::{Fault, FaultKind};
use crate::limits::RESOLVING_STEPS_MAX;
use crate::moment::Moment;
use crate::schema::{Node, NodeId, SchemaView};
use crate::tree::{Content, ObjectId, Tree, instance_number};

/// One run of a plan.
pub struct Transaction<'m> {
    pub(super) view: &'m SchemaView,
    pub(super) tree: &'m mut Tree,
    pub(super) units: &'m Units,
    pub(super) memo: &'m Memo,
    pub(super) now: Moment,
    pub(super) journal: Journal,
    pub(super) owned: Vec<OwnedChange>,
    pub(super) needs: Needs,
    pub(super) depends: u64,
    pub(super) matched: Matched,
    /// What is left of [`RESOLVING_STEPS_MAX`].
    pub(super) steps_left: u32,
}

/// A place to come back to.
#[derive(Clone, Copy, Debug)]
pub struct Savepoint {
    steps: usize,
    owned: usize,
}

/// Takes what [`Transaction::visit`] finds.
pub trait Gather {
    /// The object at `path`; its values follow.
    fn object(&mut self, path: &str);
    /// A value of the object before.
    fn value(&mut self, name: &str, value: &str);
    /// Whether nothing more is taken, so that a visit may end.
    fn is_full(&self) -> bool {
        false
    }
}

/// What a value that its owner could not give means for a visit.
#[derive(Clone, Copy)]
enum Trouble {
    /// The visit fails.
    Ends,
    /// The value is left out.
    LeavesOut,
}

/// Reading.
impl<'m> Transaction<'m> {
    pub(super) fn new(
        view: &'m SchemaView,
        tree: &'m mut Tree,
        units: &'m Units,
        memo: &'m Memo,
        now: Moment,
    ) -> Self {
        Self {
            view,
            tree,
            units,
            memo,
            now,
            journal: Journal::default(),
            owned: Vec::new(),
            needs: Needs::default(),
            depends: 0,
            matched: Matched::default(),
            steps_left: RESOLVING_STEPS_MAX,
        }
    }

    /// The supported data model.
    pub fn view(&self) -> &'m SchemaView {
        self.view
    }

    /// The node called `id`.
    pub fn node(&self, id: NodeId) -> &'m Node {
        self.view.node(id)
    }

    /// When the plan runs.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// `Device.`
    pub fn root(&self) -> ObjectId {
        self.tree.root()
    }

    /// The object at exactly this path with instance numbers. Values are not looked at; rows that an
    /// owner gives are found where they are known already.
    pub fn find(&mut self, path: &str) -> Option<ObjectId> {
        let mut at = self.root();
        self.touch(at);
        let rest = path.strip_prefix(self.path(at))?;
        let mut steps = rest.split_terminator('.');
        while let Some(name) = steps.next() {
            let node = self.member(at, name)?;
            let position = self.view.node(node).object()?.position;
            at = match &self.tree.object(at).child(node, position)?.content {
                Content::Single(single) => *single,
                Content::Table(rows) => {
                    // That there is no such row may be news that are not kept yet.
                    self.depends = self.depends.max(rows.changed);
                    rows.row(instance_number(steps.next()?)?)?
                }
            };
            self.touch(at);
        }
        path.ends_with('.').then_some(at)
    }

    /// The path of an object, with instance numbers and a dot at its end. (R-MSG.3)
    pub fn path(&self, object: ObjectId) -> &str {
        &self.tree.object(object).path
    }

    /// What the object is an instance of.
    pub fn node_of(&self, object: ObjectId) -> &'m Node {
        self.view.node(self.tree.object(object).node)
    }

    /// The object's instance number; 0 when it is not a row.
    pub fn instance(&self, object: ObjectId) -> u32 {
        self.tree.object(object).instance
    }

    /// The object that it belongs to.
    pub fn parent(&self, object: ObjectId) -> Option<ObjectId> {
        self.tree.object(object).parent
    }

    /// The parameter `name` of an object.
    pub fn parameter(&self, object: ObjectId, name: &str) -> Option<NodeId> {
        let node = self.node_of(object).object()?.member(name)?;
        self.view.node(node).parameter().map(|_| node)
    }

    /// The value of a parameter.
    ///
    /// # Errors
    /// When its owner failed or did not answer.
    pub fn value(&mut self, object: ObjectId, parameter: NodeId) -> Result<&str, Fault> {
        let node = self.view.node(parameter);
        self.gather(node, object)?;
        self.touch(object);
        Ok(self.tree.value(self.view, object, parameter))
    }

    /// The value of the parameter called `name`, or nothing when there is none or its owner failed.
    pub fn text(&mut self, object: ObjectId, name: &str) -> &str {
        match self.parameter(object, name) {
            Some(parameter) => self.value(object, parameter).unwrap_or(""),
            None => "",
        }
    }

    /// The rows of the table `table` of `parent`, in ascending order of instance number.
    ///
    /// # Errors
    /// When their owner failed or did not answer.
    pub fn rows(&mut self, parent: ObjectId, table: NodeId) -> Result<Vec<ObjectId>, Fault> {
        let node = self.view.node(table);
        self.gather(node, parent)?;
        let Some(rows) = self.tree.table(self.view, parent, table) else {
            return Ok(Vec::new());
        };
        self.depends = self.depends.max(rows.changed);
        Ok(rows.rows().iter().map(|(_, row)| *row).collect())
    }

    /// The row of the table `table` of `parent` with this instance number.
    ///
    /// # Errors
    /// When the owner of the table failed or did not answer.
    pub fn row(
        &mut self,
        parent: ObjectId,
        table: NodeId,
        instance: u32,
    ) -> Result<Option<ObjectId>, Fault> {
        let node = self.view.node(table);
        self.gather(node, parent)?;
        let Some(rows) = self.tree.table(self.view, parent, table) else {
            return Ok(None);
        };
        self.depends = self.depends.max(rows.changed);
        Ok(rows.row(instance))
    }

    /// The single object called `node` below `parent`.
    pub fn single(&self, parent: ObjectId, node: NodeId) -> Option<ObjectId> {
        self.tree.single(self.view, parent, node)
    }

    /// The member called `name` of the object: parameter, child object, command or event.
    pub fn member(&self, object: ObjectId, name: &str) -> Option<NodeId> {
        let found = self.tree.object(object);
        self.view.member(found.node, name, Some(&found.path))
    }

    /// Gives `out` the object and everything below it that `access` may read, down to `levels` levels
    /// of objects; 1 is the object alone, 0 is all. (R-GET.1, R-GET.4, R-GET.5)
    ///
    /// Values of an owner that failed are left out, the object's own excepted.
    ///
    /// # Errors
    /// When the owner of the object's own values failed or did not answer.
    pub fn visit(
        &mut self,
        object: ObjectId,
        levels: u32,
        access: &Access,
        out: &mut dyn Gather,
    ) -> Result<(), Fault> {
        let below = if levels == 0 { u32::MAX } else { levels - 1 };
        self.visit_object(object, access, Trouble::Ends, out)?;
        self.visit_below(object, below, access, out);
        Ok(())
    }

    /// The rights of `access` on `node`, a member of `object` or `object`'s own node.
    pub fn rights(&mut self, access: &Access, node: NodeId, object: ObjectId) -> Rights {
        match access.fixed(node) {
            Some(rights) => rights,
            None => self.rights_here(access, node, object),
        }
    }

    /// The rights of `access` on `node` of an object that is gone, or of a row that is, where `rows` are the
    /// instance numbers of its path. What depends on its values is granted only where it is either way.
    pub fn rights_where_gone(&self, access: &Access, node: NodeId, rows: &[u32]) -> Rights {
        access.where_gone(self.view, node, rows)
    }

    fn visit_object(
        &mut self,
        id: ObjectId,
        access: &Access,
        trouble: Trouble,
        out: &mut dyn Gather,
    ) -> Result<(), Fault> {
        let node = self.node_of(id);
        let Some(object) = node.object() else {
            return Ok(());
        };
        if !self.rights(access, node.id, id).grants(Rights::OBJECT_READ) {
            return Ok(());
        }
        if object.parameters.is_empty() {
            return Ok(());
        }
        self.touch(id);
        out.object(&self.tree.object(id).path);
        for parameter in &object.parameters {
            let node = self.view.node(*parameter);
            if !self
                .rights(access, *parameter, id)
                .grants(Rights::PARAMETER_READ)
            {
                continue;
            }
            if node.unit.is_some()
                && let Err(fault) = self.gather(node, id)
            {
                match trouble {
                    Trouble::Ends => return Err(fault),
                    Trouble::LeavesOut => continue,
                }
            }
            let Some(of) = node.parameter() else { continue };
            if of.secured && !access.is_secured() {
                out.value(&node.name, "");
            } else {
                let value = self.tree.object(id).value(of.slot).unwrap_or(&of.default);
                out.value(&node.name, value);
            }
        }
        Ok(())
    }

    fn visit_below(&mut self, id: ObjectId, levels: u32, access: &Access, out: &mut dyn Gather) {
        if levels == 0 || out.is_full() {
            return;
        }
        for at in 0..self.tree.object(id).children().len() {
            let child = &self.tree.object(id).children()[at];
            match &child.content {
                Content::Single(single) => {
                    let single = *single;
                    self.visit_quietly(single, levels, access, out);
                }
                Content::Table(table) => {
                    self.depends = self.depends.max(table.changed);
                    if self.gather(self.view.node(child.node), id).is_ok() {
                        self.visit_rows(id, at, levels, access, out);
                    }
                }
            }
        }
    }

    fn visit_rows(
        &mut self,
        id: ObjectId,
        child: usize,
        levels: u32,
        access: &Access,
        out: &mut dyn Gather,
    ) {
        // Visiting changes nothing, so a place in the table stays the place of its row.
        for at in 0.. {
            let Content::Table(table) = &self.tree.object(id).children()[child].content else {
                return;
            };
            let Some((_, row)) = table.rows().get(at).copied().filter(|_| !out.is_full()) else {
                return;
            };
            self.visit_quietly(row, levels, access, out);
        }
    }

    fn visit_quietly(&mut self, id: ObjectId, levels: u32, access: &Access, out: &mut dyn Gather) {
        // An owner that failed leaves its own values out; the rest of the tree is answered.
        if self
            .visit_object(id, access, Trouble::LeavesOut, out)
            .is_ok()
        {
            self.visit_below(id, levels - 1, access, out);
        }
    }

    /// Makes sure that what `node` shows may answer this request, or notes that it has to be fetched.
    pub(super) fn gather(&mut self, node: &Node, object: ObjectId) -> Result<(), Fault> {
        let Some(unit) = node.unit.filter(|_| !self.memo.as_known) else {
            return Ok(());
        };
        if self.needs.fresh.last() == Some(&unit) {
            return Ok(());
        }
        match self.memo.units.get(&unit) {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(error.at(&format!("{}{}", self.path(object), node.name))),
            None if self.units.is_fresh(self.view, unit, self.now) => {
                // The last one is the one asked about next, nearly always.
                self.needs.fresh.retain(|known| *known != unit);
                self.needs.fresh.push(unit);
                Ok(())
            }
            None => {
                if !self.needs.units.contains(&unit) {
                    self.needs.units.push(unit);
                }
                Ok(())
            }
        }
    }

    /// Counts the objects that resolving looks at.
    ///
    /// # Errors
    /// When they are too many for one plan.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), Fault> {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        match self.steps_left.checked_sub(steps) {
            Some(left) => {
                self.steps_left = left;
                Ok(())
            }
            None => {
                self.steps_left = 0;
                let root = &*self.view.root().path;
                let text = "this search looks at too many objects, ask for less at a time";
                Err(Fault::new(FaultKind::ResourcesExceeded, root, text))
            }
        }
    }

    pub(super) fn touch(&mut self, object: ObjectId) {
        self.depends = self.depends.max(self.tree.object(object).changed);
    }
}

/// Running commands, and coming back.
impl Transaction<'_> {
    /// Runs the command `command` of `object` with its owner and returns what it gave. In a run that
    /// has to be repeated, what it returns is empty and does not matter.
    ///
    /// # Errors
    /// When the command failed, or its owner did not answer.
    pub fn operate(
        &mut self,
        object: ObjectId,
        command: NodeId,
        arguments: Outputs,
    ) -> Result<Outputs, Fault> {
        let node = self.view.node(command);
        let Some(of) = node.command() else {
            return Err(Fault::new(
                FaultKind::PathInvalid,
                &*node.path,
                "this is not a command",
            ));
        };
        let path = format!("{}{}", self.path(object), node.name);
        let invocation = Invocation {
            owner: of.owner.to_string(),
            command: path,
            arguments,
        };
        match self.memo.operated.get(&invocation) {
            Some(Ok(outputs)) => Ok(outputs.clone()),
            Some(Err(error)) => Err(error.at(&invocation.command)),
            None => {
                if !self.needs.operations.contains(&invocation) {
                    self.needs.operations.push(invocation);
                }
                Ok(Outputs::new())
            }
        }
    }

    /// A place to come back to with [`Self::rollback`].
    pub fn savepoint(&self) -> Savepoint {
        Savepoint {
            steps: self.journal.len(),
            owned: self.owned.len(),
        }
    }

    /// Whether something was changed since `savepoint` that `concerns`. That is asked with the path of a row that was
    /// added or deleted, or with the path of an object and the name of its parameter that was set.
    pub fn has_changed(
        &self,
        savepoint: Savepoint,
        mut concerns: impl FnMut(&str, Option<&str>) -> bool,
    ) -> bool {
        self.journal.since(savepoint.steps).any(|step| match step {
            Step::Linked { row } | Step::Unlinked { row } => concerns(self.path(*row), None),
            Step::Next { .. } => false,
            Step::Value {
                object, parameter, ..
            } => concerns(self.path(*object), Some(&*self.view.node(*parameter).name)),
        })
    }

    /// Takes back everything since `savepoint`.
    pub fn rollback(&mut self, savepoint: Savepoint) {
        self.journal.rollback(self.view, self.tree, savepoint.steps);
        self.owned.truncate(savepoint.owned);
        self.matched.forget();
    }

    pub(super) fn note(&mut self, step: Step) {
        self.matched.forget();
        self.journal.note(step);
    }
}
