//! Every process, from `/proc/PID/stat`: one file each, through one buffer.

use std::path::{Path, PathBuf};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, RawDir, open, openat};
use rustix::io::{Errno, read};
use usphere_datamodel::model::{OwnerError, Snapshot, SnapshotObject};

use crate::files::SHORTAGES;
use crate::limits::{PROCESSES_MAX, STAT_BYTES_MAX};
use crate::objects::{COMMAND_MAX, PROCESS};
use crate::text::{fit, unsigned_int};

/// Reads all processes; keeps its buffers from one time to the next.
#[derive(Debug)]
pub(crate) struct Processes {
    proc: PathBuf,
    listing: Vec<u8>,
    stat: Vec<u8>,
    units: Units,
}

/// What the kernel counts in.
#[derive(Clone, Copy, Debug)]
struct Units {
    page_bytes: u64,
    ticks_per_second: u64,
}

impl Processes {
    pub(crate) fn new(proc: &Path) -> Self {
        Self {
            proc: proc.to_owned(),
            listing: Vec::with_capacity(16 * 1024),
            stat: vec![0; STAT_BYTES_MAX],
            units: Units {
                page_bytes: u64::try_from(rustix::param::page_size()).unwrap_or(4096),
                ticks_per_second: rustix::param::clock_ticks_per_second().max(1),
            },
        }
    }

    /// The processes there are now. One that ends meanwhile is left out.
    ///
    /// # Errors
    /// When the host does not list them.
    pub(crate) fn fetch(&mut self) -> Result<Snapshot, OwnerError> {
        let unlisted =
            |error: Errno| OwnerError::failed(format!("{}: {error}", self.proc.display()));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = open(&self.proc, flags, Mode::empty()).map_err(unlisted)?;
        let pids = list(&folder, &mut self.listing).map_err(unlisted)?;
        let mut objects = Vec::with_capacity(pids.len());
        for pid in pids {
            let Some(length) = read_stat(&folder, pid, &mut self.stat).map_err(unlisted)? else {
                continue;
            };
            if let Some(process) = Process::parse(&self.stat[..length]) {
                objects.push(process.into_object(pid, self.units));
            }
        }
        Ok(Snapshot { objects })
    }
}

/// The PIDs in ascending order.
fn list(folder: &OwnedFd, buffer: &mut Vec<u8>) -> Result<Vec<u32>, Errno> {
    let mut pids = Vec::new();
    let mut entries = RawDir::new(folder.as_fd(), buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        pids.extend(pid(entry?.file_name().to_bytes()));
    }
    pids.sort_unstable();
    pids.truncate(PROCESSES_MAX);
    Ok(pids)
}

/// A name that is a PID as the kernel writes it.
fn pid(name: &[u8]) -> Option<u32> {
    if !matches!(name.first(), Some(b'1'..=b'9')) {
        return None;
    }
    number(name)
}

/// Reads the file once; what does not fit is not looked at. None when the process has ended, or is kept from
/// this one.
fn read_stat(folder: &OwnedFd, pid: u32, buffer: &mut [u8]) -> Result<Option<usize>, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = openat(folder, format!("{pid}/stat"), flags, Mode::empty());
    match file.and_then(|file| read(&file, buffer)) {
        Ok(length) => Ok(Some(length)),
        Err(error) if SHORTAGES.contains(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

/// What one line of `stat` says; see proc_pid_stat(5).
#[derive(Debug, PartialEq)]
struct Process<'a> {
    command: &'a [u8],
    state: &'static str,
    cpu_ticks: u64,
    priority: i64,
    start: u64,
    pages: u64,
}

impl<'a> Process<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        // The command may have blanks, brackets and line ends of its own; the last bracket is the kernel's.
        let start = line.iter().position(|byte| *byte == b'(')? + 1;
        let end = line.iter().rposition(|byte| *byte == b')')?;
        let command = line.get(start..end)?;
        let mut fields = Fields(&line[end + 1..]);
        let state = state(fields.skip_to(3, 3)?);
        let user: u64 = number(fields.skip_to(4, 14)?)?;
        let kernel: u64 = number(fields.skip_to(15, 15)?)?;
        let priority = number(fields.skip_to(16, 18)?)?;
        let start = number(fields.skip_to(19, 22)?)?;
        let pages = number::<i64>(fields.skip_to(23, 24)?)?;
        Some(Self {
            command,
            state,
            cpu_ticks: user.saturating_add(kernel),
            priority,
            start,
            pages: u64::try_from(pages).unwrap_or(0),
        })
    }

    fn into_object(self, pid: u32, units: Units) -> SnapshotObject {
        let kibibytes = u128::from(self.pages) * u128::from(units.page_bytes) / 1024;
        let milliseconds = u128::from(self.cpu_ticks) * 1000 / u128::from(units.ticks_per_second);
        let clamped = |number: u128| unsigned_int(u64::try_from(number).unwrap_or(u64::MAX));
        SnapshotObject {
            path: PROCESS.path.into(),
            keys: vec![format!("{pid} {}", self.start)],
            values: vec![
                ("PID".into(), pid.to_string()),
                ("Command".into(), fit(self.command, COMMAND_MAX)),
                ("Size".into(), clamped(kibibytes)),
                // Real-time processes have negative numbers; the others 0 to 39.
                ("Priority".into(), self.priority.clamp(0, 99).to_string()),
                ("CPUTime".into(), clamped(milliseconds)),
                ("State".into(), self.state.to_owned()),
            ],
        }
    }
}

/// The fields after the command, each after a blank.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The field `wanted`, when the next one is `next`; both counted from 1 as the manual does.
    fn skip_to(&mut self, next: usize, wanted: usize) -> Option<&'a [u8]> {
        let mut field: &[u8] = &[];
        for _ in next..=wanted {
            let rest = self.0.strip_prefix(b" ")?;
            let end = rest
                .iter()
                .position(|byte| matches!(byte, b' ' | b'\n'))
                .unwrap_or(rest.len());
            (field, self.0) = rest.split_at(end);
        }
        Some(field)
    }
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn state(letter: &[u8]) -> &'static str {
    match letter {
        b"R" => "Running",
        b"D" => "Uninterruptible",
        b"T" | b"t" => "Stopped",
        b"Z" | b"X" | b"x" => "Zombie",
        b"I" => "Idle",
        _ => "Sleeping",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINE: &str = "17 (sh) S 1 17 17 0 -1 4194304 101 0 0 0 250 50 0 0 20 0 1 0 388157 3133440 416 \
        18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

    #[test]
    fn a_line_is_read_field_by_field() {
        let expected = Process {
            command: b"sh",
            state: "Sleeping",
            cpu_ticks: 300,
            priority: 20,
            start: 388_157,
            pages: 416,
        };
        assert_eq!(Process::parse(LINE.as_bytes()), Some(expected));
    }

    #[test]
    fn a_command_may_look_like_the_rest_of_the_line() {
        for command in ["a) R 1 (b", "", " ", "(((", ")))", "x\ny", "\u{fffd}"] {
            let line = LINE.replace("sh", command);
            let process = Process::parse(line.as_bytes()).unwrap();
            assert_eq!(process.command, command.as_bytes());
            assert_eq!(process.start, 388_157);
        }
    }

    #[test]
    fn numbers_are_given_in_the_units_and_the_range_of_their_parameters() {
        let units = Units {
            page_bytes: 4096,
            ticks_per_second: 100,
        };
        let values = |line: &str| {
            let object = Process::parse(line.as_bytes())
                .unwrap()
                .into_object(17, units);
            object
                .values
                .into_iter()
                .map(|(_, value)| value)
                .collect::<Vec<_>>()
        };
        assert_eq!(values(LINE), ["17", "sh", "1664", "20", "3000", "Sleeping"]);
        let largest = u64::MAX.to_string();
        let line = LINE
            .replace(" 250 ", &format!(" {largest} "))
            .replace(" 416 ", " 9223372036854775807 ");
        assert_eq!(values(&line)[2..5], ["4294967295", "20", "4294967295"]);
        assert_eq!(values(&LINE.replace(" 20 0 1", " -100 0 1"))[3], "0");
        assert_eq!(values(&LINE.replace(" 20 0 1", " 400 0 1"))[3], "99");
        assert_eq!(values(&LINE.replace(" 416 ", " -1 "))[2], "0");
    }

    #[test]
    fn only_what_the_kernel_writes_is_a_pid() {
        assert_eq!(pid(b"1"), Some(1));
        for name in ["", "0", "01", "+1", "1a", "self", "4294967296", "-1"] {
            assert_eq!(pid(name.as_bytes()), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(line in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Process::parse(&line);
        }

        #[test]
        fn no_cut_or_changed_line_breaks_it(cut in 0..LINE.len(), at in 0..LINE.len(), byte: u8) {
            let mut line = LINE.as_bytes().to_vec();
            line[at] = byte;
            line.truncate(cut);
            let _ = Process::parse(&line);
        }
    }
}
