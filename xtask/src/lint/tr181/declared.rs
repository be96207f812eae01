//! What the house declares, as the example program prints it: a JSON list of objects.
//!
//! Unknown fields are ignored, so that the program may print more than is compared here.

use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct DeclaredObject {
    /// Supported path with `{i}`, dot at the end.
    pub(crate) path: String,
    pub(crate) access: String,
    #[serde(default)]
    pub(crate) parameters: Vec<DeclaredParameter>,
    #[serde(default)]
    pub(crate) commands: Vec<DeclaredCommand>,
    #[serde(default)]
    pub(crate) events: Vec<DeclaredEvent>,
    #[serde(default)]
    pub(crate) unique_keys: Vec<Vec<String>>,
    #[serde(default)]
    pub(crate) vendor: bool,
}

#[derive(Deserialize)]
pub(crate) struct DeclaredParameter {
    pub(crate) name: String,
    pub(crate) access: String,
    /// The base type of one value.
    #[serde(rename = "type")]
    pub(crate) base: String,
    #[serde(default)]
    pub(crate) list: bool,
    /// Longest value in characters, where the declaration limits it.
    #[serde(default)]
    pub(crate) max: Option<u64>,
    #[serde(default, rename = "enum")]
    pub(crate) values: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) secured: Option<bool>,
}

#[derive(Deserialize)]
pub(crate) struct DeclaredCommand {
    pub(crate) name: String,
    #[serde(rename = "async", default)]
    pub(crate) is_async: bool,
    #[serde(default)]
    pub(crate) input: Vec<String>,
    #[serde(default)]
    pub(crate) output: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct DeclaredEvent {
    pub(crate) name: String,
    #[serde(default, alias = "arguments")]
    pub(crate) args: Vec<String>,
}

/// Reads the list.
pub(crate) fn parse(text: &str) -> Result<Vec<DeclaredObject>, String> {
    serde_json::from_str(text).map_err(|error| format!("the declarations: {error}"))
}

impl DeclaredObject {
    /// True for an object of our own, which TR-181 does not know.
    pub(crate) fn is_vendor(&self) -> bool {
        self.vendor || self.path.split('.').any(is_vendor)
    }
}

/// True for a name of a vendor's own.
pub(crate) fn is_vendor(name: &str) -> bool {
    name.starts_with("X_")
}
