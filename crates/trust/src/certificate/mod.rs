//! X.509 certificates, read once into what the charts ask for. (RFC 5280)

mod fingerprint;
mod names;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use usphere_proto::{EndpointId, Scheme};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::{OID_PKCS1_SHA1WITHRSA, OID_SHA1_WITH_RSA};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::limits::{CERTIFICATE_BYTES_MAX, NAMES_MAX, QUOTED_CHARACTERS_MAX};

pub use fingerprint::FingerprintAlgorithm;
pub use names::EndpointName;

/// A certificate; cheap to clone. Two are equal when they are the same bytes.
#[derive(Clone)]
pub struct Certificate(Arc<Content>);

struct Content {
    der: Box<[u8]>,
    sha256: [u8; 32],
    subject: String,
    issuer: String,
    subject_name: Box<[u8]>,
    issuer_name: Box<[u8]>,
    serial: Box<[u8]>,
    validity: Validity,
    endpoints: Vec<EndpointName>,
    dns_names: Vec<String>,
    addresses: Vec<IpAddr>,
    authority: Option<Authority>,
    /// The critical extension that is not understood here.
    unknown: Option<String>,
}

/// From when to when a certificate is valid, both ends included, in seconds since 1970 began in UTC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    /// The first second.
    pub not_before: i64,
    /// The last second.
    pub not_after: i64,
}

impl Validity {
    /// Whether `time` lies in it.
    pub fn contains(self, time: i64) -> bool {
        (self.not_before..=self.not_after).contains(&time)
    }
}

/// That a certificate may sign others.
#[derive(Clone, Copy, Debug)]
struct Authority {
    /// How many certificates of authorities may stand between it and the last one.
    path_length_max: Option<u32>,
}

impl Certificate {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// When it is none, or is larger than [`limits`](crate::limits) allow.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > CERTIFICATE_BYTES_MAX {
            return Err(CertificateError::TooLarge { bytes: der.len() });
        }
        let malformed = |reason: String| CertificateError::Malformed { reason };
        let (rest, parsed) =
            X509Certificate::from_der(der).map_err(|error| malformed(error.to_string()))?;
        if !rest.is_empty() {
            return Err(malformed(format!("{} bytes follow it", rest.len())));
        }
        if parsed.signature_algorithm != parsed.tbs_certificate.signature {
            return Err(malformed(
                "it names two different signature algorithms".to_owned(),
            ));
        }
        if parsed.extensions_map().is_err() {
            return Err(malformed("it has an extension twice".to_owned()));
        }
        let mut names = Names::default();
        let mut authority = None;
        let mut signs = true;
        let mut unknown = None;
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(found) => {
                    if found.general_names.len() > NAMES_MAX {
                        return Err(CertificateError::TooManyNames {
                            names: found.general_names.len(),
                        });
                    }
                    found.general_names.iter().for_each(|name| names.take(name));
                }
                ParsedExtension::BasicConstraints(found) => {
                    authority = found.ca.then_some(Authority {
                        path_length_max: found.path_len_constraint,
                    });
                }
                ParsedExtension::KeyUsage(found) => signs = found.key_cert_sign(),
                ParsedExtension::CertificatePolicies(_) | ParsedExtension::ExtendedKeyUsage(_) => {}
                _ if extension.critical => unknown = Some(extension.oid.to_id_string()),
                _ => {}
            }
        }
        let validity = Validity {
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
        };
        Ok(Self(Arc::new(Content {
            der: der.into(),
            sha256: fingerprint::sha256(der),
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            subject_name: parsed.subject().as_raw().into(),
            issuer_name: parsed.issuer().as_raw().into(),
            serial: parsed.raw_serial().into(),
            validity,
            endpoints: names.endpoints,
            dns_names: names.dns_names,
            addresses: names.addresses,
            authority: authority.filter(|_| signs),
            unknown,
        })))
    }

    /// Reads the one certificate in a PEM text. (RFC 7468)
    ///
    /// # Errors
    /// When there is none, or more than one, or it cannot be read.
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        if text.len() > 4 * CERTIFICATE_BYTES_MAX {
            return Err(CertificateError::TooLarge { bytes: text.len() });
        }
        let reason = |reason: &str| CertificateError::Pem {
            reason: reason.to_owned(),
        };
        let (rest, pem) = parse_x509_pem(text.as_bytes())
            .map_err(|_| reason("expected \"-----BEGIN CERTIFICATE-----\", base64, and its end"))?;
        if pem.label != "CERTIFICATE" {
            return Err(reason("expected a CERTIFICATE, this is something else"));
        }
        if rest.windows(5).any(|window| window == b"-----") {
            return Err(reason("expected one certificate, there is more in it"));
        }
        Self::from_der(&pem.contents)
    }

    /// The certificate itself.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The certificate in PEM.
    pub fn to_pem(&self) -> String {
        let text = STANDARD.encode(&self.0.der);
        let lines = text.as_bytes().chunks(64);
        let lines: String = lines
            .map(|line| format!("{}\n", String::from_utf8_lossy(line)))
            .collect();
        format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
    }

    /// Its fingerprint, in upper case hexadecimal digits.
    pub fn fingerprint(&self, algorithm: FingerprintAlgorithm) -> String {
        algorithm.of(&self.0.der)
    }

    /// Its SHA-256.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.0.sha256
    }

    /// Whose it is, for people and for TR-181.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Who has signed it, for people and for TR-181.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Its serial number, in upper case hexadecimal digits.
    pub fn serial_number(&self) -> String {
        let serial = &self.0.serial;
        let padding = serial.iter().take_while(|byte| **byte == 0).count();
        let padding = padding.min(serial.len().saturating_sub(1));
        fingerprint::hex(&serial[padding..])
    }

    /// When it is valid.
    pub fn validity(&self) -> Validity {
        self.0.validity
    }

    /// The Endpoint IDs in its subjectAltName.
    pub fn endpoint_names(&self) -> &[EndpointName] {
        &self.0.endpoints
    }

    /// The host names in its subjectAltName, wildcards included.
    pub fn dns_names(&self) -> &[String] {
        &self.0.dns_names
    }

    /// The addresses of hosts in its subjectAltName.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.0.addresses
    }

    /// Whether it is the certificate of an authority: it may sign others.
    pub fn is_authority(&self) -> bool {
        self.0.authority.is_some()
    }

    /// Whether it is signed with its own key.
    pub fn is_self_signed(&self) -> bool {
        self.names_issuer(self) && self.verify(self)
    }

    /// Whether it authenticates the Endpoint `id`: by the URN of the ID, or for the scheme `fqdn` by a host
    /// name without a wildcard. (R-SEC.0a, R-ARC.4a)
    pub fn authenticates(&self, id: &EndpointId) -> bool {
        let by_urn = || self.0.endpoints.iter().any(|name| name.matches(id));
        let by_name = || {
            let host = id.instance_id();
            let mut names = self.0.dns_names.iter();
            id.scheme() == Some(Scheme::Fqdn)
                && id.authority_id().is_empty()
                && names.any(|name| !name.contains('*') && names::permits(name, host))
        };
        by_urn() || by_name()
    }

    /// Whether it names any Endpoint at all. (R-SEC.0a)
    pub fn names_an_endpoint(&self) -> bool {
        !self.0.endpoints.is_empty() || !self.0.dns_names.is_empty()
    }

    /// Whether it is good for a server at `host`, a host name or an address. (RFC 6125)
    pub fn permits_host(&self, host: &str) -> bool {
        match host.parse::<IpAddr>() {
            Ok(address) => self.0.addresses.contains(&address),
            Err(_) => {
                let mut names = self.0.dns_names.iter();
                names.any(|name| names::permits(name, host))
            }
        }
    }

    /// Why it cannot be used at all, where that is so: a critical extension that is not understood.
    pub(crate) fn unknown_extension(&self) -> Option<&str> {
        self.0.unknown.as_deref()
    }

    /// Whether it says that `issuer` has signed it.
    pub(crate) fn names_issuer(&self, issuer: &Self) -> bool {
        self.0.issuer_name == issuer.0.subject_name
    }

    /// The name of who has signed it, and its own number there.
    pub(crate) fn issuer_and_serial(&self) -> (&[u8], &[u8]) {
        (&self.0.issuer_name, &self.0.serial)
    }

    /// The name of its owner as it stands in the certificate.
    pub(crate) fn subject_name(&self) -> &[u8] {
        &self.0.subject_name
    }

    /// Whether it may sign a certificate with `below` authorities between that one and the last.
    pub(crate) fn may_sign(&self, below: usize) -> bool {
        let longest = |authority: &Authority| {
            authority
                .path_length_max
                .is_none_or(|most| below <= usize::try_from(most).unwrap_or(usize::MAX))
        };
        self.0.unknown.is_none() && self.0.authority.as_ref().is_some_and(longest)
    }

    /// Whether its signature was made with the key of `issuer`. Signatures over SHA-1 prove nothing.
    pub(crate) fn verify(&self, issuer: &Self) -> bool {
        let (Ok((_, own)), Ok((_, issuer))) = (
            X509Certificate::from_der(&self.0.der),
            X509Certificate::from_der(&issuer.0.der),
        ) else {
            return false;
        };
        let algorithm = &own.signature_algorithm.algorithm;
        let weak = *algorithm == OID_PKCS1_SHA1WITHRSA || *algorithm == OID_SHA1_WITH_RSA;
        !weak && own.verify_signature(Some(issuer.public_key())).is_ok()
    }
}

/// The names in a subjectAltName that mean something here.
#[derive(Default)]
struct Names {
    endpoints: Vec<EndpointName>,
    dns_names: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Names {
    fn take(&mut self, name: &GeneralName<'_>) {
        match name {
            GeneralName::DNSName(name) => self.dns_names.push((*name).to_owned()),
            GeneralName::IPAddress(bytes) => self.addresses.extend(address(bytes)),
            GeneralName::URI(uri) => self.endpoints.extend(EndpointName::from_urn(uri)),
            _ => {}
        }
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let sixteen = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| sixteen()).ok()
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.sha256 == other.0.sha256 && self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({self})")
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(&self.0.subject))
    }
}

/// A name of a certificate, cut to what a message can bear, without control characters.
pub(crate) fn quoted(name: &str) -> String {
    if name.is_empty() {
        return "(no name)".to_owned();
    }
    let mut characters = name.chars();
    let mut text: String = characters
        .by_ref()
        .take(QUOTED_CHARACTERS_MAX)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if characters.next().is_some() {
        text.push('…');
    }
    text
}

/// Why something is no certificate that can be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CertificateError {
    /// It is no X.509 certificate.
    #[error("not a certificate: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// It is no PEM text of one certificate.
    #[error("not a certificate in PEM: {reason}")]
    Pem {
        /// What is wrong.
        reason: String,
    },
    /// It is larger than any certificate needs to be.
    #[error("the certificate has {bytes} bytes, at most {CERTIFICATE_BYTES_MAX} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It has more names than are looked at.
    #[error("the certificate has {names} names, at most {NAMES_MAX} are read")]
    TooManyNames {
        /// Their number.
        names: usize,
    },
}
