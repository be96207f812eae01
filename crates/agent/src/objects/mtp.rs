//! The MTPs on which Controllers reach this Agent.

use usphere_datamodel::declare::{
    BOOLEAN, Object, Rows, STRING, UNSIGNED_INT, object, one_of, parameter,
};
use usphere_datamodel::types::ALIAS;

use crate::objects::WEBSOCKET;

/// One row is one MTP that the Agent offers. (TR-181 2.19)
pub(super) const MTP: Object = object("Device.LocalAgent.MTP.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Alias"]])
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Enable", BOOLEAN).writable().default("false"),
        parameter("Status", one_of(&["Up", "Down", "Error"]))
            .volatile()
            .default("Down"),
        parameter("Protocol", one_of(&[WEBSOCKET]))
            .writable()
            .default(WEBSOCKET),
    ]);

/// Where the Agent accepts WebSockets. (TR-181 2.19; TR-369, R-WS.6, R-WS.18)
pub(super) const WEB_SOCKET: Object = object("Device.LocalAgent.MTP.{i}.WebSocket.").parameters(&[
    parameter("Port", UNSIGNED_INT.range(1, 65_535))
        .writable()
        .default("8443"),
    parameter("Path", STRING).writable(),
    parameter("EnableEncryption", BOOLEAN)
        .writable()
        .default("true"),
    parameter("KeepAliveInterval", UNSIGNED_INT.at_least(1))
        .writable()
        .default("60"),
]);
