//! Programs that a command runs beside it: started, watched, and ended as a terminal would end them.
//!
//! Each is in a process group of its own, so that Ctrl-C reaches only us and each of them gets exactly
//! one signal.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How long a program may take to end by itself.
const STOP_MAX: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// How much of a log is shown when its program has failed.
const LAST_LINES: usize = 15;

/// Whether somebody wants us to end.
pub(crate) struct StopSignal(Arc<AtomicBool>);

impl StopSignal {
    /// From now on Ctrl-C, termination and a lost terminal are only noted.
    pub(crate) fn listen() -> Result<Self, String> {
        let given = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&given))
                .map_err(|error| format!("signals cannot be caught: {error}"))?;
        }
        Ok(Self(given))
    }

    pub(crate) fn was_given(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// One running program with its log.
pub(crate) struct Child {
    name: &'static str,
    process: process::Child,
    log: PathBuf,
}

impl Child {
    /// Starts a program; what it prints goes to `log`, which is begun anew.
    pub(crate) fn start(
        name: &'static str,
        mut command: Command,
        log: &Path,
    ) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("the {name} cannot be started: {error}");
        let file = File::create(log).map_err(failed)?;
        let copy = file.try_clone().map_err(failed)?;
        command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .process_group(0);
        let process = command.spawn().map_err(failed)?;
        Ok(Self {
            name,
            process,
            log: log.to_owned(),
        })
    }

    /// An error when the program has ended.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!(
                "the {} ended with {status}\n{}",
                self.name,
                self.last_words()
            )),
            Err(error) => Err(format!("the {}: {error}", self.name)),
        }
    }

    /// Waits until the program has ended by itself.
    pub(crate) fn wait(&mut self) {
        // A failure means that it has ended.
        let _ = self.process.wait();
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        format!("{}:\n{}", self.log.display(), last.join("\n"))
    }

    /// Asks the program to end and waits for it; one that does not end is killed.
    pub(crate) fn stop(&mut self) {
        let is_running = |process: &mut process::Child| matches!(process.try_wait(), Ok(None));
        if !is_running(&mut self.process) {
            return;
        }
        // Not interrupted: what is started in the background of a script ignores that. A failure means
        // that it has just ended.
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < STOP_MAX {
            if !is_running(&mut self.process) {
                return;
            }
            std::thread::sleep(POLL);
        }
        eprintln!(
            "the {} did not end within {} s: killed",
            self.name,
            STOP_MAX.as_secs()
        );
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_is_asked_to_end_and_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let script = "trap 'echo ended; exit 0' TERM; echo up; while :; do sleep 0.05; done";
        let mut child = Child::start("test", shell(script), &log).unwrap();
        while fs::read_to_string(&log).unwrap().is_empty() {
            std::thread::sleep(POLL);
        }
        child.check().unwrap();
        child.stop();
        assert_eq!(fs::read_to_string(&log).unwrap(), "up\nended\n");
    }

    #[test]
    fn a_program_that_ends_is_reported_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Child::start(
            "test",
            shell("echo no such file; exit 3"),
            &folder.path().join("log"),
        )
        .unwrap();
        let message = loop {
            if let Err(message) = child.check() {
                break message;
            }
            std::thread::sleep(POLL);
        };
        assert!(
            message.contains("exit status: 3") && message.contains("no such file"),
            "{message}"
        );
    }
}
