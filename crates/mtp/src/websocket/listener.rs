//! The server end: a listening socket, its limits, and the links that come out of it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use usphere_trust::{Channel, PeerIdentity};

use super::gate::{Gate, Pace, Permit};
use super::link::link;
use super::metered::Metered;
use super::opening::{self, OpeningError};
use super::{Link, Settings};
use crate::limits;

/// Where a listener waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// Address and port; port 0 takes any free one.
    pub address: SocketAddr,
    /// Path of the Endpoint, with its leading `/`. (R-WS.2)
    pub path: String,
    /// Whether a plain door may be opened off loopback.
    pub insecure: bool,
}

/// What a listener puts up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Connections at once, those in handshake included.
    pub connections_max: usize,
    /// Connections at once from one IPv4 address or IPv6 /64.
    pub connections_per_source_max: usize,
    /// Connections accepted per second in the long run; the others wait in the system's queue.
    pub accepts_per_second: u32,
    /// Connections accepted at once after a quiet time.
    pub accept_burst: u32,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            connections_max: limits::CONNECTIONS_MAX,
            connections_per_source_max: limits::CONNECTIONS_PER_SOURCE_MAX,
            accepts_per_second: limits::ACCEPTS_PER_SECOND,
            accept_burst: limits::ACCEPT_BURST,
        }
    }
}

/// A server end that accepts links. Dropping it closes the door; links that came out of it stay.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    accepted: mpsc::Receiver<Link>,
    task: JoinHandle<()>,
}

/// Why a door could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The system refuses the address.
    #[error("{address}: cannot listen: {source}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A plain door off loopback that was not asked for by name. (R-SEC.0)
    #[error(
        "{address}: not a loopback address, and without TLS anyone there could read and change \
         what is said; listen on 127.0.0.1 or [::1], or set `insecure` to accept that"
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
}

impl Listener {
    /// Opens a plain door. Handshakes are answered from now on, each in a small task of its own.
    ///
    /// # Errors
    /// [`BindError`] when the address is taken, forbidden, or off loopback without `insecure`.
    pub async fn bind(
        door: Door,
        settings: Settings,
        limits: ListenerLimits,
    ) -> Result<Self, BindError> {
        let address = door.address;
        if !door.insecure && !address.ip().to_canonical().is_loopback() {
            return Err(BindError::NotLoopback { address });
        }
        let failed = |source| BindError::Address { address, source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let (sender, accepted) = mpsc::channel(limits::ACCEPTED_WAITING_MAX);
        let entrance = Arc::new(Entrance {
            path: door.path,
            settings,
            sender,
        });
        let task = tokio::spawn(accept_all(socket, entrance, limits));
        Ok(Self {
            address,
            accepted,
            task,
        })
    }

    /// Where it listens, with the port that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The next link whose handshake succeeded. Cancelling loses nothing. `None` only when the
    /// runtime is shutting down.
    pub async fn accept(&mut self) -> Option<Link> {
        self.accepted.recv().await
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What every handshake needs.
#[derive(Debug)]
struct Entrance {
    path: String,
    settings: Settings,
    sender: mpsc::Sender<Link>,
}

async fn accept_all(socket: TcpListener, entrance: Arc<Entrance>, limits: ListenerLimits) {
    let gate = Gate::new(limits.connections_max, limits.connections_per_source_max);
    let mut pace = Pace::new(
        limits.accepts_per_second,
        limits.accept_burst,
        Instant::now(),
    );
    loop {
        let (stream, remote) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(limits::ACCEPT_RETRY).await;
                continue;
            }
        };
        match gate.enter(remote.ip()) {
            Ok(permit) => {
                tokio::spawn(Arc::clone(&entrance).admit(stream, remote, permit));
            }
            Err(shut) => {
                tracing::debug!(%remote, ?shut, "connection limit reached");
                // Said if it can be said at once.
                let _ = stream.try_write(&opening::busy());
            }
        }
        let wait = pace.take(Instant::now());
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }
}

impl Entrance {
    /// One handshake, given up when it takes too long or the listener is gone.
    async fn admit(self: Arc<Self>, stream: TcpStream, remote: SocketAddr, permit: Permit) {
        let handshake = timeout(
            self.settings.handshake_timeout,
            self.open(stream, remote, permit),
        );
        let opened = tokio::select! {
            opened = handshake => opened,
            () = self.sender.closed() => return,
        };
        match opened {
            // The listener may be dropped meanwhile, and the link with it.
            Ok(Ok(link)) => drop(self.sender.send(link).await),
            Ok(Err(error)) => tracing::debug!(%remote, %error, "handshake failed"),
            Err(_) => tracing::debug!(%remote, "handshake took too long"),
        }
    }

    async fn open(
        &self,
        mut stream: TcpStream,
        remote: SocketAddr,
        permit: Permit,
    ) -> Result<Link, OpeningError> {
        stream.set_nodelay(true)?;
        let opened = opening::answer(&mut stream, &self.path, &self.settings.our_id).await?;
        let socket = WebSocketStream::from_partially_read(
            Metered::new(stream),
            opened.rest,
            Role::Server,
            Some(self.settings.protocol()),
        )
        .await;
        let peer = PeerIdentity {
            endpoint_id: opened.claimed,
            channel: Channel::plain(remote.ip()),
        };
        Ok(link(socket, peer, remote, Some(permit), &self.settings))
    }
}
