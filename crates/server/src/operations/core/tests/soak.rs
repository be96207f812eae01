//! Chance against the rules: a device that comes and goes, a store that fails, a server that is killed.
//!
//! The rules are looked at from outside: what the device was asked, and what is durable. `USPHERE_SEED` plays the same chance
//! again.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::*;

const ROUNDS: u32 = 300;
const STEPS: u32 = 120;

#[test]
fn whatever_happens_nothing_is_lost_done_twice_or_out_of_order() {
    let given = std::env::var("USPHERE_SEED").ok();
    let given = given.map(|seed| seed.parse().expect("USPHERE_SEED is a number"));
    let seed: u64 = given.unwrap_or_else(rand::random);
    println!("USPHERE_SEED={seed}");
    for round in 0..ROUNDS {
        let mut random = StdRng::seed_from_u64(seed ^ u64::from(round));
        play(&mut random);
    }
}

fn play(random: &mut StdRng) {
    let mut scene = Scene::new(random.random());
    let mut kinds = BTreeMap::new();
    // Asked and not answered, by the life of the server in which that was.
    let mut open: Vec<Number> = Vec::new();
    let mut seen = 0;
    for _ in 0..STEPS {
        match random.random_range(0..10) {
            0..3 => {
                let (request, repeats) = match random.random_range(0..3) {
                    0 => (get(), true),
                    1 => (set(), false),
                    _ => (operate("key"), false),
                };
                let is_awaited = scene.is_online && random.random();
                let number = scene.submit(request, is_awaited);
                kinds.insert(number, (repeats, is_awaited));
            }
            3..6 => drop(scene.write_one()),
            6 if !open.is_empty() => {
                let number = open.swap_remove(random.random_range(0..open.len()));
                let lost = [OperationError::Disconnected, OperationError::TimedOut];
                let answer = match random.random_range(0..4) {
                    0 => Err(lost[random.random_range(0..2)].clone()),
                    1 => Ok(started(&["Device.Go()"])),
                    _ => Ok(outcome()),
                };
                scene.answer(number, answer);
            }
            7 => {
                scene.is_online = !scene.is_online;
                if scene.is_online {
                    scene.handle(Input::Online(DEVICE.into()));
                } else {
                    for number in open.drain(..) {
                        scene.answer(number, Err(OperationError::Disconnected));
                    }
                }
            }
            8 if random.random_ratio(1, 4) => scene.fail_writes(),
            8 => scene.handle(command_end("Device.Go()", "key")),
            _ if random.random_ratio(1, 4) => {
                scene.kill();
                open.clear();
            }
            _ => {
                let later = scene.now + random.random_range(1..2000);
                scene.sleep_until(later);
            }
        }
        // What is asked twice is what may be.
        for number in scene.sent[seen..].iter().copied() {
            let times = scene.sent.iter().filter(|sent| **sent == number).count();
            let (repeats, is_awaited) = kinds[&number];
            assert!(times == 1 || (repeats && !is_awaited), "{number}");
            open.push(number);
        }
        seen = scene.sent.len();
        in_order(&scene.sent);
    }
    settle(&mut scene, &mut open, seen);
}

/// Whoever was first is asked first: a first request never comes after that of a later one.
fn in_order(sent: &[Number]) {
    let mut firsts: Vec<Number> = Vec::new();
    for number in sent {
        if !firsts.contains(number) {
            firsts.push(*number);
        }
    }
    assert!(firsts.is_sorted(), "{firsts:?}");
}

/// In the end the device is there and answers all: every Operation that was acknowledged ends, and nothing is left.
fn settle(scene: &mut Scene, open: &mut Vec<Number>, mut seen: usize) {
    scene.write_all();
    scene.arrive();
    while scene.core.deadline().is_some() || !open.is_empty() || seen < scene.sent.len() {
        open.extend(scene.sent[seen..].iter().copied());
        seen = scene.sent.len();
        match open.pop() {
            Some(number) => scene.done(number),
            None => scene.sleep_until(scene.core.deadline().unwrap_or(scene.now)),
        }
        scene.write_all();
    }
    for number in &scene.accepted {
        let row = &scene.rows[&number.0];
        assert!(row.state.is_some_and(OperationState::is_end), "{row:?}");
    }
    assert!(scene.core.live.is_empty() && scene.core.lanes.is_empty());
    assert_eq!(scene.core.bytes, 0);
}
