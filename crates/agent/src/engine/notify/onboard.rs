//! OnBoardRequests: a Controller that has not taken the Agent on board is asked to. (R-NOT.5 to R-NOT.6a)
//!
//! It is asked when it appears with OnBoardingComplete false or that becomes so, and when
//! SendOnBoardRequest() is run. The Notify is retried without end until a NotifyResp comes; from then
//! OnBoardingRestartTime counts, after which it is asked again if that is still wanted.

use std::collections::BTreeMap;
use std::time::Duration;

use usphere_datamodel::{Moment, Transaction};
use usphere_proto::msg::{Notification, OnBoardRequest};

use super::Occurrence;
use super::post::Manner;
use crate::engine::{Agent, Conclusion};
use crate::handlers::SUPPORTED_VERSIONS;

/// What the row of a Controller says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Boarding {
    /// Whether the Controller has taken the Agent on board.
    pub(crate) complete: bool,
    /// How long after a NotifyResp it is asked again; `None` for never.
    pub(crate) restart: Option<Duration>,
}

/// How far each Controller has got.
#[derive(Debug, Default)]
pub(super) struct Boardings {
    known: BTreeMap<u32, Known>,
}

#[derive(Debug)]
struct Known {
    boarding: Boarding,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Its NotifyResp came at this moment.
    Answered(Moment),
    /// It was asked at this moment, and is until it answers.
    Asked(Moment),
    Idle,
    /// What the request says is being read.
    Preparing,
}

/// What an OnBoardRequest says of the device.
#[derive(Debug)]
pub(in crate::engine) struct Identity {
    controller: u32,
    request: OnBoardRequest,
}

impl Boardings {
    /// The Controller answered.
    pub(super) fn answered(&mut self, controller: u32, now: Moment) {
        if let Some(known) = self.known.get_mut(&controller) {
            known.state = State::Answered(now);
        }
    }

    pub(super) fn forget(&mut self, controller: u32) {
        self.known.remove(&controller);
    }

    /// When the next Controller is to be asked again.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.known.values().filter_map(Known::again).min()
    }

    fn due(&self, now: Moment) -> Option<u32> {
        let mut known = self.known.iter();
        let due = known.find(|(_, known)| known.again().is_some_and(|again| again <= now));
        due.map(|(controller, _)| *controller)
    }
}

impl Known {
    fn again(&self) -> Option<Moment> {
        match (self.state, self.boarding) {
            (
                State::Answered(at),
                Boarding {
                    complete: false,
                    restart: Some(restart),
                },
            ) => Some(at + restart),
            _ => None,
        }
    }
}

impl Agent {
    /// Follows what the row of a Controller says.
    pub(in crate::engine) fn follow_boarding(
        &mut self,
        controller: u32,
        boarding: Boarding,
        now: Moment,
    ) {
        let known = self.notifier.boardings.known.entry(controller);
        let known = known.or_insert(Known {
            boarding: Boarding {
                complete: true,
                restart: None,
            },
            state: State::Idle,
        });
        let begins = known.boarding.complete && !boarding.complete;
        known.boarding = boarding;
        match known.state {
            State::Answered(_) if boarding.complete => known.state = State::Idle,
            State::Idle if begins => self.prepare_boarding(controller, now),
            _ => {}
        }
    }

    /// SendOnBoardRequest(): the Controller is asked at once, even when it is being asked already.
    pub(in crate::engine) fn send_on_board_request(&mut self, controller: u32, now: Moment) {
        let path = match self.controllers.get(&controller) {
            Some(known) => known.path.clone(),
            None => return,
        };
        let work = move |transaction: &mut Transaction<'_>| {
            if let Some(row) = transaction.find(&path)
                && let Some(complete) = transaction.parameter(row, "OnBoardingComplete")
            {
                // Where nothing can be kept, the request is sent all the same.
                let _ = transaction.assign(row, complete, "false");
            }
            Conclusion::BoardingBegun { controller }
        };
        self.submit_own(Box::new(work), now);
    }

    pub(in crate::engine) fn boarding_begun(&mut self, controller: u32) {
        self.occurred(Occurrence::OnBoard { controller });
    }

    /// Asks a Controller, unless that has just been done.
    pub(super) fn board(&mut self, controller: u32, now: Moment) {
        let Some(known) = self.notifier.boardings.known.get_mut(&controller) else {
            return;
        };
        match known.state {
            State::Preparing => {}
            State::Asked(at) if at == now => {}
            State::Asked(_) => {
                self.notifier.post.drop_boarding(controller);
                self.prepare_boarding(controller, now);
            }
            State::Answered(_) | State::Idle => self.prepare_boarding(controller, now),
        }
    }

    /// Asks whoever is to be asked again.
    pub(super) fn board_due(&mut self, now: Moment) {
        while let Some(controller) = self.notifier.boardings.due(now) {
            self.prepare_boarding(controller, now);
        }
    }

    fn prepare_boarding(&mut self, controller: u32, now: Moment) {
        if let Some(known) = self.notifier.boardings.known.get_mut(&controller) {
            known.state = State::Preparing;
        }
        let work = move |transaction: &mut Transaction<'_>| {
            Conclusion::Boarding(Identity {
                controller,
                request: identity(transaction),
            })
        };
        self.submit_own(Box::new(work), now);
    }

    /// Sends the OnBoardRequest. (R-NOT.6, R-NOT.7)
    pub(in crate::engine) fn boarding_prepared(&mut self, identity: Identity, now: Moment) {
        let Identity {
            controller,
            request,
        } = identity;
        let Some(known) = self.notifier.boardings.known.get_mut(&controller) else {
            return;
        };
        known.state = State::Asked(now);
        let manner = Manner {
            subscription: None,
            retry: true,
            expiration: None,
        };
        let notification = Notification::OnBoardReq(request);
        self.post_notify(controller, String::new(), notification, manner, now);
    }
}

/// What identifies the device, as far as the host tells.
fn identity(transaction: &mut Transaction<'_>) -> OnBoardRequest {
    let device = transaction.find("Device.DeviceInfo.");
    let mut read = |name: &str| match device {
        Some(device) => transaction.text(device, name).to_owned(),
        None => String::new(),
    };
    OnBoardRequest {
        oui: read("ManufacturerOUI"),
        product_class: read("ProductClass"),
        serial_number: read("SerialNumber"),
        agent_supported_protocol_versions: SUPPORTED_VERSIONS.to_owned(),
    }
}
