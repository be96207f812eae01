//! What Agents say of their own accord, handed over so that nothing is lost.
//!
//! An Agent hears that its notification arrived only when somebody has taken it. Whoever drops a [`Delivery`]
//! without that leaves the Agent unanswered, and it sends the notification again.

use std::sync::Arc;

use tokio::sync::mpsc;
use usphere_controller::{Input, NotificationId};
use usphere_datamodel::operation::Notified;
use usphere_proto::EndpointId;

use super::core::Core;

/// The notifications from some moment on, in the order of their coming.
#[derive(Debug)]
pub struct Notifications {
    pub(super) core: Arc<Core>,
    pub(super) offers: mpsc::Receiver<Offer>,
}

/// A notification on its way from the engine.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) notification: NotificationId,
    pub(super) agent: EndpointId,
    pub(super) msg_id: String,
    pub(super) notified: Notified,
}

/// A notification that waits to be taken.
#[derive(Debug)]
pub struct Delivery {
    /// The Agent.
    pub agent: EndpointId,
    /// The msg_id of its request: with the Agent and the content it tells one that comes again after a
    /// restart of this Controller from a new one.
    pub msg_id: String,
    /// What it said.
    pub notified: Notified,
    receipt: Receipt,
}

#[derive(Debug)]
struct Receipt {
    core: Arc<Core>,
    notification: Option<NotificationId>,
}

impl Notifications {
    /// The next notification; `None` when somebody else takes them now. Cancelling loses nothing.
    pub async fn next(&mut self) -> Option<Delivery> {
        let offer = self.offers.recv().await?;
        Some(self.delivery(offer))
    }

    /// The next, and what waits behind it, at most `most` in all; empty when somebody else takes them now.
    /// Cancelling loses nothing.
    pub async fn next_many(&mut self, most: usize) -> Vec<Delivery> {
        let mut offers = Vec::new();
        self.offers.recv_many(&mut offers, most).await;
        let offers = offers.into_iter();
        offers.map(|offer| self.delivery(offer)).collect()
    }

    fn delivery(&self, offer: Offer) -> Delivery {
        Delivery {
            agent: offer.agent,
            msg_id: offer.msg_id,
            notified: offer.notified,
            receipt: Receipt {
                core: Arc::clone(&self.core),
                notification: Some(offer.notification),
            },
        }
    }
}

impl Drop for Notifications {
    fn drop(&mut self) {
        self.offers.close();
        while let Ok(offer) = self.offers.try_recv() {
            drop(self.delivery(offer));
        }
    }
}

impl Delivery {
    /// It is not lost any more: the Agent is told so, where it wants to be.
    pub fn taken(mut self) {
        if let Some(notification) = self.receipt.notification.take() {
            self.receipt.core.handle(Input::Taken { notification });
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(notification) = self.notification.take() {
            self.core.handle(Input::Declined { notification });
        }
    }
}
