//! Every bound on what is read from the host, in one place.

/// Most bytes of a file that is read whole; the rest of a longer one is not looked at.
pub const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Most bytes of one `/proc/PID/stat` that are looked at. The kernel writes some 350.
pub const STAT_BYTES_MAX: usize = 4 * 1024;

/// Most processes that are shown; where there are more, those with the lowest PIDs. A table has to
/// have room for those of one second beside those of the next.
pub const PROCESSES_MAX: usize = 4_096;

/// Longest name of a host, in bytes, that Linux takes.
pub const HOST_NAME_BYTES_MAX: usize = 64;
