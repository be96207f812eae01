//! Who may speak: what is known of a peer, judged by what the data model trusts. (R-SEC.0 to R-SEC.8,
//! R-SEC.21 to R-SEC.26)
//!
//! | door | who is there | what it becomes |
//! |---|---|---|
//! | TLS | whom the certificate proves | as the charts say |
//! | plain, loopback | who it says it is | a known Controller; a stranger only where TOFUAllowed: nobody vouches for it |
//! | plain, beyond this host | who it says it is | a known Controller with the untrusted role; never a stranger |
//!
//! A session is judged when it is learnt who is there, and again whenever something of what is trusted has
//! changed. Requests wait until what follows from it is in force, so none is carried out with roles
//! that are not.

mod admit;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use usphere_datamodel::{Fault, Moment, Transaction};
use usphere_proto::EndpointId;
use usphere_trust::{Admission, Channel, Standing, Store, Verdict, judge_record, judge_send};

pub(crate) use admit::{add_certificate, refer_to, remember, stored_or_new};

use super::Agent;
use super::plans::Conclusion;
use crate::event::{HangupReason, LinkId, Origin, Output};
use crate::links::Stage;
use crate::notice::Notice;

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
            untrusted,
            remember: None,
            revision: self.trust.revision,
        };
        match self.trust.peer(id) {
            Some(peer) => {
                let standing = Standing::Known {
                    instance: peer.instance,
                };
                Ok(admission(standing, here && !peer.has_roles))
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
        let work = move |transaction: &mut Transaction<'_>| {
            Conclusion::Admitted(Admitted {
                link,
                result: admit::admit(transaction, &id, &admission),
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
        let sessions = self.links.iter().filter(|(_, link)| link.is_over_tls());
        let sessions =
            sessions.filter_map(|(link, known)| Some((*link, known.party()?.id.clone())));
        for (link, id) in sessions.collect::<Vec<_>>() {
            match self.judge(link, &id, now) {
                Ok(admission) => self.submit_admission(link, id, admission, now),
                Err(reason) => self.part_ways(link, reason),
            }
        }
    }

    /// How long a peer may be silent that was trusted on first use. (TOFUInactivityTimer)
    pub(super) fn patience_with(&self, channel: &Channel) -> Option<std::time::Duration> {
        let first_use = channel
            .session()
            .is_some_and(|session| session.verdict() == Verdict::FirstUse);
        self.trust.tofu_inactivity.filter(|_| first_use)
    }

    fn ban(&mut self, instance: u32, now: Moment) {
        let work = move |transaction: &mut Transaction<'_>| {
            let start = transaction.savepoint();
            if admit::ban(transaction, instance).is_err() {
                transaction.rollback(start);
            }
            Conclusion::Published
        };
        self.submit_own(Box::new(work), now);
    }
}
