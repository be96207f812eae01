//! Which live data is watched, and when it is asked for on account of that.
//!
//! A unit whose owner announces changes is asked for when it does, at most every [`REFRESH_INTERVAL`], and again
//! after a wait that grows while it cannot be got. Any
//! other is asked for every so often, as its declaration says, for as long as an enabled Subscription is
//! about its values or rows. Where nobody watches, nobody is asked.

use std::collections::{BTreeMap, BTreeSet};

use usphere_datamodel::schema::UnitId;
use usphere_datamodel::{Moment, SchemaView};

use super::matter::Kind;
use super::reference::Reference;
use super::subscription::Subscription;
use crate::limits::{POLL_INTERVAL_MIN, REFETCH_WAIT_MAX, REFETCH_WAIT_MIN, REFRESH_INTERVAL};

/// The units that Subscriptions are about.
#[derive(Debug, Default)]
pub(super) struct Watching {
    units: BTreeMap<UnitId, Watched>,
    /// The units of each Subscription.
    by_subscription: BTreeMap<u32, BTreeSet<UnitId>>,
    due: BTreeSet<(Moment, UnitId)>,
}

#[derive(Debug, Default)]
struct Watched {
    /// By how many Subscriptions.
    count: usize,
    asked: Option<Moment>,
    due: Option<Moment>,
}

impl Watching {
    /// Watches what the Subscription is about, instead of what it was about before.
    pub(super) fn put(
        &mut self,
        instance: u32,
        subscription: Option<&Subscription>,
        view: &SchemaView,
        now: Moment,
    ) {
        let units = subscription.map_or_else(BTreeSet::new, |of| units_of(of, view));
        let before = self.by_subscription.remove(&instance).unwrap_or_default();
        for unit in &units {
            let watched = self.units.entry(*unit).or_default();
            watched.count += 1;
            if watched.count == 1 {
                // What it is now is what changes are measured by.
                self.plan(*unit, now);
            }
        }
        for unit in before {
            let Some(watched) = self.units.get_mut(&unit) else {
                continue;
            };
            watched.count -= 1;
            if watched.count == 0
                && let Some(due) = self.units.remove(&unit).and_then(|gone| gone.due)
            {
                self.due.remove(&(due, unit));
            }
        }
        if !units.is_empty() {
            self.by_subscription.insert(instance, units);
        }
    }

    /// An owner says that its unit has changed.
    pub(super) fn disturbed(&mut self, owner: &str, name: &str, view: &SchemaView, now: Moment) {
        let named = self.units.iter().filter(|(unit, _)| {
            let spec = view.unit(**unit);
            spec.is_some_and(|spec| *spec.owner == *owner && *spec.name == *name)
        });
        let named: Vec<(UnitId, Moment)> = named
            .map(|(unit, watched)| {
                let soonest = watched.asked.map_or(now, |asked| asked + REFRESH_INTERVAL);
                (*unit, soonest.max(now))
            })
            .collect();
        for (unit, at) in named {
            self.plan(unit, at);
        }
    }

    /// The unit could not be got, `failures` times in a row. What its owner announced is not lost by that; any
    /// other is asked for from time to time anyway.
    pub(super) fn failed(&mut self, unit: UnitId, failures: u32, view: &SchemaView, now: Moment) {
        if view.unit(unit).is_some_and(|spec| spec.announced) {
            let doublings = failures.saturating_sub(1).min(u32::BITS - 1);
            let wait = REFETCH_WAIT_MIN.saturating_mul(1 << doublings);
            self.plan(unit, now + wait.min(REFETCH_WAIT_MAX));
        }
    }

    /// The next unit that is to be asked for by `now`.
    pub(super) fn take_due(&mut self, view: &SchemaView, now: Moment) -> Option<UnitId> {
        let (_, unit) = self.due.first().filter(|(at, _)| *at <= now).copied()?;
        let spec = view.unit(unit);
        let poll = spec.filter(|spec| !spec.announced).map(|spec| spec.poll);
        self.unplan(unit);
        if let Some(watched) = self.units.get_mut(&unit) {
            watched.asked = Some(now);
        }
        if let Some(poll) = poll {
            self.plan(unit, now + poll.max(POLL_INTERVAL_MIN));
        }
        Some(unit)
    }

    /// When a unit is to be asked for.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Has the unit asked for at `at`, or earlier where that is planned.
    fn plan(&mut self, unit: UnitId, at: Moment) {
        let Some(watched) = self.units.get_mut(&unit) else {
            return;
        };
        if watched.due.is_some_and(|due| due <= at) {
            return;
        }
        if let Some(later) = watched.due.replace(at) {
            self.due.remove(&(later, unit));
        }
        self.due.insert((at, unit));
    }

    fn unplan(&mut self, unit: UnitId) {
        let due = self.units.get_mut(&unit).and_then(|of| of.due.take());
        if let Some(due) = due {
            self.due.remove(&(due, unit));
        }
    }
}

/// The units of the values or rows that the Subscription is about.
fn units_of(subscription: &Subscription, view: &SchemaView) -> BTreeSet<UnitId> {
    let wanted = |node: &&usphere_datamodel::schema::Node| match subscription.kind {
        Kind::Event | Kind::OperationComplete => false,
        Kind::ObjectCreation | Kind::ObjectDeletion => node.object().is_some(),
        Kind::ValueChange => node.parameter().is_some_and(|of| of.value_change),
    };
    let references = &subscription.references;
    let nodes = view.nodes().filter(|node| node.unit.is_some());
    nodes
        .filter(wanted)
        .filter(|node| {
            let mut references = references.iter();
            references.any(|reference: &Reference| reference.may_be_about(&node.path))
        })
        .filter_map(|node| node.unit)
        .collect()
}
