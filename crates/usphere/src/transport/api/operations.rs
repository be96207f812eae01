//! Operations over the server's API: asking for one, and what has become of it.

use std::time::Duration;

use http_body_util::Full;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use percent_encoding::utf8_percent_encode;
use serde::Serialize;
use serde_json::Value;
use usphere_datamodel::operation::{Operation, OperationError, Outcome};

use super::pages::List;
use super::{API_PATH, Api, Reply, SEGMENT, device_path, no_token};
use crate::failure::Failure;
use crate::transport::AskError;

const OPERATIONS: List = List {
    path: "operations",
    entries: "operations",
    page: 100,
};

/// How an Operation whose answer is waited for is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Asking<'a> {
    /// Of the device itself, also where the server knows the answer.
    Fresh,
    /// By this idempotency key, so that it can be asked for again.
    Keyed(&'a str),
    Plainly,
}

/// What came of an Operation, and by which ID the server keeps it.
#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) outcome: Outcome,
    pub(crate) id: Option<String>,
}

/// Which Operations are to be listed.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) device: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) limit: usize,
}

impl Api {
    /// Has a device carry an Operation out.
    pub(crate) async fn execute(
        &mut self,
        device: &str,
        operation: &Operation,
        asking: Asking<'_>,
    ) -> Result<Carried, AskError> {
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
        let reply = self.ask_for(&path, &body, key).await;
        let reply = reply.map_err(AskError::Other)?;
        if reply.status.is_success() {
            let mut json = serde_json::Deserializer::from_slice(&reply.body);
            let outcome = Outcome::from_json(kind, &mut json)
                .map_err(|error| AskError::Other(self.place.misunderstood(&error)))?;
            let id = reply.operation;
            return Ok(Carried { outcome, id });
        }
        match serde_json::from_slice::<OperationError>(&reply.body) {
            Ok(error) => Err(AskError::Operation(error)),
            Err(_) => Err(AskError::Other(self.place.refused(&reply))),
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
        let reply = self.ask_for(&path, &body, key).await?;
        self.read(&reply)
    }

    /// Operations, the newest first.
    pub(crate) async fn operations(&mut self, wanted: &Listed) -> Result<Vec<Value>, Failure> {
        let filters = [
            ("device", wanted.device.as_deref()),
            ("state", wanted.state.as_deref()),
        ];
        self.pages(OPERATIONS, &filters, wanted.limit).await
    }

    /// One Operation.
    pub(crate) async fn operation(&mut self, id: &str) -> Result<Value, Failure> {
        self.json(Method::GET, &operation_path(id), None).await
    }

    /// Takes an Operation back; the Operation as it is then.
    pub(crate) async fn cancel(&mut self, id: &str) -> Result<Value, Failure> {
        self.json(Method::DELETE, &operation_path(id), None).await
    }

    /// Asks for an Operation, by its key where it has one.
    async fn ask_for(
        &mut self,
        path: &str,
        body: &str,
        key: Option<&str>,
    ) -> Result<Reply, Failure> {
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
