//! File descriptors: every connection needs one, and systems give a process few until it asks for more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limits::DESCRIPTORS_BESIDE;

/// Raises the soft limit to what so many connections need, as far as the hard limit allows, and says
/// where that is not enough.
pub(crate) fn provide(connections: usize) {
    let beside = connections.saturating_add(DESCRIPTORS_BESIDE);
    let needed = u64::try_from(beside).unwrap_or(u64::MAX);
    let limit = getrlimit(Resource::Nofile);
    let Some(raised) = raised(limit, needed) else {
        return;
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    let given = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let connections = u64::try_from(connections).unwrap_or(u64::MAX);
    if given < connections {
        // Told once more, as a warning, by the door that runs out of them.
        tracing::info!(
            given,
            connections,
            "fewer files may be open than `connections_max` needs: Agents beyond that cannot connect; \
             raise the limit (ulimit -n, LimitNOFILE= of systemd) or lower `connections_max`"
        );
    }
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
}
