//! What the kernel has, in the terms of what is wished.

use std::net::IpAddr;

use crate::net::facts::{Address, Bridge, Facts, Link, Route};
use crate::net::goal::{AddressWish, BridgeWish, Goal, Make, VlanWish};
use crate::net::row::Row;

impl BridgeWish {
    /// The settings that a bridge has.
    pub(super) fn of(bridge: &Bridge) -> Self {
        Self {
            ageing_time: Some(bridge.ageing_time),
            forward_delay: Some(bridge.forward_delay),
            hello_time: Some(bridge.hello_time),
            max_age: Some(bridge.max_age),
            priority: Some(bridge.priority),
            stp: Some(bridge.stp),
            vlan_filtering: Some(bridge.vlan_filtering),
        }
    }

    /// What is wished that was not wished before.
    pub(super) fn beyond(&self, was: &Self) -> Self {
        fn differs<T: Copy + PartialEq>(now: Option<T>, was: Option<T>) -> Option<T> {
            now.filter(|_| now != was)
        }
        Self {
            ageing_time: differs(self.ageing_time, was.ageing_time),
            forward_delay: differs(self.forward_delay, was.forward_delay),
            hello_time: differs(self.hello_time, was.hello_time),
            max_age: differs(self.max_age, was.max_age),
            priority: differs(self.priority, was.priority),
            stp: differs(self.stp, was.stp),
            vlan_filtering: differs(self.vlan_filtering, was.vlan_filtering),
        }
    }

    /// The same, of those settings alone that `named` has.
    pub(super) fn only(self, named: &Self) -> Self {
        Self {
            ageing_time: named.ageing_time.and(self.ageing_time),
            forward_delay: named.forward_delay.and(self.forward_delay),
            hello_time: named.hello_time.and(self.hello_time),
            max_age: named.max_age.and(self.max_age),
            priority: named.priority.and(self.priority),
            stp: named.stp.and(self.stp),
            vlan_filtering: named.vlan_filtering.and(self.vlan_filtering),
        }
    }
}

/// How the kernel's device would be made; none where it is of another kind.
pub(super) fn make_of(facts: &Facts, link: &Link) -> Option<Make> {
    if link.bridge.is_some() {
        return Some(Make::Bridge);
    }
    let vlan = link.vlan?;
    Some(Make::Vlan {
        lower: facts.name(link.lower?)?.to_owned(),
        id: vlan.id,
        protocol: vlan.protocol,
    })
}

pub(super) fn depth(facts: &Facts, link: &Link) -> u32 {
    let mut depth = 0;
    let mut at = link;
    while let Some(lower) = at.lower.and_then(|lower| facts.links.get(&lower)) {
        depth += 1;
        at = lower;
        if depth > 8 {
            break;
        }
    }
    depth
}

/// An address of the kernel's in the terms of a wish.
pub(in crate::net) fn wish_of(facts: &Facts, address: &Address) -> Option<AddressWish> {
    Some(AddressWish {
        device: facts.name(address.index)?.to_owned(),
        address: address.address,
        prefix: address.prefix,
    })
}

/// Whether the kernel makes the address by itself.
pub(in crate::net) fn is_kernels(address: &Address) -> bool {
    matches!(address.address, IpAddr::V6(ip) if ip.segments()[0] & 0xffc0 == 0xfe80)
}

/// The row that wants a route of the kernel's.
pub(super) fn wish_for(goal: &Goal, route: &Route, device: Option<&str>) -> Option<Row> {
    let mut routes = goal.routes.iter();
    routes
        .find(|(wish, _)| wish.is_met_by(route, device))
        .map(|(_, row)| *row)
}

pub(super) fn vlan_exists(facts: &Facts, wish: &VlanWish) -> bool {
    facts.vlans.iter().any(|vlan| {
        vlan.id == wish.id
            && vlan.is_untagged == wish.is_untagged
            && facts.name(vlan.index) == Some(&wish.device)
    })
}
