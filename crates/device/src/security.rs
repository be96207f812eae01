//! The certificates that the host is configured to show, from files and folders in PEM or DER.

use core::time::Duration;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use usphere_datamodel::FaultKind;
use usphere_datamodel::declare::{
    BOOLEAN, DATE_TIME, Numbering, Object, STRING, UNSIGNED_INT, Unit, object, parameter,
};
use usphere_datamodel::model::{OwnedChange, OwnerError, Phase, Snapshot};
use usphere_datamodel::types::list;
use usphere_trust::{Certificate, FingerprintAlgorithm};

use crate::clock::date_time;
use crate::files::{self, Unread, if_told};
use crate::limits::{CERTIFICATES_MAX, FILES_MAX};
use crate::objects::SYSTEM;
use crate::snapshot::{Value, row, value};
use crate::text::fit;

/// What the files hold; parsed anew each time.
pub(crate) const UNIT: Unit = Unit {
    name: "host.certificates",
    max_age: Duration::from_secs(60),
    numbering: Numbering::Kept,
    poll: Duration::from_secs(300),
    ..SYSTEM
};

/// Certificates of the host; those of USP are in `Device.LocalAgent.`
pub(crate) const SECURITY: Object =
    object("Device.Security.")
        .parameters(&[parameter("CertificateNumberOfEntries", UNSIGNED_INT).counts("Certificate")]);

/// One certificate. (TR-181 2.19)
pub(crate) const CERTIFICATE: Object = object("Device.Security.Certificate.{i}.")
    .unique(&[&["SerialNumber", "Issuer"]])
    .live(&UNIT)
    .parameters(&[
        parameter("Enable", BOOLEAN).writable(),
        parameter("LastModif", DATE_TIME),
        parameter("SerialNumber", STRING.max(64)),
        parameter("Issuer", STRING.max(256)),
        parameter("NotBefore", DATE_TIME),
        parameter("NotAfter", DATE_TIME),
        parameter("Subject", STRING.max(256)),
        parameter("SubjectAlt", STRING.list_max(256)),
    ]);

/// Where the rows are.
pub(crate) const TABLE: &str = "Device.Security.Certificate.";

/// Every certificate in `places`, each once; a folder is looked into, but not the folders in it.
///
/// # Errors
/// When one of the places cannot be read, other than because it is kept from this process.
pub(crate) fn fetch(places: &[PathBuf]) -> Result<Snapshot, Unread> {
    let mut found = BTreeMap::new();
    for place in places {
        if place.is_dir() {
            for file in if_told(files::list(place, FILES_MAX))? {
                read(&file, &mut found)?;
            }
        } else {
            read(place, &mut found)?;
        }
    }
    let rows = found.into_iter();
    Ok(Snapshot {
        objects: rows
            .map(|(key, values)| row(&CERTIFICATE, vec![key], values))
            .collect(),
    })
}

/// Certificates are in use or not as the host is configured: only what is so can be wished.
///
/// # Errors
/// When anything else is.
pub(crate) fn change(phase: Phase, change: &OwnedChange) -> Result<(), OwnerError> {
    match change {
        OwnedChange::Set { value, .. } if phase == Phase::Undo || value == "true" => Ok(()),
        _ => Err(OwnerError {
            kind: FaultKind::WriteForbidden,
            text: "certificates of the host are configured by the host itself, not by this Agent"
                .to_owned(),
        }),
    }
}

/// Takes in what is in one file, unless it is no certificate at all.
fn read(file: &Path, found: &mut BTreeMap<String, Vec<Value>>) -> Result<(), Unread> {
    // A folder in a folder, or a key beside a certificate, is nothing to read.
    let Some(bytes) = if_told(files::long_bytes(file))? else {
        return Ok(());
    };
    let modified = fs::metadata(file).and_then(|metadata| metadata.modified());
    let modified = seconds(modified.unwrap_or(UNIX_EPOCH));
    for certificate in certificates(&bytes) {
        if found.len() >= CERTIFICATES_MAX {
            break;
        }
        let key = certificate.fingerprint(FingerprintAlgorithm::Sha256);
        found
            .entry(key)
            .or_insert_with(|| show(&certificate, modified));
    }
    Ok(())
}

fn certificates(bytes: &[u8]) -> Vec<Certificate> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Certificate::from_der(bytes).into_iter().collect();
    };
    let blocks = text.match_indices(BEGIN).filter_map(|(at, _)| {
        let block = &text[at..];
        let end = block.find(END)? + END.len();
        Certificate::from_pem(&block[..end]).ok()
    });
    blocks.take(CERTIFICATES_MAX).collect()
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

fn show(certificate: &Certificate, modified: i64) -> Vec<Value> {
    let validity = certificate.validity();
    let endpoints = certificate.endpoint_names().iter().map(ToString::to_string);
    let names = certificate.dns_names().iter().cloned();
    let mut names: Vec<String> = endpoints
        .chain(names)
        .map(|name| fit(name.as_bytes(), 256))
        .collect();
    let joined = loop {
        let joined = list::join(names.iter().map(String::as_str));
        if joined.chars().count() <= 256 {
            break joined;
        }
        names.pop();
    };
    vec![
        value("Enable", "true"),
        value("LastModif", date_time(modified)),
        value(
            "SerialNumber",
            fit(certificate.serial_number().as_bytes(), 64),
        ),
        value("Issuer", fit(certificate.issuer().as_bytes(), 256)),
        value("NotBefore", date_time(validity.not_before)),
        value("NotAfter", date_time(validity.not_after)),
        value("Subject", fit(certificate.subject().as_bytes(), 256)),
        value("SubjectAlt", joined),
    ]
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
