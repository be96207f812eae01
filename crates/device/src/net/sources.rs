//! What netlink does not tell: files of procfs and sysfs.

use std::path::{Path, PathBuf};

use super::facts::{Facts, Link};
use super::neighbours::lease_files;
use crate::config::HostPaths;
use crate::files::{self, Unread, if_told};

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

    /// Adds to `facts` what these files tell.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub(super) fn complete(&self, facts: &mut Facts) -> Result<(), Unread> {
        facts.has_ipv6 = self.proc.join("sys/net/ipv6").exists();
        facts.is_ipv6 = self.is_ipv6_enabled("all")?;
        for link in facts.links.values_mut() {
            link.is_ipv6 = self.is_ipv6_enabled(&link.name)?;
            let folder = match link.is_ethernet() {
                true => self.folder(link)?,
                false => None,
            };
            if let Some(folder) = folder {
                link.is_wireless = folder.join("phy80211").exists();
                if link.mode.is_none() {
                    link.mode = Some(mode(&folder)?);
                }
            }
        }
        Ok(())
    }

    /// The kernel's tables of TCP, IPv4 and IPv6, in the namespace of the calling thread.
    pub(super) fn ports(&self) -> [PathBuf; 2] {
        let folder = self.proc.join("thread-self/net");
        [folder.join("tcp"), folder.join("tcp6")]
    }

    /// Whether IPv6 is on for the device, or for `all`.
    fn is_ipv6_enabled(&self, device: &str) -> Result<bool, Unread> {
        let text = if_told(files::text(&self.ipv6_switch(device)))?;
        Ok(text.is_some_and(|text| text.trim() == "0"))
    }

    /// The file that turns IPv6 off for a device.
    pub(super) fn ipv6_switch(&self, device: &str) -> PathBuf {
        let folder = self.proc.join("sys/net/ipv6/conf");
        folder.join(device).join("disable_ipv6")
    }

    /// The device's folder, if it is the same device: sysfs may show another namespace.
    fn folder(&self, link: &Link) -> Result<Option<PathBuf>, Unread> {
        let Some(sys) = &self.sys else {
            return Ok(None);
        };
        let folder = sys.join("class/net").join(&link.name);
        let index = if_told(files::text(&folder.join("ifindex")))?;
        let is_same = index.is_some_and(|index| index.trim() == link.index.to_string());
        Ok(is_same.then_some(folder))
    }
}

/// How fast the link of this folder runs, which nobody knows of one that is down.
fn mode(folder: &Path) -> Result<Mode, Unread> {
    let text = |name: &str| {
        let text = if_told(files::text(&folder.join(name)))?;
        Ok(text.unwrap_or_default().trim().to_owned())
    };
    Ok(Mode {
        // It is -1 while there is no carrier.
        megabits: text("speed")?.parse().unwrap_or(0),
        duplex: match &*text("duplex")? {
            "full" => "Full",
            "half" => "Half",
            _ => "Unknown",
        },
    })
}
