//! How Operations end.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use usphere_datamodel::operation::{
    Completion, OperateOutcome, OperateStatus, OperationError, Outcome,
};
use usphere_store::{Milliseconds, OperationProgress, OperationState};

/// What comes of an Operation.
pub(crate) type End = Result<Outcome, Failure>;

/// Why nothing came of an Operation.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Failure {
    /// Somebody took it back before it was sent.
    #[error("it was cancelled before it was sent")]
    Cancelled,
    /// What is kept of it cannot be read.
    #[error("what was kept of it is damaged")]
    Damaged,
    /// The device, or the way to it.
    #[error(transparent)]
    Device(#[from] OperationError),
    /// It waited too long to be sent.
    #[error("it could not be sent in time: {0}")]
    Expired(Obstacle),
    /// The server ended after it was sent and before the answer came.
    #[error(
        "the server ended before the answer came; whether the device carried the operation out is not known"
    )]
    Interrupted,
    /// The device began to carry it out, and did not tell of the end of a command.
    #[error("the device did not tell in time how the command ended")]
    Uncompleted,
    /// The server ended before it was sent, and nobody waits for it any more.
    #[error("the server ended before it was sent; the device was not asked")]
    Unsent,
}

/// What kept an Operation from being sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Obstacle {
    /// The device was away.
    Away,
    /// Others were before it.
    Others,
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Away => "the device was away",
            Self::Others => "other operations on the device were before it",
        })
    }
}

/// What `error` says in the JSON of a [`Failure`]: its own names, and those of an [`OperationError`].
pub(crate) const NAMES: [&str; 13] = [
    "cancelled",
    "damaged",
    "disconnected",
    "expired",
    "interrupted",
    "invalid_answer",
    "not_connected",
    "overloaded",
    "refused",
    "timed_out",
    "uncompleted",
    "unsent",
    "unsupported",
];

impl Failure {
    /// Its JSON: `error` with one of [`NAMES`], `detail` for people, and the fields of an
    /// [`OperationError`].
    pub(crate) fn to_json(&self) -> Value {
        let mut json = self.fields();
        json["detail"] = Value::String(self.to_string());
        json
    }

    /// Its JSON without `detail`.
    pub(crate) fn fields(&self) -> Value {
        match self {
            Self::Cancelled => json!({"error": "cancelled"}),
            Self::Damaged => json!({"error": "damaged"}),
            Self::Device(error) => serde_json::to_value(error).unwrap_or_default(),
            Self::Expired(_) => json!({"error": "expired"}),
            Self::Interrupted => json!({"error": "interrupted"}),
            Self::Uncompleted => json!({"error": "uncompleted"}),
            Self::Unsent => json!({"error": "unsent"}),
        }
    }

    /// Reads the JSON back. What cannot be read is damaged.
    pub(crate) fn from_json(json: &str) -> Self {
        let Ok(value) = serde_json::from_str::<Value>(json) else {
            return Self::Damaged;
        };
        match value["error"].as_str() {
            Some("cancelled") => Self::Cancelled,
            Some("expired") => Self::Expired(Obstacle::Away),
            Some("interrupted") => Self::Interrupted,
            Some("uncompleted") => Self::Uncompleted,
            Some("unsent") => Self::Unsent,
            _ => serde_json::from_value(value).map_or(Self::Damaged, Self::Device),
        }
    }
}

/// How an Operation that ended so is kept: its outcome, unless that has more than `bytes_max` bytes of JSON.
pub(super) fn progress(
    end: Result<&Outcome, &Failure>,
    now: Milliseconds,
    attempts: u32,
    bytes_max: usize,
) -> OperationProgress {
    let state = match end {
        Ok(_) => OperationState::Done,
        Err(Failure::Expired(_)) => OperationState::Expired,
        Err(_) => OperationState::Failed,
    };
    let (outcome, outcome_bytes) = match end {
        Ok(outcome) => bounded(outcome, bytes_max),
        Err(_) => (None, 0),
    };
    OperationProgress {
        state,
        updated: now,
        attempts,
        outcome,
        outcome_bytes,
        error: end.err().map(|failure| failure.to_json().to_string()),
    }
}

/// Its JSON, unless that is too large, and how large it is.
pub(super) fn bounded(outcome: &impl Serialize, bytes_max: usize) -> (Option<String>, u64) {
    let json = serde_json::to_string(outcome).unwrap_or_default();
    let bytes = json.len();
    let kept = (bytes <= bytes_max).then_some(json);
    (kept, bytes as u64)
}

/// What a device tells of the end of a command.
#[derive(Clone, Debug)]
pub(crate) struct CommandEnd {
    /// The command, with the object that has it.
    pub(crate) command: String,
    pub(crate) completion: Completion,
}

/// Whether a command that was started has not ended yet.
pub(super) fn is_running(outcome: &OperateOutcome) -> bool {
    outcome.results.iter().any(|result| started(&result.status))
}

/// Takes down how a command ended: the one that is told of, or the only one that runs. Whether there was one.
pub(super) fn complete(outcome: &mut OperateOutcome, end: &CommandEnd) -> bool {
    let running = outcome.results.iter();
    let is_only = running.filter(|result| started(&result.status)).count() == 1;
    let result = outcome
        .results
        .iter_mut()
        .find(|result| started(&result.status) && (is_only || result.command == end.command));
    let Some(result) = result else {
        return false;
    };
    result.status = match &end.completion {
        Completion::Completed(output) => OperateStatus::Completed(BTreeMap::clone(output)),
        Completion::Failed(failure) => OperateStatus::Failed(failure.clone()),
    };
    true
}

fn started(status: &OperateStatus) -> bool {
    matches!(status, OperateStatus::Started(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_read_back_from_what_is_kept() {
        let refused = OperationError::NotConnected;
        let failures = [
            Failure::Cancelled,
            Failure::Device(refused),
            Failure::Device(OperationError::Overloaded { limit: 7 }),
            Failure::Expired(Obstacle::Away),
            Failure::Interrupted,
            Failure::Uncompleted,
            Failure::Unsent,
        ];
        for failure in failures {
            let json = failure.to_json();
            assert!(
                json["error"]
                    .as_str()
                    .is_some_and(|name| NAMES.contains(&name))
            );
            assert_eq!(Failure::from_json(&json.to_string()), failure);
        }
        assert_eq!(Failure::from_json("garbage"), Failure::Damaged);
        assert_eq!(Failure::from_json("{\"error\": 7}"), Failure::Damaged);
    }
}
