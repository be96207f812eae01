//! How soon a watcher hears of a change, and what a thousand Subscriptions cost while nothing happens.
//!
//!     cargo xtask build agent && cargo run --release -p usphere --example watch -- --agent target/agent/usphere-agent
//!
//! With `--addresses` it also adds and removes an address of `lo` with `ip`. It changes the network of the machine
//! then, so run it in one of its own: `unshare -rn sh -c 'ip link set lo up; cargo run …'`. The costs are those of
//! the Agent's process alone, as the kernel counts them.

use std::error::Error;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use usphere_datamodel::operation::{
    Add, AddStatus, Get, GetStatus, Notification, ObjectSettings, Operation, Outcome, Set, Setting,
};
use usphere_mtp::websocket::Target;
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::{ControllerConfig, ControllerHost, Notifications};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const AGENT: &str = "self::watched";
const WATCHER: &str = "self::watcher";
const SETTER: &str = "self::setter";

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
const SUBSCRIPTIONS: &str = "Device.LocalAgent.Subscription.";
const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";

/// An address for documentation (RFC 5737), which no host has.
const ADDRESS: &str = "192.0.2.77";

const PATIENCE: Duration = Duration::from_secs(30);
const NODES: usize = 10_000;
const SUBSCRIPTIONS_WANTED: usize = 1_000;
/// Rows that one Add makes.
const ROWS_TOGETHER: usize = 50;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result {
    let options = Options::read()?;
    let folder = tempfile::tempdir()?;
    let agent = Agent::start(&options.agent, &folder.path().join("data"))?;
    let watcher = Controller::dial(&agent, WATCHER).await?;
    let setter = Controller::dial(&agent, SETTER).await?;
    let mut told = watcher.host.handle().notifications();

    after_a_set(&watcher, &setter, &mut told, options.rounds).await?;
    if options.addresses {
        after_an_address(&watcher, &mut told, options.rounds).await?;
    }
    drop(setter);
    idle(&agent, &watcher, options.seconds).await
}

/// From the moment in which another Controller sends a Set to that in which the watcher has the ValueChange.
async fn after_a_set(
    watcher: &Controller,
    setter: &Controller,
    told: &mut Notifications,
    rounds: usize,
) -> Result {
    watcher.subscribe("set", "ValueChange", CODE).await?;
    let mut times = Vec::new();
    for round in 0..rounds {
        let value = format!("round-{round}");
        let started = Instant::now();
        let set = setter.ask(set(CODE, &value));
        let heard = heard(
            told,
            |notification| matches!(notification, Notification::ValueChange { value: told, .. } if *told == value),
        );
        let (set, heard) = tokio::join!(set, heard);
        set?;
        times.push(heard?.duration_since(started));
    }
    report(
        "a durable Set by another Controller to the ValueChange",
        &mut times,
    );
    Ok(())
}

/// From the start of `ip addr add`, the start of the program included.
async fn after_an_address(watcher: &Controller, told: &mut Notifications, rounds: usize) -> Result {
    let table = "Device.IP.Interface.*.IPv4Address.";
    watcher.subscribe("row", "ObjectCreation", table).await?;
    watcher.subscribe("gone", "ObjectDeletion", table).await?;
    // It has to know what was there before.
    sleep(Duration::from_secs(2)).await;
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for _ in 0..rounds.min(50) {
        let address = format!("{ADDRESS}/32");
        let started = Instant::now();
        ip(&["addr", "add", &address, "dev", "lo"])?;
        let is_new = |notification: &Notification| matches!(notification, Notification::ObjectCreation { path, .. } if path.contains("IPv4Address"));
        added.push(heard(told, is_new).await?.duration_since(started));
        let started = Instant::now();
        ip(&["addr", "del", &address, "dev", "lo"])?;
        let is_gone = |notification: &Notification| matches!(notification, Notification::ObjectDeletion { path } if path.contains("IPv4Address"));
        removed.push(heard(told, is_gone).await?.duration_since(started));
    }
    report("`ip addr add` to the ObjectCreation", &mut added);
    report("`ip addr del` to the ObjectDeletion", &mut removed);
    Ok(())
}

/// A thousand Subscriptions on ten thousand parameters, and nothing happens.
async fn idle(agent: &Agent, watcher: &Controller, seconds: u64) -> Result {
    let empty = agent.resident()?;
    let role = watcher.add(ROLES, &[&[("Name", "ballast")]]).await?;
    let table = format!("{}Permission.", role[0]);
    let mut rows = Vec::new();
    while watcher.nodes().await? < NODES {
        let first = rows.len();
        let orders: Vec<String> = (first..first + ROWS_TOGETHER)
            .map(|n| n.to_string())
            .collect();
        let settings: Vec<[(&str, &str); 2]> = orders
            .iter()
            .map(|order| [("Order", order.as_str()), ("Targets", "Device.DeviceInfo.")])
            .collect();
        let settings: Vec<&[(&str, &str)]> = settings.iter().map(|row| &row[..]).collect();
        rows.extend(watcher.add(&table, &settings).await?);
    }
    let (nodes, with_nodes) = (watcher.nodes().await?, agent.resident()?);
    for number in 0..SUBSCRIPTIONS_WANTED {
        let path = &rows[number % rows.len()];
        watcher
            .subscribe(&format!("idle-{number}"), "ValueChange", path)
            .await?;
    }
    sleep(Duration::from_secs(3)).await;
    let before = agent.cpu()?;
    sleep(Duration::from_secs(seconds)).await;
    let spent = agent.cpu()? - before;
    let percent = spent.as_secs_f64() / seconds as f64 * 100.0;
    println!(
        "idle for {seconds} s with {SUBSCRIPTIONS_WANTED} Subscriptions on {nodes} parameters: {percent:.3} % of a core"
    );
    println!(
        "resident: {empty} KiB before, {with_nodes} KiB with the parameters, {} KiB with the Subscriptions",
        agent.resident()?
    );
    Ok(())
}

/// Waits for the notification that is meant, and takes all that come; when it came.
async fn heard(
    told: &mut Notifications,
    is_meant: impl Fn(&Notification) -> bool,
) -> Result<Instant> {
    let search = async {
        while let Some(delivery) = told.next().await {
            let now = Instant::now();
            let is_it = is_meant(&delivery.notified.notification);
            delivery.taken();
            if is_it {
                return Ok(now);
            }
        }
        Err("the Controller has ended".into())
    };
    timeout(PATIENCE, search).await?
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let millis = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!(
        "{what}: median {:.2} ms, 99 % within {:.2} ms, worst {:.2} ms of {}",
        millis(times.get(times.len() / 2)),
        millis(times.get(times.len() * 99 / 100)),
        millis(times.last()),
        times.len()
    );
}

fn set(path: &str, value: &str) -> Operation {
    let (object, name) = path.rsplit_once('.').unwrap_or_default();
    Operation::Set(Set {
        objects: vec![ObjectSettings {
            path: format!("{object}."),
            parameters: vec![Setting::required(name, value)],
        }],
        allow_partial: false,
    })
}

fn ip(arguments: &[&str]) -> Result {
    let status = Command::new("ip").args(arguments).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("ip {}: {status}", arguments.join(" ")).into()),
    }
}

struct Options {
    agent: PathBuf,
    rounds: usize,
    seconds: u64,
    addresses: bool,
}

impl Options {
    fn read() -> Result<Self> {
        let mut options = Self {
            agent: "target/agent/usphere-agent".into(),
            rounds: 500,
            seconds: 60,
            addresses: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--addresses" => options.addresses = true,
                "--agent" => options.agent = value()?.into(),
                "--rounds" => options.rounds = value()?.parse()?,
                "--seconds" => options.seconds = value()?.parse()?,
                other => {
                    let known = "--addresses, --agent FILE, --rounds N, --seconds N";
                    return Err(format!("{other}: not known; {known}").into());
                }
            }
        }
        Ok(options)
    }
}

/// The Agent that is watched.
struct Agent {
    child: Child,
    target: Target,
}

impl Agent {
    fn start(binary: &PathBuf, data: &PathBuf) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let url = format!("ws://127.0.0.1:{port}/usp");
        let child = Command::new(binary)
            .args(["--endpoint-id", AGENT, "--listen", &url])
            .args(["--controller", WATCHER, "--controller", SETTER])
            .arg("--data")
            .arg(data)
            .args(["--log", "warn"])
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        Ok(Self {
            child,
            target: url.parse()?,
        })
    }

    /// KiB of resident memory.
    fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let digits = line.unwrap_or_default().trim().trim_end_matches(" kB");
        Ok(digits.parse()?)
    }

    /// What its threads have run, all together, from the scheduler's own count.
    fn cpu(&self) -> Result<Duration> {
        let mut nanos = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanos += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanos))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Controller of the Agent.
struct Controller {
    host: ControllerHost,
    agent: EndpointId,
}

impl Controller {
    async fn dial(agent: &Agent, name: &str) -> Result<Self> {
        let config = || -> Result<ControllerConfig> {
            Ok(ControllerConfig {
                endpoint_id: EndpointId::parse(name)?,
                msg_id_prefix: name.to_owned(),
            })
        };
        let started = Instant::now();
        let host = loop {
            match ControllerHost::dial(&agent.target, config()?, None).await {
                Ok(host) => break host,
                Err(error) if started.elapsed() > PATIENCE => return Err(error.into()),
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        };
        let agent = host.wait_for_agent(PATIENCE).await?;
        Ok(Self { host, agent })
    }

    async fn ask(&self, operation: Operation) -> Result<Outcome> {
        let asked = self.host.handle().request(&self.agent, operation, PATIENCE);
        Ok(asked.await?)
    }

    async fn subscribe(&self, id: &str, kind: &str, path: &str) -> Result {
        let settings = [
            ("Enable", "true"),
            ("ID", id),
            ("NotifType", kind),
            ("ReferenceList", path),
        ];
        self.add(SUBSCRIPTIONS, &[&settings]).await.map(drop)
    }

    /// Adds rows to a table; their paths.
    async fn add(&self, table: &str, rows: &[&[(&str, &str)]]) -> Result<Vec<String>> {
        let objects = rows.iter().map(|row| ObjectSettings {
            path: table.to_owned(),
            parameters: row
                .iter()
                .map(|(name, value)| Setting::required(*name, *value))
                .collect(),
        });
        let add = Operation::Add(Add {
            objects: objects.collect(),
            allow_partial: false,
        });
        let Outcome::Add(outcome) = self.ask(add).await? else {
            return Err("not the outcome of an Add".into());
        };
        let paths = outcome
            .results
            .into_iter()
            .map(|result| match result.status {
                AddStatus::Created(created) => Ok(created.path),
                AddStatus::Failed(failure) => Err(format!("{table}: {}", failure.text).into()),
            });
        paths.collect()
    }

    /// How many parameters the Agent has.
    async fn nodes(&self) -> Result<usize> {
        let get = Operation::Get(Get::all(["Device."]));
        let Outcome::Get(outcome) = self.ask(get).await? else {
            return Err("not the outcome of a Get".into());
        };
        let counts = outcome.results.iter().map(|result| match &result.status {
            GetStatus::Found(objects) => objects.iter().map(|object| object.parameters.len()).sum(),
            GetStatus::Failed(_) => 0,
        });
        Ok(counts.sum())
    }
}
