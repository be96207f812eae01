//! What the hot paths of a request cost: parsing, finding, searching, reading, changing.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use usphere_datamodel::access::{Permission, Role};
use usphere_datamodel::declare::{INT, Object, Parameter, Rows, STRING, object, parameter};
use usphere_datamodel::model::{Gather, Setting, Sight, Transaction};
use usphere_datamodel::{
    Access, Entry, Model, ModelInput, ModelOutput, Moment, Path, Rights, Schema, SchemaView,
};

const SIX: [Parameter; 6] = [
    parameter("Alias", STRING).writable(),
    parameter("Name", STRING).writable(),
    parameter("Status", STRING).writable(),
    parameter("LastChange", INT).writable(),
    parameter("MaxBitRate", INT).writable(),
    parameter("Upstream", INT).writable(),
];

/// 21 rows of 6 parameters: 126.
const PORT: Object = object("Device.Port.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .parameters(&SIX);
/// 100 rows.
const HOST: Object = object("Device.Hosts.Host.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .parameters(&SIX);

fn model() -> Model<usize> {
    let view = SchemaView::new(Schema::build(&[&PORT, &HOST]).expect("it fits"));
    let mut entries = Vec::new();
    let tables = [("Device.Port", 21), ("Device.Hosts.Host", 100)];
    for (table, rows) in tables {
        for row in 1..=rows {
            entries.push(Entry::put(format!("{table}.{row}."), ""));
            for (name, value) in [("Alias", "cpe"), ("Name", "eth"), ("Status", "Up")] {
                entries.push(Entry::put(
                    format!("{table}.{row}.{name}"),
                    format!("{value}{row}"),
                ));
            }
            entries.push(Entry::put(
                format!("{table}.{row}.LastChange"),
                row.to_string(),
            ));
        }
    }
    let (model, problems) = Model::new(view, entries);
    assert!(problems.is_empty());
    model
}

/// Runs a plan to its end and says what it answered.
fn run(
    model: &mut Model<usize>,
    work: impl FnMut(&mut Transaction<'_>) -> usize + Send + 'static,
) -> usize {
    model.submit(Box::new(work), Moment::ORIGIN);
    let mut done = 0;
    while let Some(output) = model.poll() {
        match output {
            ModelOutput::Commit { sequence, .. } => {
                model.handle(ModelInput::Committed { sequence }, Moment::ORIGIN);
            }
            ModelOutput::Done { answer, .. } => done = answer,
            _ => unreachable!("there are no owners"),
        }
    }
    done
}

/// Counts, so that the cost is that of the model.
struct Count(usize);

impl Gather for Count {
    fn object(&mut self, path: &str) {
        self.0 += path.len() & 1;
    }

    fn value(&mut self, name: &str, value: &str) {
        black_box((name, value));
        self.0 += 2;
    }
}

/// Twenty permissions: plain ones, wildcards, rows and searches.
fn role(model: &Model<usize>) -> Access {
    let targets = (0..20).map(|at| match at % 4 {
        0 => "Device.".to_owned(),
        1 => "Device.Port.*.Status".to_owned(),
        2 => format!("Device.Port.{at}."),
        _ => format!("Device.Port.[LastChange=={at}]."),
    });
    let rights = Rights::PARAMETER_READ
        .or(Rights::OBJECT_READ)
        .or(Rights::INSTANCE_READ);
    let permissions = targets.enumerate().map(|(order, target)| Permission {
        order: order as u32,
        targets: Access::target(model.view(), &target).into_iter().collect(),
        rights,
    });
    let role = Role {
        secured: false,
        permissions: permissions.collect(),
    };
    Access::compile(model.view(), &[role])
}

fn resolving(criterion: &mut Criterion) {
    let mut model = model();
    criterion.bench_function("parse a path with a search", |bencher| {
        bencher.iter(|| {
            Path::parse(black_box(
                "Device.Hosts.Host.[LastChange>50&&Name==\"eth7\"].Status",
            ))
        });
    });
    criterion.bench_function("find one parameter", |bencher| {
        bencher.iter(|| {
            run(&mut model, |transaction| {
                let path = black_box("Device.Hosts.Host.57.Status");
                let found = transaction.resolve_text(path, Sight::Everything);
                found.map_or(0, |found| found.targets.len())
            })
        });
    });
    criterion.bench_function("search 100 rows", |bencher| {
        bencher.iter(|| {
            run(&mut model, |transaction| {
                let path = black_box("Device.Hosts.Host.[LastChange>50].Status");
                let found = transaction.resolve_text(path, Sight::Everything);
                found.map_or(0, |found| found.targets.len())
            })
        });
    });
}

fn reading(criterion: &mut Criterion) {
    let mut model = model();
    let restricted = role(&model);
    for (name, access) in [
        ("read 126 parameters", Access::unrestricted()),
        (
            "read 126 parameters with a role of 20 permissions",
            restricted,
        ),
    ] {
        let access = std::sync::Arc::new(access);
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let access = access.clone();
                run(&mut model, move |transaction| {
                    let mut count = Count(0);
                    let found = transaction.resolve_text("Device.Port.*.", Sight::Everything);
                    for port in found.map_or(Vec::new(), |found| found.targets) {
                        let _ = transaction.visit(port.object, 0, &access, &mut count);
                    }
                    count.0
                })
            });
        });
    }
    criterion.bench_function("compile a role of 20 permissions", |bencher| {
        bencher.iter(|| role(&model));
    });
}

fn changing(criterion: &mut Criterion) {
    let mut model = model();
    let mut turn = 0_u32;
    criterion.bench_function("set one parameter and commit", |bencher| {
        bencher.iter(|| {
            turn += 1;
            let value = turn.to_string();
            run(&mut model, move |transaction| {
                let path = black_box("Device.Hosts.Host.57.MaxBitRate");
                let Ok(found) = transaction.resolve_text(path, Sight::Everything) else {
                    return 0;
                };
                let target = found.targets[0];
                let set = transaction.set(target.object, target.node, &value, Setting::Update);
                usize::from(set.is_ok())
            })
        });
    });
    criterion.bench_function("add and delete a row", |bencher| {
        bencher.iter(|| {
            run(&mut model, |transaction| {
                let Ok(found) = transaction.resolve_text("Device.Port.", Sight::Everything) else {
                    return 0;
                };
                let target = found.targets[0];
                let Ok(row) = transaction.add(target.object, target.node) else {
                    return 0;
                };
                usize::from(transaction.delete(row).is_ok())
            })
        });
    });
}

criterion_group!(benches, resolving, reading, changing);
criterion_main!(benches);
