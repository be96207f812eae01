//! Periodic!.

use super::*;

const CONTROLLER_1: &str = "Device.LocalAgent.Controller.1.";

/// When Periodic! came to `a` within the next `within` seconds, in seconds from now.
fn periodic(live: &mut LiveAgent, within: u64) -> Vec<u64> {
    let mut came = Vec::new();
    for second in 1..=within {
        live.wait(seconds(1));
        for (event, arguments) in events(live, "a") {
            assert_eq!(event, "Device.LocalAgent.Periodic!");
            assert_eq!(arguments, BTreeMap::new());
            came.push(second);
        }
    }
    came
}

fn wanting(interval: &str, time: &str) -> LiveAgent {
    let mut live = scene();
    subscribe(&mut live, "a", "Event", "Device.LocalAgent.Periodic!");
    subscribe(&mut live, "b", "Event", "Device.LocalAgent.Periodic!");
    let values = [
        ("PeriodicNotifInterval", interval),
        ("PeriodicNotifTime", time),
    ];
    live.response("a", set(CONTROLLER_1, &values));
    live
}

/// Proves: TP-469 1.59
#[test]
fn periodic_events_come_in_the_phase_that_was_asked_for() {
    let mut live = scene();
    // 2027-01-15T08:00:17Z
    live.set_clock(Some(1_800_000_017));
    subscribe(&mut live, "a", "Event", "Device.LocalAgent.Periodic!");
    let values = [
        ("PeriodicNotifInterval", "60"),
        ("PeriodicNotifTime", "2019-01-01T00:00:00Z"),
    ];
    live.response("a", set(CONTROLLER_1, &values));
    assert_eq!(periodic(&mut live, 200), [43, 103, 163]);
    // A reference in the future gives the same phase.
    live.response(
        "a",
        set(
            CONTROLLER_1,
            &[("PeriodicNotifTime", "2099-01-01T00:00:30Z")],
        ),
    );
    // It is 08:03:37 now.
    assert_eq!(periodic(&mut live, 120), [53, 113]);
}

#[test]
fn each_controller_has_its_own_period() {
    let mut live = wanting("60", "0001-01-01T00:00:00Z");
    assert_eq!(periodic(&mut live, 130), [60, 120]);
    assert_eq!(events(&mut live, "b"), [], "it asked for none within a day");
    live.wait(seconds(86_400));
    assert_eq!(events(&mut live, "b").len(), 1);
}

/// Without the time the interval alone counts; when the clock becomes right, the phase does.
#[test]
fn an_unknown_time_is_as_no_time() {
    let mut live = wanting("60", "2019-01-01T00:00:00Z");
    assert_eq!(periodic(&mut live, 125), [60, 120]);
    live.set_clock(Some(1_800_000_050));
    assert_eq!(periodic(&mut live, 80), [10, 70]);
    live.set_clock(None);
    assert_eq!(periodic(&mut live, 60), [50], "60 seconds after the last");
}

/// A clock that is corrected by a little neither doubles an event nor loses one.
#[test]
fn a_clock_that_is_corrected_doubles_nothing() {
    let mut live = wanting("60", "2019-01-01T00:00:00Z");
    live.set_clock(Some(1_800_000_000));
    assert_eq!(periodic(&mut live, 60), [60]);
    live.set_clock(Some(1_800_000_059));
    assert_eq!(periodic(&mut live, 61), [61]);
}

#[test]
fn an_interval_of_nothing_is_refused() {
    let mut live = scene();
    live.error("a", set(CONTROLLER_1, &[("PeriodicNotifInterval", "0")]));
}
