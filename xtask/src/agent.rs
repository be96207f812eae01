//! `cargo xtask build agent`: the device-only binary, optimised for the flash of a gateway.

use std::fs;
use std::process::{Command, ExitCode};

use crate::project::{Project, cargo};
use crate::{Outcome, shell};

/// The binary's name, and the cargo profile and folder that make it.
const BINARY: &str = "usphere-agent";
const PROFILE: &str = "agent";

/// The table of relative relocations in its short form, which glibc reads since 2.36 and musl since
/// 1.2.4: 170 KB less. A linker that does not know it leaves it out with a warning.
const LINKING: &str = "-Clink-arg=-Wl,-z,pack-relative-relocs";

/// Builds the binary and says where it lies and how large it is.
pub(crate) fn build(project: &Project) -> Outcome {
    shell::run(
        Command::new(cargo())
            .args(["rustc", "--profile", PROFILE, "--package", "usphere"])
            .args([
                "--no-default-features",
                "--features",
                "agent",
                "--bin",
                BINARY,
            ])
            .args(["--", LINKING])
            .current_dir(&project.root),
    )?;
    // Cargo names the folder after the profile: the binary already lies where it is promised.
    let binary = project.target.join(PROFILE).join(BINARY);
    let size = fs::metadata(&binary)
        .map_err(|error| format!("{}: {error}", binary.display()))?
        .len();
    println!(
        "{}: {size} bytes ({:.2} MB)",
        project.relative(&binary).display(),
        size as f64 / 1_000_000.0
    );
    Ok(ExitCode::SUCCESS)
}
