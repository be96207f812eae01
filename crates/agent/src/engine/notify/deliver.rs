//! Notify Messages: made, sent and answered. (R-NOT.6 to R-NOT.9)

use usphere_datamodel::Moment;
use usphere_proto::msg::{Notification, Notify, ResponseType};
use usphere_proto::{EndpointId, Msg, Record};

use super::Notifier;
use super::judge::Verdict;
use super::post::{Answered, Due, Manner};
use crate::engine::Agent;
use crate::event::{LinkId, Output};
use crate::limits::ANSWER_BYTES_MAX;
use crate::links::{Link, Stage};
use crate::notice::Notice;

impl Agent {
    /// Makes a Notify of what was found, and sends it.
    pub(super) fn carry(&mut self, verdict: Verdict, now: Moment) {
        let Verdict {
            subscription,
            matter,
            keys,
            hidden,
        } = verdict;
        if !subscription.action.notify {
            return;
        }
        let notification = matter.notification(self.model.view(), keys, hidden);
        let manner = Manner {
            subscription: Some(subscription.instance),
            retry: subscription.retry,
            expiration: subscription.expiration,
        };
        self.post_notify(
            subscription.recipient,
            subscription.id.clone(),
            notification,
            manner,
            now,
        );
    }

    /// Takes up a Notify of what happened.
    pub(super) fn post_notify(
        &mut self,
        controller: u32,
        subscription_id: String,
        notification: Notification,
        manner: Manner,
        now: Moment,
    ) {
        let post = &mut self.notifier.post;
        let (msg_id, number) = post.next();
        let notify = Notify {
            subscription_id,
            send_resp: manner.retry,
            notification: Some(notification),
        };
        let payload = Msg::request(msg_id, notify).into_payload();
        if payload.len() > ANSWER_BYTES_MAX {
            let reason = format!("{} bytes are more than can be sent", payload.len());
            return self.note_undelivered(controller, reason);
        }
        let dropped = post.put(controller, number, payload.clone(), manner, now);
        if dropped > 0 {
            let reason = format!("too many wait, {dropped} of the oldest dropped");
            self.note_undelivered(controller, reason);
        }
        if let Some(session) = self.session(controller) {
            self.send_notify(controller, &session, number, payload, now);
        }
    }

    fn note_undelivered(&mut self, controller: u32, reason: String) {
        if let Some(known) = self.controllers.get(&controller) {
            let controller = known.id.clone();
            // Thousands can be lost to one who is away.
            if self.notices.spend(controller.as_str()) {
                self.note(Notice::NotDelivered { controller, reason });
            }
        }
    }

    /// Sends what has been waiting for a session of the Controller.
    pub(in crate::engine) fn send_waiting(&mut self, controller: u32, now: Moment) {
        let Some(session) = self.session(controller) else {
            return;
        };
        for (number, payload) in self.notifier.post.ready(controller) {
            self.send_notify(controller, &session, number, payload, now);
        }
    }

    fn send_notify(
        &mut self,
        controller: u32,
        (link, to): &(LinkId, EndpointId),
        number: u64,
        payload: bytes::Bytes,
        now: Moment,
    ) {
        let Some(known) = self.controllers.get(&controller) else {
            return;
        };
        let record = Record::no_session(to, &self.own, payload);
        self.outputs.push_back(Output::Send {
            link: *link,
            record,
        });
        let retry = known.notif_retry;
        let Notifier { post, random, .. } = &mut self.notifier;
        post.sent(controller, number, retry, random, now);
    }

    /// Where a Controller can be told what it may hear: on no link that deserves less than its own rights.
    fn session(&self, controller: u32) -> Option<(LinkId, EndpointId)> {
        let link = self.controllers.get(&controller)?.link?;
        let known = self.links.get(&link).filter(|link| link.is_trusted())?;
        match &known.stage {
            Stage::Open(party) => Some((link, party.id.clone())),
            Stage::Admitting { .. } | Stage::Parted { .. } | Stage::Unknown { .. } => None,
        }
    }

    /// Takes an answer to a Notify; whether it was one. What subscription it names does not matter.
    /// (R-NOT.9)
    pub(in crate::engine) fn notify_answered(
        &mut self,
        link: LinkId,
        controller: u32,
        msg_id: &str,
        answer: NotifyAnswer,
        now: Moment,
    ) -> bool {
        if !self.links.get(&link).is_some_and(Link::is_trusted) {
            return false;
        }
        let refused = answer == NotifyAnswer::Error;
        match self.notifier.post.answered(controller, msg_id, refused) {
            None => return false,
            Some(Answered::Notify) => {}
            Some(Answered::OnBoardRequest) => self.notifier.boardings.answered(controller, now),
        }
        true
    }

    /// Sends what is due, and gives up what was not delivered in time.
    pub(super) fn deliver_due(&mut self, now: Moment) {
        while let Some((controller, due)) = self.notifier.post.due(now) {
            match due {
                Due::Expired => {
                    let reason = "it was not delivered in time".to_owned();
                    self.note_undelivered(controller, reason);
                }
                Due::Send { number, payload } => {
                    if let Some(session) = self.session(controller) {
                        self.send_notify(controller, &session, number, payload, now);
                    }
                }
            }
        }
    }

    /// A Controller may not be spoken to any more.
    pub(in crate::engine) fn forget_notifications(&mut self, controller: u32) {
        self.notifier.post.forget(controller);
        self.notifier.boardings.forget(controller);
    }
}

/// How a Controller answered a Notify.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::engine) enum NotifyAnswer {
    /// By an Error Message: it has the Notify, and can do nothing with it.
    Error,
    Response,
}

impl NotifyAnswer {
    /// The answer that a response is, if it is one to a Notify.
    pub(in crate::engine) fn of(response: Option<&ResponseType>) -> Option<Self> {
        matches!(response, Some(ResponseType::NotifyResp(_))).then_some(Self::Response)
    }
}
