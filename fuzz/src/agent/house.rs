//! The device that the fuzzed Agent speaks for: rooms that the Tree owns, sensors and a bridge that
//! owners answer for, and commands.

use std::time::Duration;

use usphere_datamodel::declare::{
    Numbering, Object, Rows, Unit, command, event, object, parameter,
};
use usphere_datamodel::model::{OwnedChange, OwnerError, Snapshot, SnapshotObject};
use usphere_datamodel::types::{
    ALIAS, BOOLEAN, DATE_TIME, INT, STRING, UNSIGNED_INT, one_of, strong_reference, weak_reference,
};

use crate::random::Script;

const OWNER: &str = "host";
const ROOM_PATH: &str = "Device.Room.{i}.";

const SENSORS: Unit = Unit {
    name: "sensors",
    owner: OWNER,
    max_age: Duration::from_secs(1),
    deadline: Duration::from_secs(5),
    numbering: Numbering::Kept,
    announced: false,
    poll: Duration::from_secs(30),
};

const TASKS: Unit = Unit {
    name: "tasks",
    numbering: Numbering::Fresh,
    ..SENSORS
};

const BRIDGE: Unit = Unit {
    name: "bridge",
    owner: "switch",
    ..SENSORS
};

static ROOM: Object = object(ROOM_PATH)
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Alias"], &["Floor", "Name"]])
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Name", STRING.max(20)).writable(),
        parameter("Floor", INT).writable(),
        parameter("Kind", one_of(&["Living", "Sleeping"]))
            .writable()
            .default("Living"),
        parameter("Next", strong_reference(ROOM_PATH)).writable(),
        parameter("Doors", strong_reference(ROOM_PATH).list()).writable(),
        parameter("Hint", weak_reference(ROOM_PATH)).writable(),
        parameter("Code", STRING).writable().secured(),
        parameter("LampNumberOfEntries", UNSIGNED_INT).counts("Lamp"),
    ])
    .commands(&[command("Clean()")
        .by(OWNER)
        .input(&["Wet", "Cause"])
        .mandatory(&["Cause"])
        .output(&["Dust"])])
    .events(&[event("Entered!").args(&["Who"])]);

static LAMP: Object = object("Device.Room.{i}.Lamp.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .parameters(&[
        parameter("On", BOOLEAN).writable(),
        parameter("Mood", STRING).writable().volatile(),
        parameter("Since", DATE_TIME).writable(),
    ]);

static SENSOR: Object = object("Device.Sensor.{i}.").live(&SENSORS).parameters(&[
    parameter("Name", STRING),
    parameter("Degrees", INT),
    parameter("Target", INT.range(-20, 40)).writable(),
]);

static TASK: Object = object("Device.Task.{i}.")
    .live(&TASKS)
    .parameters(&[parameter("Name", STRING), parameter("Size", UNSIGNED_INT)]);

static BRIDGE_OBJECT: Object = object("Device.Bridge.")
    .live(&BRIDGE)
    .parameters(&[
        parameter("Speed", UNSIGNED_INT).writable(),
        parameter("Up", BOOLEAN),
    ])
    .commands(&[
        command("Ping()").by("switch").output(&["Time"]),
        command("Test()").by("switch").asynchronous(),
    ]);

/// The objects beside those of the Agent itself.
pub(super) static HOUSE: [&Object; 5] = [&ROOM, &LAMP, &SENSOR, &TASK, &BRIDGE_OBJECT];

/// What an owner gives of a unit: most often what is there, now and then something impossible.
pub(super) fn snapshot(unit: &str, script: &mut Script<'_>) -> Result<Snapshot, OwnerError> {
    if script.chance(10) {
        return Err(OwnerError::failed("the line is dead"));
    }
    let mut objects: Vec<SnapshotObject> = match unit {
        "sensors" => (0..script.below(5)).map(|_| sensor(script)).collect(),
        "tasks" => (0..script.below(9)).map(|_| task(script)).collect(),
        _ => vec![part(
            "Device.Bridge.",
            &[],
            &[("Speed", number(script)), ("Up", "true".into())],
        )],
    };
    if script.chance(15) {
        objects.push(nonsense(script));
    }
    if script.chance(5) {
        objects.reverse();
    }
    Ok(Snapshot { objects })
}

/// What an owner says to changes: all of them done, or some refused, or too few answers.
pub(super) fn applied(
    changes: &[OwnedChange],
    script: &mut Script<'_>,
) -> Vec<Result<(), OwnerError>> {
    let refused = script.chance(25);
    let mut results: Vec<_> = changes
        .iter()
        .map(|_| {
            if refused && script.chance(60) {
                Err(OwnerError::failed("no"))
            } else {
                Ok(())
            }
        })
        .collect();
    if script.chance(5) {
        results.pop();
    }
    if script.chance(5) {
        results.push(Ok(()));
    }
    results
}

fn sensor(script: &mut Script<'_>) -> SnapshotObject {
    let key = format!("key-{}", script.below(6));
    let target = ("Target", number(script));
    part(
        "Device.Sensor.{i}.",
        &[&key],
        &[("Name", key.clone()), ("Degrees", number(script)), target],
    )
}

fn task(script: &mut Script<'_>) -> SnapshotObject {
    let key = script.below(12).to_string();
    part("Device.Task.{i}.", &[&key], &[("Size", number(script))])
}

fn nonsense(script: &mut Script<'_>) -> SnapshotObject {
    const PATHS: [&str; 7] = [
        "Device.Sensor.{i}.",
        "Device.Bridge.",
        "Device.",
        "Device.Room.{i}.Lamp.{i}.",
        "Device.LocalAgent.Controller.{i}.",
        "Device.Nowhere.",
        "",
    ];
    let path = PATHS[script.below(PATHS.len())];
    let keys: Vec<&str> = ["a", "", "b"].into_iter().take(script.below(4)).collect();
    part(
        path,
        &keys,
        &[("Speed", "much".into()), ("Nothing", number(script))],
    )
}

fn part(path: &'static str, keys: &[&str], values: &[(&'static str, String)]) -> SnapshotObject {
    SnapshotObject {
        path: path.into(),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        values: values
            .iter()
            .map(|(name, value)| ((*name).into(), value.clone()))
            .collect(),
    }
}

fn number(script: &mut Script<'_>) -> String {
    match script.below(12) {
        0 => "x".to_owned(),
        number => number.to_string(),
    }
}
