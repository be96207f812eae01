//! The server's API over HTTP. One connection, one request at a time.

mod devices;
mod fleet;
mod onboarding;
mod operations;
mod pages;
mod refusal;

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::http::request;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) use self::fleet::{FleetLine, FleetSummary};
pub(crate) use self::operations::{Asking, Listed};
pub(super) use self::pages::List;
use super::patiently;
use crate::cli::reach::ServerReach;
use crate::defaults::{ANSWER_BYTES_MAX, API_PATH};
use crate::failure::{Exit, Failure};

/// What the server itself may take on top of the device's time.
const SERVER_PATIENCE: Duration = Duration::from_secs(5);

/// What stands in a path segment as it is; everything else is percent-encoded.
pub(super) const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':');

/// A connection to the server, and what it takes to be let in.
#[derive(Debug)]
pub(crate) struct Api {
    place: Place,
    patience: Duration,
    connection: SendRequest<Full<Bytes>>,
}

/// The way to one live stream, which may be opened again and again.
#[derive(Debug)]
pub(crate) struct Live {
    place: Place,
    path: String,
    patience: Duration,
}

/// What the server answered.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    /// The ID of the Operation that was asked for.
    operation: Option<String>,
    body: Bytes,
}

/// Where the server is, and what it takes to be let in.
#[derive(Clone, Debug)]
struct Place {
    url: String,
    authority: String,
    token: String,
}

impl Live {
    /// Opens the stream, from after the event `last` on, or from now on.
    ///
    /// # Errors
    /// `Absent` where the server may only be away.
    pub(crate) async fn open(&self, last: Option<&str>) -> Result<Incoming, Failure> {
        let url = &self.place.url;
        let mut connection = open(url, &self.place.authority, self.patience).await?;
        let mut request = self.place.request(Method::GET, &self.path);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Full::default()).map_err(no_token)?;
        let answer = async {
            connection.ready().await?;
            connection.send_request(request).await
        };
        let response = match timeout(self.patience, answer).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(unreachable(url, &error.to_string())),
            Err(_) => return Err(unreachable(url, "no answer in time")),
        };
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let failure = self.place.refused(&Reply::of_refusal(response).await);
        match status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            true => Err(Failure {
                exit: Exit::Absent,
                ..failure
            }),
            false => Err(failure),
        }
    }
}

impl Api {
    /// Connects, then looks for the token: where no server is, none is missed.
    pub(crate) async fn connect(server: &ServerReach, patience: Duration) -> Result<Self, Failure> {
        let url = server.url();
        let authority = authority(&url)?;
        let connection = open(&url, &authority, patience).await?;
        let place = Place {
            token: server.token()?,
            url,
            authority,
        };
        Ok(Self {
            place,
            patience,
            connection,
        })
    }

    /// What a device says of its own accord.
    pub(crate) fn live(&self, device: &str) -> Live {
        Live {
            place: self.place.clone(),
            path: format!("{}/events/live", device_path(device)),
            patience: self.patience,
        }
    }

    /// What the server and a device say to each other.
    pub(crate) fn log(&self, device: &str) -> Live {
        Live {
            place: self.place.clone(),
            path: format!("{}/log/live", device_path(device)),
            patience: self.patience,
        }
    }

    /// What the server tells of itself.
    pub(crate) async fn server(&mut self) -> Result<Value, Failure> {
        self.json(Method::GET, &format!("{API_PATH}/server"), None)
            .await
    }

    /// Has something done that has no answer.
    pub(super) async fn done(&mut self, method: Method, path: &str) -> Result<(), Failure> {
        let reply = self.ask(method, path, None).await?;
        match reply.status.is_success() {
            true => Ok(()),
            false => Err(self.place.refused(&reply)),
        }
    }

    /// Reads what the server told.
    pub(super) fn understood<T: DeserializeOwned>(&self, json: Value) -> Result<T, Failure> {
        serde_json::from_value(json).map_err(|error| self.place.misunderstood(&error))
    }

    pub(super) async fn json(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&str>,
    ) -> Result<Value, Failure> {
        let reply = self.ask(method, path, body).await?;
        self.read(&reply)
    }

    fn read(&self, reply: &Reply) -> Result<Value, Failure> {
        if !reply.status.is_success() {
            return Err(self.place.refused(reply));
        }
        serde_json::from_slice(&reply.body).map_err(|error| self.place.misunderstood(&error))
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&str>,
    ) -> Result<Reply, Failure> {
        let body = Full::new(Bytes::from(body.unwrap_or_default().to_owned()));
        let request = self.place.request(method, path).body(body);
        self.send(request.map_err(no_token)?).await
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, Failure> {
        // The server ends connections that are idle, and one on which nobody waits any more ends too.
        if self.connection.ready().await.is_err() {
            let Place { url, authority, .. } = &self.place;
            self.connection = open(url, authority, self.patience).await?;
        }
        let patience = self.patience + SERVER_PATIENCE;
        let answer = timeout(patience, answer(&mut self.connection, request));
        match patiently("waiting for the server", answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Failure::local(format_args!("{}: {error}", self.place.url))
                .advise("is that address the API of a usphere server?")),
            Err(_) => Err(Failure::new(
                Exit::Absent,
                format_args!("{}: the server did not answer in time", self.place.url),
            )
            .advise("--timeout gives it longer")),
        }
    }
}

impl Reply {
    /// Why a request was refused, as far as it can be read.
    async fn of_refusal(response: Response<Incoming>) -> Self {
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let body = body.collect().await.map(|body| body.to_bytes());
        Self {
            status,
            operation: None,
            body: body.unwrap_or_default(),
        }
    }
}

impl Place {
    fn request(&self, method: Method, path: &str) -> request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(ACCEPT, "application/json, text/event-stream")
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
    }

    fn misunderstood(&self, error: &serde_json::Error) -> Failure {
        Failure::local(format_args!(
            "{}: the answer cannot be understood: {error}",
            self.url
        ))
        .advise("is the server of another version?")
    }
}

/// `host:port` of an API's URL.
fn authority(url: &str) -> Result<String, Failure> {
    let wrong = |why: &str| {
        Failure::usage(format_args!("{url}: {why}"))
            .advise("the server's address looks like http://127.0.0.1:8080")
    };
    let uri: Uri = url.parse().map_err(|_| wrong("not a URL"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err(wrong("TLS is not available yet, use http://")),
        _ => return Err(wrong("http:// is expected")),
    }
    let authority = uri.authority().ok_or_else(|| wrong("no host"))?;
    if authority.as_str().contains('@') {
        return Err(wrong("no user name or password is expected"));
    }
    if !uri.path().trim_end_matches('/').is_empty() || uri.query().is_some() {
        return Err(wrong("nothing is expected after the port"));
    }
    Ok(match authority.port_u16() {
        Some(_) => authority.to_string(),
        None => format!("{}:80", authority.host()),
    })
}

/// Opens a connection.
async fn open(
    url: &str,
    authority: &str,
    patience: Duration,
) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let stream = match timeout(patience, dial(authority)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(unreachable(url, &error.to_string())),
        Err(_) => return Err(unreachable(url, "no answer in time")),
    };
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| unreachable(url, &error.to_string()))?;
    // Its errors come back by the requests.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

fn no_token(_: hyper::http::Error) -> Failure {
    Failure::usage("the token holds characters that no token has")
}

async fn dial(authority: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn answer(
    connection: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Reply, Box<dyn std::error::Error + Send + Sync>> {
    connection.ready().await?;
    let response: Response<Incoming> = connection.send_request(request).await?;
    let operation = response.headers().get("operation-id");
    let operation = operation.and_then(|id| Some(id.to_str().ok()?.to_owned()));
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
        .collect()
        .await?;
    Ok(Reply {
        status,
        operation,
        body: body.to_bytes(),
    })
}

pub(super) fn device_path(device: &str) -> String {
    format!(
        "{API_PATH}/devices/{}",
        utf8_percent_encode(device, SEGMENT)
    )
}

fn unreachable(url: &str, reason: &str) -> Failure {
    Failure::new(
        Exit::Absent,
        format_args!("{url}: the server cannot be reached: {reason}"),
    )
    .advise(
        "start it with `usphere server`; --server URL or USPHERE_API name another; --agent URL asks an Agent without a server",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_plain_http_with_nothing_behind_the_port() {
        let authority = |url| super::authority(url).map_err(|failure| failure.message);
        assert_eq!(
            authority("http://127.0.0.1:8080").as_deref(),
            Ok("127.0.0.1:8080")
        );
        assert_eq!(authority("http://[::1]:1/").as_deref(), Ok("[::1]:1"));
        assert_eq!(authority("http://host").as_deref(), Ok("host:80"));
        for wrong in [
            "https://a",
            "a:80",
            "http://a/api",
            "http://u:p@a",
            "ws://a",
            "",
        ] {
            assert!(authority(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_device_is_one_segment_of_the_path() {
        assert_eq!(
            device_path("os::00256D-a%20/b?"),
            "/api/v1/devices/os::00256D-a%2520%2Fb%3F"
        );
    }
}
