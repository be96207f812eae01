//! The Request table and what is behind it.

use usphere_datamodel::Ticket;
use usphere_datamodel::model::OwnerError;

use super::*;
use crate::{Input, Output};

/// The question by which the host was asked to run a command.
fn asked(live: &mut LiveAgent) -> (Ticket, String, BTreeMap<String, String>) {
    match live.questions.pop_front() {
        Some(Output::Begin {
            ticket,
            owner,
            command,
            arguments,
        }) if owner == "host" => (ticket, command, arguments),
        other => panic!("no asynchronous command: {other:?}"),
    }
}

fn answer(live: &mut LiveAgent, ticket: Ticket, replies: &str) {
    let result = Ok(BTreeMap::from([("Replies".to_owned(), replies.to_owned())]));
    live.tell(Input::Operated { ticket, result });
}

fn ping(key: &str) -> Operate {
    operation(PING, key, &[("Host", "example.org")])
}

/// The Request is there from the answer to the end, and the end is told with key and outputs.
///
/// Proves: R-OPR.0, R-OPR.7, TP-469 1.64, TP-469 1.92
#[test]
fn a_request_lives_until_its_command_has_ended() {
    let mut live = scene();
    let request = begin(&mut live, "a", ping("test64")).unwrap();
    assert_eq!(request, "Device.LocalAgent.Request.1.");
    let values = live.values("a", &request);
    for (name, value) in [
        ("Originator", "self::a"),
        ("Command", PING),
        ("CommandKey", "test64"),
        ("Status", "Active"),
    ] {
        assert_eq!(values[&format!("{request}{name}")], value);
    }
    let (ticket, command, arguments) = asked(&mut live);
    assert_eq!(command, PING);
    assert_eq!(arguments["Host"], "example.org");
    assert_eq!(arguments["Count"], "3", "the default");
    live.wait(seconds(86_400));
    assert_eq!(
        completed(&mut live, "a"),
        [],
        "it takes as long as it takes"
    );
    answer(&mut live, ticket, "3");
    let outputs = BTreeMap::from([("Replies".to_owned(), "3".to_owned())]);
    assert_eq!(
        completed(&mut live, "a"),
        [(PING.to_owned(), "test64".to_owned(), Ok(outputs))]
    );
    assert_eq!(requests(&mut live), (0, 0));
    answer(&mut live, ticket, "4");
    assert_eq!(completed(&mut live, "a"), [], "a second answer is none");
}

/// Proves: R-OPR.4, TP-469 1.65
#[test]
fn who_wants_no_response_is_told_of_the_end_all_the_same() {
    let mut live = scene();
    let link = live.link("a");
    let request = Operate {
        send_resp: false,
        ..ping("test65")
    };
    live.request("a", "1", request);
    assert_eq!(live.take_messages(link), []);
    let (ticket, ..) = asked(&mut live);
    answer(&mut live, ticket, "3");
    let completed = completed(&mut live, "a");
    assert_eq!((&*completed[0].0, &*completed[0].1), (PING, "test65"));
}

/// Proves: R-OPR.2
#[test]
fn every_object_that_matches_has_a_request_of_its_own() {
    let mut live = Scene::new().host(&[&PORTS]).controller("a").agent();
    live.connect("a");
    for _ in 0..3 {
        live.response("a", add("Device.X_Port.", &[]));
    }
    let results = operate(
        &mut live,
        "a",
        operation("Device.X_Port.*.Test()", "k", &[]),
    );
    let requests: Vec<&Option<OperationOutcome>> = results
        .iter()
        .map(|result| &result.operation_resp)
        .collect();
    let path = |number| {
        Some(OperationOutcome::ReqObjPath(format!(
            "Device.LocalAgent.Request.{number}."
        )))
    };
    assert_eq!(requests, [&path(1), &path(2), &path(3)]);
    assert_eq!(results[1].executed_command, "Device.X_Port.2.Test()");
    assert_eq!(live.questions.len(), 3);
}

const PORTS: Object = object("Device.X_Port.{i}.")
    .rows(usphere_datamodel::declare::Rows::ADDABLE)
    .commands(&[command("Test()").asynchronous().by("host")]);

/// Nothing begins, and nobody hears of an end.
///
/// Proves: R-OPR.1, R-OPR.5, R-OPR.6, TP-469 1.91, TP-469 1.100
#[test]
fn what_is_wrong_with_a_command_is_said_at_once() {
    let mut live = scene();
    let timer = "Device.ScheduleTimer()";
    for arguments in [
        &[][..],
        &[("DelaySeconds", "0")],
        &[("DelaySeconds", "-1")],
        &[("DelaySeconds", "soon")],
        &[("DelaySeconds", "4294967296")],
    ] {
        assert_eq!(
            begin(&mut live, "a", operation(timer, "", arguments)),
            Err(7027)
        );
    }
    assert_eq!(begin(&mut live, "a", operation(PING, "", &[])), Err(7027));
    let long = "x".repeat(70_000);
    let large = operation(PING, "", &[("Host", &long)]);
    assert_eq!(begin(&mut live, "a", large), Err(7005));
    live.wait(seconds(600));
    assert_eq!(requests(&mut live), (0, 0));
    assert!(live.questions.is_empty());
    assert_eq!(completed(&mut live, "a"), []);
    let unknown = [("DelaySeconds", "10"), ("InvalidArgument", "2")];
    assert!(begin(&mut live, "a", operation(timer, "", &unknown)).is_ok());
}

/// The command that is in progress goes on; a new one is refused. (TR-369, Concurrent Operations)
///
/// Proves: R-OPR.3
#[test]
fn more_than_a_command_can_bear_is_refused() {
    let mut live = scene();
    for key in ["1", "2", "3"] {
        assert!(begin(&mut live, "a", ping(key)).is_ok());
    }
    assert_eq!(begin(&mut live, "b", ping("4")), Err(7005));
    let (ticket, ..) = asked(&mut live);
    answer(&mut live, ticket, "3");
    assert!(begin(&mut live, "b", ping("4")).is_ok(), "one has ended");
    assert!(
        live.questions
            .iter()
            .all(|question| matches!(question, Output::Begin { .. })),
        "none was canceled"
    );
}

#[test]
fn one_controller_cannot_take_every_place() {
    let mut live = scene();
    let trace = |key: u32| operation("Device.X_Net.Trace()", &key.to_string(), &[]);
    let begun = (0..40).filter(|key| begin(&mut live, "a", trace(*key)).is_ok());
    assert_eq!(begun.count(), 32);
    assert!(begin(&mut live, "b", trace(0)).is_ok());
}

/// Originator, Command and CommandKey are a unique key of Requests. (TR-181)
#[test]
fn the_same_key_is_refused_while_it_is_in_use() {
    let mut live = scene();
    assert!(begin(&mut live, "a", ping("one")).is_ok());
    assert_eq!(begin(&mut live, "a", ping("one")), Err(7005));
    assert!(begin(&mut live, "b", ping("one")).is_ok());
    let (ticket, ..) = asked(&mut live);
    answer(&mut live, ticket, "3");
    assert!(begin(&mut live, "a", ping("one")).is_ok());
}

/// Neither the Controller's going nor its deletion ends what it has begun.
///
/// Proves: R-OPR.3
#[test]
fn a_command_outlives_the_connection_and_the_row_of_its_controller() {
    let mut live = scene();
    begin(&mut live, "b", ping("k")).unwrap();
    let (ticket, ..) = asked(&mut live);
    let link = live.link("b");
    live.cut(link);
    live.wait(seconds(60));
    live.response("a", super::super::delete("Device.LocalAgent.Controller.2."));
    assert!(live.questions.is_empty(), "nobody was asked to end it");
    assert_eq!(
        live.value("a", "Device.LocalAgent.Request.1.Status"),
        "Active"
    );
    answer(&mut live, ticket, "3");
    assert_eq!(completed(&mut live, "a").len(), 1);
    assert_eq!(requests(&mut live), (0, 0));
}

/// Proves: R-OPR.3, TP-469 9.8
#[test]
fn cancel_ends_a_command_and_the_end_tells_so() {
    let mut live = scene();
    let request = begin(&mut live, "a", ping("k")).unwrap();
    let (ticket, ..) = asked(&mut live);
    let status = format!("{request}Status");
    run(&mut live, "b", &format!("{request}Cancel()"));
    assert_eq!(live.value("a", &status), "Canceling");
    run(&mut live, "b", &format!("{request}Cancel()"));
    let Some(Output::Cancel { ticket: canceled }) = live.questions.pop_front() else {
        panic!("the host was not asked")
    };
    assert_eq!(canceled, ticket);
    assert!(live.questions.is_empty(), "once is enough");
    let result = Err(OwnerError::failed("stopped"));
    live.tell(Input::Operated { ticket, result });
    assert_eq!(
        completed(&mut live, "a"),
        [(PING.to_owned(), "k".to_owned(), Err(7023))]
    );
    assert_eq!(requests(&mut live), (0, 0));
    let gone = operate(
        &mut live,
        "b",
        operation(&format!("{request}Cancel()"), "", &[]),
    );
    assert!(
        matches!(&gone[0].operation_resp, Some(OperationOutcome::CmdFailure(failure)) if failure.err_code == 7016),
        "{gone:?}"
    );
}

/// Who may not execute Cancel() ends nothing.
///
/// Proves: R-OPR.3
#[test]
fn cancel_needs_the_right_to_it() {
    let mut live = scene();
    let request = begin(&mut live, "a", ping("k")).unwrap();
    let (ticket, ..) = asked(&mut live);
    // The untrusted role reads, and no more.
    let role = "Device.LocalAgent.ControllerTrust.Role.2";
    live.response(
        "a",
        set("Device.LocalAgent.Controller.2.", &[("AssignedRole", role)]),
    );
    let results = operate(
        &mut live,
        "b",
        operation(&format!("{request}Cancel()"), "", &[]),
    );
    assert!(
        matches!(&results[0].operation_resp, Some(OperationOutcome::CmdFailure(failure)) if failure.err_code == 7006),
        "{results:?}"
    );
    assert!(live.questions.is_empty());
    answer(&mut live, ticket, "3");
    assert!(completed(&mut live, "a")[0].2.is_ok());
}

/// A command that has ended by itself when Cancel() comes has succeeded.
#[test]
fn a_cancel_that_comes_too_late_changes_nothing() {
    let mut live = scene();
    let request = begin(&mut live, "a", ping("k")).unwrap();
    let (ticket, ..) = asked(&mut live);
    run(&mut live, "a", &format!("{request}Cancel()"));
    answer(&mut live, ticket, "3");
    assert!(completed(&mut live, "a")[0].2.is_ok());
}

/// Cancel() may come before the command was begun: nothing is begun before its row is durable.
///
/// Proves: R-OPR.0
#[test]
fn a_command_begins_when_its_request_is_durable_and_not_before() {
    let mut live = scene();
    let link = live.link("a");
    live.hold();
    live.request("a", "1", ping("k"));
    live.request(
        "a",
        "2",
        operation("Device.LocalAgent.Request.1.Cancel()", "", &[]),
    );
    assert!(live.questions.is_empty());
    assert_eq!(live.take_messages(link), []);
    live.keep();
    let (begun, ..) = asked(&mut live);
    let Some(Output::Cancel { ticket }) = live.questions.pop_front() else {
        panic!("not canceled")
    };
    assert_eq!(ticket, begun);
    assert_eq!(
        live.value("a", "Device.LocalAgent.Request.1.Status"),
        "Canceling"
    );
}

#[test]
fn a_request_that_cannot_be_kept_is_refused_and_nothing_begins() {
    let mut live = scene();
    live.hold();
    let link = live.link("a");
    live.request("a", "1", ping("k"));
    live.fail("the disk is full");
    let answers = live.take_messages(link);
    let Some(ResponseType::OperateResp(response)) = answers[0].as_response() else {
        panic!("{answers:?}")
    };
    let outcome = &response.operation_results[0].operation_resp;
    assert!(
        matches!(outcome, Some(OperationOutcome::CmdFailure(_))),
        "{outcome:?}"
    );
    live.keep();
    assert!(live.questions.is_empty());
    assert_eq!(requests(&mut live), (0, 0));
}

/// The end is told once it is durable, also where the store fails at first.
#[test]
fn an_end_that_cannot_be_kept_is_told_when_it_can() {
    let mut live = scene();
    begin(&mut live, "a", ping("k")).unwrap();
    let (ticket, ..) = asked(&mut live);
    live.hold();
    answer(&mut live, ticket, "3");
    assert_eq!(completed(&mut live, "a"), [], "not durable yet");
    live.fail("the disk is full");
    live.keep();
    assert_eq!(completed(&mut live, "a"), []);
    assert_eq!(requests(&mut live), (1, 1));
    live.wait(seconds(6));
    assert_eq!(completed(&mut live, "a").len(), 1);
    assert_eq!(requests(&mut live), (0, 0));
}

/// What has failed by itself was not canceled, also while its end waits to be kept.
///
/// Proves: R-OPR.3
#[test]
fn cancel_comes_too_late_for_what_has_ended() {
    let mut live = scene();
    let request = begin(&mut live, "a", ping("k")).unwrap();
    let (ticket, ..) = asked(&mut live);
    live.hold();
    let result = Err(OwnerError::failed("no answer"));
    live.tell(Input::Operated { ticket, result });
    live.fail("the disk is full");
    live.keep();
    run(&mut live, "b", &format!("{request}Cancel()"));
    assert!(live.questions.is_empty(), "nobody is asked to end it");
    live.wait(seconds(6));
    assert_eq!(
        completed(&mut live, "a"),
        [(PING.to_owned(), "k".to_owned(), Err(7022))]
    );
}

/// What `a` was told of Requests and ends, in short.
fn told(live: &mut LiveAgent) -> Vec<String> {
    let told = notified(live, "a").into_iter();
    let told = told.map(|notify| match notify.notification {
        Some(Notification::ObjDeletion(deleted)) => format!("-{}", deleted.obj_path),
        Some(Notification::OperComplete(complete)) => complete.command_name,
        Some(Notification::ValueChange(change)) => format!(
            "{}: {}={}",
            notify.subscription_id, change.param_path, change.param_value
        ),
        other => panic!("nobody asked for {other:?}"),
    });
    told.collect()
}

/// The row goes, but not before its Status has shown the end. (TR-181 2.19, LocalAgent.Request)
///
/// Proves: R-OPR.0, R-NOT.0
#[test]
fn the_last_status_of_a_request_is_told_before_the_row_goes() {
    let mut live = scene();
    let searched = "Device.LocalAgent.Request.[CommandKey==\"k\"].Status";
    for (id, what) in [("any", REQUESTS), ("searched", searched)] {
        let values = [
            ("Enable", "true"),
            ("ID", id),
            ("NotifType", "ValueChange"),
            ("ReferenceList", what),
        ];
        live.response("a", add(SUBSCRIPTIONS, &values));
    }
    subscribe(&mut live, "a", "ObjectDeletion", REQUESTS);
    let both = |status: &str| {
        ["any", "searched"].map(|id| format!("{id}: Device.LocalAgent.Request.1.Status={status}"))
    };
    let ended = |request: &str| [format!("-{request}"), "Ping()".to_owned()];

    let request = begin(&mut live, "a", ping("k")).unwrap();
    assert_eq!(told(&mut live), both("Active"));
    let (ticket, ..) = asked(&mut live);
    answer(&mut live, ticket, "3");
    assert_eq!(told(&mut live), [both("Success"), ended(&request)].concat());

    let results = [
        (false, Err(OwnerError::failed("no route")), "Error"),
        (true, Err(OwnerError::failed("stopped")), "Canceled"),
    ];
    for (is_canceled, result, status) in results {
        let request = begin(&mut live, "a", ping("k")).unwrap();
        let both = |status: &str| {
            both(status).map(|line| line.replace("Device.LocalAgent.Request.1.", &request))
        };
        let (ticket, ..) = asked(&mut live);
        if is_canceled {
            run(&mut live, "a", &format!("{request}Cancel()"));
            live.questions.clear();
            assert_eq!(
                told(&mut live),
                [both("Active"), both("Canceling")].concat()
            );
        } else {
            told(&mut live);
        }
        live.tell(Input::Operated { ticket, result });
        assert_eq!(told(&mut live), [both(status), ended(&request)].concat());
    }
    assert_eq!(requests(&mut live), (0, 0));
}

/// What was in progress when the power went has failed; whoever waits for it hears so, once.
///
/// Proves: R-OPR.0
#[test]
fn after_a_restart_no_request_is_left_that_nothing_runs_for() {
    let mut live = scene();
    begin(&mut live, "a", ping("k")).unwrap();
    let (ticket, ..) = asked(&mut live);
    let mut live = live.restart();
    live.connect("a");
    assert_eq!(
        completed(&mut live, "a"),
        [(PING.to_owned(), "k".to_owned(), Err(7022))]
    );
    assert_eq!(requests(&mut live), (0, 0));
    answer(&mut live, ticket, "3");
    assert_eq!(completed(&mut live, "a"), []);
    let mut live = live.restart();
    live.connect("a");
    assert_eq!(completed(&mut live, "a"), []);
}
