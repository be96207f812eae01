//! What the kernel knows: its links, addresses and routes as plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::DefaultNla;

use super::socket::{KernelError, Most, Netlink, attributes, nested};
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

fn link(content: &[u8]) -> Option<Link> {
    let mut link = Link {
        hardware: u16_at(content, 2)?,
        index: u32_at(content, 4)?,
        flags: u32_at(content, 8)?,
        ..Link::default()
    };
    let mut is_elsewhere = false;
    for (kind, value) in attributes(content, IFINFOMSG) {
        match kind {
            IFLA_ADDRESS => link.mac = value.to_vec(),
            IFLA_IFNAME => link.name = text(value),
            IFLA_MTU => link.mtu = u32_at(value, 0)?,
            IFLA_LINK => link.lower = u32_at(value, 0).filter(|lower| *lower != 0),
            IFLA_LINK_NETNSID => is_elsewhere = true,
            IFLA_MASTER => link.master = u32_at(value, 0),
            IFLA_OPERSTATE => link.state = *value.first()?,
            IFLA_LINKINFO => link_info(&mut link, value),
            IFLA_STATS64 => link.counters = counters(value),
            _ => {}
        }
    }
    // The other end of a veth pair is not below this one, and may be in another namespace.
    if is_elsewhere || link.kind == "veth" {
        link.lower = None;
    }
    (!link.name.is_empty()).then_some(link)
}

fn link_info(link: &mut Link, info: &[u8]) {
    let find = |wanted| nested(info).find(|(kind, _)| *kind == wanted);
    let word = |wanted| find(wanted).map_or_else(String::new, |(_, value)| text(value));
    link.kind = word(IFLA_INFO_KIND);
    link.master_kind = word(IFLA_INFO_SLAVE_KIND);
    let data = find(IFLA_INFO_DATA).map_or(&[][..], |(_, value)| value);
    match &*link.kind {
        "vlan" => link.vlan = Some(vlan(data)),
        "bridge" => link.bridge = Some(bridge(data)),
        _ => {}
    }
    if link.master_kind == "bridge" {
        let data = find(IFLA_INFO_SLAVE_DATA).map_or(&[][..], |(_, value)| value);
        link.port = Some(port(data));
    }
}

fn vlan(data: &[u8]) -> Vlan {
    let mut vlan = Vlan::default();
    for (kind, value) in nested(data) {
        match (kind, value) {
            (IFLA_VLAN_ID, _) => vlan.id = u16_at(value, 0).unwrap_or(0),
            (IFLA_VLAN_PROTOCOL, [high, low, ..]) => {
                vlan.protocol = u16::from_be_bytes([*high, *low])
            }
            _ => {}
        }
    }
    vlan
}

fn bridge(data: &[u8]) -> Bridge {
    let mut bridge = Bridge::default();
    for (kind, value) in nested(data) {
        let number = || u32_at(value, 0).unwrap_or(0);
        match kind {
            IFLA_BR_FORWARD_DELAY => bridge.forward_delay = number(),
            IFLA_BR_HELLO_TIME => bridge.hello_time = number(),
            IFLA_BR_MAX_AGE => bridge.max_age = number(),
            IFLA_BR_AGEING_TIME => bridge.ageing_time = number(),
            IFLA_BR_STP_STATE => bridge.stp = number(),
            IFLA_BR_PRIORITY => bridge.priority = u16_at(value, 0).unwrap_or(0),
            IFLA_BR_VLAN_FILTERING => bridge.vlan_filtering = value.first().copied().unwrap_or(0),
            _ => {}
        }
    }
    bridge
}

fn port(data: &[u8]) -> Port {
    let mut port = Port::default();
    for (kind, value) in nested(data) {
        match kind {
            IFLA_BRPORT_STATE => port.state = value.first().copied().unwrap_or(0),
            IFLA_BRPORT_PRIORITY => port.priority = u16_at(value, 0).unwrap_or(0),
            IFLA_BRPORT_COST => port.cost = u32_at(value, 0).unwrap_or(0),
            _ => {}
        }
    }
    port
}

fn counters(value: &[u8]) -> Option<Counters> {
    let at = |place: usize| {
        let bytes = value.get(place * 8..place * 8 + 8)?;
        Some(u64::from_ne_bytes(bytes.try_into().ok()?))
    };
    Some(Counters {
        received_packets: at(0)?,
        sent_packets: at(1)?,
        received_bytes: at(2)?,
        sent_bytes: at(3)?,
        received_errors: at(4)?,
        sent_errors: at(5)?,
        received_dropped: at(6)?,
        sent_dropped: at(7)?,
        received_multicast: at(8)?,
        collisions: at(9)?,
        // Newer than the rest.
        received_unhandled: at(23).unwrap_or(0),
    })
}

fn address(content: &[u8]) -> Option<Address> {
    let (family, prefix) = (*content.first()?, *content.get(1)?);
    let mut found = (None, None);
    let mut address = Address {
        index: u32_at(content, 4)?,
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        prefix,
        flags: u32::from(*content.get(2)?),
        preferred: LIFETIME_INFINITE,
        valid: LIFETIME_INFINITE,
    };
    for (kind, value) in attributes(content, IFADDRMSG) {
        match kind {
            IFA_LOCAL => found.0 = ip(family, value),
            IFA_ADDRESS => found.1 = ip(family, value),
            IFA_FLAGS => address.flags = u32_at(value, 0)?,
            IFA_CACHEINFO => {
                address.preferred = u32_at(value, 0)?;
                address.valid = u32_at(value, 4)?;
            }
            _ => {}
        }
    }
    // On a point-to-point link, IFA_ADDRESS is the other end's.
    address.address = found.0.or(found.1)?;
    Some(address)
}

fn routes(content: &[u8]) -> Vec<Route> {
    let (Some(head), Some(flags)) = (content.get(..8), u32_at(content, 8)) else {
        return Vec::new();
    };
    let family = head[0];
    let unspecified = match family {
        AF_INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        AF_INET6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return Vec::new(),
    };
    let mut route = Route {
        destination: unspecified,
        prefix: head[1],
        gateway: None,
        index: None,
        metric: 0,
        kind: head[7],
        protocol: head[5],
        source: None,
        expires: None,
        is_multipath: false,
    };
    let mut table = u32::from(head[4]);
    let mut ways = Vec::new();
    for (kind, value) in attributes(content, RTMSG) {
        match kind {
            RTA_DST => route.destination = ip(family, value).unwrap_or(unspecified),
            RTA_GATEWAY => route.gateway = ip(family, value),
            RTA_OIF => route.index = u32_at(value, 0),
            RTA_PRIORITY => route.metric = u32_at(value, 0).unwrap_or(0),
            RTA_PREFSRC => route.source = ip(family, value),
            RTA_TABLE => table = u32_at(value, 0).unwrap_or(table),
            RTA_CACHEINFO => route.expires = expires(value),
            RTA_MULTIPATH => ways = next_hops(family, value),
            _ => {}
        }
    }
    if table != RT_TABLE_MAIN || flags & RTM_F_CLONED != 0 {
        return Vec::new();
    }
    if ways.is_empty() {
        return vec![route];
    }
    route.is_multipath = true;
    let way = |(index, gateway)| Route {
        index: Some(index),
        gateway,
        ..route.clone()
    };
    ways.into_iter().map(way).collect()
}

/// Seconds until an IPv6 route ends; `rta_expires` counts in hundredths.
fn expires(cache: &[u8]) -> Option<u32> {
    let left = u32_at(cache, 8)? as i32;
    (left > 0).then_some(left as u32 / 100)
}

/// The ways of a route: link and gateway of each.
fn next_hops(family: u8, mut value: &[u8]) -> Vec<(u32, Option<IpAddr>)> {
    let mut found = Vec::new();
    while let (Some(length), Some(index)) = (u16_at(value, 0), u32_at(value, 4)) {
        let length = usize::from(length);
        let Some(hop) = value.get(..length).filter(|_| length >= RTNEXTHOP) else {
            break;
        };
        let gateway = attributes(hop, RTNEXTHOP).find(|(kind, _)| *kind == RTA_GATEWAY);
        found.push((index, gateway.and_then(|(_, value)| ip(family, value))));
        value = value.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

fn port_vlans(content: &[u8]) -> Vec<PortVlan> {
    const RANGE_BEGIN: u16 = 8;
    const RANGE_END: u16 = 16;
    let Some(index) = u32_at(content, 4) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut begin = None;
    let specific = attributes(content, IFINFOMSG).filter(|(kind, _)| *kind == IFLA_AF_SPEC);
    let vlans = specific
        .flat_map(|(_, value)| nested(value))
        .filter(|(kind, _)| *kind == IFLA_BRIDGE_VLAN_INFO);
    for (_, value) in vlans {
        let (Some(flags), Some(id)) = (u16_at(value, 0), u16_at(value, 2)) else {
            continue;
        };
        if flags & RANGE_BEGIN != 0 {
            begin = Some(id);
            continue;
        }
        let from = begin
            .take()
            .filter(|_| flags & RANGE_END != 0)
            .unwrap_or(id);
        found.extend((from..=id).map(|id| PortVlan {
            index,
            id,
            is_untagged: flags & BRIDGE_VLAN_INFO_UNTAGGED != 0,
            is_pvid: flags & BRIDGE_VLAN_INFO_PVID != 0,
        }));
    }
    found
}

pub(super) fn ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => Some(IpAddr::from(<[u8; 4]>::try_from(value).ok()?)),
        AF_INET6 => Some(IpAddr::from(<[u8; 16]>::try_from(value).ok()?)),
        _ => None,
    }
}

fn text(value: &[u8]) -> String {
    let end = value
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

fn u16_at(value: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(value.get(at..at + 2)?.try_into().ok()?))
}

pub(super) fn u32_at(value: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(value.get(at..at + 4)?.try_into().ok()?))
}
