//! What is wrong with a path name, and where.

use thiserror::Error;

use crate::limits::{COMPARISONS_MAX, Clipped, NAME_BYTES_MAX, PATH_BYTES_MAX, SEGMENTS_MAX};

/// A text that is no path name.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("at byte {at}, {}: {kind}", place(.found))]
pub struct PathError {
    /// Where it goes wrong, in bytes from the start.
    pub at: usize,
    /// What stands there, clipped.
    pub found: Clipped,
    /// What was expected there.
    pub kind: PathErrorKind,
}

impl PathError {
    /// The error `kind` in `text` at byte `at`, which may lie inside a character or behind the end.
    pub(super) fn new(kind: PathErrorKind, text: &str, at: usize) -> Self {
        let rest = text
            .char_indices()
            .map(|(start, _)| start)
            .find(|start| *start >= at);
        Self {
            at,
            found: Clipped::new(&text[rest.unwrap_or(text.len())..]),
            kind,
        }
    }
}

fn place(found: &Clipped) -> String {
    if found.is_empty() {
        "the end".into()
    } else {
        found.to_string()
    }
}

/// What was expected of a path name.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum PathErrorKind {
    /// A table inside a search expression.
    #[error("an expression cannot descend into a table; give that table an expression of its own")]
    ChildTable,
    /// Anything behind `()` or `!`, or a lone `(`.
    #[error("a command ends in \"()\" and an event in \"!\", with nothing behind")]
    CommandOrEvent,
    /// No constant, or one with characters that need quotes.
    #[error("expected a quoted string, or a number, boolean or time without quotes")]
    Constant,
    /// A segment without a dot behind it.
    #[error("expected \".\"")]
    Dot,
    /// No text at all.
    #[error("the path is empty")]
    Empty,
    /// `[]`
    #[error("the expression is empty")]
    EmptyExpression,
    /// A `%` that is not followed by two hexadecimal digits of a UTF-8 text.
    #[error("a percent sign stands before two hexadecimal digits; itself it is written \"%25\"")]
    Escape,
    /// A comparison followed by anything but `&&` or `]`.
    #[error("expected \"&&\" or \"]\"")]
    ExpressionEnd,
    /// A malformed `#N+`, `#*+` or `+`.
    #[error("expected \"#\", an item number or \"*\", and \"+.\" to follow a reference")]
    Follow,
    /// An instance number that is zero, has leading zeros or exceeds 32 bits.
    #[error("an instance number is 1 to 4294967295 without leading zeros")]
    Instance,
    /// An instance that does not stand behind the name of a table.
    #[error("an instance stands only behind the name of a table")]
    InstancePlace,
    /// `{i}` in one path with an expression, a wildcard or a reference to follow.
    #[error("{{i}} names the supported data model and cannot stand beside a search")]
    Mixed,
    /// No name where one has to be.
    #[error("expected a name of letters, digits and underscores")]
    Name,
    /// A name that is too long.
    #[error("a name is at most {NAME_BYTES_MAX} bytes long")]
    NameTooLong,
    /// A path that has to be an object's.
    #[error("the path of an object ends in \".\"")]
    NotAnObject,
    /// No operator where one has to be.
    #[error("expected one of == != ~= < > <= >=")]
    Operator,
    /// `||`
    #[error("only && joins comparisons, there is no OR")]
    Or,
    /// Something other than `{i}` in braces.
    #[error("expected {{i}}")]
    Placeholder,
    /// A string without its second quote.
    #[error("the string has no closing quote")]
    Quote,
    /// More bytes than a path may have.
    #[error("the path is {0} bytes long, at most {PATH_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// More comparisons than an expression may have.
    #[error("an expression has at most {COMPARISONS_MAX} comparisons")]
    TooManyComparisons,
    /// More segments than a path may have.
    #[error("a path has at most {SEGMENTS_MAX} segments")]
    TooManySegments,
}
