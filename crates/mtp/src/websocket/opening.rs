//! The server's half of the opening handshake: read the request, judge it, answer. (R-WS.7)

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::{
    Request, Response, create_response, write_response,
};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::http::header::{
    FORWARDED, HeaderValue, ORIGIN, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, USER_AGENT,
    VIA,
};
use usphere_proto::{EndpointId, eid_in_query};

use super::SUBPROTOCOL;
use super::failed::{DoorFault, RequestFault};
use super::identity::{eid_in_extensions, extension_with_eid};
use crate::limits::REQUEST_BYTES_MAX;
use crate::tls::CLIENT_HELLO;

/// How long a refused client may take to read why.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Most characters of what a client sent that are told on.
const CLIPPED_CHARACTERS_MAX: usize = 256;

/// A request that was accepted and answered.
#[derive(Debug)]
pub(super) struct Opened {
    /// The Endpoint ID that the client told.
    pub(super) claimed: Option<EndpointId>,
    /// Whether a proxy says that it has passed the request on.
    pub(super) is_forwarded: bool,
    /// What the client has sent after its request.
    pub(super) rest: Vec<u8>,
}

/// Why a request was not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpeningError {
    /// The connection ended before anything came.
    #[error("the connection ended before anything came")]
    Empty,
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The client was told so.
    #[error("refused with {}: {}", .denied.refusal.status.as_u16(), .denied.refusal.text)]
    Refused {
        /// What is wrong, and what the client was told.
        denied: Denied,
        /// Who the client says it is, if that can be read.
        claimed: Option<EndpointId>,
    },
}

/// What is wrong with a request, and what its client is told.
#[derive(Debug)]
pub(super) struct Denied {
    fault: RequestFault,
    refusal: Refusal,
}

/// An HTTP answer other than 101.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    text: String,
    retry_after: Option<Duration>,
}

/// Reads the request from `stream` and answers it for the Endpoint `our_id` at `path`.
///
/// Reads at most [`REQUEST_BYTES_MAX`] bytes. The time it may take is the caller's to bound.
pub(super) async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    path: &str,
    our_id: &EndpointId,
) -> Result<Opened, OpeningError> {
    let judged = match read_request(stream).await? {
        Ok((request, rest)) => match judge(&request, path, our_id) {
            Ok((response, claimed)) => {
                let is_forwarded = is_forwarded(&request);
                let opened = Opened {
                    claimed,
                    is_forwarded,
                    rest,
                };
                Ok((response, opened))
            }
            Err(denied) => Err((denied, claimed_by(&request))),
        },
        Err(denied) => Err((denied, None)),
    };
    match judged {
        Ok((response, opened)) => {
            stream.write_all(&encode(&response)).await?;
            // TLS may have kept it.
            stream.flush().await?;
            Ok(opened)
        }
        Err((denied, claimed)) => {
            // The client may be gone already; nobody is left to tell then.
            let _ = timeout(REFUSAL_TIMEOUT, refuse(stream, &denied.refusal)).await;
            Err(OpeningError::Refused { denied, claimed })
        }
    }
}

/// Tells a client that speaks plain HTTP at a door for TLS.
pub(super) async fn refuse_plain<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) {
    let text = "only TLS is spoken here, use wss://";
    let refusal = Refusal::new(StatusCode::BAD_REQUEST, text);
    // The client may be gone already; nobody is left to tell then.
    let _ = timeout(REFUSAL_TIMEOUT, refuse(stream, &refusal)).await;
}

/// Reads the request from `stream` and tells the client to come back.
pub(super) async fn put_off<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    retry_after: Duration,
) -> Result<(), OpeningError> {
    let refusal = match timeout(REFUSAL_TIMEOUT, read_request(stream)).await {
        Ok(Ok(Err(denied))) => denied.refusal,
        Ok(Err(error)) => return Err(error),
        // Who is slow to ask is told all the same.
        Ok(Ok(Ok(_))) | Err(_) => Refusal::busy(retry_after),
    };
    Ok(refuse(stream, &refusal).await?)
}

/// What is written to a connection that is closed before its request is read.
pub(super) fn busy(retry_after: Duration) -> Vec<u8> {
    Refusal::busy(retry_after).encode()
}

/// Reads up to the empty line. The inner error is for the client.
async fn read_request<S: AsyncRead + Unpin>(
    stream: &mut S,
) -> Result<Result<(Request, Vec<u8>), Denied>, OpeningError> {
    const END: &[u8] = b"\r\n\r\n";
    let mut bytes = Vec::with_capacity(1024);
    loop {
        let searched = bytes.len().saturating_sub(END.len() - 1);
        let room = (REQUEST_BYTES_MAX - bytes.len()) as u64;
        if stream.take(room).read_buf(&mut bytes).await? == 0 {
            if bytes.is_empty() {
                return Err(OpeningError::Empty);
            }
            if bytes.len() < REQUEST_BYTES_MAX {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            return Ok(Err(Denied::new(
                RequestFault::TooLarge,
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                format!("the request has more than {REQUEST_BYTES_MAX} bytes"),
            )));
        }
        if bytes.first() == Some(&CLIENT_HELLO) {
            return Ok(Err(Denied::new(
                RequestFault::Tls,
                StatusCode::BAD_REQUEST,
                "no TLS is spoken here, use ws://",
            )));
        }
        if bytes.first().is_some_and(|first| !begins_request(*first)) {
            return Ok(Err(Denied::new(
                RequestFault::NotHttp,
                StatusCode::BAD_REQUEST,
                "not an HTTP request",
            )));
        }
        if bytes[searched..]
            .windows(END.len())
            .any(|window| window == END)
        {
            return Ok(parse(bytes));
        }
    }
}

/// Whether a request may begin like this: who speaks something else would wait for an answer for ever.
fn begins_request(first: u8) -> bool {
    first.is_ascii_alphabetic() || matches!(first, b'\r' | b'\n')
}

fn parse(mut bytes: Vec<u8>) -> Result<(Request, Vec<u8>), Denied> {
    match Request::try_parse(&bytes) {
        Ok(Some((length, request))) => Ok((request, bytes.split_off(length))),
        Ok(None) => Err(Denied::new(
            RequestFault::NotHttp,
            StatusCode::BAD_REQUEST,
            "not an HTTP request",
        )),
        Err(error) => Err(Denied::of(&error)),
    }
}

/// Decides about a request: the response, and who the client says it is.
fn judge(
    request: &Request,
    path: &str,
    our_id: &EndpointId,
) -> Result<(Response, Option<EndpointId>), Denied> {
    if request.uri().path() != path {
        let text = format!("no USP Endpoint at this path, use {path}");
        let fault = RequestFault::Path {
            asked: clip(request.uri().path()),
            expected: path.to_owned(),
        };
        return Err(Denied::new(fault, StatusCode::NOT_FOUND, text));
    }
    if is_of_a_browser(request) {
        let text = "no USP Endpoint is a page in a browser";
        return Err(Denied::new(
            RequestFault::Browser,
            StatusCode::FORBIDDEN,
            text,
        ));
    }
    let mut response = create_response(request).map_err(|error| Denied::of(&error))?;
    if !offers_subprotocol(request) {
        let text = format!("Sec-WebSocket-Protocol has to offer {SUBPROTOCOL}");
        let fault = RequestFault::Subprotocol {
            offered: offered(request),
        };
        return Err(Denied::new(fault, StatusCode::BAD_REQUEST, text));
    }
    let headers = response.headers_mut();
    headers.insert(
        SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(SUBPROTOCOL),
    );
    let extension = legacy_extension(request);
    if extension.is_some()
        && let Ok(answer) = HeaderValue::try_from(extension_with_eid(our_id))
    {
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, answer);
    }
    let claimed = claimed(request, extension.flatten())?;
    Ok((response, claimed))
}

/// Whether a browser asks for a page of whomever: any page may open a WebSocket to any address that the browser reaches,
/// also where a stranger does not. Browsers say from where the page is, and no page can change what they call
/// themselves; some Agents name an origin, too.
fn is_of_a_browser(request: &Request) -> bool {
    let headers = request.headers();
    let name = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    headers.contains_key(ORIGIN) && name.is_some_and(|name| name.starts_with(b"Mozilla/"))
}

/// Whether a proxy says that it stands between: the client may be anywhere then, wherever the proxy is.
fn is_forwarded(request: &Request) -> bool {
    let headers = request.headers();
    let told = [
        FORWARDED.as_str(),
        VIA.as_str(),
        "x-forwarded-for",
        "x-real-ip",
    ];
    told.into_iter().any(|name| headers.contains_key(name))
}

/// Whether `v1.usp` is among what the client offers. (R-WS.12a)
fn offers_subprotocol(request: &Request) -> bool {
    let offers = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
    let mut offers = offers.iter().filter_map(|value| value.to_str().ok());
    offers.any(|value| value.split(',').any(|offer| offer.trim() == SUBPROTOCOL))
}

/// The subprotocols that the client offers, for people.
fn offered(request: &Request) -> String {
    let offers = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
    let offers: Vec<_> = offers.iter().map(|it| it.as_bytes()).collect();
    clip(&String::from_utf8_lossy(&offers.join(&b", "[..])))
}

/// What came from a client, as a message can bear it.
fn clip(text: &str) -> String {
    let kept = text.chars().take(CLIPPED_CHARACTERS_MAX);
    kept.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Who the client of a refused request says it is, if that can be read.
fn claimed_by(request: &Request) -> Option<EndpointId> {
    claimed(request, legacy_extension(request).flatten()).ok()?
}

/// The legacy extension, if it is offered, and the `eid` in it. (R-WS.11a, R-WS.11c)
fn legacy_extension(request: &Request) -> Option<Option<&str>> {
    let extensions = request.headers().get_all(SEC_WEBSOCKET_EXTENSIONS);
    extensions
        .iter()
        .find_map(|value| eid_in_extensions(value.to_str().ok()?))
}

/// Who the client says it is: in the query, or else in the legacy extension, or not at all.
fn claimed(request: &Request, in_extension: Option<&str>) -> Result<Option<EndpointId>, Denied> {
    let bad =
        |reason: String| Denied::new(RequestFault::EndpointId, StatusCode::BAD_REQUEST, reason);
    let in_query = eid_in_query(request.uri().query().unwrap_or_default())
        .map_err(|error| bad(error.to_string()))?;
    match (in_query, in_extension) {
        (Some(id), _) => Ok(Some(id)),
        (None, Some(id)) => EndpointId::from_wire(id)
            .map(Some)
            .map_err(|error| bad(error.to_string())),
        (None, None) => Ok(None),
    }
}

fn encode(response: &Response) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    let written = write_response(&mut bytes, response);
    debug_assert!(written.is_ok(), "only ASCII was put into the headers");
    bytes
}

async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    refusal: &Refusal,
) -> io::Result<()> {
    stream.write_all(&refusal.encode()).await?;
    stream.shutdown().await?;
    // What is left unread would reset the connection before the client has read the answer.
    let mut rest = stream.take(8 * REQUEST_BYTES_MAX as u64);
    tokio::io::copy_buf(
        &mut tokio::io::BufReader::with_capacity(1024, &mut rest),
        &mut tokio::io::sink(),
    )
    .await?;
    Ok(())
}

impl Denied {
    fn new(fault: RequestFault, status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            fault,
            refusal: Refusal::new(status, text),
        }
    }

    fn of(error: &Error) -> Self {
        let (status, fault) = match error {
            Error::Protocol(ProtocolError::WrongHttpMethod) => {
                (StatusCode::METHOD_NOT_ALLOWED, RequestFault::Method)
            }
            Error::Protocol(ProtocolError::WrongHttpVersion) => (
                StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                RequestFault::Version,
            ),
            Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader) => {
                (StatusCode::UPGRADE_REQUIRED, RequestFault::Version)
            }
            Error::Protocol(
                ProtocolError::MissingConnectionUpgradeHeader
                | ProtocolError::MissingUpgradeWebSocketHeader,
            ) => (StatusCode::UPGRADE_REQUIRED, RequestFault::NotWebSocket),
            Error::Protocol(ProtocolError::MissingSecWebSocketKey) => {
                (StatusCode::BAD_REQUEST, RequestFault::NotWebSocket)
            }
            _ => (StatusCode::BAD_REQUEST, RequestFault::NotHttp),
        };
        Self::new(fault, status, error.to_string())
    }

    /// The same for those who look after the door.
    pub(super) fn into_fault(self) -> DoorFault {
        DoorFault::Request {
            fault: self.fault,
            status: self.refusal.status.as_u16(),
            text: self.refusal.text,
        }
    }
}

impl Refusal {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
            retry_after: None,
        }
    }

    fn busy(retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many connections, try again later",
            )
        }
    }

    fn encode(&self) -> Vec<u8> {
        let more = match self.status {
            StatusCode::METHOD_NOT_ALLOWED => "Allow: GET\r\n",
            StatusCode::UPGRADE_REQUIRED => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            _ => "",
        };
        let retry_after = self.retry_after.map_or_else(String::new, |retry_after| {
            // Whole seconds, and not fewer.
            let seconds = retry_after.as_secs_f64().ceil();
            format!("Retry-After: {seconds}\r\n")
        });
        format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\
             {more}{retry_after}Content-Length: {length}\r\n\r\n{text}\n",
            status = self.status,
            length = self.text.len() + 1,
            text = self.text,
        )
        .into_bytes()
    }
}
