//! Every handler on a small device: what it answers, and what it leaves behind.

mod add;
mod delete;
mod device;
mod get;
mod instances;
mod large;
mod operate;
mod owners;
mod permissions;
mod requests;
mod scene;
mod set;
mod supported_dm;
