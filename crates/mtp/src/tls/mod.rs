//! TLS for every MTP: who we are, who the peer proves to be, and the stream that comes of it.
//!
//! The only module that names rustls. A handshake proves that the peer holds the key of its
//! certificate; whether that certificate is good enough is for the [`Verifier`] to say, which is
//! asked while the handshake can still be refused. What a resumed session carries is judged anew, so
//! nobody comes in by an old ticket. This module must never trust a certificate by itself.

mod authority;
mod error;
mod files;
mod identity;
mod judging;
mod payload;
#[cfg(test)]
mod tests;
#[cfg(feature = "platform")]
mod web;

use std::collections::BTreeMap;
use std::fmt;
#[cfg(feature = "platform")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::server::{NoServerSessionStorage, ProducesTickets};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, CommonState, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use usphere_proto::EndpointId;
use usphere_trust::{Channel, Expected, Session};

use self::judging::{Bench, OfClients, OfServers};
use crate::limits::{
    TLS_BUFFER_BYTES_MAX, TLS_FAREWELL_BYTES_MAX, TLS_FAREWELL_TIMEOUT, TLS_PEERS_REMEMBERED_MAX,
    TLS_TICKETS_PER_PEER,
};
use crate::metered::Metered;

pub use authority::{Authority, Holder, Issued, Term};
pub use error::{Objection, TlsError};
pub use identity::{Identity, IdentityError, authorities};
pub use judging::Verifier;
pub use payload::{PayloadError, PayloadTls, RecordKeys};
#[cfg(feature = "platform")]
pub use web::{WebClient, WebError, WebServer, WebStream};

pub(crate) use error::explained;

/// An encrypted stream; boxed, since plain links should not be as large as it is.
pub(crate) type Stream = Box<TlsStream<Metered<TcpStream>>>;

/// First byte of whatever a TLS client says.
pub const CLIENT_HELLO: u8 = 0x16;

/// One end's TLS: its identity, and who judges the peers. Shared by all its doors and dials.
pub struct Tls {
    provider: Arc<CryptoProvider>,
    verifier: Verifier,
    state: RwLock<Arc<State>>,
    /// Whether a client may come without a certificate.
    #[cfg(feature = "platform")]
    takes_unproven: AtomicBool,
}

/// A client with whom there is no TLS.
#[derive(Debug)]
pub(crate) struct Unwelcome {
    /// Why.
    pub(crate) error: TlsError,
    /// Who it says it is by the certificate that it presented.
    pub(crate) claimed: Option<EndpointId>,
}

impl From<TlsError> for Unwelcome {
    fn from(error: TlsError) -> Self {
        Self {
            error,
            claimed: None,
        }
    }
}

/// What belongs to one identity. With the next one none of its sessions is resumed.
struct State {
    identity: Option<Identity>,
    tickets: Option<Arc<dyn ProducesTickets>>,
    /// By what is expected of the peer; a session is resumed with nobody else.
    dialled: Mutex<BTreeMap<Whom, Dialled>>,
}

/// Who is dialled: the host of the URL, and the Endpoint that is wanted there.
type Whom = (String, Option<EndpointId>);

#[derive(Clone)]
struct Dialled {
    config: Arc<ClientConfig>,
    bench: Arc<Bench>,
}

impl Tls {
    /// TLS for the holder of `identity`, whose peers are judged by `verifier`. Without an identity
    /// it can dial peers that demand none, and not listen.
    pub fn new(identity: Option<Identity>, verifier: Verifier) -> Self {
        let provider = Arc::new(identity::provider());
        let state = RwLock::new(Arc::new(State::new(identity)));
        Self {
            provider,
            verifier,
            state,
            #[cfg(feature = "platform")]
            takes_unproven: AtomicBool::new(false),
        }
    }

    /// Says whether clients may come without a certificate from the next handshake on, as [`Channel::TlsUnproven`]. A
    /// certificate that one presents is judged all the same.
    #[cfg(feature = "platform")]
    pub fn set_takes_unproven(&self, takes: bool) {
        self.takes_unproven.store(takes, Ordering::Relaxed);
    }

    /// Takes another certificate and key from the next handshake on. Open links stay as they are.
    pub fn set_identity(&self, identity: Identity) {
        let state = Arc::new(State::new(Some(identity)));
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Whether there is a certificate and key to listen with.
    pub fn has_identity(&self) -> bool {
        self.state().identity.is_some()
    }

    /// The client's handshake with `host`, where `endpoint_id` is wanted.
    pub(crate) async fn connect(
        &self,
        stream: Metered<TcpStream>,
        host: &str,
        endpoint_id: Option<&EndpointId>,
    ) -> Result<(Stream, Arc<Session>), TlsError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Name {
            host: host.to_owned(),
        })?;
        let Dialled { config, bench } = self.dialled((host.to_owned(), endpoint_id.cloned()))?;
        bench.clear();
        let connecting = TlsConnector::from(config)
            .connect_with(name, stream, |session| {
                session.set_buffer_limit(Some(TLS_BUFFER_BYTES_MAX));
            })
            .await;
        let stream = connecting.map_err(|error| bench.failure(&error))?;
        let session = session_of(&bench, stream.get_ref().1)?;
        Ok((Box::new(TlsStream::Client(stream)), session))
    }

    /// The server's handshake. The time it may take is the caller's to bound.
    pub(crate) async fn accept(
        &self,
        stream: Metered<TcpStream>,
    ) -> Result<(Stream, Channel), Unwelcome> {
        let bench = Arc::new(Bench::new(Arc::clone(&self.verifier), Expected::Anybody));
        let config = self.server_config(Arc::clone(&bench))?;
        let accepting = TlsAcceptor::from(config)
            .accept_with(stream, |session| {
                session.set_buffer_limit(Some(TLS_BUFFER_BYTES_MAX));
            })
            .into_fallible()
            .await;
        match accepting {
            Ok(stream) => {
                let channel = self.channel_of(&bench, stream.get_ref().1)?;
                Ok((Box::new(TlsStream::Server(stream)), channel))
            }
            Err((error, stream)) => {
                let claimed = bench.claimed();
                let error = bench.failure(&error);
                linger(stream).await;
                Err(Unwelcome { error, claimed })
            }
        }
    }

    /// The client's handshake on a socket, for testers who speak something else on it than links do.
    ///
    /// # Errors
    /// There is no TLS with the peer.
    pub async fn connect_bare(
        &self,
        stream: TcpStream,
        host: &str,
        endpoint_id: Option<&EndpointId>,
    ) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>, TlsError> {
        let connecting = self.connect(Metered::new(stream), host, endpoint_id);
        connecting.await.map(|(stream, _)| stream)
    }

    /// The server's handshake on a socket, for testers who speak something else on it than links do. The
    /// time it may take is the caller's to bound.
    ///
    /// # Errors
    /// There is no TLS with the peer.
    pub async fn accept_bare(
        &self,
        stream: TcpStream,
    ) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>, TlsError> {
        let accepted = self.accept(Metered::new(stream)).await;
        accepted
            .map(|(stream, _)| stream)
            .map_err(|unwelcome| unwelcome.error)
    }

    /// What the client of a finished handshake has proved.
    fn channel_of(&self, bench: &Bench, finished: &CommonState) -> Result<Channel, TlsError> {
        #[cfg(feature = "platform")]
        if self.takes_unproven.load(Ordering::Relaxed)
            && finished.peer_certificates().is_none_or(<[_]>::is_empty)
        {
            return Ok(Channel::TlsUnproven);
        }
        session_of(bench, finished).map(Channel::Tls)
    }

    fn state(&self) -> Arc<State> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state)
    }

    /// The configuration for whom is expected. It is kept, and with it what is needed to resume.
    fn dialled(&self, whom: Whom) -> Result<Dialled, TlsError> {
        let state = self.state();
        let mut known = state.dialled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(dialled) = known.get(&whom) {
            return Ok(dialled.clone());
        }
        let expected = Expected::Server {
            host: whom.0.clone(),
            endpoint_id: whom.1.clone(),
        };
        let bench = Arc::new(Bench::new(Arc::clone(&self.verifier), expected));
        let verifier = OfServers::new(Arc::clone(&bench), &self.provider);
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &state.identity {
            Some(identity) => config.with_client_cert_resolver(resolver(identity)),
            None => config.with_no_client_auth(),
        };
        config.resumption = Resumption::in_memory_sessions(TLS_TICKETS_PER_PEER);
        let dialled = Dialled {
            config: Arc::new(config),
            bench,
        };
        if known.len() >= TLS_PEERS_REMEMBERED_MAX {
            known.clear();
        }
        known.insert(whom, dialled.clone());
        Ok(dialled)
    }

    /// The configuration for one connection, whose `bench` nobody else sits on. Cheap: all that
    /// weighs is shared.
    fn server_config(&self, bench: Arc<Bench>) -> Result<Arc<ServerConfig>, TlsError> {
        let state = self.state();
        let identity = state.identity.as_ref().ok_or(TlsError::NoIdentity)?;
        let verifier = OfClients::new(bench, &self.provider);
        #[cfg(feature = "platform")]
        let verifier = verifier.taking_none(self.takes_unproven.load(Ordering::Relaxed));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(resolver(identity));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        match &state.tickets {
            Some(tickets) => {
                config.ticketer = Arc::clone(tickets);
                config.send_tls13_tickets = 1;
            }
            None => config.send_tls13_tickets = 0,
        }
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("identity", &self.state().identity)
            .finish_non_exhaustive()
    }
}

impl State {
    fn new(identity: Option<Identity>) -> Self {
        // Without tickets nothing is resumed, which is slower and no worse.
        let tickets = identity::tickets()
            .inspect_err(|error| tracing::warn!(%error, "TLS sessions will not be resumed"));
        Self {
            identity,
            tickets: tickets.ok(),
            dialled: Mutex::default(),
        }
    }
}

fn resolver(identity: &Identity) -> Arc<SingleCertAndKey> {
    Arc::new(SingleCertAndKey::from(Arc::clone(&identity.key)))
}

/// Who the peer of a finished handshake is.
fn session_of(bench: &Bench, finished: &CommonState) -> Result<Arc<Session>, TlsError> {
    bench.session(finished.peer_certificates().unwrap_or_default())
}

/// Lets a client that was refused read why: what it has sent meanwhile would else reset the
/// connection before.
async fn linger(mut stream: Metered<TcpStream>) {
    let farewell = async {
        stream.shutdown().await?;
        let mut rest = stream.take(TLS_FAREWELL_BYTES_MAX);
        let mut space = [0; 512];
        while rest.read(&mut space).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    // It may be gone already; nobody is left to tell then.
    let _ = timeout(TLS_FAREWELL_TIMEOUT, farewell).await;
}
