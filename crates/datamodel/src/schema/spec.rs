//! What is compiled: declarations, or what is registered while running.

use super::node::{CommandNode, EventNode, UnitSpec};
use crate::declare::{Command, Event, Filling, Object, Parameter, ParameterAccess, Rows, Unit};
use crate::types::ValueType;

/// An object as it is compiled: a declaration, or something registered while running.
#[derive(Clone, Debug)]
pub struct ObjectSpec {
    /// The supported path.
    pub path: String,
    /// Who may add and delete rows.
    pub rows: Rows,
    /// The unique keys.
    pub unique: Vec<Vec<String>>,
    /// The parameters.
    pub parameters: Vec<ParameterSpec>,
    /// The commands with their names.
    pub commands: Vec<(String, CommandNode)>,
    /// The events with their names.
    pub events: Vec<(String, EventNode)>,
    /// Where rows and parameters come from.
    pub unit: Option<UnitSpec>,
}

/// A parameter as it is compiled.
#[derive(Clone, Debug)]
pub struct ParameterSpec {
    /// Its name.
    pub name: String,
    /// Its type.
    pub value_type: ValueType,
    /// Who may write it.
    pub access: ParameterAccess,
    /// The value in a new object.
    pub default: Option<String>,
    /// Whether the Agent makes a unique value when none is given.
    pub assigned: bool,
    /// The child table whose rows it counts.
    pub counts: Option<String>,
    /// Whether it reads as empty except for a secured role.
    pub secured: bool,
    /// Whether it is forgotten at a restart.
    pub volatile: bool,
    /// Whether Controllers may be told when its value changes.
    pub value_change: bool,
    /// Whether the row goes with what this refers to.
    pub cascading: bool,
    /// Where its value comes from, when not from where its object comes.
    pub unit: Option<UnitSpec>,
}

impl From<&Object> for ObjectSpec {
    fn from(object: &Object) -> Self {
        let unique = object
            .unique
            .iter()
            .map(|key| key.iter().map(|name| (*name).to_owned()).collect());
        Self {
            path: object.path.to_owned(),
            rows: object.rows,
            unique: unique.collect(),
            parameters: object.parameters.iter().map(ParameterSpec::from).collect(),
            commands: object
                .commands
                .iter()
                .map(|c| (c.name.to_owned(), c.into()))
                .collect(),
            events: object
                .events
                .iter()
                .map(|e| (e.name.to_owned(), e.into()))
                .collect(),
            unit: object.unit.map(UnitSpec::from),
        }
    }
}

impl From<&Parameter> for ParameterSpec {
    fn from(parameter: &Parameter) -> Self {
        Self {
            name: parameter.name.to_owned(),
            value_type: parameter.value_type,
            access: parameter.access,
            default: parameter.default.map(str::to_owned),
            assigned: parameter.filling == Filling::Assigned,
            counts: match parameter.filling {
                Filling::Counts(table) => Some(table.to_owned()),
                Filling::Assigned | Filling::Default => None,
            },
            secured: parameter.secured,
            volatile: parameter.volatile,
            value_change: parameter.value_change,
            cascading: parameter.cascading,
            unit: parameter.unit.map(UnitSpec::from),
        }
    }
}

impl From<&Command> for CommandNode {
    fn from(command: &Command) -> Self {
        Self {
            asynchronous: command.asynchronous,
            input: boxed(command.input),
            mandatory: boxed(command.mandatory),
            defaults: command
                .defaults
                .iter()
                .map(|(name, value)| (Box::from(*name), Box::from(*value)))
                .collect(),
            output: boxed(command.output),
            owner: command.owner.into(),
            at_once: command.at_once,
        }
    }
}

impl From<&Event> for EventNode {
    fn from(event: &Event) -> Self {
        Self {
            args: boxed(event.args),
        }
    }
}

impl From<&Unit> for UnitSpec {
    fn from(unit: &Unit) -> Self {
        Self {
            name: unit.name.into(),
            owner: unit.owner.into(),
            max_age: unit.max_age,
            deadline: unit.deadline,
            numbering: unit.numbering,
            announced: unit.announced,
            poll: unit.poll,
        }
    }
}

fn boxed(names: &[&str]) -> Vec<Box<str>> {
    names.iter().map(|name| Box::from(*name)).collect()
}
