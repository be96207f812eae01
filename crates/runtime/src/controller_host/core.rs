//! What all tasks of a Controller share: the engine, and the ways out of it.

mod faults;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, broadcast, mpsc, oneshot};
use tokio::time::Instant;
use usphere_controller::limits::OFFERED_MAX;
use usphere_controller::{Config, Controller, Input, LinkId, OperationId, Output};
use usphere_datamodel::Moment;
use usphere_datamodel::operation::Operation;
use usphere_mtp::websocket::{self, CloseReason, LinkSender, Witness, close_code};
use usphere_proto::{EndpointId, Record};
use usphere_trust::{EndpointName, PeerIdentity};

use super::asked::{Answer, Asked};
use super::contacts::{self, ContactFault, FailedContact, FailedContacts};
use super::notices::close_code_of;
use super::notifications::Offer;
use super::proven::Proven;
use super::reading::{Read, Reading};
use super::tap::{Tap, Taps};
use super::{ControllerEvent, Events, Notifications, OnlineAgent, Proof};

/// Events that wait for the slowest of those who listen. What comes on top pushes out the oldest.
const EVENTS_MAX: usize = 4096;

/// Failed contacts that wait for the slowest of those who want to know.
const CONTACTS_MAX: usize = 1024;

/// What an input was to the engine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Heard {
    /// Somebody waited for it.
    Answer,
    /// Nobody did.
    Unasked,
}

#[derive(Debug)]
pub(super) struct Core {
    state: Mutex<State>,
    pub(super) reading: Reading,
    /// Rung when the deadline may have changed.
    timer: Notify,
    events: broadcast::Sender<ControllerEvent>,
    contacts: broadcast::Sender<FailedContact>,
    origin: Instant,
}

#[derive(Debug)]
struct State {
    engine: Controller,
    links: HashMap<LinkId, Way>,
    online: HashMap<EndpointId, OnlineAgent>,
    waiting: HashMap<OperationId, oneshot::Sender<Answer>>,
    /// Who takes notifications, if anybody does.
    taker: Option<mpsc::Sender<Offer>>,
    /// Whom nobody may speak for.
    proven: Proven,
    /// Who listens in.
    taps: Taps,
    deadline: Option<Moment>,
    /// Why the last connection that ended did so.
    last_end: Option<String>,
    link: u64,
    operation: u64,
    arrival: u64,
    received: u64,
    sent: u64,
}

/// What a Controller has sent and received since it began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Traffic {
    /// Connections that are open.
    pub links: u64,
    /// Connections that were opened.
    pub opened: u64,
    /// Times that an Agent came to be there.
    pub arrivals: u64,
    /// Records that were received.
    pub received: u64,
    /// Records that were handed to their connections.
    pub sent: u64,
    /// Requests that wait for their answers.
    pub waiting: u64,
}

/// The way to a peer.
#[derive(Debug)]
struct Way {
    sender: LinkSender,
    remote: SocketAddr,
    /// Who is at its end, as far as that is known.
    claimed: Option<EndpointId>,
    /// Whether an Agent was online on it ever, or was told what is wrong: its mere end is then no news.
    is_explained: bool,
    proof: Proof,
    /// Whether the engine wants to hear no more of it.
    hung_up: bool,
}

impl Core {
    pub(super) fn new(config: Config) -> Arc<Self> {
        let state = State {
            engine: Controller::new(config),
            links: HashMap::new(),
            online: HashMap::new(),
            waiting: HashMap::new(),
            taker: None,
            proven: Proven::default(),
            taps: Taps::default(),
            deadline: None,
            last_end: None,
            link: 0,
            operation: 0,
            arrival: 0,
            received: 0,
            sent: 0,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            reading: Reading::new(),
            timer: Notify::new(),
            events: broadcast::channel(EVENTS_MAX).0,
            contacts: broadcast::channel(CONTACTS_MAX).0,
            origin: Instant::now(),
        })
    }

    pub(super) fn handle(&self, input: Input) {
        let mut state = self.lock();
        self.drive(&mut state, input);
    }

    /// As [`handle`](Self::handle), for what came on a link.
    pub(super) fn heard(&self, input: Input) -> Heard {
        self.drive(&mut self.lock(), input)
    }

    pub(super) fn connected(
        &self,
        peer: PeerIdentity,
        remote: SocketAddr,
        sender: LinkSender,
    ) -> LinkId {
        let mut state = self.lock();
        state.link += 1;
        let link = LinkId(state.link);
        tracing::debug!(%link, %remote, "connection opened");
        let claimed = claimed_by(&peer);
        if let Some(claimed) = &claimed {
            let note = || format!("connection from {remote} opened");
            state.taps.note(claimed.as_str(), note);
        }
        state.links.insert(
            link,
            Way {
                sender,
                remote,
                claimed,
                is_explained: false,
                proof: Proof::on(&peer.channel),
                hung_up: false,
            },
        );
        self.drive(&mut state, Input::Connected { link, peer });
        link
    }

    /// Takes in a Record, with what was read of it.
    pub(super) fn received(&self, link: LinkId, record: Record, msg: Read) -> Heard {
        let mut state = self.lock();
        state.received += 1;
        if let Some(heard) = self.turned_out(&mut state, link, &record.from_id) {
            return heard;
        }
        state.taps.received(&record);
        let input = match msg {
            Some(msg) => Input::Read { link, record, msg },
            None => Input::Received { link, record },
        };
        self.drive(&mut state, input)
    }

    pub(super) fn closed(&self, link: LinkId, end: CloseReason) {
        let mut state = self.lock();
        let Some(way) = state.links.remove(&link) else {
            return;
        };
        let reason = end.to_string();
        if let Some(claimed) = &way.claimed {
            let note = || format!("connection from {} ended: {reason}", way.remote);
            state.taps.note(claimed.as_str(), note);
        }
        if contacts::is_fault(&end, way.is_explained) {
            self.failed(way.remote, way.claimed.clone(), ContactFault::Closed(end));
        }
        tracing::debug!(%link, remote = %way.remote, reason, "connection closed");
        self.drive(
            &mut state,
            Input::Disconnected {
                link,
                reason: reason.clone(),
            },
        );
        state.last_end = Some(reason.clone());
        self.tell(ControllerEvent::Closed {
            remote: way.remote,
            reason,
        });
    }

    /// Sends a request before it returns.
    pub(super) fn ask(
        self: &Arc<Self>,
        agent: EndpointId,
        request: Operation,
        timeout: Duration,
    ) -> Asked {
        let (sender, answer) = oneshot::channel();
        let mut state = self.lock();
        state.operation += 1;
        let operation = OperationId(state.operation);
        state.waiting.insert(operation, sender);
        self.drive(
            &mut state,
            Input::Request {
                operation,
                agent,
                request,
                timeout,
            },
        );
        Asked::new(Arc::clone(self), operation, answer)
    }

    /// Nobody waits for the answer to a request any more, if it has not come yet.
    pub(super) fn give_up(&self, operation: OperationId) {
        let mut state = self.lock();
        if state.waiting.remove(&operation).is_some() {
            self.drive(&mut state, Input::Cancel { operation });
        }
    }

    /// Hangs up on a link that speaks for somebody who has proved itself, without a proof of its own.
    fn turned_out(&self, state: &mut State, link: LinkId, from: &str) -> Option<Heard> {
        const REASON: &str =
            "this Endpoint ID has proved itself by a certificate, and comes without one";
        let way = state.links.get_mut(&link)?;
        let agent = state.proven.refuses(from, way.proof)?;
        if std::mem::replace(&mut way.hung_up, true) {
            return Some(Heard::Unasked);
        }
        way.is_explained = true;
        way.sender.close(close_code::POLICY, REASON);
        tracing::warn!(%agent, remote = %way.remote, "refused: {REASON}");
        self.failed(way.remote, Some(agent), ContactFault::Unproven);
        let reason = REASON.to_owned();
        Some(self.drive(state, Input::Disconnected { link, reason }))
    }

    /// Has nobody speak for these without a certificate, nor for those that come with one from now on.
    pub(super) fn guard(&self, known: HashSet<EndpointId>) {
        self.lock().proven.guard(known);
    }

    /// Lets an Agent come without a certificate again.
    pub(super) fn unguard(&self, agent: &EndpointId) {
        self.lock().proven.forget(agent);
    }

    pub(super) fn events(&self) -> Events {
        Events {
            receiver: self.events.subscribe(),
        }
    }

    /// Failed contacts from now on.
    pub(super) fn contacts(&self) -> FailedContacts {
        FailedContacts {
            receiver: self.contacts.subscribe(),
        }
    }

    /// Tells of something that is wrong with an Agent that is online.
    pub(super) fn report(&self, agent: &EndpointId, fault: ContactFault) {
        let remote = self.lock().online.get(agent).map(|online| online.remote);
        if let Some(remote) = remote {
            self.failed(remote, Some(agent.clone()), fault);
        }
    }

    /// Who takes what listeners tell of connections of which no link came.
    pub(super) fn witness(self: &Arc<Self>) -> Witness {
        let contacts = self.contacts.clone();
        Witness::new(move |failed: websocket::FailedContact| {
            // Nobody has to want to know.
            drop(contacts.send(FailedContact {
                remote: failed.remote,
                claimed: failed.claimed,
                fault: ContactFault::Door(failed.fault),
            }));
        })
    }

    /// Listens in on an Agent from now on.
    pub(super) fn tap(self: &Arc<Self>, agent: EndpointId) -> Tap {
        self.lock().taps.add(agent, Arc::clone(self))
    }

    pub(super) fn forget_taps(&self) {
        self.lock().taps.forget_gone();
    }

    /// From now on notifications go this way.
    pub(super) fn notifications(self: &Arc<Self>) -> Notifications {
        let (taker, offers) = mpsc::channel(OFFERED_MAX);
        self.lock().taker = Some(taker);
        Notifications {
            core: Arc::clone(self),
            offers,
        }
    }

    pub(super) fn online(&self) -> Vec<OnlineAgent> {
        let mut online: Vec<_> = self.lock().online.values().cloned().collect();
        online.sort_unstable_by(|a, b| a.agent.cmp(&b.agent));
        online
    }

    pub(super) fn online_count(&self) -> usize {
        self.lock().online.len()
    }

    pub(super) fn traffic(&self) -> Traffic {
        let state = self.lock();
        Traffic {
            links: state.links.len() as u64,
            opened: state.link,
            arrivals: state.arrival,
            received: state.received,
            sent: state.sent,
            waiting: state.waiting.len() as u64,
        }
    }

    pub(super) fn arrivals(&self) -> u64 {
        self.lock().arrival
    }

    pub(super) fn is_online(&self, agent: &EndpointId) -> bool {
        self.lock().online.contains_key(agent)
    }

    /// Why the last connection ended, if there were some and none is left.
    pub(super) fn ended(&self) -> Option<String> {
        let state = self.lock();
        state.last_end.clone().filter(|_| state.links.is_empty())
    }

    /// When the engine wants to be woken.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadline = self.lock().deadline?;
        Some(self.origin + Duration::from_micros(deadline.as_micros()))
    }

    pub(super) async fn deadline_changed(&self) {
        self.timer.notified().await;
    }

    /// Hands one input to the engine and obeys it. A Record that cannot be sent ends its link, which
    /// is the next input.
    fn drive(&self, state: &mut State, input: Input) -> Heard {
        let mut inputs = vec![input];
        let mut heard = Heard::Unasked;
        while let Some(input) = inputs.pop() {
            state.engine.handle(input, self.now());
            while let Some(output) = state.engine.poll() {
                if let Output::Outcome { .. } = output {
                    heard = Heard::Answer;
                }
                inputs.extend(self.obey(state, output));
            }
        }
        let deadline = state.engine.deadline();
        if deadline != state.deadline {
            state.deadline = deadline;
            self.timer.notify_one();
        }
        heard
    }

    fn obey(&self, state: &mut State, output: Output) -> Option<Input> {
        match output {
            Output::Hangup { link, reason } => {
                if let Some(way) = state.links.get_mut(&link) {
                    way.hung_up = true;
                    way.sender.close(close_code_of(reason), &reason.to_string());
                }
            }
            Output::Note(notice) => self.noted(state, &notice),
            Output::Notified {
                notification,
                agent,
                msg_id,
                notified,
            } => {
                let offer = Offer {
                    notification,
                    agent,
                    msg_id,
                    notified,
                };
                return self.offer(state, offer);
            }
            Output::Offline { agent, reason } => {
                tracing::info!(%agent, %reason, "Agent offline");
                let left = state.online.remove(&agent);
                let arrival = left.as_ref().map_or(0, |left| left.arrival);
                if let Some(left) = left {
                    self.left(left, &reason);
                }
                self.tell(ControllerEvent::Offline {
                    agent,
                    arrival,
                    reason,
                });
            }
            Output::Online {
                agent,
                link,
                version,
            } => {
                if let Some(way) = state.links.get_mut(&link) {
                    way.claimed = Some(agent.clone());
                    way.is_explained = true;
                    if !contacts::is_known(&version) {
                        let fault = ContactFault::UnknownVersion(version.clone());
                        self.failed(way.remote, Some(agent.clone()), fault);
                    }
                    tracing::info!(%agent, remote = %way.remote, version, "Agent online");
                    state.arrival += 1;
                    let online = OnlineAgent {
                        agent: agent.clone(),
                        arrival: state.arrival,
                        remote: way.remote,
                        version,
                        proof: way.proof,
                    };
                    state.proven.arrived(&agent, online.proof);
                    state.online.insert(agent, online.clone());
                    self.tell(ControllerEvent::Online(online));
                }
            }
            Output::Outcome { operation, outcome } => {
                if let Some(waiting) = state.waiting.remove(&operation) {
                    drop(waiting.send(outcome));
                }
            }
            Output::Send { link, record } => {
                state.taps.sent(&record);
                return send(state, link, &record);
            }
        }
        None
    }

    /// Hands a notification to whoever takes them. What nobody takes is declined at once.
    fn offer(&self, state: &State, offer: Offer) -> Option<Input> {
        let notification = offer.notification;
        let is_offered = state
            .taker
            .as_ref()
            .is_some_and(|taker| taker.try_send(offer).is_ok());
        (!is_offered).then_some(Input::Declined { notification })
    }

    fn tell(&self, event: ControllerEvent) {
        // Nobody has to listen.
        drop(self.events.send(event));
    }

    fn now(&self) -> Moment {
        let micros = self.origin.elapsed().as_micros();
        Moment::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a Record. A peer that does not take it is given up: answers and requests must not get lost
/// one by one.
fn send(state: &mut State, link: LinkId, record: &Record) -> Option<Input> {
    let way = state.links.get_mut(&link)?;
    let Err(error) = way.sender.try_send(record) else {
        state.sent += 1;
        return None;
    };
    if way.hung_up {
        return None;
    }
    way.hung_up = true;
    way.sender
        .close(close_code::POLICY, "what was sent was not read in time");
    Some(Input::Disconnected {
        link,
        reason: error.to_string(),
    })
}

/// Who a peer is, as far as it has said so: in its request, or by the certificate that it presented.
fn claimed_by(peer: &PeerIdentity) -> Option<EndpointId> {
    let by_certificate = || {
        let leaf = peer.channel.session()?.chain().leaf();
        leaf.endpoint_names().iter().find_map(|name| match name {
            EndpointName::One(id) => Some(id.clone()),
            EndpointName::Wildcard(_) => None,
        })
    };
    peer.endpoint_id.clone().or_else(by_certificate)
}
