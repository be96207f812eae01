//! Sockets for echo requests and for what routers say about our datagrams.
//!
//! An echo socket of the kernel is taken where the host allows it to this user, a raw one otherwise. Errors
//! that come as ICMP are read from the socket's error queue, which needs no rights.

use std::io::IoSliceMut;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use nix::Result;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn,
    SockaddrIn6, SockaddrStorage, connect, recv, recvmsg, send, sendto, setsockopt, socket,
    sockopt,
};

/// A socket with its error queue open.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    is_v6: bool,
    /// Whether the kernel hands over what arrives with its IP header (version 4), and leaves the
    /// identifier of an echo to us.
    pub(super) is_raw: bool,
}

/// What came.
#[derive(Debug)]
pub(super) enum Received {
    /// So many bytes in the buffer.
    Data(usize),
    /// Something about a datagram of ours.
    Report(Report),
}

/// What ICMP, or this host itself, says about a datagram of ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Report {
    pub(super) verdict: Verdict,
    /// The code of the ICMP message; 0 where it was this host.
    pub(super) code: u8,
    /// Who says so; None where it was this host.
    pub(super) from: Option<IpAddr>,
    /// The port that the datagram was sent to.
    pub(super) port: Option<u16>,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It reached its host, where nobody listens.
    Arrived,
    /// Its hops were used up.
    Expired,
    /// It can go no further.
    Unreachable,
    /// Anything else that was wrong.
    Other,
}

impl Socket {
    /// A socket that exchanges echoes with `to`.
    pub(super) fn echo(to: IpAddr) -> Result<Self> {
        let (family, protocol) = match to {
            IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp),
            IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6),
        };
        let open = |kind| socket(family, kind, SockFlag::SOCK_CLOEXEC, protocol);
        let (fd, is_raw) = match open(SockType::Datagram) {
            Ok(fd) => (fd, false),
            Err(Errno::EACCES | Errno::EPERM | Errno::EPROTONOSUPPORT) => {
                (open(SockType::Raw)?, true)
            }
            Err(error) => return Err(error),
        };
        let socket = Self::with_reports(fd, to, is_raw)?;
        let to = SockaddrStorage::from(SocketAddr::new(to, 0));
        connect(socket.fd.as_raw_fd(), &to)?;
        Ok(socket)
    }

    /// A socket for datagrams of UDP to addresses of the family of `to`.
    pub(super) fn datagrams(to: IpAddr) -> Result<Self> {
        let family = match to {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        let fd = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        Self::with_reports(fd, to, false)
    }

    fn with_reports(fd: OwnedFd, to: IpAddr, is_raw: bool) -> Result<Self> {
        let is_v6 = to.is_ipv6();
        if is_v6 {
            setsockopt(&fd, sockopt::Ipv6RecvErr, &true)?;
        } else {
            setsockopt(&fd, sockopt::Ipv4RecvErr, &true)?;
        }
        Ok(Self { fd, is_v6, is_raw })
    }

    /// Lets datagrams leave through the interface `name` only.
    pub(super) fn leave_through(&self, name: &str) -> Result<()> {
        setsockopt(&self.fd, sockopt::BindToDevice, &name.into())
    }

    /// Gives datagrams this codepoint.
    pub(super) fn set_dscp(&self, dscp: u8) -> Result<()> {
        let class = i32::from(dscp) << 2;
        if self.is_v6 {
            setsockopt(&self.fd, sockopt::Ipv6TClass, &class)
        } else {
            setsockopt(&self.fd, sockopt::Ipv4Tos, &class)
        }
    }

    /// Lets datagrams go so many hops.
    pub(super) fn set_hops(&self, hops: u8) -> Result<()> {
        if self.is_v6 {
            setsockopt(&self.fd, sockopt::Ipv6Ttl, &i32::from(hops))
        } else {
            setsockopt(&self.fd, sockopt::Ipv4Ttl, &i32::from(hops))
        }
    }

    /// Sends to where the socket is connected.
    pub(super) fn send(&self, bytes: &[u8]) -> Result<()> {
        send(self.fd.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT).map(drop)
    }

    /// Sends to `to`.
    pub(super) fn send_to(&self, bytes: &[u8], to: SocketAddr) -> Result<()> {
        let to = SockaddrStorage::from(to);
        sendto(self.fd.as_raw_fd(), bytes, &to, MsgFlags::MSG_DONTWAIT).map(drop)
    }

    /// What comes within `wait`, into `buffer`; None where nothing does.
    pub(super) fn receive(&self, buffer: &mut [u8], wait: Duration) -> Result<Option<Received>> {
        let mut polled = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
        let wait = PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX);
        match poll(&mut polled, wait) {
            Ok(0) | Err(Errno::EINTR) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error),
        }
        let events = polled[0].revents().unwrap_or(PollFlags::empty());
        if events.contains(PollFlags::POLLERR)
            && let Some(report) = self.report()?
        {
            return Ok(Some(Received::Report(report)));
        }
        match recv(self.fd.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(length) => Ok(Some(Received::Data(length))),
            // What stands in the error queue is told here as well.
            Err(_) => Ok(None),
        }
    }

    /// What the error queue has, if anything.
    pub(super) fn report(&self) -> Result<Option<Report>> {
        let mut payload = [0; 64];
        let mut pieces = [IoSliceMut::new(&mut payload)];
        let mut control = vec![0; CONTROL_BYTES];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message =
            recvmsg::<SockaddrStorage>(self.fd.as_raw_fd(), &mut pieces, Some(&mut control), flags);
        let message = match message {
            Ok(message) => message,
            Err(Errno::EAGAIN) => return Ok(None),
            Err(error) => return Err(error),
        };
        let port = message.address.and_then(|address| {
            let v4 = address.as_sockaddr_in().map(|address| address.port());
            v4.or_else(|| address.as_sockaddr_in6().map(|address| address.port()))
        });
        let reports = message.cmsgs()?.filter_map(|control| match control {
            ControlMessageOwned::Ipv4RecvErr(error, from) => {
                let from = from.map(|from| IpAddr::from(SockaddrIn::from(from).ip()));
                let from = from.filter(|_| error.ee_origin == ORIGIN_ICMP);
                Some((error, from))
            }
            ControlMessageOwned::Ipv6RecvErr(error, from) => {
                let from = from.map(|from| IpAddr::from(SockaddrIn6::from(from).ip()));
                let from = from.filter(|_| error.ee_origin == ORIGIN_ICMP6);
                Some((error, from))
            }
            _ => None,
        });
        let report = reports.last().map(|(error, from)| Report {
            verdict: match error.ee_origin {
                ORIGIN_ICMP => verdict_v4(error.ee_type, error.ee_code),
                ORIGIN_ICMP6 => verdict_v6(error.ee_type, error.ee_code),
                _ => Verdict::Other,
            },
            code: if from.is_some() { error.ee_code } else { 0 },
            from,
            port,
        });
        Ok(report)
    }
}

/// Whether `error` says that there is no way to a host.
pub(super) fn is_no_route(error: Errno) -> bool {
    matches!(
        error,
        Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::EHOSTDOWN | Errno::ENETDOWN
    )
}

/// Room for one report, with the address of whoever made it.
const CONTROL_BYTES: usize = 512;

/// What linux/errqueue.h calls the origins of reports.
const ORIGIN_ICMP: u8 = 2;
const ORIGIN_ICMP6: u8 = 3;

/// RFC 792
fn verdict_v4(kind: u8, code: u8) -> Verdict {
    match (kind, code) {
        (3, 3) => Verdict::Arrived,
        (3, _) => Verdict::Unreachable,
        (11, _) => Verdict::Expired,
        _ => Verdict::Other,
    }
}

/// RFC 4443
fn verdict_v6(kind: u8, code: u8) -> Verdict {
    match (kind, code) {
        (1, 4) => Verdict::Arrived,
        (1, _) => Verdict::Unreachable,
        (3, _) => Verdict::Expired,
        _ => Verdict::Other,
    }
}
