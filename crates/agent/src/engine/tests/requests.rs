//! Requests: each is answered once, by its own name, on the road that it came.

use usphere_proto::msg::{
    Add, Delete, Deregister, Event, Get, GetInstances, GetSupportedDm, GetSupportedProtocol,
    Header, Notification, Notify, Operate, Register, RequestType, ResponseType, Set,
};
use usphere_proto::{Msg, MsgType, Record, RecordType};
use usphere_trust::Channel;

use super::{AGENT, CONTROLLER_1, get, ignored, set};
use crate::HangupReason;
use crate::limits::REQUESTS_MAX;
use crate::scene::{Scene, id, message_of, request_record};

fn one_of_each() -> Vec<RequestType> {
    vec![
        Add::default().into(),
        Delete::default().into(),
        Deregister::default().into(),
        get(&[AGENT]).into(),
        GetInstances {
            obj_paths: vec!["Device.LocalAgent.Controller.".to_owned()],
            first_level_only: true,
        }
        .into(),
        GetSupportedDm {
            obj_paths: vec!["Device.".to_owned()],
            ..Default::default()
        }
        .into(),
        GetSupportedProtocol::default().into(),
        Notify::default().into(),
        Operate {
            command: "Device.Reboot()".to_owned(),
            send_resp: true,
            ..Default::default()
        }
        .into(),
        Register::default().into(),
        Set::default().into(),
    ]
}

/// A change that has to be kept before it is answered.
fn set_code(code: &str) -> Set {
    set(CONTROLLER_1, &[("ProvisioningCode", code)])
}

/// Proves: R-MSG.0, R-MSG.9
#[test]
fn every_kind_of_request_is_answered_by_its_message_id() {
    let mut live = Scene::new().controller("operator").agent();
    let link = live.connect("operator");
    for request in one_of_each() {
        let kind = request.kind();
        live.request("operator", &format!("{kind:?}"), request);
        let answers = live.take_messages(link);
        assert_eq!(answers.len(), 1, "{kind:?}: {answers:?}");
        assert_eq!(answers[0].msg_id(), format!("{kind:?}"));
        assert!(answers[0].is_response() || answers[0].is_error());
    }
}

/// Proves: R-MSG.0a, R-MTP.4b
#[test]
fn an_answer_is_a_record_as_the_request_was_with_all_that_is_required() {
    let mut live = Scene::new().controller("operator").agent();
    let link = live.connect("operator");
    live.request("operator", "1", get(&[AGENT]));
    let record = live.take(link).remove(0);
    assert!(matches!(
        record.record_type,
        Some(RecordType::NoSessionContext(_))
    ));
    assert_eq!(
        (&*record.to_id, &*record.from_id),
        (id("operator").as_str(), id("agent").as_str())
    );
    assert_eq!(record.version, "1.4");
    assert_eq!(record.check(&id("operator")), Ok(()));
    let header = message_of(&record).unwrap().header.unwrap();
    assert_eq!(
        header,
        Header {
            msg_id: "1".to_owned(),
            msg_type: MsgType::GetResp as i32
        }
    );
}

/// Requests to which an Agent has nothing to say. (Pitfall 29)
///
/// Proves: R-MSG.1
#[test]
fn requests_for_controllers_are_answered_with_7001() {
    let mut live = Scene::new().controller("operator").agent();
    live.connect("operator");
    let boot = Event {
        obj_path: AGENT.to_owned(),
        event_name: "Boot!".to_owned(),
        ..Event::default()
    };
    let notify = Notify {
        notification: Some(Notification::Event(boot)),
        ..Notify::default()
    };
    for request in [
        RequestType::Notify(notify),
        RequestType::Register(Register::default()),
    ] {
        assert_eq!(live.error("operator", request).err_code, 7001);
    }
}

/// Proves: R-MSG.10
#[test]
fn the_body_tells_what_a_message_is() {
    let mut live = Scene::new().controller("operator").agent();
    let link = live.connect("operator");
    for misleading in [MsgType::Error, MsgType::Set, MsgType::GetResp] {
        let mut msg = Msg::request("1", get(&[AGENT]));
        msg.header.as_mut().unwrap().msg_type = misleading as i32;
        live.send(
            link,
            Record::no_session(&id("agent"), &id("operator"), msg.into_payload()),
        );
        let answers = live.take_messages(link);
        assert!(
            matches!(answers[0].as_response(), Some(ResponseType::GetResp(_))),
            "{misleading:?}"
        );
    }
}

/// Proves: R-MSG.4
#[test]
fn a_request_is_not_taken_twice_while_it_is_in_progress() {
    let mut live = Scene::new()
        .controller("operator")
        .controller("other")
        .agent();
    let link = live.connect("operator");
    let other = live.connect("other");
    live.hold();
    live.request("operator", "same", set_code("a"));
    live.request("operator", "same", set_code("b"));
    live.request("other", "same", get(&["Device.RootDataModelVersion"]));
    assert_eq!(live.take(other).len(), 1, "each Controller counts its own");
    assert_eq!(
        ignored(&live, link),
        ["a request with msg_id same is in progress"]
    );
    live.keep();
    assert_eq!(live.take_messages(link).len(), 1);
    assert_eq!(
        live.value(
            "operator",
            "Device.LocalAgent.Controller.1.ProvisioningCode"
        ),
        "a"
    );
    live.request("operator", "same", get(&[AGENT]));
    assert_eq!(
        live.take_messages(link).len(),
        1,
        "an ID that was answered may come again"
    );
}

#[test]
fn a_controller_that_asks_too_much_at_once_hears_7005() {
    let mut live = Scene::new()
        .controller("operator")
        .controller("other")
        .agent();
    let link = live.connect("operator");
    live.connect("other");
    live.hold();
    for place in 0..=REQUESTS_MAX {
        live.request("operator", &place.to_string(), set_code(&place.to_string()));
    }
    let answers = live.take_messages(link);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].msg_id(), REQUESTS_MAX.to_string());
    assert_eq!(answers[0].as_error().unwrap().err_code, 7005);
    assert_eq!(
        live.value("other", "Device.RootDataModelVersion"),
        "2.19",
        "others are not disturbed"
    );
    live.keep();
    assert_eq!(live.take_messages(link).len(), REQUESTS_MAX);
}

/// Nor is one that waits until it is known what rights there are.
///
/// Proves: R-MSG.4
#[test]
fn a_request_that_is_held_is_not_taken_twice() {
    let mut live = Scene::new()
        .controller("operator")
        .controller("other")
        .agent();
    live.connect("operator");
    let link = live.connect("other");
    live.hold();
    live.request(
        "operator",
        "1",
        set(CONTROLLER_1, &[("PeriodicNotifInterval", "100")]),
    );
    // What is read of the row anew waits for this.
    live.request("operator", "2", set_code("a"));
    live.keep_next();
    let version = || get(&["Device.RootDataModelVersion"]);
    live.request("other", "same", version());
    assert_eq!(live.take(link), [], "it is held");
    live.request("other", "same", version());
    assert_eq!(
        ignored(&live, link),
        ["a request with msg_id same is in progress"]
    );
    live.keep();
    assert_eq!(live.take_messages(link).len(), 1);
}

/// A Controller that lost its connection gets the answer on its new one.
///
/// Proves: R-MSG.0, R-MSG.4
#[test]
fn a_controller_that_reconnects_is_answered_on_its_new_connection() {
    let mut live = Scene::new().controller("operator").agent();
    let first = live.connect("operator");
    live.hold();
    live.request("operator", "1", set_code("a"));
    live.cut(first);
    let second = live.connect("operator");
    live.request("operator", "1", set_code("a"));
    live.keep();
    assert_eq!(live.take(first), []);
    let answers = live.take_messages(second);
    assert_eq!(answers.len(), 1);
    assert!(answers[0].is_response());
}

/// What was asked where the Controller is known is not told where anybody may listen.
#[test]
fn an_answer_does_not_move_to_a_connection_that_is_worth_less() {
    let mut live = Scene::new().controller("operator").agent();
    let first = live.connect("operator");
    live.hold();
    live.request("operator", "1", set_code("a"));
    live.cut(first);
    let second = live.arrive(Some("operator"), Channel::PlainInsecure);
    live.keep();
    assert_eq!(live.take_messages(second), []);
}

#[test]
fn answers_for_a_controller_that_is_gone_go_nowhere() {
    let mut live = Scene::new()
        .controller("operator")
        .controller("other")
        .agent();
    let link = live.connect("operator");
    live.hold();
    live.request("operator", "1", set(CONTROLLER_1, &[("Enable", "false")]));
    live.request("operator", "2", get(&[CONTROLLER_1]));
    live.cut(link);
    live.keep();
    assert_eq!(live.take(link), []);
    assert!(
        live.hangups
            .iter()
            .all(|(_, reason)| *reason != HangupReason::Replaced)
    );
}

/// A Get whose paths are so long that to repeat them with their errors is more than a link can carry.
#[test]
fn an_answer_that_is_too_large_is_replaced_by_7005() {
    let mut live = Scene::new().controller("operator").agent();
    live.connect("operator");
    let path = format!("Device.{}", "x".repeat(8_180));
    let error = live.error(
        "operator",
        Get {
            param_paths: vec![path; 1_020],
            max_depth: 0,
        },
    );
    assert_eq!(error.err_code, 7005);
}

/// The time of the Agent goes on, and asks nobody.
#[test]
fn the_agent_tells_how_long_it_runs() {
    let mut live = Scene::new().controller("operator").agent();
    live.connect("operator");
    assert_eq!(live.value("operator", "Device.LocalAgent.UpTime"), "0");
    live.wait(std::time::Duration::from_secs(90));
    assert_eq!(live.value("operator", "Device.LocalAgent.UpTime"), "90");
    assert!(live.questions.is_empty());
}

#[test]
fn records_of_others_do_not_wait_for_a_request_in_progress() {
    let mut live = Scene::new().controller("operator").agent();
    let link = live.connect("operator");
    live.hold();
    live.request("operator", "slow", set_code("a"));
    live.send(
        link,
        request_record("operator", "quick", get(&["Device.LocalAgent.EndpointID"])),
    );
    let answers = live.take_messages(link);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].msg_id(), "quick");
}

/// A row that could not be added is gone: what is said of it names its table.
#[test]
fn what_cannot_be_added_is_named_by_its_table() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let table = "Device.LocalAgent.Subscription.";
    let values = [("ID", "same")];
    live.response("a", super::add(table, &values));
    let error = live.error("a", super::add(table, &values));
    assert!(
        error.err_msg.starts_with(&format!("{table}: ")),
        "{error:?}"
    );
}
