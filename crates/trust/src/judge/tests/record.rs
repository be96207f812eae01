//! Records that come and go: "USP Record without USP Layer Secure Message Exchange", "Checking a Certificate",
//! "Determining the Role", "Sending a USP Record", and the two charts of the Trusted Broker.

use super::{empty, id, issued, self_signed, session, them, tofu, tower};
use crate::judge::{Admission, Standing, judge_record, judge_send};
use crate::testing::{NOW, authority, chain, draft};
use crate::{AllowedUses, Certificate, Distrust, Rejection, Store};

const GOOD: &str = "Device.LocalAgent.ControllerTrust.Role.1";
const BETTER: &str = "Device.LocalAgent.ControllerTrust.Role.2";

/// What becomes of a Record of `them` that came with `certificates`.
fn judge(certificates: &[&Certificate], store: &Store) -> Result<Admission, Rejection> {
    judge_record(
        &session(chain(certificates)),
        &them(),
        store,
        Some(NOW),
        None,
    )
}

fn admission(standing: Standing, inherited: &[&str], untrusted: bool) -> Admission {
    Admission {
        standing,
        inherited: inherited.iter().map(|role| (*role).to_owned()).collect(),
        vouched_by: (!inherited.is_empty()).then_some(1),
        untrusted,
        remember: None,
        revision: 1,
    }
}

/// As `admission`, where a Credential without a role vouches.
fn vouched_for(admission: Admission) -> Admission {
    Admission {
        vouched_by: Some(1),
        ..admission
    }
}

const FIRST: Standing = Standing::Known { instance: 1 };

/// The certificate has to name the sender, or be stored for it, or be a Trusted Broker's.
///
/// Proves: R-SEC.0a, R-SEC.3, R-SEC.22, R-E2E.28, R-ARC.4a
#[test]
fn a_record_counts_only_where_the_connection_proves_its_sender() {
    let ca = authority("CA");
    let uses = AllowedUses::MtpAndUsp;
    let store = empty().trusting(&ca.certificate, uses, &[GOOD]);
    let named = issued(&them(), &ca);
    assert!(judge(&[&named], &store).is_ok());
    let unproven = |judged: Result<Admission, Rejection>| {
        matches!(judged.unwrap_err().distrust, Distrust::Unproven { .. })
    };
    // It names somebody else, or nobody.
    let other = issued(&id("self::other"), &ca);
    let nobody = draft("them").signed_by(&ca).certificate;
    let by_host = draft("them").dns("them").signed_by(&ca).certificate;
    for certificate in [&other, &nobody, &by_host] {
        assert!(unproven(judge(&[certificate], &store)));
        // Stored for this Controller, it is proof all the same.
        let store = store.clone().knowing(&them(), &[certificate], true);
        assert!(judge(&[certificate], &store).is_ok());
        // Stored for another Controller, it is none.
        let store = empty().knowing(&id("self::else"), &[certificate], true);
        assert!(unproven(judge(&[certificate], &store)));
    }
    // A host name is proof for the scheme fqdn alone, and a wildcard for nobody.
    let host = id("fqdn::usp.example.com");
    for (name, proof) in [
        ("usp.example.com", true),
        ("USP.example.com", true),
        ("*.example.com", false),
        ("example.com", false),
    ] {
        let certificate = draft("host").dns(name).signed_by(&ca).certificate;
        let judged = judge_record(&session(chain(&[&certificate])), &host, &store, None, None);
        assert_eq!(judged.is_ok(), proof, "{name}");
    }
}

/// One row per way through "Checking a Certificate" and "Determining the Role".
///
/// Proves: R-SEC.24, R-SEC.24a, R-SEC.4, R-SEC.6, R-SEC.8
#[test]
fn every_way_through_the_check_of_a_certificate() {
    let ca = authority("CA");
    let uses = AllowedUses::MtpAndUsp;
    let signed = draft("them").endpoint(&them()).serial(7).signed_by(&ca);
    let signed = signed.certificate;
    let own = self_signed(&them());
    let trusting = || empty().trusting(&ca.certificate, uses, &[GOOD]);
    let plain = || empty().trusting(&ca.certificate, uses, &[]);
    let revoking = |store: Store| Store {
        revocation_lists: vec![ca.revokes(&[7])],
        ..store
    };
    let not_ok = |judged: Result<Admission, Rejection>| judged.unwrap_err();

    // Known, by this certificate.
    let known = |store: Store, roles| store.knowing(&them(), &[&signed, &own], roles);
    let judged = judge(&[&own], &known(empty(), true));
    assert_eq!(judged, Ok(admission(FIRST, &[], false)));
    let judged = judge(&[&own], &known(empty(), false));
    assert_eq!(judged, Ok(admission(FIRST, &[], true)));
    let judged = judge(&[&signed], &known(trusting(), true));
    assert_eq!(judged, Ok(admission(FIRST, &[GOOD], false)));
    // … which is revoked: banned.
    let refused = not_ok(judge(&[&signed], &revoking(known(trusting(), true))));
    assert!(matches!(refused.distrust, Distrust::Revoked { .. }));
    assert_eq!(refused.ban, Some(1));
    let refused = not_ok(judge(&[&own], &known(empty(), true).banning(&own)));
    assert!(matches!(refused.distrust, Distrust::Banned { .. }));
    assert_eq!(refused.ban, Some(1));

    // Known, by another certificate or none.
    for stored in [vec![], vec![&own]] {
        let known = |store: Store| store.knowing(&them(), &stored, true);
        let judged = judge(&[&signed], &known(trusting()));
        assert_eq!(judged, Ok(admission(FIRST, &[GOOD], false)));
        let judged = judge(&[&signed], &known(plain()));
        assert_eq!(judged, Ok(vouched_for(admission(FIRST, &[], false))));
        let refused = not_ok(judge(&[&signed], &revoking(known(trusting()))));
        assert!(matches!(refused.distrust, Distrust::Revoked { .. }));
        assert_eq!(refused.ban, None);
        // Nobody vouches for it: first use is over for this Controller.
        for store in [empty(), tofu()] {
            let refused = not_ok(judge(&[&self_signed(&them())], &known(store)));
            assert!(matches!(
                refused.distrust,
                Distrust::NotItsCertificate { .. }
            ));
            assert_eq!(refused.ban, None);
        }
    }

    // Not known.
    let judged = judge(&[&signed], &trusting());
    assert_eq!(judged, Ok(admission(Standing::New, &[GOOD], false)));
    let judged = judge(&[&signed], &plain());
    assert_eq!(judged, Ok(vouched_for(admission(Standing::New, &[], true))));
    let refused = not_ok(judge(&[&signed], &revoking(trusting())));
    assert!(matches!(refused.distrust, Distrust::Revoked { .. }));
    // Nobody vouches for it.
    let refused = not_ok(judge(&[&own], &empty()));
    assert!(matches!(refused.distrust, Distrust::Untrusted { .. }));
    let judged = judge(&[&own], &tofu());
    let first_use = Admission {
        remember: Some(own.clone()),
        ..admission(Standing::New, &[], true)
    };
    assert_eq!(judged, Ok(first_use));
    let refused = not_ok(judge(&[&own], &tofu().banning(&own)));
    assert!(matches!(refused.distrust, Distrust::Banned { .. }));
}

/// What was made of a sender holds for its session, until something of what is trusted changes.
///
/// Proves: R-SEC.22a, R-SEC.24a
#[test]
fn a_sender_is_judged_once_per_session_and_revision() {
    let own = self_signed(&them());
    let session = session(chain(&[&own]));
    let store = empty().knowing(&them(), &[&own], true);
    let first = judge_record(&session, &them(), &store, Some(NOW), None).unwrap();
    // The same revision with other content: what was judged before is not looked at again.
    let judged = judge_record(&session, &them(), &empty(), Some(NOW), Some(&first));
    assert_eq!(judged.as_ref(), Ok(&first));
    let later = empty().next();
    assert!(judge_record(&session, &them(), &later, Some(NOW), Some(&first)).is_err());
    let later = store.next();
    let judged = judge_record(&session, &them(), &later, Some(NOW), Some(&first));
    assert_eq!(judged.unwrap().revision, 2);
}

/// The first on the way up counts, and it alone: also where it gives less.
///
/// Proves: R-SEC.25
#[test]
fn only_the_first_matching_authority_gives_a_role() {
    let [root, middle, low] = tower();
    let leaf = issued(&them(), &low);
    let presented = [&leaf, &low.certificate, &middle.certificate];
    let uses = AllowedUses::MtpAndUsp;
    let inherited = |store: &Store| judge(&presented, store).unwrap().inherited;
    let store = empty().trusting(&root.certificate, uses, &[GOOD]).trusting(
        &middle.certificate,
        uses,
        &[BETTER],
    );
    assert_eq!(inherited(&store), [BETTER]);
    let store =
        empty()
            .trusting(&middle.certificate, uses, &[])
            .trusting(&root.certificate, uses, &[GOOD]);
    assert_eq!(inherited(&store), [""; 0]);
    let store = empty().trusting(&root.certificate, uses, &[GOOD, BETTER]);
    assert_eq!(inherited(&store), [GOOD, BETTER]);
    // One that is for connections only hides those above it.
    let store = empty().trusting(&root.certificate, uses, &[GOOD]).trusting(
        &middle.certificate,
        AllowedUses::MtpOnly,
        &[BETTER],
    );
    assert!(judge(&presented, &store).is_err());
}

/// A Credential for connections only authenticates no Controller.
///
/// Proves: R-SEC.24
#[test]
fn an_authority_for_connections_gives_no_identity() {
    let ca = authority("CA");
    let leaf = issued(&them(), &ca);
    let store = |uses| empty().trusting(&ca.certificate, uses, &[GOOD]);
    assert!(judge(&[&leaf], &store(AllowedUses::MtpOnly)).is_err());
    assert!(judge(&[&leaf], &store(AllowedUses::MtpAndUsp)).is_ok());
    // A known Controller whose certificate is stored needs no authority, and inherits nothing from this one.
    let known = store(AllowedUses::MtpOnly).knowing(&them(), &[&leaf], true);
    assert_eq!(judge(&[&leaf], &known), Ok(admission(FIRST, &[], false)));
}

/// Who presents a Trusted Broker's certificate has authenticated everybody it brings.
///
/// Proves: R-SEC.4a, R-SEC.26, R-SEC.26a
#[test]
fn a_trusted_broker_vouches_for_senders() {
    let ca = authority("Broker CA");
    let broker = draft("Broker").dns("mqtt.example.com").signed_by(&ca);
    let broker = broker.certificate;
    let uses = AllowedUses::MtpAndBroker;
    for anchor in [&ca.certificate, &broker] {
        let with_role = empty().trusting(anchor, uses, &[GOOD]);
        let judged = judge(&[&broker], &with_role);
        assert_eq!(judged, Ok(admission(Standing::New, &[GOOD], false)));
        let without = empty().trusting(anchor, uses, &[]);
        let judged = judge(&[&broker], &without);
        assert_eq!(judged, Ok(vouched_for(admission(Standing::New, &[], true))));
        let known = without.knowing(&them(), &[], true);
        let judged = judge(&[&broker], &known);
        assert_eq!(judged, Ok(vouched_for(admission(FIRST, &[], false))));
        let banned = with_role.banning(&broker);
        assert!(judge(&[&broker], &banned).is_err());
    }
    // Also where its certificate names an Endpoint that is not the sender.
    let named = issued(&id("self::broker"), &ca);
    let store = empty().trusting(&ca.certificate, uses, &[GOOD]);
    assert!(judge(&[&named], &store).is_ok());
    // No other use makes a broker of anybody.
    for uses in [AllowedUses::MtpOnly, AllowedUses::MtpAndUsp] {
        let store = empty().trusting(&ca.certificate, uses, &[GOOD]);
        assert!(judge(&[&broker], &store).is_err());
    }
    // The role that was determined in this session holds.
    let session = session(chain(&[&broker]));
    let first = judge_record(&session, &them(), &store, Some(NOW), None).unwrap();
    let judged = judge_record(&session, &them(), &empty(), Some(NOW), Some(&first));
    assert_eq!(judged, Ok(first));
}

/// Proves: R-SEC.23, R-SEC.23a, R-SEC.26
#[test]
fn a_record_is_sent_only_to_whom_the_connection_belongs() {
    let ca = authority("CA");
    let named = issued(&them(), &ca);
    let other = issued(&id("self::other"), &ca);
    let may = |certificate: &Certificate, store: &Store| {
        judge_send(&session(chain(&[certificate])), &them(), store, Some(NOW)).is_ok()
    };
    let uses = AllowedUses::MtpAndUsp;
    let store = empty().trusting(&ca.certificate, uses, &[]);
    assert!(may(&named, &store));
    assert!(!may(&other, &store));
    assert!(may(&other, &store.knowing(&them(), &[&other], true)));
    let uses = AllowedUses::MtpAndBroker;
    let store = empty().trusting(&ca.certificate, uses, &[]);
    assert!(may(&other, &store));
    assert!(!may(&other, &store.banning(&other)));
}

/// Agents share a certificate whose wildcard fits them, and nobody else.
///
/// Proves: R-SEC.10a, R-SEC.11
#[test]
fn a_shared_certificate_speaks_for_those_whom_its_wildcard_fits() {
    let ca = authority("CA");
    let shared = draft("Lamps").uri("urn:bbf:usp:id:oui:ACDE48:lamp-*");
    let shared = shared.signed_by(&ca).certificate;
    let store = empty().trusting(&ca.certificate, AllowedUses::MtpAndUsp, &[]);
    let session = session(chain(&[&shared]));
    let speaks = |from: &str| judge_record(&session, &id(from), &store, None, None).is_ok();
    assert!(speaks("oui:ACDE48:lamp-1") && speaks("oui:ACDE48:lamp-2"));
    assert!(!speaks("oui:ACDE48:radio-1") && !speaks("oui:ACDE49:lamp-1"));
    assert!(!speaks("oui:ACDE48:lamp-*"));
}
