//! Sessions: how they begin and end, and that there is one per Controller.

use std::time::Duration;

use usphere_proto::{Record, RecordType};
use usphere_trust::Channel;

use super::{AGENT, CONTROLLER_1, get, ignored, set};
use crate::scene::{Scene, id, request_record};
use crate::{HangupReason, Input, Notice};

/// Proves: R-MTP.6, R-MTP.8, TP-469 7.10
#[test]
fn the_first_record_on_every_connection_is_our_connect_record() {
    let mut live = Scene::new()
        .controller("in")
        .dialled("out", "there")
        .agent();
    let accepted = live.arrive(Some("in"), Channel::PlainLoopback);
    let dialled = live.pick_up();
    for (link, name) in [(accepted, "in"), (dialled, "out")] {
        let records = live.take(link);
        assert_eq!(records.len(), 1, "{name}");
        assert!(
            matches!(
                records[0].record_type,
                Some(RecordType::WebSocketConnect(_))
            ),
            "{name}"
        );
        assert_eq!(
            (&*records[0].to_id, &*records[0].from_id),
            (id(name).as_str(), id("agent").as_str())
        );
    }
}

/// A Controller that does not say who it is while it connects tells it by its first Record. The
/// Connect Record goes out before the answer.
///
/// Proves: R-MTP.6, R-MTP.8
#[test]
fn a_peer_that_tells_late_who_it_is_gets_the_connect_record_first() {
    let mut live = Scene::new().controller("operator").agent();
    let link = live.arrive(None, Channel::PlainLoopback);
    assert_eq!(live.take(link), []);
    live.send(link, request_record("operator", "1", get(&[AGENT])));
    let records = live.take(link);
    assert_eq!(records.len(), 2);
    assert!(records[0].is_connect() && records[1].payload().is_some());
}

#[test]
fn a_peer_that_never_tells_who_it_is_is_hung_up() {
    let mut live = Scene::new().controller("operator").agent();
    let link = live.arrive(None, Channel::PlainLoopback);
    live.wait(Duration::from_secs(29));
    assert_eq!(live.hangups, []);
    live.wait(Duration::from_secs(1));
    assert_eq!(live.hangups, [(link, HangupReason::Silent)]);
    assert_eq!(live.take(link), [], "nobody is there to say goodbye to");
}

/// Proves: R-MTP.8
#[test]
fn nothing_is_exchanged_between_a_disconnect_record_and_the_next_connect_record() {
    let mut live = Scene::new().controller("operator").agent();
    let link = live.connect("operator");
    live.send(
        link,
        Record::disconnect(&id("agent"), &id("operator"), 7105_u32, "enough"),
    );
    live.request("operator", "lost", get(&[AGENT]));
    assert_eq!(live.take(link), []);
    assert_eq!(
        ignored(&live, link),
        ["no Connect Record came since the Disconnect Record"]
    );
    live.send(
        link,
        Record::websocket_connect(&id("agent"), &id("operator")),
    );
    assert!(live.take(link)[0].is_connect());
    assert_eq!(
        live.value("operator", "Device.LocalAgent.EndpointID"),
        "self::agent"
    );
}

#[test]
fn a_peer_that_said_goodbye_and_stays_silent_is_hung_up() {
    let mut live = Scene::new().dialled("operator", "there").agent();
    let link = live.pick_up();
    live.send(
        link,
        Record::disconnect(&id("agent"), &id("operator"), 0_u32, ""),
    );
    live.wait(Duration::from_secs(30));
    assert_eq!(live.hangups, [(link, HangupReason::Silent)]);
    assert_eq!(
        live.dials.len(),
        0,
        "it is dialled again only after the wait of the first retry"
    );
    live.wait(Duration::from_secs(10));
    assert_eq!(live.dials.len(), 1);
}

/// An answer that becomes ready after the goodbye is not sent.
///
/// Proves: R-MTP.8
#[test]
fn an_answer_is_not_sent_after_a_disconnect_record() {
    let mut live = Scene::new().controller("operator").agent();
    let link = live.connect("operator");
    live.hold();
    live.request(
        "operator",
        "1",
        set(CONTROLLER_1, &[("ProvisioningCode", "a")]),
    );
    live.send(
        link,
        Record::disconnect(&id("agent"), &id("operator"), 0_u32, ""),
    );
    live.keep();
    assert_eq!(live.take(link), []);
}

/// The newer connection wins: its owner lost the older one, whether we know it or not.
///
/// Proves: R-WS.4, TP-469 7.2
#[test]
fn a_second_session_replaces_the_first() {
    let mut live = Scene::new().controller("operator").agent();
    let first = live.connect("operator");
    let second = live.connect("operator");
    assert_eq!(live.hangups, [(first, HangupReason::Replaced)]);
    let replaced = Notice::Replaced {
        controller: id("operator"),
        old: first,
        new: second,
    };
    assert!(live.notices.contains(&replaced));
    assert_eq!(
        live.take(first),
        [],
        "a Disconnect Record would come after the new Connect Record"
    );
    live.cut(first);
    assert_eq!(
        live.value("operator", "Device.LocalAgent.EndpointID"),
        "self::agent"
    );
    live.send(first, request_record("operator", "late", get(&[AGENT])));
    assert_eq!(
        live.take(first),
        [],
        "what comes on the closed link is nobody's"
    );
}

/// Proves: R-WS.4
#[test]
fn a_caller_whose_identity_is_worth_nothing_does_not_replace_a_session() {
    let mut live = Scene::new().controller("operator").agent();
    let first = live.connect("operator");
    let second = live.arrive(Some("operator"), Channel::PlainInsecure);
    assert_eq!(live.hangups, [(second, HangupReason::Superfluous)]);
    live.send(first, request_record("operator", "1", get(&[AGENT])));
    assert_eq!(live.take(first).len(), 1);
}

/// Proves: R-WS.4
#[test]
fn a_controller_that_dials_in_is_not_dialled() {
    let mut live = Scene::new().dialled("operator", "there").agent();
    assert_eq!(live.dials.len(), 1);
    let dial = live.dials[0].dial;
    let link = live.connect("operator");
    assert!(live.dials.is_empty(), "the attempt is given up");
    live.wait(Duration::from_secs(10_000));
    assert!(live.dials.is_empty());
    // The attempt succeeded before it heard that it was given up.
    let late = crate::LinkId(99);
    let peer = usphere_trust::PeerIdentity {
        endpoint_id: None,
        channel: Channel::PlainLoopback,
    };
    live.tell(Input::Connected {
        link: late,
        origin: crate::Origin::Dialled(dial),
        peer,
    });
    assert_eq!(live.hangups, [(late, HangupReason::Superfluous)]);
    assert_eq!(live.take(late), []);
    live.cut(link);
    live.wait(Duration::from_secs(10));
    assert_eq!(live.dials.len(), 1, "now it is dialled again");
}

/// Proves: R-MTP.7, R-MTP.9
#[test]
fn a_shutdown_says_goodbye_with_a_reason_and_closes() {
    let mut live = Scene::new()
        .controller("a")
        .controller("b")
        .dialled("c", "there")
        .agent();
    let links = [live.connect("a"), live.connect("b")];
    let stranger = live.arrive(None, Channel::PlainLoopback);
    live.tell(Input::Shutdown);
    for link in links {
        let records = live.take(link);
        let [
            Record {
                record_type: Some(RecordType::Disconnect(goodbye)),
                ..
            },
        ] = &records[..]
        else {
            panic!("{records:?}");
        };
        assert_eq!(goodbye.reason_code, 7105);
        assert_eq!(goodbye.reason, "the Agent shuts down");
        assert!(live.hangups.contains(&(link, HangupReason::ShuttingDown)));
    }
    assert_eq!(live.take(stranger), []);
    assert_eq!(live.hangups.len(), 3);
    assert!(live.dials.is_empty() && live.listeners.is_empty());
    live.wait(Duration::from_secs(100_000));
    assert!(live.dials.is_empty(), "nobody is dialled any more");
    let late = live.arrive(Some("a"), Channel::PlainLoopback);
    assert_eq!(
        live.hangups.last(),
        Some(&(late, HangupReason::ShuttingDown))
    );
}

/// The Disconnect Record comes after the answer to the Set, and before the connection is closed.
///
/// Proves: R-MTP.7, R-MTP.9
#[test]
fn a_controller_that_is_disabled_hears_the_answer_and_the_goodbye() {
    let mut live = Scene::new()
        .controller("operator")
        .controller("other")
        .agent();
    let link = live.connect("operator");
    live.request("operator", "1", set(CONTROLLER_1, &[("Enable", "false")]));
    let records = live.take(link);
    assert_eq!(records.len(), 2, "{records:?}");
    assert!(records[0].payload().is_some());
    let Some(RecordType::Disconnect(goodbye)) = &records[1].record_type else {
        panic!("{records:?}");
    };
    assert_eq!(goodbye.reason_code, 7105);
    assert!(!goodbye.reason.is_empty());
    assert_eq!(live.hangups, [(link, HangupReason::Disabled)]);
    let again = live.arrive(Some("operator"), Channel::PlainLoopback);
    assert_eq!(live.hangups.last(), Some(&(again, HangupReason::Stranger)));
}

#[test]
fn a_stranger_is_hung_up_without_a_word() {
    let mut live = Scene::new().controller("operator").agent();
    let named = live.arrive(Some("nobody"), Channel::PlainLoopback);
    let unnamed = live.arrive(None, Channel::PlainLoopback);
    live.send(unnamed, request_record("nobody", "1", get(&[AGENT])));
    assert_eq!(
        live.hangups,
        [
            (named, HangupReason::Stranger),
            (unnamed, HangupReason::Stranger)
        ]
    );
    assert_eq!((live.take(named), live.take(unnamed)), (vec![], vec![]));
}

/// A Controller with the Agent's own ID may be in the table and bothers nobody; the two do not speak.
///
/// Proves: R-ARC.1, R-ARC.2
#[test]
fn a_controller_with_our_own_endpoint_id_is_tolerated_and_never_spoken_to() {
    let mut live = Scene::new()
        .dialled("agent", "there")
        .controller("operator")
        .agent();
    let claimed = live.arrive(Some("agent"), Channel::PlainLoopback);
    assert_eq!(live.hangups, [(claimed, HangupReason::OurEndpointId)]);
    let unnamed = live.arrive(None, Channel::PlainLoopback);
    live.send(unnamed, request_record("agent", "1", get(&[AGENT])));
    live.wait(std::time::Duration::from_secs(10_000));
    assert!(live.dials.is_empty());
    assert_eq!((live.take(claimed), live.take(unnamed)), (vec![], vec![]));
    live.connect("operator");
    assert_eq!(
        live.value("operator", "Device.LocalAgent.Controller.1.EndpointID"),
        "self::agent"
    );
}

#[test]
fn who_answers_a_dial_as_somebody_else_is_hung_up_and_counts_as_a_failure() {
    let mut live = Scene::new().dialled("operator", "there").agent();
    let dial = live.dials.pop_front().unwrap().dial;
    let (link, origin) = (crate::LinkId(5), crate::Origin::Dialled(dial));
    let peer = usphere_trust::PeerIdentity {
        endpoint_id: Some(id("other")),
        channel: Channel::PlainLoopback,
    };
    live.tell(Input::Connected { link, origin, peer });
    assert_eq!(live.hangups, [(link, HangupReason::NotWhoWasDialled)]);
    assert_eq!(live.take(link), []);
    assert!(live.dials.is_empty());
    live.wait(Duration::from_secs(10));
    assert_eq!(live.dials.len(), 1);
}

/// Proves: R-WS.2, R-WS.6
#[test]
fn the_offer_to_dial_in_follows_the_data_model() {
    // There is another way, so that this one may go.
    let scene = Scene::new().dialled("operator", "usp.example.com");
    let mut live = scene.agent();
    assert_eq!(live.listeners.len(), 1);
    let (&listener, target) = live.listeners.first_key_value().unwrap();
    assert_eq!(
        (target.port, &*target.path, target.encryption),
        (9002, "/usp", false)
    );
    let link = live.connect("operator");
    assert_eq!(
        live.value("operator", "Device.LocalAgent.MTP.1.Status"),
        "Down"
    );
    live.tell(Input::Listening {
        listener,
        result: Ok(()),
    });
    assert_eq!(
        live.value("operator", "Device.LocalAgent.MTP.1.Status"),
        "Up"
    );
    live.tell(Input::Listening {
        listener,
        result: Err("address in use".to_owned()),
    });
    assert_eq!(
        live.value("operator", "Device.LocalAgent.MTP.1.Status"),
        "Error"
    );
    live.response(
        "operator",
        set("Device.LocalAgent.MTP.1.WebSocket.", &[("Port", "9003")]),
    );
    assert_eq!(live.listeners[&listener].port, 9003);
    live.request(
        "operator",
        "off",
        set("Device.LocalAgent.MTP.1.", &[("Enable", "false")]),
    );
    assert!(live.listeners.is_empty());
    assert_eq!(live.hangups, [(link, HangupReason::NotListening)]);
    let late = live.arrive(Some("operator"), Channel::PlainLoopback);
    assert_eq!(
        live.hangups.last(),
        Some(&(late, HangupReason::NotListening))
    );
}
