//! The server end: a listening socket, its limits, and the links that come out of it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use usphere_proto::EndpointId;
use usphere_trust::{Channel, PeerIdentity};

use super::failed::{DoorFault, DoorStep, FailedContact};
use super::gate::{Gate, Pace, Permit, Shut};
use super::link::link;
use super::opening::{self, OpeningError};
use super::{Link, Settings};
use crate::limits;
use crate::metered::Metered;
use crate::tls::{CLIENT_HELLO, Tls, TlsError, Unwelcome};
use crate::wire::Wire;

/// Where a listener waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// Address and port; port 0 takes any free one.
    pub address: SocketAddr,
    /// Path of the Endpoint, with its leading `/`. (R-WS.2)
    pub path: String,
    /// Whether those who come have to speak TLS.
    pub tls: bool,
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
    is_tls: bool,
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
    /// A door for TLS without a certificate and key to show there.
    #[error("{address}: wss needs a certificate and its key, and there are none")]
    NoIdentity {
        /// The address.
        address: SocketAddr,
    },
}

impl Listener {
    /// Opens a door. Handshakes are answered from now on, each in a small task of its own.
    ///
    /// # Errors
    /// [`BindError`] when the address is taken or forbidden, when it is off loopback with neither
    /// TLS nor `insecure`, or when there is no identity for TLS.
    pub async fn bind(
        door: Door,
        settings: Settings,
        limits: ListenerLimits,
    ) -> Result<Self, BindError> {
        let address = door.address;
        if !door.tls && !door.insecure && !address.ip().to_canonical().is_loopback() {
            return Err(BindError::NotLoopback { address });
        }
        let tls = settings.tls.clone().filter(|tls| tls.has_identity());
        let tls = match (door.tls, tls) {
            (true, None) => return Err(BindError::NoIdentity { address }),
            (true, tls) => tls,
            (false, _) => None,
        };
        let failed = |source| BindError::Address { address, source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let (sender, accepted) = mpsc::channel(limits::ACCEPTED_WAITING_MAX);
        let entrance = Arc::new(Entrance {
            path: door.path,
            settings,
            tls,
            sender,
        });
        let task = tokio::spawn(accept_all(socket, entrance, limits));
        Ok(Self {
            address,
            is_tls: door.tls,
            accepted,
            task,
        })
    }

    /// Where it listens, with the port that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Whether TLS is spoken there.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The next link whose handshake succeeded. Cancelling loses nothing. `None` only when the
    /// runtime is shutting down.
    pub async fn accept(&mut self) -> Option<Link> {
        self.accepted.recv().await
    }

    /// Closes the door. When this is ready, its address can be taken again.
    pub async fn close(mut self) {
        self.task.abort();
        // It was aborted, or has ended by itself; either way its socket is gone.
        let _ = (&mut self.task).await;
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
    /// Present where TLS is spoken.
    tls: Option<Arc<Tls>>,
    sender: mpsc::Sender<Link>,
}

/// What became of a connection of which no link came.
#[derive(Debug)]
enum Rejected {
    /// Something was wrong, and who came.
    Failed(DoorFault, Option<EndpointId>),
    /// It ended without a word: somebody looked whether the door is open.
    Left,
}

/// How far a handshake is.
#[derive(Debug, Default)]
struct Progress {
    is_at_request: AtomicBool,
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
                let of_source = matches!(shut, Shut::Source);
                entrance.failed(remote, None, DoorFault::Full { of_source });
                if entrance.tls.is_none() {
                    // Said if it can be said at once.
                    let _ = stream.try_write(&opening::busy());
                }
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
        let progress = Progress::default();
        // Boxed: the room of a handshake would stay taken while the link waits to be fetched.
        let open = Box::pin(self.open(stream, remote, permit, &progress));
        let handshake = timeout(self.settings.handshake_timeout, open);
        let opened = tokio::select! {
            opened = handshake => opened,
            () = self.sender.closed() => return,
        };
        match opened {
            // The listener may be dropped meanwhile, and the link with it.
            Ok(Ok(link)) => drop(self.sender.send(link).await),
            Ok(Err(Rejected::Failed(fault, claimed))) => self.failed(remote, claimed, fault),
            Ok(Err(Rejected::Left)) => tracing::debug!(%remote, "left without a word"),
            Err(_) => {
                let step = progress.step(self.tls.is_some());
                self.failed(remote, None, DoorFault::Timeout { step });
            }
        }
    }

    /// Tells of a connection of which no link came.
    fn failed(&self, remote: SocketAddr, claimed: Option<EndpointId>, fault: DoorFault) {
        match &fault {
            DoorFault::Tls(TlsError::Distrusted(_)) => {
                tracing::info!(%remote, "refused: {fault}");
            }
            fault => tracing::debug!(%remote, %fault, "no link"),
        }
        if let Some(witness) = &self.settings.witness {
            witness.tell(FailedContact {
                remote,
                claimed,
                fault,
            });
        }
    }

    async fn open(
        &self,
        stream: TcpStream,
        remote: SocketAddr,
        permit: Permit,
        progress: &Progress,
    ) -> Result<Link, Rejected> {
        let broken = |error: io::Error| {
            Rejected::from(DoorFault::Broken {
                step: progress.step(self.tls.is_some()),
                reason: error.to_string(),
            })
        };
        stream.set_nodelay(true).map_err(broken)?;
        let (mut wire, channel) = self.secure(stream, remote).await?;
        progress.is_at_request.store(true, Ordering::Relaxed);
        let opened = opening::answer(&mut wire, &self.path, &self.settings.our_id).await;
        let opened = opened.map_err(|error| match error {
            OpeningError::Empty => Rejected::Left,
            OpeningError::Io(error) => match TlsError::within(error) {
                // A client may refuse our certificate after all else is done.
                Ok(error) => Rejected::from(DoorFault::Tls(error)),
                Err(error) => broken(error),
            },
            OpeningError::Refused { denied, claimed } => {
                Rejected::Failed(denied.into_fault(), claimed)
            }
        })?;
        let socket = WebSocketStream::from_partially_read(
            wire,
            opened.rest,
            Role::Server,
            Some(self.settings.protocol()),
        )
        .await;
        let peer = PeerIdentity {
            endpoint_id: opened.claimed,
            channel,
        };
        Ok(link(socket, peer, remote, Some(permit), &self.settings))
    }

    /// Does the handshake of TLS where it is spoken. Who comes without is told so. (R-WS.22)
    async fn secure(
        &self,
        mut stream: TcpStream,
        remote: SocketAddr,
    ) -> Result<(Wire, Channel), Rejected> {
        let Some(tls) = &self.tls else {
            let channel = Channel::plain(remote.ip());
            return Ok((Wire::Plain(Metered::new(stream)), channel));
        };
        let mut first = [0];
        let peeked = stream.peek(&mut first).await;
        let peeked = peeked.map_err(|error| DoorFault::Broken {
            step: DoorStep::Tls,
            reason: error.to_string(),
        })?;
        if peeked == 0 {
            return Err(Rejected::Left);
        }
        if first != [CLIENT_HELLO] {
            opening::refuse_plain(&mut stream).await;
            return Err(DoorFault::NotTls.into());
        }
        let accepted = tls.accept(Metered::new(stream)).await;
        let (stream, session) = accepted.map_err(|Unwelcome { error, claimed }| {
            Rejected::Failed(DoorFault::Tls(error), claimed)
        })?;
        Ok((Wire::Tls(stream), Channel::Tls(session)))
    }
}

impl From<DoorFault> for Rejected {
    fn from(fault: DoorFault) -> Self {
        Self::Failed(fault, None)
    }
}

impl Progress {
    fn step(&self, is_tls: bool) -> DoorStep {
        match is_tls && !self.is_at_request.load(Ordering::Relaxed) {
            true => DoorStep::Tls,
            false => DoorStep::Request,
        }
    }
}
