//! File descriptors: every connection needs one, and the Agent needs some for itself, to read its host and
//! to keep its state.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Connections at one door at most: those of some Controllers, and of strangers who knock.
const CONNECTIONS_MAX: u64 = 256;

/// So many doors can be full at once without anything missing.
const DOORS: u64 = 4;

/// The least that is kept for the Agent itself.
const OWN_MIN: u64 = 64;

/// How many connections a door may hold, so that the Agent keeps a quarter of its descriptors, and
/// [`OWN_MIN`] at least. The soft limit is raised before to what that takes, as far as the hard one allows.
pub(super) fn connections_max() -> usize {
    let limit = getrlimit(Resource::Nofile);
    if let Some(raised) = raised(limit)
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    let given = getrlimit(Resource::Nofile).current;
    usize::try_from(share(given)).unwrap_or(usize::MAX)
}

/// What every door full and the Agent's own take.
const NEEDED: u64 = CONNECTIONS_MAX * DOORS * 4 / 3;

/// The limit to ask for; `None` where what is given is enough.
fn raised(limit: Rlimit) -> Option<Rlimit> {
    let short = limit.current.is_some_and(|given| given < NEEDED);
    let wanted = limit.maximum.map_or(NEEDED, |maximum| maximum.min(NEEDED));
    short.then_some(Rlimit {
        current: Some(wanted),
        maximum: limit.maximum,
    })
}

/// A door's share of `given` descriptors; one connection at least.
fn share(given: Option<u64>) -> u64 {
    let given = given.unwrap_or(u64::MAX);
    let own = (given / 4).max(OWN_MIN);
    (given.saturating_sub(own) / DOORS).clamp(1, CONNECTIONS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_is_kept_for_the_agent_itself() {
        for (given, at_each_door) in [
            (Some(0), 1),
            (Some(64), 1),
            (Some(128), 16),
            (Some(1024), 192),
            (Some(NEEDED + 1), 256),
            (None, 256),
        ] {
            let share = share(given);
            assert_eq!(share, at_each_door, "{given:?}");
        }
    }

    #[test]
    fn the_limit_is_raised_as_far_as_allowed_and_never_lowered() {
        let soft =
            |current, maximum| raised(Rlimit { current, maximum }).map(|raised| raised.current);
        assert_eq!(soft(Some(256), Some(1024)), Some(Some(1024)));
        assert_eq!(soft(Some(256), None), Some(Some(NEEDED)));
        assert_eq!(soft(Some(NEEDED), None), None);
        assert_eq!(soft(None, None), None);
    }
}
