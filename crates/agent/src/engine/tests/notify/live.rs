//! Live data: asked for when its owner says that it has changed, or from time to time.

use std::collections::BTreeMap;

use usphere_datamodel::Ticket;
use usphere_datamodel::declare::{Numbering, UNSIGNED_INT, Unit, parameter};
use usphere_datamodel::model::{OwnerError, Snapshot, SnapshotObject};

use super::super::delete;
use super::*;
use crate::{Input, Output};

const PORTS: Unit = Unit {
    name: "ports",
    owner: "host",
    max_age: Duration::from_secs(1),
    deadline: Duration::from_secs(5),
    numbering: Numbering::Fresh,
    announced: true,
    poll: Duration::ZERO,
};

const METER: Unit = Unit {
    name: "meter",
    announced: false,
    poll: Duration::from_secs(10),
    ..PORTS
};

const PORT: Object = object("Device.X_Port.{i}.").live(&PORTS).parameters(&[
    parameter("Speed", UNSIGNED_INT),
    parameter("Octets", UNSIGNED_INT).unannounced(),
]);

const METER_OBJECT: Object = object("Device.X_Meter.")
    .live(&METER)
    .parameters(&[parameter("Level", UNSIGNED_INT)]);

fn scene() -> LiveAgent {
    let mut live = Scene::new()
        .controller("a")
        .host(&[&PORT, &METER_OBJECT])
        .agent();
    live.connect("a");
    live
}

/// The units that are asked for, in order.
fn asked(live: &mut LiveAgent) -> Vec<(Ticket, String)> {
    let questions = std::mem::take(&mut live.questions).into_iter();
    questions
        .filter_map(|question| match question {
            Output::Fetch { ticket, unit, .. } => Some((ticket, unit)),
            _ => None,
        })
        .collect()
}

fn object_of(path: &'static str, keys: &[&str], values: &[(&'static str, u32)]) -> SnapshotObject {
    let values = values.iter();
    SnapshotObject {
        path: path.into(),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        values: values
            .map(|(name, value)| ((*name).into(), value.to_string()))
            .collect(),
    }
}

fn answer(live: &mut LiveAgent, ticket: Ticket, objects: Vec<SnapshotObject>) {
    let result = Ok(Snapshot { objects });
    live.tell(Input::Fetched { ticket, result });
}

fn ports(ports: &[(&str, u32, u32)]) -> Vec<SnapshotObject> {
    let ports = ports.iter();
    ports
        .map(|(key, speed, octets)| {
            let values = [("Speed", *speed), ("Octets", *octets)];
            object_of("Device.X_Port.{i}.", &[key], &values)
        })
        .collect()
}

fn disturb(live: &mut LiveAgent, name: &str) {
    live.tell(Input::Disturbed {
        owner: "host".to_owned(),
        unit: name.to_owned(),
    });
}

/// What the kernel announces is told at once; what changes all the time is not told.
///
/// Proves: R-NOT.0a
#[test]
fn a_change_that_its_owner_announces_is_told_at_once() {
    let mut live = scene();
    disturb(&mut live, "ports");
    assert_eq!(asked(&mut live), [], "nobody wants to know");
    for (id, kind) in [
        ("v", "ValueChange"),
        ("c", "ObjectCreation"),
        ("d", "ObjectDeletion"),
    ] {
        let values = [
            ("ID", id),
            ("NotifType", kind),
            ("ReferenceList", "Device.X_Port."),
        ];
        subscribe(&mut live, "a", &values);
    }
    let first = asked(&mut live);
    assert_eq!(
        first.len(),
        1,
        "what it is now is what changes are measured by"
    );
    answer(
        &mut live,
        first[0].0,
        ports(&[("eth0", 100, 1), ("eth1", 100, 1)]),
    );
    assert_eq!(notified(&mut live, "a"), []);
    live.wait(seconds(3_600));
    assert_eq!(
        asked(&mut live),
        [],
        "an owner that announces is not polled"
    );
    disturb(&mut live, "ports");
    let again = asked(&mut live);
    answer(
        &mut live,
        again[0].0,
        ports(&[("eth0", 1000, 2), ("eth2", 10, 0)]),
    );
    assert_eq!(
        told(&mut live, "a"),
        [
            "v: Device.X_Port.1.Speed=1000",
            "c: +Device.X_Port.3.",
            "d: -Device.X_Port.2.",
        ]
    );
}

/// An owner that fails just when it has announced something is asked again, less and less often; nothing is lost,
/// and nobody is asked for nobody.
///
/// Proves: R-NOT.0a
#[test]
fn what_could_not_be_got_is_asked_for_again() {
    let mut live = scene();
    let speed = "Device.X_Port.*.Speed";
    let values = [("NotifType", "ValueChange"), ("ReferenceList", speed)];
    let row = subscribe(&mut live, "a", &values);
    let first = asked(&mut live);
    answer(&mut live, first[0].0, ports(&[("eth0", 100, 0)]));
    let fail = |live: &mut LiveAgent, ticket| {
        let result = Err(OwnerError::failed("not now"));
        live.tell(Input::Fetched { ticket, result });
    };
    for _ in 0..2 {
        live.wait(seconds(1));
        disturb(&mut live, "ports");
        let mut ticket = asked(&mut live)[0].0;
        for wait in [1, 2, 4, 8, 16, 32].into_iter().chain([60; 34]) {
            fail(&mut live, ticket);
            live.wait(seconds(wait) - Duration::from_micros(1));
            assert_eq!(asked(&mut live), []);
            live.wait(Duration::from_micros(1));
            ticket = asked(&mut live)[0].0;
        }
        answer(&mut live, ticket, ports(&[("eth0", 10, 0)]));
        live.wait(seconds(3_600));
        assert_eq!(asked(&mut live), []);
    }
    assert_eq!(told(&mut live, "a"), ["cpe-1: Device.X_Port.1.Speed=10"]);
    disturb(&mut live, "ports");
    let ticket = asked(&mut live)[0].0;
    live.response("a", delete(&row));
    fail(&mut live, ticket);
    live.wait(seconds(3_600));
    assert_eq!(asked(&mut live), []);
}

/// A flood of announcements does not become a flood of questions, and the last one is not lost.
#[test]
fn announcements_in_quick_succession_are_asked_about_together() {
    let mut live = scene();
    let values = [
        ("NotifType", "ValueChange"),
        ("ReferenceList", "Device.X_Port.*.Speed"),
    ];
    subscribe(&mut live, "a", &values);
    let first = asked(&mut live);
    answer(&mut live, first[0].0, ports(&[("eth0", 0, 0)]));
    let mut questions = 0;
    for speed in 1..=1_000 {
        disturb(&mut live, "ports");
        for (ticket, _) in asked(&mut live) {
            questions += 1;
            answer(&mut live, ticket, ports(&[("eth0", speed, 0)]));
        }
        live.wait(Duration::from_millis(1));
    }
    live.wait(Duration::from_millis(20));
    for (ticket, _) in asked(&mut live) {
        questions += 1;
        answer(&mut live, ticket, ports(&[("eth0", 1_000, 0)]));
    }
    assert!((40..=52).contains(&questions), "{questions}");
    let told = told(&mut live, "a");
    assert_eq!(told.last().unwrap(), "cpe-1: Device.X_Port.1.Speed=1000");
}

/// What nobody announces is asked for every so often, while somebody wants to be told, and never else.
#[test]
fn what_is_not_announced_is_polled_while_it_is_watched() {
    let mut live = scene();
    live.wait(seconds(100));
    assert_eq!(asked(&mut live), []);
    let level = "Device.X_Meter.Level";
    let values = [("NotifType", "ValueChange"), ("ReferenceList", level)];
    let row = subscribe(&mut live, "a", &values);
    let mut told_levels = BTreeMap::new();
    for step in 0..6_u32 {
        let questions = asked(&mut live);
        assert_eq!(questions.len(), 1, "step {step}");
        let objects = vec![object_of("Device.X_Meter.", &[], &[("Level", step / 2)])];
        answer(&mut live, questions[0].0, objects);
        for told in told(&mut live, "a") {
            told_levels.insert(step, told);
        }
        live.wait(seconds(10));
    }
    let expected = [
        (2, format!("cpe-1: {level}=1")),
        (4, format!("cpe-1: {level}=2")),
    ];
    assert_eq!(told_levels, BTreeMap::from(expected));
    asked(&mut live);
    live.response("a", delete(&row));
    live.wait(seconds(100));
    assert_eq!(asked(&mut live), []);
}

/// A search over live data takes it as it was told last: no notification waits for an owner.
#[test]
fn judging_asks_no_owner() {
    let mut live = scene();
    let references = "Device.X_Port.[Octets>5].Speed";
    subscribe(
        &mut live,
        "a",
        &[("NotifType", "ValueChange"), ("ReferenceList", references)],
    );
    let first = asked(&mut live);
    answer(
        &mut live,
        first[0].0,
        ports(&[("eth0", 1, 9), ("eth1", 1, 0)]),
    );
    live.wait(seconds(60));
    disturb(&mut live, "ports");
    let again = asked(&mut live);
    answer(
        &mut live,
        again[0].0,
        ports(&[("eth0", 2, 9), ("eth1", 2, 0)]),
    );
    assert_eq!(told(&mut live, "a"), ["cpe-1: Device.X_Port.1.Speed=2"]);
    assert_eq!(asked(&mut live), []);
}

/// What its owner announces is asked for at once, however long the wait is after failures.
#[test]
fn an_announcement_does_not_wait_for_the_next_try() {
    let mut live = scene();
    let values = [
        ("NotifType", "ValueChange"),
        ("ReferenceList", "Device.X_Port.*.Speed"),
    ];
    subscribe(&mut live, "a", &values);
    for wait in [1, 2, 4, 8, 16, 32] {
        let ticket = asked(&mut live)[0].0;
        let result = Err(OwnerError::failed("not now"));
        live.tell(Input::Fetched { ticket, result });
        live.wait(seconds(wait));
    }
    let ticket = asked(&mut live)[0].0;
    let result = Err(OwnerError::failed("not now"));
    live.tell(Input::Fetched { ticket, result });
    live.wait(seconds(2));
    assert_eq!(asked(&mut live), []);
    disturb(&mut live, "ports");
    assert_eq!(asked(&mut live).len(), 1);
}

/// Each unit has its own time.
#[test]
fn one_unit_that_has_changed_is_not_all_of_its_owner() {
    let mut live = scene();
    for path in ["Device.X_Port.", "Device.X_Meter."] {
        let values = [("NotifType", "ValueChange"), ("ReferenceList", path)];
        subscribe(&mut live, "a", &values);
        let first = asked(&mut live);
        answer(&mut live, first[0].0, Vec::new());
    }
    live.wait(seconds(1));
    disturb(&mut live, "ports");
    let units = asked(&mut live).into_iter().map(|(_, unit)| unit);
    assert_eq!(units.collect::<Vec<_>>(), ["ports"]);
    // Also while nothing else happens, the Agent wakes up for what it polls.
    live.wait(seconds(25));
    let polled = asked(&mut live).into_iter();
    assert_eq!(polled.filter(|(_, unit)| unit == "meter").count(), 2);
}

/// Where a reference leads is not known before it is followed: what may be meant is watched, and no more.
#[test]
fn a_reference_to_follow_has_watched_what_it_may_lead_to() {
    let mut live = scene();
    subscribe_to_code(&mut live, "a", &[]);
    let speed = "Device.LocalAgent.Subscription.1.Recipient+.Speed";
    let values = [("NotifType", "ValueChange"), ("ReferenceList", speed)];
    subscribe(&mut live, "a", &values);
    let units = asked(&mut live).into_iter().map(|(_, unit)| unit);
    assert_eq!(units.collect::<Vec<_>>(), ["ports"]);
}
