//! `cargo xtask fuzz`: runs the fuzz targets, each for a while.
//!
//! With cargo-fuzz and a nightly toolchain libFuzzer looks for its way by coverage; with `--stable` the
//! same targets get random mutations of valid inputs, on the toolchain of the rest of the project. The
//! short form of that is part of the ordinary tests.

use std::path::Path;
use std::process::{Command, ExitCode};

use clap::Args;

use crate::project::{Project, cargo, rust_files};
use crate::{Outcome, shell};

/// Exit code when this machine cannot fuzz.
const CANNOT: u8 = 2;

/// The package of cargo-fuzz, which is none of the workspace.
const LIBFUZZER: &str = "fuzz/libfuzzer";

/// The crate with the targets themselves.
const TARGETS: &str = "usphere-fuzz";

#[derive(Args)]
pub(crate) struct Options {
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 600)]
    seconds: u32,
    /// Random mutations on the stable toolchain, without coverage
    #[arg(long)]
    stable: bool,
    /// One target only
    target: Option<String>,
}

/// Runs one target or all; stops at the first finding.
pub(crate) fn run(project: &Project, options: &Options) -> Outcome {
    let missing = if options.stable {
        Vec::new()
    } else {
        missing()
    };
    if !missing.is_empty() {
        eprintln!("fuzzing by coverage needs what this machine does not have:");
        for line in missing {
            eprintln!("  {line}");
        }
        eprintln!(
            "`cargo xtask fuzz --stable` runs the same targets without them, and `cargo xtask test` a short form."
        );
        return Ok(ExitCode::from(CANNOT));
    }
    let folder = project.root.join(LIBFUZZER);
    let targets = targets(&folder.join("fuzz_targets"));
    let wanted = |name: &&String| options.target.as_ref().is_none_or(|wanted| wanted == *name);
    let chosen: Vec<&String> = targets.iter().filter(wanted).collect();
    if chosen.is_empty() {
        let wanted = options.target.as_deref().unwrap_or("any");
        return Err(format!(
            "no fuzz target `{wanted}`; there are: {}",
            targets.join(", ")
        ));
    }
    for name in chosen {
        shell::step(&format!("fuzz {name} for {} s", options.seconds), || {
            if options.stable {
                shell::run(
                    run_target(project, name).args(["--seconds", &options.seconds.to_string()]),
                )
            } else {
                by_coverage(project, &folder, name, options.seconds)
            }
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// libFuzzer starts from the target's own seeds, and keeps what it finds in `corpus/`.
fn by_coverage(project: &Project, folder: &Path, name: &str, seconds: u32) -> Result<(), String> {
    let seeds = format!("{LIBFUZZER}/seeds/{name}");
    let corpus = format!("{LIBFUZZER}/corpus/{name}");
    for place in [&seeds, &corpus] {
        std::fs::create_dir_all(project.root.join(place))
            .map_err(|error| format!("{place}: {error}"))?;
    }
    shell::run(run_target(project, name).args(["--seeds", &seeds]))?;
    let mut command = Command::new("cargo");
    command
        .args([
            "+nightly",
            "fuzz",
            "run",
            "--fuzz-dir",
            LIBFUZZER,
            // Looks for faults of memory, which code without `unsafe` does not have, and halves the speed.
            "--sanitizer",
            "none",
            "--target-dir",
        ])
        .arg(folder.join("target"))
        .args([name, &corpus, &seeds, "--"])
        .arg(format!("-max_total_time={seconds}"));
    shell::run(
        command
            .env_remove("CARGO")
            .env_remove("RUSTUP_TOOLCHAIN")
            .current_dir(&project.root),
    )
}

/// The program that runs a target on the stable toolchain.
fn run_target(project: &Project, name: &str) -> Command {
    let mut command = Command::new(cargo());
    command
        .args([
            "run",
            "--quiet",
            "--release",
            "--package",
            TARGETS,
            "--",
            name,
        ])
        .current_dir(&project.root);
    command
}

/// What is missing and how to get it, one line each.
fn missing() -> Vec<&'static str> {
    if !shell::works("rustup", &["run", "nightly", "rustc", "--version"]) {
        return vec![
            "a nightly toolchain: rustup toolchain install nightly",
            "cargo-fuzz (not looked for without a nightly): cargo install cargo-fuzz",
        ];
    }
    if !shell::works("cargo-fuzz", &["--version"]) {
        return vec!["cargo-fuzz: cargo install cargo-fuzz"];
    }
    Vec::new()
}

/// The names of the targets: the files in their folder.
fn targets(folder: &Path) -> Vec<String> {
    rust_files(folder)
        .iter()
        .filter_map(|path| path.file_stem())
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}
