//! Names of rows: which table, and which instance numbers. Paths are written and read here alone.

use std::fmt;

/// The tables that this owner serves.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Table {
    Bridge,
    BridgePort,
    BridgeVlan,
    BridgeVlanPort,
    EthernetInterface,
    EthernetLink,
    IpInterface,
    Ipv4Address,
    Ipv4Forwarding,
    Ipv6Address,
    Ipv6Forwarding,
    Ipv6Prefix,
    Router,
    Stack,
    VlanTermination,
}

/// All tables, parents before their children.
pub(super) const TABLES: [Table; 15] = [
    Table::Bridge,
    Table::BridgePort,
    Table::BridgeVlan,
    Table::BridgeVlanPort,
    Table::EthernetInterface,
    Table::EthernetLink,
    Table::VlanTermination,
    Table::IpInterface,
    Table::Ipv4Address,
    Table::Ipv6Address,
    Table::Ipv6Prefix,
    Table::Stack,
    Table::Router,
    Table::Ipv4Forwarding,
    Table::Ipv6Forwarding,
];

impl Table {
    /// The supported path.
    pub(super) const fn supported(self) -> &'static str {
        match self {
            Self::Bridge => "Device.Bridging.Bridge.{i}.",
            Self::BridgePort => "Device.Bridging.Bridge.{i}.Port.{i}.",
            Self::BridgeVlan => "Device.Bridging.Bridge.{i}.VLAN.{i}.",
            Self::BridgeVlanPort => "Device.Bridging.Bridge.{i}.VLANPort.{i}.",
            Self::EthernetInterface => "Device.Ethernet.Interface.{i}.",
            Self::EthernetLink => "Device.Ethernet.Link.{i}.",
            Self::IpInterface => "Device.IP.Interface.{i}.",
            Self::Ipv4Address => "Device.IP.Interface.{i}.IPv4Address.{i}.",
            Self::Ipv4Forwarding => "Device.Routing.Router.{i}.IPv4Forwarding.{i}.",
            Self::Ipv6Address => "Device.IP.Interface.{i}.IPv6Address.{i}.",
            Self::Ipv6Forwarding => "Device.Routing.Router.{i}.IPv6Forwarding.{i}.",
            Self::Ipv6Prefix => "Device.IP.Interface.{i}.IPv6Prefix.{i}.",
            Self::Router => "Device.Routing.Router.{i}.",
            Self::Stack => "Device.InterfaceStack.{i}.",
            Self::VlanTermination => "Device.Ethernet.VLANTermination.{i}.",
        }
    }

    /// The table whose rows have this one below them.
    pub(super) const fn parent(self) -> Option<Self> {
        match self {
            Self::BridgePort | Self::BridgeVlan | Self::BridgeVlanPort => Some(Self::Bridge),
            Self::Ipv4Address | Self::Ipv6Address | Self::Ipv6Prefix => Some(Self::IpInterface),
            Self::Ipv4Forwarding | Self::Ipv6Forwarding => Some(Self::Router),
            _ => None,
        }
    }

    /// Whether its rows are interfaces that can be stacked, and have counters.
    pub(super) const fn is_interface(self) -> bool {
        matches!(
            self,
            Self::BridgePort
                | Self::EthernetInterface
                | Self::EthernetLink
                | Self::IpInterface
                | Self::VlanTermination
        )
    }
}

/// One row.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Row {
    pub(super) table: Table,
    /// The instance number of the row that it is below; 0 where there is none.
    pub(super) parent: u32,
    pub(super) number: u32,
}

impl Row {
    pub(super) const fn new(table: Table, number: u32) -> Self {
        Self {
            table,
            parent: 0,
            number,
        }
    }

    /// A row of `table` below the row `parent`.
    pub(super) const fn below(table: Table, parent: u32, number: u32) -> Self {
        Self {
            table,
            parent,
            number,
        }
    }

    /// The row that it is below.
    pub(super) fn parent(self) -> Option<Self> {
        let table = self.table.parent()?;
        Some(Self::new(table, self.parent))
    }

    /// The row at a path, with or without the dot at its end.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let (row, rest) = Self::split(path)?;
        rest.is_empty().then_some(row)
    }

    /// The row that a path begins with, and what follows: `Device.IP.Interface.3.Enable`. It is the lowest one.
    pub(super) fn split(path: &str) -> Option<(Self, &str)> {
        TABLES
            .iter()
            .rev()
            .filter_map(|table| Self::split_as(*table, path))
            .max_by_key(|(row, _)| row.parent != 0)
    }

    fn split_as(table: Table, path: &str) -> Option<(Self, &str)> {
        let mut numbers = [0; 2];
        let mut count = 0;
        let mut rest = path;
        for part in table.supported().split_inclusive("{i}") {
            let Some(name) = part.strip_suffix("{i}") else {
                continue;
            };
            rest = rest.strip_prefix(name)?;
            let end = rest
                .find(|character: char| !character.is_ascii_digit())
                .unwrap_or(rest.len());
            *numbers.get_mut(count)? = rest[..end].parse().ok().filter(|number| *number > 0)?;
            count += 1;
            rest = &rest[end..];
        }
        let rest = match rest.strip_prefix('.') {
            Some(rest) => rest,
            None if rest.is_empty() => rest,
            None => return None,
        };
        let row = match numbers {
            [number, 0] => Self::new(table, number),
            [parent, number] => Self::below(table, parent, number),
        };
        Some((row, rest))
    }

    /// The table and the parent's number of `Device.Bridging.Bridge.1.Port.`
    pub(super) fn parse_table(path: &str) -> Option<(Table, u32)> {
        let row = Self::parse(&format!("{path}1."))?;
        Some((row.table, row.parent))
    }

    /// The instance numbers on the way, as a snapshot names them.
    pub(super) fn keys(self) -> Vec<String> {
        let mut keys = vec![self.number.to_string()];
        if self.parent != 0 {
            keys.insert(0, self.parent.to_string());
        }
        keys
    }
}

/// The path without a dot at its end, as references have it.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = [self.parent, self.number]
            .into_iter()
            .filter(|number| *number != 0);
        let path = self.table.supported().trim_end_matches('.');
        for (at, part) in path.split("{i}").enumerate() {
            if at > 0
                && let Some(number) = numbers.next()
            {
                write!(f, "{number}")?;
            }
            f.write_str(part)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_that_is_written_is_read_again() {
        for table in TABLES {
            let row = match table.parent() {
                Some(_) => Row::below(table, 12, 3),
                None => Row::new(table, 7),
            };
            assert_eq!(Row::parse(&row.to_string()), Some(row));
            assert_eq!(Row::parse(&format!("{row}.")), Some(row));
            assert_eq!(Row::split(&format!("{row}.Enable")), Some((row, "Enable")));
            let path = row.to_string();
            let (table_path, _) = path.rsplit_once('.').unwrap();
            assert_eq!(
                Row::parse_table(&format!("{table_path}.")),
                Some((table, row.parent))
            );
        }
    }

    #[test]
    fn what_names_no_row_is_none() {
        for path in [
            "",
            "Device.IP.",
            "Device.IP.Interface.",
            "Device.IP.Interface.0",
            "Device.IP.Interface.x",
            "Device.IP.Interface.1.Enable",
            "Device.IP.Interface.1.IPv4Address.",
            "Device.IP.Interface.99999999999",
        ] {
            assert_eq!(Row::parse(path), None, "{path}");
        }
    }
}
