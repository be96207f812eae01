//! What would be configured once changes are made: tried here first, before the kernel hears of it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use usphere_datamodel::FaultKind;
use usphere_datamodel::model::{OwnedChange, OwnerError, Phase};

use super::objects::declared;
use super::row::{Row, Table};
use super::state::{Configured, State};
use super::world::{World, device_name, mask_length};

/// Before and after.
pub(super) struct Draft<'a> {
    world: &'a World,
    /// What is configured, and what of the host is taken over by these changes.
    pub(super) before: State,
    pub(super) after: State,
    /// Rows that are gone, for those who want them back.
    pub(super) removed: BTreeMap<Row, Removed>,
}

/// A row that was deleted, with all that went with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Removed {
    rows: Vec<(Row, Configured)>,
    /// What referred to it: row, parameter and value.
    references: Vec<(Row, String, String)>,
}

/// Parameters of the host's own devices that Controllers may change without making the device theirs.
const KERNELS: [(Table, &[&str]); 5] = [
    (
        Table::Bridge,
        &[
            "AgingTime",
            "Enable",
            "STP.BridgePriority",
            "STP.Enable",
            "STP.ForwardingDelay",
            "STP.HelloTime",
            "STP.MaxAge",
            "Standard",
        ],
    ),
    (Table::EthernetInterface, &["Enable"]),
    (Table::EthernetLink, &["Enable", "MTU"]),
    (Table::IpInterface, &["Enable", "IPv6Enable", "MaxMTUSize"]),
    (Table::VlanTermination, &["Enable"]),
];

/// Parameters of rows that Controllers make or take over.
const MADE: [(Table, &[&str]); 11] = [
    (Table::Bridge, KERNELS[0].1),
    (
        Table::BridgePort,
        &["Enable", "LowerLayers", "ManagementPort"],
    ),
    (Table::BridgeVlan, &["Enable", "Name", "VLANID"]),
    (
        Table::BridgeVlanPort,
        &["Enable", "Port", "Untagged", "VLAN"],
    ),
    (Table::EthernetLink, &["Enable", "LowerLayers", "MTU"]),
    (
        Table::IpInterface,
        &["Enable", "IPv6Enable", "LowerLayers", "MaxMTUSize"],
    ),
    (Table::Ipv4Address, &["Enable", "IPAddress", "SubnetMask"]),
    (Table::Ipv6Address, &["Enable", "IPAddress", "Prefix"]),
    (Table::Ipv6Prefix, &["Enable", "Prefix"]),
    (
        Table::Ipv4Forwarding,
        &[
            "DestIPAddress",
            "DestSubnetMask",
            "Enable",
            "ForwardingMetric",
            "GatewayIPAddress",
            "Interface",
            "Type",
        ],
    ),
    (
        Table::Ipv6Forwarding,
        &[
            "DestIPPrefix",
            "Enable",
            "ForwardingMetric",
            "Interface",
            "NextHop",
            "Type",
        ],
    ),
];

const VLAN: &[&str] = &["Enable", "LowerLayers", "TPID", "VLANID"];

impl<'a> Draft<'a> {
    pub(super) fn new(state: &State, world: &'a World) -> Self {
        Self {
            world,
            before: state.clone(),
            after: state.clone(),
            removed: BTreeMap::new(),
        }
    }

    /// Makes a change, or takes it back. Gives the row that it is about.
    ///
    /// # Errors
    /// When this host cannot have it so.
    pub(super) fn change(
        &mut self,
        phase: Phase,
        change: &OwnedChange,
        removed: &BTreeMap<Row, Removed>,
    ) -> Result<(), OwnerError> {
        let row = row_of(change).ok_or_else(|| fixed(change.path()))?;
        match (change, phase) {
            (OwnedChange::Add { .. }, Phase::Undo)
            | (OwnedChange::Delete { .. }, Phase::Apply | Phase::Check) => self.delete(row),
            (OwnedChange::Add { .. }, _) => self.add(row),
            (OwnedChange::Delete { .. }, Phase::Undo) => {
                self.restore(removed.get(&row).cloned().unwrap_or_default());
                Ok(())
            }
            (
                OwnedChange::Set {
                    path,
                    value,
                    previous,
                },
                phase,
            ) => {
                let (_, name) = Row::split(path).ok_or_else(|| fixed(path))?;
                let value = if phase == Phase::Undo {
                    previous
                } else {
                    value
                };
                self.set(row, name, value)
            }
        }
    }

    /// Says what is wrong with a row as it would be.
    ///
    /// # Errors
    /// When this host cannot have it so.
    pub(super) fn check(&self, row: Row) -> Result<(), OwnerError> {
        let Some(configured) = self.after.rows.get(&row) else {
            return Ok(());
        };
        let stands_on: &[Table] = match row.table {
            Table::BridgePort if configured.is_set("ManagementPort") => {
                return self.check_management(row);
            }
            Table::BridgePort => &[
                Table::EthernetInterface,
                Table::EthernetLink,
                Table::VlanTermination,
            ],
            Table::EthernetLink => &[Table::BridgePort, Table::EthernetInterface],
            Table::IpInterface => &[
                Table::BridgePort,
                Table::EthernetInterface,
                Table::EthernetLink,
                Table::VlanTermination,
            ],
            Table::VlanTermination => &[
                Table::BridgePort,
                Table::EthernetInterface,
                Table::EthernetLink,
                Table::VlanTermination,
            ],
            _ => return check_values(row, configured),
        };
        if configured.is_made {
            check_layers(row, configured, stands_on)?;
            self.check_alone(row)?;
        }
        check_values(row, configured)
    }

    fn add(&mut self, row: Row) -> Result<(), OwnerError> {
        if matches!(row.table, Table::Router) {
            let text = "this host has one router, which is the kernel's main table";
            return Err(refused(FaultKind::NotAddable, text));
        }
        if self.world.rows.contains_key(&row) && !self.after.rows.contains_key(&row) {
            return Err(OwnerError::failed(
                "a row of the host came into being at this place meanwhile, try again",
            ));
        }
        self.after.take_number(row);
        let configured = Configured {
            is_made: true,
            ..Configured::default()
        };
        self.after.rows.insert(row, configured);
        Ok(())
    }

    fn set(&mut self, row: Row, name: &str, value: &str) -> Result<(), OwnerError> {
        if !self.after.rows.contains_key(&row) {
            self.adopt(row, name, value)?;
        }
        let Some(configured) = self.after.rows.get(&row) else {
            // Nothing would change.
            return Ok(());
        };
        if !configured.is_made && !is_in(&KERNELS, row.table, name) {
            self.after.rows.remove(&row);
            self.before.rows.remove(&row);
            self.adopt(row, name, value)?;
        }
        if (row.table, name) == (Table::IpInterface, "Enable") {
            self.adopt_addresses(row);
        }
        let is_served = name == "Alias" || serves(row.table, name);
        let known = self.value(row, name);
        if !is_served && known.as_deref() != Some(value) {
            return Err(refused(
                FaultKind::ValueInvalid,
                "this host cannot change it",
            ));
        }
        if let Some(configured) = self.after.rows.get_mut(&row)
            && is_served
        {
            configured.values.insert(name.to_owned(), value.to_owned());
            self.after.touch();
        }
        Ok(())
    }

    /// Takes a row of the host over, as far as it takes to change `name`.
    fn adopt(&mut self, row: Row, name: &str, value: &str) -> Result<(), OwnerError> {
        let entry = self
            .world
            .rows
            .get(&row)
            .ok_or_else(|| unknown(&row.to_string()))?;
        if entry.text(name) == value {
            return Ok(());
        }
        let device = device_name(&self.before, row).map(str::to_owned);
        if is_in(&KERNELS, row.table, name) {
            let configured = Configured {
                device,
                ..Configured::default()
            };
            self.enter(row, configured);
            return Ok(());
        }
        if !serves(row.table, name)
            || row.table == Table::EthernetLink
            || row.table == Table::IpInterface
        {
            let text = "this host cannot change it";
            return Err(refused(FaultKind::ValueInvalid, text));
        }
        let made = self.taken_over(row);
        self.enter(row, made);
        Ok(())
    }

    /// The addresses of an interface that is disabled come back when it is enabled.
    fn adopt_addresses(&mut self, interface: Row) {
        let rows: Vec<Row> = self.world.rows.keys().copied().collect();
        for row in rows {
            let is_address = matches!(row.table, Table::Ipv4Address | Table::Ipv6Address);
            let is_kept = is_address
                && row.parent == interface.number
                && !self.after.rows.contains_key(&row)
                && !is_automatic(&self.world.rows[&row]);
            if is_kept {
                let made = self.taken_over(row);
                self.enter(row, made);
            }
        }
    }

    /// A row of the host as if a Controller had made it.
    fn taken_over(&self, row: Row) -> Configured {
        let entry = &self.world.rows[&row];
        let names = MADE.iter().find(|(table, _)| *table == row.table);
        let names = names.map_or(VLAN, |(_, names)| names);
        let values = names.iter().filter(|name| !name.contains('.'));
        let values = values.map(|name| ((*name).to_owned(), entry.text(name).to_owned()));
        let is_device = matches!(row.table, Table::Bridge | Table::VlanTermination);
        let device = device_name(&self.before, row).filter(|_| is_device);
        Configured {
            is_made: true,
            device: device.map(str::to_owned),
            values: values.collect(),
        }
    }

    fn enter(&mut self, row: Row, configured: Configured) {
        self.before.rows.insert(row, configured.clone());
        self.after.rows.insert(row, configured);
        self.after.touch();
    }

    fn delete(&mut self, row: Row) -> Result<(), OwnerError> {
        let is_made = self.after.rows.get(&row).is_some_and(|row| row.is_made);
        if !is_made {
            self.adopt_to_delete(row)?;
        }
        let mut gone = Removed::default();
        let is_below = |other: &Row| other.parent() == Some(row) || *other == row;
        let rows: Vec<Row> = self.after.rows.keys().copied().filter(is_below).collect();
        for below in rows {
            let configured = self.after.rows.remove(&below);
            gone.rows
                .extend(configured.map(|configured| (below, configured)));
        }
        gone.references = self.prune(row);
        self.removed.insert(row, gone);
        self.after.touch();
        Ok(())
    }

    /// A row of the host is taken over, so that there is something to delete.
    fn adopt_to_delete(&mut self, row: Row) -> Result<(), OwnerError> {
        if !self.world.rows.contains_key(&row) {
            // Whoever undoes what was never done has nothing to do.
            return Ok(());
        }
        if matches!(
            row.table,
            Table::EthernetLink | Table::IpInterface | Table::Ipv6Prefix | Table::Router
        ) {
            let text = "the host has this by itself, it can be disabled but not deleted";
            return Err(refused(FaultKind::NotDeletable, text));
        }
        if self.is_management(row) {
            let text = "this port is the bridge itself";
            return Err(refused(FaultKind::NotDeletable, text));
        }
        let rows: Vec<Row> = self.world.rows.keys().copied().collect();
        for below in rows {
            let is_below = below.parent() == Some(row) && !self.is_management(below);
            if (below == row || is_below) && !self.after.rows.contains_key(&below) {
                let made = self.taken_over(below);
                self.enter(below, made);
            }
        }
        if let Some(configured) = self.after.rows.get(&row)
            && !configured.is_made
        {
            let made = self.taken_over(row);
            self.enter(row, made);
        }
        Ok(())
    }

    fn is_management(&self, row: Row) -> bool {
        let entry = self.world.rows.get(&row);
        row.table == Table::BridgePort
            && entry.is_some_and(|entry| entry.text("ManagementPort") == "true")
    }

    fn restore(&mut self, removed: Removed) {
        self.after.rows.extend(removed.rows);
        for (row, name, value) in removed.references {
            if let Some(configured) = self.after.rows.get_mut(&row) {
                configured.values.insert(name, value);
            }
        }
        self.after.touch();
    }

    /// Takes references to what was deleted out of all rows, as the model does. (R-ARC.12)
    fn prune(&mut self, gone: Row) -> Vec<(Row, String, String)> {
        let mut pruned = Vec::new();
        let path = gone.to_string();
        let below = format!("{path}.");
        for (row, configured) in &mut self.after.rows {
            for (name, value) in &mut configured.values {
                let is_gone = |item: &&str| *item == path || item.starts_with(&below);
                if !value.split(',').any(|item| is_gone(&item)) {
                    continue;
                }
                pruned.push((*row, name.clone(), value.clone()));
                let kept = value.split(',').filter(|item| !is_gone(item));
                *value = kept.collect::<Vec<_>>().join(",");
            }
        }
        pruned
    }

    fn value(&self, row: Row, name: &str) -> Option<String> {
        let entry = self.world.rows.get(&row);
        let known = entry.map(|entry| entry.text(name).to_owned());
        known.or_else(|| {
            let parameter = declared(row.table, name)?;
            let zero = parameter.value_type.zero();
            Some(parameter.default.unwrap_or(zero).to_owned())
        })
    }

    /// A bridge is itself one of its ports, and only one.
    fn check_management(&self, row: Row) -> Result<(), OwnerError> {
        let is_other = |other: Row| other != row && other.parent == row.parent;
        let made = self.after.rows.iter().any(|(other, configured)| {
            other.table == Table::BridgePort
                && is_other(*other)
                && configured.is_set("ManagementPort")
        });
        let mut rows = self.world.rows.keys();
        let host = rows.any(|other| {
            is_other(*other) && self.is_management(*other) && !self.after.rows.contains_key(other)
        });
        if made || host {
            let text = "the bridge has a management port already";
            return Err(refused(FaultKind::ValueInvalid, text));
        }
        Ok(())
    }

    /// Of each layer there is one row on a device.
    fn check_alone(&self, row: Row) -> Result<(), OwnerError> {
        if !matches!(
            row.table,
            Table::EthernetLink | Table::IpInterface | Table::BridgePort
        ) {
            return Ok(());
        }
        let Some(device) = device_name(&self.after, row) else {
            return Ok(());
        };
        let mut rows = self.after.rows.values();
        if rows.any(|row| row.is_made && row.device.as_deref() == Some(device)) {
            // What a device of a Controller has by itself gives way to what Controllers put there.
            return self.check_alone_among(row, device, self.after.rows.keys());
        }
        let host = self
            .world
            .rows
            .keys()
            .filter(|other| !self.after.rows.contains_key(other));
        let gone = |other: &&Row| !self.removed.contains_key(other);
        let others = self.after.rows.keys().chain(host.filter(gone));
        self.check_alone_among(row, device, others)
    }

    fn check_alone_among<'r>(
        &self,
        row: Row,
        device: &str,
        mut others: impl Iterator<Item = &'r Row>,
    ) -> Result<(), OwnerError> {
        let other = others.find(|other| {
            **other != row
                && other.table == row.table
                && !self.is_management(**other)
                && device_name(&self.after, **other) == Some(device)
        });
        match other {
            Some(other) => Err(refused(
                FaultKind::ValueInvalid,
                format!("{other} stands on {device} already"),
            )),
            None => Ok(()),
        }
    }
}

/// The row that a change is about.
pub(super) fn row_of(change: &OwnedChange) -> Option<Row> {
    match change {
        OwnedChange::Add { table, instance } => {
            let (table, parent) = Row::parse_table(table)?;
            Some(Row {
                table,
                parent,
                number: *instance,
            })
        }
        OwnedChange::Delete { path } => Row::parse(path),
        OwnedChange::Set { path, .. } => Row::split(path).map(|(row, _)| row),
    }
}

fn check_layers(row: Row, configured: &Configured, allowed: &[Table]) -> Result<(), OwnerError> {
    let mut layers = configured
        .text("LowerLayers")
        .split(',')
        .filter(|layer| !layer.is_empty());
    let Some(layer) = layers.next() else {
        return Ok(());
    };
    let fits =
        Row::parse(layer).is_some_and(|lower| allowed.contains(&lower.table) && lower != row);
    if fits && layers.next().is_none() {
        return Ok(());
    }
    let allowed: Vec<&str> = allowed.iter().map(|table| table.supported()).collect();
    Err(refused(
        FaultKind::ValueInvalid,
        format!(
            "on this host it stands on one row of {}, not on {}",
            allowed.join(" or "),
            configured.text("LowerLayers")
        ),
    ))
}

fn check_values(row: Row, configured: &Configured) -> Result<(), OwnerError> {
    let mask = match row.table {
        Table::Ipv4Address => configured.text("SubnetMask"),
        Table::Ipv4Forwarding => configured.text("DestSubnetMask"),
        _ => "",
    };
    if !mask.is_empty() && mask_length(mask).is_none() {
        let text = format!("{mask} is not a mask: its ones are not in one run");
        return Err(refused(FaultKind::ValueInvalid, text));
    }
    if let (Table::Ipv4Address, Ok(address)) = (row.table, configured.text("IPAddress").parse())
        && let Some(reason) = unusable(address)
    {
        let text = format!("{address} is not an address of an interface: {reason}");
        return Err(refused(FaultKind::ValueInvalid, text));
    }
    let tag = configured.text("TPID");
    if !matches!(tag, "" | "33024" | "34984") {
        let text = format!("{tag} is no tag that the kernel makes, only 33024 and 34984 are");
        return Err(refused(FaultKind::ValueInvalid, text));
    }
    Ok(())
}

/// Why no interface can have this address.
fn unusable(address: Ipv4Addr) -> Option<&'static str> {
    match address {
        _ if address.octets()[0] == 0 => Some("it means this network"),
        _ if address.is_multicast() => Some("it is of a group"),
        _ if address.is_broadcast() => Some("it means everybody"),
        _ if address.is_loopback() => Some("it is of the host itself"),
        _ => None,
    }
}

fn serves(table: Table, name: &str) -> bool {
    is_in(&MADE, table, name)
        || (table == Table::VlanTermination && VLAN.contains(&name))
        || is_in(&KERNELS, table, name)
}

fn is_in(list: &[(Table, &[&str])], table: Table, name: &str) -> bool {
    list.iter()
        .any(|(known, names)| *known == table && names.contains(&name))
}

/// Whether the host has the address by itself, whoever configures what.
fn is_automatic(entry: &super::world::Entry) -> bool {
    !matches!(
        (entry.text("AddressingType"), entry.text("Origin")),
        ("Static", _) | (_, "Static")
    )
}

fn refused(kind: FaultKind, text: impl Into<String>) -> OwnerError {
    OwnerError {
        kind,
        text: text.into(),
    }
}

fn fixed(path: &str) -> OwnerError {
    let text = format!("{path} cannot be changed on this host");
    refused(FaultKind::WriteForbidden, text)
}

fn unknown(path: &str) -> OwnerError {
    OwnerError::failed(format!("{path} is not there any more"))
}
