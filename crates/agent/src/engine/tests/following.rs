//! Controllers, MTPs and Roles that change while something is under way.

use std::time::Duration;

use usphere_datamodel::Ticket;
use usphere_datamodel::declare::{Numbering, Object, STRING, Unit, object, parameter};
use usphere_datamodel::model::{Snapshot, SnapshotObject};

use super::*;
use crate::scene::{Scene, values_of};
use crate::{Input, Output};

const SLOW_UNIT: Unit = Unit {
    name: "slow",
    owner: "host",
    max_age: Duration::ZERO,
    deadline: Duration::from_secs(5),
    numbering: Numbering::Fresh,
    announced: true,
    poll: Duration::from_secs(60),
};

const SLOW: Object = object("Device.X_Slow.")
    .live(&SLOW_UNIT)
    .parameters(&[parameter("Name", STRING)]);

const NAME: &str = "Device.X_Slow.Name";

fn asked(live: &mut LiveAgent) -> Ticket {
    match live.questions.pop_front() {
        Some(Output::Fetch { ticket, .. }) => ticket,
        other => panic!("nothing was fetched: {other:?}"),
    }
}

fn answer(live: &mut LiveAgent, ticket: Ticket) {
    let object = SnapshotObject {
        path: "Device.X_Slow.".into(),
        keys: Vec::new(),
        values: vec![("Name".into(), "x".to_owned())],
    };
    let result = Ok(Snapshot {
        objects: vec![object],
    });
    live.tell(Input::Fetched { ticket, result });
}

/// What was accepted with a role is answered by it; what comes after is judged by what there is then.
#[test]
fn a_role_that_shrinks_takes_nothing_back_that_was_accepted() {
    let mut live = Scene::new()
        .host(&[&SLOW])
        .controller("a")
        .controller("b")
        .agent();
    live.connect("a");
    let link = live.connect("b");
    live.take(link);
    live.request("b", "1", get(&[NAME]));
    let ticket = asked(&mut live);
    let untrusted = "Device.LocalAgent.ControllerTrust.Role.2";
    live.response("a", set(CONTROLLER_2, &[("AssignedRole", untrusted)]));
    live.request("b", "2", get(&[NAME]));
    let refused = live.take_messages(link);
    assert_eq!(refused[0].msg_id(), "2");
    answer(&mut live, ticket);
    let answers = live.take_messages(link);
    assert_eq!(answers[0].msg_id(), "1");
    assert_eq!(values_of(&answers[0])[NAME], "x");
}

/// The answer leaves by the session that the Controller has by then.
#[test]
fn an_mtp_that_is_changed_loses_no_answer() {
    let mut live = Scene::new()
        .host(&[&SLOW])
        .dialled("cloud", "there")
        .controller("b")
        .agent();
    live.connect("b");
    let before = live.pick_up();
    live.request("cloud", "1", get(&[NAME]));
    let ticket = asked(&mut live);
    live.response("b", set(SOCKET_1, &[("Port", "9999")]));
    assert_eq!(live.hangups.last().map(|(link, _)| *link), Some(before));
    assert_eq!(live.dials[0].target.port, 9999, "it is dialled at once");
    let after = live.pick_up();
    answer(&mut live, ticket);
    let answers = live.take_messages(after);
    let answer = answers.iter().find(|answer| answer.msg_id() == "1");
    assert_eq!(values_of(answer.expect("an answer"))[NAME], "x");
}

/// A Controller that is added is dialled at once, and one that is added without an MTP is let in at once.
#[test]
fn a_controller_that_is_added_is_followed_at_once() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let role = "Device.LocalAgent.ControllerTrust.Role.1";
    let values = [
        ("EndpointID", "self::new"),
        ("Enable", "true"),
        ("AssignedRole", role),
    ];
    live.response("a", add("Device.LocalAgent.Controller.", &values));
    live.connect("new");
    assert_eq!(
        live.value("new", "Device.LocalAgent.EndpointID"),
        "self::agent"
    );
    let mtp = [("Enable", "true"), ("Protocol", "WebSocket")];
    live.response("a", add("Device.LocalAgent.Controller.2.MTP.", &mtp));
    let socket = "Device.LocalAgent.Controller.2.MTP.1.WebSocket.";
    live.response("a", set(socket, &[("Host", "elsewhere"), ("Port", "1")]));
    let link = live.link("new");
    live.cut(link);
    live.wait(Duration::from_secs(10));
    assert_eq!(live.dials[0].target.host, "elsewhere");
}
