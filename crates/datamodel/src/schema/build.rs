//! Compiling declarations into a schema.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Schema;
use super::node::{Kind, Node, NodeId, ObjectNode, ParameterNode, UnitId, UnitSpec};
use super::spec::{ObjectSpec, ParameterSpec};
use crate::declare::{Object, Rows};
use crate::limits::NAME_BYTES_MAX;

/// Why declarations do not make a schema. Each is a mistake of a programmer or of a registration.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SchemaError {
    /// The default value is not one of its type.
    #[error("{path}: the default {value:?} does not fit the type: {reason}")]
    BadDefault {
        /// The parameter's path.
        path: String,
        /// The default as declared.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A name that the grammar does not have, or an `()` or `!` that is missing or too much.
    #[error("{path}: {name:?} is no name of this kind of thing")]
    BadName {
        /// The object's path.
        path: String,
        /// The name as declared.
        name: String,
    },
    /// A path that is not the path of an object.
    #[error("{path:?} is not a supported object path: it has to end in \".\" and name each step")]
    BadPath {
        /// The path as declared.
        path: String,
    },
    /// Two things of one name.
    #[error("{path}: declared twice")]
    Duplicate {
        /// The path.
        path: String,
    },
    /// Nothing was declared.
    #[error("no object was declared")]
    Empty,
    /// A unique key or counter names a parameter or table that is not there.
    #[error("{path}: there is no {name:?} here")]
    Missing {
        /// The object's path.
        path: String,
        /// What was named.
        name: String,
    },
    /// An object that is not below the root.
    #[error("{path}: not below {root}")]
    Outside {
        /// The object's path.
        path: String,
        /// The root's path.
        root: String,
    },
    /// Two units of one name that are not the same.
    #[error("the unit {name:?} is declared in two ways")]
    UnitConflict {
        /// The unit's name.
        name: String,
    },
    /// More nodes than a part can have.
    #[error("more nodes than a schema can have")]
    TooLarge,
}

impl Schema {
    /// Compiles declarations. The root is the first path's first step, `Device.`
    ///
    /// # Errors
    /// When the declarations contradict themselves; see [`SchemaError`].
    pub fn build(objects: &[&Object]) -> Result<Arc<Self>, SchemaError> {
        Self::compile(
            objects.iter().map(|object| ObjectSpec::from(*object)),
            "Device.",
            0,
            None,
        )
        .map(Arc::new)
    }

    /// Compiles `objects` as the part `part` of a view, below and including `root`.
    pub(super) fn compile(
        objects: impl IntoIterator<Item = ObjectSpec>,
        root: &str,
        part: usize,
        parent: Option<NodeId>,
    ) -> Result<Self, SchemaError> {
        let mut builder = Builder::new(root, part, parent)?;
        let mut any = false;
        for object in objects {
            any = true;
            builder.object(object)?;
        }
        if any {
            builder.finish()
        } else {
            Err(SchemaError::Empty)
        }
    }
}

struct Builder {
    part: usize,
    nodes: Vec<Node>,
    units: Vec<UnitSpec>,
    by_path: BTreeMap<String, NodeId>,
    declared: BTreeMap<String, ()>,
    counters: Vec<(NodeId, NodeId, String)>,
}

impl Builder {
    fn new(root: &str, part: usize, parent: Option<NodeId>) -> Result<Self, SchemaError> {
        let steps = steps_of(root)?;
        let mut builder = Self {
            part,
            nodes: Vec::new(),
            units: Vec::new(),
            by_path: BTreeMap::new(),
            declared: BTreeMap::new(),
            counters: Vec::new(),
        };
        let (name, table) = steps
            .last()
            .map(|(name, table, _)| (*name, *table))
            .unwrap_or_default();
        builder.push_object(parent, name, root, table)?;
        Ok(builder)
    }

    fn object(&mut self, spec: ObjectSpec) -> Result<(), SchemaError> {
        let id = self.reach(&spec.path)?;
        // Everybody may add to the root what is theirs.
        let is_root = id == self.nodes[0].id;
        if self.declared.insert(spec.path.clone(), ()).is_some() && !is_root {
            return Err(SchemaError::Duplicate { path: spec.path });
        }
        let unit = spec.unit.map(|unit| self.unit(unit)).transpose()?;
        self.nodes[id.index()].unit = unit;
        if let Some(object) = self.object_mut(id) {
            object.rows = object.table.then_some(spec.rows);
        }
        for parameter in spec.parameters {
            self.parameter(id, &spec.path, unit, parameter)?;
        }
        for (name, command) in spec.commands {
            let defaults = command.defaults.iter().map(|(name, _)| name);
            let missing = command
                .mandatory
                .iter()
                .chain(defaults)
                .find(|name| !command.input.contains(name));
            if let Some(missing) = missing {
                return Err(SchemaError::Missing {
                    path: format!("{}{name}", spec.path),
                    name: missing.to_string(),
                });
            }
            let node = self.push(id, &spec.path, &name, Kind::Command(command), unit)?;
            self.attach(id, name, node, |object| &mut object.commands);
        }
        for (name, event) in spec.events {
            let node = self.push(id, &spec.path, &name, Kind::Event(event), unit)?;
            self.attach(id, name, node, |object| &mut object.events);
        }
        self.unique_keys(id, &spec.path, &spec.unique)
    }

    fn parameter(
        &mut self,
        object: NodeId,
        object_path: &str,
        unit: Option<UnitId>,
        spec: ParameterSpec,
    ) -> Result<(), SchemaError> {
        let path = format!("{object_path}{}", spec.name);
        let unit = match spec.unit {
            Some(unit) => Some(self.unit(unit)?),
            None => unit.filter(|_| spec.counts.is_none()),
        };
        let default = match spec.default {
            Some(text) => match spec.value_type.canonical(&text) {
                Ok(canonical) => canonical.into_owned(),
                Err(reason) => {
                    return Err(SchemaError::BadDefault {
                        path,
                        reason: reason.to_string(),
                        value: text,
                    });
                }
            },
            None => spec.value_type.zero().to_owned(),
        };
        let slot = self.nodes[object.index()]
            .object()
            .map_or(0, |object| object.parameters.len());
        let kind = Kind::Parameter(ParameterNode {
            slot,
            value_type: spec.value_type,
            access: spec.access,
            default: default.into(),
            assigned: spec.assigned,
            counts: None,
            secured: spec.secured,
            volatile: spec.volatile,
            key: false,
            value_change: spec.value_change,
            cascading: spec.cascading,
        });
        let node = self.push(object, object_path, &spec.name, kind, unit)?;
        if let Some(table) = spec.counts {
            self.counters.push((object, node, table));
        }
        self.attach(object, spec.name, node, |object| &mut object.parameters);
        Ok(())
    }

    fn unique_keys(
        &mut self,
        id: NodeId,
        path: &str,
        keys: &[Vec<String>],
    ) -> Result<(), SchemaError> {
        for key in keys {
            let mut nodes = Vec::with_capacity(key.len());
            for name in key {
                let member = self.nodes[id.index()]
                    .object()
                    .and_then(|object| find(object, name));
                let node = member.map(|member| &mut self.nodes[member.index()]);
                let Some((id, Kind::Parameter(parameter))) =
                    node.map(|node| (node.id, &mut node.kind))
                else {
                    return Err(SchemaError::Missing {
                        path: path.to_owned(),
                        name: name.clone(),
                    });
                };
                parameter.key = true;
                nodes.push(id);
            }
            if let Some(object) = self.object_mut(id) {
                object.unique.push(nodes);
            }
        }
        Ok(())
    }

    /// The node of an object path; steps that nobody declared become plain objects.
    fn reach(&mut self, path: &str) -> Result<NodeId, SchemaError> {
        let root_path = self.nodes[0].path.to_string();
        let Some(rest) = path.strip_prefix(&root_path) else {
            return Err(SchemaError::Outside {
                path: path.to_owned(),
                root: root_path,
            });
        };
        let mut at = self.nodes[0].id;
        if rest.is_empty() {
            return Ok(at);
        }
        for (name, table, end) in steps_of(rest)? {
            if is_number(name) {
                return Err(SchemaError::BadPath {
                    path: path.to_owned(),
                });
            }
            let step_path = &path[..root_path.len() + end];
            at = match self.by_path.get(step_path) {
                Some(&id) => id,
                None => {
                    let parent = self.nodes[at.index()].object();
                    if parent.is_some_and(|parent| find(parent, name).is_some()) {
                        let path = step_path.to_owned();
                        return Err(SchemaError::Duplicate { path });
                    }
                    let id = self.push_object(Some(at), name, step_path, table)?;
                    let position = self.nodes[at.index()]
                        .object()
                        .map_or(0, |object| object.objects.len());
                    if let Some(object) = self.object_mut(id) {
                        object.position = position;
                    }
                    self.attach(at, name.to_owned(), id, |object| &mut object.objects);
                    id
                }
            };
        }
        Ok(at)
    }

    fn push_object(
        &mut self,
        parent: Option<NodeId>,
        name: &str,
        path: &str,
        table: bool,
    ) -> Result<NodeId, SchemaError> {
        let rows = table.then_some(Rows::FIXED);
        let kind = Kind::Object(ObjectNode {
            table,
            rows,
            ..ObjectNode::default()
        });
        let id = self.next_id()?;
        self.nodes.push(Node {
            id,
            parent,
            name: name.into(),
            path: path.into(),
            unit: None,
            kind,
        });
        self.by_path.insert(path.to_owned(), id);
        Ok(id)
    }

    fn push(
        &mut self,
        parent: NodeId,
        object_path: &str,
        name: &str,
        kind: Kind,
        unit: Option<UnitId>,
    ) -> Result<NodeId, SchemaError> {
        let plain = match &kind {
            Kind::Command(_) => name.strip_suffix("()"),
            Kind::Event(_) => name.strip_suffix('!'),
            Kind::Object(_) | Kind::Parameter(_) => Some(name),
        };
        if !plain.is_some_and(is_name) {
            return Err(SchemaError::BadName {
                path: object_path.to_owned(),
                name: name.to_owned(),
            });
        }
        let path = format!("{object_path}{name}");
        let taken = self.nodes[parent.index()]
            .object()
            .is_some_and(|object| find(object, name).is_some());
        if taken {
            return Err(SchemaError::Duplicate { path });
        }
        let id = self.next_id()?;
        self.nodes.push(Node {
            id,
            parent: Some(parent),
            name: name.into(),
            path: path.into(),
            unit,
            kind,
        });
        Ok(id)
    }

    fn attach(
        &mut self,
        object: NodeId,
        name: String,
        node: NodeId,
        list: fn(&mut ObjectNode) -> &mut Vec<NodeId>,
    ) {
        if let Some(object) = self.object_mut(object) {
            list(object).push(node);
            object.members.push((name.into(), node));
        }
    }

    fn unit(&mut self, spec: UnitSpec) -> Result<UnitId, SchemaError> {
        let index = match self.units.iter().position(|unit| unit.name == spec.name) {
            Some(index) if self.units[index] != spec => {
                return Err(SchemaError::UnitConflict {
                    name: spec.name.to_string(),
                });
            }
            Some(index) => index,
            None => {
                self.units.push(spec);
                self.units.len() - 1
            }
        };
        Ok(UnitId(NodeId::new(self.part, index)))
    }

    fn next_id(&self) -> Result<NodeId, SchemaError> {
        if self.nodes.len() >= NodeId::PART_NODES_MAX || self.part > NodeId::PARTS_MAX {
            return Err(SchemaError::TooLarge);
        }
        Ok(NodeId::new(self.part, self.nodes.len()))
    }

    fn object_mut(&mut self, id: NodeId) -> Option<&mut ObjectNode> {
        match &mut self.nodes[id.index()].kind {
            Kind::Object(object) => Some(object),
            _ => None,
        }
    }

    fn finish(mut self) -> Result<Schema, SchemaError> {
        for (object, parameter, table) in std::mem::take(&mut self.counters) {
            let found = self.nodes[object.index()]
                .object()
                .and_then(|object| find(object, &table));
            let found = found.filter(|found| {
                let node = self.nodes[found.index()].object();
                node.is_some_and(|object| object.table)
            });
            let Some(found) = found else {
                let path = self.nodes[object.index()].path.to_string();
                return Err(SchemaError::Missing { path, name: table });
            };
            if let Some(table) = self.object_mut(found) {
                table.counter = Some(parameter);
            }
            // What counts the rows is as fresh as the rows are.
            self.nodes[parameter.index()].unit = self.nodes[found.index()].unit;
            if let Kind::Parameter(node) = &mut self.nodes[parameter.index()].kind {
                node.counts = Some(found);
            }
        }
        for node in &mut self.nodes {
            if let Kind::Object(object) = &mut node.kind {
                object.members.sort_unstable();
            }
        }
        Ok(Schema {
            nodes: self.nodes,
            units: self.units,
        })
    }
}

/// Before the members are sorted.
fn find(object: &ObjectNode, name: &str) -> Option<NodeId> {
    object
        .members
        .iter()
        .find(|(member, _)| **member == *name)
        .map(|(_, id)| *id)
}

/// The steps of an object path: name, whether `{i}` follows, and where the step ends.
fn steps_of(path: &str) -> Result<Vec<(&str, bool, usize)>, SchemaError> {
    let bad = || SchemaError::BadPath {
        path: path.to_owned(),
    };
    let mut steps: Vec<(&str, bool, usize)> = Vec::new();
    let mut end = 0;
    for step in path.strip_suffix('.').ok_or_else(bad)?.split('.') {
        end += step.len() + 1;
        match (step, steps.last_mut()) {
            ("{i}", Some(last)) if !last.1 => (last.1, last.2) = (true, end),
            (name, _) if !is_name(name) && !is_number(name) => return Err(bad()),
            (name, _) => steps.push((name, false, end)),
        }
    }
    Ok(steps)
}

/// Whether the grammar of path names has it as the name of an object or parameter.
fn is_name(name: &str) -> bool {
    let hyphens = name.starts_with("X_");
    let mut bytes = name.bytes();
    name.len() <= NAME_BYTES_MAX
        && bytes
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || (hyphens && byte == b'-'))
}

/// An instance number on the way to a part that is mounted at one instance.
fn is_number(step: &str) -> bool {
    !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit())
}
