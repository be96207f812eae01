//! Doing what was planned: each step is one request to the kernel, and all are taken back when one is refused.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};
use rustix::io::Errno;

use super::facts::{Facts, read_links};
use super::goal::{AddressWish, BridgeWish, Make, VlanWish};
use super::losses::{LostAddress, TimeLeft, lost_addresses, lost_routes};
use super::socket::{KernelError, Netlink, nest};
use super::sources::Sources;
use super::step::{Obstacle, Planned, RouteSpec, Step};
use super::uapi::*;
use super::world::Destination;

/// What has been done so far, so that it can be taken back.
pub(super) struct Hands<'a> {
    kernel: &'a mut Netlink,
    sources: &'a Sources,
    /// What there was before the first step.
    before: &'a Facts,
    indices: BTreeMap<String, u32>,
    done: Vec<Planned>,
}

impl<'a> Hands<'a> {
    pub(super) fn new(kernel: &'a mut Netlink, sources: &'a Sources, before: &'a Facts) -> Self {
        let indices = before.links.values();
        Self {
            kernel,
            sources,
            before,
            indices: indices
                .map(|link| (link.name.clone(), link.index))
                .collect(),
            done: Vec::new(),
        }
    }

    /// Takes all steps, and gives back what the kernel took away with them unasked. What was done until one
    /// was refused is taken back.
    ///
    /// # Errors
    /// When the kernel refuses a step, in its words.
    pub(super) fn take(&mut self, mut steps: Vec<Planned>) -> Result<(), Obstacle> {
        // Routes come last: they take nothing away, and some need what was lost.
        let routes = steps
            .iter()
            .position(|planned| matches!(planned.step, Step::AddRoute(_)));
        let routes = steps.split_off(routes.unwrap_or(steps.len()));
        if !steps.is_empty() {
            self.take_each(steps)?;
            self.make_good();
        }
        self.take_each(routes)
    }

    fn take_each(&mut self, steps: Vec<Planned>) -> Result<(), Obstacle> {
        for planned in steps {
            if let Err(obstacle) = self.take_one(planned) {
                self.take_back();
                return Err(obstacle);
            }
        }
        Ok(())
    }

    /// Takes one step, and leaves those before as they are.
    ///
    /// # Errors
    /// When the kernel refuses it, in its words.
    pub(super) fn take_one(&mut self, planned: Planned) -> Result<(), Obstacle> {
        if let Err(error) = self.step(&planned.step)
            && !is_done_already(&planned.step, &error)
        {
            let text = format!("the kernel refuses to {}: {error}", describe(&planned.step));
            return Err(Obstacle {
                row: planned.row,
                text,
            });
        }
        self.done.push(planned);
        Ok(())
    }

    /// Takes back everything that was done, the last first, and what the kernel did beyond that.
    pub(super) fn take_back(&mut self) {
        if self.done.is_empty() {
            return;
        }
        while let Some(planned) = self.done.pop() {
            let Some(back) = planned.back else { continue };
            if let Err(error) = self.step(&back)
                && !is_done_already(&back, &error)
            {
                tracing::error!("the kernel refuses to {} again: {error}", describe(&back));
            }
        }
        self.make_good();
    }

    /// Gives back the addresses and routes that went with others. What the kernel does not want back has lost
    /// its ground, such as the route by a gateway that is on no network any more.
    fn make_good(&mut self) {
        let look = |kernel: &mut Netlink| {
            let found = Facts::read(kernel);
            found.inspect_err(|error| tracing::error!("the kernel does not tell: {error}"))
        };
        let Ok(mut now) = look(self.kernel) else {
            return;
        };
        let mut is_given_back = false;
        for LostAddress { wish, left } in lost_addresses(self.before, &now, &self.done) {
            let flags = NLM_F_CREATE | NLM_F_EXCL;
            match self.address(RTM_NEWADDR, flags, &wish, Some(left)) {
                Ok(()) => is_given_back = true,
                Err(error) => {
                    let step = describe(&Step::AddAddress(wish));
                    tracing::warn!("the kernel refuses to {step} again: {error}");
                }
            }
        }
        if is_given_back {
            // Some of the routes are back with their addresses.
            now = match look(self.kernel) {
                Ok(now) => now,
                Err(_) => return,
            };
        }
        for route in lost_routes(self.before, &now, &self.done) {
            let step = Step::AddRoute(route);
            if let Err(error) = self.step(&step) {
                tracing::warn!("the kernel refuses to {} again: {error}", describe(&step));
            }
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), KernelError> {
        match step {
            Step::AddAddress(wish) => {
                self.address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, wish, None)
            }
            Step::AddRoute(route) => self.route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route),
            Step::AddVlan(wish) => self.vlan(RTM_SETLINK, wish),
            Step::Bridge(name, settings) => self.bridge(name, settings),
            Step::Create {
                name,
                make,
                mac,
                mtu,
            } => self.create(name, make, mac, *mtu),
            Step::Delete(name) => {
                let header = link_header(self.index(name)?, 0, 0);
                self.kernel.request(RTM_DELLINK, 0, &header, &[])?;
                self.indices.remove(name);
                Ok(())
            }
            Step::DeleteAddress(wish) => self.address(RTM_DELADDR, 0, wish, None),
            Step::DeleteRoute(route) => self.route(RTM_DELROUTE, 0, route),
            Step::DeleteVlan(wish) => self.vlan(RTM_DELLINK, wish),
            Step::Ipv6(name, is_on) => {
                let switch = self.sources.ipv6_switch(name);
                let text = if *is_on { "0" } else { "1" };
                Ok(fs::write(switch, text)?)
            }
            Step::Master(name, master) => {
                let master = match master {
                    Some(master) => self.index(master)?,
                    None => 0,
                };
                self.set(name, &[number(IFLA_MASTER, master)])
            }
            Step::Mtu(name, mtu) => self.set(name, &[number(IFLA_MTU, *mtu)]),
            Step::Up(name, is_up) => {
                let flags = if *is_up { IFF_UP } else { 0 };
                let header = link_header(self.index(name)?, flags, IFF_UP);
                self.kernel.request(RTM_NEWLINK, 0, &header, &[])
            }
        }
    }

    fn create(
        &mut self,
        name: &str,
        make: &Make,
        mac: &[u8],
        mtu: Option<u32>,
    ) -> Result<(), KernelError> {
        let mut attributes = vec![text(IFLA_IFNAME, name)];
        match make {
            Make::Bridge => {
                attributes.push(nest(IFLA_LINKINFO, &[text(IFLA_INFO_KIND, "bridge")]));
            }
            Make::Vlan {
                lower,
                id,
                protocol,
            } => {
                attributes.push(number(IFLA_LINK, self.index(lower)?));
                let data = [
                    DefaultNla::new(IFLA_VLAN_ID, id.to_ne_bytes().to_vec()),
                    DefaultNla::new(IFLA_VLAN_PROTOCOL, protocol.to_be_bytes().to_vec()),
                ];
                let info = [text(IFLA_INFO_KIND, "vlan"), nest(IFLA_INFO_DATA, &data)];
                attributes.push(nest(IFLA_LINKINFO, &info));
            }
        }
        attributes.extend(mtu.map(|mtu| number(IFLA_MTU, mtu)));
        if !mac.is_empty() {
            attributes.push(DefaultNla::new(IFLA_ADDRESS, mac.to_vec()));
        }
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        let header = link_header(0, 0, 0);
        self.kernel
            .request(RTM_NEWLINK, flags, &header, &attributes)?;
        let links = read_links(self.kernel, RTEXT_FILTER_SKIP_STATS)?;
        let made = links.values().find(|link| link.name == name);
        self.indices
            .extend(made.map(|link| (name.to_owned(), link.index)));
        Ok(())
    }

    fn set(&mut self, name: &str, attributes: &[DefaultNla]) -> Result<(), KernelError> {
        let header = link_header(self.index(name)?, 0, 0);
        self.kernel.request(RTM_NEWLINK, 0, &header, attributes)
    }

    fn bridge(&mut self, name: &str, settings: &BridgeWish) -> Result<(), KernelError> {
        let numbers = [
            (IFLA_BR_FORWARD_DELAY, settings.forward_delay),
            (IFLA_BR_HELLO_TIME, settings.hello_time),
            (IFLA_BR_MAX_AGE, settings.max_age),
            (IFLA_BR_AGEING_TIME, settings.ageing_time),
            (IFLA_BR_STP_STATE, settings.stp),
        ];
        let numbers = numbers.into_iter();
        let mut data: Vec<DefaultNla> = numbers
            .filter_map(|(kind, value)| Some(number(kind, value?)))
            .collect();
        if let Some(priority) = settings.priority {
            let value = priority.to_ne_bytes().to_vec();
            data.push(DefaultNla::new(IFLA_BR_PRIORITY, value));
        }
        if let Some(filtering) = settings.vlan_filtering {
            data.push(DefaultNla::new(IFLA_BR_VLAN_FILTERING, vec![filtering]));
        }
        if data.is_empty() {
            return Ok(());
        }
        let info = [text(IFLA_INFO_KIND, "bridge"), nest(IFLA_INFO_DATA, &data)];
        self.set(name, &[nest(IFLA_LINKINFO, &info)])
    }

    fn vlan(&mut self, kind: u16, wish: &VlanWish) -> Result<(), KernelError> {
        let mut header = link_header(self.index(&wish.device)?, 0, 0);
        header[0] = AF_BRIDGE;
        let flags = if wish.is_untagged {
            BRIDGE_VLAN_INFO_UNTAGGED
        } else {
            0
        };
        let info = [flags.to_ne_bytes(), wish.id.to_ne_bytes()].concat();
        let mut inner = Vec::new();
        if wish.is_bridge {
            let value = BRIDGE_FLAGS_SELF.to_ne_bytes().to_vec();
            inner.push(DefaultNla::new(IFLA_BRIDGE_FLAGS, value));
        }
        inner.push(DefaultNla::new(IFLA_BRIDGE_VLAN_INFO, info));
        let attributes = [nest(IFLA_AF_SPEC, &inner)];
        self.kernel.request(kind, 0, &header, &attributes)
    }

    /// Without `left` the address stays for ever.
    fn address(
        &mut self,
        kind: u16,
        flags: u16,
        wish: &AddressWish,
        left: Option<TimeLeft>,
    ) -> Result<(), KernelError> {
        let mut header = vec![family(wish.address), wish.prefix, 0, scope(wish.address)];
        header.extend(self.index(&wish.device)?.to_ne_bytes());
        let bytes = bytes(wish.address);
        let mut attributes = vec![
            DefaultNla::new(IFA_LOCAL, bytes.clone()),
            DefaultNla::new(IFA_ADDRESS, bytes),
        ];
        if let (RTM_NEWADDR, IpAddr::V4(_), 1..=30) = (kind, wish.address, wish.prefix) {
            let network = Destination::new(wish.address, wish.prefix).address;
            attributes.push(DefaultNla::new(IFA_BROADCAST, last(network, wish.prefix)));
        }
        if let Some(TimeLeft { preferred, valid }) = left {
            let fields = [preferred, valid, 0, 0].map(u32::to_ne_bytes).concat();
            attributes.push(DefaultNla::new(IFA_CACHEINFO, fields));
        }
        self.kernel.request(kind, flags, &header, &attributes)
    }

    fn route(&mut self, kind: u16, flags: u16, route: &RouteSpec) -> Result<(), KernelError> {
        let is_new = kind == RTM_NEWROUTE;
        let leads_somewhere = matches!(route.kind, RTN_UNICAST | RTN_LOCAL);
        let scope = match (is_new, route.destination.address, route.gateway) {
            (false, ..) => RT_SCOPE_NOWHERE,
            (true, IpAddr::V4(_), None) if leads_somewhere => RT_SCOPE_LINK,
            _ => RT_SCOPE_UNIVERSE,
        };
        let protocol = if is_new { route.protocol } else { 0 };
        let mut header = vec![
            family(route.destination.address),
            route.destination.prefix,
            0,
            0,
            RT_TABLE_MAIN as u8,
            protocol,
            scope,
            route.kind,
        ];
        header.extend(0_u32.to_ne_bytes());
        let mut attributes = Vec::new();
        if route.destination.prefix > 0 {
            attributes.push(DefaultNla::new(RTA_DST, bytes(route.destination.address)));
        }
        if let Some(gateway) = route.gateway {
            attributes.push(DefaultNla::new(RTA_GATEWAY, bytes(gateway)));
        }
        if let Some(device) = route.device.as_deref().filter(|_| leads_somewhere) {
            attributes.push(number(RTA_OIF, self.index(device)?));
        }
        attributes.extend(route.metric.map(|metric| number(RTA_PRIORITY, metric)));
        if let Some(source) = route.source.filter(|_| is_new) {
            attributes.push(DefaultNla::new(RTA_PREFSRC, bytes(source)));
        }
        self.kernel.request(kind, flags, &header, &attributes)
    }

    fn index(&self, name: &str) -> Result<u32, KernelError> {
        let index = self.indices.get(name).copied();
        index.ok_or_else(|| KernelError {
            number: Errno::NODEV.raw_os_error(),
            text: format!("there is no device {name}"),
        })
    }
}

/// Whether the refusal says that it is so already, or will be.
fn is_done_already(step: &Step, error: &KernelError) -> bool {
    match step {
        Step::Delete(_) | Step::DeleteAddress(_) | Step::DeleteRoute(_) => {
            [Errno::SRCH, Errno::NODEV, Errno::ADDRNOTAVAIL]
                .map(Errno::raw_os_error)
                .contains(&error.number)
        }
        // The kernel raises a VLAN with what it stands on.
        Step::Up(_, true) => error.number == Errno::NETDOWN.raw_os_error(),
        _ => false,
    }
}

fn describe(step: &Step) -> String {
    match step {
        Step::AddAddress(wish) => {
            format!("add {}/{} to {}", wish.address, wish.prefix, wish.device)
        }
        Step::AddRoute(route) => format!("add the route to {}", way(route)),
        Step::AddVlan(wish) => format!("let {} carry VLAN {}", wish.device, wish.id),
        Step::Bridge(name, _) => format!("set up the bridge {name}"),
        Step::Create { name, make, .. } => match make {
            Make::Bridge => format!("make the bridge {name}"),
            Make::Vlan { lower, id, .. } => format!("make VLAN {id} on {lower} as {name}"),
        },
        Step::Delete(name) => format!("remove {name}"),
        Step::DeleteAddress(wish) => {
            format!("take {}/{} from {}", wish.address, wish.prefix, wish.device)
        }
        Step::DeleteRoute(route) => format!("remove the route to {}", way(route)),
        Step::DeleteVlan(wish) => format!("take VLAN {} from {}", wish.id, wish.device),
        Step::Ipv6(name, true) => format!("turn IPv6 on for {name}"),
        Step::Ipv6(name, false) => format!("turn IPv6 off for {name}"),
        Step::Master(name, Some(master)) => format!("put {name} into {master}"),
        Step::Master(name, None) => format!("take {name} out of its bridge"),
        Step::Mtu(name, mtu) => format!("give {name} an MTU of {mtu}"),
        Step::Up(name, true) => format!("bring {name} up"),
        Step::Up(name, false) => format!("take {name} down"),
    }
}

fn way(route: &RouteSpec) -> String {
    let mut text = route.destination.to_string();
    if let Some(gateway) = route.gateway {
        text.push_str(&format!(" via {gateway}"));
    }
    if let Some(device) = &route.device {
        text.push_str(&format!(" by {device}"));
    }
    text
}

fn link_header(index: u32, flags: u32, change: u32) -> Vec<u8> {
    let mut header = vec![AF_UNSPEC, 0, 0, 0];
    for field in [index, flags, change] {
        header.extend(field.to_ne_bytes());
    }
    header
}

fn number(kind: u16, value: u32) -> DefaultNla {
    DefaultNla::new(kind, value.to_ne_bytes().to_vec())
}

fn text(kind: u16, value: &str) -> DefaultNla {
    let mut value = value.as_bytes().to_vec();
    value.push(0);
    DefaultNla::new(kind, value)
}

fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => AF_INET,
        IpAddr::V6(_) => AF_INET6,
    }
}

fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// How far an address is valid.
fn scope(address: IpAddr) -> u8 {
    const RT_SCOPE_HOST: u8 = 254;
    match address {
        address if address.is_loopback() => RT_SCOPE_HOST,
        IpAddr::V4(address) if address.is_link_local() => RT_SCOPE_LINK,
        _ => RT_SCOPE_UNIVERSE,
    }
}

/// The last address of a network, by which all of it are addressed.
fn last(network: IpAddr, prefix: u8) -> Vec<u8> {
    match network {
        IpAddr::V4(network) => {
            let hosts = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            Ipv4Addr::from(u32::from(network) | hosts).octets().to_vec()
        }
        IpAddr::V6(network) => network.octets().to_vec(),
    }
}
