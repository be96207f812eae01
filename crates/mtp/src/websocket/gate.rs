//! How many connections a listener holds, from whom, and how fast it takes new ones.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Counts the connections of one listener.
#[derive(Debug)]
pub(super) struct Gate {
    counts: Mutex<Counts>,
    total_max: usize,
    per_source_max: usize,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shut {
    /// The listener is full.
    Total,
    /// This source has its share.
    Source,
}

impl Gate {
    pub(super) fn new(total_max: usize, per_source_max: usize) -> Arc<Self> {
        Arc::new(Self {
            counts: Mutex::default(),
            total_max,
            per_source_max,
        })
    }

    /// Counts a connection from `address` until the returned permit is dropped.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Permit, Shut> {
        let source = source_of(address);
        let mut counts = self.lock();
        if counts.total >= self.total_max {
            return Err(Shut::Total);
        }
        let of_source = counts.by_source.entry(source).or_default();
        if *of_source >= self.per_source_max {
            return Err(Shut::Source);
        }
        *of_source += 1;
        counts.total += 1;
        Ok(Permit {
            gate: Arc::clone(self),
            source,
        })
    }

    fn leave(&self, source: IpAddr) {
        let mut counts = self.lock();
        counts.total = counts.total.saturating_sub(1);
        if let Some(of_source) = counts.by_source.get_mut(&source) {
            *of_source = of_source.saturating_sub(1);
            if *of_source == 0 {
                counts.by_source.remove(&source);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One counted connection.
#[derive(Debug)]
pub(super) struct Permit {
    gate: Arc<Gate>,
    source: IpAddr,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.leave(self.source);
    }
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

    /// Takes a token and returns how long to wait before using it.
    pub(super) fn take(&mut self, now: Instant) -> Duration {
        self.full_at = self.full_at.max(now) + self.interval;
        (self.full_at - now).saturating_sub(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_in_total_and_by_source() {
        let gate = Gate::new(3, 2);
        let (a, b): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let first = gate.enter(a).unwrap();
        let _second = gate.enter(a).unwrap();
        assert_eq!(gate.enter(a).unwrap_err(), Shut::Source);
        let _third = gate.enter(b).unwrap();
        assert_eq!(gate.enter(b).unwrap_err(), Shut::Total);
        drop(first);
        let _again = gate.enter(a).unwrap();
    }

    #[test]
    fn a_source_that_left_is_forgotten() {
        let gate = Gate::new(9, 9);
        drop(gate.enter("10.0.0.1".parse().unwrap()).unwrap());
        assert!(gate.lock().by_source.is_empty());
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
        assert_eq!(pace.take(start), Duration::from_millis(100));
        assert_eq!(
            pace.take(start + Duration::from_millis(200)),
            Duration::ZERO
        );
        let later = start + Duration::from_secs(60);
        for _ in 0..3 {
            assert_eq!(pace.take(later), Duration::ZERO);
        }
        assert_eq!(pace.take(later), Duration::from_millis(100));
    }
}
