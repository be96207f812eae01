//! `Device.SelfTestDiagnostics()`: can this host be read, and has it room to work?

use std::path::Path;

use usphere_datamodel::declare::{Command, Object, command, object};
use usphere_datamodel::model::{Outputs, OwnerError, Snapshot};
use usphere_runtime::Owner;

use crate::config::{DeviceConfig, HostPaths};
use crate::diagnostics::target::outputs;
use crate::host::Host;
use crate::objects::{MEMORY, OWNER, objects};
use crate::text::fit;

/// What the host adds to the root. (TR-181 2.19)
pub(crate) const ROOT: Object = object("Device.").commands(&[SELF_TEST]);

const SELF_TEST: Command = command("SelfTestDiagnostics()")
    .asynchronous()
    .by(OWNER)
    .output(&["Status", "Results"]);

/// Reads everything once and looks at memory and storage; what is wrong is told in words. It stops soon after
/// `is_cancelled` says so, and what it returns then is no result.
pub(crate) fn run(
    config: &DeviceConfig,
    paths: &HostPaths,
    is_cancelled: &dyn Fn() -> bool,
) -> Outputs {
    // What the host keeps, the one that is tested keeps.
    let probe = DeviceConfig {
        first_use_file: None,
        rows_file: None,
        ..config.clone()
    };
    let mut host = match Host::new(probe, paths.clone()) {
        Ok(host) => host,
        Err(error) => return show("Error_Internal", &[error.to_string()]),
    };
    let mut findings = Vec::new();
    let mut read = 0;
    for unit in units().into_iter().take_while(|_| !is_cancelled()) {
        match host.fetch(unit) {
            Ok(_) => read += 1,
            Err(error) => findings.push(format!("{unit}: {error}")),
        }
    }
    findings.extend(memory(host.fetch(MEMORY.name)));
    let places = [
        config.first_use_file.as_deref(),
        config.rows_file.as_deref(),
    ];
    let mut folders: Vec<&Path> = places
        .into_iter()
        .flatten()
        .filter_map(Path::parent)
        .collect();
    folders.dedup();
    findings.extend(folders.into_iter().filter_map(storage));
    if findings.is_empty() {
        findings.push(format!(
            "passed: {read} of {read} parts of the host can be read, memory and storage have room"
        ));
    } else {
        findings.insert(0, format!("failed: {read} parts of the host can be read"));
    }
    show("Complete", &findings)
}

/// Less than this is worth a word.
const FREE_KIBIBYTES_MIN: u64 = 4 * 1024;

fn memory(snapshot: Result<Snapshot, OwnerError>) -> Option<String> {
    let snapshot = snapshot.ok()?;
    let values = &snapshot.objects.first()?.values;
    let (_, free) = values.iter().find(|(name, _)| name == "Free")?;
    let free: u64 = free.parse().ok()?;
    (free < FREE_KIBIBYTES_MIN).then(|| format!("memory: {free} KiB are free"))
}

fn storage(folder: &Path) -> Option<String> {
    let place = folder.display();
    match rustix::fs::statvfs(folder) {
        Err(error) => Some(format!("{place}: {error}")),
        Ok(state) => {
            let free = state.f_bavail.saturating_mul(state.f_frsize) / 1024;
            (free < FREE_KIBIBYTES_MIN).then(|| format!("{place}: {free} KiB are free"))
        }
    }
}

/// The units of everything that is declared, each once.
fn units() -> Vec<&'static str> {
    let mut units: Vec<&str> = objects()
        .into_iter()
        .flat_map(|object| {
            let parameters = object.parameters.iter();
            let of_parameters = parameters.filter_map(|parameter| parameter.unit);
            object.unit.into_iter().chain(of_parameters)
        })
        .map(|unit| unit.name)
        .collect();
    units.sort_unstable();
    units.dedup();
    units
}

fn show(status: &str, findings: &[String]) -> Outputs {
    const RESULTS_MAX: u32 = 1024;
    outputs([
        ("Status", status.to_owned()),
        ("Results", fit(findings.join("; ").as_bytes(), RESULTS_MAX)),
    ])
}
