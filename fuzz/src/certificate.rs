//! Certificates and revocation lists in DER and PEM, and what a trust store makes of them.
//!
//! The first byte of an input chooses what the rest is taken for.

use std::sync::LazyLock;

use usphere_proto::EndpointId;
use usphere_trust::testing::{Authority, NOW, authority, draft};
use usphere_trust::{
    AllowedUses, Certificate, Chain, Credential, Expected, RevocationList, Session, Store,
    judge_record,
};

use crate::random::Random;
use crate::{Tally, mutate};

/// Who signs what is damaged, and what is damaged. The keys are made anew in each process; nothing of
/// what is checked depends on them.
struct Made {
    root: Authority,
    good: Vec<Certificate>,
    list: RevocationList,
}

static MADE: LazyLock<Made> = LazyLock::new(|| {
    let root = authority("Root");
    let names = draft("names")
        .endpoint(&them())
        .uri("urn:bbf:usp:id:os::00256D-*")
        .dns("*.example.com")
        .address("192.0.2.1");
    let good = vec![
        draft("plain")
            .endpoint(&them())
            .signed_by(&root)
            .certificate,
        names.signed_by(&root).certificate,
        draft("own").endpoint(&them()).self_signed().certificate,
        draft("low")
            .path_length(0)
            .authority_under(&root)
            .certificate,
    ];
    let list = root.revokes(&[1, 2, 3]);
    Made { root, good, list }
});

/// Takes `data` for certificates, PEM or a revocation list.
pub fn certificate(data: &[u8]) -> Tally {
    let Some((kind, rest)) = data.split_first() else {
        return Tally::default();
    };
    match kind % 4 {
        0 => Tally::one(RevocationList::from_der(rest).is_ok()),
        1 => Tally::one(Certificate::from_pem(&String::from_utf8_lossy(rest)).is_ok()),
        _ => chain(rest),
    }
}

/// The next input.
pub(crate) fn input(random: &mut Random) -> Vec<u8> {
    let mut corpus = corpus();
    let mut bytes = corpus.swap_remove(random.below(corpus.len()));
    let donor = corpus.swap_remove(random.below(corpus.len()));
    let kind = bytes.remove(0);
    if random.chance(95) {
        let words = [
            "\u{6}\u{3}\u{55}\u{1d}\u{11}",
            "urn:bbf:usp:id:",
            "*",
            "0\u{0}",
        ];
        mutate::bytes(&mut bytes, &words, &donor, random);
    }
    bytes.insert(0, kind);
    bytes
}

/// What fuzzing starts from: what is right.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let made = &*MADE;
    let ders = made.good.iter().flat_map(|certificate| {
        let der = [&[2], certificate.der()].concat();
        let pem = [&[1], certificate.to_pem().as_bytes()].concat();
        [der, pem]
    });
    ders.chain([[&[0], made.list.der()].concat()]).collect()
}

/// Whoever changed anything that was signed is not believed.
fn chain(der: &[u8]) -> Tally {
    let made = &*MADE;
    let root = made.root.certificate.der();
    let Ok(chain) = Chain::from_der(&[der, root]) else {
        return Tally::one(false);
    };
    let leaf = chain.leaf().clone();
    let trusting = Store {
        revision: 1,
        credentials: vec![Credential {
            instance: 1,
            certificate: made.root.certificate.clone(),
            allowed_uses: Some(AllowedUses::MtpAndUsp),
            roles: Vec::new(),
        }],
        revocation_lists: vec![made.list.clone()],
        ..Store::default()
    };
    let anybody = Store {
        tofu_allowed: true,
        ..Store::default()
    };
    let _ = leaf.fingerprint(usphere_trust::FingerprintAlgorithm::Sha256);
    let _ = (leaf.to_string(), leaf.issuer(), leaf.serial_number());
    let _ = leaf.permits_host("usp.example.com");
    if let Ok(session) = Session::open(chain.clone(), &anybody, &Expected::Anybody, None) {
        let _ = judge_record(&session, &them(), &anybody, Some(NOW), None);
    }
    if Session::open(chain, &trusting, &Expected::Anybody, Some(NOW)).is_ok() {
        let same = |good: &Certificate| {
            good.subject() == leaf.subject()
                && good.validity() == leaf.validity()
                && good.endpoint_names() == leaf.endpoint_names()
                && good.dns_names() == leaf.dns_names()
        };
        let known = made.good.iter().chain([&made.root.certificate]);
        assert!(
            known.clone().any(same),
            "believed what nobody signed: {leaf}"
        );
    }
    Tally::one(true)
}

fn them() -> EndpointId {
    // The text is right, so there is one.
    EndpointId::from_wire("self::them").unwrap_or_else(|error| unreachable!("{error}"))
}
