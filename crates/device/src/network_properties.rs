//! How the kernel handles TCP, from `/proc/sys/net/ipv4`.

use core::time::Duration;
use std::path::Path;

use usphere_datamodel::declare::{Object, UNSIGNED_INT, Unit, object, one_of, parameter};
use usphere_datamodel::model::Snapshot;
use usphere_datamodel::types::list;

use crate::files::{self, Unread};
use crate::objects::SYSTEM;
use crate::snapshot::{single, value};
use crate::text::unsigned_int;

/// Changes with a module or a setting of the kernel.
pub(crate) const UNIT: Unit = Unit {
    name: "host.network-properties",
    max_age: Duration::from_secs(10),
    poll: Duration::from_secs(60),
    ..SYSTEM
};

/// How the device handles network traffic. (TR-181 2.19)
pub(crate) const NETWORK_PROPERTIES: Object = object("Device.DeviceInfo.NetworkProperties.")
    .live(&UNIT)
    .parameters(&[
        parameter("MaxTCPWindowSize", UNSIGNED_INT),
        parameter(
            "TCPImplementation",
            one_of(&["Tahoe", "Reno", "New Reno", "Vegas"]).list(),
        ),
    ]);

/// What the kernel's settings say; zero and empty where there are none.
///
/// # Errors
/// When they cannot be read.
pub(crate) fn fetch(proc: &Path) -> Result<Snapshot, Unread> {
    let folder = proc.join("sys/net/ipv4");
    let buffers = files::text(&folder.join("tcp_rmem"))?.unwrap_or_default();
    let algorithms =
        files::text(&folder.join("tcp_available_congestion_control"))?.unwrap_or_default();
    Ok(Snapshot {
        objects: vec![single(
            &NETWORK_PROPERTIES,
            vec![
                value("MaxTCPWindowSize", unsigned_int(window_bytes(&buffers))),
                value(
                    "TCPImplementation",
                    list::join(implementations(&algorithms)),
                ),
            ],
        )],
    })
}

/// The most that a receive buffer grows to: `least default most`.
fn window_bytes(buffers: &str) -> u64 {
    let most = buffers.split_ascii_whitespace().nth(2);
    most.and_then(|most| most.parse().ok()).unwrap_or(0)
}

/// Those that TR-181 has a name for. What Linux calls Reno recovers as New Reno does.
fn implementations(algorithms: &str) -> impl Iterator<Item = &'static str> {
    algorithms
        .split_ascii_whitespace()
        .filter_map(|algorithm| match algorithm {
            "reno" => Some("New Reno"),
            "vegas" => Some("Vegas"),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_become_those_of_tr_181() {
        assert_eq!(window_bytes("4096\t131072\t6291456\n"), 6_291_456);
        assert_eq!(window_bytes("4096\n"), 0);
        let names: Vec<&str> = implementations("reno cubic bbr vegas\n").collect();
        assert_eq!(names, ["New Reno", "Vegas"]);
    }
}
