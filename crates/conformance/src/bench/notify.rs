//! What the Agent says by itself.

use std::time::Duration;

use usphere_proto::msg::{
    Event, Notification, Notify, NotifyResp, ObjectCreation, ObjectDeletion, OnBoardRequest,
    OperationComplete, RequestType, ValueChange,
};
use usphere_proto::{Msg, Record};

use super::{Bench, Said};
use crate::peer::Seat;
use crate::stop::{Done, Stop};

/// The kinds of notification.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// An event of the data model.
    Event,
    /// A row is gone.
    ObjectDeletion,
    /// A row is new.
    ObjectCreation,
    /// The Agent wants to be taken on board.
    OnBoardRequest,
    /// A command has ended.
    OperationComplete,
    /// No notification that is known.
    Unknown,
    /// A value has changed.
    ValueChange,
}

impl Kind {
    /// The kind of a Notify.
    pub fn of(notify: &Notify) -> Self {
        match &notify.notification {
            None => Self::Unknown,
            Some(Notification::Event(_)) => Self::Event,
            Some(Notification::ObjCreation(_)) => Self::ObjectCreation,
            Some(Notification::ObjDeletion(_)) => Self::ObjectDeletion,
            Some(Notification::OnBoardReq(_)) => Self::OnBoardRequest,
            Some(Notification::OperComplete(_)) => Self::OperationComplete,
            Some(Notification::ValueChange(_)) => Self::ValueChange,
        }
    }
}

/// A Notify that came.
#[derive(Clone, Debug)]
pub struct Notified {
    /// When.
    pub at: Duration,
    /// Its msg_id, which is the same when it comes again.
    pub msg_id: String,
    /// What it says.
    pub notify: Notify,
    /// The Record that it came in.
    pub record: Record,
}

macro_rules! contents {
    ($($(#[$doc:meta])* $name:ident: $variant:ident => $type:ident,)*) => {
        impl Notified {
            $($(#[$doc])*
            ///
            /// # Errors
            /// It is of another kind.
            pub fn $name(&self) -> Result<&$type, Stop> {
                match &self.notify.notification {
                    Some(Notification::$variant(content)) => Ok(content),
                    _ => Err(Stop::Failed(format!(
                        "{} was expected, {:?} came", stringify!($type), Kind::of(&self.notify)
                    ))),
                }
            })*
        }
    };
}

contents! {
    /// The event.
    event: Event => Event,
    /// The change.
    value_change: ValueChange => ValueChange,
    /// The new row.
    creation: ObjCreation => ObjectCreation,
    /// The row that is gone.
    deletion: ObjDeletion => ObjectDeletion,
    /// The end of a command.
    completion: OperComplete => OperationComplete,
    /// What the Agent tells of itself.
    on_board: OnBoardReq => OnBoardRequest,
}

impl Bench {
    /// From now on, until the test ends, no Notify is answered by itself.
    pub fn leave_unanswered(&mut self) {
        self.note("from now on no Notify is answered");
        self.answering = false;
    }

    /// Answers a Notify, and those that come from now on.
    ///
    /// # Errors
    /// There is no link.
    pub fn answer(&mut self, notified: &Notified) -> Done {
        self.answering = true;
        let seat = self.speaker;
        self.answer_notify(seat, &notified.msg_id, &notified.notify.subscription_id)
    }

    /// Waits for a Notify of this kind and Subscription (by its ID; empty for OnBoardRequests).
    ///
    /// # Errors
    /// None comes in time.
    pub fn await_notify(
        &mut self,
        kind: Kind,
        subscription: &str,
        patience: Duration,
    ) -> Result<Notified, Stop> {
        self.notified(kind, subscription, patience).ok_or_else(|| {
            Stop::Failed(format!(
                "a {kind:?} for the Subscription {subscription:?} was expected, none came within {} s",
                patience.as_secs()
            ))
        })
    }

    /// Listens for so long; no such Notify may come, nor have come, and not since the
    /// Agent is gone.
    ///
    /// # Errors
    /// One came, or the Agent has ended its link.
    pub fn expect_silence(&mut self, kind: Kind, subscription: &str, duration: Duration) -> Done {
        match self.notified(kind, subscription, duration) {
            None => self.has_stayed(),
            Some(notified) => Err(Stop::Failed(format!(
                "no {kind:?} for the Subscription {subscription:?} was expected, one came at {} s",
                notified.at.as_secs()
            ))),
        }
    }

    /// The next Notify of this kind and Subscription, if one comes in time.
    pub fn notified(
        &mut self,
        kind: Kind,
        subscription: &str,
        patience: Duration,
    ) -> Option<Notified> {
        let until = self.until(patience);
        let seat = self.speaker;
        self.find(seat, until, |heard| {
            let Said::Message(message) = &heard.said else {
                return None;
            };
            match message.1.as_request()? {
                RequestType::Notify(notify)
                    if Kind::of(notify) == kind && notify.subscription_id == subscription =>
                {
                    Some(Notified {
                        at: heard.at,
                        msg_id: message.1.msg_id().to_owned(),
                        notify: notify.clone(),
                        record: message.0.clone(),
                    })
                }
                _ => None,
            }
        })
    }

    /// Answers what comes by itself again, and what has waited for that.
    pub(super) fn answer_again(&mut self) {
        if self.answering {
            return;
        }
        self.answering = true;
        for seat in Seat::ALL {
            let waiting: Vec<Msg> = self
                .heard(seat)
                .filter_map(|heard| match &heard.said {
                    Said::Message(message) => Some(message.1.clone()),
                    _ => None,
                })
                .collect();
            for msg in waiting {
                self.answer_by_itself(seat, &msg);
            }
        }
    }

    pub(super) fn answer_by_itself(&mut self, seat: Seat, msg: &Msg) {
        let Some(RequestType::Notify(notify)) = msg.as_request() else {
            return;
        };
        if self.answering && notify.send_resp {
            // Where the link has ended meanwhile, it will come again.
            drop(self.answer_notify(seat, msg.msg_id(), &notify.subscription_id));
        }
    }

    fn answer_notify(&mut self, seat: Seat, msg_id: &str, subscription: &str) -> Done {
        let response = NotifyResp {
            subscription_id: subscription.to_owned(),
        };
        let payload = Msg::response(msg_id, response).into_payload();
        let record = self.wrapped(seat, payload)?;
        self.send_record(seat, &record)
    }
}
