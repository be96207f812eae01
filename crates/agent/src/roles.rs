//! What a Controller may do: the roles in the Tree, compiled. (TR-181, Device.LocalAgent.ControllerTrust)
//!
//! A Controller has the union of its enabled Roles, assigned and inherited; within a Role, of the enabled
//! Permissions that fit, the one with the largest Order counts. Everything is read within a transaction.

use usphere_datamodel::access::{Permission, Role};
use usphere_datamodel::model::Change;
use usphere_datamodel::types::list;
use usphere_datamodel::{Access, ObjectId, Rights, SchemaView, Transaction};

use crate::objects::VOUCHED_BY;

const TRUST: &str = "Device.LocalAgent.ControllerTrust.";
const CONTROLLERS: &str = "Device.LocalAgent.Controller.";
const CERTIFICATES: &str = "Device.LocalAgent.Certificate.";

/// Compiles what the Controller whose row is at `controller` may do; nothing when there is no such row.
pub(crate) fn access_of(transaction: &mut Transaction<'_>, controller: &str) -> Access {
    let Some(row) = transaction.find(controller) else {
        return Access::nothing();
    };
    let roles = roles_of(transaction, row);
    access_by(transaction, &roles)
}

/// Compiles what somebody with the roles at these paths may do.
pub(crate) fn access_by(transaction: &mut Transaction<'_>, roles: &[String]) -> Access {
    let secured = secured_roles(transaction);
    let roles: Vec<Role> = roles
        .iter()
        .filter_map(|role| role_at(transaction, role, &secured))
        .collect();
    Access::compile(transaction.view(), &roles)
}

/// Compiles what a Controller may do whose identity is not known.
pub(crate) fn untrusted(transaction: &mut Transaction<'_>) -> Access {
    let Some(trust) = transaction.find(TRUST) else {
        return Access::nothing();
    };
    let named: Vec<String> = list::items(transaction.text(trust, "UntrustedRole"))
        .map(|role| role.trim_end_matches('.').to_owned())
        .collect();
    access_by(transaction, &named)
}

/// Whether a change can make a difference to what any Controller may do, or to who is trusted.
pub(crate) fn concern(change: &Change, view: &SchemaView) -> bool {
    match change {
        Change::Added { path, .. } | Change::Deleted { path, .. } => {
            let roots = [TRUST, CONTROLLERS, CERTIFICATES];
            roots.iter().any(|root| path.starts_with(root))
        }
        Change::Set { object, node, .. } => {
            let assigns = || {
                let name = &*view.node(*node).name;
                object.starts_with(CONTROLLERS)
                    && matches!(
                        name,
                        "AssignedRole" | "Credential" | "InheritedRole" | VOUCHED_BY
                    )
            };
            object.starts_with(TRUST) || object.starts_with(CERTIFICATES) || assigns()
        }
    }
}

/// The paths of the roles of a Controller, each once, without a dot at their ends.
fn roles_of(transaction: &mut Transaction<'_>, controller: ObjectId) -> Vec<String> {
    let mut roles: Vec<String> = Vec::new();
    for name in ["AssignedRole", "InheritedRole"] {
        for role in list::items(transaction.text(controller, name)) {
            let role = role.trim_end_matches('.');
            if roles.iter().all(|known| known != role) {
                roles.push(role.to_owned());
            }
        }
    }
    roles
}

fn secured_roles(transaction: &mut Transaction<'_>) -> Vec<String> {
    let Some(trust) = transaction.find(TRUST) else {
        return Vec::new();
    };
    list::items(transaction.text(trust, "SecuredRoles"))
        .map(|role| role.trim_end_matches('.').to_owned())
        .collect()
}

/// The enabled role at `path`.
fn role_at(transaction: &mut Transaction<'_>, path: &str, secured: &[String]) -> Option<Role> {
    let row = transaction.find(&format!("{path}."))?;
    if transaction.text(row, "Enable") != "true" {
        return None;
    }
    let mut role = Role {
        secured: secured.iter().any(|secured| secured == path),
        permissions: Vec::new(),
    };
    let table = transaction.member(row, "Permission")?;
    for permission in transaction.rows(row, table).unwrap_or_default() {
        role.permissions
            .extend(permission_at(transaction, permission));
    }
    Some(role)
}

/// The enabled permission in `row`. Targets that are no path names, and rights that are none, grant nothing.
fn permission_at(transaction: &mut Transaction<'_>, row: ObjectId) -> Option<Permission> {
    if transaction.text(row, "Enable") != "true" {
        return None;
    }
    let view = transaction.view();
    let targets = list::items(transaction.text(row, "Targets"))
        .filter_map(|target| Access::target(view, &target))
        .collect();
    let parameter = transaction.text(row, "Param").to_owned();
    let object = transaction.text(row, "Obj").to_owned();
    let instance = transaction.text(row, "InstantiatedObj").to_owned();
    let command = transaction.text(row, "CommandEvent").to_owned();
    Some(Permission {
        order: transaction.text(row, "Order").parse().unwrap_or(0),
        targets,
        rights: Rights::parse(&parameter, &object, &instance, &command).unwrap_or(Rights::NONE),
    })
}
