//! The server's end of STOMP 1.2: bytes in, what was said and what to answer out.

use std::collections::VecDeque;
use std::fmt::Write as _;

use bytes::{Buf as _, Bytes, BytesMut};

use super::{Answers, Does, Half};
use crate::brokered::{StompAnswers, StompFrame, StompSaid};
use crate::limits::{MESSAGE_BYTES_MAX, STOMP_HEAD_BYTES_MAX};
use crate::peer::{Seat, What};

const CONTENT_TYPE: &str = "application/vnd.bbf.usp.msg";

/// The server's end of a connection.
#[derive(Debug, Default)]
pub(super) struct Stomp {
    came: BytesMut,
    /// What the Agent is subscribed to: by the IDs of its SUBSCRIBEs.
    subscriptions: VecDeque<(String, String)>,
    numbered: u64,
}

/// A frame and its body.
type Whole = (StompFrame, Bytes);

impl Half for Stomp {
    fn open(&mut self) {
        self.came.clear();
        self.subscriptions.clear();
    }

    fn take(&mut self, bytes: &[u8], answers: &Answers) -> Vec<Does> {
        self.came.extend_from_slice(bytes);
        let mut does = Vec::new();
        loop {
            while let Some(b'\n' | b'\r') = self.came.first() {
                self.came.advance(1);
                does.push(Does::Say(What::Stomp(StompSaid::HeartBeat)));
            }
            match self.frame() {
                Ok(None) => return does,
                Ok(Some((frame, body))) => self.obey(frame, body, &answers.stomp, &mut does),
                Err(reason) => {
                    let error = format!("ERROR\nmessage:{reason}\n\n\0");
                    does.push(Does::Send(error.into()));
                    does.push(Does::End(format!("what came is no STOMP: {reason}")));
                    return does;
                }
            }
        }
    }

    fn carry(&mut self, record: &Bytes, reply_to: &str) -> Option<Bytes> {
        let (id, destination) = self.subscriptions.back()?;
        self.numbered += 1;
        let head = format!(
            "MESSAGE\nsubscription:{}\nmessage-id:{}\ndestination:{}\ncontent-type:{CONTENT_TYPE}\ncontent-length:{}\nreply-to-dest:{}\n\n",
            escaped(id),
            self.numbered,
            escaped(destination),
            record.len(),
            escaped(reply_to),
        );
        let mut frame = BytesMut::from(head.as_bytes());
        frame.extend_from_slice(record);
        frame.extend_from_slice(b"\0");
        Some(frame.freeze())
    }

    fn farewell(&mut self) -> Bytes {
        Bytes::from_static(b"ERROR\nmessage:the test wants it\n\n\0")
    }
}

impl Stomp {
    /// The next frame that is whole.
    fn frame(&mut self) -> Result<Option<Whole>, &'static str> {
        let Some(head) = head_of(&self.came) else {
            return match self.came.len() > STOMP_HEAD_BYTES_MAX {
                true => Err("the headers are too long"),
                false => Ok(None),
            };
        };
        let text = std::str::from_utf8(&self.came[..head.text]).map_err(|_| "no UTF-8")?;
        let mut frame = read(text);
        let length = match frame.header("content-length") {
            None => None,
            Some(length) => Some(length.parse::<usize>().map_err(|_| "no content-length")?),
        };
        let body = &self.came[head.all..];
        let length = match length {
            Some(length) if length > MESSAGE_BYTES_MAX => return Err("the body is too long"),
            Some(length) if body.len() <= length => return Ok(None),
            Some(length) => length,
            None => match body.iter().position(|byte| *byte == 0) {
                None if body.len() > MESSAGE_BYTES_MAX => return Err("the body is too long"),
                None => return Ok(None),
                Some(length) => length,
            },
        };
        if body[length] != 0 {
            return Err("a frame ends with a NUL");
        }
        frame.bytes = length;
        self.came.advance(head.all);
        let body = self.came.split_to(length).freeze();
        self.came.advance(1);
        Ok(Some((frame, body)))
    }

    fn obey(
        &mut self,
        frame: StompFrame,
        body: Bytes,
        answers: &StompAnswers,
        does: &mut Vec<Does>,
    ) {
        let header = |name: &str| frame.header(name).unwrap_or_default().to_owned();
        does.push(Does::Say(What::Stomp(StompSaid::Frame(frame.clone()))));
        match frame.command.as_str() {
            "STOMP" | "CONNECT" => does.push(Does::Send(connected(answers).into())),
            "SUBSCRIBE" => {
                let one = (header("id"), header("destination"));
                self.subscriptions.push_back(one);
                does.push(Does::Up);
            }
            "UNSUBSCRIBE" => {
                let id = header("id");
                self.subscriptions.retain(|(one, _)| *one != id);
            }
            "SEND" => does.push(Does::Record(body)),
            _ => {}
        }
        if let Some(receipt) = frame.header("receipt") {
            let receipt = format!("RECEIPT\nreceipt-id:{}\n\n\0", escaped(receipt));
            does.push(Does::Send(receipt.into()));
        }
        if frame.command == "DISCONNECT" {
            does.push(Does::End("the Agent has ended the session".to_owned()));
        }
    }
}

/// The answer to whoever begins a session.
fn connected(answers: &StompAnswers) -> String {
    let (can, wants) = answers.heart_beat;
    let mut frame = format!("CONNECTED\nversion:1.2\nheart-beat:{can},{wants}\n");
    if let Some(destination) = &answers.subscribe_dest {
        // Writing to a String cannot fail.
        let _ = writeln!(frame, "subscribe-dest:{}", escaped(destination));
    }
    frame + "\n\0"
}

/// How long the head of a frame is: its text, and all of it.
struct Head {
    text: usize,
    all: usize,
}

/// The head of the frame that begins here, if all of it is there.
fn head_of(bytes: &[u8]) -> Option<Head> {
    let at = |end: &[u8]| bytes.windows(end.len()).position(|part| part == end);
    let head = |text: usize, end: usize| Head {
        text,
        all: text + end,
    };
    match (at(b"\n\n"), at(b"\r\n\r\n")) {
        (Some(short), Some(long)) if long < short => Some(head(long, 4)),
        (Some(short), _) => Some(head(short, 2)),
        (None, Some(long)) => Some(head(long, 4)),
        (None, None) => None,
    }
}

/// A frame without its body.
fn read(text: &str) -> StompFrame {
    let mut lines = text.lines();
    let command = lines.next().unwrap_or_default().to_owned();
    // Those that begin a session escape nothing. (STOMP 1.2, Value Encoding)
    let is_plain = ["CONNECT", "STOMP"].contains(&command.as_str());
    let plain = |text: &str| match is_plain {
        true => text.to_owned(),
        false => unescaped(text),
    };
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (plain(name), plain(value)));
    StompFrame {
        command,
        headers: headers.collect(),
        bytes: 0,
    }
}

fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('\r', "\\r");
    text.replace('\n', "\\n").replace(':', "\\c")
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let next = if letter == '\\' { letters.next() } else { None };
        plain.push(match next {
            Some('c') => ':',
            Some('n') => '\n',
            Some('r') => '\r',
            Some(other) => other,
            None => letter,
        });
    }
    plain
}

/// The destination for the answers to a Controller.
pub(super) fn reply_to(seat: Seat) -> &'static str {
    match seat {
        Seat::Primary | Seat::Twin => "/usphere/conformance/controller",
        Seat::Second => "/usphere/conformance/controller-2",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames are taken in whatever pieces they come.
    #[test]
    fn a_session_begins_and_carries_records() {
        let mut stomp = Stomp::default();
        let said = b"\nSTOMP\naccept-version:1.2\nhost:/\n\n\0SUBSCRIBE\nid:0\ndestination:/a\\cb\n\n\0SEND\ndestination:/c\ncontent-length:3\n\na\0b\0";
        let mut does = Vec::new();
        for byte in said {
            does.extend(stomp.take(&[*byte], &Answers::default()));
        }
        let answers: Vec<&Does> = does
            .iter()
            .filter(|one| !matches!(one, Does::Say(_)))
            .collect();
        let [Does::Send(connected), Does::Up, Does::Record(record)] = answers[..] else {
            panic!("{answers:?}");
        };
        let connected = String::from_utf8_lossy(connected);
        assert!(connected.contains("subscribe-dest:/usphere/conformance/agent\n"));
        assert_eq!(record, &b"a\0b"[..]);
        let carried = stomp.carry(&Bytes::from_static(b"x\0y"), "/me").unwrap();
        let carried = String::from_utf8_lossy(&carried);
        assert!(carried.contains("destination:/a\\cb\n") && carried.contains("content-length:3\n"));
    }

    #[test]
    fn what_is_no_stomp_ends_the_session() {
        let mut stomp = Stomp::default();
        let does = stomp.take(&vec![b'x'; STOMP_HEAD_BYTES_MAX + 1], &Answers::default());
        assert!(matches!(does.last(), Some(Does::End(_))));
        let mut stomp = Stomp::default();
        let does = stomp.take(b"SEND\ncontent-length:1\n\nabc\0", &Answers::default());
        assert!(matches!(does.last(), Some(Does::End(_))));
    }
}
