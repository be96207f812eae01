//! Who may speak: what is known of a peer, judged by what the data model trusts. (R-SEC.0 to R-SEC.8,
//! R-SEC.21 to R-SEC.26)
//!
//! | door | who is there | what it becomes |
//! |---|---|---|
//! | TLS | whom the certificate proves | as the charts say |
//! | plain, loopback | who it says it is | a known Controller, with the untrusted role where it inherits others, which has to be proven; a stranger only where TOFUAllowed: nobody vouches for it |
//! | plain, beyond this host | who it says it is | a known Controller with the untrusted role; never a stranger |
//!
//! A session is judged when it is learnt who is there, and again whenever something of what is trusted has
//! changed, or a certificate has expired. Requests wait until what follows from it is in force, so none is
//! carried out with roles that are not.

mod admit;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use usphere_datamodel::{Fault, Moment, Transaction};
use usphere_proto::EndpointId;
use usphere_trust::{Admission, Channel, Standing, Store, Verdict, judge_record, judge_send};

pub(crate) use admit::{add_certificate, refer_to, remember, stored_or_new};

use super::Agent;
use super::plans::Conclusion;
use crate::event::{HangupReason, LinkId, Origin, Output};
use crate::links::{Link, Stage};
use crate::lockout;
use crate::notice::Notice;
use admit::Newcomer;

/// What came of letting somebody in.
#[derive(Debug)]
pub(super) struct Admitted {
    link: LinkId,
    result: Result<(), Fault>,
}

impl Agent {
    /// Judges whether `id` may be at the other end of `link`. `Err` says why not; who is to be banned is.
    pub(super) fn judge(
        &mut self,
        link: LinkId,
        id: &EndpointId,
        now: Moment,
    ) -> Result<Admission, HangupReason> {
        let Some(known) = self.links.get(&link) else {
            return Err(HangupReason::Stranger);
        };
        let Channel::Tls(session) = &known.peer.channel else {
            return self.judge_plain(link, id);
        };
        let time = self.utc(now).unix_seconds();
        let may_send = match known.origin {
            Origin::Accepted => Ok(()),
            Origin::Dialled(_) => judge_send(session, id, &self.trust, time).map_err(Into::into),
        };
        let judged = may_send.and_then(|()| judge_record(session, id, &self.trust, time, None));
        judged.map_err(|rejection| {
            self.note(Notice::Distrusted {
                link,
                id: id.clone(),
                distrust: rejection.distrust,
            });
            if let Some(instance) = rejection.ban {
                self.ban(instance, now);
            }
            HangupReason::Distrusted
        })
    }

    /// Without TLS there is nothing but a claim.
    fn judge_plain(&self, link: LinkId, id: &EndpointId) -> Result<Admission, HangupReason> {
        let channel = self.links.get(&link).map(|link| &link.peer.channel);
        let here = channel == Some(&Channel::PlainLoopback);
        let admission = |standing, untrusted| Admission {
            standing,
            inherited: Vec::new(),
            vouched_by: None,
            untrusted,
            remember: None,
            revision: self.trust.revision,
        };
        match self.trust.peer(id) {
            Some(peer) => {
                let standing = Standing::Known {
                    instance: peer.instance,
                };
                Ok(admission(
                    standing,
                    here && !peer.has_roles && !peer.inherits,
                ))
            }
            None if here && self.trust.tofu_allowed => Ok(admission(Standing::New, true)),
            None => Err(HangupReason::Stranger),
        }
    }

    /// Puts what follows from an admission into the data model.
    pub(super) fn submit_admission(
        &mut self,
        link: LinkId,
        id: EndpointId,
        admission: Admission,
        now: Moment,
    ) {
        self.admitting += 1;
        let known = self.links.get(&link);
        let proven = known.is_some_and(Link::is_over_tls);
        let connected = self.controllers.iter();
        let connected = connected.filter(|(_, controller)| controller.link.is_some());
        let newcomer = Newcomer {
            id,
            admission,
            proven,
            connected: connected.map(|(instance, _)| *instance).collect(),
        };
        let work = move |transaction: &mut Transaction<'_>| {
            Conclusion::Admitted(Admitted {
                link,
                result: admit::admit(transaction, &newcomer),
            })
        };
        self.submit_own(Box::new(work), now);
    }

    /// An admission is in the data model, or is impossible. Who is new is attached once the survey has found
    /// its row.
    pub(super) fn admitted(&mut self, admitted: Admitted, now: Moment) {
        self.admitting -= 1;
        if let Err(fault) = admitted.result {
            let link = admitted.link;
            let reason = fault.to_string();
            self.note(Notice::NotAdmitted { link, reason });
            if self.links.contains_key(&link) {
                self.part_ways(link, HangupReason::Stranger);
            }
        }
        if self.is_current() {
            self.attach_admitted(now);
            self.release_held(now);
        }
    }

    /// Attaches those whose rows have been made, and takes in what they have said meanwhile.
    pub(super) fn attach_admitted(&mut self, now: Moment) {
        let waiting = self.links.iter().filter_map(|(link, known)| {
            let Stage::Admitting { id, .. } = &known.stage else {
                return None;
            };
            let mut controllers = self.controllers.iter();
            let found = controllers.find(|(_, controller)| controller.id == *id);
            found.map(|(instance, _)| (*link, *instance))
        });
        for (link, instance) in waiting.collect::<Vec<_>>() {
            let known = self.links.get_mut(&link);
            let records = known.map(|known| std::mem::take(&mut known.waiting));
            self.attach(link, instance, now);
            for record in records.unwrap_or_default() {
                self.received(link, record, now);
            }
        }
    }

    /// Takes over what the data model trusts now. Whoever is connected is judged by it. (R-SEC.24)
    pub(super) fn follow_trust(&mut self, found: Store, now: Moment) {
        let found = Store {
            revision: self.trust.revision,
            revocation_lists: self.trust.revocation_lists.clone(),
            ..found
        };
        if self.trust.revision > 0 && found == *self.trust {
            return;
        }
        self.trust = Arc::new(Store {
            revision: found.revision + 1,
            ..found
        });
        self.outputs
            .push_back(Output::Trust(Arc::clone(&self.trust)));
        for known in self.links.values_mut() {
            if let Some(instance) = known.party().map(|party| party.instance) {
                known.is_doubted = !known.is_over_tls() && self.trust.inherits(instance);
            }
        }
        let sessions = self.links.iter().filter(|(_, link)| link.is_over_tls());
        for link in sessions.map(|(link, _)| *link).collect::<Vec<_>>() {
            self.judge_again(link, now);
        }
    }

    /// Judges who is there by what is trusted now, and at this time.
    fn judge_again(&mut self, link: LinkId, now: Moment) {
        let party = self.links.get(&link).and_then(|known| known.party());
        let Some(id) = party.map(|party| party.id.clone()) else {
            return;
        };
        match self.judge(link, &id, now) {
            Ok(admission) => {
                self.submit_admission(link, id, admission, now);
                self.watch_validity(link, now);
            }
            Err(reason) => self.part_ways(link, reason),
        }
    }

    /// Has the peer judged again when the next certificate expires that this may change something about. While
    /// the time is not known, none does. (R-SEC.19)
    pub(super) fn watch_validity(&mut self, link: LinkId, now: Moment) {
        let utc = self.utc(now);
        let Some(known) = self.links.get_mut(&link) else {
            return;
        };
        let session = known.peer.channel.session();
        known.judged_at = utc.unix_seconds();
        let last = known
            .judged_at
            .and_then(|time| session?.judged_until(&self.trust, time));
        known.judged_until = last.map(|last| {
            let end = last.saturating_add(1).saturating_mul(1_000_000);
            let left = end.saturating_sub(utc.unix_micros);
            now + Duration::from_micros(u64::try_from(left).unwrap_or_default())
        });
    }

    /// The wall clock was set: what was valid may not be, and has another time left. (R-SEC.19)
    pub(super) fn trust_clock_set(&mut self, now: Moment) {
        let time = self.utc(now).unix_seconds();
        let sessions = self.links.iter().filter_map(|(link, known)| {
            let session = known.peer.channel.session()?;
            let judged_at = known.judged_at.unwrap_or(i64::MIN);
            let end = session.judged_until(&self.trust, judged_at);
            Some((
                *link,
                end.is_some_and(|end| time.is_some_and(|time| end < time)),
            ))
        });
        for (link, has_expired) in sessions.collect::<Vec<_>>() {
            match has_expired {
                true => self.judge_again(link, now),
                false => self.watch_validity(link, now),
            }
        }
    }

    /// Judges again whose certificates may have expired.
    pub(super) fn judge_expired(&mut self, now: Moment) {
        let due = self.links.iter().filter(|(_, known)| {
            let until = known.judged_until;
            until.is_some_and(|until| until <= now)
        });
        for link in due.map(|(link, _)| *link).collect::<Vec<_>>() {
            if let Some(known) = self.links.get_mut(&link) {
                known.judged_until = None;
            }
            self.judge_again(link, now);
        }
    }

    /// How long a peer may be silent that was trusted on first use. (TOFUInactivityTimer)
    pub(super) fn patience_with(&self, channel: &Channel) -> Option<Duration> {
        let first_use = channel
            .session()
            .is_some_and(|session| session.verdict() == Verdict::FirstUse);
        self.trust.tofu_inactivity.filter(|_| first_use)
    }

    fn ban(&mut self, instance: u32, now: Moment) {
        let work = move |transaction: &mut Transaction<'_>| {
            let start = transaction.savepoint();
            // The last one who may give rights stays so by another certificate: by this one nobody comes in.
            let done =
                lockout::prevent(transaction, |transaction| admit::ban(transaction, instance));
            if !matches!(done, Ok(Ok(()))) {
                transaction.rollback(start);
            }
            Conclusion::Published
        };
        self.submit_own(Box::new(work), now);
    }
}
