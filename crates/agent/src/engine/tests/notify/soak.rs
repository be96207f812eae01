//! A day in the life of an Agent with Controllers that come and go, answer late, twice or never, and
//! subscribe, unsubscribe and restart it meanwhile, watched by an oracle.
//!
//! The oracle knows the rules and nothing of how the engine keeps them. It holds that
//!
//! - whatever a Subscription is about is told, at once where there is a session, and otherwise with the next;
//! - what is to be answered is sent again until it is, each time after a wait in its range, and no more
//!   after its answer, its expiration, the end of its Subscription, or a restart;
//! - what is not to be answered is sent once;
//! - nothing else is ever told, and nothing to a session that does not deserve it.
//!
//! `USPHERE_SOAK_SEEDS` runs more than one day, each with other chances; a failure prints its seed.

mod oracle;
mod world;

use world::World;

/// Proves: R-NOT.0, R-NOT.1, R-NOT.2, R-NOT.3, R-NOT.4, R-NOT.6a
#[test]
fn a_day_passes_without_a_notification_lost_or_doubled() {
    let days = std::env::var("USPHERE_SOAK_SEEDS")
        .ok()
        .and_then(|days| days.parse().ok())
        .unwrap_or(1);
    for seed in 0..days {
        let mut world = World::new(seed);
        world.pass(24 * 60 * 60);
        world.settle();
        let tally = world.finish();
        println!("soak {seed}: {tally:?}");
        assert!(tally.is_worth_something(), "{tally:?}");
    }
}
