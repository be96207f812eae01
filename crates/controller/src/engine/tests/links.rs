//! Connections: who is there, since when, and until when.

use std::sync::Arc;

use usphere_trust::testing::{authority, chain, draft};
use usphere_trust::{AllowedUses, Certificate, Credential, Expected, Session, Store};

use super::*;

/// An Agent that has our ID is somebody else, but not one to speak with: its connection is closed,
/// and the other Agents never notice.
///
/// Proves: R-ARC.1, R-ARC.2
#[test]
fn an_agent_with_our_own_endpoint_id_is_sent_away() {
    let mut scene = Scene::online();
    scene.connect(2);
    let happened = scene.receive(2, Record::websocket_connect(&ours(), &ours()));
    assert_eq!(happened.hangups, [(LinkId(2), HangupReason::OurEndpointId)]);
    assert!(happened.sent.is_empty() && happened.online.is_empty() && happened.offline.is_empty());

    let peer = PeerIdentity {
        endpoint_id: Some(ours()),
        channel: Channel::PlainLoopback,
    };
    let happened = scene.handle(Input::Connected {
        link: LinkId(3),
        peer,
    });
    assert_eq!(happened.hangups, [(LinkId(3), HangupReason::OurEndpointId)]);

    let request = Input::Request {
        operation: OperationId(50),
        agent: ours(),
        request: get(),
        timeout: TIMEOUT,
    };
    let happened = scene.handle(request);
    assert_eq!(
        happened.outcomes,
        [(OperationId(50), Err(OperationError::NotConnected))]
    );
    assert!(happened.sent.is_empty());
    assert_eq!(scene.ask(get()).1.sent.len(), 1);
}

/// Nothing goes either way before the Connect Record of this MTP, and a link without one is closed.
///
/// Proves: R-MTP.8
#[test]
fn nothing_is_exchanged_before_the_connect_record() {
    let mut scene = Scene::new();
    scene.connect(1);
    let (_, happened) = scene.ask(get());
    assert!(
        matches!(
            happened.outcomes[..],
            [(_, Err(OperationError::NotConnected))]
        ) && happened.sent.is_empty()
    );
    let request = Msg::request("n-1", notify(true));
    assert_eq!(scene.say(1, &request).ignored(), &Ignored::BeforeConnect);
    let wrong = Record::uds_connect(&ours(), &agent());
    assert_eq!(scene.receive(1, wrong).ignored(), &Ignored::WrongConnect);
    assert_eq!(
        scene
            .receive(1, Record::websocket_connect(&ours(), &agent()))
            .online
            .len(),
        1
    );
    assert_eq!(scene.say(1, &request).notified.len(), 1);
    assert_eq!(scene.ask(get()).1.sent.len(), 1);

    scene.connect(2);
    let happened = scene.wait(CONNECT_PATIENCE);
    assert_eq!(happened.hangups, [(LinkId(2), HangupReason::Silent)]);
}

/// After a Disconnect Record the connection may stay, all that waited is over, and only a new
/// Connect Record starts anew.
///
/// Proves: R-MTP.7, R-MTP.8
#[test]
fn a_disconnect_record_ends_all_until_the_next_connect_record() {
    let mut scene = Scene::online();
    let (operation, asked) = scene.ask(get());
    let answer = values(asked.message().msg_id(), "late");
    let goodbye = Record::disconnect(
        &ours(),
        &agent(),
        ErrorCode::SessionContextTerminated,
        "reboot",
    );
    let happened = scene.receive(1, goodbye);
    assert_eq!(
        happened.outcomes,
        [(operation, Err(OperationError::Disconnected))]
    );
    assert_eq!(
        happened.offline,
        [(
            agent(),
            OfflineReason::Disconnected {
                code: 7105,
                text: "reboot".into()
            }
        )]
    );
    assert!(happened.hangups.is_empty() && happened.sent.is_empty());

    assert_eq!(scene.say(1, &answer).ignored(), &Ignored::BeforeConnect);
    let (_, happened) = scene.ask(get());
    assert!(
        matches!(
            happened.outcomes[..],
            [(_, Err(OperationError::NotConnected))]
        ) && happened.sent.is_empty()
    );

    scene.receive(1, Record::websocket_connect(&ours(), &agent()));
    assert!(matches!(
        scene.say(1, &answer).ignored(),
        Ignored::NotAsked(_)
    ));
    assert_eq!(scene.ask(get()).1.sent.len(), 1);
}

/// Proves: R-WS.4
#[test]
fn the_newest_connection_of_an_agent_wins() {
    let mut scene = Scene::online();
    let (operation, _) = scene.ask(get());
    scene.connect(2);
    let happened = scene.receive(2, Record::websocket_connect(&ours(), &agent()));
    assert_eq!(happened.hangups, [(LinkId(1), HangupReason::Replaced)]);
    assert_eq!(
        happened.outcomes,
        [(operation, Err(OperationError::Disconnected))]
    );
    assert_eq!(happened.offline, [(agent(), OfflineReason::Replaced)]);
    assert_eq!(happened.online, [(agent(), LinkId(2))]);
    let replaced = Notice::Replaced {
        agent: agent(),
        old: LinkId(1),
        new: LinkId(2),
    };
    assert!(happened.notices.contains(&replaced));

    let (_, asked) = scene.ask(get());
    assert_eq!(asked.sent[0].0, LinkId(2));
    scene.handle(Input::Disconnected {
        link: LinkId(1),
        reason: "closed".into(),
    });
    assert_eq!(
        scene
            .say(2, &values(asked.message().msg_id(), "x"))
            .outcomes
            .len(),
        1
    );
}

#[test]
fn a_lost_connection_ends_what_waits_on_it_and_nothing_else() {
    let mut scene = Scene::online();
    scene.connect(2);
    scene.receive(2, Record::websocket_connect(&ours(), &id("self::other")));
    let (operation, _) = scene.ask(get());
    let happened = scene.handle(Input::Disconnected {
        link: LinkId(2),
        reason: "reset".into(),
    });
    assert_eq!(
        happened.offline,
        [(id("self::other"), OfflineReason::Lost("reset".into()))]
    );
    assert!(happened.outcomes.is_empty());
    let happened = scene.handle(Input::Disconnected {
        link: LinkId(1),
        reason: "reset".into(),
    });
    assert_eq!(
        happened.outcomes,
        [(operation, Err(OperationError::Disconnected))]
    );
    assert_eq!(scene.controller.deadline(), None);
}

/// An Agent that is let go hears goodbye and may come back; the others stay.
#[test]
fn an_agent_that_is_dismissed_may_come_back() {
    let mut scene = Scene::online();
    scene.connect(2);
    scene.receive(2, Record::websocket_connect(&ours(), &id("self::other")));
    let happened = scene.handle(Input::Dismiss { agent: agent() });
    let [(LinkId(1), record)] = &happened.sent[..] else {
        panic!("{happened:?}")
    };
    assert!(matches!(
        record.record_type,
        Some(RecordType::Disconnect(_))
    ));
    assert_eq!(happened.hangups, [(LinkId(1), HangupReason::Dismissed)]);
    assert_eq!(happened.offline, [(agent(), OfflineReason::Dismissed)]);
    let absent = scene.handle(Input::Dismiss { agent: agent() });
    assert!(absent.sent.is_empty() && absent.hangups.is_empty());
    scene.connect(3);
    let happened = scene.receive(3, Record::websocket_connect(&ours(), &agent()));
    assert_eq!(happened.online, [(agent(), LinkId(3))]);
}

#[test]
fn a_shutdown_says_goodbye_to_everyone() {
    let mut scene = Scene::online();
    scene.connect(2);
    let (operation, _) = scene.ask(get());
    let happened = scene.handle(Input::Shutdown);
    let [(LinkId(1), record)] = &happened.sent[..] else {
        panic!("{happened:?}")
    };
    assert!(matches!(
        record.record_type,
        Some(RecordType::Disconnect(_))
    ));
    let closed: Vec<_> = happened.hangups.iter().map(|(link, _)| link.0).collect();
    assert_eq!(closed, [1, 2]);
    assert_eq!(
        happened.outcomes,
        [(operation, Err(OperationError::Disconnected))]
    );
    assert_eq!(scene.controller.deadline(), None);
    // Who comes too late is sent away at once: nobody would say goodbye any more.
    let late = scene.connect(3);
    assert_eq!(late.hangups, [(LinkId(3), HangupReason::ShuttingDown)]);
    assert_eq!(scene.controller.deadline(), None);
}

/// Over TLS a Record is from whom the certificate names, whatever it says itself; a Trusted Broker alone
/// speaks for others.
///
/// Proves: R-SEC.0a, R-SEC.10a, R-E2E.28
#[test]
fn over_tls_the_certificate_says_who_an_agent_is() {
    let ca = authority("CA");
    let presents = |certificate: &Certificate, uses| {
        let store = Store {
            credentials: vec![Credential {
                instance: 1,
                certificate: ca.certificate.clone(),
                allowed_uses: Some(uses),
                roles: Vec::new(),
            }],
            ..Store::default()
        };
        let presented = chain(&[certificate]);
        let session = Session::open(presented, &store, &Expected::Anybody, None).unwrap();
        let mut scene = Scene::new();
        let peer = PeerIdentity {
            endpoint_id: None,
            channel: Channel::Tls(Arc::new(session)),
        };
        let link = LinkId(1);
        scene.handle(Input::Connected { link, peer });
        scene.receive(1, Record::websocket_connect(&ours(), &agent()))
    };
    let issued = |name: &EndpointId| draft("Agent").endpoint(name).signed_by(&ca).certificate;
    let (own, other) = (issued(&agent()), issued(&id("self::other")));
    for uses in AllowedUses::ALL {
        let happened = presents(&own, uses);
        assert_eq!(happened.online, [(agent(), LinkId(1))], "{uses:?}");
    }
    for uses in [AllowedUses::MtpAndUsp, AllowedUses::MtpOnly] {
        let happened = presents(&other, uses);
        let Ignored::Unproven(why) = happened.ignored() else {
            panic!("{happened:?}")
        };
        assert!(why.contains("does not authenticate self::agent"), "{why}");
    }
    let happened = presents(&other, AllowedUses::MtpAndBroker);
    assert_eq!(happened.online, [(agent(), LinkId(1))]);
}
