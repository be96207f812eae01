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

mod answers;
mod asking;
mod change;
mod edit;
mod intake;
mod journal;
mod owned;
mod references;
mod resolve;
mod search;
mod snapshot;
#[cfg(test)]
mod tests;
mod transaction;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use change::Change;
pub use edit::Setting;
pub use owned::{Outputs, OwnedChange, OwnerError, Phase, Snapshot, SnapshotObject, Ticket};
pub use resolve::{Resolved, ResolvedKind, Sight, Target};
pub(crate) use search::Holds;
pub use transaction::{Gather, Savepoint, Transaction};

use crate::entry::{Entry, LoadProblem};
use crate::fault::FaultKind;
use crate::limits::{PLAN_ROUNDS_MAX, PLANS_WAITING_MAX};
use crate::moment::Moment;
use crate::schema::{MountError, MountId, ObjectSpec, SchemaView, UnitId};
use crate::tree::{ObjectId, Tree};
use journal::Journal;
use owned::{Fetch, Invocation, Memo, Units};

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
    /// An owner says that its unit has changed. What is known of it is stale from now on, an answer that is
    /// on its way included; see [`Model::refresh`].
    Disturbed {
        /// The owner's name.
        owner: String,
        /// The unit's name.
        unit: String,
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
    /// What owners changed, as their last answers say. Answers about a unit that there was none about
    /// since the start tell nothing.
    Changed {
        /// What is other than it was told before, in the order of what happened.
        changes: Vec<Change>,
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
    /// A unit could not be got, or not be used. It is asked for again when a plan wants it, or by
    /// [`Model::refresh`].
    Unfetched {
        /// Which one.
        unit: UnitId,
        /// How often in a row, this time included.
        failures: u32,
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
    /// Objects that are gone, and the last commit whose journal may name their place in memory.
    graveyard: VecDeque<(u64, ObjectId)>,
    /// Parts that are gone, and the last plan that may have seen them.
    leaving: Vec<(PlanId, MountId)>,
    /// What owners changed and nobody was told, each with the last commit that is told before.
    untold: VecDeque<(u64, Vec<Change>)>,
    /// What owners' answers made necessary to keep, and goes with later commits until one is confirmed:
    /// numbers of rows, references that were pruned.
    owed: Vec<(u64, Entry)>,
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
    Unit(Fetch),
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
            graveyard: VecDeque::new(),
            leaving: Vec::new(),
            untold: VecDeque::new(),
            owed: Vec::new(),
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
        self.submit_with(work, Memo::default(), now)
    }

    /// As [`Self::submit`], for a plan that only reads, and takes live data as it was told last, however
    /// old it is: no owner is asked.
    pub fn submit_as_known(&mut self, work: Work<A>, now: Moment) -> PlanId {
        let memo = Memo {
            as_known: true,
            ..Memo::default()
        };
        self.submit_with(work, memo, now)
    }

    fn submit_with(&mut self, work: Work<A>, memo: Memo, now: Moment) -> PlanId {
        self.next_plan += 1;
        let id = PlanId(self.next_plan);
        let mut plan = Plan {
            work,
            started: now,
            memo,
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

    /// Asks the owner for a unit though no plan wants it, so that what changed is told
    /// ([`ModelOutput::Changed`]). Does nothing where it is being asked already and its answer will do.
    pub fn refresh(&mut self, unit: UnitId, now: Moment) {
        if self.view.unit(unit).is_some() {
            self.ask_unit(None, unit, now);
        }
    }

    /// Takes in what happened. Drain [`Self::poll`] after it.
    pub fn handle(&mut self, input: ModelInput, now: Moment) {
        match input {
            ModelInput::Applied { ticket, results } => self.applied(ticket, results, now),
            ModelInput::CommitFailed { reason } => self.commit_failed(&reason, now),
            ModelInput::Committed { sequence } => self.committed(sequence),
            ModelInput::Disturbed { owner, unit } => self.disturbed(&owner, &unit),
            ModelInput::Fetched { ticket, result } => self.fetched(ticket, result, now),
            ModelInput::Operated { ticket, result } => self.operated(ticket, result, now),
            ModelInput::Tick => self.tick(now),
        }
    }

    /// What the Model wants next; `None` until something is submitted or handled again.
    pub fn poll(&mut self) -> Option<ModelOutput<A>> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            self.give_back();
        }
        output
    }

    /// Gives back the room of what waits no more: one process may hold very many models, nearly all of
    /// them idle.
    fn give_back(&mut self) {
        self.outputs = VecDeque::new();
        if self.plans.is_empty() {
            self.plans = BTreeMap::new();
        }
        if self.questions.is_empty() {
            self.questions = BTreeMap::new();
            self.deadlines = BTreeSet::new();
        }
        if self.unconfirmed.is_empty() {
            self.unconfirmed = VecDeque::new();
        }
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
        for part in self.view.mounts_inside(id) {
            let Some(mount) = self.view.mounted(part) else {
                continue;
            };
            for object in self.tree.detach(mount.schema.root().id) {
                self.entomb(object);
            }
            self.view.unmount(part);
            for (_, changes) in &mut self.untold {
                changes.retain(|change| change.node().part() != part.part());
            }
            self.leaving.push((PlanId(self.next_plan), part));
        }
        self.release_parts();
    }

    /// Lets the places of parts that are gone be used again, once no plan is left that saw them.
    fn release_parts(&mut self) {
        if self.leaving.is_empty() {
            return;
        }
        let waiting = self.plans.keys().copied();
        let waiting = waiting.chain(self.unconfirmed.iter().map(|plan| plan.id));
        let oldest = waiting.chain(self.readers.iter().map(|plan| plan.id)).min();
        let (gone, leaving) = core::mem::take(&mut self.leaving)
            .into_iter()
            .partition(|(last, _)| oldest.is_none_or(|oldest| oldest > *last));
        self.leaving = leaving;
        for (_, part) in gone {
            self.units.forget_part(part.part());
            self.view.release(part);
        }
    }
}
