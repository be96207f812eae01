//! Taking up a configuration that has changed, without letting go of a connection.
//!
//! A reload happens as a whole or not at all: a file that is wrong leaves everything as it was.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::watch;
use usphere_mtp::tls::IdentityError;
use usphere_mtp::websocket::DoorWatch;
use usphere_runtime::ControllerTls;

use crate::api_tls::ApiTls;
use crate::config::{Change, Config, Retention, keys};
use crate::onboarding::Onboarding;
use crate::rate::Rates;

/// What a server needs of the program that runs it, to take up a configuration that has changed.
pub trait Surroundings: Send + Sync {
    /// The configuration as it is now, checked.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    fn configuration(&self) -> Result<Config, String>;

    /// Logs by this filter from now on; by the default where there is none. Whether it does: something else may say what
    /// is logged.
    ///
    /// # Errors
    /// Why it is no filter.
    fn log(&self, filter: Option<&str>) -> Result<bool, String>;
}

/// What came of a reload.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Reloaded {
    /// Keys whose new values hold from now on.
    pub applied: Vec<String>,
    /// Whether certificates, keys and CAs were read again.
    pub certificates: bool,
    /// Keys whose new values hold when the server is started again.
    pub restart: Vec<String>,
}

/// Why nothing was taken up.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration cannot be used.
    #[error("the configuration stays as it was: {0}")]
    Configuration(String),
    /// A file of TLS cannot be used.
    #[error("the certificates stay as they were: {0}")]
    Tls(#[from] IdentityError),
}

/// What takes up new values while it goes on.
pub(crate) struct Live {
    /// The Agents' door, where there is one.
    pub(crate) door: Option<DoorWatch>,
    pub(crate) onboarding: Onboarding,
    pub(crate) rates: Arc<Rates>,
    pub(crate) retention: watch::Sender<Retention>,
}

/// Whose certificates are taken up again.
pub(crate) struct Certificates {
    /// Those of the API.
    pub(crate) api: Option<ApiTls>,
    /// Those of the Agents' door.
    pub(crate) ws: Option<ControllerTls>,
}

impl Certificates {
    /// Takes up all files, or none.
    fn reload(&self) -> Result<(), IdentityError> {
        let api = self.api.as_ref().map(|api| Ok((api, api.read()?)));
        let api = api.transpose()?;
        if let Some(ws) = &self.ws {
            ws.reload()?;
        }
        if let Some((api, identity)) = api {
            api.take_up(&identity)?;
        }
        Ok(())
    }

    fn are_there(&self) -> bool {
        self.api.is_some() || self.ws.is_some()
    }
}

/// What reloads.
pub(crate) struct Reloader {
    live: Live,
    surroundings: Option<Arc<dyn Surroundings>>,
    certificates: Certificates,
    /// What the server was started with, and what was reloaded last.
    given: Mutex<(BTreeMap<String, String>, BTreeMap<String, String>)>,
}

impl Reloader {
    pub(crate) fn new(
        started_with: &Config,
        certificates: Certificates,
        surroundings: Option<Arc<dyn Surroundings>>,
        live: Live,
    ) -> Self {
        let given = started_with.given.clone();
        Self {
            live,
            surroundings,
            certificates,
            given: Mutex::new((given.clone(), given)),
        }
    }

    /// Takes up certificates and what else can be taken up. Reads files.
    pub(crate) fn reload(&self) -> Result<Reloaded, ReloadError> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let (started, last) = &mut *given;
        let config = match &self.surroundings {
            Some(surroundings) => {
                let config = surroundings.configuration();
                Some((surroundings, config.map_err(ReloadError::Configuration)?))
            }
            None => None,
        };
        self.certificates.reload()?;
        let mut applied = Vec::new();
        let mut restart = Vec::new();
        if let Some((surroundings, config)) = config {
            for key in keys() {
                let new = config.given.get(key.name);
                match key.change {
                    Change::Restart if new != started.get(key.name) => {
                        restart.push(key.name.to_owned());
                    }
                    Change::Reload if new != last.get(key.name) => {
                        let applies = match key.name {
                            "log" => surroundings
                                .log(config.log.as_deref())
                                .map_err(ReloadError::Configuration)?,
                            _ => true,
                        };
                        if applies {
                            applied.push(key.name.to_owned());
                        }
                    }
                    Change::Reload | Change::Restart => {}
                }
            }
            self.live.take_up(&config);
            *last = config.given;
        }
        let reloaded = Reloaded {
            applied,
            certificates: self.certificates.are_there(),
            restart,
        };
        tracing::info!(applied = ?reloaded.applied, certificates = reloaded.certificates, "configuration reloaded");
        if !reloaded.restart.is_empty() {
            tracing::warn!(keys = ?reloaded.restart, "what these keys say now holds when the server is started again");
        }
        Ok(reloaded)
    }
}

impl Live {
    /// Has what the configuration says hold from now on: every key whose [`Change`] is a reload, but for the log.
    fn take_up(&self, config: &Config) {
        let links = &config.links;
        if let Some(door) = &self.door {
            door.set_pace(
                links.accepts_per_second,
                links.accepts_per_source_per_second,
            );
        }
        self.onboarding.change(&config.onboarding);
        self.rates.change(config.rate);
        self.retention.send_if_modified(|retention| {
            let has_changed = *retention != config.retention;
            *retention = config.retention;
            has_changed
        });
    }
}
