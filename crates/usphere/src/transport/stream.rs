//! A live stream of the server's API: server-sent events, taken up again where a connection ended.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::api::Live;
use super::feed::{Heard, Told};
use crate::defaults::ANSWER_BYTES_MAX;
use crate::failure::{Exit, Failure};

/// How long a stream may be silent: the server shows every 10 s that it lives.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Pauses between two tries to open a stream again.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The events of one device of the server.
#[derive(Debug)]
pub(crate) struct EventStream {
    live: Live,
    body: Option<Incoming>,
    lines: Lines,
    /// The last event that was told.
    last: Option<String>,
    /// Whether the device can be asked, as far as was told.
    presence: Option<bool>,
    /// Whether nothing was told of that ever.
    is_first: bool,
    pause: Duration,
    /// When the next try is due.
    retry: Instant,
}

/// One message of the stream.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Message {
    name: String,
    id: Option<String>,
    pub(super) data: String,
}

#[derive(Deserialize)]
struct Presence {
    online: bool,
}

impl EventStream {
    /// Opens the stream, and waits until it tells.
    pub(super) async fn open(live: Live) -> Result<Self, Failure> {
        let body = live.open(None).await?;
        let mut stream = Self {
            live,
            body: Some(body),
            lines: Lines::default(),
            last: None,
            presence: None,
            is_first: true,
            pause: PAUSE_MIN,
            retry: Instant::now(),
        };
        // From its first message on nothing is missed.
        while stream.presence.is_none() {
            if stream.body.is_none() {
                return Err(Failure::new(Exit::Absent, "the server ended the stream"));
            }
            stream.step().await?;
        }
        Ok(stream)
    }

    /// What comes next. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> Result<Told, Failure> {
        loop {
            if let Some(told) = self.step().await? {
                return Ok(told);
            }
        }
    }

    /// Reads a little, or tries to open the stream again.
    async fn step(&mut self) -> Result<Option<Told>, Failure> {
        if let Some(message) = self.lines.message() {
            return self.read(message);
        }
        let Some(body) = &mut self.body else {
            return self.reopen().await;
        };
        let reason = match timeout(SILENCE_MAX, body.frame()).await {
            Ok(Some(Ok(frame))) => match frame.data_ref() {
                Some(data) if !self.lines.take_in(data) => "it sends more than is bearable".into(),
                _ => return Ok(None),
            },
            Ok(Some(Err(error))) => error.to_string(),
            Ok(None) => "it ended".to_owned(),
            Err(_) => "it is silent".to_owned(),
        };
        self.body = None;
        self.lines = Lines::default();
        self.presence = None;
        Ok(Some(Told::Gone(format!("the server's stream: {reason}"))))
    }

    async fn reopen(&mut self) -> Result<Option<Told>, Failure> {
        tokio::time::sleep_until(self.retry).await;
        self.retry = Instant::now() + self.pause;
        self.pause = (2 * self.pause).min(PAUSE_MAX);
        match self.live.open(self.last.as_deref()).await {
            Ok(body) => {
                self.body = Some(body);
                self.pause = PAUSE_MIN;
                Ok(None)
            }
            // It may come back.
            Err(failure) if failure.exit == Exit::Absent => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn read(&mut self, message: Message) -> Result<Option<Told>, Failure> {
        let wrong = |error: serde_json::Error| {
            Failure::local(format_args!("the server's stream: {error}"))
                .advise("is the server of another version?")
        };
        if message.name == "presence" {
            let presence: Presence = serde_json::from_str(&message.data).map_err(wrong)?;
            return Ok(self.present(presence.online));
        }
        if message.name == "reset" {
            tracing::warn!(
                "the server was put back to a backup: what it had told since is gone there"
            );
            self.last = message.id;
            return Ok(None);
        }
        let heard: Heard = serde_json::from_str(&message.data).map_err(wrong)?;
        self.last = message.id.or(self.last.take());
        Ok(Some(Told::Heard(Box::new(heard))))
    }

    /// Whoever is told to be there once more has been away.
    fn present(&mut self, is_online: bool) -> Option<Told> {
        let was = self.presence.replace(is_online);
        let is_first = std::mem::replace(&mut self.is_first, false);
        match is_online {
            true => (!is_first).then_some(Told::Back),
            false if was == Some(true) => Some(Told::Gone("it is not connected".to_owned())),
            false => None,
        }
    }
}

/// What came and was not read yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Up to here there is no end of a message.
    searched: usize,
}

impl Lines {
    /// Takes bytes in; whether they are bearable.
    pub(super) fn take_in(&mut self, data: &[u8]) -> bool {
        self.bytes.extend_from_slice(data);
        self.bytes.len() <= ANSWER_BYTES_MAX
    }

    /// The next whole message. What is only a sign of life is passed over.
    pub(super) fn message(&mut self) -> Option<Message> {
        loop {
            let unread = &self.bytes[self.searched..];
            let Some(end) = unread.windows(2).position(|pair| pair == b"\n\n") else {
                self.searched = self.bytes.len().saturating_sub(1);
                return None;
            };
            let rest = self.bytes.split_off(self.searched + end + 2);
            let text = std::mem::replace(&mut self.bytes, rest);
            self.searched = 0;
            let message = Message::read(&String::from_utf8_lossy(&text));
            if !message.data.is_empty() {
                return Some(message);
            }
        }
    }
}

impl Message {
    fn read(text: &str) -> Self {
        let mut message = Self::default();
        for line in text.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "data" => message.data.push_str(value),
                "event" => message.name = value.to_owned(),
                "id" => message.id = Some(value.to_owned()),
                _ => {}
            }
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_however_they_are_cut() {
        let text =
            b": alive\n\nevent: presence\ndata: {\"online\":true}\n\nid: 7\ndata: {}\n\nid: 8";
        for step in [1, 2, 3, 7, text.len()] {
            let mut lines = Lines::default();
            let mut messages = Vec::new();
            for part in text.chunks(step) {
                assert!(lines.take_in(part));
                messages.extend(std::iter::from_fn(|| lines.message()));
            }
            let presence = Message {
                name: "presence".into(),
                id: None,
                data: r#"{"online":true}"#.into(),
            };
            let event = Message {
                name: String::new(),
                id: Some("7".into()),
                data: "{}".into(),
            };
            assert_eq!(messages, [presence, event], "in steps of {step}");
            assert_eq!(lines.bytes, b"id: 8");
        }
    }
}
