//! The data model of a managed device: names, types, schema, instances and transactions.
//!
//! This crate knows TR-106 and nothing of USP, CWMP, sockets, files or clocks. A protocol turns its
//! requests into plans on a [`Model`]; a host or a service answers for what the Tree does not own.
//! It must never do I/O, read a clock or draw a random number.

pub mod access;
pub mod declare;
mod entry;
mod fault;
pub mod limits;
pub mod model;
mod moment;
pub mod operation;
pub mod path;
pub mod schema;
pub mod tree;
pub mod types;

pub use access::{Access, Rights};
pub use entry::{Entry, LoadProblem};
pub use fault::{Fault, FaultKind};
pub use model::{Model, ModelInput, ModelOutput, PlanId, Ticket, Transaction};
pub use moment::Moment;
pub use path::Path;
pub use schema::{NodeId, Schema, SchemaError, SchemaView};
pub use tree::{ObjectId, Tree};
pub use types::ValueType;
