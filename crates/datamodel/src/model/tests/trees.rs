//! Resolving, adding, setting and deleting what the Tree owns.

use super::scene::{Answer, Scene, add_room, delete, get, paths, set};
use crate::{FaultKind, Transaction};

fn three_rooms() -> Scene {
    let mut scene = Scene::new();
    scene
        .run(add_room(&[("Name", "Hall"), ("Floor", "0")]))
        .unwrap();
    scene
        .run(add_room(&[("Name", "Bath"), ("Floor", "1")]))
        .unwrap();
    scene
        .run(add_room(&[("Name", "Attic"), ("Floor", "10")]))
        .unwrap();
    scene
}

fn add_lamp(room: &'static str) -> impl FnMut(&mut Transaction<'_>) -> Answer + Send + 'static {
    move |transaction| {
        let room = transaction.find(room).unwrap();
        let table = transaction.member(room, "Lamp").unwrap();
        transaction.add(room, table)?;
        Ok(vec![])
    }
}

/// Proves: R-ARC.9, R-ARC.7
#[test]
fn a_search_finds_every_row_that_fits_and_compares_numbers_as_numbers() {
    let mut scene = three_rooms();
    let found = scene.run(paths("Device.Room.[Floor>=1].")).unwrap();
    assert_eq!(found, ["Device.Room.2.", "Device.Room.3."]);
    assert_eq!(
        scene
            .run(paths("Device.Room.[Floor>1&&Name==\"Attic\"]."))
            .unwrap(),
        ["Device.Room.3."]
    );
    assert_eq!(
        scene.run(paths("Device.Room.[Floor==7].")).unwrap(),
        [""; 0]
    );
    assert_eq!(
        scene
            .run(paths("Device.Room.[Depth==7]."))
            .unwrap_err()
            .kind,
        FaultKind::PathUnsupported
    );
    assert_eq!(
        scene
            .run(paths("Device.Room.[Name>\"A\"]."))
            .unwrap_err()
            .kind,
        FaultKind::PathInvalid
    );
}

/// Proves: R-ARC.10
#[test]
fn a_wildcard_finds_every_row() {
    let mut scene = three_rooms();
    let found = scene.run(get("Device.Room.*.Name")).unwrap();
    assert_eq!(
        found,
        [
            "Device.Room.1.Name=Hall",
            "Device.Room.2.Name=Bath",
            "Device.Room.3.Name=Attic"
        ]
    );
    assert_eq!(scene.run(paths("Device.Room.*.Lamp.*.")).unwrap(), [""; 0]);
}

#[test]
fn what_is_not_there_is_told_from_what_cannot_be_there() {
    let mut scene = three_rooms();
    assert_eq!(
        scene.run(get("Device.Room.9.Name")).unwrap_err().kind,
        FaultKind::NotInstantiated
    );
    assert_eq!(
        scene.run(get("Device.Garden.")).unwrap_err().kind,
        FaultKind::PathUnsupported
    );
    assert_eq!(
        scene.run(get("Device.Room.*.Colour")).unwrap_err().kind,
        FaultKind::PathUnsupported
    );
    assert_eq!(
        scene.run(get("Device..")).unwrap_err().kind,
        FaultKind::PathInvalid
    );
}

/// What has nothing below it does not end the search among the others.
///
/// Proves: R-ARC.9, R-ARC.10
#[test]
fn a_search_goes_on_behind_rows_with_nothing_below() {
    let mut scene = three_rooms();
    scene.run(add_lamp("Device.Room.2.")).unwrap();
    for path in [
        "Device.Room.*.Lamp.*.",
        "Device.Room.*.Lamp.[On==false].",
        "Device.Room.[Floor>=0].Lamp.*.",
        "Device.Room.*.Lamp.1.",
    ] {
        let found = scene.run(paths(path)).unwrap();
        assert_eq!(found, ["Device.Room.2.Lamp.1."], "{path}");
    }
    scene
        .run(set("Device.Room.3.Doors", "Device.Room.1,Device.Room.2"))
        .unwrap();
    assert_eq!(
        scene.run(get("Device.Room.*.Doors#*+.Name")).unwrap(),
        ["Device.Room.1.Name=Hall", "Device.Room.2.Name=Bath"]
    );
}

/// Proves: R-ARC.11
#[test]
fn a_reference_written_with_a_key_is_read_with_an_instance_number() {
    let mut scene = three_rooms();
    scene
        .run(set("Device.Room.1.Next", "Device.Room.[Name==\"Bath\"]"))
        .unwrap();
    scene
        .run(set(
            "Device.Room.1.Doors",
            "Device.Room.[Floor==10],Device.Room.2.",
        ))
        .unwrap();
    // A weak one, too, where there is what it means; otherwise it is left as it is.
    for (path, written) in [
        ("Device.Room.1.Hint", "Device.Room.[Name==\"Attic\"]"),
        ("Device.Room.2.Hint", "Device.Room.[Name==\"Cellar\"]"),
    ] {
        scene.run(set(path, written)).unwrap();
    }
    assert_eq!(
        scene.run(get("Device.Room.*.Hint")).unwrap(),
        [
            "Device.Room.1.Hint=Device.Room.3",
            "Device.Room.2.Hint=Device.Room.[Name==\"Cellar\"]",
            "Device.Room.3.Hint="
        ]
    );
    assert_eq!(
        scene.run(get("Device.Room.1.Next")).unwrap(),
        ["Device.Room.1.Next=Device.Room.2"]
    );
    assert_eq!(
        scene.run(get("Device.Room.1.Doors")).unwrap(),
        ["Device.Room.1.Doors=Device.Room.3,Device.Room.2"]
    );
    assert_eq!(
        scene.run(get("Device.Room.1.Next+.Name")).unwrap(),
        ["Device.Room.2.Name=Bath"]
    );
    assert_eq!(
        scene.run(get("Device.Room.1.Doors#1+.Name")).unwrap(),
        ["Device.Room.3.Name=Attic"]
    );
    assert_eq!(
        scene.run(paths("Device.Room.1.Doors#*+.")).unwrap(),
        ["Device.Room.2.", "Device.Room.3."]
    );
}

/// Proves: R-ARC.12
#[test]
fn strong_references_follow_deletion_and_weak_ones_are_left_alone() {
    let mut scene = three_rooms();
    scene
        .run(set("Device.Room.1.Next", "Device.Room.2"))
        .unwrap();
    scene
        .run(set("Device.Room.1.Doors", "Device.Room.2,Device.Room.3"))
        .unwrap();
    scene
        .run(set("Device.Room.1.Hint", "Device.Room.2"))
        .unwrap();
    scene
        .run(set("Device.Room.3.Hint", "Device.Room.77"))
        .unwrap();
    assert_eq!(
        scene
            .run(set("Device.Room.1.Next", "Device.Room.77"))
            .unwrap_err()
            .kind,
        FaultKind::ReferenceInvalid
    );
    scene.run(delete("Device.Room.2.")).unwrap();
    assert_eq!(
        scene.run(get("Device.Room.1.Next")).unwrap(),
        ["Device.Room.1.Next="]
    );
    assert_eq!(
        scene.run(get("Device.Room.1.Doors")).unwrap(),
        ["Device.Room.1.Doors=Device.Room.3"]
    );
    assert_eq!(
        scene.run(get("Device.Room.1.Hint")).unwrap(),
        ["Device.Room.1.Hint=Device.Room.2"]
    );
    assert_eq!(
        scene.run(get("Device.Room.3.Hint")).unwrap(),
        ["Device.Room.3.Hint=Device.Room.77"]
    );
}

/// A row takes along what is in it.
///
/// Proves: R-ARC.12
#[test]
fn references_to_what_is_in_a_row_go_with_it() {
    for gone in ["Device.Room.2.", "Device.Room.2.Lamp.1."] {
        let mut scene = three_rooms();
        scene.run(add_lamp("Device.Room.2.")).unwrap();
        let lamp = set("Device.NightLight", "Device.Room.2.Lamp.1");
        scene.run(lamp).unwrap();
        scene.run(delete("Device.Room.3.")).unwrap();
        assert_eq!(
            scene.run(get("Device.NightLight")).unwrap(),
            ["Device.NightLight=Device.Room.2.Lamp.1"]
        );
        scene.run(delete(gone)).unwrap();
        let mut scene = scene.restarted();
        assert_eq!(
            scene.run(get("Device.NightLight")).unwrap(),
            ["Device.NightLight="],
            "{gone}"
        );
    }
}

/// Proves: R-ARC.8
#[test]
fn instance_numbers_survive_a_restart_and_are_not_used_again() {
    let mut scene = three_rooms();
    scene.run(delete("Device.Room.3.")).unwrap();
    let mut scene = scene.restarted();
    assert_eq!(
        scene.run(paths("Device.Room.*.")).unwrap(),
        ["Device.Room.1.", "Device.Room.2."]
    );
    assert_eq!(
        scene.run(add_room(&[("Name", "Cellar")])).unwrap(),
        ["Device.Room.4."]
    );
    assert_eq!(
        scene.run(get("Device.RoomNumberOfEntries")).unwrap(),
        ["Device.RoomNumberOfEntries=3"]
    );
}

#[test]
fn unique_keys_are_assigned_and_compared() {
    let mut scene = three_rooms();
    assert_eq!(
        scene.run(get("Device.Room.2.Alias")).unwrap(),
        ["Device.Room.2.Alias=cpe-2"]
    );
    let twice = scene.run(add_room(&[("Name", "Hall"), ("Floor", "0")]));
    assert_eq!(twice.unwrap_err().kind, FaultKind::UniqueKeyConflict);
    assert_eq!(
        scene
            .run(add_room(&[
                ("Name", "Hall"),
                ("Floor", "5"),
                ("Alias", "cpe-5")
            ]))
            .unwrap(),
        ["Device.Room.4."]
    );
    scene.run(add_room(&[("Name", "Shed")])).unwrap();
    assert_eq!(
        scene.run(get("Device.Room.5.Alias")).unwrap(),
        ["Device.Room.5.Alias=cpe-6"]
    );
    assert_eq!(
        scene.run(set("Device.Room.4.Floor", "0")).unwrap_err().kind,
        FaultKind::UniqueKeyConflict
    );
}

#[test]
fn values_are_checked_against_access_type_and_facets() {
    let mut scene = three_rooms();
    for (path, value, kind) in [
        ("Device.Room.1.Size", "3", FaultKind::NotWritable),
        ("Device.Room.1.Alias", "x", FaultKind::NotWritable),
        ("Device.Room.1.Floor", "three", FaultKind::ValueType),
        ("Device.Room.1.Kind", "Flying", FaultKind::ValueInvalid),
        (
            "Device.Room.1.Name",
            "a name of more than twenty characters",
            FaultKind::ValueInvalid,
        ),
    ] {
        assert_eq!(
            scene.run(set(path, value)).unwrap_err().kind,
            kind,
            "{path}={value}"
        );
    }
    scene.run(set("Device.Room.1.Floor", "+03")).unwrap();
    assert_eq!(
        scene.run(get("Device.Room.1.Floor")).unwrap(),
        ["Device.Room.1.Floor=3"]
    );
}

#[test]
fn a_plan_that_rolls_back_leaves_nothing_and_commits_nothing() {
    let mut scene = three_rooms();
    let before = scene.store.clone();
    let twice = scene.run(add_room(&[("Name", "Hall"), ("Floor", "0")]));
    assert!(twice.is_err());
    assert_eq!(scene.store, before);
    assert_eq!(scene.run(paths("Device.Room.*.")).unwrap().len(), 3);
}

#[test]
fn a_restart_brings_back_exactly_what_was_kept() {
    let mut scene = three_rooms();
    let add_lamp = |transaction: &mut crate::Transaction<'_>| {
        let room = transaction.find("Device.Room.2.").unwrap();
        let table = transaction.member(room, "Lamp").unwrap();
        let row = transaction.add(room, table)?;
        let on = transaction.parameter(row, "On").unwrap();
        let mood = transaction.parameter(row, "Mood").unwrap();
        transaction.set(row, on, "1", crate::model::Setting::Initial)?;
        transaction.set(row, mood, "dim", crate::model::Setting::Initial)?;
        Ok(vec![])
    };
    scene.run(add_lamp).unwrap();
    let all = scene.run(get("Device.Room.*.")).unwrap();
    let mut scene = scene.restarted();
    let expected: Vec<String> = all
        .into_iter()
        .map(|line| line.replace("Mood=dim", "Mood="))
        .collect();
    assert_eq!(scene.run(get("Device.Room.*.")).unwrap(), expected);
}
