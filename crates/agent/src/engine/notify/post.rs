//! Notify Messages on their way: sent, sent again until they are answered, given up. (R-NOT.1 to R-NOT.4)
//!
//! Every Notify has a back-off of its own, with the numbers of its Controller. A Notify that has not been
//! on any session yet goes out as soon as there is one; that is no retry. One that went out waits out its
//! range, whether or not the session breaks meanwhile, and goes out when both the wait is over and there
//! is a session. One that is not to be answered is forgotten once it is out, and waits for a session only
//! as long as it may take to make one. Nothing of this outlives a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use usphere_datamodel::Moment;

use crate::dialling::Retry;
use crate::limits::{FIRST_SESSION_PATIENCE, PENDING_BYTES_MAX, PENDING_MAX};
use crate::random::Random;

/// All Notify Messages that are not through.
#[derive(Debug)]
pub(super) struct Post {
    /// Sets the message IDs of this life apart from those of earlier ones.
    life: u32,
    count: u64,
    queues: BTreeMap<u32, Queue>,
    timers: BTreeSet<(Moment, u32, u64)>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: BTreeMap<u64, Letter>,
    /// Bytes of all that are not large.
    bytes: usize,
    /// How many are large.
    large: usize,
}

/// One Notify on its way.
#[derive(Debug)]
struct Letter {
    payload: Bytes,
    /// The instance number of its Subscription; `None` for an OnBoardRequest.
    subscription: Option<u32>,
    /// When it was first to be delivered.
    begun: Moment,
    /// Whether it is sent until it is answered.
    retry: bool,
    /// How often it went out.
    sent: u32,
    /// When it may go out; `None` where only the session is missing.
    ready: Option<Moment>,
    /// When it is given up.
    expires: Option<Moment>,
}

/// What a new Notify is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// The instance number of its Subscription; `None` for an OnBoardRequest.
    pub(super) subscription: Option<u32>,
    /// Whether it is sent until it is answered.
    pub(super) retry: bool,
    /// After how long that ends; `None` for never.
    pub(super) expiration: Option<Duration>,
}

/// What is to be done now.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Due {
    /// It was not delivered in time.
    Expired,
    /// Send it if there is a session, and say so by [`Post::sent`].
    Send { number: u64, payload: Bytes },
}

impl Post {
    pub(super) fn new(random: &mut Random) -> Self {
        Self {
            life: random.next() as u32,
            count: 0,
            queues: BTreeMap::new(),
            timers: BTreeSet::new(),
        }
    }

    /// The message ID of the next Notify, and the number by which it is known here.
    pub(super) fn next(&mut self) -> (String, u64) {
        self.count += 1;
        let id = format!("notify-{:08x}-{}", self.life, self.count);
        (id, self.count)
    }

    /// Takes up a new Notify, and says how many old ones had to go for it.
    pub(super) fn put(
        &mut self,
        controller: u32,
        number: u64,
        payload: Bytes,
        manner: Manner,
        now: Moment,
    ) -> usize {
        let letter = Letter {
            subscription: manner.subscription,
            begun: now,
            retry: manner.retry,
            sent: 0,
            ready: None,
            expires: manner.patience().map(|patience| now + patience),
            payload,
        };
        self.insert(controller, number, letter);
        let mut dropped = 0;
        while let Some(oldest) = self.queues.get(&controller).and_then(Queue::surplus) {
            self.remove(controller, oldest);
            dropped += 1;
        }
        dropped
    }

    /// What may go out to `controller` now that there is a session, in order.
    pub(super) fn ready(&self, controller: u32) -> Vec<(u64, Bytes)> {
        let queue = self.queues.get(&controller);
        let letters = queue.into_iter().flat_map(|queue| &queue.waiting);
        letters
            .filter(|(_, letter)| letter.ready.is_none())
            .map(|(number, letter)| (*number, letter.payload.clone()))
            .collect()
    }

    /// The Notify went out. One that is to be answered waits from now on. (R-NOT.1)
    pub(super) fn sent(
        &mut self,
        controller: u32,
        number: u64,
        retry: Retry,
        random: &mut Random,
        now: Moment,
    ) {
        let Some(mut letter) = self
            .remove(controller, number)
            .filter(|letter| letter.retry)
        else {
            return;
        };
        letter.sent = letter.sent.saturating_add(1);
        letter.ready = Some(now + retry.wait(letter.sent, random));
        self.insert(controller, number, letter);
    }

    /// The Controller answered the Notify with this message ID; `refused` when by an Error. Whether it was
    /// one that waits for this.
    pub(super) fn answered(
        &mut self,
        controller: u32,
        msg_id: &str,
        refused: bool,
    ) -> Option<Answered> {
        let number = self.number_of(msg_id)?;
        let letter = self.queues.get(&controller)?.waiting.get(&number)?;
        if letter.sent == 0 {
            return None;
        }
        let answered = match letter.subscription {
            Some(_) => Answered::Notify,
            // Only a NotifyResp ends it. (R-NOT.6a)
            None if refused => return Some(Answered::Notify),
            None => Answered::OnBoardRequest,
        };
        self.remove(controller, number);
        Some(answered)
    }

    /// What has become due by `now`, with the Controller that it is for.
    pub(super) fn due(&mut self, now: Moment) -> Option<(u32, Due)> {
        let (_, controller, number) = self.timers.first().filter(|(at, ..)| *at <= now).copied()?;
        let mut letter = self.remove(controller, number)?;
        if letter.expires.is_some_and(|expires| expires <= now) {
            return Some((controller, Due::Expired));
        }
        letter.ready = None;
        let payload = letter.payload.clone();
        self.insert(controller, number, letter);
        Some((controller, Due::Send { number, payload }))
    }

    /// When something becomes due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.timers.first().map(|(at, ..)| *at)
    }

    /// A Subscription is gone or disabled: what waits of it is not sent again. What was made last stays,
    /// where it tells of just that.
    pub(super) fn withdraw(&mut self, subscription: u32, before: u64) {
        self.drop_where(|number, letter| {
            letter.subscription == Some(subscription) && number < before
        });
    }

    /// The number of the next Notify.
    pub(super) fn mark(&self) -> u64 {
        self.count + 1
    }

    /// A Subscription has other rules: they count for what waits of it, too.
    pub(super) fn amend(&mut self, subscription: u32, manner: Manner) {
        for controller in self.queues.keys().copied().collect::<Vec<_>>() {
            let numbers = self.numbers(controller, |_, letter| {
                letter.subscription == Some(subscription)
            });
            for number in numbers {
                let Some(mut letter) = self.remove(controller, number) else {
                    continue;
                };
                if !manner.retry && letter.sent > 0 {
                    continue;
                }
                // One that asks for no answer will get none, whatever the rules are now.
                letter.retry &= manner.retry;
                if letter.retry == manner.retry {
                    letter.expires = manner.patience().map(|after| letter.begun + after);
                }
                self.insert(controller, number, letter);
            }
        }
    }

    /// A Controller is gone or disabled, and with it what waits for it.
    pub(super) fn forget(&mut self, controller: u32) {
        self.queues.remove(&controller);
        self.timers.retain(|(_, of, _)| *of != controller);
    }

    /// The OnBoardRequest to the Controller is not sent again, because another takes its place.
    pub(super) fn drop_boarding(&mut self, controller: u32) {
        for number in self.numbers(controller, |_, letter| letter.subscription.is_none()) {
            self.remove(controller, number);
        }
    }

    fn number_of(&self, msg_id: &str) -> Option<u64> {
        let rest = msg_id.strip_prefix("notify-")?;
        let (life, number) = rest.split_once('-')?;
        let number: u64 = number.parse().ok()?;
        (u32::from_str_radix(life, 16) == Ok(self.life)).then_some(number)
    }

    fn insert(&mut self, controller: u32, number: u64, letter: Letter) {
        let timer = letter.timer();
        self.timers
            .extend(timer.map(|timer| (timer, controller, number)));
        let queue = self.queues.entry(controller).or_default();
        match letter.is_large() {
            true => queue.large += 1,
            false => queue.bytes += letter.payload.len(),
        }
        queue.waiting.insert(number, letter);
    }

    fn remove(&mut self, controller: u32, number: u64) -> Option<Letter> {
        let queue = self.queues.get_mut(&controller)?;
        let letter = queue.waiting.remove(&number)?;
        match letter.is_large() {
            true => queue.large -= 1,
            false => queue.bytes -= letter.payload.len(),
        }
        if let Some(timer) = letter.timer() {
            self.timers.remove(&(timer, controller, number));
        }
        Some(letter)
    }

    fn drop_where(&mut self, is_dropped: impl Fn(u64, &Letter) -> bool) {
        for controller in self.queues.keys().copied().collect::<Vec<_>>() {
            for number in self.numbers(controller, &is_dropped) {
                self.remove(controller, number);
            }
        }
    }

    fn numbers(&self, controller: u32, is_meant: impl Fn(u64, &Letter) -> bool) -> Vec<u64> {
        let queue = self.queues.get(&controller);
        let letters = queue.into_iter().flat_map(|queue| &queue.waiting);
        letters
            .filter(|(number, letter)| is_meant(**number, letter))
            .map(|(number, _)| *number)
            .collect()
    }
}

/// What an answer ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Answered {
    Notify,
    OnBoardRequest,
}

impl Queue {
    /// The oldest Notify that has to go, where there are too many: a large one for the next large one only, and
    /// no other for it. An OnBoardRequest stays. (R-NOT.6a)
    fn surplus(&self) -> Option<u64> {
        let goes: fn(&Letter) -> bool = if self.large > 1 {
            Letter::is_large
        } else if self.waiting.len() > PENDING_MAX || self.bytes > PENDING_BYTES_MAX {
            |letter| !letter.is_large()
        } else {
            return None;
        };
        let mut letters = self.waiting.iter();
        let oldest = letters.find(|(_, letter)| letter.subscription.is_some() && goes(letter));
        oldest.map(|(number, _)| *number)
    }
}

impl Manner {
    /// How long the Notify may wait.
    fn patience(&self) -> Option<Duration> {
        match self.retry {
            true => self.expiration,
            false => Some(FIRST_SESSION_PATIENCE),
        }
    }
}

impl Letter {
    /// Whether it alone takes more room than all others together may.
    fn is_large(&self) -> bool {
        self.payload.len() > PENDING_BYTES_MAX
    }

    /// When something is to be done about it.
    fn timer(&self) -> Option<Moment> {
        [self.ready, self.expires].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRIED: Manner = Manner {
        subscription: Some(1),
        retry: true,
        expiration: None,
    };

    fn put(post: &mut Post, bytes: usize) -> (u64, usize) {
        let (_, number) = post.next();
        let payload = Bytes::from(vec![0; bytes]);
        let dropped = post.put(1, number, payload, RETRIED, Moment::ORIGIN);
        (number, dropped)
    }

    fn waiting(post: &Post) -> Vec<u64> {
        post.ready(1)
            .into_iter()
            .map(|(number, _)| number)
            .collect()
    }

    /// The bounds are what may wait; the next takes the place of the oldest.
    #[test]
    fn what_waits_is_bounded_by_number_and_bytes() {
        let mut post = Post::new(&mut Random::new(1));
        for _ in 0..PENDING_MAX {
            assert_eq!(put(&mut post, 1).1, 0);
        }
        assert_eq!(put(&mut post, 1).1, 1);
        assert_eq!(put(&mut post, 1).1, 1);
        assert_eq!(waiting(&post).len(), PENDING_MAX);

        let mut post = Post::new(&mut Random::new(1));
        assert_eq!(put(&mut post, PENDING_BYTES_MAX).1, 0);
        let (second, dropped) = put(&mut post, 1);
        assert_eq!((waiting(&post), dropped), (vec![second], 1));
    }

    #[test]
    fn only_what_was_of_a_subscription_before_it_went_is_withdrawn() {
        let mut post = Post::new(&mut Random::new(1));
        let (first, _) = put(&mut post, 10);
        let (_, other) = post.next();
        let manner = Manner {
            subscription: Some(2),
            ..RETRIED
        };
        post.put(1, other, Bytes::from_static(b"x"), manner, Moment::ORIGIN);
        let mark = post.mark();
        let (last, _) = put(&mut post, 10);
        assert_eq!((waiting(&post), last), (vec![first, other, last], mark));
        post.withdraw(1, mark);
        assert_eq!(waiting(&post), [other, last]);
    }

    #[test]
    fn a_controller_that_is_forgotten_takes_nothing_of_others_along() {
        let mut post = Post::new(&mut Random::new(1));
        let random = &mut Random::new(1);
        let retry = Retry {
            minimum_seconds: 5,
            multiplier: 2_000,
        };
        for controller in [1, 2] {
            let (_, number) = post.next();
            let payload = Bytes::from_static(b"x");
            post.put(controller, number, payload, RETRIED, Moment::ORIGIN);
            post.sent(controller, number, retry, random, Moment::ORIGIN);
        }
        let both = post.timers.clone();
        post.forget(1);
        assert_eq!((post.timers.len(), both.len()), (1, 2));
        assert!(
            post.timers
                .iter()
                .all(|(_, controller, _)| *controller == 2)
        );
        assert_eq!(post.queues.keys().collect::<Vec<_>>(), [&2]);
        post.forget(2);
        assert_eq!(post.deadline(), None);
    }

    /// A Notify that is larger than all others may be together takes no room from them, and waits itself; of
    /// such there is one.
    ///
    /// Proves: R-NOT.1
    #[test]
    fn a_large_notify_pushes_out_no_other_and_waits_too() {
        let mut post = Post::new(&mut Random::new(1));
        let (first, _) = put(&mut post, 1_000);
        let (large, dropped) = put(&mut post, PENDING_BYTES_MAX + 1);
        assert_eq!(dropped, 0);
        let (last, dropped) = put(&mut post, 1_000);
        assert_eq!(dropped, 0);
        assert_eq!(waiting(&post), [first, large, last]);
        let (larger, dropped) = put(&mut post, 8 * PENDING_BYTES_MAX);
        assert_eq!(dropped, 1);
        assert_eq!(waiting(&post), [first, last, larger]);
        // The bound of the others is the same as ever.
        let (half, dropped) = put(&mut post, PENDING_BYTES_MAX - 2_000);
        assert_eq!(dropped, 0);
        let (next, dropped) = put(&mut post, 1_000);
        assert_eq!(dropped, 1);
        assert_eq!(waiting(&post), [last, larger, half, next]);
        // It is sent again as any other is.
        let retry = Retry {
            minimum_seconds: 5,
            multiplier: 2_000,
        };
        let random = &mut Random::new(1);
        post.sent(1, larger, retry, random, Moment::ORIGIN);
        assert!(post.deadline().is_some());
    }
}
