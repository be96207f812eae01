//! What Agents ask of us.

use super::*;

/// Proves: R-DEREG.4, R-DEREG.2
#[test]
fn a_deregister_gets_a_response_and_never_an_error() {
    let mut scene = Scene::online();
    let paths = vec!["Device.Time.".to_owned(), String::new()];
    let happened = scene.say(1, &Msg::request("d-1", Deregister { paths }));
    let answer = happened.message();
    let Some(ResponseType::DeregisterResp(resp)) = answer.as_response() else {
        panic!("{answer:?}")
    };
    let outcomes: Vec<_> = resp
        .deregistered_path_results
        .iter()
        .map(|each| {
            each.oper_status
                .as_ref()
                .unwrap()
                .oper_status
                .as_ref()
                .unwrap()
        })
        .collect();
    assert!(matches!(
        outcomes[..],
        [
            DeregisterOutcome::OperFailure(_),
            DeregisterOutcome::OperSuccess(_)
        ]
    ));
}

/// Proves: R-MSG.0, R-MSG.1
#[test]
fn requests_that_are_not_served_here_are_refused() {
    let mut scene = Scene::online();
    let reg_paths = vec![RegistrationPath {
        path: "Device.Time.".into(),
    }];
    let register = Register {
        allow_partial: false,
        reg_paths,
    };
    let happened = scene.say(1, &Msg::request("r-1", register.clone()));
    assert_eq!(
        (happened.error_code(), happened.message().msg_id()),
        (7028, "r-1")
    );

    let happened = scene.say(
        1,
        &Msg::request(
            "r-2",
            Register {
                allow_partial: true,
                ..register
            },
        ),
    );
    let answer = happened.message();
    let Some(ResponseType::RegisterResp(resp)) = answer.as_response() else {
        panic!("{answer:?}")
    };
    let status = resp.registered_path_results[0]
        .oper_status
        .as_ref()
        .unwrap();
    assert!(matches!(
        status.oper_status,
        Some(RegisterOutcome::OperFailure(_))
    ));

    let happened = scene.say(1, &Msg::request("g-1", usphere_proto::msg::Get::default()));
    assert_eq!(happened.error_code(), 7001);

    let mut unknown = Msg::request("u-1", notify(true));
    unknown.body = Some(Body {
        msg_body: Some(MsgBody::Request(Request { req_type: None })),
    });
    assert_eq!(scene.say(1, &unknown).error_code(), 7004);
    let header = Header {
        msg_id: "u-2".into(),
        msg_type: 0,
    };
    let bare = Msg {
        header: Some(header),
        body: None,
    };
    assert!(matches!(
        scene.say(1, &bare).ignored(),
        Ignored::Erroneous(_)
    ));
}

/// The body decides what a Message is; the header's word for it only has to be a known one.
///
/// Proves: R-MSG.10, R-ENC.2
#[test]
fn the_body_decides_what_a_message_is() {
    let mut scene = Scene::online();
    let mut misnamed = Msg::request("n-1", notify(true));
    misnamed.header = Some(Header {
        msg_id: "n-1".into(),
        msg_type: MsgType::GetResp as i32,
    });
    assert_eq!(scene.say(1, &misnamed).notified.len(), 1);
    misnamed.header = Some(Header {
        msg_id: "n-1".into(),
        msg_type: 99,
    });
    assert_eq!(scene.say(1, &misnamed).error_code(), 7004);
}
