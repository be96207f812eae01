//! The keys of the tables of the configuration file.

use super::{Change, Key};

const fn number(name: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key {
        name,
        kind: "number",
        default: Some(default),
        example: default,
        change: Change::Restart,
        meaning,
    }
}

/// A number that is taken up by a reload.
const fn live(name: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key {
        change: Change::Reload,
        ..number(name, default, meaning)
    }
}

/// How Agents are let in, and how their links are kept.
pub(super) const LINKS: &[Key] = &[
    live(
        "links.accepts_per_second",
        "500",
        "Connections that are let in per second, in the long run. Whoever would have to wait for long is told when to come back.",
    ),
    live(
        "links.accepts_per_source_per_second",
        "200",
        "The same from one IPv4 address or IPv6 /64.",
    ),
    number(
        "links.handshakes_max",
        "2048",
        "Handshakes that may be under way at the same time.",
    ),
    number(
        "links.handshakes_per_source_max",
        "512",
        "The same with one IPv4 address or IPv6 /64.",
    ),
    number(
        "links.ping_seconds",
        "15",
        "Seconds between two Pings. With `pong_seconds` it says how long a device that vanished without a word is still shown as online.",
    ),
    number(
        "links.pong_seconds",
        "10",
        "Seconds in which a Ping has to be answered.",
    ),
    number(
        "links.queue_bytes_max",
        "2097152",
        "Bytes that may wait to be read by one device; one that has more is cut.",
    ),
    number(
        "links.queue_records_max",
        "4096",
        "Records that may wait to be read by one device; one that has more is cut.",
    ),
];

/// How devices are taken on board.
pub(super) const ONBOARDING: &[Key] = &[
    Key {
        name: "onboarding.first_contact",
        kind: "`approval`, `certificate` or `open`",
        default: Some("\"certificate\""),
        example: "\"certificate\"",
        change: Change::Reload,
        meaning: "Who is let in at first contact: nobody before somebody approves them; who has a certificate that `tls_ca` \
            vouches for, or comes from within this host; everybody. All others wait for approval. Who was let in stays so.",
    },
    Key {
        name: "onboarding.subscriptions",
        kind: "boolean",
        default: Some("true"),
        example: "true",
        change: Change::Restart,
        meaning: "Whether the server keeps Subscriptions of its own on every device.",
    },
    live(
        "onboarding.check_minutes",
        "360",
        "Minutes after which a device that stays connected is checked again: who it is, and whether the Subscriptions are as they should be.",
    ),
    live(
        "onboarding.pending_days",
        "30",
        "Days after which a device that waits for approval and is away is forgotten; 0 for never. Where 10,000 wait, those that are away longest give way to new ones.",
    ),
];

/// How many requests the API takes.
pub(super) const RATE: &[Key] = &[
    live(
        "rate.token_per_second",
        "5000",
        "Requests with one token that are taken per second, in the long run; beyond that they are answered with 429.",
    ),
    live(
        "rate.token_burst",
        "20000",
        "Requests with one token that are taken at once, after a pause.",
    ),
    live(
        "rate.address_per_second",
        "100",
        "Requests without a valid token that are taken per second from one IPv4 address or IPv6 /64.",
    ),
    live(
        "rate.address_burst",
        "1000",
        "The same at once, after a pause.",
    ),
];

/// How long things are kept.
pub(super) const RETENTION: &[Key] = &[
    live(
        "retention.events_days",
        "30",
        "Days for which events are kept, but for those beyond `retention.events_max`.",
    ),
    live(
        "retention.events_max",
        "1000000",
        "Events of all devices together that are kept, the newest; 0 for as many as there are. With 100,000 devices the default is ten of each; each takes about half a KiB on disk.",
    ),
    live(
        "retention.audit_days",
        "365",
        "Days for which the audit is kept.",
    ),
    live(
        "retention.audit_max",
        "1000000",
        "Entries of the audit that are kept, the newest of each token; where there are too many, those of the tokens with most entries go. 0 for as many as there are.",
    ),
    live(
        "retention.operations_days",
        "30",
        "Days for which operations are kept after their end.",
    ),
    live(
        "retention.operations_max",
        "200000",
        "Operations that may have changed something (set, add, delete, operate) that are kept after their end, the newest; 0 for as many as there are, up to 1 GiB.",
    ),
    live(
        "retention.reads_max",
        "200000",
        "The same of operations that only read, up to 512 MiB. They push out no others.",
    ),
    live(
        "retention.keys_hours",
        "24",
        "Hours for which an `Idempotency-Key` is good after the end of its operation, also where the limits by number would push it out.",
    ),
    live(
        "retention.contacts_days",
        "30",
        "Days for which contacts that failed are kept after they came last.",
    ),
];
