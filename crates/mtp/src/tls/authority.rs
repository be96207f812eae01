//! A small certificate authority, so that anybody can have mutual TLS: it makes itself, and the
//! certificates of Endpoints. What it makes is in PEM form; where that is kept is the caller's matter.

use std::net::IpAddr;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use time::OffsetDateTime;
use usphere_proto::{EndpointId, Scheme};

use super::files;
use super::identity::{Identity, IdentityError, certificates};

/// Most characters of a common name. (RFC 5280, ub-common-name)
const COMMON_NAME_MAX: usize = 64;

/// A CA that is ready to sign.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its private key, both PEM. The key is nobody's but the owner's.
#[derive(Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its key, PKCS#8.
    pub key: String,
}

/// Whom a certificate is for.
#[derive(Clone, Debug, Default)]
pub struct Holder {
    /// The Endpoint IDs, at least one; they stand in subjectAltName as URNs, one of the scheme `fqdn`
    /// as dNSName too. (R-SEC.0a) A wildcard in one makes it the certificate of many. (R-SEC.11)
    pub endpoints: Vec<EndpointId>,
    /// Names of the hosts where it is reached; `*.` before a domain stands for every name in it.
    pub dns_names: Vec<String>,
    /// Addresses where it is reached.
    pub addresses: Vec<IpAddr>,
}

/// From when to when a certificate is valid, in seconds since 1970 began in UTC.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    /// The first second.
    pub not_before: i64,
    /// The last second.
    pub not_after: i64,
}

impl Authority {
    /// Makes a CA of this name, which signs itself.
    ///
    /// # Errors
    /// [`IdentityError`] when the name or the term cannot stand in a certificate.
    pub fn make(name: &str, term: Term) -> Result<Issued, IdentityError> {
        let mut params = params(name, term)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(unmade)?;
        let certificate = params.self_signed(&key).map_err(unmade)?;
        Ok(Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// Takes up the CA whose certificate and key, both PEM, are in these files.
    ///
    /// # Errors
    /// [`IdentityError`], also where others than its owner may read the key.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, IdentityError> {
        let wrong = |path: &Path, reason: String| IdentityError::Content {
            path: path.to_owned(),
            reason,
        };
        let chain = certificates(certificate)?;
        let pem = String::from_utf8_lossy(&files::read_private(key)?).into_owned();
        let pair = KeyPair::from_pem(&pem)
            .map_err(|error| wrong(key, format!("no private key to sign with: {error}")))?;
        let [own, ..] = &chain[..] else {
            return Err(wrong(certificate, "no certificate is in it".to_owned()));
        };
        let public = pair.public_key_raw();
        if !own.windows(public.len()).any(|window| window == public) {
            let reason = format!("not the key of the CA in {}", certificate.display());
            return Err(wrong(key, reason));
        }
        let issuer = Issuer::from_ca_cert_der(own, pair)
            .map_err(|error| wrong(certificate, error.to_string()))?;
        if !issuer.key_usages().contains(&KeyUsagePurpose::KeyCertSign) {
            return Err(wrong(
                certificate,
                "not a CA: it may not sign certificates".to_owned(),
            ));
        }
        Ok(Self { issuer })
    }

    /// Makes a key, and a certificate for its holder, good for both ends of TLS.
    ///
    /// # Errors
    /// [`IdentityError`] when a name or the term cannot stand in a certificate.
    pub fn issue(&self, holder: &Holder, term: Term) -> Result<Issued, IdentityError> {
        let name = holder
            .endpoints
            .first()
            .ok_or_else(|| IdentityError::Unmade("it needs an Endpoint ID at least".to_owned()))?;
        let mut params = params(name.as_str(), term)?;
        params.subject_alt_names = alternative_names(holder)?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().map_err(unmade)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(unmade)?;
        Ok(Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

impl Issued {
    /// Makes a certificate that nobody vouches for, for one Endpoint. (R-SEC.5)
    ///
    /// # Errors
    /// [`IdentityError`] when the Endpoint ID cannot stand in a certificate.
    pub fn self_signed(id: &EndpointId, term: Term) -> Result<Self, IdentityError> {
        let holder = Holder {
            endpoints: vec![id.clone()],
            ..Holder::default()
        };
        Self::self_signed_by(id, &holder, term)
    }

    /// As [`Self::self_signed`], for an Endpoint that is reached where `holder` says.
    ///
    /// # Errors
    /// [`IdentityError`] when something cannot stand in a certificate.
    pub fn self_signed_by(
        id: &EndpointId,
        holder: &Holder,
        term: Term,
    ) -> Result<Self, IdentityError> {
        let mut params = params(id.as_str(), term)?;
        params.subject_alt_names = alternative_names(holder)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().map_err(unmade)?;
        let certificate = params.self_signed(&key).map_err(unmade)?;
        Ok(Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// Both as an identity, without any file.
    ///
    /// # Errors
    /// [`IdentityError`] when they are not those of an Endpoint.
    pub fn identity(&self) -> Result<Identity, IdentityError> {
        Identity::from_pem(self.certificate.as_bytes(), self.key.as_bytes())
    }

    /// Writes both to files that are wholly there or not at all: the certificate for all to read, the
    /// key for its owner only. Where one cannot be written, what was there before is there again.
    ///
    /// # Errors
    /// [`IdentityError`] names the file that could not be written.
    pub fn write(&self, certificate: &Path, key: &Path) -> Result<(), IdentityError> {
        let public = (certificate, self.certificate.as_bytes());
        files::write_pair(public, (key, self.key.as_bytes()))
    }
}

fn params(name: &str, term: Term) -> Result<CertificateParams, IdentityError> {
    let moment = |seconds| {
        OffsetDateTime::from_unix_timestamp(seconds).map_err(|error| {
            IdentityError::Unmade(format!("{seconds} s since 1970 is no date: {error}"))
        })
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let name: String = name.chars().take(COMMON_NAME_MAX).collect();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = moment(term.not_before)?;
    params.not_after = moment(term.not_after)?;
    Ok(params)
}

fn alternative_names(holder: &Holder) -> Result<Vec<SanType>, IdentityError> {
    let mut names = Vec::new();
    for id in &holder.endpoints {
        let urn = id.to_urn();
        names.push(SanType::URI(urn.as_str().try_into().map_err(unmade)?));
    }
    let domains = holder
        .endpoints
        .iter()
        .filter(|id| id.scheme() == Some(Scheme::Fqdn));
    let domains = domains.map(EndpointId::instance_id);
    for name in domains.chain(holder.dns_names.iter().map(String::as_str)) {
        names.push(SanType::DnsName(name.try_into().map_err(unmade)?));
    }
    names.extend(
        holder
            .addresses
            .iter()
            .map(|address| SanType::IpAddress(*address)),
    );
    Ok(names)
}

fn unmade(error: rcgen::Error) -> IdentityError {
    IdentityError::Unmade(error.to_string())
}
