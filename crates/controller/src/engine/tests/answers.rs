//! What we ask, and what comes back.

use super::*;

/// Many requests wait at once, and each answer finds its own, in whatever order they come.
///
/// Proves: R-MSG.9, R-MSG.8
#[test]
fn answers_are_told_apart_by_msg_id() {
    let mut scene = Scene::online();
    let asked: Vec<_> = (0..8).map(|_| scene.ask(get())).collect();
    let mut ids: Vec<_> = asked
        .iter()
        .map(|(_, happened)| happened.message().msg_id().to_owned())
        .collect();
    for ((operation, _), msg_id) in asked.iter().zip(&ids).rev() {
        let happened = scene.say(1, &values(msg_id, msg_id));
        let [(concluded, outcome)] = &happened.outcomes[..] else {
            panic!("{happened:?}")
        };
        assert_eq!(concluded, operation);
        assert_eq!(value_of(outcome), msg_id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 8);
    assert!(ids.iter().all(|msg_id| !msg_id.is_empty()));
    assert_eq!(scene.controller.deadline(), None);
}

/// Answers that are late must not be taken for those of later requests.
///
/// Proves: R-MSG.8, R-MSG.9
#[test]
fn no_msg_id_is_used_again() {
    let mut scene = Scene::online();
    let mut ids = Vec::new();
    for turn in 0..6 {
        let (_, asked) = scene.ask(get());
        let msg_id = asked.message().msg_id().to_owned();
        assert!(!ids.contains(&msg_id), "{msg_id} again");
        if turn % 2 == 0 {
            assert_eq!(scene.say(1, &values(&msg_id, "x")).outcomes.len(), 1);
        } else {
            assert_eq!(scene.wait(TIMEOUT).outcomes.len(), 1);
        }
        ids.push(msg_id);
    }
}

/// An answer with an unknown msg_id is nobody's, although a request waits.
///
/// Proves: R-MSG.9
#[test]
fn an_answer_to_nothing_leaves_what_waits_alone() {
    let mut scene = Scene::online();
    let (operation, asked) = scene.ask(get());
    let msg_id = asked.message().msg_id().to_owned();
    let refused = Msg::error("t-99", ErrorCode::RequestDenied, "no", vec![]);
    for stray in [values("t-99", "x"), values("", "x"), refused] {
        let happened = scene.say(1, &stray);
        assert!(happened.outcomes.is_empty(), "{happened:?}");
    }
    let happened = scene.say(1, &values(&msg_id, "mine"));
    let [(concluded, outcome)] = &happened.outcomes[..] else {
        panic!("{happened:?}")
    };
    assert_eq!(*concluded, operation);
    assert_eq!(value_of(outcome), "mine");
}

/// An answer that was never asked for, is late, or comes twice changes nothing.
///
/// Proves: R-MSG.9
#[test]
fn answers_that_nobody_waits_for_are_ignored() {
    let mut scene = Scene::online();
    assert!(matches!(
        scene.say(1, &values("t-99", "x")).ignored(),
        Ignored::NotAsked(_)
    ));
    let error = Msg::error("", ErrorCode::InternalError, "broken", vec![]);
    assert!(matches!(
        scene.say(1, &error).ignored(),
        Ignored::Erroneous(_)
    ));

    let (_, asked) = scene.ask(get());
    let msg_id = asked.message().msg_id().to_owned();
    assert_eq!(scene.say(1, &values(&msg_id, "x")).outcomes.len(), 1);
    assert!(matches!(
        scene.say(1, &values(&msg_id, "x")).ignored(),
        Ignored::NotAsked(_)
    ));

    let (operation, asked) = scene.ask(get());
    let msg_id = asked.message().msg_id().to_owned();
    assert_eq!(
        scene.wait(TIMEOUT).outcomes,
        [(operation, Err(OperationError::TimedOut))]
    );
    assert!(matches!(
        scene.say(1, &values(&msg_id, "x")).ignored(),
        Ignored::NotAsked(_)
    ));
}

/// Another Agent cannot answer in the name of the one that was asked, on its own link or on that one's.
///
/// Proves: R-MSG.9
#[test]
fn only_the_agent_that_was_asked_can_answer() {
    let mut scene = Scene::online();
    let other = id("self::other");
    scene.connect(2);
    scene.receive(2, Record::websocket_connect(&ours(), &other));
    let (_, asked) = scene.ask(get());
    let answer = values(asked.message().msg_id(), "forged").into_payload();
    let forged = Record::no_session(&ours(), &other, answer.clone());
    assert!(matches!(
        scene.receive(2, forged.clone()).ignored(),
        Ignored::NotAsked(_)
    ));
    assert_eq!(scene.receive(1, forged).ignored(), &Ignored::OtherAgent);
    let stolen = Record::no_session(&ours(), &agent(), answer.clone());
    assert_eq!(
        scene.receive(2, stolen.clone()).ignored(),
        &Ignored::OtherAgent
    );
    assert_eq!(scene.receive(1, stolen).outcomes.len(), 1);
}

#[test]
fn an_error_message_and_an_answer_of_the_wrong_kind_conclude_the_operation() {
    let mut scene = Scene::online();
    let (operation, asked) = scene.ask(get());
    let refused = Msg::error(
        asked.message().msg_id(),
        ErrorCode::RequestDenied,
        "no",
        vec![],
    );
    let refusal = Refusal {
        code: 7002,
        text: "no".into(),
        parameters: vec![],
    };
    assert_eq!(
        scene.say(1, &refused).outcomes,
        [(operation, Err(OperationError::Refused(refusal)))]
    );

    let (_, asked) = scene.ask(get());
    let wrong = Msg::response(
        asked.message().msg_id(),
        GetSupportedProtocolResp::default(),
    );
    assert!(matches!(
        scene.say(1, &wrong).outcomes[..],
        [(_, Err(OperationError::InvalidAnswer { .. }))]
    ));

    let (_, asked) = scene.ask(get());
    let mut empty = values(asked.message().msg_id(), "");
    empty.body = Some(Body {
        msg_body: Some(MsgBody::Response(Response { resp_type: None })),
    });
    assert!(matches!(
        scene.say(1, &empty).outcomes[..],
        [(_, Err(OperationError::InvalidAnswer { .. }))]
    ));
}

/// Each request runs out by itself, at its own time, and a cancelled one says nothing.
#[test]
fn time_outs_come_one_by_one() {
    let mut scene = Scene::online();
    let (first, _) = scene.ask(get());
    scene.wait(Duration::from_secs(10));
    let (second, _) = scene.ask(get());
    let (third, _) = scene.ask(get());
    scene.handle(Input::Cancel { operation: third });
    assert_eq!(scene.controller.deadline(), Some(Moment::ORIGIN + TIMEOUT));
    assert_eq!(
        scene.wait(Duration::from_secs(20)).outcomes,
        [(first, Err(OperationError::TimedOut))]
    );
    assert_eq!(
        scene.wait(Duration::from_secs(10)).outcomes,
        [(second, Err(OperationError::TimedOut))]
    );
    assert_eq!(scene.controller.deadline(), None);
}

#[test]
fn an_operate_that_wants_no_answer_is_done_when_it_is_sent() {
    let mut scene = Scene::online();
    let operate = Operate {
        send_resp: false,
        ..Operate::new("Device.Reboot()")
    };
    let (operation, happened) = scene.ask(Operation::Operate(operate));
    assert!(
        matches!(happened.message().as_request(), Some(RequestType::Operate(sent)) if !sent.send_resp)
    );
    assert_eq!(
        happened.outcomes,
        [(operation, Ok(Outcome::Operate(OperateOutcome::default())))]
    );
    assert_eq!(scene.controller.deadline(), None);
}

#[test]
fn requests_to_one_agent_are_bounded() {
    let mut scene = Scene::online();
    for _ in 0..OUTSTANDING_MAX {
        assert!(scene.ask(get()).1.outcomes.is_empty());
    }
    let (_, happened) = scene.ask(get());
    assert!(matches!(
        happened.outcomes[..],
        [(_, Err(OperationError::Overloaded { .. }))]
    ));
    assert!(happened.sent.is_empty());
}

/// The blanks that a person put around operators do not go out.
///
/// Proves: R-ARC.9b
#[test]
fn search_expressions_go_out_without_blanks() {
    let mut scene = Scene::online();
    let path = r#"Device.LocalAgent.Controller.[Alias == "a b" && Enable==true]."#;
    let (_, happened) = scene.ask(Operation::Get(Get::all([path])));
    let message = happened.message();
    let Some(RequestType::Get(sent)) = message.as_request() else {
        panic!("{message:?}")
    };
    assert_eq!(
        sent.param_paths,
        [r#"Device.LocalAgent.Controller.[Alias=="a b"&&Enable==true]."#]
    );
}

#[test]
fn the_versions_we_speak_are_told_where_none_are_given() {
    let mut scene = Scene::online();
    let (_, happened) = scene.ask(Operation::SupportedProtocol(SupportedProtocol::default()));
    let message = happened.message();
    let Some(RequestType::GetSupportedProtocol(sent)) = message.as_request() else {
        panic!("{message:?}")
    };
    assert_eq!(
        sent.controller_supported_protocol_versions,
        "1.0,1.1,1.2,1.3,1.4"
    );
}
