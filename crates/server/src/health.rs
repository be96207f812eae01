//! Whether the server can do its work, and saying so when that changes.
//!
//! Where nothing can be written, because the disk is full for example, the server goes on as far as it can: who is
//! connected stays so, what is there can be read, and whoever wants something kept is told that it is not. It looks
//! again by itself until something can be written.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use usphere_store::{Soundness, Store, StoreError};

use crate::blocking::call;
use crate::limits::{DISK_FREE_MIN, HEALTH_INTERVAL, HEALTH_PATIENCE, HEALTH_REMEMBERED};

/// How the store is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoreHealth {
    /// What is written is kept.
    Ok,
    /// Nothing can be written until there is room on the disk.
    Full,
    /// Nothing can be written.
    Failed,
    /// It takes long to write something.
    Slow,
}

/// Whether the server can do its work.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub(crate) struct Readiness {
    pub(crate) store: StoreHealth,
    /// Databases that were found damaged and lie aside; the log and the audit say what was saved.
    pub(crate) damaged_kept: usize,
    /// Whether the server is about to end.
    pub(crate) stopping: bool,
}

impl Readiness {
    pub(crate) fn is_ready(self) -> bool {
        self.store == StoreHealth::Ok && !self.stopping
    }
}

/// Looks after the health of a server.
pub(crate) struct HealthWatch {
    store: Store,
    /// The file of the store.
    database: PathBuf,
    stopped: watch::Receiver<bool>,
    /// How many databases lie aside, as of the last look.
    damaged_kept: AtomicUsize,
    /// What the last look has found, and when.
    last: watch::Sender<Option<(Instant, StoreHealth)>>,
    /// The one place of those who look: each look takes a thread for as long as the store takes.
    looking: Arc<Semaphore>,
}

/// What has come to light of a large database.
fn tell(soundness: &Soundness) {
    match soundness {
        Soundness::Damaged(reason) => tracing::error!(
            reason,
            "the database is damaged: start the server again, and what can be read of it is taken over into a new one"
        ),
        Soundness::Sound => tracing::info!("the whole database was looked through, and is sound"),
        Soundness::Unknown => {
            tracing::info!("the database is large, and is looked through while it is used");
        }
    }
}

impl HealthWatch {
    pub(crate) fn new(
        store: Store,
        database: PathBuf,
        stopped: watch::Receiver<bool>,
    ) -> Arc<Self> {
        Arc::new(Self {
            damaged_kept: AtomicUsize::new(store.kept_aside().len()),
            store,
            database,
            stopped,
            last: watch::Sender::default(),
            looking: Arc::new(Semaphore::new(1)),
        })
    }

    /// Looks, or remembers the last look if that was a moment ago or if somebody looks already: anybody may ask as
    /// often as they like.
    pub(crate) async fn readiness(&self) -> Readiness {
        let remembered = *self.last.borrow();
        let store = match remembered {
            Some((at, store)) if at.elapsed() < HEALTH_REMEMBERED => store,
            _ => self.look().await,
        };
        Readiness {
            store,
            damaged_kept: self.damaged_kept.load(Ordering::Relaxed),
            stopping: *self.stopped.borrow(),
        }
    }

    /// Says when something cannot be written any more, and when it can. Never ends by itself.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut ticks = interval(HEALTH_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut trouble: Option<StoreError> = None;
        let mut soundness = Soundness::Sound;
        loop {
            ticks.tick().await;
            let looked = self.store.soundness();
            if looked != soundness {
                tell(&looked);
                soundness = looked;
            }
            let kept = self.store.kept_aside().len();
            self.damaged_kept.store(kept, Ordering::Relaxed);
            let found = self.store.stats().trouble;
            match (&trouble, &found) {
                (None, Some(error)) => {
                    tracing::error!(%error, "nothing can be kept: the server answers what it can without, and looks again by itself");
                }
                (Some(_), None) => tracing::info!("what is written is kept again"),
                _ => {}
            }
            // Where there is little room, that it is over is to be known before something is lost.
            if found.is_some() || self.has_little_room() {
                self.look().await;
            }
            trouble = found;
        }
    }

    fn has_little_room(&self) -> bool {
        let disk = rustix::fs::statvfs(&self.database);
        disk.is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < DISK_FREE_MIN)
    }

    /// Looks, unless that goes on already: then what was found last is told, the first time when it is found.
    async fn look(&self) -> StoreHealth {
        let before = *self.last.borrow();
        let mut found = self.last.subscribe();
        if let Ok(place) = Arc::clone(&self.looking).try_acquire_owned() {
            let (store, last) = (self.store.clone(), self.last.clone());
            // A task of its own: however long it takes and whoever waits, it keeps its place.
            tokio::spawn(async move {
                let health = match call(&store, |store| store.probe()).await {
                    Ok(()) => StoreHealth::Ok,
                    Err(StoreError::DiskFull { .. }) => StoreHealth::Full,
                    Err(_) => StoreHealth::Failed,
                };
                last.send_replace(Some((Instant::now(), health)));
                drop(place);
            });
        } else if let Some((_, health)) = before {
            return health;
        }
        match timeout(HEALTH_PATIENCE, found.changed()).await {
            Ok(_) => found
                .borrow()
                .map_or(StoreHealth::Slow, |(_, health)| health),
            Err(_) => {
                let slow = StoreHealth::Slow;
                self.last.send_replace(Some((Instant::now(), slow)));
                slow
            }
        }
    }
}

/// Says in the log that something was not kept. That the disk is full is said once, by [`HealthWatch::watch`]: the log may be
/// on it.
pub(crate) fn not_kept(error: &StoreError, what: &'static str) {
    match error {
        StoreError::DiskFull { .. } => tracing::debug!(%error, what, "not kept"),
        _ => tracing::error!(%error, what, "not kept"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// However many ask while the store does not answer, one thread waits for it; and what they are told is true.
    #[tokio::test]
    async fn one_looks_for_all_who_ask() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("db");
        let store = Store::open(&database).unwrap();
        let (_stop, stopped) = watch::channel(false);
        let health = HealthWatch::new(store.clone(), database.clone(), stopped);
        assert_eq!(health.readiness().await.store, StoreHealth::Ok);

        let other = rusqlite::Connection::open(&database).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        tokio::time::sleep(HEALTH_REMEMBERED).await;
        let writes = store.stats().writes;
        let asking: Vec<_> = (0..50)
            .map(|_| {
                let health = Arc::clone(&health);
                tokio::spawn(async move { health.readiness().await.store })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let stats = store.stats();
        assert!(stats.waiting + stats.writes - writes <= 1, "{stats:?}");
        for (number, asked) in asking.into_iter().enumerate() {
            let wanted = match number {
                0 => StoreHealth::Slow,
                // What was found last.
                _ => StoreHealth::Ok,
            };
            assert_eq!(asked.await.unwrap(), wanted);
        }
        // The look goes on, and whoever asks now is told that it takes long.
        assert_eq!(health.readiness().await.store, StoreHealth::Slow);
        tokio::time::sleep(HEALTH_REMEMBERED).await;
        assert_eq!(health.readiness().await.store, StoreHealth::Slow);
        assert!(store.stats().waiting + store.stats().writes - writes <= 1);
        other.execute_batch("COMMIT").unwrap();
        while health.readiness().await.store != StoreHealth::Ok {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
