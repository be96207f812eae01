//! The hosts around this one.

use usphere_datamodel::declare::{
    BOOLEAN, DATE_TIME, Object, STRING, UNSIGNED_INT, object, one_of, parameter, strong_reference,
};
use usphere_datamodel::types::{IP_ADDRESS, IPV4_ADDRESS, IPV6_ADDRESS};

use super::{NEIGHBOURS, ROW};

pub(super) const OBJECTS: [&Object; 4] = [&HOSTS, &HOST, &HOST_IPV4, &HOST_IPV6];

const HOSTS: Object =
    object("Device.Hosts.")
        .parameters(&[parameter("HostNumberOfEntries", UNSIGNED_INT).counts("Host")]);

/// One host, known by its MAC address. (TR-181 2.19)
pub(in super::super) const HOST: Object = object("Device.Hosts.Host.{i}.")
    .unique(&[&["PhysAddress"]])
    .live(&NEIGHBOURS)
    .parameters(&[
        parameter("PhysAddress", STRING.max(64)),
        parameter("IPAddress", IP_ADDRESS),
        parameter("Layer1Interface", ROW),
        parameter(
            "Layer3Interface",
            strong_reference("Device.IP.Interface.{i}.").max(256),
        ),
        parameter(
            "InterfaceType",
            one_of(&[
                "Ethernet", "G.hn", "HPNA", "HomePlug", "MoCA", "UPA", "Wi-Fi", "Other",
            ]),
        )
        .default("Other"),
        parameter("HostName", STRING.max(64)),
        parameter("Active", BOOLEAN),
        parameter("ActiveLastChange", DATE_TIME),
        parameter("IPv4AddressNumberOfEntries", UNSIGNED_INT).counts("IPv4Address"),
        parameter("IPv6AddressNumberOfEntries", UNSIGNED_INT).counts("IPv6Address"),
    ]);

/// An IPv4 address of a host.
pub(in super::super) const HOST_IPV4: Object = object("Device.Hosts.Host.{i}.IPv4Address.{i}.")
    .unique(&[&["IPAddress"]])
    .live(&NEIGHBOURS)
    .parameters(&[parameter("IPAddress", IPV4_ADDRESS)]);

/// An IPv6 address of a host.
pub(in super::super) const HOST_IPV6: Object = object("Device.Hosts.Host.{i}.IPv6Address.{i}.")
    .unique(&[&["IPAddress"]])
    .live(&NEIGHBOURS)
    .parameters(&[parameter("IPAddress", IPV6_ADDRESS)]);
