//! The server end: a listening socket, its limits, and the links that come out of it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use usphere_proto::EndpointId;
use usphere_trust::{Channel, PeerIdentity};

use super::failed::{DoorFault, DoorStep, FailedContact};
use super::gate::{Admitted, Gate, Permit, Shut, TurnedAway};
use super::link::link;
use super::opening::{self, OpeningError};
use super::partial::Begun;
use super::seats::Seats;
use super::turning::Turning;
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
    /// Connections let in per second in the long run. Whoever would wait for long is told when to come
    /// back instead.
    pub accepts_per_second: u32,
    /// Connections let in at once after a quiet time.
    pub accept_burst: u32,
    /// Connections let in per second, in the long run, from one IPv4 address or IPv6 /64.
    pub accepts_per_source_per_second: u32,
    /// Handshakes under way at once. Where there are more, the oldest makes room.
    pub handshakes_max: usize,
    /// Handshakes under way at once with one IPv4 address or IPv6 /64.
    pub handshakes_per_source_max: usize,
    /// Bytes that all links together may hold of Records that are not whole yet.
    pub begun_bytes_max: usize,
}

/// What a listener has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DoorCounts {
    /// Connections now, those that wait for their turn or are in handshake included.
    pub connections: u64,
    /// Handshakes under way now.
    pub handshakes: u64,
    /// Links whose handshake succeeded.
    pub opened: u64,
    /// Connections that were told to come back, or closed without a word, since there were too many.
    pub turned_away: u64,
    /// Handshakes that took long and had to make room for others.
    pub evicted: u64,
    /// Handshakes that failed or took too long.
    pub failed: u64,
}

/// Looks at the counts of a listener. Cheap to clone; outlives it.
#[derive(Clone, Debug)]
pub struct DoorWatch {
    gate: Arc<Gate>,
    seats: Arc<Seats>,
    tally: Arc<Tally>,
}

impl DoorWatch {
    /// Has the listener let in so many connections per second from now on, in the long run, and so many from one IPv4
    /// address or IPv6 /64. Who is connected stays so.
    pub fn set_pace(&self, per_second: u32, per_source_per_second: u32) {
        self.gate
            .set_pace(per_second, per_source_per_second, Instant::now());
    }

    /// What the listener has done so far.
    pub fn counts(&self) -> DoorCounts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        DoorCounts {
            connections: self.gate.connections() as u64,
            handshakes: self.seats.count() as u64,
            opened: of(&self.tally.opened),
            turned_away: of(&self.tally.turned_away),
            evicted: self.seats.evicted(),
            failed: of(&self.tally.failed),
        }
    }
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            connections_max: limits::CONNECTIONS_MAX,
            connections_per_source_max: limits::CONNECTIONS_PER_SOURCE_MAX,
            accepts_per_second: limits::ACCEPTS_PER_SECOND,
            accept_burst: limits::ACCEPT_BURST,
            accepts_per_source_per_second: limits::ACCEPTS_PER_SOURCE_PER_SECOND,
            handshakes_max: limits::HANDSHAKES_MAX,
            handshakes_per_source_max: limits::HANDSHAKES_PER_SOURCE_MAX,
            begun_bytes_max: limits::BEGUN_BYTES_MAX,
        }
    }
}

/// A server end that accepts links. Dropping it closes the door; links that came out of it stay.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    is_tls: bool,
    accepted: mpsc::Receiver<Link>,
    watch: DoorWatch,
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
        let socket = listen(address).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let (sender, accepted) = mpsc::channel(limits::ACCEPTED_WAITING_MAX);
        let now = Instant::now();
        let entrance = Arc::new(Entrance {
            path: door.path,
            settings,
            tls,
            sender,
            gate: Gate::new(limits, now),
            seats: Seats::new(limits),
            begun: Begun::new(limits.begun_bytes_max),
            turning: Turning::new(now),
            tally: Arc::default(),
        });
        let watch = DoorWatch {
            gate: Arc::clone(&entrance.gate),
            seats: Arc::clone(&entrance.seats),
            tally: Arc::clone(&entrance.tally),
        };
        let task = tokio::spawn(accept_all(socket, entrance));
        Ok(Self {
            address,
            is_tls: door.tls,
            accepted,
            watch,
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

    /// What looks at its counts.
    pub fn watch(&self) -> DoorWatch {
        self.watch.clone()
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
    gate: Arc<Gate>,
    seats: Arc<Seats>,
    begun: Arc<Begun>,
    turning: Turning,
    tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    opened: AtomicU64,
    turned_away: AtomicU64,
    failed: AtomicU64,
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

/// Opens the socket, with a queue for those who come while the last are let in.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(limits::BACKLOG)
}

async fn accept_all(socket: TcpListener, entrance: Arc<Entrance>) {
    loop {
        let (stream, remote) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(limits::ACCEPT_RETRY).await;
                continue;
            }
        };
        match entrance.gate.enter(remote.ip(), Instant::now()) {
            Ok(admitted) => {
                tokio::spawn(Arc::clone(&entrance).admit(stream, remote, admitted));
            }
            Err(turned_away) => entrance.turn_away(stream, remote, turned_away),
        }
    }
}

impl Entrance {
    /// One handshake, when its turn has come; given up when it takes too long or the listener is gone.
    async fn admit(self: Arc<Self>, stream: TcpStream, remote: SocketAddr, admitted: Admitted) {
        let Admitted { permit, wait } = admitted;
        if !wait.is_zero() {
            tokio::select! {
                () = sleep(wait) => {}
                () = self.sender.closed() => return,
            }
        }
        let now = Instant::now();
        let Some(seat) = self.seats.take(permit.source(), now) else {
            drop(permit);
            let turned_away = self.gate.put_off(Shut::Handshakes, now);
            return self.turn_away(stream, remote, turned_away);
        };
        let progress = Progress::default();
        // Boxed: the room of a handshake would stay taken while the link waits to be fetched.
        let open = Box::pin(self.open(stream, remote, permit, &progress));
        let handshake = timeout(self.settings.handshake_timeout, open);
        let opened = tokio::select! {
            opened = handshake => opened,
            () = self.sender.closed() => return,
            () = seat.asked_to_leave() => {
                let step = progress.step(self.tls.is_some());
                return self.failed(remote, None, DoorFault::Timeout { step });
            }
        };
        drop(seat);
        let tally = match opened {
            Ok(Ok(_)) => &self.tally.opened,
            _ => &self.tally.failed,
        };
        tally.fetch_add(1, Ordering::Relaxed);
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

    /// Tells somebody to come back, if it can be told; nobody waits for that.
    fn turn_away(self: &Arc<Self>, stream: TcpStream, remote: SocketAddr, turned_away: TurnedAway) {
        let TurnedAway { why, retry_after } = turned_away;
        tracing::debug!(%remote, ?why, ?retry_after, "turned away");
        if let Some(fault) = fault_of(why) {
            self.failed(remote, None, fault);
        }
        self.tally.turned_away.fetch_add(1, Ordering::Relaxed);
        let Some(place) = self.turning.place(self.tls.is_some(), Instant::now()) else {
            if self.tls.is_none() {
                // Said if it can be said at once.
                let _ = stream.try_write(&opening::busy(retry_after));
            }
            return;
        };
        let entrance = Arc::clone(self);
        tokio::spawn(async move {
            let telling = Box::pin(async {
                let (mut wire, _) = entrance.secure(stream, remote).await.ok()?;
                opening::put_off(&mut wire, retry_after).await.ok()
            });
            // It may be gone already; nobody is left to tell then.
            let _ = timeout(limits::TURNING_AWAY_TIMEOUT, telling).await;
            drop(place);
        });
    }

    async fn open(
        &self,
        stream: TcpStream,
        remote: SocketAddr,
        mut permit: Permit,
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
        let channel = match channel {
            // Only the proxy is on this host.
            Channel::PlainLoopback if opened.is_forwarded => Channel::PlainInsecure,
            channel => channel,
        };
        let peer = PeerIdentity {
            endpoint_id: opened.claimed,
            channel,
        };
        permit.arrived();
        let begun = Arc::clone(&self.begun);
        let place = Some((permit, begun));
        Ok(link(socket, peer, remote, place, &self.settings))
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
        let (stream, channel) = accepted.map_err(|Unwelcome { error, claimed }| {
            Rejected::Failed(DoorFault::Tls(error), claimed)
        })?;
        Ok((Wire::Tls(stream), channel))
    }
}

impl From<DoorFault> for Rejected {
    fn from(fault: DoorFault) -> Self {
        Self::Failed(fault, None)
    }
}

/// What is wrong where somebody is turned away. A crowd that comes too fast is asked back in a moment, and
/// nothing is wrong with it.
fn fault_of(shut: Shut) -> Option<DoorFault> {
    let of_source = match shut {
        Shut::Source => true,
        Shut::Total => false,
        Shut::Crowd | Shut::Handshakes | Shut::SourcePace => return None,
    };
    Some(DoorFault::Full { of_source })
}

impl Progress {
    fn step(&self, is_tls: bool) -> DoorStep {
        match is_tls && !self.is_at_request.load(Ordering::Relaxed) {
            true => DoorStep::Tls,
            false => DoorStep::Request,
        }
    }
}
