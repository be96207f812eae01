//! A Controller on tokio: the engine, its links over WebSocket, and its timer.
//!
//! A link's task does all that its Records bring about, under one short lock; there is no task in
//! between that every Record of every Agent has to pass. This module must never judge a Record, and
//! never wait while it holds the lock.

mod asked;
mod contacts;
mod core;
mod events;
mod notices;
mod notifications;
mod patience;
mod proven;
mod reading;
mod tap;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use usphere_controller::Input;
use usphere_datamodel::operation::{Operation, OperationError, Outcome};
use usphere_mtp::tls::Tls;
use usphere_mtp::websocket::{
    self, BindError, DialError, Door, DoorWatch, Link, LinkEvent, Listener, ListenerLimits,
    Settings, Target,
};
use usphere_proto::EndpointId;

use self::core::{Core, Heard};
use self::patience::Patience;

pub use usphere_controller::{Config as ControllerConfig, HangupReason, Ignored, OfflineReason};

pub use self::asked::Asked;
pub use self::core::Traffic;
pub use contacts::{ContactFault, FailedContact, FailedContacts, NextContact};
pub use events::{ControllerEvent, Events, OnlineAgent, Proof};
pub use notifications::{Delivery, Notifications};
pub use tap::{Overheard, Tap};

/// How long a shutdown waits for the closing handshakes.
pub const FAREWELL_PATIENCE: Duration = Duration::from_secs(3);

/// Links that were dialled and wait to be taken up.
const DIALLED_WAITING_MAX: usize = 16;

/// A running Controller. Dropping it cuts all its connections; [`shutdown`](Self::shutdown) says
/// goodbye first.
#[derive(Debug)]
pub struct ControllerHost {
    handle: ControllerHandle,
    settings: Settings,
    address: Option<SocketAddr>,
    door: Option<DoorWatch>,
    doors: mpsc::Sender<Option<Listener>>,
    dialled: mpsc::Sender<Link>,
    stop: watch::Sender<bool>,
    keeper: JoinHandle<()>,
}

/// Why no Agent is there to be asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum WaitError {
    /// The Agent closed the connection, or it was lost, before an Agent was online.
    #[error("the connection ended before the Agent said who it is: {0}")]
    Closed(String),
    /// Time is up.
    #[error("no Agent connected and sent its Connect Record in time")]
    TimedOut,
}

impl ControllerHost {
    /// A Controller that Agents dial. A door for TLS needs `tls` with an identity.
    ///
    /// # Errors
    /// [`BindError`] when the door cannot be opened.
    pub async fn listen(
        door: Door,
        limits: ListenerLimits,
        config: ControllerConfig,
        tls: Option<Arc<Tls>>,
    ) -> Result<Self, BindError> {
        let settings = settings(&config, tls);
        Self::listen_with(door, limits, config, settings).await
    }

    /// As [`listen`](Self::listen), with links that behave as `settings` say. Whose they are is told by
    /// `config`.
    ///
    /// # Errors
    /// [`BindError`] when the door cannot be opened.
    pub async fn listen_with(
        door: Door,
        limits: ListenerLimits,
        config: ControllerConfig,
        settings: Settings,
    ) -> Result<Self, BindError> {
        let mut host = Self::closed(config, settings);
        host.open(door, limits).await?;
        Ok(host)
    }

    /// A Controller whose door is not open yet, so that whoever wants to know who comes can listen before anybody
    /// does. Needs a running runtime.
    pub fn closed(config: ControllerConfig, settings: Settings) -> Self {
        let settings = Settings {
            our_id: config.endpoint_id.clone(),
            ..settings
        };
        Self::start(Core::new(config), settings)
    }

    /// Opens a door, in the place of the one before.
    ///
    /// # Errors
    /// [`BindError`] when the door cannot be opened; the one before stays.
    pub async fn open(&mut self, door: Door, limits: ListenerLimits) -> Result<(), BindError> {
        let watched = Settings {
            witness: Some(self.handle.core.witness()),
            ..self.settings.clone()
        };
        let listener = Listener::bind(door, watched, limits).await?;
        self.address = Some(listener.local_addr());
        self.door = Some(listener.watch());
        // The keeper only ends when the host does.
        drop(self.doors.send(Some(listener)).await);
        Ok(())
    }

    /// Closes the door, if there is one. Those who are there stay.
    pub async fn close(&self) {
        drop(self.doors.send(None).await);
    }

    /// A Controller that dials one Agent. The Agent can be asked once
    /// [`wait_for_agent`](Self::wait_for_agent) returned it.
    ///
    /// # Errors
    /// [`DialError`] says which step failed.
    pub async fn dial(
        target: &Target,
        config: ControllerConfig,
        tls: Option<Arc<Tls>>,
    ) -> Result<Self, DialError> {
        let settings = settings(&config, tls);
        let host = Self::start(Core::new(config), settings);
        host.connect(target).await?;
        Ok(host)
    }

    /// Dials one more Agent.
    ///
    /// # Errors
    /// [`DialError`] says which step failed.
    pub async fn connect(&self, target: &Target) -> Result<(), DialError> {
        self.dialler().connect(target).await
    }

    /// What dials for this Controller without borrowing it.
    pub fn dialler(&self) -> Dialler {
        Dialler {
            settings: self.settings.clone(),
            dialled: self.dialled.clone(),
        }
    }

    fn start(core: Arc<Core>, settings: Settings) -> Self {
        let (doors, opened) = mpsc::channel(1);
        let (dialled, arriving) = mpsc::channel(DIALLED_WAITING_MAX);
        let (stop, stopped) = watch::channel(false);
        let keeper = tokio::spawn(keep(Arc::clone(&core), opened, arriving, stopped));
        Self {
            handle: ControllerHandle { core },
            settings,
            address: None,
            door: None,
            doors,
            dialled,
            stop,
            keeper,
        }
    }

    /// What Operations are asked with. Cheap to clone; outlives the host, whose Agents are then gone.
    pub fn handle(&self) -> &ControllerHandle {
        &self.handle
    }

    /// Where Agents dial, with the port that was taken.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.address
    }

    /// What looks at how many come through the door; `None` where there is none.
    pub fn door(&self) -> Option<&DoorWatch> {
        self.door.as_ref()
    }

    /// Waits until an Agent can be asked, and names it: the first that comes.
    ///
    /// # Errors
    /// [`WaitError`], with the reason where a dialled connection ended.
    pub async fn wait_for_agent(&self, patience: Duration) -> Result<EndpointId, WaitError> {
        let mut events = self.handle.events();
        let dials = self.address.is_none();
        let wait = async {
            loop {
                if let Some(online) = self.handle.online().into_iter().next() {
                    return Ok(online.agent);
                }
                if let Some(reason) = self.handle.core.ended().filter(|_| dials) {
                    return Err(WaitError::Closed(reason));
                }
                if events.next().await.is_none() {
                    return Err(WaitError::Closed("the Controller is gone".into()));
                }
            }
        };
        timeout(patience, wait)
            .await
            .unwrap_or(Err(WaitError::TimedOut))
    }

    /// Closes the door, sends every Agent a Disconnect Record, closes all connections and waits for
    /// that, but not longer than [`FAREWELL_PATIENCE`]. After it no Agent can be asked any more.
    pub async fn shutdown(&mut self) {
        self.stop.send_replace(true);
        if !self.keeper.is_finished() {
            drop(timeout(FAREWELL_PATIENCE, &mut self.keeper).await);
        }
    }
}

impl Drop for ControllerHost {
    fn drop(&mut self) {
        self.keeper.abort();
        // Whoever still holds a handle is told that no Agent can be asked any more.
        self.handle.core.handle(Input::Shutdown);
    }
}

/// Dials Agents for a Controller, and takes up those of this process. Cheap to clone; good for nothing when its [`ControllerHost`] is gone.
#[derive(Clone, Debug)]
pub struct Dialler {
    settings: Settings,
    dialled: mpsc::Sender<Link>,
}

impl Dialler {
    /// Dials an Agent.
    ///
    /// # Errors
    /// [`DialError`] says which step failed.
    pub async fn connect(&self, target: &Target) -> Result<(), DialError> {
        let link = websocket::dial(target, &self.settings).await?;
        // The keeper only ends when the host does.
        drop(self.dialled.send(link).await);
        Ok(())
    }

    /// A link within this process for the Agent of these settings; `None` when the host is gone.
    pub async fn link_within(&self, agent: &Settings) -> Option<Link> {
        let (theirs, ours) = websocket::within_process(agent, &self.settings);
        self.dialled.send(ours).await.ok()?;
        Some(theirs)
    }
}

fn settings(config: &ControllerConfig, tls: Option<Arc<Tls>>) -> Settings {
    Settings {
        tls,
        ..Settings::new(config.endpoint_id.clone())
    }
}

/// Asks Agents. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ControllerHandle {
    core: Arc<Core>,
}

impl ControllerHandle {
    /// Asks `agent` for something and waits for what comes of it, at most `patience`. Dropping the
    /// future gives the answer up; the Agent may carry the Operation out all the same.
    ///
    /// # Errors
    /// [`OperationError`].
    pub async fn request(
        &self,
        agent: &EndpointId,
        operation: Operation,
        patience: Duration,
    ) -> Result<Outcome, OperationError> {
        self.ask(agent, operation, patience).answer().await
    }

    /// As [`request`](Self::request), sent when this returns: what is asked one after the other arrives in that
    /// order.
    pub fn ask(&self, agent: &EndpointId, operation: Operation, patience: Duration) -> Asked {
        self.core.ask(agent.clone(), operation, patience)
    }

    /// What happens from now on.
    pub fn events(&self) -> Events {
        self.core.events()
    }

    /// Contacts that fail from now on, and why.
    pub fn contacts(&self) -> FailedContacts {
        self.core.contacts()
    }

    /// Tells those who want to know that something is wrong with an Agent, if it is online.
    pub fn report(&self, agent: &EndpointId, fault: ContactFault) {
        self.core.report(agent, fault);
    }

    /// Has nobody speak for these Endpoints without a certificate, nor for those that come with one from now on.
    /// Whoever does is hung up on before a Record of it is heard.
    pub fn guard(&self, proven: HashSet<EndpointId>) {
        self.core.guard(proven);
    }

    /// Lets an Endpoint come without a certificate again, whatever it proved.
    pub fn unguard(&self, agent: &EndpointId) {
        self.core.unguard(agent);
    }

    /// What this Agent and the Controller say to each other from now on, whether the Agent is there or not.
    pub fn tap(&self, agent: EndpointId) -> Tap {
        self.core.tap(agent)
    }

    /// What Agents say of their own accord from now on. There is one taker: whoever asks for this last. While
    /// there is none, notifications stay unanswered and their Agents send them again.
    pub fn notifications(&self) -> Notifications {
        self.core.notifications()
    }

    /// The Agents that can be asked now, in the order of their Endpoint IDs.
    pub fn online(&self) -> Vec<OnlineAgent> {
        self.core.online()
    }

    /// How many Agents can be asked now.
    pub fn online_count(&self) -> usize {
        self.core.online_count()
    }

    /// What was sent and received so far.
    pub fn traffic(&self) -> Traffic {
        self.core.traffic()
    }

    /// The last [`OnlineAgent::arrival`] so far; 0 before the first. Every Online event up to it has
    /// been told to those who listen, though perhaps not been taken by them.
    pub fn arrivals(&self) -> u64 {
        self.core.arrivals()
    }

    /// Says goodbye to an Agent and closes its connection, if it has one. It may come back at once.
    pub fn dismiss(&self, agent: EndpointId) {
        self.core.handle(Input::Dismiss { agent });
    }

    /// Whether this Agent can be asked now.
    pub fn is_online(&self, agent: &EndpointId) -> bool {
        self.core.is_online(agent)
    }
}

/// Owns the door, the tasks of the links and the timer.
async fn keep(
    core: Arc<Core>,
    mut doors: mpsc::Receiver<Option<Listener>>,
    mut arriving: mpsc::Receiver<Link>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut links = JoinSet::new();
    let mut listener = None;
    loop {
        let deadline = core.deadline();
        tokio::select! {
            Some(door) = doors.recv() => listener = door,
            link = accept(&mut listener) => drop(links.spawn(run(Arc::clone(&core), link))),
            Some(link) = arriving.recv() => drop(links.spawn(run(Arc::clone(&core), link))),
            Some(_) = links.join_next() => {}
            () = expire(deadline) => core.handle(Input::Tick),
            () = core.deadline_changed() => {}
            _ = stopped.changed() => break,
        }
    }
    drop(listener);
    core.handle(Input::Shutdown);
    while links.join_next().await.is_some() {}
}

async fn accept(listener: &mut Option<Listener>) -> Link {
    if let Some(listener) = listener
        && let Some(link) = listener.accept().await
    {
        return link;
    }
    std::future::pending().await
}

async fn expire(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// The life of one link. What is said unasked is read at a bounded pace: whoever floods fills its own
/// link and nothing else.
async fn run(core: Arc<Core>, link: Link) {
    let Link {
        peer,
        remote,
        sender,
        mut receiver,
    } = link;
    let name = core.connected(peer, remote, sender);
    let mut patience = Patience::new(Instant::now());
    while let Some(event) = receiver.recv().await {
        let (heard, bytes) = match event {
            LinkEvent::Record(record, bytes) => {
                let msg = core.reading.read(&record).await;
                (core.received(name, record, msg), bytes)
            }
            LinkEvent::Refused(refusal) => {
                let input = Input::Refused {
                    link: name,
                    refusal,
                };
                (core.heard(input), 0)
            }
            LinkEvent::Closed(reason) => {
                core.closed(name, reason);
                continue;
            }
        };
        if heard == Heard::Unasked
            && let Some(until) = patience.tried(bytes, Instant::now())
        {
            sleep_until(until).await;
        }
    }
}
