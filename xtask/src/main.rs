//! The project's own commands, run as `cargo xtask COMMAND`.
//!
//! Everything a developer or the CI does with the repository goes through here, so that there is one
//! way to do it. This crate never depends on a crate of the house: it must build when they do not.

mod agent;
mod bench;
mod console;
mod demo;
mod fuzz;
mod lint;
mod mutants;
mod packages;
mod process;
mod project;
mod results;
mod schemathesis;
mod shell;
mod source;
mod test;
mod trace;
mod xml;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::project::Project;

/// What every command returns: how it ended, or a message for the person who started it.
type Outcome = Result<ExitCode, String>;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The commands of this repository")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything, start a server and an Agent for this host, show a short tour
    Demo(demo::Options),
    /// Everything that must hold before a commit: format, clippy, tests, docs, lint, trace
    Test(test::Options),
    /// Build the web console into console/dist (needs Node.js), for the server to serve
    Console,
    /// Check what no compiler checks: floors, file sizes, habits, the data model against TR-181
    Lint {
        /// Folder with the TR-181 XML components; without it that comparison is left out
        #[arg(long, value_name = "DIR")]
        tr181: Option<PathBuf>,
    },
    /// Show which requirements have a test that ran and passed
    Trace(trace::Options),
    /// Run the benchmarks, then the load over loopback
    #[command(args_conflicts_with_subcommands = true)]
    Bench {
        /// Only benchmarks whose name contains this
        filter: Option<String>,
        #[command(subcommand)]
        only: Option<Scale>,
    },
    /// Run the fuzz targets (needs a nightly toolchain with cargo-fuzz)
    Fuzz(fuzz::Options),
    /// Change what decides, one place at a time, and see whether a test notices (needs cargo-mutants; takes hours)
    Mutants(mutants::Options),
    /// Ask the server's API all that its document allows, and more, with schemathesis
    Schemathesis(schemathesis::Options),
    /// Build one of the products
    Build {
        #[command(subcommand)]
        product: Product,
    },
}

#[derive(Subcommand)]
enum Scale {
    /// A fleet of simulated Agents over real WebSockets, beside its server: cold start, memory, latencies,
    /// a Get to all, a restart
    Fleet(bench::Fleet),
    /// A server under siege: what honest callers and devices wait while others attack it
    Siege(bench::Siege),
}

#[derive(Subcommand)]
enum Product {
    /// The device-only binary, optimised for size: target/agent/usphere-agent
    Agent,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Outcome {
    let project = Project::find()?;
    match command {
        Command::Demo(options) => demo::run(&project, &options),
        Command::Test(options) => test::run(&project, &options),
        Command::Console => console::run(&project),
        Command::Lint { tr181 } => lint::run(&project, tr181.as_deref()),
        Command::Trace(options) => trace::run(&project, &options),
        Command::Bench {
            only: Some(Scale::Fleet(fleet)),
            ..
        } => bench::fleet(&project, &fleet),
        Command::Bench {
            only: Some(Scale::Siege(siege)),
            ..
        } => bench::siege(&project, &siege),
        Command::Bench { filter, only: None } => bench::run(&project, filter.as_deref()),
        Command::Fuzz(options) => fuzz::run(&project, &options),
        Command::Mutants(options) => mutants::run(&project, &options),
        Command::Schemathesis(options) => schemathesis::run(&project, &options),
        Command::Build {
            product: Product::Agent,
        } => agent::build(&project),
    }
}
