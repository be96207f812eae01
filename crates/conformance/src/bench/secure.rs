//! TLS in the payloads of Records, and what protects the rest of them. (R-E2E.28 to R-E2E.43)

use std::time::Duration;

use bytes::Bytes;
use ring::hmac;
use usphere_mtp::tls::{PayloadTls, RecordKeys};
use usphere_proto::record::PayloadSecurity;
use usphere_proto::{EndpointId, Record};
use usphere_trust::Certificate;

use super::session::Talk;
use super::{Bench, Said};
use crate::credentials::{Badge, Shown};
use crate::peer::Seat;
use crate::session::Session;
use crate::stop::{Done, Stop};

/// A fatal alert: the handshake has failed. (RFC 5246, 7.2)
const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

/// The type of a handshake's records, and that of its first message.
const CLIENT_HELLO: (u8, u8) = (22, 1);

/// Our end of TLS in a session context.
pub(super) struct Secured {
    tls: PayloadTls,
    badge: Badge,
    is_client: bool,
    /// Whether all of our handshake is said; what comes after it has a MAC instead of a signature.
    is_said: bool,
    /// Why it has ended, if it has.
    ended: Option<String>,
}

/// What came of a handshake.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Handshake {
    /// It is over: TLS is spoken.
    Done,
    /// The Agent did not want it: what it said.
    Refused(String),
    /// Nothing came of it in time.
    Unanswered,
}

/// How a handshake is begun.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signature {
    /// The Record is signed as it should be.
    Right,
    /// Something is in the place of the signature.
    Wrong,
}

impl Badge {
    /// Signs what is not payload of a Record.
    fn sign(&self, record: &mut Record) -> Done {
        record.sender_cert = self.certificate.clone().into_bytes().into();
        let signed = self.identity.sign(&record.protected_bytes());
        record.mac_signature = signed.map_err(Stop::not_runnable)?.into();
        Ok(())
    }
}

impl Secured {
    fn new(tls: PayloadTls, badge: Badge, is_client: bool) -> Self {
        Self {
            tls,
            badge,
            is_client,
            is_said: false,
            ended: None,
        }
    }

    /// Whether the handshake is over.
    pub(super) fn is_ready(&self) -> bool {
        self.tls.is_ready() && self.ended.is_none()
    }

    /// A Message as records of TLS.
    pub(super) fn sealed(&mut self, plain: &[u8]) -> Result<Vec<Bytes>, Stop> {
        self.tls.say(plain).map_err(Stop::failed)?;
        Ok(self.tls.outgoing())
    }

    /// Puts a MAC into the Record, or a signature while there are no keys yet. (R-E2E.31, R-E2E.33)
    pub(super) fn protect(&self, record: &mut Record) -> Done {
        if !self.is_said {
            return self.badge.sign(record);
        }
        let keys = self.keys()?;
        let key = if self.is_client {
            keys.client
        } else {
            keys.server
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let mac = hmac::sign(&key, &record.protected_bytes());
        record.mac_signature = Bytes::copy_from_slice(mac.as_ref());
        Ok(())
    }

    /// Whether the MAC of a Record of the Agent is right.
    fn is_authentic(&self, record: &Record) -> Result<bool, Stop> {
        let keys = self.keys()?;
        let key = if self.is_client {
            keys.server
        } else {
            keys.client
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        Ok(hmac::verify(&key, &record.protected_bytes(), &record.mac_signature).is_ok())
    }

    fn keys(&self) -> Result<RecordKeys, Stop> {
        self.tls.record_keys().map_err(Stop::failed)
    }
}

impl Bench {
    /// The test does not apply to Agents without TLS in Records, and cannot be run without a certificate of ours.
    /// A handshake tells, unless the profile says so.
    ///
    /// # Errors
    /// It cannot be run, or does not apply.
    pub fn needs_secure_messages(&mut self) -> Done {
        self.needs_sessions()?;
        let said = self.profile.secure_messages.or(self.secure_messages);
        let has_them = match said {
            Some(said) => said,
            None => {
                self.step("Find out whether the Agent speaks TLS within Records");
                self.start_secure(Shown::Usual, Signature::Right)?;
                let handshake = self.handshake(self.profile.answer_patience());
                let has_them = handshake != Handshake::Unanswered;
                self.secure_messages = Some(has_them);
                has_them
            }
        };
        match has_them {
            true => Ok(()),
            false => {
                let reason = "the Agent does not answer a TLS handshake in a session context; where it should, secure_messages in the profile says so";
                Err(Stop::NotApplicable(reason.to_owned()))
            }
        }
    }

    /// Begins a session context whose payloads are protected by TLS, and the handshake of it: its ID.
    ///
    /// # Errors
    /// There is no such certificate.
    pub fn start_secure(&mut self, shown: Shown, signature: Signature) -> Result<u64, Stop> {
        let id = self.start_session()?;
        let badge = self.badge(shown)?;
        let mut tls = PayloadTls::client(&badge.identity).map_err(Stop::not_runnable)?;
        let hello = tls.outgoing();
        let secured = Secured::new(tls, badge, true);
        let mut session = Session::new(id);
        let context = session.next(hello).into_iter().next().unwrap_or_default();
        let seat = self.speaker;
        self.place(seat).talk = Some(Talk::new(session, Some(secured)));
        let mut record = self.of_context(seat, context)?;
        if signature == Signature::Wrong {
            record.mac_signature = vec![0x5a; record.mac_signature.len()].into();
        }
        self.send_record(seat, &record)?;
        Ok(id)
    }

    /// Waits until the handshake of our session context is over, one way or the other.
    pub fn handshake(&mut self, patience: Duration) -> Handshake {
        let until = self.until(patience);
        loop {
            match self.secured() {
                Some(Secured {
                    ended: Some(ended), ..
                }) => return Handshake::Refused(ended.clone()),
                Some(secured) if secured.tls.is_ready() => return Handshake::Done,
                _ => {}
            }
            if !self.hear(until) {
                return Handshake::Unanswered;
            }
        }
    }

    /// Begins a session context with TLS, which is ready when this returns.
    ///
    /// # Errors
    /// The Agent does not take part in it.
    pub fn secure_session(&mut self) -> Result<u64, Stop> {
        let id = self.start_secure(Shown::Usual, Signature::Right)?;
        match self.handshake(self.profile.answer_patience()) {
            Handshake::Done => Ok(id),
            Handshake::Refused(what) => Err(Stop::Failed(format!(
                "TLS in a session context was expected, the Agent has refused it: {what}"
            ))),
            Handshake::Unanswered => Err(Stop::failed(
                "TLS in a session context was expected, the handshake came to no end",
            )),
        }
    }

    /// What TLS has ended by, if it has.
    pub fn secured_end(&self) -> Option<&str> {
        self.secured()?.ended.as_deref()
    }

    /// Whether the Agent has asked for our certificate.
    pub fn was_asked_for_certificate(&self) -> bool {
        self.secured().is_some_and(|one| one.tls.was_asked())
    }

    /// The certificate of the Agent within Records names it.
    ///
    /// # Errors
    /// It shows none, or one of somebody else.
    pub fn agent_certificate_is_its_own(&self) -> Done {
        let agent: EndpointId = self.agent()?;
        let shown = self.secured().and_then(|one| one.tls.certificate());
        let shown = shown.ok_or_else(|| Stop::failed("a certificate was expected, none came"))?;
        let certificate = Certificate::from_der(shown).map_err(Stop::failed)?;
        match certificate.authenticates(&agent) {
            true => Ok(()),
            false => Err(Stop::Failed(format!(
                "a certificate of {agent} was expected, it names {:?}",
                certificate.endpoint_names()
            ))),
        }
    }

    /// Tells the Agent that the handshake has failed, and takes no part in it any more.
    ///
    /// # Errors
    /// There is no session context, or no link.
    pub fn break_off(&mut self) -> Done {
        if let Some(secured) = self.secured_of(self.speaker) {
            secured.ended = Some("it was broken off by an alert of ours".to_owned());
        }
        let alert = Bytes::from_static(&HANDSHAKE_FAILURE);
        self.send_in_session(vec![alert])
    }

    /// Waits until the Agent begins a session context by a TLS handshake: when it did.
    ///
    /// # Errors
    /// It does not.
    pub fn await_client_hello(&mut self, patience: Duration) -> Result<Duration, Stop> {
        let found = self.session_record(patience, |context| {
            let first = context.payload.first();
            context.sequence_id == 1
                && first.is_some_and(|bytes| {
                    (bytes.first(), bytes.get(5)) == (Some(&CLIENT_HELLO.0), Some(&CLIENT_HELLO.1))
                })
        });
        found.map(|(at, _)| at).ok_or_else(|| {
            Stop::Failed(format!(
                "the Agent was to begin a session context with TLS within {} s, and has not",
                patience.as_secs()
            ))
        })
    }

    /// From now on handshakes of the Agent are answered by themselves, or not.
    pub fn answer_handshakes(&mut self, answered: bool) {
        self.answers_handshakes = answered;
    }

    /// What the Agent's handshake is answered with, where it is.
    pub(super) fn secured_server(&mut self) -> Option<Secured> {
        if !self.answers_handshakes {
            return None;
        }
        let badge = self.badge(Shown::Usual).ok()?;
        let tls = PayloadTls::server(&badge.identity).ok()?;
        Some(Secured::new(tls, badge, false))
    }

    /// The Messages in a payload that is whole.
    pub(super) fn unsealed(&mut self, seat: Seat, record: &Record, payload: &Bytes) -> Vec<Bytes> {
        if record.payload_security != PayloadSecurity::Tls12 as i32 {
            return vec![payload.clone()];
        }
        let secured = self.secured_of(seat).filter(|one| one.ended.is_none());
        let Some(secured) = secured else {
            return Vec::new();
        };
        let mut wrong = None;
        // A Record of the handshake is signed, and brings the certificate for it along.
        let has_mac = secured.is_ready() && record.sender_cert.is_empty();
        if has_mac && !matches!(secured.is_authentic(record), Ok(true)) {
            wrong = Some("mac_signature does not fit the Record (R-E2E.33)".to_owned());
        }
        let taken = secured.tls.take(payload);
        let answer = secured.tls.outgoing();
        let plain = taken.unwrap_or_else(|error| {
            secured.ended = Some(error.to_string());
            Vec::new()
        });
        self.violations.extend(wrong);
        if !answer.is_empty() {
            // Where the link has ended meanwhile, nobody waits for it.
            drop(self.send_in_session_of(seat, answer));
        }
        if let Some(secured) = self.secured_of(seat) {
            secured.is_said = secured.tls.is_ready();
        }
        match plain.is_empty() {
            true => Vec::new(),
            false => vec![plain.into()],
        }
    }

    /// Whether the MACs of what came were right.
    ///
    /// # Errors
    /// One was not.
    pub fn macs_are_right(&self) -> Done {
        match self
            .violations
            .iter()
            .find(|one| one.contains("mac_signature"))
        {
            None => Ok(()),
            Some(wrong) => Err(Stop::failed(wrong)),
        }
    }

    /// The Agent ends a session context, or what it stands on: by an alert, a Disconnect Record or the link's
    /// end.
    pub fn hears_refusal(&mut self, patience: Duration) -> bool {
        self.may_take_leave();
        let until = self.until(patience);
        let seat = self.speaker;
        loop {
            if self.secured_end().is_some() {
                return true;
            }
            let is_end = self.heard(seat).any(|heard| match &heard.said {
                Said::Closed(_) | Said::Lost => true,
                Said::Record(record) => super::link::type_name(record) == "Disconnect",
                _ => false,
            });
            if is_end {
                return true;
            }
            if !self.hear(until) {
                return false;
            }
        }
    }

    /// Signs a Record whose payload TLS does not protect. (R-E2E.31)
    ///
    /// # Errors
    /// There is no certificate to sign with.
    pub fn sign(&self, record: &mut Record) -> Done {
        let badge = self.badge(Shown::Usual)?;
        record.payload_security = PayloadSecurity::Plaintext as i32;
        badge.sign(record)
    }

    fn badge(&self, shown: Shown) -> Result<Badge, Stop> {
        let credentials = self.peer.credentials().ok_or_else(|| {
            Stop::not_runnable("TLS in Records needs a certificate of the Controller; --certs names a folder with it")
        })?;
        credentials.badge(shown).map_err(Stop::not_runnable)
    }

    fn send_in_session(&mut self, parts: Vec<Bytes>) -> Done {
        self.send_in_session_of(self.speaker, parts)
    }

    fn send_in_session_of(&mut self, seat: Seat, parts: Vec<Bytes>) -> Done {
        for context in self.session(seat)?.next(parts) {
            let record = self.of_context(seat, context)?;
            self.send_record(seat, &record)?;
        }
        Ok(())
    }

    fn secured(&self) -> Option<&Secured> {
        let talk = self.places.get(&self.speaker)?.talk.as_ref();
        talk?.secured.as_ref()
    }

    fn secured_of(&mut self, seat: Seat) -> Option<&mut Secured> {
        self.place(seat).talk.as_mut()?.secured.as_mut()
    }
}
