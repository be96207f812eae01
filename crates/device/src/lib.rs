//! This Linux host as Device:2: what it declares, and the owner that reads it.
//!
//! [`objects`] are the declarations; a [`Host`] answers for them from procfs, sysfs and `/etc`. It
//! must never run a program, wait for the network, or change the host unless it was configured to.

mod clock;
mod config;
mod cpu;
mod dhcp;
mod diagnostics;
mod dns;
mod edited;
mod files;
mod first_use;
mod host;
mod host_name;
mod identity;
mod interfaces;
pub mod limits;
mod memory;
pub mod net;
mod network_properties;
mod objects;
mod processes;
mod row_numbers;
mod security;
mod self_test;
mod snapshot;
mod system;
mod text;
mod time;
mod users;
mod watcher;

pub use config::{ConfigError, DeviceConfig, DnsConfig, HostPaths, SecurityConfig, TimeConfig};
pub use host::Host;
pub use interfaces::Interfaces;
pub use objects::{OWNER, objects};
