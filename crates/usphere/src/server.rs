//! `usphere server`: the platform.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio::runtime;
use usphere_proto::EndpointId;
use usphere_server::{Config, Server, StartError};

use crate::defaults::{DATA_VARIABLE, LOG_DAEMONS, SERVER_ROLE, STORE_THREADS};
use crate::failure::{Exit, Failure};
use crate::signals::{Reloads, Signals};
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
}

/// Runs the server until a signal ends it.
pub(crate) fn run(options: Options, log: Option<&str>) -> Result<Exit, Failure> {
    log::start(log, None, LOG_DAEMONS)?;
    let config = options.gather()?;
    memory::prefer_small_pages();
    runtime::Builder::new_multi_thread()
        .enable_all()
        // Each costs more than a megabyte of what it has once allocated, and the store has one writer.
        .max_blocking_threads(STORE_THREADS)
        .build()
        .map_err(|error| Failure::local(format_args!("the runtime cannot be started: {error}")))?
        .block_on(serve(config))
}

async fn serve(config: Config) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let mut reloads = Reloads::listen(config.tls.is_some())?;
    let server = Server::start(config).await.map_err(|error| match error {
        StartError::EndpointId(_)
        | StartError::NoIdentity { .. }
        | StartError::NotLoopback { .. } => Failure::usage(error),
        StartError::Address { .. }
        | StartError::Data(_)
        | StartError::Store(_)
        | StartError::Tls(_) => Failure::local(error),
    })?;
    tracing::info!(
        "an Agent comes with: usphere agent --controller {}={}",
        server.endpoint_id(),
        server.ws_url()
    );
    loop {
        tokio::select! {
            () = signals.wait() => break,
            () = reloads.next() => reload(&server),
        }
    }
    signals.say_farewell(server.shutdown()).await;
    Ok(Exit::Done)
}

/// Takes up certificates that have changed.
fn reload(server: &Server) {
    match server.reload_tls() {
        Ok(()) => tracing::info!("certificates reloaded"),
        Err(error) => tracing::error!("certificates not reloaded, the old ones stay: {error}"),
    }
}

impl Options {
    /// Flags over environment over file over defaults.
    fn gather(self) -> Result<Config, Failure> {
        let folder = data::default_folder(SERVER_ROLE);
        let config = match &self.config {
            Some(path) => Config::from_file(path, folder).map_err(Failure::usage)?,
            None => Config::new(folder),
        };
        let named = data::variable(DATA_VARIABLE).map(PathBuf::from);
        Ok(Config {
            api: self.api.unwrap_or(config.api),
            data: self.data.or(named).unwrap_or(config.data),
            endpoint_id: self.endpoint_id.or(config.endpoint_id),
            tls: self.tls.over(config.tls)?,
            ws: self.ws.unwrap_or(config.ws),
            ..config
        })
    }
}
