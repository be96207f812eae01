//! This Linux host as Device:2: what it declares, and the owner that reads it.
//!
//! [`objects`] are the declarations; a [`Host`] answers for them from procfs, sysfs and `/etc`. It
//! must never run a program, wait for the network, or change the host unless it was configured to.

mod clock;
mod config;
mod cpu;
mod dhcp;
mod dns;
mod edited;
mod files;
mod first_use;
mod host;
mod host_name;
mod identity;
pub mod limits;
mod memory;
mod neighbours;
mod network_properties;
mod objects;
mod processes;
mod row_numbers;
mod snapshot;
mod system;
mod text;
mod time;

pub use config::{ConfigError, DeviceConfig, DnsConfig, HostPaths, HostsConfig, TimeConfig};
pub use host::Host;
pub use objects::{OWNER, objects};
