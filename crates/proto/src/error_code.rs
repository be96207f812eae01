//! The error codes of USP: 7000 to 7031 of Messages, 7100 to 7106 of Records, and the ranges kept free.

use std::borrow::Cow;
use std::fmt;

macro_rules! error_codes {
    ($($variant:ident = $number:literal, $name:literal, $description:literal;)*) => {
        /// An error code that the specification names. (TR-369, Error Codes and USP Record Errors)
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum ErrorCode {
            $(#[doc = $description] $variant = $number,)*
        }

        impl ErrorCode {
            /// Every code, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code with this number, if the specification names one.
            pub fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The short name, as the specification gives it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What it means, in a sentence.
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$variant => $description,)*
                }
            }
        }
    };
}

error_codes! {
    MessageFailed = 7000, "Message failed", "A general failure that the text describes.";
    MessageNotSupported = 7001, "Message not supported", "The receiver does not understand this kind of Message.";
    RequestDenied = 7002, "Request denied", "The receiver cannot or will not do this, for no stated reason.";
    InternalError = 7003, "Internal error", "The receiver's own hardware or software failed.";
    InvalidArguments = 7004, "Invalid arguments", "The Message holds invalid values.";
    ResourcesExceeded = 7005, "Resources exceeded", "The receiver lacks the memory or processing power.";
    PermissionDenied = 7006, "Permission denied", "The sender may not do this.";
    InvalidConfiguration = 7007, "Invalid configuration", "The receiver would end in an invalid or unrecoverable state.";
    InvalidPathSyntax = 7008, "Invalid path syntax", "The path is not written as paths are.";
    ParameterActionFailed = 7009, "Parameter action failed", "The parameter was not updated, for a reason that the text describes.";
    UnsupportedParameter = 7010, "Unsupported parameter", "No such parameter exists.";
    InvalidType = 7011, "Invalid type", "The value is not of the parameter's type.";
    InvalidValue = 7012, "Invalid value", "The value is not among those that the parameter accepts.";
    ParameterNotWriteable = 7013, "Attempt to update non-writeable parameter", "The parameter may not be written.";
    ValueConflict = 7014, "Value conflict", "The value contradicts the value of another parameter.";
    OperationError = 7015, "Operation error", "An object was not created, updated or deleted, for a reason that the text describes.";
    ObjectDoesNotExist = 7016, "Object does not exist", "The path names no object that exists.";
    ObjectNotCreated = 7017, "Object could not be created", "The instance was not created.";
    ObjectNotTable = 7018, "Object is not a table", "The path names an object that has no instances.";
    ObjectNotCreatable = 7019, "Attempt to create non-creatable object", "Instances of this object are not created by Controllers.";
    ObjectNotUpdated = 7020, "Object could not be updated", "The object was not updated.";
    RequiredParameterFailed = 7021, "Required parameter failed", "A parameter that was marked as required was not accepted.";
    CommandFailure = 7022, "Command failure", "The command failed, for a reason that the text describes.";
    CommandCanceled = 7023, "Command canceled", "The command was stopped by its Cancel() operation.";
    DeleteFailure = 7024, "Delete failure", "The instance was not deleted.";
    DuplicateKey = 7025, "Object exists with duplicate key", "Another instance has the same unique key.";
    InvalidPath = 7026, "Invalid path", "The path matches nothing in the supported data model.";
    InvalidCommandArguments = 7027, "Invalid command arguments", "Arguments of the command are missing or invalid.";
    RegisterFailure = 7028, "Register failure", "The path was not registered, for a reason that the text describes.";
    AlreadyInUse = 7029, "Already in use", "Another Agent has registered the path.";
    DeregisterFailure = 7030, "Deregister failure", "The path was not deregistered, for a reason that the text describes.";
    PathAlreadyRegistered = 7031, "Path already registered", "The path belongs to another Agent.";
    RecordNotParsed = 7100, "Record could not be parsed", "The bytes are no Record.";
    SecureSessionRequired = 7101, "Secure session required", "The receiver wants the payload protected by TLS.";
    SecureSessionNotSupported = 7102, "Secure session not supported", "The receiver cannot protect payloads by TLS.";
    SegmentationNotSupported = 7103, "Segmentation and reassembly not supported", "The receiver cannot put segments together.";
    InvalidRecordValue = 7104, "Invalid Record value", "A field of the Record has an invalid value.";
    SessionContextTerminated = 7105, "Session Context terminated", "The session context ends.";
    SessionContextNotAllowed = 7106, "Session Context not allowed", "The receiver allows or knows no session context here.";
}

impl ErrorCode {
    /// The number on the wire.
    pub fn number(self) -> u32 {
        self as u32
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number(), self.name())
    }
}

impl From<ErrorCode> for u32 {
    fn from(code: ErrorCode) -> Self {
        code.number()
    }
}

/// Who gives a number its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeRange {
    /// 7200 to 7299: the data model.
    DataModel,
    /// 7000 to 7099: the specification, for Messages.
    Message,
    /// 7100 to 7199: the specification, for Records.
    Record,
    /// Outside every range of USP.
    Unknown,
    /// 7800 to 7999: vendors.
    Vendor,
}

impl CodeRange {
    /// The range that `number` lies in.
    pub fn of(number: u32) -> Self {
        match number {
            7000..=7099 => Self::Message,
            7100..=7199 => Self::Record,
            7200..=7299 => Self::DataModel,
            7800..=7999 => Self::Vendor,
            _ => Self::Unknown,
        }
    }
}

/// What people may read for any number: its name, or the range that it lies in.
///
/// ```
/// assert_eq!(usphere_proto::code_name(7026), "Invalid path");
/// assert_eq!(usphere_proto::code_name(7801), "vendor defined");
/// ```
pub fn code_name(number: u32) -> Cow<'static, str> {
    if let Some(code) = ErrorCode::from_number(number) {
        return code.name().into();
    }
    match CodeRange::of(number) {
        CodeRange::DataModel => "defined by the data model".into(),
        CodeRange::Vendor => "vendor defined".into(),
        CodeRange::Message | CodeRange::Record | CodeRange::Unknown => "unknown code".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_whole_and_ascending() {
        let numbers: Vec<u32> = ErrorCode::ALL.iter().map(|code| code.number()).collect();
        let expected: Vec<u32> = (7000..=7031).chain(7100..=7106).collect();
        assert_eq!(numbers, expected);
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_number(code.number()), Some(*code));
            assert!(!code.name().is_empty() && code.description().ends_with('.'));
        }
    }

    #[test]
    fn numbers_without_a_name_tell_their_range() {
        for (number, range) in [
            (6999, CodeRange::Unknown),
            (7032, CodeRange::Message),
            (7107, CodeRange::Record),
            (7200, CodeRange::DataModel),
            (7799, CodeRange::Unknown),
            (7800, CodeRange::Vendor),
            (7999, CodeRange::Vendor),
            (8000, CodeRange::Unknown),
        ] {
            assert_eq!(ErrorCode::from_number(number), None);
            assert_eq!(CodeRange::of(number), range, "{number}");
        }
    }

    #[test]
    fn a_code_is_shown_with_number_and_name() {
        assert_eq!(ErrorCode::InvalidValue.to_string(), "7012 Invalid value");
    }
}
