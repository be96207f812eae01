//! The floors of the house: who may depend on whom, and which rooms know neither socket nor clock.
//!
//! The table is the one in ARCHITECTURE.md. Dev-dependencies are free: a test may use more.

use crate::lint::Report;
use crate::project::{Dependency, Package, Project};

/// One crate's place.
struct Room {
    name: &'static str,
    floor: u8,
    may_use: MayUse,
    /// Sans-I/O: takes inputs and the time, returns outputs.
    is_pure: bool,
}

enum MayUse {
    /// These crates of the house and no other.
    Only(&'static [&'static str]),
    /// Every crate of a lower floor.
    AllBelow,
}

const ENGINE: MayUse = MayUse::Only(&[
    "usphere-proto",
    "usphere-datamodel",
    "usphere-session",
    "usphere-trust",
]);

const HOUSE: [Room; 17] = [
    pure("usphere-proto", 0, MayUse::Only(&[])),
    pure("usphere-datamodel", 0, MayUse::Only(&[])),
    pure("usphere-session", 1, MayUse::Only(&["usphere-proto"])),
    pure("usphere-trust", 1, MayUse::Only(&["usphere-proto"])),
    room("usphere-store", 1, MayUse::Only(&["usphere-datamodel"])),
    pure("usphere-agent", 2, ENGINE),
    pure("usphere-controller", 2, ENGINE),
    pure("usphere-cwmp", 2, MayUse::Only(&["usphere-datamodel"])),
    room(
        "usphere-mtp",
        2,
        MayUse::Only(&["usphere-proto", "usphere-trust"]),
    ),
    pure(
        "usphere-broker",
        3,
        MayUse::Only(&[
            "usphere-proto",
            "usphere-datamodel",
            "usphere-session",
            "usphere-trust",
            "usphere-agent",
            "usphere-controller",
        ]),
    ),
    room("usphere-runtime", 4, MayUse::AllBelow),
    room("usphere-device", 5, MayUse::AllBelow),
    room("usphere-server", 5, MayUse::AllBelow),
    room("usphere-sim", 5, MayUse::AllBelow),
    room("usphere-conformance", 5, MayUse::AllBelow),
    room("usphere", 6, MayUse::AllBelow),
    room("usphere-fuzz", 6, MayUse::AllBelow),
];

/// Crates that bring sockets, threads, clocks or chance.
const IMPURE_CRATES: [&str; 14] = [
    "async-std",
    "fastrand",
    "getrandom",
    "hyper",
    "mio",
    "nix",
    "rand",
    "rand_core",
    "reqwest",
    "rustix",
    "smol",
    "socket2",
    "tokio",
    "tokio-util",
];

/// The same, of the standard library, as it appears in code.
const IMPURE_PATHS: [&str; 9] = [
    "Instant::now",
    "SystemTime::now",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::os::unix::net",
    "std::process",
    "std::thread",
];

/// The same inside `use std::{…};`, where the paths above do not appear.
const IMPURE_NAMES: [&str; 6] = [
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "fs",
    "process",
    "thread",
];

/// Checks the dependencies of every crate.
pub(crate) fn check(project: &Project, report: &mut Report) {
    for package in &project.packages {
        check_package(package, report);
    }
}

/// True for a crate that may know neither socket nor clock.
pub(crate) fn is_pure(crate_name: &str) -> bool {
    find(crate_name).is_some_and(|room| room.is_pure)
}

/// What impure thing stands in blanked code, with its offset.
pub(crate) fn impurities(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for path in IMPURE_PATHS {
        found.extend(
            code.match_indices(path)
                .map(|(offset, path)| (offset, path.to_owned())),
        );
    }
    for (offset, _) in code.match_indices("use std::{") {
        let end = code[offset..]
            .find(';')
            .map_or(code.len(), |length| offset + length);
        let words = code[offset..end].split(|c: char| !c.is_alphanumeric() && c != '_');
        let names = words.filter(|word| IMPURE_NAMES.contains(word));
        found.extend(names.map(|name| (offset, format!("std::{{{name}}}"))));
    }
    found
}

fn check_package(package: &Package, report: &mut Report) {
    let inner: Vec<&Dependency> = package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind.as_deref() != Some("dev"))
        .collect();
    let of_the_house = |name: &str| name == "usphere" || name.starts_with("usphere-");
    if package.name == "xtask" {
        for dependency in inner
            .iter()
            .filter(|dependency| of_the_house(&dependency.name))
        {
            report.error(
                "xtask",
                format_args!(
                    "depends on {}; it must build without the house",
                    dependency.name
                ),
            );
        }
        return;
    }
    let Some(room) = find(&package.name) else {
        report.error(
            &package.name,
            "has no floor; give it one in xtask/src/lint/floors.rs and ARCHITECTURE.md",
        );
        return;
    };
    for dependency in inner {
        if of_the_house(&dependency.name) {
            if let Err(reason) = room.allows(&dependency.name) {
                report.error(
                    &package.name,
                    format_args!("may not depend on {}: {reason}", dependency.name),
                );
            }
        } else if room.is_pure && IMPURE_CRATES.contains(&dependency.name.as_str()) {
            report.error(
                &package.name,
                format_args!(
                    "may not depend on {}: it knows no socket, thread, clock or chance",
                    dependency.name
                ),
            );
        }
    }
}

impl Room {
    fn allows(&self, other: &str) -> Result<(), String> {
        let Some(other) = find(other) else {
            return Err("that crate has no floor".to_owned());
        };
        if other.floor >= self.floor {
            return Err(format!(
                "it lives on floor {}, this one on {}",
                other.floor, self.floor
            ));
        }
        match self.may_use {
            MayUse::Only(names) if !names.contains(&other.name) => {
                let names = if names.is_empty() {
                    "none".to_owned()
                } else {
                    names.join(", ")
                };
                Err(format!("allowed are {names}"))
            }
            _ => Ok(()),
        }
    }
}

fn find(name: &str) -> Option<&'static Room> {
    HOUSE.iter().find(|room| room.name == name)
}

const fn room(name: &'static str, floor: u8, may_use: MayUse) -> Room {
    Room {
        name,
        floor,
        may_use,
        is_pure: false,
    }
}

const fn pure(name: &'static str, floor: u8, may_use: MayUse) -> Room {
    Room {
        name,
        floor,
        may_use,
        is_pure: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(name: &str, dependencies: &[(&str, Option<&str>)]) -> Vec<String> {
        let dependencies = dependencies
            .iter()
            .map(|(name, kind)| Dependency {
                name: (*name).to_owned(),
                kind: kind.map(str::to_owned),
            })
            .collect();
        let package = Package {
            name: name.to_owned(),
            id: String::new(),
            manifest_path: "Cargo.toml".into(),
            dependencies,
            targets: Vec::new(),
        };
        let mut report = Report::default();
        check_package(&package, &mut report);
        report.errors
    }

    #[test]
    fn lower_floors_are_allowed_and_higher_ones_are_not() {
        assert!(errors("usphere-runtime", &[("usphere-mtp", None), ("tokio", None)]).is_empty());
        assert_eq!(
            errors("usphere-runtime", &[("usphere-device", None)]).len(),
            1
        );
        assert_eq!(
            errors("usphere-device", &[("usphere-server", None)]).len(),
            1
        );
    }

    #[test]
    fn only_named_neighbours_are_allowed_where_the_plan_names_them() {
        assert!(errors("usphere-agent", &[("usphere-session", None)]).is_empty());
        assert_eq!(errors("usphere-agent", &[("usphere-store", None)]).len(), 1);
        assert_eq!(
            errors("usphere-trust", &[("usphere-datamodel", Some("build"))]).len(),
            1
        );
        assert_eq!(errors("xtask", &[("usphere-proto", None)]).len(), 1);
    }

    #[test]
    fn tests_may_use_more() {
        assert!(
            errors(
                "usphere-proto",
                &[("usphere-agent", Some("dev")), ("tokio", Some("dev"))]
            )
            .is_empty()
        );
    }

    #[test]
    fn the_engines_know_neither_socket_nor_chance() {
        assert_eq!(
            errors("usphere-agent", &[("tokio", None), ("rand", None)]).len(),
            2
        );
        assert!(errors("usphere-mtp", &[("tokio", None)]).is_empty());
    }

    #[test]
    fn a_crate_without_a_floor_is_told_so() {
        assert_eq!(errors("usphere-attic", &[]).len(), 1);
    }

    #[test]
    fn clocks_and_sockets_are_found_in_code() {
        let found = |code: &str| impurities(code).len();
        assert_eq!(found("let now = std::time::Instant::now();"), 1);
        assert_eq!(
            found("use std::{collections::BTreeMap, fs, thread::spawn};"),
            2
        );
        assert_eq!(found("use std::net::TcpStream;"), 1);
        assert_eq!(
            found("use std::{net::IpAddr, time::{Duration, Instant}};"),
            0
        );
    }
}
