//! The bounds of the platform's store.

/// Most devices that one page of a listing holds.
pub const PAGE_DEVICES_MAX: u32 = 1000;

/// Most candidates that an ambiguous search names.
pub const CANDIDATES_MAX: u32 = 10;

/// Longest Endpoint ID that is taken, in bytes.
pub const ENDPOINT_ID_BYTES_MAX: usize = 512;

/// Longest alias, in characters; TR-181 allows as many.
pub const ALIAS_CHARACTERS_MAX: usize = 64;

/// Longest text that a device may say about itself, in bytes. What is beyond is cut off: a device
/// that boasts is still a device.
pub const TEXT_BYTES_MAX: usize = 1024;

/// Most writes that wait for the writer; beyond them [`Store::seen_soon`](crate::Store::seen_soon)
/// says busy and the other writes wait in their turn.
pub const WRITES_WAITING_MAX: usize = 4096;

/// Most writes that share one transaction.
pub const GROUP_WRITES_MAX: usize = 1024;

/// Most connections that are kept for reading.
pub const READERS_MAX: usize = 4;
