//! IP interfaces, their addresses and prefixes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use usphere_datamodel::model::SnapshotObject;

use super::super::facts::{Address, Link, Route};
use super::super::row::{Row, Table};
use super::super::uapi::*;
use super::ethernet::{common, of, path};
use super::routing::Destination;
use super::{Builder, Values, is_link_local, mask_text};

impl Builder<'_> {
    pub(super) fn ip(&mut self) {
        self.versions();
        let rows: Vec<(u32, Row)> = self.world.on.ip.iter().map(of).collect();
        for (index, row) in rows {
            let link = &self.facts.links[&index];
            let mut values = self.ip_interface(link);
            self.withdraw(row, &mut values);
            self.enter(row, Some(index), values);
            self.prefixes(index, row);
            let (facts, made) = (self.facts, self.made_addresses(row));
            for address in facts.addresses_of(index) {
                let made = made.get(&(address.address, address.prefix)).copied();
                self.address(row, made, address);
            }
        }
    }

    /// What the host does with each version of IP.
    fn versions(&mut self) {
        let mut values: Values = Vec::new();
        let is_capable = self.facts.has_ipv6;
        let is_enabled = self.facts.is_ipv6;
        let status = |is_enabled| if is_enabled { "Enabled" } else { "Disabled" };
        values.push(("IPv4Capable", "true".to_owned()));
        values.push(("IPv4Enable", "true".to_owned()));
        values.push(("IPv4Status", "Enabled".to_owned()));
        values.push(("IPv6Capable", is_capable.to_string()));
        values.push(("IPv6Enable", is_enabled.to_string()));
        values.push(("IPv6Status", status(is_enabled).to_owned()));
        self.world.singles.push(SnapshotObject {
            path: "Device.IP.".into(),
            keys: Vec::new(),
            values: values
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
        });
    }

    fn ip_interface(&self, link: &Link) -> Values {
        let is_loopback = link.is_loopback();
        let kind = match &*link.kind {
            _ if is_loopback => "Loopback",
            "gre" | "gretap" | "ip6gre" | "ip6tnl" | "ipip" | "sit" | "tun" | "vti" | "vti6"
            | "wireguard" | "xfrm" => "Tunnel",
            _ => "Normal",
        };
        let mut values = common(link);
        values.push(("IPv4Enable", "true".to_owned()));
        values.push(("IPv6Enable", link.is_ipv6.to_string()));
        let lower = self.world.top_of(link.index);
        values.push(("LowerLayers", path(lower.as_ref())));
        values.push(("MaxMTUSize", link.mtu.clamp(64, 65_535).to_string()));
        values.push(("Type", kind.to_owned()));
        values.push(("Loopback", is_loopback.to_string()));
        values
    }

    fn address(&mut self, interface: Row, made: Option<Row>, address: &Address) {
        let table = match address.address {
            IpAddr::V4(_) => Table::Ipv4Address,
            IpAddr::V6(_) => Table::Ipv6Address,
        };
        let key = format_args!("{}/{}", address.address, address.prefix);
        let row = self.row_for(made, (table, interface.number), key);
        let values = match address.address {
            IpAddr::V4(_) => ipv4_address(address),
            IpAddr::V6(_) => self.ipv6_address(interface, address),
        };
        self.enter(row, Some(address.index), values);
    }

    fn ipv6_address(&mut self, interface: Row, address: &Address) -> Values {
        let condition = match address.flags {
            flags if flags & IFA_F_DADFAILED != 0 => "Duplicate",
            flags if flags & IFA_F_OPTIMISTIC != 0 => "Optimistic",
            flags if flags & IFA_F_TENTATIVE != 0 => "Tentative",
            flags if flags & IFA_F_DEPRECATED != 0 => "Deprecated",
            _ => "Preferred",
        };
        let is_permanent = address.flags & IFA_F_PERMANENT != 0;
        let origin = match address.address {
            ip if ip.is_loopback() => "WellKnown",
            ip if is_link_local(ip) => "AutoConfigured",
            _ if is_permanent => "Static",
            _ if address.prefix == 128 => "DHCPv6",
            _ => "AutoConfigured",
        };
        let status = if condition == "Duplicate" {
            "Error"
        } else {
            "Enabled"
        };
        let prefix = self.prefix_of(interface, address);
        let (preferred, valid) = self.lifetimes.of(address);
        vec![
            ("Enable", "true".to_owned()),
            ("Status", status.to_owned()),
            ("IPAddressStatus", condition.to_owned()),
            ("IPAddress", address.address.to_string()),
            ("Origin", origin.to_owned()),
            ("Prefix", path(prefix.as_ref())),
            ("PreferredLifetime", preferred),
            ("ValidLifetime", valid),
        ]
    }

    /// Networks that are reached through the interface directly, and those that its addresses are in.
    fn prefixes(&mut self, index: u32, interface: Row) {
        let routes = self.facts.routes.iter();
        let routes = routes.filter(|route| route.index == Some(index) && is_prefix(route));
        let mut prefixes: BTreeMap<Destination, Option<&Route>> = routes
            .map(|route| (Destination::of(route), Some(route)))
            .collect();
        for address in self.facts.addresses_of(index) {
            if address.address.is_ipv6() && address.prefix < 128 {
                let network = Destination::new(address.address, address.prefix);
                prefixes.entry(network).or_insert(None);
            }
        }
        let made = self.made_prefixes(interface);
        for (prefix, route) in prefixes {
            let is_announced =
                route.is_some_and(|route| route.protocol == RTPROT_RA || route.expires.is_some());
            let origin = match prefix.address {
                ip if is_link_local(ip) => "WellKnown",
                _ if is_announced => "RouterAdvertisement",
                _ => "Static",
            };
            let condition = match route {
                Some(_) => "Preferred",
                None => "Inaccessible",
            };
            let wish = made.get(&prefix).copied();
            let row = self.row_for(wish, (Table::Ipv6Prefix, interface.number), prefix);
            let values = vec![
                ("Enable", "true".to_owned()),
                ("Status", "Enabled".to_owned()),
                ("PrefixStatus", condition.to_owned()),
                ("Prefix", prefix.to_string()),
                ("Origin", origin.to_owned()),
                ("OnLink", route.is_some().to_string()),
                ("Autonomous", is_announced.to_string()),
            ];
            self.enter(row, Some(index), values);
        }
    }

    fn prefix_of(&self, interface: Row, address: &Address) -> Option<Row> {
        let network = Destination::new(address.address, address.prefix).to_string();
        let mut rows = self.world.rows.iter();
        let found = rows.find(|(row, entry)| {
            row.table == Table::Ipv6Prefix
                && row.parent == interface.number
                && entry.text("Prefix") == network
        });
        found.map(|(row, _)| *row)
    }
}

/// Whether a route says that a network of IPv6 is on the link itself.
fn is_prefix(route: &Route) -> bool {
    route.destination.is_ipv6()
        && route.gateway.is_none()
        && route.kind == RTN_UNICAST
        && (1..128).contains(&route.prefix)
        && matches!(route.protocol, RTPROT_KERNEL | RTPROT_RA)
}

fn ipv4_address(address: &Address) -> Values {
    let is_permanent = address.flags & IFA_F_PERMANENT != 0;
    let origin = match address.address {
        IpAddr::V4(ip) if ip.is_link_local() => "AutoIP",
        _ if is_permanent => "Static",
        _ => "DHCP",
    };
    vec![
        ("Enable", "true".to_owned()),
        ("Status", "Enabled".to_owned()),
        ("IPAddress", address.address.to_string()),
        ("SubnetMask", mask_text(address.prefix)),
        ("AddressingType", origin.to_owned()),
    ]
}
