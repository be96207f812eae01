//! Why the Agent starts, told to each Controller with the parameters that it wants to know. (TR-181, Boot!)
//!
//! The cause is kept before a restart and forgotten when Boot! is made. A factory reset takes place at the
//! start after it, so that a power cut in its midst lets it take place again.

use std::collections::BTreeMap;

use usphere_datamodel::model::{ResolvedKind, Sight};
use usphere_datamodel::{Access, Entry, Moment, ObjectId, Transaction};

use super::Agent;
use crate::engine::notify::Occurrence;
use crate::engine::plans::Conclusion;
use crate::engine::seed::assign;
use crate::engine::survey::rows;
use crate::handlers::shown;
use crate::limits::PARAMETER_MAP_BYTES_MAX;
use crate::objects::{FACTORY_RESET, NEXT_BOOT};
use crate::roles;

/// What stays of the store where a factory reset is to take place before an Agent is made of `entries`:
/// only that stays in `entries`, and what is to be removed from the store is returned. Nothing is returned
/// where none is to take place.
///
/// Whoever drives an Agent calls this with what is stored, removes durably what it returns, and makes the Agent
/// of the rest. Done twice, it does no harm.
pub fn reset_store(entries: &mut Vec<Entry>) -> Vec<Entry> {
    let flag = format!("{NEXT_BOOT}{FACTORY_RESET}");
    let is_due = |entry: &Entry| entry.key == flag && entry.value.as_deref() == Some("true");
    if !entries.iter().any(is_due) {
        return Vec::new();
    }
    let stays = |entry: &Entry| entry.key.starts_with(NEXT_BOOT) && entry.key != flag;
    let removed = entries.iter().filter(|entry| !stays(entry));
    let removed = removed
        .map(|entry| Entry {
            key: entry.key.clone(),
            value: None,
        })
        .collect();
    entries.retain(stays);
    removed
}

/// Whether an Agent that is made of `entries` has never run, or not since a factory reset.
pub(in crate::engine) fn is_first_start(entries: &[Entry]) -> bool {
    entries.iter().all(|entry| entry.key.starts_with(NEXT_BOOT))
}

/// Why the Agent starts.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Cause {
    cause: String,
    command_key: String,
    reason: String,
}

/// The arguments of Boot! for each Controller, by its instance number.
#[derive(Debug)]
pub(in crate::engine) struct Booted {
    events: Vec<(u32, BTreeMap<String, String>)>,
}

impl Agent {
    /// Makes the Boot! of this start.
    pub(super) fn boot(&mut self, cause: Cause, now: Moment) {
        let version = self.software_version.clone();
        let work = move |transaction: &mut Transaction<'_>| {
            Conclusion::Booted(booted(transaction, &cause, &version))
        };
        self.submit_own(Box::new(work), now);
    }

    /// Tells Controllers why the Agent has started.
    pub(in crate::engine) fn tell_boot(&mut self, booted: Booted) {
        for (controller, parameters) in booted.events {
            self.occurred(Occurrence::Event {
                object: "Device.".to_owned(),
                name: "Boot!".to_owned(),
                parameters,
                only: Some(controller),
            });
        }
    }
}

/// Reads why the Agent starts, which is `first` if it never has. From here on the next start is an ordinary
/// one; where that cannot be kept, it tells this cause again.
pub(super) fn take_cause(transaction: &mut Transaction<'_>, first: bool) -> Cause {
    let boot = transaction.find(NEXT_BOOT);
    let mut kept = |name: &str| {
        let text = boot.map(|boot| transaction.text(boot, name).to_owned());
        text.unwrap_or_default()
    };
    let mut cause = Cause {
        cause: kept("Cause"),
        command_key: kept("CommandKey"),
        reason: kept("Reason"),
    };
    if cause.cause.is_empty() {
        let ordinary = if first {
            "LocalFactoryReset"
        } else {
            "LocalReboot"
        };
        cause.cause = ordinary.to_owned();
    }
    if cause.reason.is_empty() {
        cause.reason = "Unknown".to_owned();
    }
    if let Some(boot) = boot {
        for name in ["Cause", "CommandKey", "Reason"] {
            keep(transaction, boot, name, "");
        }
        keep(transaction, boot, FACTORY_RESET, "false");
    }
    cause
}

fn booted(transaction: &mut Transaction<'_>, cause: &Cause, agent_version: &str) -> Booted {
    let version = version(transaction, agent_version);
    let mut updated = false;
    if let Some(boot) = transaction.find(NEXT_BOOT) {
        let before = transaction.text(boot, "SoftwareVersion");
        updated = !before.is_empty() && before != version;
        keep(transaction, boot, "SoftwareVersion", &version);
    }
    let common = [
        ("CommandKey", &*cause.command_key),
        ("Cause", &*cause.cause),
        ("Reason", &*cause.reason),
        ("FirmwareUpdated", if updated { "true" } else { "false" }),
    ];
    let event = |(instance, map)| {
        let common = common.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut parameters = BTreeMap::from(common);
        parameters.insert("ParameterMap".to_owned(), map);
        (instance, parameters)
    };
    let events = parameter_maps(transaction).into_iter().map(event).collect();
    Booted { events }
}

/// The version of the device's firmware, or of the Agent where that is not known.
fn version(transaction: &mut Transaction<'_>, agent_version: &str) -> String {
    let device = transaction.find("Device.DeviceInfo.");
    let version = device.map(|device| transaction.text(device, "SoftwareVersion").to_owned());
    let known = version.filter(|version| !version.is_empty());
    known.unwrap_or_else(|| agent_version.to_owned())
}

/// The ParameterMap of every Controller that is enabled.
fn parameter_maps(transaction: &mut Transaction<'_>) -> Vec<(u32, String)> {
    let Some(agent) = transaction.find("Device.LocalAgent.") else {
        return Vec::new();
    };
    let mut maps = Vec::new();
    for controller in rows(transaction, agent, "Controller") {
        if transaction.text(controller, "Enable") != "true" {
            continue;
        }
        let path = transaction.path(controller).to_owned();
        let mut map = Map::new();
        let wanted = rows(transaction, controller, "BootParameter");
        if !wanted.is_empty() {
            let access = roles::access_of(transaction, &path);
            for row in wanted {
                if transaction.text(row, "Enable") == "true" {
                    let name = transaction.text(row, "ParameterName").to_owned();
                    map.add(transaction, &access, &name);
                }
            }
        }
        maps.push((transaction.instance(controller), map.into_json()));
    }
    maps
}

/// A JSON object of parameters, all of whose values are texts, as in TR-369's example.
struct Map {
    json: String,
}

impl Map {
    fn new() -> Self {
        Self {
            json: "{".to_owned(),
        }
    }

    /// Adds what `pattern` means and `access` may read. A pattern that means nothing adds nothing.
    fn add(&mut self, transaction: &mut Transaction<'_>, access: &Access, pattern: &str) {
        let Ok(resolved) = transaction.resolve_text(pattern, Sight::Readable(access)) else {
            return;
        };
        if resolved.kind != ResolvedKind::Parameter {
            return;
        }
        for target in resolved.targets {
            let name = &*transaction.node(target.node).name;
            let path = format!("{}{name}", transaction.path(target.object));
            if let Ok(value) = shown(transaction, access, target.object, target.node) {
                self.put(&path, value);
            }
        }
    }

    fn put(&mut self, path: &str, value: &str) {
        let start = self.json.len();
        if start > 1 {
            self.json.push(',');
        }
        quote(path, &mut self.json);
        self.json.push(':');
        quote(value, &mut self.json);
        if self.json.len() >= PARAMETER_MAP_BYTES_MAX {
            self.json.truncate(start);
        }
    }

    fn into_json(self) -> String {
        self.json + "}"
    }
}

/// Writes a JSON text. (RFC 8259 7)
fn quote(text: &str, json: &mut String) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if u32::from(c) < 0x20 => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
}

fn keep(transaction: &mut Transaction<'_>, boot: ObjectId, name: &str, value: &str) {
    // Only the store can fail here, and says so by itself.
    let _ = assign(transaction, boot, name, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factory_reset_leaves_nothing_but_its_cause() {
        let entry = |key: &str, value: &str| Entry::put(key, value);
        let mut entries = vec![
            entry("Device.LocalAgent.Controller.1.", ""),
            entry(
                "Device.LocalAgent.X_USPHERE_NextBoot.Cause",
                "RemoteFactoryReset",
            ),
        ];
        assert_eq!(reset_store(&mut entries), [], "none was asked for");
        let flag = format!("{NEXT_BOOT}{FACTORY_RESET}");
        entries.push(entry(&flag, "true"));
        assert!(!is_first_start(&entries));
        let removed = reset_store(&mut entries);
        let keys: Vec<&str> = removed.iter().map(|entry| &*entry.key).collect();
        assert_eq!(keys, ["Device.LocalAgent.Controller.1.", &*flag]);
        assert!(removed.iter().all(|entry| entry.value.is_none()));
        assert_eq!(entries.len(), 1);
        assert!(is_first_start(&entries));
        assert_eq!(reset_store(&mut entries), [], "it is done");
    }

    #[test]
    fn texts_are_quoted_as_json_wants_it() {
        let mut json = String::new();
        quote("a\"b\\c\n\u{7f}ä", &mut json);
        assert_eq!(json, "\"a\\\"b\\\\c\\u000a\u{7f}ä\"");
    }

    #[test]
    fn a_map_that_grows_too_large_leaves_out_what_does_not_fit() {
        let mut map = Map::new();
        map.put("Device.A", "1");
        map.put("Device.B", &"x".repeat(PARAMETER_MAP_BYTES_MAX));
        map.put("Device.C", "2");
        assert_eq!(map.into_json(), r#"{"Device.A":"1","Device.C":"2"}"#);
    }
}
