//! What somebody can be asked for a role.

use usphere_datamodel::declare::{
    BASE64, BOOLEAN, INT, Object, Rows, STRING, UNSIGNED_INT, UNSIGNED_LONG, object, one_of,
    parameter, strong_reference,
};
use usphere_datamodel::types::ALIAS;

use super::trust::ROLE_TABLE;

/// How often the challenge was failed in a row, by whatever Controllers. It outlives a restart.
pub(crate) const FAILURES: &str = "X_USPHERE_FailedAttempts";

/// Until when nobody may try, on the Agent's own clock, in microseconds; 0 while anybody may.
pub(crate) const LOCKED_UNTIL: &str = "X_USPHERE_LockedUntil";

/// One row is one question that gives a role to the Controller that has the answer. (TR-181 2.19; TR-369,
/// R-SEC.13 to R-SEC.17)
pub(super) const CHALLENGE: Object = object("Device.LocalAgent.ControllerTrust.Challenge.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Alias"]])
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Description", STRING).writable(),
        parameter("Role", strong_reference(ROLE_TABLE).list()).writable(),
        parameter("Enable", BOOLEAN).writable().default("false"),
        parameter("Type", one_of(&["Passphrase"])).writable(),
        parameter("Value", BASE64).writable().secured(),
        parameter("ValueType", one_of(&["text/plain", "image/jpeg"])).writable(),
        parameter("Instruction", BASE64).writable(),
        parameter(
            "InstructionType",
            one_of(&["text/plain", "image/jpeg", "text/html"]),
        )
        .writable(),
        parameter("Retries", UNSIGNED_INT).writable(),
        parameter("LockoutPeriod", INT.at_least(0))
            .writable()
            .default("30"),
        parameter(FAILURES, UNSIGNED_INT),
        parameter(LOCKED_UNTIL, UNSIGNED_LONG).volatile(),
    ]);
