//! What the Agent does over time: asynchronous commands, timers, restarts, Boot! and Periodic!.
//!
//! An asynchronous command has a row of `Device.LocalAgent.Request.` from its acceptance to its end, and
//! nothing but Cancel() ends it early: neither its Controller's going nor its deletion (R-OPR.3). It begins
//! once the row is durable, and OperationComplete is told once it is durable that the row is gone, so that
//! no power cut makes a row that nothing runs for, or an end that is told twice.
//!
//! What was in progress when the Agent stopped has failed, as TR-369 expects ("Persistence of Asynchronous
//! Operations"), and whoever waits for it has to hear so: at the next start the row goes, and
//! OperationComplete tells the failure. Device.ScheduleTimer() goes on, as its description demands.
//!
//! | module | what it does |
//! |---|---|
//! | `requests` | asynchronous commands from begin to end |
//! | `timer` | when a timer ends, also after a restart |
//! | `boot` | restarts, and the Boot! after them |
//! | `periodic` | Periodic! for each Controller |

mod boot;
mod periodic;
mod requests;
mod timer;

use std::collections::BTreeMap;

use usphere_datamodel::{Moment, Ticket, Transaction};

use super::Agent;
use super::plans::Conclusion;
use crate::event::{Output, RestartAction};
use crate::handlers::Effect;
use crate::limits::RESTART_DELAY;
pub use boot::reset_store;
pub(super) use boot::{Booted, is_first_start};
use boot::{Cause, take_cause};
use periodic::Period;
pub(super) use periodic::Schedule;
use requests::{Running, Survivor, survivors};

/// The tickets of asynchronous commands begin here, far above those of the Model.
const FIRST_TICKET: u64 = 1 << 63;

/// What a start finds.
#[derive(Debug)]
pub(super) struct Recovered {
    survivors: Vec<Survivor>,
    cause: Cause,
}

/// Everything that is under way.
#[derive(Debug, Default)]
pub(super) struct Operations {
    /// By the instance numbers of their Requests.
    running: BTreeMap<u32, Running>,
    begun: u64,
    /// When and how the Agent is to start anew.
    restart: Option<(Moment, RestartAction)>,
    /// By the instance numbers of the Controllers.
    periods: BTreeMap<u32, Period>,
}

impl Operations {
    /// When something is to be done.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let running = self.running.values().filter_map(Running::deadline);
        let periods = self.periods.values().map(Period::deadline);
        let restart = self.restart.iter().map(|(due, _)| *due);
        running.chain(periods).chain(restart).min()
    }

    /// Whether a question with this ticket is an asynchronous command.
    pub(super) fn asked(ticket: Ticket) -> bool {
        ticket.0 >= FIRST_TICKET
    }
}

impl Agent {
    /// Reads what was under way when the Agent stopped, and why it starts; `first` if it never has.
    pub(super) fn recover(&mut self, first: bool, now: Moment) {
        let work = move |transaction: &mut Transaction<'_>| {
            Conclusion::Recovered(Recovered {
                survivors: survivors(transaction),
                cause: take_cause(transaction, first),
            })
        };
        self.submit_own(Box::new(work), now);
    }

    /// Takes up what was under way, and tells why the Agent starts.
    pub(super) fn recovered(&mut self, recovered: Recovered, now: Moment) {
        self.resume(recovered.survivors, now);
        self.boot(recovered.cause, now);
    }

    /// Does what a request has set going, now that its changes are durable.
    pub(super) fn effect(&mut self, effects: Vec<Effect>, now: Moment) {
        if self.closing {
            // Whatever begins now would end at once; the next start tells so.
            return;
        }
        for effect in effects {
            match effect {
                Effect::Begin(begun) => self.begin_command(begun, now),
                Effect::Cancel(instance) => self.cancel(instance, now),
                Effect::Restart(action) => {
                    // Of several the first counts, but for a reset, which no other replaces.
                    let (due, before) = self
                        .operations
                        .restart
                        .unwrap_or((now + RESTART_DELAY, action));
                    let action = match before {
                        RestartAction::FactoryReset => before,
                        RestartAction::Reboot => action,
                    };
                    self.operations.restart = Some((due, action));
                }
            }
        }
    }

    /// Does what is due.
    pub(super) fn operations_due(&mut self, now: Moment) {
        if self.closing {
            return;
        }
        self.requests_due(now);
        self.periods_due(now);
        if let Some((_, action)) = self.operations.restart.take_if(|(due, _)| *due <= now) {
            self.outputs.push_back(Output::Restart { action });
        }
    }

    /// The wall clock was set, or has become right or wrong.
    pub(super) fn clock_was_set(&mut self, now: Moment) {
        self.reset_timers(now);
        self.reset_periods(now);
    }
}
