//! Starting and stopping.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, io};

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use usphere_mtp::limits::BACKLOG;
use usphere_mtp::websocket::{BindError, Door, DoorWatch};
use usphere_proto::EndpointId;
use usphere_runtime::ControllerTls;
use usphere_runtime::controller_host::{ControllerConfig, ControllerHost};
use usphere_store::{NewAuditEntry, Salvaged, Store, StoreError};

use crate::admission::{AdmissionError, Admitted};
use crate::api::{self, Platform};
use crate::api_tls::ApiTls;
use crate::audit::Audit;
use crate::data_folder::{self, DataError, DataFolder, Token};
use crate::doctor::Doctor;
use crate::events::Events;
use crate::health::HealthWatch;
use crate::http::Reception;
use crate::inventory::{self, Inventory};
use crate::limits::SHUTDOWN_PATIENCE;
use crate::metrics::{Counts, Exposition, Sources};
use crate::onboarding::Onboarding;
use crate::operations::Operations;
use crate::places::Rooms;
use crate::rate::Rates;
use crate::reload::{Certificates, Live, ReloadError, Reloaded, Reloader, Surroundings};
use crate::tasks::Tasks;
use crate::tokens::Tokens;
use crate::tracker::Tracker;
use crate::{Config, descriptors, http, retention};

/// How the audit names the server itself. No token has this name.
const SELF: &str = "(server)";

/// The key under which the store keeps the Endpoint ID.
const ENDPOINT_ID: &str = "endpoint_id";

/// A running server. Dropping it cuts everything off; [`shutdown`](Self::shutdown) ends it well.
pub struct Server {
    controller: ControllerHost,
    endpoint_id: EndpointId,
    api: SocketAddr,
    api_url: String,
    ws: SocketAddr,
    ws_url: String,
    reloader: Arc<Reloader>,
    token: Token,
    operations: Operations,
    metrics: Option<SocketAddr>,
    /// Has the API end.
    stop: watch::Sender<bool>,
    /// What answers the API, until `stop`.
    serving: Tasks,
    /// Tells that no device is there any more.
    deserted: watch::Sender<bool>,
    /// What takes down who is there, until `deserted`.
    tracking: Tasks,
    /// What goes on until it is aborted.
    working: Tasks,
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
    /// The configuration is refused.
    #[error(transparent)]
    Refused(#[from] AdmissionError),
    /// The inventory cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Server {
    /// Opens the data folder and the doors, and serves from now on.
    ///
    /// # Errors
    /// [`StartError`] says what is in the way and what to do about it.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_in(config, None).await
    }

    /// As [`start`](Self::start), in surroundings that tell of a configuration that has changed.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_in(
        config: Config,
        surroundings: Option<Arc<dyn Surroundings>>,
    ) -> Result<Self, StartError> {
        let Admitted {
            api: api_tls,
            ws: tls,
        } = config.admit()?;
        descriptors::provide(config.connections_max);
        let data = DataFolder::open(&config.data)?;
        let token = data.token()?;
        let store = open(data.database()).await?;
        tell_of_damage(&store);
        let endpoint_id = endpoint_id(&store, &data, config.endpoint_id.as_ref())?;
        if let Some(warning) = endpoint_id.production_warning() {
            tracing::warn!(%endpoint_id, "not for production: {warning}; --endpoint-id gives another");
        }
        data.publish_endpoint_id(&endpoint_id)?;
        let (api, api_address) = listen(config.api, "the API", "api").await?;
        let open = match config.metrics {
            Some(address) => Some(listen(address, "metrics", "metrics").await?),
            None => None,
        };
        let metrics = open.as_ref().map(|(_, address)| *address);
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
        let limits = config.links.limits(&config);
        let tls_of_door = tls.as_ref().map(ControllerTls::tls);
        let settings = config.links.settings(endpoint_id.clone(), tls_of_door);
        // Its door is opened last of all, so that whoever comes is heard by all who have to hear.
        let mut controller = ControllerHost::closed(identity, settings);
        let failed = controller.handle().contacts();
        if config.takes_unproven() {
            controller.handle().guard(proven(&store)?);
        }
        let (mut serving, mut tracking, mut working) =
            (Tasks::default(), Tasks::default(), Tasks::default());

        let counts = Counts::default();
        let (operations, carrying_out) =
            Operations::start(store.clone(), controller.handle().clone(), counts.clone()).await?;
        working.adopt(carrying_out);
        let handle = controller.handle().clone();
        let (onboarding, taking_on_board) = Onboarding::start(
            config.onboarding.clone(),
            store.clone(),
            handle.clone(),
            &endpoint_id,
            counts.clone(),
        )?;
        working.adopt(taking_on_board);
        let inventory = Inventory::new(store.clone());
        let (tracker, progress) =
            Tracker::new(handle.clone(), inventory.clone(), onboarding.clone());
        let (doctor, recorder) = Doctor::new(store.clone(), failed, counts.clone());
        working.spawn(recorder.record());
        let events = Events::new(
            store.clone(),
            operations.clone(),
            counts.clone(),
            onboarding.clone(),
            progress.clone(),
        );
        working.spawn(events.clone().record(handle.notifications()));
        let (presences, recording) = events.presences(inventory.clone());
        let (deserted, is_deserted) = watch::channel(false);
        tracking.spawn(tracker.telling(presences.clone()).run(is_deserted));
        tracking.spawn(recording);
        let rooms = Arc::new(Rooms::default());
        let tokens = Tokens::open(store.clone(), &token, Arc::clone(&rooms)).await?;
        let audit = Audit::new(store.clone());
        let (retention, keeping) = watch::channel(config.retention);
        working.spawn(retention::keep(store.clone(), keeping));
        let (stop, stopped) = watch::channel(false);
        let health = HealthWatch::new(store.clone(), data.database(), stopped.clone());
        working.spawn(Arc::clone(&health).watch());
        let rates = Arc::new(Rates::new(config.rate));
        controller.open(door, limits).await.map_err(closed_door)?;
        let ws = controller.local_addr().unwrap_or(config.ws);
        let scheme = if config.tls.is_some() { "wss" } else { "ws" };
        let ws_url = format!("{scheme}://{ws}{}", config.ws_path);
        let exposition = Arc::new(Exposition::new(
            &counts,
            Sources {
                controller: controller.handle().clone(),
                door: controller.door().cloned(),
                onboarding: onboarding.clone(),
                rooms,
                operations: operations.clone(),
                store,
                database: data.database(),
            },
        ));
        let live = Live {
            door: controller.door().cloned(),
            onboarding: onboarding.clone(),
            rates: Arc::clone(&rates),
            retention,
        };
        let reception = Reception {
            tls: api_tls.as_ref().map(ApiTls::server),
            proxies: Arc::new(config.api_trusted_proxies.clone()),
            ..Reception::default()
        };
        let api_scheme = if api_tls.is_some() { "https" } else { "http" };
        let api_url = format!("{api_scheme}://{api_address}");
        let certificates = Certificates {
            api: api_tls,
            ws: tls,
        };
        let reloader = Arc::new(Reloader::new(&config, certificates, surroundings, live));
        let platform = Arc::new(Platform {
            controller: controller.handle().clone(),
            inventory: inventory.clone(),
            events,
            presences,
            operations: operations.clone(),
            doctor,
            onboarding,
            stopped: stopped.clone(),
            progress,
            reloader: Arc::clone(&reloader),
            counts,
            exposition,
            health,
            tokens,
            rates,
            audit,
            endpoint_id: endpoint_id.clone(),
            ws: ws_url.clone(),
            api: api_url.clone(),
            started: inventory::now(),
        });
        if let Some((open, _)) = open {
            let router = api::open_router(Arc::clone(&platform));
            let plain = Reception::default();
            serving.spawn(http::serve(open, router, plain, stopped.clone()));
        }
        serving.spawn(http::serve(api, api::router(platform), reception, stopped));
        tracing::info!(%endpoint_id, api = %api_address, ws = ws_url, data = %config.data.display(), "server started");
        Ok(Self {
            controller,
            endpoint_id,
            api: api_address,
            api_url,
            ws,
            ws_url,
            reloader,
            token,
            operations,
            metrics,
            stop,
            serving,
            deserted,
            tracking,
            working,
            _data: data,
        })
    }

    /// What looks at how many come through the Agents' door.
    pub fn door(&self) -> Option<&DoorWatch> {
        self.controller.door()
    }

    /// What speaks with the Agents, for those in the same process.
    pub fn controller(&self) -> &ControllerHost {
        &self.controller
    }

    /// Where the API listens.
    pub fn api_addr(&self) -> SocketAddr {
        self.api
    }

    /// The URL of the API.
    pub fn api_url(&self) -> &str {
        &self.api_url
    }

    /// Where metrics and health are told without a token, if anywhere.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Where Agents connect.
    pub fn ws_addr(&self) -> SocketAddr {
        self.ws
    }

    /// The URL at which Agents connect.
    pub fn ws_url(&self) -> &str {
        &self.ws_url
    }

    /// Takes up what has changed: certificates, keys and CAs on disk, for those who connect from now on, and the
    /// configuration as far as it needs no new start. Where something is wrong, all stays as it was.
    ///
    /// # Errors
    /// [`ReloadError`] names the file and what is wrong with it.
    pub fn reload(&self) -> Result<Reloaded, ReloadError> {
        self.reloader.reload()
    }

    /// The server's Endpoint ID.
    pub fn endpoint_id(&self) -> &EndpointId {
        &self.endpoint_id
    }

    /// The token of the API.
    pub fn token(&self) -> &str {
        self.token.as_str()
    }

    /// Lets nobody in any more; lets API requests and Operations that are under way finish for a short while, and
    /// only then sends every Agent a Disconnect Record; takes down who was there until now, and ends.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        self.controller.close().await;
        // Those who serve have a patience of their own.
        self.serving.finish(2 * SHUTDOWN_PATIENCE).await;
        self.operations.settle().await;
        self.controller.shutdown().await;
        self.operations.shutdown().await;
        self.deserted.send_replace(true);
        if !self.tracking.finish(SHUTDOWN_PATIENCE).await {
            tracing::error!("not all is written of who was there");
        }
        self.working.end().await;
        tracing::info!("server stopped");
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("endpoint_id", &self.endpoint_id)
            .field("api", &self.api)
            .field("ws", &self.ws)
            .finish_non_exhaustive()
    }
}

async fn listen(
    address: SocketAddr,
    what: &'static str,
    key: &'static str,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let listening = async {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        // Where the queue is full, whoever comes tries again after a second only.
        let listener = socket.listen(BACKLOG)?;
        let taken = listener.local_addr()?;
        Ok((listener, taken))
    };
    listening.await.map_err(|source| StartError::Address {
        address,
        what,
        key,
        source,
    })
}

/// Opens the store, which looks at all of it: that takes a while where it is large, and nothing else has to stand still.
async fn open(database: PathBuf) -> Result<Store, StoreError> {
    let opening = tokio::task::spawn_blocking(move || Store::open(&database));
    // It does not panic, so the runtime is going down.
    opening.await.unwrap_or(Err(StoreError::Busy))
}

/// Says what was found damaged, and what lies aside since then.
fn tell_of_damage(store: &Store) {
    if let Some(salvaged) = store.salvaged() {
        tracing::error!(reason = salvaged.reason, aside = %salvaged.aside.display(), "the database was damaged; what could be read of it is in its place");
        write_down(store, salvaged);
        for table in &salvaged.tables {
            let (name, kept, refused) = (&table.name, table.kept, table.refused);
            match table.is_whole && refused == 0 {
                true => tracing::info!(table = name, kept, "all rows are there"),
                false => tracing::error!(table = name, kept, refused, "rows are lost"),
            }
        }
        return;
    }
    for aside in store.kept_aside() {
        tracing::warn!(aside = %aside.display(), "a database that was damaged is kept there; remove it when nothing of it is missed");
    }
}

/// Has the audit tell of it, too, where it is found without the log.
fn write_down(store: &Store, salvaged: &Salvaged) {
    let tables = salvaged.tables.iter().map(|table| {
        let (name, kept) = (&table.name, table.kept);
        match table.is_whole && table.refused == 0 {
            true => format!("{name}: all {kept}"),
            false => format!("{name}: {kept}, others lost"),
        }
    });
    let tables: Vec<_> = tables.collect();
    let entry = NewAuditEntry {
        at: inventory::now(),
        actor: SELF.to_owned(),
        action: "store.salvage".to_owned(),
        target: salvaged
            .aside
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        what: format!("{}; {}", salvaged.reason, tables.join(", ")),
        ..NewAuditEntry::default()
    };
    if let Err(error) = store.begin_audit(entry) {
        tracing::error!(%error, "the audit lacks that the database was damaged");
    }
}

/// Who has proved itself by a certificate, and so has to.
fn proven(store: &Store) -> Result<HashSet<EndpointId>, StoreError> {
    let proven = store.proven_devices()?;
    let proven = proven.iter().map(|device| EndpointId::from_wire(device));
    Ok(proven.filter_map(Result::ok).collect())
}

/// The one that is wanted, else the one that is kept, else the one that was told to people, else a new one.
fn endpoint_id(
    store: &Store,
    data: &DataFolder,
    wanted: Option<&EndpointId>,
) -> Result<EndpointId, StartError> {
    if let Some(wanted) = wanted {
        store.set_setting(ENDPOINT_ID, Some(wanted.as_str()))?;
        return Ok(wanted.clone());
    }
    let kept = store.setting(ENDPOINT_ID)?;
    let kept = kept.as_deref().map(EndpointId::parse);
    if let Some(Ok(kept)) = kept {
        return Ok(kept);
    }
    if let Some(published) = data.published_endpoint_id()? {
        tracing::warn!(endpoint_id = %published, "the Endpoint ID in the database is lost; the one in the file `endpoint-id` is taken");
        store.set_setting(ENDPOINT_ID, Some(published.as_str()))?;
        return Ok(published);
    }
    if let Some(Err(error)) = kept {
        return Err(StartError::EndpointId(error.to_string()));
    }
    let made = store.keep_setting(ENDPOINT_ID, &data_folder::made_endpoint_id()?)?;
    EndpointId::parse(&made).map_err(|error| StartError::EndpointId(error.to_string()))
}

fn closed_door(error: BindError) -> StartError {
    match error {
        BindError::Address { address, source } => StartError::Address {
            address,
            what: "Agents (WebSocket)",
            key: "ws",
            source,
        },
        BindError::NotLoopback { address } => {
            AdmissionError::NotLoopback { address, key: "ws" }.into()
        }
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
