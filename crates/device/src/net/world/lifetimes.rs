//! When addresses and routes end: the kernel counts seconds down, the model wants a date that stands still.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::super::facts::{Address, Route};
use super::super::uapi::LIFETIME_INFINITE;
use crate::clock::date_time;

const NEVER: &str = "9999-12-31T23:59:59Z";

/// By how many seconds two readings of the same end may differ.
const JITTER_SECONDS: u64 = 2;

/// The ends as they were told last.
#[derive(Debug, Default)]
pub(in crate::net) struct Lifetimes {
    told: BTreeMap<(u32, IpAddr, &'static str), u64>,
    seen: BTreeMap<(u32, IpAddr, &'static str), u64>,
    now: u64,
}

impl Lifetimes {
    /// Begins a reading; ends that were not read last time are forgotten.
    pub(in crate::net) fn begin(&mut self) {
        self.told = core::mem::take(&mut self.seen);
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        self.now = since.map_or(0, |since| since.as_secs());
    }

    /// When the address ceases to be preferred, and to be valid.
    pub(super) fn of(&mut self, address: &Address) -> (String, String) {
        let (index, ip) = (address.index, address.address);
        (
            self.end((index, ip, "preferred"), address.preferred),
            self.end((index, ip, "valid"), address.valid),
        )
    }

    /// When the route ends.
    pub(super) fn of_route(&mut self, route: &Route) -> String {
        let key = (route.index.unwrap_or(0), route.destination, "route");
        self.end(key, route.expires.unwrap_or(LIFETIME_INFINITE))
    }

    fn end(&mut self, key: (u32, IpAddr, &'static str), left: u32) -> String {
        if left == LIFETIME_INFINITE {
            return NEVER.to_owned();
        }
        let read = self.now + u64::from(left);
        let told = self.told.get(&key).copied();
        let end = told
            .filter(|told| told.abs_diff(read) <= JITTER_SECONDS)
            .unwrap_or(read);
        self.seen.insert(key, end);
        date_time(i64::try_from(end).unwrap_or(i64::MAX))
    }
}
