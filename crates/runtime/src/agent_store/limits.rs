//! The bounds of the Agent's store.

/// Memory that the database may use for pages, in bytes. A device's whole state is a few dozen
/// kilobytes, so this holds it and leaves the Agent's memory budget alone.
pub const CACHE_BYTES: usize = 512 * 1024;

/// Most entries that one group commit takes; what waits beyond them goes into the next.
pub const GROUP_ENTRIES_MAX: usize = 4096;

/// Most damaged files that are kept. The last place is used again when all are taken, so that a
/// failing flash does not fill up with its own remains.
pub const KEPT_ASIDE_MAX: u32 = 4;
