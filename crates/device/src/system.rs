//! What the host as a whole is at: how long it runs, what it is called, since when it is used.

use std::path::Path;

use usphere_datamodel::model::{OwnerError, Snapshot, SnapshotObject};

use crate::clock::Clock;
use crate::config::HostPaths;
use crate::first_use::FirstUse;
use crate::objects::DEVICE_INFO;
use crate::text::unsigned_int;
use crate::{files, host_name};

/// Up time in seconds, host name and date of first use.
///
/// # Errors
/// When one of them cannot be read.
pub(crate) fn fetch(
    paths: &HostPaths,
    clock: &Clock,
    first_use: &mut FirstUse,
) -> Result<Snapshot, OwnerError> {
    let first_use = first_use.date(clock.is_right(paths), Clock::utc_now)?;
    let values = vec![
        (
            "UpTime".into(),
            unsigned_int(up_time(&paths.proc)?.unwrap_or(0)),
        ),
        ("FirstUseDate".into(), first_use),
        ("HostName".into(), host_name::read(paths)?),
    ];
    Ok(Snapshot {
        objects: vec![SnapshotObject {
            path: DEVICE_INFO.path.into(),
            keys: Vec::new(),
            values,
        }],
    })
}

/// Whole seconds; `/proc/uptime` has hundredths.
fn up_time(proc: &Path) -> Result<Option<u64>, OwnerError> {
    let report = files::text(&proc.join("uptime"))?.unwrap_or_default();
    let seconds = report.split(['.', ' ', '\n']).next();
    Ok(seconds.and_then(|seconds| seconds.parse().ok()))
}
