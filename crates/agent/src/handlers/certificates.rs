//! The commands on certificates: AddCertificate(), AddMyCertificate(), Delete() and GetFingerprint().
//! (TR-181 2.19)

use std::collections::BTreeMap;

use usphere_datamodel::limits::Clipped;
use usphere_datamodel::model::Outputs;
use usphere_datamodel::{Fault, FaultKind, ObjectId, Transaction};
use usphere_trust::{Certificate, FingerprintAlgorithm};

use super::Caller;
use crate::engine::seed::find;
use crate::engine::trust::{add_certificate, refer_to, store};
use crate::lockout;

const LOCAL_AGENT: &str = "Device.LocalAgent.";

/// Adds a certificate that nobody refers to yet.
pub(super) fn add(
    transaction: &mut Transaction<'_>,
    command: &str,
    arguments: &BTreeMap<String, String>,
) -> Result<Outputs, Fault> {
    added(transaction, command, arguments)?;
    Ok(Outputs::new())
}

/// Adds a certificate of the Controller that asks, and nobody else's.
pub(super) fn add_mine(
    transaction: &mut Transaction<'_>,
    controller: ObjectId,
    command: &str,
    arguments: &BTreeMap<String, String>,
    caller: &Caller,
) -> Result<Outputs, Fault> {
    if !caller.authenticated || transaction.path(controller) != caller.controller {
        let text =
            "a Controller adds certificates for itself only, and over a connection that proves it";
        return Err(Fault::new(FaultKind::Denied, command, text));
    }
    let certificate = added(transaction, command, arguments)?;
    refer_to(transaction, controller, certificate)?;
    Ok(Outputs::new())
}

/// Deletes a certificate. What refers to it is emptied: nobody is trusted by it any more.
pub(super) fn delete(
    transaction: &mut Transaction<'_>,
    certificate: ObjectId,
) -> Result<Outputs, Fault> {
    lockout::prevent(transaction, |transaction| {
        transaction.delete_row(certificate)
    })??;
    Ok(Outputs::new())
}

/// The fingerprint of a certificate.
pub(super) fn fingerprint(
    transaction: &mut Transaction<'_>,
    row: ObjectId,
    command: &str,
    arguments: &BTreeMap<String, String>,
) -> Result<Outputs, Fault> {
    let name = argument(arguments, "FingerprintAlgorithm");
    let algorithm = FingerprintAlgorithm::from_name(name).ok_or_else(|| {
        let name = Clipped::new(name);
        let text = format!(
            "FingerprintAlgorithm: {name} is none of Device.LocalAgent.SupportedFingerprintAlgorithms"
        );
        Fault::new(FaultKind::ArgumentInvalid, command, text)
    })?;
    let certificate = store::certificate(transaction, row).ok_or_else(|| {
        let text = "the certificate cannot be read";
        Fault::new(FaultKind::CommandFailed, command, text)
    })?;
    let fingerprint = certificate.fingerprint(algorithm);
    Ok(Outputs::from([("Fingerprint".to_owned(), fingerprint)]))
}

fn added(
    transaction: &mut Transaction<'_>,
    command: &str,
    arguments: &BTreeMap<String, String>,
) -> Result<ObjectId, Fault> {
    let certificate =
        Certificate::from_pem(argument(arguments, "Certificate")).map_err(|error| {
            let text = format!("Certificate: {error}");
            Fault::new(FaultKind::ArgumentInvalid, command, text)
        })?;
    let agent = find(transaction, LOCAL_AGENT)?;
    let alias = arguments.get("Alias").map(String::as_str);
    let start = transaction.savepoint();
    add_certificate(transaction, agent, &certificate, alias).map_err(|fault| {
        transaction.rollback(start);
        match fault.kind {
            FaultKind::UniqueKeyConflict => {
                let text = "there is a certificate with this Alias, or with this SerialNumber and Issuer; \
                            the latter has to be deleted first";
                Fault::new(FaultKind::CommandFailed, command, text)
            }
            _ => fault,
        }
    })
}

fn argument<'a>(arguments: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    arguments.get(name).map(String::as_str).unwrap_or_default()
}
