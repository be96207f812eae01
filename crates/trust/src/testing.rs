//! Certificates for tests: authorities, what they sign, and what they revoke.
//!
//! Nothing here belongs into a product. What a test gets wrong panics.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension,
    DistinguishedName, DnType, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use usphere_proto::EndpointId;

use crate::{Certificate, Chain, RevocationList};

/// A moment at which certificates are valid, unless their draft says something else.
pub const NOW: i64 = 1_800_000_000;

const FROM: i64 = 1_700_000_000;
const UNTIL: i64 = 1_900_000_000;

/// What a certificate is to say.
pub struct Draft(pub(crate) CertificateParams);

/// A certificate and its key.
pub struct Issued {
    /// The certificate.
    pub certificate: Certificate,
    /// Its private key in PKCS #8, DER.
    pub key: Vec<u8>,
}

/// Somebody who signs certificates.
pub struct Authority {
    /// The authority's own.
    pub certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// Begins a certificate with this common name.
pub fn draft(name: &str) -> Draft {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    Draft(params).valid(FROM, UNTIL)
}

/// An authority that has signed itself.
pub fn authority(name: &str) -> Authority {
    draft(name).authority()
}

/// The chain of these certificates, the peer's own first.
pub fn chain(certificates: &[&Certificate]) -> Chain {
    let ders: Vec<&[u8]> = certificates
        .iter()
        .map(|certificate| certificate.der())
        .collect();
    Chain::from_der(&ders).expect("the chain is readable")
}

impl Draft {
    /// With the URN of this Endpoint ID.
    pub fn endpoint(self, id: &EndpointId) -> Self {
        let urn = id.to_urn();
        self.uri(&urn)
    }

    /// With this URI.
    pub fn uri(mut self, uri: &str) -> Self {
        let uri = uri.try_into().expect("a URI is ASCII");
        self.0.subject_alt_names.push(SanType::URI(uri));
        self
    }

    /// With this host name.
    pub fn dns(mut self, name: &str) -> Self {
        let name = name.try_into().expect("a name is ASCII");
        self.0.subject_alt_names.push(SanType::DnsName(name));
        self
    }

    /// With this address.
    pub fn address(mut self, address: &str) -> Self {
        let address = address.parse().expect("an address");
        self.0.subject_alt_names.push(SanType::IpAddress(address));
        self
    }

    /// Valid from and until these seconds since 1970.
    pub fn valid(mut self, from: i64, until: i64) -> Self {
        let moment = |seconds: i64| {
            let seconds = u64::try_from(seconds).expect("after 1970");
            date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
        };
        (self.0.not_before, self.0.not_after) = (moment(from), moment(until));
        self
    }

    /// With this serial number.
    pub fn serial(mut self, serial: u64) -> Self {
        self.0.serial_number = Some(SerialNumber::from(serial));
        self
    }

    /// With a critical extension that nobody knows.
    pub fn critical(mut self, oid: &[u64]) -> Self {
        let mut extension = CustomExtension::from_oid_content(oid, vec![5, 0]);
        extension.set_criticality(true);
        self.0.custom_extensions.push(extension);
        self
    }

    /// As an authority below which at most so many others may stand.
    pub fn path_length(mut self, most: u8) -> Self {
        self.0.is_ca = IsCa::Ca(BasicConstraints::Constrained(most));
        self
    }

    /// Signed with its own key.
    pub fn self_signed(self) -> Issued {
        let key = KeyPair::generate().expect("a key");
        let made = self.0.self_signed(&key).expect("a certificate");
        Issued::new(made.der(), &key)
    }

    /// Signed by `authority`.
    pub fn signed_by(self, authority: &Authority) -> Issued {
        let key = KeyPair::generate().expect("a key");
        let made = self.0.signed_by(&key, &authority.issuer);
        Issued::new(made.expect("a certificate").der(), &key)
    }

    /// As an authority that has signed itself.
    pub fn authority(self) -> Authority {
        self.into_authority(None)
    }

    /// As an authority that another has signed.
    pub fn authority_under(self, above: &Authority) -> Authority {
        self.into_authority(Some(above))
    }

    fn into_authority(mut self, above: Option<&Authority>) -> Authority {
        if !matches!(self.0.is_ca, IsCa::Ca(_)) {
            self.0.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        self.0.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let made = match above {
            Some(above) => self.0.signed_by(&key, &above.issuer),
            None => self.0.self_signed(&key),
        };
        let made = made.expect("a certificate");
        Authority {
            certificate: Certificate::from_der(made.der()).expect("a readable certificate"),
            issuer: Issuer::new(self.0, key),
        }
    }
}

impl Issued {
    fn new(der: &[u8], key: &KeyPair) -> Self {
        Self {
            certificate: Certificate::from_der(der).expect("a readable certificate"),
            key: key.serialize_der(),
        }
    }

    /// The certificate in PEM.
    pub fn pem(&self) -> String {
        self.certificate.to_pem()
    }
}

impl Authority {
    /// A list that revokes the certificates with these serial numbers.
    pub fn revokes(&self, serials: &[u64]) -> RevocationList {
        let day = date_time_ymd(2024, 1, 1);
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: day,
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: day,
            next_update: date_time_ymd(2040, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let made = list.signed_by(&self.issuer).expect("a list");
        RevocationList::from_der(made.der()).expect("a readable list")
    }
}
