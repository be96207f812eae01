//! Peers of running programs: Controllers and Agents that a test plays, and sockets made of bytes.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod bytes;
pub(crate) mod ledger;

use std::fs;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use usphere_mtp::websocket::{CloseReason, Link, LinkEvent, Settings, Target, dial};
use usphere_proto::msg::{Get, GetResp, RequestType, ResponseType};
use usphere_proto::{EndpointId, Limits, Msg, Record};

use crate::common::PATIENCE;

pub(crate) fn id(text: &str) -> EndpointId {
    EndpointId::parse(text).expect("an endpoint ID")
}

/// An end of a link that a test plays.
pub(crate) struct Peer {
    pub(crate) link: Link,
    us: EndpointId,
    them: EndpointId,
    asked: u64,
}

impl Peer {
    /// Connects as soon as somebody listens there. Whoever listens has to be `them`.
    pub(crate) async fn dial(url: &str, us: &str, them: &str) -> Self {
        let target: Target = url.parse().expect("a URL");
        let settings = Settings {
            queue_bytes_max: 64 << 20,
            queue_records_max: 1 << 20,
            ..Settings::new(id(us))
        };
        let started = Instant::now();
        let link = loop {
            match dial(&target, &settings).await {
                Ok(link) => break link,
                Err(error) => assert!(started.elapsed() < PATIENCE, "{url}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let (us, them) = (id(us), id(them));
        Self {
            link,
            us,
            them,
            asked: 0,
        }
    }

    /// A Record that carries `payload` to the other end.
    pub(crate) fn carrying(&self, payload: impl Into<Vec<u8>>) -> Record {
        Record::no_session(&self.them, &self.us, payload.into())
    }

    pub(crate) fn connect_record(&self) -> Record {
        Record::websocket_connect(&self.them, &self.us)
    }

    pub(crate) fn send(&self, msg: &Msg) {
        self.send_record(&self.carrying(msg.clone().into_payload()));
    }

    pub(crate) fn send_record(&self, record: &Record) {
        self.link.sender.try_send(record).expect("the link is open");
    }

    pub(crate) fn request(&mut self, request: impl Into<RequestType>) -> String {
        self.asked += 1;
        let msg_id = self.asked.to_string();
        self.send(&Msg::request(msg_id.clone(), request.into()));
        msg_id
    }

    /// The next Message; why the link ended where it did.
    pub(crate) async fn next(&mut self) -> Result<Msg, CloseReason> {
        loop {
            let event = timeout(PATIENCE, self.link.receiver.recv()).await;
            match event.expect("something comes in time") {
                Some(LinkEvent::Closed(reason)) => return Err(reason),
                Some(LinkEvent::Record(record, _)) => {
                    if let Some(payload) = record.payload() {
                        // Whoever asks for the absurd gets it.
                        let limits = Limits {
                            elements_max: usize::MAX,
                            ..Limits::DEFAULT
                        };
                        let msg = Msg::decode_bounded(payload.clone(), &limits);
                        return Ok(msg.expect("a Message"));
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits for the answer to a request; what comes before it is passed over.
    pub(crate) async fn answer(&mut self, msg_id: &str) -> Msg {
        loop {
            let msg = self.next().await.expect("the link is open");
            if msg.msg_id() == msg_id {
                return msg;
            }
        }
    }

    pub(crate) async fn ask(&mut self, request: impl Into<RequestType>) -> Msg {
        let msg_id = self.request(request);
        self.answer(&msg_id).await
    }

    /// Reads one parameter.
    pub(crate) async fn value(&mut self, path: &str) -> String {
        let answer = self.ask(get(&[path])).await;
        let values = got(&answer).and_then(|response| {
            let object = response.req_path_results[0].resolved_path_results.first()?;
            object.result_params.values().next().cloned()
        });
        values.unwrap_or_else(|| panic!("{path}: {answer:?}"))
    }

    /// How the link ends; Messages before that are passed over.
    pub(crate) async fn end(&mut self) -> CloseReason {
        loop {
            if let Err(reason) = self.next().await {
                return reason;
            }
        }
    }
}

pub(crate) fn get(paths: &[&str]) -> Get {
    Get {
        param_paths: paths.iter().map(|&path| path.to_owned()).collect(),
        max_depth: 0,
    }
}

pub(crate) fn got(answer: &Msg) -> Option<&GetResp> {
    match answer.as_response() {
        Some(ResponseType::GetResp(response)) => Some(response),
        _ => None,
    }
}

/// A figure of `/proc/PID/status` in KiB. Panics where the process has ended.
#[track_caller]
pub(crate) fn memory_kib(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let line = line.unwrap_or_else(|| panic!("the process has ended: {status}"));
    let digits = line.trim_matches(|c: char| !c.is_ascii_digit());
    digits.parse().expect("a number")
}
