//! An Agent of ours in virtual time: the real engine, its store in memory, and a small gateway behind it.
//!
//! The whole suite takes seconds this way. The peer answers as the transport does (1003 for what is no Record) and
//! decides nothing else. It must never read a clock.

mod gateway;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use usphere_agent::{
    Agent, Config, DialId, Input, KnownController, LinkId, Origin, Output, RestartAction, Target,
    TrustConfig, reset_store,
};
use usphere_datamodel::declare::Object;
use usphere_datamodel::{Entry, Moment, Schema, SchemaError};
use usphere_proto::{EndpointId, EndpointIdError, Record};
use usphere_trust::{Channel, PeerIdentity};

use self::gateway::Gateway;
use crate::limits::DECODING;
use crate::peer::{Address, Happening, Peer, Seat, Trouble, What};
use crate::tries::{Tries, Try};

/// The wall clock at the beginning: 2026-01-01T00:00:00Z.
const BEGINNING: i64 = 1_767_225_600_000_000;

/// How long the Agent is away when it starts anew.
const AWAY: Duration = Duration::from_secs(3);

/// A host that does not answer the gateway. (RFC 5737)
const SILENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

const AGENT: &str = "self::conformance-agent";
const PRIMARY: &str = "self::conformance";
const SECOND: &str = "self::conformance-2";

/// The host of the URL at which the Agent dials a seat.
const HOSTS: [(Seat, &str); 2] = [
    (Seat::Primary, "controller.example"),
    (Seat::Second, "second.example"),
];

/// Why there can be no such Agent.
#[derive(Debug, thiserror::Error)]
pub enum VirtualError {
    /// An Endpoint ID is none.
    #[error(transparent)]
    EndpointId(#[from] EndpointIdError),
    /// The declarations do not fit together.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

/// An Agent of ours in virtual time.
pub struct VirtualTime {
    schema: Arc<Schema>,
    config: Config,
    controllers: [EndpointId; 2],
    /// `None` while it is down.
    engine: Option<Agent>,
    up: Moment,
    lives: u64,
    now: Moment,
    store: BTreeMap<String, String>,
    gateway: Gateway,
    links: BTreeMap<LinkId, Seat>,
    named: u64,
    happened: VecDeque<Happening>,
}

impl VirtualTime {
    /// An Agent that starts for the first time and knows the bench.
    ///
    /// # Errors
    /// There can be no such Agent.
    pub fn new() -> Result<Self, VirtualError> {
        Self::with(&[])
    }

    /// As [`VirtualTime::new`], with further objects that nothing stands behind, parents before children: for
    /// those who pretend that something does.
    ///
    /// # Errors
    /// As there.
    pub fn with(further: &[&'static Object]) -> Result<Self, VirtualError> {
        let objects = [&gateway::objects(), further].concat();
        let controllers = [PRIMARY, SECOND].map(str::parse::<EndpointId>);
        let [primary, second] = controllers;
        let controllers = [primary?, second?];
        let config = Config {
            endpoint_id: AGENT.parse()?,
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            controllers: vec![KnownController {
                endpoint_id: controllers[0].clone(),
                target: Some(Target {
                    host: HOSTS[0].1.to_owned(),
                    port: 8081,
                    path: "/usp".to_owned(),
                    encryption: false,
                }),
            }],
            listen: None,
            trust: TrustConfig::default(),
        };
        let mut peer = Self {
            schema: Agent::schema(&objects)?,
            config,
            controllers,
            engine: None,
            up: Moment::ORIGIN,
            lives: 0,
            now: Moment::ORIGIN,
            store: BTreeMap::new(),
            gateway: Gateway::default(),
            links: BTreeMap::new(),
            named: 0,
            happened: VecDeque::new(),
        };
        peer.come_up();
        Ok(peer)
    }

    fn come_up(&mut self) {
        let entries = self.store.iter();
        let mut entries: Vec<Entry> = entries.map(|(key, value)| Entry::put(key, value)).collect();
        for Entry { key, .. } in reset_store(&mut entries) {
            self.store.remove(&key);
        }
        self.lives += 1;
        let schema = Arc::clone(&self.schema);
        let engine = Agent::new(self.config.clone(), schema, entries, self.lives, self.now);
        self.engine = Some(engine);
        let passed = i64::try_from(self.now.as_micros()).unwrap_or(i64::MAX);
        self.tell(Input::Clock {
            unix_micros: BEGINNING.saturating_add(passed),
            reliable: true,
        });
    }

    fn go_down(&mut self) {
        self.engine = None;
        self.gateway.stop();
        for seat in std::mem::take(&mut self.links).into_values() {
            self.happen(seat, What::Lost("the Agent is down".to_owned()));
        }
        self.up = self.now + AWAY;
    }

    /// Hands one input to the engine and does all that comes of it.
    fn tell(&mut self, input: Input) {
        let Some(mut engine) = self.engine.take() else {
            return;
        };
        engine.handle(input, self.now);
        let mut restart = None;
        while let Some(output) = engine.poll() {
            if let Output::Restart { action } = output {
                restart = Some(action);
                engine.handle(Input::Shutdown, self.now);
            } else if let Some(answer) = self.obey(output) {
                engine.handle(answer, self.now);
            }
        }
        match restart {
            None => self.engine = Some(engine),
            Some(action) => {
                if action == RestartAction::FactoryReset {
                    self.gateway = Gateway::default();
                }
                self.go_down();
            }
        }
    }

    /// Does one thing that the engine wants; the answer, where it can be given at once.
    fn obey(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Apply {
                ticket, changes, ..
            } => {
                let results = self.gateway.apply(&changes);
                return Some(Input::Applied { ticket, results });
            }
            Output::Begin {
                ticket,
                command,
                arguments,
                ..
            } => {
                self.gateway.begin(ticket, &command, &arguments, self.now);
            }
            Output::Cancel { ticket } => self.gateway.cancel(ticket, self.now),
            Output::Commit { sequence, entries } => {
                self.keep(entries);
                return Some(Input::Committed { sequence });
            }
            Output::Dial { dial, target, .. } => return Some(self.dialled(dial, &target)),
            Output::Fetch { ticket, unit, .. } => {
                let result = self.gateway.fetch(&unit, self.now.since(self.up));
                return Some(Input::Fetched { ticket, result });
            }
            Output::Hangup { link, code, reason } => {
                if let Some(seat) = self.links.remove(&link) {
                    let text = reason.to_string();
                    self.happen(
                        seat,
                        What::Closed {
                            code: Some(code),
                            text,
                        },
                    );
                }
            }
            Output::Listen { listener, .. } => {
                let result = Err("an Agent in virtual time does not listen".to_owned());
                return Some(Input::Listening { listener, result });
            }
            Output::Operate {
                ticket, command, ..
            } => {
                let result = self.gateway.operate(&command);
                return Some(Input::Operated { ticket, result });
            }
            Output::Send { link, record } => {
                if let Some(seat) = self.links.get(&link).copied() {
                    self.happen(seat, What::Message(record.to_bytes()));
                }
            }
            // Dials are answered at once, and restarts are taken before.
            Output::CancelDial { .. }
            | Output::Note(_)
            | Output::Restart { .. }
            | Output::StopListening { .. }
            | Output::Trust(_) => {}
        }
        None
    }

    fn dialled(&mut self, dial: DialId, target: &Target) -> Input {
        let seat = HOSTS.iter().find(|(_, host)| *host == target.host);
        let Some((seat, _)) = seat else {
            let reason = format!("nobody is at {}", target.host);
            return Input::DialFailed { dial, reason };
        };
        self.named += 1;
        let link = LinkId(self.named);
        self.links.insert(link, *seat);
        self.happen(*seat, What::Opened);
        let peer = PeerIdentity {
            endpoint_id: None,
            channel: Channel::PlainLoopback,
        };
        Input::Connected {
            link,
            origin: Origin::Dialled(dial),
            peer,
        }
    }

    fn keep(&mut self, entries: Vec<Entry>) {
        for Entry { key, value } in entries {
            match value {
                Some(value) => drop(self.store.insert(key, value)),
                None => drop(self.store.remove(&key)),
            }
        }
    }

    fn happen(&mut self, seat: Seat, what: What) {
        let at = self.now();
        self.happened.push_back(Happening { seat, at, what });
    }

    fn link(&self, seat: Seat) -> Result<LinkId, Trouble> {
        let link = self.links.iter().find(|(_, of)| **of == seat);
        link.map(|(link, _)| *link)
            .ok_or_else(|| Trouble::Gone(format!("{seat} has no link")))
    }

    /// When the Agent or its gateway has something to do.
    fn deadline(&self) -> Option<Moment> {
        let Some(engine) = &self.engine else {
            return Some(self.up);
        };
        engine
            .deadline()
            .into_iter()
            .chain(self.gateway.deadline())
            .min()
    }

    /// Does what is due.
    fn turn(&mut self) {
        if self.engine.is_none() {
            if self.up <= self.now {
                self.come_up();
            }
            return;
        }
        for hops_left in self.gateway.tried(self.now) {
            self.happen(Seat::Primary, What::Tried(Try { hops_left }));
        }
        for (ticket, result) in self.gateway.ended(self.now) {
            self.tell(Input::Operated { ticket, result });
        }
        self.tell(Input::Tick);
    }
}

impl Peer for VirtualTime {
    fn way(&self) -> String {
        "our own Agent in virtual time".to_owned()
    }

    fn endpoint_id(&self, seat: Seat) -> EndpointId {
        match seat {
            Seat::Primary | Seat::Twin => self.controllers[0].clone(),
            Seat::Second => self.controllers[1].clone(),
        }
    }

    fn address(&self, seat: Seat) -> Option<Address> {
        let host = HOSTS.iter().find(|(of, _)| *of == seat)?.1;
        Some(Address {
            host: host.to_owned(),
            port: 8081,
            path: "/usp".to_owned(),
            encryption: false,
        })
    }

    fn now(&self) -> Duration {
        self.now.since(Moment::ORIGIN)
    }

    fn next(&mut self, until: Duration) -> Option<Happening> {
        let until = Moment::ORIGIN + until;
        loop {
            if let Some(happening) = self.happened.pop_front() {
                return Some(happening);
            }
            match self.deadline().filter(|deadline| *deadline <= until) {
                Some(deadline) => self.now = self.now.max(deadline),
                None => {
                    self.now = self.now.max(until);
                    return None;
                }
            }
            self.turn();
        }
    }

    fn send(&mut self, seat: Seat, message: Bytes) -> Result<(), Trouble> {
        let link = self.link(seat)?;
        match Record::decode_bounded(message.clone(), &DECODING) {
            Ok(record) => self.tell(Input::Received { link, record }),
            Err(error) => match Record::receive(message, &self.config.endpoint_id, &DECODING) {
                Err(refusal) if !error.is_unreadable() => {
                    self.tell(Input::Refused { link, refusal })
                }
                _ => {
                    self.links.remove(&link);
                    let (code, text) = (Some(1003), error.to_string());
                    self.happen(
                        seat,
                        What::Closed {
                            code,
                            text: text.clone(),
                        },
                    );
                    self.tell(Input::Disconnected { link, reason: text });
                }
            },
        }
        Ok(())
    }

    fn connect(&mut self, seat: Seat) -> Result<(), Trouble> {
        match seat {
            Seat::Primary | Seat::Second => Ok(()),
            Seat::Twin => {
                let reason = "an Agent in virtual time cannot be dialled".to_owned();
                Err(Trouble::Impossible(reason))
            }
        }
    }

    fn drop_link(&mut self, seat: Seat) {
        if let Ok(link) = self.link(seat) {
            self.links.remove(&link);
            let reason = "the link was cut".to_owned();
            self.tell(Input::Disconnected { link, reason });
        }
    }

    fn restart(&mut self) -> Result<(), Trouble> {
        self.go_down();
        Ok(())
    }

    fn can_restart(&self) -> bool {
        true
    }

    fn tries(&mut self) -> Option<&mut dyn Tries> {
        Some(self)
    }
}

impl Tries for VirtualTime {
    fn keep_silent(&mut self) -> Result<IpAddr, Trouble> {
        // The gateway has no way to any host but itself.
        Ok(SILENT.into())
    }

    fn answer_again(&mut self) {
        self.gateway.be_answered();
    }
}
