//! Running plans: what a run needs is asked, what it changed is committed.

use std::collections::{BTreeMap, BTreeSet};

use super::journal::Journal;
use super::owned::{Fetch, Memo, Needs, OwnedChange, OwnerError, Phase, Ticket};
use super::{
    Asked, Model, ModelOutput, OWNER_DEADLINE, Plan, PlanId, Question, Reader, Transaction,
    Unconfirmed,
};
use crate::fault::FaultKind;
use crate::limits::PLAN_ROUNDS_MAX;
use crate::moment::Moment;
use crate::schema::UnitId;

struct Run<A> {
    answer: A,
    journal: Journal,
    owned: Vec<OwnedChange>,
    needs: Needs,
    depends: u64,
}

impl<A> Model<A> {
    pub(super) fn run(&mut self, id: PlanId, mut plan: Plan<A>, now: Moment) {
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
        for unit in &run.needs.fresh {
            plan.memo.units.insert(*unit, Ok(()));
        }
        let unasked = unasked(&plan.memo, &run.owned);
        if run.needs.is_empty() && unasked.is_none() {
            self.finish(id, plan, run, now);
            return;
        }
        let Run {
            mut journal,
            needs,
            owned,
            ..
        } = run;
        journal.rollback(&self.view, &mut self.tree, 0);
        if plan.memo.rounds >= PLAN_ROUNDS_MAX {
            self.give_up(&mut plan, &needs);
            self.run(id, plan, now);
            return;
        }
        plan.memo.rounds += 1;
        self.ask(
            id,
            &mut plan,
            needs,
            unasked.map(|phase| (phase, owned)),
            now,
        );
        self.plans.insert(id, plan);
    }

    /// The last run of a plan: its changes stand, its answer waits for the store where it has to.
    fn finish(&mut self, id: PlanId, mut plan: Plan<A>, run: Run<A>, now: Moment) {
        let Run {
            answer,
            journal,
            owned,
            depends,
            ..
        } = run;
        let wanted: BTreeSet<&OwnedChange> = owned.iter().collect();
        let mut stray = core::mem::take(&mut plan.memo.done);
        stray.retain(|change| !wanted.contains(change));
        self.undo_at_owners(stray, now);
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
        // What owners changed before, and is not told yet, is told before.
        let is_next = self.unconfirmed.is_empty() && self.untold.is_empty();
        if entries.is_empty() && is_next && depends <= self.settled {
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
        self.pay(sequence, &mut entries);
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
        unasked: Option<(Phase, Vec<OwnedChange>)>,
        now: Moment,
    ) {
        for unit in needs.units {
            let ticket = self.ask_unit(Some(id), unit, now);
            plan.waits_for.insert(ticket);
        }
        if !plan.waits_for.is_empty() {
            // Commands and changes are asked for only by a run that knows all that it reads.
            return;
        }
        for invocation in needs.operations {
            let ticket = self.ticket();
            let deadline = now + OWNER_DEADLINE;
            let (owner, command) = (invocation.owner.clone(), invocation.command.clone());
            let arguments = invocation.arguments.clone();
            self.question(
                ticket,
                Asked::Command(invocation),
                &owner,
                deadline,
                vec![id],
            );
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
            return;
        }
        if let Some((phase, owned)) = unasked {
            self.ask_changes(id, plan, phase, owned, now);
        }
    }

    /// Asks for a unit, or joins those who have. Whom the answer will be too old for is given the next.
    pub(super) fn ask_unit(&mut self, plan: Option<PlanId>, unit: UnitId, now: Moment) -> Ticket {
        let state = self.units.state(unit);
        let question = state
            .in_flight
            .and_then(|ticket| Some((ticket, self.questions.get_mut(&ticket)?)));
        if let Some((ticket, question)) = question
            && let Asked::Unit(fetch) = &mut question.asked
        {
            match (plan, state.is_outdated(ticket)) {
                (Some(plan), true) => fetch.late.push(plan),
                (Some(plan), false) => question.plans.push(plan),
                (None, outdated) => fetch.again |= outdated,
            }
            return ticket;
        }
        self.fetch(unit, plan.into_iter().collect(), 0, now)
    }

    /// Asks for a unit anew, for `plans` that waited for the answer `to`.
    pub(super) fn fetch_again(
        &mut self,
        unit: UnitId,
        to: Ticket,
        plans: Vec<PlanId>,
        overtaken: u32,
        now: Moment,
    ) {
        let ticket = self.fetch(unit, plans.clone(), overtaken, now);
        for plan in plans {
            if let Some(plan) = self.plans.get_mut(&plan) {
                plan.waits_for.remove(&to);
                plan.waits_for.insert(ticket);
            }
        }
    }

    fn fetch(&mut self, unit: UnitId, plans: Vec<PlanId>, overtaken: u32, now: Moment) -> Ticket {
        let ticket = self.ticket();
        let spec = self.view.unit(unit);
        let (owner, name) = spec
            .map(|spec| (spec.owner.to_string(), spec.name.to_string()))
            .unwrap_or_default();
        let deadline = now + spec.map_or(OWNER_DEADLINE, |spec| spec.deadline);
        self.units.state_mut(unit).in_flight = Some(ticket);
        let asked = Asked::Unit(Fetch {
            unit,
            late: Vec::new(),
            again: false,
            overtaken,
        });
        self.question(ticket, asked, &owner, deadline, plans);
        self.outputs.push_back(ModelOutput::Fetch {
            ticket,
            owner,
            unit: name,
            deadline,
        });
        ticket
    }

    /// What is known of the units called `name` is stale, and so are the answers that are on their way.
    pub(super) fn disturbed(&mut self, owner: &str, name: &str) {
        let named = self
            .view
            .units()
            .filter(|(_, unit)| *unit.name == *name && *unit.owner == *owner);
        let last = Ticket(self.next_ticket);
        for (unit, _) in named {
            let state = self.units.state_mut(unit);
            state.fetched = None;
            state.disturbed = Some(last);
        }
    }

    fn ask_changes(
        &mut self,
        id: PlanId,
        plan: &mut Plan<A>,
        phase: Phase,
        owned: Vec<OwnedChange>,
        now: Moment,
    ) {
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
        for (owner, changes) in by_owner {
            let ticket = self.ticket();
            if phase == Phase::Apply {
                self.outdate(&changes, ticket, phase);
            }
            let deadline = now + OWNER_DEADLINE;
            self.question(
                ticket,
                Asked::Changes {
                    phase,
                    changes: changes.clone(),
                },
                &owner,
                deadline,
                vec![id],
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

    pub(super) fn undo_at_owners(&mut self, changes: Vec<OwnedChange>, now: Moment) {
        let mut by_owner: BTreeMap<String, Vec<OwnedChange>> = BTreeMap::new();
        for change in changes.into_iter().rev() {
            by_owner
                .entry(self.owner_of(&change))
                .or_default()
                .push(change);
        }
        for (owner, changes) in by_owner {
            let ticket = self.ticket();
            let (deadline, phase) = (now + OWNER_DEADLINE, Phase::Undo);
            self.outdate(&changes, ticket, phase);
            let asked = Asked::Changes {
                phase,
                changes: changes.clone(),
            };
            // No plan waits for this answer; what is wrong with it is for the log.
            self.question(ticket, asked, &owner, deadline, Vec::new());
            self.outputs.push_back(ModelOutput::Apply {
                ticket,
                owner,
                phase,
                changes,
                deadline,
            });
        }
    }

    /// Answers to questions before `ticket` may not show what `changes` make of their units.
    fn outdate(&mut self, changes: &[OwnedChange], ticket: Ticket, phase: Phase) {
        for change in changes {
            if let Some(unit) = self.unit_of(change) {
                let state = self.units.state_mut(unit);
                state.changed = Some(ticket);
                state.fetched = state.fetched.filter(|_| phase != Phase::Undo);
            }
        }
    }

    pub(super) fn unit_of(&self, change: &OwnedChange) -> Option<UnitId> {
        self.view.find(change.path())?.unit
    }

    fn owner_of(&self, change: &OwnedChange) -> String {
        let unit = self.unit_of(change).and_then(|unit| self.view.unit(unit));
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
        plans: Vec<PlanId>,
    ) {
        let question = Question {
            asked,
            owner: owner.to_owned(),
            deadline,
            plans,
        };
        self.questions.insert(ticket, question);
        self.deadlines.insert((deadline, ticket));
    }

    /// Ends a question. Late answers find none and are dropped.
    pub(super) fn close(&mut self, ticket: Ticket) -> Option<Question> {
        let question = self.questions.remove(&ticket)?;
        self.deadlines.remove(&(question.deadline, ticket));
        Some(question)
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
