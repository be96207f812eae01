//! The Controllers that this Agent knows, and how it reaches them.

use usphere_datamodel::declare::{
    BOOLEAN, DATE_TIME, Object, Rows, STRING, UNSIGNED_INT, command, object, one_of, parameter,
    strong_reference,
};
use usphere_datamodel::types::ALIAS;

use super::certificate::CERTIFICATE_TABLE;
use crate::objects::WEBSOCKET;

/// The challenge that the Controller has requested and not yet answered: its ChallengeID, its path and, where
/// it expires, when, on the Agent's own clock, in microseconds; with blanks between them.
pub(crate) const CHALLENGED: &str = "X_USPHERE_Challenged";

/// The Credential that vouched for the Controller when it proved last who it is. It outlives a restart, which
/// clears the roles that are inherited by it: whether there is still somebody who may give rights depends on it.
pub(crate) const VOUCHED_BY: &str = "X_USPHERE_VouchedBy";

const CREDENTIAL: &str = "Device.LocalAgent.ControllerTrust.Credential.{i}.";
const ROLE: &str = "Device.LocalAgent.ControllerTrust.Role.{i}.";

/// One row is one Controller. (TR-181 2.19)
pub(super) const CONTROLLER: Object = object("Device.LocalAgent.Controller.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["EndpointID"], &["Alias"]])
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("EndpointID", STRING).writable().assigned(),
        parameter("ControllerCode", STRING.max(128)).writable(),
        parameter("ProvisioningCode", STRING.max(64)).writable(),
        parameter("Enable", BOOLEAN).writable().default("false"),
        parameter("AssignedRole", strong_reference(ROLE).list()).writable(),
        // A restart clears what was inherited. (R-SEC.21)
        parameter("InheritedRole", strong_reference(ROLE).list()).volatile(),
        parameter("Credential", strong_reference(CERTIFICATE_TABLE).list()).writable(),
        parameter("PeriodicNotifInterval", UNSIGNED_INT.at_least(1))
            .writable()
            .default("86400"),
        parameter("PeriodicNotifTime", DATE_TIME).writable(),
        parameter(
            "USPNotifRetryMinimumWaitInterval",
            UNSIGNED_INT.range(1, 65_535),
        )
        .writable()
        .default("5"),
        parameter(
            "USPNotifRetryIntervalMultiplier",
            UNSIGNED_INT.range(1_000, 65_535),
        )
        .writable()
        .default("2000"),
        parameter("MTPNumberOfEntries", UNSIGNED_INT).counts("MTP"),
        parameter("BootParameterNumberOfEntries", UNSIGNED_INT).counts("BootParameter"),
        parameter("OnBoardingComplete", BOOLEAN)
            .writable()
            .default("false"),
        parameter("OnBoardingRestartTime", UNSIGNED_INT)
            .writable()
            .default("0"),
        // Ours.
        parameter(CHALLENGED, STRING).volatile().secured(),
        parameter(VOUCHED_BY, strong_reference(CREDENTIAL)),
    ])
    .commands(&[
        command("SendOnBoardRequest()"),
        command("AddMyCertificate()")
            .input(&["Alias", "Certificate"])
            .mandatory(&["Certificate"]),
    ]);

/// One row is one MTP by which the Agent reaches the Controller; the lowest Order is tried first.
/// (TR-181 2.19)
pub(super) const MTP: Object = object("Device.LocalAgent.Controller.{i}.MTP.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Protocol"], &["Alias"]])
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Enable", BOOLEAN).writable().default("false"),
        parameter("Protocol", one_of(&[WEBSOCKET]))
            .writable()
            .default(WEBSOCKET),
        parameter("Order", UNSIGNED_INT.at_least(1))
            .writable()
            .default("1"),
    ]);

/// The Controller's WebSocket, and how it is tried again. (TR-181 2.19; TR-369, R-WS.5, R-WS.18 to R-WS.21)
pub(super) const WEB_SOCKET: Object = object("Device.LocalAgent.Controller.{i}.MTP.{i}.WebSocket.")
    .parameters(&[
        parameter("Host", STRING.max(256)).writable(),
        parameter("Port", UNSIGNED_INT.range(1, 65_535))
            .writable()
            .default("443"),
        parameter("Path", STRING).writable(),
        parameter("EnableEncryption", BOOLEAN)
            .writable()
            .default("true"),
        parameter("KeepAliveInterval", UNSIGNED_INT.at_least(1))
            .writable()
            .default("30"),
        parameter("CurrentRetryCount", UNSIGNED_INT).volatile(),
        parameter(
            "SessionRetryMinimumWaitInterval",
            UNSIGNED_INT.range(1, 65_535),
        )
        .writable()
        .default("5"),
        parameter(
            "SessionRetryIntervalMultiplier",
            UNSIGNED_INT.range(1_000, 65_535),
        )
        .writable()
        .default("2000"),
    ])
    .commands(&[command("Reset()")]);

/// Session contexts with the Controller. There are none yet, whatever SessionMode asks for, and each
/// try is answered accordingly. (TR-181 2.19; TR-369, R-E2E.6a)
pub(super) const E2E_SESSION: Object = object("Device.LocalAgent.Controller.{i}.E2ESession.")
    .parameters(&[
        parameter("SessionMode", one_of(&["Require", "Allow", "Forbid"]))
            .writable()
            .default("Forbid"),
        parameter("Status", one_of(&["Up", "Down"]))
            .volatile()
            .default("Down"),
    ]);

/// One row names parameters that the Boot! event tells this Controller. (TR-181 2.19)
pub(super) const BOOT_PARAMETER: Object =
    object("Device.LocalAgent.Controller.{i}.BootParameter.{i}.")
        .rows(Rows::ADDABLE.and(Rows::DELETABLE))
        .unique(&[&["ParameterName"], &["Alias"]])
        .parameters(&[
            parameter("Alias", ALIAS).write_once().assigned(),
            parameter("Enable", BOOLEAN).writable().default("false"),
            parameter("ParameterName", STRING.max(256)).writable(),
        ]);
