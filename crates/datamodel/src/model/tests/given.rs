//! Rows that their owner numbers itself.

use core::time::Duration;
use std::collections::BTreeMap;

use super::scene::{Answer, Asked, Scene, get, paths};
use crate::declare::{
    Numbering, Object, Rows, STRING, UNSIGNED_INT, Unit, object, parameter, strong_reference,
};
use crate::model::{Model, OwnedChange, Phase, Setting, Snapshot, SnapshotObject};
use crate::{FaultKind, Moment, Schema, SchemaView};

const LINKS: Unit = Unit {
    name: "links",
    owner: "kernel",
    max_age: Duration::from_secs(1),
    deadline: Duration::from_secs(5),
    numbering: Numbering::Given,
    announced: true,
    poll: Duration::from_secs(10),
};

const COUNTERS: Unit = Unit {
    name: "counters",
    ..LINKS
};

const LINK: Object = object("Device.Link.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Name"], &["Address"]])
    .live(&LINKS)
    .parameters(&[
        parameter("Name", STRING),
        parameter("Address", STRING).writable(),
        parameter("Below", strong_reference("Device.Link.{i}.")).writable(),
    ]);

const STATS: Object = object("Device.Link.{i}.Stats.")
    .live(&COUNTERS)
    .parameters(&[parameter("Bytes", UNSIGNED_INT)]);

fn scene() -> Scene {
    let schema = Schema::build(&[&object("Device."), &LINK, &STATS]).unwrap();
    let (model, _) = Model::new(SchemaView::new(schema), Vec::new());
    Scene {
        model,
        now: Moment::ORIGIN,
        store: BTreeMap::new(),
        asked: Vec::new(),
        commits: Vec::new(),
        done: Vec::new(),
        changed: Vec::new(),
        troubles: Vec::new(),
    }
}

fn links(rows: &[(&str, &str, &str)]) -> Snapshot {
    let row = |(number, name, below): &(&str, &str, &str)| SnapshotObject {
        path: LINK.path.into(),
        keys: vec![(*number).to_owned()],
        values: vec![
            ("Name".into(), (*name).to_owned()),
            ("Address".into(), format!("of {name}")),
            ("Below".into(), (*below).to_owned()),
        ],
    };
    Snapshot {
        objects: rows.iter().map(row).collect(),
    }
}

fn counters(numbers: &[&str]) -> Snapshot {
    let object = |number: &&str| SnapshotObject {
        path: STATS.path.into(),
        keys: vec![(*number).to_owned()],
        values: vec![("Bytes".into(), "7".to_owned())],
    };
    Snapshot {
        objects: numbers.iter().map(object).collect(),
    }
}

fn add(scene: &mut Scene, addresses: &'static [&'static str]) -> crate::PlanId {
    scene.submit(move |transaction| -> Answer {
        let root = transaction.root();
        let table = transaction.member(root, "Link").unwrap();
        let before = transaction.savepoint();
        let mut added = Vec::new();
        for address in addresses {
            let row = transaction.add(root, table)?;
            if !address.is_empty() {
                let parameter = transaction.parameter(row, "Address").unwrap();
                transaction.set(row, parameter, address, Setting::Initial)?;
            }
            if let Err(fault) = transaction.finish_row(row) {
                transaction.rollback(before);
                return Err(fault);
            }
            added.push(transaction.path(row).to_owned());
        }
        Ok(added)
    })
}

/// The owner's numbers stand, and nothing about them is kept in the Agent's store.
#[test]
fn an_owner_that_numbers_its_rows_can_refer_to_them() {
    let mut scene = scene();
    let id = scene.submit(get("Device.Link.*.Below"));
    let below = "Device.Link.7";
    scene.give(Ok(links(&[("3", "upper", below), ("7", "lower", "")])));
    let expected = ["Device.Link.3.Below=Device.Link.7", "Device.Link.7.Below="];
    assert_eq!(scene.answer(id).unwrap().unwrap(), expected);
    assert_eq!(scene.commits, []);
}

/// Units of one owner need not come in step.
#[test]
fn what_is_below_a_row_that_is_not_there_yet_is_left_out() {
    let mut scene = scene();
    scene.submit(get("Device.Link."));
    scene.give(Ok(links(&[("1", "only", "")])));
    scene.give(Ok(counters(&["1", "2"])));
    let lines = scene.done.remove(0).1.unwrap();
    assert!(lines.contains(&"Device.Link.1.Stats.Bytes=7".to_owned()));
    assert!(!lines.iter().any(|line| line.contains("Device.Link.2.")));
    assert_eq!(scene.troubles, [""; 0]);
}

#[test]
fn a_row_that_a_request_adds_stays_the_same_row_when_its_owner_gives_it() {
    let mut scene = scene();
    scene.submit(paths("Device.Link.*."));
    scene.give(Ok(links(&[("4", "old", "")])));
    let id = add(&mut scene, &["mine"]);
    let Asked::Apply(_, _, _, changes) = &scene.asked[0] else {
        panic!("{:?}", scene.asked)
    };
    assert!(matches!(&changes[0], OwnedChange::Add { instance: 5, .. }));
    scene.apply(Phase::Check, Ok(()));
    scene.apply(Phase::Apply, Ok(()));
    scene.commit();
    assert_eq!(scene.answer(id).unwrap().unwrap(), ["Device.Link.5."]);
    scene.pass(2);
    let id = scene.submit(get("Device.Link.5.Name"));
    scene.give(Ok(links(&[("4", "old", ""), ("5", "new", "")])));
    assert_eq!(
        scene.answer(id).unwrap().unwrap(),
        ["Device.Link.5.Name=new"]
    );
}

/// What the owner will say cannot be in conflict yet; what was given can.
#[test]
fn a_unique_key_that_the_owner_gives_is_not_compared_before() {
    let mut scene = scene();
    scene.submit(paths("Device.Link.*."));
    scene.give(Ok(links(&[("1", "old", "")])));
    let id = add(&mut scene, &["", ""]);
    scene.apply(Phase::Check, Ok(()));
    scene.apply(Phase::Apply, Ok(()));
    scene.commit();
    assert_eq!(scene.answer(id).unwrap().unwrap().len(), 2);
    let id = add(&mut scene, &["of old"]);
    let fault = scene.answer(id).unwrap().unwrap_err();
    assert_eq!(fault.kind, FaultKind::UniqueKeyConflict);
}
