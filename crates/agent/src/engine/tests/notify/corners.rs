//! What Subscriptions are about where paths are more than names, and what nobody is told.

use usphere_datamodel::declare::{Object, STRING, object, parameter};

use super::super::{CONTROLLER_2, delete};
use super::*;
use crate::limits::ANSWER_BYTES_MAX;
use crate::{Input, Notice};

const MTP_1: &str = "Device.LocalAgent.Controller.1.MTP.";
const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";

fn scene() -> LiveAgent {
    let mut live = Scene::new().controller("a").controller("b").agent();
    live.connect("a");
    live.connect("b");
    live
}

fn subscribe_to(live: &mut LiveAgent, id: &str, kind: &str, references: &str) {
    let values = [
        ("ID", id),
        ("NotifType", kind),
        ("ReferenceList", references),
    ];
    subscribe(live, "a", &values);
}

/// What a search finds can be others without any right having changed, for each of those who search.
///
/// Proves: R-NOT.0
#[test]
fn what_a_search_finds_is_looked_up_again_when_it_changes() {
    let mut live = scene();
    let found = "Device.LocalAgent.Controller.[ProvisioningCode==\"x\"].";
    subscribe_to(
        &mut live,
        "role",
        "ObjectDeletion",
        &format!("{ROLES}[Name==\"x\"]."),
    );
    subscribe_to(&mut live, "gone", "ObjectDeletion", found);
    live.response("a", set(CONTROLLER_2, &[("ProvisioningCode", "x")]));
    live.response("a", delete(CONTROLLER_2));
    assert_eq!(told(&mut live, "a"), [format!("gone: -{CONTROLLER_2}")]);
}

/// The deletion of what is in a row is none of the row, and another row is another.
///
/// Proves: R-NOT.0
#[test]
fn who_asks_for_rows_is_not_told_of_rows_in_them_or_beside_them() {
    let mut live = scene();
    let row = added(&live.response("a", add(ROLES, &[])));
    let permission = added(&live.response("a", add(&format!("{row}Permission."), &[])));
    subscribe_to(&mut live, "role", "ObjectDeletion", &format!("{ROLES}*."));
    subscribe_to(&mut live, "mtp", "ObjectCreation", &format!("{MTP_1}*."));
    live.response("a", delete(&permission));
    live.response("a", add(&format!("{CONTROLLER_2}MTP."), &[]));
    assert_eq!(told(&mut live, "a"), [""; 0]);
    live.response("a", delete(&row));
    live.response("a", add(MTP_1, &[]));
    assert_eq!(
        told(&mut live, "a"),
        [format!("role: -{row}"), format!("mtp: +{MTP_1}1.")]
    );
}

/// A reference is followed to a table, too: to its rows, and to all that is in them.
///
/// Proves: R-NOT.0
#[test]
fn a_followed_reference_may_name_a_table() {
    let mut live = scene();
    subscribe_to_code(&mut live, "a", &[]);
    let table = "Device.LocalAgent.Subscription.1.Recipient+.MTP.";
    subscribe_to(&mut live, "row", "ObjectCreation", table);
    subscribe_to(&mut live, "value", "ValueChange", table);
    live.response("a", add(MTP_1, &[]));
    let socket = format!("{MTP_1}1.WebSocket.");
    live.response("a", set(&socket, &[("Path", "/x")]));
    live.response("a", add(&format!("{CONTROLLER_2}MTP."), &[]));
    assert_eq!(
        told(&mut live, "a"),
        [
            format!("row: +{MTP_1}1."),
            format!("value: {socket}Path=/x")
        ]
    );
}

/// Of two that follow references, one goes and the other stays.
///
/// Proves: R-NOT.0
#[test]
fn who_has_unsubscribed_is_not_told_where_references_were_followed() {
    let mut live = scene();
    subscribe_to_code(&mut live, "a", &[("Enable", "false")]);
    let code = "Device.LocalAgent.Subscription.1.Recipient+.ProvisioningCode";
    subscribe_to(&mut live, "goes", "ValueChange", code);
    subscribe_to(&mut live, "stays", "ValueChange", code);
    live.response("a", delete(&format!("{SUBSCRIPTIONS}2.")));
    provision(&mut live, "a", "x");
    assert_eq!(told(&mut live, "a"), [format!("stays: {CODE_1}=x")]);
}

#[test]
fn references_to_follow_have_to_end_in_what_is_told() {
    let mut live = scene();
    subscribe_to_code(&mut live, "a", &[]);
    let kinds = [
        ("OperationComplete", "Go()"),
        ("Event", "Gone!"),
        ("ValueChange", "ProvisioningCode"),
    ];
    for (kind, _) in kinds {
        for (other, end) in kinds {
            let path = format!("Device.LocalAgent.Subscription.1.Recipient+.{end}");
            let values = [("NotifType", kind), ("ReferenceList", &path)];
            let request = add(SUBSCRIPTIONS, &values);
            if kind == other {
                live.response("a", request);
            } else {
                let error = live.error("a", request);
                assert!(error.err_msg.contains("this is nothing for"), "{error:?}");
            }
        }
    }
}

#[test]
fn what_cannot_be_subscribed_to_is_refused_with_the_reason() {
    let mut live = scene();
    for (kind, path, reason) in [
        ("ObjectCreation", CODE_1, "tables and their rows"),
        (
            "ObjectDeletion",
            "Device.LocalAgent.",
            "tables and their rows",
        ),
        ("Event", CODE_1, "nothing for"),
        (
            "ObjectCreation",
            "Device.LocalAgent.Controller.*.MTP.[WebSocket.Nonsense==1].",
            "WebSocket.Nonsense: the search names",
        ),
    ] {
        let values = [("NotifType", kind), ("ReferenceList", path)];
        let error = live.error("a", add(SUBSCRIPTIONS, &values));
        assert!(error.err_msg.contains(reason), "{path}: {error:?}");
    }
    let deep = "Device.LocalAgent.Controller.*.MTP.[WebSocket.Port==1].";
    subscribe_to(&mut live, "deep", "ObjectCreation", deep);
}

/// Who is disabled and enabled again begins anew: what waited is gone, and who has to be taken on board is asked.
///
/// Proves: R-NOT.5
#[test]
fn who_was_disabled_hears_nothing_of_what_waited() {
    let mut live = scene();
    subscribe_to_code(&mut live, "b", &[("NotifRetry", "true")]);
    live.response("b", set(CONTROLLER_2, &[("OnBoardingComplete", "false")]));
    provision(&mut live, "a", "1");
    let heard = [": OnBoardRequest".to_owned(), format!("cpe-1: {CODE_1}=1")];
    assert_eq!(told(&mut live, "b"), heard);
    for enable in ["false", "true"] {
        live.response("a", set(CONTROLLER_2, &[("Enable", enable)]));
    }
    live.connect("b");
    live.wait(seconds(1));
    assert_eq!(told(&mut live, "b"), [heard[0].clone()]);
}

/// Another restart time is no answer taken back.
///
/// Proves: R-NOT.5
#[test]
fn who_has_answered_is_asked_again_after_the_new_restart_time() {
    let mut live = scene();
    live.response("b", set(CONTROLLER_2, &[("OnBoardingComplete", "false")]));
    let (msg_id, _) = notified(&mut live, "b").remove(0);
    acknowledge(&mut live, "b", &msg_id);
    live.response("b", set(CONTROLLER_2, &[("OnBoardingRestartTime", "60")]));
    assert_eq!(told(&mut live, "b"), [""; 0]);
    live.wait(seconds(61));
    assert_eq!(told(&mut live, "b"), [": OnBoardRequest"]);
}

/// What is secured reads as empty in a notification too.
///
/// Proves: R-NOT.0
#[test]
fn a_secured_value_is_told_to_secured_roles_only() {
    const SAFE: Object = object("Device.X_Safe.").parameters(&[
        parameter("Word", STRING).writable().secured(),
        parameter("Name", STRING).writable(),
    ]);
    let mut live = Scene::new().controller("a").host(&[&SAFE]).agent();
    live.connect("a");
    subscribe_to(&mut live, "safe", "ValueChange", "Device.X_Safe.");
    live.response("a", set("Device.X_Safe.", &[("Word", "sesame")]));
    live.response("a", set("Device.X_Safe.", &[("Name", "cave")]));
    assert_eq!(
        told(&mut live, "a"),
        ["safe: Device.X_Safe.Word=", "safe: Device.X_Safe.Name=cave"]
    );
    let secured = [("SecuredRoles", "Device.LocalAgent.ControllerTrust.Role.1")];
    live.response("a", set("Device.LocalAgent.ControllerTrust.", &secured));
    live.response("a", set("Device.X_Safe.", &[("Word", "open")]));
    assert_eq!(told(&mut live, "a"), ["safe: Device.X_Safe.Word=open"]);
}

/// A Notify that is as large as can be is sent; one that is larger is told to the log, and leaves nothing behind.
#[test]
fn what_is_too_large_to_be_sent_is_not_kept_for_later() {
    let mut live = Scene::new().controller("a").host(&[&EVENTFUL]).agent();
    let link = live.connect("a");
    subscribe_to(&mut live, "e", "Event", "Device.X_Eventful.Happened!");
    let happen = |live: &mut LiveAgent, bytes: usize| {
        live.take(link);
        live.notices.clear();
        live.tell(Input::Event {
            object: "Device.X_Eventful.".to_owned(),
            name: "Happened!".to_owned(),
            parameters: [("Why".to_owned(), "x".repeat(bytes))].into(),
        });
        let messages = live.take_messages(link);
        let sizes = messages
            .into_iter()
            .map(|message| message.into_payload().len());
        let undelivered = |notice: &&Notice| matches!(notice, Notice::NotDelivered { .. });
        let undelivered = live.notices.iter().filter(undelivered).count();
        (sizes.collect::<Vec<_>>(), undelivered)
    };
    let (sizes, _) = happen(&mut live, ANSWER_BYTES_MAX - 1_000);
    let most = ANSWER_BYTES_MAX - 1_000 + (ANSWER_BYTES_MAX - sizes[0]);
    assert_eq!(happen(&mut live, most), (vec![ANSWER_BYTES_MAX], 0));
    for more in [1, 2] {
        assert_eq!(happen(&mut live, most + more), (vec![], 1));
    }
}

/// A row that the recipient could not search becomes known to it with the right to.
#[test]
fn what_a_search_finds_is_looked_up_again_when_rights_change() {
    let mut live = Scene::new()
        .controller("a")
        .controller("b")
        .controller("c")
        .agent();
    live.connect("a");
    live.connect("b");
    live.response(
        "a",
        set(
            "Device.LocalAgent.Controller.3.",
            &[("ProvisioningCode", "x")],
        ),
    );
    let role = added(&live.response("a", add(ROLES, &[("Name", "b"), ("Enable", "true")])));
    let permission = |order: &str, targets: &str, parameter: &str| {
        let values = [
            ("Enable", "true"),
            ("Order", order),
            ("Targets", targets),
            ("Param", parameter),
            ("Obj", "rw-n"),
            ("InstantiatedObj", "rw-n"),
        ];
        add(&format!("{role}Permission."), &values)
    };
    live.response("a", permission("1", "Device.", "rw-n"));
    let code = "Device.LocalAgent.Controller.{i}.ProvisioningCode";
    let hidden = added(&live.response("a", permission("2", code, "----")));
    live.response("a", set(CONTROLLER_2, &[("AssignedRole", &role)]));
    let found = "Device.LocalAgent.Controller.[ProvisioningCode==\"x\"].";
    let values = [("NotifType", "ObjectDeletion"), ("ReferenceList", found)];
    subscribe(&mut live, "b", &values);
    live.response("a", set(&hidden, &[("Enable", "false")]));
    live.response("a", delete("Device.LocalAgent.Controller.3."));
    assert_eq!(
        told(&mut live, "b"),
        ["cpe-1: -Device.LocalAgent.Controller.3."]
    );
}
