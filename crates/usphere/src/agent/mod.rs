//! `usphere agent`, and the whole of `usphere-agent`: the USP Agent of this host.

mod settings;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser};
use tokio::runtime;
use tokio::sync::oneshot;
use usphere_agent::{Config, TrustConfig};
use usphere_device::net::Net;
use usphere_device::{Host, HostPaths};
use usphere_mtp::tls::Tls;
use usphere_mtp::websocket::Target;
use usphere_proto::EndpointId;
use usphere_runtime::Owner;
use usphere_runtime::agent_host::{AgentHost, AgentHostConfig, AgentHostError, clock_is_plausible};

use self::settings::{Seed, Settings};
use crate::defaults::{FIRST_USE_FILE, LOG_DAEMONS, NETWORK_FILE, ROWS_FILE};
use crate::failure::{Exit, Failure, conclude};
use crate::log;
use crate::signals::{Reloads, Signals};
use crate::supervisor::Supervisor;
use crate::tls::TlsOptions;

#[derive(Args, Debug, Default)]
pub(crate) struct Options {
    /// A TOML file with the same settings; flags override it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of everything that is kept
    /// [default: /var/lib/usphere/agent for root, else ~/.local/state/usphere/agent]
    #[arg(long, value_name = "DIR", verbatim_doc_comment)]
    data: Option<PathBuf>,
    /// Who we are, from now on [default: made at first start and kept]
    #[arg(long, value_name = "ENDPOINT-ID")]
    endpoint_id: Option<EndpointId>,
    /// A Controller with full access, dialled at URL if there is one; may be given again.
    /// What was Set on it later is never overwritten
    #[arg(long, value_name = "ENDPOINT-ID[=URL]")]
    controller: Vec<Seed>,
    /// Accept Controllers that dial in here, such as wss://0.0.0.0:9002/usp or ws://127.0.0.1:9002/usp
    #[arg(long, value_name = "URL")]
    listen: Option<Target>,
    #[command(flatten)]
    tls: TlsOptions,
}

/// The USP Agent of this host (TR-369)
#[derive(Debug, Parser)]
#[command(name = "usphere-agent", version)]
struct Alone {
    #[command(flatten)]
    options: Options,
    /// What is logged, on stderr: a level, or `module=level,…` [env: USPHERE_LOG]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
}

/// The device-only binary.
pub(crate) fn run_alone() -> ExitCode {
    let alone = Alone::parse();
    conclude(run(alone.options, alone.log.as_deref()))
}

/// Runs the Agent until a signal ends it.
pub(crate) fn run(options: Options, log: Option<&str>) -> Result<Exit, Failure> {
    let settings = Settings::gather(options)?;
    log::start(log, settings.log.as_deref(), LOG_DAEMONS)?;
    // One thread: what blocks has threads of its own in the host.
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::local(format_args!("the runtime cannot be started: {error}")))?
        .block_on(live(settings))
}

async fn live(settings: Settings) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let endpoint_id = settings.endpoint_id()?;
    if let Some(warning) = endpoint_id.production_warning() {
        tracing::warn!(%endpoint_id, "not for production: {warning}; --endpoint-id gives another");
    }
    if settings.insecure {
        tracing::warn!(
            "insecure = true: doors without TLS may be open to other hosts; anyone on the way can read and change what is said"
        );
    }
    let mut reloads = Reloads::listen(settings.has_tls_files())?;
    let config = host_config(&settings, endpoint_id.clone())?;
    let host = AgentHost::start(config).map_err(|error| not_started(&error))?;
    tracing::info!(%endpoint_id, data = %settings.data.display(), "Agent started");
    if settings.controllers.is_empty() && settings.listen.is_none() {
        tracing::info!(
            "no --controller and no --listen: only Controllers known from earlier starts are dialled"
        );
    }
    let tls = host.tls();
    let (told, end) = oneshot::channel::<()>();
    let life = host.run(async {
        // An error means that nobody can tell us any more.
        drop(end.await);
    });
    tokio::pin!(life);
    let mut supervisor = Supervisor::find();
    supervisor.ready();
    let ended = loop {
        tokio::select! {
            ended = &mut life => break ended,
            () = supervisor.beat() => {}
            () = signals.wait() => {
                supervisor.stopping();
                drop(told);
                break signals.say_farewell(life).await;
            }
            () = reloads.next() => reload(&settings, &endpoint_id, tls.as_deref()),
        }
    };
    ended.map_err(|error| not_started(&error))?;
    tracing::info!("Agent stopped");
    Ok(Exit::Done)
}

/// Takes up a certificate and key that have changed.
fn reload(settings: &Settings, endpoint_id: &EndpointId, tls: Option<&Tls>) {
    match (settings.identity(endpoint_id), tls) {
        (Ok(identity), Some(tls)) => {
            tls.set_identity(identity);
            tracing::info!("certificate reloaded");
        }
        (Err(failure), _) => {
            tracing::error!("certificate not reloaded, the old one stays: {failure}");
        }
        (Ok(_), None) => {}
    }
}

fn host_config(settings: &Settings, endpoint_id: EndpointId) -> Result<AgentHostConfig, Failure> {
    let mut device = settings.device.clone();
    device
        .first_use_file
        .get_or_insert_with(|| settings.data.join(FIRST_USE_FILE));
    device.rows_file = Some(settings.data.join(ROWS_FILE));
    device.namespace.clone_from(&settings.network.namespace);
    let host = Host::new(device, HostPaths::default()).map_err(Failure::usage)?;
    let identity = settings.identity(&endpoint_id)?;
    let mut network = settings.network.clone();
    network.interfaces = settings.device.interfaces.clone();
    network
        .state_file
        .get_or_insert_with(|| settings.data.join(NETWORK_FILE));
    let network = Net::new(network, &HostPaths::default());
    let owners: Vec<Box<dyn Owner>> = vec![Box::new(host), Box::new(network)];
    let mut objects = usphere_device::objects();
    objects.extend(usphere_device::net::objects());
    Ok(AgentHostConfig {
        agent: Config {
            endpoint_id,
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            controllers: settings.controllers.iter().map(Seed::known).collect(),
            listen: settings.listen.as_ref().map(settings::place),
            trust: TrustConfig {
                authorities: settings.authorities()?,
                ..TrustConfig::default()
            },
        },
        objects,
        owners,
        data: settings.data.clone(),
        listen_address: settings.listen_address()?,
        insecure: settings.insecure,
        identity: Some(identity),
        seed: rand::random(),
        clock_is_right: Box::new(clock_is_plausible),
        host_commands: settings.host_commands.clone(),
    })
}

fn not_started(error: &AgentHostError) -> Failure {
    Failure::local(error)
}
