//! Contacts that failed, as the server tells them.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;

use super::clean;
use super::devices::ago;
use crate::failure::Failure;

/// What the server tells of itself, as far as it is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Server {
    endpoint_id: String,
    ws: String,
    devices: u64,
    online: u64,
}

/// What the server tells of a contact.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Contact {
    /// Milliseconds since 1970, as all times here.
    at: i64,
    first: i64,
    count: u64,
    remote: String,
    endpoint_id: Option<String>,
    reason: String,
    detail: String,
    advice: String,
}

impl Server {
    pub(crate) fn read(json: Value) -> Result<Self, Failure> {
        serde_json::from_value(json).map_err(not_understood)
    }
}

impl Contact {
    pub(crate) fn read(json: Value) -> Result<Self, Failure> {
        serde_json::from_value(json).map_err(not_understood)
    }
}

/// Who the server is, and where devices reach it.
pub(crate) fn head(server: &Server) -> String {
    let Server {
        endpoint_id,
        ws,
        devices,
        online,
    } = server;
    format!(
        "{}, where devices connect at {}; {online} of {devices} devices are online\n",
        clean(endpoint_id),
        clean(ws)
    )
}

/// A paragraph for each contact: when and who, what was wrong, what to do.
pub(crate) fn list(contacts: &[Contact], device: Option<&str>, now: i64) -> String {
    if contacts.is_empty() {
        return match device {
            Some(device) => format!(
                "nothing is known of a contact of {} that failed; a device that is missing has not reached the server at all: \
                 look at its address for the server, its network and its log\n",
                clean(device)
            ),
            None => "no contact has failed\n".to_owned(),
        };
    }
    contacts.iter().map(|contact| one(contact, now)).collect()
}

fn one(contact: &Contact, now: i64) -> String {
    let mut text = format!(
        "\n{}  {}  from {}",
        ago(now - contact.at),
        clean(&contact.reason).replace('_', " "),
        clean(&contact.remote)
    );
    if let Some(endpoint_id) = &contact.endpoint_id {
        let _ = write!(text, "  as {}", clean(endpoint_id));
    }
    if contact.count > 1 {
        let first = ago(now - contact.first);
        let _ = write!(text, "  ({} times, first {first})", contact.count);
    }
    let (detail, advice) = (clean(&contact.detail), clean(&contact.advice));
    let _ = writeln!(text, "\n  {detail}\n  {advice}");
    text
}

fn not_understood(error: serde_json::Error) -> Failure {
    Failure::local(format_args!(
        "what the server tells cannot be understood: {error}"
    ))
    .advise("is the server of another version?")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_contact_says_who_why_and_what_to_do() {
        let contact = Contact::read(json!({"id": 1, "at": 60_000, "first": 0, "count": 3,
            "remote": "192.0.2.1:5000", "mtp": "WebSocket", "endpoint_id": "os::1",
            "reason": "wrong_path", "detail": "it asked for /ws", "advice": "Correct it."}));
        let text = list(&[contact.unwrap()], None, 120_000);
        assert_eq!(
            text,
            "\n60 s ago  wrong path  from 192.0.2.1:5000  as os::1  (3 times, first 2 min ago)\n  \
             it asked for /ws\n  Correct it.\n"
        );
        assert!(list(&[], None, 0).contains("no contact has failed"));
        assert!(list(&[], Some("os::1"), 0).contains("contact of os::1"));
    }
}
