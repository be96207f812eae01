//! Sockets made of bytes, which do what no library does.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use usphere_proto::{Limits, Msg, Record};

use crate::common::PATIENCE;

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;

/// The client's end of a WebSocket.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
}

impl Raw {
    /// Connects and shakes hands as `us` does.
    pub(crate) fn open(port: u16, us: &str) -> Self {
        let mut stream = connect(port);
        let request = format!(
            "GET /usp?eid={us} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: v1.usp\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("written");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a whole answer");
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{head:?}");
        Self { stream }
    }

    /// Sends one frame; whether it went out.
    pub(crate) fn send(&mut self, opcode: u8, payload: &[u8]) -> bool {
        let head = head(opcode, payload.len() as u64);
        // A mask of zeros leaves the bytes as they are.
        self.stream.write_all(&head).is_ok() && self.stream.write_all(payload).is_ok()
    }

    /// Sends the head of a frame that says it has `length` bytes.
    pub(crate) fn announce(&mut self, opcode: u8, length: u64) {
        let head = head(opcode, length);
        self.stream.write_all(&head).expect("written");
    }

    /// The next frame: its opcode and payload. None where the connection ends.
    pub(crate) fn receive(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).ok()?;
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.stream.read_exact(&mut length).ok()?;
                u64::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.stream.read_exact(&mut length).ok()?;
                u64::from_be_bytes(length)
            }
            length => u64::from(length),
        };
        let mut payload = vec![0; usize::try_from(length).ok()?];
        self.stream.read_exact(&mut payload).ok()?;
        Some((head[0] & 15, payload))
    }

    /// The next Message; what else comes before it is passed over.
    pub(crate) fn message(&mut self) -> Msg {
        loop {
            let (opcode, payload) = self.receive().expect("the connection is open");
            if opcode != BINARY {
                continue;
            }
            let record = Record::decode_bounded(&payload[..], &Limits::DEFAULT).expect("a Record");
            if let Some(payload) = record.payload() {
                return Msg::decode_bounded(payload.clone(), &Limits::DEFAULT).expect("a Message");
            }
        }
    }

    /// The code of the Close frame that comes; what comes before it is passed over. None where the
    /// connection ends without one.
    pub(crate) fn closed_with(&mut self) -> Option<u16> {
        loop {
            let (opcode, payload) = self.receive()?;
            if opcode == CLOSE {
                return Some(u16::from_be_bytes([*payload.first()?, *payload.get(1)?]));
            }
        }
    }
}

fn head(opcode: u8, length: u64) -> Vec<u8> {
    let mut head = vec![0x80 | opcode];
    match length {
        0..126 => head.push(0x80 | length as u8),
        126..0x1_0000 => {
            head.push(0x80 | 126);
            head.extend((length as u16).to_be_bytes());
        }
        _ => {
            head.push(0x80 | 127);
            head.extend(length.to_be_bytes());
        }
    }
    head.extend([0; 4]);
    head
}

pub(crate) fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream
        .set_write_timeout(Some(PATIENCE))
        .expect("a time-out");
    stream
}

/// Sends a whole HTTP request; the status and the rest of what is answered.
pub(crate) fn http(port: u16, request: &[u8]) -> (u16, String) {
    let mut stream = connect(port);
    // The server may refuse before it has read all of it.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    (status.unwrap_or(0), answer)
}
