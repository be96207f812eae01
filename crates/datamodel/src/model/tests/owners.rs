//! Owners that answer, answer late, never, wrongly, or with an error.

use super::scene::{Asked, Scene, get, paths, sensors, set};
use crate::FaultKind;
use crate::model::{ModelInput, OwnedChange, OwnerError, Phase, Sight, Snapshot, SnapshotObject};

#[test]
fn what_is_stale_is_fetched_once_and_then_used_while_it_is_fresh() {
    let mut scene = Scene::new();
    let first = scene.submit(get("Device.Sensor.*.Degrees"));
    let second = scene.submit(get("Device.SensorNumberOfEntries"));
    assert_eq!(scene.asked.len(), 1, "one question serves both");
    scene.give(Ok(sensors(&[("in", "20"), ("out", "-3")])));
    assert_eq!(
        scene.answer(first),
        None,
        "the numbers of the rows are promised only when they are kept"
    );
    scene.commit();
    let expected = ["Device.Sensor.1.Degrees=20", "Device.Sensor.2.Degrees=-3"];
    assert_eq!(scene.answer(first).unwrap().unwrap(), expected);
    assert_eq!(
        scene.answer(second).unwrap().unwrap(),
        ["Device.SensorNumberOfEntries=2"]
    );
    assert_eq!(
        scene.run(get("Device.Sensor.2.Name")).unwrap(),
        ["Device.Sensor.2.Name=out"]
    );
    scene.pass(2);
    scene.submit(get("Device.Sensor.2.Name"));
    assert_eq!(scene.asked.len(), 1, "two seconds later it is stale");
}

#[test]
fn an_owners_rows_keep_their_numbers_across_absence_and_restart() {
    let mut scene = Scene::new();
    scene.submit(paths("Device.Sensor.*."));
    scene.give(Ok(sensors(&[("in", "20"), ("out", "-3")])));
    scene.commit();
    scene.pass(2);
    let id = scene.submit(paths("Device.Sensor.*."));
    scene.give(Ok(sensors(&[("out", "-4")])));
    assert_eq!(scene.answer(id).unwrap().unwrap(), ["Device.Sensor.2."]);
    let mut scene = scene.restarted();
    let id = scene.submit(paths("Device.Sensor.*."));
    scene.give(Ok(sensors(&[("roof", "1"), ("out", "-4"), ("in", "20")])));
    scene.commit();
    assert_eq!(
        scene.answer(id).unwrap().unwrap(),
        ["Device.Sensor.1.", "Device.Sensor.2.", "Device.Sensor.3."]
    );
    assert_eq!(
        scene.run(get("Device.Sensor.1.Name")).unwrap(),
        ["Device.Sensor.1.Name=in"]
    );
    assert_eq!(
        scene.run(get("Device.Sensor.3.Name")).unwrap(),
        ["Device.Sensor.3.Name=roof"]
    );
}

#[test]
fn an_owner_that_fails_or_is_silent_fails_what_is_asked_of_it_alone() {
    let mut scene = Scene::new();
    let failed = scene.submit(get("Device.Bridge.Speed"));
    let bystander = scene.submit(get("Device.RoomNumberOfEntries"));
    assert!(scene.answer(bystander).unwrap().is_ok());
    scene.give(Err(OwnerError::failed("no such switch")));
    let fault = scene.answer(failed).unwrap().unwrap_err();
    assert_eq!(
        (fault.kind, &*fault.path),
        (FaultKind::OwnerFailed, "Device.Bridge.Speed")
    );

    let silent = scene.submit(get("Device.Bridge.Speed"));
    let Asked::Fetch(late, _) = scene.asked[0].clone() else {
        panic!()
    };
    scene.pass(6);
    assert_eq!(
        scene.answer(silent).unwrap().unwrap_err().kind,
        FaultKind::OwnerSilent
    );
    assert_eq!(scene.troubles, ["switch: no answer to a fetch"]);
    scene.tell(ModelInput::Fetched {
        ticket: late,
        result: Ok(bridge("5")),
    });
    scene.asked.clear();
    scene.submit(get("Device.Bridge.Speed"));
    assert_eq!(scene.asked.len(), 1, "a late answer is nobody's");
}

#[test]
fn a_partial_path_leaves_out_what_a_failed_owner_has() {
    let mut scene = Scene::new();
    let id = scene.submit(get("Device."));
    assert_eq!(scene.asked.len(), 2);
    scene.give(Ok(sensors(&[("in", "20")])));
    scene.give(Err(OwnerError::failed("no such switch")));
    scene.commit();
    let lines = scene.answer(id).unwrap().unwrap();
    assert!(lines.contains(&"Device.Sensor.1.Degrees=20".to_owned()));
    assert!(!lines.iter().any(|line| line.contains("Bridge.Speed")));
}

#[test]
fn an_owner_that_talks_nonsense_has_failed() {
    for (path, name, value) in [
        ("Device.Nowhere.", "Speed", "1"),
        ("Device.Bridge.", "Colour", "1"),
        ("Device.Bridge.", "Speed", "fast"),
        ("Device.Room.{i}.", "Name", "Stolen"),
    ] {
        let mut scene = Scene::new();
        let id = scene.submit(get("Device.Bridge.Speed"));
        let object = SnapshotObject {
            path: path.into(),
            keys: vec!["key".to_owned()],
            values: vec![(name.into(), value.to_owned())],
        };
        scene.give(Ok(Snapshot {
            objects: vec![object],
        }));
        assert_eq!(
            scene.answer(id).unwrap().unwrap_err().kind,
            FaultKind::OwnerFailed,
            "{path}{name}={value}"
        );
        assert_eq!(scene.run(paths("Device.Room.*.")).unwrap(), [""; 0]);
    }
}

#[test]
fn a_change_is_checked_with_all_owners_before_any_applies_it() {
    let mut scene = Scene::new();
    let id = both(&mut scene);
    assert_eq!(
        phases(&scene),
        [("host", Phase::Check), ("switch", Phase::Check)]
    );
    scene.apply(Phase::Check, Ok(()));
    assert_eq!(scene.asked.len(), 1, "the other has not agreed yet");
    scene.apply(Phase::Check, Ok(()));
    assert_eq!(
        phases(&scene),
        [("host", Phase::Apply), ("switch", Phase::Apply)]
    );
    scene.apply(Phase::Apply, Ok(()));
    scene.apply(Phase::Apply, Ok(()));
    scene.commit();
    assert_eq!(scene.answer(id), Some(Ok(vec![])));
    assert_eq!(
        scene.run(get("Device.Bridge.Speed")).unwrap(),
        ["Device.Bridge.Speed=100"]
    );
    assert_eq!(scene.asked, []);
}

#[test]
fn one_refusal_means_nobody_applies() {
    let mut scene = Scene::new();
    let id = both(&mut scene);
    scene.apply(Phase::Check, Ok(()));
    scene.apply(Phase::Check, Err(OwnerError::failed("too fast")));
    assert_eq!(
        scene.answer(id).unwrap().unwrap_err().kind,
        FaultKind::OwnerFailed
    );
    assert_eq!(scene.asked, []);
}

#[test]
fn what_was_applied_is_undone_when_another_owner_fails() {
    let mut scene = Scene::new();
    let id = both(&mut scene);
    scene.apply(Phase::Check, Ok(()));
    scene.apply(Phase::Check, Ok(()));
    scene.apply(Phase::Apply, Ok(()));
    scene.pass(11);
    assert_eq!(
        scene.answer(id).unwrap().unwrap_err().kind,
        FaultKind::OwnerSilent
    );
    let undone = &scene.asked[scene.asked.len() - 2..];
    let Asked::Apply(_, owner, Phase::Undo, changes) = &undone[0] else {
        panic!("{:?}", scene.asked)
    };
    assert_eq!(owner, "host");
    let Asked::Apply(_, silent, Phase::Undo, _) = &undone[1] else {
        panic!("{:?}", scene.asked)
    };
    assert_eq!(silent, "switch", "it may do it yet");
    let OwnedChange::Set {
        path,
        value,
        previous,
    } = &changes[0]
    else {
        panic!()
    };
    assert_eq!(
        (&**path, &**value, &**previous),
        ("Device.Sensor.1.Target", "21", "0")
    );
}

#[test]
fn a_commit_that_fails_undoes_what_owners_applied() {
    let mut scene = Scene::new();
    scene
        .run(super::scene::add_room(&[("Name", "Hall")]))
        .unwrap();
    let mut speed = set("Device.Bridge.Speed", "100");
    let mut name = set("Device.Room.1.Name", "Porch");
    let id = scene.submit(move |transaction| speed(transaction).and_then(|_| name(transaction)));
    scene.give(Ok(bridge("10")));
    scene.apply(Phase::Check, Ok(()));
    scene.apply(Phase::Apply, Ok(()));
    scene.commits.clear();
    scene.tell(ModelInput::CommitFailed {
        reason: "full".to_owned(),
    });
    assert_eq!(
        scene.answer(id).unwrap().unwrap_err().kind,
        FaultKind::NotDurable
    );
    assert_eq!(phases(&scene), [("switch", Phase::Undo)]);
    assert_eq!(
        scene.run(get("Device.Room.1.Name")).unwrap(),
        ["Device.Room.1.Name=Hall"]
    );
}

#[test]
fn a_row_number_that_could_not_be_kept_is_kept_with_the_next_commit() {
    let mut scene = Scene::new();
    let id = scene.submit(paths("Device.Sensor.*."));
    scene.give(Ok(sensors(&[("in", "20")])));
    scene.commits.clear();
    scene.tell(ModelInput::CommitFailed {
        reason: "full".to_owned(),
    });
    assert_eq!(scene.answer(id).unwrap().unwrap(), ["Device.Sensor.1."]);
    scene
        .run(super::scene::add_room(&[("Name", "Hall")]))
        .unwrap();
    assert_eq!(
        scene.store.get("Device.Sensor.#in").map(String::as_str),
        Some("1")
    );
}

#[test]
fn a_command_is_run_once_and_its_output_answers() {
    let mut scene = Scene::new();
    let ping = |transaction: &mut crate::Transaction<'_>| {
        let resolved = transaction.resolve_text("Device.Bridge.Ping()", Sight::Everything)?;
        let target = resolved.targets[0];
        let outputs = transaction.operate(target.object, target.node, Default::default())?;
        Ok(outputs
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect())
    };
    let id = scene.submit(ping);
    let Asked::Operate(ticket, command) = scene.asked.remove(0) else {
        panic!()
    };
    assert_eq!(command, "Device.Bridge.Ping()");
    let outputs = [("Time".to_owned(), "7".to_owned())].into();
    scene.tell(ModelInput::Operated {
        ticket,
        result: Ok(outputs),
    });
    assert_eq!(scene.answer(id).unwrap().unwrap(), ["Time=7"]);
    assert_eq!(scene.asked, []);

    let id = scene.submit(ping);
    scene.pass(11);
    assert_eq!(
        scene.answer(id).unwrap().unwrap_err().kind,
        FaultKind::OwnerSilent
    );
}

/// Sets one parameter of each owner in one plan, all or nothing.
fn both(scene: &mut Scene) -> crate::PlanId {
    scene.submit(get("Device."));
    scene.give(Ok(sensors(&[("in", "20")])));
    scene.give(Ok(bridge("10")));
    scene.commit();
    scene.done.clear();
    let mut target = set("Device.Sensor.1.Target", "21");
    let mut speed = set("Device.Bridge.Speed", "100");
    scene.submit(move |transaction| {
        let before = transaction.savepoint();
        let done = target(transaction).and_then(|_| speed(transaction));
        if done.is_err() {
            transaction.rollback(before);
        }
        done
    })
}

fn bridge(speed: &str) -> Snapshot {
    let values = vec![("Speed".into(), speed.to_owned())];
    Snapshot {
        objects: vec![SnapshotObject {
            path: "Device.Bridge.".into(),
            keys: vec![],
            values,
        }],
    }
}

fn phases(scene: &Scene) -> Vec<(&str, Phase)> {
    let asked = scene.asked.iter().map(|asked| match asked {
        Asked::Apply(_, owner, phase, _) => (owner.as_str(), *phase),
        other => panic!("{other:?}"),
    });
    asked.collect()
}
