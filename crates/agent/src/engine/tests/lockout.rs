//! The last Controller that may give rights keeps that right.

use usphere_proto::msg::{Delete, Operate, OperationOutcome, RequestType, ResponseType, Set};
use usphere_trust::AllowedUses;
use usphere_trust::testing::{Authority, authority, draft};

use super::*;
use crate::TrustConfig;
use crate::scene::{Scene, id};

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

const CREDENTIAL_1: &str = "Device.LocalAgent.ControllerTrust.Credential.1.";
const CERTIFICATE_1: &str = "Device.LocalAgent.Certificate.1.";
const MTP_1: &str = "Device.LocalAgent.MTP.1.";
const SOCKET_1: &str = "Device.LocalAgent.MTP.1.WebSocket.";

/// An Agent whose one administrator inherits its role, and a Controller `a` that may write what a careless role
/// lets it write, which is anything but Roles.
fn inherited(ca: &Authority) -> LiveAgent {
    let trust = TrustConfig {
        authorities: vec![crate::Authority {
            certificate: ca.certificate.clone(),
            allowed_uses: AllowedUses::MtpAndUsp,
            full_access: true,
        }],
        ..TrustConfig::default()
    };
    let mut live = Scene::new().controller("a").trust(trust).agent();
    live.connect("a");
    live.response("a", set(SOCKET_1, &[("EnableEncryption", "true")]));
    live.response(
        "a",
        add(
            "Device.LocalAgent.ControllerTrust.Role.",
            &[("Name", "Banned")],
        ),
    );
    come(&mut live, ca);
    let denying = [
        ("Enable", "true"),
        ("Order", "9"),
        ("Targets", "Device.LocalAgent.ControllerTrust.Role."),
        ("Param", "r---"),
        ("Obj", "r---"),
        ("InstantiatedObj", "r---"),
    ];
    let role = "Device.LocalAgent.ControllerTrust.Role.";
    live.response("a", add(role, &[("Name", "Careless"), ("Enable", "true")]));
    let careless = format!("{role}4.");
    let everything = [
        ("Enable", "true"),
        ("Order", "1"),
        ("Targets", "Device."),
        ("Param", "rw--"),
        ("Obj", "rw--"),
        ("InstantiatedObj", "rw--"),
        ("CommandEvent", "r-x-"),
    ];
    for permission in [&everything[..], &denying[..]] {
        live.response("a", add(&format!("{careless}Permission."), permission));
    }
    live.response("a", set(CONTROLLER_1, &[("AssignedRole", &careless)]));
    live
}

/// The administrator comes by its certificate.
fn come(live: &mut LiveAgent, ca: &Authority) {
    let certificate = draft("b").endpoint(&id("b")).signed_by(ca).certificate;
    live.arrive_over_tls(Some("b"), &[&certificate]).unwrap();
}

/// Whatever would lock out whoever inherits its role.
fn disasters_of_trust() -> Vec<RequestType> {
    let banned = "Device.LocalAgent.ControllerTrust.Role.3";
    vec![
        delete(CREDENTIAL_1).into(),
        set(CREDENTIAL_1, &[("Enable", "false")]).into(),
        set(CREDENTIAL_1, &[("Role", "")]).into(),
        set(CREDENTIAL_1, &[("Role", UNTRUSTED)]).into(),
        set(CREDENTIAL_1, &[("Credential", "")]).into(),
        set(CREDENTIAL_1, &[("AllowedUses", "MTP-only")]).into(),
        set(TRUST, &[("BannedRole", ROLE_1)]).into(),
        set(CERTIFICATE_1, &[("Enable", "false")]).into(),
        set(CONTROLLER_2, &[("Enable", "false")]).into(),
        set(CONTROLLER_2, &[("AssignedRole", banned)]).into(),
        set(MTP_1, &[("Enable", "false")]).into(),
        set(SOCKET_1, &[("EnableEncryption", "false")]).into(),
        delete(MTP_1).into(),
    ]
}

/// Also across a restart, which clears what was inherited.
#[test]
fn who_inherits_the_right_to_give_rights_keeps_it() {
    let ca = authority("CA");
    for restarted in [false, true] {
        for disaster in disasters_of_trust() {
            let mut live = inherited(&ca);
            let banned = "Device.LocalAgent.ControllerTrust.Role.3";
            live.response("b", set(TRUST, &[("BannedRole", banned)]));
            if restarted {
                live = live.restart();
                live.connect("a");
            }
            let error = live.error("a", disaster.clone());
            assert_eq!(error.err_code, 7002, "{disaster:?} {restarted}");
            assert!(error.err_msg.contains("nobody could ever"), "{error:?}");
            if restarted {
                come(&mut live, &ca);
            }
            live.response("b", set(ROLE_1, &[("Name", "Mine")]));
        }
    }
}

/// As long as nobody has come by a Credential, whoever will come by it counts; and who comes by it again needs no
/// row.
#[test]
fn an_authority_that_nobody_has_come_by_keeps_its_role() {
    let ca = authority("CA");
    let mut live = inherited(&ca);
    live.response("a", delete(CONTROLLER_2));
    for disaster in [
        delete(CREDENTIAL_1).into(),
        RequestType::from(set(MTP_1, &[("Enable", "false")])),
    ] {
        assert_eq!(live.error("a", disaster).err_code, 7002);
    }
    come(&mut live, &ca);
    live.response("b", set(ROLE_1, &[("Name", "Mine")]));
}

#[test]
fn the_last_certificate_is_not_deleted() {
    let ca = authority("CA");
    let mut live = inherited(&ca);
    let delete = Operate {
        command: format!("{CERTIFICATE_1}Delete()"),
        command_key: String::new(),
        send_resp: true,
        input_args: Default::default(),
    };
    let ResponseType::OperateResp(response) = live.response("a", delete) else {
        panic!("not an OperateResp");
    };
    let outcome = response.operation_results[0].operation_resp.clone();
    let Some(OperationOutcome::CmdFailure(failure)) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(failure.err_code, 7002);
    assert!(failure.err_msg.contains("nobody could ever"));
    live.response("b", set(ROLE_1, &[("Name", "Mine")]));
}

/// The last way in is kept, of whatever kind it is.
#[test]
fn the_last_way_in_is_kept() {
    let mut live = scene();
    for end in [
        delete(MTP_1).into(),
        RequestType::from(set(MTP_1, &[("Enable", "false")])),
        // Nothing would prove who comes over TLS.
        set(SOCKET_1, &[("EnableEncryption", "true")]).into(),
    ] {
        assert_eq!(live.error("a", end).err_code, 7002);
    }
    let mtp = "Device.LocalAgent.Controller.1.MTP.";
    live.response("a", add(mtp, &[("Enable", "true")]));
    let socket = format!("{mtp}1.WebSocket.");
    let values = [("Host", "usp.example.com"), ("EnableEncryption", "false")];
    live.response("a", set(&socket, &values));
    live.response("a", set(MTP_1, &[("Enable", "false")]));
    let link = live.pick_up();
    live.take(link);
    for end in [
        delete(&format!("{mtp}1.")).into(),
        RequestType::from(set(&socket, &[("Host", "")])),
        set(&socket, &[("EnableEncryption", "true")]).into(),
        set(&format!("{mtp}1."), &[("Enable", "false")]).into(),
    ] {
        assert_eq!(live.error("a", end).err_code, 7002);
    }
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

/// Who proves itself by a certificate that is stored for it keeps that way in.
#[test]
fn the_last_proof_is_not_banned() {
    let mut live = scene();
    let pem = draft("a").endpoint(&id("a")).self_signed().pem();
    let add_certificate = Operate {
        command: "Device.LocalAgent.AddCertificate()".to_owned(),
        command_key: String::new(),
        send_resp: true,
        input_args: [("Certificate".to_owned(), pem)].into(),
    };
    live.response("a", add_certificate);
    let certificate = CERTIFICATE_1.trim_end_matches('.');
    live.response("a", set(CONTROLLER_1, &[("Credential", certificate)]));
    live.response("a", set(SOCKET_1, &[("EnableEncryption", "true")]));
    live.response(
        "a",
        add(
            "Device.LocalAgent.ControllerTrust.Role.",
            &[("Name", "Banned")],
        ),
    );
    let banned = "Device.LocalAgent.ControllerTrust.Role.3";
    live.response("a", set(TRUST, &[("BannedRole", banned)]));
    let ban = [
        ("Enable", "true"),
        ("Role", banned),
        ("Credential", certificate),
    ];
    let table = "Device.LocalAgent.ControllerTrust.Credential.";
    assert_eq!(live.error("a", add(table, &ban)).err_code, 7002);
}
