//! Notifications from their coming in until whoever drives the engine has taken them.
//!
//! A NotifyResp promises that a notification is not lost any more, so it is sent only then. (R-NOT.8, R-NOT.10)
//! What is not taken stays unanswered, and its Agent sends it again. One that comes again is recognised by its
//! Agent, its msg_id and its content, and not handed up a second time. Nothing here is unbounded.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use usphere_datamodel::Moment;
use usphere_proto::msg::{Notify, NotifyResp};
use usphere_proto::{EndpointId, ErrorCode, Msg};

use super::Controller;
use crate::limits::{
    OFFERED_BYTES_MAX, OFFERED_MAX, OFFERED_PER_AGENT_BYTES_MAX, OFFERED_PER_AGENT_MAX,
    REMEMBERED_MAX, REMEMBERED_TIME,
};
use crate::notice::{Ignored, clip};
use crate::{LinkId, Notice, NotificationId, Output, translate};

/// The notifications that are under way, and what is remembered of those that were taken.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    offered: HashMap<NotificationId, Offered>,
    all: Load,
    of_agents: HashMap<EndpointId, Load>,
    known: HashMap<Digest, State>,
    /// The oldest first.
    taken: VecDeque<(Moment, Digest)>,
    last: u64,
}

/// How much waits to be taken.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    count: usize,
    bytes: usize,
}

impl Load {
    fn add(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, bytes: usize) {
        self.count -= 1;
        self.bytes -= bytes;
    }
}

/// A notification that was handed up.
#[derive(Debug)]
struct Offered {
    agent: EndpointId,
    link: LinkId,
    msg_id: String,
    subscription_id: String,
    is_answered: bool,
    bytes: usize,
    digest: Digest,
}

/// Stands for the Agent, the msg_id and the content of a notification.
type Digest = u64;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Offered,
    Taken,
}

impl Inbox {
    /// Whether there is room for one more.
    fn has_room(&self, agent: &EndpointId, bytes: usize) -> bool {
        let of_agent = self.of_agents.get(agent).copied().unwrap_or_default();
        self.all.count < OFFERED_MAX
            && of_agent.count < OFFERED_PER_AGENT_MAX
            && self.all.bytes.saturating_add(bytes) <= OFFERED_BYTES_MAX
            && of_agent.bytes.saturating_add(bytes) <= OFFERED_PER_AGENT_BYTES_MAX
    }

    fn offer(&mut self, offered: Offered) -> NotificationId {
        self.last += 1;
        let id = NotificationId(self.last);
        self.all.add(offered.bytes);
        let of_agent = self.of_agents.entry(offered.agent.clone()).or_default();
        of_agent.add(offered.bytes);
        self.known.insert(offered.digest, State::Offered);
        self.offered.insert(id, offered);
        id
    }

    fn withdraw(&mut self, id: NotificationId) -> Option<Offered> {
        let offered = self.offered.remove(&id)?;
        self.all.remove(offered.bytes);
        if let Some(of_agent) = self.of_agents.get_mut(&offered.agent) {
            of_agent.remove(offered.bytes);
            if of_agent.count == 0 {
                self.of_agents.remove(&offered.agent);
            }
        }
        self.known.remove(&offered.digest);
        Some(offered)
    }

    fn remember(&mut self, digest: Digest, now: Moment) {
        self.known.insert(digest, State::Taken);
        self.taken.push_back((now, digest));
        self.forget_old(now);
    }

    fn forget_old(&mut self, now: Moment) {
        while let Some((since, digest)) = self.taken.front().copied()
            && (self.taken.len() > REMEMBERED_MAX || since + REMEMBERED_TIME <= now)
        {
            self.taken.pop_front();
            self.known.remove(&digest);
        }
    }
}

impl Controller {
    /// Hands a notification up, unless it came before.
    pub(super) fn notified(
        &mut self,
        link: LinkId,
        from: EndpointId,
        msg_id: String,
        notify: Notify,
        now: Moment,
    ) {
        // Written anew: a retry means the same, however its bytes are ordered.
        let msg = Msg::request(&msg_id, notify.clone());
        let payload = msg.into_payload();
        let digest = self.digest(&from, &payload);
        self.inbox.forget_old(now);
        match self.inbox.known.get(&digest) {
            Some(State::Offered) => {
                return self.ignore(link, from.as_str(), Ignored::Repeated(clip(&msg_id)));
            }
            Some(State::Taken) => return self.acknowledge(&from, &msg_id, &notify),
            None => {}
        }
        if !self.inbox.has_room(&from, payload.len()) {
            return self.untaken(link, from, &notify.subscription_id);
        }
        let offered = Offered {
            agent: from.clone(),
            link,
            msg_id: msg_id.clone(),
            subscription_id: notify.subscription_id.clone(),
            is_answered: notify.send_resp,
            bytes: payload.len(),
            digest,
        };
        let Some(notified) = translate::notified(notify) else {
            let text = "the Notify says nothing";
            return self.refuse(link, &from, &msg_id, ErrorCode::InvalidArguments, text);
        };
        let notification = self.inbox.offer(offered);
        self.outputs.push_back(Output::Notified {
            notification,
            agent: from,
            msg_id,
            notified,
        });
    }

    /// It cannot be lost any more: its Agent is told so, where it wants to be, on the link that it has now.
    pub(super) fn taken(&mut self, id: NotificationId, now: Moment) {
        let Some(offered) = self.inbox.withdraw(id) else {
            return;
        };
        self.inbox.remember(offered.digest, now);
        let notify = Notify {
            subscription_id: offered.subscription_id,
            send_resp: offered.is_answered,
            notification: None,
        };
        self.acknowledge(&offered.agent, &offered.msg_id, &notify);
    }

    /// Nobody took it. It stays unanswered, so that its Agent sends it again.
    pub(super) fn declined(&mut self, id: NotificationId) {
        if let Some(offered) = self.inbox.withdraw(id) {
            self.untaken(offered.link, offered.agent, &offered.subscription_id);
        }
    }

    fn acknowledge(&mut self, agent: &EndpointId, msg_id: &str, notify: &Notify) {
        let link = self.agents.get(agent).map(|known| known.link);
        if let Some(link) = link.filter(|_| notify.send_resp) {
            let subscription_id = notify.subscription_id.clone();
            self.respond(link, agent, msg_id, NotifyResp { subscription_id });
        }
    }

    fn untaken(&mut self, link: LinkId, agent: EndpointId, subscription_id: &str) {
        let subscription_id = clip(subscription_id);
        let notice = Notice::Untaken {
            link,
            agent,
            subscription_id,
        };
        self.note(link, notice);
    }

    fn digest(&self, agent: &EndpointId, payload: &[u8]) -> Digest {
        let mut hasher = DefaultHasher::new();
        // Random, so that nobody can make up two notifications that are taken for one.
        self.config.msg_id_prefix.hash(&mut hasher);
        agent.as_str().hash(&mut hasher);
        payload.hash(&mut hasher);
        hasher.finish()
    }
}
