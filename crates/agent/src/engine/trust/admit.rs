//! What follows in the data model from what was made of a peer: the row of a Controller that is new, its
//! certificate where that has to be remembered, and its roles. (R-SEC.6, R-SEC.8, R-SEC.24)

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use usphere_datamodel::types::list;
use usphere_datamodel::{Fault, FaultKind, ObjectId, Transaction};
use usphere_proto::EndpointId;
use usphere_trust::{Admission, Certificate};

use crate::engine::seed::{add, assign, find, row_with, set};
use crate::engine::survey::rows;
use crate::limits::{CERTIFICATES_MAX, STRANGERS_MAX};
use crate::objects::DER;

const LOCAL_AGENT: &str = "Device.LocalAgent.";
const TRUST: &str = "Device.LocalAgent.ControllerTrust.";
const CONTROLLERS: &str = "Device.LocalAgent.Controller.";

/// Gives the Controller `id` what it was admitted with, and a row where it has none.
///
/// # Errors
/// When that is not possible; nothing has changed then.
pub(super) fn admit(
    transaction: &mut Transaction<'_>,
    id: &EndpointId,
    admission: &Admission,
) -> Result<(), Fault> {
    let start = transaction.savepoint();
    let done = attempt(transaction, id, admission);
    if done.is_err() {
        transaction.rollback(start);
    }
    done
}

fn attempt(
    transaction: &mut Transaction<'_>,
    id: &EndpointId,
    admission: &Admission,
) -> Result<(), Fault> {
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
            make_room(transaction, agent, &untrusted)?;
            let values = [("EndpointID", id.as_str()), ("Enable", "true")];
            add(transaction, agent, "Controller", &values)?
        }
    };
    if let Some(certificate) = &admission.remember {
        remember(transaction, agent, row, certificate)?;
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

/// Who takes in strangers does not take in any number of them. Those that were given a role since do not
/// count.
fn make_room(
    transaction: &mut Transaction<'_>,
    agent: ObjectId,
    untrusted: &str,
) -> Result<(), Fault> {
    let mut strangers = 0;
    for row in rows(transaction, agent, "Controller") {
        let assigned = transaction.text(row, "AssignedRole");
        if assigned.is_empty() || assigned == untrusted {
            strangers += 1;
        }
    }
    if strangers < STRANGERS_MAX {
        return Ok(());
    }
    let text = format!(
        "{strangers} Controllers have no role of their own, no more are taken in: Delete some, or give them \
         roles"
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
