//! What a device said, a line each.

use tz::{DateTime, TimeZone};
use usphere_datamodel::operation::{Completion, Notification};

use super::{Failure, clean, text};
use crate::transport::feed::Heard;

/// Columns are at least and at most so wide.
const PATH_WIDTH_MIN: usize = 24;
const PATH_WIDTH_MAX: usize = 72;

/// Prints one line after the other: time, type, path, value. The path's column grows with what comes.
#[derive(Debug)]
pub(crate) struct Lines {
    zone: TimeZone,
    /// Whether to print JSON.
    as_json: bool,
    type_width: usize,
    path_width: usize,
}

impl Lines {
    /// Lines with types of at most `type_width` characters.
    pub(crate) fn new(as_json: bool, type_width: usize) -> Self {
        Self {
            zone: TimeZone::local().unwrap_or_else(|_| TimeZone::utc()),
            as_json,
            type_width,
            path_width: PATH_WIDTH_MIN,
        }
    }

    /// Prints one.
    pub(crate) fn print(&mut self, heard: &Heard) -> Result<(), Failure> {
        let line = match self.as_json {
            true => serde_json::to_string(heard).map_err(Failure::local)?,
            false => self.line(heard),
        };
        text(&(line + "\n")).map(drop)
    }

    fn line(&mut self, heard: &Heard) -> String {
        let (path, value) = columns(&heard.notified.notification);
        let path = clean(&path);
        let width = path.chars().count().min(PATH_WIDTH_MAX);
        self.path_width = self.path_width.max(width);
        let time = clock(heard.at, &self.zone);
        let kind = heard.notified.notification.kind().as_str();
        let (type_width, path_width) = (self.type_width, self.path_width);
        let line = format!(
            "{time}  {kind:type_width$}  {path:path_width$}  {}",
            clean(&value)
        );
        line.trim_end().to_owned()
    }
}

/// What happened to what, and the rest of it.
fn columns(notification: &Notification) -> (String, String) {
    let listed = |pairs: &std::collections::BTreeMap<String, String>| {
        let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join(" ")
    };
    match notification {
        Notification::Event {
            path,
            event,
            arguments,
        } => (format!("{path}{event}"), listed(arguments)),
        Notification::ObjectCreation { path, unique_keys } => (path.clone(), listed(unique_keys)),
        Notification::ObjectDeletion { path } => (path.clone(), String::new()),
        Notification::OnBoardRequest {
            oui,
            product_class,
            serial_number,
            versions,
        } => {
            let versions = versions.join(",");
            let rest = format!("{oui} {product_class} {serial_number}, USP {versions}");
            (String::new(), rest)
        }
        Notification::OperationComplete {
            path,
            command,
            command_key,
            completion,
        } => {
            let key = match command_key.as_str() {
                "" => String::new(),
                key => format!(" ({key})"),
            };
            let rest = match completion {
                Completion::Completed(output) => format!("completed{key} {}", listed(output)),
                Completion::Failed(failure) => {
                    format!("failed{key}: {} ({})", failure.text, failure.code)
                }
            };
            (format!("{path}{command}"), rest)
        }
        Notification::ValueChange { path, value } => (path.clone(), value.clone()),
    }
}

/// The time of day, to the millisecond.
pub(super) fn clock(at: i64, zone: &TimeZone) -> String {
    let (seconds, millis) = (at.div_euclid(1000), at.rem_euclid(1000));
    match DateTime::from_timespec(seconds, 0, zone.as_ref()) {
        Ok(time) => {
            let (hour, minute, second) = (time.hour(), time.minute(), time.second());
            format!("{hour:02}:{minute:02}:{second:02}.{millis:03}")
        }
        Err(_) => format!("{seconds}.{millis:03}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(json: &str) -> Heard {
        serde_json::from_str(json).unwrap()
    }

    fn lines() -> Lines {
        Lines {
            zone: TimeZone::utc(),
            ..Lines::new(false, "ObjectDeletion".len())
        }
    }

    #[test]
    fn a_line_has_time_type_path_and_value() {
        let mut lines = lines();
        let change = heard(
            r#"{"at": 1700000000123, "device": "d", "subscription": "s",
                "type": "ValueChange", "path": "Device.A.B", "value": "x\u001b"}"#,
        );
        let expected = format!(
            "22:13:20.123  ValueChange     {:24}  x\\u{{1b}}",
            "Device.A.B"
        );
        assert_eq!(lines.line(&change), expected);
        let gone = heard(
            r#"{"at": 1700000000007, "device": "d", "subscription": "s",
                "type": "ObjectDeletion", "path": "Device.A.1."}"#,
        );
        assert_eq!(
            lines.line(&gone),
            "22:13:20.007  ObjectDeletion  Device.A.1."
        );
        let failed = heard(
            r#"{"at": 1700000000007, "device": "d", "subscription": "s", "type": "OperationComplete",
                "path": "Device.", "command": "X()", "command_key": "k", "failed": {"code": 7022, "text": "no"}}"#,
        );
        assert!(lines.line(&failed).ends_with("  failed (k): no (7022)"));
    }
}
