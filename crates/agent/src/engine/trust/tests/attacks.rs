//! Those who say they are somebody else, and those who want more than they have.

use usphere_proto::{EndpointId, Record};

use super::*;
use crate::HangupReason;
use crate::scene::request_record;

/// Sends a Connect Record of `from`, then a Set that only the operator may do, and says whether it was done.
fn tamper(live: &mut LiveAgent, link: LinkId, connect: Option<&str>, from: &str) -> bool {
    if let Some(connect) = connect {
        let record = Record::websocket_connect(&id("agent"), &id(connect));
        live.send(link, record);
    }
    let tampering = set(CONTROLLER_1, &[("ProvisioningCode", "stolen")]);
    live.send(link, request_record(from, "tamper", tampering));
    let mut kept = live.store.iter();
    kept.any(|(key, value)| key.ends_with("ProvisioningCode") && value == "stolen")
}

const CONTROLLER_1: &str = "Device.LocalAgent.Controller.1.";

/// The Endpoint ID can be told in four places: the certificate, the query, the Connect Record and the Record
/// itself. Nothing is done in a name that the certificate does not prove.
///
/// Proves: R-SEC.0a, R-SEC.22, TP-469 2.4
#[test]
fn four_places_for_an_endpoint_id_have_to_agree() {
    let ca = authority("CA");
    let certificates = ["operator", "vendor"].map(|name| issued(name, &ca));
    let claims = [None, Some("operator"), Some("vendor")];
    for (owner, certificate) in ["operator", "vendor"].iter().zip(&certificates) {
        for query in claims {
            for connect in claims {
                for from in ["operator", "vendor"] {
                    let scene = Scene::new().controller("operator").controller("vendor");
                    let mut live = scene.trust(trusting(&ca, false)).agent();
                    tell_time(&mut live);
                    let vendor = "Device.LocalAgent.Controller.2.";
                    live.connect("operator");
                    live.response("operator", set(vendor, &[("AssignedRole", UNTRUSTED)]));
                    let link = live.link("operator");
                    live.cut(link);
                    let link = live.arrive_over_tls(query, &[certificate]).unwrap();
                    let done = tamper(&mut live, link, connect, from);
                    // Where the query has told the truth, a Connect Record in another name is dropped, and
                    // the rest is judged by itself. Where it is the first to tell, a lie ends the session.
                    let lawful = *owner == "operator"
                        && from == "operator"
                        && query.is_none_or(|id| id == "operator")
                        && (query.is_some() || connect.is_none_or(|id| id == "operator"));
                    assert_eq!(done, lawful, "{owner} {query:?} {connect:?} {from}");
                }
            }
        }
    }
}

/// The same without TLS on loopback, where what was told first holds.
///
/// Proves: R-SEC.0a
#[test]
fn what_was_told_first_holds_for_the_whole_session() {
    for told_by_record in [false, true] {
        let mut live = Scene::new()
            .controller("operator")
            .controller("vendor")
            .agent();
        let claimed = (!told_by_record).then_some("vendor");
        let link = live.arrive(claimed, Channel::PlainLoopback);
        assert!(!tamper(&mut live, link, Some("vendor"), "operator"));
    }
}

/// The URN in the certificate is compared as it stands.
///
/// Proves: R-SEC.0a
#[test]
fn a_name_that_is_nearly_the_operators_is_another() {
    let ca = authority("CA");
    for near in [
        "self::Operator",
        "self::operator%20",
        "self:x:operator",
        "user::operator",
        "self::operato",
    ] {
        let near = EndpointId::from_wire(near).unwrap();
        let certificate = draft("near").endpoint(&near).signed_by(&ca).certificate;
        let scene = Scene::new().controller("operator");
        let mut live = scene.trust(trusting(&ca, true)).agent();
        let link = live.arrive_over_tls(None, &[&certificate]).unwrap();
        assert!(!tamper(&mut live, link, None, "operator"), "{near}");
        assert_eq!(live.hangups, [(link, HangupReason::Distrusted)]);
    }
}

/// Who may change Controllers but not their roles gives itself none: not by Set, not by Add, not by a Credential,
/// a certificate, a Permission or a challenge.
///
/// Proves: R-SEC.1, R-SEC.7
#[test]
fn nobody_gives_itself_a_role_that_may_not() {
    let mut live = operated(TrustConfig::default());
    let role = added(
        &mut live,
        &format!("{TRUST}Role."),
        &[("Name", "Helper"), ("Enable", "true")],
    );
    let everything = [
        ("Enable", "true"),
        ("Order", "1"),
        ("Targets", "Device."),
        ("Param", "rw-n"),
        ("Obj", "rw-n"),
        ("InstantiatedObj", "rw-n"),
        ("CommandEvent", "r-xn"),
    ];
    let but = [
        ("Enable", "true"),
        ("Order", "2"),
        (
            "Targets",
            "Device.LocalAgent.ControllerTrust.,Device.LocalAgent.Controller.*.AssignedRole,\
             Device.LocalAgent.Controller.*.Credential",
        ),
        ("Param", "r---"),
        ("Obj", "r---"),
        ("InstantiatedObj", "r---"),
        ("CommandEvent", "r---"),
    ];
    added(&mut live, &format!("{role}Permission."), &everything);
    added(&mut live, &format!("{role}Permission."), &but);
    let row = [
        ("EndpointID", "self::helper"),
        ("Enable", "true"),
        ("AssignedRole", role.trim_end_matches('.')),
    ];
    added(&mut live, "Device.LocalAgent.Controller.", &row);
    live.connect("helper");
    live.response(
        "helper",
        set(CONTROLLER_1, &[("ProvisioningCode", "allowed")]),
    );

    let own = "Device.LocalAgent.Controller.2.";
    let permission = format!("{role}Permission.2.");
    for escalation in [
        set(own, &[("AssignedRole", FULL_ACCESS)]),
        set(own, &[("InheritedRole", FULL_ACCESS)]),
        set(own, &[("Credential", "")]),
        set(TRUST, &[("UntrustedRole", FULL_ACCESS)]),
        set(TRUST, &[("BannedRole", "")]),
        set(TRUST, &[("TOFUAllowed", "true")]),
        set(&permission, &[("Enable", "false")]),
        set(&role, &[("Enable", "false")]),
    ] {
        live.error("helper", escalation);
    }
    let adds = [
        (
            "Device.LocalAgent.Controller.",
            ("EndpointID", "self::crony"),
            ("AssignedRole", FULL_ACCESS),
        ),
        (
            "Device.LocalAgent.ControllerTrust.Credential.",
            ("Enable", "true"),
            ("Role", FULL_ACCESS),
        ),
        (
            "Device.LocalAgent.ControllerTrust.Challenge.",
            ("Enable", "true"),
            ("Role", FULL_ACCESS),
        ),
        (
            "Device.LocalAgent.ControllerTrust.Role.",
            ("Enable", "true"),
            ("Name", "Mine"),
        ),
    ];
    for (table, first, second) in adds {
        let param_settings = [first, second]
            .into_iter()
            .map(|(param, value)| CreateParamSetting {
                param: param.to_owned(),
                value: value.to_owned(),
                required: true,
            })
            .collect();
        let add = Add {
            allow_partial: false,
            create_objs: vec![CreateObject {
                obj_path: table.to_owned(),
                param_settings,
            }],
        };
        live.error("helper", add);
    }
    live.error("helper", delete(&permission));
    live.error("helper", delete(&role));
    assert_eq!(
        row_of(&mut live, "helper")["AssignedRole"],
        role.trim_end_matches('.')
    );
    assert!(row_of(&mut live, "crony").is_empty());
}

/// Through a plain door off loopback nobody is believed, no stranger gets a row, and no certificate is
/// added in somebody's name.
///
/// Proves: R-SEC.0
#[test]
fn a_plain_door_off_loopback_is_worth_nothing() {
    let mut live = operated(on_first_use());
    // Even where the untrusted role may do that.
    let permission = [
        ("Enable", "true"),
        ("Order", "7"),
        (
            "Targets",
            "Device.LocalAgent.Controller.*.AddMyCertificate()",
        ),
        ("CommandEvent", "r-x-"),
    ];
    added(&mut live, &format!("{UNTRUSTED}.Permission."), &permission);
    let operator = live.link("operator");
    let link = live.arrive(Some("operator"), Channel::PlainInsecure);
    assert_eq!(
        live.hangups,
        [(link, HangupReason::Superfluous)],
        "it takes nobody's place"
    );
    let stranger = live.arrive(Some("stranger"), Channel::PlainInsecure);
    assert_eq!(
        live.hangups.last(),
        Some(&(stranger, HangupReason::Stranger))
    );
    live.cut(operator);
    let link = live.arrive(Some("operator"), Channel::PlainInsecure);
    live.take(link);
    assert!(can_read(&mut live, "operator", OWN_ID));
    assert!(!can_read(&mut live, "operator", CODE_1));
    let pem = own("operator").pem();
    let outcome = operate(
        &mut live,
        "operator",
        "Device.LocalAgent.Controller.1.AddMyCertificate()",
        &[("Certificate", &pem)],
    );
    assert_eq!(outcome, Err(7002));
    assert!(!tamper(&mut live, link, None, "operator"));
    live.cut(link);
    live.connect("operator");
    assert!(row_of(&mut live, "stranger").is_empty());
    assert_eq!(row_of(&mut live, "operator")["Credential"], "");
}

/// Who stands on the way of a plain connection that the Agent has dialled is believed as long as it lasts, and gains
/// nothing that outlives it.
///
/// Proves: R-SEC.0
#[test]
fn who_is_dialled_without_tls_adds_no_certificate() {
    let scene = Scene::new().dialled("operator", "usp.example.com");
    let mut live = scene.trust(on_first_use()).agent();
    let link = live.pick_up();
    live.take(link);
    assert!(can_read(&mut live, "operator", CODE_1));
    let thief = own("operator");
    let command = "Device.LocalAgent.Controller.1.AddMyCertificate()";
    let outcome = operate(
        &mut live,
        "operator",
        command,
        &[("Certificate", &thief.pem())],
    );
    assert_eq!(outcome, Err(7002));
    live.cut(link);
    let link = live
        .arrive_over_tls(Some("operator"), &[&thief.certificate])
        .unwrap();
    assert_eq!(live.hangups, [(link, HangupReason::Distrusted)]);
}

/// Who says on loopback that it is a Controller that inherits its roles neither has them nor takes them from it,
/// and does not end its session.
///
/// Proves: R-SEC.0, R-WS.4
#[test]
fn a_claim_on_loopback_strips_nobody_of_inherited_roles() {
    let ca = authority("CA");
    let certificate = issued("vendor", &ca);
    let mut live = operated(trusting(&ca, true));
    let session = live
        .arrive_over_tls(Some("vendor"), &[&certificate])
        .unwrap();
    let link = live.arrive(Some("vendor"), Channel::PlainLoopback);
    assert_eq!(live.hangups, [(link, HangupReason::Superfluous)]);
    let row = row_of(&mut live, "vendor");
    assert_eq!(
        (&*row["AssignedRole"], &*row["InheritedRole"]),
        ("", FULL_ACCESS)
    );
    // Also when it is not there, and after a restart.
    live.cut(session);
    for restarted in [false, true] {
        if restarted {
            live = live.restart();
            tell_time(&mut live);
            live.connect("operator");
        }
        let link = live.arrive(Some("vendor"), Channel::PlainLoopback);
        assert!(can_read(&mut live, "vendor", OWN_ID));
        assert!(!can_read(&mut live, "vendor", CODE_1));
        assert!(!tamper(&mut live, link, None, "vendor"));
        live.cut(link);
        assert_eq!(row_of(&mut live, "vendor")["AssignedRole"], "");
    }
    live.arrive_over_tls(Some("vendor"), &[&certificate])
        .unwrap();
    assert!(can_read(&mut live, "vendor", CODE_1));
}

/// A Controller whose roles are assigned is believed on loopback, and still does not end its session over TLS.
///
/// Proves: R-WS.4
#[test]
fn a_claim_on_loopback_takes_no_session_over_tls() {
    let ca = authority("CA");
    let mut live = operated(trusting(&ca, false));
    let session = live
        .arrive_over_tls(Some("operator"), &[&issued("operator", &ca)])
        .unwrap();
    live.hangups.clear();
    let link = live.arrive(Some("operator"), Channel::PlainLoopback);
    assert_eq!(live.hangups, [(link, HangupReason::Superfluous)]);
    live.cut(session);
    live.connect("operator");
    assert!(can_read(&mut live, "operator", CODE_1));
}

/// A stranger's certificate that names several Endpoints makes it one Controller per connection, none of them one
/// that is known.
#[test]
fn a_certificate_with_many_names_takes_none_that_is_known() {
    let mut live = operated(on_first_use());
    let many = draft("many").endpoint(&id("operator")).endpoint(&id("new"));
    let many = many.self_signed().certificate;
    let link = live.arrive_over_tls(Some("operator"), &[&many]).unwrap();
    assert_eq!(live.hangups, [(link, HangupReason::Distrusted)]);
    let link = live.arrive_over_tls(Some("new"), &[&many]).unwrap();
    assert!(!tamper(&mut live, link, None, "operator"));
    live.connect("operator");
    assert_eq!(row_of(&mut live, "new")["AssignedRole"], UNTRUSTED);
}

/// The Agent's own name in a certificate makes nobody the Agent.
///
/// Proves: R-ARC.2
#[test]
fn a_peer_with_the_agents_own_name_is_hung_up() {
    let mut live = operated(on_first_use());
    let certificate = own("agent").certificate;
    let link = live
        .arrive_over_tls(Some("agent"), &[&certificate])
        .unwrap();
    assert_eq!(live.hangups, [(link, HangupReason::OurEndpointId)]);
}
