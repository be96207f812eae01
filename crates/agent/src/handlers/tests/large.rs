//! What is asked for that no peer could take.

use usphere_proto::msg::{DeleteResp, DeletedObjectResult, Get, ResponseType};
use usphere_proto::{Limits, Msg};

use super::requests::{Reading, Writing, add, get, instances, schema, set};
use super::scene::Scene;
use crate::handlers::limits::{ANSWER_BYTES_MAX, ANSWER_ELEMENTS_MAX, PATHS_MAX};
use crate::handlers::{Answer, is_sendable};

fn crowded() -> Scene {
    let mut scene = Scene::new();
    scene.hosts = (0..10_000).map(|at| format!("{at:06}")).collect();
    scene
}

/// The same limits, applied by the receiver.
fn is_readable(answer: &Answer) -> bool {
    let Answer::Response(response) = answer else {
        panic!("{answer:?}")
    };
    let payload = Msg::response("1", ResponseType::clone(response)).into_payload();
    Msg::decode_bounded(payload, &Limits::DEFAULT).is_ok()
}

/// As much is answered as fits, and an error for the rest; whoever reads it is not asked for more than our
/// own decoder takes.
#[test]
fn what_is_named_again_and_again_fills_one_answer() {
    let mut scene = crowded();
    let answer = scene.ask(get(&["Device.Hosts."; 1_000]));
    assert!(is_readable(&answer));
    let values = answer.values();
    let whole = values.iter().filter(|values| values.is_ok()).count();
    assert_eq!(whole, 7, "each is 30,000 of 240,000 items");
    assert!(values[..7].iter().all(Result::is_ok));
    assert!(values[7..].iter().all(|values| *values == Err(7005)));

    let answer = scene.ask(instances(&["Device.Hosts.Host."; 100]));
    assert!(is_readable(&answer));
    let rows = answer.instances();
    assert!(rows[0].is_ok() && rows[99].is_err());

    let answer = scene.ask(schema(&["Device."; 10_000]));
    assert!(is_readable(&answer));
}

/// What is small is answered after what was too large, for a while.
#[test]
fn what_does_not_fit_takes_no_room() {
    let mut scene = crowded();
    let paths = [
        &["Device.Hosts."; 7][..],
        &["Device.Hosts."],
        &["Device.Hosts.Host.1.MACAddress"],
    ];
    let values = scene.ask(get(&paths.concat())).values();
    assert!(values[7].is_err());
    let first = "Device.Hosts.Host.1.MACAddress=000000".to_owned();
    assert_eq!(values[8], Ok(vec![first]));
}

/// A change whose answer nobody could take is not made: otherwise it would be made and called failed.
#[test]
fn a_change_with_an_answer_too_large_is_taken_back() {
    let mut scene = Scene::new();
    let rows = (0..10_000).fold(add("Device.Spare."), |request, at| match at {
        0 => request,
        _ => request.and("Device.Spare."),
    });
    assert_eq!(scene.ask(rows).added().len(), 10_000);
    let everything = (0..13).fold(set("Device.Spare.*.").with("Label", "0"), |request, at| {
        request
            .and("Device.Spare.*.")
            .with("Label", &at.to_string())
    });
    let Answer::Error { code, .. } = scene.ask(everything) else {
        panic!("that is too much")
    };
    assert_eq!(code.number(), 7005);
    assert_eq!(scene.value("Device.Spare.1.Label"), "");
    let some = set("Device.Spare.*.").with("Label", "x");
    assert!(scene.ask(some).updated()[0].is_ok());
}

/// As many paths as one request may name are answered.
#[test]
fn so_many_paths_are_answered_and_no_more() {
    let mut scene = Scene::new();
    let mut request = Get {
        param_paths: vec!["Device.Nothing.".to_owned(); PATHS_MAX],
        max_depth: 0,
    };
    assert_eq!(scene.ask(request.clone()).values().len(), PATHS_MAX);
    request.param_paths.push("Device.Nothing.".to_owned());
    assert_eq!(scene.ask(request).error().0, 7005);
}

/// What changes more than its answer can tell is known by the answer's bytes, and by what is in it.
#[test]
fn an_answer_is_sendable_while_it_is_neither_too_long_nor_too_crowded() {
    let of = |results: Vec<DeletedObjectResult>| {
        ResponseType::from(DeleteResp {
            deleted_obj_results: results,
        })
    };
    let crowded = |number: usize| of(vec![DeletedObjectResult::default(); number]);
    assert!(is_sendable(&crowded(1)) && is_sendable(&crowded(ANSWER_ELEMENTS_MAX)));
    assert!(!is_sendable(&crowded(Limits::DEFAULT.elements_max + 1)));
    let long = |bytes: usize| {
        of(vec![DeletedObjectResult {
            requested_path: "x".repeat(bytes),
            ..DeletedObjectResult::default()
        }])
    };
    assert!(is_sendable(&long(ANSWER_BYTES_MAX - 100)));
    assert!(!is_sendable(&long(ANSWER_BYTES_MAX + 1)));
}
