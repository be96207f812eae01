//! The supported data model: what objects, parameters, commands and events there can be.
//!
//! A [`Schema`] is compiled once from declarations, never changes, and is shared by every engine in
//! a process. What one engine mounts beside it lives in its [`SchemaView`].

mod build;
mod node;
mod spec;
mod view;

pub use build::SchemaError;
pub use node::{
    CommandNode, EventNode, Kind, Node, NodeId, ObjectNode, ParameterNode, UnitId, UnitSpec,
};
pub use spec::{ObjectSpec, ParameterSpec};
pub(crate) use view::generic;
pub use view::{Mount, MountError, MountId, SchemaView};

/// A compiled, immutable part of the supported data model.
#[derive(Debug)]
pub struct Schema {
    nodes: Vec<Node>,
    units: Vec<UnitSpec>,
}

impl Schema {
    /// The number of nodes: objects, parameters, commands and events.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The object that all others are below: `Device.`, or the mounted object.
    pub fn root(&self) -> &Node {
        &self.nodes[0]
    }

    /// All nodes, parents before children.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The units that its live data comes from.
    pub fn units(&self) -> &[UnitSpec] {
        &self.units
    }
}
