//! How much the API takes, and how long what it shows is kept.

use serde::Deserialize;

/// How many requests the API takes: each token, and each address without one, has a bucket of its own that holds
/// `burst` requests and is filled again at a steady rate. Beyond them requests are answered with 429.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Rate {
    /// Requests with one token that are taken per second.
    pub token_per_second: u32,
    /// Requests with one token that are taken at once, after a pause.
    pub token_burst: u32,
    /// Requests without a valid token that are taken per second from one IPv4 address or IPv6 /64.
    pub address_per_second: u32,
    /// Requests without a valid token that are taken at once, after a pause.
    pub address_burst: u32,
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            token_per_second: 5000,
            token_burst: 20_000,
            address_per_second: 100,
            address_burst: 1000,
        }
    }
}

/// How long things are kept, and how many of them. There are limits beside that hold for one device, and limits in bytes,
/// see [`usphere_store::limits`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Days for which events are kept.
    pub events_days: u32,
    /// Events of all devices together that are kept; 0 for as many as there are.
    pub events_max: u64,
    /// Days for which the audit is kept.
    pub audit_days: u32,
    /// Entries of the audit that are kept; 0 for as many as there are.
    pub audit_max: u64,
    /// Days for which Operations are kept after their end.
    pub operations_days: u32,
    /// Operations that may have changed something that are kept after their end; 0 for as many as there are.
    pub operations_max: u64,
    /// Operations that only read that are kept after their end; 0 for as many as there are.
    pub reads_max: u64,
    /// Hours for which an idempotency key is good after the end of its Operation, whatever the limits by number say.
    pub keys_hours: u32,
    /// Days for which contacts that failed are kept after they came last.
    pub contacts_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            events_days: 30,
            events_max: 1_000_000,
            audit_days: 365,
            audit_max: 1_000_000,
            operations_days: 30,
            operations_max: 200_000,
            reads_max: 200_000,
            keys_hours: 24,
            contacts_days: 30,
        }
    }
}

impl Rate {
    /// The key that is 0, if one is: nobody could use the API.
    pub(super) fn zero(&self) -> Option<&'static str> {
        [
            ("rate.token_per_second", self.token_per_second),
            ("rate.token_burst", self.token_burst),
            ("rate.address_per_second", self.address_per_second),
            ("rate.address_burst", self.address_burst),
        ]
        .into_iter()
        .find_map(|(key, value)| (value == 0).then_some(key))
    }
}

impl Retention {
    /// The key that is 0, if one is.
    pub(super) fn zero(&self) -> Option<&'static str> {
        [
            ("retention.events_days", self.events_days),
            ("retention.audit_days", self.audit_days),
            ("retention.operations_days", self.operations_days),
            ("retention.keys_hours", self.keys_hours),
            ("retention.contacts_days", self.contacts_days),
        ]
        .into_iter()
        .find_map(|(key, value)| (value == 0).then_some(key))
    }
}
