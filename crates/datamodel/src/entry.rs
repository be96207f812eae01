//! What is kept across restarts: flat key and value texts. A store sees nothing else.

/// One change of the persistent state.
///
/// The keys are written and read by the [`Tree`](crate::Tree) alone; a store keeps them as they are.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Entry {
    /// What the entry is about: a parameter path, an object path, or a counter of a table.
    pub key: String,
    /// The text to keep; `None` removes the key.
    pub value: Option<String>,
}

impl Entry {
    /// The entry that keeps `value` under `key`.
    pub fn put(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: Some(value.into()),
        }
    }

    /// The entry that removes `key`.
    pub fn remove(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: None,
        }
    }
}

/// A kept entry that this version of the data model has no place for. It is left out, not lost:
/// the store still has it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct LoadProblem {
    /// The key of the entry.
    pub key: String,
    /// Why it could not be used.
    pub reason: String,
}
