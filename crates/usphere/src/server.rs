//! `usphere server`: the platform.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;

use clap::Args;
use tokio::runtime;
use usphere_proto::EndpointId;
use usphere_server::{Config, Server, StartError, Surroundings, keys};

use crate::defaults::{DATA_VARIABLE, LOG_DAEMONS, SERVER_ROLE, STORE_THREADS};
use crate::failure::{Exit, Failure};
use crate::log::Changeable;
use crate::signals::{Reloads, Signals};
use crate::supervisor::Supervisor;
use crate::tls::TlsOptions;
use crate::{data, log, memory};

#[derive(Args, Debug, Default)]
pub(crate) struct Options {
    /// A TOML file with the same settings; flags and environment override it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of everything that is kept [env: USPHERE_DATA]
    /// [default: /var/lib/usphere/server for root, else ~/.local/state/usphere/server]
    #[arg(long, value_name = "DIR", verbatim_doc_comment)]
    data: Option<PathBuf>,
    /// Where the API listens [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    api: Option<SocketAddr>,
    /// Where Agents connect over WebSocket, at the path /usp [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR")]
    ws: Option<SocketAddr>,
    #[command(flatten)]
    tls: TlsOptions,
    /// Who the server is, from now on [default: made at first start and kept]
    #[arg(long, value_name = "ENDPOINT-ID")]
    endpoint_id: Option<EndpointId>,
    /// Say what the configuration comes to, and end
    #[arg(long)]
    check: bool,
}

/// Runs the server until a signal ends it.
pub(crate) fn run(options: Options, log: Option<&str>) -> Result<Exit, Failure> {
    let config = options.gather()?;
    let file = config.log.as_deref();
    let changeable = log::start_changeable(log, file, LOG_DAEMONS, config.log_format)?;
    if options.check {
        println!("{}", told(&config));
        return Ok(Exit::Done);
    }
    memory::prefer_small_pages();
    runtime::Builder::new_multi_thread()
        .enable_all()
        // Each costs more than a megabyte of what it has once allocated, and the store has one writer.
        .max_blocking_threads(STORE_THREADS)
        .build()
        .map_err(|error| Failure::local(format_args!("the runtime cannot be started: {error}")))?
        .block_on(serve(
            config,
            Around {
                options,
                log: changeable,
            },
        ))
}

/// The program around the server.
struct Around {
    options: Options,
    log: Changeable,
}

impl Surroundings for Around {
    fn configuration(&self) -> Result<Config, String> {
        let config = self.options.gather().map_err(|failure| failure.message)?;
        match config.log.as_deref().map(log::check) {
            Some(Err(reason)) => Err(format!("log: {reason}")),
            Some(Ok(())) | None => Ok(config),
        }
    }

    fn log(&self, filter: Option<&str>) -> Result<bool, String> {
        self.log.change(filter.unwrap_or(LOG_DAEMONS))
    }
}

async fn serve(config: Config, around: Around) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let mut reloads = Reloads::listen(true)?;
    let around = Arc::new(around);
    let mut supervisor = Supervisor::find();
    let start = Server::start_in(config, Some(Arc::clone(&around) as _));
    let server = tokio::select! {
        started = supervisor.starting(start) => started.map_err(|error| match error {
            StartError::EndpointId(_)
            | StartError::NoIdentity { .. }
            | StartError::NotLoopback { .. } => Failure::usage(error),
            StartError::Address { .. }
            | StartError::Data(_)
            | StartError::Store(_)
            | StartError::Tls(_) => Failure::local(error),
        })?,
        // Nobody has been answered yet, and the store stands a cut at any moment.
        () = signals.wait() => process::exit(Exit::Done.code().into()),
    };
    tracing::info!(
        "an Agent comes with: usphere agent --controller {}={}",
        server.endpoint_id(),
        server.ws_url()
    );
    around.log.hide(server.token());
    supervisor.ready();
    loop {
        tokio::select! {
            () = signals.wait() => break,
            () = reloads.next() => {
                supervisor.reloading();
                reload(&server);
                supervisor.ready();
            }
            () = supervisor.beat() => {}
        }
    }
    supervisor.stopping();
    signals.say_farewell(server.shutdown()).await;
    Ok(Exit::Done)
}

/// What a configuration comes to, for people.
fn told(config: &Config) -> String {
    let mut lines = vec![
        format!("data = {:?}", config.data.display().to_string()),
        format!("api = \"{}\"", config.api),
        format!("ws = \"{}\"", config.ws),
    ];
    let by_flags = ["data", "api", "ws"];
    for key in keys().filter(|key| !by_flags.contains(&key.name)) {
        let value = config.given.get(key.name).map(String::as_str);
        lines.extend(
            value
                .or(key.default)
                .map(|value| format!("{} = {value}", key.name)),
        );
    }
    lines.join("\n")
}

/// Takes up what has changed, and says so in the log.
fn reload(server: &Server) {
    if let Err(error) = server.reload() {
        tracing::error!("not reloaded: {error}");
    }
}

impl Options {
    /// Flags over environment over file over defaults.
    fn gather(&self) -> Result<Config, Failure> {
        let folder = data::default_folder(SERVER_ROLE);
        let config = match &self.config {
            Some(path) => Config::from_file(path, folder).map_err(Failure::usage)?,
            None => Config::new(folder),
        };
        let named = data::variable(DATA_VARIABLE).map(PathBuf::from);
        Ok(Config {
            api: self.api.unwrap_or(config.api),
            data: self.data.clone().or(named).unwrap_or(config.data),
            endpoint_id: self.endpoint_id.clone().or(config.endpoint_id),
            tls: self.tls.clone().over(config.tls)?,
            ws: self.ws.unwrap_or(config.ws),
            ..config
        })
    }
}
