//! The router of this host, which is the kernel's main table.

use usphere_datamodel::declare::{
    BOOLEAN, DATE_TIME, INT, Object, Rows, UNSIGNED_INT, object, one_of, parameter,
    strong_reference,
};
use usphere_datamodel::types::{IPV4_ADDRESS, IPV6_ADDRESS, ValueType};

use super::ip::IPV6_PREFIX;
use super::{ALIAS_OF_ROW, ENABLE, ROUTES, STATUS, STATUS_OF_SETTINGS};

pub(super) const OBJECTS: [&Object; 4] = [&ROUTING, &ROUTER, &IPV4_FORWARDING, &IPV6_FORWARDING];

const ROUTING: Object =
    object("Device.Routing.")
        .parameters(&[parameter("RouterNumberOfEntries", UNSIGNED_INT).counts("Router")]);

const ROUTER: Object = object("Device.Routing.Router.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Alias"]])
    .live(&ROUTES)
    .parameters(&[
        ENABLE,
        parameter("Status", STATUS).default("Disabled"),
        ALIAS_OF_ROW,
        parameter("IPv4ForwardingNumberOfEntries", UNSIGNED_INT).counts("IPv4Forwarding"),
        parameter("IPv6ForwardingNumberOfEntries", UNSIGNED_INT).counts("IPv6Forwarding"),
    ]);

const INTERFACE: ValueType = strong_reference("Device.IP.Interface.{i}.").max(256);

const KIND: ValueType = one_of(&["Normal", "Receive", "Blackhole", "Unreachable", "Prohibit"]);

const IPV4_FORWARDING: Object = object("Device.Routing.Router.{i}.IPv4Forwarding.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[
        &[
            "DestIPAddress",
            "DestSubnetMask",
            "ForwardingPolicy",
            "GatewayIPAddress",
            "Interface",
            "ForwardingMetric",
        ],
        &["Alias"],
    ])
    .live(&ROUTES)
    .parameters(&[
        ENABLE,
        parameter("Status", STATUS_OF_SETTINGS).default("Disabled"),
        ALIAS_OF_ROW,
        parameter("Type", KIND).writable().default("Normal"),
        parameter("StaticRoute", BOOLEAN).default("true"),
        parameter("DestIPAddress", IPV4_ADDRESS).writable(),
        parameter("DestSubnetMask", IPV4_ADDRESS).writable(),
        parameter("ForwardingPolicy", INT.at_least(-1))
            .writable()
            .default("-1"),
        parameter("GatewayIPAddress", IPV4_ADDRESS).writable(),
        parameter("Interface", INTERFACE).writable(),
        parameter(
            "Origin",
            one_of(&["DHCPv4", "OSPF", "IPCP", "RIP", "3GPP-NAS", "Static"]),
        )
        .default("Static"),
        parameter("ForwardingMetric", INT.at_least(-1))
            .writable()
            .default("-1"),
    ]);

const IPV6_FORWARDING: Object = object("Device.Routing.Router.{i}.IPv6Forwarding.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[
        &[
            "DestIPPrefix",
            "ForwardingPolicy",
            "NextHop",
            "Interface",
            "ForwardingMetric",
        ],
        &["Alias"],
    ])
    .live(&ROUTES)
    .parameters(&[
        ENABLE,
        parameter("Status", STATUS_OF_SETTINGS).default("Disabled"),
        ALIAS_OF_ROW,
        parameter("Type", KIND).writable().default("Normal"),
        parameter("DestIPPrefix", IPV6_PREFIX).writable(),
        parameter("ForwardingPolicy", INT.at_least(-1))
            .writable()
            .default("-1"),
        parameter("NextHop", IPV6_ADDRESS).writable(),
        parameter("Interface", INTERFACE).writable(),
        parameter(
            "Origin",
            one_of(&["DHCPv6", "OSPF", "RA", "RIPng", "3GPP-NAS", "Static"]),
        )
        .default("Static"),
        parameter("ForwardingMetric", INT.at_least(-1))
            .writable()
            .default("-1"),
        parameter("ExpirationTime", DATE_TIME).default("9999-12-31T23:59:59Z"),
    ]);
