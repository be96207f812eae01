//! The hosts around this one: what the kernel's neighbour table and the leases of this host's own DHCP
//! server tell of them.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use usphere_datamodel::declare::{
    BOOLEAN, DATE_TIME, Object, STRING, UNSIGNED_INT, Unit, object, one_of, parameter,
    strong_reference,
};
use usphere_datamodel::model::{Snapshot, SnapshotObject};
use usphere_datamodel::types::{IP_ADDRESS, IPV4_ADDRESS, IPV6_ADDRESS};

use crate::config::HostPaths;
use crate::files;
use crate::interfaces::Interfaces;
use crate::limits::{NEIGHBOUR_ADDRESSES_MAX, NEIGHBOURS_MAX};
use crate::objects::SYSTEM;
use crate::snapshot::{row, value};
use crate::text::fit;

/// Who is there; changes with every packet to somebody new.
pub(crate) const UNIT: Unit = Unit {
    name: "host.neighbours",
    max_age: Duration::from_secs(1),
    numbering: usphere_datamodel::declare::Numbering::Kept,
    poll: Duration::from_secs(10),
    ..SYSTEM
};

/// How many there are.
pub(crate) const HOSTS: Object =
    object("Device.Hosts.")
        .parameters(&[parameter("HostNumberOfEntries", UNSIGNED_INT).counts("Host")]);

/// One host, known by its MAC address. (TR-181 2.19)
pub(crate) const HOST: Object = object("Device.Hosts.Host.{i}.")
    .unique(&[&["PhysAddress"]])
    .live(&UNIT)
    .parameters(&[
        parameter("PhysAddress", STRING.max(64)),
        parameter("IPAddress", IP_ADDRESS),
        parameter(
            "Layer3Interface",
            strong_reference("Device.IP.Interface.{i}.").max(256),
        ),
        parameter(
            "InterfaceType",
            one_of(&[
                "Ethernet", "G.hn", "HPNA", "HomePlug", "MoCA", "UPA", "Wi-Fi", "Other",
            ]),
        )
        .default("Other"),
        parameter("HostName", STRING.max(64)),
        parameter("Active", BOOLEAN),
        parameter("ActiveLastChange", DATE_TIME),
        parameter("IPv4AddressNumberOfEntries", UNSIGNED_INT).counts("IPv4Address"),
        parameter("IPv6AddressNumberOfEntries", UNSIGNED_INT).counts("IPv6Address"),
    ]);

/// An IPv4 address of a host.
pub(crate) const HOST_IPV4: Object = object("Device.Hosts.Host.{i}.IPv4Address.{i}.")
    .unique(&[&["IPAddress"]])
    .live(&UNIT)
    .parameters(&[parameter("IPAddress", IPV4_ADDRESS)]);

/// An IPv6 address of a host.
pub(crate) const HOST_IPV6: Object = object("Device.Hosts.Host.{i}.IPv6Address.{i}.")
    .unique(&[&["IPAddress"]])
    .live(&UNIT)
    .parameters(&[parameter("IPAddress", IPV6_ADDRESS)]);

/// The neighbourhood, and since when who is there.
#[derive(Debug)]
pub(crate) struct Neighbours {
    leases: Vec<PathBuf>,
    seen: BTreeMap<String, Presence>,
}

#[derive(Debug)]
struct Presence {
    active: bool,
    since: String,
}

/// What is known of one host.
#[derive(Debug, Default, PartialEq)]
struct Neighbour {
    addresses: Vec<IpAddr>,
    name: String,
    device: String,
    active: bool,
}

impl Neighbours {
    /// `leases` are files of this host's own DHCP server, in the form that dnsmasq writes.
    pub(crate) fn new(leases: Vec<PathBuf>) -> Self {
        Self {
            leases,
            seen: BTreeMap::new(),
        }
    }

    /// Everybody who is there, and who has a lease. `now` is the time as a dateTime.
    pub(crate) fn fetch(
        &mut self,
        paths: &HostPaths,
        interfaces: &Interfaces,
        now: &str,
    ) -> Snapshot {
        let mut found = BTreeMap::new();
        let table = files::table(&paths.proc.join("net/arp")).unwrap_or_default();
        read_table(&table, &mut found);
        let usual = LEASES.iter().map(|file| paths.var.join(file));
        for file in usual.chain(self.leases.iter().cloned()) {
            let leases = files::table(&file).unwrap_or_default();
            read_leases(&leases, &mut found);
        }
        self.note(&found, now);
        let mut objects = Vec::new();
        for (mac, neighbour) in found {
            let since = self.seen.get(&mac).map(|presence| presence.since.clone());
            show(
                mac,
                neighbour,
                since.unwrap_or_default(),
                (paths, interfaces),
                &mut objects,
            );
        }
        Snapshot { objects }
    }

    /// Notes who came and who went since the last look.
    fn note(&mut self, found: &BTreeMap<String, Neighbour>, now: &str) {
        self.seen.retain(|mac, _| found.contains_key(mac));
        for (mac, neighbour) in found {
            let presence = self.seen.entry(mac.clone()).or_insert_with(|| Presence {
                active: neighbour.active,
                since: now.to_owned(),
            });
            if presence.active != neighbour.active {
                presence.active = neighbour.active;
                presence.since = now.to_owned();
            }
        }
    }
}

/// Below `/var`: where dnsmasq keeps its leases, on Debian and on OpenWrt.
const LEASES: [&str; 2] = ["lib/misc/dnsmasq.leases", "dhcp.leases"];

/// `address type flags MAC mask device`, after a line of headings. (proc_net_arp)
fn read_table(table: &str, found: &mut BTreeMap<String, Neighbour>) {
    const COMPLETE: u32 = 0x2;
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [address, _, flags, mac, _, device] = fields.as_slice() else {
            continue;
        };
        let flags = flags.strip_prefix("0x").unwrap_or(flags);
        let is_complete = u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & COMPLETE != 0);
        let (Some(mac), Ok(address)) = (mac_address(mac), address.parse()) else {
            continue;
        };
        if !is_complete {
            continue;
        }
        if let Some(neighbour) = neighbour(found, mac) {
            neighbour.active = true;
            neighbour.device = (*device).to_owned();
            neighbour.add(address);
        }
    }
}

/// `expiry MAC address name client-id`, as dnsmasq writes it; `*` where there is no name.
fn read_leases(leases: &str, found: &mut BTreeMap<String, Neighbour>) {
    for line in leases.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, mac, address, name, ..] = fields.as_slice() else {
            continue;
        };
        let (Some(mac), Ok(address)) = (mac_address(mac), address.parse()) else {
            continue;
        };
        let Some(neighbour) = neighbour(found, mac) else {
            continue;
        };
        if *name != "*" {
            neighbour.name = fit(name.as_bytes(), 64);
        }
        neighbour.add(address);
    }
}

/// The one with this address, or a new one while there is room.
fn neighbour(found: &mut BTreeMap<String, Neighbour>, mac: String) -> Option<&mut Neighbour> {
    let has_room = found.len() < NEIGHBOURS_MAX || found.contains_key(&mac);
    has_room.then(|| found.entry(mac).or_default())
}

impl Neighbour {
    fn add(&mut self, address: IpAddr) {
        if self.addresses.len() < NEIGHBOUR_ADDRESSES_MAX && !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
    }

    /// How it is connected, as far as the interface that it was seen at tells.
    fn interface_type(&self, paths: &HostPaths) -> &'static str {
        if self.device.is_empty() {
            return "Other";
        }
        let folder = paths.sys.join("class/net").join(&self.device);
        if folder.join("wireless").exists() || folder.join("phy80211").exists() {
            "Wi-Fi"
        } else if folder.join("bridge").exists() {
            "Other"
        } else {
            "Ethernet"
        }
    }
}

/// Upper case, and not the one that stands for none.
fn mac_address(text: &str) -> Option<String> {
    const NONE: &str = "00:00:00:00:00:00";
    let is_mac = usphere_datamodel::types::Pattern::MacAddress.matches(text);
    (is_mac && !text.is_empty() && text != NONE).then(|| text.to_ascii_uppercase())
}

fn show(
    mac: String,
    neighbour: Neighbour,
    since: String,
    (paths, interfaces): (&HostPaths, &Interfaces),
    objects: &mut Vec<SnapshotObject>,
) {
    let primary = neighbour.addresses.first();
    objects.push(row(
        &HOST,
        vec![mac.clone()],
        vec![
            value("PhysAddress", mac.clone()),
            value(
                "IPAddress",
                primary.map(ToString::to_string).unwrap_or_default(),
            ),
            value("Layer3Interface", interfaces.reference(&neighbour.device)),
            value("InterfaceType", neighbour.interface_type(paths)),
            value("HostName", neighbour.name),
            value("Active", neighbour.active.to_string()),
            value("ActiveLastChange", since),
        ],
    ));
    for address in neighbour.addresses {
        let of = match address {
            IpAddr::V4(_) => &HOST_IPV4,
            IpAddr::V6(_) => &HOST_IPV6,
        };
        let address = address.to_string();
        objects.push(row(
            of,
            vec![mac.clone(), address.clone()],
            vec![value("IPAddress", address)],
        ));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TABLE: &str = "IP address       HW type     Flags       HW address            Mask     Device\n\
        192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0\n\
        192.0.2.9        0x1         0x0         00:00:00:00:00:00     *        eth0\n\
        192.0.2.8        0x1         0x6         02:fc:00:00:00:08     *        wlan0\n\
        192.0.2.7        0x1         0x2         02:fc:00:00:00:05     *        eth0\n";

    #[test]
    fn a_host_with_two_addresses_is_one_host() {
        let mut found = BTreeMap::new();
        read_table(TABLE, &mut found);
        assert_eq!(found.len(), 2);
        let host = &found["02:FC:00:00:00:05"];
        assert_eq!(host.addresses.len(), 2);
        assert!(host.active);
    }

    #[test]
    fn a_lease_names_a_host_and_tells_of_one_that_is_away() {
        let mut found = BTreeMap::new();
        read_table(TABLE, &mut found);
        let leases = "1700000000 02:fc:00:00:00:05 192.0.2.1 desk 01:02\n1700000000 02:fc:00:00:00:99 192.0.2.77 * *\n";
        read_leases(leases, &mut found);
        assert_eq!(found["02:FC:00:00:00:05"].name, "desk");
        let away = &found["02:FC:00:00:00:99"];
        assert_eq!((away.active, away.name.as_str()), (false, ""));
    }

    #[test]
    fn who_comes_and_goes_is_noted_with_the_time() {
        let mut neighbours = Neighbours::new(Vec::new());
        let at = |active| {
            let neighbour = Neighbour {
                active,
                ..Neighbour::default()
            };
            BTreeMap::from([("02:FC:00:00:00:05".to_owned(), neighbour)])
        };
        let since = |neighbours: &Neighbours| neighbours.seen["02:FC:00:00:00:05"].since.clone();
        neighbours.note(&at(true), "1");
        neighbours.note(&at(true), "2");
        assert_eq!(since(&neighbours), "1");
        neighbours.note(&at(false), "3");
        assert_eq!(since(&neighbours), "3");
        neighbours.note(&BTreeMap::new(), "4");
        neighbours.note(&at(true), "5");
        assert_eq!(since(&neighbours), "5");
    }

    proptest! {
        #[test]
        fn no_table_breaks_it(table in "([0-9a-f.:x* \n]|192.0.2.1|0x2|02:fc:00:00:00:05)*") {
            let mut found = BTreeMap::new();
            read_table(&table, &mut found);
            read_leases(&table, &mut found);
        }
    }
}
