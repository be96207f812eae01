//! Every path through every chart.

mod hostile;
mod mtp;
mod record;

use std::time::Duration;

use usphere_proto::EndpointId;

use super::Expected;
use crate::testing::{Authority, NOW, authority, draft};
use crate::{AllowedUses, Certificate, Chain, Credential, Peer, Session, Store};

/// The names that the certificates of these tests play with.
fn id(text: &str) -> EndpointId {
    EndpointId::from_wire(text).unwrap()
}

/// The Controller of most of these tests.
fn them() -> EndpointId {
    id("self::them")
}

/// A trust store without anything in it.
fn empty() -> Store {
    Store {
        revision: 1,
        ..Store::default()
    }
}

/// Trusts everybody on first use.
fn tofu() -> Store {
    Store {
        tofu_allowed: true,
        tofu_inactivity: Some(Duration::from_secs(60)),
        ..empty()
    }
}

impl Store {
    fn trusting(mut self, certificate: &Certificate, uses: AllowedUses, roles: &[&str]) -> Self {
        let instance = self.credentials.len() as u32 + 1;
        self.credentials.push(Credential {
            instance,
            certificate: certificate.clone(),
            allowed_uses: Some(uses),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        });
        self
    }

    fn banning(mut self, certificate: &Certificate) -> Self {
        let instance = self.credentials.len() as u32 + 1;
        self.credentials.push(Credential {
            instance,
            certificate: certificate.clone(),
            allowed_uses: None,
            roles: Vec::new(),
        });
        self
    }

    fn knowing(mut self, id: &EndpointId, certificates: &[&Certificate], has_roles: bool) -> Self {
        let instance = self.peers.len() as u32 + 1;
        self.peers.push(Peer {
            instance,
            endpoint_id: id.clone(),
            certificates: certificates
                .iter()
                .map(|&certificate| certificate.clone())
                .collect(),
            has_roles,
            inherits: false,
        });
        self
    }

    fn next(mut self) -> Self {
        self.revision += 1;
        self
    }
}

/// A session that was judged by a store that trusts everybody.
fn session(chain: Chain) -> Session {
    Session::open(chain, &tofu(), &Expected::Anybody, Some(NOW)).unwrap()
}

/// The certificate of `id`, signed by `by`.
fn issued(id: &EndpointId, by: &Authority) -> Certificate {
    draft("them").endpoint(id).signed_by(by).certificate
}

fn self_signed(id: &EndpointId) -> Certificate {
    draft("them").endpoint(id).self_signed().certificate
}

/// A root, an authority below it, and one below that.
fn tower() -> [Authority; 3] {
    let root = authority("Root");
    let middle = draft("Middle").authority_under(&root);
    let low = draft("Low").authority_under(&middle);
    [root, middle, low]
}
