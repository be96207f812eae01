//! Every limit of this crate.

use std::time::Duration;

/// Bytes of the body of an API request.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Connections to the API at the same time; more wait in the system's queue.
pub const API_CONNECTIONS_MAX: usize = 256;

/// File descriptors that are needed beside those of the Agents' connections: the API's connections,
/// the store, the log.
pub const DESCRIPTORS_BESIDE: usize = API_CONNECTIONS_MAX + 64;

/// How long one who comes to the API waits for a place until it is looked again who could make room.
pub const ROOM_INTERVAL: Duration = Duration::from_millis(10);

/// Live streams of events at the same time; each has one of the connections.
pub const STREAMS_MAX: usize = 128;

/// Live streams of one token at the same time, but for the one of the data folder: nobody has all of them.
pub const STREAMS_PER_TOKEN_MAX: usize = STREAMS_MAX / 4;

/// Requests of one token that are under way, until their answers have ended, but for the one of the data folder: each may
/// wait for a device for minutes, and has one of the connections meanwhile.
pub const REQUESTS_PER_TOKEN_MAX: usize = API_CONNECTIONS_MAX / 4;

/// Questions to many devices at the same time.
pub const FLEET_READS_MAX: usize = 4;

/// Of them, those of one token, but for the one of the data folder.
pub const FLEET_READS_PER_TOKEN_MAX: usize = FLEET_READS_MAX / 2;

/// Devices that one such question has asked at the same time, where the request does not say.
pub const FLEET_TOGETHER: usize = 128;

/// The most that it may say.
pub const FLEET_TOGETHER_MAX: usize = 1024;

/// Devices that are looked for at a time, for such a question.
pub const FLEET_READ_DEVICES: u32 = 1000;

/// Events of a page where the request does not say.
pub const PAGE_EVENTS: u32 = 100;

/// Events that are read from the store at a time, for one stream.
pub const STREAM_READ_EVENTS: u32 = 64;

/// Time without an event after which a stream shows that it lives.
pub const STREAM_ALIVE: Duration = Duration::from_secs(10);

/// How long failed contacts are gathered before they are written.
pub const CONTACTS_GATHER: Duration = Duration::from_millis(250);

/// Failed contacts that are not alike and are written together; what comes on top is only counted.
pub const CONTACTS_TOGETHER_MAX: usize = 1024;

/// Contacts of a page where the request does not say.
pub const PAGE_CONTACTS: u32 = 100;

/// Notifications that are stored in one transaction.
pub const NOTIFICATIONS_TOGETHER_MAX: usize = 256;

/// Announcements of stored events that wait for the slowest stream. What comes on top has it look itself.
pub const ANNOUNCEMENTS_MAX: usize = 4096;

/// Time for the head of an API request to arrive; an idle connection is closed after it.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for the handshake of TLS on a connection to the API.
pub const API_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Seconds between two Pings of a device.
pub const PING_SECONDS: u32 = 15;

/// Seconds in which a device has to answer one.
pub const PONG_SECONDS: u32 = 10;

/// Bytes that may wait to be read by one device; twice the largest request of the API.
pub const LINK_QUEUE_BYTES: usize = 2 * BODY_BYTES_MAX;

/// Records that may wait to be read by one device: all that may be asked of it at the same time, and
/// answers to what it told.
pub const LINK_QUEUE_RECORDS: usize = 4096;

/// Time for the body of an API request to arrive.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a device may take to answer, unless the request says otherwise.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest time that a request may give a device, in seconds.
pub const OPERATION_SECONDS_MAX: u64 = 600;

/// How long API requests that are under way may go on when the server shuts down, then Operations that their devices
/// have not answered, and then each thing that is to be written.
pub const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// Time between two looks, then, whether all that was asked of devices is answered.
pub const SETTLE_INTERVAL: Duration = Duration::from_millis(10);

/// Devices that are checked at the same time. More than one source may have connections
/// ([`CONNECTIONS_PER_SOURCE_MAX`](usphere_mtp::limits::CONNECTIONS_PER_SOURCE_MAX)), so that one that
/// never answers does not keep the others waiting.
pub const CHECKS_MAX: usize = 1024;

/// Bytes of the Subscriptions on one device that may be the server's: more than all that it may be told to keep.
pub const OWN_SUBSCRIPTIONS_BYTES_MAX: usize = 1 << 20;

/// Checks that read the store at the same time.
pub const CHECKS_READING_MAX: usize = 4;

/// Devices that wait to be checked.
pub const CHECKS_WAITING_MAX: usize = 250_000;

/// How long a check of a device that stays connected holds, unless the configuration says otherwise.
pub const CHECK_INTERVAL: Duration = Duration::from_secs(6 * 3600);

/// How long after a check that failed the next follows; twice as long each time, up to the interval.
pub const CHECK_RETRY: Duration = Duration::from_secs(60);

/// How long after a check a device that says it begins anew is not checked again.
pub const CHECK_REPEAT_MIN: Duration = Duration::from_secs(60);

/// Devices that wait for approval and are away that give way together where too many wait.
pub const PENDING_GIVE_WAY: usize = 100;

/// How long nobody is looked for who could give way, after nobody was found.
pub const PENDING_FULL_INTERVAL: Duration = Duration::from_secs(1);

/// How long after a check a device is not checked again that tells that Subscriptions were taken away on it; twice as long
/// each time that they have to be mended, up to the interval.
pub const CHECK_UNDONE_MIN: Duration = Duration::from_secs(5);

/// Time between two looks for checks that are due.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// What so many devices say about themselves is written in one transaction.
pub const DESCRIBED_TOGETHER_MAX: usize = 512;

/// Supported data models that are fetched at the same time: each is large.
pub const MODEL_FETCHES_MAX: usize = 4;

/// How long after a failure the supported data model of a product is not asked for again, or not of a device that went
/// away while it told it.
pub const MODEL_RETRY: Duration = Duration::from_secs(600);

/// Products, and devices, of which that is remembered.
pub const MODELS_FAILED_MAX: usize = 1000;

/// Devices of one product that are heard on its model until two of them agree.
pub const MODEL_VOTES_MAX: usize = 16;

/// Supported data models that are held ready: those that were asked for last.
pub const MODELS_READ_MAX: usize = 8;

/// Bytes of an API connection that are read ahead, and so the largest head of a request.
pub const READ_AHEAD_BYTES_MAX: usize = 64 * 1024;

/// How long a client of the API may leave an answer unread before it is cut.
pub const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Random bytes of a token that the server makes.
pub const TOKEN_BYTES: usize = 32;

/// Characters that a token has at least.
pub const TOKEN_CHARACTERS_MIN: usize = 32;

/// Bytes of a configuration file.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Operations on one device that have not ended.
pub const OPERATIONS_PER_DEVICE_MAX: usize = 256;

/// Operations on all devices together that have not ended.
pub const OPERATIONS_MAX: usize = 250_000;

/// Bytes of their requests.
pub const OPERATIONS_BYTES_MAX: usize = 1 << 30;

/// How often an Operation that may be repeated is sent: one that breaks the connection each time must not do
/// so for ever.
pub const ATTEMPTS_MAX: u32 = 5;

/// How long an Operation waits for a device that is away, unless the request says otherwise, in seconds.
pub const EXPIRY_SECONDS: u64 = 24 * 3600;

/// The longest time that a request may have an Operation wait, in seconds.
pub const EXPIRY_SECONDS_MAX: u64 = 30 * 24 * 3600;

/// How long the end of a command may take after it was started, in milliseconds.
pub const COMPLETION_TIME: i64 = 24 * 3600 * 1000;

/// How long the Operations on a device pause when one could not be sent or written, in milliseconds.
pub const PAUSE: i64 = 1000;

/// Bytes of an outcome that are kept; of a larger one only its size is.
pub const OUTCOME_BYTES_MAX: usize = 256 << 10;

/// Bytes of the outcome of a read that its caller waited for; of a larger one only its size is kept.
pub const READ_OUTCOME_BYTES_MAX: usize = 4 << 10;

/// Ends of commands that are remembered until the answer that names the commands was taken in.
pub const COMMAND_ENDS_EARLY_MAX: usize = 64;

/// Longest `Idempotency-Key`, in bytes. The store keeps it with the number of the token.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Callers whose rates are told apart; further addresses share one.
pub const RATES_MAX: usize = 65_536;

/// Time between two notes in the store that a token is used, in milliseconds.
pub const TOKEN_USE_INTERVAL: i64 = 60_000;

/// The longest time for which a token may be made, in seconds.
pub const TOKEN_SECONDS_MAX: u64 = 10 * 365 * 24 * 3600;

/// Attempts of one token that were refused and are written down at once; what comes on top of these and of one each
/// [`REFUSED_INTERVAL`] is not: else a token that may change nothing could push out what others have changed.
pub const REFUSED_BURST: u32 = 100;

/// See [`REFUSED_BURST`].
pub const REFUSED_INTERVAL: Duration = Duration::from_secs(60);

/// Entries of a page of the audit where the request does not say.
pub const PAGE_AUDIT: u32 = 100;

/// Comings and goings of devices that wait to be heard, and those that wait to be stored. For what comes on top, the
/// difference of who was and who is there is told when there is room again.
pub const PRESENCES_WAITING_MAX: usize = 65_536;

/// How long after they could not be stored it is tried again.
pub const PRESENCES_RETRY: Duration = Duration::from_secs(1);

/// Events that are looked at for one page of those of a kind; the next page goes on behind them.
pub const SCANNED_EVENTS_MAX: u32 = 10_000;

/// Bytes of what the audit says of one change.
pub const AUDITED_BYTES_MAX: usize = 1024;

/// Agents of one home that are listed.
pub const ASSOCIATED_MAX: u32 = 1000;

/// Tags by which devices are looked for at the same time.
pub const SEARCHED_TAGS_MAX: usize = 8;

/// Operations of a page where the request does not say.
pub const PAGE_OPERATIONS: u32 = 100;

/// Writes of one Operation that wait at the same time, its end included: nothing else leads it further before it is
/// written. So while the disk does nothing, the writes of [`OPERATIONS_MAX`] wait, without requests and outcomes but for
/// [`OPERATIONS_BYTES_MAX`] of requests and, of each device, the outcomes ([`OUTCOME_BYTES_MAX`]) of what it was asked
/// before: one, and one for each connection to the API ([`API_CONNECTIONS_MAX`]), for what comes after it is sent only when
/// that is written.
pub const OPERATION_WRITES_MAX: usize = 2;

/// Writes of Operations that share one transaction.
pub const OPERATIONS_TOGETHER_MAX: usize = 512;

/// Reads that wait to be recorded; beyond them answers wait too.
pub const READS_WAITING_MAX: usize = 4096;

/// How long reads are gathered before they are recorded.
pub const READS_GATHER: Duration = Duration::from_millis(100);

/// Operations that are read at a time when the server starts.
pub const RECOVERED_TOGETHER_MAX: u32 = 64;

/// Time between two looks for what has been kept long enough.
pub const RETENTION_INTERVAL: Duration = Duration::from_secs(60);

/// Bytes that are free on the disk of the store below which it is looked whether something can still be written.
pub const DISK_FREE_MIN: u64 = 16 << 20;

/// Time between two looks whether what is written is kept.
pub const HEALTH_INTERVAL: Duration = Duration::from_secs(2);

/// How long a write may take that looks whether what is written is kept.
pub const HEALTH_PATIENCE: Duration = Duration::from_secs(5);

/// How long what such a look has found is told again to whoever asks.
pub const HEALTH_REMEMBERED: Duration = Duration::from_secs(1);

/// The longest time between two looks at the clock, which may be set.
pub const CLOCK_INTERVAL: Duration = Duration::from_secs(60);
