//! What each kind of request costs an Agent: from the Record that comes to the Record that leaves, with a
//! store in memory that keeps everything at once.
//!
//! `cargo bench -p usphere-agent --features testing`

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use usphere_agent::LinkId;
use usphere_agent::scene::{LiveAgent, Scene, message_of, request_record};
use usphere_datamodel::declare::{INT, Object, Parameter, Rows, STRING, object, parameter};
use usphere_proto::Record;
use usphere_proto::msg::{
    Add, CreateObject, CreateParamSetting, Delete, Get, GetInstances, GetSupportedDm,
    GetSupportedProtocol, Operate, RequestType, Set, UpdateObject, UpdateParamSetting,
};

const OPERATOR: &str = "operator";
const GUEST: &str = "guest";
const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";

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
const PORTS: usize = 21;

/// An Agent with its ports, an operator that may do everything, a guest with a role of 20 permissions,
/// and a Controller 3 that is being dialled.
fn agent() -> LiveAgent {
    let mut live = Scene::new()
        .controller(OPERATOR)
        .controller(GUEST)
        .dialled("cloud", "cloud.example")
        .host(&[&PORT])
        .agent();
    live.connect(OPERATOR);
    live.connect(GUEST);
    for port in 1..=PORTS {
        let (port, name) = (port.to_string(), format!("eth{port}"));
        let values = [("Name", &*name), ("Status", "Up"), ("LastChange", &*port)];
        live.response(OPERATOR, add("Device.Port.", &values));
    }
    restrict(&mut live);
    live
}

/// Gives the guest its role: plain permissions, wildcards, rows and searches.
fn restrict(live: &mut LiveAgent) {
    let role = [("Name", "Guest"), ("Enable", "true")];
    live.response(OPERATOR, add(ROLES, &role));
    let roles = live.values(OPERATOR, &format!("{ROLES}*.Name"));
    let named = roles.iter().find(|(_, name)| *name == "Guest");
    let role = named.expect("it was added").0.trim_end_matches("Name");
    for order in 0..20 {
        let targets = match order % 4 {
            0 => "Device.".to_owned(),
            1 => "Device.Port.*.Status".to_owned(),
            2 => format!("Device.Port.{order}."),
            _ => format!("Device.Port.[LastChange=={order}]."),
        };
        let permission = [
            ("Enable", "true"),
            ("Order", &*order.to_string()),
            ("Targets", &*targets),
            ("Param", "r---"),
            ("Obj", "r---"),
            ("InstantiatedObj", "r---"),
        ];
        live.response(OPERATOR, add(&format!("{role}Permission."), &permission));
    }
    let assigned = [("AssignedRole", role.trim_end_matches('.'))];
    live.response(OPERATOR, set("Device.LocalAgent.Controller.2.", &assigned));
}

fn get(path: &str) -> Get {
    Get {
        param_paths: vec![path.to_owned()],
        max_depth: 0,
    }
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

fn delete(path: &str) -> Delete {
    Delete {
        allow_partial: false,
        obj_paths: vec![path.to_owned()],
    }
}

/// One Record in, all Records out.
fn exchange(live: &mut LiveAgent, link: LinkId, record: Record) -> Vec<Record> {
    live.send(link, black_box(record));
    live.take(link)
}

/// Measures a request that changes nothing.
fn question(
    criterion: &mut Criterion,
    live: &mut LiveAgent,
    name: &str,
    who: &str,
    request: impl Into<RequestType>,
) {
    let link = live.link(who);
    let record = request_record(who, "question", request);
    let answer = exchange(live, link, record.clone());
    let message = answer.first().and_then(message_of);
    assert!(message.is_some_and(|message| message.is_response()));
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| exchange(live, link, record.clone()));
    });
}

fn asking(criterion: &mut Criterion) {
    let live = &mut agent();
    for who in [OPERATOR, GUEST] {
        assert_eq!(live.values(who, "Device.Port.").len(), PORTS * SIX.len());
    }
    let one = get("Device.Port.7.Status");
    let all = get("Device.Port.");
    let instances = GetInstances {
        obj_paths: vec!["Device.Port.".to_owned()],
        first_level_only: false,
    };
    let supported = GetSupportedDm {
        obj_paths: vec!["Device.".to_owned()],
        first_level_only: false,
        return_commands: true,
        return_events: true,
        return_params: true,
        return_unique_key_sets: true,
    };
    let protocol = GetSupportedProtocol::default();
    question(criterion, live, "Get of 1", OPERATOR, one.clone());
    question(criterion, live, "Get of 126", OPERATOR, all.clone());
    question(criterion, live, "Get of 1, 20 permissions", GUEST, one);
    question(criterion, live, "Get of 126, 20 permissions", GUEST, all);
    question(criterion, live, "GetInstances of 21", OPERATOR, instances);
    question(criterion, live, "GetSupportedDM", OPERATOR, supported);
    question(criterion, live, "GetSupportedProtocol", OPERATOR, protocol);
}

fn changing(criterion: &mut Criterion) {
    let mut live = agent();
    let link = live.link(OPERATOR);
    let mut turn = 0_u32;
    criterion.bench_function("Set of 1, kept", |bencher| {
        bencher.iter(|| {
            turn += 1;
            let request = set("Device.Port.7.", &[("MaxBitRate", &turn.to_string())]);
            exchange(&mut live, link, request_record(OPERATOR, "change", request))
        });
    });
    assert_eq!(
        live.value(OPERATOR, "Device.Port.7.MaxBitRate"),
        turn.to_string()
    );
    let mut row = PORTS;
    criterion.bench_function("Add and Delete, kept", |bencher| {
        bencher.iter(|| {
            row += 1;
            let request = add("Device.Port.", &[("Name", "new")]);
            let added = request_record(OPERATOR, "add", request);
            let request = delete(&format!("Device.Port.{row}."));
            let deleted = request_record(OPERATOR, "delete", request);
            (
                exchange(&mut live, link, added),
                exchange(&mut live, link, deleted),
            )
        });
    });
    let rows = live.values(OPERATOR, "Device.Port.*.Name");
    assert_eq!(rows.len(), PORTS, "each row that was added was deleted");
}

/// Includes the reset itself, which gives up one attempt to connect and starts another.
fn operating(criterion: &mut Criterion) {
    let mut live = agent();
    let link = live.link(OPERATOR);
    let request = Operate {
        command: "Device.LocalAgent.Controller.3.MTP.1.WebSocket.Reset()".to_owned(),
        command_key: String::new(),
        send_resp: true,
        input_args: BTreeMap::new(),
    };
    let record = request_record(OPERATOR, "operate", request);
    let before = live.dials.front().map(|dialled| dialled.dial);
    criterion.bench_function("Operate Reset()", |bencher| {
        bencher.iter(|| {
            let answer = exchange(&mut live, link, record.clone());
            live.wait(Duration::from_millis(100));
            answer
        });
    });
    assert_eq!(live.dials.len(), 1);
    assert_ne!(live.dials.front().map(|dialled| dialled.dial), before);
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
    targets = asking, changing, operating
}
criterion_main!(benches);
