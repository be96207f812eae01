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
        let made = self.made_ports();
        let facts = self.facts;
        for (index, bridge) in bridges {
            let own = made.get(&(bridge.number, index)).copied();
            if own.is_some() || !self.is_made(&facts.links[&index].name) {
                let row = self.port_row(own, bridge, &facts.links[&index]);
                self.world.on.base.insert(index, row);
            }
            for link in facts.links.values() {
                if link.master == Some(index) {
                    let port = made.get(&(bridge.number, link.index)).copied();
                    let row = self.port_row(port, bridge, link);
                    self.world.on.port.insert(link.index, row);
                }
            }
        }
    }

    fn port_row(&mut self, made: Option<Row>, bridge: Row, link: &Link) -> Row {
        self.row_for(made, (Table::BridgePort, bridge.number), &link.name)
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
        let (made, made_ports) = (self.made_vlans(bridge), self.made_vlan_ports(bridge));
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
                None => {
                    let made = made.get(&vlan.id).copied();
                    self.row_for(made, (Table::BridgeVlan, bridge.number), vlan.id)
                }
            };
            rows.insert(vlan.id, row);
            let made = made_ports.get(&(row, port)).copied();
            let place = (Table::BridgeVlanPort, bridge.number);
            let key = format_args!("{}/{}", row.number, port.number);
            let port_row = self.row_for(made, place, key);
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
