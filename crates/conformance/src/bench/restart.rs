//! Whether the Agent has really started anew: a link that ends and comes back is no evidence.

use std::time::Duration;

use super::{Bench, Kind, SUBSCRIPTIONS, Settings, create};
use crate::limits::NOTIFY_PATIENCE;
use crate::stop::{Done, Stop};

/// Parameters that begin at 0 when the Agent, or all of the device, starts; in seconds.
const UP_TIMES: [&str; 2] = ["Device.LocalAgent.UpTime", "Device.DeviceInfo.UpTime"];

/// How long it has to have been up, for a start to be told by its being up for less.
const UP_LEAST: u64 = 5;

const BOOT: &str = "Device.Boot!";

/// The ID of the Subscription to boots, where nothing else tells of them.
const BOOT_ID: &str = "evidence-of-boot";

/// What tells the Agent's life from the next one.
#[derive(Debug)]
pub struct Life {
    at: Duration,
    up: Vec<(&'static str, u64)>,
}

impl Bench {
    /// Takes down for how long the Agent has been up, or subscribes to its boots where it does not tell that.
    ///
    /// # Errors
    /// It refuses, or nothing of it would tell of a restart.
    pub fn remember_life(&mut self) -> Result<Life, Stop> {
        self.step("Take down what tells whether the Agent has started anew");
        let mut life = self.life()?;
        let shortest = life.up.iter().map(|(_, seconds)| *seconds).min();
        if let Some(missing) = shortest.and_then(|seconds| UP_LEAST.checked_sub(seconds)) {
            self.pass(Duration::from_secs(missing));
            life = self.life()?;
        }
        if life.up.is_empty() {
            if !self.features.has(BOOT) {
                let reason = format!(
                    "the Agent has neither {} nor {BOOT}, so that nothing tells whether it has started anew",
                    UP_TIMES.join(" nor ")
                );
                return Err(Stop::NotRunnable(reason));
            }
            let row = create(SUBSCRIPTIONS).with("Enable", "true");
            let row = row.with("ID", BOOT_ID).with("NotifType", "Event");
            self.added(row.must("ReferenceList", BOOT))?;
        }
        Ok(life)
    }

    /// Waits until the Agent is back as [`Bench::await_return`] does, and wants evidence that it has started anew:
    /// it has been up for less than if it had not, or tells of its boot.
    ///
    /// # Errors
    /// It is not back in time, or has only dropped its link.
    pub fn await_new_life(&mut self, before: &Life) -> Done {
        self.await_return()?;
        self.step("See that it has started anew");
        if before.up.is_empty() {
            return self
                .await_notify(Kind::Event, BOOT_ID, NOTIFY_PATIENCE)
                .map(drop);
        }
        let after = self.life()?;
        let passed = after.at.saturating_sub(before.at).as_secs();
        let is_new = |(path, seconds): &(&str, u64)| {
            let was = before.up.iter().find(|(other, _)| other == path);
            // A second may be cut off on either side.
            was.is_some_and(|(_, was)| seconds + 2 <= was + passed)
        };
        match after.up.iter().any(is_new) {
            true => Ok(()),
            false => Err(Stop::Failed(format!(
                "the Agent was to start anew, and has only dropped its link: {passed} s ago it was up for {:?} s, \
                 now for {:?} s",
                seconds_of(&before.up),
                seconds_of(&after.up)
            ))),
        }
    }

    fn life(&mut self) -> Result<Life, Stop> {
        let mut up = Vec::new();
        for path in UP_TIMES {
            if self.features.has(path)
                && let Ok(seconds) = self.value(path)?.parse()
            {
                up.push((path, seconds));
            }
        }
        let at = self.now();
        Ok(Life { at, up })
    }
}

fn seconds_of(up: &[(&str, u64)]) -> Vec<u64> {
    up.iter().map(|(_, seconds)| *seconds).collect()
}
