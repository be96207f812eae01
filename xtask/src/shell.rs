//! Running other programs and telling what is being done.
//!
//! Never swallows what a program prints: a failure is shown where it happened.

use std::io::{self, BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Prints a heading, does the work, prints how long it took.
pub(crate) fn step<T>(
    heading: &str,
    work: impl FnOnce() -> Result<T, String>,
) -> Result<T, String> {
    println!("\n== {heading}");
    let started = Instant::now();
    let result = work();
    let verdict = if result.is_ok() { "done" } else { "FAILED" };
    println!("-- {heading}: {verdict} in {}", seconds(started.elapsed()));
    result
}

/// Runs a program to its end with our terminal; an exit code other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let shown = show(command);
    let status = command
        .status()
        .map_err(|error| format!("`{shown}` cannot be started: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{shown}` ended with {status}"))
    }
}

/// Runs a program and hands each line of its output, errors included, to `line`. True when it succeeded.
pub(crate) fn each_line(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool, String> {
    let shown = show(command);
    let failed = |error: io::Error| format!("`{shown}`: {error}");
    let (reader, writer) = io::pipe().map_err(failed)?;
    let copy = writer.try_clone().map_err(failed)?;
    let mut child = command
        .stdout(copy)
        .stderr(writer)
        .stdin(Stdio::null())
        .spawn()
        .map_err(failed)?;
    // The command keeps its ends of the pipe open until they are replaced.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut reader = BufReader::new(reader);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes).map_err(failed)? > 0 {
        line(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']));
        bytes.clear();
    }
    Ok(child.wait().map_err(failed)?.success())
}

/// True when the program starts and exits with 0; what it prints is dropped.
pub(crate) fn works(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A duration for people: `12.3 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// A command as it would be typed, with the path of the program left out.
fn show(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or(&program).to_owned();
    std::iter::once(name)
        .chain(
            command
                .get_args()
                .map(|argument| argument.to_string_lossy().into_owned()),
        )
        .collect::<Vec<_>>()
        .join(" ")
}
