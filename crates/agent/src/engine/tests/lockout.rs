//! The last Controller that may give rights keeps that right.

use usphere_proto::msg::{Delete, RequestType, Set};

use super::*;
use crate::scene::Scene;

const ROLE_1: &str = "Device.LocalAgent.ControllerTrust.Role.1.";
const UNTRUSTED: &str = "Device.LocalAgent.ControllerTrust.Role.2";
const PERMISSION_1: &str = "Device.LocalAgent.ControllerTrust.Role.1.Permission.1.";
const TRUST: &str = "Device.LocalAgent.ControllerTrust.";

/// An Agent with one Controller of full access, and one of the untrusted role.
fn scene() -> LiveAgent {
    let mut live = Scene::new().controller("a").controller("b").agent();
    live.connect("a");
    live.connect("b");
    live.response("a", set(CONTROLLER_2, &[("AssignedRole", UNTRUSTED)]));
    live
}

/// Whatever would lock everybody out.
fn disasters() -> Vec<RequestType> {
    let denying = [
        ("Enable", "true"),
        ("Order", "9"),
        ("Targets", ROLE_1),
        ("Param", "r---"),
        ("Obj", "r---"),
        ("InstantiatedObj", "r---"),
    ];
    let partial_set = Set {
        allow_partial: true,
        ..set(CONTROLLER_1, &[("Enable", "false")])
    };
    let partial_delete = Delete {
        allow_partial: true,
        ..delete("Device.LocalAgent.Controller.*.")
    };
    vec![
        delete(CONTROLLER_1).into(),
        delete("Device.LocalAgent.Controller.[Enable==true].").into(),
        partial_delete.into(),
        set(CONTROLLER_1, &[("Enable", "false")]).into(),
        partial_set.into(),
        set(CONTROLLER_1, &[("AssignedRole", "")]).into(),
        set(CONTROLLER_1, &[("AssignedRole", UNTRUSTED)]).into(),
        set(CONTROLLER_1, &[("EndpointID", "nobody")]).into(),
        set(ROLE_1, &[("Enable", "false")]).into(),
        delete(ROLE_1).into(),
        delete(PERMISSION_1).into(),
        set(PERMISSION_1, &[("Enable", "false")]).into(),
        set(PERMISSION_1, &[("Param", "r---")]).into(),
        set(PERMISSION_1, &[("InstantiatedObj", "r---")]).into(),
        set(PERMISSION_1, &[("Targets", "Device.DeviceInfo.")]).into(),
        add(&format!("{ROLE_1}Permission."), &denying).into(),
        set(TRUST, &[("BannedRole", ROLE_1)]).into(),
    ]
}

#[test]
fn the_last_one_who_may_give_rights_keeps_them() {
    for disaster in disasters() {
        let mut live = scene();
        let before = live.values("a", AGENT);
        let error = live.error("a", disaster.clone());
        assert_eq!(error.err_code, 7002, "{disaster:?}");
        assert!(
            error.err_msg.contains("nobody could ever"),
            "{}",
            error.err_msg
        );
        let mut after = live.values("a", AGENT);
        after.insert(
            format!("{AGENT}UpTime"),
            before[&format!("{AGENT}UpTime")].clone(),
        );
        assert_eq!(after, before, "{disaster:?}");
    }
}

#[test]
fn who_has_a_successor_may_go() {
    for disaster in disasters().into_iter().take(7) {
        let mut live = scene();
        live.response("a", set(CONTROLLER_2, &[("AssignedRole", ROLE_1)]));
        let everybody = format!("{disaster:?}").contains("Controller.*.")
            || format!("{disaster:?}").contains("[Enable");
        if everybody {
            assert_eq!(live.error("b", disaster).err_code, 7002);
        } else {
            live.response("b", disaster);
        }
    }
}

#[test]
fn what_takes_no_rights_away_is_not_hindered() {
    let mut live = scene();
    live.response("a", set(CONTROLLER_1, &[("ProvisioningCode", "x")]));
    live.response("a", set(PERMISSION_1, &[("CommandEvent", "r---")]));
    live.response("a", add("Device.LocalAgent.ControllerTrust.Role.", &[]));
    live.response("a", delete(CONTROLLER_2));
    live.response("a", delete(&format!("{UNTRUSTED}.")));
}

/// A Subscription sets things with the rights of its recipient, and within the same bounds.
#[test]
fn a_trigger_locks_nobody_out_either() {
    let mut live = scene();
    let values = [
        ("Enable", "true"),
        ("ID", "trap"),
        ("NotifType", "ValueChange"),
        (
            "ReferenceList",
            "Device.LocalAgent.Controller.2.ProvisioningCode",
        ),
        ("TriggerAction", "Config"),
        (
            "TriggerConfigSettings",
            "Device.LocalAgent.Controller.1.Enable=false",
        ),
    ];
    live.response("a", add("Device.LocalAgent.Subscription.", &values));
    live.response("a", set(CONTROLLER_2, &[("ProvisioningCode", "x")]));
    assert_eq!(
        live.value("a", "Device.LocalAgent.Controller.1.Enable"),
        "true"
    );
    let told = live.notices.iter().any(|notice| {
        matches!(notice, Notice::NotTriggered { reason, .. } if reason.contains("nobody could ever"))
    });
    assert!(told, "{:?}", live.notices);
}
