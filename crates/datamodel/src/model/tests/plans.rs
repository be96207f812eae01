//! When answers come out: after the store has kept what they show.

use super::scene::{Scene, add_room, get, set};
use crate::model::ModelInput;
use crate::{Entry, FaultKind};

#[test]
fn nobody_sees_a_change_before_it_is_kept() {
    let mut scene = Scene::new();
    scene.run(add_room(&[("Name", "Hall")])).unwrap();
    let writer = scene.submit(set("Device.Room.1.Name", "Porch"));
    let reader = scene.submit(get("Device.Room.1.Name"));
    let bystander = scene.submit(get("Device.Bridge.Nothing"));
    assert_eq!(scene.answer(writer), None);
    assert_eq!(scene.answer(reader), None);
    assert!(
        scene.answer(bystander).is_some(),
        "who saw nothing of it does not wait"
    );
    scene.commit();
    assert_eq!(scene.answer(writer), Some(Ok(vec![])));
    assert_eq!(
        scene.answer(reader),
        Some(Ok(vec!["Device.Room.1.Name=Porch".to_owned()]))
    );
}

#[test]
fn a_commit_that_failed_is_undone_and_answered_with_an_error() {
    let mut scene = Scene::new();
    scene.run(add_room(&[("Name", "Hall")])).unwrap();
    let first = scene.submit(set("Device.Room.1.Name", "Porch"));
    let second = scene.submit(add_room(&[("Name", "Bath")]));
    let reader = scene.submit(get("Device.Room.1.Name"));
    let counter = scene.submit(get("Device.RoomNumberOfEntries"));
    scene.commits.clear();
    scene.tell(ModelInput::CommitFailed {
        reason: "the disk is full".to_owned(),
    });
    assert_eq!(
        scene.answer(first).unwrap().unwrap_err().kind,
        FaultKind::NotDurable
    );
    assert_eq!(
        scene.answer(second).unwrap().unwrap_err().kind,
        FaultKind::NotDurable
    );
    assert_eq!(
        scene.answer(reader).unwrap().unwrap(),
        ["Device.Room.1.Name=Hall"]
    );
    assert_eq!(
        scene.answer(counter).unwrap().unwrap(),
        ["Device.RoomNumberOfEntries=1"]
    );
    scene.run(set("Device.Room.1.Name", "Porch")).unwrap();
    assert_eq!(
        scene.run(get("Device.Room.1.Name")).unwrap(),
        ["Device.Room.1.Name=Porch"]
    );
}

#[test]
fn plans_that_wait_together_are_confirmed_together() {
    let mut scene = Scene::new();
    let first = scene.submit(add_room(&[("Name", "Hall")]));
    let second = scene.submit(add_room(&[("Name", "Bath")]));
    let last = scene.commits.last().map(|(sequence, _)| *sequence).unwrap();
    scene.tell(ModelInput::Committed { sequence: last });
    assert!(scene.answer(first).unwrap().is_ok());
    assert!(scene.answer(second).unwrap().is_ok());
}

#[test]
fn a_commit_has_exactly_what_changed() {
    let mut scene = Scene::new();
    scene
        .run(add_room(&[("Name", "Hall"), ("Floor", "2")]))
        .unwrap();
    scene.submit(set("Device.Room.1.Name", "Porch"));
    assert_eq!(
        scene.commits[0].1,
        [Entry::put("Device.Room.1.Name", "Porch")]
    );
}

#[test]
fn a_room_that_came_and_went_in_unconfirmed_plans_leaves_nothing() {
    let mut scene = Scene::new();
    scene.submit(add_room(&[("Name", "Hall")]));
    scene.submit(super::scene::delete("Device.Room.1."));
    scene.commit();
    assert_eq!(scene.store.keys().collect::<Vec<_>>(), ["Device.Room.#"]);
    assert_eq!(scene.model.waiting(), 0);
}
