//! Asking the time client to take up its files, by a command that is configured.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The command, and whether it runs.
#[derive(Debug)]
pub(super) struct Reload {
    command: Vec<String>,
    state: Arc<AtomicU8>,
}

/// Nothing runs.
const IDLE: u8 = 0;
/// The command runs.
const RUNNING: u8 = 1;
/// It runs, and the file was changed since it began.
const AGAIN: u8 = 2;

/// How long the command may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether it has ended.
const PERIOD: Duration = Duration::from_millis(50);

impl Reload {
    /// A program and its arguments; nothing is ever run where there is none.
    pub(super) fn new(command: &[String]) -> Self {
        Self {
            command: command.to_vec(),
            state: Arc::default(),
        }
    }

    /// Runs the command, without a shell, in a thread of its own; while it runs already, once more after it.
    /// What goes wrong is for the log.
    pub(super) fn run(&self) {
        if self.command.is_empty() {
            return;
        }
        let next = |state| Some(if state == IDLE { RUNNING } else { AGAIN });
        let before = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        if before != Ok(IDLE) {
            return;
        }
        let (command, state) = (self.command.clone(), Arc::clone(&self.state));
        let started = thread::Builder::new()
            .name("time reload".to_owned())
            .spawn(move || {
                loop {
                    if let Err(reason) = run(&command, PATIENCE) {
                        tracing::error!("device.time.reload, {command:?}: {reason}");
                    }
                    let ended =
                        state.compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire);
                    if ended.is_ok() {
                        return;
                    }
                    state.store(RUNNING, Ordering::Release);
                }
            });
        if let Err(error) = started {
            self.state.store(IDLE, Ordering::Release);
            tracing::error!("device.time.reload: no thread can be had: {error}");
        }
    }
}

/// Runs the command to its end, or ends it after `patience`.
fn run(command: &[String], patience: Duration) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(());
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(status.to_string()),
            Ok(None) if began.elapsed() < patience => thread::sleep(PERIOD),
            Ok(None) => {
                let ended = child.kill().and_then(|()| child.wait());
                let ended = ended.map_or_else(|error| error.to_string(), |end| end.to_string());
                return Err(format!("ended after {} s: {ended}", patience.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_command_that_fails_or_does_not_end_is_told() {
        let patience = Duration::from_millis(200);
        assert_eq!(run(&words(&["true"]), PATIENCE), Ok(()));
        assert!(run(&words(&["false"]), PATIENCE).is_err());
        assert!(run(&words(&["/nowhere/to/be/found"]), PATIENCE).is_err());
        let began = Instant::now();
        let error = run(&words(&["sleep", "60"]), patience).unwrap_err();
        assert!(error.contains("ended after"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}
