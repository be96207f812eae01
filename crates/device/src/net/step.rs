//! What the kernel can be asked to do, one request each, and how it is taken back.

use std::net::IpAddr;

use super::facts::{Facts, Route};
use super::goal::{AddressWish, BridgeWish, Make, VlanWish};
use super::row::Row;
use super::uapi::*;
use super::wishes::RouteWish;
use super::world::Destination;

/// One thing that the kernel is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    AddAddress(AddressWish),
    AddRoute(RouteSpec),
    AddVlan(VlanWish),
    Bridge(String, BridgeWish),
    Create {
        name: String,
        make: Make,
        mac: Vec<u8>,
        mtu: Option<u32>,
    },
    Delete(String),
    DeleteAddress(AddressWish),
    DeleteRoute(RouteSpec),
    DeleteVlan(VlanWish),
    Ipv6(String, bool),
    Master(String, Option<String>),
    Mtu(String, u32),
    Up(String, bool),
}

/// A route as the kernel is asked for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct RouteSpec {
    pub(super) destination: Destination,
    pub(super) gateway: Option<IpAddr>,
    pub(super) device: Option<String>,
    pub(super) metric: Option<u32>,
    pub(super) kind: u8,
    pub(super) protocol: u8,
    pub(super) source: Option<IpAddr>,
}

/// A step, what takes it back, and the row for whose sake it is taken.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Planned {
    pub(super) step: Step,
    pub(super) back: Option<Step>,
    pub(super) row: Option<Row>,
}

/// Why there is no way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Obstacle {
    /// The row for whose sake it is in the way.
    pub(super) row: Option<Row>,
    pub(super) text: String,
}

impl Step {
    /// The devices that it changes, and that by which a route leaves.
    pub(super) fn devices<'a>(&'a self, facts: &'a Facts) -> Vec<&'a str> {
        match self {
            Self::AddAddress(wish) | Self::DeleteAddress(wish) => vec![&wish.device],
            Self::AddRoute(route) | Self::DeleteRoute(route) => {
                let by_gateway = || facts.neighbour_of(route.gateway?);
                route
                    .device
                    .as_deref()
                    .or_else(by_gateway)
                    .into_iter()
                    .collect()
            }
            Self::AddVlan(wish) | Self::DeleteVlan(wish) => vec![&wish.device],
            Self::Master(name, master) => {
                let current = facts.link(name).and_then(|link| facts.name(link.master?));
                let bridges = [master.as_deref(), current];
                [name.as_str()]
                    .into_iter()
                    .chain(bridges.into_iter().flatten())
                    .collect()
            }
            Self::Bridge(name, _)
            | Self::Create { name, .. }
            | Self::Delete(name)
            | Self::Ipv6(name, _)
            | Self::Mtu(name, _)
            | Self::Up(name, _) => vec![name],
        }
    }
}

impl Step {
    /// Whether a device comes or goes by it.
    pub(super) fn makes_or_removes(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Delete(_))
    }

    /// Whether it takes away what the host itself relies on.
    pub(super) fn cuts_loopback(&self) -> bool {
        match self {
            Self::Up(name, false) | Self::Ipv6(name, false) => name == "lo",
            Self::DeleteAddress(wish) => wish.device == "lo" && wish.address.is_loopback(),
            _ => false,
        }
    }
}

impl RouteSpec {
    /// As the kernel has it.
    pub(super) fn of(route: &Route, device: Option<&str>) -> Self {
        Self {
            destination: Destination::of(route),
            gateway: route.gateway,
            device: device.map(str::to_owned),
            metric: Some(route.metric),
            kind: route.kind,
            protocol: route.protocol,
            source: route.source,
        }
    }

    /// As it is wished for.
    pub(super) fn wanted(wish: &RouteWish) -> Self {
        Self {
            destination: wish.destination,
            gateway: wish.gateway,
            device: wish.device.clone(),
            metric: wish.metric,
            kind: wish.kind,
            protocol: RTPROT_STATIC,
            source: None,
        }
    }
}
