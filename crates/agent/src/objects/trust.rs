//! Roles and what they permit.

use usphere_datamodel::declare::{
    BOOLEAN, Object, Rows, STRING, UNSIGNED_INT, command, object, parameter, strong_reference,
};
use usphere_datamodel::types::ALIAS;

pub(super) const ROLE_TABLE: &str = "Device.LocalAgent.ControllerTrust.Role.{i}.";

/// The role that seeded Controllers get.
pub(crate) const FULL_ACCESS_ROLE: &str = "X_USPHERE_FullAccessRole";

/// Four characters, each `-` or a right.
const RIGHTS: usphere_datamodel::ValueType = STRING.size(4, 4);

/// The roles with a meaning of their own. (TR-181 2.19)
pub(super) const CONTROLLER_TRUST: Object = object("Device.LocalAgent.ControllerTrust.")
    .parameters(&[
        parameter("UntrustedRole", strong_reference(ROLE_TABLE).list_of(0, 1)).writable(),
        parameter("BannedRole", strong_reference(ROLE_TABLE)).writable(),
        parameter("SecuredRoles", strong_reference(ROLE_TABLE).list()).writable(),
        parameter("TOFUAllowed", BOOLEAN).writable(),
        parameter("TOFUInactivityTimer", UNSIGNED_INT).writable(),
        parameter("RoleNumberOfEntries", UNSIGNED_INT).counts("Role"),
        parameter("CredentialNumberOfEntries", UNSIGNED_INT).counts("Credential"),
        parameter("ChallengeNumberOfEntries", UNSIGNED_INT).counts("Challenge"),
        // Ours: the role of seeded Controllers, whatever it is called by now.
        parameter(FULL_ACCESS_ROLE, strong_reference(ROLE_TABLE)),
    ])
    .commands(&[
        command("RequestChallenge()")
            .input(&["ChallengeRef", "RequestExpiration"])
            .mandatory(&["ChallengeRef"])
            .defaults(&[("RequestExpiration", "900")])
            .output(&["Instruction", "InstructionType", "ValueType", "ChallengeID"]),
        command("ChallengeResponse()")
            .input(&["ChallengeID", "Value"])
            .mandatory(&["ChallengeID", "Value"]),
    ]);

/// One row is one role that Controllers can have. (TR-181 2.19)
pub(super) const ROLE: Object = object(ROLE_TABLE)
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Name"], &["Alias"]])
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Enable", BOOLEAN).writable().default("false"),
        parameter("Name", STRING).writable().assigned(),
        parameter("PermissionNumberOfEntries", UNSIGNED_INT).counts("Permission"),
    ]);

/// One row is what a role permits somewhere; the largest Order counts. (TR-181 2.19)
pub(super) const PERMISSION: Object =
    object("Device.LocalAgent.ControllerTrust.Role.{i}.Permission.{i}.")
        .rows(Rows::ADDABLE.and(Rows::DELETABLE))
        .unique(&[&["Order"], &["Alias"]])
        .parameters(&[
            parameter("Alias", ALIAS).write_once().assigned(),
            parameter("Enable", BOOLEAN).writable().default("false"),
            parameter("Order", UNSIGNED_INT)
                .writable()
                .default("0")
                .assigned(),
            parameter("Targets", STRING.list()).writable(),
            parameter("Param", RIGHTS).writable().default("----"),
            parameter("Obj", RIGHTS).writable().default("----"),
            parameter("InstantiatedObj", RIGHTS)
                .writable()
                .default("----"),
            parameter("CommandEvent", RIGHTS).writable().default("----"),
        ]);
