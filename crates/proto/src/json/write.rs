//! From the wire to JSON, by the schema.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{DECODED, read};
use crate::codec::wire::{Reader, WireValue};
use crate::limits::Limits;
use crate::schema::{Field, Kind, Label, MSG, MessageType};

/// The JSON of an encoded message; `None` where the bytes do not fit the schema, or hold more items
/// than `budget`. Fields that the schema does not know are left out.
pub(super) fn value(
    bytes: &[u8],
    schema: &'static MessageType,
    mut budget: usize,
) -> Option<Value> {
    object(bytes, schema, &mut budget).map(Value::Object)
}

/// Puts Messages in the place of payloads, where they are Messages.
pub(super) fn show_payloads(record: &mut Value) {
    if let Some(Value::Object(context)) = record.get_mut("no_session_context") {
        let shown = context.get("payload").and_then(Shown::of);
        match shown {
            Some(Shown::Beside(msg)) => {
                context.insert(DECODED.to_owned(), msg);
            }
            Some(Shown::Instead(msg)) => {
                context.insert("payload".to_owned(), msg);
            }
            None => {}
        }
    }
    let payloads = record
        .pointer_mut("/session_context/payload")
        .and_then(Value::as_array_mut);
    for payload in payloads.into_iter().flatten() {
        if let Some(Shown::Instead(msg)) = Shown::of(payload) {
            *payload = msg;
        }
    }
}

/// How the Message of a payload may be shown.
enum Shown {
    /// It would be encoded to other bytes, so the payload has to stay.
    Beside(Value),
    Instead(Value),
}

impl Shown {
    fn of(payload: &Value) -> Option<Self> {
        let bytes = STANDARD.decode(payload.as_str()?).ok()?;
        let msg = value(&bytes, &MSG, Limits::DEFAULT.elements_max)?;
        msg.get("body")?;
        match read::bytes(&msg, &MSG) {
            Ok(again) if again == bytes => Some(Self::Instead(msg)),
            _ => Some(Self::Beside(msg)),
        }
    }
}

fn object(
    bytes: &[u8],
    schema: &'static MessageType,
    budget: &mut usize,
) -> Option<Map<String, Value>> {
    let mut object = Map::new();
    for field in schema.fields {
        if let (Label::Single, Some(default)) = (field.label, shown_default(field.kind)) {
            object.insert(field.name.to_owned(), default);
        }
    }
    for wire in Reader::new(bytes, Limits::DEFAULT.depth_max) {
        let (number, wire) = wire.ok()?;
        if let Some(field) = schema.field(number) {
            *budget = budget.checked_sub(1)?;
            insert(&mut object, field, wire, budget)?;
        }
    }
    Some(object)
}

/// The value that is shown of a field that was not sent, if it is shown at all.
fn shown_default(kind: Kind) -> Option<Value> {
    match kind {
        Kind::Bool => Some(false.into()),
        Kind::Enum(known) => known.name_of(0).map(Value::from),
        Kind::Bytes
        | Kind::Fixed32
        | Kind::Map
        | Kind::Message(_)
        | Kind::String
        | Kind::Uint64 => None,
    }
}

fn insert(
    object: &mut Map<String, Value>,
    field: &'static Field,
    wire: WireValue<'_>,
    budget: &mut usize,
) -> Option<()> {
    let name = field.name.to_owned();
    if let (Kind::Map, WireValue::Bytes(entry)) = (field.kind, wire) {
        let (key, value) = map_entry(entry)?;
        object
            .entry(name)
            .or_insert_with(|| Map::new().into())
            .as_object_mut()?
            .insert(key, value.into());
        return Some(());
    }
    let value = field_value(field.kind, wire, budget)?;
    match field.label {
        Label::Repeated => object
            .entry(name)
            .or_insert_with(|| Value::Array(Vec::new()))
            .as_array_mut()?
            .push(value),
        Label::OneOf | Label::Single => {
            object.insert(name, value);
        }
    }
    Some(())
}

fn field_value(kind: Kind, wire: WireValue<'_>, budget: &mut usize) -> Option<Value> {
    Some(match (kind, wire) {
        (Kind::Bool, WireValue::Varint(value)) => (value != 0).into(),
        (Kind::Bytes, WireValue::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        (Kind::Enum(known), WireValue::Varint(value)) => match known.name_of(value) {
            Some(name) => name.into(),
            // An enumeration is 32 bits of the varint.
            None => (value as i32).into(),
        },
        (Kind::Fixed32, WireValue::Fixed32(value)) => value.into(),
        (Kind::Message(schema), WireValue::Bytes(bytes)) => object(bytes, schema, budget)?.into(),
        (Kind::String, WireValue::Bytes(bytes)) => std::str::from_utf8(bytes).ok()?.into(),
        (Kind::Uint64, WireValue::Varint(value)) => value.to_string().into(),
        _ => return None,
    })
}

fn map_entry(entry: &[u8]) -> Option<(String, String)> {
    let (mut key, mut value) = ("", "");
    for wire in Reader::new(entry, Limits::DEFAULT.depth_max) {
        match wire.ok()? {
            (1, WireValue::Bytes(text)) => key = std::str::from_utf8(text).ok()?,
            (2, WireValue::Bytes(text)) => value = std::str::from_utf8(text).ok()?,
            (1 | 2, _) => return None,
            _ => {}
        }
    }
    Some((key.to_owned(), value.to_owned()))
}
