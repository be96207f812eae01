//! Which devices are to be checked, each once at a time, and when again. It reads no clock.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use usphere_proto::EndpointId;

use crate::limits::{CHECK_REPEAT_MIN, CHECK_RETRY, CHECKS_WAITING_MAX};

/// The devices that wait to be checked, and those that will have to be.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    pushed: Notify,
    /// How long a check holds.
    interval: Mutex<Duration>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<EndpointId>,
    busy: HashMap<EndpointId, Busy>,
    checked: HashMap<EndpointId, Checked>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Busy {
    Waiting,
    UnderWay,
    /// Something has happened since its check began.
    UnderWayAndAgain,
}

#[derive(Clone, Copy, Debug)]
struct Checked {
    at: Instant,
    /// When again.
    due: Instant,
    /// How often it failed since it last succeeded.
    failures: u32,
}

impl Queue {
    /// A check holds for `interval`.
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            state: Mutex::default(),
            pushed: Notify::new(),
            interval: Mutex::new(interval),
        }
    }

    /// How long a check holds.
    pub(super) fn interval(&self) -> Duration {
        *self.interval.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A check holds so long from now on; those that were made before are repeated no later than that.
    pub(super) fn set_interval(&self, interval: Duration) {
        *self.interval.lock().unwrap_or_else(PoisonError::into_inner) = interval;
        let mut state = self.lock();
        for checked in state.checked.values_mut() {
            checked.due = checked.due.min(checked.at + interval);
        }
    }

    /// Has a device checked, once more where that is under way. Whether there was room for it.
    pub(super) fn push(&self, agent: EndpointId) -> bool {
        let mut state = self.lock();
        let is_taken = state.push(agent);
        self.pushed.notify_one();
        is_taken
    }

    /// Has a device checked, unless that was done a moment ago or is going to be.
    pub(super) fn nudge(&self, agent: &EndpointId, now: Instant) {
        let mut state = self.lock();
        let is_fresh =
            |checked: &Checked| now.saturating_duration_since(checked.at) < CHECK_REPEAT_MIN;
        if state.busy.contains_key(agent) || state.checked.get(agent).is_some_and(is_fresh) {
            return;
        }
        state.push(agent.clone());
        self.pushed.notify_one();
    }

    /// The next to be checked. [`done`](Self::done) has to follow.
    pub(super) fn pop(&self) -> Option<EndpointId> {
        let mut state = self.lock();
        let agent = state.waiting.pop_front()?;
        state.busy.insert(agent.clone(), Busy::UnderWay);
        Some(agent)
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Waits until something was pushed.
    pub(super) async fn pushed(&self) {
        self.pushed.notified().await;
    }

    /// A check has ended, well or not.
    pub(super) fn done(&self, agent: EndpointId, is_well: bool, now: Instant) {
        let mut state = self.lock();
        let before = state
            .checked
            .get(&agent)
            .map_or(0, |checked| checked.failures);
        let failures = if is_well { 0 } else { before + 1 };
        let pause = match failures {
            0 => self.interval(),
            count => (CHECK_RETRY * 2_u32.saturating_pow(count.min(16) - 1)).min(self.interval()),
        };
        let checked = Checked {
            at: now,
            due: now + pause,
            failures,
        };
        state.checked.insert(agent.clone(), checked);
        if state.busy.remove(&agent) == Some(Busy::UnderWayAndAgain) {
            state.push(agent);
            self.pushed.notify_one();
        }
    }

    /// What a check has brought to light could not be written: it failed after all.
    pub(super) fn unkept(&self, agent: EndpointId, now: Instant) {
        let failed = Checked {
            at: now,
            due: now + CHECK_RETRY,
            failures: 1,
        };
        self.lock().checked.insert(agent, failed);
    }

    /// Pushes those that are due, at most `most`, and forgets those that are gone.
    pub(super) fn sweep(&self, most: usize, now: Instant, is_online: impl Fn(&EndpointId) -> bool) {
        let mut state = self.lock();
        state
            .checked
            .retain(|agent, checked| checked.due > now || is_online(agent));
        let due = state
            .checked
            .iter()
            .filter(|(agent, checked)| checked.due <= now && !state.busy.contains_key(*agent));
        let due: Vec<EndpointId> = due.take(most).map(|(agent, _)| agent.clone()).collect();
        for agent in due {
            state.push(agent);
        }
        self.pushed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, agent: EndpointId) -> bool {
        if let Some(busy) = self.busy.get_mut(&agent) {
            if *busy == Busy::UnderWay {
                *busy = Busy::UnderWayAndAgain;
            }
            return true;
        }
        if self.waiting.len() >= CHECKS_WAITING_MAX {
            return false;
        }
        self.busy.insert(agent.clone(), Busy::Waiting);
        self.waiting.push_back(agent);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(3600);

    fn id(text: &str) -> EndpointId {
        EndpointId::parse(text).unwrap()
    }

    #[test]
    fn a_device_is_checked_once_at_a_time_and_again_when_something_happens_meanwhile() {
        let (queue, now) = (Queue::new(INTERVAL), Instant::now());
        let one = id("self::one");
        assert!(queue.push(one.clone()));
        assert!(queue.push(one.clone()));
        assert_eq!(queue.pop(), Some(one.clone()));
        assert_eq!(queue.pop(), None);
        queue.nudge(&one, now);
        queue.done(one.clone(), true, now);
        assert_eq!(queue.pop(), None, "a nudge meanwhile means the same");
        queue.push(one.clone());
        assert_eq!(queue.pop(), Some(one.clone()));
        queue.push(one.clone());
        queue.done(one.clone(), true, now);
        assert_eq!(queue.pop(), Some(one.clone()));
        queue.done(one.clone(), true, now);
        queue.nudge(&one, now + CHECK_REPEAT_MIN - Duration::from_secs(1));
        assert_eq!(queue.pop(), None);
        queue.nudge(&one, now + CHECK_REPEAT_MIN);
        assert_eq!(queue.pop(), Some(one));
    }

    #[test]
    fn a_check_holds_for_a_while_and_one_that_failed_for_a_shorter_one() {
        let (queue, start) = (Queue::new(INTERVAL), Instant::now());
        let (good, bad, gone) = (id("self::good"), id("self::bad"), id("self::gone"));
        for agent in [&good, &bad, &gone] {
            queue.push(agent.clone());
            queue.pop();
            queue.done(agent.clone(), *agent != bad, start);
        }
        let due = |now: Instant| {
            queue.sweep(9, now, |agent| *agent != gone);
            std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>()
        };
        assert!(due(start + CHECK_RETRY - Duration::from_secs(1)).is_empty());
        let first = start + CHECK_RETRY;
        assert_eq!(due(first), ["self::bad"]);
        queue.done(bad.clone(), false, first);
        assert!(due(first + CHECK_RETRY).is_empty());
        let second = first + 2 * CHECK_RETRY;
        assert_eq!(due(second), ["self::bad"]);
        queue.done(bad, true, second);
        assert_eq!(due(start + INTERVAL), [good]);
        assert_eq!(queue.lock().checked.len(), 2);
    }

    #[test]
    fn what_is_due_together_is_checked_a_few_at_a_time() {
        let (queue, now) = (Queue::new(INTERVAL), Instant::now());
        for number in 0..10 {
            queue.push(id(&format!("self::{number}")));
            let agent = queue.pop().unwrap();
            queue.done(agent, true, now);
        }
        for expected in [4, 4, 2, 0] {
            queue.sweep(4, now + INTERVAL, |_| true);
            let popped = std::iter::from_fn(|| queue.pop()).count();
            assert_eq!(popped, expected);
        }
    }
}
