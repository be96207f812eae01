//! Plans on the Model: what they want from outside, what they came to, and what follows from it.

use std::collections::BTreeMap;

use usphere_datamodel::model::{
    Change, ModelInput, ModelOutput, OwnerError, Snapshot, SnapshotObject, Work,
};
use usphere_datamodel::{Fault, Model, Moment, PlanId, Transaction};

use super::notify::{Findings, Identity};
use super::operations::{Booted, Recovered};
use super::survey::{self, Stale, Survey};
use super::trust::Admitted;
use super::{Agent, Controller, seed};
use crate::config::Config;
use crate::dialling::Dialler;
use crate::event::Output;
use crate::handlers::{Answer, Answered};
use crate::notice::Notice;
use crate::objects::{OWNER, UP_TIME};

/// What a plan returns.
pub(super) enum Conclusion {
    /// Somebody was let in, or not.
    Admitted(Admitted),
    Answered(Answered),
    /// What an OnBoardRequest says.
    Boarding(Identity),
    /// OnBoardingComplete is false.
    BoardingBegun {
        controller: u32,
    },
    /// Who is to be told what.
    Notify(Findings),
    /// What Boot! tells each Controller.
    Booted(Booted),
    /// The Status of a Request shows that its command has ended.
    EndShown {
        instance: u32,
    },
    /// Whether the Request of a command that has ended is gone.
    Ended {
        instance: u32,
        kept: bool,
    },
    /// Something was put into the data model.
    Published,
    /// What was under way when the Agent stopped.
    Recovered(Recovered),
    Seeded(Vec<Fault>),
    Survey(Survey),
    /// What a Subscription sets is set.
    Triggered {
        instance: u32,
        faults: Vec<Fault>,
    },
}

/// What a plan was submitted for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// The engine's own ends.
    Own,
    /// A request of the Controller with this instance number.
    Request(u32),
    /// What a Subscription sets.
    Trigger {
        /// How many Subscriptions in a row have triggered each other.
        depth: u8,
    },
}

/// Submits a request's plan.
pub(super) fn submit_request(
    model: &mut Model<Conclusion>,
    purposes: &mut BTreeMap<PlanId, Purpose>,
    instance: u32,
    mut work: Work<Answered>,
    now: Moment,
) -> PlanId {
    let plan = model.submit(
        Box::new(move |transaction| Conclusion::Answered(work(transaction))),
        now,
    );
    purposes.insert(plan, Purpose::Request(instance));
    plan
}

impl Agent {
    pub(super) fn submit_seed(&mut self, config: Config, first: bool, now: Moment) {
        let work = Box::new(move |transaction: &mut Transaction<'_>| {
            Conclusion::Seeded(seed::seed(transaction, &config, first))
        });
        self.submit_own(work, now);
        // The survey is to see what is seeded.
        self.surveying = true;
    }

    /// Puts `value` into a parameter that only the Agent writes, if it is still there.
    pub(super) fn publish(
        &mut self,
        object: String,
        name: &'static str,
        value: String,
        now: Moment,
    ) {
        let work = move |transaction: &mut Transaction<'_>| {
            if let Some(found) = transaction.find(&object)
                && let Some(parameter) = transaction.parameter(found, name)
            {
                // It is volatile and of its type, so nothing can be wrong with it that anybody could mend.
                let _ = transaction.assign(found, parameter, &value);
            }
            Conclusion::Published
        };
        self.submit_own(Box::new(work), now);
    }

    /// Shows how often each way to the Controller has failed in a row. (R-WS.19 to R-WS.21)
    pub(super) fn publish_retries(&mut self, instance: u32, now: Moment) {
        let Some(controller) = self.controllers.get_mut(&instance) else {
            return;
        };
        let mut changed = Vec::new();
        for (mtp, retries) in controller.dialler.retries() {
            if controller
                .published
                .insert(mtp, retries)
                .unwrap_or_default()
                != retries
            {
                changed.push((format!("{}MTP.{mtp}.WebSocket.", controller.path), retries));
            }
        }
        for (object, retries) in changed {
            self.publish(object, "CurrentRetryCount", retries.to_string(), now);
        }
    }

    /// Does everything that can be done by now.
    pub(super) fn settle(&mut self, now: Moment) {
        loop {
            while let Some(output) = self.model.poll() {
                self.obey(output, now);
            }
            if self.surveying || self.notifier.is_busy() {
                break;
            }
            if self.stale == Stale::Nothing {
                if self.notify_next(now) || self.refresh_next(now) {
                    continue;
                }
                break;
            }
            self.surveying = true;
            let rights = std::mem::take(&mut self.stale) == Stale::Rights;
            let work = move |transaction: &mut Transaction<'_>| {
                Conclusion::Survey(survey::survey(transaction, rights))
            };
            self.submit_own(Box::new(work), now);
        }
        self.dial(now);
    }

    /// Whether what the engine knows of the data model is what is durable.
    pub(super) fn is_current(&self) -> bool {
        !self.surveying
            && self.stale == Stale::Nothing
            && self.admitting == 0
            && !self.notifier.owes_survey()
    }

    pub(super) fn submit_own(&mut self, work: Work<Conclusion>, now: Moment) {
        self.submit_for(work, Purpose::Own, now);
    }

    pub(super) fn submit_for(&mut self, work: Work<Conclusion>, purpose: Purpose, now: Moment) {
        let plan = self.model.submit(work, now);
        self.purposes.insert(plan, purpose);
    }

    /// Submits a plan that takes what owners said last as it is, and asks none.
    pub(super) fn submit_consulting(&mut self, work: Work<Conclusion>, now: Moment) {
        let plan = self.model.submit_as_known(work, now);
        self.purposes.insert(plan, Purpose::Own);
    }

    fn obey(&mut self, output: ModelOutput<Conclusion>, now: Moment) {
        let output = match output {
            ModelOutput::Done {
                plan,
                answer,
                changes,
            } => return self.conclude(plan, answer, changes, now),
            ModelOutput::Changed { changes } => return self.changed(changes, 0),
            ModelOutput::Commit { sequence, entries } => Output::Commit { sequence, entries },
            ModelOutput::Fetch {
                ticket,
                owner,
                unit,
                ..
            } if owner == OWNER => {
                let result = self.own_unit(&unit, now);
                return self
                    .model
                    .handle(ModelInput::Fetched { ticket, result }, now);
            }
            ModelOutput::Fetch {
                ticket,
                owner,
                unit,
                deadline,
            } => Output::Fetch {
                ticket,
                owner,
                unit,
                deadline,
            },
            ModelOutput::Apply {
                ticket,
                owner,
                phase,
                changes,
                deadline,
            } => Output::Apply {
                ticket,
                owner,
                phase,
                changes,
                deadline,
            },
            ModelOutput::Operate {
                ticket,
                owner,
                command,
                ..
            } if owner == OWNER => {
                let result = self.own_command(&command, now);
                return self
                    .model
                    .handle(ModelInput::Operated { ticket, result }, now);
            }
            ModelOutput::Operate {
                ticket,
                owner,
                command,
                arguments,
                deadline,
            } => Output::Operate {
                ticket,
                owner,
                command,
                arguments,
                deadline,
            },
            ModelOutput::Trouble { owner, text } => Output::Note(Notice::Trouble { owner, text }),
            ModelOutput::Unfetched { unit, failures } => {
                return self.unfetched(unit, failures, now);
            }
        };
        self.outputs.push_back(output);
    }

    /// What the engine itself knows.
    fn own_unit(&self, unit: &str, now: Moment) -> Result<Snapshot, OwnerError> {
        if unit != UP_TIME.name {
            return Err(OwnerError::failed(format!("the Agent has no unit {unit}")));
        }
        let seconds = now.since(self.started).as_secs();
        let values = vec![("UpTime".into(), seconds.to_string())];
        let object = SnapshotObject {
            path: "Device.LocalAgent.".into(),
            keys: Vec::new(),
            values,
        };
        Ok(Snapshot {
            objects: vec![object],
        })
    }

    fn conclude(
        &mut self,
        plan: PlanId,
        conclusion: Conclusion,
        changes: Vec<Change>,
        now: Moment,
    ) {
        let purpose = self.purposes.remove(&plan);
        let depth = match purpose {
            Some(Purpose::Trigger { depth }) => depth,
            Some(Purpose::Own | Purpose::Request(_)) | None => 0,
        };
        if matches!(conclusion, Conclusion::Seeded(_)) {
            // Who the Agent is, is no news.
            self.stale = self.stale.max(survey::weigh(&changes, self.model.view()));
        } else {
            self.changed(changes, depth);
        }
        match conclusion {
            Conclusion::Admitted(admitted) => self.admitted(admitted, now),
            Conclusion::Answered(Answered { answer, effects }) => {
                if let Some(Purpose::Request(instance)) = purpose {
                    self.answered(instance, plan, answer);
                }
                self.effect(effects, now);
            }
            Conclusion::Boarding(identity) => self.boarding_prepared(identity, now),
            Conclusion::BoardingBegun { controller } => self.boarding_begun(controller),
            Conclusion::Notify(findings) => self.notify(findings, now),
            Conclusion::Booted(booted) => self.tell_boot(booted),
            Conclusion::EndShown { instance } => self.end_was_shown(instance),
            Conclusion::Ended { instance, kept } => self.ending_kept(instance, kept, now),
            Conclusion::Published => {}
            Conclusion::Recovered(recovered) => self.recovered(recovered, now),
            Conclusion::Seeded(faults) => {
                self.surveying = false;
                for fault in faults {
                    self.note(Notice::NotSeeded {
                        reason: fault.to_string(),
                    });
                }
            }
            Conclusion::Survey(survey) => {
                self.surveying = false;
                self.follow(survey, now);
                if self.is_current() {
                    self.attach_admitted(now);
                    self.release_held(now);
                }
            }
            Conclusion::Triggered { instance, faults } => self.triggered(instance, faults),
        }
    }

    fn answered(&mut self, instance: u32, plan: PlanId, answer: Answer) {
        let Some(controller) = self.controllers.get_mut(&instance) else {
            return;
        };
        let place = controller
            .asked
            .iter()
            .position(|asked| asked.plan == Some(plan));
        let Some(place) = place else { return };
        let asked = controller.asked.swap_remove(place);
        self.answer(instance, asked, answer);
    }

    /// Does what the data model says now.
    fn follow(&mut self, mut survey: Survey, now: Moment) {
        if self.closing {
            return;
        }
        // Endpoints of one ID do not speak to each other. (R-ARC.2)
        survey.controllers.retain(|found| found.id != self.own);
        if let Some(untrusted) = survey.untrusted {
            self.untrusted = untrusted;
            self.rights_changed();
        }
        let stays = |instance: &u32, controller: &Controller| {
            survey
                .controllers
                .iter()
                .any(|found| found.instance == *instance && found.id == controller.id)
        };
        let gone = self
            .controllers
            .iter()
            .filter(|(instance, controller)| !stays(instance, controller));
        let gone: Vec<u32> = gone.map(|(instance, _)| *instance).collect();
        gone.into_iter().for_each(|instance| self.dismiss(instance));
        let schedules = survey.controllers.iter();
        let schedules = schedules.map(|found| (found.instance, found.schedule));
        self.follow_schedules(schedules.collect(), now);
        for found in survey.controllers {
            let controller = self.controllers.entry(found.instance).or_insert_with(|| {
                Box::new(Controller {
                    path: found.path,
                    id: found.id,
                    access: self.untrusted.clone(),
                    link: None,
                    asked: Vec::new(),
                    dialler: Dialler::default(),
                    notif_retry: found.notif_retry,
                    published: BTreeMap::new(),
                })
            });
            controller.notif_retry = found.notif_retry;
            if let Some(access) = found.access {
                controller.access = access;
            }
            let upset = controller.dialler.follow(found.ways, now);
            if let Some(upset) = upset {
                self.upset(found.instance, upset);
            }
            self.publish_retries(found.instance, now);
            self.follow_boarding(found.instance, found.boarding, now);
        }
        if let Some(trust) = survey.trust {
            self.follow_trust(trust, now);
        }
        self.follow_listeners(survey.listeners, now);
    }

    fn follow_listeners(&mut self, found: Vec<(crate::ListenerId, survey::Offer)>, now: Moment) {
        let found: BTreeMap<_, _> = found.into_iter().collect();
        let before = std::mem::replace(&mut self.listeners, found.clone());
        for listener in before
            .keys()
            .filter(|listener| !found.contains_key(listener))
        {
            self.outputs.push_back(Output::StopListening {
                listener: *listener,
            });
            self.publish(listener.to_string(), "Status", "Down".to_owned(), now);
        }
        for (listener, offer) in found {
            if before.get(&listener) != Some(&offer) {
                let (target, ping_interval) = (offer.target, offer.ping_interval);
                self.outputs.push_back(Output::Listen {
                    listener,
                    target,
                    ping_interval,
                });
            }
        }
        if self.listeners.is_empty() {
            self.refuse_callers();
        }
    }
}
