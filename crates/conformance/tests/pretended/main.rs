//! The suite against Agents that pretend to have what no Agent we have has: it has to notice what they do wrong.

mod discovery;
mod firmware;
mod publications;
mod small;
