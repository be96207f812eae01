//! The nodes of a schema.

use core::time::Duration;

use crate::declare::{Numbering, ParameterAccess, Rows};
use crate::types::ValueType;

/// Names a node of a [`SchemaView`](super::SchemaView): the base schema's nodes come first, each
/// mount has a range of its own.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeId(u32);

impl NodeId {
    const PART_SHIFT: u32 = 24;
    /// How many nodes one part can have.
    pub(super) const PART_NODES_MAX: usize = 1 << Self::PART_SHIFT;
    /// How many mounts a view can have at once.
    pub(super) const PARTS_MAX: usize = 255;

    pub(super) const fn new(part: usize, index: usize) -> Self {
        Self(((part as u32) << Self::PART_SHIFT) | index as u32)
    }

    /// 0 for the base schema, otherwise the mount's number.
    pub const fn part(self) -> usize {
        (self.0 >> Self::PART_SHIFT) as usize
    }

    /// The place within the part.
    pub const fn index(self) -> usize {
        (self.0 & ((1 << Self::PART_SHIFT) - 1)) as usize
    }
}

/// Names a unit of live data of a [`SchemaView`](super::SchemaView), in the way of [`NodeId`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnitId(pub(super) NodeId);

impl UnitId {
    /// 0 for the base schema, otherwise the mount's number.
    pub const fn part(self) -> usize {
        self.0.part()
    }
}

/// An object, parameter, command or event.
#[derive(Clone, Debug)]
pub struct Node {
    /// Which one this is.
    pub id: NodeId,
    /// The object it belongs to, which may be of another part; `None` for the root of the base schema.
    pub parent: Option<NodeId>,
    /// Its own name: `Controller`, `EndpointID`, `Reboot()`, `Boot!`.
    pub name: Box<str>,
    /// Its supported path: `Device.LocalAgent.Controller.{i}.`, `….{i}.EndpointID`.
    pub path: Box<str>,
    /// The unit that its value or rows come from; `None` when the Tree owns it.
    pub unit: Option<UnitId>,
    /// What it is.
    pub kind: Kind,
}

impl Node {
    /// The object's part, if this is one.
    pub fn object(&self) -> Option<&ObjectNode> {
        match &self.kind {
            Kind::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The parameter's part, if this is one.
    pub fn parameter(&self) -> Option<&ParameterNode> {
        match &self.kind {
            Kind::Parameter(parameter) => Some(parameter),
            _ => None,
        }
    }

    /// The command's part, if this is one.
    pub fn command(&self) -> Option<&CommandNode> {
        match &self.kind {
            Kind::Command(command) => Some(command),
            _ => None,
        }
    }

    /// The event's part, if this is one.
    pub fn event(&self) -> Option<&EventNode> {
        match &self.kind {
            Kind::Event(event) => Some(event),
            _ => None,
        }
    }
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Something that runs.
    Command(CommandNode),
    /// Something that happens.
    Event(EventNode),
    /// An object or a table of objects.
    Object(ObjectNode),
    /// A value.
    Parameter(ParameterNode),
}

/// An object, or a table whose rows are objects.
#[derive(Clone, Debug, Default)]
pub struct ObjectNode {
    /// Whether it has rows, each with an instance number.
    pub table: bool,
    /// Which rows a protocol may add or delete.
    pub rows: Option<Rows>,
    /// Place among the parent's child objects.
    pub position: usize,
    /// The parent's parameter that counts the rows.
    pub counter: Option<NodeId>,
    /// The unique keys, as parameters of this object.
    pub unique: Vec<Vec<NodeId>>,
    /// Parameters in declared order; a parameter's place here is its slot in every instance.
    pub parameters: Vec<NodeId>,
    /// Child objects in declared order.
    pub objects: Vec<NodeId>,
    /// Commands in declared order.
    pub commands: Vec<NodeId>,
    /// Events in declared order.
    pub events: Vec<NodeId>,
    /// All members by name, sorted by name. Names of commands and events carry their mark.
    pub(super) members: Vec<(Box<str>, NodeId)>,
}

impl ObjectNode {
    /// The member called `name`: a parameter or child object; a command with `()`, an event with `!`.
    pub fn member(&self, name: &str) -> Option<NodeId> {
        let at = self
            .members
            .binary_search_by(|(member, _)| (**member).cmp(name))
            .ok()?;
        Some(self.members[at].1)
    }
}

/// A value of an object.
#[derive(Clone, Debug)]
pub struct ParameterNode {
    /// Place among the object's parameters.
    pub slot: usize,
    /// Its type with all facets.
    pub value_type: ValueType,
    /// Who may write it.
    pub access: ParameterAccess,
    /// The value in a new object, in canonical form.
    pub default: Box<str>,
    /// Whether the Agent makes a unique value when none is given.
    pub assigned: bool,
    /// The table whose rows it counts.
    pub counts: Option<NodeId>,
    /// Whether it reads as empty except for a secured role.
    pub secured: bool,
    /// Whether it is forgotten at a restart.
    pub volatile: bool,
    /// Whether it is part of a unique key.
    pub key: bool,
    /// Whether Controllers may be told when its value changes.
    pub value_change: bool,
    /// Whether the row goes with what this refers to.
    pub cascading: bool,
}

/// Something that runs.
#[derive(Clone, Debug)]
pub struct CommandNode {
    /// Whether its result comes in an OperationComplete.
    pub asynchronous: bool,
    /// All input arguments.
    pub input: Vec<Box<str>>,
    /// Those that must be given.
    pub mandatory: Vec<Box<str>>,
    /// Values of those that are left out.
    pub defaults: Vec<(Box<str>, Box<str>)>,
    /// The output arguments.
    pub output: Vec<Box<str>>,
    /// Who runs it.
    pub owner: Box<str>,
    /// How often it may run at the same time on all objects together; matters for asynchronous ones.
    pub at_once: u32,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub struct EventNode {
    /// Its arguments.
    pub args: Vec<Box<str>>,
}

/// Where a unit of live data comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnitSpec {
    /// A name, unique within its schema.
    pub name: Box<str>,
    /// Who is asked.
    pub owner: Box<str>,
    /// How old the data may be when it answers a request.
    pub max_age: Duration,
    /// How long the owner has to answer.
    pub deadline: Duration,
    /// Whether the instance numbers of its rows outlive a restart.
    pub numbering: Numbering,
    /// Whether the owner tells of changes itself ([`ModelInput::Disturbed`](crate::ModelInput::Disturbed)),
    /// so that nobody has to ask again and again to notice them.
    pub announced: bool,
    /// How often a unit that is not announced is asked for while somebody wants to be told of its changes.
    pub poll: Duration,
}
