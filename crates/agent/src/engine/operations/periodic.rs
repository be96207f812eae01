//! Periodic! for each Controller, in the phase that it asks for. (TR-181, PeriodicNotifInterval and
//! PeriodicNotifTime)
//!
//! Where the Controller names no time, or the clock is not known to be right, the interval alone counts,
//! from the start of the Agent or the last event.

use std::collections::BTreeMap;
use std::time::Duration;

use usphere_datamodel::Moment;

use super::Agent;
use crate::clock::Utc;
use crate::engine::notify::Occurrence;

/// How often a Controller wants to hear of the Agent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::engine) struct Schedule {
    /// Seconds, at least 1.
    pub(in crate::engine) interval_seconds: u32,
    /// A time that is a whole number of intervals from every event, in microseconds since 1970.
    pub(in crate::engine) reference: Option<i64>,
}

/// The events of one Controller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period {
    schedule: Schedule,
    next: Moment,
    /// What the interval counts from where the reference does not count.
    base: Moment,
    /// The last event by the wall clock, where the reference counts.
    last: Option<i64>,
}

impl Period {
    fn new(schedule: Schedule, utc: Utc, now: Moment) -> Self {
        let mut period = Self {
            schedule,
            next: now,
            base: now,
            last: None,
        };
        period.plan(utc, now);
        period
    }

    /// When the next event is.
    pub(super) fn deadline(&self) -> Moment {
        self.next
    }

    /// The event has happened.
    fn happened(&mut self, utc: Utc, now: Moment) {
        self.base = now;
        self.last = self.by_the_clock(utc).map(|(_, before)| before);
        self.plan(utc, now);
    }

    /// Finds out when the next event is.
    fn plan(&mut self, utc: Utc, now: Moment) {
        let interval = self.interval();
        self.next = match self.by_the_clock(utc) {
            Some((next, _)) => {
                // A clock that was set back a little has not made it due again.
                let again = self.last == Some(next);
                let wait = next - utc.unix_micros;
                let wait = Duration::from_micros(u64::try_from(wait).unwrap_or(0));
                if again {
                    now + wait + interval
                } else {
                    now + wait
                }
            }
            None => (self.base + interval).max(now),
        };
    }

    /// The next and the last multiple of the interval by the wall clock, if that counts. Now is the last.
    fn by_the_clock(&self, utc: Utc) -> Option<(i64, i64)> {
        let reference = self.schedule.reference.filter(|_| utc.reliable)?;
        let interval = i64::from(self.schedule.interval_seconds.max(1)) * 1_000_000;
        let since = utc
            .unix_micros
            .saturating_sub(reference)
            .rem_euclid(interval);
        let last = utc.unix_micros - since;
        Some((last + interval, last))
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(self.schedule.interval_seconds.max(1).into())
    }
}

impl Agent {
    /// Takes over what the Controllers want now.
    pub(in crate::engine) fn follow_schedules(
        &mut self,
        schedules: BTreeMap<u32, Schedule>,
        now: Moment,
    ) {
        let utc = self.utc(now);
        let before = std::mem::take(&mut self.operations.periods);
        let follow = |(instance, schedule)| {
            let same = before.get(&instance).copied();
            let same = same.filter(|period| period.schedule == schedule);
            (
                instance,
                same.unwrap_or_else(|| Period::new(schedule, utc, now)),
            )
        };
        self.operations.periods = schedules.into_iter().map(follow).collect();
    }

    /// Lets happen what is due.
    pub(super) fn periods_due(&mut self, now: Moment) {
        let utc = self.utc(now);
        let mut due = Vec::new();
        for (instance, period) in &mut self.operations.periods {
            if period.next <= now {
                period.happened(utc, now);
                due.push(*instance);
            }
        }
        for instance in due {
            self.occurred(Occurrence::Event {
                object: "Device.LocalAgent.".to_owned(),
                name: "Periodic!".to_owned(),
                parameters: BTreeMap::new(),
                only: Some(instance),
            });
        }
    }

    /// Counts anew by the wall clock.
    pub(super) fn reset_periods(&mut self, now: Moment) {
        let utc = self.utc(now);
        for period in self.operations.periods.values_mut() {
            period.plan(utc, now);
        }
    }
}
