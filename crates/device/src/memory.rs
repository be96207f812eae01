//! Working memory, from `/proc/meminfo`.

use std::path::Path;

use usphere_datamodel::model::{OwnerError, Snapshot, SnapshotObject};

use crate::files;
use crate::objects::MEMORY_STATUS;
use crate::text::unsigned_int;

/// How much there is, and how much of it programs could still get.
///
/// # Errors
/// When the host does not tell.
pub(crate) fn fetch(proc: &Path) -> Result<Snapshot, OwnerError> {
    let path = proc.join("meminfo");
    let untold = || {
        OwnerError::failed(format!(
            "{} does not tell the size of the memory",
            path.display()
        ))
    };
    let report = files::text(&path)?.ok_or_else(untold)?;
    let total = kibibytes(&report, "MemTotal").ok_or_else(untold)?;
    // Linux uses what is free for its caches and gives it back; kernels before 3.14 do not say how much.
    let free = kibibytes(&report, "MemAvailable").or_else(|| kibibytes(&report, "MemFree"));
    let values = vec![
        ("Total".into(), unsigned_int(total)),
        ("Free".into(), unsigned_int(free.unwrap_or(0).min(total))),
    ];
    Ok(Snapshot {
        objects: vec![SnapshotObject {
            path: MEMORY_STATUS.path.into(),
            keys: Vec::new(),
            values,
        }],
    })
}

/// The number in a line such as `MemTotal:       24684092 kB`.
fn kibibytes(report: &str, name: &str) -> Option<u64> {
    let line = report
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}
