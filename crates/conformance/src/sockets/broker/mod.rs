//! The Agent's MQTT or STOMP server, which is the bench: the Agent dials it, and perhaps its process is ours.
//!
//! A small runtime moves bytes; what they say is read and answered on the bench's thread, so that a test changes
//! the answers without a race. Nothing here judges what comes. There is one Agent: a new connection takes the
//! place of the one before.

pub(super) mod collector;

mod line;
mod mqtt;
mod stomp;
mod url;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::UnboundedSender;
use usphere_proto::{EndpointId, Record};
use usphere_runtime::{ControllerTls, TlsFiles};

pub use self::url::{BrokerUrl, BrokerUrlError, Protocol};

use self::collector::Collector;
use self::line::{Raw, Told, keep};
use self::mqtt::Mqtt;
use self::stomp::Stomp;
use super::beside::{has_ended, held_up};
use super::quiet::Quiet;
use super::spawned::{self, Spawned};
use super::web::{Host, Site};
use super::{SocketsError, Spawn, Tell, unix_seconds};
use crate::brokered::{MqttAnswers, MqttHow, MqttServer, StompAnswers, StompServer};
use crate::credentials::Credentials;
use crate::limits::{DECODING, PROCESS_CHECK};
use crate::peer::{Address, Destination, Happening, Peer, Seat, Trouble, What};
use crate::publications::Publications;
use crate::tries::Tries;
use crate::web::{Reply, Web};

/// What is needed to be an Agent's server.
pub struct BrokerSetup {
    /// Where it finds us; port 0 takes any that is free.
    pub url: BrokerUrl,
    /// Who the Controller is.
    pub primary: EndpointId,
    /// Who the second Controller is.
    pub second: EndpointId,
    /// What the server speaks TLS with, where it is spoken.
    pub tls: Option<ControllerTls>,
    /// What the Controller proves by certificates within Records.
    pub credentials: Option<Credentials>,
    /// The certificate of the web server, and its key; without, there is none over TLS.
    pub web: Option<TlsFiles>,
    /// The Agent's process, where it is ours.
    pub spawn: Option<Spawn>,
    /// Set by whoever wants the run to end at once.
    pub stop: Arc<AtomicBool>,
}

/// What comes of bytes of the Agent.
#[derive(Clone, Debug)]
enum Does {
    /// The connection ends: why.
    End(String),
    /// A Record came.
    Record(Bytes),
    /// Something was said, or is to be told.
    Say(What),
    /// Bytes for the Agent.
    Send(Bytes),
    /// The Agent can be reached.
    Up,
}

/// How the server answers, whatever it speaks.
#[derive(Debug, Default)]
struct Answers {
    mqtt: MqttAnswers,
    stomp: StompAnswers,
}

/// The server's end of one protocol.
trait Half {
    /// A connection is there.
    fn open(&mut self);

    /// Bytes came.
    fn take(&mut self, bytes: &[u8], answers: &Answers) -> Vec<Does>;

    /// A Record on the wire; `None` where the Agent cannot be reached.
    fn carry(&mut self, record: &Bytes, reply_to: &str) -> Option<Bytes>;

    /// What is said before the server ends a connection.
    fn farewell(&mut self) -> Bytes;
}

#[expect(clippy::large_enum_variant, reason = "there is one of them in a run")]
enum Either {
    Mqtt(Mqtt),
    Stomp(Stomp),
}

impl Either {
    fn half(&mut self) -> &mut dyn Half {
        match self {
            Self::Mqtt(half) => half,
            Self::Stomp(half) => half,
        }
    }

    fn reply_to(&self, seat: Seat) -> &'static str {
        match self {
            Self::Mqtt(_) => mqtt::reply_to(seat),
            Self::Stomp(_) => stomp::reply_to(seat),
        }
    }
}

/// An Agent that is reached through a server of ours.
pub struct Broker {
    runtime: Option<Runtime>,
    began: Instant,
    url: BrokerUrl,
    primary: EndpointId,
    second: EndpointId,
    credentials: Option<Credentials>,
    raw: Receiver<(Duration, Raw)>,
    told: Told,
    site: Site,
    web_files: Option<TlsFiles>,
    collector: Collector,
    quiet: Quiet,
    happened: VecDeque<Happening>,
    /// Connections on which nothing was said yet.
    silent: BTreeMap<u64, UnboundedSender<Bytes>>,
    line: Option<(u64, UnboundedSender<Bytes>)>,
    half: Either,
    answers: Answers,
    /// Controllers that want to be reached.
    wanted: BTreeSet<Seat>,
    /// Controllers that were told that they are.
    open: BTreeSet<Seat>,
    /// Whether the Agent has subscribed to something.
    is_up: bool,
    spawned: Option<Spawned>,
    stop: Arc<AtomicBool>,
}

impl Broker {
    /// Opens the server, and starts the Agent's process where that is ours.
    ///
    /// # Errors
    /// [`SocketsError`].
    pub fn start(setup: BrokerSetup) -> Result<Self, SocketsError> {
        let BrokerSetup {
            mut url,
            primary,
            second,
            tls,
            credentials,
            web,
            spawn,
            stop,
        } = setup;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(SocketsError::Runtime)?;
        let tls = match (url.tls, tls) {
            (false, _) => None,
            (true, None) => return Err(SocketsError::NoTls),
            (true, Some(tls)) => Some(tls.tls()),
        };
        let address = url.address;
        let bind = |source| SocketsError::Bind { address, source };
        let listener = runtime.block_on(TcpListener::bind(address)).map_err(bind)?;
        url.address = listener.local_addr().map_err(bind)?;
        let began = Instant::now();
        let (told, raw) = channel();
        let told = Told { began, told };
        runtime.spawn(keep(listener, tls, told.clone()));
        let spawned = spawn.map(|spawn| {
            let filled = spawn.filled_in(primary.as_str(), &url.to_string());
            let command = filled.command.clone();
            Spawned::start(filled).map_err(|source| SocketsError::Spawn { command, source })
        });
        Ok(Self {
            runtime: Some(runtime),
            began,
            half: match url.protocol {
                Protocol::Mqtt => Either::Mqtt(Mqtt::default()),
                Protocol::Stomp => Either::Stomp(Stomp::default()),
            },
            answers: Answers::default(),
            url,
            primary,
            second,
            credentials,
            raw,
            told,
            site: Site::default(),
            web_files: web,
            collector: Collector::default(),
            quiet: Quiet::default(),
            happened: VecDeque::new(),
            silent: BTreeMap::new(),
            line: None,
            wanted: BTreeSet::from([Seat::Primary]),
            open: BTreeSet::new(),
            is_up: false,
            spawned: spawned.transpose()?,
            stop,
        })
    }

    /// Tells the bench of what happens beside the link.
    fn tell(&self) -> Tell {
        let told = self.told.clone();
        Arc::new(move |what| told.tell(Raw::Beside(what)))
    }

    fn happen(&mut self, seat: Seat, at: Duration, what: What) {
        self.happened.push_back(Happening { seat, at, what });
    }

    fn took(&mut self, at: Duration, raw: Raw) {
        match raw {
            Raw::Beside(what) => self.happen(Seat::Primary, at, what),
            Raw::Opened(number, orders) => drop(self.silent.insert(number, orders)),
            Raw::Bytes(number, bytes) => {
                if let Some(orders) = self.silent.remove(&number) {
                    self.began(at, number, orders);
                }
                if self.is_line(number) {
                    for does in self.half.half().take(&bytes, &self.answers) {
                        self.do_one(at, does);
                    }
                }
            }
            Raw::Lost(number, reason) => {
                self.silent.remove(&number);
                if self.is_line(number) {
                    self.line = None;
                    self.ended(at, &reason);
                }
            }
        }
    }

    /// A connection on which the Agent says something: Agents that only try whether somebody is there say nothing.
    fn began(&mut self, at: Duration, number: u64, orders: UnboundedSender<Bytes>) {
        if !self.is_there() {
            // The line ends as nobody gives it orders any more.
            drop(orders);
            return self.happen(Seat::Primary, at, What::TurnedAway);
        }
        if self.line.take().is_some() {
            self.ended(at, "the Agent has opened another one");
        }
        self.half.half().open();
        self.line = Some((number, orders));
    }

    /// Whether connections are taken.
    fn is_there(&self) -> bool {
        match self.url.protocol {
            Protocol::Mqtt => self.answers.mqtt.is_there,
            Protocol::Stomp => self.answers.stomp.is_there,
        }
    }

    fn is_line(&self, number: u64) -> bool {
        self.line.as_ref().is_some_and(|(line, _)| *line == number)
    }

    fn do_one(&mut self, at: Duration, does: Does) {
        match does {
            Does::End(reason) => {
                self.line = None;
                self.ended(at, &reason);
            }
            Does::Record(bytes) => {
                let seat = self.seat_of(&bytes);
                self.happen(seat, at, What::Message(bytes));
            }
            Does::Say(what) => self.happen(Seat::Primary, at, what),
            Does::Send(bytes) => drop(self.give(bytes)),
            Does::Up => {
                self.is_up = true;
                self.tell_open(at);
            }
        }
    }

    /// Whom a Record is to.
    fn seat_of(&self, bytes: &Bytes) -> Seat {
        let record = Record::decode_bounded(bytes.clone(), &DECODING);
        match record {
            Ok(record) if record.to_id == self.second.as_str() => Seat::Second,
            _ => Seat::Primary,
        }
    }

    fn tell_open(&mut self, at: Duration) {
        let new: Vec<Seat> = self.wanted.difference(&self.open).copied().collect();
        for seat in new {
            self.open.insert(seat);
            self.happen(seat, at, What::Opened);
        }
    }

    fn ended(&mut self, at: Duration, reason: &str) {
        self.is_up = false;
        let mut seats = std::mem::take(&mut self.open);
        // What never was up ends too, for tests of sessions that do not come about.
        seats.insert(Seat::Primary);
        for seat in seats {
            self.happen(seat, at, What::Lost(reason.to_owned()));
        }
    }

    fn give(&self, bytes: Bytes) -> Result<(), Trouble> {
        let sent = self.line.as_ref().map(|(_, orders)| orders.send(bytes));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(not_connected()),
        }
    }
}

fn not_connected() -> Trouble {
    Trouble::Gone("the Agent is not connected to our server".to_owned())
}

impl Peer for Broker {
    fn way(&self) -> String {
        let protocol = match self.url.protocol {
            Protocol::Mqtt => "MQTT",
            Protocol::Stomp => "STOMP",
        };
        format!("{protocol}, whose server the Agent dials at {}", self.url)
    }

    fn endpoint_id(&self, seat: Seat) -> EndpointId {
        match seat {
            Seat::Primary | Seat::Twin => self.primary.clone(),
            Seat::Second => self.second.clone(),
        }
    }

    fn address(&self, _: Seat) -> Option<Address> {
        None
    }

    fn destination(&self, seat: Seat) -> Option<Destination> {
        let (protocol, parameter) = match self.url.protocol {
            Protocol::Mqtt => ("MQTT", "Topic"),
            Protocol::Stomp => ("STOMP", "Destination"),
        };
        Some(Destination {
            protocol,
            parameter,
            value: self.half.reply_to(seat),
        })
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn next(&mut self, until: Duration) -> Option<Happening> {
        loop {
            if let Some(happening) = self.happened.pop_front() {
                return Some(happening);
            }
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(text) = self.spawned.as_mut().and_then(Spawned::look_after) {
                let at = self.now();
                self.happen(Seat::Primary, at, What::Noted(text));
                continue;
            }
            let asked = self.now();
            let left = until.saturating_sub(asked);
            let came = self.raw.recv_timeout(left.min(PROCESS_CHECK));
            let now = self.now();
            if let Some(text) = held_up(now.saturating_sub(asked)) {
                self.happen(Seat::Primary, now, What::Noted(text));
            }
            match came {
                Ok((at, raw)) => self.took(at, raw),
                Err(RecvTimeoutError::Timeout) if left > PROCESS_CHECK => {}
                Err(_) => return None,
            }
        }
    }

    fn send(&mut self, seat: Seat, message: Bytes) -> Result<(), Trouble> {
        let reply_to = self.half.reply_to(seat);
        let bytes = self.half.half().carry(&message, reply_to);
        self.give(bytes.ok_or_else(not_connected)?)
    }

    fn connect(&mut self, seat: Seat) -> Result<(), Trouble> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Trouble::Impossible("the run was ended".to_owned()));
        }
        if let Some(spawned) = &self.spawned {
            spawned.check().map_err(Trouble::Impossible)?;
        }
        if seat == Seat::Twin {
            let reason = "there are no second connections of a Controller over MQTT and STOMP";
            return Err(Trouble::Impossible(reason.to_owned()));
        }
        self.wanted.insert(seat);
        if self.is_up {
            let now = self.now();
            self.tell_open(now);
        }
        Ok(())
    }

    fn drop_link(&mut self, seat: Seat) {
        self.open.remove(&seat);
        if seat == Seat::Primary {
            self.line = None;
            let now = self.now();
            for other in std::mem::take(&mut self.open) {
                self.happen(other, now, What::Lost("the link was cut".to_owned()));
            }
            self.is_up = false;
        } else {
            self.wanted.remove(&seat);
        }
    }

    fn restart(&mut self) -> Result<(), Trouble> {
        spawned::restart(self.spawned.as_mut())
    }

    fn can_restart(&self) -> bool {
        self.spawned.is_some()
    }

    fn sessions_from(&self) -> u64 {
        unix_seconds().unsigned_abs().saturating_mul(1000)
    }

    fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    fn web(&mut self) -> Option<&mut dyn Web> {
        Some(self)
    }

    fn publications(&mut self) -> Option<&mut dyn Publications> {
        Some(self)
    }

    fn tries(&mut self) -> Option<&mut dyn Tries> {
        Some(self)
    }

    fn mqtt(&mut self) -> Option<&mut dyn MqttServer> {
        match self.half {
            Either::Mqtt(_) => Some(self),
            Either::Stomp(_) => None,
        }
    }

    fn stomp(&mut self) -> Option<&mut dyn StompServer> {
        match self.half {
            Either::Stomp(_) => Some(self),
            Either::Mqtt(_) => None,
        }
    }
}

impl Broker {
    fn end_session(&mut self) -> Result<(), Trouble> {
        let farewell = self.half.half().farewell();
        self.give(farewell)?;
        self.line = None;
        let now = self.now();
        self.ended(now, "the server has ended it");
        Ok(())
    }
}

impl Web for Broker {
    fn serve(&mut self, page: &str, is_secure: bool, reply: Reply) -> Result<Address, Trouble> {
        let host = Host {
            address: self.url.address.ip(),
            tell: self.tell(),
            runtime: self.runtime.as_ref().ok_or_else(has_ended)?,
            files: self.web_files.as_ref(),
        };
        self.site.serve(host, page, is_secure, reply)
    }

    fn forget(&mut self, page: &str) {
        self.site.forget(page);
    }
}

impl Publications for Broker {
    fn follow(&mut self, _: &str) -> Result<Address, Trouble> {
        let tell = self.tell();
        let runtime = self.runtime.as_ref().ok_or_else(has_ended)?;
        let address = self.url.address.ip();
        self.collector.open(runtime, address, tell)
    }
}

impl Tries for Broker {
    fn keep_silent(&mut self) -> Result<IpAddr, Trouble> {
        let tell = self.tell();
        let runtime = self.runtime.as_ref().ok_or_else(has_ended)?;
        self.quiet.keep(runtime, self.url.address.ip(), &tell)
    }

    fn answer_again(&mut self) {
        self.quiet = Quiet::default();
    }
}

impl MqttServer for Broker {
    fn answers(&mut self) -> &mut MqttAnswers {
        &mut self.answers.mqtt
    }

    fn publish(&mut self, seat: Seat, record: Bytes, how: &MqttHow) -> Result<(), Trouble> {
        let bytes = match &mut self.half {
            Either::Mqtt(half) => half.published(&record, mqtt::reply_to(seat), how),
            Either::Stomp(_) => None,
        };
        self.give(bytes.ok_or_else(not_connected)?)
    }

    fn disconnect(&mut self) -> Result<(), Trouble> {
        self.end_session()
    }

    fn reply_topic(&self, seat: Seat) -> String {
        mqtt::reply_to(seat).to_owned()
    }

    fn topics(&self) -> Vec<String> {
        match &self.half {
            Either::Mqtt(half) => half.topics(),
            Either::Stomp(_) => Vec::new(),
        }
    }

    fn is_tls(&self) -> bool {
        self.url.tls
    }
}

impl StompServer for Broker {
    fn answers(&mut self) -> &mut StompAnswers {
        &mut self.answers.stomp
    }

    fn disconnect(&mut self) -> Result<(), Trouble> {
        self.end_session()
    }

    fn is_tls(&self) -> bool {
        self.url.tls
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // The Agent's process ends first, so that it does not complain about its server.
        self.spawned = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
