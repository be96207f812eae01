//! The way from what is configured now to what is to be configured, in steps that can be taken back.

mod compared;

use std::collections::{BTreeMap, BTreeSet};

use self::compared::{depth, make_of, vlan_exists, wish_for};
pub(super) use self::compared::{is_kernels, wish_of};
use super::facts::{Facts, Link};
use super::goal::{BridgeWish, DeviceWish, Goal, Make};
use super::row::Row;
use super::step::{Obstacle, Planned, RouteSpec, Step};
use super::uapi::*;

/// The steps from `before` to `after`, where the kernel has what `facts` say.
///
/// # Errors
/// When something of the host's own is in the way.
pub(super) fn steps(facts: &Facts, before: &Goal, after: &Goal) -> Result<Vec<Planned>, Obstacle> {
    let mut planner = Planner {
        facts,
        before,
        after,
        gone: BTreeMap::new(),
        created: BTreeSet::new(),
        raised: BTreeSet::new(),
        planned: Vec::new(),
    };
    planner.find_gone()?;
    planner.find_created();
    planner.remove_routes();
    planner.remove_addresses();
    planner.remove_vlans();
    planner.release_ports();
    planner.take_down();
    planner.delete();
    planner.create();
    planner.configure();
    planner.raise();
    planner.add_vlans();
    planner.add_addresses();
    planner.add_routes();
    Ok(planner.planned)
}

/// The smallest MTU with which the kernel speaks IPv6. (RFC 8200)
const IPV6_MTU_MIN: u32 = 1280;

struct Planner<'a> {
    facts: &'a Facts,
    before: &'a Goal,
    after: &'a Goal,
    /// Devices that are deleted, with the row for whose sake; they may be made again.
    gone: BTreeMap<String, Option<Row>>,
    created: BTreeSet<String>,
    /// Devices that come up.
    raised: BTreeSet<String>,
    planned: Vec<Planned>,
}

impl Planner<'_> {
    /// Devices that have to go: nobody wants them any more, or as something else.
    fn find_gone(&mut self) -> Result<(), Obstacle> {
        for (name, wish) in &self.before.devices {
            let Some(made) = &wish.make else { continue };
            let wanted = self
                .after
                .devices
                .get(name)
                .and_then(|wish| wish.make.as_ref());
            let Some(link) = self.facts.link(name) else {
                continue;
            };
            let is_kept = wanted == Some(made)
                || wanted.is_some_and(|wanted| make_of(self.facts, link).as_ref() == Some(wanted));
            if !is_kept {
                let wisher = self.after.devices.get(name).unwrap_or(wish);
                self.gone.insert(name.clone(), wisher.rows.first().copied());
            }
        }
        // What stands on a device goes with it.
        loop {
            let mut more = Vec::new();
            for link in self.facts.links.values().filter(|link| link.vlan.is_some()) {
                let lower = link.lower.and_then(|lower| self.facts.name(lower));
                let Some(row) = lower.and_then(|lower| self.gone.get(lower)) else {
                    continue;
                };
                if self.gone.contains_key(&link.name) {
                    continue;
                }
                let is_made = |goal: &Goal| {
                    let wish = goal.devices.get(&link.name);
                    wish.is_some_and(|wish| wish.make.is_some())
                };
                if !is_made(self.before) {
                    let text = format!(
                        "{} is made on it, which is the host's own: remove that first",
                        link.name
                    );
                    return Err(Obstacle { row: *row, text });
                }
                more.push((link.name.clone(), *row));
            }
            if more.is_empty() {
                return Ok(());
            }
            self.gone.extend(more);
        }
    }

    fn find_created(&mut self) {
        for (name, wish) in &self.after.devices {
            let is_there = self.facts.link(name).is_some() && !self.gone.contains_key(name);
            let is_new = self.before.devices.get(name).map(|wish| &wish.make) != Some(&wish.make);
            let is_wanted = wish.make.is_some() && !is_there;
            if is_wanted && (is_new || self.gone.contains_key(name)) {
                self.created.insert(name.clone());
            }
            let was_up = self.before.devices.get(name).and_then(|wish| wish.up);
            let comes_up = wish.up == Some(true)
                && (self.created.contains(name) || was_up != Some(true))
                && !(is_there && self.facts.link(name).is_some_and(Link::is_up));
            if comes_up {
                self.raised.insert(name.clone());
            }
        }
    }

    fn remove_routes(&mut self) {
        let facts = self.facts;
        for route in &facts.routes {
            let device = route.index.and_then(|index| facts.name(index));
            let of = |goal: &Goal| wish_for(goal, route, device);
            let gone = device.and_then(|device| self.gone.get(device));
            let row = match (of(self.before), of(self.after), gone) {
                (Some(row), None, _) => Some(row),
                (_, _, Some(row)) if route.protocol != RTPROT_KERNEL => *row,
                _ => continue,
            };
            let spec = RouteSpec::of(route, device);
            self.plan(
                Step::DeleteRoute(spec.clone()),
                Some(Step::AddRoute(spec)),
                row,
            );
        }
    }

    fn remove_addresses(&mut self) {
        let facts = self.facts;
        for address in &facts.addresses {
            let Some(wish) = wish_of(facts, address) else {
                continue;
            };
            let is_local = is_kernels(address);
            let gone = self.gone.get(&wish.device).filter(|_| !is_local);
            let unwanted = self.before.addresses.get(&wish);
            let unwanted = unwanted.filter(|_| !self.after.addresses.contains_key(&wish));
            let row = match (unwanted, gone) {
                (Some(row), _) => Some(*row),
                (None, Some(row)) => *row,
                (None, None) => continue,
            };
            self.plan(
                Step::DeleteAddress(wish.clone()),
                Some(Step::AddAddress(wish)),
                row,
            );
        }
    }

    fn remove_vlans(&mut self) {
        for (wish, row) in &self.before.vlans {
            let is_there = vlan_exists(self.facts, wish);
            if is_there && !self.after.vlans.contains_key(wish) {
                let back = Step::AddVlan(wish.clone());
                self.plan(Step::DeleteVlan(wish.clone()), Some(back), Some(*row));
            }
        }
    }

    fn release_ports(&mut self) {
        let facts = self.facts;
        for link in facts.links.values() {
            let Some(master) = link.master.and_then(|master| facts.name(master)) else {
                continue;
            };
            let of = |goal: &Goal| {
                let wish = goal.devices.get(&link.name)?;
                wish.master.clone()
            };
            let (was, will) = (of(self.before), of(self.after));
            let is_released = was.as_deref() == Some(master) && will.as_deref() != Some(master);
            let gone = self.gone.get(&link.name).or_else(|| self.gone.get(master));
            let row = match gone {
                Some(row) => *row,
                None if is_released => self.row(&link.name),
                None => continue,
            };
            let back = Step::Master(link.name.clone(), Some(master.to_owned()));
            self.plan(Step::Master(link.name.clone(), None), Some(back), row);
        }
    }

    fn take_down(&mut self) {
        for (name, wish) in &self.after.devices {
            let was = self.before.devices.get(name).and_then(|wish| wish.up);
            let is_up = self.facts.link(name).is_some_and(Link::is_up);
            if wish.up == Some(false) && was != Some(false) && is_up {
                let back = Step::Up(name.clone(), true);
                self.plan(
                    Step::Up(name.clone(), false),
                    Some(back),
                    wish.rows.first().copied(),
                );
            }
        }
    }

    /// Those on top first.
    fn delete(&mut self) {
        let facts = self.facts;
        let mut names: Vec<(String, Option<Row>)> = self.gone.clone().into_iter().collect();
        names.sort_by_key(|(name, _)| {
            std::cmp::Reverse(facts.link(name).map_or(0, |link| depth(facts, link)))
        });
        for (name, row) in names {
            let Some(link) = facts.link(&name) else {
                continue;
            };
            if link.is_up() {
                let back = Step::Up(name.clone(), true);
                self.plan(Step::Up(name.clone(), false), Some(back), row);
            }
            let back = make_of(facts, link).map(|make| Step::Create {
                name: name.clone(),
                mac: if make == Make::Bridge {
                    link.mac.clone()
                } else {
                    Vec::new()
                },
                make,
                mtu: Some(link.mtu),
            });
            if let (Some(settings), Some(_)) = (link.bridge, &back) {
                // Taken back, the bridge has its settings again.
                let settings = BridgeWish::of(&settings);
                let step = Step::Bridge(name.clone(), BridgeWish::default());
                self.plan(step, Some(Step::Bridge(name.clone(), settings)), row);
            }
            self.plan(Step::Delete(name), back, row);
        }
    }

    /// Those below first.
    fn create(&mut self) {
        let mut waiting: Vec<String> = self.created.iter().cloned().collect();
        while !waiting.is_empty() {
            let (now, later): (Vec<String>, Vec<String>) =
                waiting.iter().cloned().partition(|name| {
                    let wish = &self.after.devices[name];
                    match &wish.make {
                        Some(Make::Vlan { lower, .. }) => !waiting.contains(lower),
                        _ => true,
                    }
                });
            // A circle has no beginning: whatever is tried first is refused by the kernel.
            let (now, later) = if now.is_empty() {
                (later, Vec::new())
            } else {
                (now, later)
            };
            for name in now {
                let wish = &self.after.devices[&name];
                let Some(make) = wish.make.clone() else {
                    continue;
                };
                let step = Step::Create {
                    name: name.clone(),
                    make,
                    mac: Vec::new(),
                    mtu: wish.mtu,
                };
                self.plan(
                    step,
                    Some(Step::Delete(name.clone())),
                    wish.rows.first().copied(),
                );
            }
            waiting = later;
        }
    }

    /// Settings and ports.
    fn configure(&mut self) {
        let nothing = DeviceWish::default();
        for (name, wish) in &self.after.devices {
            let is_new = self.created.contains(name);
            let was = self.before.devices.get(name).filter(|_| !is_new);
            let was = was.unwrap_or(&nothing);
            let link = self.facts.link(name).filter(|_| !is_new);
            let row = wish.rows.first().copied();
            let mtu = wish.mtu.filter(|_| wish.mtu != was.mtu && !is_new);
            if let Some(mtu) = mtu.filter(|mtu| link.is_none_or(|link| link.mtu != *mtu)) {
                let back = link.map(|link| Step::Mtu(name.clone(), link.mtu));
                self.plan(Step::Mtu(name.clone(), mtu), back, row);
            }
            if let Some(ipv6) = wish.ipv6.filter(|_| wish.ipv6 != was.ipv6) {
                let back = Step::Ipv6(name.clone(), !ipv6);
                self.plan(Step::Ipv6(name.clone(), ipv6), Some(back), row);
            }
            let settings = wish.bridge.beyond(&was.bridge);
            if settings != BridgeWish::default() {
                let known = link.and_then(|link| link.bridge);
                let back = known.map(|known| {
                    Step::Bridge(name.clone(), BridgeWish::of(&known).only(&settings))
                });
                self.plan(Step::Bridge(name.clone(), settings), back, row);
            }
            self.join(name, wish, was);
        }
        self.carry_ports();
    }

    fn join(&mut self, name: &str, wish: &DeviceWish, was: &DeviceWish) {
        let Some(master) = &wish.master else { return };
        let link = self
            .facts
            .link(name)
            .filter(|_| !self.created.contains(name));
        let current = link.and_then(|link| self.facts.name(link.master?));
        let is_fresh = self.created.contains(master);
        if current == Some(master) && !is_fresh && !self.gone.contains_key(master) {
            return;
        }
        if wish.master == was.master && !is_fresh && !self.created.contains(name) {
            return;
        }
        let is_released = self.planned.iter().any(
            |planned| matches!(&planned.step, Step::Master(released, None) if released == name),
        );
        let back = current.filter(|_| !is_released).map(str::to_owned);
        let row = wish.rows.last().copied();
        self.plan(
            Step::Master(name.to_owned(), Some(master.clone())),
            Some(Step::Master(name.to_owned(), back)),
            row,
        );
    }

    /// Devices that are made again go back into the bridge of the host in which they were.
    fn carry_ports(&mut self) {
        for name in self.created.clone() {
            let wanted = self.after.devices[&name].master.is_some();
            let before = self.before.devices.get(&name);
            let was_wish = before.is_some_and(|wish| wish.master.is_some());
            let master = self
                .facts
                .link(&name)
                .and_then(|link| self.facts.name(link.master?));
            if let Some(master) = master.filter(|_| !wanted && !was_wish)
                && !self.gone.contains_key(master)
            {
                let back = Step::Master(name.clone(), None);
                let row = self.row(&name);
                self.plan(Step::Master(name, Some(master.to_owned())), Some(back), row);
            }
        }
    }

    /// Those below first, for nothing comes up on what is down.
    fn raise(&mut self) {
        let mut names: Vec<String> = self.raised.iter().cloned().collect();
        names.sort_by_key(|name| self.wish_depth(name, 8));
        for name in names {
            let back = Step::Up(name.clone(), false);
            let row = self.row(&name);
            self.plan(Step::Up(name, true), Some(back), row);
        }
    }

    fn add_vlans(&mut self) {
        for (wish, row) in &self.after.vlans {
            let is_there = vlan_exists(self.facts, wish) && !self.is_fresh_port(&wish.device);
            let is_new = !self.before.vlans.contains_key(wish) || self.is_fresh_port(&wish.device);
            if is_new && !is_there {
                let back = Step::DeleteVlan(wish.clone());
                self.plan(Step::AddVlan(wish.clone()), Some(back), Some(*row));
            }
        }
    }

    fn add_addresses(&mut self) {
        let facts = self.facts;
        for (wish, row) in &self.after.addresses {
            let is_new = !self.before.addresses.contains_key(wish);
            let is_lost = self.created.contains(&wish.device) || self.raised.contains(&wish.device);
            let mut known = facts.addresses.iter();
            let is_there = known.any(|address| wish_of(facts, address).as_ref() == Some(wish));
            let is_there = is_there && !self.created.contains(&wish.device);
            // Below an MTU of 1280 there is no IPv6: it comes back with a larger one, and nobody loses it by
            // a smaller.
            let resized = self
                .resized(&wish.device)
                .filter(|_| wish.address.is_ipv6());
            let is_there = is_there && resized.is_none_or(|mtu| mtu >= IPV6_MTU_MIN);
            if (is_new || is_lost || resized.is_some()) && !is_there {
                let back = Step::DeleteAddress(wish.clone());
                self.plan(Step::AddAddress(wish.clone()), Some(back), Some(*row));
            }
        }
        // The host's own addresses come back with a device that is made again.
        for address in &facts.addresses {
            let Some(wish) = wish_of(facts, address) else {
                continue;
            };
            let is_carried = self.created.contains(&wish.device)
                && !is_kernels(address)
                && !self.before.addresses.contains_key(&wish)
                && !self.after.addresses.contains_key(&wish);
            if is_carried {
                let row = self.row(&wish.device);
                let back = Step::DeleteAddress(wish.clone());
                self.plan(Step::AddAddress(wish), Some(back), row);
            }
        }
    }

    fn add_routes(&mut self) {
        let facts = self.facts;
        let is_fresh = |planner: &Self, device: Option<&str>| {
            device.is_some_and(|device| {
                planner.created.contains(device) || planner.raised.contains(device)
            })
        };
        for (wish, row) in &self.after.routes {
            let found = facts.routes.iter().find(|route| {
                let device = route.index.and_then(|index| facts.name(index));
                wish.is_met_by(route, device)
            });
            let device = found.and_then(|route| facts.name(route.index?));
            let is_lost = device.is_some_and(|device| self.gone.contains_key(device));
            let is_new = !self.before.routes.contains_key(wish);
            let is_back = is_fresh(self, wish.device.as_deref());
            if is_lost || (found.is_none() && (is_new || is_back)) {
                let spec = RouteSpec::wanted(wish);
                let back = Step::DeleteRoute(spec.clone());
                self.plan(Step::AddRoute(spec), Some(back), Some(*row));
            }
        }
        for route in &facts.routes {
            let device = route.index.and_then(|index| facts.name(index));
            let is_carried = device.is_some_and(|device| self.created.contains(device))
                && route.protocol != RTPROT_KERNEL
                && wish_for(self.before, route, device).is_none()
                && wish_for(self.after, route, device).is_none();
            if is_carried {
                let spec = RouteSpec::of(route, device);
                let row = device.and_then(|device| self.row(device));
                let back = Step::DeleteRoute(spec.clone());
                self.plan(Step::AddRoute(spec), Some(back), row);
            }
        }
    }

    fn plan(&mut self, step: Step, back: Option<Step>, row: Option<Row>) {
        self.planned.push(Planned { step, back, row });
    }

    /// The row for whose sake something is done with a device.
    fn row(&self, device: &str) -> Option<Row> {
        let wish = self.after.devices.get(device);
        let wish = wish.or_else(|| self.before.devices.get(device))?;
        wish.rows.first().copied()
    }

    /// The MTU that the device gets by this plan, where it gets another.
    fn resized(&self, device: &str) -> Option<u32> {
        let mut planned = self.planned.iter();
        planned.find_map(|planned| match &planned.step {
            Step::Mtu(name, mtu) if name == device => Some(*mtu),
            _ => None,
        })
    }

    fn is_fresh_port(&self, device: &str) -> bool {
        let master = self.after.devices.get(device);
        let master = master.and_then(|wish| wish.master.as_deref());
        self.created.contains(device) || master.is_some_and(|master| self.created.contains(master))
    }

    fn wish_depth(&self, name: &str, most: u32) -> u32 {
        let make = self
            .after
            .devices
            .get(name)
            .and_then(|wish| wish.make.as_ref());
        match (make, most.checked_sub(1)) {
            (Some(Make::Vlan { lower, .. }), Some(most)) => 1 + self.wish_depth(lower, most),
            _ => 0,
        }
    }
}
