//! File descriptors: every link over a socket needs one, and systems give a process few until it asks
//! for more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limits::DESCRIPTORS_BESIDE;

/// How many links over sockets this process may have, after it has asked for as many descriptors as it
/// may; `None` where nothing limits them.
pub fn links_allowed() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: limit.maximum,
                maximum: limit.maximum,
            },
        );
        if let Err(error) = raised {
            tracing::warn!(%error, "the limit of open files could not be raised");
        }
    }
    let given = getrlimit(Resource::Nofile).current?;
    Some(given.saturating_sub(DESCRIPTORS_BESIDE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let allowed = links_allowed();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        assert_eq!(
            allowed,
            limit.current.map(|given| given - DESCRIPTORS_BESIDE)
        );
    }
}
