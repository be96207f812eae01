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
use hyper::client::conn::http1::SendRequest;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::http::request;
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

pub(crate) use self::fleet::{FleetLine, FleetSummary};
pub(crate) use self::operations::{Asking, Listed};
pub(super) use self::pages::List;
use super::connection::Address;
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
    address: Address,
    token: String,
}

impl Live {
    /// Opens the stream, from after the event `last` on, or from now on.
    ///
    /// # Errors
    /// `Absent` where the server may only be away.
    pub(crate) async fn open(&self, last: Option<&str>) -> Result<Incoming, Failure> {
        let address = &self.place.address;
        let mut connection = address.open(self.patience).await?;
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
            Ok(Err(error)) => return Err(address.unreachable(&error.to_string())),
            Err(_) => return Err(address.unreachable("no answer in time")),
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
        let address = Address::of(server)?;
        let connection = address.open(patience).await?;
        let place = Place {
            token: server.token()?,
            address,
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
            self.connection = self.place.address.open(self.patience).await?;
        }
        let patience = self.patience + SERVER_PATIENCE;
        let answer = timeout(patience, answer(&mut self.connection, request));
        match patiently("waiting for the server", answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Failure::local(format_args!(
                "{}: {error}",
                self.place.address.url()
            ))
            .advise("is that address the API of a usphere server?")),
            Err(_) => Err(Failure::new(
                Exit::Absent,
                format_args!(
                    "{}: the server did not answer in time",
                    self.place.address.url()
                ),
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
            .header(HOST, self.address.authority())
            .header(ACCEPT, "application/json, text/event-stream")
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
    }

    fn misunderstood(&self, error: &serde_json::Error) -> Failure {
        Failure::local(format_args!(
            "{}: the answer cannot be understood: {error}",
            self.address.url()
        ))
        .advise("is the server of another version?")
    }
}

fn no_token(_: hyper::http::Error) -> Failure {
    Failure::usage("the token holds characters that no token has")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_one_segment_of_the_path() {
        assert_eq!(
            device_path("os::00256D-a%20/b?"),
            "/api/v1/devices/os::00256D-a%2520%2Fb%3F"
        );
    }
}
