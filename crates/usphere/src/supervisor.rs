//! What is told to systemd, where it has started the process: that it is ready, that it lives, that it ends.
//!
//! Nobody has to listen: a process that was started otherwise says nothing.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Time between two words of a start that goes on.
const START_INTERVAL: Duration = Duration::from_secs(10);

/// How long systemd waits for the next.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// How many there are: half an hour of them.
const STARTS_TOLD_MAX: u32 = 180;

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

    /// Waits for what has to be done before the process is ready, which may take longer than systemd would wait:
    /// says all the while that it goes on, but not for ever.
    pub(crate) async fn starting<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut ticks = interval(START_INTERVAL);
        for _ in 0..STARTS_TOLD_MAX {
            tokio::select! {
                biased;
                _ = ticks.tick() => {}
                done = &mut work => return done,
            }
            let micros = START_PATIENCE.as_micros();
            tell(&[NotifyState::ExtendTimeoutUsec(
                u32::try_from(micros).unwrap_or(u32::MAX),
            )]);
        }
        work.await
    }

    /// The process does what it is for.
    pub(crate) fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// The configuration is being taken up; [`ready`](Self::ready) says that it was.
    pub(crate) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::debug!(%error, "the clock of the system does not tell"),
        }
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
