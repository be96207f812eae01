//! The client end: resolve, connect, opening handshake.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::http::header::{
    HeaderMap, HeaderValue, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL,
};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use usphere_proto::EndpointId;
use usphere_trust::{Channel, PeerIdentity};

use super::identity::{eid_in_extensions, extension_with_eid, path_with_eid};
use super::link::link;
use super::metered::Metered;
use super::{Link, SUBPROTOCOL, Settings, Target};
use crate::limits::{ADDRESSES_MAX, REFUSAL_BYTES_MAX};

/// Opens a WebSocket to `target`. (R-WS.5, R-WS.7)
///
/// One attempt; when to try again is the caller's to decide.
///
/// # Errors
/// [`DialError`] says which step failed.
pub async fn dial(target: &Target, settings: &Settings) -> Result<Link, DialError> {
    if target.tls {
        return Err(DialError::TlsNotAvailable {
            target: target.to_string(),
        });
    }
    let request = request(target, settings)?;
    let (stream, remote) = timeout(settings.connect_timeout, connect(target))
        .await
        .map_err(|_| DialError::Timeout {
            step: DialStep::Connect,
        })??;
    // Boxed: the future of a handshake is large, and the caller's would stay that large.
    let open = Box::pin(open(stream, request, settings));
    let (socket, claimed) = timeout(settings.handshake_timeout, open)
        .await
        .map_err(|_| DialError::Timeout {
            step: DialStep::Handshake,
        })??;
    let peer = PeerIdentity {
        endpoint_id: claimed,
        channel: Channel::plain(remote.ip()),
    };
    Ok(link(socket, peer, remote, None, settings))
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
    /// The target wants TLS.
    #[error("{target}: TLS is not available yet, use ws://")]
    TlsNotAvailable {
        /// The target.
        target: String,
    },
}

/// A step of dialling that can take too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialStep {
    /// Resolving the name and connecting.
    Connect,
    /// The opening handshake.
    Handshake,
}

impl std::fmt::Display for DialStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Handshake => "opening the WebSocket",
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

/// Returns the open socket and the Endpoint ID that the server told.
async fn open(
    stream: TcpStream,
    request: Request,
    settings: &Settings,
) -> Result<(WebSocketStream<Metered<TcpStream>>, Option<EndpointId>), DialError> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    let stream = Metered::new(stream);
    let (socket, response) = client_async_with_config(request, stream, Some(settings.protocol()))
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
    }
}
