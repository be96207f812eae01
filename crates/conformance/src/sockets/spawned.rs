//! The Agent's process, where it is ours: started, looked after, ended, started again.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::limits::{PROCESS_FAREWELL, PROCESS_PAUSE, PROCESS_SOON, PROCESS_STARTS_MAX};
use crate::peer::Trouble;

/// How much of what the Agent's process printed is looked at when it does not stay, in bytes.
const LAST_WORDS_BYTES: u64 = 2_048;

/// How much of it is told, in lines.
const LAST_WORDS_LINES: usize = 6;

/// How the Agent's process is started.
#[derive(Clone, Debug)]
pub struct Spawn {
    /// A command for the shell; `{controller}` stands for our Endpoint ID and `{url}` for our address.
    pub command: String,
    /// Where what it prints goes; nowhere otherwise.
    pub log: Option<PathBuf>,
}

/// The Agent's process.
pub(super) struct Spawned {
    spawn: Spawn,
    child: Option<Child>,
    started: Instant,
    /// When it is to be started again.
    again: Option<Instant>,
    /// How often in a row it has ended soon after its start.
    short_lives: u32,
    /// How it has ended last.
    ended: String,
}

impl Spawn {
    /// The same with our Endpoint ID and address in the command.
    pub(super) fn filled_in(&self, controller: &str, url: &str) -> Self {
        let command = self.command.replace("{controller}", controller);
        Self {
            command: command.replace("{url}", url),
            log: self.log.clone(),
        }
    }

    /// The end of what it has printed, or how to have it, on lines of their own.
    fn last_words(&self) -> String {
        let Some(path) = &self.log else {
            return "\n  what it prints is kept where --report is given".to_owned();
        };
        let mut end = Vec::new();
        let read = File::open(path).and_then(|mut file| {
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(LAST_WORDS_BYTES)))?;
            file.take(LAST_WORDS_BYTES).read_to_end(&mut end)
        });
        if let Err(error) = read {
            return format!("\n  {}: {error}", path.display());
        }
        let text = String::from_utf8_lossy(&end);
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let lines: Vec<String> = lines.map(|line| format!("\n  | {}", shown(line))).collect();
        let last = lines.len().saturating_sub(LAST_WORDS_LINES);
        format!(
            "\n  it said ({}):{}",
            path.display(),
            lines[last..].concat()
        )
    }

    fn start(&self) -> io::Result<Child> {
        let open = || match &self.log {
            None => Ok(Stdio::null()),
            Some(path) => {
                let file = File::options().create(true).append(true).open(path)?;
                Ok::<_, io::Error>(Stdio::from(file))
            }
        };
        Command::new("sh")
            .arg("-c")
            .arg(&self.command)
            .stdin(Stdio::null())
            .stdout(open()?)
            .stderr(open()?)
            // So that all of it can be ended, whatever the shell starts.
            .process_group(0)
            .spawn()
    }
}

/// Takes the power from the Agent's process and gives it back, where it is ours.
pub(super) fn restart(spawned: Option<&mut Spawned>) -> Result<(), Trouble> {
    match spawned {
        Some(spawned) => spawned.restart().map_err(Trouble::Gone),
        None => Err(Trouble::Impossible(
            "the Agent's process is not ours; --spawn starts one that is".to_owned(),
        )),
    }
}

impl Spawned {
    pub(super) fn start(spawn: Spawn) -> io::Result<Self> {
        let child = spawn.start()?;
        Ok(Self {
            spawn,
            child: Some(child),
            started: Instant::now(),
            again: None,
            short_lives: 0,
            ended: String::new(),
        })
    }

    /// Starts it again when it has ended by itself, as it does where it reboots or dies: what is worth a note.
    pub(super) fn look_after(&mut self) -> Option<String> {
        if let Some(child) = &mut self.child
            && let Ok(Some(status)) = child.try_wait()
        {
            self.child = None;
            self.ended = status.to_string();
            let is_soon = self.started.elapsed() < PROCESS_SOON;
            self.short_lives = if is_soon { self.short_lives + 1 } else { 0 };
            self.again = Some(Instant::now() + PROCESS_PAUSE);
        }
        let is_due = self.again.is_some_and(|again| again <= Instant::now());
        if is_due && self.short_lives < PROCESS_STARTS_MAX {
            self.begin();
            let how = &self.ended;
            return Some(format!(
                "the Agent's process has ended by itself ({how}), and was started again"
            ));
        }
        None
    }

    /// Whether it is there, or will be.
    ///
    /// # Errors
    /// It ends whenever it is started.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.short_lives < PROCESS_STARTS_MAX {
            true => Ok(()),
            false => Err(format!(
                "{:?} has ended {PROCESS_STARTS_MAX} times in a row soon after its start: {}{}",
                self.spawn.command,
                self.ended,
                self.spawn.last_words()
            )),
        }
    }

    /// Ends it, and starts it again.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn restart(&mut self) -> Result<(), String> {
        self.end();
        self.begin();
        match &self.child {
            Some(_) => Ok(()),
            None => Err(format!("{}: {}", self.spawn.command, self.ended)),
        }
    }

    fn begin(&mut self) {
        self.again = None;
        self.started = Instant::now();
        match self.spawn.start() {
            Ok(child) => self.child = Some(child),
            Err(error) => {
                self.ended = error.to_string();
                self.short_lives = PROCESS_STARTS_MAX;
            }
        }
    }

    /// Tells it to end, and has it end if it does not.
    fn end(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        self.signal(&child, Signal::TERM);
        let until = Instant::now() + PROCESS_FAREWELL;
        while Instant::now() < until {
            if !matches!(child.try_wait(), Ok(None)) {
                break;
            }
            sleep(Duration::from_millis(20));
        }
        // What the shell has started may outlive it.
        self.signal(&child, Signal::KILL);
        drop(child.wait());
    }

    fn signal(&self, child: &Child, signal: Signal) {
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            // A group that is gone needs no signal.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        self.end();
    }
}

/// A line that does nothing to a terminal.
fn shown(line: &str) -> String {
    line.chars()
        .filter(|character| !character.is_control())
        .collect()
}
