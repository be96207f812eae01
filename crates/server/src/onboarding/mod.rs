//! Taking devices on board: who is let in, who they are, and what the server keeps on them.
//!
//! A device that arrives is let in or waits ([`gate`]), and is checked ([`check`]): one request tells who it is and
//! which of the server's Subscriptions it has ([`subscriptions`]); more follow only where something is new, missing
//! or altered. What a product can do is asked of one device of it ([`models`]). So many devices are checked at a time
//! as [`CHECKS_MAX`] says, and what comes of it is written down together.
//!
//! This module must never ask a device that waits for more than who it is.

mod check;
mod config;
mod gate;
mod models;
mod queue;
mod subscriptions;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use usphere_datamodel::operation::Notification;
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::{ControllerHandle, Delivery, OnlineAgent};
use usphere_store::{Described, DeviceState, Milliseconds, Store, StoreError, Subscription};

use self::gate::Gate;
use self::models::Models;
use self::queue::{Queue, Verdict};
use self::subscriptions::Wanted;
use crate::blocking::call;
use crate::health;
use crate::inventory::{Inventory, now};
use crate::limits::{
    CHECKS_MAX, CHECKS_READING_MAX, DESCRIBED_TOGETHER_MAX, PENDING_FULL_INTERVAL,
    PENDING_GIVE_WAY, RETENTION_INTERVAL, SWEEP_INTERVAL,
};
use crate::metrics::Counts;
use crate::tracker::Progress;

pub use config::{FirstContact, OnboardingConfig};

/// Takes devices on board. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Onboarding {
    shared: Arc<Shared>,
}

/// What all checks share.
#[derive(Debug)]
struct Shared {
    controller: ControllerHandle,
    inventory: Inventory,
    /// Places for those who read the store: each takes a thread and a connection to it.
    readers: Semaphore,
    gate: Gate,
    models: Models,
    keeps_subscriptions: bool,
    wanted: RwLock<Arc<[Wanted]>>,
    /// Held from a change of what is stored until `wanted` says the same: an older list must not come last.
    changing: tokio::sync::Mutex<()>,
    /// When nobody who waits could be found that is away.
    full: Mutex<Option<Instant>>,
    /// Days after which one that waits and is away is forgotten; 0 for never.
    pending_days: AtomicU32,
    /// The path by which the server finds itself among a device's Controllers.
    recipient: String,
    queue: Queue,
    told: mpsc::Sender<Described>,
    counts: Counts,
}

/// How many devices wait for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    /// To be approved.
    pub(crate) pending: usize,
    /// To be checked.
    pub(crate) checks: usize,
}

/// A Subscription that every device is to have.
#[derive(Debug)]
pub(crate) struct Kept {
    /// What the server made of its own accord, and nobody can take away.
    pub(crate) is_built_in: bool,
    pub(crate) subscription: Subscription,
}

impl Onboarding {
    /// Takes devices on board from now on. The tasks go on until they are aborted.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn start(
        config: OnboardingConfig,
        store: Store,
        controller: ControllerHandle,
        server: &EndpointId,
        counts: Counts,
    ) -> Result<(Self, [JoinHandle<()>; 2]), StoreError> {
        let inventory = Inventory::new(store.clone());
        let (told, hearing) = mpsc::channel(DESCRIBED_TOGETHER_MAX);
        let shared = Arc::new(Shared {
            gate: Gate::new(
                config.first_contact,
                inventory.clone(),
                store.pending_devices()?,
            ),
            models: Models::open(store.clone())?,
            keeps_subscriptions: config.subscriptions,
            wanted: RwLock::new(wanted(store.subscriptions()?)),
            changing: tokio::sync::Mutex::default(),
            full: Mutex::default(),
            pending_days: config.pending_days.into(),
            recipient: check::recipient(server),
            queue: Queue::new(config.check_interval()),
            readers: Semaphore::new(CHECKS_READING_MAX),
            controller,
            inventory,
            told,
            counts,
        });
        let checking = tokio::spawn(check_all(Arc::clone(&shared)));
        let writing = tokio::spawn(write(store, Arc::clone(&shared), hearing));
        Ok((Self { shared }, [checking, writing]))
    }

    /// Who is let in at first contact, how long a check holds and how long one waits, from now on. Who was let in stays so, and who waits does
    /// until it comes again.
    pub(crate) fn change(&self, config: &OnboardingConfig) {
        self.shared.gate.set_policy(config.first_contact);
        self.shared.queue.set_interval(config.check_interval());
        let days = &self.shared.pending_days;
        days.store(config.pending_days, Ordering::Relaxed);
    }

    /// What a device that arrives is; none where it is to be sent away, since too many wait already who are there.
    pub(crate) async fn arrived(
        &self,
        online: &OnlineAgent,
    ) -> Result<Option<DeviceState>, StoreError> {
        let shared = &self.shared;
        let arrived = || shared.gate.arrived(online.agent.as_str(), online.proof);
        match arrived().await? {
            Some(state) => Ok(Some(state)),
            None if shared.make_room().await? > 0 => arrived().await,
            None => Ok(None),
        }
    }

    /// Has a device checked.
    pub(crate) fn check(&self, agent: EndpointId) {
        if !self.shared.queue.push(agent.clone()) {
            tracing::warn!(%agent, "too many devices wait to be checked; this one is when it connects again");
        }
    }

    /// Keeps back what devices say that wait: it stays unanswered, so that it comes again. `progress` tells when it is
    /// known of all who have spoken whether they wait.
    pub(crate) async fn let_in(
        &self,
        deliveries: Vec<Delivery>,
        progress: &mut Progress,
    ) -> Vec<Delivery> {
        let shared = &self.shared;
        let is_known = match shared.gate.is_guarded() {
            true => progress.reach(shared.controller.arrivals()).await.is_ok(),
            false => true,
        };
        // Who was sent away does not wait, and is gone.
        let is_full = shared.gate.is_full();
        let may_speak = |delivery: &Delivery| {
            is_known
                && !shared.gate.is_pending(delivery.agent.as_str())
                && (!is_full || shared.controller.is_online(&delivery.agent))
        };
        let heard: Vec<Delivery> = deliveries.into_iter().filter(may_speak).collect();
        for delivery in heard.iter().filter(|delivery| is_a_beginning(delivery)) {
            shared.queue.nudge(&delivery.agent, Instant::now());
        }
        for delivery in heard.iter().filter(|delivery| takes_away(delivery)) {
            shared.queue.undone(&delivery.agent, Instant::now());
        }
        heard
    }

    /// Whether a device waits to be approved.
    pub(crate) fn is_pending(&self, endpoint_id: &str) -> bool {
        self.shared.gate.is_pending(endpoint_id)
    }

    /// How many devices wait.
    pub(crate) fn counts(&self) -> Waiting {
        Waiting {
            pending: self.shared.gate.count(),
            checks: self.shared.queue.waiting(),
        }
    }

    /// All devices that wait to be approved.
    pub(crate) fn pending(&self) -> HashSet<String> {
        self.shared.gate.pending()
    }

    /// How many devices wait to be approved.
    pub(crate) fn pending_count(&self) -> usize {
        self.shared.gate.pending_count()
    }

    /// Lets a device in, durably.
    pub(crate) async fn approve(&self, endpoint_id: &str) -> Result<(), StoreError> {
        self.shared.gate.approve(endpoint_id).await?;
        self.check_if_there(endpoint_id);
        Ok(())
    }

    /// Has a device checked, if it is there.
    pub(crate) fn check_if_there(&self, endpoint_id: &str) {
        if let Ok(agent) = EndpointId::from_wire(endpoint_id)
            && self.shared.controller.is_online(&agent)
        {
            self.check(agent);
        }
    }

    /// A device was taken out of the inventory.
    pub(crate) fn forget(&self, endpoint_id: &str) {
        self.shared.gate.forget(endpoint_id);
        self.shared.begin_anew(endpoint_id);
    }

    /// What products can do.
    pub(crate) fn models(&self) -> &Models {
        &self.shared.models
    }

    /// Whether devices are to have Subscriptions of the server's own.
    pub(crate) fn keeps_subscriptions(&self) -> bool {
        self.shared.keeps_subscriptions
    }

    /// The Subscriptions that every device is to have; none where the configuration says so.
    pub(crate) async fn subscriptions(&self) -> Result<Vec<Kept>, StoreError> {
        if !self.shared.keeps_subscriptions {
            return Ok(Vec::new());
        }
        let others = others(self.stored_subscriptions().await?);
        let kept = built_in().into_iter().map(|subscription| Kept {
            is_built_in: true,
            subscription,
        });
        let others = others.map(|subscription| Kept {
            is_built_in: false,
            subscription,
        });
        Ok(kept.chain(others).collect())
    }

    /// Has every device have one more, or another instead of the one of the same name.
    pub(crate) async fn put_subscription(&self, wanted: Subscription) -> Result<Kept, StoreError> {
        self.may_change(&wanted.name)?;
        let subscription = wanted.clone();
        let store = self.shared.inventory.store();
        let _changing = self.shared.changing.lock().await;
        call(store, move |store| store.put_subscription(wanted)).await?;
        self.subscriptions_changed().await?;
        Ok(Kept {
            is_built_in: false,
            subscription,
        })
    }

    /// Takes one away from every device.
    pub(crate) async fn remove_subscription(&self, name: String) -> Result<(), StoreError> {
        self.may_change(&name)?;
        let store = self.shared.inventory.store();
        let _changing = self.shared.changing.lock().await;
        call(store, move |store| store.remove_subscription(&name)).await?;
        self.subscriptions_changed().await
    }

    fn may_change(&self, name: &str) -> Result<(), StoreError> {
        let reason = if !self.shared.keeps_subscriptions {
            "the configuration says `subscriptions = false`, so that none are kept"
        } else if built_in().iter().any(|own| own.name == name) {
            "it is the server's own and stays as it is; choose another name"
        } else {
            return Ok(());
        };
        Err(StoreError::Fixed(format!(
            "the Subscription {name:?}: {reason}"
        )))
    }

    async fn stored_subscriptions(&self) -> Result<Vec<Subscription>, StoreError> {
        call(self.shared.inventory.store(), |store| store.subscriptions()).await
    }

    /// All who are there are mended; the others are when they come.
    async fn subscriptions_changed(&self) -> Result<(), StoreError> {
        let wanted = wanted(self.stored_subscriptions().await?);
        *self
            .shared
            .wanted
            .write()
            .unwrap_or_else(PoisonError::into_inner) = wanted;
        for online in self.shared.controller.online() {
            self.check(online.agent);
        }
        Ok(())
    }
}

impl Shared {
    /// Forgets some of those that wait and are away, longest first. How many; not looked for all the time.
    async fn make_room(&self) -> Result<usize, StoreError> {
        let is_due = |last: &Option<Instant>| {
            last.is_none_or(|last| last.elapsed() >= PENDING_FULL_INTERVAL)
        };
        let now_full = || self.full.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_due(&now_full()) {
            return Ok(0);
        }
        let gone = self.forget_waiting(None, PENDING_GIVE_WAY).await?;
        if gone == 0 {
            *now_full() = Some(Instant::now());
        }
        Ok(gone)
    }

    /// Forgets those that wait, are away, and were not seen for as long as the configuration says.
    async fn forget_old(&self) {
        let days = i64::from(self.pending_days.load(Ordering::Relaxed));
        if days == 0 {
            return;
        }
        let before = now().saturating_sub(days * 24 * 3600 * 1000);
        match self.forget_waiting(Some(before), usize::MAX).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "devices that waited to be approved are forgotten"),
            Err(error) => health::not_kept(&error, "that devices that waited are forgotten"),
        }
    }

    async fn forget_waiting(
        &self,
        before: Option<Milliseconds>,
        most: usize,
    ) -> Result<usize, StoreError> {
        let store = self.inventory.store();
        let found = call(store, move |store| store.pending_since(before)).await?;
        let is_away = |device: &str| {
            EndpointId::from_wire(device).is_ok_and(|agent| !self.controller.is_online(&agent))
        };
        let gone = self.gate.let_go(found, most, is_away);
        if gone.is_empty() {
            return Ok(0);
        }
        let (count, removed) = (gone.len(), gone.clone());
        let forgotten = call(store, move |store| store.remove_pending(removed)).await;
        let gone = gone.into_iter().map(|(device, _)| device);
        match forgotten {
            Ok(()) => gone.for_each(|device| self.begin_anew(&device)),
            Err(_) => self.gate.wait(gone),
        }
        forgotten.map(|()| count)
    }

    /// A device that was forgotten need not prove what it proved before.
    fn begin_anew(&self, endpoint_id: &str) {
        if let Ok(agent) = EndpointId::from_wire(endpoint_id) {
            self.controller.unguard(&agent);
        }
    }

    fn wanted(&self) -> Arc<[Wanted]> {
        Arc::clone(&self.wanted.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether a device has begun anew, or wants to be taken on board.
fn is_a_beginning(delivery: &Delivery) -> bool {
    match &delivery.notified.notification {
        Notification::OnBoardRequest { .. } => true,
        Notification::Event { event, .. } => event == "Boot!",
        _ => false,
    }
}

/// Whether a Subscription was taken away, perhaps one of the server's.
fn takes_away(delivery: &Delivery) -> bool {
    match &delivery.notified.notification {
        Notification::ObjectDeletion { path } => path.starts_with(subscriptions::TABLE),
        _ => false,
    }
}

/// What the server wants to be told by every device: that it has started anew, how commands end, and that somebody takes
/// Subscriptions away.
fn built_in() -> [Subscription; 3] {
    let own = |name: &str, notif_type: &str, path: &str| Subscription {
        name: name.to_owned(),
        notif_type: notif_type.to_owned(),
        references: vec![path.to_owned()],
        created: 0,
    };
    [
        own("boot", "Event", "Device.Boot!"),
        own("operations", "OperationComplete", "Device."),
        own("subscriptions", "ObjectDeletion", subscriptions::TABLE),
    ]
}

/// Those that are not the server's own: one that was made before its name became that gives way.
fn others(stored: Vec<Subscription>) -> impl Iterator<Item = Subscription> {
    let built_in = built_in();
    let is_others = move |stored: &Subscription| built_in.iter().all(|own| own.name != stored.name);
    stored.into_iter().filter(is_others)
}

fn wanted(stored: Vec<Subscription>) -> Arc<[Wanted]> {
    let all = built_in().into_iter().chain(others(stored));
    all.map(|subscription| Wanted {
        name: subscription.name,
        notif_type: subscription.notif_type,
        references: subscription.references,
    })
    .collect()
}

/// Checks those who wait for it, as many at a time as is allowed, and those whose last check is too old.
async fn check_all(shared: Arc<Shared>) {
    let mut checks = JoinSet::new();
    let mut forgetting = interval(RETENTION_INTERVAL);
    forgetting.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sweep = interval(SWEEP_INTERVAL);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        while checks.len() < CHECKS_MAX
            && let Some(agent) = shared.queue.pop()
        {
            checks.spawn(check_one(Arc::clone(&shared), agent));
        }
        tokio::select! {
            Some(_) = checks.join_next() => {}
            () = shared.queue.pushed() => {}
            _ = sweep.tick() => sweep_up(&shared),
            _ = forgetting.tick() => shared.forget_old().await,
        }
    }
}

async fn check_one(shared: Arc<Shared>, agent: EndpointId) {
    let verdict = check::check(&shared, &agent).await;
    shared.counts.checked(verdict != Verdict::Failed);
    shared.queue.done(agent, verdict, Instant::now());
}

/// Twice as many at a time as would do, so that those who came together are checked one after the other.
fn sweep_up(shared: &Shared) {
    let ticks = shared.queue.interval().as_secs() / SWEEP_INTERVAL.as_secs();
    let share = shared.controller.online_count() as u64 / ticks.max(1);
    let most = usize::try_from(2 * share + 1).unwrap_or(usize::MAX);
    let is_online = |agent: &EndpointId| shared.controller.is_online(agent);
    shared.queue.sweep(most, Instant::now(), is_online);
}

/// Writes what checks have brought to light, together what came together. Who said what cannot be written is asked again.
async fn write(store: Store, shared: Arc<Shared>, mut hearing: mpsc::Receiver<Described>) {
    let mut said = Vec::new();
    while hearing.recv_many(&mut said, DESCRIBED_TOGETHER_MAX).await > 0 {
        let together = std::mem::take(&mut said);
        let devices: Vec<String> = together
            .iter()
            .map(|described| described.endpoint_id.clone())
            .collect();
        let written = call(&store, move |store| store.describe(together)).await;
        if let Err(error) = written {
            health::not_kept(&error, "what devices say about themselves");
            let agents = devices
                .iter()
                .filter_map(|device| EndpointId::from_wire(device).ok());
            for agent in agents {
                shared.queue.unkept(agent, Instant::now());
            }
        }
    }
}
