//! Where things lie: the root of the repository, its crates, its target folder.
//!
//! Read once from `cargo metadata`; nothing here changes anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::shell;

/// The repository this was started from.
pub(crate) struct Project {
    /// Folder that holds the workspace's Cargo.toml.
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
    /// The crates of the workspace, by name.
    pub(crate) packages: Vec<Package>,
}

/// One crate of the workspace, as `cargo metadata` tells it.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
}

/// One dependency of a crate. `kind` is `None` for an ordinary one, else `dev` or `build`.
#[derive(Clone, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Option<String>,
}

/// One thing a crate builds: `lib`, `bin`, `test`, `bench` or `example`.
#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
    pub(crate) src_path: PathBuf,
}

impl Project {
    /// Asks cargo. Fails with cargo's own words where a manifest is broken.
    pub(crate) fn find() -> Result<Self, String> {
        let output = Command::new(cargo())
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .current_dir(own_folder())
            .output()
            .map_err(|error| format!("cargo metadata cannot be started: {error}"))?;
        if !output.status.success() {
            return Err(format!(
                "cargo metadata: {}",
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        let metadata: Metadata = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("cargo metadata said something unexpected: {error}"))?;
        let mut packages = metadata.packages;
        packages.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self {
            root: metadata.workspace_root,
            target: metadata.target_directory,
            packages,
        })
    }

    /// Builds the binary `usphere`, into `debug/` of the target folder.
    pub(crate) fn build_usphere(&self) -> Result<(), String> {
        let mut build = Command::new(cargo());
        build.args(["build", "--quiet", "--package", "usphere"]);
        shell::run(build.args(["--bin", "usphere"]).current_dir(&self.root))
    }

    /// Reads a file below the root; the error names it.
    pub(crate) fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.root.join(path)).map_err(|error| format!("{path}: {error}"))
    }

    /// A path as people say it: relative to the root where it lies below.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

impl Package {
    /// The crate's folder.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }
}

/// The cargo that started us, so that one toolchain does everything.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// The folder of this crate in the checkout that `cargo run` was called in. Checkouts may share a target
/// folder, so what was compiled in may name another one; it serves only where cargo did not start us.
fn own_folder() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// All `.rs` files below a folder, sorted; `target` folders are left out. An absent folder has none.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}
