//! `cargo xtask mutants`: whether a test notices when the Agent judges wrongly.
//!
//! [cargo-mutants](https://mutants.rs) changes one place at a time in what decides (permissions, Subscriptions, trust,
//! the handlers), and runs tests; a change that none of them notices is a hole. Each area is judged by its own tests
//! first, and what those let pass by TP-469 in virtual time. What is caught once is not tried again: the outcome stays in
//! `target/mutants/AREA`. The tree itself is never changed. What is left out, and why, is in `.cargo/mutants.toml`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Args, ValueEnum};

use crate::project::{Project, cargo};
use crate::{Outcome, shell};

/// Exit code when this machine cannot do it.
const CANNOT: u8 = 2;

/// The version whose mutants the score is of.
const VERSION: &str = "27.1.0";

/// How cargo-mutants ends when nothing was missed, when something was, and when tests did not come to an end.
const CAUGHT: i32 = 0;
const MISSED: i32 = 2;
const TIMED_OUT: i32 = 3;

#[derive(Args)]
pub(crate) struct Options {
    /// One area only; all of them without
    #[arg(value_enum)]
    area: Option<Area>,
    /// Part K of N of each area's mutants, counted from 0
    #[arg(long, value_name = "K/N")]
    shard: Option<String>,
    /// Only mutants whose name, as `--list` shows it, matches this
    #[arg(long, value_name = "REGEX")]
    only: Option<String>,
    /// Only say which mutants there are
    #[arg(long)]
    list: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Area {
    Permissions,
    Subscriptions,
    Trust,
    Handlers,
}

/// Tests that are asked together.
struct Judge {
    packages: &'static [&'static str],
    /// What is run of them.
    tests: &'static [&'static str],
}

/// The Agent's own tests.
const AGENT: Judge = Judge {
    packages: &["usphere-agent"],
    tests: &["--tests"],
};

/// The certification tests, in virtual time.
const PLAN: Judge = Judge {
    packages: &["usphere-conformance"],
    tests: &["--test", "virtual_time"],
};

impl Area {
    const ALL: [Self; 4] = [
        Self::Permissions,
        Self::Subscriptions,
        Self::Trust,
        Self::Handlers,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Permissions => "permissions",
            Self::Subscriptions => "subscriptions",
            Self::Trust => "trust",
            Self::Handlers => "handlers",
        }
    }

    /// The files that decide.
    fn files(self) -> &'static [&'static str] {
        match self {
            Self::Permissions => &[
                "crates/datamodel/src/access.rs",
                "crates/agent/src/roles.rs",
                "crates/agent/src/lockout.rs",
            ],
            Self::Subscriptions => &[
                "crates/agent/src/engine/notify/**",
                "crates/agent/src/notice.rs",
            ],
            Self::Trust => &["crates/trust/src/**", "crates/agent/src/engine/trust/**"],
            Self::Handlers => &["crates/agent/src/handlers/**"],
        }
    }

    /// Who judges, in this order.
    fn judges(self) -> &'static [Judge] {
        const DATAMODEL: Judge = Judge {
            packages: &["usphere-datamodel"],
            tests: &["--tests"],
        };
        const TRUST: Judge = Judge {
            packages: &["usphere-trust"],
            tests: &["--tests"],
        };
        match self {
            Self::Permissions => &[DATAMODEL, AGENT, PLAN],
            Self::Subscriptions | Self::Handlers => &[AGENT, PLAN],
            Self::Trust => &[TRUST, AGENT, PLAN],
        }
    }
}

/// Judges one area or all; fails where a mutant was missed.
pub(crate) fn run(project: &Project, options: &Options) -> Outcome {
    if !shell::works(&cargo(), &["mutants", "--version"]) {
        eprintln!(
            "left out: cargo-mutants is not here. To have it:\n\n    cargo install --locked cargo-mutants@{VERSION}"
        );
        return Ok(ExitCode::from(CANNOT));
    }
    let areas = options.area.map_or(Area::ALL.to_vec(), |area| vec![area]);
    let mut is_whole = true;
    for area in areas {
        if options.list {
            shell::run(mutants(project, area, options).arg("--list"))?;
            continue;
        }
        let name = area.name();
        let folder = kept(project, area);
        // cargo-mutants makes what it fills, and not the folders above.
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        is_whole &= shell::step(&format!("mutants of {name}"), || {
            let mut are_caught = false;
            for judge in area.judges() {
                are_caught = all_caught(&mut judged(project, area, options, judge))?;
            }
            Ok(are_caught)
        })?;
        println!(
            "what came of it is in target/mutants/{name}/mutants.out; missed.txt has what nobody noticed"
        );
    }
    Ok(if is_whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Where what came of an area is kept.
fn kept(project: &Project, area: Area) -> PathBuf {
    project.target.join("mutants").join(area.name())
}

/// Lets one judge see what those before it let pass.
fn judged(project: &Project, area: Area, options: &Options, judge: &Judge) -> Command {
    let mut command = mutants(project, area, options);
    command.args(["--iterate", "--no-shuffle", "--minimum-test-timeout", "60"]);
    if shell::works(&cargo(), &["nextest", "--version"]) {
        command.args(["--test-tool", "nextest"]);
    }
    for package in judge.packages {
        command.args(["--test-package", package]);
    }
    command
        .arg("--output")
        .arg(kept(project, area))
        .arg("--")
        .args(judge.tests)
        // In a directory that others build into, too, cargo takes a library with another mutant, or none, for the right one.
        .env_remove("CARGO_TARGET_DIR")
        // The thousand builds are short ones: only what a mutant changes is compiled again.
        .env("CARGO_INCREMENTAL", "1")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_TEST_DEBUG", "0");
    command
}

fn mutants(project: &Project, area: Area, options: &Options) -> Command {
    let mut command = Command::new(cargo());
    command.arg("mutants").current_dir(&project.root);
    for file in area.files() {
        command.args(["--file", file]);
    }
    if let Some(shard) = &options.shard {
        command.args(["--shard", shard, "--sharding", "round-robin"]);
    }
    if let Some(only) = &options.only {
        command.args(["--re", only]);
    }
    command
}

/// Runs cargo-mutants to its end. Whether nothing was missed; an error where it did not judge.
fn all_caught(command: &mut Command) -> Result<bool, String> {
    let status = command
        .status()
        .map_err(|error| format!("cargo mutants cannot be started: {error}"))?;
    match status.code() {
        Some(CAUGHT | TIMED_OUT) => Ok(true),
        Some(MISSED) => Ok(false),
        _ => Err(format!("cargo mutants ended with {status}")),
    }
}
