//! TLS as the web speaks it, for the API: a server that shows a certificate and asks for none, and a client that
//! wants the certificate of the host it dials.
//!
//! It proves which host answers, and nothing about Endpoints: whoever comes says who it is by a token. It must never
//! be a door for Agents.

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::ServerName;
use rustls::server::NoServerSessionStorage;
use rustls::{CertificateError, ClientConfig, Error, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::identity::{Identity, IdentityError, certificates, provider, tickets};
use super::{TlsError, resolver};
use crate::limits::TLS_BUFFER_BYTES_MAX;

/// What the web speaks over TLS here.
const HTTP: &[u8] = b"http/1.1";

/// A connection that nobody between the two ends can read or change.
pub type WebStream = TlsStream<TcpStream>;

/// The end that shows a certificate. Shared by all its connections.
#[derive(Debug)]
pub struct WebServer {
    config: RwLock<Arc<ServerConfig>>,
}

impl WebServer {
    /// Shows the certificate of `identity`.
    ///
    /// # Errors
    /// [`TlsError`] where nothing can be spoken with it.
    pub fn new(identity: &Identity) -> Result<Self, TlsError> {
        Ok(Self {
            config: RwLock::new(config_of(identity)?),
        })
    }

    /// Shows another certificate from the next handshake on. Open connections stay as they are.
    ///
    /// # Errors
    /// As [`new`](Self::new); all stays as it was.
    pub fn set_identity(&self, identity: &Identity) -> Result<(), TlsError> {
        let config = config_of(identity)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// The server's handshake. The time it may take is the caller's to bound.
    ///
    /// # Errors
    /// There is no TLS with the peer.
    pub async fn accept(&self, stream: TcpStream) -> Result<WebStream, TlsError> {
        let accepting = TlsAcceptor::from(self.config()).accept_with(stream, |session| {
            session.set_buffer_limit(Some(TLS_BUFFER_BYTES_MAX));
        });
        let stream = accepting.await.map_err(|error| TlsError::of(&error))?;
        Ok(TlsStream::Server(stream))
    }

    fn config(&self) -> Arc<ServerConfig> {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&config)
    }
}

fn config_of(identity: &Identity) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(resolver(identity));
    config.alpn_protocols = vec![HTTP.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    // Without tickets nothing is resumed, which is slower and no worse.
    match tickets() {
        Ok(tickets) => config.ticketer = tickets,
        Err(_) => config.send_tls13_tickets = 0,
    }
    Ok(Arc::new(config))
}

/// The end that dials, and knows whose certificates are good.
#[derive(Clone, Debug)]
pub struct WebClient {
    config: Arc<ClientConfig>,
}

/// Why a server is not spoken to over TLS. Its words follow on the name of the server.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WebError {
    /// Its certificate cannot be used, for another reason than those below.
    #[error("its certificate cannot be used: {0}")]
    Certificate(String),
    /// Its certificate is not valid any more.
    #[error("its certificate has expired")]
    Expired,
    /// What is at the other end is no TLS.
    #[error("TLS is not spoken there")]
    NotTls,
    /// Its certificate is not valid yet.
    #[error("its certificate is not valid yet")]
    NotYetValid,
    /// Anything but its certificate.
    #[error(transparent)]
    Tls(TlsError),
    /// None of those that are trusted here vouches for its certificate.
    #[error("no CA that is trusted here vouches for its certificate")]
    UnknownAuthority,
    /// Its certificate is that of another host.
    #[error("its certificate is not for {host}{}", instead(names))]
    WrongName {
        /// The host that was dialled.
        host: String,
        /// For whom it is, as far as that is known.
        names: Vec<String>,
    },
}

impl WebClient {
    /// Trusts the CAs in this PEM file, and nobody else.
    ///
    /// # Errors
    /// [`IdentityError`] names the file and what is wrong with it.
    pub fn trusting(authorities: &Path) -> Result<Self, IdentityError> {
        let mut roots = RootCertStore::empty();
        add(&mut roots, authorities)?;
        Self::of(roots)
    }

    /// Trusts whom this host trusts, and the CAs in `own` where that is named.
    ///
    /// # Errors
    /// [`IdentityError`] names the file and what is wrong with it.
    pub fn of_this_host(own: Option<&Path>) -> Result<Self, IdentityError> {
        let mut roots = RootCertStore::empty();
        let known = rustls_native_certs::load_native_certs();
        for error in &known.errors {
            tracing::debug!(%error, "a CA of this host cannot be read");
        }
        roots.add_parsable_certificates(known.certs);
        if let Some(own) = own {
            add(&mut roots, own)?;
        }
        Self::of(roots)
    }

    fn of(roots: RootCertStore) -> Result<Self, IdentityError> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| IdentityError::Unmade(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![HTTP.to_vec()];
        Ok(Self {
            config: Arc::new(config),
        })
    }

    /// The client's handshake with `host`, a name of DNS or an address. The time it may take is the caller's to
    /// bound.
    ///
    /// # Errors
    /// [`WebError`].
    pub async fn connect(&self, stream: TcpStream, host: &str) -> Result<WebStream, WebError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            WebError::Tls(TlsError::Name {
                host: host.to_owned(),
            })
        })?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(name, stream).await;
        let stream = stream.map_err(|error| WebError::of(&error, host))?;
        Ok(TlsStream::Client(stream))
    }
}

/// Trusts the CAs in a PEM file, at least one.
fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), IdentityError> {
    for authority in certificates(path)? {
        roots
            .add(authority)
            .map_err(|error| IdentityError::Content {
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
    }
    Ok(())
}

impl WebError {
    fn of(error: &io::Error, host: &str) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        let wrong_name = |names: &[String]| Self::WrongName {
            host: host.to_owned(),
            names: names.to_vec(),
        };
        match inner {
            Some(Error::InvalidCertificate(wrong)) => match wrong {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    Self::Expired
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    Self::NotYetValid
                }
                CertificateError::NotValidForName => wrong_name(&[]),
                CertificateError::NotValidForNameContext { presented, .. } => wrong_name(presented),
                // Signed by a CA that has the name of one that is trusted, and another key.
                CertificateError::BadSignature | CertificateError::UnknownIssuer => {
                    Self::UnknownAuthority
                }
                other => Self::Certificate(other.to_string()),
            },
            _ => match TlsError::of(error) {
                TlsError::NotTls => Self::NotTls,
                error => Self::Tls(error),
            },
        }
    }
}

fn instead(names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => format!(", but for {}", names.join(", ")),
    }
}
