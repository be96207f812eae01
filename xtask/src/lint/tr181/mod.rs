//! What the house declares, beside what TR-181 says, where its XML is at hand.
//!
//! The declarations come from example programs of `usphere-device` and `usphere-sim`; the XML is read from a folder
//! that is no part of this repository, and nothing of it is kept.

mod compare;
mod declared;
mod library;
mod model;
mod profiles;

use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::lint::Report;
use crate::project::{Project, cargo};

use self::declared::DeclaredObject;
use self::library::Library;
use self::model::Model;

/// The document that describes Device:2 for USP.
const ROOT_DOCUMENT: &str = "tr-181-2-usp.xml";
const ROOT_MODEL: &str = "Device:2";

/// What brings the members that are not declared yet, and which differences are wanted.
const ROADMAP: &str = "docs/tr181-roadmap.toml";

/// The programs that print our declarations: those of a device, and those of a simulated one, which leaves
/// most of it out.
const DECLARATIONS: Program = ("usphere-device", "declared");
const SIMULATED: Program = ("usphere-sim", "declared");

/// A package and one of its examples.
type Program = (&'static str, &'static str);

/// The roadmap file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Roadmap {
    /// Profiles that have to be whole.
    #[serde(default)]
    whole: Vec<String>,
    /// Which issue brings what lies below a path. The longest matching path counts.
    #[serde(default)]
    issue: Vec<Planned>,
    /// Differences that are wanted, each with its reason.
    #[serde(default)]
    accepted: Vec<Accepted>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    path: String,
    issue: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    path: String,
    reason: String,
}

/// Compares all declarations with the XML in `folder`.
pub(crate) fn check(project: &Project, folder: &Path, report: &mut Report) -> Result<(), String> {
    let roadmap: Roadmap =
        toml::from_str(&project.read(ROADMAP)?).map_err(|error| format!("{ROADMAP}: {error}"))?;
    let declared = declared::parse(&declarations(project, DECLARATIONS)?)?;
    let simulated = declared::parse(&declarations(project, SIMULATED)?)?;
    let mut library = Library::new(|name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    });
    let model = Model::build(&mut library, ROOT_DOCUMENT, ROOT_MODEL)?;
    compare_all(&model, &declared, &roadmap, report);
    compare::differences(&model, &simulated)
        .iter()
        .filter(|difference| !roadmap.accepts(&difference.path))
        .for_each(|difference| report.error(&difference.path, &difference.what));
    Ok(())
}

fn compare_all(model: &Model, declared: &[DeclaredObject], roadmap: &Roadmap, report: &mut Report) {
    let mut used = vec![false; roadmap.accepted.len()];
    let differences = compare::differences(model, declared);
    let standard = declared.iter().filter(|object| !object.is_vendor());
    println!(
        "declared objects: {} of TR-181, {} parameters",
        standard.clone().count(),
        standard
            .map(|object| object.parameters.len())
            .sum::<usize>()
    );
    for difference in differences {
        let accepted = roadmap
            .accepted
            .iter()
            .position(|accepted| accepted.path == difference.path);
        match accepted {
            Some(index) => {
                used[index] = true;
                println!(
                    "accepted: {}: {} ({})",
                    difference.path, difference.what, roadmap.accepted[index].reason
                );
            }
            None => report.error(&difference.path, &difference.what),
        }
    }
    for (accepted, _) in roadmap.accepted.iter().zip(used).filter(|(_, used)| !used) {
        report.error(
            ROADMAP,
            format_args!(
                "accepts a difference at {} that is not there",
                accepted.path
            ),
        );
    }
    profiles::print_missing(model, declared, roadmap, report);
}

fn declarations(project: &Project, (package, example): Program) -> Result<String, String> {
    let output = Command::new(cargo())
        .args(["run", "--quiet", "--package", package, "--example", example])
        .current_dir(&project.root)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo run: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "the example `{example}` of {package} ended with {}",
            output.status
        ));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("the declarations: {error}"))
}

impl Roadmap {
    /// Whether a difference at `path` is wanted.
    fn accepts(&self, path: &str) -> bool {
        self.accepted.iter().any(|accepted| accepted.path == path)
    }

    /// The issue that brings a path: the entry that matches most of it.
    fn issue(&self, path: &str) -> Option<&str> {
        let matching = self
            .issue
            .iter()
            .filter(|planned| path.starts_with(&planned.path));
        matching
            .max_by_key(|planned| planned.path.len())
            .map(|planned| planned.issue.as_str())
    }
}

#[cfg(test)]
mod tests;
