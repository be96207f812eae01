//! Power cuts over random schedules of commits, judged by what a plain map says must be there.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use usphere_datamodel::Entry;

use super::super::{AgentStore, Opened};
use super::SimulatedDisk;

type Map = BTreeMap<String, String>;
type Batches = Vec<(u64, Vec<Entry>)>;

/// What a run of power cuts went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Power cuts, those during recovery from an earlier one included.
    pub cuts: u64,
    /// Commits that were acknowledged.
    pub committed: u64,
    /// Cuts after which the commit in flight was there though nobody had been told.
    pub arrived_unacknowledged: u64,
}

impl std::ops::AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.cuts += other.cuts;
        self.committed += other.committed;
        self.arrived_unacknowledged += other.arrived_unacknowledged;
    }
}

/// One disk through `cuts` power cuts, each at a random operation of commits, of the opening, or of
/// the repair after the cut before it. Some failing writes and syncs are thrown in.
///
/// # Errors
/// What was lost or half there, with the seed that shows it again.
pub fn power_cut_schedule(seed: u64, cuts: u64) -> Result<Report, String> {
    let mut run = Run::new(seed);
    while run.report.cuts < cuts {
        let far = if run.random.random_bool(0.3) { 12 } else { 120 };
        let operations = run.random.random_range(0..far);
        run.live_until_cut(operations, true)
            .map_err(|error| format!("seed {seed}: {error}"))?;
    }
    Ok(run.report)
}

/// The same `steps` commits again and again, with the power cut once at each operation in turn.
///
/// # Errors
/// As [`power_cut_schedule`].
pub fn power_cut_sweep(seed: u64, steps: u64) -> Result<Report, String> {
    let mut report = Report::default();
    for operations in 0.. {
        let mut run = Run::new(seed);
        run.commits_max = Some(steps);
        let said = |error| format!("seed {seed}, cut in operation {operations}: {error}");
        let cut = run.live_until_cut(operations, false).map_err(said)?;
        report += run.report;
        if !cut {
            break;
        }
    }
    Ok(report)
}

/// A disk, what must be on it, and what may be.
struct Run {
    disk: SimulatedDisk,
    random: StdRng,
    /// After the last acknowledged commit.
    certain: Map,
    /// After the commit in flight, if there is one.
    possible: Option<Map>,
    sequence: u64,
    commits_max: Option<u64>,
    report: Report,
}

impl Run {
    fn new(seed: u64) -> Self {
        Self {
            disk: SimulatedDisk::new(seed),
            random: StdRng::seed_from_u64(!seed),
            certain: Map::new(),
            possible: None,
            sequence: 0,
            commits_max: None,
            report: Report::default(),
        }
    }

    /// Opens and commits until the power goes in the given operation, then checks what is left.
    /// False when all commits were done before.
    fn live_until_cut(&mut self, operations: u64, accidents: bool) -> Result<bool, String> {
        self.disk.cut_at(operations);
        let mut done = false;
        if let Ok(opened) = AgentStore::open_on(self.disk.clone()) {
            let mut store = self.judge(opened)?;
            done = self.commit_until_cut(&mut store, accidents)?;
        }
        if done {
            self.disk.cut();
        }
        if self.disk.powered() {
            return Err("the store could not be opened though the power was there".to_owned());
        }
        self.report.cuts += 1;
        self.disk.reopen();
        let opened = AgentStore::open_on(self.disk.clone()).map_err(|error| error.to_string())?;
        self.judge(opened)?;
        // That opening is cut off too: what it wrote without a sync may be lost.
        self.disk.reopen();
        Ok(!done)
    }

    /// True when all commits were done and the power is still there.
    fn commit_until_cut(
        &mut self,
        store: &mut AgentStore,
        accidents: bool,
    ) -> Result<bool, String> {
        while self
            .commits_max
            .is_none_or(|most| self.report.committed < most)
        {
            if accidents {
                self.disk
                    .fail_syncs(u32::from(self.random.random_bool(0.05)));
                self.disk
                    .fail_writes(u32::from(self.random.random_bool(0.05)));
            }
            let batches = self.batches();
            let after = apply(&self.certain, &batches);
            match store.commit(&batches) {
                Ok(()) => {
                    self.report.committed += 1;
                    self.certain = after;
                }
                Err(_) if !self.disk.powered() => {
                    self.possible = Some(after);
                    self.disk.fail_syncs(0);
                    self.disk.fail_writes(0);
                    return Ok(false);
                }
                Err(_) if accidents => {
                    // It was refused, so it must not come back, unless the power goes before the
                    // store could take it back.
                    self.disk.fail_syncs(0);
                    self.disk.fail_writes(0);
                    match store.commit(&[]) {
                        Ok(()) => {}
                        Err(_) if !self.disk.powered() => {
                            self.possible = Some(after);
                            return Ok(false);
                        }
                        Err(error) => return Err(format!("it did not recover: {error}")),
                    }
                }
                Err(error) => return Err(format!("a commit failed with power: {error}")),
            }
        }
        Ok(true)
    }

    /// Compares what was found with what must be there, which is then what must stay.
    fn judge(&mut self, opened: Opened) -> Result<AgentStore, String> {
        if let Some(notice) = opened.notice {
            return Err(format!("a power cut must not damage the store: {notice}"));
        }
        let found: Map = opened
            .entries
            .into_iter()
            .filter_map(|entry| Some((entry.key, entry.value?)))
            .collect();
        let possible = self.possible.take();
        if found != self.certain {
            if possible.as_ref() != Some(&found) {
                return Err(format!(
                    "found {found:?}\nacknowledged {:?}\nin flight {possible:?}",
                    self.certain
                ));
            }
            self.report.arrived_unacknowledged += 1;
            self.certain = found;
        }
        Ok(opened.store)
    }

    fn batches(&mut self) -> Batches {
        let plans = self.random.random_range(1..=4);
        (0..plans)
            .map(|_| {
                self.sequence += 1;
                let count = self.random.random_range(1..=6);
                (self.sequence, (0..count).map(|_| self.entry()).collect())
            })
            .collect()
    }

    fn entry(&mut self) -> Entry {
        let key = format!("Device.Test.{}.Value", self.random.random_range(0..60));
        let sequence = self.sequence;
        match self.random.random_range(0..20) {
            0..5 => Entry { key, value: None },
            5 => {
                let length = self.random.random_range(0..20_000);
                Entry {
                    key,
                    value: Some(format!("{sequence} {}", "x".repeat(length))),
                }
            }
            _ => Entry {
                key,
                value: Some(format!("value {sequence}")),
            },
        }
    }
}

fn apply(before: &Map, batches: &Batches) -> Map {
    let mut after = before.clone();
    for entry in batches.iter().flat_map(|(_, entries)| entries) {
        match &entry.value {
            Some(value) => after.insert(entry.key.clone(), value.clone()),
            None => after.remove(&entry.key),
        };
    }
    after
}
