//! An Agent with everything around it, which does what an input says and keeps account.

mod links;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use usphere_agent::{
    Agent, Config, DialId, Input, KnownController, LinkId, ListenerId, Notice, Output, Target,
    TrustConfig,
};
use usphere_datamodel::model::OwnerError;
use usphere_datamodel::{Entry, Moment, Schema};
use usphere_proto::msg::{Get, RequestType};
use usphere_proto::{EndpointId, Limits, Msg, Record};
use usphere_trust::Channel;

use super::house::{HOUSE, applied, snapshot};
use super::requests::Words;
use crate::Tally;
use crate::message;
use crate::random::{Random, Script};
use crate::seeds;

/// Rounds in which everything that waits must be settled at the end.
const ROUNDS_MAX: usize = 4096;
/// How often it may want to be woken while some time passes: each Controller can have an event every second.
const WAKES_MAX: usize = 8 * ROUNDS_MAX;
/// The Controllers of the Agent; the last is dialled. Others are strangers.
const CONTROLLERS: [&str; 3] = ["self::c1", "self::c2", "self::c3"];
/// The Controller that asks at the end; no word of the inputs means it.
const PROBE: &str = "self::probe";

/// The Agent and everything around it.
pub(super) struct Stage {
    house: &'static House,
    agent: Agent,
    now: Moment,
    /// For changes of bytes, which the input does not spell out.
    random: Random,
    kept: BTreeMap<String, String>,
    commits: VecDeque<(u64, Vec<Entry>)>,
    questions: VecDeque<Output>,
    /// Answered already; an owner may say it twice.
    answered: Vec<Output>,
    dials: VecDeque<(DialId, EndpointId)>,
    listeners: BTreeSet<ListenerId>,
    links: BTreeMap<LinkId, Link>,
    named: u64,
    /// How often each message ID may still be answered to each Controller.
    allowed: BTreeMap<(String, String), u32>,
    /// Requests that must be answered as long as the Controller stays connected.
    owed: BTreeSet<(String, String)>,
    tally: Tally,
}

/// What all Agents of this target share.
struct House {
    schema: Arc<Schema>,
    words: Words,
}

/// A connection as its Controller sees it.
struct Link {
    controller: EndpointId,
    /// The Agent knows who is there: it was told when the link opened, or by the first Record.
    named: bool,
    /// The Agent has sent its Connect Record, and nothing odd was sent that could part the two.
    sound: bool,
}

impl Stage {
    /// An Agent at its first start.
    pub(super) fn new(seed: u64) -> Self {
        static SHARED: OnceLock<House> = OnceLock::new();
        let house = SHARED.get_or_init(|| {
            let schema = Agent::schema(&HOUSE).expect("the declarations of the house fit together");
            House {
                words: Words::of(&schema),
                schema,
            }
        });
        let now = Moment::from_micros(1_000_000);
        let agent = Agent::new(
            config(&[]),
            Arc::clone(&house.schema),
            Vec::new(),
            seed,
            now,
        );
        let mut stage = Self {
            house,
            agent,
            now,
            random: Random::new(seed),
            kept: BTreeMap::new(),
            commits: VecDeque::new(),
            questions: VecDeque::new(),
            answered: Vec::new(),
            dials: VecDeque::new(),
            listeners: BTreeSet::new(),
            links: BTreeMap::new(),
            named: 0,
            allowed: BTreeMap::new(),
            owed: BTreeSet::new(),
            tally: Tally::default(),
        };
        stage.absorb();
        stage.settle();
        stage.arrive("self::c1", true, Channel::PlainLoopback);
        stage
    }

    /// Lets one thing happen.
    pub(super) fn act(&mut self, script: &mut Script<'_>) {
        match script.below(32) {
            0..=12 => self.ask(script),
            13..=16 => self.ask_brokenly(script),
            17 => self.send_any_record(script),
            18..=21 => self.keep_next(),
            22 => self.keep_all(),
            23 => self.fail_commits(),
            24..=26 => self.answer_question(script),
            27 => self.wait(Duration::from_millis(script.below(1 << 16) as u64)),
            28 => self.connect(script),
            29 => self.answer_dial(script),
            30 => self.disconnect(script),
            _ => self.unusual(script),
        }
    }

    /// Settles everything; then whoever is owed an answer has it, and the Agent still answers, now and
    /// after a restart.
    pub(super) fn end(mut self) -> Tally {
        self.settle();
        assert!(self.owed.is_empty(), "never answered: {:?}", self.owed);
        self.probe();
        self.restart().probe_anew()
    }
}

/// Requests and Records.
impl Stage {
    fn ask(&mut self, script: &mut Script<'_>) {
        let Some(link) = self.pick_link(script) else {
            return;
        };
        let request = self.house.words.request(script);
        self.request(link, request);
    }

    fn request(&mut self, link: LinkId, request: RequestType) {
        let Some(Link {
            controller, sound, ..
        }) = self.links.get(&link)
        else {
            return;
        };
        self.named += 1;
        let msg_id = format!("r-{}", self.named);
        let key = (controller.to_string(), msg_id.clone());
        let silent = matches!(&request, RequestType::Operate(operate) if !operate.send_resp);
        if *sound && !silent {
            self.owed.insert(key.clone());
        }
        self.allowed.insert(key, 1);
        self.tally += Tally::one(true);
        let record = Record::no_session(
            &own(),
            controller,
            Msg::request(msg_id, request).into_payload(),
        );
        self.tell(Input::Received { link, record });
    }

    fn ask_brokenly(&mut self, script: &mut Script<'_>) {
        let Some(link) = self.pick_link(script) else {
            return;
        };
        let controller = self.links[&link].controller.clone();
        self.named += 1;
        let request = self.house.words.request(script);
        let payload = Msg::request(format!("m-{}", self.named), request).into_payload();
        let only_payload = script.chance(80);
        let record = if only_payload {
            let mut bytes = payload.to_vec();
            message::change(&mut bytes, &payload, &mut self.random);
            if bytes.is_empty() {
                return;
            }
            Ok(Record::no_session(&own(), &controller, bytes))
        } else {
            let mut bytes = Record::no_session(&own(), &controller, payload.clone())
                .to_bytes()
                .to_vec();
            message::change(&mut bytes, &payload, &mut self.random);
            Record::decode_bounded(&bytes[..], &Limits::DEFAULT)
        };
        let decodes = |record: &Record| {
            record
                .payload()
                .is_some_and(|payload| Msg::receive(payload.clone(), &Limits::DEFAULT).is_ok())
        };
        self.tally += Tally::one(record.as_ref().is_ok_and(decodes));
        if let Ok(record) = record {
            self.hand_in(link, record);
        }
        if !only_payload {
            self.part(link);
        }
    }

    /// Records that are no requests, some for or from somebody else.
    fn send_any_record(&mut self, script: &mut Script<'_>) {
        let Some(link) = self.pick_link(script) else {
            return;
        };
        let records = seeds::records();
        let mut record = records[script.below(records.len())].clone();
        let controller = self.links[&link].controller.clone();
        if script.chance(90) {
            record.to_id = own().to_string();
        }
        if script.chance(90) {
            record.from_id = controller.to_string();
        }
        let is_msg = record.payload().is_some();
        self.tally += Tally::one(is_msg);
        self.hand_in(link, record);
        if !is_msg {
            // It may have said goodbye. A Connect Record mends that, and is answered by one.
            self.part(link);
            if script.chance(60) {
                let record = Record::websocket_connect(&own(), &controller);
                self.tell(Input::Received { link, record });
            }
        }
    }

    /// A Record that may deserve an answer.
    fn hand_in(&mut self, link: LinkId, record: Record) {
        let peek = record
            .payload()
            .map(|payload| Msg::peek(payload))
            .unwrap_or_default();
        if let Some(msg_id) = peek.msg_id {
            let key = (record.from_id.clone(), msg_id.to_owned());
            *self.allowed.entry(key).or_default() += 1;
        }
        self.tell(Input::Received { link, record });
    }

    fn pick_link(&mut self, script: &mut Script<'_>) -> Option<LinkId> {
        let at = script.below(self.links.len().max(1));
        self.links.keys().nth(at).copied()
    }
}

/// The store, the owners and the time.
impl Stage {
    fn keep_next(&mut self) {
        let Some((sequence, entries)) = self.commits.pop_front() else {
            return;
        };
        for Entry { key, value } in entries {
            match value {
                Some(value) => drop(self.kept.insert(key, value)),
                None => drop(self.kept.remove(&key)),
            }
        }
        self.tell(Input::Committed { sequence });
    }

    fn keep_all(&mut self) {
        for _ in 0..self.commits.len() {
            self.keep_next();
        }
    }

    fn fail_commits(&mut self) {
        if !self.commits.is_empty() {
            self.commits.clear();
            self.tell(Input::CommitFailed {
                reason: "disk full".into(),
            });
        }
    }

    fn answer_question(&mut self, script: &mut Script<'_>) {
        let at = script.below(self.questions.len().max(1));
        let question = if self.questions.is_empty() || script.chance(5) {
            self.answered.pop()
        } else {
            self.questions.remove(at)
        };
        let Some(question) = question else {
            return;
        };
        let input = match &question {
            Output::Apply {
                ticket, changes, ..
            } => Input::Applied {
                ticket: *ticket,
                results: applied(changes, script),
            },
            Output::Fetch { ticket, unit, .. } => Input::Fetched {
                ticket: *ticket,
                result: snapshot(unit, script),
            },
            Output::Begin { ticket, .. } | Output::Operate { ticket, .. } => {
                let outputs = [("Time", "3"), ("Dust", "x")]
                    .into_iter()
                    .take(script.below(3));
                let outputs = outputs
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                let result = if script.chance(25) {
                    Err(OwnerError::failed("no"))
                } else {
                    Ok(outputs)
                };
                Input::Operated {
                    ticket: *ticket,
                    result,
                }
            }
            _ => return,
        };
        self.answered.push(question);
        self.tell(input);
    }

    fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        for _ in 0..WAKES_MAX {
            let Some(deadline) = self.agent.deadline().filter(|deadline| *deadline <= until) else {
                self.now = until;
                return self.tell(Input::Tick);
            };
            self.now = self.now.max(deadline);
            self.tell(Input::Tick);
        }
        panic!("it wants to be woken {WAKES_MAX} times in {duration:?}");
    }

    fn unusual(&mut self, script: &mut Script<'_>) {
        match script.below(3) {
            0 => self.tell(Input::Tick),
            1 => {
                let listener = ListenerId(script.below(3) as u32);
                let result = if script.chance(50) {
                    Ok(())
                } else {
                    Err("in use".into())
                };
                self.tell(Input::Listening { listener, result });
            }
            _ => self.wait(Duration::from_secs(script.below(4000) as u64)),
        }
    }

    /// The store keeps everything and the owners say no, until nothing waits any more.
    fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            if self.commits.is_empty() && self.questions.is_empty() {
                return;
            }
            self.keep_all();
            let no = || OwnerError::failed("settled");
            let input = match self.questions.pop_front() {
                Some(Output::Apply {
                    ticket, changes, ..
                }) => Input::Applied {
                    ticket,
                    results: vec![Ok(()); changes.len()],
                },
                Some(Output::Fetch { ticket, .. }) => Input::Fetched {
                    ticket,
                    result: Err(no()),
                },
                Some(Output::Begin { ticket, .. } | Output::Operate { ticket, .. }) => {
                    Input::Operated {
                        ticket,
                        result: Err(no()),
                    }
                }
                _ => continue,
            };
            self.tell(input);
        }
        panic!("it never comes to rest");
    }
}

/// What comes out.
impl Stage {
    fn tell(&mut self, input: Input) {
        self.agent.handle(input, self.now);
        self.absorb();
    }

    fn absorb(&mut self) {
        while let Some(output) = self.agent.poll() {
            match output {
                Output::CancelDial { dial } => self.dials.retain(|(known, _)| *known != dial),
                Output::Commit { sequence, entries } => self.commits.push_back((sequence, entries)),
                Output::Dial {
                    dial, controller, ..
                } => self.dials.push_back((dial, controller)),
                Output::Hangup { link, .. } => self.forget(link),
                Output::Listen { listener, .. } => drop(self.listeners.insert(listener)),
                Output::Note(Notice::NotLoaded(problem)) => {
                    panic!("it wrote what it cannot load: {problem}")
                }
                Output::Note(notice) => drop(notice.to_string()),
                Output::Send { link, record } => self.sent(link, &record),
                Output::StopListening { listener } => {
                    assert!(
                        self.listeners.remove(&listener),
                        "{listener} was no listener"
                    );
                }
                Output::Trust(_) => {}
                // It goes on until an input takes its power.
                Output::Restart { .. } => {}
                // The command may end by itself, or when everything settles.
                Output::Cancel { .. } => {}
                Output::Apply { .. }
                | Output::Begin { .. }
                | Output::Fetch { .. }
                | Output::Operate { .. } => {
                    self.questions.push_back(output);
                }
            }
        }
    }

    fn sent(&mut self, link: LinkId, record: &Record) {
        let known = self
            .links
            .get_mut(&link)
            .unwrap_or_else(|| panic!("sent on {link}, which is gone: {record:?}"));
        if !std::mem::replace(&mut known.named, true) {
            known.controller = endpoint(&record.to_id);
        }
        assert_eq!(
            record.check(&known.controller),
            Ok(()),
            "sent an erroneous Record: {record:?}"
        );
        if record.is_connect() {
            known.sound = true;
        }
        let Some(payload) = record.payload() else {
            return;
        };
        let msg = Msg::receive(payload.clone(), &Limits::DEFAULT)
            .unwrap_or_else(|refusal| panic!("sent an erroneous Message: {refusal}"));
        if let Some(request) = msg.as_request() {
            // It speaks first only to tell something.
            let tells = matches!(request, RequestType::Notify(_));
            assert!(tells, "it asks: {}", msg.to_text());
            return;
        }
        let key = (record.to_id.clone(), msg.msg_id().to_owned());
        self.owed.remove(&key);
        match self.allowed.get_mut(&key) {
            Some(count) if *count > 0 => *count -= 1,
            _ => panic!("an answer too many to {}: {}", record.to_id, msg.to_text()),
        }
    }
}

/// The end.
impl Stage {
    /// Whoever is connected and sound is answered.
    fn probe(&mut self) {
        let links: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| link.sound)
            .map(|(link, _)| *link)
            .collect();
        for link in links {
            self.request(link, get());
        }
        self.settle();
        assert!(
            self.owed.is_empty(),
            "it no longer answers: {:?}",
            self.owed
        );
    }

    /// The power goes and comes back; what was kept is all there is.
    fn restart(self) -> Self {
        let entries: Vec<Entry> = self
            .kept
            .iter()
            .map(|(key, value)| Entry::put(key, value))
            .collect();
        let agent = Agent::new(
            config(&[PROBE]),
            Arc::clone(&self.house.schema),
            entries,
            1,
            self.now,
        );
        let mut stage = Self {
            agent,
            commits: VecDeque::new(),
            questions: VecDeque::new(),
            answered: Vec::new(),
            dials: VecDeque::new(),
            listeners: BTreeSet::new(),
            links: BTreeMap::new(),
            allowed: BTreeMap::new(),
            owed: BTreeSet::new(),
            ..self
        };
        stage.absorb();
        stage.settle();
        stage
    }

    /// A Controller that it dials is answered.
    fn probe_anew(mut self) -> Tally {
        while let Some((dial, controller)) = self.dials.pop_front() {
            let link = self.pick_up(dial, controller, true);
            self.settle();
            self.request(link, get());
        }
        self.settle();
        assert!(
            self.owed.is_empty(),
            "it does not answer after a restart: {:?}",
            self.owed
        );
        self.tally
    }
}

fn get() -> RequestType {
    Get {
        param_paths: vec!["Device.".into(), "Device.LocalAgent.EndpointID".into()],
        max_depth: 0,
    }
    .into()
}

fn config(more: &[&str]) -> Config {
    let target = |host: &str| Target {
        host: host.to_owned(),
        port: 8081,
        path: "/usp".into(),
        encryption: false,
    };
    let known = |name: &str, dialled: bool| KnownController {
        endpoint_id: endpoint(name),
        target: dialled.then(|| target("host")),
    };
    let mut controllers: Vec<_> = CONTROLLERS
        .iter()
        .map(|name| known(name, *name == "self::c3"))
        .collect();
    controllers.extend(more.iter().map(|name| known(name, true)));
    Config {
        endpoint_id: own(),
        software_version: "1.2.3".into(),
        controllers,
        listen: Some(Target {
            host: String::new(),
            ..target("")
        }),
        trust: TrustConfig::default(),
    }
}

fn own() -> EndpointId {
    endpoint("self::agent")
}

fn endpoint(name: &str) -> EndpointId {
    EndpointId::from_wire(name).expect("the names of the stage are valid")
}
