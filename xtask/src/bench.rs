//! `cargo xtask bench`: the criterion benchmarks, then the load over a loopback WebSocket.
//!
//! Measures only; the figures that are promised stand in `docs/benchmarks.md`.

use std::process::{Command, ExitCode};

use crate::project::{Package, Project, cargo};
use crate::{Outcome, agent, shell};

/// The end-to-end load: an example of this crate. It reads OBUSPA to compare with the reference Agent.
const LOAD: (&str, &str) = ("usphere", "load");

/// How soon watchers hear of changes, and what they cost: another one.
const WATCH: &str = "watch";

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
