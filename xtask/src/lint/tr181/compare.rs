//! Declarations beside the standard: what is named, typed or reached differently.
//!
//! Declaring less than the standard is no difference, except inside an enumeration, a command or an
//! event. A vendor's own names (`X_…`) are not looked at.

use std::collections::BTreeSet;

use crate::lint::tr181::declared::{
    DeclaredCommand, DeclaredEvent, DeclaredObject, DeclaredParameter, is_vendor,
};
use crate::lint::tr181::model::{Arguments, Model, Object, Parameter};

/// One difference, at a supported path.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) path: String,
    pub(crate) what: String,
}

/// All differences, in the order of the declarations.
pub(crate) fn differences(model: &Model, declared: &[DeclaredObject]) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    let mut seen = BTreeSet::new();
    for object in declared {
        if !seen.insert(&object.path) {
            found.add(&object.path, "is declared twice");
        }
        if object.is_vendor() {
            continue;
        }
        match model.objects.get(&object.path) {
            None => found.add(&object.path, "TR-181 has no such object"),
            Some(_) if model.is_deleted(&object.path) => {
                found.add(&object.path, "TR-181 has deleted it")
            }
            Some(standard) => found.object(object, standard),
        }
    }
    found.0
}

struct Found(Vec<Difference>);

impl Found {
    fn add(&mut self, path: &str, what: impl Into<String>) {
        self.0.push(Difference {
            path: path.to_owned(),
            what: what.into(),
        });
    }

    /// Adds a difference between two values that should be the same.
    fn differs<T: PartialEq + std::fmt::Display>(
        &mut self,
        path: &str,
        what: &str,
        ours: T,
        theirs: T,
    ) {
        if ours != theirs {
            self.add(
                path,
                format!("{what} is declared {ours}, TR-181 says {theirs}"),
            );
        }
    }

    fn object(&mut self, ours: &DeclaredObject, theirs: &Object) {
        let access = if theirs.access.is_empty() {
            "readOnly"
        } else {
            &theirs.access
        };
        self.differs(&ours.path, "access", ours.access.as_str(), access);
        let keys: BTreeSet<BTreeSet<String>> = ours
            .unique_keys
            .iter()
            .map(|key| key.iter().cloned().collect())
            .collect();
        self.differs(
            &ours.path,
            "unique keys",
            show_keys(&keys),
            show_keys(&theirs.unique_keys),
        );
        for parameter in ours
            .parameters
            .iter()
            .filter(|parameter| !is_vendor(&parameter.name))
        {
            let path = format!("{}{}", ours.path, parameter.name);
            match theirs.parameters.get(&parameter.name) {
                None => self.add(&path, "TR-181 has no such parameter"),
                Some(standard) if standard.is_deleted => self.add(&path, "TR-181 has deleted it"),
                Some(standard) => self.parameter(&path, parameter, standard),
            }
        }
        for command in ours
            .commands
            .iter()
            .filter(|command| !is_vendor(&command.name))
        {
            self.command(&ours.path, command, theirs);
        }
        for event in ours.events.iter().filter(|event| !is_vendor(&event.name)) {
            self.event(&ours.path, event, theirs);
        }
    }

    fn parameter(&mut self, path: &str, ours: &DeclaredParameter, theirs: &Parameter) {
        let access = if theirs.access.is_empty() {
            "readOnly"
        } else {
            &theirs.access
        };
        self.differs(path, "access", ours.access.as_str(), access);
        self.differs(path, "type", ours.base.as_str(), theirs.base.as_str());
        self.differs(path, "list", ours.list, theirs.is_list);
        if let Some(secured) = ours.secured {
            self.differs(path, "secured", secured, theirs.is_secured);
        }
        let length =
            |length: Option<u64>| length.map_or("unlimited".to_owned(), |max| max.to_string());
        if theirs.base == "string" && !theirs.is_list {
            self.differs(
                path,
                "longest value",
                length(ours.max),
                length(theirs.length_max),
            );
        }
        self.values(path, ours, theirs);
    }

    fn values(&mut self, path: &str, ours: &DeclaredParameter, theirs: &Parameter) {
        let declared = ours.values.as_deref().unwrap_or_default();
        if theirs.is_enumeration_reference {
            return;
        }
        if theirs.values.is_empty() && !declared.is_empty() {
            self.add(path, "values are enumerated, TR-181 does not limit them");
            return;
        }
        let known = |text: &String| theirs.values.iter().any(|value| value.text == *text);
        for extra in declared
            .iter()
            .filter(|text| !known(text) && !is_vendor(text))
        {
            self.add(
                path,
                format!("value `{extra}` is not in TR-181's enumeration"),
            );
        }
        for value in theirs.values.iter().filter(|value| !value.is_optional) {
            if !declared.contains(&value.text) {
                self.add(
                    path,
                    format!("value `{}` of TR-181's enumeration is missing", value.text),
                );
            }
        }
    }

    fn command(&mut self, object: &str, ours: &DeclaredCommand, theirs: &Object) {
        let path = format!("{object}{}", ours.name);
        let Some(standard) = theirs.commands.get(&ours.name) else {
            return self.add(&path, "TR-181 has no such command");
        };
        if standard.is_deleted {
            return self.add(&path, "TR-181 has deleted it");
        }
        let kind = |is_async| {
            if is_async {
                "asynchronous"
            } else {
                "synchronous"
            }
        };
        self.differs(
            &path,
            "command",
            kind(ours.is_async),
            kind(standard.is_async),
        );
        self.arguments(&path, "input", &ours.input, &standard.input);
        self.arguments(&path, "output", &ours.output, &standard.output);
    }

    fn event(&mut self, object: &str, ours: &DeclaredEvent, theirs: &Object) {
        let path = format!("{object}{}", ours.name);
        match theirs.events.get(&ours.name) {
            None => self.add(&path, "TR-181 has no such event"),
            Some(standard) if standard.is_deleted => self.add(&path, "TR-181 has deleted it"),
            Some(standard) => self.arguments(&path, "event", &ours.args, &standard.arguments),
        }
    }

    fn arguments(&mut self, path: &str, kind: &str, ours: &[String], theirs: &Arguments) {
        for extra in ours
            .iter()
            .filter(|name| !theirs.contains_key(*name) && !is_vendor(name))
        {
            self.add(path, format!("TR-181 has no {kind} argument `{extra}`"));
        }
        for (name, argument) in theirs {
            if argument.is_deleted && ours.contains(name) {
                self.add(
                    path,
                    format!("TR-181 has deleted the {kind} argument `{name}`"),
                );
            } else if !argument.is_deleted && !ours.contains(name) {
                let mandatory = if argument.is_mandatory {
                    "mandatory "
                } else {
                    ""
                };
                self.add(
                    path,
                    format!("the {mandatory}{kind} argument `{name}` is missing"),
                );
            }
        }
    }
}

/// Keys for people: `Alias; Recipient + ID`.
fn show_keys(keys: &BTreeSet<BTreeSet<String>>) -> String {
    let show = |key: &BTreeSet<String>| key.iter().cloned().collect::<Vec<_>>().join(" + ");
    if keys.is_empty() {
        "none".to_owned()
    } else {
        keys.iter().map(show).collect::<Vec<_>>().join("; ")
    }
}
