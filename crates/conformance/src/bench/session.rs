//! Session contexts: what is said in Records that are numbered, and perhaps within TLS. (R-E2E.3 to R-E2E.43)

use std::time::Duration;

use bytes::Bytes;
use usphere_proto::msg::{GetSupportedProtocol, RequestType};
use usphere_proto::record::{PayloadSecurity, SessionContext};
use usphere_proto::{ErrorCode, Msg, Record, RecordType, VERSION};

use super::secure::Secured;
use super::{Bench, CONTROLLERS, Said};
use crate::peer::Seat;
use crate::session::{Session, Taken};
use crate::stop::{Done, Stop};
use crate::transcript::Direction;

/// Our end of a session context with the Agent.
pub(super) struct Talk {
    session: Session,
    /// TLS for its payloads, where it is spoken.
    pub(super) secured: Option<Secured>,
}

impl Talk {
    pub(super) fn new(session: Session, secured: Option<Secured>) -> Self {
        Self { session, secured }
    }
}

/// An answer, and the Record that it came in.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The Record.
    pub record: Record,
    /// The Message.
    pub msg: Msg,
}

impl Answered {
    /// The session context that it came in.
    ///
    /// # Errors
    /// It came in none.
    pub fn context(&self) -> Result<&SessionContext, Stop> {
        context_of(&self.record).ok_or_else(|| {
            Stop::failed("the answer was expected in a session context, it came outside of one")
        })
    }
}

/// The session context of a Record that is one of it.
pub fn context_of(record: &Record) -> Option<&SessionContext> {
    match &record.record_type {
        Some(RecordType::SessionContext(context)) => Some(context),
        _ => None,
    }
}

/// What a Record of a session context is called, with what tells it from others.
pub(super) fn title_of_context(context: &SessionContext) -> String {
    let (number, id) = (context.sequence_id, context.session_id);
    match context.retransmit_id {
        0 => format!("Record {number} of the session context {id}"),
        again => {
            format!("Record {number} of the session context {id}, which wants Record {again} again")
        }
    }
}

impl Bench {
    /// The path of the settings of session contexts with us.
    pub fn session_path(&self) -> String {
        format!("{}E2ESession.", self.controller_path())
    }

    /// The test does not apply to Agents without session contexts; where they are forbidden, they are allowed until
    /// it ends.
    ///
    /// # Errors
    /// It is one.
    pub fn needs_sessions(&mut self) -> Done {
        self.needs(&format!("{CONTROLLERS}{{i}}.E2ESession."))?;
        let mode = format!("{}SessionMode", self.session_path());
        if self.features.has(&mode) && self.value(&mode)? == "Forbid" {
            self.step("Allow session contexts");
            self.changed(&mode, "Allow")?;
        }
        if self.sessions.is_none() {
            self.step("Find out whether the Agent takes part in a session context");
            self.sessions = Some(self.are_sessions_taken()?);
        }
        match self.sessions {
            Some(false) => Err(Stop::NotApplicable(
                "the Agent has no session contexts: it answers one by a Disconnect Record with 7106"
                    .to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// Whether the Agent does anything but refuse a session context for good. (R-E2E.6a)
    fn are_sessions_taken(&mut self) -> Result<bool, Stop> {
        self.start_session()?;
        let question = GetSupportedProtocol {
            controller_supported_protocol_versions: VERSION.to_owned(),
        };
        let (record, msg_id) = self.record_of(question)?;
        let seat = self.speaker;
        self.send_record(seat, &record)?;
        let until = self.until(self.profile.answer_patience());
        let is_refused = self.find(seat, until, |heard| match &heard.said {
            Said::Message(message) if message.1.msg_id() == msg_id => Some(false),
            Said::Record(record) => match &record.record_type {
                Some(RecordType::Disconnect(goodbye)) => {
                    Some(goodbye.reason_code == ErrorCode::SessionContextNotAllowed as u32)
                }
                _ => None,
            },
            _ => None,
        });
        Ok(is_refused != Some(true))
    }

    /// Begins a session context, in which everything is said until the test ends: its ID. Nothing is sent yet.
    ///
    /// # Errors
    /// The Agent is not there.
    pub fn start_session(&mut self) -> Result<u64, Stop> {
        let seat = self.speaker;
        self.connect(seat)?;
        if !self.is_in_session(seat) {
            self.undo(move |bench| bench.leave_session(seat));
        }
        let id = self.fresh_session_id();
        self.note(format_args!("a session context begins, its ID is {id}"));
        self.place(seat).talk = Some(Talk::new(Session::new(id), None));
        Ok(id)
    }

    /// An ID that no session context has had. (R-E2E.3)
    pub(super) fn fresh_session_id(&mut self) -> u64 {
        // Different from what an earlier run may have left at the Agent, as good as always.
        let began = self.fresh();
        self.sessions_from + began
    }

    /// Whether what this Controller says is said in a session context.
    pub fn is_in_session(&self, seat: Seat) -> bool {
        self.places
            .get(&seat)
            .is_some_and(|place| place.talk.is_some())
    }

    /// The session context in which this Controller talks just now: its ID.
    pub fn session_id(&self, seat: Seat) -> Option<u64> {
        let talk = self.places.get(&seat)?.talk.as_ref()?;
        Some(talk.session.id())
    }

    /// From now on nothing is said in a session context any more; the Agent is told.
    fn leave_session(&mut self, seat: Seat) -> Done {
        if self.place(seat).talk.take().is_none() {
            return Ok(());
        }
        let own = self.endpoint_id(seat);
        let code = ErrorCode::SessionContextTerminated;
        let farewell = Record::disconnect(&self.agent()?, &own, code, "the test has ended");
        self.speak_as(seat);
        if self.is_connected(seat) {
            self.send_record(seat, &farewell)?;
        }
        // What an Agent still holds of the session context may cost the first Record outside of it.
        self.pass(Duration::from_millis(300));
        self.connect(seat)?;
        match self.supported_protocol() {
            Ok(_) => Ok(()),
            Err(_) => self.supported_protocol().map(drop),
        }
    }

    /// The Record for a payload: of the session context, where there is one.
    pub(super) fn wrapped(&mut self, seat: Seat, payload: Bytes) -> Result<Record, Stop> {
        let (agent, own) = (self.agent()?, self.endpoint_id(seat));
        let Some(talk) = self.place(seat).talk.as_mut() else {
            return Ok(Record::no_session(&agent, &own, payload));
        };
        let parts = match talk.secured.as_mut().filter(|secured| secured.is_ready()) {
            None => vec![payload],
            Some(secured) => secured.sealed(&payload)?,
        };
        // Ours are never cut, so that there is one.
        let context = talk.session.next(parts).into_iter().next();
        let context = context.unwrap_or_default();
        self.of_context(seat, context)
    }

    /// A Record of a session context, protected as its payloads are.
    pub(super) fn of_context(
        &mut self,
        seat: Seat,
        context: SessionContext,
    ) -> Result<Record, Stop> {
        let own = self.endpoint_id(seat);
        let mut record = Record::session(&self.agent()?, &own, context);
        let talk = self.place(seat).talk.as_ref();
        if let Some(secured) = talk.and_then(|talk| talk.secured.as_ref()) {
            record.payload_security = PayloadSecurity::Tls12 as i32;
            secured.protect(&mut record)?;
        }
        Ok(record)
    }

    /// A Record of the session context with this `sequence_id`, whose `expected_id` is the same, right in all
    /// else. With it the msg_id.
    ///
    /// # Errors
    /// No session context has begun.
    pub fn numbered(
        &mut self,
        number: u64,
        request: impl Into<RequestType>,
    ) -> Result<(Record, String), Stop> {
        let seat = self.speaker;
        let msg_id = format!("conformance-{}", self.fresh());
        let payload = Msg::request(msg_id.clone(), request).into_payload();
        let mut context = self.session(seat)?.numbered(number);
        context.expected_id = number;
        context.payload = vec![payload];
        self.session(seat)?.keep(context.clone());
        Ok((self.of_context(seat, context)?, msg_id))
    }

    /// Asks for the Record with this number once more.
    ///
    /// # Errors
    /// There is no session context, or no link.
    pub fn ask_again(&mut self, number: u64) -> Done {
        let seat = self.speaker;
        let session = self.session(seat)?;
        let mut context = session.numbered(session.sent() + 1);
        context.retransmit_id = number;
        // It is kept at the Agent only as long as we do not say that we expect the one after it. (R-E2E.16)
        context.expected_id = number;
        context.payload = vec![Bytes::new()];
        self.session(seat)?.keep(context.clone());
        let record = self.of_context(seat, context)?;
        self.send_record(seat, &record)
    }

    pub(super) fn session(&mut self, seat: Seat) -> Result<&mut Session, Stop> {
        let talk = self.place(seat).talk.as_mut();
        let talk = talk.ok_or_else(|| Stop::not_runnable("no session context has begun"))?;
        Ok(&mut talk.session)
    }

    /// The answer to the request with this msg_id, with its Record.
    ///
    /// # Errors
    /// None comes in time.
    pub fn await_answer_record(&mut self, msg_id: &str) -> Result<Answered, Stop> {
        let patience = self.profile.answer_patience();
        if let Some(answered) = self.answer_record(msg_id, patience) {
            return Ok(answered);
        }
        let seconds = patience.as_secs();
        let session = self.session(self.speaker).ok();
        let early = session.and_then(|session| Some((session.expected(), session.waiting()?)));
        Err(Stop::Failed(match early {
            None => format!("an answer was expected within {seconds} s, none came"),
            Some((expected, came)) => {
                format!("sequence_id: {expected} was expected within {seconds} s, {came} came")
            }
        }))
    }

    /// The answer to the request with this msg_id, if one comes in time.
    pub fn answer_record(&mut self, msg_id: &str, patience: Duration) -> Option<Answered> {
        let until = self.until(patience);
        let seat = self.speaker;
        self.find(seat, until, |heard| match &heard.said {
            Said::Message(message) if message.1.msg_id() == msg_id => Some(Answered {
                record: message.0.clone(),
                msg: message.1.clone(),
            }),
            _ => None,
        })
    }

    /// A Record of a session context that holds no new Message, and that `is_it` knows.
    pub fn session_record(
        &mut self,
        patience: Duration,
        is_it: impl Fn(&SessionContext) -> bool,
    ) -> Option<(Duration, Record)> {
        let until = self.until(patience);
        let seat = self.speaker;
        self.find(seat, until, |heard| match &heard.said {
            Said::Record(record) if context_of(record).is_some_and(&is_it) => {
                Some((heard.at, (**record).clone()))
            }
            _ => None,
        })
    }

    /// Waits until the Agent begins another session context than this one: its ID.
    ///
    /// # Errors
    /// It does not.
    pub fn await_new_session(&mut self, old: u64, patience: Duration) -> Result<u64, Stop> {
        let seat = self.speaker;
        let until = self.until(patience);
        let new = self.find(seat, until, |heard| {
            let record = match &heard.said {
                Said::Record(record) => record,
                Said::Message(message) => &message.0,
                _ => return None,
            };
            let id = context_of(record)?.session_id;
            (id != old).then_some(id)
        });
        new.ok_or_else(|| {
            Stop::Failed(format!(
                "the Agent was to begin another session context than {old}, and has not within {} s",
                patience.as_secs()
            ))
        })
    }

    /// Takes in a Record of a session context.
    pub(super) fn take_session(&mut self, seat: Seat, at: Duration, record: Record) {
        let Some(context) = context_of(&record).cloned() else {
            return;
        };
        let (id, number) = (context.session_id, context.sequence_id);
        let title = title_of_context(&context);
        self.transcript
            .add(Direction::Came, title, || record.to_text(), at);
        let is_ours = self.session_id(seat) == Some(id);
        if !is_ours {
            if number != 1 {
                self.note(format_args!("{id} is no session context of ours"));
                return self.keep(seat, at, Said::Record(Box::new(record)));
            }
            self.answer_session(seat, &record, id);
        }
        let taken = match self.session(seat).map(|session| session.take(context)) {
            Ok(Ok(taken)) => taken,
            Ok(Err(broken)) => {
                self.note(format_args!("the session context is broken: {broken}"));
                Taken::default()
            }
            Err(_) => Taken::default(),
        };
        for wanted in taken.wanted {
            // Where the link has ended meanwhile, nobody wants it any more.
            drop(
                self.of_context(seat, wanted)
                    .and_then(|record| self.send_record(seat, &record)),
            );
        }
        let mut held = 0;
        for payload in taken.payloads {
            for payload in self.unsealed(seat, &record, &payload) {
                held += 1;
                self.take_payload(seat, at, record.clone(), payload);
            }
        }
        if held == 0 {
            self.keep(seat, at, Said::Record(Box::new(record)));
        }
    }

    /// The Agent begins a session context, which takes the place of the one before. (R-E2E.6)
    fn answer_session(&mut self, seat: Seat, record: &Record, id: u64) {
        self.note(format_args!("the Agent begins the session context {id}"));
        let is_secured = record.payload_security == PayloadSecurity::Tls12 as i32;
        let secured = match is_secured {
            true => self.secured_server(),
            false => None,
        };
        if !self.is_in_session(seat) {
            self.undo(move |bench| bench.leave_session(seat));
        }
        self.place(seat).talk = Some(Talk::new(Session::new(id), secured));
    }
}
