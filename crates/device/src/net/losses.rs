//! What the kernel took away without being asked.
//!
//! With the last IPv4 address of a device go all its IPv4 routes; with the first address of a network its other
//! addresses go, unless they are promoted; with a device that goes down its routes go. What of that nobody wanted
//! to go is found here by comparison, so that no rule of the kernel has to be known.

use super::facts::{Address, Facts, Link, Route};
use super::goal::AddressWish;
use super::plan::{is_kernels, wish_of};
use super::step::{Planned, RouteSpec, Step};
use super::uapi::RTPROT_KERNEL;

/// An address that was there.
pub(super) struct LostAddress {
    pub(super) wish: AddressWish,
    pub(super) left: TimeLeft,
}

/// Seconds that an address is used for what is new, and at all.
#[derive(Clone, Copy)]
pub(super) struct TimeLeft {
    pub(super) preferred: u32,
    pub(super) valid: u32,
}

/// The addresses that were there before, are not there now, and went by no step of `done`.
pub(super) fn lost_addresses(before: &Facts, now: &Facts, done: &[Planned]) -> Vec<LostAddress> {
    let there: Vec<AddressWish> = now
        .addresses
        .iter()
        .filter_map(|one| wish_of(now, one))
        .collect();
    let lost = |address: &Address| {
        let wish = wish_of(before, address).filter(|_| !is_kernels(address))?;
        let is_lost = !there.contains(&wish)
            && is_carrier(now, &wish.device, done)
            && !done.iter().any(|planned| match &planned.step {
                Step::DeleteAddress(deleted) => *deleted == wish,
                Step::Ipv6(device, false) => wish.address.is_ipv6() && *device == wish.device,
                _ => false,
            });
        is_lost.then_some(LostAddress {
            wish,
            left: TimeLeft {
                preferred: address.preferred,
                valid: address.valid,
            },
        })
    };
    before.addresses.iter().filter_map(lost).collect()
}

/// The routes that were there before, are not there now, and went by no step of `done`. Those by a gateway come
/// last, for they need the way to it. Routes that routers announce come back by themselves.
pub(super) fn lost_routes(before: &Facts, now: &Facts, done: &[Planned]) -> Vec<RouteSpec> {
    let there: Vec<RouteSpec> = now.routes.iter().map(|route| spec(now, route)).collect();
    let lost = |route: &Route| {
        if route.protocol == RTPROT_KERNEL || route.expires.is_some() || route.is_multipath {
            return None;
        }
        let spec = spec(before, route);
        let is_carried = spec
            .device
            .as_deref()
            .is_none_or(|device| is_carrier(now, device, done));
        let is_lost = !there.contains(&spec)
            && is_carried
            && !done
                .iter()
                .any(|planned| matches!(&planned.step, Step::DeleteRoute(gone) if *gone == spec));
        is_lost.then_some(spec)
    };
    let mut lost: Vec<RouteSpec> = before.routes.iter().filter_map(lost).collect();
    lost.sort_by_key(|route| route.gateway.is_some());
    lost
}

/// Whether the device is there and up, and is not one that was made anew: those are given what they had by steps.
fn is_carrier(now: &Facts, device: &str, done: &[Planned]) -> bool {
    let is_new = done
        .iter()
        .any(|planned| matches!(&planned.step, Step::Delete(deleted) if deleted == device));
    now.link(device).is_some_and(Link::is_up) && !is_new
}

fn spec(facts: &Facts, route: &Route) -> RouteSpec {
    RouteSpec::of(route, route.index.and_then(|index| facts.name(index)))
}
