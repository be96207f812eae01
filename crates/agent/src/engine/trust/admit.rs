//! What follows in the data model from what was made of a peer: the row of a Controller that is new, its
//! certificate where that has to be remembered, and its roles. (R-SEC.6, R-SEC.8, R-SEC.24)

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use usphere_datamodel::types::list;
use usphere_datamodel::{Fault, FaultKind, ObjectId, Transaction};
use usphere_proto::EndpointId;
use usphere_trust::{Admission, Certificate};

use crate::engine::seed::{add, assign, find, row_with, set};
use crate::engine::survey::rows;
use crate::limits::{CERTIFICATES_MAX, STRANGERS_MAX};
use crate::objects::{DER, VOUCHED_BY};

const LOCAL_AGENT: &str = "Device.LocalAgent.";
const TRUST: &str = "Device.LocalAgent.ControllerTrust.";
const CONTROLLERS: &str = "Device.LocalAgent.Controller.";

/// Who is let in, as what.
pub(super) struct Newcomer {
    pub(super) id: EndpointId,
    pub(super) admission: Admission,
    /// Whether a certificate proves who it is.
    pub(super) proven: bool,
    /// The instance numbers of the Controllers that are connected.
    pub(super) connected: BTreeSet<u32>,
}

/// Gives a Controller what it was admitted with, and a row where it has none.
///
/// # Errors
/// When that is not possible; nothing has changed then.
pub(super) fn admit(transaction: &mut Transaction<'_>, newcomer: &Newcomer) -> Result<(), Fault> {
    let start = transaction.savepoint();
    let done = attempt(transaction, newcomer);
    if done.is_err() {
        transaction.rollback(start);
    }
    done
}

fn attempt(transaction: &mut Transaction<'_>, newcomer: &Newcomer) -> Result<(), Fault> {
    let Newcomer { id, admission, .. } = newcomer;
    let agent = find(transaction, LOCAL_AGENT)?;
    let trust = find(transaction, TRUST)?;
    let untrusted = transaction.text(trust, "UntrustedRole").to_owned();
    let known = row_with(transaction, agent, "Controller", "EndpointID", id.as_str())?;
    let row = match known {
        Some(row) => row,
        None => {
            if admission.untrusted && untrusted.is_empty() {
                let text =
                    "there is no UntrustedRole, so nobody is taken in whom nobody vouches for";
                return Err(Fault::new(FaultKind::Denied, CONTROLLERS, text));
            }
            make_room(transaction, agent, &untrusted, newcomer)?;
            let values = [("EndpointID", id.as_str()), ("Enable", "true")];
            add(transaction, agent, "Controller", &values)?
        }
    };
    if let Some(certificate) = &admission.remember {
        remember(transaction, agent, row, certificate)?;
    }
    if newcomer.proven {
        vouch(transaction, row, admission.vouched_by)?;
    }
    let inherited: Vec<&str> = admission
        .inherited
        .iter()
        .map(String::as_str)
        .filter(|role| transaction.find(&format!("{role}.")).is_some())
        .collect();
    let inherited = list::join(inherited);
    if transaction.text(row, "InheritedRole") != inherited {
        assign(transaction, row, "InheritedRole", &inherited)?;
    }
    let unassigned = transaction.text(row, "AssignedRole").is_empty();
    if admission.untrusted && unassigned && !untrusted.is_empty() {
        assign(transaction, row, "AssignedRole", &untrusted)?;
    }
    Ok(())
}

/// Gives a Controller the BannedRole, and takes all others from it. (TR-369, Assigning Controller Roles)
pub(super) fn ban(transaction: &mut Transaction<'_>, instance: u32) -> Result<(), Fault> {
    let trust = find(transaction, TRUST)?;
    let banned = transaction.text(trust, "BannedRole").to_owned();
    let row = transaction.find(&format!("{CONTROLLERS}{instance}."));
    let (Some(row), false) = (row, banned.is_empty()) else {
        return Ok(());
    };
    assign(transaction, row, "AssignedRole", &banned)?;
    assign(transaction, row, "InheritedRole", "")
}

/// Remembers which Credential has vouched for the Controller.
fn vouch(
    transaction: &mut Transaction<'_>,
    row: ObjectId,
    credential: Option<u32>,
) -> Result<(), Fault> {
    let path = credential.map(|credential| format!("{TRUST}Credential.{credential}"));
    let path = path.filter(|path| transaction.find(&format!("{path}.")).is_some());
    let path = path.unwrap_or_default();
    if transaction.text(row, VOUCHED_BY).trim_end_matches('.') == path {
        return Ok(());
    }
    assign(transaction, row, VOUCHED_BY, &path)
}

/// Who takes in strangers does not take in any number of them. Those that were given a role since do not
/// count, and those that somebody vouches for count apart. Of these the one that has been known longest of those
/// that are not there makes room: it is taken in again when it comes again. Nobody else is forgotten for
/// somebody whom nobody vouches for.
fn make_room(
    transaction: &mut Transaction<'_>,
    agent: ObjectId,
    untrusted: &str,
    newcomer: &Newcomer,
) -> Result<(), Fault> {
    let is_vouched_for = newcomer.admission.vouched_by.is_some();
    let mut strangers = Vec::new();
    for row in rows(transaction, agent, "Controller") {
        let assigned = transaction.text(row, "AssignedRole");
        let is_stranger = assigned.is_empty() || assigned == untrusted;
        let is_alike = transaction.text(row, VOUCHED_BY).is_empty() != is_vouched_for;
        if is_stranger && is_alike {
            strangers.push(row);
        }
    }
    let number = strangers.len();
    if number < STRANGERS_MAX {
        return Ok(());
    }
    // Who has an MTP was configured by somebody.
    let gone = strangers.into_iter().find(|row| {
        !newcomer.connected.contains(&transaction.instance(*row))
            && rows(transaction, *row, "MTP").is_empty()
    });
    if let Some(gone) = gone.filter(|_| is_vouched_for) {
        return transaction.delete_row(gone);
    }
    let text = format!(
        "{number} Controllers have no role of their own, no more are taken in: Delete some, or give them roles"
    );
    Err(Fault::new(FaultKind::ResourcesExceeded, CONTROLLERS, text))
}

/// Stores the certificate with the Controller: the association is known again. (R-SEC.8)
pub(crate) fn remember(
    transaction: &mut Transaction<'_>,
    agent: ObjectId,
    controller: ObjectId,
    certificate: &Certificate,
) -> Result<(), Fault> {
    let row = stored_or_new(transaction, agent, certificate)?;
    refer_to(transaction, controller, row)
}

/// Lets a Controller be known by the certificate in `row`, beside those that it is known by.
pub(crate) fn refer_to(
    transaction: &mut Transaction<'_>,
    controller: ObjectId,
    row: ObjectId,
) -> Result<(), Fault> {
    let path = transaction.path(row).trim_end_matches('.').to_owned();
    let credentials = transaction.text(controller, "Credential").to_owned();
    let mut all: Vec<_> = list::items(&credentials).collect();
    if all.iter().all(|item| *item != path) {
        all.push(path.into());
    }
    let all = list::join(all.iter().map(|item| &**item));
    assign(transaction, controller, "Credential", &all)
}

/// The row that holds exactly this certificate, which is added where there is none.
pub(crate) fn stored_or_new(
    transaction: &mut Transaction<'_>,
    agent: ObjectId,
    certificate: &Certificate,
) -> Result<ObjectId, Fault> {
    let der = STANDARD.encode(certificate.der());
    let known = rows(transaction, agent, "Certificate")
        .into_iter()
        .find(|row| transaction.text(*row, DER) == der);
    match known {
        Some(row) => Ok(row),
        None => add_certificate(transaction, agent, certificate, None),
    }
}

/// Adds a row with this certificate. (TR-181, AddCertificate())
///
/// # Errors
/// When there is a row with its SerialNumber and Issuer, or with the alias, or these do not fit, or the
/// table is full.
pub(crate) fn add_certificate(
    transaction: &mut Transaction<'_>,
    agent: ObjectId,
    certificate: &Certificate,
    alias: Option<&str>,
) -> Result<ObjectId, Fault> {
    let node = transaction
        .member(agent, "Certificate")
        .ok_or_else(|| Fault::new(FaultKind::Internal, LOCAL_AGENT, "this is not declared"))?;
    if rows(transaction, agent, "Certificate").len() >= CERTIFICATES_MAX {
        let text = format!("there are {CERTIFICATES_MAX} certificates already, Delete() some");
        let path = "Device.LocalAgent.Certificate.";
        return Err(Fault::new(FaultKind::ResourcesExceeded, path, text));
    }
    let row = transaction.add_row(agent, node)?;
    if let Some(alias) = alias {
        set(transaction, row, "Alias", alias)?;
    }
    set(transaction, row, "Enable", "true")?;
    assign(
        transaction,
        row,
        "SerialNumber",
        &certificate.serial_number(),
    )?;
    assign(transaction, row, "Issuer", certificate.issuer())?;
    assign(transaction, row, DER, &STANDARD.encode(certificate.der()))?;
    transaction.finish_row(row)?;
    Ok(row)
}
