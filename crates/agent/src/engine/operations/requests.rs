//! Asynchronous commands from begin to end. (R-OPR.0 to R-OPR.3)

use usphere_datamodel::model::{Outputs, OwnerError};
use usphere_datamodel::types::unix_micros;
use usphere_datamodel::{Moment, Ticket, Transaction};
use usphere_proto::ErrorCode;

use super::timer::Timer;
use super::{Agent, FIRST_TICKET};
use crate::clock::date_time;
use crate::codes::{Deed, code_of};
use crate::engine::notify::Occurrence;
use crate::engine::plans::Conclusion;
use crate::engine::survey::rows;
use crate::event::Output;
use crate::handlers::Begun;
use crate::limits::ENDING_RETRY;
use crate::objects::{DELAY_SECONDS, DUE, REQUESTS};

/// An asynchronous command in progress.
#[derive(Debug)]
pub(super) struct Running {
    /// Its path.
    command: String,
    command_key: String,
    task: Task,
    /// Whether Cancel() was asked for.
    canceling: bool,
    /// What came of it, while that is not durable yet.
    ending: Option<Ending>,
}

/// Who runs it.
#[derive(Clone, Copy, Debug)]
enum Task {
    /// Nobody any more: it was in progress when the Agent stopped.
    Lost,
    /// An owner, which was asked with this ticket.
    Owner(Ticket),
    /// The Agent.
    Timer(Timer),
}

#[derive(Debug)]
struct Ending {
    result: Result<Outputs, OwnerError>,
    /// When it is tried to be kept again; `None` while that is being done.
    retry: Option<Moment>,
}

/// A Request that was in progress when the Agent stopped.
#[derive(Debug)]
pub(super) struct Survivor {
    instance: u32,
    command: String,
    command_key: String,
    /// Seconds, if it is a timer.
    delay_seconds: Option<u32>,
    /// When it ends, in microseconds since 1970, if that is known.
    due: Option<i64>,
}

impl Running {
    /// When something is to be done about it.
    pub(super) fn deadline(&self) -> Option<Moment> {
        match (&self.ending, self.task) {
            (Some(ending), _) => ending.retry,
            (None, Task::Timer(timer)) => Some(timer.at()),
            (None, Task::Lost | Task::Owner(_)) => None,
        }
    }

    /// What the Request shows in the end.
    fn last_status(&self) -> &'static str {
        match &self.ending {
            Some(Ending { result: Ok(_), .. }) => "Success",
            _ if self.canceling => "Canceled",
            _ => "Error",
        }
    }
}

impl Agent {
    /// Begins a command that was accepted.
    pub(super) fn begin_command(&mut self, begun: Begun, now: Moment) {
        let task = match begun.delay_seconds {
            Some(delay) => Task::Timer(Timer::new(delay, self.utc(now), now)),
            None => {
                let ticket = Ticket(FIRST_TICKET + self.operations.begun);
                self.operations.begun += 1;
                self.outputs.push_back(Output::Begin {
                    ticket,
                    owner: begun.owner,
                    command: begun.command.clone(),
                    arguments: begun.arguments,
                });
                Task::Owner(ticket)
            }
        };
        self.run(begun.instance, begun.command, begun.command_key, task, now);
    }

    /// Ends the command of a Request as soon as possible.
    pub(super) fn cancel(&mut self, instance: u32, now: Moment) {
        let Some(running) = self.operations.running.get_mut(&instance) else {
            return;
        };
        if running.ending.is_some() || running.canceling {
            return;
        }
        running.canceling = true;
        match running.task {
            Task::Owner(ticket) => self.outputs.push_back(Output::Cancel { ticket }),
            Task::Lost | Task::Timer(_) => {
                self.ended(instance, Err(OwnerError::failed("canceled")), now);
            }
        }
    }

    /// An owner says what came of a command. Without such a command nothing follows.
    pub(in crate::engine) fn operated(
        &mut self,
        ticket: Ticket,
        result: Result<Outputs, OwnerError>,
        now: Moment,
    ) {
        let mut running = self.operations.running.iter();
        let found = running.find(|(_, running)| {
            running.ending.is_none() && matches!(running.task, Task::Owner(its) if its == ticket)
        });
        if let Some((&instance, _)) = found {
            self.ended(instance, result, now);
        }
    }

    /// Ends timers that are due, and tries again to keep what could not be kept.
    pub(super) fn requests_due(&mut self, now: Moment) {
        let running = self.operations.running.iter();
        let due = running.filter(|(_, running)| running.deadline().is_some_and(|due| due <= now));
        let due: Vec<(u32, bool)> = due
            .map(|(instance, running)| (*instance, running.ending.is_some()))
            .collect();
        for (instance, has_ended) in due {
            if has_ended {
                self.show_end(instance, now);
            } else {
                self.ended(instance, Ok(Outputs::new()), now);
            }
        }
    }

    /// Goes on with timers; everything else has failed.
    pub(super) fn resume(&mut self, survivors: Vec<Survivor>, now: Moment) {
        for Survivor {
            instance,
            command,
            command_key,
            delay_seconds,
            due,
        } in survivors
        {
            let task = match delay_seconds {
                Some(delay) => Task::Timer(Timer::survived(delay, due, self.utc(now), now)),
                None => Task::Lost,
            };
            self.run(instance, command, command_key, task, now);
            if matches!(task, Task::Lost) {
                let text = "the Agent was restarted while the command was in progress";
                self.ended(instance, Err(OwnerError::failed(text)), now);
            }
        }
    }

    /// Counts timers anew by the wall clock.
    pub(super) fn reset_timers(&mut self, now: Moment) {
        let utc = self.utc(now);
        let mut learnt = Vec::new();
        for (instance, running) in &mut self.operations.running {
            if let Task::Timer(timer) = &mut running.task
                && let Some(due) = timer.reset(utc, now)
            {
                learnt.push((format!("{REQUESTS}{instance}."), due));
            }
        }
        for (row, due) in learnt {
            self.publish(row, DUE, date_time(due), now);
        }
    }

    /// It is in progress from now on.
    fn run(
        &mut self,
        instance: u32,
        command: String,
        command_key: String,
        task: Task,
        now: Moment,
    ) {
        let running = Running {
            command,
            command_key,
            task,
            canceling: false,
            ending: None,
        };
        self.operations.running.insert(instance, running);
        if matches!(task, Task::Lost) {
            return;
        }
        let work = move |transaction: &mut Transaction<'_>| {
            // Cancel() may have come first.
            show_status(transaction, instance, Some("Requested"), "Active");
            Conclusion::Published
        };
        self.submit_own(Box::new(work), now);
    }

    /// The command of the Request has ended, which its Status shows before it goes.
    fn ended(&mut self, instance: u32, result: Result<Outputs, OwnerError>, now: Moment) {
        let Some(running) = self.operations.running.get_mut(&instance) else {
            return;
        };
        running.ending = Some(Ending {
            result,
            retry: None,
        });
        self.show_end(instance, now);
    }

    /// Shows in the Request what came of its command.
    fn show_end(&mut self, instance: u32, now: Moment) {
        let Some(running) = self.operations.running.get_mut(&instance) else {
            return;
        };
        let status = running.last_status();
        if let Some(ending) = &mut running.ending {
            ending.retry = None;
        }
        let work = move |transaction: &mut Transaction<'_>| {
            show_status(transaction, instance, None, status);
            Conclusion::EndShown { instance }
        };
        self.submit_own(Box::new(work), now);
    }

    /// Takes the Request away. (R-OPR.0)
    pub(in crate::engine) fn keep_ending(&mut self, instance: u32, now: Moment) {
        let work = move |transaction: &mut Transaction<'_>| {
            let row = transaction.find(&format!("{REQUESTS}{instance}."));
            let kept = row.is_none_or(|row| transaction.delete_row(row).is_ok());
            Conclusion::Ended { instance, kept }
        };
        self.submit_own(Box::new(work), now);
    }

    /// The Request is gone if that was `kept`, and whoever wants to know is told what came of it.
    pub(in crate::engine) fn ending_kept(&mut self, instance: u32, kept: bool, now: Moment) {
        if !kept {
            let running = self.operations.running.get_mut(&instance);
            if let Some(ending) = running.and_then(|running| running.ending.as_mut()) {
                ending.retry = Some(now + ENDING_RETRY);
            }
            return;
        }
        let Some(running) = self.operations.running.remove(&instance) else {
            return;
        };
        let Some(Ending { result, .. }) = running.ending else {
            return;
        };
        let canceling = running.canceling;
        let result = result.map_err(|error| match canceling {
            true => {
                let code = ErrorCode::CommandCanceled.number();
                (code, "the command was canceled by Cancel()".to_owned())
            }
            false => (code_of(error.kind, Deed::Operate).number(), error.text),
        });
        let name = running.command.rfind('.').map_or(0, |dot| dot + 1);
        let (object, command) = running.command.split_at(name);
        self.occurred(Occurrence::Complete {
            object: object.to_owned(),
            command: command.to_owned(),
            command_key: running.command_key,
            result,
        });
    }
}

/// Shows another Status in the row of a Request, if there is one and it shows `before`.
fn show_status(
    transaction: &mut Transaction<'_>,
    instance: u32,
    before: Option<&str>,
    status: &str,
) {
    if let Some(row) = transaction.find(&format!("{REQUESTS}{instance}."))
        && let Some(parameter) = transaction.parameter(row, "Status")
        && before.is_none_or(|before| transaction.text(row, "Status") == before)
    {
        // It is volatile and of its type: at worst it is not shown.
        let _ = transaction.assign(row, parameter, status);
    }
}

/// What was in progress when the Agent stopped.
pub(super) fn survivors(transaction: &mut Transaction<'_>) -> Vec<Survivor> {
    let Some(agent) = transaction.find("Device.LocalAgent.") else {
        return Vec::new();
    };
    let mut survivors = Vec::new();
    for row in rows(transaction, agent, "Request") {
        let delay = transaction.text(row, DELAY_SECONDS).parse().ok();
        survivors.push(Survivor {
            instance: transaction.instance(row),
            command: transaction.text(row, "Command").to_owned(),
            command_key: transaction.text(row, "CommandKey").to_owned(),
            delay_seconds: delay.filter(|delay| *delay > 0),
            due: unix_micros(transaction.text(row, DUE)),
        });
    }
    survivors
}
