//! `usphere decode`: make a Record or Message readable, whichever it is.

use std::fs::File;
use std::io::{self, Read};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use clap::Args;
use serde_json::{Value, json};
use usphere_proto::record::PayloadSecurity;
use usphere_proto::{DecodeError, Limits, Msg, Record, RecordType};

use crate::defaults::DECODE_BYTES_MAX;
use crate::failure::{Exit, Failure};
use crate::print;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The file; - for stdin
    #[arg(value_name = "FILE", default_value = "-")]
    file: String,
    /// What is read are hexadecimal digits; blanks, colons and 0x are skipped
    #[arg(long, conflicts_with = "base64")]
    hex: bool,
    /// What is read is base64
    #[arg(long)]
    base64: bool,
    /// Print JSON; the shapes stand in docs/cli.md
    #[arg(long)]
    json: bool,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let read = self.read()?;
        let bytes = match (self.hex, self.base64) {
            (true, _) => from_hex(&read)?,
            (_, true) => from_base64(&read)?,
            (false, false) => read,
        };
        let decoded = decode(&bytes).map_err(|failure| hint_at_text(failure, &bytes))?;
        if self.json {
            print::json(&decoded.json())?;
        } else {
            print::text(&decoded.text())?;
        }
        match decoded.broken_payload() {
            None => Ok(Exit::Done),
            Some(error) => Err(Failure::new(
                Exit::Refused,
                format_args!("the Record is whole, but its payload is no Message: {error}"),
            )),
        }
    }

    fn read(&self) -> Result<Vec<u8>, Failure> {
        let name = if self.file == "-" {
            "stdin"
        } else {
            &self.file
        };
        let failed =
            |error: io::Error| Failure::local(format_args!("{name}: cannot be read: {error}"));
        let source: Box<dyn Read> = match self.file.as_str() {
            "-" => Box::new(io::stdin()),
            path => Box::new(File::open(path).map_err(failed)?),
        };
        let mut bytes = Vec::new();
        source
            .take(DECODE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() as u64 > DECODE_BYTES_MAX {
            return Err(Failure::new(
                Exit::Refused,
                format_args!("{name}: more than {DECODE_BYTES_MAX} bytes are not read"),
            ));
        }
        Ok(bytes)
    }
}

/// What the bytes are.
#[derive(Debug)]
enum Decoded {
    Msg(Msg),
    Record(Record),
}

impl Decoded {
    fn json(&self) -> Value {
        match self {
            Self::Msg(msg) => json!({ "msg": msg.to_json() }),
            Self::Record(record) => json!({ "record": record.to_readable_json() }),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Msg(msg) => msg.to_text(),
            Self::Record(record) => record.to_text(),
        }
    }

    /// Why the payload of a Record cannot be read, where it should be.
    fn broken_payload(&self) -> Option<DecodeError> {
        let Self::Record(record) = self else {
            return None;
        };
        let is_plain = record.payload_security == PayloadSecurity::Plaintext as i32;
        match &record.record_type {
            Some(RecordType::NoSessionContext(context)) if is_plain => {
                Msg::decode_bounded(context.payload.clone(), &Limits::DEFAULT).err()
            }
            _ => None,
        }
    }
}

/// Tells Records and Messages apart: a Message lacks the record type that every Record has, and
/// a Record has a text where a Message has its header.
fn decode(bytes: &[u8]) -> Result<Decoded, Failure> {
    if bytes.is_empty() {
        return Err(Failure::new(
            Exit::Refused,
            "nothing to decode: the input is empty",
        ));
    }
    let not_record = match Record::decode_bounded(bytes, &Limits::DEFAULT) {
        Ok(record) => return Ok(Decoded::Record(record)),
        Err(error) => error,
    };
    let not_msg = match Msg::decode_bounded(bytes, &Limits::DEFAULT) {
        Ok(msg) if msg.header.is_some() || msg.body.is_some() => return Ok(Decoded::Msg(msg)),
        Ok(_) => None,
        Err(error) => Some(error),
    };
    let message = match not_msg {
        Some(not_msg) if Msg::peek(bytes).msg_id.is_some() => {
            format!("a broken Message: {not_msg}")
        }
        Some(not_msg) => format!("neither a Record ({not_record}) nor a Message ({not_msg})"),
        None => format!("not a Record: {not_record}"),
    };
    Err(Failure::new(Exit::Refused, print::clean(&message)))
}

/// Text that was meant to be turned into bytes first is the likeliest mistake.
fn hint_at_text(failure: Failure, bytes: &[u8]) -> Failure {
    let digits = bytes.trim_ascii();
    let is_hex = digits
        .iter()
        .all(|byte| byte.is_ascii_hexdigit() || is_between_digits(*byte));
    let is_base64 = || {
        digits
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/=\r\n".contains(byte))
    };
    match () {
        () if digits.is_empty() => failure,
        () if is_hex => failure.advise("it looks like hexadecimal digits: try --hex"),
        () if is_base64() => failure.advise("it looks like base64: try --base64"),
        () => failure,
    }
}

fn from_hex(text: &[u8]) -> Result<Vec<u8>, Failure> {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"0x").unwrap_or(text);
    let mut digits = Vec::with_capacity(text.len());
    for (at, byte) in text.iter().enumerate() {
        match char::from(*byte).to_digit(16) {
            Some(digit) => digits.push(digit as u8),
            None if is_between_digits(*byte) => {}
            None => {
                return Err(Failure::new(
                    Exit::Refused,
                    format_args!(
                        "{:?} at offset {at} is no hexadecimal digit",
                        char::from(*byte)
                    ),
                ));
            }
        }
    }
    if !digits.len().is_multiple_of(2) {
        return Err(Failure::new(
            Exit::Refused,
            format_args!(
                "{} hexadecimal digits, an even number is expected",
                digits.len()
            ),
        ));
    }
    Ok(digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect())
}

fn is_between_digits(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b':'
}

fn from_base64(text: &[u8]) -> Result<Vec<u8>, Failure> {
    let dense: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    STANDARD
        .decode(&dense)
        .or_else(|_| STANDARD_NO_PAD.decode(&dense))
        .map_err(|error| Failure::new(Exit::Refused, format_args!("not base64: {error}")))
}

#[cfg(test)]
mod tests {
    use usphere_proto::EndpointId;
    use usphere_proto::msg::Get;

    use super::*;

    fn get() -> Msg {
        Msg::request(
            "7",
            Get {
                param_paths: vec!["Device.Time.".into()],
                ..Get::default()
            },
        )
    }

    fn record(payload: Vec<u8>) -> Vec<u8> {
        let id = |text| EndpointId::parse(text).unwrap();
        Record::no_session(&id("self::a"), &id("self::b"), payload)
            .to_bytes()
            .to_vec()
    }

    #[test]
    fn records_and_messages_are_told_apart() {
        let msg = get().into_payload().to_vec();
        assert!(matches!(decode(&msg), Ok(Decoded::Msg(_))));
        let decoded = decode(&record(msg)).unwrap();
        assert!(matches!(&decoded, Decoded::Record(_)));
        assert!(decoded.broken_payload().is_none());
        assert!(decoded.text().contains("Device.Time."));
        assert_eq!(
            decoded.json()["record"]["no_session_context"]["payload"]["header"]["msg_id"],
            "7"
        );
    }

    #[test]
    fn what_is_broken_is_told_with_its_place() {
        let mut msg = get().into_payload().to_vec();
        if let Some(last) = msg.last_mut() {
            *last = 0xff;
        }
        let failure = decode(&msg).unwrap_err();
        let expected = "a broken Message: Msg.body.request.get.param_paths[0]: not UTF-8";
        assert_eq!(failure.message, expected);
        assert_eq!(failure.exit, Exit::Refused);
        let mut whole = record(vec![1, 2, 3]);
        let decoded = decode(&whole).unwrap();
        let broken = decoded.broken_payload().unwrap();
        assert!(broken.to_string().starts_with("Msg"), "{broken}");
        whole.pop();
        let failure = decode(&whole).unwrap_err();
        assert!(failure.message.contains("(Record: "), "{failure}");
        assert!(decode(b"").is_err());
    }

    #[test]
    fn hexadecimal_and_base64_are_read_and_recognised() {
        assert_eq!(from_hex(b"0x0a 0B:ff\n").unwrap(), [10, 11, 255]);
        assert!(from_hex(b"0g").unwrap_err().message.contains("offset 1"));
        assert!(from_hex(b"0").is_err());
        assert_eq!(from_base64(b"AQ\nI=\n").unwrap(), [1, 2]);
        assert_eq!(from_base64(b"AQI").unwrap(), [1, 2]);
        let advice = |bytes: &[u8]| hint_at_text(decode(bytes).unwrap_err(), bytes).advice;
        assert!(advice(b"0a03 0a01\n").is_some_and(|advice| advice.contains("--hex")));
        assert!(advice(b"CgMKATcQ\n").is_some_and(|advice| advice.contains("--base64")));
        assert_eq!(advice(&[0xff, 0xff]), None);
    }
}
