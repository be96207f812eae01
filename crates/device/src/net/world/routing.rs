//! The main routing table.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::facts::Route;
use super::super::row::{Row, Table};
use super::super::uapi::*;
use super::{Builder, Values};

/// The key of the one router that there is.
const MAIN: &str = "main";

impl Builder<'_> {
    pub(super) fn routes(&mut self) {
        let router = Row::new(Table::Router, self.state.number(Table::Router, 0, MAIN));
        let values = vec![
            ("Enable", "true".to_owned()),
            ("Status", "Enabled".to_owned()),
        ];
        self.enter(router, None, values);
        let (facts, made) = (self.facts, self.made_routes());
        for route in &facts.routes {
            let table = match route.destination {
                IpAddr::V4(_) => Table::Ipv4Forwarding,
                IpAddr::V6(_) => Table::Ipv6Forwarding,
            };
            let device = route.index.and_then(|index| facts.name(index));
            let mut beside = made.get(&Destination::of(route)).into_iter().flatten();
            let made =
                beside.find(|(row, wish)| row.table == table && wish.is_met_by(route, device));
            let made = made.map(|(row, _)| *row);
            let row = self.row_for(made, (table, router.number), Key(route, device));
            let values = self.route(route);
            self.enter(row, route.index, values);
        }
    }

    fn route(&mut self, route: &Route) -> Values {
        let kind = match route.kind {
            RTN_LOCAL => "Receive",
            RTN_BLACKHOLE => "Blackhole",
            RTN_UNREACHABLE => "Unreachable",
            RTN_PROHIBIT => "Prohibit",
            _ => "Normal",
        };
        let interface = route.index.and_then(|index| self.world.on.ip.get(&index));
        let gateway = route.gateway.filter(|gateway| {
            // A gateway of the other version has no place here.
            gateway.is_ipv4() == route.destination.is_ipv4()
        });
        let gateway = gateway.map_or_else(String::new, |gateway| gateway.to_string());
        let metric = match i32::try_from(route.metric) {
            Ok(0) => "-1".to_owned(),
            Ok(metric) => metric.to_string(),
            Err(_) => i32::MAX.to_string(),
        };
        let mut values = vec![
            ("Enable", "true".to_owned()),
            ("Status", "Enabled".to_owned()),
            ("Type", kind.to_owned()),
            (
                "Interface",
                interface.map_or_else(String::new, Row::to_string),
            ),
            ("ForwardingMetric", metric),
        ];
        let destination = Destination::of(route);
        match route.destination {
            IpAddr::V4(_) => {
                let origin = match route.protocol {
                    RTPROT_DHCP => "DHCPv4",
                    RTPROT_OSPF => "OSPF",
                    RTPROT_RIP => "RIP",
                    _ => "Static",
                };
                let is_static = matches!(route.protocol, RTPROT_BOOT | RTPROT_STATIC);
                let is_default = route.prefix == 0;
                let unless_default = |text: String| if is_default { String::new() } else { text };
                values.push(("Origin", origin.to_owned()));
                values.push(("StaticRoute", is_static.to_string()));
                values.push((
                    "DestIPAddress",
                    unless_default(destination.address.to_string()),
                ));
                values.push(("DestSubnetMask", unless_default(mask_text(route.prefix))));
                values.push(("GatewayIPAddress", gateway));
            }
            IpAddr::V6(_) => {
                let origin = match route.protocol {
                    RTPROT_DHCP => "DHCPv6",
                    RTPROT_OSPF => "OSPF",
                    RTPROT_RA => "RA",
                    RTPROT_RIP => "RIPng",
                    _ => "Static",
                };
                values.push(("Origin", origin.to_owned()));
                values.push(("DestIPPrefix", destination.to_string()));
                values.push(("NextHop", gateway));
                values.push(("ExpirationTime", self.lifetimes.of_route(route)));
            }
        }
        values
    }
}

/// The key of a route of the host's own, which leaves by a device.
struct Key<'a>(&'a Route, Option<&'a str>);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(route, device) = self;
        write!(f, "{} ", Destination::of(route))?;
        match route.gateway {
            Some(gateway) => write!(f, "{gateway}")?,
            None => f.write_str("-")?,
        }
        let device = device.unwrap_or("-");
        write!(f, " {device} {} {}", route.metric, route.kind)
    }
}

/// A network: an address whose bits beyond the prefix are zero.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::net) struct Destination {
    pub(in crate::net) address: IpAddr,
    pub(in crate::net) prefix: u8,
}

impl Destination {
    /// The network of `prefix` bits that `address` is in.
    pub(in crate::net) fn new(address: IpAddr, prefix: u8) -> Self {
        let address = match address {
            IpAddr::V4(ip) => {
                let prefix = u32::from(prefix.min(32));
                let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(ip) & mask))
            }
            IpAddr::V6(ip) => {
                let prefix = u32::from(prefix.min(128));
                let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(ip) & mask))
            }
        };
        Self { address, prefix }
    }

    pub(in crate::net) fn of(route: &Route) -> Self {
        Self::new(route.destination, route.prefix)
    }

    /// The network that `2001:db8::/32` names.
    pub(in crate::net) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= most)?;
        Some(Self::new(address, prefix))
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// The mask of so many bits.
pub(in crate::net) fn mask_text(prefix: u8) -> String {
    let all = IpAddr::V4(Ipv4Addr::BROADCAST);
    Destination::new(all, prefix).address.to_string()
}

/// How many bits a mask has; none where they are not one run.
pub(in crate::net) fn mask_length(mask: &str) -> Option<u8> {
    let bits = u32::from(mask.parse::<Ipv4Addr>().ok()?);
    let ones = bits.leading_ones();
    (bits.count_ones() == ones).then_some(ones as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_and_lengths_mean_the_same() {
        for length in 0..=32 {
            assert_eq!(mask_length(&mask_text(length)), Some(length));
        }
        assert_eq!(mask_text(26), "255.255.255.192");
        assert_eq!(mask_length("255.0.255.0"), None);
        assert_eq!(mask_length(""), None);
    }

    #[test]
    fn a_network_has_no_bits_beyond_its_prefix() {
        let network = Destination::parse("2001:db8:1:2:3::9/48").unwrap();
        assert_eq!(network.to_string(), "2001:db8:1::/48");
        assert_eq!(
            Destination::parse("192.0.2.9/0").unwrap().to_string(),
            "0.0.0.0/0"
        );
        assert_eq!(Destination::parse("192.0.2.9/33"), None);
    }
}
