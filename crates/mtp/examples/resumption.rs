//! What it saves to resume a TLS session: `cargo run --release -p usphere-mtp --example resumption [COUNT]`
//!
//! Mutual TLS and the WebSocket handshake, client and server in one process. COUNT links (2,000 unless told otherwise)
//! are opened by a client that remembers nothing, then by one that resumes, then both again. Told are links per second
//! on the one thread that both ends have, the CPU of both, and the bytes until a link stands.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use usphere_mtp::tls::{Authority, Holder, Identity, Issued, Term, Tls};
use usphere_mtp::websocket::{Door, Listener, ListenerLimits, Settings, Target, dial};
use usphere_proto::EndpointId;
use usphere_trust::{Certificate, Session, Store};

type Done<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const CLIENT: &str = "self::client";
const SERVER: &str = "self::server";

/// Links that are opened at the same time.
const TOGETHER: usize = 8;

/// Around now, for all who judge.
const TERM: Term = Term {
    not_before: NOW - 1_000,
    not_after: NOW + 1_000,
};
const NOW: i64 = 1_767_225_600;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done {
    let count = std::env::args().nth(1);
    let count: usize = count.map_or(Ok(2_000), |count| count.parse())?;
    let house = House::make()?;
    let door = Door {
        address: ([127, 0, 0, 1], 0).into(),
        path: "/usp".into(),
        tls: true,
        insecure: false,
    };
    let many = ListenerLimits {
        accepts_per_second: 1_000_000,
        accept_burst: 1_000_000,
        accepts_per_source_per_second: 1_000_000,
        ..ListenerLimits::default()
    };
    let server = settings(SERVER, house.tls(SERVER)?)?;
    let mut listener = Listener::bind(door, server, many).await?;
    let address = listener.local_addr();
    tokio::spawn(async move { while listener.accept().await.is_some() {} });

    let resuming = house.tls(CLIENT)?;
    for _ in 0..2 {
        let fresh = || house.tls(CLIENT);
        measure("full", count, address, fresh).await?;
        let again = || Ok(Arc::clone(&resuming));
        measure("resumed", count, address, again).await?;
    }
    for (name, tls) in [("full", house.tls(CLIENT)?), ("resumed", resuming)] {
        let [sent, received] = bytes(address, tls).await?;
        println!("{name}: the client sends {sent} bytes and receives {received}");
    }
    Ok(())
}

/// Opens links one after the other, some at a time.
async fn measure(
    name: &str,
    count: usize,
    address: SocketAddr,
    tls: impl Fn() -> Done<Arc<Tls>>,
) -> Done {
    // What is remembered comes with the first.
    open(address, tls()?).await?;
    let all: Vec<_> = (0..count).map(|_| tls()).collect::<Done<_>>()?;
    let (began, before) = (Instant::now(), cpu()?);
    let mut opening = JoinSet::new();
    for tls in all {
        if opening.len() == TOGETHER
            && let Some(opened) = opening.join_next().await
        {
            opened??;
        }
        opening.spawn(open(address, tls));
    }
    while let Some(opened) = opening.join_next().await {
        opened??;
    }
    let (took, spent) = (began.elapsed(), cpu()? - before);
    println!(
        "{name}: {count} links in {:.2} s, {:.0}/s, {:.0} µs of CPU each",
        took.as_secs_f64(),
        count as f64 / took.as_secs_f64(),
        spent.as_secs_f64() * 1e6 / count as f64
    );
    Ok(())
}

async fn open(address: SocketAddr, tls: Arc<Tls>) -> Done {
    let target: Target = format!("wss://{address}/usp").parse()?;
    let link = dial(&target, &settings(CLIENT, tls)?).await?;
    drop(link);
    Ok(())
}

/// What one link takes, by somebody who passes it on: what the client sends, and what it receives.
async fn bytes(address: SocketAddr, tls: Arc<Tls>) -> Done<[u64; 2]> {
    let way = TcpListener::bind(("127.0.0.1", 0)).await?;
    let there = way.local_addr()?;
    let passing = tokio::spawn(async move {
        let (mut client, _) = way.accept().await?;
        let mut server = TcpStream::connect(address).await?;
        let (sent, received) = copy_bidirectional(&mut client, &mut server).await?;
        Ok::<_, std::io::Error>([sent, received])
    });
    open(there, tls).await?;
    Ok(passing.await??)
}

fn settings(name: &str, tls: Arc<Tls>) -> Done<Settings> {
    let mut settings = Settings::new(EndpointId::parse(name)?);
    settings.tls = Some(tls);
    settings.peer_id = match name {
        CLIENT => Some(EndpointId::parse(SERVER)?),
        _ => None,
    };
    Ok(settings)
}

/// A CA, and those for whom it vouches.
struct House {
    folder: tempfile::TempDir,
    authority: Authority,
    certificate: Certificate,
}

impl House {
    fn make() -> Done<Self> {
        let folder = tempfile::tempdir()?;
        let [certificate, key] = ["ca.pem", "ca.key"].map(|name| folder.path().join(name));
        let made = Authority::make("measured", TERM)?;
        made.write(&certificate, &key)?;
        let house = Self {
            authority: Authority::from_files(&certificate, &key)?,
            certificate: Certificate::from_pem(&made.certificate)?,
            folder,
        };
        for name in [CLIENT, SERVER] {
            let holder = Holder {
                endpoints: vec![EndpointId::parse(name)?],
                ..Holder::default()
            };
            let issued: Issued = house.authority.issue(&holder, TERM)?;
            let [certificate, key] = house.files(name);
            issued.write(&certificate, &key)?;
        }
        Ok(house)
    }

    fn files(&self, name: &str) -> [std::path::PathBuf; 2] {
        ["pem", "key"].map(|kind| self.folder.path().join(format!("{name}.{kind}")))
    }

    /// The TLS of an end that trusts this CA.
    fn tls(&self, name: &str) -> Done<Arc<Tls>> {
        let [certificate, key] = self.files(name);
        let identity = Identity::from_files(&certificate, &key)?;
        let store = Store::of_authorities(vec![self.certificate.clone()]);
        let judge =
            Arc::new(move |chain, expected: &_| Session::open(chain, &store, expected, Some(NOW)));
        Ok(Arc::new(Tls::new(Some(identity), judge)))
    }
}

/// What this process has used so far, in steps of a hundredth of a second.
fn cpu() -> Done<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    let mut ticks = 0;
    for field in fields.split(' ').skip(11).take(2) {
        ticks += field.parse::<u64>()?;
    }
    Ok(Duration::from_millis(10 * ticks))
}
