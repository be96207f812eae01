//! What nobody may read in a log: values that TR-181 never shows, or only to those it calls secured.
//!
//! A Controller cannot ask a device which of its parameters are secret: no message tells. So they are known by
//! name, those of TR-181 and what vendors call such things. What is in doubt is hidden.

use std::collections::BTreeMap;

use serde_json::Value;

/// What stands in place of a secret.
const HIDDEN: &str = "(hidden)";

/// Parts of names that tell of a secret, in small letters.
const PARTS: [&str; 12] = [
    "apikey",
    "authkey",
    "credential",
    "passphrase",
    "password",
    "passwd",
    "presharedkey",
    "privatekey",
    "privkey",
    "secret",
    "token",
    "wepkey",
];

/// Other names of parameters and arguments that TR-181 has as secret, in small letters.
const NAMES: [&str; 8] = [
    "authenticationcode",
    "authenticationkey",
    "encryptionkey",
    "key",
    "keyvalue",
    "pin",
    "psk",
    "puk",
];

/// Fields of messages and of Operations that hold the name of a parameter, and the field beside it that holds its
/// value.
const PAIRS: [(&str, &str); 3] = [
    ("name", "value"),
    ("param", "value"),
    ("param_path", "param_value"),
];

/// Takes the secrets out of a Record in its readable JSON form. A payload that is no Message, whatever it
/// may hold, is left empty.
pub(crate) fn redact(record: &mut Value) {
    if let Some(Value::Object(context)) = record.get_mut("no_session_context") {
        let decoded = context.remove("payload_decoded");
        if let Some(payload) = context.get_mut("payload") {
            *payload = decoded.unwrap_or_else(|| readable(payload));
        }
    }
    let payloads = record.pointer_mut("/session_context/payload");
    for payload in payloads.and_then(Value::as_array_mut).into_iter().flatten() {
        *payload = readable(payload);
    }
    hide_values(record);
}

/// A payload that was decoded, or nothing.
fn readable(payload: &mut Value) -> Value {
    match payload.take() {
        Value::Object(msg) => Value::Object(msg),
        _ => Value::String(String::new()),
    }
}

/// Takes the secrets out of the values of a message or an Operation.
pub(crate) fn hide_values(json: &mut Value) {
    match json {
        Value::Array(items) => items.iter_mut().for_each(hide_values),
        Value::Object(fields) => {
            for (name, value) in PAIRS {
                let is_secret = fields
                    .get(name)
                    .and_then(Value::as_str)
                    .is_some_and(is_secret);
                if let (true, Some(value)) = (is_secret, fields.get_mut(value)) {
                    hide(value);
                }
            }
            for (name, value) in fields {
                match value {
                    Value::String(_) if is_secret(name) => hide(value),
                    Value::String(text) => hide_in_path(text),
                    value => hide_values(value),
                }
            }
        }
        Value::String(text) => hide_in_path(text),
        Value::Bool(_) | Value::Null | Value::Number(_) => {}
    }
}

/// Takes the secrets out of values by name.
pub(crate) fn hide_named(values: &mut BTreeMap<String, String>) {
    for (name, value) in values {
        hide_of(name, value);
    }
}

/// Hides the value of this name, or at this path, if it is secret.
pub(crate) fn hide_of(path: &str, value: &mut String) {
    if is_secret(path) && !value.is_empty() {
        HIDDEN.clone_into(value);
    }
}

/// Whether a parameter or argument of this name, or at this path, is secret.
fn is_secret(path: &str) -> bool {
    if path.contains(".Challenge.") && path.ends_with(".Value") {
        return true;
    }
    let name = path.rsplit('.').next().unwrap_or_default();
    let name = name.to_ascii_lowercase();
    PARTS.iter().any(|part| name.contains(part)) || NAMES.contains(&name.as_str())
}

/// An empty value is shown: it tells that there is none, or that the device hides it itself.
fn hide(value: &mut Value) {
    if value.as_str().is_some_and(|text| !text.is_empty()) {
        *value = HIDDEN.into();
    }
}

/// Hides what a search expression compares a secret with: `Device.X.[Password=="…"].`
fn hide_in_path(text: &mut String) {
    if !text.contains('[') || !text.contains('"') {
        return;
    }
    let mut shown = String::with_capacity(text.len());
    for (place, part) in text.split('"').enumerate() {
        if place > 0 {
            shown.push('"');
        }
        let is_compared = place % 2 == 1;
        shown.push_str(match is_compared && is_secret(compared(&shown)) {
            true => HIDDEN,
            false => part,
        });
    }
    *text = shown;
}

/// The name before the operator at the end of `text`, without the quote.
fn compared(text: &str) -> &str {
    let text = text.trim_end_matches(['"', ' ', '=', '!', '<', '>', '~']);
    let begin = text.rfind(|c: char| !(c.is_alphanumeric() || "._-".contains(c)));
    text.get(begin.map_or(0, |at| at + 1)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use usphere_proto::msg::{
        Add, CreateObject, CreateParamSetting, Get, GetResp, Notification, Notify, Operate,
        RequestedPathResult, ResolvedPathResult, Set, UpdateObject, UpdateParamSetting,
        ValueChange,
    };
    use usphere_proto::{EndpointId, Msg, Record};

    use super::*;

    const SECRET: &str = "correct horse battery staple";

    fn record(payload: impl Into<Bytes>) -> Record {
        let id = |text| EndpointId::parse(text).unwrap();
        Record::no_session(&id("self::a"), &id("self::b"), payload)
    }

    fn shown(msg: &Msg) -> String {
        let mut json = record(msg.clone().into_payload()).to_readable_json();
        redact(&mut json);
        assert!(Record::from_json(&json).is_ok(), "{json}");
        json.to_string()
    }

    /// Bytes that are no Message, or not the ones that its fields would be encoded to, are not shown.
    #[test]
    fn payloads_are_not_shown_as_bytes() {
        let mut unusual = Msg::request("1", Get::default()).into_payload().to_vec();
        // A field that no Message has: 100, of bytes.
        unusual.extend([0xa2, 0x06, 0x05]);
        unusual.extend(b"horse");
        for payload in [unusual, b"horse".to_vec()] {
            let mut json = record(payload).to_readable_json();
            redact(&mut json);
            let payload = &json["no_session_context"]["payload"];
            assert!(payload.is_object() || payload == "", "{json}");
            assert!(json["no_session_context"].get("payload_decoded").is_none());
        }
    }

    fn values(name: &str) -> BTreeMap<String, String> {
        BTreeMap::from([
            (name.to_owned(), SECRET.to_owned()),
            ("Alias".to_owned(), "plain".to_owned()),
        ])
    }

    /// No message shows a secret, whichever way it carries values; all else stays readable.
    #[test]
    fn secrets_are_hidden_wherever_a_message_has_values() {
        let path = "Device.WiFi.AccessPoint.1.Security.";
        let set = Set {
            update_objs: vec![UpdateObject {
                obj_path: path.into(),
                param_settings: [("KeyPassphrase", SECRET), ("ModeEnabled", "plain")]
                    .map(|(param, value)| UpdateParamSetting {
                        param: param.into(),
                        value: value.into(),
                        required: true,
                    })
                    .into(),
            }],
            ..Set::default()
        };
        let add = Add {
            create_objs: vec![CreateObject {
                obj_path: "Device.Users.User.".into(),
                param_settings: [("Password", SECRET), ("Username", "plain")]
                    .map(|(param, value)| CreateParamSetting {
                        param: param.into(),
                        value: value.into(),
                        required: true,
                    })
                    .into(),
            }],
            ..Add::default()
        };
        let get = GetResp {
            req_path_results: vec![RequestedPathResult {
                resolved_path_results: vec![ResolvedPathResult {
                    resolved_path: path.into(),
                    result_params: values("PreSharedKey"),
                }],
                ..RequestedPathResult::default()
            }],
        };
        let operate = Operate {
            command: "Device.X.Login()".into(),
            input_args: values("FileTransferPassword"),
            ..Operate::default()
        };
        let change = |param_path: &str| Notify {
            notification: Some(Notification::ValueChange(ValueChange {
                param_path: param_path.into(),
                param_value: SECRET.into(),
            })),
            ..Notify::default()
        };
        let search = Get {
            param_paths: vec![format!(
                "Device.Users.User.[Username==\"plain\"&&Password == \"{SECRET}\"].Enable"
            )],
            ..Get::default()
        };
        for (message, has_plain) in [
            (Msg::request("1", set), true),
            (Msg::request("1", add), true),
            (Msg::response("1", get), true),
            (Msg::request("1", operate), true),
            (Msg::request("1", search), true),
            (
                Msg::request("1", change("Device.PPP.Interface.1.Password")),
                false,
            ),
            (
                Msg::request(
                    "1",
                    change("Device.LocalAgent.ControllerTrust.Challenge.1.Value"),
                ),
                false,
            ),
        ] {
            let shown = shown(&message);
            assert!(!shown.contains("horse"), "{shown}");
            assert!(shown.contains(HIDDEN), "{shown}");
            assert_eq!(shown.contains("plain"), has_plain, "{shown}");
        }
        let plain = shown(&Msg::request("1", change("Device.Time.LocalTimeZone")));
        assert!(plain.contains("horse"), "{plain}");
    }

    #[test]
    fn names_are_judged_as_vendors_write_them() {
        for name in [
            "X_ACME_AdminPassword",
            "PIN",
            "Device.X.RadiusSecret",
            "X_SessionToken",
            "Key",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "CommandKey",
            "Ping",
            "KeyUsage",
            "Value",
            "msg_id",
            "Pinned",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
