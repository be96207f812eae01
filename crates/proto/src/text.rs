//! Records and Messages for people to read: indented, quoted, codes with their names.
//!
//! Whatever a peer sent, the text holds no control characters but line ends of its own.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::code_name;
use crate::json::DECODED;
use crate::limits::SHOWN_BYTES_MAX;
use crate::msg::Msg;
use crate::record::Record;
use crate::schema::{EnumType, Field, Kind, MSG, MessageType, RECORD};

impl Msg {
    /// The Message for people to read, ending with a line end.
    pub fn to_text(&self) -> String {
        Text::of(&self.to_json(), &MSG)
    }
}

impl Record {
    /// The Record for people to read, with the Message that is its payload, ending with a line end.
    pub fn to_text(&self) -> String {
        Text::of(&self.to_readable_json(), &RECORD)
    }
}

struct Text {
    out: String,
    depth: usize,
}

impl Text {
    fn of(json: &Value, schema: &'static MessageType) -> String {
        let mut text = Self {
            out: String::new(),
            depth: 0,
        };
        text.line(schema.name);
        text.message(json, schema);
        text.out
    }

    fn message(&mut self, json: &Value, schema: &'static MessageType) {
        let Value::Object(object) = json else {
            return;
        };
        self.depth += 1;
        for field in schema.fields {
            match object.get(field.name) {
                Some(Value::Array(items)) => {
                    for (index, item) in items.iter().enumerate() {
                        self.field(field, &format!("{}[{index}]", field.name), item);
                    }
                }
                Some(value) => self.field(field, field.name, value),
                None => {}
            }
        }
        if let Some(msg) = object.get(DECODED) {
            self.line("payload decoded: Msg");
            self.message(msg, &MSG);
        }
        self.depth -= 1;
    }

    fn field(&mut self, field: &'static Field, label: &str, value: &Value) {
        match (field.kind, value) {
            (Kind::Bytes, Value::Object(_)) => {
                self.line(&format!("{label}: Msg"));
                self.message(value, &MSG);
            }
            (Kind::Bytes, Value::String(base64)) => {
                self.line(&format!("{label}: {}", bytes_text(base64)))
            }
            (Kind::Enum(known), _) => self.line(&format!("{label}: {}", enum_text(known, value))),
            (Kind::Map, Value::Object(entries)) => self.map(label, entries),
            (Kind::Message(schema), _) => {
                self.line(label);
                self.message(value, schema);
            }
            (Kind::Fixed32, _) if field.name.ends_with("_code") => {
                self.line(&format!("{label}: {value} {}", name_of_code(value)));
            }
            (Kind::String, Value::String(text)) => self.line(&format!("{label}: {text:?}")),
            // A number of 64 bits is a string in JSON.
            (_, Value::String(number)) => self.line(&format!("{label}: {number}")),
            _ => self.line(&format!("{label}: {value}")),
        }
    }

    fn map(&mut self, label: &str, entries: &Map<String, Value>) {
        self.line(label);
        self.depth += 1;
        for (key, value) in entries {
            self.line(&format!(
                "{key:?} = {:?}",
                value.as_str().unwrap_or_default()
            ));
        }
        self.depth -= 1;
    }

    fn line(&mut self, text: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.out, "{:indent$}{text}", "", indent = 2 * self.depth);
    }
}

fn enum_text(known: &EnumType, value: &Value) -> String {
    match value.as_str() {
        Some(name) => name.to_owned(),
        None => format!(
            "{value} (unknown, highest known is {})",
            known.values.len().saturating_sub(1)
        ),
    }
}

fn name_of_code(value: &Value) -> String {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.map_or_else(String::new, |number| format!("({})", code_name(number)))
}

fn bytes_text(base64: &str) -> String {
    let bytes = STANDARD.decode(base64).unwrap_or_default();
    let separator = if bytes.is_empty() { "" } else { ", " };
    let mut text = format!("{} bytes{separator}", bytes.len());
    for byte in bytes.iter().take(SHOWN_BYTES_MAX) {
        let _ = write!(text, "{byte:02x}");
    }
    if bytes.len() > SHOWN_BYTES_MAX {
        text.push('…');
    }
    text
}
