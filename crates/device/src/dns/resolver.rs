//! Asking DNS servers over UDP, one after the other.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::client::in_use;
use super::message::{self, Answer, Kind};
use crate::config::HostPaths;
use crate::files::Unread;
use crate::text::fit;

/// The servers of the host, as its files name them now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolver {
    pub(super) servers: Vec<SocketAddr>,
    /// What is appended to a name without a dot.
    pub(super) domain: Option<String>,
}

/// How a question to one server ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Answered(Answer, Duration),
    /// The question cannot be put: the name is none.
    NoName,
    /// Nothing came in time.
    Silent,
    /// The server cannot be reached.
    Unavailable,
}

impl Resolver {
    /// The servers of the host below `paths`.
    ///
    /// # Errors
    /// When its files cannot be read.
    pub(crate) fn of(paths: &HostPaths) -> Result<Self, Unread> {
        let conf = in_use(paths)?;
        let servers = conf.servers().filter(|server| server.is_used());
        Ok(Self {
            servers: servers
                .filter_map(|server| Some(SocketAddr::new(server.address?, PORT)))
                .collect(),
            domain: conf.domain().map(str::to_owned),
        })
    }

    /// The name of `address`, asked of the first server that answers within `time`.
    pub(crate) fn name_of(&self, address: IpAddr, time: Duration) -> Option<String> {
        let end = Instant::now() + time;
        for server in &self.servers {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let never = || false;
            if let Outcome::Answered(answer, _) = ask(
                *server,
                &message::reverse(address),
                Kind::Ptr,
                left,
                None,
                &never,
            ) {
                let found = answer.verdict == message::Verdict::Found;
                let name = answer.name.filter(|_| found)?;
                return Some(fit(name.as_bytes(), 256));
            }
        }
        None
    }
}

/// Where DNS servers listen.
pub(super) const PORT: u16 = 53;

/// Longest answer over UDP that is looked at.
const ANSWER_BYTES_MAX: usize = 4096;

/// How soon a question that is cancelled ends.
const CANCEL_PERIOD: Duration = Duration::from_millis(100);

/// Puts one question to one server; what is no answer to it is not looked at. `from` is the network device
/// to ask through.
pub(super) fn ask(
    server: SocketAddr,
    name: &str,
    kind: Kind,
    time: Duration,
    from: Option<&str>,
    is_cancelled: &dyn Fn() -> bool,
) -> Outcome {
    let [high, low, ..] = RandomState::new().hash_one(0).to_be_bytes();
    let Some(question) = message::question(u16::from_be_bytes([high, low]), name, kind) else {
        return Outcome::NoName;
    };
    let began = Instant::now();
    let Ok(socket) = connect(server, from) else {
        return Outcome::Unavailable;
    };
    if socket.send(&question).is_err() {
        return Outcome::Unavailable;
    }
    let mut buffer = vec![0; ANSWER_BYTES_MAX];
    loop {
        let left = time.saturating_sub(began.elapsed());
        if left.is_zero() || is_cancelled() {
            return Outcome::Silent;
        }
        let slice = left.min(CANCEL_PERIOD).max(Duration::from_millis(1));
        if socket.set_read_timeout(Some(slice)).is_err() {
            return Outcome::Unavailable;
        }
        match socket.recv(&mut buffer) {
            Ok(length) => {
                if let Some(answer) = message::answer(&question, &buffer[..length]) {
                    return Outcome::Answered(answer, began.elapsed());
                }
            }
            Err(error) if is_timeout(&error) => {}
            Err(_) => return Outcome::Unavailable,
        }
    }
}

fn connect(server: SocketAddr, from: Option<&str>) -> std::io::Result<UdpSocket> {
    let any = match server {
        SocketAddr::V4(_) => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
        SocketAddr::V6(_) => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0),
    };
    let socket = UdpSocket::bind(any)?;
    if let Some(device) = from {
        nix::sys::socket::setsockopt(
            &socket,
            nix::sys::socket::sockopt::BindToDevice,
            &device.into(),
        )?;
    }
    socket.connect(server)?;
    Ok(socket)
}

fn is_timeout(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}
