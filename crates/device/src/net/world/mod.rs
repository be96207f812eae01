//! The rows that there are: what the kernel has, and what Controllers have configured beside it.
//!
//! What the host has by itself is a row without anybody's doing. Of a device that a Controller made,
//! only those rows are there that Controllers made on it.

mod bridging;
mod ethernet;
mod ip;
mod lifetimes;
mod made;
mod routing;
mod stack;

use std::collections::BTreeMap;

use usphere_datamodel::model::{Snapshot, SnapshotObject};

pub(super) use lifetimes::Lifetimes;
pub(super) use routing::{Destination, mask_length, mask_text};

use self::ethernet::path;
use super::facts::{Facts, Link};
use super::objects::declared;
use super::row::{Row, Table};
use super::state::State;
use super::uapi::*;

/// Names and canonical values of one object.
pub(super) type Values = Vec<(&'static str, String)>;

/// All rows at one time.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) rows: BTreeMap<Row, Entry>,
    singles: Vec<SnapshotObject>,
    on: On,
}

/// One row.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The index of the device that it is or is on.
    pub(super) device: Option<u32>,
    pub(super) values: Values,
}

/// Which row of each layer is on a device, by the device's index.
#[derive(Debug, Default)]
pub(super) struct On {
    /// The device itself as an interface: Ethernet.Interface, VLANTermination, a bridge's management port.
    pub(super) base: BTreeMap<u32, Row>,
    pub(super) bridge: BTreeMap<u32, Row>,
    pub(super) port: BTreeMap<u32, Row>,
    pub(super) link: BTreeMap<u32, Row>,
    pub(super) ip: BTreeMap<u32, Row>,
}

impl Entry {
    /// The value of a parameter; empty where there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.values
            .iter()
            .find(|(known, _)| *known == name)
            .map_or("", |(_, value)| value)
    }
}

impl World {
    /// All rows. Those of the host that are new get a number.
    pub(super) fn build(facts: &Facts, state: &mut State, lifetimes: &mut Lifetimes) -> Self {
        state.forget_presence();
        let mut builder = Builder {
            facts,
            state,
            lifetimes,
            world: Self::default(),
        };
        builder.find_devices();
        builder.find_layers();
        builder.bridges();
        builder.ethernet();
        builder.ip();
        builder.routes();
        builder.absent();
        builder.stack();
        builder.world
    }

    /// What the model is told of interfaces and addresses.
    pub(super) fn interfaces(&self) -> Snapshot {
        let mut objects = self.objects(|table| {
            !matches!(
                table,
                Table::Router | Table::Ipv4Forwarding | Table::Ipv6Forwarding
            )
        });
        objects.extend(self.singles.iter().cloned());
        Snapshot { objects }
    }

    /// What the model is told of the router.
    pub(super) fn routes(&self) -> Snapshot {
        Snapshot {
            objects: self.objects(|table| {
                matches!(
                    table,
                    Table::Router | Table::Ipv4Forwarding | Table::Ipv6Forwarding
                )
            }),
        }
    }

    /// The number of the IP interface on each device, by the device's name.
    pub(super) fn ip_interfaces(&self, facts: &Facts) -> BTreeMap<String, u32> {
        let rows = self.on.ip.iter();
        rows.filter_map(|(index, row)| Some((facts.name(*index)?.to_owned(), row.number)))
            .collect()
    }

    /// The path of the IP interface on a device; empty where there is none.
    pub(super) fn layer3(&self, device: Option<u32>) -> String {
        path(device.and_then(|index| self.on.ip.get(&index)))
    }

    /// The path of the interface of layer 1 that a device is, and of which type it is.
    pub(super) fn layer1(&self, device: Option<u32>, facts: &Facts) -> (String, &'static str) {
        let link = device.and_then(|index| facts.links.get(&index));
        let base = device.and_then(|index| self.on.base.get(&index));
        match base.filter(|row| row.table == Table::EthernetInterface) {
            Some(row) => (row.to_string(), "Ethernet"),
            None if link.is_some_and(|link| link.is_wireless) => (String::new(), "Wi-Fi"),
            None => (String::new(), "Other"),
        }
    }

    /// The row on which the next layer stands on the device.
    fn top_of(&self, index: u32) -> Option<Row> {
        let link = self.on.link.get(&index);
        link.or_else(|| self.on.base.get(&index)).copied()
    }

    fn objects(&self, wanted: impl Fn(Table) -> bool) -> Vec<SnapshotObject> {
        let rows = self.rows.iter().filter(|(row, _)| wanted(row.table));
        let mut rows: Vec<(&Row, &Entry)> = rows.collect();
        // Parents before their children.
        rows.sort_by_key(|(row, _)| row.parent != 0);
        rows.into_iter()
            .map(|(row, entry)| SnapshotObject {
                path: row.table.supported().into(),
                keys: row.keys(),
                values: entry
                    .values
                    .iter()
                    .map(|(name, value)| ((*name).into(), value.clone()))
                    .collect(),
            })
            .collect()
    }
}

/// The name of the device that `row` is or is on, whether the kernel has it or not.
pub(super) fn device_name(state: &State, row: Row) -> Option<&str> {
    // Who stacks rows in a circle has no device.
    device_name_within(state, row, 8)
}

fn device_name_within(state: &State, row: Row, depth: u32) -> Option<&str> {
    let depth = depth.checked_sub(1)?;
    let configured = state.rows.get(&row);
    let made = configured.filter(|configured| configured.is_made);
    match (row.table, made) {
        (Table::Bridge | Table::VlanTermination, _) => configured
            .and_then(|configured| configured.device.as_deref())
            .or_else(|| state.key(row)),
        (Table::BridgePort, Some(port)) if port.is_set("ManagementPort") => {
            device_name_within(state, row.parent()?, depth)
        }
        (Table::BridgePort | Table::EthernetLink | Table::IpInterface, Some(made)) => {
            device_name_within(state, made.reference("LowerLayers")?, depth)
        }
        _ => state.key(row),
    }
}

struct Builder<'a> {
    facts: &'a Facts,
    state: &'a mut State,
    lifetimes: &'a mut Lifetimes,
    world: World,
}

impl Builder<'_> {
    /// Devices as interfaces of the lowest layer that each has: what VLANs, links and ports stand on.
    fn find_devices(&mut self) {
        for link in self.facts.links.values() {
            let table = match link {
                link if link.bridge.is_some() => Table::Bridge,
                link if link.vlan.is_some() => Table::VlanTermination,
                link if link.is_ethernet() && !link.is_wireless => Table::EthernetInterface,
                _ => continue,
            };
            let row = self.row_of_device(table, &link.name);
            if table == Table::Bridge {
                self.world.on.bridge.insert(link.index, row);
            } else {
                self.world.on.base.insert(link.index, row);
            }
        }
        self.find_ports();
    }

    /// What stands on the devices: what Controllers have put there first, then what the host has.
    fn find_layers(&mut self) {
        self.world.on.link = self.layer(Table::EthernetLink);
        self.world.on.ip = self.layer(Table::IpInterface);
    }

    fn layer(&mut self, table: Table) -> BTreeMap<u32, Row> {
        let mut on = BTreeMap::new();
        for (index, row) in self.made_on_devices(table) {
            on.entry(index).or_insert(row);
        }
        for link in self.facts.links.values() {
            if !on.contains_key(&link.index) && self.has_by_itself(table, link) {
                let row = self.row_for(None, (table, 0), &link.name);
                on.insert(link.index, row);
            }
        }
        on
    }

    /// Whether the host has a link or an IP interface on this device without anybody's doing.
    fn has_by_itself(&self, table: Table, link: &Link) -> bool {
        let is_made = self.is_made(&link.name);
        let addresses = || self.facts.addresses_of(link.index);
        let has_route = || {
            let mut routes = self.facts.routes.iter();
            routes.any(|route| route.index == Some(link.index))
        };
        let is_addressed = || addresses().any(|address| !is_link_local(address.address));
        match table {
            Table::EthernetLink => {
                let base = self.world.on.base.get(&link.index);
                let can = base.is_some_and(|base| base.table != Table::VlanTermination);
                let has_vlan = || {
                    let mut links = self.facts.links.values();
                    links.any(|vlan| vlan.vlan.is_some() && vlan.lower == Some(link.index))
                };
                can && !is_made && (!link.is_port() || is_addressed() || has_vlan())
            }
            // What is up has an address of IPv6 by itself.
            _ if is_made || link.is_port() => addresses().next().is_some() || has_route(),
            _ => true,
        }
    }

    /// Enters a row: what the kernel says, and over it what Controllers have set.
    fn enter(&mut self, row: Row, device: Option<u32>, mut values: Values) {
        values.push(("Alias", self.state.alias(row)));
        if let Some(configured) = self.state.rows.get(&row) {
            // Of a device that the host made, the kernel knows better.
            let is_kernels = matches!(row.table, Table::EthernetInterface | Table::VlanTermination)
                || row.table == Table::Bridge;
            if configured.is_made || !is_kernels {
                let given = configured.values.iter();
                for (name, value) in given.filter(|(name, _)| !name.contains('.')) {
                    match values.iter_mut().find(|(known, _)| *known == name) {
                        Some(known) => known.1.clone_from(value),
                        None => values.extend(
                            declared(row.table, name)
                                .map(|parameter| (parameter.name, value.clone())),
                        ),
                    }
                }
            }
        }
        self.world.rows.insert(row, Entry { device, values });
    }

    /// Rows that Controllers made and the kernel does not have.
    fn absent(&mut self) {
        let rows: Vec<Row> = self.state.rows.keys().copied().collect();
        for row in rows {
            if self.world.rows.contains_key(&row) || !self.state.rows[&row].is_made {
                continue;
            }
            let is_enabled = self.state.rows[&row].is_set("Enable");
            let status = match (row.table.is_interface(), is_enabled) {
                (true, true) => "LowerLayerDown",
                (true, false) => "Down",
                (false, true) => "Error",
                (false, false) => "Disabled",
            };
            let mut values = vec![("Enable", is_enabled.to_string())];
            if !matches!(row.table, Table::BridgeVlan | Table::BridgeVlanPort) {
                values.push(("Status", status.to_owned()));
            }
            if row.table.is_interface() || row.table == Table::Bridge {
                let name = device_name(self.state, row).unwrap_or_default().to_owned();
                values.push(("Name", name));
            }
            self.enter(row, None, values);
        }
    }
}

/// The operational state of a device in the words of TR-181.
fn status_of(link: &Link) -> &'static str {
    match link.state {
        _ if !link.is_up() => "Down",
        OPER_UP => "Up",
        OPER_UNKNOWN if link.flags & IFF_RUNNING != 0 => "Up",
        OPER_UNKNOWN => "Unknown",
        OPER_NOT_PRESENT => "NotPresent",
        OPER_LOWER_LAYER_DOWN => "LowerLayerDown",
        OPER_DORMANT => "Dormant",
        _ => "Down",
    }
}

/// Whether every link has such an address by itself.
pub(super) fn is_link_local(address: std::net::IpAddr) -> bool {
    match address {
        std::net::IpAddr::V4(_) => false,
        std::net::IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80,
    }
}

/// A hardware address of six bytes in TR-106's form; empty for any other.
pub(super) fn mac_text(mac: &[u8]) -> String {
    match mac {
        [a, b, c, d, e, f] => format!("{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{f:02X}"),
        _ => String::new(),
    }
}
