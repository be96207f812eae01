//! The Subscriptions that a server keeps on every device.

use serde::Deserialize;
use serde_json::Value;

use super::{clean, columns};
use crate::failure::Failure;

/// What the server tells of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Subscription {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    references: Vec<String>,
    built_in: bool,
}

impl Subscription {
    pub(crate) fn read(json: Value) -> Result<Self, Failure> {
        serde_json::from_value(json).map_err(|error| {
            Failure::local(format_args!(
                "the server's Subscription cannot be understood: {error}"
            ))
        })
    }
}

/// A line for each.
pub(crate) fn table(subscriptions: &[Subscription]) -> String {
    if subscriptions.is_empty() {
        return "none: the server's configuration says `subscriptions = false`\n".to_owned();
    }
    let rows = subscriptions.iter().map(|each| {
        let made_by = if each.built_in { "server" } else { "" };
        vec![
            clean(&each.name),
            clean(&each.kind),
            clean(&each.references.join(", ")),
            made_by.to_owned(),
        ]
    });
    columns(&["NAME", "TYPE", "PATHS", "MADE BY"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_listed_with_what_they_are_about() {
        let json = serde_json::json!({"name": "wan", "type": "ValueChange", "built_in": false,
            "references": ["Device.A.", "Device.B"], "created": 7});
        let text = table(&[Subscription::read(json).unwrap()]);
        assert_eq!(
            text,
            "NAME  TYPE         PATHS                MADE BY\nwan   ValueChange  Device.A., Device.B\n"
        );
        assert!(table(&[]).starts_with("none"));
    }
}
