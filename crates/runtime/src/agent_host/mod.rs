//! The Agent with its sockets, its clock, its store and its owners.
//!
//! One task drives the engine and polls every link; owners and the store have threads of their own.
//! Whatever arrives together is handled together, and what is sent by it leaves in one write per
//! link. This shell decides nothing: it never looks into a Record.

mod clock;
mod descriptors;
mod doors;
mod links;
mod owners;
mod restart;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{debug, info, warn};
use usphere_agent::{
    Agent, Config, DialId, Input, LinkId, ListenerId, Origin, Output, RestartAction,
};
use usphere_datamodel::declare::Object;
use usphere_datamodel::{Moment, Schema, SchemaError};
use usphere_mtp::tls::{Identity, Tls};
use usphere_mtp::websocket::Link;
use usphere_proto::EndpointId;

use self::clock::WallClock;
use self::doors::OpenDoor;
use self::links::{Arrival, Links};
use self::owners::{OwnerAnswer, Owners, Question, Reply};
use crate::agent_store::{Answer, Committer, StoreError};
use crate::owner::Announcement;
use crate::{Cancelled, Owner, Trusted};

pub use self::clock::clock_is_plausible;
pub use self::restart::HostCommands;

/// How long closing handshakes may take at the end.
const GOODBYE_MAX: Duration = Duration::from_secs(3);

/// Commits that may wait for the disk before links are read more slowly.
const COMMITS_WAITING_MAX: usize = 1_024;

/// What an Agent needs to live.
pub struct AgentHostConfig {
    /// The engine's part.
    pub agent: Config,
    /// The declarations beside the engine's own.
    pub objects: Vec<&'static Object>,
    /// Who answers for live units and commands.
    pub owners: Vec<Box<dyn Owner>>,
    /// The folder of the Agent's store.
    pub data: PathBuf,
    /// The address of the places to listen at.
    pub listen_address: IpAddr,
    /// Whether plain doors may open on addresses other than loopback.
    pub insecure: bool,
    /// The certificate and key of the Agent; without it there is no TLS.
    pub identity: Option<Identity>,
    /// Seed of the engine's random numbers.
    pub seed: u64,
    /// Whether the wall clock is right, asked every minute at least; [`clock_is_plausible`] where nothing
    /// better is known.
    pub clock_is_right: Box<dyn Fn() -> bool + Send>,
    /// What Reboot() and FactoryReset() do beyond the Agent.
    pub host_commands: HostCommands,
}

/// Why an Agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AgentHostError {
    /// The declarations do not fit together.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread or folder cannot be had.
    #[error("{what}: {source}")]
    System {
        /// What was to be done.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

/// What an Agent did in its life.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Records received.
    pub received: u64,
    /// Records sent.
    pub sent: u64,
    /// Plans whose changes were made durable.
    pub commits: u64,
    /// Transactions, and so syncs, that took.
    pub syncs: u64,
}

/// The file of the Agent's store in its data folder.
pub const STORE_FILE: &str = "agent.redb";

/// A running Agent.
pub struct AgentHost {
    engine: Agent,
    config: Config,
    schema: Arc<Schema>,
    seed: u64,
    /// How often the engine was made anew.
    lives: u64,
    /// The file of the store.
    store: PathBuf,
    host_commands: HostCommands,
    restart: Option<RestartAction>,
    our_id: EndpointId,
    listen_address: IpAddr,
    insecure: bool,
    tls: Option<Arc<Tls>>,
    trusted: Trusted,
    links: Links,
    doors: BTreeMap<ListenerId, OpenDoor>,
    /// How many a door lets in.
    connections_max: usize,
    /// Doors that are being closed.
    closing: Vec<JoinHandle<()>>,
    dials: BTreeMap<DialId, JoinHandle<()>>,
    committer: Committer,
    owners: Owners,
    events: UnboundedReceiver<Event>,
    post: UnboundedSender<Event>,
    origin: Instant,
    clock: WallClock,
    next_link: u64,
    tally: Tally,
}

/// What threads and tasks tell the host.
enum Event {
    Accepted(ListenerId, Box<Link>),
    Commit(Answer),
    Dialled(DialId, Result<Box<Link>, String>),
    Listening(ListenerId, Result<SocketAddr, String>),
    Owner(Reply),
}

impl AgentHost {
    /// Opens the store, starts the owners and makes the engine. Nothing is sent before [`Self::run`].
    ///
    /// # Errors
    /// When the store cannot be opened or the declarations do not fit together.
    pub fn start(config: AgentHostConfig) -> Result<Self, AgentHostError> {
        let store = make_folder(&config.data)?.join(STORE_FILE);
        let (post, events) = unbounded_channel();
        let (committer, entries) = restart::open_store(&store, &post)?;
        let mut owners = Owners::default();
        for owner in config.owners {
            let answers = post.clone();
            let started = owners.start(owner, move |reply| tell(&answers, Event::Owner(reply)));
            started.map_err(|source| system("starting the thread of an owner", source))?;
        }
        let trusted = Trusted::new(Vec::new());
        let verifier = trusted.agents_verifier();
        let tls = config
            .identity
            .map(|identity| Arc::new(Tls::new(Some(identity), verifier)));
        let schema = Agent::schema(&config.objects)?;
        let engine = Agent::new(
            config.agent.clone(),
            Arc::clone(&schema),
            entries,
            config.seed,
            Moment::ORIGIN,
        );
        Ok(Self {
            engine,
            our_id: config.agent.endpoint_id.clone(),
            config: config.agent,
            schema,
            seed: config.seed,
            lives: 0,
            store,
            host_commands: config.host_commands,
            restart: None,
            listen_address: config.listen_address,
            insecure: config.insecure,
            tls,
            trusted,
            links: Links::default(),
            doors: BTreeMap::new(),
            connections_max: descriptors::connections_max(),
            closing: Vec::new(),
            dials: BTreeMap::new(),
            committer,
            owners,
            events,
            post,
            origin: Instant::now(),
            clock: WallClock::new(config.clock_is_right),
            next_link: 0,
            tally: Tally::default(),
        })
    }

    /// Lives until `shutdown` is ready, then says goodbye to every Controller. A restart that a Controller asks
    /// for happens within.
    ///
    /// # Errors
    /// When the store could not be opened again after a restart.
    pub async fn run(
        mut self,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Tally, AgentHostError> {
        tokio::pin!(shutdown);
        self.drain();
        let mut arrivals = Vec::new();
        loop {
            if let Some(action) = self.restart.take() {
                tokio::select! {
                    restarted = self.restart(action) => restarted?,
                    () = &mut shutdown => break,
                }
            }
            self.tell_time();
            let deadline = self.deadline();
            // A disk that is slow slows the links down, not the memory up.
            let may_read = self.committer.waiting() < COMMITS_WAITING_MAX;
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => self.event(event),
                () = self.links.next(&mut arrivals), if may_read => self.arrived(&mut arrivals),
                () = tokio::time::sleep_until(deadline) => self.handle(Input::Tick),
                () = &mut shutdown => break,
            }
        }
        self.say_goodbye().await;
        self.committer.close();
        let tally = self.tally;
        info!(
            received = tally.received,
            sent = tally.sent,
            commits = tally.commits,
            syncs = tally.syncs,
            "Records and commits of this life"
        );
        Ok(tally)
    }

    async fn say_goodbye(&mut self) {
        self.handle(Input::Shutdown);
        let end = Instant::now() + GOODBYE_MAX;
        let mut arrivals = Vec::new();
        while !self.links.is_empty() {
            tokio::select! {
                () = self.links.next(&mut arrivals) => self.arrived(&mut arrivals),
                Some(event) = self.events.recv() => self.event(event),
                () = tokio::time::sleep_until(end) => break,
            }
        }
        self.close_all_doors().await;
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Accepted(listener, link) => {
                debug!(%listener, remote = %link.remote, "accepted");
                self.connected(*link, Origin::Accepted);
            }
            Event::Commit(Answer::Committed { sequence }) => {
                self.tally.syncs += 1;
                self.handle(Input::Committed { sequence });
            }
            Event::Commit(Answer::Failed { reason }) => {
                warn!("the change could not be kept: {reason}");
                let now = self.now();
                self.engine.handle(Input::CommitFailed { reason }, now);
                // Before the engine's outputs: a commit among them counts on what is undone by now. A
                // store that is gone has said so already, and is found gone by the next commit.
                let _ = self.committer.failure_handled();
                self.drain();
            }
            Event::Dialled(dial, result) => {
                self.dials.remove(&dial);
                match result {
                    Ok(link) => self.connected(*link, Origin::Dialled(dial)),
                    Err(reason) => self.handle(Input::DialFailed { dial, reason }),
                }
            }
            Event::Listening(listener, result) => {
                if let Ok(address) = &result {
                    info!(%listener, %address, "listening");
                }
                self.handle(Input::Listening {
                    listener,
                    result: result.map(|_| ()),
                });
            }
            Event::Owner(reply) => {
                if let Some(answer) = self.owners.receive(reply) {
                    self.handle(input_of(answer));
                }
            }
        }
    }

    fn connected(&mut self, link: Link, origin: Origin) {
        self.next_link += 1;
        let id = LinkId(self.next_link);
        let peer = link.peer.clone();
        self.links.add(id, link);
        self.handle(Input::Connected {
            link: id,
            origin,
            peer,
        });
    }

    fn arrived(&mut self, arrivals: &mut Vec<(LinkId, Arrival)>) {
        for (link, arrival) in arrivals.drain(..) {
            match arrival {
                Arrival::Closed(reason) => self.handle(Input::Disconnected { link, reason }),
                Arrival::Record(record) => {
                    self.tally.received += 1;
                    self.handle(Input::Received { link, record });
                }
                Arrival::Refused(refusal) => self.handle(Input::Refused { link, refusal }),
            }
        }
    }

    fn handle(&mut self, input: Input) {
        let now = self.now();
        self.engine.handle(input, now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll() {
            self.obey(output);
        }
    }

    fn obey(&mut self, output: Output) {
        match output {
            Output::Apply {
                ticket,
                owner,
                phase,
                changes,
                ..
            } => {
                self.ask(
                    &owner,
                    Question::Apply {
                        ticket,
                        phase,
                        changes,
                    },
                );
            }
            Output::Begin {
                ticket,
                owner,
                command,
                arguments,
            } => {
                let question = Question::Begin {
                    ticket,
                    command,
                    arguments,
                    cancelled: Cancelled::default(),
                };
                self.ask(&owner, question);
            }
            Output::Cancel { ticket } => self.owners.cancel(ticket),
            Output::CancelDial { dial } => {
                if let Some(task) = self.dials.remove(&dial) {
                    task.abort();
                }
            }
            Output::Commit { sequence, entries } => {
                self.tally.commits += 1;
                if let Err(gone) = self.committer.submit(sequence, entries) {
                    tell(
                        &self.post,
                        Event::Commit(Answer::Failed {
                            reason: gone.to_string(),
                        }),
                    );
                }
            }
            Output::Dial {
                dial,
                controller,
                target,
                ping_interval,
            } => self.dial(dial, controller, &target, ping_interval),
            Output::Fetch {
                ticket,
                owner,
                unit,
                ..
            } => self.ask(&owner, Question::Fetch { ticket, unit }),
            Output::Hangup { link, code, reason } => {
                self.links.close(link, code, &reason.to_string())
            }
            Output::Listen {
                listener,
                target,
                ping_interval,
            } => self.listen(listener, &target, ping_interval),
            Output::Note(notice) => notice_to_log(&notice),
            Output::Operate {
                ticket,
                owner,
                command,
                arguments,
                ..
            } => {
                let question = Question::Operate {
                    ticket,
                    command,
                    arguments,
                };
                self.ask(&owner, question);
            }
            Output::Restart { action } => self.restart = Some(action),
            Output::Send { link, record } => {
                self.tally.sent += 1;
                self.links.send(link, &record);
            }
            Output::Trust(store) => self.trusted.set(store),
            Output::StopListening { listener } => self.close_door(listener),
        }
    }

    fn ask(&mut self, owner: &str, question: Question) {
        if let Some(refusal) = self.owners.ask(owner, question) {
            tell(&self.post, Event::Owner(refusal));
        }
    }

    fn now(&self) -> Moment {
        Moment::ORIGIN + self.origin.elapsed()
    }

    /// When the loop has to turn at the latest.
    fn deadline(&self) -> Instant {
        let next_look = self.origin + self.clock.next_look().since(Moment::ORIGIN);
        match self.engine.deadline() {
            Some(deadline) => next_look.min(self.origin + deadline.since(Moment::ORIGIN)),
            None => next_look,
        }
    }

    /// Tells the engine the time where it does not count on right from what it was told.
    fn tell_time(&mut self) {
        let now = self.now();
        if let Some((unix_micros, reliable)) = self.clock.news(now) {
            self.trusted.set_time_is_known(reliable);
            self.engine.handle(
                Input::Clock {
                    unix_micros,
                    reliable,
                },
                now,
            );
            self.drain();
        }
    }
}

fn input_of(answer: OwnerAnswer) -> Input {
    match answer {
        OwnerAnswer::Announced {
            owner,
            announcement: Announcement::Changed { unit },
        } => Input::Disturbed { owner, unit },
        OwnerAnswer::Announced {
            announcement:
                Announcement::Event {
                    object,
                    name,
                    parameters,
                },
            ..
        } => Input::Event {
            object,
            name,
            parameters,
        },
        OwnerAnswer::Applied { ticket, results } => Input::Applied { ticket, results },
        OwnerAnswer::Fetched { ticket, result } => Input::Fetched { ticket, result },
        OwnerAnswer::Operated { ticket, result } => Input::Operated { ticket, result },
    }
}

/// Nobody listens any more only when the host itself is gone.
fn tell(post: &UnboundedSender<Event>, event: Event) {
    let _ = post.send(event);
}

fn notice_to_log(notice: &usphere_agent::Notice) {
    if notice.is_trouble() {
        warn!("{notice}");
    } else {
        info!("{notice}");
    }
}

fn make_folder(folder: &Path) -> Result<&Path, AgentHostError> {
    fs::create_dir_all(folder)
        .map_err(|source| system(&format!("making {}", folder.display()), source))?;
    Ok(folder)
}

fn system(what: &str, source: io::Error) -> AgentHostError {
    AgentHostError::System {
        what: what.to_owned(),
        source,
    }
}
