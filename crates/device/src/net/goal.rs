//! What all that is configured means for the kernel, taken together.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::row::{Row, Table};
use super::state::{Configured, State};
use super::wishes::{self, RouteWish};
use super::world::device_name;

/// The part of the kernel's network that Controllers have a say in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Goal {
    pub(super) devices: BTreeMap<String, DeviceWish>,
    /// Each with the row that wants it.
    pub(super) addresses: BTreeMap<AddressWish, Row>,
    pub(super) routes: BTreeMap<RouteWish, Row>,
    pub(super) vlans: BTreeMap<VlanWish, Row>,
}

/// What is wanted of one device; what nobody has a wish about is left alone.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct DeviceWish {
    /// What to make it as; none for a device of the host.
    pub(super) make: Option<Make>,
    pub(super) up: Option<bool>,
    pub(super) mtu: Option<u32>,
    pub(super) ipv6: Option<bool>,
    /// The bridge that it is to be in.
    pub(super) master: Option<String>,
    pub(super) bridge: BridgeWish,
    /// The rows that want something of it, the one that it is first.
    pub(super) rows: Vec<Row>,
}

/// How a device is made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Make {
    Bridge,
    Vlan {
        lower: String,
        id: u16,
        protocol: u16,
    },
}

/// Settings of a bridge, in the kernel's units.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct BridgeWish {
    pub(super) ageing_time: Option<u32>,
    pub(super) forward_delay: Option<u32>,
    pub(super) hello_time: Option<u32>,
    pub(super) max_age: Option<u32>,
    pub(super) priority: Option<u16>,
    pub(super) stp: Option<u32>,
    pub(super) vlan_filtering: Option<u8>,
}

/// An address on a device.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct AddressWish {
    pub(super) device: String,
    pub(super) address: IpAddr,
    pub(super) prefix: u8,
}

/// A VLAN on a port of a bridge, or on the bridge itself.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct VlanWish {
    pub(super) device: String,
    pub(super) is_bridge: bool,
    pub(super) id: u16,
    pub(super) is_untagged: bool,
}

impl Goal {
    /// What is wanted by all rows together.
    pub(super) fn of(state: &State) -> Self {
        let mut goal = Self::default();
        for (row, configured) in &state.rows {
            goal.device(state, *row, configured);
        }
        for (row, configured) in &state.rows {
            match row.table {
                Table::BridgePort => goal.port(state, *row, configured),
                Table::BridgeVlanPort => goal.vlan(state, *row, configured),
                Table::Ipv4Address | Table::Ipv6Address => goal.address(state, *row, configured),
                Table::Ipv4Forwarding | Table::Ipv6Forwarding => {
                    goal.route(state, *row, configured)
                }
                _ => {}
            }
        }
        goal
    }

    fn device(&mut self, state: &State, row: Row, configured: &Configured) {
        let is_device = matches!(
            row.table,
            Table::Bridge
                | Table::EthernetInterface
                | Table::EthernetLink
                | Table::IpInterface
                | Table::VlanTermination
        );
        let Some(name) = device_name(state, row).filter(|_| is_device) else {
            return;
        };
        if configured.is_made && !is_usable(state, row) {
            return;
        }
        let wish = self.devices.entry(name.to_owned()).or_default();
        let enable = configured.values.get("Enable");
        let enable = enable.map(|enable| enable == "true");
        match row.table {
            Table::Bridge => {
                wish.rows.insert(0, row);
                wish.make = configured.is_made.then_some(Make::Bridge);
                wish.up = both(wish.up, enable);
                wish.bridge = bridge(configured);
            }
            Table::EthernetInterface => {
                wish.rows.insert(0, row);
                wish.up = both(wish.up, enable);
            }
            Table::VlanTermination => {
                wish.rows.insert(0, row);
                wish.make = vlan(state, configured).filter(|_| configured.is_made);
                wish.up = both(wish.up, enable);
            }
            _ => {
                wish.rows.push(row);
                if row.table == Table::EthernetLink && !configured.is_made {
                    // The link of the host is the device itself.
                    wish.up = both(wish.up, enable);
                }
                let mtu = match row.table {
                    Table::EthernetLink => configured.text("MTU"),
                    _ => configured.text("MaxMTUSize"),
                };
                wish.mtu = mtu.parse().ok().or(wish.mtu);
                let ipv6 = configured.values.get("IPv6Enable");
                wish.ipv6 = ipv6.map(|enable| enable == "true").or(wish.ipv6);
            }
        }
    }

    fn port(&mut self, state: &State, row: Row, configured: &Configured) {
        let is_wanted =
            configured.is_made && !configured.is_set("ManagementPort") && is_usable(state, row);
        let bridge = row.parent().filter(|bridge| is_usable(state, *bridge));
        let bridge = bridge.and_then(|bridge| device_name(state, bridge));
        if let (true, Some(bridge), Some(name)) = (is_wanted, bridge, device_name(state, row)) {
            let wish = self.devices.entry(name.to_owned()).or_default();
            wish.master = Some(bridge.to_owned());
            wish.rows.push(row);
        }
    }

    fn vlan(&mut self, state: &State, row: Row, configured: &Configured) {
        let wish = || {
            let vlan = state.rows.get(&configured.reference("VLAN")?);
            let id = match vlan {
                Some(vlan) if !vlan.is_set("Enable") => return None,
                Some(vlan) => vlan.text("VLANID"),
                None => state.key(configured.reference("VLAN")?)?,
            };
            let port = configured.reference("Port")?;
            let device = device_name(state, port)?.to_owned();
            let bridge = row.parent().and_then(|bridge| device_name(state, bridge))?;
            is_usable(state, port).then_some(())?;
            Some(VlanWish {
                is_bridge: device == bridge,
                device,
                id: id.parse().ok()?,
                is_untagged: configured.is_set("Untagged"),
            })
        };
        if configured.is_made
            && configured.is_set("Enable")
            && let Some(wish) = wish()
        {
            self.vlans.insert(wish, row);
        }
    }

    fn address(&mut self, state: &State, row: Row, configured: &Configured) {
        let interface = row
            .parent()
            .filter(|interface| is_usable(state, *interface));
        let device = interface.and_then(|interface| device_name(state, interface));
        let address = wishes::address(state, row.table, configured);
        let is_wanted = configured.is_made && configured.is_set("Enable");
        if let (true, Some(device), Some((address, prefix))) = (is_wanted, device, address) {
            let wish = AddressWish {
                device: device.to_owned(),
                address,
                prefix,
            };
            self.addresses.insert(wish, row);
        }
    }

    fn route(&mut self, state: &State, row: Row, configured: &Configured) {
        let is_usable = configured
            .reference("Interface")
            .is_none_or(|interface| is_usable(state, interface));
        let is_wanted = configured.is_made && configured.is_set("Enable") && is_usable;
        if let (true, Some(wish)) = (is_wanted, wishes::route(state, row.table, configured)) {
            self.routes.insert(wish, row);
        }
    }
}

/// Whether a device is to be up when two rows say so of it: not when either says no.
fn both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        _ => one.or(other),
    }
}

/// Whether what stands on the row can work: nobody has disabled it or anything below it, and it is complete.
fn is_usable(state: &State, row: Row) -> bool {
    is_usable_within(state, row, 8)
}

fn is_usable_within(state: &State, row: Row, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    let Some(configured) = state.rows.get(&row) else {
        return true;
    };
    if !configured.is_made {
        return configured.text("Enable") != "false";
    }
    let is_below_usable = || {
        let lower = configured.reference("LowerLayers");
        lower.is_some_and(|lower| is_usable_within(state, lower, depth))
    };
    configured.is_set("Enable")
        && match row.table {
            Table::Bridge => true,
            Table::BridgePort if configured.is_set("ManagementPort") => row
                .parent()
                .is_some_and(|bridge| is_usable_within(state, bridge, depth)),
            Table::VlanTermination => vlan(state, configured).is_some() && is_below_usable(),
            _ => is_below_usable(),
        }
}

/// How the VLAN is made; none while it is not complete.
fn vlan(state: &State, configured: &Configured) -> Option<Make> {
    let lower = device_name(state, configured.reference("LowerLayers")?)?;
    let number = |name, unset: u16| match configured.text(name) {
        "" => Some(unset),
        text => text.parse().ok(),
    };
    Some(Make::Vlan {
        lower: lower.to_owned(),
        id: number("VLANID", 1)?,
        protocol: number("TPID", 0x8100)?,
    })
}

fn bridge(configured: &Configured) -> BridgeWish {
    let number = |name| configured.text(name).parse::<u32>().ok();
    let standard = configured.values.get("Standard");
    let stp = configured.values.get("STP.Enable");
    BridgeWish {
        ageing_time: number("AgingTime").map(|seconds| seconds.saturating_mul(100)),
        forward_delay: number("STP.ForwardingDelay").map(|seconds| seconds.saturating_mul(100)),
        hello_time: number("STP.HelloTime"),
        max_age: number("STP.MaxAge"),
        priority: configured.text("STP.BridgePriority").parse().ok(),
        stp: stp.map(|enable| u32::from(enable == "true")),
        vlan_filtering: standard.map(|standard| u8::from(standard != "802.1D-2004")),
    }
}
