//! Our Agent in virtual time behind an end of session contexts, which may do one thing wrong.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use ring::hmac;
use usphere_conformance::Credentials;
use usphere_conformance::peer::{Address, Happening, Peer, Seat, Trouble, What};
use usphere_conformance::session::Session;
use usphere_conformance::sockets::unix_seconds;
use usphere_conformance::virtual_time::VirtualTime;
use usphere_mtp::tls::{Authority, Holder, Identity, PayloadTls, Term};
use usphere_proto::msg::{
    GetResp, MsgBody, RequestType, RequestedPathResult, ResolvedPathResult, ResponseType, SetResp,
    SetSuccess, SupportedParamResult, UpdatedInstanceResult, UpdatedObjectResult,
};
use usphere_proto::record::{PayloadSecurity, RecordType, SessionContext};
use usphere_proto::{EndpointId, Msg, Record};
use usphere_trust::Certificate;

/// What is wrong with the Agent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    None,
    /// It takes what was not signed by whom it should be.
    AnySignature,
    /// It takes whatever certificate it is shown.
    AnyCertificate,
    /// It answers a Record whenever it comes.
    Duplicates,
    /// Its session contexts never expire.
    Endless,
    /// It goes on in the old session context when another one is begun.
    Faithful,
    /// It does not keep what it has sent.
    Forgetful,
    /// It takes plain payloads in a session context with TLS.
    Lenient,
    /// It takes Records in the order in which they come.
    Hasty,
    /// It sends Records again as often as anybody wants.
    Patient,
    /// It begins with the number 2.
    Second,
    /// The MACs of its Records are wrong.
    WrongMac,
}

const SETTINGS: [(&str, &str); 2] = [("MaxRetransmitTries", "5"), ("SessionExpiration", "60")];

/// An Agent with session contexts.
pub(crate) struct Talking {
    inner: VirtualTime,
    fault: Fault,
    settings: BTreeMap<String, String>,
    talk: Option<Talk>,
    active: Duration,
    queue: VecDeque<Happening>,
    identity: Identity,
    credentials: Credentials,
    named: u64,
}

struct Talk {
    session: Session,
    tls: Option<PayloadTls>,
    again: BTreeMap<u64, u32>,
    /// Whether the other end has shown a certificate that is no good.
    is_refused: bool,
}

impl Talking {
    pub(crate) fn new(fault: Fault) -> Self {
        let inner = VirtualTime::new().expect("the Agent starts");
        let now = unix_seconds();
        let term = Term {
            not_before: now - 86_400,
            not_after: now + 86_400,
        };
        let made = Authority::make("conformance", term).expect("a CA");
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate, key) = (folder.path().join("ca.pem"), folder.path().join("ca.key"));
        made.write(&certificate, &key).expect("it is written");
        let authority = Authority::from_files(&certificate, &key).expect("a CA");
        let issue = |id: &str| {
            let holder = Holder {
                endpoints: vec![id.parse().expect("an ID")],
                ..Holder::default()
            };
            authority.issue(&holder, term).expect("a certificate")
        };
        let own = inner.endpoint_id(Seat::Primary);
        let shown = issue(own.as_str());
        let identity = issue("self::conformance-agent").identity().expect("a key");
        let credentials = Credentials::new(
            own,
            shown.identity().expect("a key"),
            shown.certificate.clone(),
            Some(authority),
            now,
        );
        Self {
            inner,
            fault,
            settings: SETTINGS
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
            talk: None,
            active: Duration::ZERO,
            queue: VecDeque::new(),
            identity,
            credentials,
            named: 9_000,
        }
    }

    fn happen(&mut self, record: &Record) {
        let (seat, at) = (Seat::Primary, self.inner.now());
        let what = What::Message(record.to_bytes());
        self.queue.push_back(Happening { seat, at, what });
    }

    /// A Record of the session context, as it is sent.
    fn tell(&mut self, context: SessionContext, like: &Record) {
        let to: EndpointId = like.to_id.parse().expect("an ID");
        let from: EndpointId = like.from_id.parse().expect("an ID");
        let mut record = Record::session(&to, &from, context);
        let talk = self.talk.as_ref().expect("a session context");
        if let Some(tls) = &talk.tls {
            record.payload_security = PayloadSecurity::Tls12 as i32;
            if let Ok(keys) = tls.record_keys() {
                let key = hmac::Key::new(hmac::HMAC_SHA256, &keys.server);
                let mut mac = hmac::sign(&key, &record.protected_bytes())
                    .as_ref()
                    .to_vec();
                mac[0] ^= u8::from(self.fault == Fault::WrongMac);
                record.mac_signature = mac.into();
            }
        }
        self.happen(&record);
    }

    /// Says something to the Controller of the Record.
    fn say(&mut self, parts: Vec<Bytes>, like: &Record) {
        let talk = self.talk.as_mut().expect("a session context");
        for mut context in talk.session.next(parts) {
            context.sequence_id += u64::from(self.fault == Fault::Second);
            self.tell(context, like);
        }
    }

    fn begin(&mut self, id: u64) {
        self.talk = Some(Talk {
            session: Session::new(id),
            tls: None,
            again: BTreeMap::new(),
            is_refused: false,
        });
    }

    /// Begins a session context of its own.
    fn restart(&mut self, like: &Record) {
        self.named += 1;
        self.begin(self.named);
        self.say(vec![Bytes::new()], like);
    }

    fn came(&mut self, record: &Record, context: SessionContext) {
        let reply = reply_to(record);
        self.active = self.inner.now();
        let id = context.session_id;
        if self.talk.as_ref().map(|talk| talk.session.id()) != Some(id) {
            let is_new = self.talk.is_none() || self.fault != Fault::Faithful;
            if !is_new || context.sequence_id != 1 {
                return;
            }
            self.begin(id);
            if record.payload_security == PayloadSecurity::Tls12 as i32 {
                let tls = PayloadTls::server(&self.identity).expect("TLS");
                self.talk.as_mut().expect("it has begun").tls = Some(tls);
            }
        }
        if !self.is_authentic(record) {
            return self.restart(&reply);
        }
        let talk = self.talk.as_mut().expect("it has begun");
        let is_plain = record.payload_security == PayloadSecurity::Plaintext as i32;
        if is_plain && talk.tls.is_some() && self.fault != Fault::Lenient {
            return self.restart(&reply);
        }
        if self.fault == Fault::Hasty {
            let whole = context.payload.concat().into();
            return self.hand_in(record, whole);
        }
        let again = (self.fault == Fault::Duplicates).then(|| context.payload.concat());
        let Ok(taken) = talk.session.take(context) else {
            return self.restart(&reply);
        };
        for wanted in taken.wanted {
            let talk = self.talk.as_mut().expect("it has begun");
            let times = talk.again.entry(wanted.sequence_id).or_default();
            *times += 1;
            let most: u32 = self.settings["MaxRetransmitTries"]
                .parse()
                .expect("a number");
            if *times > most && self.fault != Fault::Patient {
                return self.restart(&reply);
            }
            if self.fault != Fault::Forgetful {
                self.tell(wanted, &reply);
            }
        }
        if let Some(payload) = again.filter(|_| taken.is_repeated) {
            self.hand_in(record, payload.into());
        }
        for payload in taken.payloads {
            match is_plain {
                true => self.hand_in(record, payload),
                false => self.unseal(record, &payload),
            }
        }
    }

    /// Whether what protects the Record is right. (R-E2E.30)
    fn is_authentic(&self, record: &Record) -> bool {
        if self.fault == Fault::AnySignature {
            return true;
        }
        let talk = self.talk.as_ref().expect("it has begun");
        let ready = talk.tls.as_ref().filter(|tls| tls.is_ready());
        let ready = ready.filter(|_| record.sender_cert.is_empty());
        if let Some(Ok(keys)) = ready.map(PayloadTls::record_keys) {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &keys.client);
            return hmac::verify(&key, &record.protected_bytes(), &record.mac_signature).is_ok();
        }
        // A signature in DER begins with the tag of a sequence.
        record.mac_signature.is_empty() || record.mac_signature[0] == 0x30
    }

    fn unseal(&mut self, record: &Record, payload: &[u8]) {
        let talk = self.talk.as_mut().expect("it has begun");
        let tls = talk.tls.as_mut().expect("TLS is spoken");
        let plain = tls.take(payload).unwrap_or_default();
        let answer = tls.outgoing();
        let shown = tls.certificate().map(Certificate::from_der);
        if let Some(Ok(certificate)) = shown {
            let from: EndpointId = record.from_id.parse().expect("an ID");
            let is_good =
                certificate.authenticates(&from) && certificate.validity().contains(unix_seconds());
            talk.is_refused = !is_good && self.fault != Fault::AnyCertificate;
        }
        let is_refused = talk.is_refused;
        if !answer.is_empty() {
            self.say(answer, &reply_to(record));
        }
        if !plain.is_empty() && !is_refused {
            self.hand_in(record, plain.into());
        }
    }

    /// Gives a Message to the Agent itself, unless it is about session contexts.
    fn hand_in(&mut self, record: &Record, payload: Bytes) {
        let msg = Msg::decode_bounded(payload.clone(), &Default::default());
        if let Ok(msg) = msg
            && let Some(answer) = self.of_settings(&msg)
        {
            let payload = Msg::response(msg.msg_id(), answer).into_payload();
            return self.pass_on(&reply_to(record), payload);
        }
        let to: EndpointId = record.to_id.parse().expect("an ID");
        let from: EndpointId = record.from_id.parse().expect("an ID");
        let plain = Record::no_session(&to, &from, payload);
        drop(self.inner.send(Seat::Primary, plain.to_bytes()));
    }

    /// Gives a Message of the Agent to the Controller.
    fn pass_on(&mut self, record: &Record, payload: Bytes) {
        let expiration: u64 = self.settings["SessionExpiration"]
            .parse()
            .expect("a number");
        let is_over = self.inner.now() > self.active + Duration::from_secs(expiration);
        if is_over && self.talk.is_some() && self.fault != Fault::Endless {
            self.named += 1;
            self.begin(self.named);
        }
        self.active = self.inner.now();
        let Some(talk) = &mut self.talk else {
            let to: EndpointId = record.to_id.parse().expect("an ID");
            let from: EndpointId = record.from_id.parse().expect("an ID");
            return self.happen(&Record::no_session(&to, &from, payload));
        };
        let parts = match talk.tls.as_mut().filter(|tls| tls.is_ready()) {
            None => vec![payload],
            Some(tls) => {
                tls.say(&payload).expect("TLS is spoken");
                tls.outgoing()
            }
        };
        self.say(parts, record);
    }

    /// The answer to a request that is about the settings of session contexts.
    fn of_settings(&mut self, msg: &Msg) -> Option<ResponseType> {
        let known = |name: &str| SETTINGS.iter().any(|(known, _)| *known == name);
        match msg.as_request()? {
            RequestType::Get(get) => {
                let path = get.param_paths.first()?;
                let (object, name) = path.rsplit_once('.')?;
                let value = self.settings.get(name)?.clone();
                let resolved = ResolvedPathResult {
                    resolved_path: format!("{object}."),
                    result_params: [(name.to_owned(), value)].into(),
                };
                let result = RequestedPathResult {
                    requested_path: path.clone(),
                    resolved_path_results: vec![resolved],
                    ..RequestedPathResult::default()
                };
                Some(ResponseType::GetResp(GetResp {
                    req_path_results: vec![result],
                }))
            }
            RequestType::Set(set) => {
                let object = set.update_objs.first()?;
                let setting = object.param_settings.first()?;
                if !known(&setting.param) {
                    return None;
                }
                self.settings
                    .insert(setting.param.clone(), setting.value.clone());
                let updated = UpdatedInstanceResult {
                    affected_path: object.obj_path.clone(),
                    updated_params: [(setting.param.clone(), setting.value.clone())].into(),
                    ..UpdatedInstanceResult::default()
                };
                let success = SetSuccess {
                    updated_inst_results: vec![updated],
                };
                let result = UpdatedObjectResult::success(&object.obj_path, success);
                Some(ResponseType::SetResp(SetResp {
                    updated_obj_results: vec![result],
                }))
            }
            _ => None,
        }
    }

    /// What our Agent says, where it is of session contexts.
    fn spoiled(mut msg: Msg) -> Msg {
        let body = msg.body.as_mut().and_then(|body| body.msg_body.as_mut());
        if let Some(MsgBody::Response(response)) = body
            && let Some(ResponseType::GetSupportedDmResp(response)) = &mut response.resp_type
        {
            let results = response.req_obj_results.iter_mut();
            for object in results.flat_map(|result| &mut result.supported_objs) {
                if object.supported_obj_path.ends_with(".E2ESession.") {
                    let more = SETTINGS.map(|(name, _)| SupportedParamResult {
                        param_name: name.to_owned(),
                        access: 1,
                        ..SupportedParamResult::default()
                    });
                    object.supported_params.extend(more);
                }
            }
        }
        msg
    }
}

/// A Record whose sender and receiver are exchanged.
fn reply_to(record: &Record) -> Record {
    Record {
        to_id: record.from_id.clone(),
        from_id: record.to_id.clone(),
        ..Record::default()
    }
}

impl Peer for Talking {
    fn way(&self) -> String {
        "an Agent with session contexts in virtual time".to_owned()
    }

    fn endpoint_id(&self, seat: Seat) -> EndpointId {
        self.inner.endpoint_id(seat)
    }

    fn address(&self, seat: Seat) -> Option<Address> {
        self.inner.address(seat)
    }

    fn now(&self) -> Duration {
        self.inner.now()
    }

    fn next(&mut self, until: Duration) -> Option<Happening> {
        loop {
            if let Some(happening) = self.queue.pop_front() {
                return Some(happening);
            }
            let happening = self.inner.next(until)?;
            let What::Message(bytes) = &happening.what else {
                return Some(happening);
            };
            let record = Record::decode_bounded(bytes.clone(), &Default::default());
            let record = record.expect("a Record");
            let Some(payload) = record.payload() else {
                return Some(happening);
            };
            let msg = Msg::decode_bounded(payload.clone(), &Default::default());
            let msg = Self::spoiled(msg.expect("a Message"));
            self.pass_on(&record, msg.into_payload());
        }
    }

    fn send(&mut self, seat: Seat, message: Bytes) -> Result<(), Trouble> {
        let record = Record::decode_bounded(message.clone(), &Default::default());
        let Ok(record) = record else {
            return self.inner.send(seat, message);
        };
        match &record.record_type {
            Some(RecordType::Disconnect(_)) => self.talk = None,
            Some(RecordType::SessionContext(context)) => self.came(&record, context.clone()),
            Some(RecordType::NoSessionContext(context)) => {
                self.hand_in(&record, context.payload.clone());
            }
            _ => return self.inner.send(seat, message),
        }
        Ok(())
    }

    fn connect(&mut self, seat: Seat) -> Result<(), Trouble> {
        self.inner.connect(seat)
    }

    fn drop_link(&mut self, seat: Seat) {
        self.inner.drop_link(seat);
    }

    fn restart(&mut self) -> Result<(), Trouble> {
        self.talk = None;
        self.inner.restart()
    }

    fn can_restart(&self) -> bool {
        true
    }

    fn credentials(&self) -> Option<&Credentials> {
        Some(&self.credentials)
    }
}
