//! The live log of one device, opened again where it ends.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::api::Live;
use super::stream::{Lines, SILENCE_MAX};
use crate::failure::{Exit, Failure};

/// Pause between two tries to open it again.
const PAUSE: Duration = Duration::from_secs(1);

/// The log of a device of the server.
#[derive(Debug)]
pub(crate) struct LogStream {
    live: Live,
    body: Option<Incoming>,
    lines: Lines,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Said {
    /// The stream is open again. What was said meanwhile is not told.
    Back,
    /// The stream has ended, for this reason.
    Gone(String),
    /// A line of the log, as the server tells it.
    Line(Value),
}

impl LogStream {
    /// Opens it.
    pub(crate) async fn open(live: Live) -> Result<Self, Failure> {
        let body = Some(live.open(None).await?);
        Ok(Self {
            live,
            body,
            lines: Lines::default(),
        })
    }

    /// What comes next. Cancelling loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Said, Failure> {
        loop {
            if let Some(message) = self.lines.message() {
                let line = serde_json::from_str(&message.data);
                let line = line.map_err(|error| {
                    Failure::local(format_args!("the server's log: {error}"))
                        .advise("is the server of another version?")
                });
                return line.map(Said::Line);
            }
            let Some(body) = &mut self.body else {
                return self.reopen().await;
            };
            let reason = match timeout(SILENCE_MAX, body.frame()).await {
                Ok(Some(Ok(frame))) => match frame.data_ref() {
                    Some(data) if !self.lines.take_in(data) => {
                        "it sends more than is bearable".to_owned()
                    }
                    _ => continue,
                },
                Ok(Some(Err(error))) => error.to_string(),
                Ok(None) => "the stream ended".to_owned(),
                Err(_) => "the stream is silent".to_owned(),
            };
            self.body = None;
            self.lines = Lines::default();
            return Ok(Said::Gone(reason));
        }
    }

    async fn reopen(&mut self) -> Result<Said, Failure> {
        loop {
            sleep(PAUSE).await;
            match self.live.open(None).await {
                Ok(body) => {
                    self.body = Some(body);
                    return Ok(Said::Back);
                }
                // It may come back.
                Err(failure) if failure.exit == Exit::Absent => {}
                Err(failure) => return Err(failure),
            }
        }
    }
}
