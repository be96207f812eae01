//! How long Subscriptions live, across restarts and without a clock.

use super::*;
use crate::Input;

/// 2026-01-01T00:00:00Z
const NEW_YEAR: i64 = 1_767_225_600;

/// Tells the Agent the wall clock, `seconds` after the new year.
fn clock(live: &mut LiveAgent, seconds: i64) {
    live.tell(Input::Clock {
        unix_micros: (NEW_YEAR + seconds) * 1_000_000,
        reliable: true,
    });
}

fn exists(live: &mut LiveAgent, row: &str) -> bool {
    let rows = live.values("a", SUBSCRIPTIONS);
    rows.keys().any(|path| path.starts_with(row))
}

/// A Subscription goes when its TimeToLive is over, and whoever subscribed to that is told.
///
/// Proves: R-NOT.0, TP-469 1.55
#[test]
fn a_subscription_ends_with_its_time_to_live() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let row = subscribe_to_code(&mut live, "a", &[("ID", "notify55"), ("TimeToLive", "20")]);
    let kind = ("NotifType", "ObjectDeletion");
    subscribe(
        &mut live,
        "a",
        &[("ID", "gone"), kind, ("ReferenceList", SUBSCRIPTIONS)],
    );
    provision(&mut live, "a", "TestValue55");
    assert_eq!(notified(&mut live, "a").len(), 1);
    live.wait(Duration::from_millis(19_990));
    assert!(exists(&mut live, &row));
    assert_eq!(live.value("a", &format!("{row}TimeToLive")), "20");
    live.wait(Duration::from_millis(20));
    assert!(!exists(&mut live, &row));
    assert_eq!(told(&mut live, "a"), [format!("gone: -{row}")]);
    provision(&mut live, "a", "TestValue55-2");
    assert_eq!(notified(&mut live, "a"), []);
}

/// The time counts from the creation, whenever it is set.
///
/// Proves: R-NOT.0
#[test]
fn a_new_time_to_live_counts_from_the_creation() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let row = subscribe_to_code(&mut live, "a", &[("TimeToLive", "20")]);
    live.wait(seconds(10));
    live.response("a", set(&row, &[("TimeToLive", "100")]));
    live.wait(seconds(89));
    assert!(exists(&mut live, &row));
    live.wait(seconds(2));
    assert!(!exists(&mut live, &row));
    let row = subscribe_to_code(&mut live, "a", &[("TimeToLive", "20")]);
    live.response("a", set(&row, &[("TimeToLive", "0")]));
    live.wait(seconds(1_000));
    assert!(exists(&mut live, &row));
}

/// What cannot be removed because nothing can be kept is removed later.
#[test]
fn an_end_that_cannot_be_kept_comes_later() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let row = subscribe_to_code(&mut live, "a", &[("TimeToLive", "20")]);
    live.hold();
    live.wait(seconds(21));
    live.fail("the disk is full");
    live.keep();
    assert!(exists(&mut live, &row));
    live.wait(seconds(61));
    assert!(!exists(&mut live, &row));
}

/// Proves: R-NOT.0
#[test]
fn only_persistent_subscriptions_outlive_a_restart() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let gone = subscribe_to_code(&mut live, "a", &[("ID", "gone")]);
    let kept = subscribe_to_code(&mut live, "a", &[("ID", "kept"), ("Persistent", "true")]);
    let mut live = live.restart();
    live.connect("a");
    assert!(!exists(&mut live, &gone));
    assert!(exists(&mut live, &kept));
    provision(&mut live, "a", "new");
    assert_eq!(told(&mut live, "a"), [format!("kept: {CODE_1}=new")]);
    let next = subscribe_to_code(&mut live, "a", &[]);
    assert_ne!(next, gone, "its number is not used again");
}

/// Across a restart the wall clock tells how old a Subscription is.
///
/// Proves: R-NOT.0
#[test]
fn time_to_live_goes_on_across_a_restart() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    clock(&mut live, 0);
    let values = [("Persistent", "true"), ("TimeToLive", "1000")];
    let row = subscribe_to_code(&mut live, "a", &values);
    let created = live.value("a", &format!("{row}CreationDate"));
    assert_eq!(created, "2026-01-01T00:00:00Z");
    live.wait(seconds(100));
    let mut live = live.restart();
    live.connect("a");
    live.wait(seconds(5));
    clock(&mut live, 600);
    live.wait(seconds(399));
    assert!(exists(&mut live, &row));
    live.wait(seconds(2));
    assert!(!exists(&mut live, &row));
    let row = subscribe_to_code(&mut live, "a", &values);
    let mut live = live.restart();
    live.connect("a");
    clock(&mut live, 100_000);
    live.wait(seconds(0));
    assert!(
        !exists(&mut live, &row),
        "it was over before the restart was"
    );
}

/// An Agent that does not know the time lets a limited Subscription end with its life, however persistent.
///
/// Proves: R-NOT.0
#[test]
fn without_a_clock_a_limited_subscription_ends_at_a_restart() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let values = [
        ("ID", "limited"),
        ("Persistent", "true"),
        ("TimeToLive", "1000"),
    ];
    let limited = subscribe_to_code(&mut live, "a", &values);
    let forever = subscribe_to_code(&mut live, "a", &[("ID", "f"), ("Persistent", "true")]);
    assert_eq!(
        live.value("a", &format!("{limited}CreationDate")),
        "0001-01-01T00:00:00Z"
    );
    let mut live = live.restart();
    live.connect("a");
    assert!(!exists(&mut live, &limited));
    assert!(exists(&mut live, &forever));
}
