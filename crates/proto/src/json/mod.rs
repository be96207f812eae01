//! Records and Messages as JSON, both ways and without loss.
//!
//! Field and enumeration names are those of the schema; bytes are base64, 64-bit numbers are strings,
//! enumeration values without a name stay numbers. Empty strings, lists, maps and bytes and the
//! number 0 are left out; booleans and enumerations are always there.
//! The readable form of a Record shows the Message in place of the payload where that loses nothing.

mod read;
#[cfg(test)]
mod tests;
mod write;

use prost::Message;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

pub use self::read::JsonError;
use crate::msg::Msg;
use crate::record::Record;
use crate::schema::{MSG, RECORD};

/// Name of the Message that is shown beside a payload which it would not reproduce byte by byte; ignored
/// when read.
pub(crate) const DECODED: &str = "payload_decoded";

impl Msg {
    /// The Message as JSON.
    pub fn to_json(&self) -> Value {
        // What we encoded ourselves can be walked; a budget is not wanted.
        write::value(&self.encode_to_vec(), &MSG, usize::MAX).unwrap_or_default()
    }

    /// Reads what [`Msg::to_json`] writes.
    pub fn from_json(json: &Value) -> Result<Self, JsonError> {
        decoded(&read::bytes(json, &MSG)?, "Msg")
    }
}

impl Record {
    /// The Record as JSON, with its payload in base64.
    pub fn to_json(&self) -> Value {
        write::value(&self.encode_to_vec(), &RECORD, usize::MAX).unwrap_or_default()
    }

    /// The Record as JSON, with the Message in place of the payload. Where the Message would not be
    /// encoded to the same bytes again, the payload stays and the Message stands beside it as
    /// `payload_decoded`.
    pub fn to_readable_json(&self) -> Value {
        let mut json = self.to_json();
        write::show_payloads(&mut json);
        json
    }

    /// Reads what [`Record::to_json`] and [`Record::to_readable_json`] write.
    pub fn from_json(json: &Value) -> Result<Self, JsonError> {
        decoded(&read::bytes(json, &RECORD)?, "Record")
    }
}

fn decoded<M: Message + Default>(bytes: &[u8], name: &str) -> Result<M, JsonError> {
    M::decode(bytes)
        .map_err(|error| JsonError::new(name, "what the schema allows", error.to_string()))
}

impl Serialize for Msg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Msg {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(&Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Serialize for Record {
    /// The form of [`Record::to_json`].
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(&Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
