//! What devices say of their own accord, and that they come and go: kept, then acknowledged, then announced to those
//! who follow.

mod presence;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc};
use usphere_datamodel::operation::{Completion, Notification, NotificationKind, Notified};
use usphere_runtime::controller_host::{Delivery, Notifications};
use usphere_store::limits::PAGE_EVENTS_BYTES;
use usphere_store::{Milliseconds, NewEvent, Store, StoreError};
use utoipa::ToSchema;

use crate::blocking::call;
use crate::doctor;
use crate::health;
use crate::inventory::{self, Inventory};
use crate::limits::{ANNOUNCEMENTS_MAX, NOTIFICATIONS_TOGETHER_MAX, PRESENCES_WAITING_MAX};
use crate::metrics::Counts;
use crate::onboarding::Onboarding;
use crate::operations::Operations;
use crate::tracker::Progress;

pub(crate) use self::presence::Presences;

/// The events that are kept.
#[derive(Clone)]
pub(crate) struct Events {
    store: Store,
    operations: Operations,
    counts: Counts,
    onboarding: Onboarding,
    progress: Progress,
    announce: broadcast::Sender<Announcement>,
}

/// An event was kept.
#[derive(Clone, Debug)]
pub(crate) struct Announcement {
    pub(crate) device: Arc<str>,
    pub(crate) id: i64,
}

/// Events from the store, in order.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) events: Vec<Event>,
    /// The last that was read, also where it is not shown; none when there are no more.
    pub(crate) last: Option<i64>,
    /// Whether there were no more behind it.
    pub(crate) is_end: bool,
}

/// An event as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Event {
    /// Its number; later ones have higher numbers.
    pub(crate) id: i64,
    /// The device's Endpoint ID.
    device: String,
    /// When it came.
    at: Milliseconds,
    #[serde(flatten)]
    pub(crate) happened: Happened,
}

/// What happened.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Happened {
    /// The device came or went.
    Presence(Presence),
    /// The device said so.
    Said(Notified),
}

/// A device came or went.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(tag = "type")]
pub(crate) enum Presence {
    /// It cannot be asked any more.
    Offline {},
    /// It can be asked now. Without an `Offline` since the one before, the server was started anew.
    Online {
        /// From which address it came.
        remote: String,
    },
}

impl Event {
    /// The same without the values that are secret by their names.
    pub(crate) fn without_secrets(mut self) -> Self {
        let Happened::Said(Notified { notification, .. }) = &mut self.happened else {
            return self;
        };
        match notification {
            Notification::Event { arguments, .. }
            | Notification::OperationComplete {
                completion: Completion::Completed(arguments),
                ..
            } => doctor::hide_named(arguments),
            Notification::ObjectCreation { unique_keys, .. } => doctor::hide_named(unique_keys),
            Notification::ValueChange { path, value } => doctor::hide_of(path, value),
            Notification::ObjectDeletion { .. }
            | Notification::OnBoardRequest { .. }
            | Notification::OperationComplete { .. } => {}
        }
        self
    }
}

impl Happened {
    /// The name of each kind, as the field `type` has it.
    pub(crate) const KINDS: [&str; 8] = [
        "Event",
        "ObjectCreation",
        "ObjectDeletion",
        "Offline",
        "OnBoardRequest",
        "Online",
        "OperationComplete",
        "ValueChange",
    ];

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Presence(Presence::Offline {}) => "Offline",
            Self::Presence(Presence::Online { .. }) => "Online",
            Self::Said(said) => said.notification.kind().as_str(),
        }
    }
}

impl Events {
    /// Ends of commands are told to `operations` before they are acknowledged. What those say that wait to be approved
    /// is not taken; `progress` tells when that is known.
    pub(crate) fn new(
        store: Store,
        operations: Operations,
        counts: Counts,
        onboarding: Onboarding,
        progress: Progress,
    ) -> Self {
        Self {
            store,
            operations,
            counts,
            onboarding,
            progress,
            announce: broadcast::channel(ANNOUNCEMENTS_MAX).0,
        }
    }

    /// What is kept from now on.
    pub(crate) fn announcements(&self) -> broadcast::Receiver<Announcement> {
        self.announce.subscribe()
    }

    /// The events of a device, or of all, after the number `after`, in order.
    pub(crate) async fn list(
        &self,
        device: Option<&str>,
        after: i64,
        limit: u32,
    ) -> Result<Read, StoreError> {
        let device = device.map(str::to_owned);
        let kept = call(&self.store, move |store| match device {
            Some(device) => store.events(&device, after, limit),
            None => store.all_events(after, limit),
        })
        .await?;
        // A page is full by their number or by what they hold.
        let bytes: usize = kept.iter().map(|event| event.content.len()).sum();
        let has_room = i64::try_from(bytes).is_ok_and(|bytes| bytes < PAGE_EVENTS_BYTES);
        Ok(Read {
            last: kept.last().map(|event| event.id),
            is_end: has_room && kept.len() < limit as usize,
            // What an older version kept and this one cannot read is passed over.
            events: kept.into_iter().filter_map(shown).collect(),
        })
    }

    /// The number of the newest event of all.
    pub(crate) async fn last(&self) -> Result<i64, StoreError> {
        call(&self.store, |store| store.last_event()).await
    }

    /// Keeps what comes. Ends when somebody else takes the notifications.
    pub(crate) async fn record(mut self, mut notifications: Notifications) {
        loop {
            let deliveries = notifications.next_many(NOTIFICATIONS_TOGETHER_MAX).await;
            if deliveries.is_empty() {
                return;
            }
            let heard = self.onboarding.let_in(deliveries, &mut self.progress).await;
            if !heard.is_empty() {
                self.keep(heard).await;
            }
        }
    }

    /// From now on takes down who comes and goes; ends when nobody can tell any more and all is kept. What could not
    /// be written of it in the inventory is made good there.
    pub(crate) fn presences(
        &self,
        inventory: Inventory,
    ) -> (Presences, impl Future<Output = ()> + Send + 'static) {
        let (waiting, told) = mpsc::channel(PRESENCES_WAITING_MAX);
        let recorder = presence::Recorder::new(self.clone(), inventory);
        (Presences::new(waiting), recorder.record(told))
    }

    /// Tells those who follow, if there are any.
    fn announce(&self, device: Arc<str>, id: Option<i64>) {
        if let Some(id) = id {
            drop(self.announce.send(Announcement { device, id }));
        }
    }

    /// What cannot be kept stays unanswered, so that it comes again.
    async fn keep(&self, deliveries: Vec<Delivery>) {
        let at = inventory::now();
        let (deliveries, events): (Vec<_>, Vec<_>) = deliveries
            .into_iter()
            .filter_map(|delivery| {
                let event = NewEvent {
                    device: delivery.agent.as_str().to_owned(),
                    at,
                    msg_id: delivery.msg_id.clone(),
                    content: serde_json::to_string(&delivery.notified).ok()?,
                };
                Some((delivery, event))
            })
            .unzip();
        let kept = call(&self.store, move |store| store.add_events(events)).await;
        let ids = match kept {
            Ok(ids) => ids,
            Err(error) => {
                health::not_kept(&error, "notifications, which stay unanswered");
                self.counts.not_kept(deliveries.len());
                return;
            }
        };
        let is_heard = self.operations.heard(&deliveries).await;
        for (delivery, id) in deliveries.into_iter().zip(ids) {
            let kind = delivery.notified.notification.kind();
            if id.is_some() {
                self.counts.notified(kind);
            }
            self.announce(delivery.agent.as_str().into(), id);
            if is_heard || kind != NotificationKind::OperationComplete {
                delivery.taken();
            }
        }
    }
}

fn shown(event: usphere_store::Event) -> Option<Event> {
    match serde_json::from_str(&event.content) {
        Ok(happened) => Some(Event {
            id: event.id,
            device: event.device,
            at: event.at,
            happened,
        }),
        Err(error) => {
            tracing::warn!(id = event.id, %error, "a kept event cannot be read");
            None
        }
    }
}
