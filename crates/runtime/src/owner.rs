//! Whoever owns a part of the data model that the Agent's tree does not.

use std::collections::BTreeMap;

use usphere_datamodel::model::{Outputs, OwnedChange, OwnerError, Phase, Snapshot};

/// Answers for live units, applies changes and runs commands. Each owner has a thread of its own, so
/// it may block; what takes longer than the deadline is answered with an error and its answer dropped.
pub trait Owner: Send + 'static {
    /// The name by which declarations call it.
    fn name(&self) -> &str;

    /// Everything that there is in the unit now.
    ///
    /// # Errors
    /// When it cannot be told; the text reaches the Controller.
    fn fetch(&mut self, unit: &str) -> Result<Snapshot, OwnerError>;

    /// Checks, applies or undoes changes, in order. One result for each.
    fn apply(&mut self, phase: Phase, changes: &[OwnedChange]) -> Vec<Result<(), OwnerError>>;

    /// Runs a command and gives its output arguments.
    ///
    /// # Errors
    /// When it failed; the text reaches the Controller.
    fn operate(
        &mut self,
        command: &str,
        arguments: &BTreeMap<String, String>,
    ) -> Result<Outputs, OwnerError>;
}
