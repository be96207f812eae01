//! The schema as data: what the wire scan, the JSON and the text form walk by.
//!
//! The prost structs are a second, independent writing of the same schema; tests hold the two against
//! each other. Nothing here may depend on those structs.

#[cfg(test)]
pub(crate) mod arbitrary;
mod changes;
mod messages;
mod records;

pub(crate) use messages::MSG;
pub(crate) use records::RECORD;

/// A protobuf message.
#[derive(Debug)]
pub(crate) struct MessageType {
    pub(crate) name: &'static str,
    /// The name of its only oneof.
    pub(crate) oneof: Option<&'static str>,
    /// In the order of their numbers.
    pub(crate) fields: &'static [Field],
}

/// A field of a message.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) number: u32,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) label: Label,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Bool,
    Bytes,
    Enum(&'static EnumType),
    Fixed32,
    /// From string to string.
    Map,
    Message(&'static MessageType),
    String,
    Uint64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// A member of the message's oneof.
    OneOf,
    Repeated,
    Single,
}

/// An enumeration; its values are 0, 1, 2 and so on.
#[derive(Debug)]
pub(crate) struct EnumType {
    pub(crate) values: &'static [&'static str],
}

impl MessageType {
    pub(crate) fn field(&self, number: u32) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.number == number)
    }
}

impl EnumType {
    /// The name of a value as it stands on the wire: an `int32` in 64 bits.
    pub(crate) fn name_of(&self, value: u64) -> Option<&'static str> {
        self.values.get(usize::try_from(value).ok()?).copied()
    }

    pub(crate) fn value_of(&self, name: &str) -> Option<u64> {
        self.values
            .iter()
            .position(|known| *known == name)
            .map(|at| at as u64)
    }
}

const fn message(name: &'static str, fields: &'static [Field]) -> MessageType {
    MessageType {
        name,
        oneof: None,
        fields,
    }
}

const fn with_oneof(
    name: &'static str,
    oneof: &'static str,
    fields: &'static [Field],
) -> MessageType {
    MessageType {
        name,
        oneof: Some(oneof),
        fields,
    }
}

const fn single(number: u32, name: &'static str, kind: Kind) -> Field {
    Field {
        number,
        name,
        kind,
        label: Label::Single,
    }
}

const fn repeated(number: u32, name: &'static str, kind: Kind) -> Field {
    Field {
        number,
        name,
        kind,
        label: Label::Repeated,
    }
}

const fn member(number: u32, name: &'static str, kind: Kind) -> Field {
    Field {
        number,
        name,
        kind,
        label: Label::OneOf,
    }
}

const fn map(number: u32, name: &'static str) -> Field {
    Field {
        number,
        name,
        kind: Kind::Map,
        label: Label::Repeated,
    }
}
