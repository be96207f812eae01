//! `Device.IP.Diagnostics.TraceRoute()`: which routers lie on the way to a host?
//!
//! Datagrams of UDP are sent with few hops to go, and routers say where they ended.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use usphere_datamodel::declare::{Command, command};
use usphere_datamodel::model::{Outputs, OwnerError};

use super::CANCEL_PERIOD;
use super::socket::{Received, Report, Socket, Verdict, is_no_route};
use super::target::{self, Arguments, Version, number, outputs};
use crate::dns::Resolver;
use crate::limits::DIAGNOSTICS_TIMEOUT_MAX;
use crate::objects::OWNER;

/// TR-181 2.19
pub(super) const TRACE_ROUTE: Command = command("TraceRoute()")
    .asynchronous()
    .by(OWNER)
    .input(&[
        "Interface",
        "ProtocolVersion",
        "Host",
        "NumberOfTries",
        "Timeout",
        "DataBlockSize",
        "DSCP",
        "MaxHopCount",
    ])
    .mandatory(&["ProtocolVersion", "Host"])
    .defaults(&[
        ("NumberOfTries", "3"),
        ("Timeout", "5000"),
        ("DataBlockSize", "38"),
        ("DSCP", "0"),
        ("MaxHopCount", "30"),
    ])
    .output(&[
        "Status",
        "IPAddressUsed",
        "ResponseTime",
        "RouteHops.{i}.Host",
        "RouteHops.{i}.HostAddress",
        "RouteHops.{i}.ErrorCode",
        "RouteHops.{i}.RTTimes",
    ]);

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TraceRoute {
    host: String,
    version: Version,
    device: Option<String>,
    tries: u16,
    timeout: Duration,
    data_bytes: usize,
    dscp: u8,
    hops_max: u8,
}

/// One router on the way, or the host at its end.
#[derive(Debug, Default, PartialEq)]
struct Hop {
    /// To which the first try goes, and the others to the next ones.
    port: u16,
    address: Option<IpAddr>,
    code: u8,
    /// One for each try.
    times: Vec<Option<Duration>>,
    is_last: bool,
    is_unreachable: bool,
}

impl TraceRoute {
    /// From the arguments of the command; `device` is the network device that `Interface` names.
    ///
    /// # Errors
    /// When an argument is out of its range.
    pub(crate) fn read(arguments: &Arguments, device: Option<String>) -> Result<Self, OwnerError> {
        let timeout = number(arguments, "Timeout", 1..=DIAGNOSTICS_TIMEOUT_MAX, 5000)?;
        let version = Version::read(arguments)?;
        let small = |name, most, otherwise| {
            number(arguments, name, 1..=most, otherwise)
                .map(|number| u8::try_from(number).unwrap_or(u8::MAX))
        };
        let dscp = number(arguments, "DSCP", 0..=63, 0)?;
        Ok(Self {
            host: target::host(arguments, "Host")?,
            version,
            device,
            tries: small("NumberOfTries", 3, 3)?.into(),
            timeout: Duration::from_millis(timeout.into()),
            data_bytes: target::data_bytes(arguments, version, 38)?,
            dscp: u8::try_from(dscp).unwrap_or(0),
            hops_max: small("MaxHopCount", 64, 30)?,
        })
    }

    /// Does it; stops soon after `is_cancelled` says so, and what it returns then is no result. `resolver`
    /// tells the names of routers.
    pub(crate) fn run(&self, resolver: &Resolver, is_cancelled: &dyn Fn() -> bool) -> Outputs {
        let Some(address) = target::resolve(&self.host, self.version, is_cancelled) else {
            return show("Error_CannotResolveHostName", None, &[], &BTreeMap::new());
        };
        let hops = match self.walk(address, is_cancelled) {
            Ok(hops) => hops,
            Err(error) => {
                let status = match error {
                    error if is_no_route(error) => "Error_NoRouteToHost",
                    nix::errno::Errno::EMSGSIZE => "Error_Other",
                    error => {
                        tracing::warn!("TraceRoute() to {address}: {error}");
                        "Error_Internal"
                    }
                };
                return show(status, Some(address), &[], &BTreeMap::new());
            }
        };
        let last = hops.last();
        let status = if last.is_some_and(|hop| hop.is_unreachable) {
            "Error_NoRouteToHost"
        } else if last.is_some_and(|hop| hop.is_last) {
            "Complete"
        } else {
            "Error_MaxHopCountExceeded"
        };
        let names = names(&hops, resolver, is_cancelled);
        show(status, Some(address), &hops, &names)
    }

    fn walk(&self, to: IpAddr, is_cancelled: &dyn Fn() -> bool) -> nix::Result<Vec<Hop>> {
        let socket = Socket::datagrams(to)?;
        if let Some(device) = &self.device {
            socket.leave_through(device)?;
        }
        socket.set_dscp(self.dscp)?;
        let data = vec![b'u'; self.data_bytes];
        let mut hops: Vec<Hop> = Vec::new();
        let mut port = FIRST_PORT;
        for distance in 1..=self.hops_max {
            if is_cancelled() {
                break;
            }
            socket.set_hops(distance)?;
            let hop = self.hop(&socket, to, port, &data, is_cancelled)?;
            port += self.tries;
            let is_end = hop.is_last || hop.is_unreachable;
            hops.push(hop);
            if is_end {
                break;
            }
        }
        Ok(hops)
    }

    /// Sends the tries of one distance, each when the one before is answered or its time is up. (TP-469 1.92)
    fn hop(
        &self,
        socket: &Socket,
        to: IpAddr,
        port: u16,
        data: &[u8],
        is_cancelled: &dyn Fn() -> bool,
    ) -> nix::Result<Hop> {
        let mut hop = Hop {
            port,
            times: vec![None; self.tries.into()],
            ..Hop::default()
        };
        let mut sent: Vec<Instant> = Vec::new();
        while !is_cancelled() {
            if let Some(left) = self.left(&hop, &sent) {
                if let Some(report) = answer(socket, to, left.min(CANCEL_PERIOD))? {
                    hop.note(report, &sent);
                }
                continue;
            }
            let next = u16::try_from(sent.len()).unwrap_or(u16::MAX);
            if next >= self.tries {
                break;
            }
            let place = SocketAddr::new(to, port + next);
            match hop.send(socket, data, place, &sent) {
                Ok(()) => {}
                Err(error) if is_no_route(error) && next > 0 => {}
                Err(error) => return Err(error),
            }
            sent.push(Instant::now());
        }
        Ok(hop)
    }

    /// How long the answer to the last try is still waited for; `None` where it has come, or none has been sent.
    fn left(&self, hop: &Hop, sent: &[Instant]) -> Option<Duration> {
        let last = sent.last()?;
        let is_answered = hop.times.get(sent.len() - 1).is_some_and(Option::is_some);
        let left = self.timeout.checked_sub(last.elapsed());
        left.filter(|left| !is_answered && !left.is_zero())
    }
}

/// The port to begin with; usually nobody listens from here on.
const FIRST_PORT: u16 = 33_434;

/// Time for asking for the names of all routers together.
const NAMES_TIME: Duration = Duration::from_secs(5);

/// What is said about a datagram within `wait`. An answer by UDP itself counts as its arrival.
fn answer(socket: &Socket, to: IpAddr, wait: Duration) -> nix::Result<Option<Report>> {
    let mut buffer = [0; 64];
    Ok(match socket.receive(&mut buffer, wait)? {
        Some(Received::Report(report)) => Some(report),
        Some(Received::Data(_)) => Some(Report {
            verdict: Verdict::Arrived,
            code: 0,
            from: Some(to),
            port: None,
        }),
        None => None,
    })
}

/// How often a try is sent again because something was said of earlier ones.
const RESENDS_MAX: usize = 16;

impl Hop {
    /// Sends one try. What is said of earlier ones meanwhile, late ones of other hops among them, is told by the
    /// kernel instead of sending: that is noted, and the try sent again.
    fn send(
        &mut self,
        socket: &Socket,
        data: &[u8],
        to: SocketAddr,
        sent: &[Instant],
    ) -> nix::Result<()> {
        let mut outcome = socket.send_to(data, to);
        for _ in 0..RESENDS_MAX {
            if outcome.is_ok() {
                break;
            }
            let Some(report) = socket.report()? else {
                // Somebody else may have read what was said; whatever fails once more fails.
                return socket.send_to(data, to);
            };
            self.note(report, sent);
            outcome = socket.send_to(data, to);
        }
        outcome
    }

    fn note(&mut self, report: Report, sent: &[Instant]) {
        let at = match report.port {
            Some(about) => usize::from(about.wrapping_sub(self.port)),
            // Whoever answers by UDP does not say to which.
            None => self.times.iter().position(Option::is_none).unwrap_or(0),
        };
        let (Some(time), Some(sent), Some(from)) =
            (self.times.get_mut(at), sent.get(at), report.from)
        else {
            return;
        };
        *time = Some(sent.elapsed());
        self.address = Some(from);
        self.code = report.code;
        self.is_last |= report.verdict == Verdict::Arrived;
        self.is_unreachable |= report.verdict == Verdict::Unreachable;
    }

    /// Milliseconds, where one is the least and 0 means no answer.
    fn milliseconds(&self) -> impl Iterator<Item = u128> {
        let times = self.times.iter();
        times.map(|time| {
            time.map_or(0, |time| {
                (time.as_micros().saturating_add(500) / 1000).max(1)
            })
        })
    }
}

/// The names of the routers, as far as they are found in time.
fn names(
    hops: &[Hop],
    resolver: &Resolver,
    is_cancelled: &dyn Fn() -> bool,
) -> BTreeMap<IpAddr, String> {
    let end = Instant::now() + NAMES_TIME;
    let mut names = BTreeMap::new();
    for address in hops.iter().filter_map(|hop| hop.address) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || is_cancelled() {
            break;
        }
        if !names.contains_key(&address)
            && let Some(name) = resolver.name_of(address, left.min(Duration::from_secs(1)))
        {
            names.insert(address, name);
        }
    }
    names
}

fn show(
    status: &str,
    address: Option<IpAddr>,
    hops: &[Hop],
    names: &BTreeMap<IpAddr, String>,
) -> Outputs {
    let end = hops.last().filter(|hop| hop.is_last);
    let times: Vec<u128> = end
        .into_iter()
        .flat_map(Hop::milliseconds)
        .filter(|time| *time > 0)
        .collect();
    let average = times.iter().sum::<u128>() / u128::try_from(times.len()).unwrap_or(1).max(1);
    let text = |address: Option<IpAddr>| address.map(|address| address.to_string());
    let mut all = outputs([
        ("Status", status.to_owned()),
        ("IPAddressUsed", text(address).unwrap_or_default()),
        ("ResponseTime", average.to_string()),
    ]);
    for (index, hop) in hops.iter().enumerate() {
        let name = hop.address.and_then(|address| names.get(&address)).cloned();
        let address = text(hop.address).unwrap_or_default();
        let times: Vec<String> = hop.milliseconds().map(|time| time.to_string()).collect();
        // Where there is no name, Host has the address.
        let (host, address) = match name {
            Some(name) => (name, address),
            None => (address, String::new()),
        };
        for (name, value) in [
            ("Host", host),
            ("HostAddress", address),
            ("ErrorCode", hop.code.to_string()),
            ("RTTimes", times.join(",")),
        ] {
            all.insert(format!("RouteHops.{}.{name}", index + 1), value);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn what_is_said_late_of_another_hop_is_not_taken_for_the_fate_of_this_one() {
        let arguments = [("Host", "127.0.0.1"), ("ProtocolVersion", "IPv4")];
        let arguments = arguments.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let trace = TraceRoute::read(&arguments.into(), None).unwrap();
        let to = IpAddr::from(Ipv4Addr::LOCALHOST);
        let socket = Socket::datagrams(to).unwrap();
        // Nobody listens there, which loopback says at once, and the next to send is told.
        let earlier = SocketAddr::new(to, FIRST_PORT - 7);
        socket.send_to(b"u", earlier).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let hop = trace.hop(&socket, to, FIRST_PORT, b"u", &|| false).unwrap();
        assert!(hop.is_last, "{hop:?}");
        assert_eq!(hop.times.iter().flatten().count(), 3);
    }
}
