//! What devices answer, and what they tell of the ends of commands.

use std::sync::Arc;

use usphere_datamodel::operation::{OperateOutcome, OperationError, Outcome};
use usphere_store::{Milliseconds, OperationProgress, OperationState, OperationWrite};

use super::{Core, Phase, is_repeatable, progress};
use crate::limits::{ATTEMPTS_MAX, COMMAND_ENDS_EARLY_MAX, COMPLETION_TIME, OUTCOME_BYTES_MAX};
use crate::operations::end::{self, CommandEnd, Failure};
use crate::operations::name::Number;

impl Core {
    pub(super) fn answered(
        &mut self,
        number: Number,
        answer: Result<Outcome, OperationError>,
        is_online: bool,
        now: Milliseconds,
    ) {
        let Some(live) = self.live.get_mut(&number) else {
            return;
        };
        if !matches!(live.phase, Phase::Sent) {
            return;
        }
        let may_wait = !live.is_awaited;
        let may_repeat = may_wait && is_repeatable(live.kind) && live.attempts < ATTEMPTS_MAX;
        let device = Arc::clone(&live.device);
        if let Some(lane) = self.lanes.get_mut(&device) {
            lane.is_online = is_online;
        }
        match answer {
            Ok(Outcome::Operate(outcome)) if end::is_running(&outcome) => {
                self.wait(number, outcome, now);
            }
            Ok(outcome) => self.end(number, Ok(outcome), now),
            // These two were not sent.
            Err(OperationError::NotConnected) if may_wait => {
                live.attempts = live.attempts.saturating_sub(1);
                self.requeue(number, now);
            }
            Err(OperationError::Overloaded { .. }) if may_wait => {
                live.attempts = live.attempts.saturating_sub(1);
                self.requeue(number, now);
                self.pause(number, now);
            }
            Err(OperationError::Disconnected) if may_repeat => self.requeue(number, now),
            Err(error) => self.end(number, Err(Failure::Device(error)), now),
        }
        if !is_online {
            self.abandon(&device, now);
        }
        self.advance(&device, now);
    }

    /// The answer says that a command runs: its end is to be told.
    fn wait(&mut self, number: Number, mut outcome: OperateOutcome, now: Milliseconds) {
        self.release(number);
        let Some(live) = self.live.get_mut(&number) else {
            return;
        };
        let early = std::mem::take(&mut live.early);
        for end in &early {
            end::complete(&mut outcome, end);
        }
        self.run_on(number, outcome, now);
    }

    pub(super) fn completed(
        &mut self,
        device: &str,
        key: &str,
        told: CommandEnd,
        now: Milliseconds,
    ) {
        let running: Vec<Number> = self.running(device, key).collect();
        for number in running {
            let Some(live) = self.live.get_mut(&number) else {
                continue;
            };
            match &mut live.phase {
                Phase::Waiting { outcome, .. } => {
                    let mut outcome = outcome.as_ref().clone();
                    if end::complete(&mut outcome, &told) {
                        return self.run_on(number, outcome, now);
                    }
                }
                _ if live.early.len() < COMMAND_ENDS_EARLY_MAX => {
                    return live.early.push(told);
                }
                _ => {}
            }
        }
    }

    /// Takes down how far its commands are.
    pub(super) fn run_on(&mut self, number: Number, outcome: OperateOutcome, now: Milliseconds) {
        let (json, bytes) = end::bounded(&outcome, OUTCOME_BYTES_MAX);
        // What is too large to be kept could not be taken up again.
        if !end::is_running(&outcome) || json.is_none() {
            return self.end(number, Ok(Outcome::Operate(outcome)), now);
        }
        let Some(live) = self.live.get_mut(&number) else {
            return;
        };
        let until = match live.phase {
            Phase::Waiting { until, .. } => until,
            _ => now + COMPLETION_TIME,
        };
        let outcome = Box::new(outcome);
        live.phase = Phase::Waiting { outcome, until };
        let progress = OperationProgress {
            outcome: json,
            outcome_bytes: bytes,
            ..progress(OperationState::Waiting, now, live.attempts)
        };
        self.set_timer(number, Some(until));
        self.write(number, OperationWrite::Change(number.0, progress));
    }

    /// Those whose commands may run under this key, the oldest first.
    pub(super) fn running(&self, device: &str, key: &str) -> impl Iterator<Item = Number> {
        let lane = self.lanes.get(device);
        let numbers = lane.into_iter().flat_map(|lane| lane.live.iter().copied());
        numbers.filter(move |number| {
            self.live.get(number).is_some_and(|live| {
                matches!(live.phase, Phase::Sent | Phase::Waiting { .. })
                    && live.command_key.as_deref() == Some(key)
            })
        })
    }
}
