//! What interfaces have counted, and for how long each has been in its state.

use std::collections::BTreeMap;
use std::time::Instant;

use usphere_datamodel::model::{Snapshot, SnapshotObject};

use super::facts::{Counters, Link};
use super::row::{Row, Table};
use super::world::World;
use crate::text::unsigned_int;

/// The state of each interface, and since when it is known to be in it.
#[derive(Debug, Default)]
pub(super) struct Since {
    by_row: BTreeMap<Row, (String, Instant)>,
    /// The device of each row, as it was told last.
    devices: BTreeMap<Row, Option<u32>>,
}

impl Since {
    /// Notes the states that the interfaces have now.
    pub(super) fn note(&mut self, world: &World, now: Instant) {
        let interfaces = world
            .rows
            .iter()
            .filter(|(row, _)| row.table.is_interface());
        let mut seen = BTreeMap::new();
        self.devices.clear();
        for (row, entry) in interfaces {
            let status = entry.text("Status");
            let known = self.by_row.remove(row);
            let known = known.filter(|(known, _)| known == status);
            let known = known.unwrap_or_else(|| (status.to_owned(), now));
            seen.insert(*row, known);
            self.devices.insert(*row, entry.device);
        }
        self.by_row = seen;
    }

    /// The counters of every interface.
    pub(super) fn counters(&self, links: &BTreeMap<u32, Link>, now: Instant) -> Snapshot {
        let mut objects = Vec::new();
        for (row, (_, since)) in &self.by_row {
            let seconds = now.saturating_duration_since(*since).as_secs();
            objects.push(SnapshotObject {
                path: row.table.supported().into(),
                keys: row.keys(),
                values: vec![("LastChange".into(), unsigned_int(seconds))],
            });
            let device = self.devices.get(row).copied().flatten();
            let link = device.and_then(|index| links.get(&index));
            let counters = link.and_then(|link| link.counters).unwrap_or_default();
            objects.push(SnapshotObject {
                path: format!("{}Stats.", row.table.supported()).into(),
                keys: row.keys(),
                values: values(row.table, &counters),
            });
        }
        Snapshot { objects }
    }
}

fn values(table: Table, counters: &Counters) -> Vec<(std::borrow::Cow<'static, str>, String)> {
    let mut values = vec![
        ("BytesSent".into(), counters.sent_bytes.to_string()),
        ("BytesReceived".into(), counters.received_bytes.to_string()),
        ("PacketsSent".into(), counters.sent_packets.to_string()),
        (
            "PacketsReceived".into(),
            counters.received_packets.to_string(),
        ),
        ("ErrorsSent".into(), unsigned_int(counters.sent_errors)),
        (
            "ErrorsReceived".into(),
            unsigned_int(counters.received_errors),
        ),
        (
            "DiscardPacketsSent".into(),
            unsigned_int(counters.sent_dropped),
        ),
        (
            "DiscardPacketsReceived".into(),
            unsigned_int(counters.received_dropped),
        ),
        (
            "MulticastPacketsReceived".into(),
            counters.received_multicast.to_string(),
        ),
        (
            "UnknownProtoPacketsReceived".into(),
            unsigned_int(counters.received_unhandled),
        ),
    ];
    if table == Table::EthernetInterface {
        values.push(("Collisions".into(), counters.collisions.to_string()));
    }
    values
}
