//! What owners and the store answered, or did not in time.

use super::owned::{Memo, Outputs, OwnedChange, OwnerError, Phase, Snapshot, Ticket};
use super::{Asked, Model, ModelOutput, PlanId, Reader, Unconfirmed};
use crate::fault::FaultKind;
use crate::limits::FETCHES_OVERTAKEN_MAX;
use crate::moment::Moment;
use crate::schema::UnitId;
use crate::tree::ObjectId;

impl<A> Model<A> {
    pub(super) fn fetched(
        &mut self,
        ticket: Ticket,
        result: Result<Snapshot, OwnerError>,
        now: Moment,
    ) {
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
        let Asked::Unit(fetch) = question.asked else {
            return;
        };
        let (unit, state) = (fetch.unit, self.units.state(fetch.unit));
        self.units.state_mut(unit).in_flight = None;
        if result.is_ok() && state.is_overtaken(ticket) && fetch.overtaken < FETCHES_OVERTAKEN_MAX {
            // It would take back what a request has changed since.
            let plans = question.plans.into_iter().chain(fetch.late).collect();
            return self.fetch_again(unit, ticket, plans, fetch.overtaken + 1, now);
        }
        let result = result.and_then(|snapshot| self.take_in(unit, &snapshot));
        // What was asked for before it changed answers those who asked then, and nobody after.
        let fresh = result.is_ok() && !state.is_outdated(ticket);
        self.units.state_mut(unit).fetched = fresh.then_some(now);
        self.count_failures(unit, result.is_err());
        if fetch.again || !fetch.late.is_empty() {
            self.fetch_again(unit, ticket, fetch.late, 0, now);
        }
        self.learn(&question.plans, ticket, now, |memo| {
            memo.units.insert(unit, result.clone());
        });
    }

    fn count_failures(&mut self, unit: UnitId, failed: bool) {
        let state = self.units.state_mut(unit);
        if !failed {
            state.failures = 0;
            return;
        }
        state.failures = state.failures.saturating_add(1);
        let failures = state.failures;
        self.outputs
            .push_back(ModelOutput::Unfetched { unit, failures });
    }

    pub(super) fn applied(
        &mut self,
        ticket: Ticket,
        results: Vec<Result<(), OwnerError>>,
        now: Moment,
    ) {
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
        for (change, result) in changes.iter().zip(&results) {
            if let Err(error) = result {
                self.doubt(&question.owner, phase, change, error);
            }
        }
        self.learn(&question.plans, ticket, now, |memo| {
            let answers = changes.iter().cloned().zip(results.iter().cloned());
            if phase == Phase::Check {
                memo.checked.extend(answers);
                return;
            }
            // Whoever is silent may have done it all the same, or do it yet.
            let done = answers.clone().filter(|(_, result)| {
                result
                    .as_ref()
                    .map_or_else(|error| error.kind == FaultKind::OwnerSilent, |()| true)
            });
            memo.done.extend(done.map(|(change, _)| change));
            memo.applied.extend(answers);
        });
    }

    pub(super) fn operated(
        &mut self,
        ticket: Ticket,
        result: Result<Outputs, OwnerError>,
        now: Moment,
    ) {
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
    pub(super) fn learn(
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

    pub(super) fn tick(&mut self, now: Moment) {
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

    pub(super) fn committed(&mut self, sequence: u64) {
        self.settled = self.settled.max(sequence.min(self.sequence));
        self.owed.retain(|(kept_by, _)| *kept_by > sequence);
        while self
            .unconfirmed
            .front()
            .is_some_and(|plan| plan.sequence <= self.settled)
        {
            let Some(done) = self.unconfirmed.pop_front() else {
                break;
            };
            done.journal.settle(&mut self.tree);
            self.tell_before(done.sequence);
            let (plan, answer, changes) = (done.id, done.answer, done.changes);
            self.outputs.push_back(ModelOutput::Done {
                plan,
                answer,
                changes,
            });
        }
        self.tell_before(self.settled + 1);
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

    pub(super) fn commit_failed(&mut self, reason: &str, now: Moment) {
        let mut failed: Vec<Unconfirmed<A>> = self.unconfirmed.drain(..).collect();
        for plan in failed.iter_mut().rev() {
            plan.journal.rollback(&self.view, &mut self.tree, 0);
            let owned = core::mem::take(&mut plan.owned);
            self.undo_at_owners(owned, now);
        }
        self.settled = self.sequence;
        self.owe_what_is_left();
        self.retell();
        self.bury();
        for Unconfirmed { id, mut plan, .. } in failed {
            plan.memo.applied.clear();
            plan.memo.done.clear();
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

    /// After a change that failed, what is known of its unit is asked for anew; where it was to be
    /// undone, the log hears of it.
    fn doubt(&mut self, owner: &str, phase: Phase, change: &OwnedChange, error: &OwnerError) {
        if phase == Phase::Check {
            return;
        }
        if let Some(unit) = self.unit_of(change) {
            self.units.state_mut(unit).fetched = None;
        }
        if phase == Phase::Undo && error.kind != FaultKind::OwnerSilent {
            self.outputs.push_back(ModelOutput::Trouble {
                owner: owner.to_owned(),
                text: format!("{} is not undone: {error}", change.path()),
            });
        }
    }

    /// Keeps the memory of an object that was taken out of the Tree until no journal can name it.
    pub(super) fn entomb(&mut self, object: ObjectId) {
        if self.unconfirmed.is_empty() {
            self.tree.discard(object);
        } else {
            self.graveyard.push_back((self.sequence, object));
        }
    }

    /// Frees objects that no journal can name any more.
    pub(super) fn bury(&mut self) {
        while let Some((sequence, object)) = self.graveyard.front().copied() {
            if sequence > self.settled {
                break;
            }
            self.graveyard.pop_front();
            self.tree.discard(object);
        }
        self.release_parts();
    }
}
