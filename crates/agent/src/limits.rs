//! Every limit of this crate.

use std::time::Duration;

/// Requests of one Controller that may be in progress at the same time. What comes on top is
/// answered with 7005 Resources exceeded.
pub const REQUESTS_MAX: usize = 256;

/// Bytes of an encoded answer. A larger one is replaced by 7005 Resources exceeded: no link could
/// carry it.
pub const ANSWER_BYTES_MAX: usize = (8 << 20) - 4096;

/// How long a link may stay open before it is known which Controller is at its other end, and how long
/// one that was disconnected by a Record may wait for the next Connect Record.
pub const CONNECT_PATIENCE: Duration = Duration::from_secs(30);

/// Rows of `Device.LocalAgent.Certificate.`, whoever adds them.
pub const CERTIFICATES_MAX: usize = 256;

/// Controllers without a role of their own that are taken in when they connect.
pub const STRANGERS_MAX: usize = 64;

/// Records of a new Controller that wait until its row is made; what comes on top is dropped.
pub const RECORDS_BEFORE_ADMISSION_MAX: usize = 16;

/// Notices about what comes from one peer within [`NOTICES_PERIOD`], on however many links; what comes
/// after them is dropped or refused without a word in the log.
pub const NOTICES_PER_PEER_MAX: u32 = 64;

/// Peers whose notices are counted each for itself; all others together count as one.
pub const NOTICES_PEERS_MAX: usize = 64;

/// How long notices are counted before they are counted anew.
pub const NOTICES_PERIOD: Duration = Duration::from_secs(3_600);

/// Characters of a text from a peer that a [`Notice`](crate::Notice) repeats.
pub const NOTICE_TEXT_MAX: usize = 128;

/// The retry from which on the range of the wait grows no further. (R-WS.19)
pub const RETRY_RANGES: u32 = 10;

/// The longest wait before a retry, whatever the parameters multiply to.
pub const RETRY_WAIT_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How old `UpTime` may be when it answers a request.
pub const UP_TIME_AGE_MAX: Duration = Duration::from_millis(500);

/// How long a WebSocket that is reset stays open, so that the answer can leave by it.
pub const RESET_DELAY: Duration = Duration::from_millis(100);

/// Notify Messages to one Controller that may wait to be delivered. When there are more, the oldest is
/// dropped.
pub const PENDING_MAX: usize = 8_192;

/// Bytes of the Notify Messages to one Controller that wait to be delivered. One that is larger for itself may
/// wait beside them.
pub const PENDING_BYTES_MAX: usize = 4 << 20;

/// How long a Notify that is not sent again may wait for the session that it is to go out on: as long as a slow
/// network may take to come up, so that Boot! is told.
pub const FIRST_SESSION_PATIENCE: Duration = Duration::from_secs(600);

/// How many Subscriptions may trigger each other in a row by what they set.
pub const TRIGGER_DEPTH_MAX: u8 = 8;

/// Objects that one entry of a TriggerConfigSettings may set.
pub const TRIGGER_TARGETS_MAX: usize = 1_000;

/// Subscriptions that there may be.
pub const SUBSCRIPTIONS_MAX: usize = 4_096;

/// Entries of one ReferenceList.
pub const REFERENCES_MAX: usize = 64;

/// The shortest time between two questions for a unit whose owner announces changes.
pub const REFRESH_INTERVAL: Duration = Duration::from_millis(20);

/// How long to wait before a unit that is watched and announced is asked for again, after it could not be
/// got; doubled with every failure in a row.
pub const REFETCH_WAIT_MIN: Duration = Duration::from_secs(1);

/// The longest such wait.
pub const REFETCH_WAIT_MAX: Duration = Duration::from_secs(60);

/// The shortest time between two questions for a unit that is watched and not announced.
pub const POLL_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// When it is tried again to remove a Subscription whose time is over, where nothing could be kept.
pub const EXPIRY_RETRY: Duration = Duration::from_secs(60);

/// Subscriptions that one plan judges, before what happened behind waits for the next.
pub const CANDIDATES_MAX: usize = 1_024;

/// How long the Agent waits before it starts anew, so that the answer can leave.
pub const RESTART_DELAY: Duration = Duration::from_millis(100);

/// Asynchronous commands that may be in progress at the same time.
pub const REQUESTS_BEGUN_MAX: usize = 128;

/// Those of them that one Controller may have asked for.
pub const REQUESTS_BEGUN_PER_CONTROLLER_MAX: usize = 32;

/// Bytes of the arguments and command_key of one asynchronous command.
pub const REQUEST_BYTES_MAX: usize = 64 << 10;

/// Bytes of the command_key and of the Reason of a restart, each.
pub const BOOT_TEXT_BYTES_MAX: usize = 4 << 10;

/// Bytes of the ParameterMap of one Boot!. What does not fit is left out.
pub const PARAMETER_MAP_BYTES_MAX: usize = 256 << 10;

/// How long after a failure of the store the end of an asynchronous command is tried to be kept again.
pub const ENDING_RETRY: Duration = Duration::from_secs(5);
