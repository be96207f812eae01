//! What is told of changes that owners and requests make, and what is not.

use super::scene::{Answer, Asked, Scene, add_room, delete, get, paths, sensors, set};
use crate::model::{ModelInput, OwnerError, Phase, Setting, Sight, Snapshot, SnapshotObject};
use crate::{FaultKind, Transaction};

/// A scene that knows its sensors, with nothing to be done.
fn with_sensors(rows: &[(&str, &str)]) -> Scene {
    let mut scene = Scene::new();
    scene.refresh("sensor");
    scene.give(Ok(sensors(rows)));
    scene.commit();
    assert_eq!(scene.told(), [""; 0], "the first answer is no news");
    scene
}

fn look(scene: &mut Scene, rows: &[(&str, &str)]) {
    scene.refresh("sensor");
    scene.give(Ok(sensors(rows)));
}

fn disturb(scene: &mut Scene, owner: &str, unit: &str) {
    let (owner, unit) = (owner.to_owned(), unit.to_owned());
    scene.tell(ModelInput::Disturbed { owner, unit });
}

fn fail(scene: &mut Scene) {
    scene.commits.clear();
    let reason = "full".to_owned();
    scene.tell(ModelInput::CommitFailed { reason });
}

fn bridge(speed: &str) -> Snapshot {
    let object = SnapshotObject {
        path: "Device.Bridge.".into(),
        keys: vec![],
        values: vec![("Speed".into(), speed.to_owned())],
    };
    Snapshot {
        objects: vec![object],
    }
}

#[test]
fn what_differs_from_the_last_answer_is_told_and_nothing_else() {
    let mut scene = with_sensors(&[("in", "20"), ("out", "-3")]);
    look(&mut scene, &[("in", "20"), ("out", "-3")]);
    assert_eq!(scene.told(), [""; 0]);
    look(&mut scene, &[("in", "21"), ("out", "-3")]);
    assert_eq!(scene.told(), ["Device.Sensor.1.Degrees: 20 -> 21"]);
    // What is left out has its default.
    let mut less = sensors(&[("in", "21"), ("out", "-3")]);
    less.objects[1].values.clear();
    scene.refresh("sensor");
    scene.give(Ok(less));
    assert_eq!(
        scene.told(),
        [
            "Device.Sensor.2.Name: out -> ",
            "Device.Sensor.2.Degrees: -3 -> 0"
        ]
    );
    assert_eq!(scene.commits, []);
}

#[test]
fn rows_that_come_and_go_are_told_with_what_counts_them() {
    let mut scene = with_sensors(&[("in", "20"), ("out", "-3")]);
    look(&mut scene, &[("out", "-3")]);
    assert_eq!(
        scene.told(),
        ["- Device.Sensor.1.", "Device.SensorNumberOfEntries: 2 -> 1"]
    );
    look(&mut scene, &[("out", "-3"), ("roof", "0")]);
    assert_eq!(
        scene.told(),
        [""; 0],
        "the row's number could be another after a restart"
    );
    scene.commit();
    assert_eq!(
        scene.told(),
        [
            "+ Device.Sensor.3.",
            "Device.Sensor.3.Name:  -> roof",
            "Device.SensorNumberOfEntries: 1 -> 2"
        ]
    );
    // One comes as one goes: there are as many as before.
    look(&mut scene, &[("in", "5"), ("roof", "0")]);
    assert_eq!(
        scene.told(),
        [
            "+ Device.Sensor.1.",
            "Device.Sensor.1.Name:  -> in",
            "Device.Sensor.1.Degrees: 0 -> 5",
            "- Device.Sensor.2."
        ]
    );
}

#[test]
fn a_request_tells_what_counts_its_rows_and_every_row_that_goes() {
    let mut scene = Scene::new();
    scene.run(add_room(&[("Name", "Hall")])).unwrap();
    scene.done.clear();
    let lamps = |transaction: &mut Transaction<'_>| -> Answer {
        let table = transaction.resolve_text("Device.Room.1.Lamp.", Sight::Everything)?;
        let table = table.targets[0];
        let lamp = transaction.add(table.object, table.node)?;
        transaction.add(table.object, table.node)?;
        let on = transaction.parameter(lamp, "On").unwrap();
        transaction.set(lamp, on, "true", Setting::Initial)?;
        Ok(vec![])
    };
    assert_eq!(
        changes(&mut scene, lamps),
        [
            "+ Device.Room.1.Lamp.1.",
            "+ Device.Room.1.Lamp.2.",
            "Device.Room.1.Lamp.1.On: false -> true",
            "Device.Room.1.LampNumberOfEntries: 0 -> 2"
        ]
    );
    assert_eq!(
        changes(&mut scene, delete("Device.Room.1.Lamp.1.")),
        [
            "- Device.Room.1.Lamp.1.",
            "Device.Room.1.LampNumberOfEntries: 2 -> 1"
        ]
    );
    assert_eq!(
        changes(&mut scene, delete("Device.Room.1.")),
        [
            "- Device.Room.1.",
            "- Device.Room.1.Lamp.2.",
            "Device.RoomNumberOfEntries: 1 -> 0"
        ]
    );
}

#[test]
fn what_comes_and_goes_in_one_request_was_never_there() {
    let mut scene = Scene::new();
    scene.run(add_room(&[("Name", "Hall")])).unwrap();
    let in_and_out = |transaction: &mut Transaction<'_>| -> Answer {
        let room = super::scene::try_add_room(transaction, &[("Name", "Shed")])?;
        let room = transaction.find(&room[0]).unwrap();
        let lamps = transaction.member(room, "Lamp").unwrap();
        transaction.add(room, lamps)?;
        transaction.delete(room)?;
        Ok(vec![])
    };
    assert_eq!(changes(&mut scene, in_and_out), [""; 0]);
}

/// Proves: R-ARC.12
#[test]
fn a_row_that_its_owner_takes_away_leaves_no_strong_reference() {
    let mut scene = with_sensors(&[("in", "20"), ("out", "-3")]);
    scene.run(add_room(&[("Name", "Hall")])).unwrap();
    let both = "Device.Sensor.1,Device.Sensor.2";
    scene.run(set("Device.Room.1.Probes", both)).unwrap();
    scene.told();
    look(&mut scene, &[("out", "-3")]);
    assert_eq!(scene.told(), [""; 0], "nothing is told before it is kept");
    let reader = scene.submit(get("Device.Room.1.Probes"));
    assert_eq!(scene.answer(reader), None);
    scene.commit();
    assert_eq!(
        scene.told(),
        [
            "- Device.Sensor.1.",
            "Device.SensorNumberOfEntries: 2 -> 1",
            "Device.Room.1.Probes: Device.Sensor.1,Device.Sensor.2 -> Device.Sensor.2"
        ]
    );
    let mut scene = scene.restarted();
    let expected = ["Device.Room.1.Probes=Device.Sensor.2"];
    assert_eq!(scene.run(get("Device.Room.1.Probes")).unwrap(), expected);
}

#[test]
fn a_reference_that_went_stays_away_when_the_store_fails() {
    let mut scene = with_sensors(&[("in", "20"), ("out", "-3")]);
    scene.run(add_room(&[("Name", "Hall")])).unwrap();
    scene
        .run(set("Device.Room.1.Probes", "Device.Sensor.1"))
        .unwrap();
    scene.told();
    // A request that points elsewhere is taken back after the row that it pointed at has gone.
    let elsewhere = scene.submit(set("Device.Room.1.Probes", "Device.Sensor.2"));
    look(&mut scene, &[("out", "-3")]);
    fail(&mut scene);
    let answer = scene.answer(elsewhere).unwrap();
    assert_eq!(answer.unwrap_err().kind, FaultKind::NotDurable);
    scene.commit();
    assert_eq!(
        scene.told(),
        [
            "- Device.Sensor.1.",
            "Device.SensorNumberOfEntries: 2 -> 1",
            "Device.Room.1.Probes: Device.Sensor.1 -> "
        ]
    );
    let mut scene = scene.restarted();
    let expected = ["Device.Room.1.Probes="];
    assert_eq!(scene.run(get("Device.Room.1.Probes")).unwrap(), expected);
}

#[test]
fn what_could_not_be_kept_of_a_reference_goes_with_the_next_commit() {
    let mut scene = with_sensors(&[("in", "20"), ("out", "-3")]);
    scene.run(add_room(&[("Name", "Hall")])).unwrap();
    scene
        .run(set("Device.Room.1.Probes", "Device.Sensor.1"))
        .unwrap();
    scene.told();
    look(&mut scene, &[("out", "-3")]);
    fail(&mut scene);
    assert_eq!(scene.told().len(), 3, "it is so, kept or not");
    scene.run(set("Device.Room.1.Floor", "3")).unwrap();
    let mut scene = scene.restarted();
    let expected = ["Device.Room.1.Probes="];
    assert_eq!(scene.run(get("Device.Room.1.Probes")).unwrap(), expected);
}

#[test]
fn a_value_that_was_set_again_is_not_overwritten_by_what_was_owed() {
    let mut scene = with_sensors(&[("in", "20"), ("out", "-3")]);
    scene.run(add_room(&[("Name", "Hall")])).unwrap();
    scene
        .run(set("Device.Room.1.Probes", "Device.Sensor.1"))
        .unwrap();
    scene.told();
    look(&mut scene, &[("out", "-3")]);
    fail(&mut scene);
    scene
        .run(set("Device.Room.1.Probes", "Device.Sensor.2"))
        .unwrap();
    scene.run(set("Device.Room.1.Floor", "3")).unwrap();
    let mut scene = scene.restarted();
    let expected = ["Device.Room.1.Probes=Device.Sensor.2"];
    assert_eq!(scene.run(get("Device.Room.1.Probes")).unwrap(), expected);
}

#[test]
fn a_change_by_request_is_told_once_though_the_owner_shows_it_too() {
    let mut scene = with_sensors(&[("in", "20")]);
    scene.refresh("bridge");
    scene.give(Ok(bridge("10")));
    let set_speed = scene.submit(set("Device.Bridge.Speed", "100"));
    scene.apply(Phase::Check, Ok(()));
    scene.apply(Phase::Apply, Ok(()));
    scene.refresh("bridge");
    scene.give(Ok(bridge("100")));
    scene.commit();
    assert!(scene.answer(set_speed).is_some_and(|answer| answer.is_ok()));
    assert_eq!(scene.told(), ["Device.Bridge.Speed: 10 -> 100"]);
}

#[test]
fn what_the_owner_makes_of_a_change_is_told_after_the_change() {
    let mut scene = with_sensors(&[]);
    scene.refresh("bridge");
    scene.give(Ok(bridge("10")));
    scene.run(add_room(&[("Name", "Hall")])).unwrap();
    scene.told();
    let mut speed = set("Device.Bridge.Speed", "100");
    let mut name = set("Device.Room.1.Name", "Porch");
    scene.submit(move |transaction| speed(transaction).and_then(|_| name(transaction)));
    scene.apply(Phase::Check, Ok(()));
    scene.apply(Phase::Apply, Ok(()));
    scene.refresh("bridge");
    scene.give(Ok(bridge("96")));
    assert_eq!(scene.told(), [""; 0]);
    scene.commit();
    assert_eq!(
        scene.told(),
        [
            "Device.Bridge.Speed: 10 -> 100",
            "Device.Room.1.Name: Hall -> Porch",
            "Device.Bridge.Speed: 100 -> 96"
        ]
    );
}

#[test]
fn what_was_undone_is_not_told_as_if_it_had_been_so() {
    let mut scene = with_sensors(&[]);
    scene.refresh("bridge");
    scene.give(Ok(bridge("10")));
    scene.run(add_room(&[("Name", "Hall")])).unwrap();
    scene.told();
    let mut speed = set("Device.Bridge.Speed", "100");
    let mut name = set("Device.Room.1.Name", "Porch");
    scene.submit(move |transaction| speed(transaction).and_then(|_| name(transaction)));
    scene.apply(Phase::Check, Ok(()));
    scene.apply(Phase::Apply, Ok(()));
    scene.refresh("bridge");
    scene.give(Ok(bridge("96")));
    fail(&mut scene);
    scene.apply(Phase::Undo, Ok(()));
    scene.refresh("bridge");
    scene.give(Ok(bridge("10")));
    assert_eq!(scene.told(), [""; 0]);
}

#[test]
fn an_answer_that_a_request_has_overtaken_is_asked_for_again() {
    let mut scene = with_sensors(&[]);
    scene.refresh("bridge");
    scene.give(Ok(bridge("10")));
    let writer = scene.submit(set("Device.Bridge.Speed", "100"));
    scene.refresh("bridge");
    scene.apply(Phase::Check, Ok(()));
    let old = scene.asked.remove(0);
    scene.apply(Phase::Apply, Ok(()));
    assert!(scene.answer(writer).is_some());
    scene.told();
    scene.asked.push(old);
    scene.give(Ok(bridge("10")));
    assert_eq!(scene.told(), [""; 0], "that was before");
    assert_eq!(scene.asked.len(), 1);
    scene.give(Ok(bridge("100")));
    assert_eq!(scene.told(), [""; 0]);
    assert_eq!(scene.asked, []);
}

#[test]
fn a_unit_that_changes_while_it_is_asked_for_is_asked_for_once_more() {
    let mut scene = with_sensors(&[("in", "20")]);
    scene.refresh("sensor");
    scene.refresh("sensor");
    assert_eq!(scene.asked.len(), 1, "it is being asked already");
    disturb(&mut scene, "host", "sensor");
    scene.refresh("sensor");
    scene.refresh("sensor");
    let late = scene.submit(get("Device.Sensor.1.Degrees"));
    assert_eq!(scene.asked.len(), 1, "one at a time");
    scene.give(Ok(sensors(&[("in", "21")])));
    assert_eq!(scene.told(), ["Device.Sensor.1.Degrees: 20 -> 21"]);
    assert_eq!(scene.answer(late), None, "it may be other than that by now");
    assert_eq!(scene.asked.len(), 1);
    scene.give(Ok(sensors(&[("in", "22")])));
    assert_eq!(scene.told(), ["Device.Sensor.1.Degrees: 21 -> 22"]);
    let expected = vec!["Device.Sensor.1.Degrees=22".to_owned()];
    assert_eq!(scene.answer(late), Some(Ok(expected)));
    assert_eq!(scene.asked, []);
    assert!(scene.run(get("Device.Sensor.1.Degrees")).is_ok(), "fresh");
}

#[test]
fn what_was_fresh_is_stale_when_its_owner_says_so() {
    let mut scene = with_sensors(&[("in", "20")]);
    assert!(scene.run(get("Device.Sensor.1.Degrees")).is_ok());
    disturb(&mut scene, "host", "nothing");
    disturb(&mut scene, "nobody", "sensor");
    assert!(scene.run(get("Device.Sensor.1.Degrees")).is_ok());
    disturb(&mut scene, "host", "sensor");
    let reader = scene.submit(get("Device.Sensor.1.Degrees"));
    scene.give(Ok(sensors(&[("in", "21")])));
    let expected = vec!["Device.Sensor.1.Degrees=21".to_owned()];
    assert_eq!(scene.answer(reader), Some(Ok(expected)));
    assert_eq!(scene.told(), ["Device.Sensor.1.Degrees: 20 -> 21"]);
}

#[test]
fn a_failed_answer_tells_what_it_did_change_and_an_error_nothing() {
    let mut scene = with_sensors(&[("in", "20"), ("out", "-3")]);
    scene.refresh("sensor");
    scene.give(Err(OwnerError::failed("gone")));
    assert_eq!(scene.told(), [""; 0]);
    scene.refresh("sensor");
    scene.give(Ok(sensors(&[("in", "21"), ("out", "cold")])));
    assert_eq!(scene.told(), ["Device.Sensor.1.Degrees: 20 -> 21"]);
    let reader = scene.submit(get("Device.Sensor.2.Degrees"));
    assert_eq!(scene.asked.len(), 1, "nobody trusts it");
    scene.give(Ok(sensors(&[("in", "21"), ("out", "-3")])));
    assert!(scene.answer(reader).is_some());
    assert_eq!(scene.told(), [""; 0]);
}

#[test]
fn a_first_answer_that_fails_is_no_baseline() {
    let mut scene = Scene::new();
    scene.refresh("sensor");
    scene.give(Ok(sensors(&[("in", "20"), ("out", "cold")])));
    scene.commit();
    scene.refresh("sensor");
    scene.give(Ok(sensors(&[("in", "20"), ("out", "-3")])));
    scene.commit();
    assert_eq!(scene.told(), [""; 0]);
}

#[test]
fn what_an_owner_changed_first_is_told_first() {
    let mut scene = with_sensors(&[("in", "20")]);
    scene.refresh("bridge");
    scene.give(Ok(bridge("10")));
    // The number of a new row waits for its commit, and with it what is told of other units.
    look(&mut scene, &[("in", "20"), ("out", "-3")]);
    scene.refresh("bridge");
    scene.give(Ok(bridge("20")));
    let plan = scene.submit(set("Device.Bridge.Speed", "30"));
    scene.apply(Phase::Check, Ok(()));
    scene.apply(Phase::Apply, Ok(()));
    assert_eq!(scene.told(), [""; 0]);
    scene.commit();
    let told = scene.told();
    let speeds: Vec<&String> = told.iter().filter(|line| line.contains("Speed")).collect();
    assert_eq!(
        speeds,
        [
            "Device.Bridge.Speed: 10 -> 20",
            "Device.Bridge.Speed: 20 -> 30"
        ]
    );
    assert!(scene.answer(plan).is_some_and(|answer| answer.is_ok()));
}

/// The changes of a plan that is kept at once.
fn changes(
    scene: &mut Scene,
    work: impl FnMut(&mut Transaction<'_>) -> Answer + Send + 'static,
) -> Vec<String> {
    scene.told();
    let id = scene.submit(work);
    scene.commit();
    let told = scene.told();
    assert!(scene.answer(id).is_some_and(|answer| answer.is_ok()));
    assert!(
        !scene
            .asked
            .iter()
            .any(|asked| matches!(asked, Asked::Apply(..)))
    );
    assert!(scene.run(paths("Device.Room.*.")).is_ok());
    told
}
