//! What looks like chance, and is the same for the same seed.

use std::time::Duration;

/// Longest time that is waited for something that happens by chance.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Numbers from a seed (SplitMix64), for one of many who must not do the same.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The chance of number `index` of a fleet.
    pub(crate) fn new(seed: u64, index: u32) -> Self {
        Self(fact(seed, index, 0))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// From 0 to just below `end`; 0 where that is 0.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        // The remainder's slant is far below what anybody could see.
        u32::try_from(self.next() % u64::from(end.max(1))).unwrap_or_default()
    }

    /// From 0 to just below 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// How long until something happens that comes so often in the mean; `None` where it never does.
    pub(crate) fn wait(&mut self, per_second: f64) -> Option<Duration> {
        if per_second <= 0.0 {
            return None;
        }
        let seconds = -(1.0 - self.fraction()).ln() / per_second;
        Some(Duration::try_from_secs_f64(seconds).map_or(LONGEST, |wait| wait.min(LONGEST)))
    }
}

/// Something that is so for number `index` of a fleet, and stays so.
pub(crate) fn fact(seed: u64, index: u32, what: u64) -> u64 {
    let place = mixed(u64::from(index).wrapping_add(mixed(what)));
    mixed(seed.wrapping_add(place))
}

fn mixed(number: u64) -> u64 {
    let mut mixed = number;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_have_the_mean_that_was_asked_for() {
        let mut chance = Chance::new(1, 2);
        let all: f64 = (0..20_000)
            .filter_map(|_| chance.wait(0.5))
            .map(|wait| wait.as_secs_f64())
            .sum();
        assert!((all / 20_000.0 - 2.0).abs() < 0.1, "{all}");
        assert_eq!(chance.wait(0.0), None);
    }

    #[test]
    fn neighbours_do_not_draw_the_same() {
        let drawn: std::collections::BTreeSet<u64> = (0..1_000)
            .map(|index| Chance::new(7, index).next())
            .collect();
        assert_eq!(drawn.len(), 1_000);
        assert_eq!(Chance::new(7, 1).next(), Chance::new(7, 1).next());
    }
}
