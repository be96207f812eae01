//! Certificate revocation lists. (RFC 5280, section 5)

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use crate::certificate::Certificate;
use crate::limits::REVOCATION_LIST_BYTES_MAX;

/// A list of certificates that their authority has revoked; cheap to clone.
#[derive(Clone)]
pub struct RevocationList(Arc<List>);

#[derive(Eq, PartialEq)]
struct List {
    der: Box<[u8]>,
    issuer: Box<[u8]>,
    serials: BTreeSet<Box<[u8]>>,
}

/// Why something is no revocation list.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RevocationError {
    /// It is none.
    #[error("not a certificate revocation list: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// It is larger than what is read.
    #[error("the revocation list has {bytes} bytes, at most {REVOCATION_LIST_BYTES_MAX} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

impl RevocationList {
    /// Reads a list in DER. Who has signed it is looked at when it counts.
    ///
    /// # Errors
    /// When it is none, or too large.
    pub fn from_der(der: &[u8]) -> Result<Self, RevocationError> {
        if der.len() > REVOCATION_LIST_BYTES_MAX {
            return Err(RevocationError::TooLarge { bytes: der.len() });
        }
        let (rest, parsed) = CertificateRevocationList::from_der(der).map_err(|error| {
            RevocationError::Malformed {
                reason: error.to_string(),
            }
        })?;
        if !rest.is_empty() {
            let reason = format!("{} bytes follow it", rest.len());
            return Err(RevocationError::Malformed { reason });
        }
        let serials = parsed
            .iter_revoked_certificates()
            .map(|revoked| revoked.raw_serial().into());
        Ok(Self(Arc::new(List {
            der: der.into(),
            issuer: parsed.issuer().as_raw().into(),
            serials: serials.collect(),
        })))
    }

    /// The list itself.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// Whether `certificate` stands in the list.
    pub(crate) fn lists(&self, certificate: &Certificate) -> bool {
        let (issuer, serial) = certificate.issuer_and_serial();
        *self.0.issuer == *issuer && self.0.serials.contains(serial)
    }

    /// Whether `authority` has signed the list: one that it did not sign revokes nothing of its own.
    pub(crate) fn is_signed_by(&self, authority: &Certificate) -> bool {
        if *self.0.issuer != *authority.subject_name() {
            return false;
        }
        let (Ok((_, list)), Ok((_, authority))) = (
            CertificateRevocationList::from_der(&self.0.der),
            X509Certificate::from_der(authority.der()),
        ) else {
            return false;
        };
        list.verify_signature(authority.public_key()).is_ok()
    }
}

impl PartialEq for RevocationList {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for RevocationList {}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RevocationList({} certificates)", self.0.serials.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::authority;

    #[test]
    fn lists_are_equal_when_they_are_the_same_bytes() {
        let (one, other) = (authority("One"), authority("Other"));
        let list = one.revokes(&[1, 2]);
        assert_eq!(list.clone(), list);
        assert_eq!(RevocationList::from_der(list.der()).unwrap(), list);
        assert_ne!(one.revokes(&[1]), list);
        assert_ne!(other.revokes(&[1, 2]), list);
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        let bytes = vec![0x30; REVOCATION_LIST_BYTES_MAX + 2];
        let read = |bytes: &[u8]| RevocationList::from_der(bytes).unwrap_err();
        for size in [REVOCATION_LIST_BYTES_MAX + 1, REVOCATION_LIST_BYTES_MAX + 2] {
            assert_eq!(
                read(&bytes[..size]),
                RevocationError::TooLarge { bytes: size }
            );
        }
        let most = read(&bytes[..REVOCATION_LIST_BYTES_MAX]);
        assert!(matches!(most, RevocationError::Malformed { .. }), "{most}");
    }
}
