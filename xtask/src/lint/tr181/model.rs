//! A data model put together from its components: every object with its parameters, commands, events
//! and keys, and the profiles. (TR-106 Annex A)
//!
//! Keeps what is compared and nothing else; descriptions are never read.

use std::collections::{BTreeMap, BTreeSet};

use crate::lint::tr181::library::Library;
use crate::xml::Element;

/// Deeper inclusion of components than this is a circle.
const DEPTH_MAX: usize = 32;

const BASE_TYPES: [&str; 11] = [
    "base64",
    "boolean",
    "dateTime",
    "decimal",
    "hexBinary",
    "int",
    "long",
    "string",
    "unsignedByte",
    "unsignedInt",
    "unsignedLong",
];

/// The whole model by supported path, dot at the end.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) objects: BTreeMap<String, Object>,
    pub(crate) profiles: BTreeMap<String, Profile>,
}

#[derive(Default)]
pub(crate) struct Object {
    pub(crate) access: String,
    pub(crate) is_deleted: bool,
    pub(crate) parameters: BTreeMap<String, Parameter>,
    pub(crate) commands: BTreeMap<String, Command>,
    pub(crate) events: BTreeMap<String, Event>,
    pub(crate) unique_keys: BTreeSet<BTreeSet<String>>,
}

#[derive(Clone, Default)]
pub(crate) struct Parameter {
    pub(crate) access: String,
    pub(crate) is_deleted: bool,
    pub(crate) is_list: bool,
    pub(crate) is_secured: bool,
    pub(crate) base: String,
    /// Longest value in characters.
    pub(crate) length_max: Option<u64>,
    /// The values it may take; none when they are not limited here.
    pub(crate) values: Vec<Value>,
    /// The values come from another parameter.
    pub(crate) is_enumeration_reference: bool,
    /// As a command's argument: it must be given.
    pub(crate) is_mandatory: bool,
}

#[derive(Clone)]
pub(crate) struct Value {
    pub(crate) text: String,
    pub(crate) is_optional: bool,
}

#[derive(Default)]
pub(crate) struct Command {
    pub(crate) is_deleted: bool,
    pub(crate) is_async: bool,
    pub(crate) input: Arguments,
    pub(crate) output: Arguments,
}

#[derive(Default)]
pub(crate) struct Event {
    pub(crate) is_deleted: bool,
    pub(crate) arguments: Arguments,
}

/// Arguments by their path below the command or event.
pub(crate) type Arguments = BTreeMap<String, Parameter>;

#[derive(Default)]
pub(crate) struct Profile {
    pub(crate) is_deleted: bool,
    /// Profiles whose members are members of this one.
    pub(crate) includes: Vec<String>,
    /// Paths of the objects, parameters, commands and events it asks for.
    pub(crate) members: Vec<String>,
}

impl Model {
    /// Puts together the newest model whose name begins with `name`.
    pub(crate) fn build<R>(library: &mut Library<R>, file: &str, name: &str) -> Result<Self, String>
    where
        R: FnMut(&str) -> Result<String, String>,
    {
        library.set_root(file);
        let document = library.document(file)?;
        let found = document.all("model").filter_map(|model| model.get("name"));
        let newest = found.filter(|found| found.starts_with(name)).last();
        let newest = newest
            .ok_or_else(|| format!("{file}: no model {name}"))?
            .to_owned();
        let mut builder = Builder {
            library,
            model: Self::default(),
            depth: 0,
        };
        builder.model(file, &newest)?;
        Ok(builder.model)
    }

    /// An object that is deleted, or lies in one that is.
    pub(crate) fn is_deleted(&self, path: &str) -> bool {
        self.objects
            .iter()
            .any(|(above, object)| object.is_deleted && path.starts_with(above))
    }
}

struct Builder<'a, R> {
    library: &'a mut Library<R>,
    model: Model,
    depth: usize,
}

impl<R: FnMut(&str) -> Result<String, String>> Builder<'_, R> {
    fn model(&mut self, file: &str, name: &str) -> Result<(), String> {
        let found = self.library.find(file, "model", name)?;
        self.deeper(|builder| {
            if let Some(base) = found.element().get("base") {
                builder.model(&found.file, base)?;
            }
            builder.contents(&found.file, found.element(), "")
        })
    }

    /// Takes in what stands inside a model, a component or the object at `path`.
    fn contents(&mut self, file: &str, element: &Element, path: &str) -> Result<(), String> {
        for child in &element.children {
            match child.name.as_str() {
                "component" => {
                    let found =
                        self.library
                            .find(file, "component", required(file, child, "ref")?)?;
                    let path = format!("{path}{}", child.get("path").unwrap_or_default());
                    self.deeper(|builder| builder.contents(&found.file, found.element(), &path))?;
                }
                "object" => self.object(file, child, path)?,
                "parameter" => {
                    let (name, parameter) = (name_of(file, child)?, self.parameter(file, child)?);
                    merge(self.at(path).parameters.entry(name).or_default(), parameter);
                }
                "command" => self.command(file, child, path)?,
                "event" => self.event(file, child, path)?,
                "uniqueKey" => {
                    let names = child.all("parameter").filter_map(|key| key.get("ref"));
                    let key = names.map(str::to_owned).collect();
                    self.at(path).unique_keys.insert(key);
                }
                "profile" => self.profile(file, child, path)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn object(&mut self, file: &str, element: &Element, parent: &str) -> Result<(), String> {
        let path = format!("{parent}{}", name_of(file, element)?);
        let object = self.at(&path);
        if let Some(access) = element.get("access") {
            object.access = access.to_owned();
        }
        object.is_deleted |= is_deleted(element);
        self.contents(file, element, &path)
    }

    fn command(&mut self, file: &str, element: &Element, path: &str) -> Result<(), String> {
        let (mut input, mut output) = (Arguments::new(), Arguments::new());
        for (name, arguments) in [("input", &mut input), ("output", &mut output)] {
            for child in element.all(name) {
                self.arguments(file, child, "", arguments)?;
            }
        }
        let command = self
            .at(path)
            .commands
            .entry(name_of(file, element)?)
            .or_default();
        command.is_deleted |= is_deleted(element);
        if let Some(is_async) = element.get("async") {
            command.is_async = is_async == "true";
        }
        command.input.append(&mut input);
        command.output.append(&mut output);
        Ok(())
    }

    fn event(&mut self, file: &str, element: &Element, path: &str) -> Result<(), String> {
        let mut arguments = Arguments::new();
        self.arguments(file, element, "", &mut arguments)?;
        let event = self
            .at(path)
            .events
            .entry(name_of(file, element)?)
            .or_default();
        event.is_deleted |= is_deleted(element);
        event.arguments.append(&mut arguments);
        Ok(())
    }

    /// Takes in arguments, which may be objects that hold more of them.
    fn arguments(
        &mut self,
        file: &str,
        element: &Element,
        path: &str,
        into: &mut Arguments,
    ) -> Result<(), String> {
        for child in &element.children {
            match child.name.as_str() {
                "component" => {
                    let found =
                        self.library
                            .find(file, "component", required(file, child, "ref")?)?;
                    self.deeper(|builder| {
                        builder.arguments(&found.file, found.element(), path, into)
                    })?;
                }
                "object" => {
                    let path = format!("{path}{}", name_of(file, child)?);
                    self.arguments(file, child, &path, into)?;
                }
                "parameter" => {
                    let argument = self.parameter(file, child)?;
                    merge(
                        into.entry(format!("{path}{}", name_of(file, child)?))
                            .or_default(),
                        argument,
                    );
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn parameter(&mut self, file: &str, element: &Element) -> Result<Parameter, String> {
        let mut parameter = Parameter {
            access: element.get("access").unwrap_or_default().to_owned(),
            is_deleted: is_deleted(element),
            is_mandatory: element.get("mandatory") == Some("true"),
            ..Parameter::default()
        };
        let Some(syntax) = element.child("syntax") else {
            return Ok(parameter);
        };
        parameter.is_list = syntax.child("list").is_some();
        parameter.is_secured = syntax.get("secured") == Some("true");
        self.value_type(file, syntax, &mut parameter)?;
        Ok(parameter)
    }

    /// Reads the type in a `syntax` or `dataType`, through the types it is derived from.
    fn value_type(
        &mut self,
        file: &str,
        element: &Element,
        into: &mut Parameter,
    ) -> Result<(), String> {
        if let Some(base) = element
            .get("base")
            .or_else(|| element.child("dataType")?.get("ref"))
        {
            let found = self.library.find(file, "dataType", base)?;
            self.deeper(|builder| builder.value_type(&found.file, found.element(), into))?;
        }
        facets(element, into);
        let own_type = element
            .children
            .iter()
            .find(|child| BASE_TYPES.contains(&child.name.as_str()));
        if let Some(own_type) = own_type {
            into.base.clone_from(&own_type.name);
            facets(own_type, into);
        } else if let Some(derived) = element.child("dataType") {
            facets(derived, into);
        }
        Ok(())
    }

    fn profile(&mut self, file: &str, element: &Element, path: &str) -> Result<(), String> {
        let mut profile = Profile {
            is_deleted: is_deleted(element),
            ..Profile::default()
        };
        for attribute in ["base", "extends"] {
            let names = element
                .get(attribute)
                .unwrap_or_default()
                .split_whitespace();
            profile.includes.extend(names.map(str::to_owned));
        }
        for object in element.all("object").filter(|object| !is_deleted(object)) {
            let object_path = format!("{path}{}", required(file, object, "ref")?);
            let kinds = ["parameter", "command", "event"];
            for member in object
                .children
                .iter()
                .filter(|child| kinds.contains(&child.name.as_str()))
            {
                if !is_deleted(member) {
                    profile
                        .members
                        .push(format!("{object_path}{}", required(file, member, "ref")?));
                }
            }
            profile.members.push(object_path);
        }
        self.model
            .profiles
            .insert(required(file, element, "name")?.to_owned(), profile);
        Ok(())
    }

    fn at(&mut self, path: &str) -> &mut Object {
        self.model.objects.entry(path.to_owned()).or_default()
    }

    fn deeper(&mut self, work: impl FnOnce(&mut Self) -> Result<(), String>) -> Result<(), String> {
        if self.depth >= DEPTH_MAX {
            return Err(format!(
                "components include each other more than {DEPTH_MAX} deep"
            ));
        }
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        result
    }
}

/// Reads size, values and references from an element that holds facets; a later one overrides.
fn facets(element: &Element, into: &mut Parameter) {
    let longest = element
        .all("size")
        .filter_map(|size| size.get("maxLength")?.parse().ok())
        .max();
    into.length_max = longest.or(into.length_max);
    let values: Vec<Value> = element
        .all("enumeration")
        .filter(|value| !is_deleted(value))
        .filter_map(value)
        .collect();
    if !values.is_empty() {
        into.values = values;
    }
    into.is_enumeration_reference |= element.child("enumerationRef").is_some();
}

fn value(element: &Element) -> Option<Value> {
    let is_optional = element.get("optional") == Some("true");
    Some(Value {
        text: element.get("value")?.to_owned(),
        is_optional,
    })
}

/// Lays a later description of a parameter over an earlier one.
fn merge(earlier: &mut Parameter, later: Parameter) {
    let is_deleted = earlier.is_deleted || later.is_deleted;
    let is_mandatory = earlier.is_mandatory || later.is_mandatory;
    if later.base.is_empty() {
        if !later.access.is_empty() {
            earlier.access = later.access;
        }
    } else {
        let access = if later.access.is_empty() {
            std::mem::take(&mut earlier.access)
        } else {
            later.access.clone()
        };
        let mut later = Parameter { access, ..later };
        // Where a default is given to a parameter, its type is repeated without what limits it.
        if later.base == earlier.base {
            later.length_max = later.length_max.or(earlier.length_max);
            if later.values.is_empty() {
                later.values = std::mem::take(&mut earlier.values);
            }
        }
        *earlier = later;
    }
    earlier.is_deleted = is_deleted;
    earlier.is_mandatory = is_mandatory;
}

fn is_deleted(element: &Element) -> bool {
    element.get("status") == Some("deleted")
}

/// The name of something defined here, or of what it changes.
fn name_of(file: &str, element: &Element) -> Result<String, String> {
    let name = element
        .get("name")
        .or_else(|| element.get("base"))
        .or_else(|| element.get("ref"));
    name.map(str::to_owned)
        .ok_or_else(|| format!("{file}: a {} without a name", element.name))
}

fn required<'a>(file: &str, element: &'a Element, attribute: &str) -> Result<&'a str, String> {
    element
        .get(attribute)
        .ok_or_else(|| format!("{file}: a {} without `{attribute}`", element.name))
}
