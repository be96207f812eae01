//! Lines of a device's log.

use std::fmt::Write as _;

use serde_json::Value;
use tz::TimeZone;
use usphere_proto::{Limits, Msg, Record, RecordType};

use super::notifications::clock;
use super::{clean, text};
use crate::failure::Failure;

/// How a log is printed.
pub(crate) struct Printer {
    zone: TimeZone,
    as_json: bool,
    /// Whether fields are left out.
    is_brief: bool,
}

impl Printer {
    /// Prints JSON, or text with the fields of Records unless it is to be brief.
    pub(crate) fn new(as_json: bool, is_brief: bool) -> Self {
        Self {
            zone: TimeZone::local().unwrap_or_else(|_| TimeZone::utc()),
            as_json,
            is_brief,
        }
    }

    /// Prints one line of the server's log; whether it was a Record.
    pub(crate) fn print(&self, line: &Value) -> Result<bool, Failure> {
        let record = line.get("record");
        if self.as_json {
            text(&format!("{line}\n"))?;
        } else {
            text(&self.render(line, record))?;
        }
        Ok(record.is_some())
    }

    fn render(&self, line: &Value, record: Option<&Value>) -> String {
        let time = clock(line["at"].as_i64().unwrap_or_default(), &self.zone);
        let field = |name: &str| clean(line[name].as_str().unwrap_or_default());
        let Some(record) = record else {
            return match line["type"].as_str() {
                Some("missed") => {
                    let count = line["count"].as_u64().unwrap_or_default();
                    format!("{time}  {count} Records are not shown: they came too fast\n")
                }
                _ => format!("{time}  {}\n", field("note")),
            };
        };
        let arrow = match line["type"].as_str() {
            Some("received") => "<-",
            _ => "->",
        };
        let Ok(record) = Record::from_json(record) else {
            return format!("{time}  {arrow} {}\n", clean(&record.to_string()));
        };
        let mut shown = format!("{time}  {arrow} {}\n", summary(&record));
        if !self.is_brief {
            for line in record.to_text().lines() {
                let _ = writeln!(shown, "    {line}");
            }
        }
        shown
    }
}

/// What a Record is, in a few words.
fn summary(record: &Record) -> String {
    let kind = match &record.record_type {
        Some(RecordType::Disconnect(disconnect)) => {
            format!(
                "Disconnect ({}) {}",
                disconnect.reason_code, disconnect.reason
            )
        }
        Some(RecordType::NoSessionContext(context)) => {
            match Msg::decode_bounded(context.payload.clone(), &Limits::DEFAULT) {
                Ok(msg) => match msg.kind() {
                    Some(kind) => format!("{kind:?} {}", msg.msg_id()),
                    None => format!("Message {}", msg.msg_id()),
                },
                Err(_) => "a payload that is no Message".to_owned(),
            }
        }
        Some(RecordType::SessionContext(_)) => "a Record of a session context".to_owned(),
        Some(RecordType::WebSocketConnect(_)) => {
            format!("WebSocketConnect, USP {}", record.version)
        }
        Some(
            RecordType::MqttConnect(_) | RecordType::StompConnect(_) | RecordType::UdsConnect(_),
        ) => "the Connect Record of another MTP".to_owned(),
        None => "a Record without type".to_owned(),
    };
    clean(&kind)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use usphere_proto::EndpointId;
    use usphere_proto::msg::Get;

    use super::*;

    #[test]
    fn a_line_names_the_message_and_shows_its_fields_where_wanted() {
        let id = |text| EndpointId::parse(text).unwrap();
        let get = Get {
            param_paths: vec!["Device.Time.".into()],
            ..Get::default()
        };
        let payload = Msg::request("7", get).into_payload();
        let record = Record::no_session(&id("self::a"), &id("self::b"), payload);
        let line = json!({"at": 0, "type": "sent", "record": record.to_readable_json()});
        let printer = |is_brief| Printer::new(false, is_brief);
        let brief = printer(true).render(&line, line.get("record"));
        assert!(brief.ends_with("  -> Get 7\n"), "{brief}");
        let whole = printer(false).render(&line, line.get("record"));
        assert!(whole.contains("    Record\n"), "{whole}");
        assert!(whole.contains("\"Device.Time.\""), "{whole}");
        let note = json!({"at": 0, "type": "note", "note": "gone\u{1b}[2J"});
        let note = printer(false).render(&note, None);
        assert!(note.ends_with("gone\\u{1b}[2J\n"), "{note}");
    }
}
