//! What a certificate says of itself, and where its limits are.

use rcgen::{CustomExtension, KeyPair};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;
use crate::testing::{Draft, authority, draft};

/// Signed by itself over SHA-1, as nobody has to any more.
const OVER_SHA_1: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIB/jCCAWegAwIBAgIUPDanadE9PLe37/P8E7wXpeGEiCIwDQYJKoZIhvcNAQEF\n\
BQAwEDEOMAwGA1UEAwwFU0hBLTEwIBcNMjYxMTIzMTU0ODA3WhgPMjEyNjEwMzAx\n\
NTQ4MDdaMBAxDjAMBgNVBAMMBVNIQS0xMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCB\n\
iQKBgQDUrCdl4T2Vtzvv66WU6s3zrzKxzZGA9VnUU+Nk1sQ/NLEOunZXvhGUReu4\n\
4Y5vAFqBsFr7wIkDMgKAwmXJstoSDtjoMG9Eh1lFXcOmoa5am0l2TmIWljqsLsbF\n\
RKUi6gfsbK9c5Mxy6cRHfXzw/duMkcq4bjRwwGGAKCKiqS98PQIDAQABo1MwUTAd\n\
BgNVHQ4EFgQUEHDJb8xEugd1k8c1JyuPPudjU+UwHwYDVR0jBBgwFoAUEHDJb8xE\n\
ugd1k8c1JyuPPudjU+UwDwYDVR0TAQH/BAUwAwEB/zANBgkqhkiG9w0BAQUFAAOB\n\
gQAq6f/mMxJokXwKNqJQkwJeEHd1Nm+DkmPXoGUYmD4cbSUIWCKmzPzjiGgzU/yI\n\
eJGmGRP+4jCe66M2Z1IUvgl3xSXoh/3/ZkzMQr72F61ouGzfoNHAFHxY9j/N4+F/\n\
kaiqEKmkwHSqy9r8hIjXTdu3lfkP72b5gkrfKJTYevBuuQ==\n\
-----END CERTIFICATE-----
";

fn with_extension(oid: &[u64], content: &[u8], critical: bool) -> Certificate {
    let Draft(mut params) = draft("x");
    let mut extension = CustomExtension::from_oid_content(oid, content.to_vec());
    extension.set_criticality(critical);
    params.custom_extensions.push(extension);
    Draft(params).self_signed().certificate
}

/// What is shown of a certificate is what stands in it.
#[test]
fn a_certificate_says_who_it_is() {
    let ca = authority("CA");
    let id = EndpointId::from_wire("self::them").unwrap();
    let names = draft("them").endpoint(&id).dns("usp.example.com");
    let names = names.address("192.0.2.1").serial(0x80).valid(1_000, 2_000);
    let leaf = names.signed_by(&ca).certificate;
    assert_eq!((leaf.subject(), leaf.issuer()), ("CN=them", "CN=CA"));
    assert_eq!(leaf.serial_number(), "80");
    assert_eq!(
        draft("x")
            .serial(0x1200)
            .self_signed()
            .certificate
            .serial_number(),
        "1200"
    );
    assert_eq!(leaf.endpoint_names(), [EndpointName::One(id)]);
    assert_eq!(leaf.dns_names(), ["usp.example.com"]);
    assert_eq!(leaf.addresses(), ["192.0.2.1".parse::<IpAddr>().unwrap()]);
    let validity = leaf.validity();
    assert_eq!((validity.not_before, validity.not_after), (1_000, 2_000));
    assert_eq!(
        fingerprint::hex(leaf.sha256()),
        leaf.fingerprint(FingerprintAlgorithm::Sha256)
    );
    assert!(!leaf.is_authority() && !leaf.is_self_signed());
    assert!(ca.certificate.is_authority() && ca.certificate.is_self_signed());
    // The name alone makes nobody one's own issuer.
    let other = draft("CA").signed_by(&ca).certificate;
    assert!(!other.is_self_signed());
}

#[test]
fn a_certificate_names_an_endpoint_by_a_urn_or_a_host_name() {
    let id = EndpointId::from_wire("self::them").unwrap();
    let is_named = |draft: Draft| draft.self_signed().certificate.names_an_endpoint();
    assert!(is_named(draft("x").endpoint(&id)));
    assert!(is_named(draft("x").dns("usp.example.com")));
    assert!(is_named(draft("x").endpoint(&id).dns("usp.example.com")));
    assert!(!is_named(draft("x")) && !is_named(draft("x").address("192.0.2.1")));
}

/// What says what a key is for is no riddle, even where it is critical.
#[test]
fn critical_extensions_that_are_known_hinder_nothing() {
    let server_auth = [0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
    let usage = with_extension(&[2, 5, 29, 37], &server_auth, true);
    assert_eq!(usage.unknown_extension(), None);
    let any_policy = [0x30, 8, 0x30, 6, 6, 4, 0x55, 0x1d, 0x20, 0];
    let policies = with_extension(&[2, 5, 29, 32], &any_policy, true);
    assert_eq!(policies.unknown_extension(), None);
    let unknown = |critical| with_extension(&[1, 2, 3, 4], &[5, 0], critical);
    assert_eq!(unknown(true).unknown_extension(), Some("1.2.3.4"));
    assert_eq!(unknown(false).unknown_extension(), None);
}

#[test]
fn what_fits_is_read_and_what_is_larger_is_not() {
    let too_large = |bytes| Err(CertificateError::TooLarge { bytes });
    let zeros = vec![0x30; CERTIFICATE_BYTES_MAX + 2];
    let read = |bytes| Certificate::from_der(&zeros[..bytes]).map(drop);
    assert_ne!(
        read(CERTIFICATE_BYTES_MAX),
        too_large(CERTIFICATE_BYTES_MAX)
    );
    for bytes in [CERTIFICATE_BYTES_MAX + 1, CERTIFICATE_BYTES_MAX + 2] {
        assert_eq!(read(bytes), too_large(bytes));
    }
    let mut names = draft("x");
    for _ in 0..NAMES_MAX {
        names = names.uri("u:u");
    }
    let key = KeyPair::generate().unwrap();
    let der = names.0.self_signed(&key).unwrap();
    assert!(Certificate::from_der(der.der()).is_ok());

    let most = 4 * CERTIFICATE_BYTES_MAX;
    let dashes = "-".repeat(most + 2);
    let read = |bytes| Certificate::from_pem(&dashes[..bytes]).map(drop);
    assert_ne!(read(most), too_large(most));
    assert_eq!(read(most + 1), too_large(most + 1));
    assert_eq!(read(most + 2), too_large(most + 2));
}

#[test]
fn a_pem_text_has_one_certificate_and_may_have_words_around_it() {
    let issued = draft("x").self_signed();
    let pem = issued.pem();
    let read = |text: &str| Certificate::from_pem(text);
    assert_eq!(read(&pem), Ok(issued.certificate.clone()));
    assert_eq!(
        read(&format!("{pem}and some words\n")),
        Ok(issued.certificate)
    );
    let two = read(&format!("{pem}{pem}"));
    assert!(matches!(two, Err(CertificateError::Pem { reason }) if reason.contains("more in it")));
}

/// A signature over SHA-1 is one that can be made by others.
#[test]
fn a_good_signature_over_sha_1_proves_nothing() {
    let certificate = Certificate::from_pem(OVER_SHA_1).unwrap();
    let (_, parsed) = X509Certificate::from_der(certificate.der()).unwrap();
    assert!(parsed.verify_signature(None).is_ok());
    assert!(!certificate.verify(&certificate));
}

#[test]
fn long_names_are_cut_and_lose_what_controls_a_terminal() {
    assert_eq!(quoted(""), "(no name)");
    assert_eq!(quoted("a\nb"), "a\u{fffd}b");
    let most = "x".repeat(QUOTED_CHARACTERS_MAX);
    assert_eq!(quoted(&most), most);
    assert_eq!(quoted(&format!("{most}y")), format!("{most}…"));
    let controls = "\n".repeat(QUOTED_CHARACTERS_MAX + 1);
    assert!(quoted(&controls).ends_with('…'));
}
