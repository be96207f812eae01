//! Every limit of this crate.

use std::time::Duration;

/// Versions of USP that this Controller speaks, as it tells Agents.
pub const SUPPORTED_VERSIONS: [&str; 5] = ["1.0", "1.1", "1.2", "1.3", "1.4"];

/// Requests to one Agent that may wait for their answers at the same time.
pub const OUTSTANDING_MAX: usize = 256;

/// How long a link may stay open without the Connect Record that makes it usable.
pub const CONNECT_PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of a text from a peer that a [`Notice`](crate::Notice) repeats.
pub const NOTICE_TEXT_MAX: usize = 128;

/// Paths of one Register or Deregister that are answered one by one.
pub const REGISTRATION_PATHS_MAX: usize = 1024;

/// Notices about what came on one link; what comes after them is dropped or refused without a word in the log.
pub const NOTICES_PER_LINK_MAX: u32 = 64;
