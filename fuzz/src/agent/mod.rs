//! The Agent's engine: requests of every kind, sound and broken, from several Controllers, with a store
//! that confirms late or fails and owners that answer late, never or wrongly.
//!
//! An input is a row of decisions. At its end everything that waits is settled, every request that
//! deserved an answer must have had exactly one, and the Agent must still answer another.

mod house;
mod requests;
mod stage;

use crate::Tally;
use crate::random::{Random, Script};

/// Most bytes of a random input; an action takes about eight.
const BYTES_MAX: usize = 1200;
/// Most actions of one input.
const ACTIONS_MAX: usize = 400;

/// Takes `data` for what happens to an Agent.
pub fn agent(data: &[u8]) -> Tally {
    let mut script = Script::new(data);
    let mut stage = stage::Stage::new(script.random().number());
    let mut actions = 0;
    while !script.is_over() && actions < ACTIONS_MAX {
        stage.act(&mut script);
        actions += 1;
    }
    stage.end()
}

/// The next input.
pub(crate) fn input(random: &mut Random) -> Vec<u8> {
    let length = 40 + random.below(BYTES_MAX);
    random.bytes(length)
}

/// What fuzzing starts from.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let mut random = Random::new(0);
    (0..24).map(|length| random.bytes(length * 25)).collect()
}
