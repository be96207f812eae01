//! What goes wrong seldom: owners and the store crossing each other.

use super::scene::{Answer, Asked, Scene, add_room, delete, get, paths, sensors, set};
use crate::model::{ModelInput, OwnerError, Phase, Setting, Sight, Snapshot, SnapshotObject};
use crate::{FaultKind, Transaction};

fn fail(scene: &mut Scene) {
    scene.commits.clear();
    let reason = "full".to_owned();
    scene.tell(ModelInput::CommitFailed { reason });
}

fn rooms(count: usize) -> Scene {
    const NAMES: [&[(&str, &str)]; 3] = [
        &[("Name", "Hall")],
        &[("Name", "Bath")],
        &[("Name", "Attic")],
    ];
    let mut scene = Scene::new();
    for values in &NAMES[..count] {
        scene.run(add_room(values)).unwrap();
    }
    scene
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

/// What is not kept at all waits too, when it was learnt from something that is to be kept.
#[test]
fn a_volatile_change_does_not_tell_of_a_number_that_is_not_kept() {
    let mut scene = rooms(1);
    scene
        .run(|transaction: &mut Transaction<'_>| {
            let lamps = transaction.resolve_text("Device.Room.1.Lamp.", Sight::Everything)?;
            transaction.add(lamps.targets[0].object, lamps.targets[0].node)?;
            Ok(vec![])
        })
        .unwrap();
    let mut mood = set("Device.Room.1.Lamp.1.Mood", "dim");
    let mut sensor = paths("Device.Sensor.*.");
    let id = scene.submit(move |transaction| {
        mood(transaction)?;
        sensor(transaction)
    });
    scene.give(Ok(sensors(&[("in", "20")])));
    assert_eq!(scene.answer(id), None);
    scene.commit();
    assert_eq!(
        scene.answer(id),
        Some(Ok(vec!["Device.Sensor.1.".to_owned()]))
    );
}

/// The place in memory of a row that its owner took away is not used while a journal names it.
#[test]
fn undoing_a_change_of_a_row_that_is_gone_changes_no_other() {
    let mut scene = rooms(1);
    scene.submit(get("Device.Sensor.*.Name"));
    scene.give(Ok(sensors(&[("in", "20")])));
    scene.commit();
    scene.submit(set("Device.Room.1.Name", "Porch"));
    scene.submit(set("Device.Sensor.1.Target", "21"));
    scene.apply(Phase::Check, Ok(()));
    scene.apply(Phase::Apply, Ok(()));
    scene.pass(2);
    scene.submit(paths("Device.Sensor.*."));
    scene.give(Ok(sensors(&[])));
    scene.pass(2);
    scene.submit(paths("Device.Sensor.*."));
    let mut other = sensors(&[("out", "5")]);
    other.objects[0]
        .values
        .push(("Target".into(), "30".to_owned()));
    scene.give(Ok(other));
    fail(&mut scene);
    let (tree, view) = (scene.model.tree(), scene.model.view());
    let sensor = tree.find(view, "Device.Sensor.2.").unwrap();
    let target = view.find("Device.Sensor.{i}.Target").unwrap();
    assert_eq!(tree.value(view, sensor, target.id), "30");
    assert_eq!(scene.model.tree().len(), 4);
}

/// What was asked for before a change and answered after it does not take the change back.
#[test]
fn an_old_answer_does_not_hide_a_change() {
    let mut scene = rooms(0);
    scene.submit(get("Device.Bridge.Speed"));
    scene.give(Ok(bridge("10")));
    let writer = scene.submit(set("Device.Bridge.Speed", "100"));
    scene.apply(Phase::Check, Ok(()));
    let Asked::Apply(ticket, ..) = scene.asked.remove(0) else {
        panic!()
    };
    scene.pass(2);
    scene.submit(get("Device.Bridge.Speed"));
    // The owner read its speed first, and answers last.
    scene.tell(ModelInput::Applied {
        ticket,
        results: vec![Ok(())],
    });
    assert_eq!(scene.answer(writer), Some(Ok(vec![])));
    scene.give(Ok(bridge("10")));
    let reader = scene.submit(get("Device.Bridge.Speed"));
    assert_eq!(scene.asked.len(), 0, "that question came after the change");
    assert!(scene.answer(reader).is_some());

    let writer = scene.submit(set("Device.Bridge.Speed", "100"));
    scene.pass(2);
    scene.submit(get("Device.Bridge.Speed"));
    scene.apply(Phase::Check, Ok(()));
    let fetch = scene.asked.remove(0);
    scene.apply(Phase::Apply, Ok(()));
    assert_eq!(scene.answer(writer), Some(Ok(vec![])));
    scene.asked.insert(0, fetch);
    scene.give(Ok(bridge("10")));
    let reader = scene.submit(get("Device.Bridge.Speed"));
    assert_eq!(scene.answer(reader), None, "it is asked again");
    scene.give(Ok(bridge("100")));
    let expected = vec!["Device.Bridge.Speed=100".to_owned()];
    assert_eq!(scene.answer(reader), Some(Ok(expected)));
}

/// A row that its owner gave again while its deletion was not kept exists once.
#[test]
fn taking_back_a_deletion_beside_a_row_given_anew_leaves_one() {
    let mut scene = rooms(1);
    scene.submit(get("Device.Sensor.*.Name"));
    scene.give(Ok(sensors(&[("in", "20")])));
    scene.commit();
    scene.submit(set("Device.Room.1.Name", "Porch"));
    scene.submit(|transaction: &mut Transaction<'_>| -> Answer {
        let row = transaction.find("Device.Sensor.1.").unwrap();
        transaction.delete_row(row)?;
        Ok(vec![])
    });
    scene.apply(Phase::Check, Ok(()));
    scene.apply(Phase::Apply, Ok(()));
    scene.pass(2);
    scene.submit(paths("Device.Sensor.*."));
    scene.give(Ok(sensors(&[("in", "21")])));
    fail(&mut scene);
    scene.asked.clear();
    scene.pass(11);
    let id = scene.submit(get("Device.Sensor.*.Degrees"));
    scene.give(Ok(sensors(&[("in", "22")])));
    let expected = vec!["Device.Sensor.1.Degrees=22".to_owned()];
    assert_eq!(scene.answer(id), Some(Ok(expected)));
    assert_eq!(scene.model.tree().len(), 4);
}

/// A command is sent by a run that has read everything, and once.
#[test]
fn a_command_waits_for_what_the_plan_reads() {
    let mut scene = rooms(0);
    let id = scene.submit(|transaction: &mut Transaction<'_>| {
        let speed = transaction
            .resolve_text("Device.Bridge.Speed", Sight::Everything)?
            .targets[0];
        let speed = transaction.value(speed.object, speed.node)?.to_owned();
        let ping = transaction
            .resolve_text("Device.Bridge.Ping()", Sight::Everything)?
            .targets[0];
        let arguments = [("Speed".to_owned(), speed)];
        transaction.operate(ping.object, ping.node, arguments.clone().into())?;
        transaction.operate(ping.object, ping.node, arguments.into())?;
        Ok(vec![])
    });
    assert!(
        matches!(&scene.asked[..], [Asked::Fetch(..)]),
        "{:?}",
        scene.asked
    );
    scene.give(Ok(bridge("10")));
    assert!(
        matches!(&scene.asked[..], [Asked::Operate(..)]),
        "{:?}",
        scene.asked
    );
    let Asked::Operate(ticket, _) = scene.asked.remove(0) else {
        panic!()
    };
    let result = Ok(Default::default());
    scene.tell(ModelInput::Operated { ticket, result });
    assert_eq!(scene.answer(id), Some(Ok(vec![])));
}

#[test]
fn what_could_not_be_undone_is_told() {
    let mut scene = rooms(1);
    let mut speed = set("Device.Bridge.Speed", "100");
    let mut name = set("Device.Room.1.Name", "Porch");
    scene.submit(move |transaction| speed(transaction).and_then(|_| name(transaction)));
    scene.give(Ok(bridge("10")));
    scene.apply(Phase::Check, Ok(()));
    scene.apply(Phase::Apply, Ok(()));
    fail(&mut scene);
    scene.apply(Phase::Undo, Err(OwnerError::failed("stuck")));
    assert_eq!(
        scene.troubles,
        ["switch: Device.Bridge.Speed is not undone: stuck"]
    );
    scene.submit(get("Device.Bridge.Speed"));
    assert_eq!(scene.asked.len(), 1, "nobody knows the speed now");
}

/// Proves: R-KEY.1
#[test]
fn what_is_written_once_never_changes() {
    let mut scene = Scene::new();
    scene
        .run(add_room(&[("Name", "Hall"), ("Alias", "mine")]))
        .unwrap();
    for path in ["Device.Room.1.Alias", "Device.Room.*.Alias"] {
        let kind = scene.run(set(path, "other")).unwrap_err().kind;
        assert_eq!(kind, FaultKind::NotWritable);
    }
    assert_eq!(
        scene.run(get("Device.Room.1.Alias")).unwrap(),
        ["Device.Room.1.Alias=mine"]
    );
}

#[test]
fn two_rooms_without_a_name_are_one_too_many() {
    let mut scene = Scene::new();
    scene.run(add_room(&[])).unwrap();
    let again = scene.run(add_room(&[])).unwrap_err();
    assert_eq!(again.kind, FaultKind::UniqueKeyConflict);
    // An Alias that is given as empty was not given.
    scene
        .run(add_room(&[("Name", "Hall"), ("Alias", "")]))
        .unwrap();
    assert_eq!(
        scene.run(get("Device.Room.2.Alias")).unwrap(),
        ["Device.Room.2.Alias=cpe-2"]
    );
}

/// A reference is no way to find out what else is where. (R-ARC.11)
#[test]
fn a_reference_is_addressed_by_unique_keys_alone() {
    let mut scene = rooms(2);
    for target in [
        "Device.Room.[Size==0].",
        "Device.Room.[Name!=\"Hall\"].",
        "Device.Room.*.",
        "Device.Room.1.Next+.",
        "Device.Room.{i}.",
    ] {
        let fault = scene.run(set("Device.Room.1.Next", target)).unwrap_err();
        assert_eq!(fault.kind, FaultKind::ReferenceInvalid, "{target}");
    }
    scene
        .run(set("Device.Room.1.Next", "Device.Room.[Name==\"Bath\"]."))
        .unwrap();
}

/// A list of references to itself, followed again and again, is bounded in what it costs.
#[test]
fn following_in_circles_ends() {
    let mut scene = rooms(3);
    let all = "Device.Room.1,Device.Room.2,Device.Room.3";
    scene.run(set("Device.Room.*.Doors", all)).unwrap();
    let path: &'static str = format!("Device.Room.1.{}", "Doors#*+.".repeat(50)).leak();
    assert_eq!(scene.run(paths(path)).unwrap().len(), 3);
    let path: &'static str =
        format!("Device.Room.[{}Name==\"Attic\"].", "Doors#*+.".repeat(50)).leak();
    assert_eq!(scene.run(paths(path)).unwrap().len(), 3);
}

#[test]
fn a_wildcard_behind_a_wildcard_is_bounded() {
    let mut scene = rooms(3);
    let fill = |transaction: &mut Transaction<'_>| {
        for room in 1..=3 {
            let path = format!("Device.Room.{room}.Lamp.");
            let table = transaction.resolve_text(&path, Sight::Everything)?.targets[0];
            for _ in 0..crate::limits::ROWS_MAX {
                transaction.add(table.object, table.node)?;
            }
            let full = transaction.add(table.object, table.node).unwrap_err();
            assert_eq!(full.kind, FaultKind::ResourcesExceeded);
        }
        Ok(vec![])
    };
    scene.run(fill).unwrap();
    // 30,000 lamps are looked at each time.
    let greedy = |transaction: &mut Transaction<'_>| {
        for _ in 0..100 {
            transaction.resolve_text("Device.Room.*.Lamp.*.On", Sight::Everything)?;
        }
        Ok(vec![])
    };
    let fault = scene.run(greedy).unwrap_err();
    assert_eq!(fault.kind, FaultKind::ResourcesExceeded);
    assert_eq!(
        scene.run(paths("Device.Room.*.Lamp.*.")).unwrap().len(),
        30_000
    );
}

/// Owners' rows that come and go are not remembered for ever, and their numbers not used again.
#[test]
fn rows_that_are_gone_are_forgotten_in_the_end() {
    let mut scene = Scene::new();
    let mut seen = 0;
    for _ in 0..6 {
        let names: Vec<String> = (seen..seen + 1_000).map(|at| format!("key{at}")).collect();
        let rows: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "1")).collect();
        scene.submit(paths("Device.Sensor.*."));
        scene.give(Ok(sensors(&rows)));
        scene.commit();
        scene.pass(2);
        seen += 1_000;
    }
    let kept = scene
        .store
        .keys()
        .filter(|key| key.contains("#key"))
        .count();
    assert!(kept <= 1_000 + crate::limits::NUMBERS_ABSENT_MAX, "{kept}");
    let mut scene = scene.restarted();
    let id = scene.submit(paths("Device.Sensor.*."));
    scene.give(Ok(sensors(&[("key0", "1"), ("key5999", "1")])));
    scene.commit();
    let expected = ["Device.Sensor.6000.", "Device.Sensor.6001."];
    assert_eq!(scene.answer(id).unwrap().unwrap(), expected);
}

/// What the store has and the model has no place for is named, and the rest is loaded.
#[test]
fn entries_without_a_place_are_reported() {
    use crate::Entry;
    let bad = [
        ("Device.Attic.1.", ""),
        ("Device.Room.+2.", ""),
        ("Device.Room.0.", ""),
        ("Device.Room.1.Colour", "red"),
        ("Device.Room.1.Floor", "high"),
        ("Device.Room.1.LampNumberOfEntries", "7"),
        ("Device.Room.1.Lamp.9.On", "true"),
        ("Device.Room.#key", "4"),
        ("Device.Sensor.1.", ""),
        ("Device.Sensor.1.Name", "x"),
        ("Device.Bridge.Speed", "1"),
        ("Device.Sensor.#twice", "3"),
        ("Device.Nowhere.#", "3"),
        ("nonsense", ""),
        ("", ""),
    ];
    let good = [
        ("Device.Room.1.", ""),
        ("Device.Room.1.Floor", "+05"),
        ("Device.Room.1.Lamp.2.", ""),
        ("Device.Sensor.#one", "3"),
    ];
    let entries = bad.iter().chain(&good);
    let entries = entries
        .map(|(key, value)| Entry::put(*key, *value))
        .collect();
    let (model, problems) = crate::Model::<Answer>::new(super::scene::view(), entries);
    let mut named: Vec<&str> = problems.iter().map(|problem| &*problem.key).collect();
    let mut expected: Vec<&str> = bad.iter().map(|(key, _)| *key).collect();
    named.sort();
    expected.sort();
    assert_eq!(named, expected, "{problems:?}");
    let room = model.tree().find(model.view(), "Device.Room.1.").unwrap();
    let floor = model.view().find("Device.Room.{i}.Floor").unwrap();
    assert_eq!(model.tree().value(model.view(), room, floor.id), "5");
    assert!(
        model
            .tree()
            .find(model.view(), "Device.Room.1.Lamp.2.")
            .is_some()
    );
}

#[test]
fn a_row_is_deleted_once() {
    let mut scene = rooms(2);
    let twice = |transaction: &mut Transaction<'_>| -> Answer {
        let row = transaction.find("Device.Room.1.").unwrap();
        transaction.delete(row)?;
        assert_eq!(
            transaction.delete(row).unwrap_err().kind,
            FaultKind::NotInstantiated
        );
        // Whoever holds on to what is gone leaves nothing in the store.
        let name = transaction.parameter(row, "Name").unwrap();
        let _ = transaction.set(row, name, "Ghost", Setting::Update);
        Ok(vec![])
    };
    scene.run(twice).unwrap();
    assert!(
        scene
            .store
            .keys()
            .all(|key| !key.starts_with("Device.Room.1."))
    );
    let again = scene.run(delete("Device.Room.1.")).unwrap_err();
    assert_eq!(again.kind, FaultKind::NotInstantiated);
}
