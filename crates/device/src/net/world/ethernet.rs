//! Ethernet interfaces, links and VLANs.

use super::super::facts::Link;
use super::super::row::{Row, Table};
use super::{Builder, Values, mac_text, status_of};

impl Builder<'_> {
    pub(super) fn ethernet(&mut self) {
        let base: Vec<(u32, Row)> = self.world.on.base.iter().map(of).collect();
        for (index, row) in base {
            let link = &self.facts.links[&index];
            match row.table {
                Table::EthernetInterface => {
                    let values = self.interface(link);
                    self.enter(row, Some(index), values);
                }
                Table::VlanTermination => {
                    let values = self.vlan_termination(link);
                    self.enter(row, Some(index), values);
                }
                _ => {}
            }
        }
        let links: Vec<(u32, Row)> = self.world.on.link.iter().map(of).collect();
        for (index, row) in links {
            let link = &self.facts.links[&index];
            let mut values = common(link);
            values.push(("LowerLayers", path(self.world.on.base.get(&index))));
            values.push(("MTU", link.mtu.to_string()));
            values.push(("MACAddress", mac_text(&link.mac)));
            self.withdraw(row, &mut values);
            self.enter(row, Some(index), values);
        }
    }

    fn interface(&self, link: &Link) -> Values {
        let mut values = common(link);
        values.push(("LowerLayers", String::new()));
        values.push(("MACAddress", mac_text(&link.mac)));
        values.push(("MaxBitRate", "-1".to_owned()));
        values.push(("DuplexMode", "Auto".to_owned()));
        let is_upstream = self.upstream() == Some(link.index);
        values.push(("Upstream", is_upstream.to_string()));
        let mode = link.mode.unwrap_or_default();
        values.push(("CurrentBitRate", mode.megabits.to_string()));
        values.push(("CurrentDuplexMode", mode.duplex.to_owned()));
        values
    }

    fn vlan_termination(&self, link: &Link) -> Values {
        let vlan = link.vlan.unwrap_or_default();
        let lower = link.lower.and_then(|lower| self.world.top_of(lower));
        let mut values = common(link);
        values.push(("LowerLayers", path(lower.as_ref())));
        values.push(("VLANID", vlan.id.clamp(1, 4094).to_string()));
        values.push(("TPID", vlan.protocol.to_string()));
        values
    }

    /// The device at the bottom of the way that leads out of the house.
    fn upstream(&self) -> Option<u32> {
        let routes = self.facts.routes.iter();
        let defaults = routes.filter(|route| route.prefix == 0 && route.gateway.is_some());
        let mut at = defaults.min_by_key(|route| route.metric)?.index?;
        for _ in 0..8 {
            match self.facts.links.get(&at)?.lower {
                Some(lower) => at = lower,
                None => break,
            }
        }
        Some(at)
    }

    /// What a Controller has disabled is down, whatever it stands on.
    pub(super) fn withdraw(&self, row: Row, values: &mut Values) {
        let configured = self.state.rows.get(&row);
        let is_disabled = configured.is_some_and(|configured| {
            configured
                .values
                .get("Enable")
                .map_or(configured.is_made, |enable| enable == "false")
        });
        if is_disabled {
            values.retain(|(name, _)| *name != "Status" && *name != "Enable");
            values.push(("Enable", "false".to_owned()));
            values.push(("Status", "Down".to_owned()));
        }
    }
}

/// What every interface tells.
pub(super) fn common(link: &Link) -> Values {
    vec![
        ("Enable", link.is_up().to_string()),
        ("Status", status_of(link).to_owned()),
        ("Name", link.name.clone()),
    ]
}

pub(super) fn path(row: Option<&Row>) -> String {
    row.map_or_else(String::new, Row::to_string)
}

pub(super) fn of((index, row): (&u32, &Row)) -> (u32, Row) {
    (*index, *row)
}
