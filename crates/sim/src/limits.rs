//! Every bound of a fleet.

use std::time::Duration;

/// Most devices of one fleet.
pub const DEVICES_MAX: u32 = 1_000_000;

/// Devices that begin per second unless the plan says otherwise.
pub const STARTS_PER_SECOND: f64 = 500.0;

/// Digits of a device's number unless the fleet needs more.
pub const DIGITS_MIN: usize = 6;

/// How long a device is away when it starts anew: at least this long.
pub const REBOOT_MIN: Duration = Duration::from_secs(3);

/// And up to so much longer.
pub const REBOOT_SPREAD: Duration = Duration::from_secs(12);

/// How long closing handshakes may take at the end.
pub const GOODBYE_MAX: Duration = Duration::from_secs(5);

/// Bytes that wait to be sent on one link, at most: a device answers little, and there are many.
pub const QUEUE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Events of a link that are handled together.
pub const EVENTS_AT_ONCE: usize = 16;

/// Descriptors that a process needs beside its links.
pub const DESCRIPTORS_BESIDE: u64 = 64;
