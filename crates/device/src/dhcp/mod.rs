//! The host's own DHCP clients, as far as the files of its leases tell.

mod dhclient;
mod leases;

use core::time::Duration;

use usphere_datamodel::declare::{
    BOOLEAN, HEX_BINARY, INT, Numbering, Object, Rows, UNSIGNED_INT, Unit, object, one_of,
    parameter, strong_reference,
};
use usphere_datamodel::model::{OwnerError, Snapshot};
use usphere_datamodel::types::{ALIAS, IPV4_ADDRESS, ValueType, list};

use crate::dns::Origins;
use crate::interfaces::Interfaces;
use crate::objects::SYSTEM;
use crate::snapshot::{row, value};

pub(crate) use leases::Leases;

/// What the files of leases say.
pub(crate) const UNIT: Unit = Unit {
    name: "host.dhcp",
    max_age: Duration::from_secs(5),
    numbering: Numbering::Kept,
    poll: Duration::from_secs(30),
    ..SYSTEM
};

/// The clients of DHCP for IPv4.
pub(crate) const DHCPV4: Object =
    object("Device.DHCPv4.")
        .parameters(&[parameter("ClientNumberOfEntries", UNSIGNED_INT).counts("Client")]);

/// One client: what it was given for its interface. (TR-181 2.19)
pub(crate) const DHCPV4_CLIENT: Object = object("Device.DHCPv4.Client.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Alias"], &["Interface"]])
    .live(&UNIT)
    .parameters(&[
        parameter("Enable", BOOLEAN).writable(),
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Interface", INTERFACE).writable(),
        parameter("Status", STATUS).default("Disabled"),
        parameter(
            "DHCPStatus",
            one_of(&[
                "Init",
                "Selecting",
                "Requesting",
                "Rebinding",
                "Bound",
                "Renewing",
            ]),
        )
        .default("Init"),
        parameter("IPAddress", IPV4_ADDRESS),
        parameter("SubnetMask", IPV4_ADDRESS),
        parameter("IPRouters", IPV4_ADDRESS.list_max(256)),
        parameter("DNSServers", IPV4_ADDRESS.list_max(256)),
        parameter("LeaseTimeRemaining", INT.at_least(-1)).unannounced(),
        parameter("DHCPServer", IPV4_ADDRESS),
    ]);

/// The clients of DHCP for IPv6.
pub(crate) const DHCPV6: Object =
    object("Device.DHCPv6.")
        .parameters(&[parameter("ClientNumberOfEntries", UNSIGNED_INT).counts("Client")]);

/// One client. (TR-181 2.19)
pub(crate) const DHCPV6_CLIENT: Object = object("Device.DHCPv6.Client.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Alias"], &["Interface"]])
    .live(&UNIT)
    .parameters(&[
        parameter("Enable", BOOLEAN).writable(),
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Interface", INTERFACE).writable(),
        parameter("Status", STATUS).default("Disabled"),
        parameter("DUID", HEX_BINARY.max(130)),
        parameter("RequestAddresses", BOOLEAN)
            .writable()
            .default("true"),
        parameter("RequestPrefixes", BOOLEAN).writable(),
    ]);

const INTERFACE: ValueType = strong_reference("Device.IP.Interface.{i}.").max(256);
const STATUS: ValueType = one_of(&["Disabled", "Enabled", "Error_Misconfigured", "Error"]);

/// Every interface that has a lease, at `now` in seconds since 1970.
pub(crate) fn fetch(leases: &Leases, interfaces: &Interfaces, now: i64) -> Snapshot {
    let v4 = leases.v4.iter().map(|(interface, lease)| {
        let holds = lease.expiry.holds(now);
        let one = |address: Option<std::net::Ipv4Addr>| match address {
            Some(address) if holds => address.to_string(),
            _ => String::new(),
        };
        let several = |addresses: &[std::net::Ipv4Addr]| {
            let texts: Vec<String> = addresses
                .iter()
                .filter(|_| holds)
                .map(ToString::to_string)
                .collect();
            list::join(texts.iter().map(String::as_str))
        };
        let mut values = common(interface, interfaces, holds);
        values.extend([
            value("DHCPStatus", if holds { "Bound" } else { "Init" }),
            value("IPAddress", one(lease.address)),
            value("SubnetMask", one(lease.mask)),
            value("IPRouters", several(&lease.routers)),
            value("DNSServers", several(&lease.dns)),
            value(
                "LeaseTimeRemaining",
                lease.expiry.seconds_left(now).to_string(),
            ),
            value("DHCPServer", one(lease.server)),
        ]);
        row(&DHCPV4_CLIENT, vec![interface.clone()], values)
    });
    let v6 = leases.v6.iter().map(|(interface, lease)| {
        let mut values = common(interface, interfaces, lease.expiry.holds(now));
        values.extend([
            value("DUID", lease.duid.clone()),
            value("RequestAddresses", lease.asks_addresses.to_string()),
            value("RequestPrefixes", lease.asks_prefixes.to_string()),
        ]);
        row(&DHCPV6_CLIENT, vec![interface.clone()], values)
    });
    Snapshot {
        objects: v4.chain(v6).collect(),
    }
}

/// Which DNS servers came with a lease that holds at `now`.
pub(crate) fn origins(leases: &Leases, now: i64) -> Origins {
    let v4 = leases.v4.values().filter(|lease| lease.expiry.holds(now));
    let v6 = leases.v6.values().filter(|lease| lease.expiry.holds(now));
    Origins {
        dhcpv4: v4
            .flat_map(|lease| lease.dns.iter().map(|server| (*server).into()))
            .collect(),
        dhcpv6: v6.flat_map(|lease| lease.dns.iter().copied()).collect(),
    }
}

/// Why nothing of a client can be changed.
pub(crate) fn refusal() -> OwnerError {
    OwnerError::failed(
        "the DHCP clients are configured by the host itself; this Agent only shows what they were given",
    )
}

/// A lease that holds is the only sign of a client that runs.
fn common(interface: &str, interfaces: &Interfaces, holds: bool) -> Vec<crate::snapshot::Value> {
    vec![
        value("Enable", holds.to_string()),
        value("Alias", format!("cpe-{interface}")),
        value("Interface", interfaces.reference(interface)),
        value("Status", if holds { "Enabled" } else { "Disabled" }),
    ]
}
