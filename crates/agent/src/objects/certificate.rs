//! The certificates that Controllers and authorities are known by.

use usphere_datamodel::declare::{BASE64, BOOLEAN, Object, STRING, command, object, parameter};
use usphere_datamodel::types::ALIAS;

/// The certificate itself, in DER. Its other parameters are read from it when it is added.
pub(crate) const DER: &str = "X_USPHERE_Certificate";

/// The path of a row.
pub(super) const CERTIFICATE_TABLE: &str = "Device.LocalAgent.Certificate.{i}.";

/// One row is one certificate of a Controller or of an authority. It means something where a Controller or a
/// Credential refers to it. (TR-181 2.19)
pub(super) const CERTIFICATE: Object = object(CERTIFICATE_TABLE)
    .unique(&[&["SerialNumber", "Issuer"], &["Alias"]])
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Enable", BOOLEAN).writable(),
        parameter("SerialNumber", STRING.max(64)),
        parameter("Issuer", STRING.max(256)),
        parameter(DER, BASE64),
    ])
    .commands(&[
        command("Delete()"),
        command("GetFingerprint()")
            .input(&["FingerprintAlgorithm"])
            .mandatory(&["FingerprintAlgorithm"])
            .output(&["Fingerprint"]),
    ]);
