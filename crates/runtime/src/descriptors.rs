//! File descriptors: every connection needs one, and systems give a process few until it asks for more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of this process to `needed`, as far as the hard limit allows, and says how many
/// descriptors it may have now; `u64::MAX` where nothing limits them. It never lowers the limit.
pub fn raise(needed: u64) -> u64 {
    if let Some(raised) = raised(getrlimit(Resource::Nofile), needed)
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// The limit to ask for; `None` where what is given is enough.
fn raised(limit: Rlimit, needed: u64) -> Option<Rlimit> {
    let short = limit.current.is_some_and(|given| given < needed);
    let wanted = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    short.then_some(Rlimit {
        current: Some(wanted),
        maximum: limit.maximum,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(current: Option<u64>, maximum: Option<u64>) -> Rlimit {
        Rlimit { current, maximum }
    }

    #[test]
    fn the_limit_is_raised_as_far_as_allowed_and_never_lowered() {
        let soft = |current, maximum| {
            raised(limit(current, maximum), 5_000).map(|limit| (limit.current, limit.maximum))
        };
        assert_eq!(
            soft(Some(1_024), Some(4_096)),
            Some((Some(4_096), Some(4_096)))
        );
        assert_eq!(
            soft(Some(1_024), Some(9_000)),
            Some((Some(5_000), Some(9_000)))
        );
        assert_eq!(soft(Some(1_024), None), Some((Some(5_000), None)));
        assert_eq!(soft(Some(9_000), Some(9_000)), None);
        assert_eq!(soft(None, None), None);
    }

    #[test]
    fn what_is_given_is_what_the_process_has() {
        let before = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert_eq!(raise(0), before);
        let hard = getrlimit(Resource::Nofile).maximum;
        let wanted = before.saturating_add(1);
        let reachable = hard.is_none_or(|hard| wanted <= hard);
        assert_eq!(raise(wanted) >= wanted, reachable);
    }
}
