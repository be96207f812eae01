//! The command line of the full binary: which commands there are.

pub(crate) mod reach;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::defaults::LOG_COMMANDS;
use crate::failure::{Exit, Failure, conclude};
use crate::{agent, log, server, verbs};

/// Manage connected devices with USP (TR-369)
#[derive(Debug, Parser)]
#[command(name = "usphere", version, disable_help_subcommand = true)]
struct Cli {
    /// What is logged, on stderr: a level, or `module=level,…` [env: USPHERE_LOG]
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        help_heading = "Everywhere"
    )]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the platform: doors for Agents, inventory, API
    Server(server::Options),
    /// Run the USP Agent of this host
    Agent(agent::Options),
    #[command(flatten)]
    Verb(Verb),
}

/// What asks something and ends.
#[derive(Debug, Subcommand)]
enum Verb {
    /// List, show, approve, name and remove the devices that the server knows
    Devices(verbs::devices::Options),
    /// Read values
    Get(Box<verbs::get::Options>),
    /// Write values
    Set(verbs::set::Options),
    /// Add a row to a table
    Add(verbs::add::Options),
    /// Delete rows of tables
    Delete(verbs::delete::Options),
    /// Run a command
    Operate(verbs::operate::Options),
    /// Show what happens, as it happens: values, rows, events, commands that complete
    Watch(verbs::watch::Options),
    /// List the rows of tables, with their unique keys
    Instances(verbs::instances::Options),
    /// Show what there can be: objects, parameters, commands and events
    Schema(verbs::schema::Options),
    /// Show which versions of USP the device speaks
    Protocol(verbs::protocol::Options),
    /// List, show and cancel what was asked of devices through the server
    Operations(verbs::operations::Options),
    /// Say why a device is not there, and try a connection step by step
    Doctor(verbs::doctor::Options),
    /// Show what the server and a device say to each other, as they say it
    Log(verbs::log::Options),
    /// List, add and remove what the server has every device tell
    Subscriptions(verbs::subscriptions::Options),
    /// List, make and revoke tokens of the server
    Tokens(verbs::tokens::Options),
    /// Show who changed what through the server
    Audit(verbs::audit::Options),
    /// Make a Record or Message readable
    Decode(verbs::decode::Options),
    /// Make and show certificates for TLS
    Certs(verbs::certs::Options),
    /// Write a backup of a server's data folder into one file, also while the server runs
    Backup(verbs::upkeep::Backup),
    /// Put a backup into a data folder that no server uses
    Restore(verbs::upkeep::Restore),
    /// Bring a server's database to another schema version, for a server of another version
    Migrate(verbs::upkeep::Migrate),
    /// Print what systemd needs to run the server or the Agent
    Service(verbs::service::Options),
    /// Simulate many devices, to see how a server bears them
    Sim(verbs::sim::Options),
    /// Test an Agent against TP-469, the test plan that USP Agents are certified by
    Conformance(verbs::conformance::Options),
}

pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    conclude(cli.dispatch())
}

pub(crate) fn help(path: &[&str]) -> Option<String> {
    let mut command = Cli::command();
    command.build();
    let mut found = &mut command;
    for name in path {
        found = found.find_subcommand_mut(name)?;
    }
    Some(found.render_long_help().to_string())
}

impl Cli {
    fn dispatch(self) -> Result<Exit, Failure> {
        let log = self.log.as_deref();
        match self.command {
            Command::Agent(options) => agent::run(options, log),
            Command::Server(options) => server::run(options, log),
            Command::Verb(verb) => {
                log::start(log, None, LOG_COMMANDS)?;
                verb.run()
            }
        }
    }
}

impl Verb {
    fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Add(options) => options.run(),
            Self::Backup(options) => options.run(),
            Self::Audit(options) => options.run(),
            Self::Certs(options) => options.run(),
            Self::Conformance(options) => options.run(),
            Self::Decode(options) => options.run(),
            Self::Delete(options) => options.run(),
            Self::Devices(options) => options.run(),
            Self::Doctor(options) => options.run(),
            Self::Get(options) => options.run(),
            Self::Instances(options) => options.run(),
            Self::Migrate(options) => options.run(),
            Self::Log(options) => options.run(),
            Self::Operate(options) => options.run(),
            Self::Operations(options) => options.run(),
            Self::Protocol(options) => options.run(),
            Self::Restore(options) => options.run(),
            Self::Schema(options) => options.run(),
            Self::Service(options) => options.run(),
            Self::Set(options) => options.run(),
            Self::Sim(options) => options.run(),
            Self::Subscriptions(options) => options.run(),
            Self::Tokens(options) => options.run(),
            Self::Watch(options) => options.run(),
        }
    }
}
