//! A request that was sent, until its answer is there or nobody waits for it any more.

use std::sync::Arc;

use tokio::sync::oneshot;
use usphere_controller::OperationId;
use usphere_datamodel::operation::{OperationError, Outcome};

use super::core::Core;

/// What comes of a request.
pub(super) type Answer = Result<Outcome, OperationError>;

/// A request that was sent. Dropping it gives the answer up; the Agent may carry the Operation out all the same.
#[derive(Debug)]
pub struct Asked {
    waiting: Waiting,
    answer: oneshot::Receiver<Answer>,
}

impl Asked {
    pub(super) fn new(
        core: Arc<Core>,
        operation: OperationId,
        answer: oneshot::Receiver<Answer>,
    ) -> Self {
        Self {
            waiting: Waiting { core, operation },
            answer,
        }
    }

    /// Waits for what comes of it.
    ///
    /// # Errors
    /// [`OperationError`].
    pub async fn answer(self) -> Result<Outcome, OperationError> {
        let Self { waiting, answer } = self;
        let answer = answer.await;
        drop(waiting);
        answer.unwrap_or(Err(OperationError::Disconnected))
    }
}

/// Gives an Operation up when nobody waits for it any more.
#[derive(Debug)]
struct Waiting {
    core: Arc<Core>,
    operation: OperationId,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.core.give_up(self.operation);
    }
}
