//! The client end: resolve, connect, TLS if it is wanted, opening handshake.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::http::header::{
    HeaderMap, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL,
};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use usphere_proto::EndpointId;
use usphere_trust::{Channel, PeerIdentity};

use super::identity::{eid_in_extensions, extension_with_eid, path_with_eid};
use super::link::link;
use super::{Link, SUBPROTOCOL, Settings, Target};
use crate::limits::{ADDRESSES_MAX, REFUSAL_BYTES_MAX, SENT_AWAY_MAX};
use crate::metered::Metered;
use crate::tls::TlsError;
use crate::wire::Wire;

/// Opens a WebSocket to `target`. (R-WS.5, R-WS.7)
///
/// One attempt; when to try again is the caller's to decide.
///
/// # Errors
/// [`DialError`] says which step failed.
pub async fn dial(target: &Target, settings: &Settings) -> Result<Link, DialError> {
    if target.tls && settings.tls.is_none() {
        return Err(DialError::TlsNotConfigured {
            target: target.to_string(),
        });
    }
    let request = request(target, settings)?;
    let connecting = connect(target);
    let (stream, remote) = step(DialStep::Connect, settings.connect_timeout, connecting).await?;
    // Boxed: the futures of handshakes are large, and the caller's would stay that large.
    let securing = Box::pin(secure(stream, remote, target, settings));
    let (wire, channel) = step(DialStep::Tls, settings.handshake_timeout, securing).await?;
    let opening = Box::pin(open(wire, request, settings));
    let (socket, endpoint_id) =
        step(DialStep::Handshake, settings.handshake_timeout, opening).await?;
    let peer = PeerIdentity {
        endpoint_id,
        channel,
    };
    Ok(link(socket, peer, remote, None, settings))
}

/// Bounds the time of one step.
async fn step<T>(
    step: DialStep,
    patience: Duration,
    work: impl Future<Output = Result<T, DialError>>,
) -> Result<T, DialError> {
    timeout(patience, work)
        .await
        .map_err(|_| DialError::Timeout { step })?
}

/// Why a link could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Nothing accepted a connection at any address of the target.
    #[error("{address}: cannot connect: {source}")]
    Connect {
        /// The address that was tried last.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// What answered does not speak WebSocket, or not as RFC 6455 wants it.
    #[error("the WebSocket handshake failed: {reason}")]
    Handshake {
        /// What was wrong.
        reason: String,
    },
    /// The server did not agree to `v1.usp`. (R-WS.12)
    #[error("the server does not speak the WebSocket subprotocol {SUBPROTOCOL}")]
    NoSubprotocol,
    /// The server refused the handshake.
    #[error("the server refused with HTTP status {status}{}{reason}", if reason.is_empty() { "" } else { ": " })]
    Refused {
        /// HTTP status code.
        status: u16,
        /// The beginning of the body, if it is text.
        reason: String,
        /// For how long it does not want to see us, where it says so in seconds. (RFC 9110 10.2.3)
        retry_after: Option<Duration>,
    },
    /// The name of the host could not be resolved.
    #[error("{host}: cannot resolve the name: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// What the system says.
        source: io::Error,
    },
    /// A step took too long.
    #[error("no answer in time while {step}")]
    Timeout {
        /// The step.
        step: DialStep,
    },
    /// There is no TLS with the server.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The target wants TLS, and the settings hold none.
    #[error("{target}: wss needs a certificate, its key, and CAs to trust; none are configured")]
    TlsNotConfigured {
        /// The target.
        target: String,
    },
}

impl DialError {
    /// For how long the server does not want to see us, where it says so; longer than
    /// [`SENT_AWAY_MAX`] nobody is sent away.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => retry_after.map(|wait| wait.min(SENT_AWAY_MAX)),
            _ => None,
        }
    }
}

/// A step of dialling that can take too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialStep {
    /// Resolving the name and connecting.
    Connect,
    /// The opening handshake of WebSocket.
    Handshake,
    /// The handshake of TLS.
    Tls,
}

impl std::fmt::Display for DialStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Handshake => "opening the WebSocket",
            Self::Tls => "agreeing on TLS",
        })
    }
}

/// Connects to the first address of the target that accepts.
async fn connect(target: &Target) -> Result<(TcpStream, SocketAddr), DialError> {
    let resolve = |source| DialError::Resolve {
        host: target.host.clone(),
        source,
    };
    let addresses = lookup_host((target.host.as_str(), target.port))
        .await
        .map_err(resolve)?;
    let mut failure = resolve(io::Error::new(
        io::ErrorKind::NotFound,
        "the name has no address",
    ));
    for address in addresses.take(ADDRESSES_MAX) {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok((stream, address)),
            Err(source) => failure = DialError::Connect { address, source },
        }
    }
    Err(failure)
}

/// Does the handshake of TLS, if the target wants it. (R-WS.22)
async fn secure(
    stream: TcpStream,
    remote: SocketAddr,
    target: &Target,
    settings: &Settings,
) -> Result<(Wire, Channel), DialError> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    let stream = Metered::new(stream);
    let Some(tls) = settings.tls.as_ref().filter(|_| target.tls) else {
        return Ok((Wire::Plain(stream), Channel::plain(remote.ip())));
    };
    let (stream, session) = tls
        .connect(stream, &target.host, settings.peer_id.as_ref())
        .await?;
    Ok((Wire::Tls(stream), Channel::Tls(session)))
}

/// Returns the open socket and the Endpoint ID that the server told.
async fn open(
    wire: Wire,
    request: Request,
    settings: &Settings,
) -> Result<(WebSocketStream<Wire>, Option<EndpointId>), DialError> {
    let (socket, response) = client_async_with_config(request, wire, Some(settings.protocol()))
        .await
        .map_err(handshake_error)?;
    check_subprotocol(response.headers())?;
    Ok((socket, claimed(response.headers())))
}

fn request(target: &Target, settings: &Settings) -> Result<Request, DialError> {
    let invalid = |reason: String| DialError::Handshake { reason };
    let path = path_with_eid(&target.path, &settings.our_id);
    let mut request = format!("ws://{}{path}", target.authority())
        .into_client_request()
        .map_err(|error| invalid(format!("{target}: {error}")))?;
    let headers = request.headers_mut();
    headers.insert(
        SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(SUBPROTOCOL),
    );
    if settings.legacy_extension {
        let extension = HeaderValue::try_from(extension_with_eid(&settings.our_id))
            .map_err(|_| invalid(format!("{} cannot stand in a header", settings.our_id)))?;
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, extension);
    }
    Ok(request)
}

/// The subprotocol has to be agreed to, by exactly one value. (R-WS.12)
fn check_subprotocol(headers: &HeaderMap) -> Result<(), DialError> {
    let mut agreed = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    match (agreed.next(), agreed.next()) {
        (Some(value), None) if value == SUBPROTOCOL => Ok(()),
        _ => Err(DialError::NoSubprotocol),
    }
}

/// The Endpoint ID of the legacy extension. Its absence is no error, nor is nonsense. (R-WS.11b)
fn claimed(headers: &HeaderMap) -> Option<EndpointId> {
    let mut values = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter();
    let eid = values.find_map(|value| eid_in_extensions(value.to_str().ok()?).flatten())?;
    EndpointId::from_wire(eid)
        .inspect_err(|error| tracing::debug!(%error, "the server told no usable Endpoint ID"))
        .ok()
}

fn handshake_error(error: Error) -> DialError {
    match error {
        Error::Http(response) => refused(&response),
        Error::Io(error) => match TlsError::within(error) {
            Ok(error) => DialError::Tls(error),
            Err(error) => DialError::Handshake {
                reason: error.to_string(),
            },
        },
        Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => DialError::NoSubprotocol,
        error => DialError::Handshake {
            reason: error.to_string(),
        },
    }
}

fn refused(response: &Response) -> DialError {
    let body = response.body().as_deref().unwrap_or_default();
    let body = &body[..body.len().min(REFUSAL_BYTES_MAX)];
    let reason = String::from_utf8_lossy(body)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>();
    DialError::Refused {
        status: response.status().as_u16(),
        reason: reason.trim().to_owned(),
        retry_after: retry_after(response.headers()),
    }
}

/// The time of `Retry-After`, where it is one in seconds; a date is of no use to who may have no clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}
