//! How fast links run, asked of the kernel by the netlink of ethtool.
//!
//! sysfs says the same of the namespace that it was mounted in; this speaks of the one that is served. Kernels
//! before 5.6 and small ones do not have it.

use std::collections::BTreeMap;

use netlink_packet_core::DefaultNla;
use netlink_sys::protocols::NETLINK_GENERIC;

use super::facts::{Link, u32_at};
use super::socket::{Netlink, attributes, nest, nested};
use super::sources::Mode;

/// Of the kernel's interfaces for generic netlink and ethtool (`linux/genetlink.h`, `ethtool_netlink.h`).
const GENL_ID_CTRL: u16 = 16;
const GENL_HEADER: usize = 4;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const ETHTOOL_MSG_LINKMODES_GET: u8 = 4;
const ETHTOOL_A_LINKMODES_HEADER: u16 = 1;
const ETHTOOL_A_LINKMODES_SPEED: u16 = 5;
const ETHTOOL_A_LINKMODES_DUPLEX: u16 = 6;
const ETHTOOL_A_HEADER_DEV_INDEX: u16 = 1;
const ETHTOOL_A_HEADER_FLAGS: u16 = 3;
const ETHTOOL_FLAG_COMPACT_BITSETS: u32 = 1;
const SPEED_UNKNOWN: u32 = u32::MAX;

/// A connection to the kernel's ethtool, in the namespace in which it was opened.
pub(super) struct Ethtool {
    kernel: Netlink,
    family: u16,
}

impl Ethtool {
    /// None where the kernel has none.
    pub(super) fn open() -> Option<Self> {
        let mut kernel = Netlink::open_to(NETLINK_GENERIC).ok()?;
        let ours = |_, content: &[u8]| {
            let find = |wanted| {
                let mut all = attributes(content, GENL_HEADER);
                all.find(|(kind, _)| *kind == wanted)
            };
            let is_ours = find(CTRL_ATTR_FAMILY_NAME)?.1 == b"ethtool\0";
            let number = find(CTRL_ATTR_FAMILY_ID)?.1.try_into().ok()?;
            is_ours.then(|| u16::from_ne_bytes(number))
        };
        let families = kernel.dump_as(GENL_ID_CTRL, &[CTRL_CMD_GETFAMILY, 1, 0, 0], &[], 1, ours);
        let family = *families.ok()?.first()?;
        Some(Self { kernel, family })
    }

    /// Notes how fast each of the links runs that are up, as far as the kernel tells.
    pub(super) fn note_modes(&mut self, links: &mut BTreeMap<u32, Link>) {
        let flags = ETHTOOL_FLAG_COMPACT_BITSETS.to_ne_bytes().to_vec();
        let flags = DefaultNla::new(ETHTOOL_A_HEADER_FLAGS, flags);
        let header = nest(ETHTOOL_A_LINKMODES_HEADER, &[flags]);
        let question = [ETHTOOL_MSG_LINKMODES_GET, 1, 0, 0];
        let most = links.len();
        let read = |_, content: &[u8]| mode(content);
        let told = self
            .kernel
            .dump_as(self.family, &question, &[header], most, read);
        // A driver that fails does so for all: sysfs is asked instead.
        for (index, mode) in told.unwrap_or_default() {
            if let Some(link) = links.get_mut(&index).filter(|link| link.is_up()) {
                link.mode = Some(mode);
            }
        }
    }
}

/// The index of a link, and how fast it runs.
fn mode(content: &[u8]) -> Option<(u32, Mode)> {
    let mut index = None;
    let mut mode = Mode::default();
    for (kind, value) in attributes(content, GENL_HEADER) {
        match kind {
            ETHTOOL_A_LINKMODES_HEADER => {
                let device = nested(value).find(|(kind, _)| *kind == ETHTOOL_A_HEADER_DEV_INDEX);
                index = device.and_then(|(_, value)| u32_at(value, 0));
            }
            ETHTOOL_A_LINKMODES_SPEED => {
                let megabits = u32_at(value, 0).filter(|speed| *speed != SPEED_UNKNOWN);
                mode.megabits = megabits.unwrap_or(0);
            }
            ETHTOOL_A_LINKMODES_DUPLEX => {
                mode.duplex = match value {
                    [0] => "Half",
                    [1] => "Full",
                    _ => "Unknown",
                }
            }
            _ => {}
        }
    }
    Some((index?, mode))
}
