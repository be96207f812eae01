//! OnBoardRequests.

use usphere_datamodel::declare::{STRING, parameter};
use usphere_proto::msg::{Notification, Operate};

use super::*;

const DEVICE_INFO: Object = object("Device.DeviceInfo.").parameters(&[
    parameter("ManufacturerOUI", STRING.max(6)).default("00256D"),
    parameter("ProductClass", STRING.max(64)).default("Lamp"),
    parameter("SerialNumber", STRING.max(64)).default("42"),
]);

fn scene() -> LiveAgent {
    let mut live = Scene::new().controller("a").host(&[&DEVICE_INFO]).agent();
    live.connect("a");
    live
}

/// Runs SendOnBoardRequest(), as TP-469 does, without wanting a response.
fn send_on_board_request(live: &mut LiveAgent, msg_id: &str) {
    let operate = Operate {
        command: format!("{CONTROLLER_1}SendOnBoardRequest()"),
        command_key: "test60".to_owned(),
        ..Operate::default()
    };
    live.request("a", msg_id, operate);
}

fn requests(live: &mut LiveAgent) -> Vec<(String, Notify)> {
    let all = notified(live, "a").into_iter();
    all.filter(|(_, notify)| matches!(notify.notification, Some(Notification::OnBoardReq(_))))
        .collect()
}

/// Proves: R-NOT.5, R-NOT.6, R-NOT.7, TP-469 1.60
#[test]
fn send_on_board_request_asks_the_controller() {
    let mut live = scene();
    assert_eq!(requests(&mut live), [], "who is configured is on board");
    send_on_board_request(&mut live, "60");
    let sent = requests(&mut live);
    assert_eq!(sent.len(), 1);
    let notify = &sent[0].1;
    assert_eq!((&*notify.subscription_id, notify.send_resp), ("", true));
    let Some(Notification::OnBoardReq(request)) = &notify.notification else {
        unreachable!()
    };
    assert_eq!(
        (
            &*request.oui,
            &*request.product_class,
            &*request.serial_number
        ),
        ("00256D", "Lamp", "42")
    );
    assert!(request.agent_supported_protocol_versions.contains("1.4"));
}

/// The command sets OnBoardingComplete to false, and a Controller may say that it is done.
///
/// Proves: R-NOT.5, TP-469 1.101
#[test]
fn the_command_makes_on_boarding_incomplete() {
    let mut live = scene();
    let complete = format!("{CONTROLLER_1}OnBoardingComplete");
    assert_eq!(live.value("a", &complete), "true");
    send_on_board_request(&mut live, "101");
    let sent = requests(&mut live);
    acknowledge(&mut live, "a", &sent[0].0);
    assert_eq!(live.value("a", &complete), "false");
    live.response("a", set(CONTROLLER_1, &[("OnBoardingComplete", "true")]));
    assert_eq!(live.value("a", &complete), "true");
    assert_eq!(requests(&mut live), []);
}

/// OnBoardingRestartTime counts from the NotifyResp, again and again, until the Controller is done.
///
/// Proves: R-NOT.5, TP-469 1.102
#[test]
fn the_restart_time_counts_from_the_response() {
    let mut live = scene();
    live.response("a", set(CONTROLLER_1, &[("OnBoardingRestartTime", "60")]));
    send_on_board_request(&mut live, "102");
    let mut msg_id = requests(&mut live)[0].0.clone();
    for _ in 0..3 {
        live.wait(seconds(3));
        acknowledge(&mut live, "a", &msg_id);
        live.wait(Duration::from_millis(59_999));
        assert_eq!(requests(&mut live), []);
        live.wait(Duration::from_millis(2));
        let again = requests(&mut live);
        assert_eq!(again.len(), 1);
        msg_id = again[0].0.clone();
    }
    acknowledge(&mut live, "a", &msg_id);
    live.response("a", set(CONTROLLER_1, &[("OnBoardingComplete", "true")]));
    live.wait(seconds(100_000));
    assert_eq!(requests(&mut live), []);
}

/// Who was done once and says that it is not any more is asked anew at once, not after the restart time.
///
/// Proves: R-NOT.5
#[test]
fn who_is_not_done_any_more_is_asked_anew_at_once() {
    let mut live = scene();
    live.response("a", set(CONTROLLER_1, &[("OnBoardingRestartTime", "60")]));
    send_on_board_request(&mut live, "anew");
    let first = requests(&mut live);
    acknowledge(&mut live, "a", &first[0].0);
    for _ in 0..2 {
        live.response("a", set(CONTROLLER_1, &[("OnBoardingComplete", "true")]));
        assert_eq!(requests(&mut live), []);
        live.response("a", set(CONTROLLER_1, &[("OnBoardingComplete", "false")]));
        let again = requests(&mut live);
        assert_eq!(again.len(), 1);
        acknowledge(&mut live, "a", &again[0].0);
    }
}

/// Proves: TP-469 1.103
#[test]
fn without_a_restart_time_it_is_not_sent_again() {
    let mut live = scene();
    live.response("a", set(CONTROLLER_1, &[("OnBoardingRestartTime", "0")]));
    send_on_board_request(&mut live, "103");
    let sent = requests(&mut live);
    acknowledge(&mut live, "a", &sent[0].0);
    live.wait(seconds(100_000));
    assert_eq!(requests(&mut live), []);
}

/// A Controller that is new is asked when it comes, for as long as it takes, with the waits of any Notify;
/// nothing but a NotifyResp ends that.
///
/// Proves: R-NOT.5, R-NOT.6, R-NOT.6a
#[test]
fn a_new_controller_is_asked_until_it_responds() {
    let mut live = scene();
    let values = [("EndpointID", "self::new"), ("Enable", "true")];
    live.response("a", add("Device.LocalAgent.Controller.", &values));
    live.wait(seconds(1_000));
    let link = live.connect("new");
    let first = notified(&mut live, "new");
    assert_eq!(first.len(), 1, "it was not reached before");
    let error = Msg::error(&*first[0].0, 7003_u32, "not now", Vec::new());
    live.send(link, reply(&id("new"), &error));
    live.wait(seconds(11));
    assert_eq!(notified(&mut live, "new"), first);
    live.wait(seconds(7 * 24 * 60 * 60));
    let more = notified(&mut live, "new");
    assert!(more.len() > 100, "{}", more.len());
    assert!(more.iter().all(|again| *again == first[0]));
    acknowledge(&mut live, "new", &first[0].0);
    live.wait(seconds(100_000));
    assert_eq!(notified(&mut live, "new"), []);
}

/// The command is carried out at once even while an earlier request waits for its answer; that one is not
/// sent any more.
///
/// Proves: R-NOT.5
#[test]
fn the_command_takes_the_place_of_an_earlier_request() {
    let mut live = scene();
    send_on_board_request(&mut live, "1");
    live.wait(seconds(1_000));
    let first = requests(&mut live)[0].0.clone();
    send_on_board_request(&mut live, "2");
    let second = requests(&mut live);
    assert_eq!(second.len(), 1);
    assert_ne!(second[0].0, first);
    acknowledge(&mut live, "a", &second[0].0);
    live.wait(seconds(20_000));
    assert_eq!(requests(&mut live), []);
}

/// Nothing is sent to a Controller that is disabled, so the command has nothing to do.
///
/// Proves: R-NOT.5
#[test]
fn a_disabled_controller_is_not_asked() {
    let mut live = scene();
    let values = [("EndpointID", "self::off"), ("Enable", "false")];
    live.response("a", add("Device.LocalAgent.Controller.", &values));
    let operate = Operate {
        command: "Device.LocalAgent.Controller.2.SendOnBoardRequest()".to_owned(),
        send_resp: true,
        ..Operate::default()
    };
    let answer = format!("{:?}", live.response("a", operate));
    assert!(answer.contains("not enabled"), "{answer}");
    assert_eq!(requests(&mut live), []);
}

/// OnBoardingComplete is kept, so a restart asks those again who are not done.
///
/// Proves: R-NOT.5
#[test]
fn a_restart_asks_who_is_not_done() {
    let mut live = scene();
    send_on_board_request(&mut live, "1");
    let sent = requests(&mut live);
    acknowledge(&mut live, "a", &sent[0].0);
    let mut live = live.restart();
    live.connect("a");
    assert_eq!(requests(&mut live).len(), 1);
}
