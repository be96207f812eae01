//! What an operator says about the network of this host.

use std::path::PathBuf;

use crate::Interfaces;

/// What may be changed, and where what is configured is kept.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NetConfig {
    /// Whether Controllers may change the host's network. They may only read it otherwise.
    pub write: bool,
    /// Names of devices that are never changed, whatever a Controller asks for: those by which the host
    /// is managed.
    pub protected: Vec<String>,
    /// The file that keeps instance numbers and what Controllers have configured. Without one both are
    /// forgotten at a restart.
    pub state_file: Option<PathBuf>,
    /// The network namespace that is served, `/run/netns/NAME`; that of the process if none.
    pub namespace: Option<PathBuf>,
    /// Files of leases in the form that dnsmasq writes, beside those in the usual places.
    pub leases: Vec<PathBuf>,
    /// Told which IP interface each device has, for others that refer to them.
    pub interfaces: Interfaces,
}
