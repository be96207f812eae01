//! Whether the server can do its work, and saying so when that changes.
//!
//! Where nothing can be written, because the disk is full for example, the server goes on as far as it can: who is
//! connected stays so, what is there can be read, and whoever wants something kept is told that it is not. It looks
//! again by itself until something can be written.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use usphere_store::{Store, StoreError};

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
    last: Mutex<Option<(Instant, StoreHealth)>>,
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
            last: Mutex::default(),
        })
    }

    /// Looks, or remembers the last look if that was a moment ago: anybody may ask as often as they like.
    pub(crate) async fn readiness(&self) -> Readiness {
        let remembered = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
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
        loop {
            ticks.tick().await;
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

    async fn look(&self) -> StoreHealth {
        let store = self.store.clone();
        let probe = tokio::task::spawn_blocking(move || store.probe());
        let health = match timeout(HEALTH_PATIENCE, probe).await {
            Ok(Ok(Ok(()))) => StoreHealth::Ok,
            Ok(Ok(Err(StoreError::DiskFull { .. }))) => StoreHealth::Full,
            Ok(Ok(Err(_)) | Err(_)) => StoreHealth::Failed,
            Err(_) => StoreHealth::Slow,
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), health));
        health
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
