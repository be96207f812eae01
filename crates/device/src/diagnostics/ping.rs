//! `Device.IP.Diagnostics.IPPing()`: is a host there, and how long does an answer take?

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use usphere_datamodel::declare::{Command, command};
use usphere_datamodel::model::{Outputs, OwnerError};

use super::socket::{Received, Socket, Verdict, is_no_route};
use super::target::{self, Arguments, Version, number, outputs};
use super::{CANCEL_PERIOD, echo};
use crate::limits::{DIAGNOSTICS_TIMEOUT_MAX, PINGS_MAX};
use crate::objects::OWNER;

/// TR-181 2.19
pub(super) const IP_PING: Command = command("IPPing()")
    .asynchronous()
    .by(OWNER)
    .input(&[
        "Interface",
        "ProtocolVersion",
        "Host",
        "NumberOfRepetitions",
        "Timeout",
        "DataBlockSize",
        "DSCP",
    ])
    .mandatory(&[
        "ProtocolVersion",
        "Host",
        "NumberOfRepetitions",
        "Timeout",
        "DataBlockSize",
    ])
    .defaults(&[("DSCP", "0")])
    .output(&[
        "Status",
        "IPAddressUsed",
        "SuccessCount",
        "FailureCount",
        "AverageResponseTime",
        "MinimumResponseTime",
        "MaximumResponseTime",
        "AverageResponseTimeDetailed",
        "MinimumResponseTimeDetailed",
        "MaximumResponseTimeDetailed",
    ]);

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ping {
    host: String,
    version: Version,
    device: Option<String>,
    repetitions: u32,
    timeout: Duration,
    data_bytes: usize,
    dscp: u8,
}

/// What came of it.
#[derive(Debug, Default)]
struct Times {
    successes: u32,
    failures: u32,
    unreachable: u32,
    sum: Duration,
    least: Option<Duration>,
    most: Duration,
}

impl Ping {
    /// From the arguments of the command; `device` is the network device that `Interface` names.
    ///
    /// # Errors
    /// When an argument is out of its range.
    pub(crate) fn read(arguments: &Arguments, device: Option<String>) -> Result<Self, OwnerError> {
        let timeout = number(arguments, "Timeout", 1..=DIAGNOSTICS_TIMEOUT_MAX, 1000)?;
        let version = Version::read(arguments)?;
        let dscp = number(arguments, "DSCP", 0..=63, 0)?;
        Ok(Self {
            host: target::host(arguments, "Host")?,
            version,
            device,
            repetitions: number(arguments, "NumberOfRepetitions", 1..=PINGS_MAX, 3)?,
            timeout: Duration::from_millis(timeout.into()),
            data_bytes: target::data_bytes(arguments, version, 32)?,
            dscp: u8::try_from(dscp).unwrap_or(0),
        })
    }

    /// Does it; stops soon after `is_cancelled` says so, and what it returns then is no result.
    pub(crate) fn run(&self, is_cancelled: &dyn Fn() -> bool) -> Outputs {
        let Some(address) = target::resolve(&self.host, self.version, is_cancelled) else {
            return Times::default().outputs("Error_CannotResolveHostName", None);
        };
        match self.measure(address, is_cancelled) {
            Ok(times) if times.successes == 0 && times.unreachable > 0 => {
                times.outputs("Error_NoRouteToHost", Some(address))
            }
            Ok(times) => times.outputs("Complete", Some(address)),
            Err(error) if is_no_route(error) => {
                Times::default().outputs("Error_NoRouteToHost", Some(address))
            }
            Err(Errno::EMSGSIZE) => Times::default().outputs("Error_Other", Some(address)),
            Err(error) => {
                tracing::warn!("IPPing() to {address}: {error}");
                Times::default().outputs("Error_Internal", Some(address))
            }
        }
    }

    fn measure(&self, to: IpAddr, is_cancelled: &dyn Fn() -> bool) -> nix::Result<Times> {
        let socket = Socket::echo(to)?;
        if let Some(device) = &self.device {
            socket.leave_through(device)?;
        }
        socket.set_dscp(self.dscp)?;
        let [high, low, ..] = token();
        let identifier = u16::from_be_bytes([high, low]);
        let mut times = Times::default();
        let mut buffer = vec![0; self.data_bytes + 128];
        for repetition in 0..self.repetitions {
            if is_cancelled() {
                break;
            }
            let began = Instant::now();
            let sequence = u16::try_from(repetition % 0x1_0000).unwrap_or(0);
            let data = data(self.data_bytes);
            let request = echo::request(to.is_ipv6(), identifier, sequence, &data);
            let is_mine = |bytes: &[u8]| {
                let packet = match (socket.is_raw, to) {
                    (true, IpAddr::V4(_)) => echo::without_ip_header(bytes),
                    _ => bytes,
                };
                let identifier = socket.is_raw.then_some(identifier);
                echo::is_reply(packet, to.is_ipv6(), identifier, sequence, &data)
            };
            match socket.send(&request) {
                Ok(()) => {
                    let reply = self.reply(&socket, &mut buffer, &is_mine, began, is_cancelled)?;
                    times.note(reply);
                }
                Err(error) => times.note(unsent(error)?),
            }
            if repetition + 1 < self.repetitions {
                pause(PERIOD.saturating_sub(began.elapsed()), is_cancelled);
            }
        }
        Ok(times)
    }

    fn reply(
        &self,
        socket: &Socket,
        buffer: &mut [u8],
        is_mine: &dyn Fn(&[u8]) -> bool,
        began: Instant,
        is_cancelled: &dyn Fn() -> bool,
    ) -> nix::Result<Reply> {
        let mut unreachable = false;
        loop {
            let elapsed = began.elapsed();
            let Some(left) = self
                .timeout
                .checked_sub(elapsed)
                .filter(|_| !is_cancelled())
            else {
                break;
            };
            match socket.receive(buffer, left.min(CANCEL_PERIOD))? {
                Some(Received::Data(length)) if is_mine(&buffer[..length]) => {
                    return Ok(Reply::After(began.elapsed()));
                }
                Some(Received::Report(report)) => {
                    unreachable = matches!(report.verdict, Verdict::Unreachable | Verdict::Other);
                    if unreachable {
                        break;
                    }
                }
                _ => {}
            }
        }
        Ok(if unreachable {
            Reply::Unreachable
        } else {
            Reply::None
        })
    }
}

/// What a request counts as that could not be sent: one of many that failed, unless none could ever be sent.
fn unsent(error: Errno) -> nix::Result<Reply> {
    match error {
        Errno::EMSGSIZE => Err(error),
        error if is_no_route(error) => Ok(Reply::Unreachable),
        // A firewall, a full queue, what a router said of a request before.
        _ => Ok(Reply::None),
    }
}

/// The least time from one request to the next.
const PERIOD: Duration = Duration::from_millis(200);

#[derive(Debug, PartialEq)]
enum Reply {
    After(Duration),
    None,
    Unreachable,
}

impl Times {
    fn note(&mut self, reply: Reply) {
        match reply {
            Reply::After(time) => {
                self.successes += 1;
                self.sum += time;
                self.least = Some(self.least.map_or(time, |least| least.min(time)));
                self.most = self.most.max(time);
            }
            Reply::None => self.failures += 1,
            Reply::Unreachable => {
                self.failures += 1;
                self.unreachable += 1;
            }
        }
    }

    fn outputs(&self, status: &str, address: Option<IpAddr>) -> Outputs {
        let average = self.sum.checked_div(self.successes).unwrap_or_default();
        let least = self.least.unwrap_or_default();
        let milliseconds = |time: Duration| ((time.as_micros() + 500) / 1000).to_string();
        let microseconds = |time: Duration| time.as_micros().to_string();
        outputs([
            ("Status", status.to_owned()),
            (
                "IPAddressUsed",
                address
                    .map(|address| address.to_string())
                    .unwrap_or_default(),
            ),
            ("SuccessCount", self.successes.to_string()),
            ("FailureCount", self.failures.to_string()),
            ("AverageResponseTime", milliseconds(average)),
            ("MinimumResponseTime", milliseconds(least)),
            ("MaximumResponseTime", milliseconds(self.most)),
            ("AverageResponseTimeDetailed", microseconds(average)),
            ("MinimumResponseTimeDetailed", microseconds(least)),
            ("MaximumResponseTimeDetailed", microseconds(self.most)),
        ])
    }
}

/// Waits, but not when it is cancelled.
fn pause(time: Duration, is_cancelled: &dyn Fn() -> bool) {
    let end = Instant::now() + time;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || is_cancelled() {
            return;
        }
        std::thread::sleep(left.min(CANCEL_PERIOD));
    }
}

/// A data block that only the answer to this request has, as far as it is long enough.
fn data(bytes: usize) -> Vec<u8> {
    token().into_iter().cycle().take(bytes).collect()
}

/// Eight bytes that nobody can guess.
fn token() -> [u8; 8] {
    RandomState::new().hash_one(0).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_cannot_be_sent_is_a_failure_among_others() {
        let mut times = Times::default();
        for error in [Errno::ECONNREFUSED, Errno::EPERM, Errno::ENOBUFS] {
            times.note(unsent(error).unwrap());
        }
        assert_eq!((times.failures, times.unreachable), (3, 0));
        times.note(unsent(Errno::EHOSTUNREACH).unwrap());
        assert_eq!((times.failures, times.unreachable), (4, 1));
        assert_eq!(unsent(Errno::EMSGSIZE).unwrap_err(), Errno::EMSGSIZE);
    }
}
