//! Putting together what a unit says.

use std::borrow::Cow;

use usphere_datamodel::declare::Object;
use usphere_datamodel::model::SnapshotObject;

/// A parameter's name and its value.
pub(crate) type Value = (Cow<'static, str>, String);

/// The one object that `of` declares, with `values`.
pub(crate) fn single(of: &Object, values: Vec<Value>) -> SnapshotObject {
    row(of, Vec::new(), values)
}

/// The row of `of` that is called `keys`, one for each table on the way.
pub(crate) fn row(of: &Object, keys: Vec<String>, values: Vec<Value>) -> SnapshotObject {
    SnapshotObject {
        path: of.path.into(),
        keys,
        values,
    }
}

/// One value.
pub(crate) fn value(name: &'static str, value: impl Into<String>) -> Value {
    (name.into(), value.into())
}
