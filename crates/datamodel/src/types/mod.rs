//! Value types of TR-106: lexical forms, facets, canonical text and typed comparison.
//!
//! Values travel and are kept as text. [`ValueType::canonical`] lets a text in and gives it one spelling;
//! [`ValueType::matches`] compares by meaning (R-ARC.7). Nothing here allocates where a value is canonical
//! already, and no length of a value makes it do more than linear work.

mod calendar;
mod canonical;
mod compare;
mod decimal;
mod error;
pub mod list;
mod pattern;
#[cfg(test)]
mod tests;

pub use error::ValueError;
pub use pattern::Pattern;

/// The built-in types of TR-106.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Base {
    /// Bytes as Base64.
    Base64,
    /// `true` or `false`; `1` and `0` are read too.
    Boolean,
    /// A date and time with its offset from UTC.
    DateTime,
    /// A number with a fraction.
    Decimal,
    /// Bytes as hexadecimal digits.
    HexBinary,
    /// A signed integer of 32 bits.
    Int,
    /// A signed integer of 64 bits.
    Long,
    /// Characters.
    String,
    /// An unsigned integer of 32 bits.
    UnsignedInt,
    /// An unsigned integer of 64 bits.
    UnsignedLong,
}

impl Base {
    /// The name TR-106 gives the type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Boolean => "boolean",
            Self::DateTime => "dateTime",
            Self::Decimal => "decimal",
            Self::HexBinary => "hexBinary",
            Self::Int => "int",
            Self::Long => "long",
            Self::String => "string",
            Self::UnsignedInt => "unsignedInt",
            Self::UnsignedLong => "unsignedLong",
        }
    }

    /// Least and greatest value of an integer type.
    const fn integers(self) -> Option<(i128, i128)> {
        match self {
            Self::Int => Some((i32::MIN as i128, i32::MAX as i128)),
            Self::Long => Some((i64::MIN as i128, i64::MAX as i128)),
            Self::UnsignedInt => Some((0, u32::MAX as i128)),
            Self::UnsignedLong => Some((0, u64::MAX as i128)),
            _ => None,
        }
    }
}

/// The type of a parameter or argument: a base and its facets. For a list the facets are those of an item.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ValueType {
    /// What the text means.
    pub base: Base,
    /// Fewest characters of a string, or bytes of a binary.
    pub size_min: u32,
    /// Most characters of a string, or bytes of a binary.
    pub size_max: Option<u32>,
    /// Least number, in addition to what the base allows.
    pub range_min: Option<i128>,
    /// Greatest number, in addition to what the base allows.
    pub range_max: Option<i128>,
    /// The texts allowed; any if empty.
    pub choices: &'static [&'static str],
    /// The form a string has.
    pub pattern: Option<Pattern>,
    /// Set if the value is a comma-separated list of such items.
    pub list: Option<ListBounds>,
    /// Set if the value is the path name of something.
    pub reference: Option<Reference>,
}

/// How many items a list has, and how long it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ListBounds {
    /// Fewest items.
    pub items_min: u32,
    /// Most items.
    pub items_max: Option<u32>,
    /// Most characters of the whole list as written.
    pub size_max: Option<u32>,
}

/// What a reference parameter refers to, and how firmly. (R-ARC.12)
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reference {
    /// The path name of anything, existing or not.
    Path,
    /// A row of this table that exists; emptied or pruned when the row goes. An empty target is any object.
    Strong(&'static str),
    /// A row of this table, existing or not; left alone. An empty target is any object.
    Weak(&'static str),
}

/// base64
pub const BASE64: ValueType = ValueType::new(Base::Base64);
/// boolean
pub const BOOLEAN: ValueType = ValueType::new(Base::Boolean);
/// dateTime
pub const DATE_TIME: ValueType = ValueType::new(Base::DateTime);
/// decimal
pub const DECIMAL: ValueType = ValueType::new(Base::Decimal);
/// hexBinary
pub const HEX_BINARY: ValueType = ValueType::new(Base::HexBinary);
/// int
pub const INT: ValueType = ValueType::new(Base::Int);
/// long
pub const LONG: ValueType = ValueType::new(Base::Long);
/// string
pub const STRING: ValueType = ValueType::new(Base::String);
/// unsignedInt
pub const UNSIGNED_INT: ValueType = ValueType::new(Base::UnsignedInt);
/// unsignedLong
pub const UNSIGNED_LONG: ValueType = ValueType::new(Base::UnsignedLong);

/// TR-106's Alias: starts with a letter, at most 64 characters.
pub const ALIAS: ValueType = STRING.max(64).pattern(Pattern::Alias);
/// TR-106's IPAddress, of either version, or empty.
pub const IP_ADDRESS: ValueType = STRING.max(45).pattern(Pattern::IpAddress);
/// TR-106's IPv4Address, or empty.
pub const IPV4_ADDRESS: ValueType = STRING.max(15).pattern(Pattern::Ipv4Address);
/// TR-106's IPv6Address, or empty.
pub const IPV6_ADDRESS: ValueType = STRING.max(45).pattern(Pattern::Ipv6Address);
/// TR-106's MACAddress, or empty.
pub const MAC_ADDRESS: ValueType = STRING.max(17).pattern(Pattern::MacAddress);
/// TR-106's UUID.
pub const UUID: ValueType = STRING.size(36, 36).pattern(Pattern::Uuid);

/// A string that is one of `choices`, letter for letter.
pub const fn one_of(choices: &'static [&'static str]) -> ValueType {
    ValueType { choices, ..STRING }
}

/// The path name of an existing row of the table `target` (`Device.LocalAgent.Controller.{i}.`), or empty.
pub const fn strong_reference(target: &'static str) -> ValueType {
    ValueType {
        reference: Some(Reference::Strong(target)),
        ..STRING
    }
}

/// The path name of a row of the table `target`, whether it exists or not, or empty.
pub const fn weak_reference(target: &'static str) -> ValueType {
    ValueType {
        reference: Some(Reference::Weak(target)),
        ..STRING
    }
}

/// Any path name.
pub const fn path_reference() -> ValueType {
    ValueType {
        reference: Some(Reference::Path),
        ..STRING
    }
}

impl ValueType {
    /// `base` without any facet.
    pub const fn new(base: Base) -> Self {
        Self {
            base,
            size_min: 0,
            size_max: None,
            range_min: None,
            range_max: None,
            choices: &[],
            pattern: None,
            list: None,
            reference: None,
        }
    }

    /// With at most `most` characters or bytes.
    pub const fn max(self, most: u32) -> Self {
        Self {
            size_max: Some(most),
            ..self
        }
    }

    /// With `least` to `most` characters or bytes.
    pub const fn size(self, least: u32, most: u32) -> Self {
        Self {
            size_min: least,
            size_max: Some(most),
            ..self
        }
    }

    /// From `least` to `most`, both allowed.
    pub const fn range(self, least: i128, most: i128) -> Self {
        Self {
            range_min: Some(least),
            range_max: Some(most),
            ..self
        }
    }

    /// At least `least`.
    pub const fn at_least(self, least: i128) -> Self {
        Self {
            range_min: Some(least),
            ..self
        }
    }

    /// At most `most`.
    pub const fn at_most(self, most: i128) -> Self {
        Self {
            range_max: Some(most),
            ..self
        }
    }

    /// In the form `pattern`.
    pub const fn pattern(self, pattern: Pattern) -> Self {
        Self {
            pattern: Some(pattern),
            ..self
        }
    }

    /// A list of any number of such items.
    pub const fn list(self) -> Self {
        Self {
            list: Some(ListBounds {
                items_min: 0,
                items_max: None,
                size_max: None,
            }),
            ..self
        }
    }

    /// A list of `least` to `most` such items.
    pub const fn list_of(self, least: u32, most: u32) -> Self {
        Self {
            list: Some(ListBounds {
                items_min: least,
                items_max: Some(most),
                size_max: None,
            }),
            ..self
        }
    }

    /// A list whose whole text has at most `most` characters.
    pub const fn list_max(self, most: u32) -> Self {
        let bounds = match self.list {
            Some(bounds) => ListBounds {
                size_max: Some(most),
                ..bounds
            },
            None => ListBounds {
                items_min: 0,
                items_max: None,
                size_max: Some(most),
            },
        };
        Self {
            list: Some(bounds),
            ..self
        }
    }

    /// What a parameter of this type holds when nothing else was declared.
    pub const fn zero(&self) -> &'static str {
        match (self.list, self.base) {
            (Some(_), _) | (_, Base::Base64 | Base::HexBinary | Base::String) => "",
            (_, Base::Boolean) => "false",
            (_, Base::DateTime) => UNKNOWN_TIME,
            _ => "0",
        }
    }
}

/// The dateTime that stands for a time that is not known (TR-106 3.2.1).
pub const UNKNOWN_TIME: &str = "0001-01-01T00:00:00Z";

/// Microseconds from 1970-01-01T00:00:00Z to a dateTime; `None` for the Unknown Time and for what is no dateTime.
pub fn unix_micros(date_time: &str) -> Option<i64> {
    let time = calendar::Time::parse(date_time).filter(|time| *time != calendar::Time::UNKNOWN)?;
    time.unix_micros()
}
