//! The hosts around this one: what the kernel's neighbour tables and the leases of this host's own DHCP
//! server tell of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use usphere_datamodel::model::{Snapshot, SnapshotObject};

use super::facts::{self, Facts, Mac, Neighbour};
use super::objects::{HOST, HOST_IPV4, HOST_IPV6};
use super::socket::{KernelError, Netlink};
use super::world::{World, is_link_local, mac_text};
use crate::files::{self, Unread};
use crate::limits::{NEIGHBOUR_ADDRESSES_MAX, NEIGHBOURS_MAX};
use crate::snapshot::{row, value};
use crate::text::fit;

/// Since when each host is there, or is away.
#[derive(Debug, Default)]
pub(super) struct Presences {
    by_mac: BTreeMap<Mac, Presence>,
}

#[derive(Debug)]
struct Presence {
    active: bool,
    since: String,
}

/// What the kernel says of hosts.
#[derive(Debug, Default)]
pub(super) struct Seen {
    neighbours: Vec<Neighbour>,
    /// Behind which port of a bridge a host is, by the bridge and the host.
    ports: BTreeMap<(u32, Mac), u32>,
}

/// What is known of one host.
#[derive(Debug, Default, PartialEq)]
struct Host {
    /// Those that it has now before those of leases, and of those the one that people would name first.
    addresses: Vec<IpAddr>,
    name: String,
    /// The index of the device at which it has its first address.
    device: Option<u32>,
    active: bool,
}

/// Where dnsmasq keeps its leases, on Debian and on OpenWrt, and the files that are configured.
pub(super) fn lease_files(var: &Path, configured: &[PathBuf]) -> Vec<PathBuf> {
    let usual = ["lib/misc/dnsmasq.leases", "dhcp.leases"];
    let usual = usual.iter().map(|file| var.join(file));
    usual.chain(configured.iter().cloned()).collect()
}

impl Seen {
    /// # Errors
    /// When the kernel does not tell.
    pub(super) fn read(kernel: &mut Netlink, facts: &Facts) -> Result<Self, KernelError> {
        let neighbours = facts::read_neighbours(kernel)?;
        let has_bridge = facts.links.values().any(|link| link.bridge.is_some());
        let ports = if has_bridge && !neighbours.is_empty() {
            let wanted = neighbours.iter().map(|neighbour| neighbour.mac).collect();
            facts::read_forwarding(kernel, &wanted)?
        } else {
            BTreeMap::new()
        };
        Ok(Self { neighbours, ports })
    }

    /// The device that a host is behind: below VLANs, and beyond the bridge.
    fn port(&self, facts: &Facts, mac: Mac, device: u32) -> Option<u32> {
        let mut at = device;
        for _ in 0..8 {
            let link = facts.links.get(&at)?;
            at = match link.lower {
                _ if link.bridge.is_some() => *self.ports.get(&(at, mac))?,
                Some(lower) if link.vlan.is_some() => lower,
                _ => return Some(at),
            };
        }
        None
    }
}

impl Presences {
    /// Everybody who is there, and who has a lease in one of `leases`, files in the form that dnsmasq writes. `now`
    /// is the time as a dateTime.
    ///
    /// # Errors
    /// When one of them cannot be read; what is known of presences stays as it is.
    pub(super) fn hosts(
        &mut self,
        seen: &Seen,
        leases: &[PathBuf],
        (facts, world): (&Facts, &World),
        now: &str,
    ) -> Result<Snapshot, Unread> {
        let mut found = hosts(&seen.neighbours);
        for file in leases {
            let leases = files::table(file)?.unwrap_or_default();
            read_leases(&leases, &mut found);
        }
        self.note(&found, now);
        let mut objects = Vec::new();
        for (mac, host) in found {
            let port = host.device.and_then(|at| seen.port(facts, mac, at));
            let (layer1, kind) = world.layer1(port, facts);
            let places = vec![
                value("Layer1Interface", layer1),
                value("Layer3Interface", world.layer3(host.device)),
                value("InterfaceType", kind),
            ];
            let since = self.by_mac.get(&mac);
            let since = since.map_or("", |presence| &presence.since);
            show(mac, host, places, since, &mut objects);
        }
        Ok(Snapshot { objects })
    }

    /// Notes who came and who went since the last look.
    fn note(&mut self, found: &BTreeMap<Mac, Host>, now: &str) {
        self.by_mac.retain(|mac, _| found.contains_key(mac));
        for (mac, host) in found {
            let presence = self.by_mac.entry(*mac).or_insert_with(|| Presence {
                active: host.active,
                since: now.to_owned(),
            });
            if presence.active != host.active {
                presence.active = host.active;
                presence.since = now.to_owned();
            }
        }
    }
}

/// The hosts that the kernel knows.
fn hosts(neighbours: &[Neighbour]) -> BTreeMap<Mac, Host> {
    let mut order: Vec<&Neighbour> = neighbours.iter().collect();
    order.sort_unstable_by_key(|neighbour| {
        let address = neighbour.address;
        (is_link_local(address), address, neighbour.index)
    });
    let mut found = BTreeMap::new();
    for neighbour in order {
        if let Some(host) = host(&mut found, neighbour.mac) {
            host.active = true;
            host.device.get_or_insert(neighbour.index);
            host.add(neighbour.address);
        }
    }
    found
}

/// `expiry MAC address name client-id`, as dnsmasq writes it; `*` where there is no name.
fn read_leases(leases: &str, found: &mut BTreeMap<Mac, Host>) {
    for line in leases.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, mac, address, name, ..] = fields.as_slice() else {
            continue;
        };
        let (Some(mac), Ok(address)) = (parse_mac(mac), address.parse()) else {
            continue;
        };
        let Some(host) = host(found, mac) else {
            continue;
        };
        if *name != "*" {
            host.name = fit(name.as_bytes(), 64);
        }
        host.add(address);
    }
}

/// The one with this address, or a new one while there is room.
fn host(found: &mut BTreeMap<Mac, Host>, mac: Mac) -> Option<&mut Host> {
    let has_room = found.len() < NEIGHBOURS_MAX || found.contains_key(&mac);
    has_room.then(|| found.entry(mac).or_default())
}

impl Host {
    fn add(&mut self, address: IpAddr) {
        if self.addresses.len() < NEIGHBOUR_ADDRESSES_MAX && !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
    }
}

/// A MAC address in text, unless it is none of a host.
fn parse_mac(text: &str) -> Option<Mac> {
    let mut parts = text.split(':');
    let mut mac = [0; 6];
    for byte in &mut mac {
        let part = parts.next().filter(|part| part.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    (parts.next().is_none() && facts::is_of_host(mac)).then_some(mac)
}

fn show(
    mac: Mac,
    host: Host,
    places: Vec<crate::snapshot::Value>,
    since: &str,
    objects: &mut Vec<SnapshotObject>,
) {
    let mac = mac_text(&mac);
    let primary = host.addresses.first().map(ToString::to_string);
    let mut values = vec![
        value("PhysAddress", mac.clone()),
        value("IPAddress", primary.unwrap_or_default()),
        value("HostName", host.name),
        value("Active", host.active.to_string()),
        value("ActiveLastChange", since),
    ];
    values.extend(places);
    objects.push(row(&HOST, vec![mac.clone()], values));
    let addresses: BTreeSet<IpAddr> = host.addresses.into_iter().collect();
    for address in addresses {
        let of = match address {
            IpAddr::V4(_) => &HOST_IPV4,
            IpAddr::V6(_) => &HOST_IPV6,
        };
        let address = address.to_string();
        let keys = vec![mac.clone(), address.clone()];
        objects.push(row(of, keys, vec![value("IPAddress", address)]));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAC: Mac = [2, 0xfc, 0, 0, 0, 5];

    fn neighbour(address: &str, mac: Mac, index: u32) -> Neighbour {
        Neighbour {
            index,
            address: address.parse().unwrap(),
            mac,
        }
    }

    #[test]
    fn a_host_with_several_addresses_is_one_host() {
        let seen = [
            neighbour("fe80::5", MAC, 7),
            neighbour("2001:db8::5", MAC, 8),
            neighbour("192.0.2.9", MAC, 9),
            neighbour("192.0.2.1", [2, 0, 0, 0, 0, 1], 9),
        ];
        let found = hosts(&seen);
        assert_eq!(found.len(), 2);
        let host = &found[&MAC];
        let addresses: Vec<String> = host.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["192.0.2.9", "2001:db8::5", "fe80::5"]);
        assert_eq!((host.active, host.device), (true, Some(9)));
    }

    #[test]
    fn a_lease_names_a_host_and_tells_of_one_that_is_away() {
        let mut found = hosts(&[neighbour("192.0.2.1", MAC, 2)]);
        let leases = "1700000000 02:fc:00:00:00:05 192.0.2.1 desk 01:02\n1700000000 02:fc:00:00:00:99 192.0.2.77 * *\n";
        read_leases(leases, &mut found);
        assert_eq!(found[&MAC].name, "desk");
        let away = &found[&[2, 0xfc, 0, 0, 0, 0x99]];
        assert_eq!((away.active, away.name.as_str()), (false, ""));
    }

    #[test]
    fn leases_that_cannot_be_read_are_no_reason_to_forget_anybody() {
        let folder = tempfile::tempdir().unwrap();
        let mut presences = Presences::default();
        let mut look = |leases| {
            let around = (&Facts::default(), &World::default());
            presences.hosts(&Seen::default(), &[leases], around, "1")
        };
        // Reading a folder fails, as reading anything does where no file can be opened any more.
        assert!(look(folder.path().to_owned()).is_err());
        assert_eq!(look(folder.path().join("none")).unwrap().objects, []);
    }

    #[test]
    fn what_is_no_address_of_a_host_is_left_out() {
        for text in [
            "",
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
            "02:fc:00:00:00",
            "02:fc:00:00:00:05:06",
            "2:fc:00:00:00:05",
            "02-fc-00-00-00-05",
        ] {
            assert_eq!(parse_mac(text), None, "{text}");
        }
    }

    #[test]
    fn who_comes_and_goes_is_noted_with_the_time() {
        let mut presences = Presences::default();
        let at = |active| {
            let host = Host {
                active,
                ..Host::default()
            };
            BTreeMap::from([(MAC, host)])
        };
        let since = |presences: &Presences| presences.by_mac[&MAC].since.clone();
        presences.note(&at(true), "1");
        presences.note(&at(true), "2");
        assert_eq!(since(&presences), "1");
        presences.note(&at(false), "3");
        assert_eq!(since(&presences), "3");
        presences.note(&BTreeMap::new(), "4");
        presences.note(&at(true), "5");
        assert_eq!(since(&presences), "5");
    }

    proptest! {
        #[test]
        fn no_leases_break_it(leases in "([0-9a-f.:x* \n]|192.0.2.1|02:fc:00:00:00:05)*") {
            read_leases(&leases, &mut BTreeMap::new());
        }
    }
}
