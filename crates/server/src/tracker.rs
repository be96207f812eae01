//! From what the Controller tells to what the inventory knows: who was there.
//!
//! Only an arrival adds a device, and every arrival is taken down once, in order. So a removal that
//! waits for the arrivals before it ([`Progress`]) is not undone by one of them.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::{
    ContactFault, ControllerEvent, ControllerHandle, Events, OnlineAgent,
};
use usphere_store::{DeviceState, StoreError};

use crate::events::Presences;
use crate::health;
use crate::inventory::Inventory;
use crate::limits::PRESENCES_WAITING_MAX;
use crate::onboarding::Onboarding;

/// Time between two looks whether what could not be told can be.
const BEHIND_INTERVAL: Duration = Duration::from_secs(2);

/// Follows the Agents.
pub(crate) struct Tracker {
    events: Events,
    follower: Follower,
}

/// Takes down what happens to the Agents.
struct Follower {
    controller: ControllerHandle,
    inventory: Inventory,
    onboarding: Onboarding,
    presences: Option<Presences>,
    /// Who was told to be there, and by which arrival.
    there: HashMap<EndpointId, u64>,
    /// Arrivals up to this one were seen to when the roll was called last: what is heard of them later is old.
    called: u64,
    /// Whether something could not be told.
    is_behind: bool,
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
    /// Follows from now on, once it runs. To be made before anybody can come.
    pub(crate) fn new(
        controller: ControllerHandle,
        inventory: Inventory,
        onboarding: Onboarding,
    ) -> (Self, Progress) {
        let (reached, progress) = watch::channel(0);
        let events = controller.events();
        let follower = Follower {
            controller,
            inventory,
            onboarding,
            presences: None,
            there: HashMap::new(),
            called: 0,
            is_behind: false,
            reached,
        };
        (Self { events, follower }, Progress { reached: progress })
    }

    /// Has it taken down who comes and goes.
    pub(crate) fn telling(mut self, presences: Presences) -> Self {
        self.follower.presences = Some(presences);
        self
    }

    /// Follows the Agents until `ended`, when nobody is there any more; then takes down that all have gone, and ends.
    pub(crate) async fn run(self, ended: watch::Receiver<bool>) {
        let Self {
            events,
            mut follower,
        } = self;
        let (backlog, heard) = mpsc::channel(PRESENCES_WAITING_MAX);
        // Beside each other: whoever waits for the disk must not miss what happens meanwhile.
        tokio::join!(fetch(events, backlog, ended), follower.follow(heard));
        follower.all_left().await;
    }
}

/// Takes events from where few can wait to where many can.
async fn fetch(
    mut events: Events,
    backlog: mpsc::Sender<ControllerEvent>,
    mut ended: watch::Receiver<bool>,
) {
    loop {
        let event = tokio::select! {
            biased;
            event = events.next() => event,
            // An error means that the server is gone.
            _ = ended.wait_for(|ended| *ended) => events.next().now_or_never().flatten(),
        };
        match event {
            Some(ControllerEvent::Closed { .. }) => {}
            // The follower goes on for as long as anything comes.
            Some(event) => drop(backlog.send(event).await),
            None => return,
        }
    }
}

impl Follower {
    async fn follow(&mut self, mut heard: mpsc::Receiver<ControllerEvent>) {
        let mut ticks = interval(BEHIND_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = heard.recv() => match event {
                    Some(event) => self.happened(event).await,
                    None => return,
                },
                _ = ticks.tick(), if self.is_behind => {
                    if self.presences.as_ref().is_none_or(Presences::has_room) {
                        self.call_the_roll().await;
                    }
                }
            }
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
            ControllerEvent::Offline { agent, arrival, .. } => {
                if self.there.get(&agent) == Some(&arrival) {
                    self.left(&agent).await;
                }
            }
            ControllerEvent::Online(online) => {
                let arrival = online.arrival;
                if arrival > self.called {
                    self.arrived(online).await;
                }
                self.reach(arrival);
            }
        }
    }

    /// Takes down who came and who went while that was not heard. Who did both meanwhile leaves no trace.
    async fn call_the_roll(&mut self) {
        self.is_behind = false;
        // Asked first: whoever came up to then is on the roll, or gone.
        let arrivals = self.controller.arrivals();
        let online = self.controller.online();
        let now_there: HashMap<&EndpointId, u64> = online
            .iter()
            .map(|online| (&online.agent, online.arrival))
            .collect();
        let is_gone =
            |(agent, arrival): &(&EndpointId, &u64)| now_there.get(agent) != Some(arrival);
        let gone = self.there.iter().filter(is_gone);
        let gone: Vec<EndpointId> = gone.map(|(agent, _)| agent.clone()).collect();
        for agent in gone {
            self.left(&agent).await;
        }
        for online in online {
            self.arrived(online).await;
        }
        self.called = arrivals;
        self.reach(arrivals);
    }

    async fn left(&mut self, agent: &EndpointId) {
        told(agent, self.inventory.left(agent.as_str()).await);
        match self.tell(agent, |presences| presences.offline(agent.as_str())) {
            true => drop(self.there.remove(agent)),
            false => self.is_behind = true,
        }
    }

    /// Takes down an arrival, unless that was done: the device may have been removed since.
    async fn arrived(&mut self, online: OnlineAgent) {
        if self.there.get(&online.agent) == Some(&online.arrival) {
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
        let (agent, proof) = (online.agent, online.proof);
        if state == DeviceState::Pending {
            self.controller.report(&agent, ContactFault::AwaitsApproval);
        }
        let seen = self
            .inventory
            .seen(agent.as_str(), online.remote, state, proof);
        told(&agent, seen.await);
        let remote = online.remote;
        match self.tell(&agent, |presences| presences.online(agent.as_str(), remote)) {
            true => drop(self.there.insert(agent.clone(), online.arrival)),
            false => self.is_behind = true,
        }
        self.onboarding.check(agent);
    }

    /// Whether there was room to tell it. That a device comes and goes which nobody has let in is no event of it: the
    /// contact tells it.
    fn tell(&self, agent: &EndpointId, tell: impl FnOnce(&Presences) -> bool) -> bool {
        let presences = self.presences.as_ref();
        presences
            .filter(|_| !self.onboarding.is_pending(agent.as_str()))
            .is_none_or(tell)
    }

    /// Nobody is there any more.
    async fn all_left(self) {
        let gone: Vec<String> = self
            .there
            .keys()
            .map(|agent| agent.as_str().to_owned())
            .collect();
        if let Err(error) = self.inventory.all_left(gone.clone()).await {
            health::not_kept(&error, "until when devices were there");
        }
        for agent in gone {
            if let Some(presences) = &self.presences
                && !self.onboarding.is_pending(&agent)
            {
                presences.gone(&agent).await;
            }
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
    use usphere_runtime::controller_host::{ControllerConfig, ControllerHost, Proof};
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
        let counts = crate::metrics::Counts::default();
        let (onboarding, _) =
            Onboarding::start(config, store.clone(), controller, &us, counts).unwrap();
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
                Proof::Loopback,
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

        let (_end, ended) = watch::channel(false);
        let running = tokio::spawn(tracker.run(ended));
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
        tracker.follower.call_the_roll().await;
        write_often(&inventory).await;
        assert_eq!(inventory.count().await.unwrap(), 1);
        inventory
            .remove_after("self::agent".into(), progress, handle.arrivals())
            .await
            .unwrap();
        tracker.follower.call_the_roll().await;
        // What was told of it and not yet heard does not either.
        while let Ok(Some(event)) = timeout(Duration::ZERO, tracker.events.next()).await {
            tracker.follower.happened(event).await;
        }
        write_often(&inventory).await;
        assert_eq!(inventory.count().await.unwrap(), 0);
    }

    /// Who went while events were lost, and what there was no room to tell, is told when the roll is called.
    #[tokio::test]
    async fn calling_the_roll_tells_who_went_and_what_could_not_be_told() {
        let folder = tempfile::tempdir().unwrap();
        let host = controller().await;
        let (inventory, onboarding) = kept(&host, folder.path());
        let handle = host.handle().clone();
        let (tracker, _progress) = Tracker::new(handle.clone(), inventory, onboarding);
        let (waiting, mut told) = mpsc::channel(1);
        let mut follower = tracker.telling(Presences::new(waiting)).follower;
        let mut next = move || {
            let event = told.try_recv().ok()?;
            let kind = if event.content.contains("Online") {
                "Online"
            } else {
                "Offline"
            };
            Some((event.device, kind))
        };
        let event = |name: &str, kind| Some((name.to_owned(), kind));

        let one = arrive(&host, "self::1").await;
        let _two = arrive(&host, "self::2").await;
        follower.call_the_roll().await;
        assert!(follower.is_behind, "there is room for one");
        assert_eq!(next(), event("self::1", "Online"));
        follower.call_the_roll().await;
        assert!(!follower.is_behind);
        assert_eq!(next(), event("self::2", "Online"));
        assert_eq!(next(), None);

        drop(one);
        until(async || !handle.is_online(&id("self::1"))).await;
        follower.call_the_roll().await;
        assert_eq!(next(), event("self::1", "Offline"));
        // It comes back; then only its first going is heard of, which is old.
        let _one = arrive(&host, "self::1").await;
        follower.call_the_roll().await;
        assert_eq!(next(), event("self::1", "Online"));
        let old = ControllerEvent::Offline {
            agent: id("self::1"),
            arrival: 1,
            reason: usphere_runtime::controller_host::OfflineReason::Dismissed,
        };
        follower.happened(old).await;
        assert_eq!(next(), None);
    }
}
