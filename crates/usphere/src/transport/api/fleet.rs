//! One question to many devices.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::Method;
use hyper::body::{Bytes, Incoming};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;
use usphere_datamodel::operation::{GetOutcome, OperationError};

use super::{API_PATH, Api, Place, Reply, no_token};
use crate::defaults::ANSWER_BYTES_MAX;
use crate::failure::{Exit, Failure};

/// What a fleet says, line by line.
#[derive(Debug)]
pub(crate) struct FleetStream {
    place: Place,
    body: Incoming,
    bytes: Vec<u8>,
    /// Up to here there is no end of a line.
    searched: usize,
    patience: Duration,
}

/// A line of it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum FleetLine {
    /// What a device said.
    Told { device: String, outcome: GetOutcome },
    /// Why a device said nothing.
    Untold {
        device: String,
        error: OperationError,
    },
    /// The last.
    Summary { summary: FleetSummary },
}

/// What came of it.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct FleetSummary {
    pub(crate) devices: u64,
    pub(crate) answered: u64,
    pub(crate) offline: u64,
    pub(crate) failed: u64,
    pub(crate) milliseconds: u64,
}

impl Api {
    /// Has many devices asked; `wanted` is the body as the API takes it. `patience` is for the time between two lines.
    pub(crate) async fn fleet(
        &mut self,
        wanted: &Value,
        patience: Duration,
    ) -> Result<FleetStream, Failure> {
        let path = format!("{API_PATH}/fleet/get");
        let request = self.place.request(Method::POST, &path);
        let request = request
            .body(Full::new(Bytes::from(wanted.to_string())))
            .map_err(no_token)?;
        let url = self.place.address.url();
        let silent = |error: String| {
            Failure::new(Exit::Absent, format_args!("{url}: {error}"))
                .advise("is that address the API of a usphere server?")
        };
        let answer = timeout(patience, self.connection.send_request(request));
        let response = match answer.await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(silent(error.to_string())),
            Err(_) => return Err(silent("the server did not answer in time".to_owned())),
        };
        if !response.status().is_success() {
            return Err(self.place.refused(&Reply::of_refusal(response).await));
        }
        Ok(FleetStream {
            place: self.place.clone(),
            body: response.into_body(),
            bytes: Vec::new(),
            searched: 0,
            patience,
        })
    }
}

impl FleetStream {
    /// The next line: as it came, and as it is understood. An error where the answer ends before its last line.
    pub(crate) async fn next(&mut self) -> Result<(String, FleetLine), Failure> {
        loop {
            if let Some(line) = self.line() {
                let read = serde_json::from_str(&line);
                let read = read.map_err(|error| self.place.misunderstood(&error))?;
                return Ok((line, read));
            }
            let cut = |why: &str| {
                let text = format_args!("{}: {why} before all was told", self.place.address.url());
                Failure::new(Exit::Absent, text)
            };
            match timeout(self.patience, self.body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Some(data) = frame.data_ref() {
                        self.bytes.extend_from_slice(data);
                    }
                    if self.bytes.len() > ANSWER_BYTES_MAX {
                        return Err(cut("more came than is bearable"));
                    }
                }
                Ok(Some(Err(error))) => return Err(cut(&error.to_string())),
                Ok(None) => return Err(cut("the answer ended")),
                Err(_) => return Err(cut("nothing came any more")),
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let unread = self.bytes.get(self.searched..).unwrap_or_default();
        let Some(end) = unread.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.bytes.len();
            return None;
        };
        let rest = self.bytes.split_off(self.searched + end + 1);
        let line = std::mem::replace(&mut self.bytes, rest);
        self.searched = 0;
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}
