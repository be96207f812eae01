//! Several Controllers with different rights, and how rights change.

use usphere_trust::Channel;

use super::{CONTROLLER_1, CONTROLLER_2, add, delete, set};
use crate::HangupReason;
use crate::scene::{LiveAgent, Scene};

const TRUST: &str = "Device.LocalAgent.ControllerTrust.";
const CODE_1: &str = "Device.LocalAgent.Controller.1.ProvisioningCode";

/// An operator that may do everything, and a guest that may read the ProvisioningCodes.
fn scene() -> LiveAgent {
    let mut live = Scene::new()
        .controller("operator")
        .controller("guest")
        .agent();
    live.connect("operator");
    live.connect("guest");
    live.response(
        "operator",
        add(
            &format!("{TRUST}Role."),
            &[("Name", "Guest"), ("Enable", "true")],
        ),
    );
    let permission = [
        ("Enable", "true"),
        ("Targets", "Device.LocalAgent.Controller.*.ProvisioningCode"),
        ("Param", "r---"),
    ];
    live.response(
        "operator",
        add(&format!("{TRUST}Role.3.Permission."), &permission),
    );
    live.response(
        "operator",
        set(
            CONTROLLER_2,
            &[("AssignedRole", "Device.LocalAgent.ControllerTrust.Role.3")],
        ),
    );
    live
}

fn can_read(live: &mut LiveAgent, name: &str, path: &str) -> bool {
    !live.values(name, path).is_empty()
}

/// Proves: R-SEC.1
#[test]
fn controllers_have_the_rights_of_their_roles() {
    let mut live = scene();
    assert!(can_read(&mut live, "guest", CODE_1));
    assert!(!can_read(
        &mut live,
        "guest",
        "Device.LocalAgent.EndpointID"
    ));
    assert!(can_read(
        &mut live,
        "operator",
        "Device.LocalAgent.EndpointID"
    ));
    live.error("guest", set(CONTROLLER_1, &[("ProvisioningCode", "x")]));
    assert_eq!(live.value("operator", CODE_1), "");
}

/// Every kind of change of roles counts from the moment it is answered.
///
/// Proves: R-SEC.1
#[test]
fn a_change_of_roles_counts_at_once() {
    let permission = format!("{TRUST}Role.3.Permission.1.");
    let role = format!("{TRUST}Role.3.");
    let rest = [
        (
            set(&permission, &[("Param", "----")]),
            set(&permission, &[("Param", "r---")]),
        ),
        (
            set(&permission, &[("Enable", "false")]),
            set(&permission, &[("Enable", "true")]),
        ),
        (
            set(&permission, &[("Targets", "Device.DeviceInfo.")]),
            set(&permission, &[("Targets", "Device.")]),
        ),
        (
            set(&role, &[("Enable", "false")]),
            set(&role, &[("Enable", "true")]),
        ),
        (
            set(CONTROLLER_2, &[("AssignedRole", "")]),
            set(CONTROLLER_2, &[("AssignedRole", &role)]),
        ),
    ];
    let mut live = scene();
    for (take, give) in rest {
        assert!(can_read(&mut live, "guest", CODE_1), "before {take:?}");
        live.response("operator", take.clone());
        assert!(!can_read(&mut live, "guest", CODE_1), "after {take:?}");
        live.response("operator", give);
    }
    live.response("operator", delete(&role));
    assert!(!can_read(&mut live, "guest", CODE_1));
}

/// A request that comes while a change of rights is being kept is carried out with what holds when it
/// is answered or before, never with rights that were taken away earlier.
#[test]
fn rights_that_are_taken_away_are_not_used_by_requests_that_come_after_the_answer() {
    let mut live = scene();
    let guest = live.link("guest");
    live.hold();
    live.request("operator", "1", set(CONTROLLER_2, &[("AssignedRole", "")]));
    live.request(
        "operator",
        "2",
        set(CONTROLLER_2, &[("ProvisioningCode", "secret")]),
    );
    live.keep_next();
    // The first change is kept and answered; the row that the rights are read from has yet another
    // change, which is not kept.
    live.request(
        "guest",
        "3",
        super::get(&["Device.LocalAgent.Controller.1.ProvisioningCode"]),
    );
    live.keep();
    let answers = live.take_messages(guest);
    assert_eq!(answers.len(), 1);
    assert!(
        crate::scene::values_of(&answers[0]).is_empty(),
        "{answers:?}"
    );
}

/// Who comes in through a plain door that anybody can reach is not believed.
///
/// Proves: R-SEC.0
#[test]
fn a_controller_that_dials_in_unprotected_has_the_untrusted_role() {
    let mut live = Scene::new().controller("operator").agent();
    let link = live.arrive(Some("operator"), Channel::PlainInsecure);
    live.take(link);
    assert!(can_read(
        &mut live,
        "operator",
        "Device.LocalAgent.EndpointID"
    ));
    assert!(!can_read(&mut live, "operator", CODE_1));
    live.error("operator", set(CONTROLLER_1, &[("ProvisioningCode", "x")]));
    live.cut(link);
    live.connect("operator");
    assert!(can_read(&mut live, "operator", CODE_1));
    live.response("operator", set(TRUST, &[("UntrustedRole", "")]));
    let link = live.link("operator");
    live.cut(link);
    let link = live.arrive(Some("operator"), Channel::PlainInsecure);
    live.take(link);
    assert!(!can_read(
        &mut live,
        "operator",
        "Device.LocalAgent.EndpointID"
    ));
}

#[test]
fn a_banned_controller_is_not_spoken_to() {
    let mut live = scene();
    let guest = live.link("guest");
    live.response(
        "operator",
        set(
            TRUST,
            &[("BannedRole", "Device.LocalAgent.ControllerTrust.Role.3.")],
        ),
    );
    assert_eq!(live.hangups, [(guest, HangupReason::Disabled)]);
    let again = live.arrive(Some("guest"), Channel::PlainLoopback);
    assert_eq!(live.hangups.last(), Some(&(again, HangupReason::Stranger)));
    live.response("operator", set(TRUST, &[("BannedRole", "")]));
    live.connect("guest");
    assert!(can_read(&mut live, "guest", CODE_1));
}

/// Another Endpoint ID is another Controller.
#[test]
fn a_row_that_gets_another_endpoint_id_ends_the_session_of_the_first() {
    let mut live = scene();
    let guest = live.link("guest");
    live.response(
        "operator",
        set(CONTROLLER_2, &[("EndpointID", "self::newcomer")]),
    );
    assert_eq!(live.hangups, [(guest, HangupReason::Disabled)]);
    live.connect("newcomer");
    assert!(can_read(&mut live, "newcomer", CODE_1));
}
