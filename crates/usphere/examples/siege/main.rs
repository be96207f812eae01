//! A server under siege: what those who behave notice of those who do not.
//!
//!     cargo xtask bench siege
//!
//! The server is the program that a user starts, with its defaults. One attack after the other is made on it by a
//! process of its own (this program again, at the lowest priority: attackers have machines of their own), while honest
//! callers ask at fixed times, whether they were answered before or not: a page of the list of devices, a Get to a
//! device, and a new device that connects until the server asks it the first thing. Compared is with the calm before.
//! Who is refused is counted as having waited for as long as one may wait at all. Nothing fails because a machine is slow.

mod attacks;
mod crowd;
mod devices;
mod honest;
#[allow(
    dead_code,
    unused_imports,
    reason = "the program that measures a fleet has it, and uses all of it"
)]
#[path = "../fleet/measured/mod.rs"]
mod measured;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use attacks::{Attack, Siege};
use honest::{Door, Heard, NEWCOMERS};
use measured::{Api, Cost, Done, Folder, Running};

/// Honest devices, as many as a page of the list shows.
const DEVICES: u32 = 50;

/// What is wanted of each 99 of 100.
const TARGET: Duration = Duration::from_millis(200);

/// From the beginning of an attack until it is measured what others notice.
const WARM: Duration = Duration::from_secs(3);

/// For what an attack leaves behind.
const PAUSE: Duration = Duration::from_secs(2);

/// How long somebody may take to come on board.
const PATIENCE: Duration = Duration::from_secs(60);

struct Options {
    binary: std::path::PathBuf,
    seconds: u64,
    only: Option<String>,
    /// What this process is told to do; none for the one that measures.
    attack: Option<Siege>,
}

impl Options {
    fn read() -> Done<Self> {
        let mut options = Self {
            binary: std::env::current_exe()?.with_file_name("../usphere"),
            seconds: 12,
            only: None,
            attack: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{name}: no value"))?;
            match name.as_str() {
                "--binary" => options.binary = value.into(),
                "--seconds" => options.seconds = value.parse()?,
                "--only" => options.only = Some(value),
                "--attack" => options.attack = Some(serde_json::from_str(&value)?),
                _ => return Err(format!("{name}: not known; --seconds N, --only NAME").into()),
            }
        }
        Ok(options)
    }

    fn wants(&self, attack: Attack) -> bool {
        let only = self.only.as_deref();
        only.is_none_or(|only| attack.name().contains(only))
    }
}

#[tokio::main]
async fn main() -> Done {
    let options = Options::read()?;
    if let Some(siege) = &options.attack {
        return attacks::besiege(siege).await;
    }
    println!(
        "| meanwhile | a page of 50 devices | a Get to a device | a new device | the server |"
    );
    println!("|---|---|---|---|---|");
    for is_tls in [false, true] {
        let attacks: Vec<_> = Attack::ALL
            .into_iter()
            .filter(|attack| attack.is_tls() == is_tls && options.wants(*attack))
            .collect();
        if !attacks.is_empty() {
            Fortress::new(&options, is_tls)
                .await?
                .stand(&attacks)
                .await?;
        }
    }
    println!(
        "\nEach: median / p99 / worst in ms; **over** where the p99 is over {} ms.",
        TARGET.as_millis()
    );
    Ok(())
}

/// A server with its honest devices.
struct Fortress<'a> {
    options: &'a Options,
    folder: Folder,
    server: Running,
    api: Api,
    door: Door,
    _devices: Running,
}

impl<'a> Fortress<'a> {
    async fn new(options: &'a Options, is_tls: bool) -> Done<Self> {
        let folder = Folder::new(DEVICES, is_tls)?;
        if is_tls {
            let names: Vec<String> = (0..NEWCOMERS).map(honest::newcomer).collect();
            folder.certify(&options.binary, &names)?;
        }
        let server = folder.server_with(&options.binary, "")?;
        let api = folder.api(&server).await?;
        let devices = folder.simulator(&options.binary, DEVICES)?;
        let began = Instant::now();
        while api.described().await? < DEVICES {
            if began.elapsed() > PATIENCE {
                return Err("the honest devices do not come on board".into());
            }
            sleep(Duration::from_millis(100)).await;
        }
        let door = Door::new(&folder)?;
        Ok(Self {
            options,
            folder,
            server,
            api,
            door,
            _devices: devices,
        })
    }

    async fn stand(mut self, attacks: &[Attack]) -> Done {
        sleep(PAUSE).await;
        let calm = if self.folder.tls {
            "nothing, over TLS"
        } else {
            "nothing"
        };
        self.measure(calm).await?;
        for attack in attacks {
            self.endure(*attack).await?;
            self.server.lives()?;
        }
        self.server.terminate().await
    }

    async fn endure(&self, attack: Attack) -> Done {
        let siege = Siege {
            attack,
            door: self.folder.ws,
            api: self.api.address,
            tokens: self.tokens(attack).await?,
            hello: match attack.is_tls() {
                true => self.door.client_hello().await?,
                false => Vec::new(),
            },
            seconds: (WARM + Duration::from_secs(self.options.seconds)).as_secs(),
        };
        let attackers = Command::new(std::env::current_exe()?)
            .args(["--attack", &serde_json::to_string(&siege)?])
            .stdout(Stdio::piped())
            .spawn()?;
        sleep(WARM).await;
        self.measure(attack.told()).await?;
        // They end by themselves.
        let tally = spawn_blocking(|| attackers.wait_with_output()).await??;
        if !tally.status.success() {
            return Err(format!(
                "{}: the attackers ended with {}",
                attack.name(),
                tally.status
            )
            .into());
        }
        eprintln!(
            "{}: {}",
            attack.name(),
            String::from_utf8_lossy(&tally.stdout).trim()
        );
        sleep(PAUSE).await;
        Ok(())
    }

    /// What honest callers notice for some seconds.
    async fn measure(&self, meanwhile: &str) -> Done {
        let (before, began) = (self.server.cost()?, Instant::now());
        let length = Duration::from_secs(self.options.seconds);
        let heard = honest::ask(&self.api, &self.door, DEVICES, length).await;
        let spent = Cost::between(&before, &self.server.cost()?, began.elapsed());
        let [pages, gets, newcomers] = heard.map(cell);
        let (share, resident) = (spent.share(), spent.resident_kib >> 10);
        println!(
            "| {meanwhile} | {pages} | {gets} | {newcomers} | {share:.0} % of a core, {resident} MiB |"
        );
        Ok(())
    }

    /// Tokens that may read, for attacks by those who have some.
    async fn tokens(&self, attack: Attack) -> Done<Vec<String>> {
        let mut tokens = Vec::new();
        for number in 0..attack.tokens() {
            let name = format!("{}-{number}", attack.name());
            let body = json!({"name": name, "scope": "read"}).to_string();
            let mut client = self.api.connect().await?;
            let (status, answer) = client.ask("POST", "/api/v1/tokens", &body).await?;
            let answer: serde_json::Value = serde_json::from_str(&answer)?;
            let token = answer["token"].as_str();
            tokens.push(
                token
                    .ok_or_else(|| format!("{status}: {answer}"))?
                    .to_owned(),
            );
        }
        Ok(tokens)
    }
}

fn cell(heard: Heard) -> String {
    let Heard {
        latencies,
        failures,
    } = heard;
    let [median, p99, worst] = [500, 990, 1_000].map(|share| latencies.ms(share));
    let mut cell = format!("{median:.1} / {p99:.1} / {worst:.1}");
    if p99 > TARGET.as_secs_f64() * 1_000.0 {
        cell += " **over**";
    }
    if let Some(last) = failures.last() {
        cell += &format!(" ({} failed)", failures.len());
        eprintln!("{} failed, the last: {last}", failures.len());
    }
    cell
}
