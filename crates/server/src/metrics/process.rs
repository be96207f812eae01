//! What the kernel tells of this process, by the names that Prometheus clients have agreed on.

use std::fs;

/// What is known of this process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Process {
    pub(super) cpu_seconds: f64,
    pub(super) resident_bytes: u64,
    pub(super) virtual_bytes: u64,
    pub(super) threads: u64,
    /// Seconds since 1970.
    pub(super) started: f64,
    pub(super) open_files: u64,
    /// None without a limit.
    pub(super) open_files_max: Option<u64>,
}

impl Process {
    /// None where the kernel does not tell.
    pub(super) fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let boot = fs::read_to_string("/proc/stat").ok()?;
        let mut process = Self::parse(&stat, &boot)?;
        process.open_files = fs::read_dir("/proc/self/fd").ok()?.count() as u64;
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        process.open_files_max = limit.current;
        Some(process)
    }

    fn parse(stat: &str, boot: &str) -> Option<Self> {
        // The name of the program, in brackets, may have any character.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // Counted from the third field of proc(5), the state.
        let field = |number: usize| -> Option<u64> { fields.get(number - 3)?.parse().ok() };
        let ticks = rustix::param::clock_ticks_per_second().max(1) as f64;
        let booted = boot.lines().find_map(|line| line.strip_prefix("btime "))?;
        let booted: u64 = booted.trim().parse().ok()?;
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) as f64 / ticks,
            resident_bytes: field(24)? * rustix::param::page_size() as u64,
            virtual_bytes: field(23)?,
            threads: field(20)?,
            started: booted as f64 + field(22)? as f64 / ticks,
            open_files: 0,
            open_files_max: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_told_of() {
        let process = Process::read().unwrap();
        assert!(process.resident_bytes > 1 << 20, "{process:?}");
        assert!(
            process.threads >= 1 && process.open_files >= 3,
            "{process:?}"
        );
        assert!(process.started > 1.6e9, "{process:?}");
        assert_eq!(Process::parse("1 (a) S 1", "btime 5"), None);
        assert_eq!(Process::parse("nonsense", ""), None);
    }
}
