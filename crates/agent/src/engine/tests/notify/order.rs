//! What happens while something is being judged is told in its order, by what held when it happened.

use super::super::CONTROLLER_2;
use super::*;

const ROLE_1: &str = "Device.LocalAgent.ControllerTrust.Role.1";
const UNTRUSTED: &str = "Device.LocalAgent.ControllerTrust.Role.2";
const CODE_2: &str = "Device.LocalAgent.Controller.2.ProvisioningCode";

/// Two Controllers with full access. A store that keeps nothing by itself holds up, as the first of what happens, a
/// change of which a search has to be judged that reads what is only changed by the last.
fn held_up(between: &[(&str, RequestType)]) -> LiveAgent {
    let mut live = Scene::new().controller("a").controller("b").agent();
    live.connect("a");
    live.connect("b");
    let searched = "Device.LocalAgent.Controller.[ControllerCode==\"x\"].ProvisioningCode";
    let values = [
        ("ID", "slow"),
        ("NotifType", "ValueChange"),
        ("ReferenceList", searched),
    ];
    subscribe(&mut live, "a", &values);
    let values = [
        ("ID", "b"),
        ("NotifType", "ValueChange"),
        ("ReferenceList", &format!("{CODE_2},{ROLE_1}.Name")),
    ];
    subscribe(&mut live, "b", &values);
    live.hold();
    let first = set(CONTROLLER_1, &[("ProvisioningCode", "1")]);
    live.request("a", "first", first);
    for (msg_id, request) in between {
        live.request("a", msg_id, request.clone());
    }
    live.request("a", "last", set(CONTROLLER_1, &[("ControllerCode", "x")]));
    live
}

/// Proves: R-NOT.0
#[test]
fn who_subscribes_is_told_of_what_comes_behind_it() {
    let subscription = |id: &str, kind: &str, references: &str| {
        let values = [
            ("Enable", "true"),
            ("ID", id),
            ("NotifType", kind),
            ("ReferenceList", references),
        ];
        add(SUBSCRIPTIONS, &values).into()
    };
    let mut live = held_up(&[
        ("1", subscription("late", "ValueChange", CODE_2)),
        ("2", set(CONTROLLER_2, &[("ProvisioningCode", "2")]).into()),
        ("3", subscription("rows", "ObjectCreation", SUBSCRIPTIONS)),
        ("4", subscription("last", "ValueChange", CODE_2)),
    ]);
    live.keep();
    let expected = [
        format!("slow: {CODE_1}=1"),
        format!("late: {CODE_2}=2"),
        format!("rows: +{SUBSCRIPTIONS}5."),
    ];
    assert_eq!(told(&mut live, "a"), expected);
}

/// Proves: R-NOT.0
#[test]
fn who_loses_a_right_is_not_told_of_what_comes_behind_it() {
    let mut live = held_up(&[
        ("1", set(CONTROLLER_2, &[("ProvisioningCode", "1")]).into()),
        (
            "2",
            set(CONTROLLER_2, &[("AssignedRole", UNTRUSTED)]).into(),
        ),
        ("3", set(ROLE_1, &[("Name", "other")]).into()),
        ("4", set(CONTROLLER_2, &[("ProvisioningCode", "2")]).into()),
    ]);
    live.keep();
    assert_eq!(told(&mut live, "b"), [format!("b: {CODE_2}=1")]);
    live.response("a", set(CONTROLLER_2, &[("AssignedRole", ROLE_1)]));
    live.response("a", set(ROLE_1, &[("Name", "third")]));
    assert_eq!(told(&mut live, "b"), [format!("b: {ROLE_1}.Name=third")]);
}

/// A right that was taken is gone for requests, too, though it was not looked at yet.
#[test]
fn who_loses_a_right_cannot_use_it_while_something_is_judged() {
    let mut live = held_up(&[(
        "take",
        set(CONTROLLER_2, &[("AssignedRole", UNTRUSTED)]).into(),
    )]);
    live.keep_next();
    live.keep_next();
    let link = live.link("b");
    live.take(link);
    let late = set(CONTROLLER_2, &[("ProvisioningCode", "late")]);
    live.request("b", "late", late);
    live.keep();
    let answers = live.take_messages(link);
    assert!(
        answers.iter().any(|answer| answer.as_error().is_some()),
        "{answers:?}"
    );
    assert_eq!(live.value("a", CODE_2), "");
}
