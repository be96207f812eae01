//! One file of the simulated disk: what is safe, what a reader sees, and what lies between.

use std::collections::BTreeSet;

use rand::Rng;
use rand::rngs::StdRng;

/// What the disk writes at once: whole or not at all.
pub const SECTOR_BYTES: u64 = 512;

/// A file. Lengths and contents are kept apart as a file system keeps them.
#[derive(Clone, Debug, Default)]
pub(super) struct SimulatedFile {
    durable: Vec<u8>,
    seen: Vec<u8>,
    unsynced: Vec<Change>,
    /// Sectors that were ever written: the others are holes and take no room.
    occupied: BTreeSet<u64>,
}

#[derive(Clone, Debug)]
enum Change {
    Length(u64),
    Write { offset: u64, data: Vec<u8> },
}

impl SimulatedFile {
    pub(super) fn seen(&self) -> &[u8] {
        &self.seen
    }

    pub(super) fn sectors(&self) -> u64 {
        self.occupied.len() as u64
    }

    /// How many of `length` bytes at `offset` can be written with `free` sectors left.
    pub(super) fn fitting(&self, offset: u64, length: usize, mut free: u64) -> usize {
        let mut fitting = 0;
        for (sector, part) in sectors(offset, length) {
            if !self.occupied.contains(&sector) {
                let Some(left) = free.checked_sub(1) else {
                    break;
                };
                free = left;
            }
            fitting = part.end;
        }
        fitting
    }

    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        self.occupied
            .extend(sectors(offset, data.len()).map(|(sector, _)| sector));
        write_at(&mut self.seen, offset, data);
        // A disk is given whole sectors, as they stand in memory.
        let start = offset / SECTOR_BYTES * SECTOR_BYTES;
        let end = (offset + data.len() as u64).next_multiple_of(SECTOR_BYTES);
        let end = end.min(self.seen.len() as u64);
        let data = self.seen[start as usize..end as usize].to_vec();
        self.unsynced.push(Change::Write {
            offset: start,
            data,
        });
    }

    pub(super) fn set_length(&mut self, length: u64) {
        self.seen.resize(length as usize, 0);
        let _ = self.occupied.split_off(&length.div_ceil(SECTOR_BYTES));
        self.unsynced.push(Change::Length(length));
    }

    /// What was written since the last sync becomes durable. What a failed sync lost does not: it is
    /// no longer waiting to be written.
    pub(super) fn sync(&mut self) {
        for change in std::mem::take(&mut self.unsynced) {
            match change {
                Change::Length(length) => self.durable.resize(length as usize, 0),
                Change::Write { offset, data } => write_at(&mut self.durable, offset, &data),
            }
        }
    }

    /// Part of it becomes durable; the rest stays readable, is taken for written, and is lost.
    pub(super) fn fail_sync(&mut self, random: &mut StdRng) {
        self.apply_some(random);
    }

    pub(super) fn lose_power(&mut self, random: &mut StdRng) {
        self.apply_some(random);
        self.seen.clone_from(&self.durable);
    }

    pub(super) fn tamper(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.durable);
        self.seen.clone_from(&self.durable);
        self.unsynced.clear();
    }

    /// Lets a part of what is not synced reach the disk. Each sector decides for itself, so one
    /// write can be torn, and a later one be there without an earlier one.
    fn apply_some(&mut self, random: &mut StdRng) {
        let fate = Fate::draw(random);
        for change in std::mem::take(&mut self.unsynced) {
            match change {
                Change::Length(length) => {
                    if fate.spares(random, None) {
                        self.durable.resize(length as usize, 0);
                    }
                }
                Change::Write { offset, data } => {
                    let whole = fate.spares(random, Some(offset / SECTOR_BYTES));
                    for (sector, part) in sectors(offset, data.len()) {
                        let spared = match fate {
                            Fate::Sectors(_) => fate.spares(random, Some(sector)),
                            _ => whole,
                        };
                        if spared {
                            write_at(&mut self.durable, offset + part.start as u64, &data[part]);
                        }
                    }
                }
            }
        }
    }
}

/// How a cut treats what was not synced.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// The first sector, where databases keep their header, arrives and all else is lost.
    HeaderOnly,
    /// Everything arrives except the first sector.
    AllButHeader,
    /// Each sector arrives with this probability.
    Sectors(f64),
    /// Each operation arrives with this probability.
    Operations(f64),
}

impl Fate {
    fn draw(random: &mut StdRng) -> Self {
        const CHANCES: [f64; 6] = [0.0, 0.1, 0.5, 0.9, 0.99, 1.0];
        let chance = CHANCES[random.random_range(0..CHANCES.len())];
        match random.random_range(0..6) {
            0 => Self::HeaderOnly,
            1 => Self::AllButHeader,
            2 | 3 => Self::Sectors(chance),
            _ => Self::Operations(chance),
        }
    }

    fn spares(self, random: &mut StdRng, sector: Option<u64>) -> bool {
        match self {
            Self::HeaderOnly => sector == Some(0),
            Self::AllButHeader => sector != Some(0),
            Self::Sectors(chance) | Self::Operations(chance) => random.random_bool(chance),
        }
    }
}

/// The sectors that a range of bytes touches, each with its part of the range.
fn sectors(offset: u64, length: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>)> {
    let end = offset + length as u64;
    (offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES)).map(move |sector| {
        let from = (sector * SECTOR_BYTES).max(offset);
        let to = ((sector + 1) * SECTOR_BYTES).min(end);
        (sector, (from - offset) as usize..(to - offset) as usize)
    })
}

fn write_at(bytes: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let start = offset as usize;
    let end = start + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[start..end].copy_from_slice(data);
}
