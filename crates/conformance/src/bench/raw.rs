//! Records as they are, right or wrong.

use bytes::Bytes;
use usphere_proto::msg::RequestType;
use usphere_proto::record::PayloadSecurity;
use usphere_proto::{Msg, Record};

use super::link::{title_of, type_name};
use super::session::title_of_context;
use super::{Bench, Said, context_of};
use crate::limits::DECODING;
use crate::peer::Seat;
use crate::stop::{Done, Stop};
use crate::transcript::Direction;

impl Bench {
    /// The Record by which the Controller asks for something: right in all, for a test to spoil; of its session
    /// context, where one has begun. With it the msg_id of the request.
    ///
    /// # Errors
    /// The Agent has not said who it is.
    pub fn record_of(&mut self, request: impl Into<RequestType>) -> Result<(Record, String), Stop> {
        let msg_id = format!("conformance-{}", self.fresh());
        let payload = Msg::request(msg_id.clone(), request).into_payload();
        Ok((self.wrapped(self.speaker, payload)?, msg_id))
    }

    /// Sends a Record as it is.
    ///
    /// # Errors
    /// There is no link.
    pub fn send_record(&mut self, seat: Seat, record: &Record) -> Done {
        let context = context_of(record);
        let is_plain = record.payload_security == PayloadSecurity::Plaintext as i32;
        let of_context = context.filter(|_| is_plain).map(|one| one.payload.concat());
        let payload = record.payload().cloned().or(of_context.map(Bytes::from));
        let payload = payload.filter(|payload| !payload.is_empty());
        let msg = payload.and_then(|payload| Msg::decode_bounded(payload, &DECODING).ok());
        let title = match (&msg, context) {
            (Some(msg), None) => title_of(msg),
            (None, None) => format!("Record: {}", type_name(record)),
            (Some(msg), Some(context)) => {
                format!("{} in {}", title_of(msg), title_of_context(context))
            }
            (None, Some(context)) => title_of_context(context),
        };
        let text = || match (&msg, context) {
            (Some(msg), Some(_)) => format!("{}\n{}", record.to_text(), msg.to_text()),
            _ => record.to_text(),
        };
        let now = self.now();
        self.transcript.add(Direction::Sent, title, text, now);
        self.put(seat, record.to_bytes())
    }

    /// Sends bytes as one message, whatever they are.
    ///
    /// # Errors
    /// There is no link.
    pub fn send_bytes(&mut self, seat: Seat, bytes: &[u8]) -> Done {
        let now = self.now();
        let title = format!("{} bytes that are no Record", bytes.len());
        let text = || format!("{bytes:02x?}");
        self.transcript.add(Direction::Sent, title, text, now);
        self.put(seat, Bytes::copy_from_slice(bytes))
    }

    fn put(&mut self, seat: Seat, bytes: Bytes) -> Done {
        self.peer
            .send(seat, bytes)
            .map_err(|trouble| Stop::failed(format_args!("nothing could be sent: {trouble}")))
    }

    /// The answer to the request with this msg_id must not come, and not since the Agent is gone.
    ///
    /// # Errors
    /// It came, or the Agent has ended its link.
    pub fn expect_no_answer(&mut self, msg_id: &str) -> Done {
        let until = self.until(self.profile.silence());
        let seat = self.speaker;
        let answer = self.find(seat, until, |heard| match &heard.said {
            Said::Message(message) if message.1.msg_id() == msg_id => Some(title_of(&message.1)),
            _ => None,
        });
        match answer {
            None => self.has_stayed(),
            Some(answer) => Err(Stop::Failed(format!(
                "{}: no answer was expected, {answer} came",
                self.transcript.last_step()
            ))),
        }
    }
}
