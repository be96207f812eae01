//! File descriptors for all who may be connected.

use usphere_runtime::descriptors::raise;

use crate::limits::DESCRIPTORS_BESIDE;

/// Provides for so many connections, and says how many the system allows where it does not allow all of them.
pub(crate) fn provide(connections: usize) {
    let needed = connections.saturating_add(DESCRIPTORS_BESIDE);
    let given = raise(u64::try_from(needed).unwrap_or(u64::MAX));
    let allowed = usize::try_from(given).unwrap_or(usize::MAX);
    let allowed = allowed.saturating_sub(DESCRIPTORS_BESIDE);
    if allowed < connections {
        // Told once more, as a warning, by the door that runs out of them.
        tracing::info!(
            allowed,
            connections,
            "fewer Agents can be connected than `connections_max` says, since each needs an open file; \
             raise the limit (ulimit -n, LimitNOFILE= of systemd) or lower `connections_max`"
        );
    }
}
