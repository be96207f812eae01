//! Bridges with their ports and VLANs.

use std::collections::BTreeMap;

use usphere_datamodel::model::SnapshotObject;

use super::super::facts::Link;
use super::super::row::{Row, Table};
use super::ethernet::{common, of, path};
use super::{Builder, Values};

/// States of a port (`linux/if_bridge.h`).
const PORT_STATES: [&str; 5] = [
    "Disabled",
    "Listening",
    "Learning",
    "Forwarding",
    "Blocking",
];

impl Builder<'_> {
    /// The ports: for each bridge the one that is the bridge itself, and one for each device in it.
    pub(super) fn find_ports(&mut self) {
        let bridges: Vec<(u32, Row)> = self.world.on.bridge.iter().map(of).collect();
        for (index, bridge) in bridges {
            let made: Vec<(u32, Row)> = self.made_on_devices(Table::BridgePort);
            let made: BTreeMap<u32, Row> = made
                .into_iter()
                .filter(|(_, port)| port.parent == bridge.number)
                .collect();
            let is_made = self.is_made(&self.facts.links[&index].name);
            if let Some(row) = made.get(&index).copied() {
                self.world.on.base.insert(index, row);
            } else if !is_made {
                let row = self.port_row(bridge, &self.facts.links[&index]);
                self.world.on.base.insert(index, row);
            }
            for link in self.facts.links.values() {
                if link.master == Some(index) {
                    let row = made.get(&link.index).copied();
                    let row = row.unwrap_or_else(|| self.port_row(bridge, link));
                    self.world.on.port.insert(link.index, row);
                }
            }
        }
    }

    fn port_row(&mut self, bridge: Row, link: &Link) -> Row {
        let table = Table::BridgePort;
        let number = self.state.number(table, bridge.number, &link.name);
        Row::below(table, bridge.number, number)
    }

    pub(super) fn bridges(&mut self) {
        let bridges: Vec<(u32, Row)> = self.world.on.bridge.iter().map(of).collect();
        for (index, row) in bridges {
            let link = &self.facts.links[&index];
            let settings = link.bridge.unwrap_or_default();
            let standard = if settings.vlan_filtering == 0 {
                "802.1D-2004"
            } else {
                "802.1Q-2011"
            };
            let status = if link.is_up() { "Enabled" } else { "Disabled" };
            let aging = (settings.ageing_time / 100).clamp(10, 1_000_000);
            let values = vec![
                ("Enable", link.is_up().to_string()),
                ("Status", status.to_owned()),
                ("Name", link.name.clone()),
                ("Standard", standard.to_owned()),
                ("AgingTime", aging.to_string()),
            ];
            self.enter(row, Some(index), values);
            self.world.singles.push(spanning_tree(row, link));
            self.ports(index, row);
            self.vlans(index, row);
        }
    }

    fn ports(&mut self, index: u32, bridge: Row) {
        let ports: Vec<(u32, Row)> = self.world.on.port.iter().map(of).collect();
        let ports = ports
            .into_iter()
            .filter(|(_, port)| port.parent == bridge.number);
        let ports: Vec<(u32, Row)> = ports.collect();
        let mut below = Vec::new();
        for (port_index, row) in ports {
            let link = &self.facts.links[&port_index];
            let port = link.port.unwrap_or_default();
            let state = PORT_STATES.get(usize::from(port.state));
            let mut values = common(link);
            values.push(("LowerLayers", path(self.world.on.base.get(&port_index))));
            values.push(("ManagementPort", "false".to_owned()));
            values.push(("PortState", (*state.unwrap_or(&"Broken")).to_owned()));
            values.push(("PathCost", port.cost.min(65_535).to_string()));
            values.push(("PVID", self.pvid(port_index).to_string()));
            self.withdraw(row, &mut values);
            self.enter(row, Some(port_index), values);
            below.push(row.to_string());
        }
        // Ports whose device is not there (yet) are ports all the same.
        let made = self.state.rows.iter().filter(|(row, configured)| {
            row.table == Table::BridgePort
                && row.parent == bridge.number
                && configured.is_made
                && !configured.is_set("ManagementPort")
        });
        let absent = made.map(|(row, _)| row.to_string());
        let absent: Vec<String> = absent.filter(|path| !below.contains(path)).collect();
        below.extend(absent);
        if let Some(row) = self.world.on.base.get(&index).copied() {
            let link = &self.facts.links[&index];
            let mut values = common(link);
            let state = if link.is_up() {
                "Forwarding"
            } else {
                "Disabled"
            };
            values.push(("ManagementPort", "true".to_owned()));
            values.push(("PortState", state.to_owned()));
            values.push(("PVID", self.pvid(index).to_string()));
            self.withdraw(row, &mut values);
            self.enter(row, Some(index), values);
            if let Some(entry) = self.world.rows.get_mut(&row) {
                entry.values.retain(|(name, _)| *name != "LowerLayers");
                entry.values.push(("LowerLayers", below.join(",")));
            }
        }
    }

    fn pvid(&self, index: u32) -> u16 {
        let mut vlans = self.facts.vlans.iter();
        let own = vlans.find(|vlan| vlan.index == index && vlan.is_pvid);
        own.map_or(1, |vlan| vlan.id.clamp(1, 4094))
    }

    /// VLANs of the bridge, and which port carries which; of a bridge that heeds VLANs.
    fn vlans(&mut self, index: u32, bridge: Row) {
        let settings = self.facts.links[&index].bridge.unwrap_or_default();
        if settings.vlan_filtering == 0 {
            return;
        }
        let mut rows: BTreeMap<u16, Row> = BTreeMap::new();
        for vlan in &self.facts.vlans {
            let port = if vlan.index == index {
                self.world.on.base.get(&index)
            } else {
                let port = self.world.on.port.get(&vlan.index);
                port.filter(|port| port.parent == bridge.number)
            };
            let Some(port) = port.copied() else { continue };
            let row = match rows.get(&vlan.id) {
                Some(row) => *row,
                None => self.vlan_row(bridge, vlan.id),
            };
            rows.insert(vlan.id, row);
            let port_row = self.vlan_port_row(bridge, row, port);
            let values = vec![
                ("Enable", "true".to_owned()),
                ("VLAN", row.to_string()),
                ("Port", port.to_string()),
                ("Untagged", vlan.is_untagged.to_string()),
            ];
            self.enter(port_row, Some(vlan.index), values);
        }
        for (id, row) in rows {
            let values = vec![
                ("Enable", "true".to_owned()),
                ("Name", format!("VLAN {id}")),
                ("VLANID", id.to_string()),
            ];
            self.enter(row, Some(index), values);
        }
    }

    fn vlan_row(&mut self, bridge: Row, id: u16) -> Row {
        let table = Table::BridgeVlan;
        let text = id.to_string();
        let made = self.state.rows.iter().find(|(row, configured)| {
            row.table == table && row.parent == bridge.number && configured.text("VLANID") == text
        });
        if let Some((row, _)) = made {
            return *row;
        }
        let number = self.state.number(table, bridge.number, &text);
        Row::below(table, bridge.number, number)
    }

    fn vlan_port_row(&mut self, bridge: Row, vlan: Row, port: Row) -> Row {
        let table = Table::BridgeVlanPort;
        let made = self.state.rows.iter().find(|(row, configured)| {
            row.table == table
                && row.parent == bridge.number
                && configured.reference("VLAN") == Some(vlan)
                && configured.reference("Port") == Some(port)
        });
        if let Some((row, _)) = made {
            return *row;
        }
        let key = format!("{}/{}", vlan.number, port.number);
        let number = self.state.number(table, bridge.number, &key);
        Row::below(table, bridge.number, number)
    }
}

fn spanning_tree(row: Row, link: &Link) -> SnapshotObject {
    let settings = link.bridge.unwrap_or_default();
    let is_enabled = settings.stp != 0;
    let status = if is_enabled { "Enabled" } else { "Disabled" };
    let delay = (settings.forward_delay / 100).clamp(4, 30);
    let values: Values = vec![
        ("Enable", is_enabled.to_string()),
        ("Status", status.to_owned()),
        (
            "BridgePriority",
            u32::from(settings.priority).min(61_440).to_string(),
        ),
        (
            "HelloTime",
            settings.hello_time.clamp(100, 1_000).to_string(),
        ),
        ("MaxAge", settings.max_age.clamp(600, 4_000).to_string()),
        ("ForwardingDelay", delay.to_string()),
    ];
    SnapshotObject {
        path: "Device.Bridging.Bridge.{i}.STP.".into(),
        keys: row.keys(),
        values: values
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect(),
    }
}
