//! Path names: the grammar of TR-106 and TR-369 (R-ARC.7) as values.
//!
//! [`Path::parse`] is the only way from text to a [`Path`], `Display` the way back. It knows no schema:
//! whether a name exists, is a table or is a key is for others to say. It must never recurse on its
//! input, nor look at a path longer than [`PATH_BYTES_MAX`](crate::limits::PATH_BYTES_MAX).

mod display;
mod error;
mod parse;
#[cfg(test)]
mod tests;

use std::str::FromStr;

pub use error::{PathError, PathErrorKind};

/// A path name of the instantiated or of the supported data model.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Path {
    /// The way to the object; the first is the root's name (`Device`).
    pub segments: Vec<Segment>,
    /// What of that object is meant.
    pub end: End,
}

impl Path {
    /// Reads any path name: object (ends in `.`), parameter, command (`()`) or event (`!`), with instance
    /// numbers, expressions, wildcards, references to follow, or with `{i}`.
    ///
    /// The last dot may be left out behind an instance (`Device.IP.Interface.1`), as it is in the value of a
    /// reference parameter; behind a name it decides between object and parameter, see [`Path::into_object`].
    pub fn parse(text: &str) -> Result<Self, PathError> {
        parse::path(text)
    }

    /// Reads the path name of an object, table or row.
    pub fn parse_object(text: &str) -> Result<Self, PathError> {
        let path = Self::parse(text)?;
        match path.end {
            End::Object => Ok(path),
            _ => Err(PathError::new(PathErrorKind::NotAnObject, text, text.len())),
        }
    }

    /// The same path with a last parameter name read as the name of an object, which is how the value of a
    /// reference parameter names one (`Device.DeviceInfo`; TR-369, "Path Names").
    pub fn into_object(mut self) -> Self {
        if let End::Parameter(name) = self.end {
            self.segments.push(Segment::Name(name));
            self.end = End::Object;
        }
        self
    }

    /// Whether it may resolve to none or many: it has a wildcard, an expression or a reference to follow.
    pub fn is_search(&self) -> bool {
        self.segments.iter().any(|segment| {
            matches!(
                segment,
                Segment::Wildcard | Segment::Search(_) | Segment::Follow { .. }
            )
        })
    }

    /// Whether it names elements of the supported data model: no instance other than `{i}`.
    pub fn is_schema(&self) -> bool {
        self.segments
            .iter()
            .all(|segment| matches!(segment, Segment::Name(_) | Segment::Placeholder))
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

/// One step of a path, each written with a dot behind it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Segment {
    /// `Interface+`, `LowerLayers#2+`, `LowerLayers#*+`: on to the object that the parameter refers to.
    Follow {
        /// The reference parameter, of the object so far.
        parameter: Box<str>,
        /// Which items of its value.
        which: Which,
    },
    /// `3`: the row with this instance number, which is at least 1.
    Instance(u32),
    /// The name of an object or table.
    Name(Box<str>),
    /// `{i}`: any row, in the supported data model.
    Placeholder,
    /// `[…]`: the rows for which the expression holds.
    Search(Expression),
    /// `*`: every row.
    Wildcard,
}

/// Which items of a reference parameter are followed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Which {
    /// `#*+`: each item of the list.
    All,
    /// `#N+`: the Nth item of the list, counted from 1.
    Index(u32),
    /// `+`: the only one, or the first of a list.
    Only,
}

/// What a path name means at its end.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum End {
    /// A command; the name is kept with its `()`.
    Command(Box<str>),
    /// An event; the name is kept with its `!`.
    Event(Box<str>),
    /// The object, table or row itself.
    Object,
    /// A parameter of the object.
    Parameter(Box<str>),
}

/// A search expression or a unique key: all its comparisons hold (`&&`; there is no OR).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Expression {
    /// At least one.
    pub comparisons: Vec<Comparison>,
}

/// `Stats.ErrorsSent>0`: one comparison of a parameter with a constant.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Comparison {
    /// The parameter, relative to the row that is tried.
    pub path: RelativePath,
    /// How it is compared.
    pub operator: Operator,
    /// The constant, without quotes and escapes.
    pub constant: Box<str>,
    /// How the constant is written, which its type restricts.
    pub form: Form,
}

/// The way from an object to one of its parameters or of its descendants'.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RelativePath {
    /// [`Segment::Name`], [`Segment::Follow`] and, outside expressions, [`Segment::Instance`].
    pub segments: Vec<Segment>,
    /// The parameter at its end.
    pub parameter: Box<str>,
}

impl RelativePath {
    /// Reads a relative parameter path such as `Stats.BytesSent` or `IPv4Address.1.IPAddress`.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        parse::relative(text)
    }
}

/// How a parameter is compared with a constant.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operator {
    /// `~=`: the list has an item equal to the constant.
    Contains,
    /// `==`
    Equal,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `!=`
    NotEqual,
}

impl Operator {
    /// The operator as it is written.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Contains => "~=",
            Self::Equal => "==",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::NotEqual => "!=",
        }
    }
}

/// How the constant of a comparison is written.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Form {
    /// Without quotes: numbers, booleans, times, hexadecimal.
    Bare,
    /// `"…"`: strings, with `%22` for a quote and `%25` for a percent sign.
    Quoted,
}
