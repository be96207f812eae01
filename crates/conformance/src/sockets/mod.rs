//! The Agent over real WebSockets: it dials us, or we dial it; perhaps its process is ours.
//!
//! A small runtime moves bytes on a thread of its own; the bench stays on its thread and takes what happens from
//! a queue. Nothing here judges what comes.

pub mod broker;

mod beside;
mod door;
mod line;
mod quiet;
mod spawned;
mod web;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use usphere_mtp::tls::{Holder, Issued, Term, Tls};
use usphere_mtp::websocket::Target;
use usphere_proto::EndpointId;
use usphere_runtime::{ControllerTls, TlsFiles};

use self::broker::collector::Collector;
use self::quiet::Quiet;
pub use self::spawned::Spawn;
use self::spawned::Spawned;
use self::web::Site;
use crate::credentials::Credentials;
use crate::limits::PROCESS_CHECK;
use crate::peer::{Address, Happening, Peer, Seat, Trouble, WebSocket, What};
use crate::publications::Publications;
use crate::tries::Tries;
use crate::web::Web;

/// How long before and after its making a certificate of a test is valid.
const MADE_SECONDS: i64 = 24 * 3600;

/// How the Agent is reached.
#[derive(Clone, Debug)]
pub enum Reach {
    /// We dial it.
    Dial(Target),
    /// It dials us.
    Listen(Listen),
}

/// Where the Agent dials us.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Where to listen; port 0 takes any that is free. The second Controller is at the next port.
    pub address: SocketAddr,
    /// The path.
    pub path: String,
    /// Whether TLS is spoken.
    pub tls: bool,
}

/// What is needed to reach an Agent.
pub struct Setup {
    /// How it is reached.
    pub reach: Reach,
    /// Who the Controller is.
    pub primary: EndpointId,
    /// Who the second Controller is.
    pub second: EndpointId,
    /// What the Controller speaks TLS with, where it is spoken.
    pub tls: Option<ControllerTls>,
    /// What the second Controller speaks TLS with.
    pub second_tls: Option<ControllerTls>,
    /// The certificate of the web server, and its key; without, there is none over TLS.
    pub web: Option<TlsFiles>,
    /// What the Controller proves by certificates within Records.
    pub credentials: Option<Credentials>,
    /// The Agent's process, where it is ours.
    pub spawn: Option<Spawn>,
    /// Set by whoever wants the run to end at once: nothing is waited for any more.
    pub stop: Arc<AtomicBool>,
}

/// Why the Agent cannot be reached at all.
#[derive(Debug, thiserror::Error)]
pub enum SocketsError {
    /// The door cannot be opened.
    #[error("cannot listen at {address}: {source}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No runtime.
    #[error("the runtime cannot be started: {0}")]
    Runtime(io::Error),
    /// The Agent's process cannot be started.
    #[error("{command}: {source}")]
    Spawn {
        /// The command.
        command: String,
        /// What the system says.
        source: io::Error,
    },
    /// TLS is wanted, and there is no certificate.
    #[error("wss needs a certificate, its key, and CAs to trust")]
    NoTls,
}

/// What becomes of a connection on which too little is said.
const TOO_SLOW: &str = "the handshake took too long";

/// An Agent over real WebSockets.
pub struct Sockets {
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
    happened: Receiver<Happening>,
    spawned: Option<Spawned>,
    /// A certificate that the Agent has not seen.
    made: Option<Issued>,
    site: Site,
    collector: Collector,
    quiet: Quiet,
    web_files: Option<TlsFiles>,
    credentials: Option<Credentials>,
    stop: Arc<AtomicBool>,
}

/// What the bench's thread and the lines share.
struct Shared {
    began: Instant,
    reach: Reach,
    primary: EndpointId,
    second: EndpointId,
    tls: Option<ControllerTls>,
    second_tls: Option<ControllerTls>,
    /// Where each Controller is dialled.
    doors: BTreeMap<Seat, SocketAddr>,
    turns_away: AtomicBool,
    tells_extension: AtomicBool,
    told: Sender<Happening>,
    links: Mutex<Links>,
}

#[derive(Default)]
struct Links {
    named: u64,
    open: BTreeMap<Seat, Handle>,
}

/// A link that is open.
struct Handle {
    number: u64,
    orders: UnboundedSender<Order>,
}

/// What a line is to do.
enum Order {
    Close(u16),
    Cut,
    Fragments(Bytes),
    Ping(Bytes),
    Pong(Bytes),
    Send(Bytes),
}

/// Tells the bench of something that happened beside the link.
type Tell = Arc<dyn Fn(What) + Send + Sync>;

/// Anything that bytes go over.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

impl Sockets {
    /// Opens the door where the Agent dials us, and starts its process where that is ours. Nothing is dialled
    /// yet.
    ///
    /// # Errors
    /// [`SocketsError`].
    pub fn start(setup: Setup) -> Result<Self, SocketsError> {
        let Setup {
            mut reach,
            primary,
            second,
            tls,
            second_tls,
            web,
            credentials,
            spawn,
            stop,
        } = setup;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(SocketsError::Runtime)?;
        let wants_tls = match &reach {
            Reach::Dial(target) => target.tls,
            Reach::Listen(listen) => listen.tls,
        };
        if wants_tls && (tls.is_none() || second_tls.is_none()) {
            return Err(SocketsError::NoTls);
        }
        let mut listeners = Vec::new();
        if let Reach::Listen(listen) = &mut reach {
            for seat in [Seat::Primary, Seat::Second] {
                let mut address = listen.address;
                if seat == Seat::Second && address.port() != 0 {
                    address.set_port(address.port().wrapping_add(1));
                }
                let bind = |source| SocketsError::Bind { address, source };
                let bound = runtime.block_on(TcpListener::bind(address));
                let bound = bound.map_err(bind)?;
                let address = bound.local_addr().map_err(bind)?;
                listeners.push((seat, address, bound));
            }
            listen.address = listeners[0].1;
        }
        let (told, happened) = channel();
        let shared = Arc::new(Shared {
            began: Instant::now(),
            reach,
            primary,
            second,
            tls,
            second_tls,
            doors: listeners
                .iter()
                .map(|(seat, address, _)| (*seat, *address))
                .collect(),
            turns_away: AtomicBool::new(false),
            tells_extension: AtomicBool::new(true),
            told,
            links: Mutex::default(),
        });
        for (seat, _, listener) in listeners {
            runtime.spawn(door::keep(listener, seat, Arc::clone(&shared)));
        }
        let spawned = spawn.map(|spawn| {
            let filled = spawn.filled_in(shared.primary.as_str(), &shared.url());
            let command = filled.command.clone();
            Spawned::start(filled).map_err(|source| SocketsError::Spawn { command, source })
        });
        Ok(Self {
            runtime: Some(runtime),
            shared,
            happened,
            spawned: spawned.transpose()?,
            made: None,
            site: Site::default(),
            collector: Collector::default(),
            quiet: Quiet::default(),
            web_files: web,
            credentials,
            stop,
        })
    }

    /// Where the Agent dials us, or is dialled.
    pub fn url(&self) -> String {
        self.shared.url()
    }

    fn order(&self, seat: Seat, order: Order) -> Result<(), Trouble> {
        let links = self.shared.links();
        let sent = links.open.get(&seat).map(|link| link.orders.send(order));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(Trouble::Gone(format!("{seat} has no link"))),
        }
    }
}

impl Shared {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn endpoint_id(&self, seat: Seat) -> &EndpointId {
        match seat {
            Seat::Primary | Seat::Twin => &self.primary,
            Seat::Second => &self.second,
        }
    }

    fn url(&self) -> String {
        match &self.reach {
            Reach::Dial(target) => target.to_string(),
            Reach::Listen(listen) => {
                let scheme = if listen.tls { "wss" } else { "ws" };
                format!("{scheme}://{}{}", listen.address, listen.path)
            }
        }
    }

    /// What the Controller of a seat speaks TLS with.
    fn tls(&self, seat: Seat) -> Option<Arc<Tls>> {
        let tls = match seat {
            Seat::Primary | Seat::Twin => self.tls.as_ref(),
            Seat::Second => self.second_tls.as_ref(),
        };
        tls.map(ControllerTls::tls)
    }

    fn happen(&self, seat: Seat, what: What) {
        let at = self.now();
        // Nobody is told once the bench is gone.
        drop(self.told.send(Happening { seat, at, what }));
    }

    /// A link is there, in place of one that was there before: its number, and what it is to do.
    fn opened(&self, seat: Seat) -> (u64, UnboundedReceiver<Order>) {
        let (orders, received) = unbounded_channel();
        let mut links = self.links();
        links.named += 1;
        let number = links.named;
        if links.open.insert(seat, Handle { number, orders }).is_some() {
            let text = "the Agent has opened another one".to_owned();
            self.happen(seat, What::Lost(text));
        }
        self.happen(seat, What::Opened);
        (number, received)
    }

    /// Says what happened on a link, if it still is the one of its seat.
    fn heard(&self, seat: Seat, number: u64, what: What) {
        let is_end = matches!(what, What::Closed { .. } | What::Lost(_));
        let mut links = self.links();
        if links
            .open
            .get(&seat)
            .is_some_and(|link| link.number == number)
        {
            self.happen(seat, what);
            if is_end {
                links.open.remove(&seat);
            }
        }
    }
}

impl Peer for Sockets {
    fn way(&self) -> String {
        match &self.shared.reach {
            Reach::Dial(target) => format!("WebSocket, dialled at {target}"),
            Reach::Listen(_) => format!("WebSocket, which the Agent dials at {}", self.url()),
        }
    }

    fn endpoint_id(&self, seat: Seat) -> EndpointId {
        self.shared.endpoint_id(seat).clone()
    }

    fn address(&self, seat: Seat) -> Option<Address> {
        let Reach::Listen(listen) = &self.shared.reach else {
            return None;
        };
        let address = self.shared.doors.get(&seat)?;
        Some(Address {
            host: address.ip().to_string(),
            port: address.port(),
            path: listen.path.clone(),
            encryption: listen.tls,
        })
    }

    fn now(&self) -> Duration {
        self.shared.now()
    }

    fn next(&mut self, until: Duration) -> Option<Happening> {
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(text) = self.spawned.as_mut().and_then(Spawned::look_after) {
                self.shared.happen(Seat::Primary, What::Noted(text));
            }
            let asked = self.now();
            let left = until.saturating_sub(asked);
            let came = self.happened.recv_timeout(left.min(PROCESS_CHECK));
            if let Some(text) = beside::held_up(self.now().saturating_sub(asked)) {
                self.shared.happen(Seat::Primary, What::Noted(text));
            }
            match came {
                Ok(happening) => return Some(happening),
                Err(RecvTimeoutError::Timeout) if left > PROCESS_CHECK => {}
                Err(_) => return None,
            }
        }
    }

    fn send(&mut self, seat: Seat, message: Bytes) -> Result<(), Trouble> {
        self.order(seat, Order::Send(message))
    }

    fn connect(&mut self, seat: Seat) -> Result<(), Trouble> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Trouble::Impossible("the run was ended".to_owned()));
        }
        if let Some(spawned) = &self.spawned {
            spawned.check().map_err(Trouble::Impossible)?;
        }
        let target = match &self.shared.reach {
            Reach::Listen(_) if seat == Seat::Twin => {
                return Err(Trouble::Impossible(
                    "the Agent dials us, so that we cannot open a second connection; --agent dials an Agent that listens"
                        .to_owned(),
                ));
            }
            Reach::Listen(_) => return Ok(()),
            Reach::Dial(target) => target.clone(),
        };
        let is_open = self.shared.links().open.contains_key(&seat);
        let runtime = self.runtime.as_ref().filter(|_| !is_open);
        let Some(runtime) = runtime else {
            return Ok(());
        };
        let shared = Arc::clone(&self.shared);
        let socket = runtime.block_on(line::dial(&target, seat, &shared));
        let socket = socket.map_err(|reason| Trouble::Gone(format!("{target}: {reason}")))?;
        let (number, orders) = shared.opened(seat);
        runtime.spawn(line::run(socket, seat, number, orders, shared));
        Ok(())
    }

    fn drop_link(&mut self, seat: Seat) {
        let link = self.shared.links().open.remove(&seat);
        if let Some(link) = link {
            // A line that is gone needs no order.
            drop(link.orders.send(Order::Cut));
        }
    }

    fn restart(&mut self) -> Result<(), Trouble> {
        spawned::restart(self.spawned.as_mut())
    }

    fn can_restart(&self) -> bool {
        self.spawned.is_some()
    }

    fn sessions_from(&self) -> u64 {
        // A thousand session contexts a second would be needed for one to come again.
        unix_seconds().unsigned_abs().saturating_mul(1000)
    }

    fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    fn websocket(&mut self) -> Option<&mut dyn WebSocket> {
        Some(self)
    }

    fn web(&mut self) -> Option<&mut dyn Web> {
        Some(self)
    }

    fn publications(&mut self) -> Option<&mut dyn Publications> {
        Some(self)
    }

    fn tries(&mut self) -> Option<&mut dyn Tries> {
        Some(self)
    }
}

impl WebSocket for Sockets {
    fn ping(&mut self, seat: Seat, payload: Bytes) -> Result<(), Trouble> {
        self.order(seat, Order::Ping(payload))
    }

    fn pong(&mut self, seat: Seat, payload: Bytes) -> Result<(), Trouble> {
        self.order(seat, Order::Pong(payload))
    }

    fn close(&mut self, seat: Seat, code: u16) -> Result<(), Trouble> {
        self.order(seat, Order::Close(code))
    }

    fn send_fragmented(&mut self, seat: Seat, message: Bytes) -> Result<(), Trouble> {
        self.order(seat, Order::Fragments(message))
    }

    fn turn_away(&mut self, all: bool) -> Result<(), Trouble> {
        match self.shared.reach {
            Reach::Dial(_) => Err(Trouble::Impossible(
                "we dial the Agent, so that there is nobody to turn away; --listen waits for one that dials".to_owned(),
            )),
            Reach::Listen(_) => {
                self.shared.turns_away.store(all, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    fn tell_extension(&mut self, told: bool) {
        self.shared.tells_extension.store(told, Ordering::Relaxed);
    }

    fn is_tls(&self) -> bool {
        self.shared.url().starts_with("wss")
    }

    fn make_certificate(&mut self) -> Result<String, Trouble> {
        if !self.is_tls() {
            return Err(without_tls());
        }
        let now = unix_seconds();
        let term = Term {
            not_before: now - MADE_SECONDS,
            not_after: now + MADE_SECONDS,
        };
        let id = &self.shared.primary;
        let addresses = match &self.shared.reach {
            Reach::Dial(_) => Vec::new(),
            Reach::Listen(listen) => vec![listen.address.ip()],
        };
        let holder = Holder {
            endpoints: vec![id.clone()],
            addresses,
            ..Holder::default()
        };
        let made = Issued::self_signed_by(id, &holder, term);
        let made = made.map_err(|error| Trouble::Impossible(error.to_string()))?;
        let certificate = made.certificate.clone();
        self.made = Some(made);
        Ok(certificate)
    }

    fn present_made(&mut self, made: bool) -> Result<(), Trouble> {
        let tls = self.shared.tls.as_ref().ok_or_else(without_tls)?;
        let outcome = match (made, &self.made) {
            (true, None) => return Err(without_tls()),
            (true, Some(made)) => {
                let identity = made.identity();
                identity.map(|identity| tls.tls().set_identity(identity))
            }
            (false, _) => tls.reload(),
        };
        outcome.map_err(|error| Trouble::Impossible(error.to_string()))
    }
}

/// The time, in seconds since 1970 began in UTC.
pub fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as i64)
}

fn without_tls() -> Trouble {
    let reason = "the Agent is reached without TLS; a URL with wss:// reaches it with TLS";
    Trouble::Impossible(reason.to_owned())
}

impl Drop for Sockets {
    fn drop(&mut self) {
        // The Agent's process ends first, so that it does not complain about its Controller.
        self.spawned = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
