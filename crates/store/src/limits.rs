//! The bounds of the platform's store.

use std::time::Duration;

/// Most devices that one page of a listing holds.
pub const PAGE_DEVICES_MAX: u32 = 1000;

/// Most candidates that an ambiguous search names.
pub const CANDIDATES_MAX: u32 = 10;

/// Most words of a search; further ones are not looked for.
pub const SEARCH_WORDS_MAX: usize = 8;

/// Longest Endpoint ID that is taken, in bytes.
pub const ENDPOINT_ID_BYTES_MAX: usize = 512;

/// Longest alias, in characters; TR-181 allows as many.
pub const ALIAS_CHARACTERS_MAX: usize = 64;

/// Longest text that a device may say about itself, in bytes. What is beyond is cut off: a device
/// that boasts is still a device.
pub const TEXT_BYTES_MAX: usize = 1024;

/// Most events that one page holds.
pub const PAGE_EVENTS_MAX: u32 = 1000;

/// A page of events ends with the first that takes its content to this many bytes.
pub const PAGE_EVENTS_BYTES: i64 = 1 << 20;

/// Most events of one device that are kept; the oldest go first.
pub const EVENTS_PER_DEVICE_MAX: u32 = 1000;

/// Bytes of one device's events that are kept, but for the newest event, which always is.
pub const EVENT_BYTES_PER_DEVICE_MAX: i64 = 16 << 20;

/// Longest msg_id of an event that is told apart from others, in bytes.
pub const MSG_ID_BYTES_MAX: usize = 256;

/// How long an event with the same msg_id and content counts as the same, in milliseconds: longer than a
/// device pauses between two tries, and no longer, for one that starts anew may use its msg_ids again.
pub const REPEATED_TIME: i64 = 2 * 3600 * 1000;

/// Most events or entries of the audit that are forgotten in one transaction.
pub const PRUNED_TOGETHER_MAX: u32 = 10_000;

/// Most entries that a page of the audit holds.
pub const PAGE_AUDIT_MAX: u32 = 1000;

/// Longest text in an entry of the audit, in bytes; the rest is cut.
pub const AUDIT_TEXT_BYTES_MAX: usize = 2048;

/// Most tokens beside the one of the data folder.
pub const TOKENS_MAX: i64 = 1000;

/// Longest name of a token, in bytes.
pub const TOKEN_NAME_BYTES_MAX: usize = 64;

/// Most tags of one device.
pub const TAGS_PER_DEVICE_MAX: usize = 32;

/// Longest tag, in bytes.
pub const TAG_BYTES_MAX: usize = 64;

/// Longest idempotency key of an Operation, in bytes, with the name of the one whose key it is.
pub const OPERATION_KEY_BYTES_MAX: usize = 287;

/// Most Operations that one page holds.
pub const PAGE_OPERATIONS_MAX: u32 = 1000;

/// A page of Operations ends with the first that takes its requests and outcomes to this many bytes.
pub const PAGE_OPERATIONS_BYTES: usize = 1 << 20;

/// Most Operations of one device that are kept after their end, of those that read and of the others; the oldest go
/// first. Those with an idempotency key do not count.
pub const OPERATIONS_PER_DEVICE_MAX: u32 = 1000;

/// Bytes of the requests and outcomes of Operations that have ended and may have changed something; twice as many for
/// the sake of idempotency keys.
pub const OPERATIONS_BYTES_MAX: i64 = 1 << 30;

/// The same of those that read.
pub const READS_BYTES_MAX: i64 = 512 << 20;

/// Operations with an idempotency key that are kept on top of what the bounds by number allow, so that a key is good
/// for its time.
pub const OPERATIONS_KEYED_MAX: u64 = 1_000_000;

/// Most Operations that are forgotten in one transaction: their outcomes can be large.
pub const OPERATIONS_PRUNED_TOGETHER_MAX: u32 = 1000;

/// Most contacts that one page holds.
pub const PAGE_CONTACTS_MAX: u32 = 1000;

/// Most contacts that are kept, those that failed alike counted as one.
pub const CONTACTS_MAX: i64 = 10_000;

/// Most of them that came from one address.
pub const CONTACTS_PER_SOURCE_MAX: u32 = 100;

/// Longest name of a reason, in bytes.
pub const CONTACT_REASON_BYTES_MAX: usize = 64;

/// Longest description of what was wrong with a contact, in bytes.
pub const CONTACT_DETAIL_BYTES_MAX: usize = 1024;

/// Most devices that wait for approval.
pub const PENDING_MAX: usize = 10_000;

/// Most Subscriptions that are to be on every device.
pub const SUBSCRIPTIONS_MAX: i64 = 32;

/// Longest name of such a Subscription, in bytes: it is part of an `ID`, which has 64 characters.
pub const SUBSCRIPTION_NAME_BYTES_MAX: usize = 48;

/// Most paths of such a Subscription.
pub const SUBSCRIPTION_REFERENCES_MAX: usize = 64;

/// Longest path of such a Subscription, in characters; TR-181 allows as many.
pub const SUBSCRIPTION_REFERENCE_CHARACTERS_MAX: usize = 256;

/// Largest supported data model of one product that is kept, in bytes.
pub const MODEL_BYTES_MAX: usize = 16 << 20;

/// Most supported data models that are kept; the oldest go first.
pub const MODELS_MAX: i64 = 500;

/// Bytes of all of them, but for the newest, which always is kept.
pub const MODELS_BYTES_MAX: i64 = 256 << 20;

/// Most writes that wait for the writer; beyond them [`Store::seen_soon`](crate::Store::seen_soon)
/// says busy and the other writes wait in their turn.
pub const WRITES_WAITING_MAX: usize = 4096;

/// Most writes that share one transaction.
pub const GROUP_WRITES_MAX: usize = 1024;

/// How long a file is looked through for damage before it is used; the rest is looked through beside its use.
pub const LOOK_PATIENCE: Duration = Duration::from_secs(15);

/// Most parts of a damaged table that are looked at for rows that can be read.
pub const SALVAGE_LOOKS_MAX: usize = 20_000;

/// How often a part of a damaged table is halved in which nothing can be read.
pub const SALVAGE_BARREN_MAX: u32 = 6;

/// Longest file that says where the tables of a database begin, in bytes.
pub(crate) const OUTLINE_BYTES_MAX: u64 = 64 * 1024;

/// Most connections that are kept for reading.
pub const READERS_MAX: usize = 4;
