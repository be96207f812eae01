//! Which devices are to be checked, each once at a time, and when again. It reads no clock.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use usphere_proto::EndpointId;

use crate::limits::{CHECK_REPEAT_MIN, CHECK_RETRY, CHECK_UNDONE_MIN, CHECKS_WAITING_MAX};

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
    /// Subscriptions were taken away since its check began, perhaps by that.
    UnderWayAndUndone,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// The device did not answer.
    Failed,
    /// Subscriptions were not as they should be.
    Mended,
    /// All was as it should be.
    Well,
}

#[derive(Clone, Copy, Debug)]
struct Checked {
    at: Instant,
    /// When again.
    due: Instant,
    /// How often it failed since it last succeeded.
    failures: u32,
    /// How often in a row there was something to mend after Subscriptions were taken away.
    mended: u32,
    /// Whether some were taken away since.
    is_undone: bool,
}

impl Checked {
    /// Subscriptions were taken away. When it is checked again is put off the longer the more often that was done.
    fn undo(&mut self, interval: Duration) {
        let pause = CHECK_UNDONE_MIN * 2_u32.saturating_pow(self.mended.min(16));
        self.is_undone = true;
        self.due = self.due.min(self.at + pause.min(interval));
    }
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

    /// Has a device checked on which Subscriptions were taken away: now, or as soon as its last check is old enough.
    pub(super) fn undone(&self, agent: &EndpointId, now: Instant) {
        let interval = self.interval();
        let mut state = self.lock();
        if let Some(busy) = state.busy.get_mut(agent) {
            if *busy == Busy::UnderWay {
                *busy = Busy::UnderWayAndUndone;
            }
            return;
        }
        let is_due = state.checked.get_mut(agent).is_none_or(|checked| {
            checked.undo(interval);
            checked.due <= now
        });
        if is_due {
            state.push(agent.clone());
            self.pushed.notify_one();
        }
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

    /// A check has ended.
    pub(super) fn done(&self, agent: EndpointId, verdict: Verdict, now: Instant) {
        let interval = self.interval();
        let mut state = self.lock();
        let before = state.checked.get(&agent).copied();
        let failed = before.map_or(0, |before| before.failures);
        let mended = before.map_or(0, |before| before.mended);
        let was_undone = before.is_some_and(|before| before.is_undone);
        let (failures, mended) = match verdict {
            Verdict::Failed => (failed + 1, mended),
            Verdict::Mended if was_undone => (0, mended + 1),
            Verdict::Mended => (0, mended),
            Verdict::Well => (0, 0),
        };
        let pause = match failures {
            0 => interval,
            count => (CHECK_RETRY * 2_u32.saturating_pow(count.min(16) - 1)).min(interval),
        };
        let mut checked = Checked {
            at: now,
            due: now + pause,
            failures,
            mended,
            is_undone: false,
        };
        let busy = state.busy.remove(&agent);
        if busy == Some(Busy::UnderWayAndUndone) {
            checked.undo(interval);
        }
        state.checked.insert(agent.clone(), checked);
        if busy == Some(Busy::UnderWayAndAgain) {
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
            mended: 0,
            is_undone: false,
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
            if matches!(*busy, Busy::UnderWay | Busy::UnderWayAndUndone) {
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
        queue.done(one.clone(), Verdict::Well, now);
        assert_eq!(queue.pop(), None, "a nudge meanwhile means the same");
        queue.push(one.clone());
        assert_eq!(queue.pop(), Some(one.clone()));
        queue.push(one.clone());
        queue.done(one.clone(), Verdict::Well, now);
        assert_eq!(queue.pop(), Some(one.clone()));
        queue.done(one.clone(), Verdict::Well, now);
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
            let verdict = if *agent == bad {
                Verdict::Failed
            } else {
                Verdict::Well
            };
            queue.done(agent.clone(), verdict, start);
        }
        let due = |now: Instant| {
            queue.sweep(9, now, |agent| *agent != gone);
            std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>()
        };
        assert!(due(start + CHECK_RETRY - Duration::from_secs(1)).is_empty());
        let first = start + CHECK_RETRY;
        assert_eq!(due(first), ["self::bad"]);
        queue.done(bad.clone(), Verdict::Failed, first);
        assert!(due(first + CHECK_RETRY).is_empty());
        let second = first + 2 * CHECK_RETRY;
        assert_eq!(due(second), ["self::bad"]);
        queue.done(bad, Verdict::Well, second);
        assert_eq!(due(start + INTERVAL), [good]);
        assert_eq!(queue.lock().checked.len(), 2);
    }

    #[test]
    fn what_is_due_together_is_checked_a_few_at_a_time() {
        let (queue, now) = (Queue::new(INTERVAL), Instant::now());
        for number in 0..10 {
            queue.push(id(&format!("self::{number}")));
            let agent = queue.pop().unwrap();
            queue.done(agent, Verdict::Well, now);
        }
        for expected in [4, 4, 2, 0] {
            queue.sweep(4, now + INTERVAL, |_| true);
            let popped = std::iter::from_fn(|| queue.pop()).count();
            assert_eq!(popped, expected);
        }
    }

    /// At once the first time; then the pauses grow while there is something to mend, and begin anew where there is not.
    #[test]
    fn what_is_taken_away_again_and_again_is_mended_less_and_less_often() {
        let (queue, start) = (Queue::new(INTERVAL), Instant::now());
        let one = id("self::one");
        queue.push(one.clone());
        queue.pop();
        queue.done(one.clone(), Verdict::Mended, start);
        let is_checked = |now: Instant| {
            queue.sweep(9, now, |_| true);
            queue.pop().is_some()
        };
        let mut now = start + CHECK_UNDONE_MIN;
        queue.undone(&one, now);
        assert_eq!(queue.pop(), Some(one.clone()), "without a sweep");
        for doubled in 1..5 {
            // The device takes them away as soon as they are there.
            queue.undone(&one, now);
            queue.done(one.clone(), Verdict::Mended, now);
            queue.undone(&one, now);
            let pause = CHECK_UNDONE_MIN * 2_u32.pow(doubled);
            assert!(!is_checked(now + pause - Duration::from_secs(1)));
            now += pause;
            assert!(is_checked(now), "{doubled}");
        }
        for _ in 0..20 {
            queue.done(one.clone(), Verdict::Mended, now);
            queue.undone(&one, now);
            now += INTERVAL;
            assert!(is_checked(now), "never later than a check is due");
        }
        // Others than ours were taken away.
        for _ in 0..3 {
            queue.done(one.clone(), Verdict::Well, now);
            queue.undone(&one, now);
            now += CHECK_UNDONE_MIN;
            assert!(is_checked(now));
        }
        queue.done(one.clone(), Verdict::Well, now);
        assert!(!is_checked(now + INTERVAL - Duration::from_secs(1)));
    }
}
