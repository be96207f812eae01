//! Who is thrown out, and what stays.

use super::*;
use crate::HangupReason;

/// A Controller whose certificate is revoked while it is connected is banned, and banned it stays.
///
/// Proves: R-SEC.24a
#[test]
fn a_controller_whose_certificate_is_banned_gets_the_banned_role() {
    let mut live = operated(on_first_use());
    let certificate = own("guest").certificate;
    let link = live
        .arrive_over_tls(Some("guest"), &[&certificate])
        .unwrap();
    let banned = added(
        &mut live,
        &format!("{TRUST}Role."),
        &[("Name", "Banned"), ("Enable", "true")],
    );
    let banned = banned.trim_end_matches('.').to_owned();
    live.response("operator", set(TRUST, &[("BannedRole", &banned)]));
    let values = [
        ("Enable", "true"),
        ("Credential", "Device.LocalAgent.Certificate.1"),
        ("Role", &banned),
    ];
    added(&mut live, &format!("{TRUST}Credential."), &values);
    assert_eq!(live.hangups, [(link, HangupReason::Distrusted)]);
    let row = row_of(&mut live, "guest");
    assert_eq!(
        (&*row["AssignedRole"], &*row["InheritedRole"]),
        (&*banned, "")
    );
    assert_eq!(live.arrive_over_tls(Some("guest"), &[&certificate]), None);
    let link = live.arrive(Some("guest"), Channel::PlainLoopback);
    assert_eq!(live.hangups.last(), Some(&(link, HangupReason::Stranger)));
}

/// The banned role is the only one: what an authority has given goes, too.
///
/// Proves: R-SEC.24a
#[test]
fn who_is_banned_keeps_no_role_that_it_inherited() {
    let ca = authority("CA");
    let certificate = issued("vendor", &ca);
    let scene = Scene::new().controller("operator").controller("vendor");
    let pins = vec![crate::Pin {
        endpoint_id: id("vendor"),
        certificate: certificate.clone(),
    }];
    let mut live = scene
        .trust(TrustConfig {
            pins,
            ..trusting(&ca, true)
        })
        .agent();
    tell_time(&mut live);
    live.connect("operator");
    live.arrive_over_tls(Some("vendor"), &[&certificate])
        .unwrap();
    let row = row_of(&mut live, "vendor");
    assert_eq!(row["InheritedRole"], FULL_ACCESS);
    let named = [("Name", "Banned"), ("Enable", "true")];
    let banned = added(&mut live, &format!("{TRUST}Role."), &named);
    let banned = banned.trim_end_matches('.');
    live.response("operator", set(TRUST, &[("BannedRole", banned)]));
    let values = [
        ("Enable", "true"),
        ("Credential", &*row["Credential"]),
        ("Role", banned),
    ];
    added(&mut live, &format!("{TRUST}Credential."), &values);
    let row = row_of(&mut live, "vendor");
    assert_eq!(
        (&*row["AssignedRole"], &*row["InheritedRole"]),
        (banned, "")
    );
}

/// The revocation lists of the configuration count, whatever else becomes of what is trusted.
///
/// Proves: R-SEC.24a, R-MTP.4a
#[test]
fn a_revocation_list_outlives_a_change_of_what_is_trusted() {
    let ca = authority("CA");
    let numbered = |serial| {
        let draft = draft("vendor").endpoint(&id("vendor")).serial(serial);
        draft.signed_by(&ca).certificate
    };
    let mut live = operated(TrustConfig {
        revocation_lists: vec![ca.revokes(&[77])],
        ..trusting(&ca, true)
    });
    for timer in ["10", "20"] {
        assert_eq!(live.arrive_over_tls(Some("vendor"), &[&numbered(77)]), None);
        let change = [("TOFUInactivityTimer", timer)];
        live.response("operator", set(TRUST, &change));
    }
    let link = live.arrive_over_tls(Some("vendor"), &[&numbered(78)]);
    assert!(link.is_some());
}

/// The last Controller that may give rights loses its certificate, not its roles: it may come by another door.
#[test]
fn the_last_one_who_may_give_rights_is_not_banned() {
    let pinned = own("operator").certificate;
    let mut live = operated(TrustConfig {
        pins: vec![crate::Pin {
            endpoint_id: id("operator"),
            certificate: pinned.clone(),
        }],
        ..TrustConfig::default()
    });
    live.arrive_over_tls(Some("operator"), &[&pinned]).unwrap();
    let banned = added(
        &mut live,
        &format!("{TRUST}Role."),
        &[("Name", "Banned"), ("Enable", "true")],
    );
    let banned = banned.trim_end_matches('.').to_owned();
    live.response("operator", set(TRUST, &[("BannedRole", &banned)]));
    live.hangups.clear();
    let link = live.link("operator");
    let add = Add {
        allow_partial: false,
        create_objs: vec![CreateObject {
            obj_path: format!("{TRUST}Credential."),
            param_settings: [
                ("Enable", "true"),
                ("Credential", "Device.LocalAgent.Certificate.1"),
                ("Role", &*banned),
            ]
            .map(|(param, value)| CreateParamSetting {
                param: param.to_owned(),
                value: value.to_owned(),
                required: true,
            })
            .into(),
        }],
    };
    live.request("operator", "ban", add);
    assert_eq!(live.hangups, [(link, HangupReason::Distrusted)]);
    assert_eq!(live.arrive_over_tls(Some("operator"), &[&pinned]), None);
    live.connect("operator");
    assert_eq!(row_of(&mut live, "operator")["AssignedRole"], FULL_ACCESS);
}
