//! The verbs: each turns its arguments into one Operation, has it carried out, and prints what came of it.

pub(crate) mod add;
mod assignment;
pub(crate) mod audit;
pub(crate) mod certs;
pub(crate) mod conformance;
pub(crate) mod decode;
pub(crate) mod delete;
pub(crate) mod devices;
pub(crate) mod doctor;
mod fleet;
pub(crate) mod get;
pub(crate) mod instances;
pub(crate) mod log;
pub(crate) mod operate;
pub(crate) mod operations;
pub(crate) mod protocol;
pub(crate) mod schema;
pub(crate) mod service;
pub(crate) mod set;
pub(crate) mod sim;
mod subscription;
pub(crate) mod subscriptions;
pub(crate) mod tokens;
pub(crate) mod upkeep;
pub(crate) mod watch;

use tokio::runtime;
use usphere_datamodel::operation::{Operation, OperationError, Outcome};

use crate::cli::reach::{Manner, Way};
use crate::failure::{Exit, Failure};
use crate::print;
use crate::signals::Signals;
use crate::transport::{AskError, Transport};

/// Has an Operation carried out and prints what came of it.
fn ask(way: Way, manner: Manner, operation: Operation) -> Result<Exit, Failure> {
    block_on(async {
        let mut transport = Transport::open(way, manner.timeout).await?;
        let mut signals = Signals::listen()?;
        let answer = tokio::select! {
            answer = transport.execute(operation.clone()) => Some(answer),
            () = signals.wait() => None,
        };
        signals.say_farewell(transport.close()).await;
        match answer {
            Some(answer) => conclude(&operation, answer, manner),
            None => Ok(Exit::Interrupted),
        }
    })
}

/// Prints what came of an Operation.
fn conclude(
    operation: &Operation,
    answer: Result<Outcome, AskError>,
    manner: Manner,
) -> Result<Exit, Failure> {
    match answer {
        Ok(outcome) => print::outcome(operation, &outcome, manner.json),
        Err(error) => {
            if let (AskError::Operation(error), true) = (&error, manner.json) {
                print::json(error)?;
            }
            Err(asked(error))
        }
    }
}

/// Why nothing came of an Operation, as the end of a command.
fn asked(error: AskError) -> Failure {
    match error {
        AskError::Operation(error) => failed(&error),
        AskError::Other(failure) => failure,
    }
}

/// Whether it is the device that is not there, or not heard of.
fn is_absence(error: &OperationError) -> bool {
    matches!(
        error,
        OperationError::Disconnected | OperationError::NotConnected | OperationError::TimedOut
    )
}

/// Runs what a verb waits for. One thread is enough for one question.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::local(format_args!("the runtime cannot be started: {error}")))?
        .block_on(work)
}

fn failed(error: &OperationError) -> Failure {
    let exit = match error {
        OperationError::InvalidAnswer { .. }
        | OperationError::Refused(_)
        | OperationError::Unsupported { .. } => Exit::Refused,
        OperationError::Disconnected | OperationError::NotConnected | OperationError::TimedOut => {
            Exit::Absent
        }
        OperationError::Overloaded { .. } => Exit::Failed,
    };
    let message = match error {
        OperationError::Refused(refusal) => print::refusal(refusal),
        error => print::clean(&error.to_string()),
    };
    let failure = Failure::new(exit, message);
    match error {
        OperationError::NotConnected => {
            failure.advise("`usphere devices list` shows which devices are connected")
        }
        OperationError::Refused(refusal) => match print::advice(refusal.code, &refusal.text) {
            Some(advice) => failure.advise(advice),
            None => failure,
        },
        OperationError::Overloaded { .. } => failure.advise("try again when some are answered"),
        OperationError::TimedOut => failure.advise("--timeout gives it longer"),
        OperationError::Disconnected
        | OperationError::InvalidAnswer { .. }
        | OperationError::Unsupported { .. } => failure,
    }
}

fn at_least_one(words: Vec<String>, what: &str, usage: &str) -> Result<Vec<String>, Failure> {
    if words.is_empty() {
        return Err(missing(what, usage));
    }
    Ok(words)
}

/// The failure of a command line that lacks `what`, with how to call the verb.
fn missing(what: &str, usage: &str) -> Failure {
    let ways: Vec<&str> = usage.lines().map(str::trim).collect();
    Failure::usage(format_args!("{what} is missing"))
        .advise(format!("usage: {}", ways.join("\n         ")))
}
