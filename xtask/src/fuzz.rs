//! `cargo xtask fuzz`: runs the targets of `fuzz/` with cargo-fuzz, each for a while.
//!
//! Needs a nightly toolchain, which the rest of the project never does; their short form is part of
//! the ordinary tests.

use std::path::Path;
use std::process::{Command, ExitCode};

use clap::Args;

use crate::project::Project;
use crate::{Outcome, shell};

/// Exit code when this machine cannot fuzz.
const CANNOT: u8 = 2;

#[derive(Args)]
pub(crate) struct Options {
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 600)]
    seconds: u32,
    /// One target only
    target: Option<String>,
}

/// Runs one target or all; stops at the first finding.
pub(crate) fn run(project: &Project, options: &Options) -> Outcome {
    let missing = missing();
    if !missing.is_empty() {
        eprintln!("fuzzing needs what this machine does not have:");
        for line in missing {
            eprintln!("  {line}");
        }
        eprintln!("`cargo xtask test` runs a short form of the same targets without them.");
        return Ok(ExitCode::from(CANNOT));
    }
    let targets = targets(&project.root.join("fuzz/fuzz_targets"));
    let chosen: Vec<&String> = targets
        .iter()
        .filter(|name| options.target.as_ref().is_none_or(|wanted| wanted == *name))
        .collect();
    if chosen.is_empty() {
        let wanted = options.target.as_deref().unwrap_or("any");
        return Err(format!(
            "no fuzz target `{wanted}`; there are: {}",
            targets.join(", ")
        ));
    }
    for name in chosen {
        shell::step(&format!("fuzz {name} for {} s", options.seconds), || {
            let limit = format!("-max_total_time={}", options.seconds);
            let mut command = Command::new("cargo");
            command.args(["+nightly", "fuzz", "run", name, "--", &limit]);
            shell::run(
                command
                    .env_remove("CARGO")
                    .env_remove("RUSTUP_TOOLCHAIN")
                    .current_dir(&project.root),
            )
        })?;
    }
    Ok(ExitCode::SUCCESS)
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
    crate::project::rust_files(folder)
        .iter()
        .filter_map(|path| path.file_stem())
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}
