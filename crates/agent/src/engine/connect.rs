//! Connections: who is dialled when, who may dial in, and the one session that each Controller has.
//!
//! A session begins with our Connect Record, whoever opened the connection (R-MTP.6, R-MTP.8), and when we
//! end it, it ends with a Disconnect Record (R-MTP.7). The code is 7105: it ends everything that the
//! Controller keeps about the session, and no other code of R-MTP.9 comes closer.
//!
//! A Controller that opens a second session gets it, and the first is closed: one that lost its
//! network comes back before we notice (R-WS.4). The first is closed without a Disconnect Record: that
//! would reach the Controller after the Connect Record of the second and say that we are gone. Only a
//! peer whose word for who it is is worth less does not replace the session there is.

use usphere_datamodel::Moment;
use usphere_proto::{EndpointId, ErrorCode, Record};
use usphere_trust::{Admission, PeerIdentity, Standing};

use super::{Agent, Controller};
use crate::dialling::Upset;
use crate::event::{DialId, HangupReason, LinkId, ListenerId, Origin, Output};
use crate::limits::CONNECT_PATIENCE;
use crate::links::{Link, Party, Stage};
use crate::notice::{Notice, clip};

impl Agent {
    pub(super) fn connected(
        &mut self,
        link: LinkId,
        origin: Origin,
        peer: PeerIdentity,
        now: Moment,
    ) {
        match origin {
            _ if self.closing => self.hang_up(link, HangupReason::ShuttingDown),
            Origin::Accepted => self.accepted(link, peer, now),
            Origin::Dialled(dial) => self.dialled(link, dial, peer, now),
        }
    }

    fn accepted(&mut self, link: LinkId, peer: PeerIdentity, now: Moment) {
        if self.listeners.is_empty() {
            return self.hang_up(link, HangupReason::NotListening);
        }
        let claimed = peer.endpoint_id.clone();
        self.begin(link, Origin::Accepted, peer, now);
        if let Some(id) = claimed {
            self.identify(link, &id, now);
        }
    }

    fn begin(&mut self, link: LinkId, origin: Origin, peer: PeerIdentity, now: Moment) {
        let stage = Stage::Unknown {
            until: now + CONNECT_PATIENCE,
        };
        let patience = self.patience_with(&peer.channel);
        let mut new = Link::new(origin, peer, stage);
        new.bear_silence(patience, now);
        self.links.insert(link, new);
    }

    /// Learns who is at the other end of a link. Who cannot be spoken to is hung up.
    pub(super) fn identify(&mut self, link: LinkId, id: &EndpointId, now: Moment) {
        if let Err(reason) = self.recognize(link, id, now) {
            self.links.remove(&link);
            self.hang_up(link, reason);
        }
    }

    fn recognize(
        &mut self,
        link: LinkId,
        id: &EndpointId,
        now: Moment,
    ) -> Result<(), HangupReason> {
        if *id == self.own {
            return Err(HangupReason::OurEndpointId);
        }
        let admission = self.judge(link, id, now)?;
        if admission.standing == Standing::New {
            if let Some(known) = self.links.get_mut(&link) {
                known.stage = Stage::Admitting {
                    id: id.clone(),
                    until: now + CONNECT_PATIENCE,
                };
            }
            self.submit_admission(link, id.clone(), admission, now);
            return Ok(());
        }
        let mut controllers = self.controllers.iter();
        let found = controllers.find(|(_, controller)| controller.id == *id);
        let instance = *found.ok_or(HangupReason::Stranger)?.0;
        self.attach_known(link, instance, admission, now);
        Ok(())
    }

    /// Attaches a Controller that has a row, with what its admission gives it. What is claimed where anybody
    /// can read and change it changes nothing.
    fn attach_known(&mut self, link: LinkId, instance: u32, admission: Admission, now: Moment) {
        self.attach(link, instance, now);
        let known = self.links.get(&link).filter(|link| link.is_trusted());
        if let Some(id) = known.and_then(|link| Some(link.party()?.id.clone())) {
            self.submit_admission(link, id, admission, now);
        }
    }

    fn dialled(&mut self, link: LinkId, dial: DialId, peer: PeerIdentity, now: Moment) {
        let found = self
            .controllers
            .iter()
            .find(|(_, controller)| controller.dialler.is_underway(dial));
        let Some((&instance, controller)) = found else {
            return self.hang_up(link, HangupReason::Superfluous);
        };
        let id = controller.id.clone();
        let reason = match &peer.endpoint_id {
            Some(claimed) if *claimed == self.own => HangupReason::OurEndpointId,
            Some(claimed) if *claimed != id => HangupReason::NotWhoWasDialled,
            _ => {
                self.begin(link, Origin::Dialled(dial), peer, now);
                match self.judge(link, &id, now) {
                    Ok(admission) => return self.attach_known(link, instance, admission, now),
                    Err(reason) => reason,
                }
            }
        };
        self.links.remove(&link);
        self.hang_up(link, reason);
        self.dial_failed(dial, reason.to_string(), now);
    }

    /// Makes `link` the session of the Controller, and says that we are there. (R-WS.4, R-MTP.6)
    pub(super) fn attach(&mut self, link: LinkId, instance: u32, now: Moment) {
        let (Some(controller), Some(new)) = (
            self.controllers.get_mut(&instance),
            self.links.get_mut(&link),
        ) else {
            return;
        };
        new.is_doubted = !new.is_over_tls() && self.trust.inherits(instance);
        let (rank, dialled) = (new.rank(), matches!(new.origin, Origin::Dialled(_)));
        let controller_id = controller.id.clone();
        if let Some(old) = controller.link {
            if self.links.get(&old).is_some_and(|old| rank < old.rank()) {
                self.links.remove(&link);
                return self.hang_up(link, HangupReason::Superfluous);
            }
            self.links.remove(&old);
            let notice = Notice::Replaced {
                controller: controller_id.clone(),
                old,
                new: link,
            };
            self.outputs.push_back(Output::Note(notice));
            self.outputs.push_back(hangup(old, HangupReason::Replaced));
        }
        controller.link = Some(link);
        let superfluous = controller.dialler.connected(dialled);
        self.outputs
            .extend(superfluous.map(|dial| Output::CancelDial { dial }));
        self.open(
            link,
            Party {
                instance,
                id: controller_id.clone(),
            },
            now,
        );
        self.note(Notice::Connected {
            controller: controller_id,
            link,
        });
        self.watch_validity(link, now);
        self.publish_retries(instance, now);
    }

    /// The Controller has spoken on the link, which makes it a session. (R-WS.20)
    pub(super) fn prove(&mut self, link: LinkId, now: Moment) {
        let known = self.links.get_mut(&link).filter(|known| !known.is_proven);
        let Some(instance) = known.and_then(|known| {
            known.is_proven = known.party().is_some();
            known.party().map(|party| party.instance)
        }) else {
            return;
        };
        if let Some(controller) = self.controllers.get_mut(&instance) {
            controller.dialler.heard();
        }
        self.publish_retries(instance, now);
    }

    /// Whether the peer that was dialled on this link says by its first Record that it is somebody else.
    pub(super) fn is_picked_up_by_another(&self, link: LinkId, from: &str) -> bool {
        self.links.get(&link).is_some_and(|known| {
            matches!(known.origin, Origin::Dialled(_))
                && !known.is_proven
                && known.party().is_some_and(|party| party.id.as_str() != from)
        })
    }

    /// Somebody else is where a Controller was dialled: its Endpoint ID or address is wrong. It is tried again
    /// after a wait that grows, for this may be put right. (R-SEC.0a, R-WS.19)
    pub(super) fn picked_up_by_another(&mut self, link: LinkId, from: &str, now: Moment) {
        let Some(gone) = self.links.remove(&link) else {
            return;
        };
        let reason = HangupReason::NotWhoWasDialled;
        self.hang_up(link, reason);
        let instance = gone.party().map(|party| party.instance);
        self.leave(&gone, now);
        if let Some(controller) = instance.and_then(|instance| self.controllers.get(&instance)) {
            let retries = controller
                .dialler
                .retries()
                .map(|(_, retries)| retries)
                .max();
            let controller = controller.id.clone();
            self.note(Notice::DialFailed {
                controller,
                retries: retries.unwrap_or_default(),
                reason: format!("{} answered there", clip(from)),
            });
        }
    }

    /// Sends the Connect Record, after which Records may be exchanged. (R-MTP.6, R-MTP.8)
    pub(super) fn open(&mut self, link: LinkId, party: Party, now: Moment) {
        let Some(known) = self.links.get_mut(&link) else {
            return;
        };
        let record = Record::websocket_connect(&party.id, &self.own);
        let instance = party.instance;
        known.stage = Stage::Open(party);
        self.outputs.push_back(Output::Send { link, record });
        self.send_waiting(instance, now);
    }

    pub(super) fn disconnected(&mut self, link: LinkId, reason: String, now: Moment) {
        let Some(gone) = self.links.remove(&link) else {
            return;
        };
        self.note(Notice::Disconnected { link, reason });
        self.leave(&gone, now);
    }

    /// The session of a Controller is over, and not by our wish.
    pub(super) fn leave(&mut self, gone: &Link, now: Moment) {
        let Some(instance) = gone.party().map(|party| party.instance) else {
            return;
        };
        let Some(controller) = self.controllers.get_mut(&instance) else {
            return;
        };
        controller.link = None;
        controller.dialler.lost(now, &mut self.random);
        self.publish_retries(instance, now);
    }

    pub(super) fn dial_failed(&mut self, dial: DialId, reason: String, now: Moment) {
        let mut controllers = self.controllers.iter_mut();
        let found = controllers.find(|(_, controller)| controller.dialler.is_underway(dial));
        let Some((&instance, controller)) = found else {
            return;
        };
        let retries = controller.dialler.failed(now, &mut self.random);
        let controller = controller.id.clone();
        self.note(Notice::DialFailed {
            controller,
            retries,
            reason,
        });
        self.publish_retries(instance, now);
    }

    /// Begins every attempt that is due.
    pub(super) fn dial(&mut self, now: Moment) {
        if self.closing {
            return;
        }
        for controller in self.controllers.values_mut() {
            let dial = DialId(self.dials + 1);
            if let Some(way) = controller.dialler.begin(dial, now) {
                self.dials += 1;
                self.outputs.push_back(Output::Dial {
                    dial,
                    controller: controller.id.clone(),
                    target: way.target.clone(),
                    ping_interval: way.ping_interval,
                });
            }
        }
    }

    /// Does what a change of the Controller's MTPs means for what was begun by them.
    pub(super) fn upset(&mut self, instance: u32, upset: Upset) {
        match upset {
            Upset::Attempt(dial) => self.outputs.push_back(Output::CancelDial { dial }),
            Upset::Connection => {
                if let Some(link) = self
                    .controllers
                    .get(&instance)
                    .and_then(|controller| controller.link)
                {
                    self.part_ways(link, HangupReason::Reconfigured);
                }
            }
        }
    }

    /// Closes a link from our side: a Disconnect Record where Records may be exchanged, then the
    /// connection. It may be made again at once. (R-MTP.7)
    pub(super) fn part_ways(&mut self, link: LinkId, reason: HangupReason) {
        let Some(gone) = self.links.remove(&link) else {
            return;
        };
        if let Stage::Open(party) = &gone.stage {
            self.say_goodbye(
                link,
                &party.id.clone(),
                ErrorCode::SessionContextTerminated,
                reason.to_string(),
            );
        }
        let controller = gone
            .party()
            .and_then(|party| self.controllers.get_mut(&party.instance));
        if let Some(controller) = controller {
            controller.link = None;
            controller.dialler.released();
        }
        self.hang_up(link, reason);
    }

    pub(super) fn say_goodbye(
        &mut self,
        link: LinkId,
        to: &EndpointId,
        code: ErrorCode,
        text: String,
    ) {
        let record = Record::disconnect(to, &self.own, code, text);
        self.outputs.push_back(Output::Send { link, record });
    }

    pub(super) fn hang_up(&mut self, link: LinkId, reason: HangupReason) {
        self.note(Notice::HungUp { link, reason });
        self.outputs.push_back(hangup(link, reason));
    }

    /// A Controller is gone, or may not be spoken to any more.
    pub(super) fn dismiss(&mut self, instance: u32) {
        if let Some(link) = self
            .controllers
            .get(&instance)
            .and_then(|controller| controller.link)
        {
            self.part_ways(link, HangupReason::Disabled);
        }
        self.forget_notifications(instance);
        let gone: Option<Box<Controller>> = self.controllers.remove(&instance);
        let underway = gone.and_then(|mut controller| controller.dialler.connected(false));
        self.outputs
            .extend(underway.map(|dial| Output::CancelDial { dial }));
    }

    /// Takes back the offer to dial in: connections that were opened that way are closed.
    pub(super) fn refuse_callers(&mut self) {
        let accepted = self
            .links
            .iter()
            .filter(|(_, link)| link.origin == Origin::Accepted);
        let accepted: Vec<LinkId> = accepted.map(|(id, _)| *id).collect();
        for link in accepted {
            self.part_ways(link, HangupReason::NotListening);
        }
    }

    pub(super) fn listening(
        &mut self,
        listener: ListenerId,
        result: Result<(), String>,
        now: Moment,
    ) {
        let status = match result {
            Ok(()) => "Up",
            Err(reason) => {
                self.note(Notice::NotListening { listener, reason });
                "Error"
            }
        };
        self.publish(listener.to_string(), "Status", status.to_owned(), now);
    }

    /// Every Controller gets a Disconnect Record, then every link is closed. (R-MTP.7)
    pub(super) fn shut_down(&mut self) {
        self.closing = true;
        let goodbyes: Vec<(LinkId, EndpointId)> = self
            .links
            .iter()
            .filter_map(|(id, link)| match &link.stage {
                Stage::Open(party) => Some((*id, party.id.clone())),
                Stage::Admitting { .. } | Stage::Parted { .. } | Stage::Unknown { .. } => None,
            })
            .collect();
        for (link, id) in goodbyes {
            let text = HangupReason::ShuttingDown.to_string();
            self.say_goodbye(link, &id, ErrorCode::SessionContextTerminated, text);
        }
        for link in std::mem::take(&mut self.links).into_keys() {
            self.hang_up(link, HangupReason::ShuttingDown);
        }
        for controller in self.controllers.values_mut() {
            controller.link = None;
            let underway = controller.dialler.connected(false);
            self.outputs
                .extend(underway.map(|dial| Output::CancelDial { dial }));
        }
        for listener in std::mem::take(&mut self.listeners).into_keys() {
            self.outputs.push_back(Output::StopListening { listener });
        }
    }
}

fn hangup(link: LinkId, reason: HangupReason) -> Output {
    Output::Hangup {
        link,
        code: reason.close_code(),
        reason,
    }
}
