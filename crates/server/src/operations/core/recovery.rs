//! What becomes of Operations that an earlier life of the server left behind.

use std::sync::Arc;

use usphere_datamodel::operation::{OperateOutcome, OperationKind};
use usphere_store::{Milliseconds, Operation, OperationState};

use super::{Core, Live, Phase, is_repeatable};
use crate::limits::{ATTEMPTS_MAX, COMPLETION_TIME};
use crate::operations::end::Failure;
use crate::operations::name::Number;

impl Core {
    /// Takes one up again. A row that says nothing sensible ends, and is in nobody's way.
    pub(super) fn recover(&mut self, row: Operation, now: Milliseconds) {
        let number = Number(row.number);
        let device: Arc<str> = row.device.as_str().into();
        let kind: Result<OperationKind, _> = row.kind.parse();
        let lane = self.lanes.entry(Arc::clone(&device)).or_default();
        lane.live.insert(number);
        self.bytes += row.request.len();
        let live = Live {
            device: Arc::clone(&device),
            kind: kind.unwrap_or(OperationKind::Operate),
            phase: Phase::Sent,
            is_awaited: row.is_awaited,
            request: None,
            bytes: row.request.len(),
            command_key: row.command_key.clone(),
            patience: row.patience,
            expires: row.expires,
            attempts: row.attempts,
            serial: 0,
            timer: None,
            is_told: true,
            early: Vec::new(),
        };
        self.live.insert(number, live);
        match (kind, row.state) {
            (Ok(_), Some(OperationState::Queued)) if row.is_awaited => {
                self.end(number, Err(Failure::Unsent), now);
            }
            (Ok(_), Some(OperationState::Queued)) => self.recover_queued(number),
            (Ok(kind), Some(OperationState::Sent)) => {
                let may_repeat =
                    is_repeatable(kind) && !row.is_awaited && row.attempts < ATTEMPTS_MAX;
                match may_repeat {
                    true => self.requeue(number, now),
                    false => self.end(number, Err(Failure::Interrupted), now),
                }
            }
            (Ok(_), Some(OperationState::Waiting)) => self.recover_waiting(number, &row, now),
            (Err(_), _)
            | (
                _,
                None
                | Some(OperationState::Done | OperationState::Expired | OperationState::Failed),
            ) => self.end(number, Err(Failure::Damaged), now),
        }
    }

    fn recover_queued(&mut self, number: Number) {
        let Some(live) = self.live.get_mut(&number) else {
            return;
        };
        live.phase = Phase::Queued;
        let expires = live.expires;
        if let Some(lane) = self.lanes.get_mut(&live.device) {
            lane.insert(number);
        }
        self.set_timer(number, Some(expires));
    }

    fn recover_waiting(&mut self, number: Number, row: &Operation, now: Milliseconds) {
        let outcome = row.outcome.as_deref().unwrap_or_default();
        let Ok(outcome) = serde_json::from_str::<OperateOutcome>(outcome) else {
            return self.end(number, Err(Failure::Damaged), now);
        };
        let until = row
            .updated
            .saturating_add(COMPLETION_TIME)
            .min(now + COMPLETION_TIME);
        if let Some(live) = self.live.get_mut(&number) {
            let outcome = Box::new(outcome);
            live.phase = Phase::Waiting { outcome, until };
        }
        self.set_timer(number, Some(until));
    }
}
