//! Whom the Agent dials, where and when, as the data model says.

use std::time::Duration;

use usphere_datamodel::Moment;
use usphere_proto::Record;

use super::{CONTROLLER_1, CONTROLLER_2, SOCKET_1, add, delete, set};
use crate::scene::{LiveAgent, Scene, id};
use crate::{HangupReason, Notice};

/// How long until the next attempt to connect.
fn wait_for_dial(live: &mut LiveAgent) -> f64 {
    let from = live.now;
    while live.dials.is_empty() {
        let next: Moment = live.agent.deadline().expect("something is to come");
        live.wait(next - live.now);
    }
    (live.now - from).as_secs_f64()
}

/// Proves: R-WS.2, R-WS.5
#[test]
fn enabled_controllers_are_dialled_at_once() {
    let mut live = Scene::new().dialled("a", "there").controller("b").agent();
    assert_eq!(live.dials.len(), 1);
    let dialled = live.dials[0].clone();
    assert_eq!(dialled.controller, id("a"));
    assert_eq!(
        (
            &*dialled.target.host,
            dialled.target.port,
            &*dialled.target.path
        ),
        ("there", 8081, "/usp")
    );
    live.pick_up();
    assert_eq!(
        live.value("a", "Device.LocalAgent.EndpointID"),
        "self::agent"
    );
    live.wait(Duration::from_secs(100_000));
    assert!(live.dials.is_empty(), "who is connected is not dialled");
}

/// Proves: R-WS.18
#[test]
fn the_ping_interval_is_what_the_data_model_says() {
    let mut live = Scene::new().dialled("a", "there").agent();
    assert_eq!(live.dials[0].ping_interval, Duration::from_secs(30));
    let link = live.pick_up();
    live.take(link);
    live.request("a", "1", set(SOCKET_1, &[("KeepAliveInterval", "7")]));
    assert_eq!(
        live.dials[0].ping_interval,
        Duration::from_secs(7),
        "the session is begun anew with it"
    );
    assert_eq!(live.hangups, [(link, HangupReason::Reconfigured)]);
}

/// Proves: R-WS.18
#[test]
fn accepted_connections_are_pinged_as_the_data_model_says() {
    let mut live = Scene::new().controller("a").agent();
    assert_eq!(live.accepted_ping_interval, Duration::from_secs(60));
    live.connect("a");
    let socket = "Device.LocalAgent.MTP.1.WebSocket.";
    live.request("a", "1", set(socket, &[("KeepAliveInterval", "9")]));
    assert_eq!(live.accepted_ping_interval, Duration::from_secs(9));
}

/// Proves: R-WS.19, TP-469 7.8
#[test]
fn retries_wait_in_the_ranges_that_grow_until_the_tenth() {
    let mut live = Scene::new().dialled("a", "there").controller("b").agent();
    for retry in 1..=12_i32 {
        live.turn_down();
        let range = 5.0 * 2_f64.powi((retry - 1).min(9));
        let waited = wait_for_dial(&mut live);
        assert!(
            (range..=2.0 * range).contains(&waited),
            "retry {retry} came after {waited} s"
        );
    }
}

/// Proves: R-WS.19
#[test]
fn retries_are_not_the_same_for_every_agent() {
    let waits: Vec<f64> = (1..=4)
        .map(|seed| {
            let mut live = Scene::new().dialled("a", "there").seed(seed).agent();
            live.turn_down();
            wait_for_dial(&mut live)
        })
        .collect();
    assert!(
        waits
            .windows(2)
            .all(|pair| (pair[0] - pair[1]).abs() > 0.01),
        "{waits:?}"
    );
}

/// Proves: R-WS.19
#[test]
fn the_parameters_of_the_back_off_are_followed() {
    let mut live = Scene::new().dialled("a", "there").controller("b").agent();
    live.connect("b");
    let values = [
        ("SessionRetryMinimumWaitInterval", "100"),
        ("SessionRetryIntervalMultiplier", "1500"),
    ];
    live.response("b", set(SOCKET_1, &values));
    for (least, most) in [(100.0, 150.0), (150.0, 225.0), (225.0, 337.5)] {
        live.turn_down();
        let waited = wait_for_dial(&mut live);
        assert!((least..=most).contains(&waited), "{waited}");
    }
}

/// Proves: R-WS.20
#[test]
fn a_session_resets_the_retry_count() {
    let count = "Device.LocalAgent.Controller.1.MTP.1.WebSocket.CurrentRetryCount";
    let mut live = Scene::new().dialled("a", "there").controller("b").agent();
    live.connect("b");
    for retry in ["1", "2", "3"] {
        live.turn_down();
        assert_eq!(live.value("b", count), retry);
        wait_for_dial(&mut live);
    }
    let link = live.pick_up();
    assert_eq!(live.value("b", count), "0");
    live.cut(link);
    assert_eq!(live.value("b", count), "1");
    let waited = wait_for_dial(&mut live);
    assert!((5.0..=10.0).contains(&waited), "{waited}");
}

/// Proves: R-WS.21
#[test]
fn a_restart_resets_the_retry_count() {
    let count = "Device.LocalAgent.Controller.1.MTP.1.WebSocket.CurrentRetryCount";
    let mut live = Scene::new().dialled("a", "there").controller("b").agent();
    for _ in 0..6 {
        live.turn_down();
        wait_for_dial(&mut live);
    }
    let mut live = live.restart();
    assert_eq!(live.dials.len(), 1, "a restarted Agent dials at once");
    live.connect("b");
    assert_eq!(live.value("b", count), "0");
    live.turn_down();
    let waited = wait_for_dial(&mut live);
    assert!((5.0..=10.0).contains(&waited), "{waited}");
}

#[test]
fn another_host_is_dialled_at_once() {
    let mut live = Scene::new().dialled("a", "there").agent();
    let link = live.pick_up();
    live.take(link);
    live.request("a", "1", set(SOCKET_1, &[("Host", "elsewhere")]));
    let records = live.take(link);
    assert_eq!(records.len(), 2, "the answer and the goodbye");
    assert_eq!(live.hangups, [(link, HangupReason::Reconfigured)]);
    assert_eq!(live.dials.len(), 1);
    assert_eq!(live.dials[0].target.host, "elsewhere");
}

#[test]
fn an_attempt_is_given_up_when_its_target_changes() {
    let mut live = Scene::new().dialled("a", "there").controller("b").agent();
    live.connect("b");
    let before = live.dials[0].dial;
    live.response("b", set(SOCKET_1, &[("Port", "1234")]));
    assert_eq!(live.dials.len(), 1);
    assert_ne!(live.dials[0].dial, before);
    assert_eq!(live.dials[0].target.port, 1234);
}

#[test]
fn a_change_of_the_retry_parameters_disturbs_no_session() {
    let mut live = Scene::new().dialled("a", "there").agent();
    live.pick_up();
    live.response(
        "a",
        set(SOCKET_1, &[("SessionRetryMinimumWaitInterval", "9")]),
    );
    live.response(
        "a",
        set("Device.LocalAgent.Controller.1.MTP.1.", &[("Order", "3")]),
    );
    assert_eq!(live.hangups, []);
}

#[test]
fn what_is_disabled_or_deleted_is_not_dialled() {
    for stop in [CONTROLLER_1.to_owned(), format!("{CONTROLLER_1}MTP.1.")] {
        let mut live = Scene::new().dialled("a", "there").controller("b").agent();
        live.connect("b");
        live.response("b", set(&stop, &[("Enable", "false")]));
        live.wait(Duration::from_secs(10_000));
        assert!(live.dials.is_empty(), "{stop}");
        live.response("b", set(&stop, &[("Enable", "true")]));
        assert_eq!(live.dials.len(), 1, "{stop}");
        live.response("b", delete(&stop));
        live.wait(Duration::from_secs(10_000));
        assert!(live.dials.is_empty(), "{stop}");
    }
}

#[test]
fn a_controller_that_is_added_is_dialled() {
    let mut live = Scene::new().controller("b").agent();
    live.connect("b");
    let values = [("EndpointID", "self::new"), ("Enable", "true")];
    live.response("b", add("Device.LocalAgent.Controller.", &values));
    assert!(live.dials.is_empty());
    let values = [("Enable", "true"), ("Protocol", "WebSocket")];
    live.response("b", add(&format!("{CONTROLLER_2}MTP."), &values));
    assert!(live.dials.is_empty(), "where is not known yet");
    let values = [
        ("Host", "there"),
        ("Port", "81"),
        ("EnableEncryption", "false"),
    ];
    live.response(
        "b",
        set(&format!("{CONTROLLER_2}MTP.1.WebSocket."), &values),
    );
    assert_eq!(live.dials.len(), 1);
    assert_eq!(live.dials[0].controller, id("new"));
}

/// Who only picks up is not the Controller: without a Record from it the wait grows on.
///
/// Proves: R-WS.20
#[test]
fn only_a_record_of_the_controller_ends_the_growing_of_the_wait() {
    let mut live = Scene::new().dialled("a", "there").controller("b").agent();
    for retry in 1..=6_i32 {
        let link = live.pick_up_in_silence();
        live.cut(link);
        let range = 5.0 * 2_f64.powi(retry - 1);
        let waited = wait_for_dial(&mut live);
        assert!(
            (range..=2.0 * range).contains(&waited),
            "retry {retry} came after {waited} s"
        );
    }
    let link = live.pick_up();
    live.cut(link);
    let waited = wait_for_dial(&mut live);
    assert!((5.0..=10.0).contains(&waited), "{waited}");
}

/// An Agent that was given a wrong Endpoint ID or address does not storm at who is there, and says who that is.
///
/// Proves: R-WS.20, R-SEC.0a
#[test]
fn somebody_else_who_answers_is_named_and_left() {
    let mut live = Scene::new().dialled("a", "there").controller("b").agent();
    for retry in 1..=5_i32 {
        let link = live.pick_up_in_silence();
        live.send(link, Record::websocket_connect(&id("agent"), &id("other")));
        assert_eq!(
            live.hangups.last(),
            Some(&(link, HangupReason::NotWhoWasDialled))
        );
        let told = live.notices.iter().rev().find_map(|notice| match notice {
            Notice::DialFailed {
                retries, reason, ..
            } => Some((*retries, reason.clone())),
            _ => None,
        });
        let (retries, reason) = told.expect("a notice");
        assert_eq!(retries, retry as u32);
        assert!(reason.contains("self::other"), "{reason}");
        let range = 5.0 * 2_f64.powi(retry - 1);
        let waited = wait_for_dial(&mut live);
        assert!((range..=2.0 * range).contains(&waited), "{waited}");
    }
}
