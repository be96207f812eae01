//! Which USP error code a fault of the data model becomes: the only place that knows.
//!
//! Some faults have another code in another request, because each request may use only some of the
//! codes (TR-369, Error Codes). This module must never look at texts or paths.

use usphere_datamodel::FaultKind;
use usphere_proto::ErrorCode;

/// What was being done when the fault came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Deed {
    /// An object is made.
    Add,
    /// An instance is deleted.
    Delete,
    /// Instances or the supported model are listed.
    List,
    /// A command is run.
    Operate,
    /// Values are read.
    Read,
    /// A parameter is set, or the objects to set it on are looked for.
    Set,
}

/// The code of a fault of `kind` that came while doing `deed`.
pub(crate) const fn code_of(kind: FaultKind, deed: Deed) -> ErrorCode {
    match kind {
        FaultKind::AddForbidden
        | FaultKind::CommandForbidden
        | FaultKind::DeleteForbidden
        | FaultKind::WriteForbidden => ErrorCode::PermissionDenied,
        FaultKind::ArgumentInvalid => ErrorCode::InvalidCommandArguments,
        FaultKind::CommandFailed => ErrorCode::CommandFailure,
        FaultKind::Denied => ErrorCode::RequestDenied,
        FaultKind::Internal | FaultKind::NotDurable => ErrorCode::InternalError,
        FaultKind::NotAddable => ErrorCode::ObjectNotCreatable,
        FaultKind::NotAnInstance => ErrorCode::ObjectNotTable,
        FaultKind::NotDeletable => ErrorCode::DeleteFailure,
        FaultKind::NotInstantiated => match deed {
            // R-GET.0 makes no difference between what is not there and what cannot be.
            Deed::Read => ErrorCode::InvalidPath,
            _ => ErrorCode::ObjectDoesNotExist,
        },
        FaultKind::NotWritable => ErrorCode::ParameterNotWriteable,
        FaultKind::OwnerFailed | FaultKind::OwnerSilent => match deed {
            Deed::Add => ErrorCode::ObjectNotCreated,
            Deed::Delete => ErrorCode::DeleteFailure,
            Deed::List | Deed::Read => ErrorCode::InternalError,
            Deed::Operate => ErrorCode::CommandFailure,
            Deed::Set => ErrorCode::ParameterActionFailed,
        },
        FaultKind::ParameterUnsupported => ErrorCode::UnsupportedParameter,
        FaultKind::PathInvalid => ErrorCode::InvalidPathSyntax,
        FaultKind::PathUnsupported => ErrorCode::InvalidPath,
        FaultKind::ReferenceInvalid | FaultKind::ValueInvalid => ErrorCode::InvalidValue,
        FaultKind::RequiredParameter => ErrorCode::RequiredParameterFailed,
        FaultKind::ResourcesExceeded => ErrorCode::ResourcesExceeded,
        FaultKind::UniqueKeyConflict => ErrorCode::DuplicateKey,
        FaultKind::ValueType => ErrorCode::InvalidType,
    }
}
