//! How a command ends: its exit code, and what it says when it failed.

use std::fmt;
use std::process::ExitCode;

/// Exit codes of every command. They are stable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// All that was asked for was done.
    Done,
    /// The device refused it, wholly or in part; or what was to be decoded is broken.
    Refused,
    /// The command line, a configuration file or an environment variable is wrong. Nothing was asked of anybody.
    Usage,
    /// Who was asked is unknown, not reachable, not connected, or did not answer in time.
    Absent,
    /// The server or this machine failed: no token, a file that cannot be read, an address in use.
    Failed,
    /// A signal ended it before it was done.
    Interrupted,
}

impl Exit {
    /// Every exit code, in order.
    pub const ALL: [Self; 6] = [
        Self::Done,
        Self::Refused,
        Self::Usage,
        Self::Absent,
        Self::Failed,
        Self::Interrupted,
    ];

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Absent => 3,
            Self::Failed => 4,
            Self::Interrupted => 130,
        }
    }

    /// What it means, in a sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "all that was asked for was done",
            Self::Refused => {
                "the device refused, wholly or in part (an `--optional` parameter that failed counts); or what was to be decoded is broken; or a conformance test failed"
            }
            Self::Usage => {
                "the command line, a configuration file or an environment variable is wrong; nothing was asked of anybody"
            }
            Self::Absent => {
                "the server or device is unknown, not reachable, not connected, or did not answer in time"
            }
            Self::Failed => {
                "the server or this machine failed: no token, a file that cannot be read, an address in use"
            }
            Self::Interrupted => {
                "Ctrl-C or SIGTERM ended a verb before it was done, or cut the farewell of `server` or `agent` short"
            }
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command failed, in words for people, with what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) advice: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self {
            exit,
            message: message.to_string(),
            advice: None,
        }
    }

    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn local(message: impl fmt::Display) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Says what to do about it, a line below what was said already.
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        let advice = advice.into();
        self.advice = Some(match self.advice {
            Some(before) => format!("{before}\n  {advice}"),
            None => advice,
        });
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.advice {
            Some(advice) => write!(f, "\n  {advice}"),
            None => Ok(()),
        }
    }
}

/// Ends a command: says why it failed, if it did.
pub(crate) fn conclude(result: Result<Exit, Failure>) -> ExitCode {
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit.into()
        }
    }
}
