//! One simulated device: the engine, and all that it needs but links.
//!
//! Driven as the engine is: [`Device::handle`], drain [`Device::poll`], come back at
//! [`Device::deadline`] with [`Device::turn`]. It reads no clock and no chance but its own.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use usphere_agent::{
    Agent, DialId, HangupReason, Input, LinkId, Output, RestartAction, Target, reset_store,
};
use usphere_datamodel::Moment;
use usphere_proto::msg::MsgType;
use usphere_proto::{EndpointId, Msg, Record};

use crate::chance::Chance;
use crate::gateway::{Gateway, OWNER, Situation};
use crate::journal::{Journal, Template};
use crate::limits::{REBOOT_MIN, REBOOT_SPREAD};
use crate::plan::{Kit, PlanError};
use crate::tally::Count;

/// What a device wants done.
#[derive(Debug)]
pub enum Want {
    /// Give up an attempt to connect.
    CancelDial {
        /// The attempt.
        dial: DialId,
    },
    /// Cut a connection without a word, as a cable would; the device knows that it is gone.
    Cut {
        /// The connection.
        link: LinkId,
    },
    /// Connect; [`Input::Connected`] or [`Input::DialFailed`] is the answer.
    Dial {
        /// The name of the attempt.
        dial: DialId,
        /// Where.
        target: Target,
        /// Time between two Pings.
        ping_interval: Duration,
    },
    /// Close a connection, after what was sent on it.
    Hangup {
        /// The connection.
        link: LinkId,
        /// The status code of the Close frame.
        code: u16,
        /// Why.
        reason: HangupReason,
    },
    /// Send a Record.
    Send {
        /// The connection.
        link: LinkId,
        /// The Record.
        record: Record,
    },
}

/// One simulated device.
pub struct Device {
    kit: Arc<Kit>,
    index: u32,
    id: EndpointId,
    /// `None` while it is down.
    engine: Option<Agent>,
    /// When it comes up, or has come up.
    up: Moment,
    lives: u64,
    gateway: Gateway,
    journal: Journal,
    chance: Chance,
    changes: Option<Moment>,
    loss: Option<Moment>,
    reboot: Option<Moment>,
    dial: Option<DialId>,
    link: Option<LinkId>,
    wants: VecDeque<Want>,
}

impl Device {
    /// Device number `index` of a fleet, from 0 on, which starts now for the first time.
    ///
    /// # Errors
    /// Its Endpoint ID is none.
    pub fn start(kit: &Arc<Kit>, index: u32, now: Moment) -> Result<Self, PlanError> {
        let mut device = Self {
            id: kit.endpoint_id(index)?,
            index,
            engine: None,
            up: now,
            lives: 0,
            gateway: Gateway::new(kit.plan.seed, index),
            journal: Journal::empty(),
            chance: Chance::new(kit.plan.seed, index),
            changes: None,
            loss: None,
            reboot: None,
            dial: None,
            link: None,
            wants: VecDeque::new(),
            kit: Arc::clone(kit),
        };
        device.kit.tally.add(Count::Started);
        device.come_up(now);
        device.journal.fold(&kit.template);
        let rates = kit.plan.rates;
        device.changes = device.next(rates.changes_per_minute / 60.0, now);
        device.loss = device.next(rates.link_losses_per_hour / 3_600.0, now);
        device.reboot = device.next(rates.reboots_per_hour / 3_600.0, now);
        Ok(device)
    }

    /// Who it is.
    pub fn endpoint_id(&self) -> &EndpointId {
        &self.id
    }

    /// Takes in what happened to its links. Drain [`Self::poll`] after it.
    pub fn handle(&mut self, input: Input, now: Moment) {
        match &input {
            Input::Connected { link, .. } => {
                self.end_dial();
                self.end_link();
                self.link = Some(*link);
                self.kit.tally.add(Count::Online);
                self.kit.tally.add(Count::Links);
            }
            Input::DialFailed { .. } => {
                self.end_dial();
                self.kit.tally.add(Count::Refused);
            }
            Input::Disconnected { link, .. } if self.link == Some(*link) => {
                self.end_link();
                self.kit.tally.add(Count::Lost);
            }
            Input::Received { .. } => self.kit.tally.add(Count::Received),
            Input::Refused { .. } => self.kit.tally.add(Count::Errors),
            _ => {}
        }
        self.tell(input, now);
    }

    /// The next thing that it wants, until there is none.
    pub fn poll(&mut self) -> Option<Want> {
        let want = self.wants.pop_front();
        if want.is_none() {
            self.wants = VecDeque::new();
        }
        want
    }

    /// When to call [`Self::turn`] if nothing else happens before.
    pub fn deadline(&self) -> Option<Moment> {
        let Some(engine) = &self.engine else {
            return Some(self.up);
        };
        let own = [self.changes, self.loss, self.reboot];
        own.into_iter().flatten().chain(engine.deadline()).min()
    }

    /// Does what is due. Drain [`Self::poll`] after it.
    pub fn turn(&mut self, now: Moment) {
        let is_due = |moment: Option<Moment>| moment.is_some_and(|moment| moment <= now);
        let rates = self.kit.plan.rates;
        if self.engine.is_none() {
            if self.up <= now {
                self.come_up(now);
            }
            return;
        }
        if is_due(self.changes) {
            self.changes = self.next(rates.changes_per_minute / 60.0, now);
            self.kit.tally.add(Count::Changes);
            let unit = self.gateway.change(&mut self.chance).to_owned();
            let owner = OWNER.to_owned();
            self.tell(Input::Disturbed { owner, unit }, now);
        }
        if is_due(self.loss) {
            self.loss = self.next(rates.link_losses_per_hour / 3_600.0, now);
            if let Some(link) = self.cut() {
                self.kit.tally.add(Count::Losses);
                let reason = "the simulated line is broken".to_owned();
                self.tell(Input::Disconnected { link, reason }, now);
            }
        }
        if is_due(self.reboot) {
            self.reboot = self.next(rates.reboots_per_hour / 3_600.0, now);
            self.cut();
            return self.go_down(now);
        }
        self.tell(Input::Tick, now);
    }

    /// Says goodbye to everybody. Drain [`Self::poll`] after it.
    pub fn shut_down(&mut self, now: Moment) {
        self.tell(Input::Shutdown, now);
    }

    /// What it has stored, as what others of its kind store.
    pub(crate) fn into_template(mut self) -> Template {
        std::mem::replace(&mut self.journal, Journal::empty()).into_template()
    }

    /// A new life, of what is stored.
    fn come_up(&mut self, now: Moment) {
        let mut entries = self.journal.entries();
        let removed = reset_store(&mut entries);
        self.journal.keep(removed);
        let engine = Agent::new(
            self.kit.config(&self.id),
            Arc::clone(&self.kit.schema),
            entries,
            self.kit.fact(self.index, (1 << 32) + self.lives),
            now,
        );
        self.engine = Some(engine);
        self.up = now;
        self.lives += 1;
        let clock = Input::Clock {
            unix_micros: self.kit.unix_micros(now),
            reliable: true,
        };
        self.tell(clock, now);
    }

    /// The power goes. What was stored stays.
    fn go_down(&mut self, now: Moment) {
        self.kit.tally.add(Count::Reboots);
        self.engine = None;
        if let Some(dial) = self.dial {
            self.wants.push_back(Want::CancelDial { dial });
        }
        self.end_dial();
        self.end_link();
        self.up = now + REBOOT_MIN + REBOOT_SPREAD.mul_f64(self.chance.fraction());
    }

    /// Hands one input to the engine and does all that comes of it.
    fn tell(&mut self, input: Input, now: Moment) {
        let Some(mut engine) = self.engine.take() else {
            return;
        };
        engine.handle(input, now);
        let mut restart = None;
        while let Some(output) = engine.poll() {
            if let Output::Restart { action } = output {
                restart = Some(action);
                // Controllers hear of it first.
                engine.handle(Input::Shutdown, now);
            } else if let Some(answer) = self.obey(output, now) {
                engine.handle(answer, now);
            }
        }
        match restart {
            None => self.engine = Some(engine),
            Some(action) => {
                if action == RestartAction::FactoryReset {
                    self.gateway.reset();
                }
                self.go_down(now);
            }
        }
    }

    /// Does one thing that the engine wants; the answer, where it can be given at once.
    fn obey(&mut self, output: Output, now: Moment) -> Option<Input> {
        match output {
            Output::Apply {
                ticket,
                phase,
                changes,
                ..
            } => {
                let results = self.gateway.apply(phase, &changes);
                return Some(Input::Applied { ticket, results });
            }
            Output::Commit { sequence, entries } => {
                self.journal.keep(entries);
                return Some(Input::Committed { sequence });
            }
            Output::Fetch { ticket, unit, .. } => {
                let situation = Situation {
                    uptime_seconds: now.since(self.up).as_secs(),
                    unix_micros: self.kit.unix_micros(now),
                };
                let result = self.gateway.fetch(&unit, &self.id, situation);
                return Some(Input::Fetched { ticket, result });
            }
            Output::Listen { listener, .. } => {
                let result = Err("a simulated device does not listen".to_owned());
                return Some(Input::Listening { listener, result });
            }
            Output::Begin {
                ticket, command, ..
            }
            | Output::Operate {
                ticket, command, ..
            } => {
                let result = self.gateway.operate(&command);
                return Some(Input::Operated { ticket, result });
            }
            Output::CancelDial { dial } => {
                self.end_dial();
                self.wants.push_back(Want::CancelDial { dial });
            }
            Output::Dial {
                dial,
                target,
                ping_interval,
                ..
            } => {
                self.dial = Some(dial);
                self.kit.tally.add(Count::Connecting);
                self.wants.push_back(Want::Dial {
                    dial,
                    target,
                    ping_interval,
                });
            }
            Output::Hangup { link, code, reason } => {
                if self.link == Some(link) {
                    self.end_link();
                }
                self.wants.push_back(Want::Hangup { link, code, reason });
            }
            Output::Send { link, record } => {
                self.count_sent(&record);
                self.wants.push_back(Want::Send { link, record });
            }
            Output::Note(notice) => tracing::debug!(agent = %self.id, "{notice}"),
            // Nothing runs that could be cancelled, nothing is listened at, restarts are taken before, and
            // all devices of a fleet trust alike.
            Output::Cancel { .. }
            | Output::Restart { .. }
            | Output::StopListening { .. }
            | Output::Trust(_) => {}
        }
        None
    }

    fn count_sent(&self, record: &Record) {
        self.kit.tally.add(Count::Sent);
        let payload = record.payload();
        let named = payload.and_then(|payload| Msg::peek(payload).msg_type);
        if named == Some(MsgType::Notify) {
            self.kit.tally.add(Count::Notifies);
        }
    }

    /// When what comes so often comes next.
    fn next(&mut self, per_second: f64, now: Moment) -> Option<Moment> {
        self.chance.wait(per_second).map(|wait| now + wait)
    }

    /// Cuts the link that there is.
    fn cut(&mut self) -> Option<LinkId> {
        let link = self.link?;
        self.end_link();
        self.wants.push_back(Want::Cut { link });
        Some(link)
    }

    fn end_link(&mut self) {
        if self.link.take().is_some() {
            self.kit.tally.take(Count::Online);
        }
    }

    fn end_dial(&mut self) {
        if self.dial.take().is_some() {
            self.kit.tally.take(Count::Connecting);
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.end_link();
        self.end_dial();
    }
}

#[cfg(test)]
mod tests;
