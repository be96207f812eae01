//! A disk in memory that treats the store as badly as a real one may.
//!
//! What was written and not synced may, at a power cut, be there or not: sector by sector, in any
//! order, lengths likewise. A sync may fail, and then the lost bytes stay readable until the power
//! goes. The disk may be full. Every accident follows from one seed.
//!
//! ```ignore
//! let disk = SimulatedDisk::new(seed);
//! let opened = AgentStore::open_on(disk.clone())?;
//! disk.cut_at(17);          // the power goes in the 17th operation from here
//! // … commits, until one fails
//! disk.reopen();            // and comes back
//! let opened = AgentStore::open_on(disk.clone())?;
//! ```

mod file;
mod schedule;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use redb::StorageBackend;

pub use self::file::SECTOR_BYTES;
use self::file::SimulatedFile;
pub use self::schedule::{Report, power_cut_schedule, power_cut_sweep};
use super::medium::Medium;

/// The disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
    name: Arc<str>,
}

/// What was done to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Writes, changes of length, syncs and renames.
    pub operations: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Syncs.
    pub syncs: u64,
}

struct State {
    random: StdRng,
    store: Option<SimulatedFile>,
    replacement: Option<SimulatedFile>,
    kept_aside: Vec<SimulatedFile>,
    usage: Usage,
    /// The power goes when this many operations were done.
    cut_at: Option<u64>,
    powered: bool,
    /// Counts cuts and replacements; handles of an earlier life are dead.
    life: u64,
    /// Sectors that all files together may occupy.
    sectors_max: Option<u64>,
    failing_syncs: u32,
    failing_writes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Replacement,
    Store,
}

impl SimulatedDisk {
    /// An empty disk. All its accidents follow from the seed.
    pub fn new(seed: u64) -> Self {
        let state = State {
            random: StdRng::seed_from_u64(seed),
            store: None,
            replacement: None,
            kept_aside: Vec::new(),
            usage: Usage::default(),
            cut_at: None,
            powered: true,
            life: 0,
            sectors_max: None,
            failing_syncs: 0,
            failing_writes: 0,
        };
        let name = format!("simulated disk (seed {seed})").into();
        Self {
            state: Arc::new(Mutex::new(state)),
            name,
        }
    }

    /// Cuts the power now: of what was not synced any part may be lost. Every access fails until
    /// [`SimulatedDisk::reopen`].
    pub fn cut(&self) {
        self.state().cut();
    }

    /// Cuts the power in the operation that comes after `operations` more; it may be half done.
    pub fn cut_at(&self, operations: u64) {
        let mut state = self.state();
        state.cut_at = Some(state.usage.operations + operations);
    }

    /// Whether the power is there.
    pub fn powered(&self) -> bool {
        self.state().powered
    }

    /// Brings the power back, with a planned cut forgotten. Backends from before stay dead.
    pub fn reopen(&self) {
        let mut state = self.state();
        if state.powered {
            state.cut();
        }
        state.powered = true;
        state.cut_at = None;
    }

    /// Leaves room for this many more bytes, in whole sectors; none takes the bound away.
    pub fn set_free(&self, bytes: Option<u64>) {
        let mut state = self.state();
        let used = state.sectors();
        state.sectors_max = bytes.map(|bytes| used + bytes / SECTOR_BYTES);
    }

    /// Lets the next `count` syncs fail, each losing part of what it was for.
    pub fn fail_syncs(&self, count: u32) {
        self.state().failing_syncs = count;
    }

    /// Lets the next `count` writes fail, each after part of it.
    pub fn fail_writes(&self, count: u32) {
        self.state().failing_writes = count;
    }

    /// Changes what is stored, behind the back of everybody.
    pub fn tamper(&self, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(file) = self.state().store.as_mut() {
            file.tamper(change);
        }
    }

    /// The bytes of the store, as a reader would see them.
    pub fn image(&self) -> Vec<u8> {
        self.state()
            .store
            .as_ref()
            .map(|file| file.seen().to_vec())
            .unwrap_or_default()
    }

    /// How many damaged stores were set aside.
    pub fn kept_aside(&self) -> usize {
        self.state().kept_aside.len()
    }

    /// What was done so far.
    pub fn usage(&self) -> Usage {
        self.state().usage
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn backend(&self, which: Which, life: u64) -> Arc<dyn StorageBackend> {
        Arc::new(Handle {
            disk: self.clone(),
            which,
            life,
        })
    }
}

impl fmt::Debug for SimulatedDisk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl Medium for SimulatedDisk {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> io::Result<Option<Arc<dyn StorageBackend>>> {
        let state = self.state();
        state.check_power()?;
        Ok(state
            .store
            .is_some()
            .then(|| self.backend(Which::Store, state.life)))
    }

    fn begin_replacement(&self) -> io::Result<Arc<dyn StorageBackend>> {
        let mut state = self.state();
        state.check_power()?;
        state.replacement = Some(SimulatedFile::default());
        Ok(self.backend(Which::Replacement, state.life))
    }

    fn finish_replacement(&self) -> io::Result<()> {
        let mut state = self.state();
        // A rename in a journalled file system: the old name or the new, nothing between.
        let cut = state.operate()?;
        if cut && state.random.random_bool(0.5) {
            state.cut();
            return Err(power_is_off());
        }
        state.store = state.replacement.take();
        state.life += 1;
        if cut {
            state.cut();
            return Err(power_is_off());
        }
        Ok(())
    }

    fn set_aside(&self) -> io::Result<String> {
        let mut state = self.state();
        if state.operate()? {
            state.cut();
            return Err(power_is_off());
        }
        let file = state.store.take();
        state.kept_aside.extend(file);
        Ok(format!("{}, aside {}", self.name, state.kept_aside.len()))
    }
}

impl State {
    fn check_power(&self) -> io::Result<()> {
        if self.powered {
            Ok(())
        } else {
            Err(power_is_off())
        }
    }

    /// Counts an operation; true when the power goes in it.
    fn operate(&mut self) -> io::Result<bool> {
        self.check_power()?;
        let cut = self.cut_at.is_some_and(|at| self.usage.operations >= at);
        self.usage.operations += 1;
        Ok(cut)
    }

    fn cut(&mut self) {
        for file in [&mut self.store, &mut self.replacement]
            .into_iter()
            .flatten()
        {
            file.lose_power(&mut self.random);
        }
        self.powered = false;
        self.life += 1;
    }

    fn sectors(&self) -> u64 {
        [&self.store, &self.replacement]
            .into_iter()
            .flatten()
            .map(SimulatedFile::sectors)
            .sum()
    }

    fn file(&mut self, which: Which) -> io::Result<&mut SimulatedFile> {
        let file = match which {
            Which::Replacement => self.replacement.as_mut(),
            Which::Store => self.store.as_mut(),
        };
        file.ok_or_else(|| io::Error::other("the file is gone"))
    }

    fn write(&mut self, which: Which, offset: u64, data: &[u8]) -> io::Result<()> {
        let cut = self.operate()?;
        let mut given = data.len();
        let mut failure = None;
        if self.failing_writes > 0 {
            self.failing_writes -= 1;
            given = self.random.random_range(0..=data.len());
            failure = Some(io::Error::other("a write failed, as was asked for"));
        }
        if let Some(most) = self.sectors_max {
            let free = most.saturating_sub(self.sectors());
            let fitting = self.file(which)?.fitting(offset, given, free);
            if fitting < given {
                given = fitting;
                failure = Some(io::ErrorKind::StorageFull.into());
            }
        }
        self.usage.bytes += given as u64;
        self.file(which)?.write(offset, &data[..given]);
        if cut {
            self.cut();
            failure = Some(power_is_off());
        }
        failure.map_or(Ok(()), Err)
    }

    fn set_length(&mut self, which: Which, length: u64) -> io::Result<()> {
        let cut = self.operate()?;
        self.file(which)?.set_length(length);
        if cut {
            self.cut();
            return Err(power_is_off());
        }
        Ok(())
    }

    fn sync(&mut self, which: Which) -> io::Result<()> {
        if self.operate()? {
            self.cut();
            return Err(power_is_off());
        }
        self.usage.syncs += 1;
        if self.failing_syncs == 0 {
            self.file(which)?.sync();
            return Ok(());
        }
        self.failing_syncs -= 1;
        let mut random = StdRng::from_rng(&mut self.random);
        self.file(which)?.fail_sync(&mut random);
        Err(io::Error::other("a sync failed, as was asked for"))
    }
}

/// One opening of one file of the disk.
struct Handle {
    disk: SimulatedDisk,
    which: Which,
    life: u64,
}

impl Handle {
    fn with<T>(&self, work: impl FnOnce(&mut State, Which) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state();
        state.check_power()?;
        if state.life != self.life {
            return Err(io::Error::other("this opening of the file is over"));
        }
        work(&mut state, self.which)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.disk.fmt(formatter)
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        self.with(|state, which| Ok(state.file(which)?.seen().len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.with(|state, which| {
            let seen = state.file(which)?.seen();
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let end = start.saturating_add(out.len());
            let bytes = seen.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(bytes);
            Ok(())
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.with(|state, which| state.set_length(which, length))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(State::sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with(|state, which| state.write(which, offset, data))
    }
}

fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}
