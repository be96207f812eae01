//! The API as its callers see it, and how long it takes to answer.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::{Done, PREFIX, WITNESS};

/// Time between two rounds of the probe.
const ROUND: Duration = Duration::from_millis(50);

/// Where the API is.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
}

/// One connection to it.
pub(crate) struct Client {
    stream: TcpStream,
    token: String,
    read: Vec<u8>,
}

impl Api {
    pub(crate) async fn connect(&self) -> Done<Client> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(Client {
            stream,
            token: self.token.clone(),
            read: Vec::new(),
        })
    }

    /// The answer to a GET, on a connection of its own.
    pub(crate) async fn get(&self, path: &str) -> Done<Value> {
        let (status, body) = self.connect().await?.ask("GET", path, "").await?;
        if status != 200 {
            return Err(format!("{path}: {status}: {body}").into());
        }
        Ok(serde_json::from_str(&body)?)
    }

    /// Devices that this life of the server has looked at, and knows who they are: those of which it knew before do
    /// not count.
    pub(crate) async fn described(&self) -> Done<u32> {
        let (status, text) = self.connect().await?.ask("GET", "/metrics", "").await?;
        let checks = "usphere_checks_total{result=\"well\"} ";
        let value = text.lines().find_map(|line| line.strip_prefix(checks));
        match (status, value) {
            (200, Some(value)) => Ok(value.parse()?),
            (200, None) => Ok(0),
            _ => Err(format!("/metrics: {status}: {text}").into()),
        }
    }
}

impl Client {
    /// Asks a device of the fleet for its serial number; the answer of the API.
    pub(crate) async fn serial_number(&mut self, number: u32) -> Done<String> {
        self.serial_number_of(&format!("{PREFIX}{number:06}")).await
    }

    async fn serial_number_of(&mut self, device: &str) -> Done<String> {
        let path = format!("/api/v1/devices/{device}/get");
        let body = r#"{"paths":["Device.DeviceInfo.SerialNumber"]}"#;
        Ok(self.ask("POST", &path, body).await?.1)
    }

    /// The lines of JSON that answer a POST: how many there are before the last, and the last.
    pub(crate) async fn lines(&mut self, path: &str, body: &str) -> Done<(u32, Value)> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        let mut read = BufReader::new(&mut self.stream);
        let (mut count, mut last, mut line) = (0, String::new(), String::new());
        while read.read_line(&mut line).await? > 0 {
            // Beside the head, and the sizes of the pieces that the answer comes in.
            if line.starts_with('{') {
                count += 1;
                std::mem::swap(&mut line, &mut last);
            }
            line.clear();
        }
        let last = serde_json::from_str(&last).map_err(|_| format!("{path}: {last:?}"))?;
        Ok((u32::saturating_sub(count, 1), last))
    }

    /// Status and body.
    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Done<(u16, String)> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.read.clear();
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(format!("{method} {path}: the connection was closed").into());
            }
            let Some(end) = self
                .read
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            else {
                continue;
            };
            let head = std::str::from_utf8(&self.read[..end])?.to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.ok_or("no length")?.parse()?;
            if self.read.len() >= end + 4 + length {
                let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
                let body = String::from_utf8(self.read[end + 4..].to_vec())?;
                return Ok((status, body));
            }
        }
    }
}

/// Asks all the while, as people and programs would.
pub(crate) struct Probe {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Times>,
}

/// What the probe waited for.
#[derive(Default)]
struct Times {
    pages: Vec<Duration>,
    devices: Vec<Duration>,
    gets: Vec<Duration>,
    witness: Vec<Duration>,
}

impl Probe {
    /// Asks about each of the `count` devices in turn, and all the while about the `witness`.
    pub(crate) fn start(api: Api, count: u32, witness: bool) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut times = Times::default();
            for round in 0.. {
                if stopped.try_recv().is_ok() {
                    break;
                }
                if let Err(error) = probe(&api, round % count + 1, witness, &mut times).await {
                    eprintln!("probe: {error}");
                }
                sleep(ROUND).await;
            }
            times
        });
        Self { stop, task }
    }

    pub(crate) async fn end(self) -> Noticed {
        // It runs until it is told.
        let _ = self.stop.send(());
        let times = self.task.await.unwrap_or_default();
        Noticed(vec![
            Latencies::of("GET a page of 50 devices", times.pages),
            Latencies::of("GET one device", times.devices),
            Latencies::of("POST a Get to one of these devices", times.gets),
            Latencies::of("POST a Get to a device beside them", times.witness),
        ])
    }
}

/// One round, on a connection of its own, as many clients have.
async fn probe(api: &Api, number: u32, witness: bool, times: &mut Times) -> Done {
    let mut client = api.connect().await?;
    let began = Instant::now();
    client.ask("GET", "/api/v1/devices?limit=50", "").await?;
    times.pages.push(began.elapsed());
    let began = Instant::now();
    let path = format!("/api/v1/devices/{PREFIX}{number:06}");
    client.ask("GET", &path, "").await?;
    times.devices.push(began.elapsed());
    let began = Instant::now();
    if client.serial_number(number).await?.contains("SIM") {
        times.gets.push(began.elapsed());
    }
    if witness {
        let began = Instant::now();
        let answer = client.serial_number_of(WITNESS).await?;
        if answer.contains("\"WITNESS") {
            times.witness.push(began.elapsed());
        }
    }
    Ok(())
}

/// What others noticed.
pub(crate) struct Noticed(Vec<Latencies>);

impl Noticed {
    pub(crate) fn tell(&self) {
        for latencies in self
            .0
            .iter()
            .filter(|latencies| !latencies.times.is_empty())
        {
            println!("    meanwhile: {latencies}");
        }
    }
}

/// How long something took, over and over.
#[derive(Default)]
pub(crate) struct Latencies {
    name: &'static str,
    times: Vec<Duration>,
}

impl Latencies {
    pub(crate) fn of(name: &'static str, mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self { name, times }
    }

    /// What so many of a thousand did not wait longer than.
    pub(crate) fn ms(&self, share: usize) -> f64 {
        let at = (self.times.len() * share / 1_000).min(self.times.len().saturating_sub(1));
        let time = self.times.get(at).copied().unwrap_or_default();
        time.as_secs_f64() * 1_000.0
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: median {:.1} ms, p99 {:.1} ms, worst {:.1} ms of {}",
            self.name,
            self.ms(500),
            self.ms(990),
            self.ms(1_000),
            self.times.len()
        )
    }
}
