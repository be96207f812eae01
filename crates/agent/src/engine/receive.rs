//! What comes on a link: from whom, what it is, and the requests that are carried out.
//!
//! A Record that is not for us, not from who is there, or signed is dropped in silence (R-E2E.1, R-ARC.2,
//! R-SEC.0a, R-E2E.30). The link stays: others may share the road of what came wrongly.

use bytes::Bytes;
use usphere_datamodel::Moment;
use usphere_proto::msg::{MsgBody, ParamError, RequestType};
use usphere_proto::{EndpointId, ErrorCode, Limits, Msg, Reaction, Record, Refusal};
use usphere_trust::may_speak;

use super::notify::NotifyAnswer;
use super::{Agent, Asked, Held};
use crate::event::{LinkId, Output};
use crate::handlers::{self, Answer, Caller};
use crate::limits::{ANSWER_BYTES_MAX, CONNECT_PATIENCE, REQUESTS_MAX};
use crate::links::{Link, Stage};
use crate::notice::{Ignored, Notice, clip};
use crate::records::{Content, content_of};

impl Agent {
    pub(super) fn received(&mut self, link: LinkId, record: Record, now: Moment) {
        if !self.links.contains_key(&link) {
            return;
        }
        if record.to_id != self.own.as_str() {
            let text = format!("to_id is {}, we are {}", clip(&record.to_id), self.own);
            return self.ignore(link, &record.from_id, Ignored::Erroneous(text));
        }
        if record.is_connect() && self.is_picked_up_by_another(link, &record.from_id) {
            return self.picked_up_by_another(link, &record.from_id, now);
        }
        if let Err(why) = self.admit(link, &record.from_id, now) {
            return self.ignore(link, &record.from_id, why);
        }
        self.prove(link, now);
        let Some(known) = self.links.get_mut(&link) else {
            return;
        };
        if matches!(known.stage, Stage::Admitting { .. }) {
            let from = record.from_id.clone();
            if !known.keep(record) {
                self.ignore(link, &from, Ignored::TooMuch);
            }
            return;
        }
        let (instance, parted) = match &known.stage {
            Stage::Open(party) => (party.instance, None),
            Stage::Parted { party, .. } => (party.instance, Some(party.clone())),
            Stage::Admitting { .. } | Stage::Unknown { .. } => return,
        };
        match (content_of(record, &self.own), parted) {
            (Content::Connect, Some(party)) => self.open(link, party, now),
            (Content::Connect, None) => {}
            (Content::Disconnect, _) => self.parted(link, now),
            (Content::Ignored(why), _) => self.ignore_known(link, why),
            (_, Some(_)) => self.ignore_known(link, Ignored::BeforeConnect),
            (Content::Message(payload), None) => self.message(link, instance, payload, now),
            (Content::Refused { msg_id, code, text }, None) => {
                self.refuse(link, &msg_id, code, text)
            }
            (Content::Session, None) => self.refuse_session(link, now),
        }
    }

    /// What came breaks a rule of the encoding. It is answered where it can be. (R-MTP.5)
    pub(super) fn refused(&mut self, link: LinkId, refusal: Refusal, now: Moment) {
        if !self.links.contains_key(&link) {
            return;
        }
        let erroneous = Ignored::Erroneous(clip(&refusal.reason.to_string()));
        let Some(from) = refusal.from else {
            return self.ignore_known(link, erroneous);
        };
        if let Err(why) = self.admit(link, from.as_str(), now) {
            return self.ignore(link, from.as_str(), why);
        }
        let parted = matches!(
            self.links.get(&link).map(|link| &link.stage),
            Some(Stage::Parted { .. })
        );
        match refusal.reaction {
            Reaction::Answer { .. } if parted => self.ignore_known(link, Ignored::BeforeConnect),
            Reaction::Answer { msg_id, code, text } => self.refuse(link, &msg_id, code, text),
            Reaction::Ignore => self.ignore_known(link, erroneous),
        }
    }

    /// Sees to it that `from` is the Controller at the other end, which it may tell by this very Record.
    /// Otherwise says what is wrong.
    fn admit(&mut self, link: LinkId, from: &str, now: Moment) -> Result<(), Ignored> {
        let Some(known) = self.links.get(&link) else {
            return Ok(());
        };
        let party = known.party();
        if party.is_some_and(|party| party.id.as_str() == from) {
            return Ok(());
        }
        if let Stage::Admitting { id, .. } = &known.stage {
            return match id.as_str() == from {
                true => Ok(()),
                false => Err(Ignored::Forbidden(format!(
                    "{} is there",
                    clip(id.as_str())
                ))),
            };
        }
        let from = EndpointId::from_wire(from)
            .map_err(|error| Ignored::Erroneous(clip(&error.to_string())))?;
        may_speak(&known.peer, &from, &self.own)
            .map_err(|refusal| Ignored::Forbidden(clip(&refusal.to_string())))?;
        if let Some(party) = party {
            return Err(Ignored::Forbidden(format!("{} is there", party.id)));
        }
        self.identify(link, &from, now);
        Ok(())
    }

    /// The peer said goodbye and leaves the connection open. (R-MTP.8)
    fn parted(&mut self, link: LinkId, now: Moment) {
        let Some(known) = self.links.get_mut(&link) else {
            return;
        };
        if let Stage::Open(party) = &known.stage {
            known.stage = Stage::Parted {
                party: party.clone(),
                until: now + CONNECT_PATIENCE,
            };
        }
    }

    /// Nobody may use session contexts. The Disconnect Record that says so asks for a Connect Record
    /// before anything else, so that comes with it. (R-E2E.6a, R-MTP.8)
    fn refuse_session(&mut self, link: LinkId, now: Moment) {
        let Some(party) = self.links.get(&link).and_then(|link| link.party()).cloned() else {
            return;
        };
        let code = ErrorCode::SessionContextNotAllowed;
        let text = "this Agent uses no session context, send the Message without one";
        self.say_goodbye(link, &party.id, code, text.to_owned());
        self.open(link, party, now);
    }

    fn message(&mut self, link: LinkId, instance: u32, payload: Bytes, now: Moment) {
        let msg = match Msg::receive(payload, &Limits::DEFAULT) {
            Ok(msg) => msg,
            Err(refusal) => {
                return match refusal.reaction {
                    Reaction::Answer { msg_id, code, text } => {
                        self.refuse(link, &msg_id, code, text)
                    }
                    Reaction::Ignore => {
                        self.ignore_known(link, Ignored::Erroneous(refusal.reason.to_string()));
                    }
                };
            }
        };
        if let Some(known) = self.links.get_mut(&link) {
            known.heard(now);
        }
        // What the Message is, its body tells. (R-MSG.10)
        let msg_id = msg.header.map(|header| header.msg_id).unwrap_or_default();
        match msg.body.and_then(|body| body.msg_body) {
            Some(MsgBody::Request(request)) => {
                if let Some(request) = request.req_type {
                    self.request(link, instance, msg_id, request, now);
                }
            }
            Some(MsgBody::Response(response)) => {
                let answer = NotifyAnswer::of(response.resp_type.as_ref());
                self.answered_by_peer(link, instance, &msg_id, answer, now);
            }
            Some(MsgBody::Error(_)) => {
                let answer = Some(NotifyAnswer::Error);
                self.answered_by_peer(link, instance, &msg_id, answer, now);
            }
            None => {}
        }
    }

    /// Takes an answer of the Controller. One that answers nothing is ignored. (R-MSG.9)
    fn answered_by_peer(
        &mut self,
        link: LinkId,
        instance: u32,
        msg_id: &str,
        answer: Option<NotifyAnswer>,
        now: Moment,
    ) {
        let known =
            answer.is_some_and(|answer| self.notify_answered(link, instance, msg_id, answer, now));
        if !known {
            self.ignore_known(link, Ignored::NotAsked(clip(msg_id)));
        }
    }

    fn request(
        &mut self,
        link: LinkId,
        instance: u32,
        msg_id: String,
        request: RequestType,
        now: Moment,
    ) {
        let is_current = self.is_current();
        let Some(controller) = self.controllers.get_mut(&instance) else {
            return;
        };
        if controller.asked.iter().any(|asked| asked.msg_id == msg_id) {
            return self.ignore_known(link, Ignored::Duplicate(clip(&msg_id)));
        }
        if controller.asked.len() >= REQUESTS_MAX {
            let text = format!("{REQUESTS_MAX} requests are in progress already");
            return self.refuse(link, &msg_id, ErrorCode::ResourcesExceeded, text);
        }
        let known = self.links.get(&link).filter(|link| link.is_trusted());
        let (trusted, proven) = (known.is_some(), known.is_some_and(Link::is_over_tls));
        let held = (!is_current).then(|| msg_id.clone());
        controller.asked.push(Asked {
            msg_id,
            trusted,
            proven,
            plan: None,
        });
        let place = controller.asked.len() - 1;
        match held {
            Some(msg_id) => self.held.push_back(Held {
                instance,
                msg_id,
                request,
            }),
            None => self.carry_out(instance, place, request, now),
        }
    }

    /// Carries out what waited for the survey.
    pub(super) fn release_held(&mut self, now: Moment) {
        for Held {
            instance,
            msg_id,
            request,
        } in std::mem::take(&mut self.held)
        {
            let controller = self.controllers.get(&instance);
            let place = controller.and_then(|controller| {
                controller
                    .asked
                    .iter()
                    .position(|asked| asked.plan.is_none() && asked.msg_id == msg_id)
            });
            if let Some(place) = place {
                self.carry_out(instance, place, request, now);
            }
        }
    }

    fn carry_out(&mut self, instance: u32, place: usize, request: RequestType, now: Moment) {
        let Some(controller) = self.controllers.get_mut(&instance) else {
            return;
        };
        let Some(asked) = controller.asked.get_mut(place) else {
            return;
        };
        let access = if asked.trusted {
            &controller.access
        } else {
            &self.untrusted
        };
        let caller = Caller {
            controller: controller.path.clone(),
            access: access.clone(),
            utc: self.clock.at(now),
            authenticated: asked.proven,
        };
        let work = handlers::plan(request, caller);
        asked.plan = Some(super::plans::submit_request(
            &mut self.model,
            &mut self.purposes,
            instance,
            work,
            now,
        ));
    }

    /// Sends the answer of a request, on the link that the Controller has now. What was asked on a
    /// trusted link is answered on no other.
    pub(super) fn answer(&mut self, instance: u32, asked: Asked, answer: Answer) {
        let Some(link) = self
            .controllers
            .get(&instance)
            .and_then(|controller| controller.link)
        else {
            return;
        };
        let Some(known) = self.links.get(&link) else {
            return;
        };
        if asked.trusted && !known.is_trusted() {
            return;
        }
        let Stage::Open(party) = &known.stage else {
            return;
        };
        let to = party.id.clone();
        let payload = match answer {
            Answer::Silence => return,
            Answer::GetResp(response) => response.into_payload(&asked.msg_id),
            Answer::Response(response) => Msg::response(&*asked.msg_id, response).into_payload(),
            Answer::Error {
                code,
                text,
                param_errs,
            } => error(&asked.msg_id, code, text, param_errs),
        };
        self.send(link, &to, &asked.msg_id, payload);
    }

    fn send(&mut self, link: LinkId, to: &EndpointId, msg_id: &str, payload: Bytes) {
        let is_small = payload.len() <= ANSWER_BYTES_MAX;
        let payload = if !is_small || !Msg::is_within(&payload, &Limits::DEFAULT) {
            let text = format!(
                "the answer has {} bytes and perhaps too many items, more than can be sent: ask in parts",
                payload.len()
            );
            error(msg_id, ErrorCode::ResourcesExceeded, text, Vec::new())
        } else {
            payload
        };
        let record = Record::no_session(to, &self.own, payload);
        self.outputs.push_back(Output::Send { link, record });
    }

    /// Answers what cannot be processed. (R-MTP.5, R-MSG.1)
    fn refuse(&mut self, link: LinkId, msg_id: &str, code: ErrorCode, text: String) {
        let Some(known) = self.links.get(&link) else {
            return;
        };
        let noted = self.notices.spend(known.name());
        let Stage::Open(party) = &known.stage else {
            return;
        };
        let to = party.id.clone();
        if noted {
            self.note(Notice::Refused {
                link,
                code: code.number(),
                text: clip(&text),
            });
        }
        let payload = error(msg_id, code, text, Vec::new());
        self.send(link, &to, msg_id, payload);
    }

    fn ignore_known(&mut self, link: LinkId, why: Ignored) {
        let party = self.links.get(&link).and_then(|link| link.party());
        let from = party.map(|party| party.id.to_string()).unwrap_or_default();
        self.ignore(link, &from, why);
    }

    fn ignore(&mut self, link: LinkId, from: &str, why: Ignored) {
        let link_known = self.links.get(&link);
        if link_known.is_some_and(|known| self.notices.spend(known.name())) {
            self.note(Notice::Ignored {
                link,
                from: clip(from),
                why,
            });
        }
    }
}

fn error(msg_id: &str, code: ErrorCode, text: String, param_errs: Vec<ParamError>) -> Bytes {
    Msg::error(msg_id, code, text, param_errs).into_payload()
}
