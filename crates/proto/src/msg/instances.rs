//! GetInstances: which rows a table has.

use std::collections::BTreeMap;

/// Lists instances.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GetInstances {
    /// Paths of tables or objects, and search paths.
    #[prost(string, repeated, tag = "1")]
    pub obj_paths: Vec<String>,
    /// Leave out the tables below the named ones.
    #[prost(bool, tag = "2")]
    pub first_level_only: bool,
}

/// Answers a GetInstances.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GetInstancesResp {
    /// One result per requested path, in the order asked.
    #[prost(message, repeated, tag = "1")]
    pub req_path_results: Vec<RequestedInstancesResult>,
}

/// What one requested path of a GetInstances came to (`RequestedPathResult` in the schema).
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RequestedInstancesResult {
    /// The path as it was asked for.
    #[prost(string, tag = "1")]
    pub requested_path: String,
    /// What went wrong, as a code; 0 when nothing did.
    #[prost(fixed32, tag = "2")]
    pub err_code: u32,
    /// What went wrong, for people.
    #[prost(string, tag = "3")]
    pub err_msg: String,
    /// The instances found.
    #[prost(message, repeated, tag = "4")]
    pub curr_insts: Vec<CurrInstance>,
}

/// One instance that exists.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CurrInstance {
    /// Path of the instance, by instance numbers.
    #[prost(string, tag = "1")]
    pub instantiated_obj_path: String,
    /// Values of its unique keys by parameter name.
    #[prost(btree_map = "string, string", tag = "2")]
    pub unique_keys: BTreeMap<String, String>,
}
