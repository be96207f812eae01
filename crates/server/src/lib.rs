//! The platform: a Controller for many Agents, the inventory of devices, and the API.
//!
//! A [`Server`] keeps everything in one data folder: its Endpoint ID (file `endpoint-id`), the token of its API
//! (file `token`, readable by its owner alone) and the inventory with events and Operations (`server.db`). This crate must never know how
//! an Operation travels, and never show a token or a value in the log.

mod api;
mod audit;
mod config;
mod console;
mod data_folder;
mod descriptors;
mod events;
mod http;
mod inventory;
pub mod limits;
mod operations;
mod rate;
mod retention;
mod server;
mod tokens;
mod tracker;

pub use config::{Config, ConfigError, Rate, Retention};
pub use data_folder::DataError;
pub use server::{Server, StartError};
pub use usphere_runtime::TlsFiles;
