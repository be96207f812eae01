//! The web server: opened when the first page is served, and open until the run ends.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri, http};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use usphere_runtime::TlsFiles;

use super::{Reach, Shared, Sockets};
use crate::limits::{HANDSHAKE, REPORT_BYTES_MAX, WEB_CONNECTIONS_MAX, WEB_PATIENCE};
use crate::peer::{Address, Seat, Trouble, What};
use crate::web::{Reply, Web, WebRequest};

/// The doors that are open, and what is behind them.
#[derive(Default)]
pub(super) struct Site {
    pages: Arc<Pages>,
    /// With TLS, and without.
    doors: BTreeMap<bool, SocketAddr>,
}

/// What is answered, by page.
#[derive(Default)]
struct Pages(Mutex<BTreeMap<String, Reply>>);

impl Pages {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Reply>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Web for Sockets {
    fn serve(&mut self, page: &str, is_secure: bool, reply: Reply) -> Result<Address, Trouble> {
        let door = match self.site.doors.get(&is_secure) {
            Some(door) => *door,
            None => {
                let door = self.open_door(is_secure)?;
                self.site.doors.insert(is_secure, door);
                door
            }
        };
        self.site.pages.all().insert(page.to_owned(), reply);
        Ok(Address {
            host: door.ip().to_string(),
            port: door.port(),
            path: page.to_owned(),
            encryption: is_secure,
        })
    }

    fn forget(&mut self, page: &str) {
        self.site.pages.all().remove(page);
    }
}

impl Sockets {
    fn open_door(&self, is_secure: bool) -> Result<SocketAddr, Trouble> {
        let impossible = |what: String| Trouble::Impossible(what);
        let acceptor = match (is_secure, &self.web_files) {
            (false, _) => None,
            (true, None) => {
                let text = "an https server needs a certificate that the Agent trusts; --certs or --tls-cert names one";
                return Err(impossible(text.to_owned()));
            }
            (true, Some(files)) => Some(acceptor(files).map_err(impossible)?),
        };
        let Some(runtime) = &self.runtime else {
            return Err(impossible("the run was ended".to_owned()));
        };
        let address = SocketAddr::new(self.shared.seen_from_agent().map_err(unbound)?, 0);
        let listener = runtime.block_on(TcpListener::bind(address));
        let listener = listener.map_err(unbound)?;
        let door = listener.local_addr().map_err(unbound)?;
        let (pages, shared) = (Arc::clone(&self.site.pages), Arc::clone(&self.shared));
        runtime.spawn(keep(listener, acceptor, pages, shared));
        Ok(door)
    }
}

fn unbound(error: io::Error) -> Trouble {
    Trouble::Impossible(format!("the web server cannot be started: {error}"))
}

impl Shared {
    /// The address of this host on the way to the Agent.
    fn seen_from_agent(&self) -> io::Result<IpAddr> {
        match &self.reach {
            Reach::Listen(listen) => Ok(listen.address.ip()),
            Reach::Dial(target) => {
                // Nothing is sent: the system only looks which way it would go.
                let any: &[SocketAddr] = &[([0; 4], 0).into(), ([0u16; 8], 0).into()];
                let socket = UdpSocket::bind(any)?;
                socket.connect((target.host.as_str(), target.port))?;
                Ok(socket.local_addr()?.ip())
            }
        }
    }
}

/// TLS of which no client has to present a certificate. (R-BULK.6)
fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, String> {
    let named = |path: &std::path::Path, error: &dyn std::fmt::Display| {
        format!("{}: {error}", path.display())
    };
    let path = &files.certificate;
    let chain = CertificateDer::pem_file_iter(path).map_err(|error| named(path, &error))?;
    let chain: Result<Vec<_>, _> = chain.collect();
    let chain = chain.map_err(|error| named(path, &error))?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| named(&files.key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
    let config = config.map_err(|error| named(path, &error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Lets in whoever asks for something, for as long as the bench is there.
async fn keep(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    pages: Arc<Pages>,
    shared: Arc<Shared>,
) {
    let places = Arc::new(Semaphore::new(WEB_CONNECTIONS_MAX));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "nobody could be let in");
                tokio::time::sleep(HANDSHAKE / 10).await;
                continue;
            }
        };
        let (acceptor, pages, shared) = (acceptor.clone(), Arc::clone(&pages), Arc::clone(&shared));
        tokio::spawn(async move {
            receive(stream, acceptor, pages, shared).await;
            drop(place);
        });
    }
}

async fn receive(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    pages: Arc<Pages>,
    shared: Arc<Shared>,
) {
    let Some(acceptor) = acceptor else {
        return speak(stream, false, pages, shared).await;
    };
    match timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => speak(stream, true, pages, shared).await,
        Ok(Err(error)) => {
            let text = format!("a TLS handshake with the web server has failed: {error}");
            shared.happen(Seat::Primary, What::Noted(text));
        }
        Err(_) => tracing::debug!("no TLS came of a connection in time"),
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    is_secure: bool,
    pages: Arc<Pages>,
    shared: Arc<Shared>,
) {
    let service = service_fn(|request| {
        let (pages, shared) = (Arc::clone(&pages), Arc::clone(&shared));
        async move { Ok::<_, Infallible>(answer(request, is_secure, &pages, &shared).await) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(WEB_PATIENCE);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection to the web server has ended");
    }
}

async fn answer(
    request: Request<Incoming>,
    is_secure: bool,
    pages: &Pages,
    shared: &Shared,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let page = head.uri.path().to_owned();
    if !pages.all().contains_key(&page) {
        return reply(404, Bytes::new());
    }
    let body = Limited::new(body, REPORT_BYTES_MAX).collect();
    let Ok(Ok(body)) = timeout(WEB_PATIENCE, body).await else {
        return reply(413, Bytes::new());
    };
    // How it is to be answered may have changed while the body came.
    let Some(given) = pages.all().get(&page).cloned() else {
        return reply(404, Bytes::new());
    };
    let request = WebRequest {
        method: head.method.as_str().to_owned(),
        query: query(&head.uri),
        page,
        headers: fields(&head.headers),
        body: body.to_bytes(),
        is_secure,
        status: given.status,
    };
    shared.happen(Seat::Primary, What::Requested(Box::new(request)));
    reply(given.status, given.body)
}

fn reply(status: u16, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

fn query(uri: &Uri) -> Vec<(String, String)> {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

fn fields(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let fields = headers.iter();
    let fields = fields.map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    fields.collect()
}
