//! Who gets into a listener, and when: how many connections there are, from whom, and at what pace
//! new ones come.
//!
//! A crowd that comes at once is spread over time: whoever fits into the next moments waits for its
//! turn, everybody else is told to come back, each at another time. No source can use up what is
//! there for all: it has its own share of places and of the pace. Who comes from where no more are waiting or
//! shaking hands than have links does not queue behind those who come from where many are: a part of the pace is
//! for them. Nor is it for those who come from where others have come lately of whom no link came.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::Rng as _;
use tokio::time::Instant;

use super::ListenerLimits;
use crate::limits::{
    ADMISSION_PATIENCE, FAILURE_MEMORY, NEWCOMERS_SHARE, RETRY_AFTER_MAX, RETRY_AFTER_MIN,
    SOURCES_MAX,
};

/// Sources that are remembered without looking whether that is of use.
const SOURCES_KEPT: usize = 64;

/// Time between two looks through all sources where there are as many as may be.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Counts the connections of one listener.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limits: ListenerLimits,
    total: usize,
    pace: Pace,
    /// The part of the pace that is for those who come from where no crowd is about to come in.
    newcomers: Pace,
    sources: HashMap<IpAddr, Source>,
    /// When those who were turned away will all have been let in, if each comes when told.
    crowd_until: Instant,
    /// When sources were forgotten last.
    swept: Instant,
}

#[derive(Debug)]
struct Source {
    connections: usize,
    /// Those of them that wait for their turn or shake hands.
    pending: usize,
    /// When one that left before its link was there is forgotten, if none has come in since.
    failure_forgotten: Option<Instant>,
    pace: Pace,
}

impl Source {
    /// Whether more are about to come in than have come in, or the last one did not come in.
    fn is_crowd(&self, now: Instant) -> bool {
        let has_failed = self.failure_forgotten.is_some_and(|at| now < at);
        2 * self.pending > self.connections || has_failed
    }
}

/// A connection that is let in, after a while.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) permit: Permit,
    /// How long it has to wait for its turn.
    pub(super) wait: Duration,
}

/// A connection that is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TurnedAway {
    pub(super) why: Shut,
    /// When to try again; everybody is told another time.
    pub(super) retry_after: Duration,
}

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shut {
    /// More come than are let in per second.
    Crowd,
    /// Too many handshakes are under way.
    Handshakes,
    /// The listener is full.
    Total,
    /// This source has its share of connections.
    Source,
    /// This source has its share of the pace.
    SourcePace,
}

impl Gate {
    pub(super) fn new(limits: ListenerLimits, now: Instant) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                total: 0,
                pace: Pace::new(limits.accepts_per_second, limits.accept_burst, now),
                newcomers: newcomers(limits.accepts_per_second, now),
                sources: HashMap::new(),
                crowd_until: now,
                swept: now,
                limits,
            }),
        })
    }

    /// Lets in so many connections per second from now on, and so many from each source.
    pub(super) fn set_pace(&self, per_second: u32, per_source_per_second: u32, now: Instant) {
        let mut state = self.lock();
        state.limits.accepts_per_second = per_second;
        state.limits.accept_burst = per_second;
        state.limits.accepts_per_source_per_second = per_source_per_second;
        state.pace.set(per_second, per_second, now);
        state.newcomers = newcomers(per_second, now);
        for source in state.sources.values_mut() {
            source
                .pace
                .set(per_source_per_second, per_source_per_second, now);
        }
    }

    /// Counts a connection from `address` until its permit is dropped.
    pub(super) fn enter(
        self: &Arc<Self>,
        address: IpAddr,
        now: Instant,
    ) -> Result<Admitted, TurnedAway> {
        let source = source_of(address);
        let mut state = self.lock();
        state.forget_sources(now);
        match state.enter(source, now) {
            Ok(wait) => Ok(Admitted {
                permit: Permit {
                    gate: Arc::clone(self),
                    source,
                    is_pending: true,
                },
                wait,
            }),
            Err(why) => Err(TurnedAway {
                why,
                retry_after: state.retry_after(why, now),
            }),
        }
    }

    /// When somebody who gets no handshake is to come again.
    pub(super) fn put_off(&self, why: Shut, now: Instant) -> TurnedAway {
        TurnedAway {
            why,
            retry_after: self.lock().retry_after(why, now),
        }
    }

    /// Connections that are counted now.
    pub(super) fn connections(&self) -> usize {
        self.lock().total
    }

    fn leave(&self, source: IpAddr, is_pending: bool, now: Instant) {
        let mut state = self.lock();
        state.total = state.total.saturating_sub(1);
        if let Some(of_source) = state.sources.get_mut(&source) {
            of_source.connections = of_source.connections.saturating_sub(1);
            if is_pending {
                of_source.pending = of_source.pending.saturating_sub(1);
                of_source.failure_forgotten = Some(now + FAILURE_MEMORY);
            }
        }
    }

    fn arrived(&self, source: IpAddr) {
        if let Some(of_source) = self.lock().sources.get_mut(&source) {
            of_source.pending = of_source.pending.saturating_sub(1);
            of_source.failure_forgotten = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How long the connection has to wait for its turn.
    fn enter(&mut self, source: IpAddr, now: Instant) -> Result<Duration, Shut> {
        let limits = &self.limits;
        if self.total >= limits.connections_max {
            return Err(Shut::Total);
        }
        let room_for_sources = self.sources.len() < SOURCES_MAX;
        let of_source = match self.sources.get_mut(&source) {
            Some(known) => known,
            None if !room_for_sources => return Err(Shut::Crowd),
            None => self.sources.entry(source).or_insert_with(|| Source {
                connections: 0,
                pending: 0,
                failure_forgotten: None,
                pace: Pace::new(
                    limits.accepts_per_source_per_second,
                    limits.accepts_per_source_per_second,
                    now,
                ),
            }),
        };
        if of_source.connections >= limits.connections_per_source_max {
            return Err(Shut::Source);
        }
        if of_source.pace.wait(now) > ADMISSION_PATIENCE {
            return Err(Shut::SourcePace);
        }
        let is_first = !of_source.is_crowd(now)
            && !self.pace.wait(now).is_zero()
            && self.newcomers.take_ready(now);
        if !is_first && self.pace.wait(now) > ADMISSION_PATIENCE {
            return Err(Shut::Crowd);
        }
        of_source.connections += 1;
        of_source.pending += 1;
        self.total += 1;
        // It uses a turn as everybody does: those who come later wait that much longer.
        let turn = self.pace.take(now);
        let turn = if is_first { Duration::ZERO } else { turn };
        Ok(turn.max(of_source.pace.take(now)))
    }

    /// Spreads those who are turned away over the time that it takes to let them all in.
    fn retry_after(&mut self, why: Shut, now: Instant) -> Duration {
        let limits = &self.limits;
        let pace = match why {
            Shut::Source | Shut::SourcePace => limits.accepts_per_source_per_second,
            Shut::Crowd | Shut::Handshakes | Shut::Total => limits.accepts_per_second,
        };
        let each = Duration::from_secs(1) / pace.max(1);
        self.crowd_until = (self.crowd_until.max(now) + each).min(now + RETRY_AFTER_MAX / 2);
        let spread = 2 * (self.crowd_until - now) + RETRY_AFTER_MIN;
        let fraction = rand::rng().random_range(0.0..1.0);
        (RETRY_AFTER_MIN + spread.mul_f64(fraction)).min(RETRY_AFTER_MAX)
    }

    /// Forgets sources without connections that were quiet long enough to have their whole share again.
    fn forget_sources(&mut self, now: Instant) {
        // Looking at all of them once in a while costs little for each.
        let count = self.sources.len();
        let grows = count >= SOURCES_KEPT && count >= self.sources.capacity();
        if grows || (count >= SOURCES_MAX && self.swept + SWEEP_INTERVAL <= now) {
            self.sources
                .retain(|_, source| source.connections > 0 || !source.pace.is_full(now));
            self.swept = now;
        }
    }
}

/// One counted connection.
#[derive(Debug)]
pub(super) struct Permit {
    gate: Arc<Gate>,
    source: IpAddr,
    is_pending: bool,
}

impl Permit {
    /// It has shaken hands.
    pub(super) fn arrived(&mut self) {
        if std::mem::take(&mut self.is_pending) {
            self.gate.arrived(self.source);
        }
    }

    /// Where it comes from.
    pub(super) fn source(&self) -> IpAddr {
        self.source
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate
            .leave(self.source, self.is_pending, Instant::now());
    }
}

/// Their part of the pace.
fn newcomers(per_second: u32, now: Instant) -> Pace {
    let share = per_second / NEWCOMERS_SHARE;
    Pace::new(share, share, now)
}

/// Who one holder of addresses is: an IPv4 address, or the /64 that a site gets in IPv6.
fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

/// A token bucket: `burst` at once, `per_second` in the long run. At least one of each.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    burst: Duration,
    /// When the bucket is full again; the later this is, the fewer tokens are left.
    full_at: Instant,
}

impl Pace {
    pub(super) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self {
            interval,
            burst: interval.saturating_mul(burst.max(1)),
            full_at: now,
        }
    }

    /// Fills at another rate from now on; as many tokens are out of it as were.
    fn set(&mut self, per_second: u32, burst: u32, now: Instant) {
        let debt = self.full_at.saturating_duration_since(now).as_nanos();
        let out = debt / self.interval.as_nanos().max(1);
        *self = Self::new(per_second, burst, now);
        let out = u32::try_from(out).unwrap_or(u32::MAX);
        self.full_at += self.interval.saturating_mul(out);
    }

    /// How long whoever takes a token now would have to wait before using it.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let full_at = self.full_at.max(now) + self.interval;
        (full_at - now).saturating_sub(self.burst)
    }

    /// Takes a token and returns how long to wait before using it.
    pub(super) fn take(&mut self, now: Instant) -> Duration {
        let wait = self.wait(now);
        self.full_at = self.full_at.max(now) + self.interval;
        wait
    }

    /// Takes a token that can be used at once, if there is one.
    pub(super) fn take_ready(&mut self, now: Instant) -> bool {
        let is_ready = self.wait(now).is_zero();
        if is_ready {
            self.take(now);
        }
        is_ready
    }

    fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "10.0.0.1";
    const THERE: &str = "10.0.0.2";

    fn gate(limits: ListenerLimits) -> (Arc<Gate>, Instant) {
        let now = Instant::now();
        (Gate::new(limits, now), now)
    }

    fn enter(gate: &Arc<Gate>, address: &str, now: Instant) -> Result<Admitted, Shut> {
        let entered = gate.enter(address.parse().unwrap(), now);
        entered.map_err(|turned_away| turned_away.why)
    }

    #[test]
    fn connections_are_counted_in_total_and_by_source() {
        let (gate, now) = gate(ListenerLimits {
            connections_max: 3,
            connections_per_source_max: 2,
            ..ListenerLimits::default()
        });
        let first = enter(&gate, HERE, now).unwrap();
        let _second = enter(&gate, HERE, now).unwrap();
        assert_eq!(enter(&gate, HERE, now).unwrap_err(), Shut::Source);
        let _third = enter(&gate, THERE, now).unwrap();
        assert_eq!(enter(&gate, THERE, now).unwrap_err(), Shut::Total);
        drop(first);
        let _again = enter(&gate, HERE, now).unwrap();
        assert_eq!(gate.connections(), 3);
    }

    #[test]
    fn the_pace_can_be_changed_for_those_who_are_known_too() {
        let (gate, now) = gate(ListenerLimits {
            accepts_per_second: 1,
            accept_burst: 1,
            accepts_per_source_per_second: 1,
            ..ListenerLimits::default()
        });
        let mut count = 0;
        while enter(&gate, HERE, now).is_ok() {
            count += 1;
        }
        assert!(count < 100, "{count}");
        gate.set_pace(10_000, 10_000, now);
        let more = (0..1000).filter(|_| enter(&gate, HERE, now).is_ok());
        assert_eq!(more.count(), 1000);
        gate.set_pace(1, 1, now);
        assert_eq!(enter(&gate, HERE, now).unwrap_err(), Shut::SourcePace);
    }

    /// The first wait for their turns; the others are told to come back, all at other times, and the
    /// more of them there are the later.
    #[test]
    fn a_crowd_is_spread_over_time() {
        let (gate, now) = gate(ListenerLimits {
            accepts_per_second: 100,
            accept_burst: 10,
            accepts_per_source_per_second: 100_000,
            ..ListenerLimits::default()
        });
        let mut waits = Vec::new();
        let mut times = Vec::new();
        for _ in 0..3_000 {
            match gate.enter(HERE.parse().unwrap(), now) {
                // The place is given back; the turn is used.
                Ok(admitted) => waits.push(admitted.wait),
                Err(TurnedAway { why, retry_after }) => {
                    assert_eq!(why, Shut::Crowd);
                    times.push(retry_after);
                }
            }
        }
        assert!(waits.iter().take(10).all(Duration::is_zero));
        assert!(waits.iter().all(|wait| *wait <= ADMISSION_PATIENCE));
        let in_time = usize::try_from(ADMISSION_PATIENCE.as_secs()).unwrap() * 100;
        assert!(waits.len().abs_diff(in_time + 10) <= 1, "{}", waits.len());
        let mean = |times: &[Duration]| times.iter().sum::<Duration>() / times.len() as u32;
        let (early, late) = (mean(&times[..200]), mean(&times[times.len() - 200..]));
        assert!(late > 5 * early, "{early:?} {late:?}");
        // 2,700 at 100 per second need 27 s; the last are spread over the double of it.
        assert!(late > Duration::from_secs(20) && late < Duration::from_secs(35));
        assert!(times.iter().all(|time| *time >= RETRY_AFTER_MIN));
        let seconds: std::collections::HashSet<u64> = times.iter().map(Duration::as_secs).collect();
        assert!(seconds.len() > 20, "{seconds:?}");
    }

    /// Who sends nonsense, is cut off and comes again is never many at a time.
    #[test]
    fn who_has_just_failed_leaves_the_place_of_newcomers_to_others() {
        let (gate, now) = gate(ListenerLimits {
            accepts_per_second: 100,
            accept_burst: 100,
            ..ListenerLimits::default()
        });
        let crowd: Vec<_> = (0..1_000).map(|_| enter(&gate, HERE, now)).collect();
        let first = enter(&gate, THERE, now).unwrap();
        assert_eq!(first.wait, Duration::ZERO);
        drop(first);
        assert_eq!(enter(&gate, THERE, now).unwrap_err(), Shut::Crowd);
        let later = now + FAILURE_MEMORY + Duration::from_secs(1);
        assert!(enter(&gate, THERE, later).unwrap().wait.is_zero());
        drop(crowd);
    }

    /// A crowd from some addresses makes those who come from others wait for nothing, until they are a crowd
    /// themselves; and no more are let in for it.
    #[test]
    fn who_comes_alone_does_not_queue_behind_a_crowd() {
        let (gate, now) = gate(ListenerLimits {
            accepts_per_second: 100,
            accept_burst: 100,
            ..ListenerLimits::default()
        });
        let crowd: Vec<_> = (0..1_000).map(|_| enter(&gate, HERE, now)).collect();
        assert!(
            crowd
                .iter()
                .any(|entered| matches!(entered, Err(Shut::Crowd)))
        );
        let mut alone = enter(&gate, THERE, now).unwrap();
        assert_eq!(alone.wait, Duration::ZERO);
        assert_eq!(
            enter(&gate, THERE, now).unwrap_err(),
            Shut::Crowd,
            "one is shaking hands"
        );
        alone.permit.arrived();
        let others = (0..100).filter(|host| {
            let address = format!("10.1.0.{host}");
            enter(&gate, &address, now).is_ok_and(|entered| entered.wait.is_zero())
        });
        let others = others.count();
        assert!(
            (10..100 / NEWCOMERS_SHARE as usize + 1).contains(&others),
            "{others}"
        );
        let later = now + Duration::from_secs(1);
        assert_eq!(enter(&gate, THERE, later).unwrap().wait, Duration::ZERO);
        // Their turns are those of the crowd.
        assert_eq!(
            enter(&gate, HERE, now + Duration::from_millis(200)).unwrap_err(),
            Shut::Crowd
        );
    }

    #[test]
    fn a_source_that_hammers_leaves_the_pace_to_others() {
        let (gate, now) = gate(ListenerLimits {
            accepts_per_second: 100,
            accept_burst: 100,
            accepts_per_source_per_second: 5,
            ..ListenerLimits::default()
        });
        let hammered: Vec<_> = (0..1_000).map(|_| enter(&gate, HERE, now)).collect();
        let refused = hammered.iter().filter(|entered| entered.is_err()).count();
        assert!(refused > 950, "{refused}");
        assert!(enter(&gate, THERE, now).unwrap().wait.is_zero());
    }

    #[test]
    fn sources_that_left_are_forgotten() {
        let (gate, now) = gate(ListenerLimits::default());
        for source in 0..5_000_u32 {
            drop(gate.enter(
                IpAddr::V4(source.into()),
                now + Duration::from_millis(source.into()),
            ));
        }
        assert!(gate.lock().sources.len() < 1_000);
    }

    #[test]
    fn an_ipv6_site_and_a_mapped_ipv4_address_are_one_source() {
        let source = |text: &str| source_of(text.parse().unwrap());
        assert_eq!(source("2001:db8:1:2::3"), source("2001:db8:1:2:ffff::9"));
        assert_ne!(source("2001:db8:1:2::3"), source("2001:db8:1:3::3"));
        assert_eq!(source("::ffff:10.0.0.1"), source("10.0.0.1"));
    }

    #[test]
    fn the_pace_lets_a_burst_pass_and_then_one_by_one() {
        let start = Instant::now();
        let mut pace = Pace::new(10, 3, start);
        for _ in 0..3 {
            assert_eq!(pace.take(start), Duration::ZERO);
        }
        assert!(!pace.take_ready(start));
        assert_eq!(pace.take(start), Duration::from_millis(100));
        assert_eq!(
            pace.take(start + Duration::from_millis(200)),
            Duration::ZERO
        );
        let later = start + Duration::from_secs(60);
        for _ in 0..3 {
            assert!(pace.take_ready(later));
        }
        assert_eq!(pace.take(later), Duration::from_millis(100));
    }
}
