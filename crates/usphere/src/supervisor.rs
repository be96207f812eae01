//! What is told to systemd, where it has started the process: that it is ready, that it lives, that it ends.
//!
//! Nobody has to listen: a process that was started otherwise says nothing.

#[cfg(feature = "server")]
mod serving;

use std::future::pending;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The one who started the process.
#[derive(Debug)]
pub(crate) struct Supervisor {
    /// Where it wants to hear that the process lives.
    beats: Option<Interval>,
}

impl Supervisor {
    /// Needs a running runtime.
    pub(crate) fn find() -> Self {
        let beats = sd_notify::watchdog_enabled().map(|patience| {
            // Twice in that time, so that one that is late does no harm.
            let mut beats = interval((patience / 2).max(Duration::from_millis(1)));
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            beats
        });
        Self { beats }
    }

    /// The process does what it is for.
    pub(crate) fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// The process is about to end.
    pub(crate) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    /// Says that the process lives, and returns when that is to be said again. To be called again and again by what
    /// must not hang.
    pub(crate) async fn beat(&mut self) {
        match &mut self.beats {
            Some(beats) => drop(beats.tick().await),
            None => pending().await,
        }
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd could not be told");
    }
}
