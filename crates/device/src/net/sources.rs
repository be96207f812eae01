//! What netlink does not tell: files of procfs and sysfs.

use std::path::PathBuf;

use super::facts::Link;
use super::neighbours::lease_files;
use crate::config::HostPaths;
use crate::files;

/// Where the files are.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    proc: PathBuf,
    /// None where it shows another namespace.
    sys: Option<PathBuf>,
    var: PathBuf,
}

/// How fast an interface runs, and whether both ways at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Mode {
    pub(super) megabits: u32,
    pub(super) duplex: &'static str,
}

impl Default for Mode {
    fn default() -> Self {
        Self {
            megabits: 0,
            duplex: "Unknown",
        }
    }
}

impl Sources {
    /// `is_elsewhere`: the network is that of another namespace than that of the process.
    pub(super) fn new(paths: &HostPaths, is_elsewhere: bool) -> Self {
        Self {
            proc: paths.proc.clone(),
            sys: (!is_elsewhere).then(|| paths.sys.clone()),
            var: paths.var.clone(),
        }
    }

    /// The files of leases, beside those that are `configured`.
    pub(super) fn leases(&self, configured: &[PathBuf]) -> Vec<PathBuf> {
        lease_files(&self.var, configured)
    }

    /// Whether the device is a wireless one, whatever it pretends to be.
    pub(super) fn is_wireless(&self, link: &Link) -> bool {
        self.folder(link)
            .is_some_and(|folder| folder.join("phy80211").exists())
    }

    /// How fast a link runs, which nobody knows of one that is down.
    pub(super) fn mode(&self, link: &Link) -> Mode {
        if let Some(mode) = link.mode {
            return mode;
        }
        let text = |name: &str| {
            let text = files::text(&self.folder(link)?.join(name))?;
            Some(text.trim().to_owned())
        };
        // It is -1 while there is no carrier.
        let megabits = text("speed").and_then(|speed| speed.parse().ok());
        let duplex = match text("duplex").as_deref() {
            Some("full") => "Full",
            Some("half") => "Half",
            _ => "Unknown",
        };
        Mode {
            megabits: megabits.unwrap_or(0),
            duplex,
        }
    }

    /// The kernel's tables of TCP, IPv4 and IPv6, in the namespace of the calling thread.
    pub(super) fn ports(&self) -> [PathBuf; 2] {
        let folder = self.proc.join("thread-self/net");
        [folder.join("tcp"), folder.join("tcp6")]
    }

    pub(super) fn has_ipv6(&self) -> bool {
        self.proc.join("sys/net/ipv6").exists()
    }

    /// Whether IPv6 is on for the device, or for `all`.
    pub(super) fn is_ipv6_enabled(&self, device: &str) -> bool {
        let text = files::text(&self.ipv6_switch(device));
        text.is_some_and(|text| text.trim() == "0")
    }

    /// The file that turns IPv6 off for a device.
    pub(super) fn ipv6_switch(&self, device: &str) -> PathBuf {
        let folder = self.proc.join("sys/net/ipv6/conf");
        folder.join(device).join("disable_ipv6")
    }

    /// The device's folder, if it is the same device: sysfs may show another namespace.
    fn folder(&self, link: &Link) -> Option<PathBuf> {
        let folder = self.sys.as_ref()?.join("class/net").join(&link.name);
        let index = files::text(&folder.join("ifindex"))?;
        (index.trim() == link.index.to_string()).then_some(folder)
    }
}
