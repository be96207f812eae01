//! The web server: opened when the first page is served, and open until the run ends.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
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
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use usphere_runtime::TlsFiles;

use super::Tell;
use crate::limits::{HANDSHAKE, REPORT_BYTES_MAX, WEB_CONNECTIONS_MAX, WEB_PATIENCE};
use crate::peer::{Address, Trouble, What};
use crate::web::{Reply, WebRequest};

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

/// How a web server can be had.
pub(super) struct Host<'a> {
    pub(super) runtime: &'a Runtime,
    /// Where it listens, at a free port.
    pub(super) address: IpAddr,
    /// The certificate that it shows, and its key; without, there is none over TLS.
    pub(super) files: Option<&'a TlsFiles>,
    pub(super) tell: Tell,
}

impl Site {
    /// From now on answers requests at the page so: where it is found.
    ///
    /// # Errors
    /// There can be no such server.
    pub(super) fn serve(
        &mut self,
        host: Host<'_>,
        page: &str,
        is_secure: bool,
        reply: Reply,
    ) -> Result<Address, Trouble> {
        let door = match self.doors.get(&is_secure) {
            Some(door) => *door,
            None => {
                let door = self.open_door(host, is_secure)?;
                self.doors.insert(is_secure, door);
                door
            }
        };
        self.pages.all().insert(page.to_owned(), reply);
        Ok(Address {
            host: door.ip().to_string(),
            port: door.port(),
            path: page.to_owned(),
            encryption: is_secure,
        })
    }

    /// From now on there is no such page.
    pub(super) fn forget(&mut self, page: &str) {
        self.pages.all().remove(page);
    }

    fn open_door(&self, host: Host<'_>, is_secure: bool) -> Result<SocketAddr, Trouble> {
        let impossible = |what: String| Trouble::Impossible(what);
        let acceptor = match (is_secure, host.files) {
            (false, _) => None,
            (true, None) => {
                let text = "an https server needs a certificate that the Agent trusts; --certs or --tls-cert names one";
                return Err(impossible(text.to_owned()));
            }
            (true, Some(files)) => Some(acceptor(files).map_err(impossible)?),
        };
        let address = SocketAddr::new(host.address, 0);
        let listener = host.runtime.block_on(TcpListener::bind(address));
        let listener = listener.map_err(unbound)?;
        let door = listener.local_addr().map_err(unbound)?;
        let pages = Arc::clone(&self.pages);
        host.runtime
            .spawn(keep(listener, acceptor, pages, host.tell));
        Ok(door)
    }
}

fn unbound(error: io::Error) -> Trouble {
    Trouble::Impossible(format!("the web server cannot be started: {error}"))
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
async fn keep(listener: TcpListener, acceptor: Option<TlsAcceptor>, pages: Arc<Pages>, tell: Tell) {
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
        let (acceptor, pages, tell) = (acceptor.clone(), Arc::clone(&pages), Arc::clone(&tell));
        tokio::spawn(async move {
            receive(stream, acceptor, pages, tell).await;
            drop(place);
        });
    }
}

async fn receive(stream: TcpStream, acceptor: Option<TlsAcceptor>, pages: Arc<Pages>, tell: Tell) {
    let Some(acceptor) = acceptor else {
        return speak(stream, false, pages, tell).await;
    };
    match timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => speak(stream, true, pages, tell).await,
        Ok(Err(error)) => {
            let text = format!("a TLS handshake with the web server has failed: {error}");
            tell(What::Noted(text));
        }
        Err(_) => tracing::debug!("no TLS came of a connection in time"),
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    is_secure: bool,
    pages: Arc<Pages>,
    tell: Tell,
) {
    let service = service_fn(|request| {
        let (pages, tell) = (Arc::clone(&pages), Arc::clone(&tell));
        async move { Ok::<_, Infallible>(answer(request, is_secure, &pages, &tell).await) }
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
    tell: &Tell,
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
    tell(What::Requested(Box::new(request)));
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
