//! Why a request on the data model failed, in words that no protocol owns.
//!
//! Each protocol maps [`FaultKind`] to its own codes in one place.

use std::borrow::Cow;

/// What went wrong, with the path at fault and a text for people.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path}: {text}")]
pub struct Fault {
    /// The class of the failure.
    pub kind: FaultKind,
    /// The path or parameter name at fault.
    pub path: String,
    /// What was wrong, and what was expected.
    pub text: Cow<'static, str>,
}

impl Fault {
    /// A fault of `kind` at `path`.
    pub fn new(
        kind: FaultKind,
        path: impl Into<String>,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            kind,
            path: path.into(),
            text: text.into(),
        }
    }
}

/// The classes of failure.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FaultKind {
    /// The Controller may execute no such command.
    CommandForbidden,
    /// The command ran and failed.
    CommandFailed,
    /// A mandatory input argument is missing.
    ArgumentInvalid,
    /// The path does not follow the grammar, or addresses something of another kind than was asked for.
    PathInvalid,
    /// The path follows the grammar, and the supported data model has no such thing.
    PathUnsupported,
    /// The supported data model has it, the instantiated one does not.
    NotInstantiated,
    /// The path has to name an instance, and does not.
    NotAnInstance,
    /// Rows of this table cannot be added.
    NotAddable,
    /// This instance cannot be deleted.
    NotDeletable,
    /// The Controller may not add rows to this table.
    AddForbidden,
    /// The Controller may not delete this instance.
    DeleteForbidden,
    /// The object has no such parameter.
    ParameterUnsupported,
    /// The parameter cannot be written.
    NotWritable,
    /// The Controller may not write this parameter.
    WriteForbidden,
    /// The text is not of the parameter's type.
    ValueType,
    /// The text is of the type, and not among the values allowed.
    ValueInvalid,
    /// The reference points to nothing.
    ReferenceInvalid,
    /// Another row has the same unique key.
    UniqueKeyConflict,
    /// A parameter that the object needs is missing or failed.
    RequiredParameter,
    /// A limit on size, number or depth would be passed.
    ResourcesExceeded,
    /// Whoever owns the data answered with an error.
    OwnerFailed,
    /// Whoever owns the data did not answer in time.
    OwnerSilent,
    /// The change could not be made durable.
    NotDurable,
    /// The request was refused as a whole.
    Denied,
    /// Something that should not happen did.
    Internal,
}
