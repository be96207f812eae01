//! The peer's certificate on the bench: rustls asks here whether the handshake may go on.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use usphere_proto::EndpointId;
use usphere_trust::{Certificate, Chain, Distrust, EndpointName, Expected, Session};

use super::TlsError;

/// Judges a peer that is about to prove that it owns the first certificate of the chain. Made from
/// [`Session::open`] with what is trusted just now, and the time if it is known.
pub type Verifier = Arc<dyn Fn(Chain, &Expected) -> Result<Session, Distrust> + Send + Sync>;

/// Where certificates are judged, and the last verdict.
pub(super) struct Bench {
    verifier: Verifier,
    expected: Expected,
    last: Mutex<Option<Judged>>,
}

/// A verdict that waits to be taken: who was judged, and what came of it.
struct Judged {
    presented: Vec<CertificateDer<'static>>,
    verdict: Result<Session, Distrust>,
}

impl Bench {
    pub(super) fn new(verifier: Verifier, expected: Expected) -> Self {
        Self {
            verifier,
            expected,
            last: Mutex::new(None),
        }
    }

    /// Forgets the last verdict.
    pub(super) fn clear(&self) {
        self.lock().take();
    }

    /// Who the peer of a finished handshake is. A resumed session is judged here: there was nothing
    /// to ask in the handshake.
    pub(super) fn session(
        &self,
        presented: &[CertificateDer<'static>],
    ) -> Result<Arc<Session>, TlsError> {
        let verdict = match self.lock().take() {
            Some(last) if last.presented == presented => last.verdict,
            _ => self.judge(presented),
        };
        verdict.map(Arc::new).map_err(TlsError::Distrusted)
    }

    /// Who the peer says it is by the certificate that it presented, where that was judged.
    pub(super) fn claimed(&self) -> Option<EndpointId> {
        let last = self.lock();
        let leaf = last.as_ref()?.presented.first()?;
        let leaf = Certificate::from_der(leaf).ok()?;
        leaf.endpoint_names().iter().find_map(|name| match name {
            EndpointName::One(id) => Some(id.clone()),
            EndpointName::Wildcard(_) => None,
        })
    }

    /// Why a handshake failed.
    pub(super) fn failure(&self, error: &io::Error) -> TlsError {
        match self.lock().take() {
            Some(Judged {
                verdict: Err(distrust),
                ..
            }) => TlsError::Distrusted(distrust),
            _ => TlsError::of(error),
        }
    }

    /// Whether the handshake with the owner of `leaf` may go on.
    fn admit(
        &self,
        leaf: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
    ) -> Result<(), Error> {
        let presented: Vec<_> = [leaf]
            .into_iter()
            .chain(issuers)
            .map(|each| each.clone().into_owned())
            .collect();
        let verdict = self.judge(&presented);
        let refused = verdict.as_ref().err().map(alert_of);
        *self.lock() = Some(Judged { presented, verdict });
        refused.map_or(Ok(()), |why| Err(Error::InvalidCertificate(why)))
    }

    fn judge(&self, presented: &[CertificateDer<'static>]) -> Result<Session, Distrust> {
        (self.verifier)(Chain::from_der(presented)?, &self.expected)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Judged>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks about servers, for a client.
pub(super) struct OfServers {
    bench: Arc<Bench>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl OfServers {
    pub(super) fn new(bench: Arc<Bench>, provider: &CryptoProvider) -> Self {
        Self {
            bench,
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

impl ServerCertVerifier for OfServers {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.bench.admit(leaf, issuers)?;
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

impl fmt::Debug for OfServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfServers").finish_non_exhaustive()
    }
}

/// Asks about clients, for a server.
pub(super) struct OfClients {
    bench: Arc<Bench>,
    algorithms: WebPkiSupportedAlgorithms,
    /// Whether a client may do without.
    #[cfg(feature = "platform")]
    takes_none: bool,
}

impl OfClients {
    pub(super) fn new(bench: Arc<Bench>, provider: &CryptoProvider) -> Self {
        Self {
            bench,
            algorithms: provider.signature_verification_algorithms,
            #[cfg(feature = "platform")]
            takes_none: false,
        }
    }

    /// The same for clients that may do without a certificate, or not.
    #[cfg(feature = "platform")]
    pub(super) fn taking_none(self, takes_none: bool) -> Self {
        Self { takes_none, ..self }
    }
}

impl ClientCertVerifier for OfClients {
    /// None: a client with a self-signed certificate would keep it to itself if CAs were named.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    #[cfg(feature = "platform")]
    fn client_auth_mandatory(&self) -> bool {
        !self.takes_none
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.bench.admit(leaf, issuers)?;
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

impl fmt::Debug for OfClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfClients").finish_non_exhaustive()
    }
}

/// The alert that tells the peer why. Its words are the peer's own; ours are in the [`Distrust`].
fn alert_of(distrust: &Distrust) -> CertificateError {
    match distrust {
        Distrust::Banned { .. } | Distrust::Revoked { .. } => CertificateError::Revoked,
        Distrust::OutOfDate { .. } => CertificateError::Expired,
        Distrust::TooLong { .. } | Distrust::Unreadable(_) => CertificateError::BadEncoding,
        Distrust::UnknownExtension { .. } => CertificateError::UnhandledCriticalExtension,
        Distrust::Untrusted { .. } => CertificateError::UnknownIssuer,
        Distrust::WrongServer { .. } => CertificateError::NotValidForName,
        _ => CertificateError::ApplicationVerificationFailure,
    }
}
