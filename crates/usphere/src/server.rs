//! `usphere server`: the platform.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;

use clap::Args;
use tokio::runtime;
use usphere_proto::EndpointId;
use usphere_server::{AdmissionError, ApiTlsFiles, Config, Server, StartError, Surroundings, keys};

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
    /// The certificate of the API, PEM; with its key the API is at https://
    #[arg(long, value_name = "FILE", requires = "api_tls_key")]
    api_tls_cert: Option<PathBuf>,
    /// The private key of the API's certificate, PEM, which only its owner may read
    #[arg(long, value_name = "FILE", requires = "api_tls_cert")]
    api_tls_key: Option<PathBuf>,
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
        config.admissible().map_err(refused)?;
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
            StartError::EndpointId(_) | StartError::NoIdentity { .. } => Failure::usage(error),
            StartError::Refused(error) => refused(error),
            StartError::Address { .. } | StartError::Data(_) | StartError::Store(_) => {
                Failure::local(error)
            }
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

/// A configuration with which no server starts.
fn refused(error: AdmissionError) -> Failure {
    match error {
        AdmissionError::NotLoopback { .. } => Failure::usage(error),
        AdmissionError::Tls(_) => Failure::local(error),
    }
}

/// What a configuration comes to, for people: what flags may say as it came out, all else as the file has it.
fn told(config: &Config) -> String {
    let text = |value: &dyn fmt::Display| Some(format!("{:?}", value.to_string()));
    let path = |path: Option<&PathBuf>| path.and_then(|path| text(&path.display()));
    let (api, ws) = (config.api_tls.as_ref(), config.tls.as_ref());
    let lines = keys().filter_map(|key| {
        let value = match key.name {
            "api" => text(&config.api),
            "api_tls_cert" => path(api.map(|files| &files.certificate)),
            "api_tls_key" => path(api.map(|files| &files.key)),
            "data" => path(Some(&config.data)),
            "endpoint_id" => config.endpoint_id.as_ref().and_then(|id| text(id)),
            "tls_ca" => path(ws.map(|files| &files.authorities)),
            "tls_cert" => path(ws.map(|files| &files.certificate)),
            "tls_key" => path(ws.map(|files| &files.key)),
            "ws" => text(&config.ws),
            name => {
                let given = config.given.get(name).map(String::as_str);
                given.or(key.default).map(str::to_owned)
            }
        };
        value.map(|value| format!("{} = {value}", key.name))
    });
    lines.collect::<Vec<_>>().join("\n")
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
        let api_tls = self.api_tls_cert.clone().zip(self.api_tls_key.clone());
        let api_tls = api_tls.map(|(certificate, key)| ApiTlsFiles { certificate, key });
        Ok(Config {
            api: self.api.unwrap_or(config.api),
            api_tls: api_tls.or(config.api_tls),
            data: self.data.clone().or(named).unwrap_or(config.data),
            endpoint_id: self.endpoint_id.clone().or(config.endpoint_id),
            tls: self.tls.clone().over(config.tls)?,
            ws: self.ws.unwrap_or(config.ws),
            ..config
        })
    }
}
