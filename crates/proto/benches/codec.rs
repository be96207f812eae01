//! What it costs to read and write Records and Messages, and to refuse those that are made to be costly.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use usphere_proto::msg::{Get, GetResp, RequestedPathResult, ResolvedPathResult, ResponseType};
use usphere_proto::{EndpointId, GetRespWriter, Limits, Msg, Record};

fn id(text: &str) -> EndpointId {
    EndpointId::from_wire(text).expect("it is short")
}

/// What reads one parameter.
fn get() -> Msg {
    let request = Get {
        param_paths: vec!["Device.DeviceInfo.SoftwareVersion".to_owned()],
        max_depth: 0,
    };
    Msg::request("get-1", request)
}

/// `objects` objects with `parameters` values each.
fn get_resp(objects: usize, parameters: usize) -> Msg {
    let objects = (1..=objects).map(|object| ResolvedPathResult {
        resolved_path: format!("Device.Ethernet.Interface.{object}."),
        result_params: (1..=parameters)
            .map(|parameter| (format!("Parameter{parameter}"), format!("value {object}")))
            .collect(),
    });
    let result = RequestedPathResult {
        requested_path: "Device.Ethernet.Interface.".to_owned(),
        resolved_path_results: objects.collect(),
        ..RequestedPathResult::default()
    };
    let response = GetResp {
        req_path_results: vec![result],
    };
    Msg::response("get-1", response)
}

fn records(criterion: &mut Criterion) {
    let (agent, controller) = (id("self::agent"), id("self::controller"));
    let record = Record::no_session(&agent, &controller, get().into_payload());
    let bytes = record.to_bytes();
    criterion.bench_function("decode a Record", |bencher| {
        bencher.iter(|| Record::decode_bounded(black_box(bytes.clone()), &Limits::DEFAULT));
    });
    criterion.bench_function("decode and check a Record", |bencher| {
        bencher.iter(|| Record::receive(black_box(bytes.clone()), &agent, &Limits::DEFAULT));
    });
    criterion.bench_function("encode a Record", |bencher| {
        bencher.iter(|| black_box(&record).to_bytes());
    });
}

fn messages(criterion: &mut Criterion) {
    let payload = get().into_payload();
    criterion.bench_function("receive a Get of 1 path", |bencher| {
        bencher.iter(|| Msg::receive(black_box(payload.clone()), &Limits::DEFAULT));
    });
    for (parameters, response) in [(1, get_resp(1, 1)), (126, get_resp(21, 6))] {
        criterion.bench_function(
            &format!("copy and encode a GetResp of {parameters}"),
            |bencher| {
                bencher.iter(|| black_box(&response).clone().into_payload());
            },
        );
        criterion.bench_function(&format!("write a GetResp of {parameters}"), |bencher| {
            bencher.iter(|| written(black_box(&response)));
        });
        let payload = response.into_payload();
        criterion.bench_function(&format!("receive a GetResp of {parameters}"), |bencher| {
            bencher.iter(|| Msg::receive(black_box(payload.clone()), &Limits::DEFAULT));
        });
    }
}

/// As the Agent does it, which has no such structs.
fn written(response: &Msg) -> Option<Bytes> {
    let ResponseType::GetResp(response) = response.as_response()? else {
        return None;
    };
    let mut writer = GetRespWriter::default();
    for path in &response.req_path_results {
        writer.path(&path.requested_path);
        for object in &path.resolved_path_results {
            writer.object(&object.resolved_path);
            let values = object.result_params.iter();
            values.for_each(|(name, value)| writer.value(name, value));
        }
    }
    Some(writer.finish().into_payload("get-1"))
}

/// Messages that are as large as a peer may make them, and of no use.
fn hostile(criterion: &mut Criterion) {
    let room = Limits::DEFAULT.msg_bytes_max - 64;
    let empty_paths = Get {
        param_paths: vec![String::new(); room / 2],
        max_depth: 0,
    };
    let shapes = [
        (
            "of empty items",
            Msg::request("hostile", empty_paths).into_payload(),
        ),
        // Field 15, a varint, 0.
        ("of unknown fields", Bytes::from([0x78, 0].repeat(room / 2))),
        // Field 15, the start of a group.
        ("of groups in groups", Bytes::from(vec![0x7b; room])),
        // Field 15 again and again, each time a group that ends at once.
        (
            "of empty groups",
            Bytes::from([0x7b, 0x7c].repeat(room / 2)),
        ),
    ];
    let mut group = criterion.benchmark_group("refuse 8 MiB");
    for (name, payload) in shapes {
        assert!(Msg::receive(payload.clone(), &Limits::DEFAULT).is_err());
        group.throughput(Throughput::Bytes(payload.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| Msg::receive(black_box(payload.clone()), &Limits::DEFAULT));
        });
    }
    group.finish();
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
    targets = records, messages, hostile
}
criterion_main!(benches);
