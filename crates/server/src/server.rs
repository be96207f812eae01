//! Starting and stopping.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use usphere_mtp::tls::IdentityError;
use usphere_mtp::websocket::{BindError, Door, ListenerLimits};
use usphere_proto::EndpointId;
use usphere_runtime::ControllerTls;
use usphere_runtime::controller_host::{ControllerConfig, ControllerHost};
use usphere_store::{Store, StoreError};

use crate::api::{self, Platform};
use crate::audit::Audit;
use crate::data_folder::{self, DataError, DataFolder, Token};
use crate::events::Events;
use crate::inventory::{self, Inventory};
use crate::limits::STREAMS_MAX;
use crate::operations::Operations;
use crate::rate::Rates;
use crate::tokens::Tokens;
use crate::tracker::Tracker;
use crate::{Config, descriptors, http, retention};

/// The key under which the store keeps the Endpoint ID.
const ENDPOINT_ID: &str = "endpoint_id";

/// A running server. Dropping it cuts everything off; [`shutdown`](Self::shutdown) ends it well.
#[derive(Debug)]
pub struct Server {
    controller: ControllerHost,
    endpoint_id: EndpointId,
    api: SocketAddr,
    ws: SocketAddr,
    ws_url: String,
    tls: Option<ControllerTls>,
    token: Token,
    inventory: Inventory,
    operations: Operations,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    recording: JoinHandle<()>,
    tracking: JoinHandle<()>,
    /// What nobody waits for when the server ends.
    beside: [JoinHandle<()>; 2],
    carrying_out: [JoinHandle<()>; 2],
    _data: DataFolder,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("{address}: cannot listen for {what}: {source}{}", advice(source, key))]
    Address {
        /// The address.
        address: SocketAddr,
        /// What for.
        what: &'static str,
        /// The configuration key of the address.
        key: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The kept Endpoint ID is not one.
    #[error("the kept Endpoint ID is not valid: {0}; give one with --endpoint-id")]
    EndpointId(String),
    /// A door for TLS without a certificate.
    #[error("{address}: wss needs a certificate and its key, and there are none")]
    NoIdentity {
        /// The address.
        address: SocketAddr,
    },
    /// A door without TLS off loopback that was not asked for by name. (R-SEC.0)
    #[error(
        "{address}: not a loopback address, and without TLS anyone there could read and change what is said; \
         use 127.0.0.1 or [::1] for `{key}`, or set `insecure = true` to accept that"
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
        /// The configuration key of the address.
        key: &'static str,
    },
    /// The inventory cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] IdentityError),
}

impl Server {
    /// Opens the data folder and the doors, and serves from now on.
    ///
    /// # Errors
    /// [`StartError`] says what is in the way and what to do about it.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        loopback_or_insecure(&config, config.api, "api")?;
        if config.tls.is_none() {
            loopback_or_insecure(&config, config.ws, "ws")?;
        }
        let tls = config.tls.clone().map(ControllerTls::open).transpose()?;
        descriptors::provide(config.connections_max);
        let data = DataFolder::open(&config.data)?;
        let token = data.token()?;
        let store = Store::open(&data.database())?;
        let endpoint_id = endpoint_id(&store, config.endpoint_id.as_ref())?;
        if let Some(warning) = endpoint_id.production_warning() {
            tracing::warn!(%endpoint_id, "not for production: {warning}; --endpoint-id gives another");
        }
        data.publish_endpoint_id(&endpoint_id)?;
        let api = TcpListener::bind(config.api).await;
        let api = api.map_err(|source| StartError::Address {
            address: config.api,
            what: "the API",
            key: "api",
            source,
        })?;
        let api_address = api.local_addr();
        let api_address = api_address.map_err(|source| StartError::Address {
            address: config.api,
            what: "the API",
            key: "api",
            source,
        })?;
        let identity = ControllerConfig {
            endpoint_id: endpoint_id.clone(),
            msg_id_prefix: data_folder::msg_id_prefix()?,
        };
        let door = Door {
            address: config.ws,
            path: config.ws_path.clone(),
            tls: tls.is_some(),
            insecure: config.insecure,
        };
        let limits = ListenerLimits {
            connections_max: config.connections_max,
            connections_per_source_max: config.connections_per_source_max,
            ..ListenerLimits::default()
        };
        let controller =
            ControllerHost::listen(door, limits, identity, tls.as_ref().map(ControllerTls::tls))
                .await
                .map_err(closed_door)?;
        let ws = controller.local_addr().unwrap_or(config.ws);
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        let ws_url = format!("{scheme}://{ws}{}", config.ws_path);

        let (operations, carrying_out) =
            Operations::start(store.clone(), controller.handle().clone()).await?;
        let events = Events::new(store.clone(), operations.clone());
        let (presences, presence_recording) = events.presences();
        let tokens = Tokens::open(store.clone(), &token).await?;
        let audit = Audit::new(store.clone());
        let beside = [
            tokio::spawn(presence_recording),
            tokio::spawn(retention::keep(store.clone(), config.retention)),
        ];
        let notifications = controller.handle().notifications();
        let recording = tokio::spawn(events.clone().record(notifications));
        let inventory = Inventory::new(store);
        let (tracker, progress) = Tracker::new(controller.handle().clone(), inventory.clone());
        let tracking = tokio::spawn(tracker.telling(presences).run());
        let (stop, stopped) = watch::channel(false);
        let platform = Arc::new(Platform {
            controller: controller.handle().clone(),
            inventory: inventory.clone(),
            events,
            operations: operations.clone(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            stopped: stopped.clone(),
            progress,
            tokens,
            rates: Rates::new(config.rate),
            audit,
            endpoint_id: endpoint_id.clone(),
            ws: ws_url.clone(),
            api: api_address,
            started: inventory::now(),
        });
        let serving = tokio::spawn(http::serve(api, api::router(platform), stopped));
        tracing::info!(%endpoint_id, api = %api_address, ws = ws_url, data = %config.data.display(), "server started");
        Ok(Self {
            controller,
            endpoint_id,
            api: api_address,
            ws,
            ws_url,
            tls,
            token,
            inventory,
            operations,
            stop,
            serving,
            recording,
            tracking,
            beside,
            carrying_out,
            _data: data,
        })
    }

    /// Where the API listens.
    pub fn api_addr(&self) -> SocketAddr {
        self.api
    }

    /// Where Agents connect.
    pub fn ws_addr(&self) -> SocketAddr {
        self.ws
    }

    /// The URL at which Agents connect.
    pub fn ws_url(&self) -> &str {
        &self.ws_url
    }

    /// Takes up certificates, keys and CAs that have changed on disk, for those who connect from now on.
    /// Where a file is wrong, all stays as it was.
    ///
    /// # Errors
    /// [`IdentityError`] names the file and what is wrong with it.
    pub fn reload_tls(&self) -> Result<(), IdentityError> {
        self.tls.as_ref().map_or(Ok(()), ControllerTls::reload)
    }

    /// The server's Endpoint ID.
    pub fn endpoint_id(&self) -> &EndpointId {
        &self.endpoint_id
    }

    /// The token of the API.
    pub fn token(&self) -> &str {
        self.token.as_str()
    }

    /// Sends every Agent a Disconnect Record, lets API requests that are under way finish for a short while,
    /// takes down who was there until now, and ends.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let Self {
            controller,
            serving,
            recording,
            tracking,
            inventory,
            operations,
            carrying_out,
            ..
        } = &mut self;
        let online = controller.handle().online();
        controller.shutdown().await;
        // A panic in a task was told by the runtime already.
        drop(serving.await);
        operations.shutdown().await;
        for task in carrying_out {
            task.abort();
            drop(task.await);
        }
        tracking.abort();
        drop(tracking.await);
        recording.abort();
        drop(recording.await);
        let were_there = online
            .into_iter()
            .map(|each| each.agent.as_str().to_owned());
        if let Err(error) = inventory.all_left(were_there.collect()).await {
            tracing::error!(%error, "the inventory could not be written");
        }
        tracing::info!("server stopped");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
        self.recording.abort();
        self.tracking.abort();
        self.beside.iter().for_each(JoinHandle::abort);
        self.carrying_out.iter().for_each(JoinHandle::abort);
    }
}

/// Says what was asked for by `insecure`, at every start.
fn loopback_or_insecure(
    config: &Config,
    address: SocketAddr,
    key: &'static str,
) -> Result<(), StartError> {
    if address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    if !config.insecure {
        return Err(StartError::NotLoopback { address, key });
    }
    tracing::warn!(%address, "insecure = true: `{key}` is open to other hosts without TLS; anyone on the way can read and change what is said");
    Ok(())
}

fn endpoint_id(store: &Store, wanted: Option<&EndpointId>) -> Result<EndpointId, StartError> {
    if let Some(wanted) = wanted {
        store.set_setting(ENDPOINT_ID, Some(wanted.as_str()))?;
        return Ok(wanted.clone());
    }
    let kept = store.keep_setting(ENDPOINT_ID, &data_folder::made_endpoint_id()?)?;
    EndpointId::parse(&kept).map_err(|error| StartError::EndpointId(error.to_string()))
}

fn closed_door(error: BindError) -> StartError {
    match error {
        BindError::Address { address, source } => StartError::Address {
            address,
            what: "Agents (WebSocket)",
            key: "ws",
            source,
        },
        BindError::NotLoopback { address } => StartError::NotLoopback { address, key: "ws" },
        BindError::NoIdentity { address } => StartError::NoIdentity { address },
    }
}

/// What to do about an address.
fn advice(error: &io::Error, key: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "; another server runs there already: stop it, or choose another address with --{key} or `{key}` in the configuration"
            )
        }
        io::ErrorKind::PermissionDenied => {
            format!(
                "; ports below 1024 need privileges: choose another with --{key} or `{key}` in the configuration"
            )
        }
        _ => String::new(),
    }
}
