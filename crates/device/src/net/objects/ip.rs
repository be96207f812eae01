//! IP interfaces with their addresses and prefixes.

use usphere_datamodel::declare::{
    BOOLEAN, DATE_TIME, Object, Rows, STRING, UNSIGNED_INT, object, one_of, parameter,
    strong_reference,
};
use usphere_datamodel::types::{IP_ADDRESS, IPV4_ADDRESS, IPV6_ADDRESS, Pattern, ValueType};

use super::{
    ALIAS_OF_ROW, COUNTERS, ENABLE, INTERFACES, LAST_CHANGE, LOWER_LAYERS, NAME, PORTS, STATS,
    STATUS, STATUS_OF_SETTINGS, STATUS_UP_DOWN,
};

pub(super) const OBJECTS: [&Object; 7] = [
    &IP,
    &INTERFACE,
    &INTERFACE_STATS,
    &IPV4_ADDRESS_ROW,
    &IPV6_ADDRESS_ROW,
    &IPV6_PREFIX_ROW,
    &ACTIVE_PORT,
];

/// The prefix of an IPv6 network, with its length.
pub(super) const IPV6_PREFIX: ValueType = STRING.max(49).pattern(Pattern::Ipv6Prefix);

/// The end of what does not end.
const NEVER: &str = "9999-12-31T23:59:59Z";

const IP: Object = object("Device.IP.").parameters(&[
    parameter("IPv4Capable", BOOLEAN).live(&INTERFACES),
    parameter("IPv4Enable", BOOLEAN)
        .writable()
        .live(&INTERFACES),
    parameter("IPv4Status", STATUS)
        .default("Disabled")
        .live(&INTERFACES),
    parameter("IPv6Capable", BOOLEAN).live(&INTERFACES),
    parameter("IPv6Enable", BOOLEAN)
        .writable()
        .live(&INTERFACES),
    parameter("IPv6Status", STATUS)
        .default("Disabled")
        .live(&INTERFACES),
    parameter("InterfaceNumberOfEntries", UNSIGNED_INT).counts("Interface"),
    parameter("ActivePortNumberOfEntries", UNSIGNED_INT).counts("ActivePort"),
]);

const INTERFACE: Object = object("Device.IP.Interface.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Alias"], &["Name"]])
    .live(&INTERFACES)
    .parameters(&[
        ENABLE,
        parameter("IPv4Enable", BOOLEAN).writable(),
        parameter("IPv6Enable", BOOLEAN).writable(),
        STATUS_UP_DOWN,
        ALIAS_OF_ROW,
        NAME,
        LAST_CHANGE,
        LOWER_LAYERS,
        parameter("MaxMTUSize", UNSIGNED_INT.range(64, 65_535))
            .writable()
            .default("1500"),
        parameter(
            "Type",
            one_of(&["Normal", "Loopback", "Tunnel", "Tunneled"]),
        )
        .default("Normal"),
        parameter("Loopback", BOOLEAN).writable(),
        parameter("IPv4AddressNumberOfEntries", UNSIGNED_INT).counts("IPv4Address"),
        parameter("IPv6AddressNumberOfEntries", UNSIGNED_INT).counts("IPv6Address"),
        parameter("IPv6PrefixNumberOfEntries", UNSIGNED_INT).counts("IPv6Prefix"),
    ]);

const INTERFACE_STATS: Object = object("Device.IP.Interface.{i}.Stats.")
    .live(&COUNTERS)
    .parameters(&STATS);

const IPV4_ADDRESS_ROW: Object = object("Device.IP.Interface.{i}.IPv4Address.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["IPAddress", "SubnetMask"], &["Alias"]])
    .live(&INTERFACES)
    .parameters(&[
        ENABLE,
        parameter("Status", STATUS_OF_SETTINGS).default("Disabled"),
        ALIAS_OF_ROW,
        parameter("IPAddress", IPV4_ADDRESS).writable(),
        parameter("SubnetMask", IPV4_ADDRESS).writable(),
        parameter(
            "AddressingType",
            one_of(&["DHCP", "IKEv2", "AutoIP", "IPCP", "Static", "3GPP-NAS"]),
        )
        .default("Static"),
    ]);

const IPV6_ADDRESS_ROW: Object = object("Device.IP.Interface.{i}.IPv6Address.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["IPAddress"], &["Alias"]])
    .live(&INTERFACES)
    .parameters(&[
        ENABLE,
        parameter("Status", STATUS_OF_SETTINGS).default("Disabled"),
        parameter(
            "IPAddressStatus",
            one_of(&[
                "Preferred",
                "Deprecated",
                "Invalid",
                "Inaccessible",
                "Unknown",
                "Tentative",
                "Duplicate",
                "Optimistic",
            ]),
        )
        .default("Invalid"),
        ALIAS_OF_ROW,
        parameter("IPAddress", IPV6_ADDRESS).writable(),
        parameter(
            "Origin",
            one_of(&[
                "AutoConfigured",
                "DHCPv6",
                "IKEv2",
                "MAP",
                "WellKnown",
                "3GPP-NAS",
                "Static",
            ]),
        )
        .default("Static"),
        parameter(
            "Prefix",
            strong_reference("Device.IP.Interface.{i}.IPv6Prefix.{i}."),
        )
        .writable(),
        parameter("PreferredLifetime", DATE_TIME)
            .writable()
            .default(NEVER),
        parameter("ValidLifetime", DATE_TIME)
            .writable()
            .default(NEVER),
        parameter("Anycast", BOOLEAN).writable(),
    ]);

const IPV6_PREFIX_ROW: Object = object("Device.IP.Interface.{i}.IPv6Prefix.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Prefix"], &["Alias"]])
    .live(&INTERFACES)
    .parameters(&[
        ENABLE,
        parameter("Status", STATUS).default("Disabled"),
        parameter(
            "PrefixStatus",
            one_of(&[
                "Preferred",
                "Deprecated",
                "Invalid",
                "Inaccessible",
                "Unknown",
            ]),
        )
        .default("Invalid"),
        ALIAS_OF_ROW,
        parameter("Prefix", IPV6_PREFIX).writable(),
        parameter(
            "Origin",
            one_of(&[
                "AutoConfigured",
                "PrefixDelegation",
                "RouterAdvertisement",
                "WellKnown",
                "Static",
                "Child",
            ]),
        )
        .default("Static"),
        parameter("OnLink", BOOLEAN).writable(),
        parameter("Autonomous", BOOLEAN).writable(),
    ]);

/// A port on which somebody listens, or a connection. (TR-181 2.19)
pub(in super::super) const ACTIVE_PORT: Object = object("Device.IP.ActivePort.{i}.")
    .unique(&[&[
        "LocalIPAddress",
        "LocalPort",
        "RemoteIPAddress",
        "RemotePort",
    ]])
    .live(&PORTS)
    .parameters(&[
        parameter("LocalIPAddress", IP_ADDRESS),
        parameter("LocalPort", UNSIGNED_INT.at_most(65_535)),
        parameter("RemoteIPAddress", IP_ADDRESS),
        parameter("RemotePort", UNSIGNED_INT.at_most(65_535)),
        parameter("Status", one_of(&["LISTEN", "ESTABLISHED"])).default("LISTEN"),
    ]);
