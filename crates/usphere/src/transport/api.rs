//! The server's API over HTTP. One connection, one request at a time.

mod fleet;
mod onboarding;

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::request;
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::timeout;
use usphere_datamodel::operation::{Operation, OperationError, Outcome};

pub(crate) use self::fleet::{FleetLine, FleetSummary};
use super::connection::Address;
use super::{AskError, patiently};
use crate::cli::reach::ServerReach;
use crate::defaults::{ANSWER_BYTES_MAX, API_PATH};
use crate::failure::{Exit, Failure};
use crate::print;

/// What the server itself may take on top of the device's time.
const SERVER_PATIENCE: Duration = Duration::from_secs(5);

/// Operations or contacts that are asked for at a time.
const OPERATIONS_PAGE: usize = 100;

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

/// What is wrong, in the server's words. (RFC 9457)
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    detail: String,
}

/// A page of the inventory.
#[derive(Deserialize)]
struct Page {
    devices: Vec<Value>,
    next: Option<String>,
}

/// A page of Operations.
#[derive(Deserialize)]
struct OperationsPage {
    operations: Vec<Value>,
    next: Option<String>,
}

/// A page of contacts.
#[derive(Deserialize)]
struct ContactsPage {
    contacts: Vec<Value>,
    next: Option<String>,
}

/// How an Operation whose answer is waited for is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Asking<'a> {
    /// Of the device itself, also where the server knows the answer.
    Fresh,
    /// By this idempotency key, so that it can be asked for again.
    Keyed(&'a str),
    Plainly,
}

/// Which Operations are to be listed.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) device: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) limit: usize,
}

/// The way to one live stream, which may be opened again and again.
#[derive(Debug)]
pub(crate) struct Live {
    place: Place,
    path: String,
    patience: Duration,
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
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let answer = body.collect().await.map(|body| body.to_bytes());
        let failure = self.place.refused(status, &answer.unwrap_or_default());
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

    /// Contacts that failed, those that came last first: of a device, or all.
    pub(crate) async fn contacts(
        &mut self,
        device: Option<&str>,
        wanted: usize,
    ) -> Result<Vec<Value>, Failure> {
        let mut contacts = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let limit = (wanted - contacts.len()).min(OPERATIONS_PAGE);
            let mut path = format!("{API_PATH}/contacts?limit={limit}");
            for (name, value) in [("device", device), ("after", after.as_deref())] {
                if let Some(value) = value {
                    path += &format!("&{name}={}", utf8_percent_encode(value, SEGMENT));
                }
            }
            let page = self.json(Method::GET, &path, None).await?;
            let page: ContactsPage =
                serde_json::from_value(page).map_err(|error| self.place.misunderstood(&error))?;
            contacts.extend(page.contacts);
            after = page.next;
            if after.is_none() || contacts.len() >= wanted {
                contacts.truncate(wanted);
                return Ok(contacts);
            }
        }
    }

    /// Has a device carry an Operation out.
    pub(crate) async fn execute(
        &mut self,
        device: &str,
        operation: &Operation,
        asking: Asking<'_>,
    ) -> Result<Outcome, AskError> {
        let seconds = self.patience.as_millis().div_ceil(1000);
        let kind = operation.kind();
        let mut path = format!("{}/{kind}?timeout={seconds}", device_path(device));
        let key = match asking {
            Asking::Keyed(key) => Some(key),
            Asking::Plainly => None,
            Asking::Fresh => {
                path += "&fresh=true";
                None
            }
        };
        let body = body_of(operation).map_err(AskError::Other)?;
        let (status, answer) = self
            .ask_for(&path, &body, key)
            .await
            .map_err(AskError::Other)?;
        if status.is_success() {
            let mut json = serde_json::Deserializer::from_slice(&answer);
            return Outcome::from_json(kind, &mut json)
                .map_err(|error| AskError::Other(self.place.misunderstood(&error)));
        }
        match serde_json::from_slice::<OperationError>(&answer) {
            Ok(error) => Err(AskError::Operation(error)),
            Err(_) => Err(AskError::Other(self.place.refused(status, &answer))),
        }
    }

    /// Has a device carry an Operation out as soon as it can; the Operation as the server keeps it.
    pub(crate) async fn submit(
        &mut self,
        device: &str,
        operation: &Operation,
        expires: Option<Duration>,
        key: Option<&str>,
    ) -> Result<Value, Failure> {
        let seconds = self.patience.as_millis().div_ceil(1000);
        let kind = operation.kind();
        let mut path = format!(
            "{}/{kind}?timeout={seconds}&wait=false",
            device_path(device)
        );
        if let Some(expires) = expires {
            path += &format!("&expires={}", expires.as_millis().div_ceil(1000));
        }
        let body = body_of(operation)?;
        let answer = self.ask_for(&path, &body, key).await?;
        self.read(answer)
    }

    /// Operations, the newest first.
    pub(crate) async fn operations(&mut self, wanted: &Listed) -> Result<Vec<Value>, Failure> {
        let mut operations = Vec::new();
        let mut after = None;
        loop {
            let limit = (wanted.limit - operations.len()).min(OPERATIONS_PAGE);
            let mut path = format!("{API_PATH}/operations?limit={limit}");
            let filters = [
                ("device", &wanted.device),
                ("state", &wanted.state),
                ("after", &after),
            ];
            for (name, value) in filters {
                if let Some(value) = value {
                    path += &format!("&{name}={}", utf8_percent_encode(value, SEGMENT));
                }
            }
            let page = self.json(Method::GET, &path, None).await?;
            let page: OperationsPage =
                serde_json::from_value(page).map_err(|error| self.place.misunderstood(&error))?;
            operations.extend(page.operations);
            after = page.next;
            if after.is_none() || operations.len() >= wanted.limit {
                operations.truncate(wanted.limit);
                return Ok(operations);
            }
        }
    }

    /// One Operation.
    pub(crate) async fn operation(&mut self, id: &str) -> Result<Value, Failure> {
        self.json(Method::GET, &operation_path(id), None).await
    }

    /// Takes an Operation back; the Operation as it is then.
    pub(crate) async fn cancel(&mut self, id: &str) -> Result<Value, Failure> {
        self.json(Method::DELETE, &operation_path(id), None).await
    }

    /// The devices of the server, all or those that fit the filters of the API.
    pub(crate) async fn devices(
        &mut self,
        filters: &[(&str, String)],
    ) -> Result<Vec<Value>, Failure> {
        let mut devices = Vec::new();
        let filters = filters
            .iter()
            .map(|(name, value)| format!("&{name}={}", utf8_percent_encode(value, SEGMENT)));
        let first = format!(
            "{API_PATH}/devices?limit=1000{}",
            filters.collect::<String>()
        );
        let mut path = first.clone();
        loop {
            let page = self.json(Method::GET, &path, None).await?;
            let page: Page =
                serde_json::from_value(page).map_err(|error| self.place.misunderstood(&error))?;
            devices.extend(page.devices);
            let Some(next) = page.next else {
                return Ok(devices);
            };
            let after = utf8_percent_encode(&next, SEGMENT);
            path = format!("{first}&after={after}");
        }
    }

    /// One device.
    pub(crate) async fn device(&mut self, device: &str) -> Result<Value, Failure> {
        self.json(Method::GET, &device_path(device), None).await
    }

    /// Gives a device an alias, or takes it away; the device as it is then.
    pub(crate) async fn rename(
        &mut self,
        device: &str,
        alias: Option<&str>,
    ) -> Result<Value, Failure> {
        let body = serde_json::json!({ "alias": alias }).to_string();
        self.json(Method::PATCH, &device_path(device), Some(&body))
            .await
    }

    /// Forgets a device.
    pub(crate) async fn remove(&mut self, device: &str) -> Result<(), Failure> {
        self.done(Method::DELETE, &device_path(device)).await
    }

    /// Has something done that has no answer.
    pub(super) async fn done(&mut self, method: Method, path: &str) -> Result<(), Failure> {
        let (status, answer) = self.ask(method, path, None).await?;
        match status.is_success() {
            true => Ok(()),
            false => Err(self.place.refused(status, &answer)),
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
        let answer = self.ask(method, path, body).await?;
        self.read(answer)
    }

    fn read(&self, (status, answer): (StatusCode, Bytes)) -> Result<Value, Failure> {
        if !status.is_success() {
            return Err(self.place.refused(status, &answer));
        }
        serde_json::from_slice(&answer).map_err(|error| self.place.misunderstood(&error))
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&str>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let body = Full::new(Bytes::from(body.unwrap_or_default().to_owned()));
        let request = self.place.request(method, path).body(body);
        self.send(request.map_err(no_token)?).await
    }

    /// Asks for an Operation, by its key where it has one.
    async fn ask_for(
        &mut self,
        path: &str,
        body: &str,
        key: Option<&str>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let mut request = self.place.request(Method::POST, path);
        if let Some(key) = key {
            let key = HeaderValue::from_str(key).map_err(|_| {
                Failure::usage(format_args!(
                    "--idempotency-key {key:?}: visible ASCII characters are expected"
                ))
            })?;
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned())));
        self.send(request.map_err(no_token)?).await
    }

    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), Failure> {
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

    /// Why the server did not do it.
    fn refused(&self, status: StatusCode, answer: &[u8]) -> Failure {
        let problem: Problem = serde_json::from_slice(answer).unwrap_or_default();
        let detail = match problem.detail.as_str() {
            "" => status.to_string(),
            detail => print::clean(detail),
        };
        match status {
            StatusCode::UNAUTHORIZED if detail.contains(" expired ") => {
                Failure::local(format_args!("{}: {detail}", self.address.url())).advise(
                    "`usphere tokens create` makes another; --token or USPHERE_TOKEN give it",
                )
            }
            StatusCode::FORBIDDEN => Failure::local(detail)
                .advise("`usphere tokens create NAME --scope SCOPE` makes one that may do more"),
            StatusCode::UNAUTHORIZED => {
                Failure::local(format_args!("{}: the server does not take the token", self.address.url()))
                    .advise(
                        "is it another server's? --data DIR names the data folder of this one, --token gives the token itself",
                    )
            }
            StatusCode::NOT_FOUND if detail.contains("device") => Failure::new(Exit::Absent, detail)
                .advise("`usphere devices list` shows the devices"),
            StatusCode::CONFLICT
            | StatusCode::NOT_FOUND
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::TOO_MANY_REQUESTS => Failure::new(Exit::Absent, detail),
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Failure::usage(detail),
            _ => Failure::local(detail),
        }
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
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    connection.ready().await?;
    let response: Response<Incoming> = connection.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
        .collect()
        .await?;
    Ok((status, body.to_bytes()))
}

pub(super) fn device_path(device: &str) -> String {
    format!(
        "{API_PATH}/devices/{}",
        utf8_percent_encode(device, SEGMENT)
    )
}

fn operation_path(id: &str) -> String {
    format!("{API_PATH}/operations/{}", utf8_percent_encode(id, SEGMENT))
}

/// The arguments of an Operation; its verb stands in the path.
fn body_of(operation: &Operation) -> Result<String, Failure> {
    fn json(arguments: &impl Serialize) -> serde_json::Result<String> {
        serde_json::to_string(arguments)
    }
    match operation {
        Operation::Add(arguments) => json(arguments),
        Operation::Delete(arguments) => json(arguments),
        Operation::Get(arguments) => json(arguments),
        Operation::Instances(arguments) => json(arguments),
        Operation::Operate(arguments) => json(arguments),
        Operation::Set(arguments) => json(arguments),
        Operation::SupportedModel(arguments) => json(arguments),
        Operation::SupportedProtocol(arguments) => json(arguments),
    }
    .map_err(Failure::local)
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
