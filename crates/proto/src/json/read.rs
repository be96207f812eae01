//! From JSON to the wire, by the schema.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};
use thiserror::Error;

use super::DECODED;
use crate::codec::wire::write;
use crate::limits::QUOTED_CHARACTERS_MAX;
use crate::schema::{Field, Kind, Label, MSG, MessageType};

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// JSON that is no Record or Message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{at}: expected {wanted}, found {found}")]
pub struct JsonError {
    /// The field, such as `Msg.header.msg_type`.
    pub at: String,
    /// What belongs there.
    pub wanted: String,
    /// What stands there, cut where it is long.
    pub found: String,
}

impl JsonError {
    pub(super) fn new(at: &str, wanted: &str, found: impl ToString) -> Self {
        let found = found
            .to_string()
            .chars()
            .take(QUOTED_CHARACTERS_MAX)
            .collect();
        Self {
            at: at.to_owned(),
            wanted: wanted.to_owned(),
            found,
        }
    }
}

/// The encoded message, in the canonical order and without defaults.
pub(super) fn bytes(json: &Value, schema: &'static MessageType) -> Result<Vec<u8>, JsonError> {
    message(json, schema, schema.name)
}

fn message(json: &Value, schema: &'static MessageType, at: &str) -> Result<Vec<u8>, JsonError> {
    let Value::Object(object) = json else {
        return Err(JsonError::new(at, "an object", json));
    };
    refuse_unknown(object, schema, at)?;
    let mut out = Vec::new();
    let mut member: Option<&str> = None;
    for field in schema.fields {
        // As in protobuf's JSON, null is the same as nothing.
        let Some(value) = object.get(field.name).filter(|value| !value.is_null()) else {
            continue;
        };
        let at = format!("{at}.{}", field.name);
        if let (Label::OneOf, Some(first)) = (field.label, member) {
            return Err(JsonError::new(
                &at,
                &format!("no second member beside {first}"),
                value,
            ));
        }
        match field.label {
            Label::OneOf => {
                member = Some(field.name);
                put(&mut out, field, value, &at, true)?;
            }
            Label::Repeated => put_all(&mut out, field, value, &at)?,
            Label::Single => put(&mut out, field, value, &at, false)?,
        }
    }
    Ok(out)
}

fn refuse_unknown(
    object: &Map<String, Value>,
    schema: &MessageType,
    at: &str,
) -> Result<(), JsonError> {
    let is_known = |key: &str| {
        schema.fields.iter().any(|field| field.name == key)
            || (key == DECODED && object.contains_key("payload"))
    };
    match object.keys().find(|key| !is_known(key)) {
        Some(key) => Err(JsonError::new(
            at,
            "a field of the schema",
            format!("{key:?}"),
        )),
        None => Ok(()),
    }
}

fn put_all(
    out: &mut Vec<u8>,
    field: &'static Field,
    value: &Value,
    at: &str,
) -> Result<(), JsonError> {
    if matches!(field.kind, Kind::Map) {
        return put_map(out, field, value, at);
    }
    let Value::Array(items) = value else {
        return Err(JsonError::new(at, "a list", value));
    };
    for (index, item) in items.iter().enumerate() {
        put(out, field, item, &format!("{at}[{index}]"), true)?;
    }
    Ok(())
}

fn put_map(out: &mut Vec<u8>, field: &Field, value: &Value, at: &str) -> Result<(), JsonError> {
    let Value::Object(entries) = value else {
        return Err(JsonError::new(at, "an object of strings", value));
    };
    for (key, value) in entries {
        let text = string(value, &format!("{at}[{key:?}]"))?;
        let mut entry = Vec::new();
        for (number, text) in [(1, key.as_str()), (2, text)] {
            if !text.is_empty() {
                write::bytes(&mut entry, number, text.as_bytes());
            }
        }
        write::bytes(out, field.number, &entry);
    }
    Ok(())
}

/// Writes one value; a default only where its presence tells something.
fn put(
    out: &mut Vec<u8>,
    field: &'static Field,
    value: &Value,
    at: &str,
    always: bool,
) -> Result<(), JsonError> {
    let number = field.number;
    match field.kind {
        Kind::Bool => match value {
            Value::Bool(value) if *value || always => write::varint(out, number, u64::from(*value)),
            Value::Bool(_) => {}
            _ => return Err(JsonError::new(at, "true or false", value)),
        },
        Kind::Bytes => put_bytes(out, number, &field_bytes(field, value, at)?, always),
        Kind::Enum(known) => {
            let named = value.as_str().and_then(|name| known.value_of(name));
            let numbered = || value.as_i64().and_then(|value| i32::try_from(value).ok());
            let value = named
                .or_else(|| numbered().map(|value| i64::from(value).cast_unsigned()))
                .ok_or_else(|| JsonError::new(at, &known.values.join(", "), value))?;
            if value != 0 || always {
                write::varint(out, number, value);
            }
        }
        Kind::Fixed32 => {
            let value = number_of(value)
                .and_then(|value| u32::try_from(value).ok())
                .ok_or_else(|| JsonError::new(at, "a number of 32 bits", value))?;
            if value != 0 || always {
                write::fixed32(out, number, value);
            }
        }
        Kind::Map => put_map(out, field, value, at)?,
        Kind::Message(schema) => write::bytes(out, number, &message(value, schema, at)?),
        Kind::String => put_bytes(out, number, string(value, at)?.as_bytes(), always),
        Kind::Uint64 => {
            let value =
                number_of(value).ok_or_else(|| JsonError::new(at, "a number of 64 bits", value))?;
            if value != 0 || always {
                write::varint(out, number, value);
            }
        }
    }
    Ok(())
}

fn put_bytes(out: &mut Vec<u8>, number: u32, value: &[u8], always: bool) {
    if !value.is_empty() || always {
        write::bytes(out, number, value);
    }
}

/// Bytes are base64 of either alphabet, padded or not; a payload may be the Message itself.
fn field_bytes(field: &Field, value: &Value, at: &str) -> Result<Vec<u8>, JsonError> {
    match value {
        Value::Object(_) if field.name == "payload" => message(value, &MSG, at),
        Value::String(text) => STANDARD
            .decode(text)
            .or_else(|_| URL_SAFE.decode(text))
            .map_err(|_| JsonError::new(at, "base64", value)),
        _ => Err(JsonError::new(at, "base64", value)),
    }
}

fn string<'a>(value: &'a Value, at: &str) -> Result<&'a str, JsonError> {
    value
        .as_str()
        .ok_or_else(|| JsonError::new(at, "a string", value))
}

/// Numbers may be written as strings, as protobuf's JSON does with those of 64 bits.
fn number_of(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
