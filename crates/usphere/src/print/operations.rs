//! Operations that a server keeps.

use serde::Deserialize;
use serde_json::Value;

use super::devices::ago;
use super::{clean, columns};
use crate::failure::Failure;

/// What the server tells of an Operation, as far as it is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Kept {
    pub(crate) id: String,
    device: String,
    kind: String,
    pub(crate) state: String,
    /// Milliseconds since 1970, as all times here.
    created: i64,
    updated: i64,
    expires: i64,
    attempts: u32,
    request: Value,
    pub(crate) outcome: Option<Value>,
    outcome_bytes: Option<u64>,
    error: Option<Reason>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reason {
    detail: String,
}

impl Kept {
    pub(crate) fn read(json: Value) -> Result<Self, Failure> {
        serde_json::from_value(json).map_err(|error| {
            Failure::local(format_args!(
                "the server's operation cannot be understood: {error}"
            ))
        })
    }

    /// Whether nothing came of it, or nobody knows what did.
    pub(crate) fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    /// Why nothing came of it; empty where that is not so.
    pub(crate) fn reason(&self) -> String {
        let reason = self.error.as_ref();
        reason
            .map(|reason| clean(&reason.detail))
            .unwrap_or_default()
    }
}

/// A line for each Operation.
pub(crate) fn table(operations: &[Kept], now: i64) -> String {
    if operations.is_empty() {
        return "no operations; verbs with --later make some\n".to_owned();
    }
    let rows = operations.iter().map(|kept| {
        vec![
            clean(&kept.id),
            clean(&kept.state),
            ago(now - kept.updated),
            clean(&kept.kind),
            clean(&kept.device),
            kept.reason(),
        ]
    });
    columns(&["ID", "STATE", "SINCE", "VERB", "DEVICE", "REASON"], rows)
}

/// All that is known of an Operation. What is not known is left out.
pub(crate) fn card(kept: &Kept, now: i64) -> String {
    let json = |value: &Value| clean(&value.to_string());
    let expires = match &*kept.state {
        "queued" => format!("in {} s", (kept.expires - now).max(0) / 1000),
        _ => String::new(),
    };
    let outcome = match (&kept.outcome, kept.outcome_bytes) {
        (Some(outcome), _) => json(outcome),
        (None, Some(bytes)) => format!("{bytes} bytes, too much to be kept"),
        (None, None) => String::new(),
    };
    let lines = [
        ("ID", clean(&kept.id)),
        ("State", clean(&kept.state)),
        ("Since", ago(now - kept.updated)),
        ("Accepted", ago(now - kept.created)),
        ("Expires", expires),
        ("Device", clean(&kept.device)),
        ("Verb", clean(&kept.kind)),
        ("Sent", format!("{} times", kept.attempts)),
        ("Request", json(&kept.request)),
        ("Outcome", outcome),
        ("Reason", kept.reason()),
    ];
    let known = lines.into_iter().filter(|(_, value)| !value.is_empty());
    columns(&[], known.map(|(name, value)| vec![name.to_owned(), value]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_listed_with_the_reason_where_nothing_came_of_them() {
        let json = serde_json::json!({"id": "op-1", "device": "os::1", "kind": "set", "state": "failed",
            "updated": 1000, "error": {"error": "cancelled", "detail": "it was cancelled"}});
        let kept = Kept::read(json).unwrap();
        assert_eq!(
            table(&[kept], 4000),
            "ID    STATE   SINCE    VERB  DEVICE  REASON\nop-1  failed  3 s ago  set   os::1   it was cancelled\n"
        );
        assert!(table(&[], 0).contains("--later"));
    }

    #[test]
    fn a_card_says_what_was_asked_and_what_came_of_it() {
        let json = serde_json::json!({"id": "op-1", "state": "done", "attempts": 1, "kind": "get",
            "device": "os::1", "request": {"paths": []}, "outcome_bytes": 7});
        let card = card(&Kept::read(json).unwrap(), 0);
        assert!(card.contains("Request   {\"paths\":[]}\n"), "{card}");
        assert!(
            card.contains("Outcome   7 bytes, too much to be kept\n"),
            "{card}"
        );
        assert!(
            !card.contains("Expires") && !card.contains("Reason"),
            "{card}"
        );
    }
}
