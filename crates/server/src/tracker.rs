//! From what the Controller tells to what the inventory knows: who was there.
//!
//! Only an arrival adds a device, and every arrival is taken down once, in order. So a removal that
//! waits for the arrivals before it ([`Progress`]) is not undone by one of them.

use tokio::sync::watch;
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::{
    ContactFault, ControllerEvent, ControllerHandle, Events, OnlineAgent,
};
use usphere_store::{DeviceState, StoreError};

use crate::events::Presences;
use crate::health;
use crate::inventory::Inventory;
use crate::onboarding::Onboarding;

/// Follows the Agents.
pub(crate) struct Tracker {
    controller: ControllerHandle,
    events: Events,
    inventory: Inventory,
    onboarding: Onboarding,
    presences: Option<Presences>,
    /// The last arrival that the inventory was told of.
    reached: watch::Sender<u64>,
}

/// How far the inventory follows the Controller.
#[derive(Clone)]
pub(crate) struct Progress {
    reached: watch::Receiver<u64>,
}

impl Progress {
    /// Waits until the inventory was told of every arrival up to this one.
    pub(crate) async fn reach(&mut self, arrival: u64) -> Result<(), StoreError> {
        let reached = self.reached.wait_for(|reached| *reached >= arrival).await;
        // Without a tracker the server is going down.
        reached.map(drop).map_err(|_| StoreError::Busy)
    }
}

impl Tracker {
    /// Follows from now on, once it runs.
    pub(crate) fn new(
        controller: ControllerHandle,
        inventory: Inventory,
        onboarding: Onboarding,
    ) -> (Self, Progress) {
        let (reached, progress) = watch::channel(controller.arrivals());
        let tracker = Self {
            events: controller.events(),
            controller,
            inventory,
            onboarding,
            presences: None,
            reached,
        };
        (tracker, Progress { reached: progress })
    }

    /// Has it taken down who comes and goes.
    pub(crate) fn telling(self, presences: Presences) -> Self {
        Self {
            presences: Some(presences),
            ..self
        }
    }

    /// Follows the Agents; never ends by itself.
    pub(crate) async fn run(mut self) {
        while let Some(event) = self.events.next().await {
            self.happened(event).await;
        }
    }

    async fn happened(&mut self, event: ControllerEvent) {
        match event {
            ControllerEvent::Closed { .. } => {}
            ControllerEvent::Missed(count) => {
                tracing::warn!(
                    count,
                    "events were lost; the inventory catches up with who is online"
                );
                self.call_the_roll().await;
            }
            ControllerEvent::Offline { agent, .. } => {
                told(&agent, self.inventory.left(agent.as_str()).await);
                self.tell(&agent, |presences| presences.offline(agent.as_str()));
            }
            ControllerEvent::Online(online) => {
                let arrival = online.arrival;
                self.arrived(online).await;
                self.reach(arrival);
            }
        }
    }

    /// Takes down who came while events were lost. Who came and went meanwhile leaves no trace.
    async fn call_the_roll(&mut self) {
        // Asked first: whoever came up to then is on the roll, or gone.
        let arrivals = self.controller.arrivals();
        for online in self.controller.online() {
            self.arrived(online).await;
        }
        self.reach(arrivals);
    }

    /// Takes down an arrival, unless that was done: the device may have been removed since.
    async fn arrived(&mut self, online: OnlineAgent) {
        if online.arrival <= *self.reached.borrow() {
            return;
        }
        let state = match self.onboarding.arrived(&online).await {
            Ok(Some(state)) => state,
            Ok(None) => {
                tracing::warn!(agent = %online.agent, remote = %online.remote, "sent away: as many devices wait to be approved as may");
                let fault = ContactFault::TooManyAwaitApproval;
                self.controller.report(&online.agent, fault);
                return self.controller.dismiss(online.agent);
            }
            // Whether it was let in is not known; it comes again.
            Err(error) => {
                told(&online.agent, Err(error));
                return self.controller.dismiss(online.agent);
            }
        };
        let agent = online.agent;
        if state == DeviceState::Pending {
            self.controller.report(&agent, ContactFault::AwaitsApproval);
        }
        let seen = self.inventory.seen(agent.as_str(), online.remote, state);
        told(&agent, seen.await);
        self.tell(&agent, |presences| {
            presences.online(agent.as_str(), online.remote);
        });
        self.onboarding.check(agent);
    }

    /// That a device comes and goes which nobody has let in is no event of it: the contact tells it.
    fn tell(&self, agent: &EndpointId, tell: impl FnOnce(&Presences)) {
        let presences = self.presences.as_ref();
        if let Some(presences) = presences.filter(|_| !self.onboarding.is_pending(agent.as_str())) {
            tell(presences);
        }
    }

    fn reach(&self, arrival: u64) {
        self.reached.send_if_modified(|reached| {
            let further = arrival > *reached;
            *reached = arrival.max(*reached);
            further
        });
    }
}

fn told(agent: &EndpointId, result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::debug!(%agent, "could not be taken down");
        health::not_kept(&error, "what is known of a device");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::pin::pin;
    use std::time::Duration;

    use tokio::time::{sleep, timeout};
    use usphere_mtp::websocket::{self, Door, Link, ListenerLimits, Settings};
    use usphere_proto::Record;
    use usphere_runtime::controller_host::{ControllerConfig, ControllerHost};
    use usphere_store::{DeviceState, Store};

    use super::*;
    use crate::onboarding::OnboardingConfig;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn id(text: &str) -> EndpointId {
        EndpointId::parse(text).unwrap()
    }

    async fn controller() -> ControllerHost {
        let door = Door {
            address: ([127, 0, 0, 1], 0).into(),
            path: "/usp".into(),
            tls: false,
            insecure: false,
        };
        let config = ControllerConfig {
            endpoint_id: id("self::controller"),
            msg_id_prefix: "test".into(),
        };
        ControllerHost::listen(door, ListenerLimits::default(), config, None)
            .await
            .unwrap()
    }

    fn kept(host: &ControllerHost, folder: &Path) -> (Inventory, Onboarding) {
        let store = Store::open(&folder.join("db")).unwrap();
        let (controller, us) = (host.handle().clone(), id("self::controller"));
        let config = OnboardingConfig::default();
        let (onboarding, _) = Onboarding::start(config, store.clone(), controller, &us).unwrap();
        (Inventory::new(store), onboarding)
    }

    /// An Agent that is online when this returns, and says nothing more.
    async fn arrive(host: &ControllerHost, agent: &str) -> Link {
        let target = format!("ws://{}/usp", host.local_addr().unwrap());
        let us = id(agent);
        let mut link = websocket::dial(&target.parse().unwrap(), &Settings::new(us.clone()))
            .await
            .unwrap();
        let connect = Record::websocket_connect(&id("self::controller"), &us);
        link.sender.try_send(&connect).unwrap();
        // It hears what it is asked and says nothing.
        let moved = async { while link.receiver.recv().await.is_some() {} };
        let online = until(async || host.handle().is_online(&us));
        tokio::select! {
            () = moved => panic!("the connection ended"),
            () = online => {}
        }
        link
    }

    /// What was left to be written before this is written after it, and any other write would be.
    async fn write_often(inventory: &Inventory) {
        for _ in 0..20 {
            inventory.all_left(Vec::new()).await.unwrap();
        }
    }

    async fn until(wanted: impl AsyncFn() -> bool) {
        let asking = async {
            while !wanted().await {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, asking).await.unwrap();
    }

    /// The device arrives and goes, and is removed, all before the tracker comes to hear of any of it.
    #[tokio::test]
    async fn an_arrival_from_before_a_removal_does_not_undo_it() {
        let folder = tempfile::tempdir().unwrap();
        let host = controller().await;
        let (inventory, onboarding) = kept(&host, folder.path());
        let handle = host.handle().clone();
        let (tracker, progress) = Tracker::new(handle.clone(), inventory.clone(), onboarding);
        inventory
            .seen(
                "self::agent",
                ([127, 0, 0, 1], 1).into(),
                DeviceState::Approved,
            )
            .await
            .unwrap();
        let link = arrive(&host, "self::agent").await;
        drop(link);
        until(async || !handle.is_online(&id("self::agent"))).await;

        let removal = inventory.remove_after(
            "self::agent".to_owned(),
            progress.clone(),
            handle.arrivals(),
        );
        let mut removal = pin!(removal);
        tokio::select! {
            done = removal.as_mut() => panic!("it waits for the arrivals before it: {done:?}"),
            () = write_often(&inventory) => {}
        }

        let running = tokio::spawn(tracker.run());
        timeout(PATIENCE, removal).await.unwrap().unwrap();
        // All that was told before this Agent came has been heard once it is known.
        let _other = arrive(&host, "self::other").await;
        until(async || inventory.find("self::other".into()).await.is_ok()).await;
        let gone = inventory.find("self::agent".to_owned()).await;
        assert!(matches!(gone, Err(StoreError::NotFound(_))), "{gone:?}");
        let _back = arrive(&host, "self::agent").await;
        until(async || inventory.find("self::agent".into()).await.is_ok()).await;
        running.abort();
    }

    /// Who arrived before the removal and is still online is not brought back when events were lost.
    #[tokio::test]
    async fn calling_the_roll_brings_nobody_back() {
        let folder = tempfile::tempdir().unwrap();
        let host = controller().await;
        let (inventory, onboarding) = kept(&host, folder.path());
        let handle = host.handle().clone();
        let (mut tracker, progress) = Tracker::new(handle.clone(), inventory.clone(), onboarding);
        let _link = arrive(&host, "self::agent").await;
        tracker.call_the_roll().await;
        write_often(&inventory).await;
        assert_eq!(inventory.count().await.unwrap(), 1);
        inventory
            .remove_after("self::agent".into(), progress, handle.arrivals())
            .await
            .unwrap();
        tracker.call_the_roll().await;
        // What was told of it and not yet heard does not either.
        while let Ok(Some(event)) = timeout(Duration::ZERO, tracker.events.next()).await {
            tracker.happened(event).await;
        }
        write_often(&inventory).await;
        assert_eq!(inventory.count().await.unwrap(), 0);
    }
}
