//! The commands on certificates.

use usphere_trust::FingerprintAlgorithm;

use super::*;

const ADD: &str = "Device.LocalAgent.AddCertificate()";
const CERTIFICATE_1: &str = "Device.LocalAgent.Certificate.1.";

const INVALID_ARGUMENTS: u32 = 7027;
const COMMAND_FAILED: u32 = 7022;
const DENIED: u32 = 7002;

#[test]
fn a_certificate_is_added_shown_and_deleted() {
    let mut live = operated(TrustConfig::default());
    let ca = authority("CA");
    let pem = ca.certificate.to_pem();
    let arguments = [("Certificate", &*pem), ("Alias", "our-ca")];
    assert_eq!(
        operate(&mut live, "operator", ADD, &arguments),
        Ok(BTreeMap::new())
    );
    let values = live.values("operator", CERTIFICATE_1);
    let value = |name: &str| &*values[&format!("{CERTIFICATE_1}{name}")];
    assert_eq!(value("Alias"), "our-ca");
    assert_eq!(value("Enable"), "true");
    assert_eq!(value("Issuer"), "CN=CA");
    assert_eq!(value("SerialNumber"), ca.certificate.serial_number());
    for algorithm in FingerprintAlgorithm::ALL {
        let command = format!("{CERTIFICATE_1}GetFingerprint()");
        let arguments = [("FingerprintAlgorithm", algorithm.name())];
        let outputs = operate(&mut live, "operator", &command, &arguments).unwrap();
        assert_eq!(
            outputs["Fingerprint"],
            ca.certificate.fingerprint(algorithm)
        );
        let supported = live.value(
            "operator",
            "Device.LocalAgent.SupportedFingerprintAlgorithms",
        );
        assert!(supported.split(',').any(|name| name == algorithm.name()));
    }
    let command = format!("{CERTIFICATE_1}GetFingerprint()");
    let unsupported = [("FingerprintAlgorithm", "SHA-224")];
    assert_eq!(
        operate(&mut live, "operator", &command, &unsupported),
        Err(INVALID_ARGUMENTS)
    );
    // It is trusted by whoever refers to it, and by nobody when it is gone.
    let credential = [
        ("Enable", "true"),
        ("Credential", CERTIFICATE_1),
        ("AllowedUses", "MTP-and-USP"),
    ];
    let credential = added(&mut live, &format!("{TRUST}Credential."), &credential);
    live.response(
        "operator",
        set(
            "Device.LocalAgent.Controller.1.",
            &[("Credential", CERTIFICATE_1)],
        ),
    );
    assert_eq!(live.trust.credentials.len(), 1);
    let delete = format!("{CERTIFICATE_1}Delete()");
    operate(&mut live, "operator", &delete, &[]).unwrap();
    assert!(
        live.values("operator", "Device.LocalAgent.Certificate.")
            .is_empty()
    );
    assert_eq!(
        live.value("operator", &format!("{credential}Credential")),
        ""
    );
    assert_eq!(
        live.value("operator", "Device.LocalAgent.Controller.1.Credential"),
        ""
    );
    assert!(live.trust.credentials.is_empty());
}

#[test]
fn what_is_no_certificate_or_there_already_is_not_added() {
    let mut live = operated(TrustConfig::default());
    let ca = authority("CA");
    let pem = ca.certificate.to_pem();
    for wrong in [
        "",
        "nonsense",
        &pem[30..],
        &pem.replace("CERTIFICATE", "PRIVATE KEY"),
        &pem.repeat(2),
    ] {
        let outcome = operate(&mut live, "operator", ADD, &[("Certificate", wrong)]);
        assert_eq!(outcome, Err(INVALID_ARGUMENTS), "{wrong}");
    }
    assert_eq!(
        operate(&mut live, "operator", ADD, &[]),
        Err(INVALID_ARGUMENTS)
    );
    operate(
        &mut live,
        "operator",
        ADD,
        &[("Certificate", &pem), ("Alias", "one")],
    )
    .unwrap();
    let outcome = operate(&mut live, "operator", ADD, &[("Certificate", &pem)]);
    assert_eq!(outcome, Err(COMMAND_FAILED));
    let other = authority("Other").certificate.to_pem();
    let outcome = operate(
        &mut live,
        "operator",
        ADD,
        &[("Certificate", &other), ("Alias", "one")],
    );
    assert_eq!(outcome, Err(COMMAND_FAILED));
    let count = live.value("operator", "Device.LocalAgent.CertificateNumberOfEntries");
    assert_eq!(count, "1", "a failure leaves nothing");
}

#[test]
fn certificates_are_kept_up_to_a_number() {
    let mut live = operated(TrustConfig::default());
    for number in 0..crate::limits::CERTIFICATES_MAX {
        let pem = draft("x").serial(number as u64 + 1).self_signed().pem();
        operate(&mut live, "operator", ADD, &[("Certificate", &pem)]).unwrap();
    }
    let pem = draft("x").serial(1_000).self_signed().pem();
    let outcome = operate(&mut live, "operator", ADD, &[("Certificate", &pem)]);
    assert_eq!(outcome, Err(7005));
}

/// A Controller prepares its next certificate with the one that it has.
///
/// Proves: R-SEC.4
#[test]
fn a_controller_adds_a_certificate_for_itself_and_nobody_else() {
    let ca = authority("CA");
    let mut live = operated(trusting(&ca, true));
    live.arrive_over_tls(Some("vendor"), &[&issued("vendor", &ca)])
        .unwrap();
    let next = own("vendor");
    let pem = next.pem();
    let certificate = [("Certificate", &*pem)];
    let mine = "Device.LocalAgent.Controller.2.AddMyCertificate()";
    let others = "Device.LocalAgent.Controller.1.AddMyCertificate()";
    assert_eq!(
        operate(&mut live, "vendor", others, &certificate),
        Err(DENIED)
    );
    assert_eq!(
        operate(&mut live, "operator", mine, &certificate),
        Err(DENIED)
    );
    operate(&mut live, "vendor", mine, &certificate).unwrap();
    assert_eq!(
        row_of(&mut live, "vendor")["Credential"],
        "Device.LocalAgent.Certificate.2"
    );
    // One certificate takes no other's place.
    let pem = own("vendor").pem();
    operate(&mut live, "vendor", mine, &[("Certificate", &pem)]).unwrap();
    assert_eq!(
        row_of(&mut live, "vendor")["Credential"],
        "Device.LocalAgent.Certificate.2,Device.LocalAgent.Certificate.3"
    );
    // The authority is gone, the Controller is known all the same.
    live.response("operator", delete(&format!("{TRUST}Credential.1.")));
    live.arrive_over_tls(Some("vendor"), &[&next.certificate])
        .unwrap();
    assert!(!row_of(&mut live, "vendor").is_empty());
    assert!(can_read(&mut live, "vendor", OWN_ID));
}
