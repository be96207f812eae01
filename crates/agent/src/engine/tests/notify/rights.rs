//! Who may hear what: the Notify rights of roles.

use super::super::CONTROLLER_2;
use super::*;

const TRUST: &str = "Device.LocalAgent.ControllerTrust.";

/// An operator that may do everything, and a guest that may make Subscriptions and hear what `permissions`
/// say: each the Targets, and Param, Obj, InstantiatedObj and CommandEvent.
fn scene(permissions: &[(&str, [&str; 4])]) -> LiveAgent {
    let mut live = Scene::new()
        .controller("operator")
        .controller("guest")
        .host(&[&EVENTFUL])
        .agent();
    live.connect("operator");
    live.connect("guest");
    let values = [("Name", "Guest"), ("Enable", "true")];
    live.response("operator", add(&format!("{TRUST}Role."), &values));
    let subscribing = (SUBSCRIPTIONS, ["rw--", "rw--", "rw--", "----"]);
    for (order, (targets, rights)) in [subscribing].iter().chain(permissions).enumerate() {
        let values = [
            ("Enable", "true"),
            ("Order", &*order.to_string()),
            ("Targets", targets),
            ("Param", rights[0]),
            ("Obj", rights[1]),
            ("InstantiatedObj", rights[2]),
            ("CommandEvent", rights[3]),
        ];
        live.response(
            "operator",
            add(&format!("{TRUST}Role.3.Permission."), &values),
        );
    }
    let role = [("AssignedRole", "Device.LocalAgent.ControllerTrust.Role.3")];
    live.response("operator", set(CONTROLLER_2, &role));
    live
}

/// The Subscription is accepted either way; what it tells depends on the Notify right of the parameter.
///
/// Proves: R-SEC.1, TP-469 2.19, TP-469 2.20
#[test]
fn a_value_change_needs_the_notify_right_of_the_parameter() {
    for (right, expected) in [("r--n", 1), ("rw--", 0), ("---n", 1)] {
        let mut live = scene(&[(CODE_1, [right, "----", "----", "----"])]);
        let kind = ("NotifType", "ValueChange");
        for references in [CODE_1, CONTROLLER_1, "Device."] {
            subscribe(&mut live, "guest", &[kind, ("ReferenceList", references)]);
        }
        provision(&mut live, "operator", "x");
        assert_eq!(notified(&mut live, "guest").len(), expected * 3, "{right}");
        live.response("operator", set(CONTROLLER_1, &[("ControllerCode", "x")]));
        assert_eq!(notified(&mut live, "guest"), []);
    }
}

/// Creations need the right of the table, deletions that of the instance, events that of the event.
///
/// Proves: R-SEC.1
#[test]
fn each_type_of_notification_needs_its_right() {
    const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";
    for (rights, expected) in [
        (["----", "---n", "----", "----"], "+"),
        (["----", "----", "---n", "----"], "-"),
        (["---n", "----", "----", "---n"], ""),
    ] {
        let mut live = scene(&[(ROLES, rights)]);
        for kind in ["ObjectCreation", "ObjectDeletion"] {
            subscribe(
                &mut live,
                "guest",
                &[("NotifType", kind), ("ReferenceList", ROLES)],
            );
        }
        let response = live.response("operator", add(ROLES, &[("Name", "new")]));
        let row = added(&response);
        live.response("operator", super::super::delete(&row));
        let told: String = told(&mut live, "guest")
            .iter()
            .filter_map(|told| told.split(": ").nth(1)?.chars().next())
            .collect();
        assert_eq!(told, expected, "{rights:?}");
    }
    for (rights, expected) in [("---n", 1), ("rwx-", 0)] {
        let targets = "Device.X_Eventful.Happened!";
        let rights = ["---n", "---n", "---n", rights];
        if let Some(wrong) = rights.iter().position(|right| right.contains('w')) {
            assert_eq!(wrong, 3);
        }
        let mut live = scene(&[(targets, rights)]);
        let kind = ("NotifType", "Event");
        subscribe(
            &mut live,
            "guest",
            &[kind, ("ReferenceList", "Device.X_Eventful.")],
        );
        live.tell(crate::Input::Event {
            object: "Device.X_Eventful.".to_owned(),
            name: "Happened!".to_owned(),
            parameters: Default::default(),
        });
        assert_eq!(notified(&mut live, "guest").len(), expected, "{rights:?}");
    }
}

/// A right that depends on the instance counts for that instance alone, for one that is gone, too.
///
/// Proves: R-SEC.1
#[test]
fn rights_on_single_rows_are_kept_apart() {
    const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";
    let fourth = "Device.LocalAgent.ControllerTrust.Role.4.";
    let mut live = scene(&[(fourth, ["---n", "---n", "---n", "---n"])]);
    let kind = ("NotifType", "ObjectDeletion");
    subscribe(&mut live, "guest", &[kind, ("ReferenceList", ROLES)]);
    for name in ["four", "five"] {
        live.response("operator", add(ROLES, &[("Name", name)]));
    }
    for row in [4, 5] {
        live.response("operator", super::super::delete(&format!("{ROLES}{row}.")));
    }
    assert_eq!(told(&mut live, "guest"), [format!("cpe-1: -{fourth}")]);
}

/// Rights that are taken away or given count from the moment that is answered, whatever is under way.
///
/// Proves: R-SEC.1
#[test]
fn a_change_of_rights_counts_at_once() {
    let mut live = scene(&[(CODE_1, ["r--n", "----", "----", "----"])]);
    subscribe_to_code(&mut live, "guest", &[]);
    live.hold();
    let permission = format!("{TRUST}Role.3.Permission.2.");
    live.request("operator", "1", set(&permission, &[("Param", "r---")]));
    live.request(
        "operator",
        "2",
        set(CONTROLLER_1, &[("ProvisioningCode", "secret")]),
    );
    live.keep();
    assert_eq!(notified(&mut live, "guest"), []);
    live.response("operator", set(&permission, &[("Param", "r--n")]));
    provision(&mut live, "operator", "public");
    assert_eq!(
        told(&mut live, "guest"),
        [format!("cpe-1: {CODE_1}=public")]
    );
}

/// A search on what the recipient may not read holds for nothing.
///
/// Proves: R-SEC.1
#[test]
fn a_search_does_not_tell_what_may_not_be_read() {
    let mut live = scene(&[(CODE_1, ["r--n", "----", "----", "----"])]);
    let kind = ("NotifType", "ValueChange");
    let references = "Device.LocalAgent.Controller.[ControllerCode!=\"x\"].ProvisioningCode";
    subscribe(&mut live, "guest", &[kind, ("ReferenceList", references)]);
    provision(&mut live, "operator", "1");
    assert_eq!(notified(&mut live, "guest"), []);
}

/// What a Subscription sets is set with the rights of its recipient.
///
/// Proves: R-SEC.1
#[test]
fn settings_need_the_right_to_write() {
    let mut live = scene(&[(CODE_1, ["---n", "----", "----", "----"])]);
    let settings = "Device.LocalAgent.Controller.1.ControllerCode=taken over";
    let values = [
        ("TriggerAction", "Config"),
        ("TriggerConfigSettings", settings),
    ];
    subscribe_to_code(&mut live, "guest", &values);
    provision(&mut live, "operator", "1");
    let code = live.value("operator", "Device.LocalAgent.Controller.1.ControllerCode");
    assert_eq!(code, "");
}
