//! File descriptors: every connection needs one, and the Agent needs some for itself, to read its host and
//! to keep its state.

use crate::descriptors::raise;

/// Connections at one door at most: those of some Controllers, and of strangers who knock.
const CONNECTIONS_MAX: u64 = 256;

/// So many doors can be full at once without anything missing.
const DOORS: u64 = 4;

/// The least that is kept for the Agent itself.
const OWN_MIN: u64 = 64;

/// What every door full and the Agent's own take.
const NEEDED: u64 = CONNECTIONS_MAX * DOORS * 4 / 3;

/// How many connections a door may hold, so that the Agent keeps a quarter of its descriptors, and
/// [`OWN_MIN`] at least. The soft limit is raised before to what that takes, as far as the hard one allows.
pub(super) fn connections_max() -> usize {
    usize::try_from(share(raise(NEEDED))).unwrap_or(usize::MAX)
}

/// A door's share of `given` descriptors; one connection at least.
fn share(given: u64) -> u64 {
    let own = (given / 4).max(OWN_MIN);
    (given.saturating_sub(own) / DOORS).clamp(1, CONNECTIONS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_is_kept_for_the_agent_itself() {
        for (given, at_each_door) in [
            (0, 1),
            (64, 1),
            (128, 16),
            (1024, 192),
            (NEEDED + 1, 256),
            (u64::MAX, 256),
        ] {
            let share = share(given);
            assert_eq!(share, at_each_door, "{given:?}");
        }
    }
}
