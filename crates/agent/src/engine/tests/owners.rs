//! Owners outside the engine: prompt, late, silent, wrong and failing.

use std::time::Duration;

use usphere_datamodel::Ticket;
use usphere_datamodel::declare::{
    INT, Numbering, Object, STRING, UNSIGNED_INT, Unit, command, object, parameter,
};
use usphere_datamodel::model::{OwnerError, Phase, Snapshot, SnapshotObject};
use usphere_proto::msg::{OperateResp, OperationOutcome, ResponseType};

use super::{add, get, set};
use crate::scene::{LiveAgent, Scene, values_of};
use crate::{Input, LinkId, Notice, Output};

const RADIO_UNIT: Unit = Unit {
    name: "radio",
    owner: "host",
    max_age: Duration::from_secs(1),
    deadline: Duration::from_secs(5),
    numbering: Numbering::Fresh,
    announced: false,
    poll: Duration::from_secs(10),
};

const RADIO: Object = object("Device.X_Radio.")
    .live(&RADIO_UNIT)
    .parameters(&[
        parameter("Channel", UNSIGNED_INT).writable(),
        parameter("Noise", INT),
    ])
    .commands(&[command("Scan()")
        .by("host")
        .input(&["Band"])
        .output(&["Found"])]);

const SHELF: Object =
    object("Device.X_Shelf.").parameters(&[parameter("Label", STRING).writable()]);

const CHANNEL: &str = "Device.X_Radio.Channel";

fn scene() -> (LiveAgent, LinkId) {
    let mut live = Scene::new()
        .host(&[&RADIO, &SHELF])
        .controller("operator")
        .controller("other")
        .agent();
    let link = live.connect("operator");
    live.connect("other");
    (live, link)
}

fn radio(channel: &str) -> Snapshot {
    let values = vec![
        ("Channel".into(), channel.to_owned()),
        ("Noise".into(), "-90".to_owned()),
    ];
    Snapshot {
        objects: vec![SnapshotObject {
            path: "Device.X_Radio.".into(),
            keys: Vec::new(),
            values,
        }],
    }
}

fn fetch(live: &mut LiveAgent) -> Ticket {
    match live.questions.pop_front() {
        Some(Output::Fetch {
            ticket,
            owner,
            unit,
            ..
        }) if owner == "host" && unit == "radio" => ticket,
        other => panic!("no Fetch: {other:?}"),
    }
}

#[test]
fn a_value_of_an_owner_is_fetched_once_while_it_is_fresh() {
    let (mut live, link) = scene();
    live.request("operator", "1", get(&[CHANNEL]));
    assert_eq!(live.take(link), []);
    let ticket = fetch(&mut live);
    live.tell(Input::Fetched {
        ticket,
        result: Ok(radio("6")),
    });
    assert_eq!(values_of(&live.take_messages(link)[0])[CHANNEL], "6");
    assert_eq!(live.value("operator", CHANNEL), "6");
    assert!(live.questions.is_empty());
    live.wait(Duration::from_secs(2));
    live.request("operator", "2", get(&[CHANNEL]));
    let ticket = fetch(&mut live);
    live.tell(Input::Fetched {
        ticket,
        result: Ok(radio("7")),
    });
    assert_eq!(values_of(&live.take_messages(link)[0])[CHANNEL], "7");
}

#[test]
fn an_owner_that_never_answers_holds_up_nobody_else_and_is_given_up_at_its_deadline() {
    let (mut live, link) = scene();
    live.request("operator", "1", get(&[CHANNEL]));
    let ticket = fetch(&mut live);
    assert_eq!(live.value("other", "Device.RootDataModelVersion"), "2.19");
    live.wait(Duration::from_millis(4_999));
    assert_eq!(live.take(link), []);
    live.wait(Duration::from_millis(1));
    let answers = live.take_messages(link);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].msg_id(), "1");
    let troubles = live
        .notices
        .iter()
        .filter(|notice| matches!(notice, Notice::Trouble { .. }));
    assert_eq!(troubles.count(), 1);
    live.tell(Input::Fetched {
        ticket,
        result: Ok(radio("6")),
    });
    assert_eq!(live.take(link), [], "a late answer changes nothing");
}

#[test]
fn an_owner_that_fails_or_talks_nonsense_is_answered_for_with_an_error() {
    let nonsense = SnapshotObject {
        path: "Device.NoSuch.".into(),
        keys: Vec::new(),
        values: Vec::new(),
    };
    for result in [
        Err(OwnerError::failed("no radio")),
        Ok(Snapshot {
            objects: vec![nonsense],
        }),
    ] {
        let (mut live, link) = scene();
        live.request("operator", "1", get(&[CHANNEL]));
        let ticket = fetch(&mut live);
        live.tell(Input::Fetched { ticket, result });
        let answer = live.take_messages(link).remove(0);
        let Some(ResponseType::GetResp(response)) = answer.as_response() else {
            panic!("{answer:?}")
        };
        assert_ne!(response.req_path_results[0].err_code, 0, "{answer:?}");
    }
}

#[test]
fn answers_to_questions_that_were_never_asked_are_dropped() {
    let (mut live, _) = scene();
    for ticket in [Ticket(0), Ticket(999)] {
        live.tell(Input::Fetched {
            ticket,
            result: Ok(radio("6")),
        });
        live.tell(Input::Applied {
            ticket,
            results: vec![Ok(())],
        });
        live.tell(Input::Operated {
            ticket,
            result: Ok(Default::default()),
        });
        live.tell(Input::Committed { sequence: 999 });
    }
    assert_eq!(
        live.value("operator", "Device.LocalAgent.EndpointID"),
        "self::agent"
    );
}

/// Takes the next question about changes: the phase, and how many there are.
fn apply(live: &mut LiveAgent) -> (Ticket, Phase, usize) {
    match live.questions.pop_front() {
        Some(Output::Apply {
            ticket,
            phase,
            changes,
            ..
        }) => (ticket, phase, changes.len()),
        other => panic!("no Apply: {other:?}"),
    }
}

#[test]
fn a_change_is_checked_then_applied_then_answered() {
    let (mut live, link) = scene();
    live.request(
        "operator",
        "1",
        set("Device.X_Radio.", &[("Channel", "11")]),
    );
    let ticket = fetch(&mut live);
    live.tell(Input::Fetched {
        ticket,
        result: Ok(radio("6")),
    });
    let (ticket, phase, changes) = apply(&mut live);
    assert_eq!((phase, changes), (Phase::Check, 1));
    live.tell(Input::Applied {
        ticket,
        results: vec![Ok(())],
    });
    let (ticket, phase, _) = apply(&mut live);
    assert_eq!(phase, Phase::Apply);
    assert_eq!(live.take(link), []);
    live.tell(Input::Applied {
        ticket,
        results: vec![Ok(())],
    });
    assert!(live.take_messages(link)[0].is_response());
    assert_eq!(live.value("other", CHANNEL), "11");
}

#[test]
fn an_owner_that_refuses_leaves_nothing_of_the_request() {
    let (mut live, link) = scene();
    let mut request = set("Device.X_Shelf.", &[("Label", "new")]);
    request
        .update_objs
        .extend(set("Device.X_Radio.", &[("Channel", "11")]).update_objs);
    live.request("operator", "1", request);
    let ticket = fetch(&mut live);
    live.tell(Input::Fetched {
        ticket,
        result: Ok(radio("6")),
    });
    let (ticket, _, _) = apply(&mut live);
    live.tell(Input::Applied {
        ticket,
        results: vec![Err(OwnerError::failed("taken"))],
    });
    assert!(live.take_messages(link)[0].is_error());
    assert_eq!(live.value("other", "Device.X_Shelf.Label"), "");
    assert!(!live.store.contains_key("Device.X_Shelf.Label"));
}

#[test]
fn a_command_of_an_owner_is_answered_or_given_up() {
    let (mut live, link) = scene();
    let scan = || usphere_proto::msg::Operate {
        command: "Device.X_Radio.Scan()".to_owned(),
        send_resp: true,
        ..Default::default()
    };
    live.request("operator", "1", scan());
    let Some(Output::Operate {
        ticket, command, ..
    }) = live.questions.pop_back()
    else {
        panic!()
    };
    assert_eq!(command, "Device.X_Radio.Scan()");
    let outputs = [("Found".to_owned(), "3".to_owned())].into();
    live.tell(Input::Operated {
        ticket,
        result: Ok(outputs),
    });
    assert!(
        matches!(outcome(&mut live, link), OperationOutcome::ReqOutputArgs(found) if found.output_args["Found"] == "3")
    );
    live.request("operator", "2", scan());
    live.wait(Duration::from_secs(60));
    assert!(
        matches!(outcome(&mut live, link), OperationOutcome::CmdFailure(failure) if failure.err_code == 7022)
    );
}

fn outcome(live: &mut LiveAgent, link: LinkId) -> OperationOutcome {
    let answer = live.take_messages(link).remove(0);
    let Some(ResponseType::OperateResp(OperateResp { operation_results })) = answer.as_response()
    else {
        panic!("{answer:?}");
    };
    operation_results[0].operation_resp.clone().unwrap()
}

#[test]
fn a_request_in_progress_with_an_owner_does_not_hold_up_commits() {
    let (mut live, _) = scene();
    live.request("operator", "1", get(&[CHANNEL]));
    live.response(
        "other",
        add("Device.LocalAgent.ControllerTrust.Role.", &[("Name", "x")]),
    );
    assert_eq!(
        live.value(
            "other",
            "Device.LocalAgent.ControllerTrust.RoleNumberOfEntries"
        ),
        "3"
    );
}
