//! Debian packages that tests need and a plain machine lacks: installed where we may, named where not.

use std::ffi::OsString;
use std::process::Command;

use crate::shell;

/// A program and the package that brings it.
struct Package {
    name: &'static str,
    program: &'static str,
    /// With which it does nothing and succeeds.
    arguments: &'static [&'static str],
}

const NEEDED: &[Package] = &[
    Package {
        name: "iproute2",
        program: "ip",
        arguments: &["-V"],
    },
    // A kernel with VLANs, for machines whose own has none, and what loads its modules.
    #[cfg(target_arch = "x86_64")]
    Package {
        name: "user-mode-linux",
        program: "linux.uml",
        arguments: &["--version"],
    },
    #[cfg(target_arch = "x86_64")]
    Package {
        name: "kmod",
        program: "/sbin/modprobe",
        arguments: &["--version"],
    },
];

/// Debian's Chromium.
const BROWSER: &str = "/usr/bin/chromium";

/// For the tests of the console.
const BROWSERS: &[Package] = &[Package {
    name: "chromium",
    program: BROWSER,
    arguments: &["--version"],
}];

/// Installs what is missing, as root or through sudo.
///
/// # Errors
/// When nobody here may install packages, or the installation failed: the packages, and the command that
/// brings them.
pub(crate) fn ensure() -> Result<(), String> {
    ensure_all(NEEDED)
}

/// As [`ensure`], for the browser that the console is tested in.
pub(crate) fn ensure_browser() -> Result<(), String> {
    match std::env::var_os("CHROMIUM") {
        Some(_) => Ok(()),
        None => ensure_all(BROWSERS),
    }
}

/// The browser that the console is tested in: the one that `CHROMIUM` names, or Debian's.
pub(crate) fn browser() -> OsString {
    std::env::var_os("CHROMIUM").unwrap_or_else(|| BROWSER.into())
}

fn ensure_all(packages: &'static [Package]) -> Result<(), String> {
    let missing: Vec<&str> = lacking(packages).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    let advice = format!("packages are missing: `apt-get install {names}`");
    let Some(mut apt) = installer() else {
        return Err(advice);
    };
    println!("installing {names}");
    let lists = shell::run(apt().args(["update", "-qq"]));
    let install = ["install", "-y", "-qq", "--no-install-recommends"];
    // Lists that cannot be renewed may still do.
    let installed = shell::run(apt().args(install).args(&missing));
    installed.map_err(|error| match lists {
        Ok(()) => format!("{error}; {advice}"),
        Err(lists) => format!("{lists}; {error}; {advice}"),
    })?;
    match lacking(packages).next() {
        None => Ok(()),
        Some(still) => Err(format!("{still} is installed and does not run")),
    }
}

fn lacking(packages: &'static [Package]) -> impl Iterator<Item = &'static str> {
    let lacks = |package: &&Package| !shell::works(package.program, package.arguments);
    packages.iter().filter(lacks).map(|package| package.name)
}

/// Makes commands that run apt-get with the rights it needs; `None` where nobody gives them.
fn installer() -> Option<impl FnMut() -> Command> {
    let is_root = rustix::process::geteuid().is_root();
    if !shell::works("apt-get", &["--version"])
        || !(is_root || shell::works("sudo", &["-n", "true"]))
    {
        return None;
    }
    Some(move || {
        let mut command = match is_root {
            true => Command::new("apt-get"),
            false => Command::new("sudo"),
        };
        if !is_root {
            command.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        }
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    })
}
