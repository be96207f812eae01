//! The commands that the Agent runs itself.

use std::time::Duration;

use usphere_proto::msg::{Operate, OperationOutcome, ResponseType};

use super::set;
use crate::HangupReason;
use crate::scene::{LiveAgent, Scene};

fn operate(agent: &mut LiveAgent, command: &str) -> Vec<OperationOutcome> {
    let request = Operate {
        command: command.to_owned(),
        send_resp: true,
        ..Operate::default()
    };
    let ResponseType::OperateResp(response) = agent.response("operator", request) else {
        panic!("not an OperateResp");
    };
    let outcomes = response.operation_results.into_iter();
    outcomes
        .filter_map(|result| result.operation_resp)
        .collect()
}

/// The one that is dialled is Controller 1, the operator who asks is Controller 2.
fn scene() -> LiveAgent {
    let mut agent = Scene::new()
        .dialled("cloud", "cloud.example")
        .controller("operator")
        .agent();
    agent.connect("operator");
    agent
}

/// Proves: R-WS.5, R-WS.4
#[test]
fn a_web_socket_that_is_reset_is_closed_after_the_answer_and_dialled_at_once() {
    let mut agent = scene();
    let before = agent.pick_up();
    let outcomes = operate(
        &mut agent,
        "Device.LocalAgent.Controller.1.MTP.*.WebSocket.Reset()",
    );
    assert!(
        matches!(&outcomes[..], [OperationOutcome::ReqOutputArgs(_)]),
        "{outcomes:?}"
    );
    assert!(
        agent.hangups.is_empty() && agent.dials.is_empty(),
        "the answer leaves first"
    );
    agent.wait(Duration::from_millis(100));
    assert_eq!(agent.hangups, [(before, HangupReason::Reconfigured)]);
    assert_eq!(agent.dials.len(), 1, "it is dialled again without a wait");
}

#[test]
fn an_attempt_that_waits_is_made_at_once_by_a_reset() {
    let mut agent = scene();
    for _ in 0..4 {
        agent.turn_down();
        while agent.dials.is_empty() {
            agent.wait(Duration::from_secs(1));
        }
    }
    agent.turn_down();
    assert!(agent.dials.is_empty());
    operate(
        &mut agent,
        "Device.LocalAgent.Controller.1.MTP.1.WebSocket.Reset()",
    );
    agent.wait(Duration::from_millis(100));
    assert_eq!(agent.dials.len(), 1);
}

#[test]
fn a_web_socket_that_is_not_enabled_cannot_be_reset() {
    let mut agent = scene();
    agent.pick_up();
    let request = set(
        "Device.LocalAgent.Controller.1.MTP.1.",
        &[("Enable", "false")],
    );
    agent.response("operator", request);
    let outcomes = operate(
        &mut agent,
        "Device.LocalAgent.Controller.1.MTP.1.WebSocket.Reset()",
    );
    let [OperationOutcome::CmdFailure(failure)] = &outcomes[..] else {
        panic!("{outcomes:?}")
    };
    assert!(failure.err_msg.contains("not enabled"), "{failure:?}");
}
