//! Which members of the standard's profiles are not declared yet, and which issue brings them.
//!
//! Profiles that the roadmap calls whole have to be.

use std::collections::BTreeSet;

use crate::lint::Report;
use crate::lint::tr181::declared::DeclaredObject;
use crate::lint::tr181::model::Model;
use crate::lint::tr181::{ROADMAP, Roadmap};

/// One profile that is begun and not whole.
#[derive(Debug, PartialEq)]
pub(crate) struct Begun {
    pub(crate) name: String,
    pub(crate) members: usize,
    pub(crate) missing: BTreeSet<String>,
}

/// Prints what is missing; a missing member that no issue brings breaks the rule.
pub(crate) fn print_missing(
    model: &Model,
    declared: &[DeclaredObject],
    roadmap: &Roadmap,
    report: &mut Report,
) {
    let (whole, begun) = state(model, declared);
    println!(
        "profiles whole: {}",
        if whole.is_empty() {
            "none".to_owned()
        } else {
            whole.join(", ")
        }
    );
    let (mut shown, mut unplanned) = (BTreeSet::new(), BTreeSet::new());
    for profile in begun {
        println!(
            "profile {}: {} of {} members missing",
            profile.name,
            profile.missing.len(),
            profile.members
        );
        // Profiles include each other: what was listed once is only counted from then on.
        for member in profile
            .missing
            .into_iter()
            .filter(|member| shown.insert(member.clone()))
        {
            match roadmap.issue(&member) {
                Some(issue) => println!("  {member}  ({issue})"),
                None => {
                    println!("  {member}  (no issue)");
                    unplanned.insert(member);
                }
            }
        }
    }
    for profile in &roadmap.whole {
        require(model, declared, profile, report);
    }
    for member in unplanned {
        report.error(
            &member,
            format_args!("a profile asks for it and {ROADMAP} names no issue that brings it"),
        );
    }
}

/// A profile that has to be whole breaks the rule by every member that is missing.
fn require(model: &Model, declared: &[DeclaredObject], name: &str, report: &mut Report) {
    if !model.profiles.contains_key(name) {
        report.error(
            ROADMAP,
            format_args!("TR-181 has no profile {name} that could be whole"),
        );
    }
    let ours = declared_paths(declared);
    for member in members(model, name).difference(&ours) {
        report.error(
            member,
            format_args!("profile {name} has to be whole and this is not declared"),
        );
    }
}

/// The profiles that are whole, and those of which something is declared and something missing.
///
/// The root object is part of many profiles and begins none; nor does an object alone.
pub(crate) fn state(model: &Model, declared: &[DeclaredObject]) -> (Vec<String>, Vec<Begun>) {
    let ours = declared_paths(declared);
    let (mut whole, mut begun) = (Vec::new(), Vec::new());
    for (name, profile) in &model.profiles {
        if profile.is_deleted || name.starts_with('_') {
            continue;
        }
        let members = members(model, name);
        let missing: BTreeSet<String> = members.difference(&ours).cloned().collect();
        let is_begun = members.intersection(&ours).any(|path| !path.ends_with('.'));
        if is_begun && missing.is_empty() {
            whole.push(name.clone());
        } else if is_begun {
            begun.push(Begun {
                name: name.clone(),
                members: members.len(),
                missing,
            });
        }
    }
    (whole, begun)
}

fn declared_paths(declared: &[DeclaredObject]) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for object in declared {
        let parameters = object.parameters.iter().map(|parameter| &parameter.name);
        let commands = object.commands.iter().map(|command| &command.name);
        let events = object.events.iter().map(|event| &event.name);
        let names = parameters.chain(commands).chain(events);
        paths.extend(names.map(|name| format!("{}{name}", object.path)));
        paths.insert(object.path.clone());
    }
    paths
}

fn members(model: &Model, profile: &str) -> BTreeSet<String> {
    let mut members = BTreeSet::new();
    collect(model, profile, &mut members, &mut BTreeSet::new());
    members
}

/// Adds the members of a profile and of those it includes, without what the standard has deleted since.
fn collect(model: &Model, name: &str, members: &mut BTreeSet<String>, seen: &mut BTreeSet<String>) {
    let Some(profile) = model.profiles.get(name) else {
        return;
    };
    if !seen.insert(name.to_owned()) {
        return;
    }
    members.extend(
        profile
            .members
            .iter()
            .filter(|member| !is_deleted(model, member))
            .cloned(),
    );
    for included in &profile.includes {
        collect(model, included, members, seen);
    }
}

fn is_deleted(model: &Model, member: &str) -> bool {
    let (object, name) = member
        .rsplit_once('.')
        .map_or(("", member), |(object, name)| (object, name));
    let Some(object) = model.objects.get(&format!("{object}.")) else {
        return false;
    };
    let deleted_here = object
        .parameters
        .get(name)
        .is_some_and(|parameter| parameter.is_deleted)
        || object
            .commands
            .get(name)
            .is_some_and(|command| command.is_deleted)
        || object
            .events
            .get(name)
            .is_some_and(|event| event.is_deleted);
    deleted_here || model.is_deleted(member)
}
