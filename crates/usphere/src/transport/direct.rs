//! Our own Controller, for one Agent: it listens and we dial, or the other way round.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use rand::distr::Alphanumeric;
use tokio::net::lookup_host;
use tokio::time::timeout;
use usphere_datamodel::operation::{Operation, OperationError, Outcome};
use usphere_mtp::tls::{Tls, TlsError};
use usphere_mtp::websocket::{BindError, DialError, Door, ListenerLimits, Target};
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::{ControllerConfig, ControllerHost, WaitError};
use usphere_runtime::{ControllerTls, TlsFiles};

use super::{feed, patiently};
use crate::cli::reach;
use crate::failure::{Exit, Failure};
use crate::tls::ADVICE;

/// Random characters that every msg_id of a run begins with.
const PREFIX_LENGTH: usize = 8;

#[derive(Debug)]
pub(crate) struct Direct {
    host: ControllerHost,
    agent: EndpointId,
    /// Where it listens, if it does.
    target: Option<Target>,
    patience: Duration,
}

impl Direct {
    /// Dials an Agent that listens.
    pub(super) async fn dial(to: reach::Direct, patience: Duration) -> Result<Self, Failure> {
        let reach::Direct { target, own, tls } = to;
        let target = &target;
        let tls = open(tls)?;
        let dial = timeout(patience, ControllerHost::dial(target, config(&own), tls));
        let mut host = patiently(&format!("dialling {target}"), dial)
            .await
            .map_err(|_| unanswered(target))?
            .map_err(|error| not_dialled(target, &error))?;
        let online = patiently(
            "waiting for the Agent's Connect Record",
            host.wait_for_agent(patience),
        )
        .await;
        match online {
            Ok(agent) => Ok(Self {
                host,
                agent,
                target: Some(target.clone()),
                patience,
            }),
            Err(error) => {
                host.shutdown().await;
                Err(not_greeted(target, &own, &error))
            }
        }
    }

    /// Waits for an Agent that dials in.
    pub(super) async fn listen(at: reach::Direct, patience: Duration) -> Result<Self, Failure> {
        let reach::Direct { target, own, tls } = at;
        let tls = open(tls)?;
        let door = Door {
            address: resolve(&target).await?,
            path: target.path.clone(),
            tls: target.tls,
            insecure: false,
        };
        let mut host = ControllerHost::listen(door, ListenerLimits::default(), config(&own), tls)
            .await
            .map_err(|error| not_opened(&error))?;
        let what = format!("waiting for an Agent at {target}");
        match patiently(&what, host.wait_for_agent(patience)).await {
            Ok(agent) => Ok(Self {
                host,
                agent,
                target: None,
                patience,
            }),
            Err(error) => {
                host.shutdown().await;
                Err(Failure::new(Exit::Absent, format_args!("{target}: {error}")).advise(format!(
                    "the Agent needs a Controller with EndpointID {own} whose MTP names {target}; --timeout waits longer"
                )))
            }
        }
    }

    pub(super) async fn execute(&self, operation: Operation) -> Result<Outcome, OperationError> {
        self.host
            .handle()
            .request(&self.agent, operation, self.patience)
            .await
    }

    /// What the Agent says of its own accord, from now on.
    pub(super) fn follow(&self) -> feed::Direct {
        let redial = self.target.clone();
        let redial = redial.map(|target| (self.host.dialler(), target));
        feed::Direct::new(self.agent.clone(), self.host.handle().clone(), redial)
    }

    /// Its Endpoint ID.
    pub(super) fn agent(&self) -> &str {
        self.agent.as_str()
    }

    pub(super) async fn close(&mut self) {
        self.host.shutdown().await;
    }
}

fn config(own: &EndpointId) -> ControllerConfig {
    let random = rand::rng().sample_iter(Alphanumeric);
    ControllerConfig {
        endpoint_id: own.clone(),
        msg_id_prefix: random.take(PREFIX_LENGTH).map(char::from).collect(),
    }
}

/// Reads the files of TLS, where it is wanted.
fn open(files: Option<TlsFiles>) -> Result<Option<Arc<Tls>>, Failure> {
    let open =
        |files| ControllerTls::open(files).map_err(|error| Failure::local(error).advise(ADVICE));
    Ok(files.map(open).transpose()?.map(|tls| tls.tls()))
}

async fn resolve(target: &Target) -> Result<SocketAddr, Failure> {
    let found = lookup_host((target.host.as_str(), target.port)).await;
    let failed =
        |reason: String| Failure::usage(format_args!("{}: not an address: {reason}", target.host));
    found
        .map_err(|error| failed(error.to_string()))?
        .next()
        .ok_or_else(|| failed("the name has none".to_owned()))
}

fn unanswered(target: &Target) -> Failure {
    Failure::new(
        Exit::Absent,
        format_args!("{target}: no answer in time while connecting"),
    )
    .advise("--timeout gives it longer")
}

fn not_dialled(target: &Target, error: &DialError) -> Failure {
    let absent = Failure::new(Exit::Absent, format_args!("{target}: {error}"));
    match error {
        DialError::TlsNotConfigured { .. } => Failure::usage(error),
        DialError::Connect { .. } => {
            absent.advise("is the Agent running, and does its WebSocket MTP listen there?")
        }
        DialError::Refused { .. } => absent.advise("is the path right?"),
        DialError::Handshake { .. }
        | DialError::NoSubprotocol
        | DialError::Resolve { .. }
        | DialError::Timeout { .. } => absent,
        DialError::Tls(error) => match error {
            TlsError::Distrusted(_) => absent
                .advise("--tls-ca names the CAs that vouch for the Agent; `usphere certs show FILE` shows a certificate"),
            TlsError::Refused { .. } => {
                absent.advise("the Agent has to trust the CA of --tls-cert: it is given that CA with --tls-ca")
            }
            _ => absent,
        },
    }
}

fn not_greeted(target: &Target, own: &EndpointId, error: &WaitError) -> Failure {
    Failure::new(Exit::Absent, format_args!("{target}: {error}")).advise(format!(
        "the Agent may not know us: its Controller table needs a row with EndpointID {own}, or --as takes the ID of one it has"
    ))
}

fn not_opened(error: &BindError) -> Failure {
    match error {
        BindError::Address { .. } => {
            Failure::local(error).advise("is another program listening there?")
        }
        BindError::NoIdentity { .. } | BindError::NotLoopback { .. } => Failure::usage(error),
    }
}
