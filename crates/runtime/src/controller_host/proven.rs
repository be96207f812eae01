//! The Endpoint IDs that have proved themselves by a certificate: nobody speaks as one of them without one.
//!
//! This is looked at before the engine hears of a Record, so that who only says that it is somebody takes no link from
//! whoever has proved it.

use std::collections::HashSet;

use usphere_proto::EndpointId;

use super::Proof;

/// Whom to guard; nobody while nobody can come without a certificate.
#[derive(Debug, Default)]
pub(super) struct Proven(Option<HashSet<EndpointId>>);

impl Proven {
    /// Guards these from now on, and all that prove themselves.
    pub(super) fn guard(&mut self, known: HashSet<EndpointId>) {
        self.0.get_or_insert_default().extend(known);
    }

    /// An Agent is there by this proof.
    pub(super) fn arrived(&mut self, agent: &EndpointId, proof: Proof) {
        if let (Some(guarded), Proof::Certificate) = (&mut self.0, proof) {
            guarded.insert(agent.clone());
        }
    }

    /// It begins anew: what it proved is forgotten.
    pub(super) fn forget(&mut self, agent: &EndpointId) {
        if let Some(guarded) = &mut self.0 {
            guarded.remove(agent);
        }
    }

    /// Who would be spoken for by a Record from `from` on a link with this proof, though it has proved itself.
    pub(super) fn refuses(&self, from: &str, proof: Proof) -> Option<EndpointId> {
        let guarded = self.0.as_ref().filter(|_| proof == Proof::Nothing)?;
        let from = EndpointId::from_wire(from).ok()?;
        guarded.contains(&from).then_some(from)
    }
}
