//! The Agent itself: what it holds, what goes in and what comes out.
//!
//! | module | what it does |
//! |---|---|
//! | `commands` | the commands that the Agent runs itself |
//! | `notify` | Subscriptions, and Notify Messages until they are delivered |
//! | `connect` | connections: dialling, one session per Controller, Connect and Disconnect Records |
//! | `operations` | asynchronous commands, restarts, Boot! and Periodic! |
//! | `receive` | Records and Messages that come, and the requests in them |
//! | `plans` | plans on the Model: what they want from outside, and what follows from their ends |
//! | `survey` | what is read from the data model for the engine's own use |
//! | `seed` | what the Agent puts into the data model by itself |
//! | `trust` | who may speak, and what becomes of a peer |

mod commands;
mod connect;
pub(crate) mod notify;
pub(crate) mod operations;
mod plans;
mod receive;
pub(crate) mod seed;
pub(crate) mod survey;
#[cfg(test)]
mod tests;
pub(crate) mod trust;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use usphere_datamodel::declare::Object;
use usphere_datamodel::model::ModelInput;
use usphere_datamodel::{Access, Entry, Model, Moment, PlanId, Schema, SchemaError, SchemaView};
use usphere_proto::EndpointId;
use usphere_proto::msg::RequestType;
use usphere_trust::Store;

use crate::clock::{Clock, Utc};
use crate::config::Config;
use crate::dialling::{Dialler, Retry};
use crate::event::{HangupReason, Input, LinkId, ListenerId, Output};
use crate::links::{Link, Stage};
use crate::notice::{Notice, NoticeBudget};
use crate::objects::objects;
use crate::random::Random;
use commands::Reset;
use notify::{Notifier, Occurrence};
use operations::{Operations, is_first_start};
use plans::{Conclusion, Purpose};
use survey::{Offer, Stale};

/// The Agent as a state machine; the crate's documentation tells how it is driven.
pub struct Agent {
    own: EndpointId,
    software_version: String,
    model: Model<Conclusion>,
    purposes: BTreeMap<PlanId, Purpose>,
    /// Boxed: a map makes room for eleven, and most Agents have one or two.
    controllers: BTreeMap<u32, Box<Controller>>,
    links: BTreeMap<LinkId, Link>,
    listeners: BTreeMap<ListenerId, Offer>,
    /// What a Controller may do whose identity is not known.
    untrusted: Arc<Access>,
    stale: Stale,
    surveying: bool,
    /// Requests that wait for the survey, so that none is carried out with rights that are gone.
    held: VecDeque<Held>,
    /// What is trusted, as the data model says.
    trust: Arc<Store>,
    /// Plans under way that let somebody in.
    admitting: usize,
    clock: Clock,
    random: Random,
    dials: u64,
    started: Moment,
    closing: bool,
    resets: Vec<Reset>,
    notifier: Notifier,
    operations: Operations,
    notices: NoticeBudget,
    outputs: VecDeque<Output>,
}

/// A Controller that may be spoken to.
#[derive(Debug)]
struct Controller {
    /// The path of its row.
    path: String,
    id: EndpointId,
    access: Arc<Access>,
    /// Its one session. (R-WS.4)
    link: Option<LinkId>,
    /// Its requests in progress, at most [`REQUESTS_MAX`](crate::limits::REQUESTS_MAX).
    asked: Vec<Asked>,
    dialler: Dialler,
    /// How a Notify is sent again. (R-NOT.1)
    notif_retry: Retry,
    /// `CurrentRetryCount` of each MTP row, as the data model shows it.
    published: BTreeMap<u32, u32>,
}

/// A request in progress.
#[derive(Debug)]
struct Asked {
    msg_id: String,
    /// Whether it was asked on a link that deserves the Controller's own rights.
    trusted: bool,
    /// Whether a certificate has proven there who asked.
    proven: bool,
    /// `None` while it is held.
    plan: Option<PlanId>,
}

/// A request that waits for the survey.
#[derive(Debug)]
struct Held {
    instance: u32,
    msg_id: String,
    request: RequestType,
}

impl Agent {
    /// The data model of an Agent with these objects of its host beside its own. One schema serves any
    /// number of Agents.
    ///
    /// # Errors
    /// When the declarations do not fit together.
    pub fn schema(host: &[&'static Object]) -> Result<Arc<Schema>, SchemaError> {
        let mut all = objects();
        all.extend_from_slice(host);
        Schema::build(&all)
    }

    /// An Agent with what its store has kept. `seed` spreads its retries: no two Agents should have
    /// the same. Drain [`poll`](Self::poll) at once: the first start has something to store.
    pub fn new(
        config: Config,
        schema: Arc<Schema>,
        entries: Vec<Entry>,
        seed: u64,
        now: Moment,
    ) -> Self {
        let first = is_first_start(&entries);
        let (model, problems) = Model::new(SchemaView::new(schema), entries);
        let mut agent = Self {
            own: config.endpoint_id.clone(),
            software_version: config.software_version.clone(),
            model,
            purposes: BTreeMap::new(),
            controllers: BTreeMap::new(),
            links: BTreeMap::new(),
            listeners: BTreeMap::new(),
            untrusted: Arc::new(Access::nothing()),
            stale: Stale::Rights,
            surveying: false,
            held: VecDeque::new(),
            trust: Arc::new(Store {
                revocation_lists: config.trust.revocation_lists.clone(),
                ..Store::default()
            }),
            admitting: 0,
            clock: Clock::default(),
            random: Random::new(seed),
            dials: 0,
            started: now,
            closing: false,
            resets: Vec::new(),
            notifier: Notifier::new(seed),
            operations: Operations::default(),
            notices: NoticeBudget::default(),
            outputs: VecDeque::new(),
        };
        for problem in problems {
            agent.note(Notice::NotLoaded(problem));
        }
        agent.submit_seed(config, first, now);
        agent.recover(first, now);
        agent.settle(now);
        agent
    }

    /// Takes in one thing that happened. Drain [`poll`](Self::poll) and reset the timer to
    /// [`deadline`](Self::deadline) after it.
    pub fn handle(&mut self, input: Input, now: Moment) {
        match input {
            Input::Applied { ticket, results } => {
                self.model
                    .handle(ModelInput::Applied { ticket, results }, now);
            }
            Input::Clock {
                unix_micros,
                reliable,
            } => {
                let utc = Utc {
                    unix_micros,
                    reliable,
                };
                self.clock.set(utc, now);
                self.notify_clock_set(now);
                self.clock_was_set(now);
                self.trust_clock_set(now);
            }
            Input::CommitFailed { reason } => {
                self.model.handle(ModelInput::CommitFailed { reason }, now)
            }
            Input::Committed { sequence } => {
                self.model.handle(ModelInput::Committed { sequence }, now)
            }
            Input::Connected { link, origin, peer } => self.connected(link, origin, peer, now),
            Input::DialFailed { dial, reason } => self.dial_failed(dial, reason, now),
            Input::Disconnected { link, reason } => self.disconnected(link, reason, now),
            Input::Disturbed { owner, unit } => self.disturbed(owner, unit, now),
            Input::Event {
                object,
                name,
                parameters,
            } => self.occurred(Occurrence::Event {
                object,
                name,
                parameters,
                only: None,
            }),
            Input::Fetched { ticket, result } => {
                self.model
                    .handle(ModelInput::Fetched { ticket, result }, now);
            }
            Input::Listening { listener, result } => self.listening(listener, result, now),
            Input::Operated { ticket, result } if Operations::asked(ticket) => {
                self.operated(ticket, result, now);
            }
            Input::Operated { ticket, result } => {
                self.model
                    .handle(ModelInput::Operated { ticket, result }, now);
            }
            Input::Received { link, record } => self.received(link, record, now),
            Input::Refused { link, refusal } => self.refused(link, *refusal, now),
            Input::Shutdown => self.shut_down(),
            Input::Tick => {}
        }
        self.expire(now);
        self.settle(now);
    }

    /// The next thing to do, until there is none.
    pub fn poll(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            // One process may hold very many Agents, nearly all of them idle.
            self.outputs = VecDeque::new();
        }
        output
    }

    /// When to hand in [`Input::Tick`] if nothing else happens before.
    pub fn deadline(&self) -> Option<Moment> {
        if self.closing {
            return self.model.deadline();
        }
        let dials = self
            .controllers
            .values()
            .filter_map(|controller| controller.dialler.deadline());
        let links = self
            .links
            .values()
            .filter_map(|link| link.until().into_iter().chain(link.judged_until).min());
        dials
            .chain(links)
            .chain(self.reset_deadline())
            .chain(self.notifier.deadline())
            .chain(self.operations.deadline())
            .chain(self.model.deadline())
            .min()
    }

    /// The Agent's Endpoint ID.
    pub fn endpoint_id(&self) -> &EndpointId {
        &self.own
    }

    /// The wall clock at `now`.
    pub fn utc(&self, now: Moment) -> Utc {
        self.clock.at(now)
    }

    /// Ends what has waited long enough.
    fn expire(&mut self, now: Moment) {
        if self
            .model
            .deadline()
            .is_some_and(|deadline| deadline <= now)
        {
            self.model.handle(ModelInput::Tick, now);
        }
        self.notices.renew(now);
        self.reset_due(now);
        self.notify_due(now);
        self.operations_due(now);
        self.judge_expired(now);
        let is_over = |link: &Link| link.until().is_some_and(|until| until <= now);
        let over: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| is_over(link))
            .map(|(id, _)| *id)
            .collect();
        for link in over {
            if let Some(gone) = self.links.remove(&link) {
                let reason = match gone.stage {
                    Stage::Open(_) => HangupReason::Idle,
                    _ => HangupReason::Silent,
                };
                self.hang_up(link, reason);
                self.leave(&gone, now);
            }
        }
    }

    fn note(&mut self, notice: Notice) {
        self.outputs.push_back(Output::Note(notice));
    }
}
