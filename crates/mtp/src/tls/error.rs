//! Why TLS did not come about, in words for people.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

use usphere_trust::Distrust;

/// Why there is no TLS with a peer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TlsError {
    /// The peer's certificate is not good enough.
    #[error("the certificate of the peer is not trusted: {0}")]
    Distrusted(Distrust),
    /// The two ends do not agree on TLS, or one of them does it wrong.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    /// The connection ended in the handshake.
    #[error("the connection ended in the TLS handshake: {0}")]
    Lost(String),
    /// The host cannot stand in a TLS handshake.
    #[error("{host}: neither a host name nor an address, so TLS cannot ask for it")]
    Name {
        /// The host.
        host: String,
    },
    /// We have no certificate and key.
    #[error("TLS needs a certificate and key of our own, and there are none")]
    NoIdentity,
    /// The peer presents no certificate.
    #[error("the peer has presented no certificate")]
    NoPeerCertificate,
    /// What is at the other end is no TLS.
    #[error("the peer does not speak TLS; is it a plain ws:// door?")]
    NotTls,
    /// The peer does not want us.
    #[error("the peer refused us: {text}")]
    Refused {
        /// What it objects to, as far as its alert tells.
        objection: Objection,
        /// What its alert means.
        text: String,
    },
    /// The two ends speak no common version of TLS.
    #[error("the TLS handshake failed: the peer speaks neither TLS 1.2 nor 1.3")]
    Version,
}

/// What a peer objects to that does not want us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Objection {
    /// The CA of our certificate, which it does not trust.
    Authority,
    /// Our certificate; most often it is not for the name that the peer has asked for.
    Certificate,
    /// The dates of our certificate.
    Dates,
    /// That we present no certificate.
    NoCertificate,
    /// Something else.
    Other,
}

impl TlsError {
    /// What an error of the stream means.
    pub(super) fn of(error: &io::Error) -> Self {
        match inner(error) {
            Some(error) => Self::from(error.clone()),
            None => Self::Lost(error.to_string()),
        }
    }
}

impl TlsError {
    /// Takes out what a [`Wire`](crate::wire::Wire) put into an error, or gives the error back. A
    /// server that speaks TLS 1.3 refuses a client's certificate after the client's handshake is done.
    pub(crate) fn within(error: io::Error) -> Result<Self, io::Error> {
        error.downcast()
    }
}

impl From<Error> for TlsError {
    fn from(error: Error) -> Self {
        match error {
            Error::AlertReceived(AlertDescription::ProtocolVersion) => Self::Version,
            Error::AlertReceived(alert) => Self::Refused {
                objection: objection(alert),
                text: refusal(alert),
            },
            Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => Self::NotTls,
            Error::NoCertificatesPresented => Self::NoPeerCertificate,
            Error::PeerIncompatible(
                // Who does not tell of algorithms is older than TLS 1.2.
                PeerIncompatible::SignatureAlgorithmsExtensionRequired
                | PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled,
            ) => Self::Version,
            Error::InvalidCertificate(CertificateError::BadSignature) => Self::Handshake(
                "the peer does not hold the key of the certificate it presents".to_owned(),
            ),
            error => Self::Handshake(error.to_string()),
        }
    }
}

/// What an error of a stream says of TLS, if it comes from there.
pub(crate) fn explained(error: &io::Error) -> Option<TlsError> {
    inner(error).cloned().map(TlsError::from)
}

fn inner(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// What a peer objects to by its alert.
fn objection(alert: AlertDescription) -> Objection {
    match alert {
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnrecognisedName => Objection::Certificate,
        AlertDescription::CertificateExpired => Objection::Dates,
        AlertDescription::CertificateRequired => Objection::NoCertificate,
        AlertDescription::UnknownCA => Objection::Authority,
        _ => Objection::Other,
    }
}

/// What a peer means by its alert.
fn refusal(alert: AlertDescription) -> String {
    let words = match alert {
        AlertDescription::AccessDenied => "access denied",
        AlertDescription::BadCertificate => "it finds our certificate bad",
        AlertDescription::CertificateExpired => "our certificate has expired, or is not valid yet",
        AlertDescription::CertificateRequired => "it demands a certificate, and got none",
        AlertDescription::CertificateRevoked => "our certificate is revoked",
        AlertDescription::CertificateUnknown => "it does not accept our certificate",
        AlertDescription::DecryptError => "it could not verify a signature of ours",
        AlertDescription::HandshakeFailure => {
            "no common ground (it may demand a certificate, or other algorithms)"
        }
        AlertDescription::UnknownCA => {
            "it does not trust the CA of our certificate, or the certificate itself"
        }
        AlertDescription::UnrecognisedName => "it does not know the host name that was asked for",
        AlertDescription::UnsupportedCertificate => "our certificate is of a kind it cannot use",
        other => return format!("TLS alert {other:?}"),
    };
    words.to_owned()
}
