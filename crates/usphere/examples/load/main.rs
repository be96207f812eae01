//! End to end over loopback WebSocket: what an Agent answers per second, and what that costs it.
//!
//!     cargo xtask build agent && cargo run --release --example load -- --agent target/agent/usphere-agent
//!
//! With `OBUSPA` in the environment, the reference Agent runs beside ours in the same run: every
//! measurement is taken alternately from both, and medians are printed. The costs are those of the
//! Agent's process alone, from the scheduler's own count.

mod peer;

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use usphere_mtp::websocket::{Door, LinkEvent, Listener, ListenerLimits, Settings};
use usphere_proto::msg::{Get, GetSupportedDm, RequestType, Set, UpdateObject, UpdateParamSetting};
use usphere_proto::{EndpointId, Msg};

use peer::{CONTROLLERS, Peer, stop, usphere};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const OUTSTANDING: usize = 32;
const ROUNDS: usize = 3;

/// The tree of fixed size that the Agent owns: a role whose permissions are added until it is as large
/// as wanted.
const TREE: &str = "Device.LocalAgent.ControllerTrust.Role.1.";
const TREE_PARAMETERS: usize = 126;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::read()?;
    let folder = tempfile::tempdir()?;
    let mut peers = vec![Peer::usphere(
        &options.agent,
        &folder.path().join("usphere"),
    )?];
    match std::env::var_os("OBUSPA") {
        Some(binary) => peers.push(Peer::obuspa(
            Path::new(&binary),
            &folder.path().join("obuspa"),
        )?),
        None => println!("obuspa: left out (OBUSPA does not name its binary)"),
    }
    println!(
        "file system of the data: {}; one fdatasync takes {}",
        filesystem(folder.path()),
        sync_time(folder.path())?
    );
    for peer in &mut peers {
        peer.connect().await?;
        peer.prepare().await?;
        println!(
            "{}: idle, one Controller: {} KiB resident, {} threads",
            peer.name,
            peer.resident()?,
            peer.threads()?
        );
    }
    println!();
    println!(
        "{:<36} {:<9} {:>11} {:>12} {:>11} {:>11} {:>9} {:>9}",
        "what", "who", "requests/s", "µs CPU each", "p50", "p99", "elements", "resident"
    );
    for case in cases(&options) {
        run(&case, &mut peers, options.seconds).await?;
    }
    for peer in &mut peers {
        cold(peer).await?;
    }
    for peer in &mut peers {
        let life = peer.farewell()?;
        if !life.is_empty() {
            println!("{}: {life}", peer.name);
        }
    }
    start_times(&options, folder.path()).await?;
    Ok(())
}

/// A Get of everything when nothing is fresh: live values are at most a second old.
async fn cold(peer: &mut Peer) -> Result<()> {
    let mut costs = Vec::new();
    let mut elements = 0;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let before = peer.cpu()?;
        elements = peer.elements(0, get_of("Device.")).await?;
        costs.push((peer.cpu()? - before).as_secs_f64() * 1e6);
    }
    costs.sort_by(f64::total_cmp);
    println!(
        "Get, all of Device., cold: {}: median {:.0} µs CPU for {elements} elements",
        peer.name, costs[2]
    );
    Ok(())
}

struct Options {
    agent: PathBuf,
    seconds: f64,
    only: Option<String>,
}

impl Options {
    fn read() -> Result<Self> {
        let mut options = Self {
            agent: "target/agent/usphere-agent".into(),
            seconds: 2.0,
            only: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--agent" => options.agent = value()?.into(),
                "--seconds" => options.seconds = value()?.parse()?,
                "--only" => options.only = Some(value()?),
                other => {
                    return Err(format!(
                        "{other}: not known; --agent FILE, --seconds N, --only TEXT"
                    )
                    .into());
                }
            }
        }
        Ok(options)
    }
}

/// One thing that is measured.
struct Case {
    what: &'static str,
    /// Who asks; the one with twenty permissions is known to our Agent only.
    restricted: bool,
    request: fn(&Peer, u64) -> RequestType,
    outstanding: usize,
}

fn cases(options: &Options) -> Vec<Case> {
    let get: fn(&Peer, u64) -> RequestType = |_, _| get_of("Device.LocalAgent.EndpointID");
    let all = [
        Case {
            what: "Get, 1 parameter",
            restricted: false,
            request: get,
            outstanding: OUTSTANDING,
        },
        Case {
            what: "Get, a fixed tree",
            restricted: false,
            request: |_, _| get_of(TREE),
            outstanding: OUTSTANDING,
        },
        Case {
            what: "Get, a fixed tree, 20 permissions",
            restricted: true,
            request: |_, _| get_of(TREE),
            outstanding: OUTSTANDING,
        },
        Case {
            what: "Get, all of Device.",
            restricted: false,
            request: |_, _| get_of("Device."),
            outstanding: 4,
        },
        Case {
            what: "Get, all of Device., 20 permissions",
            restricted: true,
            request: |_, _| get_of("Device."),
            outstanding: 4,
        },
        Case {
            what: "GetSupportedDM of Device.",
            restricted: false,
            request: |_, _| {
                RequestType::GetSupportedDm(GetSupportedDm {
                    obj_paths: vec!["Device.".to_owned()],
                    first_level_only: false,
                    return_commands: true,
                    return_events: true,
                    return_params: true,
                    return_unique_key_sets: true,
                })
            },
            outstanding: OUTSTANDING,
        },
        Case {
            what: "Set, durable",
            restricted: false,
            request: set_of,
            outstanding: OUTSTANDING,
        },
    ];
    let wanted = |case: &Case| {
        options
            .only
            .as_ref()
            .is_none_or(|only| case.what.contains(only.as_str()))
    };
    all.into_iter().filter(wanted).collect()
}

fn get_of(path: &str) -> RequestType {
    RequestType::Get(Get {
        param_paths: vec![path.to_owned()],
        max_depth: 0,
    })
}

fn set_of(_: &Peer, number: u64) -> RequestType {
    RequestType::Set(Set {
        allow_partial: false,
        update_objs: vec![UpdateObject {
            obj_path: "Device.LocalAgent.Controller.1.".to_owned(),
            param_settings: vec![UpdateParamSetting {
                param: "ControllerCode".to_owned(),
                value: format!("code {number}"),
                required: true,
            }],
        }],
    })
}

#[derive(Clone)]
struct Measured {
    per_second: f64,
    cpu: f64,
    p50: f64,
    p99: f64,
    /// Seconds since the oldest live value that was looked at was read, where an answer tells.
    oldest: Option<u64>,
}

/// How long ago the answer's `Device.Time.CurrentLocalTime` was, in whole seconds.
fn age(answer: &Msg) -> Option<u64> {
    use usphere_proto::msg::ResponseType;
    const DAY: i64 = 24 * 3600;
    let Some(ResponseType::GetResp(response)) = answer.as_response() else {
        return None;
    };
    let objects = response
        .req_path_results
        .iter()
        .flat_map(|result| &result.resolved_path_results);
    let time = objects
        .into_iter()
        .find_map(|object| object.result_params.get("CurrentLocalTime"))?;
    let number = |from: usize| time.get(from..from + 2)?.parse::<i64>().ok();
    let offset = match time.as_bytes().get(19)? {
        sign @ (b'+' | b'-') => {
            (number(20)? * 60 + number(23)?) * 60 * if *sign == b'-' { -1 } else { 1 }
        }
        _ => 0,
    };
    let then = (number(11)? * 60 + number(14)?) * 60 + number(17)? - offset;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .ok()?
        .as_secs() as i64;
    Some((now - then).rem_euclid(DAY) as u64)
}

async fn run(case: &Case, peers: &mut [Peer], seconds: f64) -> Result<()> {
    let mut all: Vec<Vec<Measured>> = vec![Vec::new(); peers.len()];
    let mut elements = vec![0; peers.len()];
    for round in 0..ROUNDS {
        for (at, peer) in peers.iter_mut().enumerate() {
            let link = usize::from(case.restricted);
            if link >= peer.links.len() {
                continue;
            }
            if round == 0 {
                let request = (case.request)(peer, 0);
                elements[at] = peer.elements(link, request).await?;
                measure(case, peer, link, 0.3).await?;
            }
            all[at].push(measure(case, peer, link, seconds).await?);
        }
    }
    for ((peer, measured), elements) in peers
        .iter()
        .zip(&all)
        .zip(elements)
        .filter(|((_, all), _)| !all.is_empty())
    {
        let median = |of: fn(&Measured) -> f64| {
            let mut values: Vec<f64> = measured.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        println!(
            "{:<36} {:<9} {:>11.0} {:>12.2} {:>8.0} µs {:>8.0} µs {:>9} {:>5} KiB",
            case.what,
            peer.name,
            median(|m| m.per_second),
            median(|m| m.cpu),
            median(|m| m.p50),
            median(|m| m.p99),
            elements,
            peer.resident()?,
        );
        if let Some(oldest) = measured.iter().filter_map(|measured| measured.oldest).max() {
            println!(
                "{:<36} {:<9} the oldest live value was {oldest} s old",
                "", peer.name
            );
        }
    }
    Ok(())
}

async fn measure(case: &Case, peer: &mut Peer, link: usize, seconds: f64) -> Result<Measured> {
    let mut outstanding: HashMap<String, Instant> = HashMap::new();
    let mut latencies: Vec<Duration> = Vec::new();
    let mut oldest = None;
    let (began, cpu) = (Instant::now(), peer.cpu()?);
    let end = began + Duration::from_secs_f64(seconds);
    let mut events = Vec::new();
    loop {
        while outstanding.len() < case.outstanding && Instant::now() < end {
            peer.sent += 1;
            let msg_id = format!("load-{}", peer.sent);
            let request = (case.request)(peer, peer.sent);
            peer.send(link, &msg_id, request)?;
            outstanding.insert(msg_id, Instant::now());
        }
        if outstanding.is_empty() {
            break;
        }
        let received = peer.links[link]
            .receiver
            .recv_many(&mut events, OUTSTANDING);
        tokio::time::timeout(Duration::from_secs(10), received).await?;
        for event in events.drain(..) {
            let LinkEvent::Record(record, _) = event else {
                return Err(format!("{}: {event:?}", peer.name).into());
            };
            let Some(payload) = record.payload() else {
                continue;
            };
            if latencies.len().is_multiple_of(64) {
                let msg = Msg::decode_bounded(payload.clone(), &Default::default())?;
                oldest = oldest.max(age(&msg));
                if msg.is_error() {
                    return Err(format!("{}: an Error: {msg:?}", peer.name).into());
                }
            }
            if let Some(sent) = Msg::peek(payload)
                .msg_id
                .and_then(|msg_id| outstanding.remove(msg_id))
            {
                latencies.push(sent.elapsed());
            }
        }
    }
    let took = began.elapsed().as_secs_f64();
    let cpu = (peer.cpu()? - cpu).as_secs_f64();
    latencies.sort();
    let count = latencies.len();
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    Ok(Measured {
        per_second: count as f64 / took,
        cpu: cpu * 1e6 / count as f64,
        p50: micros(latencies[count / 2]),
        p99: micros(latencies[count * 99 / 100]),
        oldest,
    })
}

/// From `exec` to the first Record, with data that is there already.
async fn start_times(options: &Options, folder: &Path) -> Result<()> {
    println!();
    let controller = EndpointId::parse(CONTROLLERS[0])?;
    let door = Door {
        address: ([127, 0, 0, 1], 0).into(),
        path: "/usp".to_owned(),
        tls: false,
        insecure: false,
    };
    let mut listener =
        Listener::bind(door, Settings::new(controller), ListenerLimits::default()).await?;
    let url = format!("ws://{}/usp", listener.local_addr());
    let data = folder.join("start");
    let start = || -> Result<Command> {
        let mut command = usphere(&options.agent, &data);
        command.args(["--controller", &format!("{}={url}", CONTROLLERS[0])]);
        Ok(command)
    };
    let mut times = Vec::new();
    for _ in 0..12 {
        let began = Instant::now();
        let mut child = start()?.spawn()?;
        let link = tokio::time::timeout(Duration::from_secs(10), listener.accept()).await?;
        let mut link = link.ok_or("the listener is gone")?;
        link.receiver.recv().await;
        times.push(began.elapsed());
        // The first start makes the data; the others find it.
        stop(&mut child)?;
    }
    times.remove(0);
    times.sort();
    println!(
        "exec to first Record, existing data: median {:.1} ms, worst {:.1} ms of {}",
        times[times.len() / 2].as_secs_f64() * 1e3,
        times[times.len() - 1].as_secs_f64() * 1e3,
        times.len()
    );
    Ok(())
}

fn filesystem(path: &Path) -> String {
    let output = Command::new("stat")
        .args(["-f", "-c", "%T"])
        .arg(path)
        .output();
    output
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}

/// The median of what the disk needs to sync 4 KiB.
fn sync_time(folder: &Path) -> Result<String> {
    use std::io::Write as _;
    let mut file = fs::File::create(folder.join("sync"))?;
    let mut times = Vec::new();
    for _ in 0..51 {
        file.write_all(&[7; 4096])?;
        let began = Instant::now();
        file.sync_data()?;
        times.push(began.elapsed());
    }
    times.sort();
    Ok(format!(
        "{:.2} ms",
        times[times.len() / 2].as_secs_f64() * 1e3
    ))
}
