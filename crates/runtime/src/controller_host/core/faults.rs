//! Contacts that failed: what of the engine's notices, and of ends, is told to those who want to know.

use std::net::SocketAddr;

use usphere_controller::{HangupReason, LinkId, Notice, OfflineReason};
use usphere_proto::EndpointId;

use super::super::OnlineAgent;
use super::super::contacts::{self, ContactFault, FailedContact};
use super::super::notices::log;
use super::{Core, State};

impl Core {
    /// Puts a notice into the log, and tells those who want to know.
    pub(super) fn noted(&self, state: &mut State, notice: &Notice) {
        log(notice);
        let mut named = None;
        let (link, fault) = match notice {
            Notice::HungUp { link, reason } => match reason {
                HangupReason::OurEndpointId | HangupReason::Silent => {
                    (*link, ContactFault::HungUp(*reason))
                }
                HangupReason::Dismissed | HangupReason::Replaced | HangupReason::ShuttingDown => {
                    return;
                }
            },
            Notice::Ignored { link, from, why } => {
                state.taps.note(from, || notice.to_string());
                if !contacts::is_wrong(why) {
                    return;
                }
                named = EndpointId::from_wire(from).ok();
                (*link, ContactFault::Ignored(why.clone()))
            }
            Notice::Refused {
                link,
                agent,
                code,
                text,
            } => {
                state.taps.note(agent.as_str(), || notice.to_string());
                let (code, text) = (*code, text.clone());
                (*link, ContactFault::Refused { code, text })
            }
            Notice::Replaced { old, new, .. } => {
                return self.replaced(state, *old, *new);
            }
            Notice::Untaken { .. } => return,
        };
        if let Some(way) = state.links.get_mut(&link) {
            let is_told = std::mem::replace(&mut way.is_explained, true);
            if !is_told || !matches!(fault, ContactFault::HungUp(HangupReason::Silent)) {
                let claimed = named.or_else(|| way.claimed.clone());
                self.failed(way.remote, claimed, fault);
            }
        }
    }

    /// An Agent that comes back from where it was is nothing to tell of.
    fn replaced(&self, state: &State, old: LinkId, new: LinkId) {
        if let (Some(old), Some(new)) = (state.links.get(&old), state.links.get(&new))
            && old.remote.ip() != new.remote.ip()
        {
            let before = old.remote;
            let fault = ContactFault::Doubled { before };
            self.failed(new.remote, old.claimed.clone(), fault);
        }
    }

    pub(super) fn left(&self, left: OnlineAgent, reason: &OfflineReason) {
        if let OfflineReason::Disconnected { code, text } = reason
            && contacts::is_complaint(*code)
        {
            let (code, text) = (*code, text.clone());
            self.failed(
                left.remote,
                Some(left.agent),
                ContactFault::Left { code, text },
            );
        }
    }

    pub(super) fn failed(
        &self,
        remote: SocketAddr,
        claimed: Option<EndpointId>,
        fault: ContactFault,
    ) {
        // Nobody has to want to know.
        drop(self.contacts.send(FailedContact {
            remote,
            claimed,
            fault,
        }));
    }
}
