//! What the kernel knows: its links, addresses and routes as plain data.

mod content;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netlink_packet_core::DefaultNla;

use self::content::{address, link, port_vlans, routes, u16_at};
pub(super) use self::content::{ip, u32_at};
use super::socket::{KernelError, Most, Netlink, attributes};
use super::sources::Mode;
use super::uapi::*;
use super::world::Destination;
use crate::limits::{
    NEIGHBOUR_ENTRIES_MAX, NET_ADDRESSES_MAX, NET_LINKS_MAX, NET_PORT_VLANS_MAX, NET_ROUTES_MAX,
};

const IFINFOMSG: usize = 16;
const IFADDRMSG: usize = 8;
const RTMSG: usize = 12;
const RTNEXTHOP: usize = 8;
const NDMSG: usize = 12;

/// A hardware address of six bytes.
pub(super) type Mac = [u8; 6];

/// Everything at one time.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// By index.
    pub(super) links: BTreeMap<u32, Link>,
    pub(super) addresses: Vec<Address>,
    /// Of the main table.
    pub(super) routes: Vec<Route>,
    /// VLANs that ports of bridges carry, the bridges themselves among them.
    pub(super) vlans: Vec<PortVlan>,
    /// Whether the kernel has IPv6 at all, and whether it is on.
    pub(super) has_ipv6: bool,
    pub(super) is_ipv6: bool,
}

/// A network device.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) hardware: u16,
    pub(super) mac: Vec<u8>,
    pub(super) mtu: u32,
    pub(super) flags: u32,
    pub(super) state: u8,
    /// What it is made on, where that is in the same namespace.
    pub(super) lower: Option<u32>,
    /// The bridge or bond that it is in.
    pub(super) master: Option<u32>,
    /// `bridge`, `vlan`, `veth`; empty for a device of hardware.
    pub(super) kind: String,
    /// `bridge` for a port of one.
    pub(super) master_kind: String,
    pub(super) vlan: Option<Vlan>,
    pub(super) bridge: Option<Bridge>,
    pub(super) port: Option<Port>,
    pub(super) counters: Option<Counters>,
    /// How fast it runs, where the kernel was asked and told.
    pub(super) mode: Option<Mode>,
    /// Whether it is a wireless one, whatever it pretends to be.
    pub(super) is_wireless: bool,
    /// Whether IPv6 is on for it.
    pub(super) is_ipv6: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Vlan {
    pub(super) id: u16,
    /// The tag's EtherType.
    pub(super) protocol: u16,
}

/// Settings of a bridge; times in hundredths of a second.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Bridge {
    pub(super) forward_delay: u32,
    pub(super) hello_time: u32,
    pub(super) max_age: u32,
    pub(super) ageing_time: u32,
    pub(super) stp: u32,
    pub(super) priority: u16,
    pub(super) vlan_filtering: u8,
}

/// Settings of a port of a bridge.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Port {
    pub(super) state: u8,
    pub(super) priority: u16,
    pub(super) cost: u32,
}

/// `struct rtnl_link_stats64`, as far as it is told.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Counters {
    pub(super) received_packets: u64,
    pub(super) sent_packets: u64,
    pub(super) received_bytes: u64,
    pub(super) sent_bytes: u64,
    pub(super) received_errors: u64,
    pub(super) sent_errors: u64,
    pub(super) received_dropped: u64,
    pub(super) sent_dropped: u64,
    pub(super) received_multicast: u64,
    pub(super) collisions: u64,
    pub(super) received_unhandled: u64,
}

/// An address of a link.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Address {
    pub(super) index: u32,
    pub(super) address: IpAddr,
    pub(super) prefix: u8,
    pub(super) flags: u32,
    /// Seconds left; [`LIFETIME_INFINITE`] where there is no end.
    pub(super) preferred: u32,
    pub(super) valid: u32,
}

/// A route, or one way of a route that has several.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Route {
    pub(super) destination: IpAddr,
    pub(super) prefix: u8,
    pub(super) gateway: Option<IpAddr>,
    pub(super) index: Option<u32>,
    pub(super) metric: u32,
    pub(super) kind: u8,
    pub(super) protocol: u8,
    /// The address that packets leave with, where it is said.
    pub(super) source: Option<IpAddr>,
    /// Seconds left, where the route ends.
    pub(super) expires: Option<u32>,
    /// Whether it has several ways.
    pub(super) is_multipath: bool,
}

/// A VLAN of a port of a bridge.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct PortVlan {
    pub(super) index: u32,
    pub(super) id: u16,
    pub(super) is_untagged: bool,
    pub(super) is_pvid: bool,
}

/// A host that the kernel has seen, or was told of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Neighbour {
    pub(super) index: u32,
    pub(super) address: IpAddr,
    pub(super) mac: Mac,
}

impl Facts {
    /// Everything but the counters, and but what files tell.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub(super) fn read(kernel: &mut Netlink) -> Result<Self, KernelError> {
        let links = read_links(kernel, RTEXT_FILTER_SKIP_STATS)?;
        let vlans = if links.values().any(|link| link.bridge.is_some()) {
            read_vlans(kernel)?
        } else {
            Vec::new()
        };
        Ok(Self {
            links,
            addresses: read_addresses(kernel)?,
            routes: read_routes(kernel)?,
            vlans,
            ..Self::default()
        })
    }

    /// The link called `name`.
    pub(super) fn link(&self, name: &str) -> Option<&Link> {
        self.links.values().find(|link| link.name == name)
    }

    /// The name of the link with this index.
    pub(super) fn name(&self, index: u32) -> Option<&str> {
        self.links.get(&index).map(|link| &*link.name)
    }

    /// The device on whose network this address is; the smallest network counts.
    pub(super) fn neighbour_of(&self, address: IpAddr) -> Option<&str> {
        let around = self.addresses.iter().filter(|known| {
            Destination::new(known.address, known.prefix) == Destination::new(address, known.prefix)
        });
        let nearest = around.max_by_key(|known| known.prefix)?;
        self.name(nearest.index)
    }

    pub(super) fn addresses_of(&self, index: u32) -> impl Iterator<Item = &Address> {
        self.addresses
            .iter()
            .filter(move |address| address.index == index)
    }
}

impl Link {
    pub(super) fn is_up(&self) -> bool {
        self.flags & IFF_UP != 0
    }

    /// Whether it is a port of a bridge.
    pub(super) fn is_port(&self) -> bool {
        self.master.is_some() && self.master_kind == "bridge"
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.hardware == ARPHRD_LOOPBACK
    }

    /// Whether it carries Ethernet frames and is made on nothing else here.
    pub(super) fn is_ethernet(&self) -> bool {
        self.hardware == ARPHRD_ETHER && self.bridge.is_none() && self.vlan.is_none()
    }
}

/// All links by index, with counters where `filter` does not skip them.
///
/// # Errors
/// When the kernel does not tell.
pub(super) fn read_links(
    kernel: &mut Netlink,
    filter: u32,
) -> Result<BTreeMap<u32, Link>, KernelError> {
    let mut header = [0; IFINFOMSG];
    header[0] = AF_UNSPEC;
    let mask = DefaultNla::new(IFLA_EXT_MASK, filter.to_ne_bytes().to_vec());
    let most = Most {
        entries: NET_LINKS_MAX,
        what: "links",
    };
    let read = |kind, content: &[u8]| link(content).filter(|_| kind == RTM_NEWLINK);
    let links = kernel.dump(RTM_GETLINK, &header, &[mask], most, read)?;
    let links = links.into_iter().map(|link| (link.index, link));
    Ok(links.collect())
}

fn read_addresses(kernel: &mut Netlink) -> Result<Vec<Address>, KernelError> {
    let most = Most {
        entries: NET_ADDRESSES_MAX,
        what: "addresses",
    };
    let read = |kind, content: &[u8]| address(content).filter(|_| kind == RTM_NEWADDR);
    kernel.dump(RTM_GETADDR, &[0; IFADDRMSG], &[], most, read)
}

fn read_routes(kernel: &mut Netlink) -> Result<Vec<Route>, KernelError> {
    let read = |kind, content: &[u8]| match kind {
        RTM_NEWROUTE => routes(content),
        _ => Vec::new(),
    };
    let mut found = Vec::new();
    for (family, what) in [(AF_INET, "IPv4 routes"), (AF_INET6, "IPv6 routes")] {
        let mut header = [0; RTMSG];
        header[0] = family;
        let most = Most {
            entries: NET_ROUTES_MAX,
            what,
        };
        found.extend(kernel.dump(RTM_GETROUTE, &header, &[], most, read)?);
    }
    Ok(found)
}

fn read_vlans(kernel: &mut Netlink) -> Result<Vec<PortVlan>, KernelError> {
    let mut header = [0; IFINFOMSG];
    header[0] = AF_BRIDGE;
    let filter = RTEXT_FILTER_BRVLAN.to_ne_bytes().to_vec();
    let mask = DefaultNla::new(IFLA_EXT_MASK, filter);
    let most = Most {
        entries: NET_PORT_VLANS_MAX,
        what: "VLANs of ports",
    };
    let read = |kind, content: &[u8]| match kind {
        RTM_NEWLINK => port_vlans(content),
        _ => Vec::new(),
    };
    kernel.dump(RTM_GETLINK, &header, &[mask], most, read)
}

/// The neighbours of both versions of IP whose hardware addresses are known.
///
/// # Errors
/// When the kernel does not tell.
pub(super) fn read_neighbours(kernel: &mut Netlink) -> Result<Vec<Neighbour>, KernelError> {
    let known = |kind, content: &[u8]| match neighbour(kind, content)? {
        (index, address, Some(mac)) => Some(Neighbour {
            index,
            address,
            mac,
        }),
        _ => None,
    };
    kernel.dump_as(RTM_GETNEIGH, &[0; NDMSG], &[], NEIGHBOUR_ENTRIES_MAX, known)
}

/// Behind which port of a bridge each of the `wanted` is, by the bridge and the hardware address.
///
/// # Errors
/// When the kernel does not tell.
pub(super) fn read_forwarding(
    kernel: &mut Netlink,
    wanted: &BTreeSet<Mac>,
) -> Result<BTreeMap<(u32, Mac), u32>, KernelError> {
    let mut header = [0; NDMSG];
    header[0] = AF_BRIDGE;
    let entry = |kind, content: &[u8]| {
        let find = |wanted| attributes(content, NDMSG).find(|(kind, _)| *kind == wanted);
        let mac = Mac::try_from(find(NDA_LLADDR)?.1).ok()?;
        let bridge = u32_at(find(NDA_MASTER)?.1, 0)?;
        let port = u32_at(content, 4)?;
        // What is permanent is the bridge's own.
        let is_own = u16_at(content, 8)? & NUD_PERMANENT != 0;
        let is_wanted = kind == RTM_NEWNEIGH && !is_own && wanted.contains(&mac);
        is_wanted.then_some(((bridge, mac), port))
    };
    let entries = kernel.dump_as(RTM_GETNEIGH, &header, &[], NEIGHBOUR_ENTRIES_MAX, entry)?;
    Ok(entries.into_iter().collect())
}

/// What a message says of a neighbour: where, which address, and the hardware address while it is one that the
/// kernel would use. None where it is about something else.
pub(super) fn neighbour(kind: u16, content: &[u8]) -> Option<(u32, IpAddr, Option<Mac>)> {
    const KNOWN: u16 = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
    if !matches!(kind, RTM_NEWNEIGH | RTM_DELNEIGH) {
        return None;
    }
    let family = *content.first()?;
    let (index, state) = (u32_at(content, 4)?, u16_at(content, 8)?);
    let (mut address, mut mac) = (None, None);
    for (kind, value) in attributes(content, NDMSG) {
        match kind {
            NDA_DST => address = ip(family, value),
            NDA_LLADDR => mac = Mac::try_from(value).ok(),
            _ => {}
        }
    }
    let is_known = kind == RTM_NEWNEIGH && state & KNOWN != 0;
    Some((
        index,
        address?,
        mac.filter(|mac| is_known && is_of_host(*mac)),
    ))
}

/// Whether one host can have this hardware address: it is not that of a group, and not the one that stands for
/// none.
pub(super) fn is_of_host(mac: Mac) -> bool {
    mac[0] & 1 == 0 && mac != [0; 6]
}
