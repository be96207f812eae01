//! Bridges, their ports and VLANs.

use usphere_datamodel::declare::{
    BOOLEAN, INT, Object, Rows, STRING, UNSIGNED_INT, object, one_of, parameter, strong_reference,
};

use super::{
    ALIAS_OF_ROW, COUNTERS, ENABLE, INTERFACES, LAST_CHANGE, LOWER_LAYERS, NAME, STATS, STATUS,
    STATUS_OF_SETTINGS, STATUS_UP_DOWN,
};

pub(super) const OBJECTS: [&Object; 7] = [
    &BRIDGING,
    &BRIDGE,
    &STP,
    &PORT,
    &PORT_STATS,
    &VLAN,
    &VLAN_PORT,
];

const BRIDGING: Object =
    object("Device.Bridging.")
        .parameters(&[parameter("BridgeNumberOfEntries", UNSIGNED_INT).counts("Bridge")]);

const BRIDGE: Object = object("Device.Bridging.Bridge.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Alias"]])
    .live(&INTERFACES)
    .parameters(&[
        ENABLE,
        parameter("Status", STATUS).default("Disabled"),
        ALIAS_OF_ROW,
        NAME,
        parameter(
            "Standard",
            one_of(&["802.1D-2004", "802.1Q-2005", "802.1Q-2011"]),
        )
        .writable()
        .default("802.1D-2004"),
        parameter("AgingTime", UNSIGNED_INT.range(10, 1_000_000))
            .writable()
            .default("300"),
        parameter("PortNumberOfEntries", UNSIGNED_INT).counts("Port"),
        parameter("VLANNumberOfEntries", UNSIGNED_INT).counts("VLAN"),
        parameter("VLANPortNumberOfEntries", UNSIGNED_INT).counts("VLANPort"),
    ]);

const STP: Object = object("Device.Bridging.Bridge.{i}.STP.")
    .live(&INTERFACES)
    .parameters(&[
        ENABLE,
        parameter("Status", STATUS_OF_SETTINGS).default("Disabled"),
        parameter("Protocol", one_of(&["STP", "RSTP"]))
            .writable()
            .default("STP"),
        parameter("BridgePriority", UNSIGNED_INT.at_most(61_440))
            .writable()
            .default("32768"),
        parameter("HelloTime", UNSIGNED_INT.range(100, 1_000))
            .writable()
            .default("200"),
        parameter("MaxAge", UNSIGNED_INT.range(600, 4_000))
            .writable()
            .default("2000"),
        parameter("ForwardingDelay", UNSIGNED_INT.range(4, 30))
            .writable()
            .default("15"),
    ]);

const PORT: Object = object("Device.Bridging.Bridge.{i}.Port.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Alias"], &["Name"]])
    .live(&INTERFACES)
    .parameters(&[
        ENABLE,
        STATUS_UP_DOWN,
        ALIAS_OF_ROW,
        NAME,
        LAST_CHANGE,
        LOWER_LAYERS,
        parameter("ManagementPort", BOOLEAN).writable(),
        parameter(
            "PortState",
            one_of(&[
                "Disabled",
                "Blocking",
                "Listening",
                "Learning",
                "Forwarding",
                "Broken",
            ]),
        )
        .default("Disabled"),
        parameter("PVID", INT.range(1, 4094))
            .writable()
            .default("1"),
        parameter("PathCost", UNSIGNED_INT.at_most(65_535)).writable(),
    ]);

const PORT_STATS: Object = object("Device.Bridging.Bridge.{i}.Port.{i}.Stats.")
    .live(&COUNTERS)
    .parameters(&STATS);

const VLAN: Object = object("Device.Bridging.Bridge.{i}.VLAN.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["VLANID"], &["Alias"]])
    .live(&INTERFACES)
    .parameters(&[
        ENABLE,
        ALIAS_OF_ROW,
        parameter("Name", STRING.max(64)).writable(),
        parameter("VLANID", INT.range(1, 4094))
            .writable()
            .default("1"),
    ]);

const VLAN_PORT: Object = object("Device.Bridging.Bridge.{i}.VLANPort.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["VLAN", "Port"], &["Alias"]])
    .live(&INTERFACES)
    .parameters(&[
        ENABLE,
        ALIAS_OF_ROW,
        parameter(
            "VLAN",
            strong_reference("Device.Bridging.Bridge.{i}.VLAN.{i}.").max(256),
        )
        .writable(),
        parameter(
            "Port",
            strong_reference("Device.Bridging.Bridge.{i}.Port.{i}.").max(256),
        )
        .writable(),
        parameter("Untagged", BOOLEAN).writable(),
    ]);
