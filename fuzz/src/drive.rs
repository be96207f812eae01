//! Runs a target over its corpus and random inputs, for a number of inputs or for a time, and keeps
//! count. A panic is a finding, told with the seed that shows it again.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::time::{Duration, Instant};

use crate::random::Random;
use crate::{Tally, Target};

/// Bytes of an input at fault that a finding shows.
const SHOWN_BYTES_MAX: usize = 2048;

/// How long a run lasts.
#[derive(Clone, Copy, Debug)]
pub enum Extent {
    /// So many random inputs.
    Inputs(u64),
    /// So long, but one input at least.
    Time(Duration),
}

/// What a run went through.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Inputs that were run.
    pub inputs: u64,
    /// What was in them.
    pub tally: Tally,
    /// How long it took.
    pub took: Duration,
    /// The input that took longest, and its seed; none for an input of the corpus.
    pub slowest: (Duration, Option<u64>),
}

/// An input that broke a promise.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The target.
    pub target: &'static str,
    /// The seed of this input alone; none for an input of the corpus.
    pub seed: Option<u64>,
    /// The input.
    pub input: Vec<u8>,
    /// What the panic said, and where.
    pub message: String,
}

/// Runs the corpus, then random inputs with the seeds `seed`, `seed + 1` and so on.
///
/// # Errors
/// The first finding.
pub fn run(target: &'static Target, seed: u64, extent: Extent) -> Result<Report, Box<Finding>> {
    let started = Instant::now();
    let mut report = Report::default();
    for input in (target.corpus)() {
        report.one(target, None, input)?;
    }
    for index in 0.. {
        let more = match extent {
            Extent::Inputs(count) => index < count,
            Extent::Time(time) => index == 0 || started.elapsed() < time,
        };
        if !more {
            break;
        }
        let seed = seed.wrapping_add(index);
        let input = (target.input)(&mut Random::new(seed));
        report.one(target, Some(seed), input)?;
    }
    report.took = started.elapsed();
    Ok(report)
}

impl Report {
    fn one(
        &mut self,
        target: &'static Target,
        seed: Option<u64>,
        input: Vec<u8>,
    ) -> Result<(), Box<Finding>> {
        let started = Instant::now();
        match guarded(|| (target.run)(&input)) {
            Ok(tally) => self.tally += tally,
            Err(message) => {
                return Err(Box::new(Finding {
                    target: target.name,
                    seed,
                    input,
                    message,
                }));
            }
        }
        self.inputs += 1;
        self.slowest = self.slowest.max((started.elapsed(), seed));
        Ok(())
    }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `work`; where it panics, gives what was said. Panics that the work catches itself are not shown.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let former = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if QUIET.get() {
                SAID.replace(info.to_string());
            } else {
                former(info);
            }
        }));
    });
    QUIET.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.set(false);
    result.map_err(|_| SAID.take())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64().max(1e-9);
        let Tally { fed, decoded } = self.tally;
        write!(
            f,
            "{} inputs in {seconds:.1} s ({:.0}/s), {fed} fed, {decoded} got past decoding ({:.0} %), slowest {:.1} ms",
            self.inputs,
            self.inputs as f64 / seconds,
            100.0 * decoded as f64 / fed.max(1) as f64,
            self.slowest.0.as_secs_f64() * 1e3
        )?;
        match self.slowest.1 {
            Some(seed) => write!(f, " (seed {seed})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            input,
            message,
            ..
        } = self;
        writeln!(f, "{target}: {message}")?;
        let shown = &input[..input.len().min(SHOWN_BYTES_MAX)];
        writeln!(f, "input ({} bytes): {}", input.len(), shown.escape_ascii())?;
        match self.seed {
            Some(seed) => write!(
                f,
                "again: USPHERE_FUZZ_SEED={seed} USPHERE_FUZZ_ITERATIONS=1 cargo test -p usphere-fuzz {target}"
            ),
            None => write!(
                f,
                "it is an input of the corpus: cargo test -p usphere-fuzz {target}"
            ),
        }
    }
}
