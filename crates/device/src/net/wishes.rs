//! What Controllers want of the kernel, in the kernel's terms.

use std::net::{IpAddr, Ipv6Addr};

use super::facts::Route;
use super::row::{Row, Table};
use super::state::{Configured, State};
use super::uapi::*;
use super::world::{Destination, device_name, mask_length};

/// A route that somebody wants.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct RouteWish {
    pub(super) destination: Destination,
    pub(super) gateway: Option<IpAddr>,
    pub(super) device: Option<String>,
    pub(super) metric: Option<u32>,
    pub(super) kind: u8,
}

impl RouteWish {
    /// Whether the kernel's route, which leaves by `device`, is the one that is wanted.
    pub(super) fn is_met_by(&self, route: &Route, device: Option<&str>) -> bool {
        let metric = match (self.metric, self.destination.address) {
            (Some(metric), _) => route.metric == metric,
            (None, IpAddr::V4(_)) => route.metric == 0,
            // The kernel has a metric of its own for those that have none.
            (None, IpAddr::V6(_)) => true,
        };
        let is_there = self.device.as_deref().is_none_or(|wanted| {
            // What leads nowhere leaves by the loopback.
            device == Some(wanted)
        });
        metric
            && is_there
            && self.destination == Destination::of(route)
            && self.gateway == route.gateway
            && self.kind == route.kind
    }
}

/// The address and the length of its prefix that a row stands for; none while it is not complete.
pub(super) fn address(state: &State, table: Table, row: &Configured) -> Option<(IpAddr, u8)> {
    let ip: IpAddr = row.text("IPAddress").parse().ok()?;
    match (table, ip) {
        (Table::Ipv4Address, IpAddr::V4(_)) => Some((ip, mask_length(row.text("SubnetMask"))?)),
        (Table::Ipv6Address, IpAddr::V6(_)) => {
            // Without a prefix it is an address and nothing around it.
            let prefix = row.reference("Prefix").and_then(|row| prefix(state, row));
            Some((ip, prefix.map_or(128, |prefix| prefix.prefix)))
        }
        _ => None,
    }
}

/// The network that an IPv6Prefix row stands for.
fn prefix(state: &State, row: Row) -> Option<Destination> {
    match state.rows.get(&row) {
        Some(configured) => Destination::parse(configured.text("Prefix")),
        None => Destination::parse(state.key(row)?),
    }
}

/// The route that a row stands for; none while it is not complete.
pub(super) fn route(state: &State, table: Table, row: &Configured) -> Option<RouteWish> {
    let (destination, gateway) = match table {
        Table::Ipv4Forwarding => {
            let address = row.text("DestIPAddress");
            let mask = row.text("DestSubnetMask");
            let destination = match (address, mask) {
                ("", "") => Destination::parse("0.0.0.0/0")?,
                (address, "") => Destination::new(address.parse().ok()?, 32),
                (address, mask) => Destination::new(address.parse().ok()?, mask_length(mask)?),
            };
            (destination, row.text("GatewayIPAddress"))
        }
        _ => {
            let destination = match row.text("DestIPPrefix") {
                "" => Destination::new(Ipv6Addr::UNSPECIFIED.into(), 0),
                prefix => Destination::parse(prefix)?,
            };
            (destination, row.text("NextHop"))
        }
    };
    let gateway: Option<IpAddr> = match gateway {
        "" => None,
        gateway => Some(gateway.parse().ok()?),
    };
    let interface = row.reference("Interface");
    let device = match interface {
        Some(interface) => Some(device_name(state, interface)?.to_owned()),
        None => None,
    };
    let kind = match row.text("Type") {
        "Blackhole" => RTN_BLACKHOLE,
        "Prohibit" => RTN_PROHIBIT,
        "Receive" => RTN_LOCAL,
        "Unreachable" => RTN_UNREACHABLE,
        _ => RTN_UNICAST,
    };
    if kind == RTN_UNICAST && gateway.is_none() && device.is_none() {
        return None;
    }
    Some(RouteWish {
        destination,
        gateway,
        device,
        metric: row.text("ForwardingMetric").parse().ok(),
        kind,
    })
}
