//! How long one looks for a device among very many: `cargo run --release -p usphere-server --example search [COUNT]`
//!
//! An inventory of COUNT devices (100,000 unless told otherwise), of which none is connected, in a temporary folder;
//! a server on it, and a caller of its API who asks one thing after the other. Printed is how long each answer takes.

use std::error::Error;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use usphere_server::{Config, Server};
use usphere_store::{Described, Description, DeviceState, Protocol, Sighting, Store};

type Done<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Devices that are written in one transaction.
const TOGETHER: u32 = 1_000;

/// How often each thing is asked.
const ROUNDS: usize = 100;

/// What is asked, and how many devices are to be on the page, where it is not how many there are.
const ASKED: [(&str, &str); 13] = [
    ("a page of 50", "limit=50"),
    (
        "a page of 50 from the middle",
        "limit=50&after=os::012345-SIM050000",
    ),
    ("a page of 1,000", "limit=1000"),
    ("search: a serial number", "search=SIM098765"),
    ("search: nothing has it", "search=nowhere"),
    (
        "search: two words, every 7th has them, a page of 50",
        "limit=50&search=example+gateway-3",
    ),
    (
        "search: two words, no device has both",
        "search=example+nowhere",
    ),
    ("product class, one device", "product_class=prototype"),
    ("product class, none", "product_class=none*"),
    (
        "software version, every 45th, a page of 50",
        "limit=50&software_version=4.1.1",
    ),
    ("a tag that 1,000 have, a page of 50", "limit=50&tag=ring-7"),
    (
        "that tag and a search, one device",
        "tag=ring-7&search=SIM098707",
    ),
    ("online, none is", "online=true"),
];

#[tokio::main]
async fn main() -> Done {
    let count = std::env::args().nth(1);
    let count: u32 = count.map_or(Ok(100_000), |count| count.parse())?;
    let folder = tempfile::tempdir()?;
    let mut config = Config::new(folder.path().to_owned());
    config.api = ([127, 0, 0, 1], 0).into();
    config.ws = ([127, 0, 0, 1], 0).into();
    // To have the folder made, with the store in it.
    Server::start(config.clone()).await?.shutdown().await;
    let began = Instant::now();
    fill(&Store::open(&folder.path().join("server.db"))?, count)?;
    println!(
        "{count} devices written in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let began = Instant::now();
    let server = Server::start(config).await?;
    println!("started in {:.2} s", began.elapsed().as_secs_f64());
    let mut client = Client::connect(&server).await?;
    for (name, query) in ASKED {
        let path = format!("/api/v1/devices?{query}");
        tell(name, &mut client, &path).await?;
    }
    for (name, text) in [
        ("one device, by a part of its Endpoint ID", "SIM098765"),
        ("one device, by its Endpoint ID", "os::012345-SIM098765"),
    ] {
        let path = format!("/api/v1/devices/{text}");
        tell(name, &mut client, &path).await?;
    }
    server.shutdown().await;
    Ok(())
}

/// In an order that is not that of their names, as devices come.
fn fill(store: &Store, count: u32) -> Done {
    let number = |place: u32| (u64::from(place) * 48_271 % u64::from(count)) as u32;
    let name = |number: u32| format!("os::012345-SIM{number:06}");
    for start in (0..count).step_by(TOGETHER as usize) {
        let numbers = || (start..count.min(start + TOGETHER)).map(number);
        let sightings = numbers().map(|number| Sighting {
            endpoint_id: name(number),
            protocol: Protocol::Usp,
            at: 1_700_000_000_000 + i64::from(number),
            remote_address: Some(format!(
                "10.{}.{}.7:40000",
                number / 250 % 250,
                number % 250
            )),
            mtp: Some("WebSocket".into()),
            state: DeviceState::Approved,
        });
        store.seen(sightings.collect())?;
        let described = numbers().map(|number| Described {
            endpoint_id: name(number),
            description: Description {
                manufacturer: Some("Example Networks".into()),
                oui: Some("012345".into()),
                product_class: Some(match number {
                    4_711 => "prototype".into(),
                    _ => format!("Gateway-{}", number % 7),
                }),
                serial_number: Some(format!("SIM{number:06}")),
                hardware_version: Some("rev B".into()),
                software_version: Some(format!("4.{}.{}", number % 5, number % 9)),
                protocol_versions: Some("1.0,1.1,1.2,1.3,1.4".into()),
            },
            subscriptions: Some("kept".into()),
        });
        store.describe(described.collect())?;
    }
    for number in (7..count).step_by(100) {
        store.add_tag(&name(number), "ring-7")?;
    }
    Ok(())
}

/// Asks it over and over.
async fn tell(name: &str, client: &mut Client, path: &str) -> Done {
    let mut times = Vec::new();
    let mut found = 0;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        found = client.get(path).await?.matches("\"endpoint_id\"").count();
        times.push(began.elapsed());
    }
    times.sort_unstable();
    let ms = |place: usize| {
        times
            .get(place)
            .map_or(0.0, |time: &Duration| time.as_secs_f64() * 1e3)
    };
    println!(
        "{name}: {found} found; median {:.1} ms, p99 {:.1} ms",
        ms(ROUNDS / 2),
        ms(ROUNDS * 99 / 100)
    );
    Ok(())
}

/// One connection to the API.
struct Client {
    stream: TcpStream,
    token: String,
    read: Vec<u8>,
}

impl Client {
    async fn connect(server: &Server) -> Done<Self> {
        let stream = TcpStream::connect(server.api_addr()).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            token: server.token().to_owned(),
            read: Vec::new(),
        })
    }

    /// The body of the answer.
    async fn get(&mut self, path: &str) -> Done<&str> {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
            self.token
        );
        self.stream.write_all(head.as_bytes()).await?;
        self.read.clear();
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(format!("{path}: the connection was closed").into());
            }
            let end = self
                .read
                .windows(4)
                .position(|window| window == b"\r\n\r\n");
            let Some(end) = end else { continue };
            let head = std::str::from_utf8(&self.read[..end])?.to_ascii_lowercase();
            let mut lines = head.lines();
            let length = lines.find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.ok_or("no length")?.parse()?;
            if self.read.len() < end + 4 + length {
                continue;
            }
            if !head.starts_with("http/1.1 200") {
                return Err(format!("{path}: {head}").into());
            }
            return Ok(std::str::from_utf8(&self.read[end + 4..])?);
        }
    }
}
