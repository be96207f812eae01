//! A network namespace of the test's own, made and asked with iproute2.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

/// Removed with everything in it when dropped.
pub(crate) struct Namespace {
    pub(crate) name: String,
}

impl Namespace {
    /// A new one with its loopback up. None, said aloud, where the environment does not let us: it takes root and
    /// iproute2.
    pub(crate) fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("usp-{}-{count}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &name]).output();
        let trouble = match made {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Some(format!("ip: {error}")),
        };
        if let Some(trouble) = trouble {
            println!(
                "LEFT OUT: no network namespace could be made, {}",
                trouble.trim()
            );
            return None;
        }
        let namespace = Self { name };
        namespace.ip("link set lo up");
        Some(namespace)
    }

    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&self.name)
    }

    /// Runs `ip` inside; it has to succeed.
    pub(crate) fn ip(&self, arguments: &str) {
        if let Err(trouble) = self.try_ip(arguments) {
            panic!("ip {arguments}: {trouble}");
        }
    }

    pub(crate) fn try_ip(&self, arguments: &str) -> Result<String, String> {
        self.run(arguments)
    }

    /// What `ip -d -j` says.
    pub(crate) fn ask(&self, arguments: &str) -> Vec<Value> {
        let text = match self.try_ip(&format!("-d -j {arguments}")) {
            Ok(text) => text,
            Err(trouble) => panic!("ip {arguments}: {trouble}"),
        };
        if text.trim().is_empty() {
            return Vec::new();
        }
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("ip: {error}: {text}"))
    }

    fn run(&self, arguments: &str) -> Result<String, String> {
        let output = Command::new("ip")
            .args(["-n", &self.name])
            .args(arguments.split_whitespace())
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
        }
    }

    /// Whether the kernel can make devices of this kind; VLANs are not in every kernel.
    pub(crate) fn can_make_vlans(&self) -> bool {
        self.ip("link add probe0 type veth peer name probe1");
        let can = self.try_ip("link add link probe0 name probe0.9 type vlan id 9");
        self.ip("link del probe0");
        if let Err(trouble) = &can {
            println!("LEFT OUT: this kernel makes no VLANs, {trouble}");
        }
        can.is_ok()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .output();
    }
}
