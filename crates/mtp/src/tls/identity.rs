//! Our own certificate and key: from PEM files, or made for ourselves and kept.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ProducesTickets;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use usphere_proto::EndpointId;
use usphere_trust::{Certificate, CertificateError};

use super::authority::{Issued, Term};
use super::files;
use crate::limits::TLS_CHAIN_CERTIFICATES_MAX;

/// The term of what we make for ourselves: a device may have no time when it makes it. From 2000 to
/// the end of time as certificates know it. (RFC 5280 4.1.2.5)
const UNBOUND: Term = Term {
    not_before: 946_684_800,
    not_after: 253_402_300_799,
};

/// A certificate with the chain up to its CA, and its key.
#[derive(Clone)]
pub struct Identity {
    pub(super) key: Arc<CertifiedKey>,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// What a file holds cannot be used.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others may read the key.
    #[error("{}: its mode is {mode:04o}, so others than its owner may use this private key; chmod 600 makes it private", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A certificate cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Unmade(String),
}

impl Identity {
    /// Reads a certificate with its chain, the leaf first, and its private key (PKCS#8, SEC1 or
    /// PKCS#1), both PEM. They may be one file.
    ///
    /// # Errors
    /// [`IdentityError`], also where others than its owner may read the key.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, IdentityError> {
        let wrong = |path: &Path, reason: String| IdentityError::Content {
            path: path.to_owned(),
            reason,
        };
        let chain = certificates(certificate)?;
        let pem = files::read_private(key)?;
        let private = PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|_| wrong(key, "no private key in PEM form is in it".to_owned()))?;
        let certified =
            CertifiedKey::from_der(chain, private, &provider()).map_err(|error| match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => wrong(
                    key,
                    format!(
                        "not the key of the certificate in {}",
                        certificate.display()
                    ),
                ),
                error => wrong(key, error.to_string()),
            })?;
        Ok(Self {
            key: Arc::new(certified),
        })
    }

    /// A certificate and its key, both PEM, as they were just made.
    ///
    /// # Errors
    /// [`IdentityError::Unmade`].
    pub(super) fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let unmade = |error: &dyn fmt::Display| IdentityError::Unmade(error.to_string());
        let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<_, _>>();
        let chain = chain.map_err(|error| unmade(&error))?;
        let private = PrivateKeyDer::from_pem_slice(key).map_err(|error| unmade(&error))?;
        let certified = CertifiedKey::from_der(chain, private, &provider());
        Ok(Self {
            key: Arc::new(certified.map_err(|error| unmade(&error))?),
        })
    }

    /// The self-signed identity of `id` that is kept in `path`; it is made if there is none, or one
    /// of another Endpoint. It has no end. (R-SEC.5)
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn kept(path: &Path, id: &EndpointId) -> Result<Self, IdentityError> {
        if path.exists() {
            let kept = Self::from_files(path, path)?;
            if kept.names(id) {
                return Ok(kept);
            }
        }
        let made = Issued::self_signed(id, UNBOUND)?;
        files::write_private(path, format!("{}{}", made.certificate, made.key).as_bytes())?;
        Self::from_files(path, path)
    }

    /// The certificate and its chain, the leaf first.
    ///
    /// # Errors
    /// When one of them cannot be read, which was found out before.
    pub fn certificates(&self) -> Result<Vec<Certificate>, CertificateError> {
        let chain = self.key.cert.iter();
        chain.map(|der| Certificate::from_der(der)).collect()
    }

    fn names(&self, id: &EndpointId) -> bool {
        let leaf = self.key.cert.first();
        let leaf = leaf.and_then(|leaf| Certificate::from_der(leaf).ok());
        leaf.is_some_and(|leaf| leaf.authenticates(id))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.key.cert.len())
            .finish_non_exhaustive()
    }
}

/// The certificates of authorities in a PEM file, at least one.
///
/// # Errors
/// [`IdentityError`] when there is none, too many, or something that is none.
pub fn authorities(path: &Path) -> Result<Vec<Certificate>, IdentityError> {
    let read = |der: &CertificateDer<'_>| {
        Certificate::from_der(der).map_err(|error| IdentityError::Content {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    };
    certificates(path)?.iter().map(read).collect()
}

/// The certificates of a PEM file, at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let wrong = |reason: String| IdentityError::Content {
        path: path.to_owned(),
        reason,
    };
    let pem = files::read(path)?;
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| wrong(format!("not PEM: {error}")))?;
        Certificate::from_der(&certificate).map_err(|error| wrong(error.to_string()))?;
        found.push(certificate);
    }
    if found.is_empty() {
        return Err(wrong("no certificate in PEM form is in it".to_owned()));
    }
    if found.len() > TLS_CHAIN_CERTIFICATES_MAX {
        return Err(wrong(format!(
            "{} certificates, at most {TLS_CHAIN_CERTIFICATES_MAX} are allowed",
            found.len()
        )));
    }
    Ok(found)
}

/// Who computes for TLS; nothing is installed for the whole process.
pub(super) fn provider() -> CryptoProvider {
    #[cfg(feature = "aws-lc-rs")]
    return rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc-rs"))]
    return rustls::crypto::ring::default_provider();
}

/// The keys of session tickets, which change by themselves.
pub(super) fn tickets() -> Result<Arc<dyn ProducesTickets>, Error> {
    #[cfg(feature = "aws-lc-rs")]
    return rustls::crypto::aws_lc_rs::Ticketer::new();
    #[cfg(not(feature = "aws-lc-rs"))]
    return rustls::crypto::ring::Ticketer::new();
}
