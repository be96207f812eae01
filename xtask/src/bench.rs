//! `cargo xtask bench`: the criterion benchmarks, then the load over a loopback WebSocket. `bench fleet`: very
//! many simulated devices beside a server. `bench siege`: what honest callers wait while others attack it.
//!
//! Measures only; the figures that are promised stand in `docs/benchmarks.md`.

use std::process::{Command, ExitCode};

use clap::Args;

use crate::project::{Package, Project, cargo};
use crate::{Outcome, agent, shell};

/// The end-to-end load: an example of this crate. It reads OBUSPA to compare with the reference Agent.
const LOAD: (&str, &str) = ("usphere", "load");

/// How soon watchers hear of changes, and what they cost: another one.
const WATCH: &str = "watch";

/// A fleet beside its server: another one, which starts the program itself.
const FLEET: &str = "fleet";

/// A server under siege: one more.
const SIEGE: &str = "siege";

/// What a fleet is measured with.
#[derive(Args)]
pub(crate) struct Fleet {
    /// How many devices; each needs a descriptor in both processes
    #[arg(long, value_name = "N", default_value_t = 15_000)]
    count: u32,
    /// How many begin per second
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    rate: u32,
    /// Over mutual TLS
    #[arg(long)]
    tls: bool,
    /// Server and devices in one process, without sockets between them: for more devices than there may be
    /// open files
    #[arg(long)]
    within: bool,
    /// A server that knows the devices, none of them connected: how long one looks for one
    #[arg(long)]
    search: bool,
    /// An unoptimised build, to see that it works rather than how fast
    #[arg(long)]
    dev: bool,
}

/// What a siege is measured with.
#[derive(Args)]
pub(crate) struct Siege {
    /// How long each attack is measured
    #[arg(long, value_name = "SECONDS", default_value_t = 12)]
    seconds: u64,
    /// Only attacks whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// An unoptimised build, to see that it works rather than how fast
    #[arg(long)]
    dev: bool,
}

/// Builds the program and lets a fleet of simulated devices loose on it.
pub(crate) fn fleet(project: &Project, options: &Fleet) -> Outcome {
    let mut arguments = vec![
        "--count".to_owned(),
        options.count.to_string(),
        "--rate".to_owned(),
        options.rate.to_string(),
    ];
    for (is_wanted, name) in [
        (options.tls, "--tls"),
        (options.within, "--within"),
        (options.search, "--search"),
    ] {
        arguments.extend(is_wanted.then(|| name.to_owned()));
    }
    let what = "a fleet beside its server";
    beside(project, what, FLEET, &arguments, options.dev)
}

/// Builds the program and attacks it.
pub(crate) fn siege(project: &Project, options: &Siege) -> Outcome {
    let mut arguments = vec!["--seconds".to_owned(), options.seconds.to_string()];
    if let Some(only) = &options.only {
        arguments.extend(["--only".to_owned(), only.clone()]);
    }
    let what = "a server under siege";
    beside(project, what, SIEGE, &arguments, options.dev)
}

/// Builds the program, then runs an example that starts it.
fn beside(
    project: &Project,
    what: &str,
    example: &str,
    arguments: &[String],
    is_dev: bool,
) -> Outcome {
    let (crate_name, _) = LOAD;
    let profile: &[&str] = if is_dev { &[] } else { &["--release"] };
    shell::step("the program", || {
        let mut command = Command::new(cargo());
        command.arg("build").args(profile);
        command.args(["--package", crate_name, "--bin", crate_name]);
        shell::run(command.current_dir(&project.root))
    })?;
    shell::step(what, || {
        let mut command = Command::new(cargo());
        command.arg("run").args(profile);
        command.args(["--package", crate_name, "--example", example, "--"]);
        command.args(arguments);
        shell::run(command.current_dir(&project.root))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Runs every benchmark target, with `filter` handed to criterion, then the load.
pub(crate) fn run(project: &Project, filter: Option<&str>) -> Outcome {
    for package in &project.packages {
        for bench in targets(package, "bench") {
            shell::step(&format!("{} {bench}", package.name), || {
                let mut command = Command::new(cargo());
                command.args(["bench", "--package", &package.name, "--bench", bench]);
                // Some stand on what a crate has for tests.
                command.args(["--all-features", "--"]).args(filter);
                shell::run(command.current_dir(&project.root))
            })?;
        }
    }
    let (crate_name, example) = LOAD;
    let exists = |package: &Package| {
        package.name == crate_name && targets(package, "example").any(|name| name == example)
    };
    if !project.packages.iter().any(exists) {
        println!("\nend to end: left out, {crate_name} has no example `{example}`");
        return Ok(ExitCode::SUCCESS);
    }
    shell::step("the device-only binary", || agent::build(project).map(drop))?;
    shell::step("end to end over loopback", || {
        let mut command = Command::new(cargo());
        command.args([
            "run",
            "--release",
            "--package",
            crate_name,
            "--example",
            example,
            "--",
        ]);
        if let Some(filter) = filter {
            command.args(["--only", filter]);
        }
        shell::run(command.current_dir(&project.root))
    })?;
    if filter.is_none_or(|filter| WATCH.contains(filter)) {
        shell::step("watching", || {
            let mut command = Command::new(cargo());
            command.args(["run", "--release", "--package", crate_name]);
            command.args(["--example", WATCH]);
            shell::run(command.current_dir(&project.root))
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The names of a crate's targets of one kind.
fn targets<'a>(package: &'a Package, kind: &'a str) -> impl Iterator<Item = &'a str> {
    let of_kind = move |target: &&crate::project::Target| target.kind.iter().any(|one| one == kind);
    package
        .targets
        .iter()
        .filter(of_kind)
        .map(|target| target.name.as_str())
}
