//! What is in the kernel's messages about links, addresses and routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    Address, Bridge, Counters, IFADDRMSG, IFINFOMSG, Link, Port, PortVlan, RTMSG, RTNEXTHOP, Route,
    Vlan,
};
use crate::net::socket::{attributes, nested};
use crate::net::uapi::*;

pub(super) fn link(content: &[u8]) -> Option<Link> {
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

pub(super) fn address(content: &[u8]) -> Option<Address> {
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

pub(super) fn routes(content: &[u8]) -> Vec<Route> {
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

pub(super) fn port_vlans(content: &[u8]) -> Vec<PortVlan> {
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

pub(in crate::net) fn ip(family: u8, value: &[u8]) -> Option<IpAddr> {
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

pub(super) fn u16_at(value: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(value.get(at..at + 2)?.try_into().ok()?))
}

pub(in crate::net) fn u32_at(value: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(value.get(at..at + 4)?.try_into().ok()?))
}
