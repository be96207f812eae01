//! `cargo xtask console`: the web console, built into `console/dist`, from where the server takes it.
//!
//! Node.js is needed for this and nothing else. Where it is absent, whoever asked for the console is told, and
//! everything else goes on without.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::SystemTime;

use serde::Deserialize;

use crate::project::Project;
use crate::shell;
use crate::{Outcome, packages};

/// The oldest Node.js that the tools of the console run on.
const NODE_MIN: (u32, u32) = (20, 19);

/// The command.
pub(crate) fn run(project: &Project) -> Outcome {
    check_node()?;
    build(project)?;
    println!(
        "the console is in console/dist: a debug build of the server takes it from there, a release build when it is built anew"
    );
    Ok(ExitCode::SUCCESS)
}

/// Builds the console, with what it needs fetched as the lock file says.
pub(crate) fn build(project: &Project) -> Result<(), String> {
    let folder = folder(project);
    install(&folder)?;
    // Names have hashes in them: those of earlier builds would stay.
    let _ = fs::remove_dir_all(folder.join("dist/assets"));
    npm(&folder, &["run", "--silent", "build"])
}

/// Whether there is a console for the server to serve.
pub(crate) fn is_built(project: &Project) -> bool {
    folder(project).join("dist/index.html").is_file()
}

/// Says what is missing where the console cannot be built here.
pub(crate) fn check_node() -> Result<(), String> {
    let advice = format!(
        "Node.js {}.{} or later with npm is needed for the console, and for nothing else (https://nodejs.org)",
        NODE_MIN.0, NODE_MIN.1
    );
    let output = Command::new("node").arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    match version.as_deref().map(number) {
        Ok(Some(version)) if version < NODE_MIN => Err(format!("node is too old: {advice}")),
        Ok(Some(_)) if shell::works("npm", &["--version"]) => Ok(()),
        _ => Err(advice),
    }
}

/// Types, lints, tests, the build, and the tests in a real browser with a real server: how many passed.
pub(crate) fn test(project: &Project) -> Result<usize, String> {
    let folder = folder(project);
    packages::ensure_browser()?;
    install(&folder)?;
    for script in ["typecheck", "lint"] {
        npm(&folder, &["run", "--silent", script])?;
    }
    let pure = vitest(project, "test")?;
    build(project)?;
    project.build_usphere()?;
    let browser = vitest(project, "test:browser")?;
    Ok(pure + browser)
}

/// Runs one script of tests, and reads from its report how many passed.
fn vitest(project: &Project, script: &str) -> Result<usize, String> {
    let report = project
        .target
        .join("console")
        .join(format!("{}.json", script.replace(':', "-")));
    let _ = fs::remove_file(&report);
    let mut command = Command::new("npm");
    command.args([
        "run",
        "--silent",
        script,
        "--",
        "--reporter=default",
        "--reporter=json",
    ]);
    command.arg(format!("--outputFile={}", report.display()));
    command.env("USPHERE_BINARY", project.target.join("debug/usphere"));
    command.env("CHROMIUM", packages::browser());
    shell::run(command.current_dir(folder(project)))?;
    let text =
        fs::read_to_string(&report).map_err(|error| format!("{}: {error}", report.display()))?;
    let report: Report =
        serde_json::from_str(&text).map_err(|error| format!("the report of {script}: {error}"))?;
    match report.passed {
        0 => Err(format!("{script}: no test ran")),
        passed => Ok(passed),
    }
}

/// What is read of a report of vitest.
#[derive(Deserialize)]
struct Report {
    #[serde(rename = "numPassedTests")]
    passed: usize,
}

/// Fetches what the lock file names, unless that was done since it changed.
fn install(folder: &Path) -> Result<(), String> {
    let changed = |path: &str| -> Option<SystemTime> {
        fs::metadata(folder.join(path)).ok()?.modified().ok()
    };
    match (
        changed("node_modules/.package-lock.json"),
        changed("package-lock.json"),
    ) {
        (Some(installed), Some(locked)) if installed >= locked => Ok(()),
        _ => npm(folder, &["ci", "--no-fund", "--no-audit"]),
    }
}

fn npm(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    shell::run(Command::new("npm").args(arguments).current_dir(folder))
}

fn folder(project: &Project) -> PathBuf {
    project.root.join("console")
}

/// Major and minor of `v20.19.1`.
fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_compared_by_number() {
        assert!(number("v20.9.0") < Some(NODE_MIN));
        assert!(number("v20.19.1") >= Some(NODE_MIN));
        assert!(number("v100.0.0") >= Some(NODE_MIN));
        assert_eq!(number("nonsense"), None);
    }
}
