//! What an idle Agent costs the server: `cargo run --release -p usphere-server --example idle [AGENTS [tls]]`
//!
//! Starts a server, lets so many Agents (5,000 unless told otherwise) connect over real sockets from a second
//! process and say who they are, waits until all is quiet, and prints how much resident memory each of
//! them added, with the memory that the kernel has for its socket left out.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::sleep;
use usphere_mtp::tls::{Authority, Holder, Term, Tls};
use usphere_mtp::websocket::{self, LinkEvent, Settings, Target};
use usphere_proto::msg::{
    GetResp, GetSupportedProtocolResp, MsgBody, Request, RequestType, RequestedPathResult,
    ResolvedPathResult,
};
use usphere_proto::{EndpointId, Limits, Msg, Record};
use usphere_runtime::ControllerTls;
use usphere_server::{Config, Server, TlsFiles};

/// Who the server is.
const SERVER: &str = "self::idle-server";

type Done<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Longer than what an arrival leaves behind takes to go.
const QUIET: Duration = Duration::from_secs(5);

/// What every Agent is asked when it comes: Get and GetSupportedProtocol.
const REQUESTS: usize = 2;

#[tokio::main]
async fn main() -> Done {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [count, url, controller, folder] => {
            agents(count.parse()?, url, controller, Path::new(folder)).await
        }
        [count, tls] if tls == "tls" => measure(count.parse()?, true).await,
        [count] => measure(count.parse()?, false).await,
        _ => measure(5_000, false).await,
    }
}

async fn measure(count: usize, over_tls: bool) -> Done {
    let folder = tempfile::tempdir()?;
    let server = certify(folder.path())?;
    let server = Server::start(Config {
        endpoint_id: Some(EndpointId::parse(SERVER)?),
        tls: over_tls.then_some(server),
        api: ([127, 0, 0, 1], 0).into(),
        ws: ([127, 0, 0, 1], 0).into(),
        connections_max: count,
        connections_per_source_max: count,
        ..Config::new(folder.path())
    })
    .await?;
    sleep(QUIET).await;
    let before = resident_kib()?;
    let started = Instant::now();
    let mut others = Command::new(std::env::current_exe()?)
        .arg(count.to_string())
        .arg(server.ws_url())
        .arg(server.endpoint_id().as_str())
        .arg(folder.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let said = others.stdout.take().ok_or("no output")?;
    let Some(line) = BufReader::new(said).lines().next_line().await? else {
        return Err("the Agents ended early".into());
    };
    println!("{line} after {:.1} s", started.elapsed().as_secs_f64());
    sleep(QUIET).await;
    let after = resident_kib()?;
    println!("resident: {before} KiB without Agents, {after} KiB with {count}");
    println!("{:.2} KiB for each", (after - before) / count as f64);
    others.kill().await?;
    server.shutdown().await;
    Ok(())
}

/// Makes a CA, and certificates: one for the server, one for all the Agents.
fn certify(folder: &Path) -> Done<TlsFiles> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let term = Term {
        not_before: 0,
        not_after: i64::try_from(now)? + 86_400,
    };
    let (certificate, key) = (folder.join("ca.pem"), folder.join("ca.key"));
    Authority::make("idle", term)?.write(&certificate, &key)?;
    let authority = Authority::from_files(&certificate, &key)?;
    for (name, endpoint) in [("server", SERVER), ("agents", "os::0044FF-IDLE*")] {
        let holder = Holder {
            endpoints: vec![EndpointId::from_wire(endpoint)?],
            ..Holder::default()
        };
        let files = files(folder, name);
        authority
            .issue(&holder, term)?
            .write(&files.certificate, &files.key)?;
    }
    Ok(files(folder, "server"))
}

fn files(folder: &Path, name: &str) -> TlsFiles {
    TlsFiles {
        certificate: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
        authorities: folder.join("ca.pem"),
    }
}

/// The second process: all the Agents.
async fn agents(count: usize, url: &str, controller: &str, folder: &Path) -> Done {
    let target: Target = url.parse()?;
    let tls = ControllerTls::open(files(folder, "agents"))?.tls();
    let controller = EndpointId::parse(controller)?;
    let (answered, mut answers) = mpsc::unbounded_channel();
    for n in 0..count {
        let id = EndpointId::parse(&format!("os::0044FF-IDLE{n:012}"))?;
        let agent = agent(
            target.clone(),
            id,
            controller.clone(),
            tls.clone(),
            answered.clone(),
        );
        tokio::spawn(async move {
            if let Err(error) = agent.await {
                eprintln!("an Agent ended: {error}");
                std::process::exit(1);
            }
        });
        // As fast as a listener lets in by default.
        sleep(Duration::from_millis(3)).await;
    }
    for _ in 0..count * REQUESTS {
        answers.recv().await;
    }
    println!("{count} Agents are there and have said who they are");
    std::future::pending().await
}

async fn agent(
    target: Target,
    id: EndpointId,
    controller: EndpointId,
    tls: Arc<Tls>,
    answered: mpsc::UnboundedSender<()>,
) -> Done {
    let settings = Settings {
        tls: Some(tls),
        peer_id: Some(controller.clone()),
        ..Settings::new(id.clone())
    };
    let mut link = websocket::dial(&target, &settings).await?;
    link.sender
        .try_send(&Record::websocket_connect(&controller, &id))?;
    while let Some(event) = link.receiver.recv().await {
        match event {
            LinkEvent::Record(record, _) => {
                if let Some(msg) = answer(&record)? {
                    let record = Record::no_session(&controller, &id, msg.into_payload());
                    link.sender.try_send(&record)?;
                    answered.send(())?;
                }
            }
            LinkEvent::Refused(refusal) => return Err(refusal.to_string().into()),
            LinkEvent::Closed(reason) => return Err(reason.to_string().into()),
        }
    }
    Ok(())
}

fn answer(record: &Record) -> Done<Option<Msg>> {
    let Some(payload) = record.payload() else {
        return Ok(None);
    };
    let msg = Msg::receive(payload.clone(), &Limits::DEFAULT).map_err(|error| error.to_string())?;
    let msg_id = msg.msg_id().to_owned();
    let Some(MsgBody::Request(Request {
        req_type: Some(request),
    })) = msg.into_content()
    else {
        return Ok(None);
    };
    Ok(match request {
        RequestType::Get(get) => Some(Msg::response(
            msg_id,
            GetResp {
                req_path_results: get.param_paths.into_iter().map(value).collect(),
            },
        )),
        RequestType::GetSupportedProtocol(_) => Some(Msg::response(
            msg_id,
            GetSupportedProtocolResp {
                agent_supported_protocol_versions: "1.3,1.4".into(),
            },
        )),
        _ => None,
    })
}

/// Some text for each parameter that is asked for.
fn value(path: String) -> RequestedPathResult {
    let name = path.rsplit('.').next().unwrap_or_default();
    RequestedPathResult {
        resolved_path_results: vec![ResolvedPathResult {
            resolved_path: path.strip_suffix(name).unwrap_or_default().to_owned(),
            result_params: BTreeMap::from([(name.to_owned(), format!("the {name}"))]),
        }],
        requested_path: path,
        ..RequestedPathResult::default()
    }
}

/// Resident memory of this process.
fn resident_kib() -> Done<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.ok_or("no VmRSS in /proc/self/status")?.parse()?)
}
