//! Why a test ends before its end.

use std::fmt;

/// What a test returns: it has passed, or why not.
pub type Done = Result<(), Stop>;

/// Why a test ends before its end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Stop {
    /// The Agent did not do what the plan expects: which path or value, what was expected, what came.
    Failed(String),
    /// The plan does not ask this of such an Agent: what it has not.
    NotApplicable(String),
    /// The plan asks for it, and it cannot be tried here: what is missing.
    NotRunnable(String),
}

impl Stop {
    /// The Agent is at fault.
    pub fn failed(reason: impl fmt::Display) -> Self {
        Self::Failed(reason.to_string())
    }

    /// It cannot be tried here.
    pub fn not_runnable(reason: impl fmt::Display) -> Self {
        Self::NotRunnable(reason.to_string())
    }

    /// The same, with what it was about before it.
    pub fn of(self, what: impl fmt::Display) -> Self {
        match self {
            Self::Failed(reason) => Self::Failed(format!("{what}: {reason}")),
            Self::NotApplicable(reason) => Self::NotApplicable(format!("{what}: {reason}")),
            Self::NotRunnable(reason) => Self::NotRunnable(format!("{what}: {reason}")),
        }
    }

    /// The reason, for people.
    pub fn reason(&self) -> &str {
        match self {
            Self::Failed(reason) | Self::NotApplicable(reason) | Self::NotRunnable(reason) => {
                reason
            }
        }
    }
}
