//! What comes from outside is bounded and never panics.

use std::time::Instant;

use proptest::prelude::*;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{empty, id, issued, them, tofu};
use crate::judge::{Expected, judge_mtp, judge_record};
use crate::limits::{CERTIFICATE_BYTES_MAX, CHAIN_LENGTH_MAX, NAMES_MAX, SIGNATURES_MAX};
use crate::testing::{NOW, authority, chain, draft};
use crate::{AllowedUses, Certificate, CertificateError, Chain, Distrust, RevocationList, Session};

#[test]
fn chains_are_read_within_limits() {
    let none: [&[u8]; 0] = [];
    assert_eq!(Chain::from_der(&none), Err(Distrust::NothingPresented));
    let leaf = draft("x").self_signed().certificate;
    let many = vec![leaf.der(); CHAIN_LENGTH_MAX + 1];
    assert_eq!(
        Chain::from_der(&many),
        Err(Distrust::TooLong {
            certificates: CHAIN_LENGTH_MAX + 1
        })
    );
    let large = vec![0x30; CERTIFICATE_BYTES_MAX + 1];
    assert!(matches!(
        Certificate::from_der(&large),
        Err(CertificateError::TooLarge { .. })
    ));
    let mut names = draft("x");
    for _ in 0..=NAMES_MAX {
        names = names.uri("u:u");
    }
    let key = rcgen::KeyPair::generate().unwrap();
    let der = names.0.self_signed(&key).unwrap();
    assert!(matches!(
        Certificate::from_der(der.der()),
        Err(CertificateError::TooManyNames { .. })
    ));
    let mut trailing = leaf.der().to_vec();
    trailing.push(0);
    assert!(matches!(
        Certificate::from_der(&trailing),
        Err(CertificateError::Malformed { .. })
    ));
}

/// Many certificates of one name, none of which has signed the other, cost a bounded number of verifications.
#[test]
fn a_hall_of_mirrors_ends() {
    let mut store = empty();
    for _ in 0..64 {
        let ca = authority("CA");
        store = store.trusting(&ca.certificate, AllowedUses::MtpAndUsp, &[]);
    }
    let mirrors: Vec<_> = (0..CHAIN_LENGTH_MAX - 1).map(|_| authority("CA")).collect();
    let leaf = issued(&them(), &authority("CA"));
    let mut presented = vec![&leaf];
    presented.extend(mirrors.iter().map(|mirror| &mirror.certificate));
    let walk = |store| chain(&presented).walk(store, None).path.len();
    let start = Instant::now();
    assert_eq!(walk(&store), 1);
    // 32 verifications and not 64; each takes less than a millisecond, built without optimization less than 50.
    assert!(start.elapsed().as_millis() < 5_000);
}

/// Whoever makes us verify so many signatures that none is left to find the ban is not let in.
///
/// Proves: R-SEC.24
#[test]
fn a_ban_is_not_escaped_by_using_up_what_is_verified() {
    let banned = authority("CA");
    let mut tower = vec![draft("CA").authority_under(&banned)];
    while tower.len() < CHAIN_LENGTH_MAX - 1 {
        let next = draft("CA").authority_under(&tower[tower.len() - 1]);
        tower.push(next);
    }
    // At each step the one who has signed stands last.
    let leaf = issued(&them(), &tower[tower.len() - 1]);
    let mut presented = vec![&leaf];
    presented.extend(tower.iter().map(|ca| &ca.certificate));
    let chain = chain(&presented);
    assert_eq!(chain.walk(&tofu(), None).path.len(), CHAIN_LENGTH_MAX);
    let store = tofu().banning(&banned.certificate);
    let judged = judge_mtp(&chain, &store, &Expected::Anybody, Some(NOW));
    assert_eq!(judged, Err(Distrust::TooManySignatures));
    // That is no proof of a ban, so the one whose certificate it is keeps its roles.
    let used = Session::open(chain, &tofu(), &Expected::Anybody, Some(NOW)).unwrap();
    let store = store.knowing(&them(), &[&leaf], true);
    let rejection = judge_record(&used, &them(), &store, Some(NOW), None).unwrap_err();
    assert_eq!(rejection.distrust, Distrust::TooManySignatures);
    assert_eq!(rejection.ban, None);
}

/// Where more of one name are banned than are asked, one of the others may have signed what bears that name.
#[test]
fn a_certificate_is_banned_where_too_many_signatures_would_have_to_tell() {
    let (ca, other) = (authority("CA"), authority("Another CA"));
    let (leaf, stranger) = (issued(&them(), &ca), issued(&them(), &other));
    let mut store = empty();
    for _ in 0..SIGNATURES_MAX {
        store = store.banning(&authority("CA").certificate);
    }
    assert!(!store.bans(&leaf), "all were asked");
    store = store.banning(&authority("CA").certificate);
    assert!(store.bans(&leaf));
    assert!(!store.bans(&stranger), "none of this name is banned");
    assert!(store.banning(&stranger).bans(&stranger));
}

/// The costliest wildcards there can be.
#[test]
fn wildcards_cannot_be_made_to_take_long() {
    let stars = "*".repeat(100);
    let mut names = draft("x");
    for _ in 0..100 {
        names = names.uri(&format!("urn:bbf:usp:id:oui:ACDE48:a{stars}b"));
    }
    let certificate = names.self_signed().certificate;
    let target = id(&format!("oui:ACDE48:{}", "a".repeat(240)));
    let start = Instant::now();
    assert!(!certificate.authenticates(&target));
    assert!(start.elapsed().as_millis() < 5_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn garbage_is_no_certificate(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Certificate::from_der(&bytes).is_err());
        prop_assert!(RevocationList::from_der(&bytes).is_err());
        let _ = Certificate::from_pem(&String::from_utf8_lossy(&bytes));
    }

    /// A damaged certificate is refused or judged, and what was signed is never believed changed.
    #[test]
    fn a_damaged_certificate_is_not_believed(place in 0_usize..2_000, flip in 1_u8..) {
        thread_local! {
            static MADE: (crate::testing::Authority, Certificate) = {
                let ca = authority("CA");
                let leaf = issued(&them(), &ca);
                (ca, leaf)
            };
        }
        MADE.with(|(ca, leaf)| {
            let mut der = leaf.der().to_vec();
            let signed = {
                let (_, parsed) = X509Certificate::from_der(&der).unwrap();
                parsed.tbs_certificate.as_ref().len()
            };
            // The header of the whole takes 4 bytes.
            let place = 4 + place % signed;
            der[place] ^= flip;
            let Ok(damaged) = Chain::from_der(&[&der]) else { return };
            let store = empty().trusting(&ca.certificate, AllowedUses::MtpAndUsp, &[]);
            assert!(judge_mtp(&damaged, &store, &Expected::Anybody, Some(NOW)).is_err());
            let used = Session::open(damaged, &tofu(), &Expected::Anybody, Some(NOW));
            let Ok(used) = used else { return };
            assert!(judge_record(&used, &them(), &store, Some(NOW), None).is_err());
        });
    }
}
