//! That devices come and go: told without waiting, kept in its order, and announced.
//!
//! What cannot be kept is tried again until it can be, while those who come and go wait in a queue. This module must
//! never keep the tracker waiting while the server runs: to know who is there is more than to know who was.

use std::net::SocketAddr;

use tokio::sync::mpsc;
use tokio::time::sleep;
use usphere_store::{DeviceState, NewEvent, Store, StoreError};

use super::{Events, Happened, Presence};
use crate::blocking::call;
use crate::health;
use crate::inventory::{self, Inventory};
use crate::limits::{NOTIFICATIONS_TOGETHER_MAX, PRESENCES_RETRY};

/// Takes down that devices come and go. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Presences {
    waiting: mpsc::Sender<NewEvent>,
}

/// Keeps what is told.
pub(super) struct Recorder {
    events: Events,
    inventory: Inventory,
}

impl Presences {
    pub(crate) fn new(waiting: mpsc::Sender<NewEvent>) -> Self {
        Self { waiting }
    }

    /// A device is there, of which the inventory was told before. Whether there was room to take that down.
    pub(crate) fn online(&self, device: &str, remote: SocketAddr) -> bool {
        let remote = remote.to_string();
        self.tell(device, &Presence::Online { remote })
    }

    /// A device is there no more. Whether there was room to take that down.
    pub(crate) fn offline(&self, device: &str) -> bool {
        self.tell(device, &Presence::Offline {})
    }

    /// As [`offline`](Self::offline), and waits for room.
    pub(crate) async fn gone(&self, device: &str) {
        if let Some(event) = event(device, &Presence::Offline {}) {
            // Without a recorder the server was cut off.
            drop(self.waiting.send(event).await);
        }
    }

    /// Whether much can be told.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.capacity() >= self.waiting.max_capacity() / 2
    }

    fn tell(&self, device: &str, presence: &Presence) -> bool {
        event(device, presence).is_none_or(|event| self.waiting.try_send(event).is_ok())
    }
}

fn event(device: &str, presence: &Presence) -> Option<NewEvent> {
    Some(NewEvent {
        device: device.to_owned(),
        at: inventory::now(),
        msg_id: String::new(),
        content: serde_json::to_string(presence).ok()?,
    })
}

impl Recorder {
    pub(super) fn new(events: Events, inventory: Inventory) -> Self {
        Self { events, inventory }
    }

    /// Keeps what is told until nobody can tell any more.
    pub(super) async fn record(self, mut told: mpsc::Receiver<NewEvent>) {
        let mut together = Vec::new();
        while told
            .recv_many(&mut together, NOTIFICATIONS_TOGETHER_MAX)
            .await
            > 0
        {
            self.keep(std::mem::take(&mut together)).await;
        }
    }

    async fn keep(&self, presences: Vec<NewEvent>) {
        let ids = self.add(&presences).await;
        // Whether the inventory was told is known by now: that was written before.
        let moments = presences.iter().map(|event| (&*event.device, event.at));
        let lost = self.inventory.lost(moments);
        let (mut missing, mut kept) = (Vec::new(), Vec::new());
        for (event, id) in presences.into_iter().zip(ids) {
            match id {
                Some(id) => kept.push((event.clone(), id)),
                None if lost.contains(&event.device) => missing.push(event.clone()),
                // It was removed.
                None => {}
            }
            if lost.contains(&event.device) {
                self.make_good(&event).await;
            }
        }
        let ids = self.add(&missing).await;
        let made_good = missing.into_iter().zip(ids);
        kept.extend(made_good.filter_map(|(event, id)| Some((event, id?))));
        for (event, id) in kept {
            if let Ok(presence) = serde_json::from_str(&event.content) {
                let kind = Happened::Presence(presence).kind();
                self.events.counts.came_or_went(kind);
            }
            self.events.announce(event.device.as_str().into(), Some(id));
        }
        for device in &lost {
            // What it said about itself was lost with it.
            self.events.onboarding.check_if_there(device);
        }
    }

    /// Writes what happened into the inventory, which was not told.
    async fn make_good(&self, event: &NewEvent) {
        let device = &event.device;
        match serde_json::from_str(&event.content) {
            Ok(Presence::Online { remote }) => {
                let state = match self.events.onboarding.is_pending(device) {
                    true => DeviceState::Pending,
                    false => DeviceState::Approved,
                };
                let sighting = inventory::sighting(device, remote, state, event.at);
                let write = move |store: &Store| store.seen(vec![sighting.clone()]);
                until_kept(&self.events.store, write).await;
            }
            Ok(Presence::Offline {}) => {
                let (device, at) = (device.clone(), event.at);
                let write = move |store: &Store| store.left(vec![device.clone()], at);
                until_kept(&self.events.store, write).await;
            }
            // It is of our own making.
            Err(_) => {}
        }
    }

    /// Their numbers; none for what is about an unknown device.
    async fn add(&self, presences: &[NewEvent]) -> Vec<Option<i64>> {
        if presences.is_empty() {
            return Vec::new();
        }
        let presences = presences.to_vec();
        let add = move |store: &Store| store.add_events_of_known(presences.clone());
        let ids = until_kept(&self.events.store, add).await;
        ids.unwrap_or_default()
    }
}

/// Tries until the store can write; none where it never will.
async fn until_kept<T: Send + 'static>(
    store: &Store,
    write: impl Fn(&Store) -> Result<T, StoreError> + Clone + Send + 'static,
) -> Option<T> {
    let mut is_told = false;
    loop {
        match call(store, write.clone()).await {
            Ok(written) => return Some(written),
            Err(error @ StoreError::Invalid(_)) => {
                tracing::error!(%error, "that a device came or went cannot be kept");
                return None;
            }
            Err(error) if is_told => tracing::debug!(%error, "not kept yet"),
            Err(error) => {
                health::not_kept(&error, "that devices came or went, which is tried again");
                is_told = true;
            }
        }
        sleep(PRESENCES_RETRY).await;
    }
}
