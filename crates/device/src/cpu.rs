//! How busy the processors are, from the first line of `/proc/stat`.

use std::path::Path;

use usphere_datamodel::model::{OwnerError, Snapshot, SnapshotObject};

use crate::files;
use crate::objects::PROCESS_STATUS;

/// Remembers the counters, so that the next look tells of the time between.
#[derive(Debug, Default)]
pub(crate) struct Cpu {
    before: Counters,
    percent: u64,
}

/// Ticks since the start of the host, of all processors together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counters {
    total: u64,
    idle: u64,
}

impl Cpu {
    /// The share of time that was not idle since the last look; at the first, since the host started.
    ///
    /// # Errors
    /// When the host does not tell.
    pub(crate) fn fetch(&mut self, proc: &Path) -> Result<Snapshot, OwnerError> {
        let path = proc.join("stat");
        let report = files::text(&path)?.unwrap_or_default();
        let now = Counters::parse(&report).ok_or_else(|| {
            OwnerError::failed(format!(
                "{} does not tell of the processors",
                path.display()
            ))
        })?;
        let percent = self.percent_until(now).to_string();
        Ok(Snapshot {
            objects: vec![SnapshotObject {
                path: PROCESS_STATUS.path.into(),
                keys: Vec::new(),
                values: vec![("CPUUsage".into(), percent)],
            }],
        })
    }

    fn percent_until(&mut self, now: Counters) -> u64 {
        let total = now.total.saturating_sub(self.before.total);
        // The kernel lets the idle counters go back a little now and then.
        let idle = now.idle.saturating_sub(self.before.idle).min(total);
        self.before = now;
        if total > 0 {
            let busy = u128::from(total - idle) * 200 + u128::from(total);
            self.percent = u64::try_from(busy / (u128::from(total) * 2))
                .unwrap_or(100)
                .min(100);
        }
        self.percent
    }
}

impl Counters {
    /// `cpu  user nice system idle iowait irq softirq steal …`; what guests got is part of user.
    fn parse(report: &str) -> Option<Self> {
        let mut fields = report.lines().next()?.split_ascii_whitespace();
        if fields.next()? != "cpu" {
            return None;
        }
        let ticks: Vec<u64> = fields
            .take(8)
            .map_while(|field| field.parse().ok())
            .collect();
        let [_, _, _, idle, rest @ ..] = ticks.as_slice() else {
            return None;
        };
        let waiting = rest.first().copied().unwrap_or(0);
        Some(Self {
            total: ticks
                .iter()
                .fold(0, |sum: u64, ticks| sum.saturating_add(*ticks)),
            idle: idle.saturating_add(waiting),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(cpu: &mut Cpu, line: &str) -> u64 {
        cpu.percent_until(Counters::parse(line).unwrap())
    }

    #[test]
    fn the_first_look_is_since_the_start_and_the_next_since_the_first() {
        let mut cpu = Cpu::default();
        assert_eq!(percent(&mut cpu, "cpu  100 0 100 700 100 0 0 0 0 0"), 20);
        assert_eq!(percent(&mut cpu, "cpu  175 0 100 725 100 0 0 0 0 0"), 75);
    }

    #[test]
    fn a_share_is_rounded_to_the_nearest() {
        assert_eq!(percent(&mut Cpu::default(), "cpu 1 0 0 199"), 1);
        assert_eq!(percent(&mut Cpu::default(), "cpu 1 0 0 200"), 0);
    }

    #[test]
    fn counters_that_stand_still_or_go_back_keep_the_percentage_in_range() {
        let mut cpu = Cpu::default();
        assert_eq!(percent(&mut cpu, "cpu 50 0 0 50"), 50);
        assert_eq!(percent(&mut cpu, "cpu 50 0 0 50"), 50);
        assert_eq!(percent(&mut cpu, "cpu 61 0 0 40"), 100);
        assert_eq!(percent(&mut cpu, "cpu 1 0 0 1"), 100);
        let largest = "cpu 18446744073709551615 18446744073709551615 0 1";
        assert_eq!(percent(&mut Cpu::default(), largest), 100);
    }

    #[test]
    fn other_lines_are_not_counters() {
        for line in [
            "",
            "cpu",
            "cpu0 1 2 3 4",
            "cpu 1 2 3",
            "cpu 1 2 3 x",
            "cpu 1 2 3 -4",
        ] {
            assert_eq!(Counters::parse(line), None, "{line}");
        }
    }
}
