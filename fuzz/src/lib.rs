//! What is fuzzed: for each target a function that takes any bytes, a maker of inputs, and a corpus.
//!
//! A target panics where a promise is broken and on nothing else; the same function is run by the
//! ordinary tests, by `cargo xtask fuzz --stable`, and by libFuzzer (`fuzz/libfuzzer`). Nothing here
//! reads a clock or draws chance but the loop in [`drive`].

pub mod drive;
pub mod mutate;
pub mod random;
pub mod seeds;
pub mod wire;

mod agent;
mod certificate;
mod message;
mod path;
mod record;
mod store;
mod values;

use std::ops::AddAssign;

pub use agent::agent;
pub use certificate::certificate;
pub use message::message;
pub use path::path;
pub use record::record;
pub use store::store;

use random::Random;

/// Something that is fuzzed.
pub struct Target {
    /// Its name, as `cargo xtask fuzz` takes it.
    pub name: &'static str,
    /// Runs one input; panics where a promise is broken.
    pub run: fn(&[u8]) -> Tally,
    /// Makes an input.
    pub input: fn(&mut Random) -> Vec<u8>,
    /// The inputs to start from.
    pub corpus: fn() -> Vec<Vec<u8>>,
    /// Random inputs that the short form runs.
    pub short: u64,
}

/// Every target.
pub static TARGETS: [Target; 6] = [
    Target {
        name: "record",
        run: record,
        input: record::input,
        corpus: record::corpus,
        short: 15_000,
    },
    Target {
        name: "message",
        run: message,
        input: message::input,
        corpus: message::corpus,
        short: 20_000,
    },
    Target {
        name: "path",
        run: path,
        input: path::input,
        corpus: path::corpus,
        short: 20_000,
    },
    Target {
        name: "certificate",
        run: certificate,
        input: certificate::input,
        corpus: certificate::corpus,
        short: 3_000,
    },
    Target {
        name: "agent",
        run: agent,
        input: agent::input,
        corpus: agent::corpus,
        short: 200,
    },
    Target {
        name: "store",
        run: store,
        input: store::input,
        corpus: store::corpus,
        short: 300,
    },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// How much of what was fed got past decoding, so that a target that only ever refuses is noticed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Things fed: Records, Messages, paths, files.
    pub fed: u64,
    /// Those that were decoded, and so reached what lies behind.
    pub decoded: u64,
}

impl Tally {
    pub(crate) fn one(decoded: bool) -> Self {
        Self {
            fed: 1,
            decoded: decoded.into(),
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.fed += other.fed;
        self.decoded += other.decoded;
    }
}
