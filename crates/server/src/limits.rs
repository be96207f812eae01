//! Every limit of this crate.

use std::time::Duration;

/// Bytes of the body of an API request.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Connections to the API at the same time; more wait in the system's queue.
pub const API_CONNECTIONS_MAX: usize = 256;

/// File descriptors that are needed beside those of the Agents' connections: the API's connections,
/// the store, the log.
pub const DESCRIPTORS_BESIDE: usize = API_CONNECTIONS_MAX + 64;

/// Live streams of events at the same time; each has one of the connections.
pub const STREAMS_MAX: usize = 128;

/// Events of a page where the request does not say.
pub const PAGE_EVENTS: u32 = 100;

/// Events that are read from the store at a time, for one stream.
pub const STREAM_READ_EVENTS: u32 = 64;

/// Time without an event after which a stream shows that it lives.
pub const STREAM_ALIVE: Duration = Duration::from_secs(10);

/// Notifications that are stored in one transaction.
pub const NOTIFICATIONS_TOGETHER_MAX: usize = 256;

/// Announcements of stored events that wait for the slowest stream. What comes on top has it look itself.
pub const ANNOUNCEMENTS_MAX: usize = 4096;

/// Time for the head of an API request to arrive; an idle connection is closed after it.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for the body of an API request to arrive.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a device may take to answer, unless the request says otherwise.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest time that a request may give a device, in seconds.
pub const OPERATION_SECONDS_MAX: u64 = 600;

/// How long API requests that are under way may go on when the server shuts down.
pub const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// Devices that are asked who they are at the same time. More than one source may have connections
/// ([`CONNECTIONS_PER_SOURCE_MAX`](usphere_mtp::limits::CONNECTIONS_PER_SOURCE_MAX)), so that one that
/// never answers does not keep the others waiting.
pub const INTRODUCTIONS_MAX: usize = 1024;

/// Devices that wait to be asked who they are.
pub const INTRODUCTIONS_WAITING_MAX: usize = 100_000;

/// Bytes of an API connection that are read ahead, and so the largest head of a request.
pub const READ_AHEAD_BYTES_MAX: usize = 64 * 1024;

/// How long a client of the API may leave an answer unread before it is cut.
pub const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Random bytes of a token that the server makes.
pub const TOKEN_BYTES: usize = 32;

/// Characters that a token has at least.
pub const TOKEN_CHARACTERS_MIN: usize = 32;

/// Bytes of a configuration file.
pub const CONFIG_BYTES_MAX: usize = 1 << 20;
