//! The Controller itself: its links, its Agents, and the requests that wait.
//!
//! The rules for what comes in stand in `receive`.

use std::collections::{BTreeSet, HashMap, VecDeque};

use usphere_datamodel::Moment;
use usphere_datamodel::operation::{Operation, OperationError, OperationKind, Outcome};
use usphere_proto::{EndpointId, Msg, Record};
use usphere_trust::PeerIdentity;

use self::inbox::Inbox;
use crate::limits::{CONNECT_PATIENCE, OUTSTANDING_MAX};
use crate::{HangupReason, Input, LinkId, Notice, OfflineReason, OperationId, Output, translate};

mod inbox;
mod receive;
#[cfg(test)]
mod tests;

/// What a Controller is made with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The Controller's Endpoint ID.
    pub endpoint_id: EndpointId,
    /// What every msg_id starts with. A few random characters, so that an answer to a request from
    /// before a restart is not taken for one of now. (R-MSG.8)
    pub msg_id_prefix: String,
}

/// The Controller as a state machine; the crate's documentation tells how it is driven.
#[derive(Debug)]
pub struct Controller {
    config: Config,
    links: HashMap<LinkId, Link>,
    /// Only Agents that can be asked.
    agents: HashMap<EndpointId, Agent>,
    operations: HashMap<OperationId, Place>,
    inbox: Inbox,
    timers: BTreeSet<(Moment, Timer)>,
    messages: u64,
    /// Whether goodbye was said: nobody is let in any more.
    shut: bool,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Link {
    peer: PeerIdentity,
    state: LinkState,
    /// How much of what came on it was worth a line in the log.
    notices: u32,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum LinkState {
    /// A Connect Record came from this Agent.
    Online(EndpointId),
    /// Nothing is exchanged before a Connect Record, and it has to come in time. (R-MTP.8)
    Waiting { until: Moment },
}

#[derive(Debug)]
struct Agent {
    link: LinkId,
    /// By msg_id.
    pending: HashMap<String, Pending>,
}

#[derive(Debug)]
struct Pending {
    operation: OperationId,
    kind: OperationKind,
    deadline: Moment,
}

/// Where an Operation waits.
#[derive(Debug)]
struct Place {
    agent: EndpointId,
    msg_id: String,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Timer {
    Link(LinkId),
    Operation(OperationId),
}

impl Controller {
    /// A Controller without connections.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            links: HashMap::new(),
            agents: HashMap::new(),
            operations: HashMap::new(),
            inbox: Inbox::default(),
            timers: BTreeSet::new(),
            messages: 0,
            shut: false,
            outputs: VecDeque::new(),
        }
    }

    /// Takes in one thing that happened. Drain [`poll`](Self::poll) and reset the timer to
    /// [`deadline`](Self::deadline) before the next.
    pub fn handle(&mut self, input: Input, now: Moment) {
        debug_assert!(
            self.outputs.is_empty(),
            "the outputs of the last input were not drained"
        );
        match input {
            Input::Cancel { operation } => drop(self.forget(operation)),
            Input::Declined { notification } => self.declined(notification),
            Input::Dismiss { agent } => self.dismiss(&agent),
            Input::Connected { link, peer } => self.connected(link, peer, now),
            Input::Disconnected { link, reason } => {
                self.disconnected(link, OfflineReason::Lost(reason))
            }
            Input::Read { link, record, msg } => self.received(link, record, Some(msg), now),
            Input::Received { link, record } => self.received(link, record, None, now),
            Input::Refused { link, refusal } => self.refused(link, *refusal),
            Input::Request {
                operation,
                agent,
                request,
                timeout,
            } => {
                self.request(operation, agent, request, now + timeout);
            }
            Input::Shutdown => self.shut_down(),
            Input::Taken { notification } => self.taken(notification, now),
            Input::Tick => {}
        }
        self.fire(now);
    }

    /// The next thing to do, until there is none.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::Tick`] if nothing else happens before.
    pub fn deadline(&self) -> Option<Moment> {
        self.timers.first().map(|(moment, _)| *moment)
    }

    /// The Controller's Endpoint ID.
    pub fn endpoint_id(&self) -> &EndpointId {
        &self.config.endpoint_id
    }

    fn connected(&mut self, link: LinkId, peer: PeerIdentity, now: Moment) {
        if self.shut {
            return self.hang_up(link, HangupReason::ShuttingDown);
        }
        if peer.endpoint_id.as_ref() == Some(&self.config.endpoint_id) {
            return self.hang_up(link, HangupReason::OurEndpointId);
        }
        let until = now + CONNECT_PATIENCE;
        self.timers.insert((until, Timer::Link(link)));
        let known = self.links.insert(
            link,
            Link {
                peer,
                state: LinkState::Waiting { until },
                notices: 0,
            },
        );
        debug_assert!(known.is_none(), "a LinkId is never used twice");
    }

    fn disconnected(&mut self, link: LinkId, reason: OfflineReason) {
        if let Some(gone) = self.links.remove(&link) {
            self.leave(link, gone.state, reason);
        }
    }

    /// Ends what a link was good for. Requests that were sent on it fail: their answers would have
    /// come on it, and nobody knows whether the Agent carried them out.
    fn leave(&mut self, link: LinkId, state: LinkState, reason: OfflineReason) {
        match state {
            LinkState::Online(agent) => {
                let Some(gone) = self.agents.remove(&agent) else {
                    return;
                };
                self.outputs.push_back(Output::Offline { agent, reason });
                let mut waiting: Vec<Pending> = gone.pending.into_values().collect();
                waiting.sort_unstable_by_key(|pending| pending.operation);
                for pending in waiting {
                    self.timers
                        .remove(&(pending.deadline, Timer::Operation(pending.operation)));
                    self.operations.remove(&pending.operation);
                    self.conclude(pending.operation, Err(OperationError::Disconnected));
                }
            }
            LinkState::Waiting { until } => {
                self.timers.remove(&(until, Timer::Link(link)));
            }
        }
    }

    /// The Agent on `link` is there. Its older link, if it has one, is closed. (R-WS.4)
    fn arrive(&mut self, link: LinkId, agent: EndpointId, version: String) {
        if let Some(older) = self.agents.get(&agent).map(|known| known.link) {
            let notice = Notice::Replaced {
                agent: agent.clone(),
                old: older,
                new: link,
            };
            self.outputs.push_back(Output::Note(notice));
            self.disconnected(older, OfflineReason::Replaced);
            self.hang_up(older, HangupReason::Replaced);
        }
        if let Some(known) = self.links.get_mut(&link)
            && let LinkState::Waiting { until } = known.state
        {
            self.timers.remove(&(until, Timer::Link(link)));
            known.state = LinkState::Online(agent.clone());
        }
        self.agents.insert(
            agent.clone(),
            Agent {
                link,
                pending: HashMap::new(),
            },
        );
        self.outputs.push_back(Output::Online {
            agent,
            link,
            version,
        });
    }

    fn request(
        &mut self,
        operation: OperationId,
        agent: EndpointId,
        request: Operation,
        deadline: Moment,
    ) {
        let Some(known) = self.agents.get_mut(&agent) else {
            return self.conclude(operation, Err(OperationError::NotConnected));
        };
        if known.pending.len() >= OUTSTANDING_MAX {
            return self.conclude(
                operation,
                Err(OperationError::Overloaded {
                    limit: OUTSTANDING_MAX,
                }),
            );
        }
        self.messages += 1;
        let msg_id = format!("{}-{}", self.config.msg_id_prefix, self.messages);
        let kind = request.kind();
        let answered = !matches!(&request, Operation::Operate(operate) if !operate.send_resp);
        let msg = Msg::request(&msg_id, translate::request(request));
        let link = known.link;
        if answered {
            known.pending.insert(
                msg_id.clone(),
                Pending {
                    operation,
                    kind,
                    deadline,
                },
            );
            self.timers.insert((deadline, Timer::Operation(operation)));
            self.operations.insert(
                operation,
                Place {
                    agent: agent.clone(),
                    msg_id,
                },
            );
        }
        self.send(link, &agent, msg);
        if !answered {
            self.conclude(operation, Ok(translate::unanswered()));
        }
    }

    /// Takes an Operation out of everything that knows it; `None` when it does not wait.
    fn forget(&mut self, operation: OperationId) -> Option<Pending> {
        let place = self.operations.remove(&operation)?;
        let pending = self
            .agents
            .get_mut(&place.agent)?
            .pending
            .remove(&place.msg_id)?;
        self.timers
            .remove(&(pending.deadline, Timer::Operation(operation)));
        Some(pending)
    }

    fn conclude(&mut self, operation: OperationId, outcome: Result<Outcome, OperationError>) {
        self.outputs
            .push_back(Output::Outcome { operation, outcome });
    }

    fn send(&mut self, link: LinkId, agent: &EndpointId, msg: Msg) {
        let record = Record::no_session(agent, &self.config.endpoint_id, msg.into_payload());
        self.outputs.push_back(Output::Send { link, record });
    }

    fn hang_up(&mut self, link: LinkId, reason: HangupReason) {
        self.outputs
            .push_back(Output::Note(Notice::HungUp { link, reason }));
        self.outputs.push_back(Output::Hangup { link, reason });
    }

    fn fire(&mut self, now: Moment) {
        while let Some((moment, timer)) = self.timers.first().copied()
            && moment <= now
        {
            self.timers.pop_first();
            match timer {
                Timer::Link(link) => {
                    self.links.remove(&link);
                    self.hang_up(link, HangupReason::Silent);
                }
                Timer::Operation(operation) => {
                    if self.forget(operation).is_some() {
                        self.conclude(operation, Err(OperationError::TimedOut));
                    }
                }
            }
        }
    }

    fn dismiss(&mut self, agent: &EndpointId) {
        if let Some(link) = self.agents.get(agent).map(|known| known.link) {
            self.farewell(link, HangupReason::Dismissed);
            self.disconnected(link, OfflineReason::Dismissed);
            self.hang_up(link, HangupReason::Dismissed);
        }
    }

    /// Every Agent gets a Disconnect Record, then every link is closed.
    fn shut_down(&mut self) {
        self.shut = true;
        let mut links: Vec<LinkId> = self.links.keys().copied().collect();
        links.sort_unstable();
        for link in links {
            self.farewell(link, HangupReason::ShuttingDown);
            self.disconnected(link, OfflineReason::ShuttingDown);
            self.hang_up(link, HangupReason::ShuttingDown);
        }
    }

    /// Sends a Disconnect Record to the Agent on `link`, where there is one. The code is 0: none of the
    /// codes of R-MTP.9 means that an Endpoint shuts down or lets the other go.
    fn farewell(&mut self, link: LinkId, reason: HangupReason) {
        if let Some(Link {
            state: LinkState::Online(agent),
            ..
        }) = self.links.get(&link)
        {
            let text = reason.to_string();
            let record = Record::disconnect(agent, &self.config.endpoint_id, 0_u32, text);
            self.outputs.push_back(Output::Send { link, record });
        }
    }

    fn wait_anew(&mut self, link: LinkId, now: Moment) {
        let until = now + CONNECT_PATIENCE;
        if let Some(known) = self.links.get_mut(&link) {
            known.state = LinkState::Waiting { until };
            self.timers.insert((until, Timer::Link(link)));
        }
    }
}
