//! The look at the wire before decoding.

use std::fmt;

use super::error::DecodeFault;
use super::wire::{Reader, WireFault, WireValue};
use crate::limits::Limits;
use crate::schema::{Field, Kind, Label, MessageType};

/// The numbers of the schema's fields lie below.
const NUMBERS: usize = 16;

/// Checks wire types, UTF-8, enumerations, oneofs and counts; an error comes with its place.
pub(super) fn scan(
    bytes: &[u8],
    schema: &'static MessageType,
    limits: &Limits,
) -> Result<(), (String, DecodeFault)> {
    let place = Place {
        parent: None,
        name: schema.name,
        index: None,
    };
    Scan {
        limits,
        elements: 0,
    }
    .message(bytes, schema, &place, 1)
}

type Fault = (String, DecodeFault);

struct Scan<'a> {
    limits: &'a Limits,
    elements: usize,
}

impl Scan<'_> {
    fn message(
        &mut self,
        bytes: &[u8],
        schema: &'static MessageType,
        place: &Place<'_>,
        depth: usize,
    ) -> Result<(), Fault> {
        if depth > self.limits.depth_max {
            return Err(place.fault(DecodeFault::TooDeep {
                max: self.limits.depth_max,
            }));
        }
        let mut seen = [0_usize; NUMBERS];
        let mut member: Option<&'static str> = None;
        let mut unknown = None;
        for field in Reader::new(bytes, self.limits.depth_max) {
            let (number, value) = field.map_err(|fault| place.fault(self.wire_fault(fault)))?;
            let Some(field) = schema.field(number) else {
                unknown = unknown.or(Some(number));
                continue;
            };
            let count = seen.get(number as usize).copied().unwrap_or_default();
            if let Some(seen) = seen.get_mut(number as usize) {
                *seen += 1;
            }
            let index = (field.label == Label::Repeated).then_some(count);
            let place = Place {
                parent: Some(place),
                name: field.name,
                index,
            };
            match (field.label, schema.oneof) {
                (Label::OneOf, Some(oneof)) => check_oneof(oneof, &mut member, field, &place)?,
                (Label::Single, _) if count > 0 && matches!(field.kind, Kind::Message(_)) => {
                    return Err(place.fault(DecodeFault::Repeated));
                }
                _ => {}
            }
            self.count(field, &place)?;
            self.value(value, field, &place, depth)?;
        }
        match (schema.oneof, member) {
            (Some(oneof), None) => Err(place.fault(DecodeFault::OneofUnset { oneof, unknown })),
            _ => Ok(()),
        }
    }

    fn count(&mut self, field: &Field, place: &Place<'_>) -> Result<(), Fault> {
        if field.label == Label::Repeated || matches!(field.kind, Kind::Message(_)) {
            self.elements += 1;
        }
        let max = self.limits.elements_max;
        if self.elements > max {
            Err(place.fault(DecodeFault::TooMany { max }))
        } else {
            Ok(())
        }
    }

    fn value(
        &mut self,
        value: WireValue<'_>,
        field: &'static Field,
        place: &Place<'_>,
        depth: usize,
    ) -> Result<(), Fault> {
        match (field.kind, value) {
            (Kind::Bool | Kind::Uint64, WireValue::Varint(_)) => Ok(()),
            (Kind::Bytes, WireValue::Bytes(_)) => Ok(()),
            (Kind::Fixed32, WireValue::Fixed32(_)) => Ok(()),
            (Kind::Enum(known), WireValue::Varint(value)) => match known.name_of(value) {
                Some(_) => Ok(()),
                None => Err(place.fault(DecodeFault::UnknownEnum {
                    value: value.cast_signed(),
                })),
            },
            (Kind::Map, WireValue::Bytes(entry)) => self.map_entry(entry, place),
            (Kind::Message(schema), WireValue::Bytes(bytes)) => {
                self.message(bytes, schema, place, depth + 1)
            }
            (Kind::String, WireValue::Bytes(bytes)) => check_utf8(bytes, place),
            _ => Err(place.fault(DecodeFault::Wire("not of this field's type"))),
        }
    }

    fn map_entry(&self, entry: &[u8], place: &Place<'_>) -> Result<(), Fault> {
        for field in Reader::new(entry, self.limits.depth_max) {
            match field.map_err(|fault| place.fault(self.wire_fault(fault)))? {
                (1 | 2, WireValue::Bytes(text)) => check_utf8(text, place)?,
                (1 | 2, _) => {
                    return Err(place.fault(DecodeFault::Wire("not of this field's type")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn wire_fault(&self, fault: WireFault) -> DecodeFault {
        match fault {
            WireFault::Broken(text) => DecodeFault::Wire(text),
            WireFault::TooDeep => DecodeFault::TooDeep {
                max: self.limits.depth_max,
            },
        }
    }
}

fn check_oneof(
    oneof: &'static str,
    member: &mut Option<&'static str>,
    field: &'static Field,
    place: &Place<'_>,
) -> Result<(), Fault> {
    match member.replace(field.name) {
        None => Ok(()),
        Some(first) => Err(place.fault(DecodeFault::OneofRepeated {
            oneof,
            first,
            second: field.name,
        })),
    }
}

fn check_utf8(bytes: &[u8], place: &Place<'_>) -> Result<(), Fault> {
    match std::str::from_utf8(bytes) {
        Ok(_) => Ok(()),
        Err(_) => Err(place.fault(DecodeFault::Utf8)),
    }
}

/// Where the scan is; written out only when there is something to say.
struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    name: &'static str,
    index: Option<usize>,
}

impl Place<'_> {
    fn fault(&self, fault: DecodeFault) -> Fault {
        (self.to_string(), fault)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        f.write_str(self.name)?;
        match self.index {
            Some(index) => write!(f, "[{index}]"),
            None => Ok(()),
        }
    }
}
