//! Who changed what.

use serde::Deserialize;
use serde_json::Value;

use super::devices::ago;
use super::{clean, columns};
use crate::failure::Failure;

/// An entry of the audit, as far as it is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Entry {
    /// Milliseconds since 1970.
    at: i64,
    actor: String,
    remote: Option<String>,
    action: String,
    target: String,
    what: String,
    operation: Option<String>,
    status: Option<u16>,
}

impl Entry {
    pub(crate) fn read(json: Value) -> Result<Self, Failure> {
        serde_json::from_value(json).map_err(|error| {
            Failure::local(format_args!(
                "the server's audit cannot be understood: {error}"
            ))
        })
    }

    /// What came of it.
    fn outcome(&self) -> String {
        match self.status {
            None => "not known".to_owned(),
            Some(status @ 200..=299) => format!("done ({status})"),
            Some(status @ 400..=499) => format!("refused ({status})"),
            Some(status) => format!("failed ({status})"),
        }
    }
}

/// A line for each entry.
pub(crate) fn table(entries: &[Entry], now: i64) -> String {
    if entries.is_empty() {
        return "nothing was changed\n".to_owned();
    }
    let rows = entries.iter().map(|entry| {
        let what = [
            entry.what.as_str(),
            entry.operation.as_deref().unwrap_or(""),
        ];
        let what: Vec<_> = what.into_iter().filter(|word| !word.is_empty()).collect();
        vec![
            ago(now - entry.at),
            clean(&entry.actor),
            entry.remote.as_deref().map(clean).unwrap_or_default(),
            clean(&entry.action),
            clean(&entry.target),
            clean(&what.join(" ")),
            entry.outcome(),
        ]
    });
    columns(
        &[
            "WHEN", "TOKEN", "FROM", "ACTION", "TARGET", "WHAT", "OUTCOME",
        ],
        rows,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audit_says_who_what_and_what_came_of_it() {
        let entry = |json: Value| Entry::read(json).unwrap();
        let entries = [
            entry(
                serde_json::json!({"at": 1000, "actor": "ci", "remote": "192.0.2.1:5", "action": "set",
                "target": "os::1", "what": "Device.A.B", "operation": "op-1", "status": 200}),
            ),
            entry(
                serde_json::json!({"at": 0, "actor": "root", "action": "device.remove", "target": "os::2"}),
            ),
        ];
        assert_eq!(
            table(&entries, 4000),
            "WHEN     TOKEN  FROM         ACTION         TARGET  WHAT             OUTCOME\n\
             3 s ago  ci     192.0.2.1:5  set            os::1   Device.A.B op-1  done (200)\n\
             4 s ago  root                device.remove  os::2                    not known\n"
        );
        assert!(table(&[], 0).contains("nothing"));
    }
}
