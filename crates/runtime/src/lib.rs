//! Thin async shells around the engines.

pub mod agent_store;
