//! The platform: a Controller for many Agents, the inventory of devices, and the API.
//!
//! A [`Server`] keeps everything in one data folder: its Endpoint ID (file `endpoint-id`), the token of its API
//! (file `token`, readable by its owner alone) and the inventory with events and Operations (`server.db`). This crate must never know how
//! an Operation travels, and never show a token or a value in the log.

mod admission;
mod api;
mod api_tls;
mod audit;
mod backup;
mod blocking;
mod config;
mod console;
mod data_folder;
mod descriptors;
mod doctor;
mod events;
mod forwarded;
mod health;
mod http;
mod inventory;
pub mod limits;
mod links_config;
mod metrics;
mod onboarding;
mod operations;
mod places;
mod rate;
mod reload;
mod retention;
mod server;
mod tasks;
mod tokens;
mod tracker;

pub use admission::AdmissionError;
pub use api_tls::ApiTlsFiles;
pub use backup::{BackupError, Manifest, Restored, backup, examine, migrate, restore};
pub use config::{Change, Config, ConfigError, Key, LogFormat, Rate, Retention, TlsClient, keys};
pub use data_folder::DataError;
pub use doctor::Reason;
pub use forwarded::TrustedProxies;
pub use links_config::LinksConfig;
pub use onboarding::{FirstContact, OnboardingConfig};
pub use reload::{ReloadError, Reloaded, Surroundings};
pub use server::{Server, StartError};
pub use usphere_runtime::TlsFiles;
pub use usphere_store::Migrated;
