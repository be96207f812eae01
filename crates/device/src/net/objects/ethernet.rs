//! Ethernet interfaces, the links on them, and where VLANs end.

use usphere_datamodel::declare::{
    BOOLEAN, INT, Object, Parameter, Rows, UNSIGNED_INT, UNSIGNED_LONG, object, one_of, parameter,
};
use usphere_datamodel::types::MAC_ADDRESS;

use super::{
    ALIAS_OF_ROW, COUNTERS, ENABLE, INTERFACES, LAST_CHANGE, LOWER_LAYERS, NAME, STATS,
    STATUS_UP_DOWN,
};

pub(super) const OBJECTS: [&Object; 7] = [
    &ETHERNET,
    &INTERFACE,
    &INTERFACE_STATS,
    &LINK,
    &LINK_STATS,
    &VLAN_TERMINATION,
    &VLAN_TERMINATION_STATS,
];

const ETHERNET: Object = object("Device.Ethernet.").parameters(&[
    parameter("InterfaceNumberOfEntries", UNSIGNED_INT).counts("Interface"),
    parameter("LinkNumberOfEntries", UNSIGNED_INT).counts("Link"),
    parameter("VLANTerminationNumberOfEntries", UNSIGNED_INT).counts("VLANTermination"),
]);

const INTERFACE: Object = object("Device.Ethernet.Interface.{i}.")
    .unique(&[&["Alias"], &["Name"]])
    .live(&INTERFACES)
    .parameters(&[
        ENABLE,
        STATUS_UP_DOWN,
        ALIAS_OF_ROW,
        NAME,
        LAST_CHANGE,
        LOWER_LAYERS,
        parameter("Upstream", BOOLEAN),
        parameter("MACAddress", MAC_ADDRESS),
        parameter("MaxBitRate", INT.at_least(-1))
            .writable()
            .default("-1"),
        parameter("CurrentBitRate", UNSIGNED_INT),
        parameter("DuplexMode", one_of(&["Half", "Full", "Auto"]))
            .writable()
            .default("Auto"),
        parameter("CurrentDuplexMode", one_of(&["Unknown", "Half", "Full"])).default("Unknown"),
    ]);

const INTERFACE_STATS: Object = object("Device.Ethernet.Interface.{i}.Stats.")
    .live(&COUNTERS)
    .parameters(&ETHERNET_STATS);

const ETHERNET_STATS: [Parameter; 11] = {
    let mut stats = [parameter("Collisions", UNSIGNED_LONG).unannounced(); 11];
    let mut at = 0;
    while at < STATS.len() {
        stats[at] = STATS[at];
        at += 1;
    }
    stats
};

const LINK: Object = object("Device.Ethernet.Link.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["MACAddress"], &["Alias"], &["Name"]])
    .live(&INTERFACES)
    .parameters(&[
        ENABLE,
        STATUS_UP_DOWN,
        ALIAS_OF_ROW,
        NAME,
        LAST_CHANGE,
        LOWER_LAYERS,
        parameter("MTU", UNSIGNED_INT).writable(),
        parameter("MACAddress", MAC_ADDRESS).writable(),
    ]);

const LINK_STATS: Object = object("Device.Ethernet.Link.{i}.Stats.")
    .live(&COUNTERS)
    .parameters(&STATS);

const VLAN_TERMINATION: Object = object("Device.Ethernet.VLANTermination.{i}.")
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
        parameter("VLANID", UNSIGNED_INT.range(1, 4094))
            .writable()
            .default("1"),
        parameter("TPID", UNSIGNED_INT).writable().default("33024"),
    ]);

const VLAN_TERMINATION_STATS: Object = object("Device.Ethernet.VLANTermination.{i}.Stats.")
    .live(&COUNTERS)
    .parameters(&STATS);
