//! Get: values by path.

use std::collections::BTreeMap;

/// Reads values.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Get {
    /// Object, parameter and search paths.
    #[prost(string, repeated, tag = "1")]
    pub param_paths: Vec<String>,
    /// How many levels below a path are wanted; 0 means all. (R-GET.5)
    #[prost(fixed32, tag = "2")]
    pub max_depth: u32,
}

/// Answers a Get.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GetResp {
    /// One result per requested path, in the order asked.
    #[prost(message, repeated, tag = "1")]
    pub req_path_results: Vec<RequestedPathResult>,
}

/// What one requested path of a Get came to.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RequestedPathResult {
    /// The path as it was asked for.
    #[prost(string, tag = "1")]
    pub requested_path: String,
    /// What went wrong, as a code; 0 when nothing did.
    #[prost(fixed32, tag = "2")]
    pub err_code: u32,
    /// What went wrong, for people.
    #[prost(string, tag = "3")]
    pub err_msg: String,
    /// One entry per object found.
    #[prost(message, repeated, tag = "4")]
    pub resolved_path_results: Vec<ResolvedPathResult>,
}

/// Values of one object.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ResolvedPathResult {
    /// Path of the object, by instance numbers.
    #[prost(string, tag = "1")]
    pub resolved_path: String,
    /// Values by parameter name, relative to `resolved_path`.
    #[prost(btree_map = "string, string", tag = "2")]
    pub result_params: BTreeMap<String, String>,
}
