//! What the binaries `usphere` and `usphere-agent` do: read a command line, and hand over.
//!
//! This crate must never decide anything about a protocol; it turns words into Operations and
//! configurations, and outcomes into words. Device-only builds hold the module `agent` alone.

// Without the Agent there is neither binary.
#![cfg(feature = "agent")]

mod agent;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod clock;
mod config_file;
mod data;
pub mod defaults;
mod failure;
mod log;
#[cfg(feature = "cli")]
mod memory;
#[cfg(feature = "cli")]
mod print;
#[cfg(feature = "cli")]
mod server;
mod signals;
mod supervisor;
mod tls;
#[cfg(feature = "cli")]
mod transport;
#[cfg(feature = "cli")]
mod verbs;

use std::process::ExitCode;

pub use failure::Exit;

/// Runs the full command line with the arguments of this process.
#[cfg(feature = "cli")]
pub fn usphere() -> ExitCode {
    cli::run()
}

/// Runs the device-only command line with the arguments of this process.
pub fn usphere_agent() -> ExitCode {
    agent::run_alone()
}

/// The help text of a command, as `--help` prints it without colours; of `usphere` itself for an empty path.
/// `None` when there is no such command.
#[cfg(feature = "cli")]
pub fn help(path: &[&str]) -> Option<String> {
    cli::help(path)
}
