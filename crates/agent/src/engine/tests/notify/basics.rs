//! Each type of notification, and what its ReferenceList covers.

use std::collections::BTreeMap;

use usphere_proto::msg::{Notification, Operate};

use super::super::{CONTROLLER_2, delete};
use super::*;
use crate::Input;

/// The Controller that made the change is told, too, at once, with what the Subscription says.
///
/// Proves: R-NOT.0, R-NOT.0a, R-NOT.7, TP-469 1.52
#[test]
fn a_value_change_is_told_to_whoever_subscribed_even_by_its_own_hand() {
    let mut live = Scene::new().controller("a").controller("b").agent();
    live.connect("a");
    live.connect("b");
    subscribe(
        &mut live,
        "a",
        &[
            ("ID", "notify52"),
            ("NotifType", "ValueChange"),
            ("ReferenceList", CODE_1),
            ("NotifRetry", "true"),
        ],
    );
    provision(&mut live, "a", "TestValue52");
    let first = notified(&mut live, "a");
    assert_eq!(first.len(), 1);
    assert_eq!(
        short(&first[0].1),
        format!("notify52: {CODE_1}=TestValue52")
    );
    assert!(first[0].1.send_resp);
    assert_eq!(notified(&mut live, "b"), []);
    provision(&mut live, "b", "by another");
    assert_eq!(
        told(&mut live, "a"),
        [format!("notify52: {CODE_1}=by another")]
    );
    provision(&mut live, "b", "by another");
    assert_eq!(notified(&mut live, "a"), [], "the same value is no change");
}

/// Proves: TP-469 1.53
#[test]
fn a_subscription_that_is_deleted_tells_nothing_and_sends_nothing_again() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let row = subscribe_to_code(&mut live, "a", &[("NotifRetry", "true")]);
    provision(&mut live, "a", "TestValue53");
    assert_eq!(notified(&mut live, "a").len(), 1);
    live.response("a", delete(&row));
    provision(&mut live, "a", "notify53-2");
    live.wait(seconds(10_000));
    assert_eq!(notified(&mut live, "a"), []);
}

/// A new row is told with its unique keys, and what it was given is no change of a value.
///
/// Proves: R-NOT.0, TP-469 1.57
#[test]
fn a_new_row_is_told_with_its_unique_keys() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    for (id, kind, references) in [
        ("created", "ObjectCreation", SUBSCRIPTIONS),
        ("changed", "ValueChange", SUBSCRIPTIONS),
    ] {
        subscribe(
            &mut live,
            "a",
            &[
                ("ID", id),
                ("NotifType", kind),
                ("ReferenceList", references),
            ],
        );
    }
    notified(&mut live, "a");
    let row = subscribe_to_code(&mut live, "a", &[("ID", "notify57-2")]);
    let news = notified(&mut live, "a");
    assert_eq!(news.len(), 1, "{news:?}");
    let Some(Notification::ObjCreation(created)) = &news[0].1.notification else {
        panic!("{news:?}")
    };
    assert_eq!(
        (&*news[0].1.subscription_id, &*created.obj_path),
        ("created", &*row)
    );
    assert_eq!(created.unique_keys["ID"], "notify57-2");
    assert_eq!(
        created.unique_keys["Recipient"],
        "Device.LocalAgent.Controller.1"
    );
    assert!(created.unique_keys.contains_key("Alias"));
}

/// Proves: R-NOT.0, TP-469 1.58
#[test]
fn a_row_that_goes_is_told_whoever_deletes_it() {
    let mut live = Scene::new().controller("a").controller("b").agent();
    live.connect("a");
    live.connect("b");
    for (id, references) in [
        ("table", SUBSCRIPTIONS),
        ("wildcard", "Device.LocalAgent.Subscription.*."),
        ("this one", "Device.LocalAgent.Subscription.5."),
        ("another", "Device.LocalAgent.Subscription.4."),
    ] {
        let kind = ("NotifType", "ObjectDeletion");
        subscribe(
            &mut live,
            "a",
            &[("ID", id), kind, ("ReferenceList", references)],
        );
    }
    let row = subscribe_to_code(&mut live, "b", &[]);
    live.response("b", delete(&row));
    let expected: Vec<String> = ["table", "wildcard", "this one"]
        .iter()
        .map(|id| format!("{id}: -{row}"))
        .collect();
    assert_eq!(told(&mut live, "a"), expected);
}

/// An object stands for all parameters below it, rows that come later included; a wildcard for any row; each
/// change is told once however many entries cover it.
///
/// Proves: R-NOT.0, TP-469 1.84
#[test]
fn paths_wildcards_and_objects_cover_what_they_say_and_each_change_is_told_once() {
    let mut live = Scene::new().controller("a").controller("b").agent();
    live.connect("a");
    for (id, references) in [
        ("object", "Device.LocalAgent.Controller.2."),
        ("table", "Device.LocalAgent.Controller."),
        (
            "wildcard",
            "Device.LocalAgent.Controller.*.ProvisioningCode",
        ),
        (
            "twice",
            "Device.LocalAgent.,Device.LocalAgent.Controller.*.ProvisioningCode",
        ),
        ("other row", CODE_1),
        (
            "other name",
            "Device.LocalAgent.Controller.*.ControllerCode",
        ),
        (
            "below",
            "Device.LocalAgent.Controller.*.MTP.*.WebSocket.Host",
        ),
        ("without a dot", "Device.LocalAgent.Controller.2"),
    ] {
        let kind = ("NotifType", "ValueChange");
        subscribe(
            &mut live,
            "a",
            &[("ID", id), kind, ("ReferenceList", references)],
        );
    }
    notified(&mut live, "a");
    live.response("a", set(CONTROLLER_2, &[("ProvisioningCode", "x")]));
    let expected = ["object", "table", "wildcard", "twice", "without a dot"];
    let path = format!("{CONTROLLER_2}ProvisioningCode=x");
    assert_eq!(
        told(&mut live, "a"),
        expected.map(|id| format!("{id}: {path}"))
    );
    let response = live.response("a", add("Device.LocalAgent.Controller.", &[]));
    let row = added(&response);
    notified(&mut live, "a");
    live.response("a", set(&row, &[("ProvisioningCode", "y")]));
    let expected = ["table", "wildcard", "twice"];
    assert_eq!(
        told(&mut live, "a"),
        expected.map(|id| format!("{id}: {row}ProvisioningCode=y"))
    );
}

/// A search is evaluated when something happens, with the values that are then.
///
/// Proves: R-NOT.0, TP-469 1.84
#[test]
fn rows_that_begin_to_match_a_search_count_from_then_on() {
    let mut live = Scene::new().controller("a").controller("b").agent();
    live.connect("a");
    subscribe(
        &mut live,
        "a",
        &[
            ("ID", "searched"),
            ("NotifType", "ValueChange"),
            (
                "ReferenceList",
                "Device.LocalAgent.Controller.[ControllerCode==\"watched\"].ProvisioningCode",
            ),
        ],
    );
    live.response("a", set(CONTROLLER_2, &[("ProvisioningCode", "1")]));
    assert_eq!(notified(&mut live, "a"), []);
    live.response("a", set(CONTROLLER_2, &[("ControllerCode", "watched")]));
    assert_eq!(
        notified(&mut live, "a"),
        [],
        "another parameter has changed"
    );
    live.response("a", set(CONTROLLER_2, &[("ProvisioningCode", "2")]));
    assert_eq!(
        told(&mut live, "a"),
        [format!("searched: {CONTROLLER_2}ProvisioningCode=2")]
    );
    live.response("a", set(CONTROLLER_2, &[("ControllerCode", "")]));
    live.response("a", set(CONTROLLER_2, &[("ProvisioningCode", "3")]));
    assert_eq!(notified(&mut live, "a"), []);
}

/// Proves: R-NOT.0
#[test]
fn a_reference_is_followed_when_something_happens() {
    let mut live = Scene::new().controller("a").controller("b").agent();
    live.connect("a");
    let row = subscribe(
        &mut live,
        "a",
        &[
            ("ID", "followed"),
            ("NotifType", "ValueChange"),
            (
                "ReferenceList",
                "Device.LocalAgent.Subscription.1.Recipient+.ProvisioningCode",
            ),
        ],
    );
    assert_eq!(row, "Device.LocalAgent.Subscription.1.");
    live.response("a", set(CONTROLLER_2, &[("ProvisioningCode", "2")]));
    assert_eq!(notified(&mut live, "a"), []);
    provision(&mut live, "a", "1");
    assert_eq!(told(&mut live, "a"), [format!("followed: {CODE_1}=1")]);
}

/// An object at the end of a reference stands for everything below it, a table for what is in its rows; for
/// creations each is itself alone.
///
/// Proves: R-NOT.0
#[test]
fn a_reference_that_is_followed_to_an_object_covers_what_is_below() {
    const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let first = format!("{ROLES}1.");
    let assigned = [("AssignedRole", first.trim_end_matches('.'))];
    live.response("a", set(CONTROLLER_1, &assigned));
    let role = "Device.LocalAgent.Controller.1.AssignedRole#1+.";
    for (name, kind, references) in [
        ("object", "ValueChange", role.to_owned()),
        ("table", "ValueChange", format!("{role}Permission.")),
        ("rows", "ObjectCreation", format!("{role}Permission.")),
        ("row", "ObjectCreation", role.to_owned()),
    ] {
        let values = [("NotifType", kind), ("ReferenceList", &*references)];
        subscribe(&mut live, "a", &[&[("ID", name)], &values[..]].concat());
    }
    let second = added(&live.response("a", add(ROLES, &[("Name", "other")])));
    live.response("a", add(&format!("{second}Permission."), &[("Order", "7")]));
    assert_eq!(notified(&mut live, "a"), [], "it is of another role");
    let table = format!("{first}Permission.");
    let row = added(&live.response("a", add(&table, &[("Order", "7")])));
    let count = format!("object: {first}PermissionNumberOfEntries=2");
    assert_eq!(told(&mut live, "a"), [format!("rows: +{row}"), count]);
    live.response("a", set(&row, &[("Order", "8")]));
    let change = format!("{row}Order=8");
    assert_eq!(
        told(&mut live, "a"),
        [format!("object: {change}"), format!("table: {change}")]
    );
}

/// Several values that one request sets are told together, and each once with what it is in the end.
///
/// Proves: R-NOT.0
#[test]
fn what_is_set_twice_in_one_request_is_told_once() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    subscribe_to_code(&mut live, "a", &[("ID", "code")]);
    let twice = [("ProvisioningCode", "first"), ("ProvisioningCode", "last")];
    live.response("a", set(CONTROLLER_1, &twice));
    assert_eq!(told(&mut live, "a"), [format!("code: {CODE_1}=last")]);
}

/// Proves: R-NOT.0
#[test]
fn an_event_is_told_with_its_arguments_and_to_those_alone_who_subscribed() {
    let mut live = Scene::new()
        .controller("a")
        .controller("b")
        .host(&[&EVENTFUL])
        .agent();
    live.connect("a");
    live.connect("b");
    for (name, references) in [
        ("a", "Device.X_Eventful.Happened!"),
        ("b", "Device.X_Eventful.Other!"),
    ] {
        let kind = ("NotifType", "Event");
        subscribe(
            &mut live,
            name,
            &[("ID", "e"), kind, ("ReferenceList", references)],
        );
    }
    live.tell(Input::Event {
        object: "Device.X_Eventful.".to_owned(),
        name: "Happened!".to_owned(),
        parameters: BTreeMap::from([("Why".to_owned(), "because".to_owned())]),
    });
    let news = notified(&mut live, "a");
    let Some(Notification::Event(event)) = &news[0].1.notification else {
        panic!("{news:?}")
    };
    assert_eq!(
        (&*event.obj_path, &*event.event_name),
        ("Device.X_Eventful.", "Happened!")
    );
    assert_eq!(event.params["Why"], "because");
    assert_eq!(notified(&mut live, "b"), []);
}

/// A disabled Subscription does nothing, and what waits of it is not sent again.
///
/// Proves: R-NOT.0
#[test]
fn a_disabled_subscription_is_not_processed() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let row = subscribe_to_code(&mut live, "a", &[("NotifRetry", "true")]);
    provision(&mut live, "a", "1");
    assert_eq!(notified(&mut live, "a").len(), 1);
    live.response("a", set(&row, &[("Enable", "false")]));
    provision(&mut live, "a", "2");
    live.wait(seconds(10_000));
    assert_eq!(notified(&mut live, "a"), []);
    live.response("a", set(&row, &[("Enable", "true")]));
    provision(&mut live, "a", "3");
    assert_eq!(told(&mut live, "a"), [format!("cpe-1: {CODE_1}=3")]);
}

/// Nobody hears of a change before it is kept, nor ever of one that is not.
///
/// Proves: R-NOT.0
#[test]
fn a_change_that_is_not_kept_is_not_told() {
    let mut live = Scene::new().controller("a").controller("b").agent();
    live.connect("a");
    live.connect("b");
    subscribe_to_code(&mut live, "b", &[]);
    live.hold();
    live.request("a", "1", set(CONTROLLER_1, &[("ProvisioningCode", "lost")]));
    assert_eq!(notified(&mut live, "b"), []);
    live.fail("no");
    assert_eq!(notified(&mut live, "b"), []);
    live.request("a", "2", set(CONTROLLER_1, &[("ProvisioningCode", "kept")]));
    assert_eq!(notified(&mut live, "b"), []);
    live.keep();
    assert_eq!(told(&mut live, "b"), [format!("cpe-1: {CODE_1}=kept")]);
}

/// A Subscription counts for what is done behind it in the same breath.
#[test]
fn a_change_right_behind_its_subscription_is_told() {
    let mut live = Scene::new().controller("a").agent();
    let link = live.connect("a");
    live.hold();
    let values = [
        ("Enable", "true"),
        ("ID", "quick"),
        ("NotifType", "ValueChange"),
        ("ReferenceList", CODE_1),
    ];
    live.request("a", "1", add(SUBSCRIPTIONS, &values));
    live.request("a", "2", set(CONTROLLER_1, &[("ProvisioningCode", "now")]));
    live.keep();
    let news = notified_on(&mut live, link);
    assert_eq!(news.len(), 1);
    assert_eq!(short(&news[0].1), format!("quick: {CODE_1}=now"));
}

/// Proves: R-NOT.0, TP-469 1.78
#[test]
fn subscriptions_go_with_their_recipient_and_their_last_word_is_that_it_went() {
    let mut live = Scene::new().controller("a").controller("b").agent();
    live.connect("a");
    let link = live.connect("b");
    let kind = ("NotifType", "ObjectDeletion");
    let references = ("ReferenceList", "Device.LocalAgent.Controller.*.");
    for name in ["a", "b"] {
        subscribe(&mut live, name, &[("ID", "gone"), kind, references]);
    }
    live.response("a", delete(CONTROLLER_2));
    assert_eq!(told(&mut live, "a"), [format!("gone: -{CONTROLLER_2}")]);
    let last = notified_on(&mut live, link);
    assert_eq!(last.len(), 1, "even the one that goes is told");
    assert_eq!(short(&last[0].1), format!("gone: -{CONTROLLER_2}"));
    let left = live.values("a", SUBSCRIPTIONS);
    assert!(
        left.keys().all(|path| path.contains("Subscription.1.")),
        "{left:?}"
    );
}

/// Proves: R-NOT.0
#[test]
fn the_last_notification_of_a_controller_that_is_disabled_tells_it_so() {
    let mut live = Scene::new().controller("a").controller("b").agent();
    live.connect("a");
    let link = live.connect("b");
    let enable = format!("{CONTROLLER_2}Enable");
    let kind = ("NotifType", "ValueChange");
    subscribe(
        &mut live,
        "b",
        &[("ID", "off"), kind, ("ReferenceList", &enable)],
    );
    live.response("a", set(CONTROLLER_2, &[("Enable", "false")]));
    let last = notified_on(&mut live, link);
    assert_eq!(last.len(), 1);
    assert_eq!(short(&last[0].1), format!("off: {enable}=false"));
    live.response("a", set(CONTROLLER_2, &[("Enable", "true")]));
    assert_eq!(notified_on(&mut live, link), []);
}

/// A NotifyResp by somebody else, or by nobody's wish, changes nothing.
///
/// Proves: R-NOT.8
#[test]
fn stray_answers_are_ignored() {
    let mut live = Scene::new().controller("a").controller("b").agent();
    let a = live.connect("a");
    let b = live.connect("b");
    subscribe_to_code(&mut live, "a", &[("NotifRetry", "true")]);
    let row = subscribe_to_code(&mut live, "b", &[("NotifRetry", "false")]);
    provision(&mut live, "a", "1");
    let (to_a, to_b) = (notified(&mut live, "a"), notified(&mut live, "b"));
    assert_eq!((to_a[0].1.send_resp, to_b[0].1.send_resp), (true, false));
    acknowledge(&mut live, "b", &to_a[0].0);
    acknowledge(&mut live, "b", &to_b[0].0);
    acknowledge(&mut live, "a", "nonsense");
    assert_eq!(super::super::ignored(&live, b).len(), 2);
    assert_eq!(super::super::ignored(&live, a).len(), 1);
    live.wait(seconds(11));
    assert_eq!(notified(&mut live, "a"), to_a);
    assert_eq!(notified(&mut live, "b"), [], "{row}");
}

/// Proves: R-NOT.0
#[test]
fn a_synchronous_command_completes_without_a_notification() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let kind = ("NotifType", "OperationComplete");
    subscribe(
        &mut live,
        "a",
        &[("ID", "c"), kind, ("ReferenceList", "Device.")],
    );
    live.response(
        "a",
        Operate {
            command: format!("{CONTROLLER_1}SendOnBoardRequest()"),
            command_key: "key".to_owned(),
            send_resp: true,
            ..Operate::default()
        },
    );
    assert_eq!(told(&mut live, "a"), [": OnBoardRequest"]);
}

/// A row that is gone cannot be searched any more, so what a search has found is remembered.
///
/// Proves: R-NOT.0
#[test]
fn a_row_that_a_search_found_is_told_when_it_goes() {
    const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let kind = ("NotifType", "ObjectDeletion");
    for (id, references) in [
        (
            "row",
            "Device.LocalAgent.ControllerTrust.Role.[Enable==true].",
        ),
        (
            "below",
            "Device.LocalAgent.ControllerTrust.Role.[Enable==true].Permission.",
        ),
    ] {
        subscribe(
            &mut live,
            "a",
            &[("ID", id), kind, ("ReferenceList", references)],
        );
    }
    let mut rows = Vec::new();
    for (name, enable) in [("on", "true"), ("off", "false"), ("turned on", "false")] {
        let response = live.response("a", add(ROLES, &[("Name", name), ("Enable", enable)]));
        rows.push(added(&response));
    }
    live.response("a", set(&rows[2], &[("Enable", "true")]));
    for row in &rows {
        live.response("a", add(&format!("{row}Permission."), &[]));
    }
    live.response("a", delete(&format!("{}Permission.1.", rows[0])));
    assert_eq!(
        told(&mut live, "a"),
        [format!("below: -{}Permission.1.", rows[0])]
    );
    for row in &rows {
        live.response("a", delete(row));
    }
    let (on, turned_on) = (&rows[0], &rows[2]);
    let expected = [
        format!("row: -{on}"),
        format!("row: -{turned_on}"),
        format!("below: -{turned_on}Permission.1."),
    ];
    assert_eq!(told(&mut live, "a"), expected);
}

/// What the Agent says of itself at its start is no change of a value.
#[test]
fn a_restart_alone_tells_nothing() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    let values = [
        ("NotifType", "ValueChange"),
        ("ReferenceList", "Device."),
        ("Persistent", "true"),
        ("NotifRetry", "true"),
    ];
    subscribe(&mut live, "a", &values);
    let mut live = live.restart();
    live.connect("a");
    live.wait(seconds(60));
    assert_eq!(told(&mut live, "a"), [""; 0]);
}

/// Requests that come faster than the store keeps them do not pile up what has to be judged: whoever writes
/// without a pause is not told later and later.
#[test]
fn notifications_keep_up_with_a_controller_that_never_pauses() {
    let mut live = Scene::new().controller("a").agent();
    let link = live.connect("a");
    subscribe_to_code(&mut live, "a", &[]);
    let role = "Device.LocalAgent.ControllerTrust.Role.1.Name";
    let values = [("NotifType", "ValueChange"), ("ReferenceList", role)];
    subscribe(&mut live, "a", &values);
    live.hold();
    let mut told = 0;
    for round in 0..50_u32 {
        for request in 0..8_u32 {
            let value = format!("{round}-{request}");
            live.request(
                "a",
                &value,
                set(CONTROLLER_1, &[("ProvisioningCode", &value)]),
            );
        }
        while live.commits.len() > 8 {
            live.keep_next();
        }
        told += notified_on(&mut live, link).len();
        assert!(
            told + 3 * 8 >= round as usize * 8,
            "{told} in round {round}"
        );
    }
    live.keep();
    told += notified_on(&mut live, link).len();
    assert_eq!(told, 400);
}
