//! Taking in what an owner says of its unit: what has to be kept of it is, and what changed is told.

use std::collections::BTreeSet;

use super::change::Change;
use super::intake::{Intake, Numbered};
use super::journal::{Journal, Step};
use super::owned::{OwnerError, Snapshot};
use super::references::dangling;
use super::{Model, ModelOutput};
use crate::entry::Entry;
use crate::schema::UnitId;

impl<A> Model<A> {
    /// Makes the unit's part of the Tree say what `snapshot` says.
    ///
    /// # Errors
    /// When the snapshot names what the unit does not have; what was taken in until then stays, and
    /// counts as stale.
    pub(super) fn take_in(&mut self, unit: UnitId, snapshot: &Snapshot) -> Result<(), OwnerError> {
        let known = self.units.state(unit).known;
        let mut intake = Intake::new(&self.view, &mut self.tree, unit, known);
        let taken = intake.take(snapshot);
        intake.finish();
        let Intake {
            mut changes,
            numbered,
            gone,
            ..
        } = intake;
        let paths = gone.iter().map(|row| self.tree.object(*row).path.clone());
        let paths: Vec<Box<str>> = paths.collect();
        let pruned = self.prune(paths.iter().map(|path| &**path).collect());
        changes.extend(pruned.changes(&self.view, &self.tree));
        self.keep(numbered, &pruned);
        gone.into_iter().for_each(|row| self.entomb(row));
        if taken.is_ok() {
            self.units.state_mut(unit).known = true;
        }
        self.tell(changes);
        taken
    }

    /// Tells what owners changed, when everything before it is told.
    pub(super) fn tell(&mut self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        if self.settled >= self.sequence && self.untold.is_empty() {
            self.outputs.push_back(ModelOutput::Changed { changes });
        } else {
            self.untold.push_back((self.sequence, changes));
        }
    }

    /// Tells what waits for no commit from `sequence` on.
    pub(super) fn tell_before(&mut self, sequence: u64) {
        let is_due = |(after, _): &(u64, Vec<Change>)| *after < sequence;
        while self.untold.front().is_some_and(is_due)
            && let Some((_, changes)) = self.untold.pop_front()
        {
            self.outputs.push_back(ModelOutput::Changed { changes });
        }
    }

    /// After plans were undone: what owners changed meanwhile is told as far as it is still so.
    pub(super) fn retell(&mut self) {
        let untold: Vec<Change> = core::mem::take(&mut self.untold)
            .into_iter()
            .flat_map(|(_, changes)| changes)
            .collect();
        if untold.is_empty() {
            return;
        }
        // A reference that was put back may be one to a row that is gone.
        let gone = untold.iter().filter_map(|change| match change {
            Change::Deleted { path, .. } => Some(&**path),
            Change::Added { .. } | Change::Set { .. } => None,
        });
        let gone = gone.filter(|path| self.tree.find(&self.view, path).is_none());
        let pruned = self.prune(gone.collect());
        let (view, tree) = (&self.view, &self.tree);
        let news = pruned.changes(view, tree);
        let mut changes = untold;
        changes.retain(|change| change.holds(view, tree) && !news.contains(change));
        changes.extend(news);
        self.keep(Vec::new(), &pruned);
        self.tell(changes);
    }

    /// Empties strong references to rows that are gone. It is not taken back: the rows do not come back
    /// either. (R-ARC.12)
    fn prune(&mut self, gone: BTreeSet<&str>) -> Journal {
        let mut journal = Journal::default();
        if gone.is_empty() {
            return journal;
        }
        for found in dangling(&self.view, &self.tree, &gone) {
            let node = self.view.node(found.parameter);
            let Some(of) = node.parameter() else { continue };
            if let Some(unit) = node.unit {
                // Its owner may see it otherwise.
                self.units.state_mut(unit).fetched = None;
            }
            let old = self
                .tree
                .put(found.object, of.slot, Some(found.value.into()));
            journal.note(Step::Value {
                object: found.object,
                parameter: found.parameter,
                old,
            });
        }
        journal
    }

    /// Has the numbers of owners' rows and the references that were pruned kept, in one commit.
    fn keep(&mut self, numbered: Vec<Numbered>, pruned: &Journal) {
        let forgotten = self.tree.trim_numbers(&self.view);
        let references = pruned.entries(&self.view, &self.tree);
        if numbered.is_empty() && forgotten.removed.is_empty() && references.is_empty() {
            return;
        }
        self.sequence += 1;
        let sequence = self.sequence;
        let removed: BTreeSet<&str> = forgotten.removed.iter().map(String::as_str).collect();
        self.owed
            .retain(|(_, entry)| !removed.contains(&*entry.key));
        pruned.mark(&self.view, &mut self.tree, sequence);
        let mut entries = references;
        for new in numbered {
            if let Some(table) = self.tree.table_mut(&self.view, new.parent, new.table) {
                table.changed = sequence;
            }
            entries.push(new.entry);
        }
        let own = entries.clone();
        self.pay(sequence, &mut entries);
        self.owed
            .retain(|(_, entry)| own.iter().all(|new| new.key != entry.key));
        self.owed
            .extend(own.into_iter().map(|entry| (sequence, entry)));
        entries.extend(forgotten.removed.iter().map(Entry::remove));
        let next = forgotten.next.into_iter();
        entries.extend(next.map(|(key, next)| Entry::put(key, next.to_string())));
        self.outputs
            .push_back(ModelOutput::Commit { sequence, entries });
    }

    /// After plans were undone: what is owed of rows that they had added is owed no more, and of values it is what they
    /// are now.
    pub(super) fn owe_what_is_left(&mut self) {
        let (view, tree) = (&self.view, &self.tree);
        self.owed.retain_mut(|(_, entry)| {
            let now = tree.kept_now(view, entry);
            now.map(|now| *entry = now).is_some()
        });
    }

    /// Adds what an earlier commit failed to keep to those that `sequence` keeps, unless they say better.
    pub(super) fn pay(&mut self, sequence: u64, entries: &mut Vec<Entry>) {
        for (kept_by, entry) in &mut self.owed {
            if *kept_by > self.settled {
                continue;
            }
            *kept_by = sequence;
            if entries.iter().all(|new| new.key != entry.key) {
                entries.push(entry.clone());
            }
        }
    }
}
