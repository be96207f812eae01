//! Which row is which: those that Controllers made, by what of the kernel each stands for, and those of the host.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;

use super::super::row::{Row, Table};
use super::super::wishes::{self, RouteWish};
use super::routing::Destination;
use super::{Builder, device_name};

impl Builder<'_> {
    /// The row of something that the kernel has: the one that a Controller `made` for it, or else the host's own
    /// called `key`, which gets a number where it is new.
    pub(super) fn row_for(
        &mut self,
        made: Option<Row>,
        (table, parent): (Table, u32),
        key: impl Display,
    ) -> Row {
        made.unwrap_or_else(|| {
            let number = self.state.number(table, parent, &key.to_string());
            Row::below(table, parent, number)
        })
    }

    /// The row that a device is.
    pub(super) fn row_of_device(&mut self, table: Table, name: &str) -> Row {
        let made = self
            .state
            .rows_below(table, 0)
            .find(|(_, configured)| configured.device.as_deref() == Some(name))
            .map(|(row, _)| row);
        self.row_for(made, (table, 0), name)
    }

    /// Whether a Controller made the device.
    pub(super) fn is_made(&self, device: &str) -> bool {
        self.state
            .rows
            .values()
            .any(|row| row.is_made && row.device.as_deref() == Some(device))
    }

    /// The rows of `table` that Controllers made, and the devices that they are on.
    pub(super) fn made_on_devices(&self, table: Table) -> Vec<(u32, Row)> {
        let rows = self.state.rows.iter();
        let made = rows.filter(|(row, configured)| row.table == table && configured.is_made);
        made.filter_map(|(row, _)| {
            let link = self.facts.link(device_name(self.state, *row)?)?;
            Some((link.index, *row))
        })
        .collect()
    }

    /// The ports that Controllers made, by the number of the bridge and the index of the device.
    pub(super) fn made_ports(&self) -> BTreeMap<(u32, u32), Row> {
        let made = self.made_on_devices(Table::BridgePort).into_iter();
        made.map(|(index, port)| ((port.parent, index), port))
            .collect()
    }

    /// The VLANs of a bridge that Controllers made, by their numbers.
    pub(super) fn made_vlans(&self, bridge: Row) -> BTreeMap<u16, Row> {
        let rows = self.state.rows_below(Table::BridgeVlan, bridge.number);
        first(rows.filter_map(|(row, vlan)| Some((vlan.text("VLANID").parse().ok()?, row))))
    }

    /// Which port of a bridge Controllers have made to carry which VLAN, by the VLAN and the port.
    pub(super) fn made_vlan_ports(&self, bridge: Row) -> BTreeMap<(Row, Row), Row> {
        let rows = self.state.rows_below(Table::BridgeVlanPort, bridge.number);
        first(rows.filter_map(|(row, carried)| {
            let (vlan, port) = (carried.reference("VLAN")?, carried.reference("Port")?);
            Some(((vlan, port), row))
        }))
    }

    /// The addresses of an interface that Controllers made, each with the length of its prefix.
    pub(super) fn made_addresses(&self, interface: Row) -> BTreeMap<(IpAddr, u8), Row> {
        let tables = [Table::Ipv4Address, Table::Ipv6Address].into_iter();
        let rows = tables.flat_map(|table| self.state.rows_below(table, interface.number));
        let made = rows.filter(|(_, configured)| configured.is_made);
        first(made.filter_map(|(row, configured)| {
            Some((wishes::address(self.state, row.table, configured)?, row))
        }))
    }

    /// The prefixes of an interface that Controllers made.
    pub(super) fn made_prefixes(&self, interface: Row) -> BTreeMap<Destination, Row> {
        let rows = self.state.rows_below(Table::Ipv6Prefix, interface.number);
        let made = rows.filter(|(_, configured)| configured.is_made);
        first(
            made.filter_map(|(row, prefix)| {
                Some((Destination::parse(prefix.text("Prefix"))?, row))
            }),
        )
    }

    /// The routes that Controllers made, by where they lead.
    pub(super) fn made_routes(&self) -> BTreeMap<Destination, Vec<(Row, RouteWish)>> {
        let mut found: BTreeMap<Destination, Vec<(Row, RouteWish)>> = BTreeMap::new();
        for (row, configured) in &self.state.rows {
            let is_route = matches!(row.table, Table::Ipv4Forwarding | Table::Ipv6Forwarding);
            if !is_route || !configured.is_made {
                continue;
            }
            if let Some(wish) = wishes::route(self.state, row.table, configured) {
                let beside = found.entry(wish.destination).or_default();
                beside.push((*row, wish));
            }
        }
        found
    }
}

/// Of several rows for the same the first.
fn first<K: Ord>(rows: impl Iterator<Item = (K, Row)>) -> BTreeMap<K, Row> {
    let mut found = BTreeMap::new();
    for (key, row) in rows {
        found.entry(key).or_insert(row);
    }
    found
}
