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
        for field in self.reader(bytes) {
            let (number, value) = field.map_err(|fault| place.fault(self.wire_fault(fault)))?;
            let Some(field) = schema.field(number) else {
                unknown = unknown.or(Some(number));
                self.count(unknown_elements(value), place)?;
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
            self.count(elements(field, count), &place)?;
            self.value(value, field, &place, depth)?;
        }
        match (schema.oneof, member) {
            (Some(oneof), None) => Err(place.fault(DecodeFault::OneofUnset { oneof, unknown })),
            _ => Ok(()),
        }
    }

    fn reader<'b>(&self, bytes: &'b [u8]) -> Reader<'b> {
        let left = self.limits.elements_max.saturating_sub(self.elements);
        Reader::new(bytes, self.limits.depth_max).grouped_max(left)
    }

    fn count(&mut self, elements: usize, place: &Place<'_>) -> Result<(), Fault> {
        self.elements = self.elements.saturating_add(elements);
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

    fn map_entry(&mut self, entry: &[u8], place: &Place<'_>) -> Result<(), Fault> {
        for (at, field) in self.reader(entry).enumerate() {
            match field.map_err(|fault| place.fault(self.wire_fault(fault)))? {
                (1 | 2, WireValue::Bytes(text)) => {
                    check_utf8(text, place)?;
                    // A key and a value belong to the entry, which is counted already.
                    self.count(usize::from(at > 1), place)?;
                }
                (1 | 2, _) => {
                    return Err(place.fault(DecodeFault::Wire("not of this field's type")));
                }
                (_, value) => self.count(unknown_elements(value), place)?,
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
            WireFault::TooMany => DecodeFault::TooMany {
                max: self.limits.elements_max,
            },
        }
    }
}

/// What a field counts for that came `before` so many times. What may be there once counts when it comes
/// again.
fn elements(field: &Field, before: usize) -> usize {
    let counts = field.label == Label::Repeated || matches!(field.kind, Kind::Message(_));
    usize::from(counts || before > 0)
}

/// What a field counts for that the schema does not have: nothing is made of it, but it is read.
fn unknown_elements(value: WireValue<'_>) -> usize {
    match value {
        WireValue::Group(fields) => fields.saturating_add(1),
        _ => 1,
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
