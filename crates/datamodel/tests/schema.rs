//! Schemas, what engines mount beside them, and what declarations must not say.

use std::time::Duration;

use usphere_datamodel::declare::{
    BOOLEAN, INT, Numbering, Object, Rows, STRING, UNSIGNED_INT, Unit, command, event, object,
    parameter,
};
use usphere_datamodel::model::{Sight, Transaction};
use usphere_datamodel::schema::{MountError, ObjectSpec};
use usphere_datamodel::{
    Fault, FaultKind, Model, ModelInput, ModelOutput, Moment, Schema, SchemaError, SchemaView,
};

const UNIT: Unit = Unit {
    name: "unit",
    owner: "host",
    max_age: Duration::from_secs(1),
    deadline: Duration::from_secs(5),
    numbering: Numbering::Kept,
    announced: false,
    poll: Duration::from_secs(10),
};
const OTHER: Unit = Unit {
    owner: "other",
    ..UNIT
};

const HOST: Object = object("Device.Host.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .parameters(&[parameter("Name", STRING).writable()]);

fn error(objects: &[&Object]) -> SchemaError {
    Schema::build(objects).expect_err("that should not fit together")
}

#[test]
fn declarations_that_contradict_themselves_are_refused() {
    assert_eq!(error(&[]), SchemaError::Empty);
    let name = |path: &str, name: &str| SchemaError::BadName {
        path: path.to_owned(),
        name: name.to_owned(),
    };
    let duplicate = |path: &str| SchemaError::Duplicate {
        path: path.to_owned(),
    };
    let missing = |path: &str, name: &str| SchemaError::Missing {
        path: path.to_owned(),
        name: name.to_owned(),
    };
    const ROOM: Object = object("Device.Room.");
    for (object, expected) in [
        (
            {
                const OBJECT: Object = ROOM.parameters(&[parameter("A.B", INT)]);
                OBJECT
            },
            name("Device.Room.", "A.B"),
        ),
        (
            {
                const OBJECT: Object = ROOM.parameters(&[parameter("", INT)]);
                OBJECT
            },
            name("Device.Room.", ""),
        ),
        (
            {
                const OBJECT: Object = ROOM.commands(&[command("Ping")]);
                OBJECT
            },
            name("Device.Room.", "Ping"),
        ),
        (
            {
                const OBJECT: Object = ROOM.events(&[event("Boot()")]);
                OBJECT
            },
            name("Device.Room.", "Boot()"),
        ),
        (
            {
                const OBJECT: Object = ROOM.parameters(&[parameter("A", INT), parameter("A", INT)]);
                OBJECT
            },
            duplicate("Device.Room.A"),
        ),
        (
            {
                const OBJECT: Object = object("Device.Room.{i}.").unique(&[&["Name"]]);
                OBJECT
            },
            missing("Device.Room.{i}.", "Name"),
        ),
        (
            {
                const OBJECT: Object =
                    ROOM.parameters(&[parameter("N", UNSIGNED_INT).counts("Lamp")]);
                OBJECT
            },
            missing("Device.Room.", "Lamp"),
        ),
        (
            {
                const OBJECT: Object = ROOM.parameters(&[parameter("N", UNSIGNED_INT).counts("N")]);
                OBJECT
            },
            missing("Device.Room.", "N"),
        ),
        (
            {
                const OBJECT: Object =
                    ROOM.commands(&[command("Ping()").input(&["A"]).mandatory(&["B"])]);
                OBJECT
            },
            missing("Device.Room.Ping()", "B"),
        ),
        (
            {
                const OBJECT: Object =
                    ROOM.commands(&[command("Ping()").input(&["A"]).defaults(&[("C", "1")])]);
                OBJECT
            },
            missing("Device.Room.Ping()", "C"),
        ),
        (
            {
                const OBJECT: Object = ROOM.parameters(&[
                    parameter("A", INT).live(&UNIT),
                    parameter("B", INT).live(&OTHER),
                ]);
                OBJECT
            },
            SchemaError::UnitConflict {
                name: "unit".to_owned(),
            },
        ),
    ] {
        assert_eq!(error(&[&object]), expected);
    }
    for path in [
        "Device.Room",
        "Device..",
        "Device.Room.{i}.{i}.",
        "Device.5.",
        "Device.{i}",
    ] {
        let object = Object { path, ..ROOM };
        assert!(
            matches!(error(&[&object]), SchemaError::BadPath { .. }),
            "{path}"
        );
    }
    assert!(matches!(
        error(&[&object("InternetGatewayDevice.")]),
        SchemaError::Outside { .. }
    ));
    assert!(matches!(
        error(&[&{
            const OBJECT: Object = ROOM.parameters(&[parameter("A", INT).default("much")]);
            OBJECT
        }]),
        SchemaError::BadDefault { .. }
    ));
    assert_eq!(error(&[&ROOM, &ROOM]), duplicate("Device.Room."));
    assert_eq!(
        error(&[&ROOM, &object("Device.Room.{i}.")]),
        duplicate("Device.Room.{i}.")
    );
    const WITH: Object = object("Device.").parameters(&[parameter("Room", INT)]);
    assert_eq!(error(&[&WITH, &ROOM]), duplicate("Device.Room."));
    const TABLE_KEY: Object = object("Device.Room.{i}.Lamp.{i}.");
    const KEYED: Object = object("Device.Room.{i}.").unique(&[&["Lamp"]]);
    assert_eq!(
        error(&[&TABLE_KEY, &KEYED]),
        missing("Device.Room.{i}.", "Lamp")
    );
}

type Home = Model<Result<Vec<String>, FaultKind>>;

fn home() -> Home {
    let view = SchemaView::new(Schema::build(&[&HOST]).unwrap());
    Model::new(view, vec![]).0
}

/// Runs a plan and commits it at once.
fn run(
    model: &mut Home,
    work: impl FnMut(&mut Transaction<'_>) -> Result<Vec<String>, FaultKind> + Send + 'static,
) -> Result<Vec<String>, FaultKind> {
    let id = model.submit(Box::new(work), Moment::ORIGIN);
    let mut done = None;
    while let Some(output) = model.poll() {
        match output {
            ModelOutput::Commit { sequence, .. } => {
                model.handle(ModelInput::Committed { sequence }, Moment::ORIGIN);
            }
            ModelOutput::Done { plan, answer, .. } if plan == id => done = Some(answer),
            other => panic!("{:?}", std::mem::discriminant(&other)),
        }
    }
    done.expect("it waits for nobody")
}

fn add(model: &mut Home, path: &'static str) -> String {
    let added = run(model, move |transaction| {
        let table = transaction
            .resolve_text(path, Sight::Everything)
            .map_err(|fault| fault.kind)?;
        let row = transaction
            .add(table.targets[0].object, table.targets[0].node)
            .unwrap();
        Ok(vec![transaction.path(row).to_owned()])
    });
    added.unwrap().remove(0)
}

fn paths(model: &mut Home, path: &'static str) -> Result<Vec<String>, FaultKind> {
    run(model, move |transaction| {
        let found = transaction
            .resolve_text(path, Sight::Everything)
            .map_err(|fault| fault.kind)?;
        let targets = found.targets.iter();
        Ok(targets
            .map(|target| transaction.path(target.object).to_owned())
            .collect())
    })
}

fn part(path: &'static str) -> ObjectSpec {
    const DECLARED: Object = object("Device.")
        .rows(Rows::ADDABLE.and(Rows::DELETABLE))
        .parameters(&[parameter("On", BOOLEAN).writable()]);
    ObjectSpec {
        path: path.to_owned(),
        ..ObjectSpec::from(&DECLARED)
    }
}

#[test]
fn a_part_is_mounted_below_all_rows_and_below_those_to_come() {
    let mut model = home();
    add(&mut model, "Device.Host.");
    let id = model
        .mount("Device.Host.{i}.WiFi.", vec![part("Device.Host.{i}.WiFi.")])
        .unwrap();
    add(&mut model, "Device.Host.");
    let expected = ["Device.Host.1.WiFi.", "Device.Host.2.WiFi."];
    assert_eq!(paths(&mut model, "Device.Host.*.WiFi.").unwrap(), expected);
    assert_eq!(
        paths(&mut model, "Device.Host.[WiFi.On==false].").unwrap(),
        ["Device.Host.1.", "Device.Host.2."]
    );
    model.unmount(id);
    assert_eq!(
        paths(&mut model, "Device.Host.*.WiFi."),
        Err(FaultKind::PathUnsupported)
    );
    assert_eq!(model.tree().len(), 3);
}

#[test]
fn a_part_at_one_instance_is_that_instances_alone() {
    let mut model = home();
    add(&mut model, "Device.Host.");
    add(&mut model, "Device.Host.");
    let root = "Device.Host.1.WiFi.";
    let specs = vec![part(root), part("Device.Host.1.WiFi.SSID.{i}.")];
    model.mount(root, specs.clone()).unwrap();
    let host = model.view().find("Device.Host.{i}.").unwrap().id;
    let divergent: Vec<&str> = model.view().divergent(host).collect();
    assert_eq!(divergent, ["Device.Host.1."]);
    assert_eq!(paths(&mut model, "Device.Host.*.WiFi.").unwrap(), [root]);
    assert_eq!(
        paths(&mut model, "Device.Host.2.WiFi."),
        Err(FaultKind::PathUnsupported)
    );
    assert_eq!(
        paths(&mut model, "Device.Host.*.WiFi.SSID.*.").unwrap(),
        [""; 0]
    );
    assert_eq!(
        paths(&mut model, "Device.Host.1.WiFi.SSID.1."),
        Err(FaultKind::NotInstantiated)
    );
    assert_eq!(
        add(&mut model, "Device.Host.1.WiFi.SSID."),
        "Device.Host.1.WiFi.SSID.1."
    );
    assert_eq!(
        paths(&mut model, "Device.Host.*.WiFi.SSID.*.").unwrap(),
        ["Device.Host.1.WiFi.SSID.1."]
    );
    assert_eq!(
        paths(&mut model, "Device.Host.[WiFi.On==false].").unwrap(),
        ["Device.Host.1."],
        "who has none does not match"
    );
    let view = model.view();
    let table = view.find("Device.Host.1.WiFi.SSID.{i}.").unwrap().id;
    assert_eq!(model.tree().instances(view, table).len(), 1);
    assert_eq!(
        model.mount(root, specs).unwrap_err(),
        MountError::Taken(root.to_owned())
    );
    let everywhere = "Device.Host.{i}.WiFi.";
    assert_eq!(
        model.mount(everywhere, vec![part(everywhere)]).unwrap_err(),
        MountError::Taken(everywhere.to_owned())
    );
}

#[test]
fn a_table_is_mounted_and_parts_inside_parts_go_with_them() {
    let mut model = home();
    let outer = model
        .mount("Device.Tap.{i}.", vec![part("Device.Tap.{i}.")])
        .unwrap();
    assert_eq!(add(&mut model, "Device.Tap."), "Device.Tap.1.");
    let inner = "Device.Tap.{i}.Valve.";
    model.mount(inner, vec![part(inner)]).unwrap();
    assert_eq!(
        paths(&mut model, "Device.Tap.*.Valve.").unwrap(),
        ["Device.Tap.1.Valve."]
    );
    model.unmount(outer);
    assert_eq!(
        paths(&mut model, "Device.Tap."),
        Err(FaultKind::PathUnsupported)
    );
    assert_eq!(model.tree().len(), 1);
    // The places of both are free, and what gets them has nothing of theirs.
    model
        .mount("Device.Sink.", vec![part("Device.Sink.")])
        .unwrap();
    model
        .mount("Device.Tap.{i}.", vec![part("Device.Tap.{i}.")])
        .unwrap();
    assert_eq!(add(&mut model, "Device.Tap."), "Device.Tap.1.");
    assert_eq!(
        paths(&mut model, "Device.Tap.1.Valve."),
        Err(FaultKind::PathUnsupported)
    );
    assert_eq!(
        paths(&mut model, "Device.Sink.Valve."),
        Err(FaultKind::PathUnsupported)
    );
}

#[test]
fn what_has_no_place_is_not_mounted() {
    let mut model = home();
    for root in [
        "Device.Garden.Bed.",
        "Device.Host.Bed.",
        "Device.Host.{i}.Name.Bed.",
        "Other.Bed.",
    ] {
        let refused = model.mount(root, vec![part(root)]).unwrap_err();
        assert!(
            matches!(refused, MountError::NoParent(_)),
            "{root}: {refused}"
        );
    }
    for root in ["Device", "", "Device."] {
        assert!(model.mount(root, vec![part(root)]).is_err(), "{root}");
    }
    assert_eq!(
        model
            .mount("Device.Host.", vec![part("Device.Host.")])
            .unwrap_err(),
        MountError::Taken("Device.Host.".to_owned())
    );
    assert_eq!(
        model
            .mount("Device.Bed.", vec![part("Device.Chair.")])
            .unwrap_err(),
        MountError::Schema(SchemaError::Outside {
            path: "Device.Chair.".to_owned(),
            root: "Device.Bed.".to_owned()
        })
    );
    assert!(model.view().find("Device.Bed.").is_none());
}

/// A part that goes while what was changed in it is not kept yet takes nothing else with it.
#[test]
fn a_part_goes_while_its_changes_wait() {
    let mut model = home();
    let root = "Device.Tap.{i}.";
    let id = model.mount(root, vec![part(root)]).unwrap();
    add(&mut model, "Device.Tap.");
    add(&mut model, "Device.Host.");
    let change = |transaction: &mut Transaction<'_>| {
        let on = transaction
            .resolve_text("Device.Tap.1.On", Sight::Everything)?
            .targets[0];
        transaction.assign(on.object, on.node, "true")?;
        let table = transaction
            .resolve_text("Device.Tap.", Sight::Everything)?
            .targets[0];
        transaction.add(table.object, table.node)?;
        transaction.delete(on.object)
    };
    submit(&mut model, change);
    model.unmount(id);
    let other = "Device.Sink.";
    model.mount(other, vec![part(other)]).unwrap();
    submit(&mut model, |transaction: &mut Transaction<'_>| {
        let table = transaction
            .resolve_text("Device.Host.", Sight::Everything)?
            .targets[0];
        transaction.add(table.object, table.node).map(|_| ())
    });
    while model.poll().is_some() {}
    let reason = "full".to_owned();
    model.handle(ModelInput::CommitFailed { reason }, Moment::ORIGIN);
    let mut answers = 0;
    while let Some(output) = model.poll() {
        answers += usize::from(matches!(output, ModelOutput::Done { .. }));
    }
    assert_eq!(answers, 2);
    assert_eq!(model.waiting(), 0);
    assert_eq!(
        paths(&mut model, "Device.Host.*.").unwrap(),
        ["Device.Host.1."]
    );
    assert_eq!(model.tree().len(), 3, "the root, a host and the sink");
}

fn submit(
    model: &mut Home,
    mut work: impl FnMut(&mut Transaction<'_>) -> Result<(), Fault> + Send + 'static,
) {
    let work = move |transaction: &mut Transaction<'_>| match work(transaction) {
        Ok(()) => Ok(vec![]),
        Err(fault) => Err(fault.kind),
    };
    model.submit(Box::new(work), Moment::ORIGIN);
}
