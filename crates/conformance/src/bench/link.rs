//! Links, and everything that comes on them.

use std::time::Duration;

use bytes::Bytes;
use usphere_proto::msg::RequestType;
use usphere_proto::{EndpointId, Msg, Record, RecordType};

use super::{Bench, Ends, operate};
use crate::brokered::{MqttSaid, StompSaid};
use crate::limits::{DECODING, HEARD_MAX};
use crate::network::Sighting;
use crate::peer::{Happening, Seat, Trouble, WebSocket, What};
use crate::publications::Publication;
use crate::stop::{Done, Stop};
use crate::transcript::Direction;
use crate::tries::Try;
use crate::universal;
use crate::web::WebRequest;

/// How long to wait before an Agent is dialled again.
const DIAL_AGAIN: Duration = Duration::from_secs(1);

/// Something that one of our Controllers has heard.
#[derive(Clone, Debug)]
pub struct Heard {
    /// When.
    pub at: Duration,
    /// What.
    pub said: Said,
}

/// What can be heard.
#[derive(Clone, Debug)]
pub enum Said {
    /// The link has ended: with the Agent's status code, if it gave one.
    Closed(Option<u16>),
    /// The link has ended without a word.
    Lost,
    /// A Message, and the Record that it came in.
    Message(Box<(Record, Msg)>),
    /// Something to the MQTT server that we are.
    Mqtt(MqttSaid),
    /// Something that is no Record or holds no Message: what is wrong with it.
    Nonsense(String),
    /// The link is there.
    Opened,
    /// A Ping.
    Ping,
    /// A Pong.
    Pong(Bytes),
    /// A Record without a Message.
    Record(Box<Record>),
    /// The Agent has published something at our MQTT server.
    Published(Box<Publication>),
    /// The Agent has asked for something at our web server.
    Requested(Box<WebRequest>),
    /// The Agent was seen doing something in the network around it.
    Sighted(Box<Sighting>),
    /// Something to the STOMP server that we are.
    Stomp(StompSaid),
    /// A datagram to the host that says nothing.
    Tried(Try),
    /// The Agent has tried to connect, and was turned away.
    TurnedAway,
}

impl Said {
    fn is_connect(&self) -> bool {
        matches!(self, Self::Record(record) if record.is_connect())
    }
}

impl Bench {
    /// Lets time pass, and listens meanwhile.
    pub fn pass(&mut self, duration: Duration) {
        let until = self.until(duration);
        while self.hear(until) {}
    }

    /// Sees to it that this Controller has a link.
    ///
    /// # Errors
    /// The Agent does not connect, or cannot be dialled.
    pub fn connect(&mut self, seat: Seat) -> Done {
        let until = self.until(self.profile.connect_patience());
        let mut reason = String::new();
        self.not_let_in = None;
        while !self.place(seat).is_open {
            match self.peer.connect(seat) {
                Err(Trouble::Impossible(why)) => return Err(Stop::NotRunnable(why)),
                Err(Trouble::Gone(why)) => reason = format!(": {why}"),
                Ok(()) => {}
            }
            let next = until.min(self.now() + DIAL_AGAIN);
            while !self.place(seat).is_open && self.hear(next) {}
            if self.now() >= until && !self.place(seat).is_open {
                if let Some(why) = self.not_let_in.take() {
                    reason = format!("; the last connection came to nothing: {why}");
                }
                let seconds = self.profile.connect_seconds;
                return Err(Stop::Failed(format!(
                    "the Agent and {seat} were not connected within {seconds} s{reason}"
                )));
            }
        }
        Ok(())
    }

    /// Whether this Controller has a link.
    pub fn is_connected(&self, seat: Seat) -> bool {
        self.places.get(&seat).is_some_and(|place| place.is_open)
    }

    /// Ends the link without a word, as a cable that is cut.
    pub fn drop_link(&mut self, seat: Seat) {
        self.note(format_args!("the link of {seat} is cut"));
        self.peer.drop_link(seat);
        let place = self.place(seat);
        place.is_open = false;
        place.is_told = false;
        self.may_lose_link();
    }

    /// Tries once to give this Controller a link: whether it has one.
    ///
    /// # Errors
    /// It cannot be tried.
    pub fn try_to_connect(&mut self, seat: Seat) -> Result<bool, Stop> {
        match self.peer.connect(seat) {
            Err(Trouble::Impossible(why)) => return Err(Stop::NotRunnable(why)),
            Err(Trouble::Gone(why)) => self.note(format_args!("{seat} is not let in: {why}")),
            Ok(()) => {}
        }
        let until = self.until(DIAL_AGAIN);
        while !self.place(seat).is_open && self.hear(until) {}
        Ok(self.place(seat).is_open)
    }

    /// Has the Agent start anew: by its power, where that is in our hands, or by its command. It is connected
    /// again afterwards, and has told who it is.
    ///
    /// # Errors
    /// It cannot be restarted, or does not come back.
    pub fn restart_agent(&mut self) -> Done {
        self.restart_agent_until_connected()?;
        self.await_connect_record(self.profile.connect_patience())
    }

    /// As [`Bench::restart_agent`], and it need not have told yet who it is.
    ///
    /// # Errors
    /// As there.
    pub fn restart_agent_until_connected(&mut self) -> Done {
        self.begin_restart()?;
        self.await_link()
    }

    /// Has the Agent start anew as [`Bench::restart_agent`] does, and waits for nothing.
    ///
    /// # Errors
    /// It cannot be restarted.
    pub fn begin_restart(&mut self) -> Done {
        self.may_lose_link();
        match self.peer.restart() {
            Ok(()) => self.note("the Agent's power is cut, and comes back"),
            Err(_) => {
                let command = self.profile.reboot.command.clone();
                if !self.features.has(&command) {
                    let text = format!(
                        "the Agent has no {command}, and its process is not ours; --spawn starts one that is"
                    );
                    return Err(Stop::NotRunnable(text));
                }
                self.reboot("")?;
            }
        }
        Ok(())
    }

    /// Asks the Agent to start anew by its own command, without waiting for more than the answer.
    ///
    /// # Errors
    /// It refuses.
    pub fn reboot(&mut self, command_key: &str) -> Done {
        let call = self.profile.reboot.clone();
        let request = operate(&call.command, command_key, &call.arguments);
        self.operate(request)?.response()?;
        Ok(())
    }

    /// Waits until an Agent that starts anew has lost its link, and has told again who it is.
    ///
    /// # Errors
    /// It does not do so in time.
    pub fn await_return(&mut self) -> Done {
        self.await_link()?;
        self.await_connect_record(self.profile.connect_patience())
    }

    fn await_link(&mut self) -> Done {
        self.may_lose_link();
        let until = self.until(self.profile.connect_patience());
        let has_ended = |heard: &Heard| match heard.said {
            Said::Closed(_) | Said::Lost => Some(()),
            _ => None,
        };
        if self.find(Seat::Primary, until, has_ended).is_none() && self.is_connected(Seat::Primary)
        {
            let seconds = self.profile.connect_seconds;
            return Err(Stop::Failed(format!(
                "the Agent was to start anew, and has kept its link for {seconds} s"
            )));
        }
        self.connect(Seat::Primary)
    }

    /// Waits for a Connect Record. (R-MTP.6)
    ///
    /// # Errors
    /// None comes in time.
    pub fn await_connect_record(&mut self, patience: Duration) -> Done {
        let until = self.until(patience);
        let is_connect = |heard: &Heard| match &heard.said {
            Said::Record(record) if record.is_connect() => Some(()),
            _ => None,
        };
        self.find(Seat::Primary, until, is_connect).ok_or_else(|| {
            Stop::Failed(format!("no Connect Record within {} s", patience.as_secs()))
        })
    }

    /// What can only be done with a real WebSocket.
    ///
    /// # Errors
    /// There is none.
    pub fn websocket(&mut self) -> Result<&mut dyn WebSocket, Stop> {
        self.may_lose_link();
        self.peer
            .websocket()
            .ok_or_else(|| Stop::not_runnable("the Agent is not reached over a real WebSocket"))
    }

    /// Whether the link runs over TLS.
    ///
    /// # Errors
    /// It runs over nothing real.
    pub fn is_over_tls(&mut self) -> Result<bool, Stop> {
        if let Some(server) = self.peer.mqtt() {
            return Ok(server.is_tls());
        }
        if let Some(server) = self.peer.stomp() {
            return Ok(server.is_tls());
        }
        Ok(self.websocket()?.is_tls())
    }

    /// The first thing heard that `pick` wants, taken out, from what was kept or what comes until then.
    pub fn find<T>(
        &mut self,
        seat: Seat,
        until: Duration,
        mut pick: impl FnMut(&Heard) -> Option<T>,
    ) -> Option<T> {
        let mut looked = 0;
        loop {
            let heard = &mut self.place(seat).heard;
            let picked = heard
                .iter()
                .enumerate()
                .skip(looked)
                .find_map(|(at, heard)| Some((at, pick(heard)?)));
            if let Some((at, picked)) = picked {
                heard.remove(at);
                return Some(picked);
            }
            looked = heard.len();
            if !self.hear(until) {
                return None;
            }
        }
    }

    /// What this Controller has heard and nobody has looked for yet.
    pub fn heard(&self, seat: Seat) -> impl Iterator<Item = &Heard> {
        self.places
            .get(&seat)
            .into_iter()
            .flat_map(|place| &place.heard)
    }

    /// Takes in the next thing that happens; false when nothing does until then.
    pub(super) fn hear(&mut self, until: Duration) -> bool {
        let happening = self.peer.next(until);
        let happened = happening.is_some();
        if let Some(happening) = happening {
            self.take(happening);
        }
        happened
    }

    fn take(&mut self, happening: Happening) {
        let Happening { seat, at, what } = happening;
        let said = match what {
            What::Message(message) => {
                self.take_message(seat, at, message);
                return;
            }
            What::Closed { code, text } => {
                self.place(seat).is_open = false;
                let code_text = code.map_or("no code".to_owned(), |code| code.to_string());
                self.note(format_args!(
                    "the link of {seat} was closed: {code_text} {text}"
                ));
                let how = format!("{code_text} {text}");
                self.link_has_ended(seat, Ends::Told, how);
                Said::Closed(code)
            }
            What::Lost(reason) => {
                self.place(seat).is_open = false;
                self.note(format_args!("the link of {seat} is lost: {reason}"));
                self.link_has_ended(seat, Ends::Any, reason);
                Said::Lost
            }
            What::NotLetIn(why) => {
                self.note(format_args!("a connection came to nothing: {why}"));
                self.not_let_in = Some(why);
                return;
            }
            What::Noted(text) => {
                self.note(text);
                return;
            }
            What::Opened => {
                let place = self.place(seat);
                place.is_open = true;
                place.is_told = false;
                place.heard.retain(|heard| !heard.said.is_connect());
                self.note(format_args!("{seat} and the Agent are connected"));
                Said::Opened
            }
            What::Mqtt(said) => {
                let (title, text) = (said.to_string(), format!("{said:#?}"));
                self.transcript.add(Direction::Came, title, || text, at);
                Said::Mqtt(said)
            }
            What::Stomp(said) => {
                let (title, text) = (said.to_string(), format!("{said:#?}"));
                self.transcript.add(Direction::Came, title, || text, at);
                Said::Stomp(said)
            }
            What::Ping(_) => Said::Ping,
            What::Pong(payload) => Said::Pong(payload),
            What::Published(publication) => {
                let title = format!("published at {}", publication.topic);
                let text = || String::from_utf8_lossy(&publication.payload).into_owned();
                self.transcript.add(Direction::Came, title, text, at);
                Said::Published(publication)
            }
            What::Requested(request) => {
                let title = format!("{} {}", request.method, request.page);
                let text = || request.to_string();
                self.transcript.add(Direction::Came, title, text, at);
                Said::Requested(request)
            }
            What::Sighted(sighting) => {
                self.note(format_args!("seen: {sighting:?}"));
                Said::Sighted(sighting)
            }
            What::Text(text) => {
                let wrong = format!("a text message came: {text:.100}");
                self.violations.push(wrong.clone());
                Said::Nonsense(wrong)
            }
            What::Tried(one) => {
                let hops = one.hops_left;
                self.note(format_args!(
                    "a try came, which could have gone {hops} hops"
                ));
                Said::Tried(one)
            }
            What::TurnedAway => {
                self.note("the Agent has tried to connect, and was turned away");
                Said::TurnedAway
            }
        };
        self.keep(seat, at, said);
    }

    /// Remembers an end that nothing so far gives reason for; while cleaning up, all is reason.
    fn link_has_ended(&mut self, seat: Seat, reason: Ends, how: String) {
        let is_excused = self.ends == Ends::Any || self.ends == reason || self.until.is_some();
        if seat == Seat::Primary && !is_excused {
            self.ended.get_or_insert(how);
        }
    }

    /// Ends of links that were there before the one that is there now.
    pub(super) fn forget_ends(&mut self, seat: Seat) {
        let is_end = |said: &Said| matches!(said, Said::Closed(_) | Said::Lost);
        self.place(seat).heard.retain(|heard| !is_end(&heard.said));
    }

    pub(super) fn keep(&mut self, seat: Seat, at: Duration, said: Said) {
        let heard = &mut self.place(seat).heard;
        if heard.len() >= HEARD_MAX {
            heard.pop_front();
        }
        heard.push_back(Heard { at, said });
    }

    fn take_message(&mut self, seat: Seat, at: Duration, message: Bytes) {
        let record = match Record::decode_bounded(message, &DECODING) {
            Ok(record) => record,
            Err(error) => {
                return self.nonsense(seat, at, format!("what came is no Record: {error}"));
            }
        };
        if record.is_connect() && self.agent.is_none() {
            self.agent = EndpointId::from_wire(&record.from_id).ok();
        }
        let own = self.peer.endpoint_id(seat);
        let wrong = universal::of_record(&record, &own, self.agent.as_ref());
        self.violations.extend(wrong);
        if super::context_of(&record).is_some() {
            return self.take_session(seat, at, record);
        }
        let Some(RecordType::NoSessionContext(context)) = &record.record_type else {
            let title = format!("Record: {}", type_name(&record));
            self.transcript
                .add(Direction::Came, title, || record.to_text(), at);
            if let Some(RecordType::WebSocketConnect(_)) = &record.record_type {
                self.tell_who_we_are(seat);
            }
            return self.keep(seat, at, Said::Record(Box::new(record)));
        };
        let payload = context.payload.clone();
        self.take_payload(seat, at, record, payload);
    }

    /// Takes in a Message, and the Record that it came in.
    pub(super) fn take_payload(
        &mut self,
        seat: Seat,
        at: Duration,
        record: Record,
        payload: Bytes,
    ) {
        match Msg::decode_bounded(payload, &DECODING) {
            Err(error) => self.nonsense(seat, at, format!("the payload is no Message: {error}")),
            Ok(msg) => {
                self.violations.extend(universal::of_msg(&msg));
                let text = || match super::context_of(&record) {
                    None => record.to_text(),
                    Some(_) => msg.to_text(),
                };
                self.transcript
                    .add(Direction::Came, title_of(&msg), text, at);
                self.answer_by_itself(seat, &msg);
                self.keep(seat, at, Said::Message(Box::new((record, msg))));
            }
        }
    }

    fn nonsense(&mut self, seat: Seat, at: Duration, what: String) {
        self.violations.push(what.clone());
        self.note(&what);
        self.keep(seat, at, Said::Nonsense(what));
    }

    /// Answers the Agent's Connect Record with ours: an Agent that has dialled may want to hear who is there.
    fn tell_who_we_are(&mut self, seat: Seat) {
        let own = self.peer.endpoint_id(seat);
        if let Some(agent) = self.agent.clone().filter(|_| !self.place(seat).is_told) {
            self.place(seat).is_told = true;
            let record = Record::websocket_connect(&agent, &own);
            // Where the link has ended meanwhile, nobody needs to know.
            drop(self.send_record(seat, &record));
        }
    }
}

/// What a Record is called.
pub(super) fn type_name(record: &Record) -> &'static str {
    match &record.record_type {
        Some(RecordType::NoSessionContext(_)) => "NoSessionContext",
        Some(RecordType::SessionContext(_)) => "SessionContext",
        Some(RecordType::WebSocketConnect(_)) => "WebSocketConnect",
        Some(RecordType::MqttConnect(_)) => "MQTTConnect",
        Some(RecordType::StompConnect(_)) => "STOMPConnect",
        Some(RecordType::Disconnect(_)) => "Disconnect",
        Some(RecordType::UdsConnect(_)) => "UDSConnect",
        None => "of no known type",
    }
}

/// What a Message is called, with what tells it from others of its kind.
pub(super) fn title_of(msg: &Msg) -> String {
    if let Some(error) = msg.as_error() {
        return format!("Error {} {}", error.err_code, error.err_msg);
    }
    match (msg.as_request(), msg.kind()) {
        (Some(RequestType::Notify(notify)), _) => {
            format!(
                "Notify {:?} {}",
                super::Kind::of(notify),
                notify.subscription_id
            )
        }
        (_, Some(kind)) => format!("{kind:?}"),
        (_, None) => "a Message of no known kind".to_owned(),
    }
}
