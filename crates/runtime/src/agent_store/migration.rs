//! Schema versions of the stored state, and the steps from each to the next.

use usphere_datamodel::Entry;

/// One step from a schema version to the next.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// What it does, for the log.
    pub what: &'static str,
    /// Takes everything that is stored and returns what is to be written. Must be pure; its
    /// changes and the new version number become durable together.
    pub run: fn(&[Entry]) -> Vec<Entry>,
}

/// The steps from version 1 upwards. The version of a file is 1 plus the number of steps that its
/// writer knew. A released step is never changed or removed.
pub const MIGRATIONS: &[Migration] = &[];
