//! An Agent in virtual time, with a store in memory and Controllers that say what a test wants.
//!
//! For tests, fuzzing and simulation; nothing here belongs into a product. What a test gets wrong panics.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use usphere_datamodel::declare::Object;
use usphere_datamodel::{Entry, Moment, Schema};
use usphere_proto::msg::{Error, Get, RequestType, ResponseType};
use usphere_proto::{EndpointId, Msg, Record, RecordType};
use usphere_trust::{Certificate, Chain, Channel, Expected, PeerIdentity, Session, Store};

use crate::{
    Agent, Config, DialId, HangupReason, Input, KnownController, LinkId, ListenerId, Notice,
    Origin, Output, RestartAction, Target, TrustConfig, reset_store,
};

/// What an Agent is started with.
#[derive(Clone)]
pub struct Scene {
    config: Config,
    schema: Option<Arc<Schema>>,
    host: Vec<&'static Object>,
    seed: u64,
    store: BTreeMap<String, String>,
}

/// An Agent that runs, and everything it has said.
pub struct LiveAgent {
    /// The Agent.
    pub agent: Agent,
    /// The time.
    pub now: Moment,
    /// What is kept.
    pub store: BTreeMap<String, String>,
    /// Commits that the store was asked for and has not confirmed, while [`Self::hold`] is in force.
    pub commits: VecDeque<(u64, Vec<Entry>)>,
    /// Attempts to connect that wait for an answer.
    pub dials: VecDeque<Dialled>,
    /// Connections that the Agent closed.
    pub hangups: Vec<(LinkId, HangupReason)>,
    /// Places to listen at.
    pub listeners: BTreeMap<ListenerId, Target>,
    /// Time between two Pings on connections that are accepted, as it was told last.
    pub accepted_ping_interval: Duration,
    /// What is trusted.
    pub trust: Arc<Store>,
    /// The log.
    pub notices: Vec<Notice>,
    /// Restarts that were asked for.
    pub restarts: Vec<RestartAction>,
    /// Questions to owners that wait for an answer.
    pub questions: VecDeque<Output>,
    scene: Scene,
    holding: bool,
    inboxes: BTreeMap<LinkId, VecDeque<Record>>,
    links: BTreeMap<String, LinkId>,
    named: u64,
}

/// An attempt to connect.
#[derive(Clone, Debug)]
pub struct Dialled {
    /// Its name.
    pub dial: DialId,
    /// Who is expected there.
    pub controller: EndpointId,
    /// Where.
    pub target: Target,
    /// Time between two Pings.
    pub ping_interval: Duration,
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

impl Scene {
    /// An Agent that listens, knows nobody and has never run.
    pub fn new() -> Self {
        let listen = Target {
            host: String::new(),
            port: 9002,
            path: "/usp".to_owned(),
            encryption: false,
        };
        let config = Config {
            endpoint_id: id("agent"),
            software_version: "1.2.3".to_owned(),
            controllers: Vec::new(),
            listen: Some(listen),
            trust: TrustConfig::default(),
        };
        Self {
            config,
            schema: None,
            host: Vec::new(),
            seed: 1,
            store: BTreeMap::new(),
        }
    }

    /// With a Controller that dials in.
    pub fn controller(mut self, name: &str) -> Self {
        self.config.controllers.push(KnownController {
            endpoint_id: id(name),
            target: None,
        });
        self
    }

    /// With a Controller that is dialled at `host`.
    pub fn dialled(mut self, name: &str, host: &str) -> Self {
        let target = Target {
            host: host.to_owned(),
            port: 8081,
            path: "/usp".to_owned(),
            encryption: false,
        };
        self.config.controllers.push(KnownController {
            endpoint_id: id(name),
            target: Some(target),
        });
        self
    }

    /// With objects of the host.
    pub fn host(mut self, objects: &[&'static Object]) -> Self {
        self.host.extend_from_slice(objects);
        self.schema = None;
        self
    }

    /// With what was kept before.
    pub fn store(mut self, store: BTreeMap<String, String>) -> Self {
        self.store = store;
        self
    }

    /// With another version of its software.
    pub fn version(mut self, version: &str) -> Self {
        self.config.software_version = version.to_owned();
        self
    }

    /// With other random numbers.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// With this trust from the start.
    pub fn trust(mut self, trust: TrustConfig) -> Self {
        self.config.trust = trust;
        self
    }

    /// Without a place to dial in.
    pub fn deaf(mut self) -> Self {
        self.config.listen = None;
        self
    }

    /// Starts it, with a store that keeps everything at once.
    pub fn agent(self) -> LiveAgent {
        self.start(false)
    }

    /// Starts it, with a store that waits.
    pub fn agent_on_a_slow_store(self) -> LiveAgent {
        self.start(true)
    }

    fn start(mut self, holding: bool) -> LiveAgent {
        let schema = self
            .schema
            .get_or_insert_with(|| Agent::schema(&self.host).expect("the declarations fit"));
        let mut entries = self
            .store
            .iter()
            .map(|(key, value)| Entry::put(key, value))
            .collect();
        for Entry { key, .. } in reset_store(&mut entries) {
            self.store.remove(&key);
        }
        let now = Moment::from_micros(1_000_000);
        let agent = Agent::new(
            self.config.clone(),
            Arc::clone(schema),
            entries,
            self.seed,
            now,
        );
        let mut live = LiveAgent {
            agent,
            now,
            store: self.store.clone(),
            commits: VecDeque::new(),
            dials: VecDeque::new(),
            hangups: Vec::new(),
            listeners: BTreeMap::new(),
            accepted_ping_interval: Duration::ZERO,
            trust: Arc::default(),
            notices: Vec::new(),
            restarts: Vec::new(),
            questions: VecDeque::new(),
            scene: self,
            holding,
            inboxes: BTreeMap::new(),
            links: BTreeMap::new(),
            named: 0,
        };
        live.absorb();
        live
    }
}

/// Time, store and owners.
impl LiveAgent {
    /// Hands in one input and does what comes out.
    pub fn tell(&mut self, input: Input) {
        self.agent.handle(input, self.now);
        self.absorb();
    }

    /// The wall clock is known to show this many seconds since 1970, or is not known to be right.
    pub fn set_clock(&mut self, unix_seconds: Option<i64>) {
        self.tell(Input::Clock {
            unix_micros: unix_seconds.unwrap_or_default() * 1_000_000,
            reliable: unix_seconds.is_some(),
        });
    }

    /// Lets time pass; the Agent is woken whenever it wants to be.
    pub fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(deadline) = self.agent.deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            self.tell(Input::Tick);
        }
        self.now = until;
        self.tell(Input::Tick);
    }

    /// From now on the store confirms nothing.
    pub fn hold(&mut self) {
        self.holding = true;
    }

    /// The store keeps everything that it was asked for, and from now on at once.
    pub fn keep(&mut self) {
        self.holding = false;
        while !self.commits.is_empty() {
            self.keep_next();
        }
    }

    /// The store keeps the oldest commit that waits.
    pub fn keep_next(&mut self) {
        let (sequence, entries) = self.commits.pop_front().expect("no commit waits");
        for Entry { key, value } in entries {
            match value {
                Some(value) => drop(self.store.insert(key, value)),
                None => drop(self.store.remove(&key)),
            }
        }
        self.tell(Input::Committed { sequence });
    }

    /// The store cannot keep what waits.
    pub fn fail(&mut self, reason: &str) {
        self.commits.clear();
        self.tell(Input::CommitFailed {
            reason: reason.to_owned(),
        });
    }

    /// The power goes, and comes back: what was not kept is lost, and the random numbers are others.
    pub fn restart(self) -> Self {
        self.restart_with(|scene| scene)
    }

    /// As [`Self::restart`], with something changed meanwhile.
    pub fn restart_with(self, change: impl FnOnce(Scene) -> Scene) -> Self {
        let scene = Scene {
            store: self.store,
            seed: self.scene.seed.wrapping_add(1),
            ..self.scene
        };
        change(scene).agent()
    }

    fn absorb(&mut self) {
        while let Some(output) = self.agent.poll() {
            match output {
                Output::CancelDial { dial } => self.dials.retain(|dialled| dialled.dial != dial),
                Output::Commit { sequence, entries } => self.commits.push_back((sequence, entries)),
                Output::Dial {
                    dial,
                    controller,
                    target,
                    ping_interval,
                } => {
                    self.dials.push_back(Dialled {
                        dial,
                        controller,
                        target,
                        ping_interval,
                    });
                }
                Output::Hangup { link, reason, .. } => {
                    self.hangups.push((link, reason));
                    self.links.retain(|_, known| *known != link);
                }
                Output::Listen {
                    listener,
                    target,
                    ping_interval,
                } => {
                    self.listeners.insert(listener, target);
                    self.accepted_ping_interval = ping_interval;
                }
                Output::Note(notice) => self.notices.push(notice),
                Output::Restart { action } => self.restarts.push(action),
                Output::Send { link, record } => {
                    self.inboxes.entry(link).or_default().push_back(record)
                }
                Output::StopListening { listener } => drop(self.listeners.remove(&listener)),
                Output::Trust(store) => self.trust = store,
                output @ (Output::Apply { .. }
                | Output::Begin { .. }
                | Output::Cancel { .. }
                | Output::Fetch { .. }
                | Output::Operate { .. }) => {
                    self.questions.push_back(output);
                }
            }
        }
        if !self.holding && !self.commits.is_empty() {
            self.keep_next();
        }
    }
}

/// Connections.
impl LiveAgent {
    /// The Controller `name` dials in over loopback and tells who it is. The Agent's Connect Record is taken,
    /// and nothing after it.
    pub fn connect(&mut self, name: &str) -> LinkId {
        let link = self.arrive(Some(name), Channel::PlainLoopback);
        let first = self.inboxes.entry(link).or_default().pop_front();
        assert!(
            first.as_ref().is_some_and(Record::is_connect),
            "{name} got {first:?}"
        );
        link
    }

    /// Somebody dials in over TLS with this certificate, as the transport does it. `None` where the handshake
    /// fails.
    pub fn arrive_over_tls(
        &mut self,
        claimed: Option<&str>,
        certificates: &[&Certificate],
    ) -> Option<LinkId> {
        let channel = self.handshake(certificates, &Expected::Anybody)?;
        Some(self.arrive(claimed, channel))
    }

    /// The oldest attempt to connect finds a server with this certificate. `None` where the handshake fails.
    pub fn pick_up_over_tls(&mut self, certificates: &[&Certificate]) -> Option<LinkId> {
        let dialled = self.dials.front().expect("nobody is dialled");
        let expected = Expected::Server {
            host: dialled.target.host.clone(),
            endpoint_id: Some(dialled.controller.clone()),
        };
        let Some(channel) = self.handshake(certificates, &expected) else {
            self.turn_down();
            return None;
        };
        Some(self.pick_up_on(channel))
    }

    fn handshake(&self, certificates: &[&Certificate], expected: &Expected) -> Option<Channel> {
        let ders: Vec<&[u8]> = certificates
            .iter()
            .map(|certificate| certificate.der())
            .collect();
        let time = self.agent.utc(self.now).unix_seconds();
        let chain = Chain::from_der(&ders).ok()?;
        let session = Session::open(chain, &self.trust, expected, time).ok()?;
        Some(Channel::Tls(Arc::new(session)))
    }

    /// Somebody dials in.
    pub fn arrive(&mut self, claimed: Option<&str>, channel: Channel) -> LinkId {
        let peer = PeerIdentity {
            endpoint_id: claimed.map(id),
            channel,
        };
        let link = self.name_link(claimed);
        self.tell(Input::Connected {
            link,
            origin: Origin::Accepted,
            peer,
        });
        link
    }

    /// The oldest attempt to connect succeeds, and the Controller sends its Connect Record.
    pub fn pick_up(&mut self) -> LinkId {
        let dialled = self.dials.front().expect("nobody is dialled");
        let controller = dialled.controller.clone();
        let link = self.pick_up_in_silence();
        self.send(link, Record::websocket_connect(&id("agent"), &controller));
        link
    }

    /// The oldest attempt to connect succeeds, and nothing is said.
    pub fn pick_up_in_silence(&mut self) -> LinkId {
        self.pick_up_on(Channel::PlainLoopback)
    }

    fn pick_up_on(&mut self, channel: Channel) -> LinkId {
        let dialled = self.dials.pop_front().expect("nobody is dialled");
        let name = dialled.controller.instance_id().to_owned();
        let link = self.name_link(Some(&name));
        let peer = PeerIdentity {
            endpoint_id: None,
            channel,
        };
        self.tell(Input::Connected {
            link,
            origin: Origin::Dialled(dialled.dial),
            peer,
        });
        link
    }

    /// The oldest attempt to connect fails.
    pub fn turn_down(&mut self) {
        let dialled = self.dials.pop_front().expect("nobody is dialled");
        self.tell(Input::DialFailed {
            dial: dialled.dial,
            reason: "refused".to_owned(),
        });
    }

    /// A connection breaks.
    pub fn cut(&mut self, link: LinkId) {
        self.links.retain(|_, known| *known != link);
        self.tell(Input::Disconnected {
            link,
            reason: "cut".to_owned(),
        });
    }

    /// A Record comes on `link`.
    pub fn send(&mut self, link: LinkId, record: Record) {
        self.tell(Input::Received { link, record });
    }

    /// What has come on `link` since it was looked at last.
    pub fn take(&mut self, link: LinkId) -> Vec<Record> {
        self.inboxes.entry(link).or_default().drain(..).collect()
    }

    /// The Messages among what has come on `link` since it was looked at last.
    pub fn take_messages(&mut self, link: LinkId) -> Vec<Msg> {
        let records = self.take(link);
        records.iter().filter_map(message_of).collect()
    }

    fn name_link(&mut self, name: Option<&str>) -> LinkId {
        self.named += 1;
        let link = LinkId(self.named);
        if let Some(name) = name {
            self.links.insert(name.to_owned(), link);
        }
        link
    }
}

/// Requests.
impl LiveAgent {
    /// Sends a request of the Controller `name`, which is connected.
    pub fn request(&mut self, name: &str, msg_id: &str, request: impl Into<RequestType>) {
        let link = self.link(name);
        self.send(link, request_record(name, msg_id, request));
    }

    /// Sends a request and returns the Message that answers it. What else came stays to be taken.
    pub fn ask(&mut self, name: &str, request: impl Into<RequestType>) -> Msg {
        self.named += 1;
        let msg_id = format!("ask-{}", self.named);
        let link = self.link(name);
        self.request(name, &msg_id, request);
        let inbox = self.inboxes.entry(link).or_default();
        let answers = inbox.iter().map(message_of);
        let found = answers.enumerate().find_map(|(at, answer)| {
            Some((at, answer.filter(|answer| answer.msg_id() == msg_id)?))
        });
        let (at, answer) = found.unwrap_or_else(|| panic!("{name} got no answer"));
        inbox.remove(at);
        answer
    }

    /// As [`Self::ask`], where it must not fail as a whole.
    pub fn response(&mut self, name: &str, request: impl Into<RequestType>) -> ResponseType {
        let answer = self.ask(name, request);
        answer
            .as_response()
            .cloned()
            .unwrap_or_else(|| panic!("not a response: {answer:?}"))
    }

    /// As [`Self::ask`], where it has to fail as a whole.
    pub fn error(&mut self, name: &str, request: impl Into<RequestType>) -> Error {
        let answer = self.ask(name, request);
        answer
            .as_error()
            .cloned()
            .unwrap_or_else(|| panic!("not an Error: {answer:?}"))
    }

    /// The values that the Controller `name` reads at `path`, by full path.
    pub fn values(&mut self, name: &str, path: &str) -> BTreeMap<String, String> {
        let get = Get {
            param_paths: vec![path.to_owned()],
            ..Get::default()
        };
        values_of(&self.ask(name, get))
    }

    /// The one value that the Controller `name` reads at `path`.
    pub fn value(&mut self, name: &str, path: &str) -> String {
        self.values(name, path)
            .remove(path)
            .unwrap_or_else(|| panic!("{name} reads nothing at {path}"))
    }

    /// The link of a Controller that is connected.
    pub fn link(&self, name: &str) -> LinkId {
        *self
            .links
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not connected"))
    }
}

/// The Endpoint ID of the one called `name` in a scene.
pub fn id(name: &str) -> EndpointId {
    EndpointId::from_wire(&format!("self::{name}")).expect("a scene's names are simple")
}

/// The Record by which the Controller `name` asks for something.
pub fn request_record(name: &str, msg_id: &str, request: impl Into<RequestType>) -> Record {
    Record::no_session(
        &id("agent"),
        &id(name),
        Msg::request(msg_id, request).into_payload(),
    )
}

/// The Message in a Record, if there is one.
pub fn message_of(record: &Record) -> Option<Msg> {
    match record.record_type.as_ref()? {
        RecordType::NoSessionContext(record) => {
            Msg::receive(record.payload.clone(), &usphere_proto::Limits::DEFAULT).ok()
        }
        _ => None,
    }
}

/// The values in a GetResp, by full path.
pub fn values_of(answer: &Msg) -> BTreeMap<String, String> {
    let Some(ResponseType::GetResp(response)) = answer.as_response() else {
        panic!("not a GetResp: {answer:?}");
    };
    let results = response
        .req_path_results
        .iter()
        .flat_map(|result| &result.resolved_path_results);
    let values = results.flat_map(|result| {
        let name = |parameter: &String| format!("{}{parameter}", result.resolved_path);
        result
            .result_params
            .iter()
            .map(move |(parameter, value)| (name(parameter), value.clone()))
    });
    values.collect()
}
