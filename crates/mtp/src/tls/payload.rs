//! TLS as it is carried in the payloads of Records, for testers: bytes in, bytes out. (R-E2E.40 to R-E2E.43)
//!
//! Either end takes whatever certificate the other shows, and tells which it was: the tester judges. Nothing but
//! a test may therefore use this.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, Connection, DigitallySignedStruct,
    DistinguishedName, Error, NamedGroup, ServerConfig, ServerConnection, SignatureScheme,
};

use super::{Identity, identity, resolver};

/// What the keys of a Record's MAC are exported by. (R-E2E.36)
const LABEL: &[u8] = b"EXPORTER-BBF-USP-Record";

/// Bytes before the content of a TLS record: its type, version and length.
const RECORD_HEAD: usize = 5;

/// The name that a client has to have for a server, and never says.
const NOBODY: &str = "usp.invalid";

/// The one cipher of each version. (R-E2E.40)
const CIPHERS: [CipherSuite; 2] = [
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS13_AES_128_GCM_SHA256,
];

/// One end of TLS within Records.
pub struct PayloadTls {
    connection: Connection,
    asked: Arc<AtomicBool>,
}

/// The keys of the MAC of Records. (R-E2E.39)
#[derive(Clone, Eq, PartialEq)]
pub struct RecordKeys {
    /// Of what the client sends.
    pub client: [u8; 32],
    /// Of what the server sends.
    pub server: [u8; 32],
}

/// Why TLS cannot go on.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct PayloadError(String);

impl PayloadTls {
    /// The end that begins, and shows this certificate when it is asked for one.
    ///
    /// # Errors
    /// The certificate cannot be used.
    pub fn client(identity: &Identity) -> Result<Self, PayloadError> {
        let provider = Arc::new(provider());
        let anybody = Arc::new(Anybody::new(&provider));
        let asked = Arc::new(AtomicBool::new(false));
        let shown = Shown {
            key: Arc::clone(&identity.key),
            asked: Arc::clone(&asked),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .dangerous()
            .with_custom_certificate_verifier(anybody);
        let mut config = config.with_client_cert_resolver(Arc::new(shown));
        config.enable_sni = false;
        let name = ServerName::try_from(NOBODY).map_err(failed)?;
        let connection = ClientConnection::new(Arc::new(config), name).map_err(failed)?;
        Ok(Self {
            connection: connection.into(),
            asked,
        })
    }

    /// The end that answers, with this certificate; it asks the other for one.
    ///
    /// # Errors
    /// The certificate cannot be used.
    pub fn server(identity: &Identity) -> Result<Self, PayloadError> {
        let provider = Arc::new(provider());
        let anybody = Arc::new(Anybody::new(&provider));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_client_cert_verifier(anybody);
        let mut config = config.with_cert_resolver(resolver(identity));
        config.send_tls13_tickets = 0;
        let connection = ServerConnection::new(Arc::new(config)).map_err(failed)?;
        Ok(Self {
            connection: connection.into(),
            asked: Arc::default(),
        })
    }

    /// Takes bytes of the other end in: what they say, once decrypted.
    ///
    /// # Errors
    /// They are not what TLS expects, or the other end has sent an alert. What is to be told to it is in
    /// [`PayloadTls::outgoing`] then.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<Vec<u8>, PayloadError> {
        let mut plain = Vec::new();
        while !bytes.is_empty() {
            self.connection.read_tls(&mut bytes).map_err(failed)?;
            let state = self.connection.process_new_packets().map_err(failed)?;
            let mut came = vec![0; state.plaintext_bytes_to_read()];
            let mut reader = self.connection.reader();
            reader.read_exact(&mut came).map_err(failed)?;
            plain.extend(came);
        }
        Ok(plain)
    }

    /// Says something to the other end, in the records of [`PayloadTls::outgoing`].
    ///
    /// # Errors
    /// It cannot be said.
    pub fn say(&mut self, plain: &[u8]) -> Result<(), PayloadError> {
        self.connection.writer().write_all(plain).map_err(failed)
    }

    /// What is to be given to the other end: records of TLS, one by one.
    pub fn outgoing(&mut self) -> Vec<Bytes> {
        let mut bytes = Vec::new();
        while self.connection.wants_write() {
            // Writing into memory cannot fail.
            if !matches!(self.connection.write_tls(&mut bytes), Ok(1..)) {
                break;
            }
        }
        let mut bytes = Bytes::from(bytes);
        let mut records = Vec::new();
        while bytes.len() > RECORD_HEAD {
            let content = usize::from(bytes[3]) << 8 | usize::from(bytes[4]);
            records.push(bytes.split_to(bytes.len().min(RECORD_HEAD + content)));
        }
        records
    }

    /// Whether the handshake is over.
    pub fn is_ready(&self) -> bool {
        !self.connection.is_handshaking()
    }

    /// Whether the other end, which is the server, has asked for our certificate.
    pub fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// The certificate of the other end, DER; `None` until it has shown one.
    pub fn certificate(&self) -> Option<&[u8]> {
        let leaf = self.connection.peer_certificates()?.first()?;
        Some(leaf.as_ref())
    }

    /// The keys of the MAC of Records. (R-E2E.35 to R-E2E.39)
    ///
    /// # Errors
    /// The handshake is not over.
    pub fn record_keys(&self) -> Result<RecordKeys, PayloadError> {
        let keys = self
            .connection
            .export_keying_material([0; 64], LABEL, Some(&[]));
        let keys = keys.map_err(failed)?;
        let mut both = RecordKeys {
            client: [0; 32],
            server: [0; 32],
        };
        both.client.copy_from_slice(&keys[..32]);
        both.server.copy_from_slice(&keys[32..]);
        Ok(both)
    }
}

impl Identity {
    /// Signs by ECDSA with P-256 and SHA-256, in DER. (R-E2E.31)
    ///
    /// # Errors
    /// The key is of another kind.
    pub fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, PayloadError> {
        let schemes = [SignatureScheme::ECDSA_NISTP256_SHA256];
        let signer = self.key.key.choose_scheme(&schemes);
        let signer = signer.ok_or_else(|| PayloadError("the key is none of P-256".to_owned()))?;
        signer.sign(bytes).map_err(failed)
    }
}

impl fmt::Debug for PayloadTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayloadTls").finish_non_exhaustive()
    }
}

impl fmt::Debug for RecordKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordKeys").finish_non_exhaustive()
    }
}

fn failed(error: impl fmt::Display) -> PayloadError {
    PayloadError(error.to_string())
}

/// The ciphers and the curve that payloads are protected by, and no others. (R-E2E.40, R-E2E.40a)
fn provider() -> CryptoProvider {
    let mut provider = identity::provider();
    let is_one = |suite: CipherSuite| CIPHERS.contains(&suite);
    provider.cipher_suites.retain(|one| is_one(one.suite()));
    provider
        .kx_groups
        .retain(|group| group.name() == NamedGroup::secp256r1);
    provider
}

/// Shows a certificate, and remembers that it was asked for.
struct Shown {
    key: Arc<CertifiedKey>,
    asked: Arc<AtomicBool>,
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        Some(Arc::clone(&self.key))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

/// Lets anybody pass who has the key of the certificate that is shown.
#[derive(Debug)]
struct Anybody {
    algorithms: WebPkiSupportedAlgorithms,
}

impl Anybody {
    fn new(provider: &CryptoProvider) -> Self {
        Self {
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Issued, Term};
    use super::*;

    fn identity(id: &str) -> Identity {
        let term = Term {
            not_before: 0,
            not_after: 4_000_000_000,
        };
        let made = Issued::self_signed(&id.parse().unwrap(), term).unwrap();
        made.identity().unwrap()
    }

    /// Both ends come to the same keys, and understand each other.
    ///
    /// Proves: R-E2E.36, R-E2E.37, R-E2E.39
    #[test]
    fn both_ends_understand_each_other() {
        let mut client = PayloadTls::client(&identity("self::controller")).unwrap();
        let mut server = PayloadTls::server(&identity("self::agent")).unwrap();
        for _ in 0..4 {
            for record in client.outgoing() {
                assert!(server.take(&record).unwrap().is_empty());
            }
            for record in server.outgoing() {
                assert!(client.take(&record).unwrap().is_empty());
            }
        }
        assert!(client.is_ready() && server.is_ready() && client.was_asked());
        assert!(client.record_keys().unwrap() == server.record_keys().unwrap());
        assert!(client.certificate().is_some() && server.certificate().is_some());
        client.say(b"a Message").unwrap();
        let said: Vec<u8> = client.outgoing().concat();
        assert_eq!(server.take(&said).unwrap(), b"a Message");
    }

    #[test]
    fn what_is_no_tls_is_an_error_and_an_alert_is_sent() {
        let mut server = PayloadTls::server(&identity("self::agent")).unwrap();
        assert!(server.take(b"\x17\x03\x03\x00\x04nope").is_err());
        assert!(server.outgoing().iter().any(|record| record[0] == 21));
    }
}
