//! Every limit of this crate.

use std::time::Duration;

/// Versions of USP that this Controller speaks, as it tells Agents.
pub const SUPPORTED_VERSIONS: [&str; 5] = ["1.0", "1.1", "1.2", "1.3", "1.4"];

/// Requests to one Agent that may wait for their answers at the same time.
pub const OUTSTANDING_MAX: usize = 256;

/// How long a link may stay open without the Connect Record that makes it usable.
pub const CONNECT_PATIENCE: Duration = Duration::from_secs(30);

/// Notifications that may wait to be taken; further ones stay unanswered.
pub const OFFERED_MAX: usize = 4096;

/// Of these, how many may be one Agent's.
pub const OFFERED_PER_AGENT_MAX: usize = 256;

/// Bytes of all of them.
pub const OFFERED_BYTES_MAX: usize = 64 << 20;

/// Bytes of one Agent's; the largest Message fits in.
pub const OFFERED_PER_AGENT_BYTES_MAX: usize = 16 << 20;

/// Notifications that are remembered after they were taken, to recognise them when they come again.
pub const REMEMBERED_MAX: usize = 16_384;

/// How long they are. The longest pause between two tries is 85 minutes with the retry parameters that
/// Agents have where nobody sets others.
pub const REMEMBERED_TIME: Duration = Duration::from_secs(2 * 3600);

/// Bytes of a text from a peer that a [`Notice`](crate::Notice) repeats.
pub const NOTICE_TEXT_MAX: usize = 128;

/// Paths of one Register or Deregister that are answered one by one.
pub const REGISTRATION_PATHS_MAX: usize = 1024;

/// Notices about what came on one link; what comes after them is dropped or refused without a word in the log.
pub const NOTICES_PER_LINK_MAX: u32 = 64;
