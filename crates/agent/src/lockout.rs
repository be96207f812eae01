//! Nobody locks everybody out: one Controller always keeps the right to give rights.
//!
//! Such a Controller is enabled, not banned, and may write every Role and Permission that there is and is to
//! come, so that it can give itself and others whatever is missing. Work that would leave none is taken back
//! as a whole, whatever it was: to delete, disable or rename Controllers, to take Roles from them, to change
//! or delete Roles or Permissions, or to ban. Where there was none before, nothing is protected.

use usphere_datamodel::declare::ParameterAccess;
use usphere_datamodel::schema::Node;
use usphere_datamodel::types::list;
use usphere_datamodel::{Access, Fault, FaultKind, ObjectId, Rights, SchemaView, Transaction};
use usphere_proto::EndpointId;

use crate::roles;

const AGENT: &str = "Device.LocalAgent.";
const TRUST: &str = "Device.LocalAgent.ControllerTrust.";
const CONTROLLERS: &str = "Device.LocalAgent.Controller.";
const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";

/// Does `work`, which is done on a transaction and may be taken back and done twice.
///
/// # Errors
/// [`FaultKind::Denied`] when it was taken back, since it would leave no Controller with the right to give
/// rights.
pub(crate) fn prevent<T>(
    transaction: &mut Transaction<'_>,
    mut work: impl FnMut(&mut Transaction<'_>) -> T,
) -> Result<T, Fault> {
    let start = transaction.savepoint();
    let done = work(transaction);
    if !transaction.has_changed(start, concerns) || has_administrator(transaction) {
        return Ok(done);
    }
    transaction.rollback(start);
    if !has_administrator(transaction) {
        return Ok(work(transaction));
    }
    let text = "this would leave no enabled Controller that may write Roles and Permissions, so that nobody \
                could ever change rights again; give another Controller such a Role first";
    Err(Fault::new(FaultKind::Denied, TRUST, text))
}

/// Whether a change of this row, or of this parameter of this object, can take rights away.
fn concerns(path: &str, parameter: Option<&str>) -> bool {
    if path.starts_with(ROLES) {
        return true;
    }
    match parameter {
        Some(name) if path == TRUST => name == "BannedRole",
        Some(name) => {
            is_controller(path)
                && matches!(
                    name,
                    "AssignedRole" | "Enable" | "EndpointID" | "InheritedRole"
                )
        }
        None => is_controller(path),
    }
}

fn is_controller(path: &str) -> bool {
    let row = path.strip_prefix(CONTROLLERS);
    row.is_some_and(|row| row.bytes().filter(|byte| *byte == b'.').count() == 1)
}

fn has_administrator(transaction: &mut Transaction<'_>) -> bool {
    let banned = transaction
        .find(TRUST)
        .map(|trust| transaction.text(trust, "BannedRole").to_owned())
        .unwrap_or_default();
    let controllers = controllers(transaction);
    controllers
        .into_iter()
        .any(|row| administers(transaction, row, &banned))
}

fn controllers(transaction: &mut Transaction<'_>) -> Vec<ObjectId> {
    let Some(agent) = transaction.find(AGENT) else {
        return Vec::new();
    };
    let table = transaction.member(agent, "Controller");
    let rows = table.and_then(|table| transaction.rows(agent, table).ok());
    rows.unwrap_or_default()
}

fn administers(transaction: &mut Transaction<'_>, row: ObjectId, banned: &str) -> bool {
    let is_banned = !banned.is_empty()
        && list::items(transaction.text(row, "AssignedRole")).any(|role| role == banned);
    let is_named = EndpointId::from_wire(transaction.text(row, "EndpointID")).is_ok();
    if is_banned || !is_named || transaction.text(row, "Enable") != "true" {
        return false;
    }
    let path = transaction.path(row).to_owned();
    let access = roles::access_of(transaction, &path);
    writes_roles(transaction.view(), &access)
}

/// Whether all of the Role table may be written, and all that is in it.
fn writes_roles(view: &SchemaView, access: &Access) -> bool {
    let mut nodes = view.nodes().filter(|node| node.path.starts_with(ROLES));
    nodes.all(|node| access.everywhere(node.id).grants(writing(node)))
}

/// The rights that writing all of `node` takes.
fn writing(node: &Node) -> Rights {
    if let Some(parameter) = node.parameter() {
        return match parameter.access {
            ParameterAccess::ReadWrite => Rights::PARAMETER_WRITE,
            ParameterAccess::ReadOnly | ParameterAccess::WriteOnce => Rights::NONE,
        };
    }
    let Some(rows) = node.object().and_then(|object| object.rows) else {
        return Rights::NONE;
    };
    let mut rights = Rights::NONE;
    if rows.addable {
        rights = rights.or(Rights::OBJECT_WRITE);
    }
    if rows.deletable {
        rights = rights.or(Rights::INSTANCE_WRITE);
    }
    rights
}
