//! The Model: a Tree on which plans are run, one after the other, each as a whole or not at all.
//!
//! A plan is a closure over a [`Transaction`]. It resolves, reads, adds, sets and deletes as if
//! everything were at hand. When it turns out that something has to be asked of an owner first, the
//! run is taken back, the question goes out ([`ModelOutput::Fetch`], [`ModelOutput::Apply`],
//! [`ModelOutput::Operate`]), and the plan is run again from its start once the answer, an error or
//! the deadline has come. What was learnt is remembered for that plan, so every run gets further.
//! A plan must therefore do nothing but work on its transaction.
//!
//! What a plan changed is seen by other plans at once, but nobody is told: the answer of a plan that
//! changed something, and of every plan that read something changed, comes out ([`ModelOutput::Done`])
//! only after the store has confirmed the commit ([`ModelInput::Committed`]). When the store could not,
//! everything unconfirmed is taken back, writers are run once more with writing refused so that they
//! answer with an error, and readers are run anew.
//!
//! Change one thing ([`Model::submit`], [`Model::handle`]), then drain [`Model::poll`] until `None`.
//! The Model never waits, and never asks the time.

mod edit;
mod journal;
mod owned;
mod resolve;
mod search;
mod snapshot;
#[cfg(test)]
mod tests;
mod transaction;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use edit::Setting;
pub use journal::Change;
pub use owned::{Outputs, OwnedChange, OwnerError, Phase, Snapshot, SnapshotObject, Ticket};
pub use resolve::{Resolved, ResolvedKind, Sight, Target};
pub use transaction::{Gather, Savepoint, Transaction};

use crate::entry::{Entry, LoadProblem};
use crate::fault::FaultKind;
use crate::limits::{PLAN_ROUNDS_MAX, PLANS_WAITING_MAX};
use crate::moment::Moment;
use crate::schema::{MountError, MountId, ObjectSpec, SchemaView, UnitId};
use crate::tree::{ObjectId, Tree};
use journal::Journal;
use owned::{Invocation, Memo, Needs, Units};

/// A plan: run on a transaction, perhaps several times; what the last run returns is its answer.
pub type Work<A> = Box<dyn FnMut(&mut Transaction<'_>) -> A + Send>;

/// Names a plan until its answer has come out.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PlanId(u64);

/// What the Model is told.
#[derive(Debug)]
pub enum ModelInput {
    /// Every change asked about, in order: done (or possible), or why not.
    Applied {
        /// The question.
        ticket: Ticket,
        /// One result per change.
        results: Vec<Result<(), OwnerError>>,
    },
    /// The store could not keep the commits that it has not confirmed.
    CommitFailed {
        /// Why.
        reason: String,
    },
    /// The store has kept every commit up to this one.
    Committed {
        /// The last commit kept.
        sequence: u64,
    },
    /// An owner gave a unit, or could not.
    Fetched {
        /// The question.
        ticket: Ticket,
        /// What there is now.
        result: Result<Snapshot, OwnerError>,
    },
    /// An owner ran a command, or could not.
    Operated {
        /// The question.
        ticket: Ticket,
        /// The output arguments.
        result: Result<Outputs, OwnerError>,
    },
    /// Time has passed.
    Tick,
}

/// What the Model wants, and what plans answered.
#[derive(Debug)]
pub enum ModelOutput<A> {
    /// Ask `owner` to check, apply or undo changes.
    Apply {
        /// The question.
        ticket: Ticket,
        /// Who is asked.
        owner: String,
        /// What to do with them.
        phase: Phase,
        /// The changes, in order.
        changes: Vec<OwnedChange>,
        /// When the answer is no longer waited for.
        deadline: Moment,
    },
    /// Keep these entries; every later commit counts on them.
    Commit {
        /// Counts up by one.
        sequence: u64,
        /// What to keep and to remove.
        entries: Vec<Entry>,
    },
    /// A plan is through.
    Done {
        /// Which one.
        plan: PlanId,
        /// What its last run returned.
        answer: A,
        /// What it changed, durably.
        changes: Vec<Change>,
    },
    /// Ask `owner` for all of a unit.
    Fetch {
        /// The question.
        ticket: Ticket,
        /// Who is asked.
        owner: String,
        /// The unit's name.
        unit: String,
        /// When the answer is no longer waited for.
        deadline: Moment,
    },
    /// Ask `owner` to run a command.
    Operate {
        /// The question.
        ticket: Ticket,
        /// Who is asked.
        owner: String,
        /// The command's path with instance numbers.
        command: String,
        /// The input arguments.
        arguments: BTreeMap<String, String>,
        /// When the answer is no longer waited for.
        deadline: Moment,
    },
    /// An owner left something undone or said something that makes no sense: for the log.
    Trouble {
        /// Who.
        owner: String,
        /// What.
        text: String,
    },
}

/// A data model with its plans.
pub struct Model<A> {
    view: SchemaView,
    tree: Tree,
    units: Units,
    plans: BTreeMap<PlanId, Plan<A>>,
    questions: BTreeMap<Ticket, Question>,
    deadlines: BTreeSet<(Moment, Ticket)>,
    /// Plans that changed something, in the order of their commits.
    unconfirmed: VecDeque<Unconfirmed<A>>,
    /// Plans that only read, but read something unconfirmed.
    readers: Vec<Reader<A>>,
    /// Rows that are gone, whose place in memory an unconfirmed journal may still name.
    graveyard: Vec<ObjectId>,
    /// Numbers of owners' rows that go with the commits after them, until one of those is confirmed.
    numbers: Vec<(u64, Entry)>,
    outputs: VecDeque<ModelOutput<A>>,
    next_plan: u64,
    next_ticket: u64,
    sequence: u64,
    settled: u64,
}

/// How long an owner has to answer where no unit says otherwise.
const OWNER_DEADLINE: core::time::Duration = core::time::Duration::from_secs(10);

struct Plan<A> {
    work: Work<A>,
    /// What was fresh enough then is so until the plan is through.
    started: Moment,
    memo: Memo,
    waits_for: BTreeSet<Ticket>,
}

struct Unconfirmed<A> {
    sequence: u64,
    id: PlanId,
    plan: Plan<A>,
    answer: A,
    journal: Journal,
    changes: Vec<Change>,
    owned: Vec<OwnedChange>,
}

struct Reader<A> {
    depends: u64,
    id: PlanId,
    plan: Plan<A>,
    answer: A,
}

struct Question {
    asked: Asked,
    owner: String,
    deadline: Moment,
    plans: Vec<PlanId>,
}

enum Asked {
    Changes {
        phase: Phase,
        changes: Vec<OwnedChange>,
    },
    Command(Invocation),
    Unit(UnitId),
}

struct Run<A> {
    answer: A,
    journal: Journal,
    owned: Vec<OwnedChange>,
    needs: Needs,
    depends: u64,
}

impl<A> Model<A> {
    /// A model of `view`, filled with what was kept. Entries that have no place in it are reported and
    /// left out.
    pub fn new(view: SchemaView, entries: Vec<Entry>) -> (Self, Vec<LoadProblem>) {
        let mut tree = Tree::new(&view);
        let problems = tree.load(&view, entries);
        let model = Self {
            view,
            tree,
            units: Units::default(),
            plans: BTreeMap::new(),
            questions: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            unconfirmed: VecDeque::new(),
            readers: Vec::new(),
            graveyard: Vec::new(),
            numbers: Vec::new(),
            outputs: VecDeque::new(),
            next_plan: 0,
            next_ticket: 0,
            sequence: 0,
            settled: 0,
        };
        (model, problems)
    }

    /// The supported data model.
    pub fn view(&self) -> &SchemaView {
        &self.view
    }

    /// The instantiated data model as it is now, unconfirmed changes included.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Runs a plan. Its answer comes out of [`Self::poll`], perhaps at once.
    pub fn submit(&mut self, work: Work<A>, now: Moment) -> PlanId {
        self.next_plan += 1;
        let id = PlanId(self.next_plan);
        let mut plan = Plan {
            work,
            started: now,
            memo: Memo::default(),
            waits_for: BTreeSet::new(),
        };
        if self.waiting() >= PLANS_WAITING_MAX {
            // It may read what is at hand and change nothing that would have to wait.
            plan.memo.refusal = Some((
                FaultKind::ResourcesExceeded,
                "too many requests wait already".to_owned(),
            ));
            plan.memo.rounds = PLAN_ROUNDS_MAX;
        }
        self.run(id, plan, now);
        id
    }

    /// Takes in what happened. Drain [`Self::poll`] after it.
    pub fn handle(&mut self, input: ModelInput, now: Moment) {
        match input {
            ModelInput::Applied { ticket, results } => self.applied(ticket, results, now),
            ModelInput::CommitFailed { reason } => self.commit_failed(&reason, now),
            ModelInput::Committed { sequence } => self.committed(sequence),
            ModelInput::Fetched { ticket, result } => self.fetched(ticket, result, now),
            ModelInput::Operated { ticket, result } => self.operated(ticket, result, now),
            ModelInput::Tick => self.tick(now),
        }
    }

    /// What the Model wants next; `None` until something is submitted or handled again.
    pub fn poll(&mut self) -> Option<ModelOutput<A>> {
        self.outputs.pop_front()
    }

    /// When [`ModelInput::Tick`] has to come at the latest.
    pub fn deadline(&self) -> Option<Moment> {
        self.deadlines.first().map(|(moment, _)| *moment)
    }

    /// Plans that wait for owners or for the store.
    pub fn waiting(&self) -> usize {
        self.plans.len() + self.unconfirmed.len() + self.readers.len()
    }

    /// Mounts a part of the supported model; see [`SchemaView::mount`].
    ///
    /// # Errors
    /// When the declarations do not fit or the place is taken.
    pub fn mount(&mut self, root: &str, objects: Vec<ObjectSpec>) -> Result<MountId, MountError> {
        let id = self.view.mount(root, objects)?;
        if let Some(mount) = self.view.mounted(id) {
            let (parent, instance, mounted) =
                (mount.parent, mount.instance.clone(), mount.schema.root().id);
            self.tree
                .attach(&self.view, parent, mounted, instance.as_deref());
        }
        Ok(id)
    }

    /// Takes a mounted part away, with every instance in it.
    pub fn unmount(&mut self, id: MountId) {
        if let Some(mount) = self.view.mounted(id) {
            let mounted = mount.schema.root().id;
            self.tree.detach(mounted);
            self.view.unmount(id);
        }
    }

    fn run(&mut self, id: PlanId, mut plan: Plan<A>, now: Moment) {
        let run = {
            let mut transaction = Transaction::new(
                &self.view,
                &mut self.tree,
                &self.units,
                &plan.memo,
                plan.started,
            );
            let answer = (plan.work)(&mut transaction);
            let Transaction {
                journal,
                owned,
                needs,
                depends,
                ..
            } = transaction;
            Run {
                answer,
                journal,
                owned,
                needs,
                depends,
            }
        };
        let unasked = unasked(&plan.memo, &run.owned);
        if run.needs.is_empty() && unasked.is_none() {
            self.finish(id, plan, run);
            return;
        }
        let Run {
            mut journal, needs, ..
        } = run;
        journal.rollback(&self.view, &mut self.tree, 0);
        if plan.memo.rounds >= PLAN_ROUNDS_MAX {
            self.give_up(&mut plan, &needs);
            self.run(id, plan, now);
            return;
        }
        plan.memo.rounds += 1;
        self.ask(id, &mut plan, needs, unasked, now);
        self.plans.insert(id, plan);
    }

    /// The last run of a plan: its changes stand, its answer waits for the store where it has to.
    fn finish(&mut self, id: PlanId, plan: Plan<A>, run: Run<A>) {
        let Run {
            answer,
            journal,
            owned,
            depends,
            ..
        } = run;
        let mut stray: Vec<OwnedChange> = Vec::new();
        for (change, result) in &plan.memo.applied {
            if result.is_ok() && !owned.contains(change) {
                stray.push(change.clone());
            }
        }
        self.undo_at_owners(stray);
        if journal.is_empty() && depends <= self.settled {
            self.outputs.push_back(ModelOutput::Done {
                plan: id,
                answer,
                changes: Vec::new(),
            });
            return;
        }
        if journal.is_empty() {
            self.readers.push(Reader {
                depends,
                id,
                plan,
                answer,
            });
            return;
        }
        let mut entries = journal.entries(&self.view, &self.tree);
        let changes = journal.changes(&self.view, &self.tree);
        if entries.is_empty() && self.unconfirmed.is_empty() {
            journal.settle(&mut self.tree);
            self.outputs.push_back(ModelOutput::Done {
                plan: id,
                answer,
                changes,
            });
            return;
        }
        self.sequence += 1;
        let sequence = self.sequence;
        entries.extend(self.overdue_numbers(sequence));
        journal.mark(&self.view, &mut self.tree, sequence);
        self.unconfirmed.push_back(Unconfirmed {
            sequence,
            id,
            plan,
            answer,
            journal,
            changes,
            owned,
        });
        self.outputs
            .push_back(ModelOutput::Commit { sequence, entries });
    }

    /// The numbers that an earlier commit failed to keep; they go with `sequence` now.
    fn overdue_numbers(&mut self, sequence: u64) -> Vec<Entry> {
        let overdue = self
            .numbers
            .iter_mut()
            .filter(|(kept_by, _)| *kept_by <= self.settled);
        overdue
            .map(|(kept_by, entry)| {
                *kept_by = sequence;
                entry.clone()
            })
            .collect()
    }

    fn give_up(&mut self, plan: &mut Plan<A>, needs: &Needs) {
        let error = || OwnerError::failed("this needed too many questions to owners");
        plan.memo
            .units
            .extend(needs.units.iter().map(|unit| (*unit, Err(error()))));
        plan.memo.operated.extend(
            needs
                .operations
                .iter()
                .map(|operation| (operation.clone(), Err(error()))),
        );
        plan.memo
            .refusal
            .get_or_insert_with(|| (FaultKind::OwnerFailed, error().text));
    }

    fn ask(
        &mut self,
        id: PlanId,
        plan: &mut Plan<A>,
        needs: Needs,
        unasked: Option<Phase>,
        now: Moment,
    ) {
        for unit in needs.units {
            let ticket = self.ask_unit(id, unit, now);
            plan.waits_for.insert(ticket);
        }
        for invocation in needs.operations {
            let ticket = self.ticket();
            let deadline = now + OWNER_DEADLINE;
            let (owner, command) = (invocation.owner.clone(), invocation.command.clone());
            let arguments = invocation.arguments.clone();
            self.question(ticket, Asked::Command(invocation), &owner, deadline, id);
            self.outputs.push_back(ModelOutput::Operate {
                ticket,
                owner,
                command,
                arguments,
                deadline,
            });
            plan.waits_for.insert(ticket);
        }
        if !plan.waits_for.is_empty() {
            // Changes are asked about only by a run that knows everything else.
            return;
        }
        if let Some(phase) = unasked {
            self.ask_changes(id, plan, phase, now);
        }
    }

    fn ask_unit(&mut self, id: PlanId, unit: UnitId, now: Moment) -> Ticket {
        if let Some(ticket) = self.units.state(unit).in_flight
            && let Some(question) = self.questions.get_mut(&ticket)
        {
            question.plans.push(id);
            return ticket;
        }
        let ticket = self.ticket();
        let spec = self.view.unit(unit);
        let (owner, name) = spec
            .map(|spec| (spec.owner.to_string(), spec.name.to_string()))
            .unwrap_or_default();
        let deadline = now + spec.map_or(OWNER_DEADLINE, |spec| spec.deadline);
        self.units.state_mut(unit).in_flight = Some(ticket);
        self.question(ticket, Asked::Unit(unit), &owner, deadline, id);
        self.outputs.push_back(ModelOutput::Fetch {
            ticket,
            owner,
            unit: name,
            deadline,
        });
        ticket
    }

    fn ask_changes(&mut self, id: PlanId, plan: &mut Plan<A>, phase: Phase, now: Moment) {
        // The run is repeated to learn the changes; it was taken back, so nothing of it stands.
        let mut transaction = Transaction::new(
            &self.view,
            &mut self.tree,
            &self.units,
            &plan.memo,
            plan.started,
        );
        (plan.work)(&mut transaction);
        let Transaction {
            mut journal, owned, ..
        } = transaction;
        let known = match phase {
            Phase::Check => &plan.memo.checked,
            Phase::Apply | Phase::Undo => &plan.memo.applied,
        };
        let mut by_owner: BTreeMap<String, Vec<OwnedChange>> = BTreeMap::new();
        for change in owned
            .into_iter()
            .filter(|change| !known.contains_key(change))
        {
            by_owner
                .entry(self.owner_of(&change))
                .or_default()
                .push(change);
        }
        journal.rollback(&self.view, &mut self.tree, 0);
        for (owner, changes) in by_owner {
            let ticket = self.ticket();
            let deadline = now + OWNER_DEADLINE;
            self.question(
                ticket,
                Asked::Changes {
                    phase,
                    changes: changes.clone(),
                },
                &owner,
                deadline,
                id,
            );
            self.outputs.push_back(ModelOutput::Apply {
                ticket,
                owner,
                phase,
                changes,
                deadline,
            });
            plan.waits_for.insert(ticket);
        }
    }

    fn undo_at_owners(&mut self, changes: Vec<OwnedChange>) {
        let mut by_owner: BTreeMap<String, Vec<OwnedChange>> = BTreeMap::new();
        for change in changes.into_iter().rev() {
            by_owner
                .entry(self.owner_of(&change))
                .or_default()
                .push(change);
        }
        for (owner, changes) in by_owner {
            let ticket = self.ticket();
            // Nobody waits for this answer, so it has no deadline that could pass.
            self.outputs.push_back(ModelOutput::Apply {
                ticket,
                owner,
                phase: Phase::Undo,
                changes,
                deadline: Moment::from_micros(u64::MAX),
            });
        }
    }

    fn owner_of(&self, change: &OwnedChange) -> String {
        let unit = self
            .view
            .find(change.path())
            .and_then(|node| self.view.unit(node.unit?));
        unit.map(|unit| unit.owner.to_string()).unwrap_or_default()
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    fn question(
        &mut self,
        ticket: Ticket,
        asked: Asked,
        owner: &str,
        deadline: Moment,
        plan: PlanId,
    ) {
        let question = Question {
            asked,
            owner: owner.to_owned(),
            deadline,
            plans: vec![plan],
        };
        self.questions.insert(ticket, question);
        self.deadlines.insert((deadline, ticket));
    }

    /// Ends a question. Late answers find none and are dropped.
    fn close(&mut self, ticket: Ticket) -> Option<Question> {
        let question = self.questions.remove(&ticket)?;
        self.deadlines.remove(&(question.deadline, ticket));
        Some(question)
    }

    fn fetched(&mut self, ticket: Ticket, result: Result<Snapshot, OwnerError>, now: Moment) {
        let is_unit = self
            .questions
            .get(&ticket)
            .is_some_and(|question| matches!(question.asked, Asked::Unit(_)));
        if !is_unit {
            return;
        }
        let Some(question) = self.close(ticket) else {
            return;
        };
        let Asked::Unit(unit) = question.asked else {
            return;
        };
        let result = result.and_then(|snapshot| self.take_in(unit, snapshot));
        let state = self.units.state_mut(unit);
        state.in_flight = None;
        if result.is_ok() {
            state.fetched = Some(now);
        }
        self.learn(&question.plans, ticket, now, |memo| {
            memo.units.insert(unit, result.clone());
        });
    }

    fn applied(&mut self, ticket: Ticket, results: Vec<Result<(), OwnerError>>, now: Moment) {
        let asked = self.questions.get(&ticket).map(|question| &question.asked);
        let Some(Asked::Changes { phase, changes }) = asked else {
            return;
        };
        let (phase, changes) = (*phase, changes.clone());
        let Some(question) = self.close(ticket) else {
            return;
        };
        let results = if results.len() == changes.len() {
            results
        } else {
            let text = format!(
                "{} answered {} of {} changes",
                question.owner,
                results.len(),
                changes.len()
            );
            vec![Err(OwnerError::failed(text)); changes.len()]
        };
        self.learn(&question.plans, ticket, now, |memo| {
            let known = if phase == Phase::Check {
                &mut memo.checked
            } else {
                &mut memo.applied
            };
            known.extend(changes.iter().cloned().zip(results.iter().cloned()));
        });
    }

    fn operated(&mut self, ticket: Ticket, result: Result<Outputs, OwnerError>, now: Moment) {
        let asked = self.questions.get(&ticket).map(|question| &question.asked);
        let Some(Asked::Command(invocation)) = asked else {
            return;
        };
        let invocation = invocation.clone();
        let Some(question) = self.close(ticket) else {
            return;
        };
        self.learn(&question.plans, ticket, now, |memo| {
            memo.operated.insert(invocation.clone(), result.clone());
        });
    }

    /// Tells every plan that asked, and runs those that have everything now.
    fn learn(
        &mut self,
        plans: &[PlanId],
        ticket: Ticket,
        now: Moment,
        mut tell: impl FnMut(&mut Memo),
    ) {
        for id in plans {
            let Some(mut plan) = self.plans.remove(id) else {
                continue;
            };
            tell(&mut plan.memo);
            plan.waits_for.remove(&ticket);
            if plan.waits_for.is_empty() {
                self.run(*id, plan, now);
            } else {
                self.plans.insert(*id, plan);
            }
        }
    }

    fn tick(&mut self, now: Moment) {
        while let Some((deadline, ticket)) = self.deadlines.first().copied() {
            if deadline > now {
                return;
            }
            let Some(question) = self.questions.get(&ticket) else {
                self.deadlines.remove(&(deadline, ticket));
                continue;
            };
            let silent = OwnerError::silent(&question.owner);
            let text = match &question.asked {
                Asked::Changes { changes, .. } => format!("no answer about {}", changes[0].path()),
                Asked::Command(invocation) => format!("no answer from {}", invocation.command),
                Asked::Unit(_) => "no answer to a fetch".to_owned(),
            };
            self.outputs.push_back(ModelOutput::Trouble {
                owner: question.owner.clone(),
                text,
            });
            match &question.asked {
                Asked::Changes { changes, .. } => {
                    let results = vec![Err(silent); changes.len()];
                    self.applied(ticket, results, now);
                }
                Asked::Command(_) => self.operated(ticket, Err(silent), now),
                Asked::Unit(_) => self.fetched(ticket, Err(silent), now),
            }
        }
    }

    fn committed(&mut self, sequence: u64) {
        self.settled = self.settled.max(sequence.min(self.sequence));
        self.numbers.retain(|(kept_by, _)| *kept_by > sequence);
        while self
            .unconfirmed
            .front()
            .is_some_and(|plan| plan.sequence <= self.settled)
        {
            let Some(done) = self.unconfirmed.pop_front() else {
                break;
            };
            done.journal.settle(&mut self.tree);
            let (plan, answer, changes) = (done.id, done.answer, done.changes);
            self.outputs.push_back(ModelOutput::Done {
                plan,
                answer,
                changes,
            });
        }
        let (ready, waiting) = core::mem::take(&mut self.readers)
            .into_iter()
            .partition(|reader| reader.depends <= self.settled);
        self.readers = waiting;
        for Reader { id, answer, .. } in ready {
            self.outputs.push_back(ModelOutput::Done {
                plan: id,
                answer,
                changes: Vec::new(),
            });
        }
        self.bury();
    }

    fn commit_failed(&mut self, reason: &str, now: Moment) {
        let mut failed: Vec<Unconfirmed<A>> = self.unconfirmed.drain(..).collect();
        for plan in failed.iter_mut().rev() {
            plan.journal.rollback(&self.view, &mut self.tree, 0);
            let owned = core::mem::take(&mut plan.owned);
            self.undo_at_owners(owned);
        }
        self.settled = self.sequence;
        self.bury();
        for Unconfirmed { id, mut plan, .. } in failed {
            plan.memo.applied.clear();
            plan.memo.refusal = Some((
                FaultKind::NotDurable,
                format!("the change could not be kept: {reason}"),
            ));
            self.run(id, plan, now);
        }
        for Reader { id, plan, .. } in core::mem::take(&mut self.readers) {
            self.run(id, plan, now);
        }
    }

    /// Frees rows that owners took away, once no journal can name them.
    fn bury(&mut self) {
        if self.unconfirmed.is_empty() {
            for row in core::mem::take(&mut self.graveyard) {
                self.tree.discard(row);
            }
        }
    }
}

/// What has to be asked about the changes of a run: first whether all are possible, then to apply them.
fn unasked(memo: &Memo, owned: &[OwnedChange]) -> Option<Phase> {
    if owned
        .iter()
        .any(|change| !memo.checked.contains_key(change))
    {
        return Some(Phase::Check);
    }
    owned
        .iter()
        .any(|change| !memo.applied.contains_key(change))
        .then_some(Phase::Apply)
}
