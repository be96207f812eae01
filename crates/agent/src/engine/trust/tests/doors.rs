//! Who comes in through which door, and with which role.

use std::time::Duration;

use super::*;
use crate::HangupReason;
use crate::scene::request_record;

/// The roles of the authority are inherited, not assigned.
///
/// Proves: R-SEC.1a, R-SEC.24, R-SEC.25
#[test]
fn a_controller_inherits_the_roles_of_its_authority() {
    let ca = authority("CA");
    let mut live = operated(trusting(&ca, true));
    let certificate = issued("vendor", &ca);
    let link = live
        .arrive_over_tls(Some("vendor"), &[&certificate])
        .unwrap();
    assert!(live.take(link).first().unwrap().is_connect());
    assert!(can_read(&mut live, "vendor", CODE_1));
    let row = row_of(&mut live, "vendor");
    assert_eq!(row["InheritedRole"], FULL_ACCESS);
    assert_eq!(row["AssignedRole"], "");
    assert_eq!(row["Enable"], "true");
    // Nothing had to be remembered: the authority vouches for it each time.
    assert_eq!(row["Credential"], "");
}

/// Proves: R-SEC.21
#[test]
fn a_restart_clears_what_was_inherited() {
    let ca = authority("CA");
    let mut live = operated(trusting(&ca, true));
    let certificate = issued("vendor", &ca);
    live.arrive_over_tls(Some("vendor"), &[&certificate])
        .unwrap();
    assert_eq!(row_of(&mut live, "vendor")["InheritedRole"], FULL_ACCESS);
    let mut live = live.restart();
    tell_time(&mut live);
    live.connect("operator");
    assert_eq!(row_of(&mut live, "vendor")["InheritedRole"], "");
    // It is judged anew, by what is trusted now.
    let credential = format!("{TRUST}Credential.1.");
    live.response("operator", set(&credential, &[("Role", UNTRUSTED)]));
    live.arrive_over_tls(Some("vendor"), &[&certificate])
        .unwrap();
    assert_eq!(row_of(&mut live, "vendor")["InheritedRole"], UNTRUSTED);
    assert!(!can_read(&mut live, "vendor", CODE_1));
}

/// An authority without a role authenticates, and the Controller has the untrusted role until it is given
/// another.
///
/// Proves: R-SEC.3, R-SEC.7, R-SEC.24, TP-469 2.9
#[test]
fn whom_an_authority_without_a_role_vouches_for_gets_the_untrusted_role() {
    let ca = authority("CA");
    let mut live = operated(trusting(&ca, false));
    let certificate = issued("vendor", &ca);
    live.arrive_over_tls(Some("vendor"), &[&certificate])
        .unwrap();
    assert!(can_read(&mut live, "vendor", OWN_ID));
    assert!(!can_read(&mut live, "vendor", CODE_1));
    let untrusted = live.value("operator", &format!("{TRUST}UntrustedRole"));
    assert_eq!(row_of(&mut live, "vendor")["AssignedRole"], untrusted);
    live.response(
        "operator",
        set(
            "Device.LocalAgent.Controller.2.",
            &[("AssignedRole", FULL_ACCESS)],
        ),
    );
    assert!(can_read(&mut live, "vendor", CODE_1));
}

/// Roles that are assigned and roles that are inherited add up.
///
/// Proves: R-SEC.24
#[test]
fn assigned_and_inherited_roles_add_up() {
    let ca = authority("CA");
    let mut live = operated(trusting(&ca, false));
    let role = added(
        &mut live,
        &format!("{TRUST}Role."),
        &[("Name", "Codes"), ("Enable", "true")],
    );
    let permission = [
        ("Enable", "true"),
        ("Targets", "Device.LocalAgent.Controller.*.ProvisioningCode"),
        ("Param", "r---"),
    ];
    added(&mut live, &format!("{role}Permission."), &permission);
    live.response(
        "operator",
        set(&format!("{TRUST}Credential.1."), &[("Role", &role)]),
    );
    let row = [
        ("EndpointID", "self::vendor"),
        ("Enable", "true"),
        ("AssignedRole", UNTRUSTED),
    ];
    added(&mut live, "Device.LocalAgent.Controller.", &row);
    let certificate = issued("vendor", &ca);
    live.arrive_over_tls(Some("vendor"), &[&certificate])
        .unwrap();
    assert!(can_read(&mut live, "vendor", CODE_1));
    assert!(can_read(&mut live, "vendor", OWN_ID));
    let row = row_of(&mut live, "vendor");
    assert_eq!(row["InheritedRole"], role.trim_end_matches('.'));
    assert_eq!(row["AssignedRole"], UNTRUSTED);
}

/// First use gives the untrusted role, and the certificate is remembered: nobody else takes the name.
///
/// Proves: R-SEC.6, R-SEC.8, R-SEC.24a, TP-469 2.9
#[test]
fn a_self_signed_controller_is_untrusted_and_known_again() {
    let mut live = operated(on_first_use());
    let certificate = own("guest").certificate;
    let link = live
        .arrive_over_tls(Some("guest"), &[&certificate])
        .unwrap();
    assert!(can_read(&mut live, "guest", OWN_ID));
    assert!(!can_read(&mut live, "guest", CODE_1));
    let row = row_of(&mut live, "guest");
    assert_eq!(row["AssignedRole"], UNTRUSTED);
    assert_eq!(row["Credential"], "Device.LocalAgent.Certificate.1");
    let serial = live.value("operator", "Device.LocalAgent.Certificate.1.SerialNumber");
    assert_eq!(serial, certificate.serial_number());
    live.cut(link);
    let mut live = live.restart();
    tell_time(&mut live);
    live.connect("operator");
    let set_role = set(
        "Device.LocalAgent.Controller.2.",
        &[("AssignedRole", FULL_ACCESS)],
    );
    live.response("operator", set_role);
    // Another with the same name is not the same.
    let thief = own("guest").certificate;
    let link = live.arrive_over_tls(Some("guest"), &[&thief]).unwrap();
    assert_eq!(live.hangups, [(link, HangupReason::Distrusted)]);
    assert_eq!(
        distrusted(&live),
        [format!(
            "{link}: self::guest is not trusted: self::guest is known, but not by the certificate of CN=guest, \
             and no Credential that may authenticate Controllers vouches for it"
        )]
    );
    // Itself is, also when nobody new is let in any more.
    live.response("operator", set(TRUST, &[("TOFUAllowed", "false")]));
    live.arrive_over_tls(Some("guest"), &[&certificate])
        .unwrap();
    assert!(can_read(&mut live, "guest", CODE_1));
}

/// A Controller that is known by its row alone cannot be taken over by whoever comes first.
///
/// Proves: R-SEC.24
#[test]
fn first_use_is_not_for_names_that_are_known() {
    let mut live = operated(on_first_use());
    let thief = own("operator").certificate;
    let link = live.arrive_over_tls(Some("operator"), &[&thief]).unwrap();
    assert_eq!(
        live.hangups,
        [(link, HangupReason::Distrusted)],
        "its own session stays"
    );
}

/// What a new Controller says while its row is being made is not lost, and answered with its role.
#[test]
fn a_new_controller_is_heard_once_its_row_is_kept() {
    let mut live = operated(on_first_use());
    live.hold();
    let certificate = own("guest").certificate;
    let link = live.arrive_over_tls(None, &[&certificate]).unwrap();
    let ask = |msg_id: &str| {
        let get = usphere_proto::msg::Get {
            param_paths: vec![OWN_ID.to_owned(), CODE_1.to_owned()],
            max_depth: 0,
        };
        request_record("guest", msg_id, get)
    };
    live.send(link, ask("1"));
    live.send(link, ask("2"));
    live.send(
        link,
        request_record("other", "3", usphere_proto::msg::Get::default()),
    );
    assert_eq!(live.take(link), []);
    live.keep();
    let records = live.take(link);
    assert!(records[0].is_connect());
    let answers: Vec<_> = records
        .iter()
        .filter_map(crate::scene::message_of)
        .filter(|message| message.as_response().is_some())
        .collect();
    assert_eq!(answers.len(), 2);
    for answer in &answers {
        assert_eq!(
            crate::scene::values_of(answer).len(),
            1,
            "it has the untrusted role"
        );
    }
}

/// A peer that is trusted on first use has to say something now and then; once it is known it may be silent.
///
/// Proves: R-MTP.4a
#[test]
fn silence_ends_a_first_use() {
    let mut live = operated(on_first_use());
    live.response("operator", set(TRUST, &[("TOFUInactivityTimer", "10")]));
    let certificate = own("guest").certificate;
    let link = live
        .arrive_over_tls(Some("guest"), &[&certificate])
        .unwrap();
    live.wait(Duration::from_secs(9));
    assert!(can_read(&mut live, "guest", OWN_ID));
    live.wait(Duration::from_secs(9));
    assert_eq!(live.hangups, []);
    live.wait(Duration::from_secs(1));
    assert_eq!(live.hangups, [(link, HangupReason::Idle)]);
    live.arrive_over_tls(Some("guest"), &[&certificate])
        .unwrap();
    live.wait(Duration::from_secs(100));
    assert_eq!(live.hangups.len(), 1);
    // 0 means that silence is borne.
    live.response("operator", set(TRUST, &[("TOFUInactivityTimer", "0")]));
    let other = own("other").certificate;
    live.arrive_over_tls(Some("other"), &[&other]).unwrap();
    live.wait(Duration::from_secs(100));
    assert_eq!(live.hangups.len(), 1);
}

/// Who is taken in without anybody to vouch for it is one of few.
#[test]
fn strangers_are_taken_in_up_to_a_number() {
    let mut live = operated(on_first_use());
    for number in 0..crate::limits::STRANGERS_MAX {
        let name = format!("guest-{number}");
        let certificate = own(&name).certificate;
        let link = live.arrive_over_tls(Some(&name), &[&certificate]).unwrap();
        live.cut(link);
    }
    assert_eq!(live.hangups, []);
    let late = own("late").certificate;
    let link = live.arrive_over_tls(Some("late"), &[&late]).unwrap();
    assert_eq!(live.hangups, [(link, HangupReason::Stranger)]);
    assert!(row_of(&mut live, "late").is_empty());
    assert!(distrusted(&live)[0].contains("64 Controllers have no role of their own"));
    // Nothing of it is left, and one that is given a role makes room.
    let count = live.value("operator", "Device.LocalAgent.CertificateNumberOfEntries");
    assert_eq!(count, "64");
    let give = set(
        "Device.LocalAgent.Controller.2.",
        &[("AssignedRole", FULL_ACCESS)],
    );
    live.response("operator", give);
    live.arrive_over_tls(Some("late"), &[&late]).unwrap();
    assert!(!row_of(&mut live, "late").is_empty());
}

/// Whom somebody vouches for finds room: of those who came in this way the one that left first goes.
#[test]
fn who_is_vouched_for_finds_room() {
    let ca = authority("CA");
    let mut live = operated(TrustConfig {
        on_first_use: true,
        ..trusting(&ca, false)
    });
    let come = |live: &mut LiveAgent, name: &str| {
        let certificate = issued(name, &ca);
        live.arrive_over_tls(Some(name), &[&certificate]).unwrap()
    };
    let stays = come(&mut live, "vendor-0");
    for number in 1..crate::limits::STRANGERS_MAX {
        let link = come(&mut live, &format!("vendor-{number}"));
        live.cut(link);
    }
    come(&mut live, "late");
    assert!(row_of(&mut live, "vendor-1").is_empty());
    for there in ["vendor-0", "vendor-2", "late"] {
        assert!(!row_of(&mut live, there).is_empty(), "{there}");
    }
    assert!(live.hangups.iter().all(|(link, _)| *link != stays));
    // Those whom nobody vouches for are counted apart, and push nobody out.
    let guest = own("guest").certificate;
    live.arrive_over_tls(Some("guest"), &[&guest]).unwrap();
    assert!(!row_of(&mut live, "guest").is_empty());
    assert!(!row_of(&mut live, "vendor-2").is_empty());
}

/// A session ends with the certificate that it rests on: the Controller's own, or that of its authority; as soon
/// as the time is known.
///
/// Proves: R-SEC.3, R-SEC.20
#[test]
fn a_session_does_not_outlive_its_certificate() {
    let short = |name: &str| draft(name).valid(NOW - 100, NOW + 60);
    let (brief_ca, ca) = (short("CA").authority(), authority("CA"));
    let brief = short("vendor").endpoint(&id("vendor")).signed_by(&ca);
    for (authority, certificate) in [
        (&ca, brief.certificate),
        (&brief_ca, issued("vendor", &brief_ca)),
    ] {
        let mut live = operated(trusting(authority, true));
        let link = live
            .arrive_over_tls(Some("vendor"), &[&certificate])
            .unwrap();
        live.wait(Duration::from_secs(60));
        assert_eq!(live.hangups, []);
        live.wait(Duration::from_secs(1));
        assert_eq!(live.hangups, [(link, HangupReason::Distrusted)]);
        assert!(!distrusted(&live).is_empty());

        let mut live = operated(trusting(authority, true));
        live.set_clock(None);
        let link = live
            .arrive_over_tls(Some("vendor"), &[&certificate])
            .unwrap();
        live.wait(Duration::from_secs(1_000));
        assert_eq!(live.hangups, [], "the time is not known");
        live.set_clock(Some(NOW + 60));
        assert_eq!(live.hangups, []);
        live.set_clock(Some(NOW + 61));
        assert_eq!(live.hangups, [(link, HangupReason::Distrusted)]);
    }
}

/// Over loopback nobody vouches for a stranger, so it is let in where that is not required.
///
/// Proves: TP-469 2.9
#[test]
fn a_stranger_on_loopback_is_taken_in_where_first_use_is_trusted() {
    let mut live = operated(TrustConfig::default());
    let link = live.arrive(Some("guest"), Channel::PlainLoopback);
    assert_eq!(live.hangups, [(link, HangupReason::Stranger)]);
    live.response("operator", set(TRUST, &[("TOFUAllowed", "true")]));
    live.connect("guest");
    let untrusted = live.value("operator", &format!("{TRUST}UntrustedRole"));
    assert_eq!(row_of(&mut live, "guest")["AssignedRole"], untrusted);
    assert!(can_read(&mut live, "guest", OWN_ID) && !can_read(&mut live, "guest", CODE_1));
    // Without an untrusted role there is nothing to take it in with.
    live.response("operator", set(TRUST, &[("UntrustedRole", "")]));
    let link = live.arrive(Some("another"), Channel::PlainLoopback);
    assert_eq!(live.hangups.last(), Some(&(link, HangupReason::Stranger)));
}

/// Proves: R-SEC.23, R-SEC.22
#[test]
fn a_server_that_is_dialled_has_to_prove_that_it_is_the_controller() {
    let ca = authority("CA");
    let dialled = || {
        let scene = Scene::new().dialled("operator", "usp.example.com");
        let mut live = scene.trust(trusting(&ca, false)).agent();
        tell_time(&mut live);
        live
    };
    let by_host = draft("host")
        .dns("usp.example.com")
        .signed_by(&ca)
        .certificate;
    let other = draft("other")
        .dns("usp.example.com")
        .endpoint(&id("other"))
        .signed_by(&ca);
    for certificate in [&by_host, &other.certificate] {
        let mut live = dialled();
        let link = live.pick_up_over_tls(&[certificate]).unwrap();
        assert_eq!(live.hangups, [(link, HangupReason::Distrusted)]);
        assert_eq!(live.take(link), [], "nothing was sent");
        live.wait(Duration::from_secs(10));
        assert_eq!(live.dials.len(), 1, "it is tried again");
    }
    let mut live = dialled();
    let link = live.pick_up_over_tls(&[&issued("operator", &ca)]).unwrap();
    assert!(live.take(link)[0].is_connect());
    // Another server does not get as far.
    let mut live = dialled();
    let elsewhere = draft("x").dns("elsewhere.example.com").signed_by(&ca);
    assert_eq!(live.pick_up_over_tls(&[&elsewhere.certificate]), None);
}

/// What is trusted no more is not waited for: who is connected is judged again at once.
///
/// Proves: R-SEC.24
#[test]
fn a_change_of_what_is_trusted_counts_at_once_for_who_is_connected() {
    let ca = authority("CA");
    let certificate = issued("vendor", &ca);
    let connected = || {
        let mut live = operated(trusting(&ca, true));
        let link = live
            .arrive_over_tls(Some("vendor"), &[&certificate])
            .unwrap();
        assert!(can_read(&mut live, "vendor", CODE_1));
        (live, link)
    };
    let credential = format!("{TRUST}Credential.1.");
    for end in [
        set(&credential, &[("Enable", "false")]),
        set(&credential, &[("AllowedUses", "MTP-only")]),
        set("Device.LocalAgent.Certificate.1.", &[("Enable", "false")]),
    ] {
        let (mut live, link) = connected();
        live.response("operator", end);
        assert_eq!(live.hangups, [(link, HangupReason::Distrusted)]);
    }
    let (mut live, link) = connected();
    live.response("operator", delete(&credential));
    assert_eq!(live.hangups, [(link, HangupReason::Distrusted)]);
    let (mut live, _) = connected();
    live.response("operator", set(&credential, &[("Role", UNTRUSTED)]));
    assert!(!can_read(&mut live, "vendor", CODE_1));
    assert_eq!(live.hangups, []);
    let before = live.trust.revision;
    live.response("operator", set(CONTROLLER_1, &[("ProvisioningCode", "x")]));
    assert_eq!(live.trust.revision, before, "nothing of it was about trust");
}

const CONTROLLER_1: &str = "Device.LocalAgent.Controller.1.";

/// What the configuration trusts is seeded once; who deletes it has the last word.
///
/// Proves: R-SEC.2
#[test]
fn what_is_trusted_from_the_start_is_seeded_once() {
    let ca = authority("CA");
    let pinned = own("operator").certificate;
    let trust = TrustConfig {
        pins: vec![crate::Pin {
            endpoint_id: id("operator"),
            certificate: pinned.clone(),
        }],
        ..trusting(&ca, false)
    };
    let mut live = operated(trust);
    assert_eq!(live.trust.credentials.len(), 1);
    assert!(live.trust.peers[0].has(&pinned));
    operate(
        &mut live,
        "operator",
        "Device.LocalAgent.Certificate.*.Delete()",
        &[],
    )
    .unwrap();
    assert!(live.trust.credentials.is_empty());
    let live = live.restart();
    assert!(live.trust.credentials.is_empty());
    assert!(!live.trust.peers[0].has(&pinned));
}

/// Proves: R-SEC.19, R-SEC.20
#[test]
fn a_clock_that_is_not_right_does_not_shut_anybody_out() {
    let ca = authority("CA");
    let scene = Scene::new()
        .controller("vendor")
        .trust(trusting(&ca, false));
    let mut live = scene.agent();
    let expired = draft("vendor").endpoint(&id("vendor")).valid(1_000, 2_000);
    let expired = expired.signed_by(&ca).certificate;
    assert!(live.arrive_over_tls(Some("vendor"), &[&expired]).is_some());
    tell_time(&mut live);
    assert!(live.arrive_over_tls(Some("vendor"), &[&expired]).is_none());
}

/// A broker that is trusted brings Controllers under its certificate.
///
/// Proves: R-SEC.0, R-SEC.26
#[test]
fn a_trusted_broker_brings_controllers() {
    let broker = draft("Broker").dns("broker.example.com").self_signed();
    let mut live = operated(TrustConfig {
        authorities: vec![crate::Authority {
            certificate: broker.certificate.clone(),
            allowed_uses: AllowedUses::MtpAndBroker,
            full_access: true,
        }],
        ..TrustConfig::default()
    });
    live.arrive_over_tls(Some("brought"), &[&broker.certificate])
        .unwrap();
    assert!(can_read(&mut live, "brought", CODE_1));
    assert_eq!(row_of(&mut live, "brought")["InheritedRole"], FULL_ACCESS);
}

/// What was judged is judged anew when something else is trusted, and only then.
#[test]
fn a_revision_counts_the_changes_of_what_is_trusted() {
    assert_eq!(Scene::new().agent().trust.revision, 1);
    let mut live = operated(TrustConfig::default());
    let revision = live.trust.revision;
    added(&mut live, &format!("{TRUST}Role."), &[("Name", "other")]);
    assert_eq!(live.trust.revision, revision, "roles are no trust");
    for (allowed, count) in [("true", 1), ("false", 2)] {
        live.response("operator", set(TRUST, &[("TOFUAllowed", allowed)]));
        assert_eq!(live.trust.revision, revision + count);
    }
}

/// A claim without proof gets the untrusted role within this host, and nothing from beyond it.
///
/// Proves: R-SEC.0
#[test]
fn who_is_known_without_a_role_gets_the_untrusted_one_on_loopback() {
    let mut live = operated(TrustConfig::default());
    let values = [
        ("EndpointID", id("b").to_string()),
        ("Enable", "true".to_owned()),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, &**value));
    added(&mut live, "Device.LocalAgent.Controller.", &values);
    let link = live.arrive(Some("b"), Channel::PlainInsecure);
    assert_eq!(row_of(&mut live, "b")["AssignedRole"], "");
    live.cut(link);
    live.connect("b");
    assert_eq!(row_of(&mut live, "b")["AssignedRole"], UNTRUSTED);
}
