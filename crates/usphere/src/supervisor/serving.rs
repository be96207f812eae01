//! What a server tells besides: that its start goes on, and that it takes up its configuration.

use std::pin::pin;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::interval;

use super::{Supervisor, tell};

/// Time between two words of a start that goes on.
const START_INTERVAL: Duration = Duration::from_secs(10);

/// How long systemd waits for the next.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// How many there are: half an hour of them.
const STARTS_TOLD_MAX: u32 = 180;

impl Supervisor {
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

    /// The configuration is being taken up; [`ready`](Self::ready) says that it was.
    pub(crate) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::debug!(%error, "the clock of the system does not tell"),
        }
    }
}
