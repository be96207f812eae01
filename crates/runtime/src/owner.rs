//! Whoever owns a part of the data model that the Agent's tree does not.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use usphere_datamodel::model::{Outputs, OwnedChange, OwnerError, Phase, Snapshot};

/// Answers for live units, applies changes and runs commands. Each owner has a thread of its own, so
/// it may block; what takes longer than the deadline is answered with an error and its answer dropped.
pub trait Owner: Send + 'static {
    /// The name by which declarations call it.
    fn name(&self) -> &str;

    /// Hands over the means to speak without being asked; called once, before anything else. An owner whose
    /// units are declared as announced keeps it.
    fn announcer(&mut self, announcer: Announcer) {
        drop(announcer);
    }

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

/// By which an owner speaks without being asked. It may be cloned and used on any thread.
#[derive(Clone)]
pub struct Announcer {
    say: Arc<dyn Fn(Announcement) + Send + Sync>,
}

/// What an owner says without being asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Announcement {
    Changed {
        unit: String,
    },
    Event {
        object: String,
        name: String,
        parameters: BTreeMap<String, String>,
    },
}

impl Announcer {
    pub(crate) fn new(say: impl Fn(Announcement) + Send + Sync + 'static) -> Self {
        Self { say: Arc::new(say) }
    }

    /// The unit of this owner is not as it was fetched last. It is fetched again when somebody wants to know.
    pub fn changed(&self, unit: &str) {
        (self.say)(Announcement::Changed {
            unit: unit.to_owned(),
        });
    }

    /// The event `name`, with `!`, of the object at `object` happened, with these arguments.
    pub fn event(&self, object: &str, name: &str, parameters: BTreeMap<String, String>) {
        (self.say)(Announcement::Event {
            object: object.to_owned(),
            name: name.to_owned(),
            parameters,
        });
    }
}

impl fmt::Debug for Announcer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcer").finish_non_exhaustive()
    }
}
