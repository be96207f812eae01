//! `cargo xtask test`: everything that must hold before a commit, and what CI runs.
//!
//! Stops at the first step that fails. The last line is always `N passed, N failed`, where a failed step
//! other than the tests counts as one failure.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::Args;

use crate::project::{Project, cargo};
use crate::results::{self, CargoTest, Results};
use crate::shell::{self, step};
use crate::{Outcome, console, lint, packages, trace};

#[derive(Args)]
pub(crate) struct Options {
    /// Also compare the declared objects with the TR-181 XML components in this folder
    #[arg(long, value_name = "DIR")]
    tr181: Option<std::path::PathBuf>,
}

/// Tests that passed and failed so far.
#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
}

/// Runs all steps and prints the closing line.
pub(crate) fn run(project: &Project, options: &Options) -> Outcome {
    let started = Instant::now();
    let mut count = Count::default();
    let result = steps(project, options, &mut count);
    match &result {
        Ok(()) => println!(
            "\ntest: all steps passed in {}",
            shell::seconds(started.elapsed())
        ),
        Err(message) => {
            println!(
                "\ntest: FAILED after {}: {message}",
                shell::seconds(started.elapsed())
            );
            count.failed = count.failed.max(1);
        }
    }
    println!("{} passed, {} failed", count.passed, count.failed);
    Ok(if result.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn steps(project: &Project, options: &Options, count: &mut Count) -> Result<(), String> {
    let root = project.root.as_path();
    step("tools", check_tools)?;
    step("packages", packages::ensure)?;
    step("format", || {
        shell::run(&mut cargo_command(root, "fmt --all --check"))
    })
    .map_err(|error| format!("{error}; `cargo fmt --all` mends it"))?;
    step("clippy", || {
        shell::run(&mut cargo_command(
            root,
            "clippy --workspace --all-targets --quiet -- -D warnings",
        ))
    })?;
    // The short form of the fuzz targets is among the ordinary tests.
    step("tests", || tests(project, count))?;
    step("doc tests", || doc_tests(root, count))?;
    step("docs", || {
        let mut doc = cargo_command(root, "doc --workspace --no-deps --quiet");
        shell::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    step("console", || console(project, count))?;
    step("lint", || lint::check(project, options.tr181.as_deref()))?;
    step("trace", || trace::summary(project))
}

/// Names everything that is missing at once, with what to do about it.
fn check_tools() -> Result<(), String> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let cargo = cargo();
    let tools: [(&str, &str, &[&str], &str); 3] = [
        (
            "a C compiler",
            &compiler,
            &["--version"],
            "apt-get install gcc libc6-dev",
        ),
        (
            "rustfmt",
            &cargo,
            &["fmt", "--version"],
            "rustup component add rustfmt",
        ),
        (
            "clippy",
            &cargo,
            &["clippy", "--version"],
            "rustup component add clippy",
        ),
    ];
    let missing: Vec<String> = tools
        .into_iter()
        .filter(|(_, program, arguments, _)| !shell::works(program, arguments))
        .map(|(what, _, _, remedy)| format!("{what} ({remedy})"))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("missing: {}", missing.join(", ")))
    }
}

/// The tests, by cargo-nextest where it is installed; leaves the list of what ran for `trace`.
fn tests(project: &Project, count: &mut Count) -> Result<(), String> {
    let results = if shell::works(&cargo(), &["nextest", "--version"]) {
        nextest(project)?
    } else {
        println!("cargo-nextest is not installed: `cargo test` runs the tests instead");
        cargo_test(project)?
    };
    for test in &results.left_out {
        println!("left out: {} {}", test.binary, test.name);
    }
    if !results.left_out.is_empty() {
        let count = results.left_out.len();
        println!(
            "{count} tests could not be carried out here, wholly or in part; they count neither as passed nor as proof"
        );
    }
    count.passed += results.passed.len();
    count.failed += results.failed.len();
    results.write(&project.target)?;
    match results.failed.as_slice() {
        [] if results.passed.is_empty() => Err("no test ran".to_owned()),
        [] => Ok(()),
        failed => {
            for test in failed {
                println!("failed: {} {}", test.binary, test.name);
            }
            Err(format!("{} tests failed", failed.len()))
        }
    }
}

fn nextest(project: &Project) -> Result<Results, String> {
    let report = project.target.join("nextest/default/junit.xml");
    // A report of an earlier run must not be taken for this one's.
    let _ = fs::remove_file(&report);
    let mut command = cargo_command(&project.root, "nextest run --workspace --no-fail-fast");
    command.args(["--status-level", "fail", "--final-status-level", "fail"]);
    let ended = shell::run(&mut command);
    let Ok(text) = fs::read_to_string(&report) else {
        ended?;
        return Err(format!("{}: nextest left no report", report.display()));
    };
    let results = Results::from_junit(&text)?;
    if results.failed.is_empty() {
        ended?;
    }
    Ok(results)
}

fn cargo_test(project: &Project) -> Result<Results, String> {
    let build =
        "test --workspace --lib --bins --tests --no-run --message-format json-render-diagnostics";
    let built = cargo_command(&project.root, build)
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo test: {error}"))?;
    if !built.status.success() {
        return Err("the tests do not build".to_owned());
    }
    let mut output = CargoTest::new(executables(
        project,
        &String::from_utf8_lossy(&built.stdout),
    ));
    let mut command = cargo_command(
        &project.root,
        "test --workspace --lib --bins --tests --no-fail-fast -- --show-output",
    );
    let mut is_of_passed = false;
    let succeeded = shell::each_line(command.env("CARGO_TERM_COLOR", "never"), |line| {
        is_of_passed = match line {
            "successes:" => true,
            "failures:" => false,
            line => is_of_passed && !line.starts_with("test result: "),
        };
        if !is_of_passed && !line.ends_with(" ... ok") {
            println!("{line}");
        }
        output.line(line);
    })?;
    if !succeeded && output.results.failed.is_empty() {
        return Err("cargo test failed before or between the tests".to_owned());
    }
    Ok(output.results)
}

/// The test executables that cargo built: file name to target, named as nextest names it.
fn executables(project: &Project, messages: &str) -> BTreeMap<String, String> {
    let artifact = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let executable = Path::new(message.get("executable")?.as_str()?)
            .file_name()?
            .to_str()?;
        let id = message.get("package_id")?.as_str()?;
        let package = &project
            .packages
            .iter()
            .find(|package| package.id == id)?
            .name;
        let target = message.get("target")?;
        let name = target.get("name")?.as_str()?;
        let binary = match target.get("kind")?.get(0)?.as_str()? {
            "test" => format!("{package}::{name}"),
            "bin" => format!("{package}::bin/{name}"),
            "example" => format!("{package}::example/{name}"),
            _ => package.clone(),
        };
        Some((executable.to_owned(), binary))
    };
    messages.lines().filter_map(artifact).collect()
}

fn doc_tests(root: &Path, count: &mut Count) -> Result<(), String> {
    let mut command = cargo_command(root, "test --workspace --doc --quiet --no-fail-fast");
    let succeeded = shell::each_line(command.env("CARGO_TERM_COLOR", "never"), |line| {
        if let Some((passed, failed)) = results::totals(line) {
            count.passed += passed;
            count.failed += failed;
        }
        if !line.is_empty()
            && !line.starts_with("running 0 tests")
            && !line.contains(" 0 passed; 0 failed")
        {
            println!("{line}");
        }
    })?;
    if succeeded {
        Ok(())
    } else {
        Err("doc tests failed".to_owned())
    }
}

/// The console, where there is Node.js to build and test it.
fn console(project: &Project, count: &mut Count) -> Result<(), String> {
    match console::check_node() {
        Ok(()) => count.passed += console::test(project)?,
        Err(missing) => println!("the console was left out: {missing}"),
    }
    Ok(())
}

fn cargo_command(root: &Path, arguments: &str) -> Command {
    let mut command = Command::new(cargo());
    command.args(arguments.split(' ')).current_dir(root);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_named_as_nextest_names_them() {
        let package = r#"{"name":"usphere-proto","id":"path+file:///p#usphere-proto@0.1.0",
            "manifest_path":"/p/Cargo.toml","dependencies":[],"targets":[]}"#;
        let project = Project {
            root: "/".into(),
            target: "/target".into(),
            packages: vec![serde_json::from_str(package).unwrap()],
        };
        let message = |kind: &str, name: &str, file: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"path+file:///p#usphere-proto@0.1.0","target":{{"name":"{name}","kind":["{kind}"]}},"executable":"/target/debug/deps/{file}"}}"#
            )
        };
        let messages = [
            message("lib", "usphere_proto", "usphere_proto-1"),
            message("test", "wire", "wire-2"),
            message("bin", "tool", "tool-3"),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        let found = executables(&project, &messages.join("\n"));
        assert_eq!(found["usphere_proto-1"], "usphere-proto");
        assert_eq!(found["wire-2"], "usphere-proto::wire");
        assert_eq!(found["tool-3"], "usphere-proto::bin/tool");
    }
}
