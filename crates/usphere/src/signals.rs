//! Ctrl-C and termination, for the commands that say goodbye before they end.

use std::future::pending;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::{Exit, Failure};

/// Both signals, caught from its making on.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Catches the signals. Needs a running runtime.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let catch = |kind| {
            signal(kind)
                .map_err(|error| Failure::local(format_args!("signals cannot be caught: {error}")))
        };
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
        })
    }

    /// Waits for one of them.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Runs the farewell; one more signal ends the process at once.
    pub(crate) async fn say_farewell<T>(mut self, farewell: impl Future<Output = T>) -> T {
        tokio::select! {
            ended = farewell => ended,
            () = self.wait() => process::exit(Exit::Interrupted.code().into()),
        }
    }
}

/// SIGHUP, which asks to take up files that have changed. A process that does not catch it is ended by it.
#[derive(Debug)]
pub(crate) struct Reloads(Option<Signal>);

impl Reloads {
    /// Catches the signal where there is something to reload. Needs a running runtime.
    pub(crate) fn listen(is_wanted: bool) -> Result<Self, Failure> {
        let caught = is_wanted.then(|| signal(SignalKind::hangup())).transpose();
        caught
            .map(Self)
            .map_err(|error| Failure::local(format_args!("signals cannot be caught: {error}")))
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        match &mut self.0 {
            Some(signal) => drop(signal.recv().await),
            None => pending().await,
        }
    }
}
