//! File descriptors for all who may be connected.

use usphere_runtime::descriptors::raise;

use crate::limits::DESCRIPTORS_BESIDE;

/// Provides for so many connections, and says where the system does not let it.
pub(crate) fn provide(connections: usize) {
    let needed = connections.saturating_add(DESCRIPTORS_BESIDE);
    let given = raise(u64::try_from(needed).unwrap_or(u64::MAX));
    if given < u64::try_from(connections).unwrap_or(u64::MAX) {
        // Told once more, as a warning, by the door that runs out of them.
        tracing::info!(
            given,
            connections,
            "fewer files may be open than `connections_max` needs: Agents beyond that cannot connect; \
             raise the limit (ulimit -n, LimitNOFILE= of systemd) or lower `connections_max`"
        );
    }
}
