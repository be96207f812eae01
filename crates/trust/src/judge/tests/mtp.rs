//! "Receiving a X.509 Certificate".

use super::{empty, id, issued, self_signed, them, tofu, tower};
use crate::judge::{Expected, judge_mtp};
use crate::testing::{NOW, authority, chain, draft};
use crate::{AllowedUses, Distrust, Session, Store, Verdict};

const ANYBODY: Expected = Expected::Anybody;

fn server(host: &str, endpoint_id: Option<&str>) -> Expected {
    Expected::Server {
        host: host.to_owned(),
        endpoint_id: endpoint_id.map(id),
    }
}

/// Dates count while the time is known, and only then.
///
/// Proves: R-MTP.2, R-MTP.3, R-MTP.4, R-SEC.19, R-SEC.20, R-WS.23, TP-469 2.6, TP-469 2.8
#[test]
fn dates_count_where_the_time_is_known() {
    let ca = authority("CA");
    let them = draft("them").endpoint(&them()).valid(1_000, 2_000);
    let them = chain(&[&them.signed_by(&ca).certificate]);
    let store = empty().trusting(&ca.certificate, AllowedUses::MtpAndUsp, &[]);
    // The authority's own certificate is valid neither in 1970 nor in 2040.
    let open = |time: Option<i64>| judge_mtp(&them, &store, &ANYBODY, time);
    assert!(open(None).is_ok());
    for time in [999, 2_001, NOW] {
        assert!(
            matches!(open(Some(time)), Err(Distrust::OutOfDate { now, .. }) if now == time),
            "{time}"
        );
    }
    assert_eq!(
        open(Some(2_001)).unwrap_err().to_string(),
        "the certificate of CN=them is not valid now: it is valid from 1000 to 2000, now is 2001 \
         (seconds since 1970)"
    );
}

/// The dates of the authorities on the way count, too.
///
/// Proves: R-MTP.3
#[test]
fn who_vouches_has_to_be_valid_itself() {
    let root = authority("Root");
    let old = draft("Old").valid(1_000, 2_000).authority_under(&root);
    let leaf = issued(&them(), &old);
    let presented = chain(&[&leaf, &old.certificate]);
    let store = empty().trusting(&root.certificate, AllowedUses::MtpOnly, &[]);
    assert!(judge_mtp(&presented, &store, &ANYBODY, None).is_ok());
    assert!(judge_mtp(&presented, &store, &ANYBODY, Some(NOW)).is_err());
    let store = empty().trusting(&old.certificate, AllowedUses::MtpOnly, &[]);
    assert!(judge_mtp(&presented, &store, &ANYBODY, None).is_ok());
    assert!(judge_mtp(&presented, &store, &ANYBODY, Some(NOW)).is_err());
}

/// Whom we dial has to be there: by host name, wildcards included, by Endpoint ID, or beyond proof.
///
/// Proves: R-MTP.4, R-WS.24
#[test]
fn the_server_has_to_be_the_one_that_was_dialled() {
    let ca = authority("CA");
    let store = empty().trusting(&ca.certificate, AllowedUses::MtpAndUsp, &[]);
    let presented = draft("them")
        .endpoint(&them())
        .dns("usp.example.com")
        .dns("*.example.org")
        .address("192.0.2.1")
        .signed_by(&ca);
    let presented = chain(&[&presented.certificate]);
    let judge = |expected: Expected| judge_mtp(&presented, &store, &expected, Some(NOW));
    for good in [
        server("usp.example.com", None),
        server("USP.EXAMPLE.COM.", Some("self::other")),
        server("eu.example.org", None),
        server("192.0.2.1", None),
        server("gateway.local", None),
        server("gateway.local.", None),
        server("gateway.home.arpa", None),
        server("10.0.0.1", Some("self::them")),
        server("elsewhere.example.net", Some("self::them")),
    ] {
        assert!(judge(good.clone()).is_ok(), "{good:?}");
    }
    for bad in [
        server("example.com", None),
        server("a.usp.example.com", None),
        server("example.org", None),
        server("a.eu.example.org", None),
        server("192.0.2.2", None),
        server("gateway.local.example.com", None),
        server("elsewhere.example.net", Some("self::other")),
        server("local", None),
    ] {
        assert!(
            matches!(judge(bad.clone()), Err(Distrust::WrongServer { .. })),
            "{bad:?}"
        );
    }
    // Who connects to us is not asked for a host name.
    assert!(judge(ANYBODY).is_ok());
}

/// Each Credential lets connections in, whatever else it is for.
///
/// Proves: R-MTP.4, R-SEC.2, R-SEC.4a
#[test]
fn whom_a_trusted_authority_or_broker_vouches_for_may_connect() {
    let [root, middle, low] = tower();
    let leaf = issued(&them(), &low);
    let whole = chain(&[&leaf, &middle.certificate, &low.certificate]);
    for allowed_uses in AllowedUses::ALL {
        for anchor in [
            &root.certificate,
            &middle.certificate,
            &low.certificate,
            &leaf,
        ] {
            let store = empty().trusting(anchor, allowed_uses, &[]);
            let verdict = Verdict::VouchedFor {
                credential: 1,
                allowed_uses,
            };
            assert_eq!(judge_mtp(&whole, &store, &ANYBODY, Some(NOW)), Ok(verdict));
        }
    }
    // The way up has to be there, to its last step.
    let store = empty().trusting(&root.certificate, AllowedUses::MtpAndUsp, &[]);
    for gap in [
        chain(&[&leaf]),
        chain(&[&leaf, &low.certificate]),
        chain(&[&leaf, &middle.certificate]),
    ] {
        let refused = judge_mtp(&gap, &store, &ANYBODY, Some(NOW));
        assert!(
            matches!(refused, Err(Distrust::Untrusted { .. })),
            "{refused:?}"
        );
    }
}

/// A name proves nothing: signatures do.
///
/// Proves: R-MTP.4, R-SEC.2
#[test]
fn an_authority_of_the_same_name_is_not_the_authority() {
    let (real, false_one) = (authority("CA"), authority("CA"));
    let store = empty().trusting(&real.certificate, AllowedUses::MtpAndUsp, &[]);
    let leaf = issued(&them(), &false_one);
    for presented in [
        chain(&[&leaf]),
        chain(&[&leaf, &false_one.certificate]),
        chain(&[&leaf, &real.certificate]),
    ] {
        let refused = judge_mtp(&presented, &store, &ANYBODY, Some(NOW));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "nobody who is trusted vouches for the certificate of CN=them, issued by CN=CA; and trust on \
             first use is not allowed (TOFUAllowed)"
        );
    }
}

/// Only authorities vouch, and none for more than it may.
#[test]
fn who_is_no_authority_vouches_for_nobody() {
    let root = authority("Root");
    let store = empty().trusting(&root.certificate, AllowedUses::MtpAndUsp, &[]);
    // A certificate for one Controller is used to sign another.
    let mut plain = draft("Plain")
        .endpoint(&id("self::plain"))
        .authority_under(&root);
    plain.certificate = issued(&id("self::plain"), &root);
    let forged = issued(&them(), &plain);
    let presented = chain(&[&forged, &plain.certificate]);
    assert!(judge_mtp(&presented, &store, &ANYBODY, Some(NOW)).is_err());
    // An authority that may have none below it has one.
    let short = draft("Short").path_length(0).authority_under(&root);
    let below = draft("Below").authority_under(&short);
    let leaf = issued(&them(), &below);
    let presented = chain(&[&leaf, &below.certificate, &short.certificate]);
    assert!(judge_mtp(&presented, &store, &ANYBODY, Some(NOW)).is_err());
    let leaf = issued(&them(), &short);
    let presented = chain(&[&leaf, &short.certificate]);
    assert!(judge_mtp(&presented, &store, &ANYBODY, Some(NOW)).is_ok());
}

/// Proves: R-MTP.4a
#[test]
fn a_certificate_that_is_stored_for_a_controller_needs_nobody_to_vouch_for_it() {
    let leaf = self_signed(&them());
    let presented = chain(&[&leaf]);
    let store = empty()
        .knowing(&id("self::first"), &[], true)
        .knowing(&them(), &[&leaf], true);
    let verdict = Verdict::Pinned { controller: 2 };
    assert_eq!(
        judge_mtp(&presented, &store, &ANYBODY, Some(NOW)),
        Ok(verdict)
    );
    let other = chain(&[&self_signed(&them())]);
    assert!(judge_mtp(&other, &store, &ANYBODY, Some(NOW)).is_err());
}

/// Who is denied stays out, whatever else speaks for it: a stored certificate, an authority, first use.
///
/// Proves: R-MTP.4a
#[test]
fn whoever_is_revoked_does_not_connect() {
    let [root, middle, low] = tower();
    let leaf = draft("them").endpoint(&them()).serial(77).signed_by(&low);
    let leaf = leaf.certificate;
    let presented = chain(&[&leaf, &low.certificate, &middle.certificate]);
    let trusting = |store: Store| store.trusting(&root.certificate, AllowedUses::MtpAndUsp, &[]);
    let ways_in: [Store; 3] = [
        trusting(empty()),
        empty().knowing(&them(), &[&leaf], true),
        tofu(),
    ];
    for store in ways_in {
        let judge = |store: &Store| judge_mtp(&presented, store, &ANYBODY, Some(NOW));
        assert!(judge(&store).is_ok());
        for banned in [&leaf, &low.certificate] {
            let store = store.clone().banning(banned);
            assert!(matches!(judge(&store), Err(Distrust::Banned { .. })));
        }
        let listed = Store {
            revocation_lists: vec![low.revokes(&[77])],
            ..store.clone()
        };
        assert!(matches!(judge(&listed), Err(Distrust::Revoked { .. })));
        // A list that somebody else has signed in the authority's name counts for nothing.
        let forged = Store {
            revocation_lists: vec![authority("Low").revokes(&[77]), low.revokes(&[78])],
            ..store
        };
        assert!(judge(&forged).is_ok());
    }
}

/// A ban is about the number that the issuer gave, not about bytes: these can be changed without breaking the
/// signature.
///
/// Proves: R-MTP.4a
#[test]
fn a_banned_certificate_is_known_by_its_issuer_and_number() {
    let ca = authority("CA");
    let numbered = |serial| {
        let draft = draft("them").endpoint(&them()).serial(serial);
        draft.signed_by(&ca).certificate
    };
    let store = empty()
        .trusting(&ca.certificate, AllowedUses::MtpAndUsp, &[])
        .banning(&numbered(77));
    let judge = |leaf| judge_mtp(&chain(&[&leaf]), &store, &ANYBODY, Some(NOW));
    assert!(matches!(judge(numbered(77)), Err(Distrust::Banned { .. })));
    assert!(judge(numbered(78)).is_ok());
    let other = draft("them").endpoint(&them()).serial(77);
    let other = other.signed_by(&authority("Other")).certificate;
    assert!(matches!(judge(other), Err(Distrust::Untrusted { .. })));
}

/// A Credential that bans the root of one that is trusted ends what that one vouches for.
#[test]
fn a_banned_authority_takes_those_below_it_along() {
    let [root, middle, low] = tower();
    let leaf = issued(&them(), &low);
    let presented = chain(&[&leaf, &low.certificate, &middle.certificate]);
    let store = empty()
        .trusting(&root.certificate, AllowedUses::MtpAndUsp, &[])
        .banning(&middle.certificate);
    assert!(matches!(
        judge_mtp(&presented, &store, &ANYBODY, Some(NOW)),
        Err(Distrust::Banned { credential: 2, .. })
    ));
}

/// Proves: R-MTP.4a
#[test]
fn first_use_is_trusted_only_where_that_is_allowed() {
    let presented = chain(&[&self_signed(&them())]);
    assert_eq!(
        judge_mtp(&presented, &tofu(), &ANYBODY, Some(NOW)),
        Ok(Verdict::FirstUse)
    );
    assert!(matches!(
        judge_mtp(&presented, &empty(), &ANYBODY, Some(NOW)),
        Err(Distrust::Untrusted { .. })
    ));
    // First use does not make a wrong server the right one.
    let wrong = server("usp.example.com", Some("self::other"));
    assert!(judge_mtp(&presented, &tofu(), &wrong, Some(NOW)).is_err());
}

/// A resumed session holds as long as what it was judged by, and the certificate's dates.
///
/// Proves: R-MTP.4a
#[test]
fn a_resumed_session_is_judged_again_when_something_has_changed() {
    let ca = authority("CA");
    let store = empty().trusting(&ca.certificate, AllowedUses::MtpAndUsp, &[]);
    let leaf = draft("them").valid(NOW - 10, NOW + 10).endpoint(&them());
    let presented = chain(&[&leaf.signed_by(&ca).certificate]);
    let session = Session::open(presented, &store, &ANYBODY, Some(NOW)).unwrap();
    assert_eq!(
        session.resume(&store, &ANYBODY, Some(NOW + 5)),
        Ok(session.clone())
    );
    assert!(session.resume(&store, &ANYBODY, Some(NOW + 11)).is_err());
    let changed = store.clone().next();
    let again = session.resume(&changed, &ANYBODY, Some(NOW + 5)).unwrap();
    assert_eq!(again.verdict(), session.verdict());
    let without = empty().next();
    assert!(session.resume(&without, &ANYBODY, Some(NOW + 5)).is_err());
}

/// What is not understood and must be is not used, neither as the peer's nor to vouch.
#[test]
fn an_unknown_critical_extension_makes_a_certificate_useless() {
    const STRANGE: &[u64] = &[1, 3, 6, 1, 4, 1, 3561, 999];
    let leaf = draft("them")
        .endpoint(&them())
        .critical(STRANGE)
        .self_signed();
    let refused = judge_mtp(&chain(&[&leaf.certificate]), &tofu(), &ANYBODY, None);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the certificate of CN=them has the unknown critical extension 1.3.6.1.4.1.3561.999"
    );
    let strange = draft("Strange").critical(STRANGE).authority();
    let store = empty().trusting(&strange.certificate, AllowedUses::MtpAndUsp, &[]);
    let presented = chain(&[&issued(&them(), &strange)]);
    assert!(judge_mtp(&presented, &store, &ANYBODY, None).is_err());
}
