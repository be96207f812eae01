//! How many of those who are turned away are told so: it must not cost more than letting them in.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::gate::Pace;
use crate::limits::{TLS_TURNED_AWAY_PER_SECOND, TURNED_AWAY_TOGETHER_MAX};

/// The places for those who are being told to come back.
#[derive(Debug)]
pub(super) struct Turning {
    together: Arc<Semaphore>,
    /// A handshake of TLS costs more than anything else here.
    tls: Mutex<Pace>,
}

impl Turning {
    pub(super) fn new(now: Instant) -> Self {
        let pace = Pace::new(TLS_TURNED_AWAY_PER_SECOND, TLS_TURNED_AWAY_PER_SECOND, now);
        Self {
            together: Arc::new(Semaphore::new(TURNED_AWAY_TOGETHER_MAX)),
            tls: Mutex::new(pace),
        }
    }

    /// A place for one more, if there is one.
    pub(super) fn place(&self, is_tls: bool, now: Instant) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.together).try_acquire_owned().ok()?;
        let is_affordable = !is_tls
            || self
                .tls
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take_ready(now);
        is_affordable.then_some(place)
    }
}
