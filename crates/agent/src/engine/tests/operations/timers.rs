//! Device.ScheduleTimer().

use super::*;

const TIMER: &str = "Device.ScheduleTimer()";

fn timer(key: &str, delay: &str) -> Operate {
    operation(TIMER, key, &[("DelaySeconds", delay)])
}

/// Proves: R-OPR.0, TP-469 1.79, TP-469 9.11
#[test]
fn a_timer_ends_when_its_delay_is_over() {
    let mut live = scene();
    let request = begin(&mut live, "a", timer("test79", "30")).unwrap();
    live.wait(seconds(29));
    assert_eq!(live.value("a", &format!("{request}Status")), "Active");
    assert_eq!(completed(&mut live, "a"), []);
    live.wait(seconds(1));
    assert_eq!(
        completed(&mut live, "a"),
        [(TIMER.to_owned(), "test79".to_owned(), Ok(BTreeMap::new()))]
    );
    assert_eq!(requests(&mut live), (0, 0));
}

/// Proves: R-OPR.3
#[test]
fn a_timer_can_be_canceled() {
    let mut live = scene();
    let request = begin(&mut live, "a", timer("k", "30")).unwrap();
    run(&mut live, "a", &format!("{request}Cancel()"));
    assert_eq!(completed(&mut live, "a")[0].2, Err(7023));
    live.wait(seconds(60));
    assert_eq!(completed(&mut live, "a"), []);
}

/// The description of the command demands that it goes on; the time that the restart took counts.
#[test]
fn a_timer_goes_on_after_a_restart() {
    let mut live = scene();
    live.set_clock(Some(1_800_000_000));
    begin(&mut live, "a", timer("k", "100")).unwrap();
    let mut live = live.restart();
    live.connect("a");
    assert_eq!(requests(&mut live), (1, 1));
    live.set_clock(Some(1_800_000_040));
    assert_eq!(
        live.value("a", "Device.LocalAgent.Request.1.Status"),
        "Active"
    );
    live.wait(seconds(59));
    assert_eq!(completed(&mut live, "a"), []);
    live.wait(seconds(2));
    assert_eq!(
        completed(&mut live, "a"),
        [(TIMER.to_owned(), "k".to_owned(), Ok(BTreeMap::new()))]
    );
}

#[test]
fn a_timer_that_ended_while_the_power_was_off_ends_at_the_start() {
    let mut live = scene();
    live.set_clock(Some(1_800_000_000));
    begin(&mut live, "a", timer("k", "100")).unwrap();
    let mut live = live.restart();
    live.connect("a");
    live.set_clock(Some(1_800_900_000));
    assert_eq!(completed(&mut live, "a").len(), 1);
}

/// A timer never ends too early: what the restart took is not known, so the delay begins anew.
#[test]
fn without_the_time_the_delay_begins_anew_after_a_restart() {
    let mut live = scene();
    begin(&mut live, "a", timer("k", "100")).unwrap();
    live.wait(seconds(50));
    let mut live = live.restart();
    live.connect("a");
    live.wait(seconds(99));
    assert_eq!(completed(&mut live, "a"), []);
    live.wait(seconds(1));
    assert_eq!(completed(&mut live, "a").len(), 1);
}

/// When it ends is kept as soon as the time is known.
#[test]
fn a_timer_that_began_before_the_time_was_known_keeps_its_end_then() {
    let mut live = scene();
    begin(&mut live, "a", timer("k", "100")).unwrap();
    live.wait(seconds(50));
    live.set_clock(Some(1_800_000_000));
    let due = live.value("a", "Device.LocalAgent.Request.1.X_USPHERE_Due");
    assert_eq!(due, "2027-01-15T08:00:50Z");
    let mut live = live.restart();
    live.connect("a");
    live.set_clock(Some(1_800_000_020));
    live.wait(seconds(31));
    assert_eq!(completed(&mut live, "a").len(), 1);
}
