//! The lives of Operations in virtual time: what is written, what is sent, and in which order.

mod rules;
mod soak;

use std::collections::{BTreeMap, VecDeque};

use serde_json::json;
use usphere_datamodel::operation::{Completion, Get, Operate, OperateResult, OperateStatus, Set};
use usphere_store::Operation as Row;

use super::*;
use crate::limits::{ATTEMPTS_MAX, COMPLETION_TIME};

const DEVICE: &str = "self::device";
const PATIENCE: i64 = 30_000;
const DAY: i64 = 24 * 3600 * 1000;

/// The engine, a store that writes when it is told to, and a device that answers when it is told to.
#[derive(Default)]
struct Scene {
    core: Core,
    now: i64,
    last: i64,
    is_online: bool,
    /// Not written yet.
    writes: VecDeque<(Ticket, OperationWrite)>,
    /// What is durable.
    rows: BTreeMap<i64, Row>,
    /// What the device was asked, in order.
    sent: Vec<Number>,
    accepted: Vec<Number>,
    ended: Vec<(Number, Arc<End>)>,
}

impl Scene {
    fn new(is_online: bool) -> Self {
        Self {
            is_online,
            now: 1000,
            ..Self::default()
        }
    }

    fn handle(&mut self, input: Input) {
        self.core.handle(input, self.now);
        while let Some(output) = self.core.poll() {
            match output {
                Output::Accepted(number) => self.accepted.push(number),
                Output::Ended(number, end) => self.ended.push((number, end)),
                Output::Send { number, .. } => {
                    let row = &self.rows[&number.0];
                    // Nothing reaches a device before the row says that it may have.
                    assert_eq!(row.state, Some(OperationState::Sent), "{number}");
                    self.sent.push(number);
                }
                Output::Write(ticket, write) => self.writes.push_back((ticket, write)),
            }
        }
    }

    fn submit(&mut self, request: Operation, is_awaited: bool) -> Number {
        self.last += 1;
        let number = Number(self.last);
        let expires = self.now + if is_awaited { PATIENCE } else { DAY };
        self.handle(Input::Submitted(Box::new(Submission {
            number,
            device: DEVICE.into(),
            json: json!({"n": self.last}).to_string(),
            request,
            key: None,
            is_awaited,
            patience: PATIENCE,
            expires,
            is_online: self.is_online,
        })));
        number
    }

    /// Somebody wants it, and does not wait for it; it is kept.
    fn queue(&mut self, request: Operation) -> Number {
        let number = self.submit(request, false);
        self.write_all();
        number
    }

    /// Writes one; whether there was one.
    fn write_one(&mut self) -> bool {
        let Some((ticket, write)) = self.writes.pop_front() else {
            return false;
        };
        self.keep(write);
        self.handle(Input::Stored(ticket));
        true
    }

    fn write_all(&mut self) {
        while self.write_one() {}
    }

    fn fail_writes(&mut self) {
        for (ticket, _) in std::mem::take(&mut self.writes) {
            self.handle(Input::Unstored(ticket));
        }
    }

    fn keep(&mut self, write: OperationWrite) {
        match write {
            OperationWrite::Add(new) => {
                let row = Row {
                    number: new.number,
                    device: new.device,
                    kind: new.kind,
                    request: new.request,
                    command_key: new.command_key,
                    is_awaited: new.is_awaited,
                    patience: new.patience,
                    created: new.created,
                    expires: new.expires,
                    state: None,
                    updated: 0,
                    attempts: 0,
                    outcome: None,
                    outcome_bytes: 0,
                    error: None,
                };
                assert!(self.rows.insert(new.number, row).is_none(), "added twice");
                self.progress(new.number, new.progress);
            }
            OperationWrite::Change(number, progress) => self.progress(number, progress),
        }
    }

    fn progress(&mut self, number: i64, progress: OperationProgress) {
        let row = self.rows.get_mut(&number).expect("it was added");
        assert!(
            !row.state.is_some_and(OperationState::is_end),
            "nothing follows an end"
        );
        row.state = Some(progress.state);
        row.updated = progress.updated;
        row.attempts = progress.attempts;
        row.outcome = progress.outcome;
        row.outcome_bytes = progress.outcome_bytes;
        row.error = progress.error;
    }

    fn answer(&mut self, number: Number, answer: Result<Outcome, OperationError>) {
        let is_online = self.is_online;
        self.handle(Input::Answered {
            number,
            answer,
            is_online,
        });
    }

    /// The device answers, and that is written.
    fn done(&mut self, number: Number) {
        self.answer(number, Ok(outcome()));
        self.write_all();
    }

    fn arrive(&mut self) {
        self.is_online = true;
        self.handle(Input::Online(DEVICE.to_owned()));
        self.write_all();
    }

    fn sleep_until(&mut self, time: i64) {
        while let Some(deadline) = self.core.deadline()
            && deadline <= time
        {
            self.now = self.now.max(deadline);
            self.handle(Input::Tick);
            self.write_all();
        }
        self.now = time;
    }

    /// The process is killed, and another takes up what is durable.
    fn kill(&mut self) {
        self.core = Core::default();
        self.writes.clear();
        self.is_online = false;
        for row in self.rows.clone().into_values() {
            if !row.state.is_some_and(OperationState::is_end) {
                self.handle(Input::Recovered(Box::new(row)));
            }
        }
        self.write_all();
    }

    fn row(&mut self, number: Number) -> &mut Row {
        self.rows.get_mut(&number.0).expect("it was added")
    }

    fn state(&self, number: Number) -> &'static str {
        let row = &self.rows[&number.0];
        row.state.expect("a state").name()
    }

    fn error(&self, number: Number) -> String {
        let error = self.rows[&number.0].error.as_deref();
        let json: serde_json::Value = serde_json::from_str(error.unwrap_or("{}")).expect("JSON");
        json["error"].as_str().unwrap_or_default().to_owned()
    }

    /// What was told to whoever waits.
    fn told(&self, number: Number) -> Option<&End> {
        let ended = self.ended.iter().rev().find(|(told, _)| *told == number);
        ended.map(|(_, end)| end.as_ref())
    }
}

fn get() -> Operation {
    Operation::Get(Get::default())
}

fn set() -> Operation {
    Operation::Set(Set::default())
}

fn operate(key: &str) -> Operation {
    Operation::Operate(Operate {
        command_key: key.to_owned(),
        ..Operate::new("Device.Go()")
    })
}

fn outcome() -> Outcome {
    Outcome::Get(usphere_datamodel::operation::GetOutcome::default())
}

fn started(commands: &[&str]) -> Outcome {
    let results = commands.iter().map(|command| OperateResult {
        command: (*command).to_owned(),
        status: OperateStatus::Started("Device.LocalAgent.Request.1.".into()),
    });
    Outcome::Operate(OperateOutcome {
        results: results.collect(),
    })
}

fn command_end(command: &str, key: &str) -> Input {
    Input::Completed {
        device: DEVICE.into(),
        key: key.into(),
        end: CommandEnd {
            command: command.into(),
            completion: Completion::Completed(BTreeMap::new()),
        },
    }
}
