//! Whoever owns a part of the data model that the Agent's tree does not.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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

    /// Runs a synchronous command and gives its output arguments.
    ///
    /// # Errors
    /// When it failed; the text reaches the Controller.
    fn operate(
        &mut self,
        command: &str,
        arguments: &BTreeMap<String, String>,
    ) -> Result<Outputs, OwnerError>;

    /// Gives what an asynchronous command has to do, which is done on a thread of its own and may take as
    /// long as it wants. It looks at `cancelled` now and then, and when that is set, ends as soon as
    /// possible with an error.
    ///
    /// # Errors
    /// When it cannot be begun; the text reaches the Controller.
    fn begin(
        &mut self,
        command: &str,
        arguments: &BTreeMap<String, String>,
        cancelled: Cancelled,
    ) -> Result<CommandWork, OwnerError> {
        let _ = (arguments, cancelled);
        let text = format!("{} runs no {command}", self.name());
        Err(OwnerError::failed(text))
    }
}

/// What an asynchronous command has to do.
pub type CommandWork = Box<dyn FnOnce() -> Result<Outputs, OwnerError> + Send>;

/// Whether an asynchronous command is to end early. All clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Cancelled {
    state: Arc<(Mutex<bool>, Condvar)>,
}

impl Cancelled {
    /// Whether it is.
    pub fn is_set(&self) -> bool {
        *self.lock()
    }

    /// Waits for it, at most this long. Whether it is.
    pub fn wait(&self, longest: Duration) -> bool {
        let (_, changed) = &*self.state;
        let waited = changed.wait_timeout_while(self.lock(), longest, |set| !*set);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// From now on it is.
    pub fn set(&self) {
        *self.lock() = true;
        self.state.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
