//! How many requests each caller of the API may make.
//!
//! Each caller has a bucket, kept as one moment: when it would be full again (GCRA). The number of callers that are
//! told apart is bounded; a caller whose bucket is full is forgotten when room is needed.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Rate;
use crate::limits::RATES_MAX;

/// The buckets of all callers.
#[derive(Debug)]
pub(crate) struct Rates(Mutex<State>);

#[derive(Debug)]
struct State {
    token: Bucket,
    address: Bucket,
    full_again: HashMap<Caller, Instant>,
}

/// Who has a bucket.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Caller {
    /// One without a valid token, by address; `None` for those that are too many to be told apart.
    Address(Option<IpAddr>),
    /// The token with this number; `None` for the one of the data folder.
    Token(Option<i64>),
}

/// How a bucket is.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Time in which one request runs in.
    interval: Duration,
    /// Time in which an empty one is filled.
    depth: Duration,
}

impl Rates {
    pub(crate) fn new(rate: Rate) -> Self {
        Self::of(Bucket::both(rate))
    }

    /// These are the rates from now on. What callers owe stays.
    pub(crate) fn change(&self, rate: Rate) {
        let mut state = self.lock();
        [state.token, state.address] = Bucket::both(rate);
    }

    /// Buckets that hold `burst`, of whomever, into which one more comes each `interval`.
    pub(crate) fn slow(interval: Duration, burst: u32) -> Self {
        let bucket = Bucket {
            interval,
            depth: interval * burst,
        };
        Self::of([bucket, bucket])
    }

    fn of([token, address]: [Bucket; 2]) -> Self {
        Self(Mutex::new(State {
            token,
            address,
            full_again: HashMap::new(),
        }))
    }

    /// Takes one request out of a caller's bucket.
    ///
    /// # Errors
    /// How long it takes until there is one in it.
    pub(crate) fn take(&self, caller: Caller, now: Instant) -> Result<(), Duration> {
        let mut state = self.lock();
        let bucket = match caller {
            Caller::Address(_) => state.address,
            Caller::Token(_) => state.token,
        };
        let full_again = &mut state.full_again;
        let caller = match caller {
            Caller::Address(_) if !full_again.contains_key(&caller) => {
                if full_again.len() >= RATES_MAX {
                    full_again.retain(|_, full| *full > now);
                }
                match full_again.len() >= RATES_MAX {
                    true => Caller::Address(None),
                    false => caller,
                }
            }
            caller => caller,
        };
        let full = full_again.get(&caller).copied().unwrap_or(now).max(now) + bucket.interval;
        let debt = full - now;
        if debt > bucket.depth {
            return Err(debt - bucket.depth);
        }
        full_again.insert(caller, full);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller {
    /// An address; those of one IPv6 network are one caller.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self::Address(Some(network(address)))
    }
}

/// Whom an address belongs to: who has one of an IPv6 network has them all.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

impl Bucket {
    /// That of a token, and that of an address.
    fn both(rate: Rate) -> [Self; 2] {
        [
            Self::new(rate.token_per_second, rate.token_burst),
            Self::new(rate.address_per_second, rate.address_burst),
        ]
    }

    fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self {
            interval,
            depth: interval * burst.max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates() -> Rates {
        Rates::new(Rate {
            token_per_second: 10,
            token_burst: 3,
            address_per_second: 1,
            address_burst: 1,
        })
    }

    #[test]
    fn a_burst_is_taken_and_then_the_steady_rate() {
        let (rates, now) = (rates(), Instant::now());
        let caller = Caller::Token(None);
        for _ in 0..3 {
            assert_eq!(rates.take(caller, now), Ok(()));
        }
        let wait = Duration::from_millis(100);
        assert_eq!(rates.take(caller, now), Err(wait));
        assert_eq!(rates.take(Caller::Token(Some(1)), now), Ok(()), "another");
        assert_eq!(rates.take(caller, now + wait), Ok(()));
        assert_eq!(rates.take(caller, now + wait), Err(wait));
        let later = now + Duration::from_secs(60);
        let taken = (0..5).filter(|_| rates.take(caller, later).is_ok());
        assert_eq!(taken.count(), 3, "a bucket holds no more than its burst");
    }

    #[test]
    fn rates_that_are_changed_hold_for_those_who_are_known() {
        let (rates, now) = (rates(), Instant::now());
        let caller = Caller::Token(None);
        while rates.take(caller, now).is_ok() {}
        rates.change(Rate {
            token_burst: 5,
            token_per_second: 10,
            address_per_second: 1,
            address_burst: 1,
        });
        let more = (0..9).filter(|_| rates.take(caller, now).is_ok());
        assert_eq!(more.count(), 2, "the three before are counted");
    }

    #[test]
    fn a_network_is_one_caller() {
        let (rates, now) = (rates(), Instant::now());
        let at = |text: &str| Caller::at(text.parse().unwrap());
        assert_eq!(rates.take(at("2001:db8::1"), now), Ok(()));
        assert!(rates.take(at("2001:db8::2"), now).is_err());
        assert_eq!(rates.take(at("2001:db8:0:1::2"), now), Ok(()));
        assert_eq!(rates.take(at("192.0.2.1"), now), Ok(()));
        assert!(rates.take(at("::ffff:192.0.2.1"), now).is_err());
    }

    #[test]
    fn callers_beyond_the_bound_share_one_bucket() {
        let (rates, now) = (rates(), Instant::now());
        let address = |number: u32| Caller::at(IpAddr::from(number.to_be_bytes()));
        for number in 0..RATES_MAX as u32 {
            assert_eq!(rates.take(address(number), now), Ok(()));
        }
        assert_eq!(rates.take(address(1 << 30), now), Ok(()));
        assert!(rates.take(address(1 << 31), now).is_err());
        assert!(rates.lock().full_again.len() <= RATES_MAX + 1);
        let later = now + Duration::from_secs(9);
        assert_eq!(rates.take(address(1 << 31), later), Ok(()));
        assert_eq!(rates.lock().full_again.len(), 1, "full ones are forgotten");
    }
}
