//! The built binary and running programs, for tests that use usphere as a user does.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod verbs;

use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};

pub(crate) use rustix::process::Signal;

/// How long a program may take to do what is waited for. Test machines are slow and busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Says that it ended with `code`; shows all it printed where it did not.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Its standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.out.contains(text) || self.err.contains(text),
            "{text:?} is missing: {self:#?}"
        );
        self
    }
}

/// `usphere`, with nothing of the environment that would change what it does.
pub(crate) fn usphere() -> Command {
    plain(env!("CARGO_BIN_EXE_usphere"))
}

pub(crate) fn plain(binary: impl AsRef<Path>) -> Command {
    let mut command = Command::new(binary.as_ref());
    for name in [
        "USPHERE_API",
        "USPHERE_CA",
        "USPHERE_DATA",
        "USPHERE_LOG",
        "USPHERE_TOKEN",
        "XDG_STATE_HOME",
    ] {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end.
pub(crate) fn ran(command: &mut Command) -> Ran {
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

/// Runs a command with `input` on its stdin.
pub(crate) fn fed(command: &mut Command, input: &[u8]) -> Ran {
    let mut folder = tempfile::tempfile().expect("a file");
    folder.write_all(input).expect("written");
    std::io::Seek::rewind(&mut folder).expect("rewound");
    let output = command.stdin(folder).output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

/// A port that nobody listens on just now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("bound").port()
}

/// A program that runs until it is dropped; its output goes to a file.
pub(crate) struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    pub(crate) fn start(command: &mut Command, log: PathBuf) -> Self {
        let file = File::create(&log).expect("a log");
        let copy = file.try_clone().expect("a log");
        let child = command.stdin(Stdio::null()).stdout(file).stderr(copy);
        Self {
            child: child.spawn().expect("it starts"),
            log,
        }
    }

    /// Its process ID.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: without the program `kill`, which a small Debian does not have.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until its log has `text`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        let started = Instant::now();
        while !self.log().contains(text) {
            let ended = self.child.try_wait().expect("its state");
            assert!(ended.is_none(), "it ended with {ended:?}:\n{}", self.log());
            assert!(
                started.elapsed() < PATIENCE,
                "no {text:?} in:\n{}",
                self.log()
            );
            sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal and waits for the end; its exit code.
    #[track_caller]
    pub(crate) fn end(mut self, signal: Signal) -> i32 {
        self.signal(signal);
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("its state") {
                return status.code().unwrap_or(-1);
            }
            sleep(Duration::from_millis(20));
        }
        panic!("it did not end:\n{}", self.log());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let said = fs::read_to_string(&self.log).unwrap_or_default();
            eprintln!("{} has:\n{said}", self.log.display());
        }
    }
}

/// Asks again until it succeeds.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: not in time");
        sleep(Duration::from_millis(50));
    }
}
