//! What one request may ask for, and how much one answer may hold.

use usphere_proto::Limits;

/// Paths, objects or commands that one request may name.
pub(super) const PATHS_MAX: usize = 10_000;

/// Objects that one path of a request may change or run a command on.
pub(super) const TARGETS_MAX: usize = 10_000;

/// Bytes of one answer, as estimated while it is gathered. Below the Record that a peer has to accept.
pub(super) const ANSWER_BYTES_MAX: usize = 6 << 20;

/// List items, map entries and sub-messages of one answer, one for each path aside: what our own decoder
/// takes, so that any peer of this house can read what the Agent says.
pub(super) const ANSWER_ELEMENTS_MAX: usize = Limits::DEFAULT.elements_max - PATHS_MAX - 10;

/// Paths of one request that may ask for more than an answer can hold. Those after them are not looked
/// at, so that naming everything a thousand times costs no more than naming it a few times.
pub(super) const OVERFLOWS_MAX: usize = 4;

/// Errors of parameters and objects that one Error Message lists.
pub(super) const PARAM_ERRS_MAX: usize = 100;

/// How often a Set is tried again without the objects whose unique keys collide, before all of them are refused.
pub(super) const CONFLICT_PASSES_MAX: usize = 8;
