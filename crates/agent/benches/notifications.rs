//! What 1,000 Subscriptions on 10,000 parameters cost: memory, a change that some of them or none are
//! about, and one Subscription more.
//!
//! `cargo bench -p usphere-agent --features testing --bench notifications`

use std::fs;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use usphere_agent::LinkId;
use usphere_agent::scene::{LiveAgent, Scene, request_record};
use usphere_datamodel::declare::{Object, Parameter, Rows, STRING, object, parameter};
use usphere_proto::Record;
use usphere_proto::msg::{
    Add, CreateObject, CreateParamSetting, Delete, Set, UpdateObject, UpdateParamSetting,
};

const OPERATOR: &str = "operator";
const SUBSCRIPTIONS: &str = "Device.LocalAgent.Subscription.";

const TEN: [Parameter; 10] = [
    parameter("Alias", STRING).writable(),
    parameter("Name", STRING).writable(),
    parameter("Status", STRING).writable(),
    parameter("Mode", STRING).writable(),
    parameter("Speed", STRING).writable(),
    parameter("Label", STRING).writable(),
    parameter("Place", STRING).writable(),
    parameter("Owner", STRING).writable(),
    parameter("Colour", STRING).writable(),
    parameter("Quiet", STRING).writable(),
];

/// 1,000 rows of 10 parameters.
const PORT: Object = object("Device.Port.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .parameters(&TEN);
const PORTS: usize = 1_000;

fn agent() -> LiveAgent {
    let mut live = Scene::new().controller(OPERATOR).host(&[&PORT]).agent();
    live.connect(OPERATOR);
    for port in 1..=PORTS {
        live.response(
            OPERATOR,
            add("Device.Port.", &[("Name", &format!("eth{port}"))]),
        );
    }
    live
}

/// Subscribes to `count` things of every sort: single parameters, rows, wildcards, searches, creations.
fn subscribe(live: &mut LiveAgent, count: usize) {
    for number in 1..=count {
        let row = number % PORTS + 1;
        let (kind, references) = match number % 10 {
            0 => ("ValueChange", format!("Device.Port.{row}.")),
            1 => ("ObjectCreation", "Device.Port.".to_owned()),
            2 => ("ObjectDeletion", format!("Device.Port.{row}.")),
            3 if number < 100 => (
                "ValueChange",
                "Device.Port.[Name==\"eth7\"].Status".to_owned(),
            ),
            4 if number < 100 => ("ValueChange", "Device.Port.*.Mode".to_owned()),
            5 => (
                "ValueChange",
                format!("Device.Port.{row}.Speed,Device.Port.{row}.Label"),
            ),
            _ => ("ValueChange", format!("Device.Port.{row}.Colour")),
        };
        live.response(
            OPERATOR,
            add(
                SUBSCRIPTIONS,
                &[
                    ("Enable", "true"),
                    ("ID", &format!("subscription {number}")),
                    ("NotifType", kind),
                    ("ReferenceList", &references),
                ],
            ),
        );
    }
    let link = live.link(OPERATOR);
    live.take(link);
}

fn changes(criterion: &mut Criterion) {
    let mut live = agent();
    let link = live.link(OPERATOR);
    set_again(
        criterion,
        &mut live,
        link,
        "Set, nobody has subscribed",
        "Colour",
    );
    let before = resident_kib();
    subscribe(&mut live, 1_000);
    let after = resident_kib();
    println!(
        "memory: {} KiB for 1,000 Subscriptions",
        after.saturating_sub(before)
    );
    for (name, parameter) in [
        ("Set, 1 of 1,000 Subscriptions is about it", "Colour"),
        ("Set, 10 of 1,000 Subscriptions are, by a wildcard", "Mode"),
        (
            "Set, 10 of 1,000 Subscriptions may be, by a search",
            "Status",
        ),
        ("Set, none of 1,000 Subscriptions is", "Quiet"),
    ] {
        set_again(criterion, &mut live, link, name, parameter);
    }
}

fn set_again(
    criterion: &mut Criterion,
    live: &mut LiveAgent,
    link: LinkId,
    name: &str,
    parameter: &str,
) {
    let mut turn = 0_u32;
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            turn += 1;
            let request = set("Device.Port.7.", &[(parameter, &turn.to_string())]);
            exchange(live, link, request_record(OPERATOR, "change", request))
        });
    });
}

fn one_more(criterion: &mut Criterion) {
    for count in [10, 1_000] {
        let mut live = agent();
        subscribe(&mut live, count);
        let link = live.link(OPERATOR);
        let mut row = count;
        let name = format!("Add and Delete a Subscription beside {count}");
        criterion.bench_function(&name, |bencher| {
            bencher.iter(|| {
                row += 1;
                let values = [
                    ("Enable", "true"),
                    ("ID", "one more"),
                    ("NotifType", "ValueChange"),
                    ("ReferenceList", "Device.Port.3.Colour"),
                ];
                let added = request_record(OPERATOR, "add", add(SUBSCRIPTIONS, &values));
                let gone = Delete {
                    allow_partial: false,
                    obj_paths: vec![format!("{SUBSCRIPTIONS}{row}.")],
                };
                let gone = request_record(OPERATOR, "delete", gone);
                (
                    exchange(&mut live, link, added),
                    exchange(&mut live, link, gone),
                )
            });
        });
    }
}

fn exchange(live: &mut LiveAgent, link: LinkId, record: Record) -> usize {
    live.send(link, record);
    live.take(link).len()
}

fn resident_kib() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0_usize) * 4
}

fn set(object: &str, values: &[(&str, &str)]) -> Set {
    let settings = values.iter().map(|(param, value)| UpdateParamSetting {
        param: (*param).to_owned(),
        value: (*value).to_owned(),
        required: true,
    });
    Set {
        allow_partial: false,
        update_objs: vec![UpdateObject {
            obj_path: object.to_owned(),
            param_settings: settings.collect(),
        }],
    }
}

fn add(table: &str, values: &[(&str, &str)]) -> Add {
    let settings = values.iter().map(|(param, value)| CreateParamSetting {
        param: (*param).to_owned(),
        value: (*value).to_owned(),
        required: true,
    });
    Add {
        allow_partial: false,
        create_objs: vec![CreateObject {
            obj_path: table.to_owned(),
            param_settings: settings.collect(),
        }],
    }
}

fn quick() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = benches;
    config = quick();
    targets = changes, one_more
}
criterion_main!(benches);
