//! Records that are not as they should be.

use super::*;

/// Proves: R-E2E.1
#[test]
fn a_record_for_another_endpoint_is_ignored() {
    let mut scene = Scene::new();
    scene.connect(1);
    let stray = Record::websocket_connect(&id("self::elsewhere"), &agent());
    assert!(matches!(
        scene.receive(1, stray).ignored(),
        Ignored::Misdirected(_)
    ));

    let mut scene = Scene::online();
    let payload = Msg::request("n-1", notify(true)).into_payload();
    let mut record = Record::no_session(&id("self::elsewhere"), &agent(), payload);
    assert!(matches!(
        scene.receive(1, record.clone()).ignored(),
        Ignored::Misdirected(_)
    ));
    record.to_id.clear();
    assert!(matches!(
        scene.receive(1, record).ignored(),
        Ignored::Misdirected(_)
    ));
}

/// An erroneous Record is answered if it is a request whose msg_id can be read, from a known sender to us;
/// otherwise there is no answer.
///
/// Proves: R-MTP.5, R-ENC.4
#[test]
fn erroneous_records_are_answered_only_where_all_is_known() {
    let mut scene = Scene::online();
    let request = Msg::request("n-1", notify(true));
    let good = Record::no_session(&ours(), &agent(), request.clone().into_payload());

    let old = Record {
        version: "two".into(),
        ..good.clone()
    };
    let happened = scene.receive(1, old.clone());
    assert_eq!(
        (happened.error_code(), happened.message().msg_id()),
        (7104, "n-1")
    );
    assert!(happened.notified.is_empty());
    assert_eq!(
        scene
            .receive(
                1,
                Record {
                    version: String::new(),
                    ..good.clone()
                }
            )
            .error_code(),
        7104
    );
    let secured = Record {
        payload_security: PayloadSecurity::Tls12 as i32,
        ..good.clone()
    };
    assert_eq!(scene.receive(1, secured).error_code(), 7104);
    assert_eq!(
        scene
            .receive(
                1,
                Record {
                    payload_security: 9,
                    ..good.clone()
                }
            )
            .error_code(),
        7104
    );
    let content = SessionContext {
        session_id: 2,
        sequence_id: 1,
        expected_id: 1,
        payload: vec![request.into_payload()],
        ..SessionContext::default()
    };
    assert_eq!(
        scene
            .receive(1, Record::session(&ours(), &agent(), content.clone()))
            .error_code(),
        7106
    );

    let answer = values("t-1", "x").into_payload();
    let mut silent = vec![
        Record {
            from_id: "nonsense".into(),
            ..old.clone()
        },
        Record {
            to_id: "self::elsewhere".into(),
            ..old.clone()
        },
        Record {
            record_type: None,
            ..good.clone()
        },
        Record {
            version: "two".into(),
            ..Record::no_session(&ours(), &agent(), answer)
        },
        Record {
            version: "two".into(),
            ..Record::no_session(&ours(), &agent(), vec![0xff; 8])
        },
        Record::session(
            &ours(),
            &agent(),
            SessionContext {
                payload: vec![vec![0xff; 8].into()],
                ..content
            },
        ),
        Record {
            mac_signature: vec![1].into(),
            ..good.clone()
        },
    ];
    let mut nameless = Msg::request("", notify(true));
    silent.push(Record {
        version: "two".into(),
        ..Record::no_session(&ours(), &agent(), nameless.clone().into_payload())
    });
    nameless.header = None;
    silent.push(Record::no_session(
        &ours(),
        &agent(),
        nameless.into_payload(),
    ));
    for record in silent {
        scene.receive(1, record).ignored();
    }
    assert_eq!(scene.receive(1, good).notified.len(), 1);
}

/// A Record that breaks the encoding itself is judged by the same rules.
///
/// Proves: R-ENC.2, R-MTP.5, R-MTP.8
#[test]
fn records_that_break_the_encoding_are_answered_after_the_connect_record_only() {
    let payload = Msg::request("n-1", notify(true)).into_payload();
    let record = Record {
        payload_security: 9,
        ..Record::no_session(&ours(), &agent(), payload)
    };
    let refusal = Record::receive(record.to_bytes(), &ours(), &Limits::DEFAULT).unwrap_err();
    let refused = || Input::Refused {
        link: LinkId(1),
        refusal: refusal.clone(),
    };
    let happened = Scene::online().handle(refused());
    assert_eq!(
        (happened.error_code(), happened.message().msg_id()),
        (7104, "n-1")
    );
    let mut scene = Scene::new();
    scene.connect(1);
    assert!(matches!(
        scene.handle(refused()).ignored(),
        Ignored::Erroneous(_)
    ));
}

/// Noise from one Agent fills neither the log nor the memory, and the next good Message is served.
#[test]
fn a_flood_of_nonsense_is_borne() {
    let mut scene = Scene::online();
    let mut notices = 0;
    for round in 0_u32..5_000 {
        let noise = round.to_be_bytes().repeat(3);
        let happened = scene.receive(1, Record::no_session(&ours(), &agent(), noise));
        notices += happened.notices.len();
    }
    assert!(notices <= 64, "{notices}");
    assert_eq!(
        scene.say(1, &Msg::request("n-1", notify(true))).sent.len(),
        1
    );
}
