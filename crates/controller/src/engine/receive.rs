//! What comes in: the checks of a Record, in the order of the specification, and the Messages.

use bytes::Bytes;
use usphere_datamodel::Moment;
use usphere_datamodel::operation::{OperationError, OperationKind, Outcome};
use usphere_proto::msg::{MsgBody, Request, RequestType, Response, ResponseType};
use usphere_proto::record::{Disconnect, PayloadSecurity};
use usphere_proto::{
    EndpointId, ErrorCode, Limits, Msg, Reaction, Record, RecordError, RecordType, Refusal,
};
use usphere_trust::{AllowedUses, Distrust, PeerIdentity, Verdict, may_speak};

use super::{Controller, LinkState};
use crate::limits::NOTICES_PER_LINK_MAX;
use crate::notice::{Ignored, clip};
use crate::{
    HangupReason, LinkId, Notice, OfflineReason, OperationId, Output, registration, translate,
};

impl Controller {
    /// Judges a Record, whose Message was perhaps read. Whatever it holds, the link stays open, but for our own Endpoint
    /// ID. (R-MTP.5)
    pub(super) fn received(
        &mut self,
        link: LinkId,
        record: Record,
        msg: Option<Result<Msg, Box<Refusal>>>,
        now: Moment,
    ) {
        let Some(known) = self.links.get(&link) else {
            return; // The link was hung up; what was under way on it is void.
        };
        let checked = record.check(&self.config.endpoint_id);
        let from = match (&checked, EndpointId::from_wire(&record.from_id)) {
            (Err(RecordError::FromSelf { .. }), _) => {
                let reason = HangupReason::OurEndpointId;
                self.disconnected(link, OfflineReason::Lost(reason.to_string()));
                return self.hang_up(link, reason);
            }
            (Err(error @ RecordError::FromId(_)), _) => {
                let why = Ignored::FromNobody(clip(&error.to_string()));
                return self.ignore(link, &record.from_id, why);
            }
            (Err(error @ RecordError::NotOurs { .. }), _) => {
                let why = Ignored::Misdirected(clip(&error.to_string()));
                return self.ignore(link, &record.from_id, why);
            }
            (Err(error @ RecordError::NoType), _) => {
                let why = Ignored::Erroneous(clip(&error.to_string()));
                return self.ignore(link, &record.from_id, why);
            }
            (_, Ok(from)) => from,
            (_, Err(error)) => {
                let why = Ignored::FromNobody(clip(&error.to_string()));
                return self.ignore(link, &record.from_id, why);
            }
        };
        if let Err(refusal) = may_speak(&known.peer, &from, &self.config.endpoint_id) {
            return self.ignore(
                link,
                from.as_str(),
                Ignored::Forbidden(clip(&refusal.to_string())),
            );
        }
        if let Some(distrust) = unproven(&known.peer, &from) {
            let why = Ignored::Unproven(clip(&distrust.to_string()));
            return self.ignore(link, from.as_str(), why);
        }
        let online = match &known.state {
            LinkState::Online(agent) if *agent == from => true,
            LinkState::Online(_) => return self.ignore(link, from.as_str(), Ignored::OtherAgent),
            LinkState::Waiting { .. } => false,
        };
        if !record.mac_signature.is_empty() {
            return self.ignore(link, from.as_str(), Ignored::Unverified);
        }
        if !online && !record.is_connect() {
            return self.ignore(link, from.as_str(), Ignored::BeforeConnect);
        }
        match checked {
            Ok(()) => self.accepted(link, from, record, msg, now),
            Err(error @ RecordError::Version { .. }) if record.payload().is_none() => {
                let why = Ignored::Version(clip(&error.to_string()));
                self.ignore(link, from.as_str(), why);
            }
            Err(error) => {
                let payload = record.payload().map(|payload| &payload[..]);
                self.refuse_record(
                    link,
                    &from,
                    payload,
                    ErrorCode::InvalidRecordValue,
                    &error.to_string(),
                );
            }
        }
    }

    /// Answers a Record that breaks a rule of the encoding, as R-MTP.5 and R-MTP.8 allow.
    pub(super) fn refused(&mut self, link: LinkId, refusal: Refusal) {
        let Some(known) = self.links.get(&link) else {
            return;
        };
        let text = clip(&refusal.to_string());
        match (refusal.from, refusal.reaction) {
            (Some(from), Reaction::Answer { msg_id, code, .. })
                if known.state == LinkState::Online(from.clone()) =>
            {
                self.refuse(link, &from, &msg_id, code, &text);
            }
            (from, _) => {
                let from = from
                    .as_ref()
                    .map_or("an unknown Endpoint", EndpointId::as_str);
                self.ignore(link, from, Ignored::Erroneous(text));
            }
        }
    }

    /// Takes in a Record that is for us, from the Agent of its link or from one that connects.
    fn accepted(
        &mut self,
        link: LinkId,
        from: EndpointId,
        record: Record,
        msg: Option<Result<Msg, Box<Refusal>>>,
        now: Moment,
    ) {
        match record.record_type {
            Some(RecordType::WebSocketConnect(_))
                if self
                    .agents
                    .get(&from)
                    .is_some_and(|known| known.link == link) =>
            {
                // It says what is known.
            }
            Some(RecordType::WebSocketConnect(_)) => self.arrive(link, from, record.version),
            Some(
                RecordType::MqttConnect(_)
                | RecordType::StompConnect(_)
                | RecordType::UdsConnect(_),
            )
            | None => {
                self.ignore(link, from.as_str(), Ignored::WrongConnect);
            }
            Some(RecordType::Disconnect(disconnect)) => self.disconnect(link, disconnect, now),
            Some(RecordType::NoSessionContext(content)) => {
                let read = || Msg::receive(content.payload.clone(), &Limits::DEFAULT);
                let msg = msg.unwrap_or_else(read);
                self.message(link, from, &content.payload, msg, now)
            }
            Some(RecordType::SessionContext(content)) => {
                // Session contexts are not spoken here. A request in one gets the Error that R-MTP.5 wants.
                let plain = record.payload_security == PayloadSecurity::Plaintext as i32;
                let payload = match &content.payload[..] {
                    [payload] if plain => Some(&payload[..]),
                    _ => None,
                };
                let text = "session contexts are not supported";
                self.refuse_record(
                    link,
                    &from,
                    payload,
                    ErrorCode::SessionContextNotAllowed,
                    text,
                );
            }
        }
    }

    /// The Agent takes its leave and may keep the connection. All that was known of the communication
    /// with it is forgotten, and nothing is exchanged before the next Connect Record. (R-MTP.7, R-MTP.8)
    fn disconnect(&mut self, link: LinkId, disconnect: Disconnect, now: Moment) {
        let reason = OfflineReason::Disconnected {
            code: disconnect.reason_code,
            text: clip(&disconnect.reason),
        };
        if let Some(known) = self.links.get(&link) {
            self.leave(link, known.state.clone(), reason);
            self.wait_anew(link, now);
        }
    }

    /// Answers an erroneous Record, if all that R-MTP.5 asks for is there; ignores it if not. The
    /// sender, our own ID and the way back are known to be good when this is called.
    fn refuse_record(
        &mut self,
        link: LinkId,
        from: &EndpointId,
        payload: Option<&[u8]>,
        code: ErrorCode,
        text: &str,
    ) {
        let peek = payload.map(Msg::peek).unwrap_or_default();
        match peek.msg_id {
            Some(msg_id) if peek.is_request => self.refuse(link, from, msg_id, code, text),
            _ => self.ignore(link, from.as_str(), Ignored::Erroneous(clip(text))),
        }
    }

    fn message(
        &mut self,
        link: LinkId,
        from: EndpointId,
        payload: &Bytes,
        msg: Result<Msg, Box<Refusal>>,
        now: Moment,
    ) {
        let msg = match msg {
            Ok(msg) => msg,
            Err(refusal) => return self.malformed(link, &from, payload, *refusal),
        };
        let msg_id = msg.msg_id().to_owned();
        match msg.into_content() {
            Some(MsgBody::Error(error)) => {
                self.answered(link, &from, &msg_id, |_| Err(translate::refusal(error)))
            }
            Some(MsgBody::Response(Response {
                resp_type: Some(response),
            })) => {
                self.answered(link, &from, &msg_id, |kind| {
                    translate::outcome(kind, response)
                });
            }
            Some(MsgBody::Request(Request {
                req_type: Some(request),
            })) => {
                self.requested(link, from, msg_id, request, now);
            }
            Some(MsgBody::Request(_) | MsgBody::Response(_)) | None => {
                debug_assert!(false, "Msg::receive lets no empty body through");
            }
        }
    }

    /// A Message that breaks a rule: a request is answered, what should have been the answer to an
    /// Operation ends it, all else is ignored.
    fn malformed(&mut self, link: LinkId, from: &EndpointId, payload: &[u8], refusal: Refusal) {
        let text = clip(&refusal.to_string());
        if let Reaction::Answer { msg_id, code, .. } = &refusal.reaction {
            return self.refuse(link, from, msg_id, *code, &text);
        }
        let waiting = Msg::peek(payload)
            .msg_id
            .and_then(|msg_id| self.waiting(from, msg_id));
        match waiting.and_then(|operation| self.forget(operation)) {
            Some(pending) => self.conclude(
                pending.operation,
                Err(OperationError::InvalidAnswer { text }),
            ),
            None => self.ignore(link, from.as_str(), Ignored::Erroneous(text)),
        }
    }

    /// Concludes the Operation that waits for this msg_id, of this Agent. (R-MSG.9)
    fn answered(
        &mut self,
        link: LinkId,
        from: &EndpointId,
        msg_id: &str,
        outcome: impl FnOnce(OperationKind) -> Result<Outcome, OperationError>,
    ) {
        match self
            .waiting(from, msg_id)
            .and_then(|operation| self.forget(operation))
        {
            Some(pending) => self.conclude(pending.operation, outcome(pending.kind)),
            None => self.ignore(link, from.as_str(), Ignored::NotAsked(clip(msg_id))),
        }
    }

    fn waiting(&self, agent: &EndpointId, msg_id: &str) -> Option<OperationId> {
        self.agents
            .get(agent)?
            .pending
            .get(msg_id)
            .map(|pending| pending.operation)
    }

    /// Every request is answered, but for a Notify that does not want it. (R-MSG.0, R-MSG.1)
    fn requested(
        &mut self,
        link: LinkId,
        from: EndpointId,
        msg_id: String,
        request: RequestType,
        now: Moment,
    ) {
        match request {
            RequestType::Deregister(deregister) => {
                self.respond(link, &from, &msg_id, registration::deregister(deregister));
            }
            RequestType::Notify(notify) => self.notified(link, from, msg_id, notify, now),
            RequestType::Register(register) => match registration::register(register) {
                Ok(response) => self.respond(link, &from, &msg_id, response),
                Err(text) => self.refuse(link, &from, &msg_id, ErrorCode::RegisterFailure, text),
            },
            other => {
                let text = format!("a Controller does not answer a {:?}", other.kind());
                self.refuse(link, &from, &msg_id, ErrorCode::MessageNotSupported, &text);
            }
        }
    }

    pub(super) fn respond(
        &mut self,
        link: LinkId,
        agent: &EndpointId,
        msg_id: &str,
        response: impl Into<ResponseType>,
    ) {
        self.send(link, agent, Msg::response(msg_id, response));
    }

    pub(super) fn refuse(
        &mut self,
        link: LinkId,
        agent: &EndpointId,
        msg_id: &str,
        code: ErrorCode,
        text: &str,
    ) {
        let notice = Notice::Refused {
            link,
            agent: agent.clone(),
            code,
            text: text.to_owned(),
        };
        self.note(link, notice);
        self.send(link, agent, Msg::error(msg_id, code, text, Vec::new()));
    }

    pub(super) fn ignore(&mut self, link: LinkId, from: &str, why: Ignored) {
        self.note(
            link,
            Notice::Ignored {
                link,
                from: clip(from),
                why,
            },
        );
    }

    /// A peer that does nothing but wrong must not fill the log.
    pub(super) fn note(&mut self, link: LinkId, notice: Notice) {
        if let Some(known) = self.links.get_mut(&link)
            && known.notices < NOTICES_PER_LINK_MAX
        {
            known.notices += 1;
            self.outputs.push_back(Output::Note(notice));
        }
    }
}

/// Why the certificate of a peer does not stand for the Endpoint `from`: neither is it its own, nor
/// that of a Trusted Broker. Without TLS there is nothing that could. (R-SEC.0a, R-SEC.10a, R-E2E.28)
fn unproven(peer: &PeerIdentity, from: &EndpointId) -> Option<Distrust> {
    let session = peer.channel.session()?;
    let leaf = session.chain().leaf();
    let is_broker = matches!(
        session.verdict(),
        Verdict::VouchedFor {
            allowed_uses: AllowedUses::MtpAndBroker,
            ..
        }
    );
    (!is_broker && !leaf.authenticates(from)).then(|| Distrust::Unproven {
        certificate: leaf.to_string(),
        endpoint_id: from.clone(),
    })
}
