//! Who may do what where: each rule of roles and permissions.

use usphere_datamodel::access::{Permission, Role};
use usphere_datamodel::declare::{
    BOOLEAN, INT, Object, Rows, STRING, UNSIGNED_INT, command, event, object, parameter,
    strong_reference,
};
use usphere_datamodel::model::{Gather, Sight, Transaction};
use usphere_datamodel::schema::ObjectSpec;
use usphere_datamodel::{
    Access, Entry, FaultKind, Model, ModelOutput, Moment, Rights, Schema, SchemaView,
};

const DEVICE: Object =
    object("Device.").parameters(&[parameter("RoomNumberOfEntries", UNSIGNED_INT).counts("Room")]);
const ROOM: Object = object("Device.Room.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Name"]])
    .parameters(&[
        parameter("Name", STRING).writable(),
        parameter("Floor", INT).writable(),
        parameter("Code", STRING).writable().secured(),
        parameter("Next", strong_reference("Device.Room.{i}.")).writable(),
    ])
    .commands(&[command("Clean()")])
    .events(&[event("Fire!")]);
const LAMP: Object =
    object("Device.Room.{i}.Lamp.{i}.").parameters(&[parameter("On", BOOLEAN).writable()]);
const DOOR: Object = object("Device.Door.").parameters(&[parameter("Open", BOOLEAN)]);

type Answer = Vec<String>;

/// Three rooms on floors 0, 1 and 2, a lamp in each, and a door.
fn model() -> Model<Answer> {
    let view = SchemaView::new(Schema::build(&[&DEVICE, &ROOM, &LAMP, &DOOR]).unwrap());
    let mut entries = Vec::new();
    for (number, name) in [(1, "Hall"), (2, "Bath"), (3, "Attic")] {
        entries.push(Entry::put(format!("Device.Room.{number}."), ""));
        entries.push(Entry::put(format!("Device.Room.{number}.Lamp.1."), ""));
        for (parameter, value) in [
            ("Name", name.to_owned()),
            ("Floor", (number - 1).to_string()),
            ("Code", "1234".to_owned()),
        ] {
            entries.push(Entry::put(
                format!("Device.Room.{number}.{parameter}"),
                value,
            ));
        }
    }
    entries.push(Entry::put("Device.Room.1.Next", "Device.Room.3"));
    let (model, problems) = Model::new(view, entries);
    assert_eq!(problems, []);
    model
}

fn run(
    model: &mut Model<Answer>,
    work: impl FnMut(&mut Transaction<'_>) -> Answer + Send + 'static,
) -> Answer {
    model.submit(Box::new(work), Moment::ORIGIN);
    match model.poll() {
        Some(ModelOutput::Done { answer, .. }) => answer,
        _ => panic!("it waits"),
    }
}

fn role(model: &Model<Answer>, permissions: &[(u32, &[&str], Rights)]) -> Role {
    let permissions = permissions
        .iter()
        .map(|(order, targets, rights)| Permission {
            order: *order,
            targets: targets
                .iter()
                .filter_map(|target| Access::target(model.view(), target))
                .collect(),
            rights: *rights,
        });
    Role {
        secured: false,
        permissions: permissions.collect(),
    }
}

/// The access of one role.
fn access(model: &Model<Answer>, permissions: &[(u32, &[&str], Rights)]) -> Access {
    Access::compile(model.view(), &[role(model, permissions)])
}

const READ: Rights = Rights::PARAMETER_READ
    .or(Rights::OBJECT_READ)
    .or(Rights::INSTANCE_READ)
    .or(Rights::COMMAND_READ);

/// The paths among `paths` on which all of `wanted` is granted.
fn granted(model: &mut Model<Answer>, access: &Access, wanted: Rights, paths: &[&str]) -> Answer {
    let access = access.clone();
    let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
    run(model, move |transaction| {
        let granted = paths.iter().filter(|path| {
            let target = transaction
                .resolve_text(path, Sight::Everything)
                .unwrap()
                .targets[0];
            let rights = transaction.rights(&access, target.node, target.object);
            rights.grants(wanted)
        });
        granted.cloned().collect()
    })
}

const ALL: [&str; 9] = [
    "Device.",
    "Device.RoomNumberOfEntries",
    "Device.Room.1.",
    "Device.Room.1.Name",
    "Device.Room.2.Name",
    "Device.Room.2.Lamp.1.On",
    "Device.Room.2.Clean()",
    "Device.Room.2.Fire!",
    "Device.Door.Open",
];

/// Nothing is allowed that no permission names.
///
/// Proves: R-SEC.1
#[test]
fn nobody_may_do_anything_by_default() {
    let mut model = model();
    for nothing in [
        Access::nothing(),
        access(&model, &[]),
        access(&model, &[(1, &[], READ)]),
    ] {
        for right in [
            Rights::PARAMETER_READ,
            Rights::OBJECT_READ,
            Rights::INSTANCE_READ,
            Rights::COMMAND_EXECUTE,
        ] {
            assert_eq!(granted(&mut model, &nothing, right, &ALL), [""; 0]);
        }
    }
    let all = Access::unrestricted();
    assert_eq!(granted(&mut model, &all, Rights::ALL, &ALL), ALL);
}

/// A target that is an object, with or without its dot, a table, a row or a partial path covers
/// everything below it; one that is a parameter, command or event that alone.
#[test]
fn a_target_covers_what_is_below_it() {
    let mut model = model();
    let below: &[&str] = &ALL[2..8];
    for (target, expected) in [
        ("Device", &ALL[..]),
        ("Device.", &ALL[..]),
        ("Device.Room", below),
        ("Device.Room.", below),
        ("Device.Room.*", below),
        ("Device.Room.*.", below),
        ("Device.Room.{i}.", below),
        ("Device.Room.1", &["Device.Room.1.", "Device.Room.1.Name"]),
        ("Device.Room.1.", &["Device.Room.1.", "Device.Room.1.Name"]),
        ("Device.Room.2.Lamp", &["Device.Room.2.Lamp.1.On"]),
        ("Device.Room.*.Lamp.1", &["Device.Room.2.Lamp.1.On"]),
        ("Device.Room.*.Lamp.2", &[]),
        (
            "Device.Room.[Floor==0].",
            &["Device.Room.1.", "Device.Room.1.Name"],
        ),
        ("Device.Room.[Floor>0].Name", &["Device.Room.2.Name"]),
        (
            "Device.Room.[Floor>0].Lamp.*.",
            &["Device.Room.2.Lamp.1.On"],
        ),
        (
            "Device.Room.*.Name",
            &["Device.Room.1.Name", "Device.Room.2.Name"],
        ),
        ("Device.Room.2.Clean()", &["Device.Room.2.Clean()"]),
        ("Device.Room.*.Fire!", &["Device.Room.2.Fire!"]),
        ("Device.Door", &["Device.Door.Open"]),
        ("Device.Doo", &[]),
        ("Device.Roo.", &[]),
        ("Device.Garden.", &[]),
        ("Device.Room.Name", &[]),
        ("Device.Room.[Colour==1].", &[]),
        ("Device.Room.[Name>1].", &[]),
        ("Device.Room.1.Next+.", &[]),
        ("Devic", &[]),
        ("", &[]),
        ("Device..", &[]),
    ] {
        let access = access(&model, &[(1, &[target], READ)]);
        let granted = granted(&mut model, &access, READ, &ALL);
        assert_eq!(granted, expected, "{target:?}");
    }
}

/// Of one role, the permission of the largest order counts, whole; the others do not add to it.
#[test]
fn a_larger_order_takes_the_place_of_a_smaller() {
    let mut model = model();
    let notify = Rights::PARAMETER_NOTIFY;
    let names: [&str; 2] = ["Device.Room.1.Name", "Device.Room.2.Name"];
    for (permissions, expected) in [
        (
            vec![(1, "Device.", READ), (2, "Device.Room.", notify)],
            ["", ""],
        ),
        (
            vec![(2, "Device.", READ), (1, "Device.Room.", notify)],
            names,
        ),
        // An exception for one row, above and below.
        (
            vec![(1, "Device.", READ), (2, "Device.Room.1.", Rights::NONE)],
            ["", names[1]],
        ),
        (
            vec![(2, "Device.", READ), (1, "Device.Room.1.", Rights::NONE)],
            names,
        ),
        (
            vec![
                (1, "Device.", READ),
                (2, "Device.Room.[Floor>=0].", Rights::NONE),
                (3, "Device.Room.2.", READ),
            ],
            ["", names[1]],
        ),
        (
            vec![
                (1, "Device.Room.1.", READ),
                (5, "Device.Room.*.", Rights::NONE),
            ],
            ["", ""],
        ),
    ] {
        let permissions: Vec<(u32, Vec<&str>, Rights)> = permissions
            .into_iter()
            .map(|(order, target, rights)| (order, vec![target], rights))
            .collect();
        let permissions: Vec<(u32, &[&str], Rights)> = permissions
            .iter()
            .map(|(order, targets, rights)| (*order, &targets[..], *rights))
            .collect();
        let access = access(&model, &permissions);
        let expected: Vec<&str> = expected
            .into_iter()
            .filter(|path| !path.is_empty())
            .collect();
        let read = Rights::PARAMETER_READ;
        assert_eq!(
            granted(&mut model, &access, read, &names),
            expected,
            "{permissions:?}"
        );
    }
}

/// Roles add to each other, after each has settled its own order. (TR-369, "A Controller's Role")
#[test]
fn roles_are_united() {
    let mut model = model();
    let write = Rights::PARAMETER_WRITE;
    let one = role(
        &model,
        &[(3, &["Device."], READ), (55, &["Device.Room."], write)],
    );
    let two = role(
        &model,
        &[
            (20, &["Device."], READ),
            (78, &["Device.Room.1."], Rights::NONE),
        ],
    );
    let both = Access::compile(model.view(), &[one, two]);
    let names = [
        "Device.Room.1.Name",
        "Device.Room.2.Name",
        "Device.Door.Open",
    ];
    assert_eq!(granted(&mut model, &both, write, &names), names[..2]);
    assert_eq!(
        granted(&mut model, &both, Rights::PARAMETER_READ, &names),
        names[1..]
    );
}

#[test]
fn rights_are_written_as_four_letters_each() {
    let rights = Rights::parse("rw-n", "----", "r---", "r-xn").unwrap();
    assert!(rights.grants(Rights::PARAMETER_READ.or(Rights::PARAMETER_WRITE)));
    assert!(rights.grants(Rights::COMMAND_EXECUTE.or(Rights::COMMAND_NOTIFY)));
    assert!(rights.grants(Rights::INSTANCE_READ));
    assert!(!rights.grants(Rights::OBJECT_READ));
    for bad in ["", "rw", "wr--", "rwxnn", "RWXN", "rw x", "ä--"] {
        assert_eq!(Rights::parse(bad, "----", "----", "----"), None, "{bad}");
    }
}

struct Lines(Vec<String>, String);

impl Gather for Lines {
    fn object(&mut self, path: &str) {
        path.clone_into(&mut self.1);
    }

    fn value(&mut self, name: &str, value: &str) {
        self.0.push(format!("{}{name}={value}", self.1));
    }
}

fn read(
    model: &mut Model<Answer>,
    access: &Access,
    path: &'static str,
) -> Result<Answer, FaultKind> {
    let access = access.clone();
    let mut failed = None;
    let lines = run(model, move |transaction| {
        let resolved = match transaction.resolve_text(path, Sight::Readable(&access)) {
            Ok(resolved) => resolved,
            Err(fault) => return vec![format!("{:?}", fault.kind)],
        };
        let mut lines = Lines(vec![], String::new());
        for target in resolved.targets {
            let path = transaction.path(target.object).to_owned();
            match transaction.node(target.node).parameter() {
                Some(_) => lines.0.push(path + &transaction.node(target.node).name),
                None => transaction
                    .visit(target.object, 0, &access, &mut lines)
                    .unwrap(),
            }
        }
        lines.0
    });
    if lines == ["PathUnsupported"] {
        failed = Some(FaultKind::PathUnsupported);
    }
    failed.map_or(Ok(lines), Err)
}

/// What may not be read is absent: as a path, in a search, behind a reference, and below others.
#[test]
fn what_may_not_be_read_is_not_there() {
    let mut model = model();
    let nothing = Rights::NONE;
    let access = access(
        &model,
        &[
            (1, &["Device."], READ),
            (
                2,
                &["Device.Room.*.Floor", "Device.Room.*.Next", "Device.Door"],
                nothing,
            ),
        ],
    );
    let unsupported = Err(FaultKind::PathUnsupported);
    assert_eq!(
        read(&mut model, &access, "Device.Room.1.Floor"),
        unsupported
    );
    assert_eq!(
        read(&mut model, &access, "Device.Room.*.Floor"),
        unsupported
    );
    assert_eq!(read(&mut model, &access, "Device.Door."), unsupported);
    assert_eq!(
        read(&mut model, &access, "Device.Room.[Floor>0].Name"),
        Ok(vec![])
    );
    assert_eq!(
        read(&mut model, &access, "Device.Room.[Floor!=9].Name"),
        Ok(vec![])
    );
    assert_eq!(
        read(&mut model, &access, "Device.Room.1.Next+.Name"),
        Ok(vec![])
    );
    assert_eq!(
        read(
            &mut model,
            &access,
            "Device.Room.[Next+.Name==\"Attic\"].Name"
        ),
        Ok(vec![]),
        "not even by following"
    );
    let all = read(&mut model, &access, "Device.").unwrap();
    assert!(all.contains(&"Device.Room.3.Name=Attic".to_owned()));
    assert!(
        !all.iter()
            .any(|line| line.contains("Floor") || line.contains("Door"))
    );
}

/// Secured parameters read as empty, and a search learns nothing of them either.
#[test]
fn what_is_secured_reads_as_empty() {
    let mut model = model();
    let open = access(&model, &[(1, &["Device."], READ)]);
    let code = "Device.Room.[Code==\"1234\"].Name";
    assert_eq!(read(&mut model, &open, code), Ok(vec![]));
    let lines = read(&mut model, &open, "Device.Room.1.").unwrap();
    assert!(lines.contains(&"Device.Room.1.Code=".to_owned()));
    let role = Role {
        secured: true,
        ..role(&model, &[(1, &["Device."], READ)])
    };
    let secured = Access::compile(model.view(), &[role]);
    assert_eq!(read(&mut model, &secured, code).unwrap().len(), 3);
    let lines = read(&mut model, &secured, "Device.Room.1.").unwrap();
    assert!(lines.contains(&"Device.Room.1.Code=1234".to_owned()));
}

/// One plan that asks for several callers answers each with its own rights.
#[test]
fn callers_do_not_get_each_others_rights() {
    let mut model = model();
    let first = access(&model, &[(1, &["Device.Room.1."], READ)]);
    let second = access(
        &model,
        &[
            (1, &["Device.Room.2."], READ),
            (2, &["Device.Room.3."], READ),
        ],
    );
    let answer = run(&mut model, move |transaction| {
        let name = transaction
            .resolve_text("Device.Room.2.Name", Sight::Everything)
            .unwrap();
        let target = name.targets[0];
        let mut answer = Vec::new();
        for access in [&first, &second, &first] {
            let rights = transaction.rights(access, target.node, target.object);
            answer.push(rights.grants(Rights::PARAMETER_READ).to_string());
        }
        answer
    });
    assert_eq!(answer, ["false", "true", "false"]);
}

/// What hangs below one instance alone is covered by the targets that cover that instance.
#[test]
fn a_divergent_part_is_covered_too() {
    let mut model = model();
    let root = "Device.Room.2.Oven.";
    const OVEN: Object = object("Device.").parameters(&[parameter("Hot", BOOLEAN)]);
    let spec = ObjectSpec {
        path: root.to_owned(),
        ..ObjectSpec::from(&OVEN)
    };
    model.mount(root, vec![spec]).unwrap();
    let hot = ["Device.Room.2.Oven.Hot"];
    for (target, expected) in [
        ("Device", &hot[..]),
        ("Device.Room.*.", &hot),
        ("Device.Room.2.", &hot),
        ("Device.Room.2.Oven", &hot),
        ("Device.Room.2.Oven.", &hot),
        ("Device.Room.*.Oven.Hot", &hot),
        ("Device.Room.[Floor==1].Oven.", &hot),
        ("Device.Room.1.", &[]),
        ("Device.Room.1.Oven.", &[]),
        ("Device.Room.[Floor==0].Oven.", &[]),
    ] {
        let access = access(&model, &[(1, &[target], READ)]);
        let read = Rights::PARAMETER_READ;
        assert_eq!(
            granted(&mut model, &access, read, &hot),
            expected,
            "{target}"
        );
    }
}
