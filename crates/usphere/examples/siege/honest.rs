//! Those who behave: what they ask of the server, and how long they wait.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use usphere_mtp::websocket::{DialError, LinkEvent, Settings, Target, dial};
use usphere_proto::{EndpointId, Record};
use usphere_runtime::{ControllerTls, TlsFiles};

use super::measured::{Api, Done, Folder, Latencies, SERVER};

/// New devices that come in turn.
pub(crate) const NEWCOMERS: usize = 64;

/// How long one may wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// Time between two of the same request, and between two new devices.
const STEPS: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(50),
    Duration::from_millis(100),
];

/// How long those waited who asked for the same.
pub(crate) struct Heard {
    pub(crate) latencies: Latencies,
    /// What those were told that got nothing.
    pub(crate) failures: Vec<String>,
}

/// Where devices come in.
#[derive(Clone)]
pub(crate) struct Door {
    address: SocketAddr,
    /// The folder of certificates, where TLS is spoken.
    certs: Option<PathBuf>,
    came: Arc<AtomicUsize>,
}

/// The Endpoint ID of one that is new.
pub(crate) fn newcomer(number: usize) -> String {
    format!("self::newcomer-{number}")
}

impl Door {
    pub(crate) fn new(folder: &Folder) -> Done<Self> {
        Ok(Self {
            address: folder.ws,
            certs: folder.tls.then(|| folder.path("certs")),
            came: Arc::default(),
        })
    }

    fn target(&self, address: SocketAddr) -> Done<Target> {
        let scheme = if self.certs.is_some() { "wss" } else { "ws" };
        Ok(format!("{scheme}://{address}/usp").parse()?)
    }

    /// Who comes next, and how.
    fn settings(&self) -> Done<Settings> {
        let number = self.came.fetch_add(1, Ordering::Relaxed);
        let Some(certs) = &self.certs else {
            return Ok(Settings::new(EndpointId::parse(&newcomer(number))?));
        };
        let name = newcomer(number % NEWCOMERS);
        let file = |end: &str| certs.join(format!("{}{end}", name.replace(':', "_")));
        let files = TlsFiles {
            certificate: file(".pem"),
            key: file(".key"),
            authorities: certs.join("ca.pem"),
        };
        Ok(Settings {
            tls: Some(ControllerTls::open(files)?.tls()),
            peer_id: Some(EndpointId::parse(SERVER)?),
            ..Settings::new(EndpointId::parse(&name)?)
        })
    }

    /// What a client says first where TLS is spoken.
    pub(crate) async fn client_hello(&self) -> Done<Vec<u8>> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (target, settings) = (self.target(listener.local_addr()?)?, self.settings()?);
        let dialling = tokio::spawn(async move { drop(dial(&target, &settings).await) });
        let (mut stream, _) = listener.accept().await?;
        let mut hello = vec![0; 16 << 10];
        let length = stream.read(&mut hello).await?;
        dialling.abort();
        hello.truncate(length);
        Ok(hello)
    }

    /// Connects as a new device, until the server asks it the first thing. Who is told to come back does so then.
    async fn come(&self) -> Done<Duration> {
        let (target, settings) = (self.target(self.address)?, self.settings()?);
        let began = Instant::now();
        let mut link = loop {
            match dial(&target, &settings).await {
                Ok(link) => break link,
                Err(DialError::Refused {
                    retry_after: Some(wait),
                    ..
                }) => sleep(wait).await,
                Err(error) => return Err(error.into()),
            }
        };
        let connect = Record::websocket_connect(&EndpointId::parse(SERVER)?, &settings.our_id);
        link.sender.try_send(&connect)?;
        loop {
            match link.receiver.recv().await {
                Some(LinkEvent::Record(record, _)) if record.payload().is_some() => {
                    return Ok(began.elapsed());
                }
                Some(LinkEvent::Record(..) | LinkEvent::Refused(_)) => {}
                Some(LinkEvent::Closed(reason)) => return Err(reason.to_string().into()),
                None => return Err("the link is gone".into()),
            }
        }
    }
}

/// Asks for a page, asks a device, and comes as a new device, over and over for so long; what each waited.
pub(crate) async fn ask(api: &Api, door: &Door, devices: u32, length: Duration) -> [Heard; 3] {
    let (pages, gets, newcomers) = (api.clone(), api.clone(), door.clone());
    let [page_step, get_step, newcomer_step] = STEPS;
    let (pages, gets, newcomers) = tokio::join!(
        over_and_over(page_step, length, move |_| {
            let api = pages.clone();
            async move { page(&api).await }
        }),
        over_and_over(get_step, length, move |number| {
            let (api, device) = (gets.clone(), number % devices + 1);
            async move { get(&api, device).await }
        }),
        over_and_over(newcomer_step, length, move |_| {
            let door = newcomers.clone();
            async move { door.come().await }
        }),
    );
    [pages, gets, newcomers]
}

/// Each on a connection of its own, as many clients have it.
async fn page(api: &Api) -> Done<Duration> {
    let began = Instant::now();
    api.get("/api/v1/devices?limit=50").await?;
    Ok(began.elapsed())
}

async fn get(api: &Api, device: u32) -> Done<Duration> {
    let began = Instant::now();
    let answer = api.connect().await?.serial_number(device).await?;
    match answer.contains(&format!("\"SIM{device:06}\"")) {
        true => Ok(began.elapsed()),
        false => Err(answer.into()),
    }
}

/// Begins one at each step, however long those before it take.
async fn over_and_over<F>(step: Duration, length: Duration, one: impl Fn(u32) -> F) -> Heard
where
    F: Future<Output = Done<Duration>> + Send + 'static,
{
    let mut ticks = interval(step);
    // What is late is made up for, so that a stall is noticed by all who would have asked in it.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let began = Instant::now();
    let mut asked = JoinSet::new();
    let mut number = 0;
    while began.elapsed() < length {
        ticks.tick().await;
        asked.spawn(timeout(PATIENCE, one(number)));
        number += 1;
    }
    let (mut times, mut failures) = (Vec::new(), Vec::new());
    while let Some(asked) = asked.join_next().await {
        match asked {
            Ok(Ok(Ok(took))) => times.push(took),
            Ok(Ok(Err(error))) => failures.push(error.to_string()),
            Ok(Err(late)) => failures.push(late.to_string()),
            Err(error) => failures.push(error.to_string()),
        }
    }
    times.extend(failures.iter().map(|_| PATIENCE));
    Heard {
        latencies: Latencies::of("", times),
        failures,
    }
}
