//! What a fleet has done so far.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Counts of one fleet, from its start on but for the first two, which are those of now.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Counts {
    /// Devices with an open link.
    pub online: u64,
    /// Devices that are dialling.
    pub connecting: u64,
    /// Devices that have been started.
    pub started: u64,
    /// Links that were opened.
    pub links: u64,
    /// Records received.
    pub received: u64,
    /// Records sent.
    pub sent: u64,
    /// Notify Messages among them, repeated ones included.
    pub notifies: u64,
    /// Values that changed by themselves.
    pub changes: u64,
    /// Links that were cut on purpose.
    pub losses: u64,
    /// Restarts, by chance or because a Controller asked for one.
    pub reboots: u64,
    /// Attempts to connect that failed.
    pub refused: u64,
    /// Links that ended otherwise than the device wanted.
    pub lost: u64,
    /// Records that could not be understood, or not be sent.
    pub errors: u64,
}

/// One number of them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Count {
    Online,
    Connecting,
    Started,
    Links,
    Received,
    Sent,
    Notifies,
    Changes,
    Losses,
    Reboots,
    Refused,
    Lost,
    Errors,
}

const COUNTS: usize = Count::Errors as usize + 1;

/// Counts that many tasks add to.
#[derive(Debug, Default)]
pub(crate) struct Tally([AtomicU64; COUNTS]);

impl Tally {
    pub(crate) fn add(&self, count: Count) {
        self.0[count as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn take(&self, count: Count) {
        self.0[count as usize].fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        let of = |count: Count| self.0[count as usize].load(Ordering::Relaxed);
        Counts {
            online: of(Count::Online),
            connecting: of(Count::Connecting),
            started: of(Count::Started),
            links: of(Count::Links),
            received: of(Count::Received),
            sent: of(Count::Sent),
            notifies: of(Count::Notifies),
            changes: of(Count::Changes),
            losses: of(Count::Losses),
            reboots: of(Count::Reboots),
            refused: of(Count::Refused),
            lost: of(Count::Lost),
            errors: of(Count::Errors),
        }
    }
}
