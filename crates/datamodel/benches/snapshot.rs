//! What it costs to take in what an owner says of 10,000 nodes, of which one or none has changed.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use usphere_datamodel::declare::{
    BOOLEAN, Numbering, Object, STRING, UNSIGNED_INT, UNSIGNED_LONG, Unit, object, one_of,
    parameter,
};
use usphere_datamodel::model::{Snapshot, SnapshotObject, Ticket};
use usphere_datamodel::schema::UnitId;
use usphere_datamodel::{Model, ModelInput, ModelOutput, Moment, Schema, SchemaView};

const HOSTS: Unit = Unit {
    name: "hosts",
    owner: "host",
    max_age: Duration::from_secs(1),
    deadline: Duration::from_secs(5),
    numbering: Numbering::Kept,
    announced: false,
    poll: Duration::from_secs(10),
};

const HOST: Object = object("Device.Hosts.Host.{i}.").live(&HOSTS).parameters(&[
    parameter("PhysAddress", STRING),
    parameter("IPAddress", STRING),
    parameter("AddressSource", one_of(&["DHCP", "Static", "None"])),
    parameter("HostName", STRING),
    parameter("Active", BOOLEAN),
    parameter("Layer1Interface", STRING),
    parameter("LeaseTimeRemaining", UNSIGNED_INT),
    parameter("Packets", UNSIGNED_INT),
    parameter("Bytes", UNSIGNED_LONG),
    parameter("Errors", UNSIGNED_INT),
]);

const ROWS: usize = 1_000;

fn snapshot(changed: usize) -> Snapshot {
    let row = |at: usize| SnapshotObject {
        path: HOST.path.into(),
        keys: vec![format!("02:00:00:00:{:02x}:{:02x}", at / 256, at % 256)],
        values: [
            (
                "PhysAddress",
                format!("02:00:00:00:{:02x}:{:02x}", at / 256, at % 256),
            ),
            (
                "IPAddress",
                format!("192.168.{}.{}", at / 250, at % 250 + 1),
            ),
            ("AddressSource", "DHCP".to_owned()),
            ("HostName", format!("host-{at}")),
            ("Active", "true".to_owned()),
            ("Layer1Interface", "Device.Ethernet.Interface.1".to_owned()),
            ("LeaseTimeRemaining", "86400".to_owned()),
            ("Packets", (at * 77).to_string()),
            (
                "Bytes",
                (at * 7_777 + usize::from(at == changed)).to_string(),
            ),
            ("Errors", "0".to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.into(), value))
        .collect(),
    };
    Snapshot {
        objects: (0..ROWS).map(row).collect(),
    }
}

/// Asks for the unit.
fn ask(model: &mut Model<()>, unit: UnitId) -> Ticket {
    model.refresh(unit, Moment::ORIGIN);
    let mut asked = None;
    while let Some(output) = model.poll() {
        if let ModelOutput::Fetch { ticket, .. } = output {
            asked = Some(ticket);
        }
    }
    asked.expect("it is asked for")
}

/// Gives the unit and counts the changes that are told.
fn give(model: &mut Model<()>, ticket: Ticket, snapshot: Snapshot) -> usize {
    let result = Ok(snapshot);
    model.handle(ModelInput::Fetched { ticket, result }, Moment::ORIGIN);
    let mut changed = 0;
    while let Some(output) = model.poll() {
        match output {
            ModelOutput::Changed { changes } => changed += changes.len(),
            ModelOutput::Commit { sequence, .. } => {
                model.handle(ModelInput::Committed { sequence }, Moment::ORIGIN)
            }
            _ => {}
        }
    }
    changed
}

fn benchmarks(criterion: &mut Criterion) {
    let view = SchemaView::new(Schema::build(&[&object("Device."), &HOST]).expect("it fits"));
    let (mut model, _) = Model::new(view, Vec::new());
    let unit = model.view().units().next().expect("it is declared").0;
    let ticket = ask(&mut model, unit);
    assert_eq!(give(&mut model, ticket, snapshot(ROWS)), 0);

    let mut group = criterion.benchmark_group("snapshot of 10,000 nodes");
    let same = snapshot(ROWS);
    group.bench_function("nothing has changed", |bencher| {
        bencher.iter_batched(
            || same.clone(),
            |snapshot| {
                let ticket = ask(&mut model, unit);
                let told = give(&mut model, ticket, black_box(snapshot));
                assert_eq!(told, 0);
            },
            BatchSize::LargeInput,
        );
    });
    let mut at = 0;
    group.bench_function("one value is another", |bencher| {
        bencher.iter_batched(
            || {
                at = (at + 1) % ROWS;
                snapshot(at)
            },
            |snapshot| {
                let ticket = ask(&mut model, unit);
                let told = give(&mut model, ticket, black_box(snapshot));
                assert!((1..=2).contains(&told));
            },
            BatchSize::LargeInput,
        );
    });
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
