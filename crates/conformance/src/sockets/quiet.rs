//! A host that says nothing: somebody listens at the ports that routes are traced with, and never answers.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd as _;
use std::process;
use std::sync::Arc;

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::Tell;
use crate::limits::TRIED_PORTS;
use crate::peer::{Trouble, What};
use crate::tries::Try;

/// The port that routes are traced from, by old custom.
const FIRST_PORT: u16 = 33_434;

/// Room for what the system says of a datagram.
const CONTROL_BYTES: usize = 128;

/// Listens until it is dropped.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    ears: JoinSet<()>,
}

impl Quiet {
    /// Keeps silent from now on, and tells of what is tried: where.
    ///
    /// # Errors
    /// Somebody else has one of the ports.
    pub(super) fn keep(
        &mut self,
        runtime: &Runtime,
        address: IpAddr,
        tell: &Tell,
    ) -> Result<IpAddr, Trouble> {
        let address = apart(address);
        let _within = runtime.enter();
        let mut ears = JoinSet::new();
        for port in FIRST_PORT..FIRST_PORT + TRIED_PORTS {
            let socket = ear(address, port).map_err(|error| {
                Trouble::Impossible(format!("no silence at {address} port {port}: {error}"))
            })?;
            ears.spawn(listen(socket, Arc::clone(tell)));
        }
        self.ears = ears;
        Ok(address)
    }
}

/// An address of this host where other programs do not look for one another, if it is only for this host.
fn apart(address: IpAddr) -> IpAddr {
    if address != IpAddr::V4(Ipv4Addr::LOCALHOST) {
        return address;
    }
    let [.., high, low] = process::id().to_be_bytes();
    Ipv4Addr::new(127, 92, high, low).into()
}

fn ear(address: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind((address, port))?;
    socket.set_nonblocking(true)?;
    match address {
        IpAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvTtl, &true)?,
        IpAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?,
    }
    UdpSocket::from_std(socket)
}

async fn listen(socket: UdpSocket, tell: Tell) {
    loop {
        match socket.async_io(Interest::READABLE, || heard(&socket)).await {
            Ok(one) => tell(What::Tried(one)),
            Err(error) => return tracing::debug!(%error, "nothing is heard any more"),
        }
    }
}

/// One datagram; what is in it does not matter.
fn heard(socket: &UdpSocket) -> io::Result<Try> {
    let mut payload = [0; 1];
    let mut pieces = [IoSliceMut::new(&mut payload)];
    let mut control = vec![0; CONTROL_BYTES];
    let flags = MsgFlags::MSG_DONTWAIT;
    let message =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut pieces, Some(&mut control), flags)?;
    let mut hops = message.cmsgs()?.filter_map(|control| match control {
        ControlMessageOwned::Ipv4Ttl(hops) | ControlMessageOwned::Ipv6HopLimit(hops) => Some(hops),
        _ => None,
    });
    let hops_left = hops.next().and_then(|hops| u8::try_from(hops).ok());
    Ok(Try {
        hops_left: hops_left.unwrap_or(u8::MAX),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use tokio::runtime::Builder;

    use super::*;

    /// Each try is told with how far it could have gone; afterwards the host answers that nobody listens.
    #[test]
    fn tries_are_told_and_not_answered() {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (told, came) = channel();
        let tell: Tell = Arc::new(move |what| drop(told.send(what)));
        let mut quiet = Quiet::default();
        let home = IpAddr::from(Ipv4Addr::LOCALHOST);
        let address = quiet.keep(&runtime, home, &tell).unwrap();
        assert!(address.is_loopback() && address != home);
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for hops in [1, 2] {
            socket.set_ttl(hops).unwrap();
            socket.send_to(b"try", (address, FIRST_PORT + 4)).unwrap();
            let What::Tried(one) = came.recv_timeout(Duration::from_secs(10)).unwrap() else {
                panic!("something else came");
            };
            assert_eq!(u32::from(one.hops_left), hops);
        }
        quiet = Quiet::default();
        assert!(quiet.ears.is_empty());
        socket.connect((address, FIRST_PORT + 4)).unwrap();
        let is_refused = || socket.send(b"try").and_then(|_| socket.send(b"try"));
        let mut tries = (0..100).map(|_| {
            std::thread::sleep(Duration::from_millis(20));
            is_refused()
        });
        assert!(tries.any(|tried| tried.is_err()), "the silence lasts");
    }
}
