//! What one request may ask for, and how much one answer may hold.

/// Paths, objects or commands that one request may name.
pub(super) const PATHS_MAX: usize = 10_000;

/// Objects that one path of a request may change or run a command on.
pub(super) const TARGETS_MAX: usize = 10_000;

/// Bytes of one answer, as estimated while it is gathered. Below the Record that a peer has to accept.
pub(super) const ANSWER_BYTES_MAX: usize = 6 << 20;

/// Errors of parameters and objects that one Error Message lists.
pub(super) const PARAM_ERRS_MAX: usize = 100;

/// How often a Set is tried again without the objects whose unique keys collide, before all of them are refused.
pub(super) const CONFLICT_PASSES_MAX: usize = 8;
