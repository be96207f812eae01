//! A Notify that is not answered is sent again, by the rules. (R-NOT.1 to R-NOT.4)

use usphere_datamodel::Moment;
use usphere_trust::Channel;

use super::*;
use crate::limits::PENDING_MAX;
use crate::{Input, Notice};

const RETRIED: [(&str, &str); 4] = [
    ("ID", "retried"),
    ("NotifType", "ValueChange"),
    ("ReferenceList", CODE_1),
    ("NotifRetry", "true"),
];

/// Waits for the next Notify, and says how long that took, in tenths of a second.
fn next_after(live: &mut LiveAgent, name: &str) -> Option<u64> {
    for tenths in 1..=60_000 {
        live.wait(Duration::from_millis(100));
        if !notified(live, name).is_empty() {
            return Some(tenths);
        }
    }
    None
}

/// The first retry comes 5 to 10 seconds after the first attempt, the second 10 to 20 after that, with the
/// same message ID; the answer ends it.
///
/// Proves: R-NOT.1, R-NOT.9, TP-469 1.54
#[test]
fn a_notify_is_sent_again_until_it_is_answered() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    subscribe(&mut live, "a", &RETRIED);
    provision(&mut live, "a", "TestValue54");
    let first = notified(&mut live, "a");
    let (msg_id, notify) = &first[0];
    live.wait(Duration::from_millis(4_999));
    assert_eq!(notified(&mut live, "a"), []);
    live.wait(Duration::from_millis(5_002));
    assert_eq!(notified(&mut live, "a"), [(msg_id.clone(), notify.clone())]);
    let second = next_after(&mut live, "a").unwrap();
    assert!((50..=200).contains(&second), "{second}");
    acknowledge(&mut live, "a", msg_id);
    live.wait(seconds(20_000));
    assert_eq!(notified(&mut live, "a"), []);
    acknowledge(&mut live, "a", msg_id);
    let link = live.link("a");
    assert_eq!(
        super::super::ignored(&live, link).len(),
        1,
        "the second answer answers nothing"
    );
}

/// The moments at which the next `count` Notify Messages come.
fn moments(live: &mut LiveAgent, name: &str, count: usize) -> Vec<Moment> {
    let mut moments = Vec::new();
    while moments.len() < count {
        live.now = live
            .now
            .max(live.agent.deadline().expect("it is tried again"));
        live.tell(Input::Tick);
        if !notified(live, name).is_empty() {
            moments.push(live.now);
        }
    }
    moments
}

/// How long the first `count` retries took to come, each, with other random numbers by each seed.
fn waits(seed: u64, count: usize, numbers: &[(&str, &str)]) -> Vec<f64> {
    let mut live = Scene::new().controller("a").seed(seed).agent();
    live.connect("a");
    live.response("a", set(CONTROLLER_1, numbers));
    subscribe(&mut live, "a", &RETRIED);
    provision(&mut live, "a", "x");
    assert_eq!(notified(&mut live, "a").len(), 1);
    let mut before = live.now;
    let moments = moments(&mut live, "a", count).into_iter();
    moments
        .map(|moment| {
            let wait = moment.since(before).as_secs_f64();
            before = moment;
            wait
        })
        .collect()
}

/// Over many seeds, every wait is in its range, and the waits fill their ranges evenly; from the tenth on
/// the range grows no further.
///
/// Proves: R-NOT.1, R-NOT.2
#[test]
fn waits_are_spread_evenly_over_the_ranges_of_the_table() {
    const SEEDS: u64 = 400;
    const BINS: usize = 8;
    for (m, k) in [(5_u32, 2_000_u32), (30, 1_500)] {
        let (minimum, multiplier) = (m.to_string(), k.to_string());
        let numbers = [
            ("USPNotifRetryMinimumWaitInterval", &*minimum),
            ("USPNotifRetryIntervalMultiplier", &*multiplier),
        ];
        let runs: Vec<Vec<f64>> = (0..SEEDS).map(|seed| waits(seed, 13, &numbers)).collect();
        for retry in 0..13 {
            let growth = f64::from(k) / 1_000.0;
            let least = f64::from(m) * growth.powi(retry.min(9));
            let most = least * growth;
            let mut bins = [0_u32; BINS];
            for run in &runs {
                let wait = run[retry as usize];
                // A moment has microseconds.
                assert!(
                    wait >= least - 1e-6 && wait <= most + 1e-6,
                    "retry {}: {wait} is not from {least} to {most}",
                    retry + 1
                );
                let bin = (wait - least) / (most - least) * BINS as f64;
                bins[(bin as usize).min(BINS - 1)] += 1;
            }
            // Chi-squared with 7 degrees of freedom: above 29.9 once in ten thousand times.
            let expected = SEEDS as f64 / BINS as f64;
            let chi: f64 = bins
                .iter()
                .map(|count| (f64::from(*count) - expected).powi(2) / expected)
                .sum();
            assert!(chi < 29.9, "retry {}: {bins:?}", retry + 1);
        }
    }
}

/// Two Notify Messages to one Controller do not wait the same time, nor do those of two Agents.
#[test]
fn no_two_wait_alike() {
    let first = waits(1, 3, &[]);
    assert_ne!(first, waits(2, 3, &[]));
    assert_eq!(first, waits(1, 3, &[]), "one seed gives one run");
}

/// Proves: R-NOT.3
#[test]
fn a_delivery_starts_the_count_anew() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    subscribe(&mut live, "a", &RETRIED);
    provision(&mut live, "a", "1");
    let msg_id = notified(&mut live, "a")[0].0.clone();
    moments(&mut live, "a", 6);
    acknowledge(&mut live, "a", &msg_id);
    provision(&mut live, "a", "2");
    assert_eq!(notified(&mut live, "a").len(), 1);
    let begun = live.now;
    let wait = moments(&mut live, "a", 1)[0].since(begun).as_secs_f64();
    assert!((5.0..=10.0).contains(&wait), "{wait}");
}

/// A restart forgets what waits, and the next Notify begins at the first range.
///
/// Proves: R-NOT.4
#[test]
fn a_restart_forgets_what_waits_and_counts_from_the_start() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let persistent: Vec<_> = RETRIED
        .into_iter()
        .chain([("Persistent", "true")])
        .collect();
    subscribe(&mut live, "a", &persistent);
    provision(&mut live, "a", "1");
    notified(&mut live, "a");
    moments(&mut live, "a", 6);
    let mut live = live.restart();
    live.connect("a");
    live.wait(seconds(20_000));
    assert_eq!(notified(&mut live, "a"), [], "what waited is forgotten");
    provision(&mut live, "a", "2");
    assert_eq!(notified(&mut live, "a").len(), 1);
    let begun = live.now;
    let wait = moments(&mut live, "a", 1)[0].since(begun).as_secs_f64();
    assert!((5.0..=10.0).contains(&wait), "{wait}");
}

/// Retries end when NotifExpiration has passed since the first attempt.
///
/// Proves: R-NOT.2, TP-469 1.56
#[test]
fn retries_end_with_notif_expiration() {
    for seed in 0..50 {
        let mut live = Scene::new().controller("a").seed(seed).agent();
        live.connect("a");
        let expiring: Vec<_> = RETRIED
            .into_iter()
            .chain([("NotifExpiration", "20")])
            .collect();
        subscribe(&mut live, "a", &expiring);
        provision(&mut live, "a", "TestValue56");
        let first = notified(&mut live, "a");
        live.wait(Duration::from_millis(19_999));
        let retries = notified(&mut live, "a");
        assert!((1..=2).contains(&retries.len()), "{}", retries.len());
        assert!(retries.iter().all(|retry| *retry == first[0]));
        live.wait(seconds(100_000));
        assert_eq!(notified(&mut live, "a"), []);
        let given_up = live
            .notices
            .iter()
            .filter(|notice| matches!(notice, Notice::NotDelivered { .. }));
        assert_eq!(given_up.count(), 1);
    }
}

/// A Controller that was not there is told what it missed as soon as it comes, once, and in order.
///
/// Proves: R-NOT.1
#[test]
fn what_found_no_session_goes_out_with_the_next() {
    let mut live = Scene::new().controller("a").controller("b").agent();
    live.connect("b");
    let link = live.connect("a");
    subscribe(&mut live, "a", &RETRIED);
    live.cut(link);
    for value in ["1", "2", "3"] {
        provision(&mut live, "b", value);
        live.wait(seconds(600));
    }
    live.connect("a");
    let missed = notified(&mut live, "a");
    let values = missed.iter().map(|(_, notify)| short(notify));
    assert!(values.eq(["1", "2", "3"].map(|value| format!("retried: {CODE_1}={value}"))));
    for (msg_id, _) in &missed {
        acknowledge(&mut live, "a", msg_id);
    }
    live.wait(seconds(20_000));
    assert_eq!(notified(&mut live, "a"), []);
}

/// A session that breaks does not shorten the wait, and a retry that fell due meanwhile comes with the next.
///
/// Proves: R-NOT.1
#[test]
fn a_broken_session_neither_hastens_nor_loses_a_retry() {
    let mut live = Scene::new().controller("a").agent();
    let link = live.connect("a");
    subscribe(&mut live, "a", &RETRIED);
    provision(&mut live, "a", "1");
    let first = notified(&mut live, "a");
    live.cut(link);
    live.wait(seconds(2));
    let link = live.connect("a");
    assert_eq!(notified(&mut live, "a"), [], "it was sent 2 seconds ago");
    live.cut(link);
    live.wait(seconds(30));
    live.connect("a");
    assert_eq!(notified(&mut live, "a"), first);
}

/// Without NotifRetry there is one attempt, which waits no longer for its session than it takes to make one.
///
/// Proves: R-NOT.0
#[test]
fn without_notif_retry_there_is_one_attempt() {
    let mut live = Scene::new().controller("a").controller("b").agent();
    live.connect("b");
    let link = live.connect("a");
    subscribe_to_code(&mut live, "a", &[]);
    provision(&mut live, "b", "1");
    let only = notified(&mut live, "a");
    assert_eq!((only.len(), only[0].1.send_resp), (1, false));
    live.wait(seconds(20_000));
    assert_eq!(notified(&mut live, "a"), []);
    live.cut(link);
    provision(&mut live, "b", "2");
    live.wait(seconds(599));
    let link = live.connect("a");
    assert_eq!(notified(&mut live, "a").len(), 1);
    live.cut(link);
    provision(&mut live, "b", "3");
    live.wait(seconds(601));
    live.connect("a");
    assert_eq!(notified(&mut live, "a"), []);
}

/// What waits for a Controller that never comes is bounded; the oldest goes, and the log says so.
#[test]
fn what_waits_is_bounded() {
    let mut live = Scene::new().controller("a").controller("b").agent();
    live.connect("b");
    let link = live.connect("a");
    subscribe(&mut live, "a", &RETRIED);
    live.cut(link);
    for value in 0..PENDING_MAX + 5 {
        provision(&mut live, "b", &value.to_string());
    }
    let dropped = live
        .notices
        .iter()
        .filter(|notice| matches!(notice, Notice::NotDelivered { .. }));
    assert_eq!(dropped.count(), 5);
    live.connect("a");
    let missed = notified(&mut live, "a");
    assert_eq!((missed.len(), PENDING_MAX), (8_192, 8_192));
    assert_eq!(short(&missed[0].1), format!("retried: {CODE_1}=5"));
}

/// Large ones are bounded by their bytes: 4 MiB wait for each Controller.
#[test]
fn what_waits_is_bounded_by_its_bytes() {
    let mut live = Scene::new().controller("a").host(&[&EVENTFUL]).agent();
    let link = live.connect("a");
    let values = [
        ("NotifType", "Event"),
        ("ReferenceList", "Device.X_Eventful.Happened!"),
        ("NotifRetry", "true"),
    ];
    subscribe(&mut live, "a", &values);
    live.cut(link);
    for _ in 0..66 {
        live.tell(Input::Event {
            object: "Device.X_Eventful.".to_owned(),
            name: "Happened!".to_owned(),
            parameters: [("Why".to_owned(), "x".repeat(65_000))].into(),
        });
    }
    live.connect("a");
    assert_eq!(notified(&mut live, "a").len(), 64);
}

/// A Controller that answers with an Error has the Notify, and can do nothing with it.
#[test]
fn an_error_ends_the_retries() {
    let mut live = Scene::new().controller("a").agent();
    let link = live.connect("a");
    subscribe(&mut live, "a", &RETRIED);
    provision(&mut live, "a", "1");
    let msg_id = notified(&mut live, "a")[0].0.clone();
    let error = Msg::error(&*msg_id, 7003_u32, "no", Vec::new());
    live.send(link, reply(&id("a"), &error));
    live.wait(seconds(20_000));
    assert_eq!(notified(&mut live, "a"), []);
}

/// Other rules of a Subscription count for what waits of it, too.
///
/// Proves: R-NOT.0
#[test]
fn rules_that_change_count_for_what_waits() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let row = subscribe(&mut live, "a", &RETRIED);
    provision(&mut live, "a", "1");
    notified(&mut live, "a");
    live.response("a", set(&row, &[("NotifExpiration", "12")]));
    live.wait(seconds(11));
    assert_eq!(notified(&mut live, "a").len(), 1);
    live.wait(seconds(20_000));
    assert_eq!(notified(&mut live, "a"), []);
    live.response("a", set(&row, &[("NotifExpiration", "0")]));
    provision(&mut live, "a", "2");
    notified(&mut live, "a");
    live.response("a", set(&row, &[("NotifRetry", "false")]));
    live.wait(seconds(20_000));
    assert_eq!(notified(&mut live, "a"), []);
}

/// What has not gone out yet goes out once, when retries are switched off meanwhile.
///
/// Proves: R-NOT.0
#[test]
fn what_was_not_sent_is_not_sent_again_without_notif_retry() {
    let mut live = Scene::new().controller("a").controller("b").agent();
    live.connect("b");
    let link = live.connect("a");
    let row = subscribe(&mut live, "a", &RETRIED);
    live.cut(link);
    provision(&mut live, "b", "1");
    live.response("b", set(&row, &[("NotifRetry", "false")]));
    live.connect("a");
    assert_eq!(notified(&mut live, "a").len(), 1);
    live.wait(seconds(20_000));
    assert_eq!(notified(&mut live, "a"), []);
}

/// A Controller whose channel anybody can read hears nothing that its own roles let it hear.
///
/// Proves: R-SEC.1
#[test]
fn nothing_is_told_on_a_link_that_is_not_trusted() {
    let mut live = Scene::new().controller("a").controller("b").agent();
    live.connect("b");
    let link = live.connect("a");
    subscribe(&mut live, "a", &RETRIED);
    live.cut(link);
    let open = live.arrive(Some("a"), Channel::PlainInsecure);
    provision(&mut live, "b", "secret");
    assert_eq!(notified_on(&mut live, open), []);
    live.cut(open);
    live.connect("a");
    assert_eq!(told(&mut live, "a"), [format!("retried: {CODE_1}=secret")]);
}
