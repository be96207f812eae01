//! Every verb against one device, however it is reached.

use std::process::Command;

use super::{Ran, ran, usphere};

/// A way to a device: the arguments that name it, with DEVICE where there is one.
pub(crate) struct Way {
    pub(crate) device: Option<String>,
    pub(crate) options: Vec<String>,
}

/// What differs between the devices that are asked.
pub(crate) struct Facts {
    /// Its endpoint ID.
    pub(crate) endpoint_id: &'static str,
    /// A writable parameter that takes any short text.
    pub(crate) writable: &'static str,
    /// A table that takes a row of these values, the first of which is read back.
    pub(crate) table: &'static str,
    pub(crate) row: [&'static str; 2],
    /// A version of USP that it speaks.
    pub(crate) version: &'static str,
    /// A table below LocalAgent that has rows.
    pub(crate) listed: &'static str,
}

impl Way {
    /// `usphere VERB [DEVICE] WORDS… OPTIONS…`
    pub(crate) fn ask(&self, verb: &str, words: &[&str]) -> Ran {
        ran(&mut self.command(verb, words))
    }

    pub(crate) fn command(&self, verb: &str, words: &[&str]) -> Command {
        let mut command = usphere();
        command
            .arg(verb)
            .args(&self.device)
            .args(words)
            .args(&self.options);
        command
    }
}

/// Runs every verb and says what must come of it.
#[track_caller]
pub(crate) fn every_verb(way: &Way, facts: &Facts) {
    reads(way, facts);
    writes(way, facts);
    rows(way, facts);
    describes(way, facts);
}

fn reads(way: &Way, facts: &Facts) {
    let own = "Device.LocalAgent.EndpointID";
    way.ask("get", &[own]).ended(0).says(facts.endpoint_id);
    let json = way
        .ask("get", &["Device.LocalAgent.", "--max-depth", "1", "--json"])
        .ended(0)
        .json();
    let found = &json["results"][0]["found"];
    assert_eq!(found[0]["parameters"]["EndpointID"], facts.endpoint_id);
    assert_eq!(
        found.as_array().map(Vec::len),
        Some(1),
        "max depth 1: {json:#}"
    );
    // One path that is there and one that is not: the first is printed, the second is the exit code.
    let both = way.ask("get", &[own, "Device.Nonsense."]).ended(1);
    assert!(
        both.out.contains(facts.endpoint_id) && both.err.contains("7026"),
        "{both:#?}"
    );
}

fn writes(way: &Way, facts: &Facts) {
    let set = format!("{}=first", facts.writable);
    way.ask("set", &[&set]).ended(0).says("first");
    way.ask("get", &[facts.writable]).ended(0).says("first");
    let set = format!("{}=second", facts.writable);
    let nonsense = format!("{}Nonsense", object_of(facts.writable));
    let optional = format!("{nonsense}=1");
    let partly = way
        .ask("set", &[&set, &optional, "--optional", &nonsense])
        .ended(1);
    assert!(
        partly.out.contains("second") && partly.err.contains("Nonsense"),
        "{partly:#?}"
    );
    way.ask("set", &["Device.Nonsense.A=1"]).ended(1);
    let refused = way
        .ask("set", &["Device.Nonsense.A=1", "--json"])
        .ended(1)
        .json();
    assert!(
        refused["error"] == "refused" || refused["results"][0]["failed"].is_object(),
        "{refused:#}"
    );
}

fn object_of(parameter: &str) -> &str {
    &parameter[..=parameter.rfind('.').expect("a path")]
}

fn rows(way: &Way, facts: &Facts) {
    let mut words = vec![facts.table];
    words.extend(facts.row);
    let json = way
        .ask("add", &[&words[..], &["--json"]].concat())
        .ended(0)
        .json();
    let path = json["results"][0]["created"]["path"]
        .as_str()
        .expect("a row")
        .to_owned();
    assert!(path.starts_with(facts.table), "{path}");
    let (name, value) = facts.row[0].split_once('=').expect("a value");
    way.ask("get", &[&format!("{path}{name}")])
        .ended(0)
        .says(value);
    way.ask("instances", &[facts.table]).ended(0).says(&path);
    let search = format!("{}[{name}==\"{value}\"].", facts.table);
    way.ask("delete", &[&search])
        .ended(0)
        .says(&format!("deleted {path}"));
    way.ask("delete", &[&search]).ended(0).says("nothing fits");
    way.ask("add", &[facts.table, "Nonsense=1"]).ended(1);
    way.ask("delete", &["Device.Nonsense.1."]).ended(1);
}

fn describes(way: &Way, facts: &Facts) {
    way.ask("instances", &[facts.listed, "--first-level"])
        .ended(0)
        .says(&format!("{}1.", facts.listed));
    let tree = way.ask("schema", &["Device.LocalAgent."]).ended(0);
    let tree = tree
        .says("Controller.{i}.  [table, add and delete")
        .says("EndpointID")
        .says("string");
    assert!(tree.out.lines().count() > 50, "{tree:#?}");
    let brief = way
        .ask("schema", &["Device.", "--first-level", "--json"])
        .ended(0)
        .json();
    let objects = brief["results"][0]["supported"]["objects"]
        .as_array()
        .expect("objects");
    let names = objects.iter().filter_map(|object| object["path"].as_str());
    assert!(
        names.clone().any(|name| name == "Device.LocalAgent."),
        "{:?}",
        names.collect::<Vec<_>>()
    );
    way.ask("schema", &["Device.Nonsense."]).ended(1);
    way.ask("protocol", &[]).ended(0).says(facts.version);
    let json = way
        .ask("operate", &["Device.Nonsense()", "--json"])
        .ended(1)
        .json();
    assert!(
        json["error"] == "refused" || json["results"][0]["failed"].is_object(),
        "{json:#}"
    );
}
