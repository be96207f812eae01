//! How long Subscriptions live. (TR-181 2.19, Persistent and TimeToLive)
//!
//! Within one life of the Agent the time to live is counted by the clock that never jumps. Across a
//! restart only the CreationDate tells how old a Subscription is: one that has none ends with the life
//! that made it, and while it is not known what time it is, the time is counted from the start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use usphere_datamodel::types::unix_micros;
use usphere_datamodel::{Moment, Transaction};

use super::subscription::{self, Row};
use crate::clock::Utc;
use crate::limits::EXPIRY_RETRY;

/// When Subscriptions end.
#[derive(Debug, Default)]
pub(super) struct Lives {
    lives: BTreeMap<u32, Life>,
    ends: BTreeSet<(Moment, u32)>,
}

#[derive(Debug)]
struct Life {
    /// When it was made, or read after a restart.
    begun: Moment,
    /// How old it was then, as far as that is known.
    age: Duration,
    /// When it was made by the wall clock, where that would tell more.
    created: Option<i64>,
    time_to_live: Option<Duration>,
    end: Option<Moment>,
}

impl Lives {
    /// Takes over what the row of a Subscription says, which may be gone. `before` tells that it was made
    /// in an earlier life.
    pub(super) fn put(
        &mut self,
        instance: u32,
        row: Option<&Row>,
        before: bool,
        utc: Utc,
        now: Moment,
    ) {
        let old = self.lives.remove(&instance);
        if let Some(end) = old.as_ref().and_then(|life| life.end) {
            self.ends.remove(&(end, instance));
        }
        let Some(row) = row else { return };
        let mut life = old.unwrap_or_else(|| Life {
            begun: now,
            age: Duration::ZERO,
            created: unix_micros(&row.created).filter(|_| before),
            time_to_live: None,
            end: None,
        });
        life.time_to_live = row.time_to_live;
        life.look_at(utc, now);
        self.insert(instance, life);
    }

    /// The wall clock was set.
    pub(super) fn clock_set(&mut self, utc: Utc, now: Moment) {
        let unsure = self.lives.iter().filter(|(_, life)| life.created.is_some());
        let unsure: Vec<u32> = unsure.map(|(instance, _)| *instance).collect();
        for instance in unsure {
            if let Some(mut life) = self.lives.remove(&instance) {
                if let Some(end) = life.end {
                    self.ends.remove(&(end, instance));
                }
                life.look_at(utc, now);
                self.insert(instance, life);
            }
        }
    }

    /// The next Subscription whose time is over by `now`. It comes again later, should it still be there.
    pub(super) fn take_over(&mut self, now: Moment) -> Option<u32> {
        let (end, instance) = self.ends.first().filter(|(end, _)| *end <= now).copied()?;
        self.ends.remove(&(end, instance));
        let again = now + EXPIRY_RETRY;
        if let Some(life) = self.lives.get_mut(&instance) {
            life.end = Some(again);
            self.ends.insert((again, instance));
        }
        Some(instance)
    }

    /// When the next one ends.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.ends.first().map(|(end, _)| *end)
    }

    fn insert(&mut self, instance: u32, mut life: Life) {
        life.end = life
            .time_to_live
            .map(|time| life.begun + time.saturating_sub(life.age));
        self.ends.extend(life.end.map(|end| (end, instance)));
        self.lives.insert(instance, life);
    }
}

impl Life {
    /// Learns how old it is from the wall clock, where that is right.
    fn look_at(&mut self, utc: Utc, now: Moment) {
        let Some(created) = self.created.filter(|_| utc.reliable) else {
            return;
        };
        let age = utc.unix_micros.saturating_sub(created);
        self.created = None;
        self.begun = now;
        self.age = Duration::from_micros(u64::try_from(age).unwrap_or(0));
    }
}

/// Removes the Subscriptions that do not outlive a restart.
pub(crate) fn remove_transient(transaction: &mut Transaction<'_>) {
    for instance in super::all_rows(transaction) {
        let Some(row) = transaction.find(&subscription::path_of(instance)) else {
            continue;
        };
        let limited = transaction.text(row, "TimeToLive") != "0";
        let timeless = unix_micros(transaction.text(row, "CreationDate")).is_none();
        if transaction.text(row, "Persistent") != "true" || (limited && timeless) {
            // What cannot be removed now, because nothing can be kept, is found again at the next start.
            let _ = transaction.delete_row(row);
        }
    }
}
