//! What the data model says about trust, compiled for the charts.
//!
//! What is disabled, empty or cannot be read is left out: it must never be taken for trust.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use usphere_datamodel::types::list;
use usphere_datamodel::{ObjectId, Transaction};
use usphere_proto::EndpointId;
use usphere_trust::{AllowedUses, Certificate, Credential, Peer, Store};

use crate::engine::survey::rows;
use crate::objects::{DER, VOUCHED_BY};

const LOCAL_AGENT: &str = "Device.LocalAgent.";
const TRUST: &str = "Device.LocalAgent.ControllerTrust.";

/// Reads it all. The revision and the revocation lists are the engine's.
pub(crate) fn compile(transaction: &mut Transaction<'_>) -> Store {
    let mut store = Store::default();
    let (Some(agent), Some(trust)) = (transaction.find(LOCAL_AGENT), transaction.find(TRUST))
    else {
        return store;
    };
    let certificates = certificates(transaction, agent);
    let banned = reference(transaction.text(trust, "BannedRole"));
    for row in rows(transaction, trust, "Credential") {
        store
            .credentials
            .extend(credential(transaction, row, &certificates, &banned));
    }
    for row in rows(transaction, agent, "Controller") {
        store.peers.extend(peer(transaction, row, &certificates));
    }
    store.tofu_allowed = transaction.text(trust, "TOFUAllowed") == "true";
    let seconds: u32 = transaction
        .text(trust, "TOFUInactivityTimer")
        .parse()
        .unwrap_or_default();
    store.tofu_inactivity = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
    store
}

/// The enabled certificates by the paths of their rows, without a dot at the end.
fn certificates(
    transaction: &mut Transaction<'_>,
    agent: ObjectId,
) -> BTreeMap<String, Certificate> {
    let mut certificates = BTreeMap::new();
    for row in rows(transaction, agent, "Certificate") {
        if transaction.text(row, "Enable") == "true"
            && let Some(certificate) = certificate(transaction, row)
        {
            certificates.insert(reference(transaction.path(row)), certificate);
        }
    }
    certificates
}

/// The certificate that the row holds.
pub(crate) fn certificate(transaction: &mut Transaction<'_>, row: ObjectId) -> Option<Certificate> {
    let der = STANDARD.decode(transaction.text(row, DER)).ok()?;
    Certificate::from_der(&der).ok()
}

fn credential(
    transaction: &mut Transaction<'_>,
    row: ObjectId,
    certificates: &BTreeMap<String, Certificate>,
    banned: &str,
) -> Option<Credential> {
    if transaction.text(row, "Enable") != "true" {
        return None;
    }
    let certificate = certificates.get(&reference(transaction.text(row, "Credential")))?;
    let roles: Vec<String> = list::items(transaction.text(row, "Role"))
        .map(|role| reference(&role))
        .collect();
    let bans = !banned.is_empty() && roles.iter().any(|role| role == banned);
    let allowed_uses = match bans {
        true => None,
        false => Some(AllowedUses::from_name(
            transaction.text(row, "AllowedUses"),
        )?),
    };
    Some(Credential {
        instance: transaction.instance(row),
        certificate: certificate.clone(),
        allowed_uses,
        roles,
    })
}

/// A Controller, enabled or not: one that is disabled is known all the same.
fn peer(
    transaction: &mut Transaction<'_>,
    row: ObjectId,
    certificates: &BTreeMap<String, Certificate>,
) -> Option<Peer> {
    let endpoint_id = EndpointId::from_wire(transaction.text(row, "EndpointID")).ok()?;
    let stored = list::items(transaction.text(row, "Credential"))
        .filter_map(|item| certificates.get(&reference(&item)).cloned())
        .collect();
    Some(Peer {
        instance: transaction.instance(row),
        endpoint_id,
        certificates: stored,
        has_roles: !transaction.text(row, "AssignedRole").is_empty(),
        inherits: inherits(transaction, row),
    })
}

/// Whether the Credential that vouched for the Controller last gives roles.
fn inherits(transaction: &mut Transaction<'_>, row: ObjectId) -> bool {
    let credential = format!("{}.", reference(transaction.text(row, VOUCHED_BY)));
    let credential = transaction.find(&credential);
    credential.is_some_and(|credential| !transaction.text(credential, "Role").is_empty())
}

/// The path of a row as references are kept: without a dot at its end.
fn reference(path: &str) -> String {
    path.trim_end_matches('.').to_owned()
}
