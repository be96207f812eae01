//! The devices of a server.

use serde::Deserialize;
use serde_json::Value;

use super::{clean, columns};
use crate::failure::Failure;

/// What the server tells of a device, as far as it is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Device {
    pub(crate) endpoint_id: String,
    alias: Option<String>,
    online: bool,
    protocol: String,
    manufacturer: Option<String>,
    oui: Option<String>,
    product_class: Option<String>,
    serial_number: Option<String>,
    hardware_version: Option<String>,
    software_version: Option<String>,
    protocol_versions: Option<String>,
    /// Milliseconds since 1970, as all times here.
    first_seen: i64,
    last_seen: i64,
    remote_address: Option<String>,
    last_mtp: Option<String>,
    state: Option<String>,
    /// Whether it has ever proved its Endpoint ID; a server that does not say it is older.
    proven: Option<bool>,
    subscriptions: Option<String>,
    tags: Vec<String>,
}

impl Device {
    pub(crate) fn read(json: Value) -> Result<Self, Failure> {
        serde_json::from_value(json).map_err(|error| {
            Failure::local(format_args!(
                "the server's device cannot be understood: {error}"
            ))
        })
    }

    /// What its Endpoint ID rests on, where that is known.
    pub(crate) fn identity(&self) -> &'static str {
        match self.proven {
            None => "",
            Some(true) => "proved by a certificate",
            Some(false) => "its word: no certificate has ever proved it",
        }
    }

    /// Whether its Endpoint ID rests on its word.
    pub(crate) fn is_unproven(&self) -> bool {
        self.proven == Some(false)
    }

    fn state(&self) -> String {
        let presence = if self.online { "online" } else { "offline" };
        match self.state.as_deref() {
            None | Some("approved") => presence.to_owned(),
            Some(state) => format!("{presence}, {}", clean(state)),
        }
    }

    /// One that is online is seen now, whatever it said last.
    fn seen(&self, now: i64) -> String {
        match self.online {
            true => "now".to_owned(),
            false => ago(now - self.last_seen),
        }
    }
}

/// A line for each device; of all there are, or of those that something was to be true of.
pub(crate) fn table(devices: &[Device], is_narrowed: bool, now: i64) -> String {
    if devices.is_empty() && is_narrowed {
        return "no device fits; `usphere devices list` shows all\n".to_owned();
    }
    if devices.is_empty() {
        return "no devices yet; `usphere agent --controller ID=URL` makes this host one\n"
            .to_owned();
    }
    let rows = devices.iter().map(|device| {
        let product = [&device.manufacturer, &device.product_class];
        let product = product.into_iter().flatten().map(String::as_str);
        vec![
            clean(&device.endpoint_id),
            shown(&device.alias),
            device.state(),
            device.seen(now),
            clean(&product.collect::<Vec<_>>().join(" ")),
            shown(&device.software_version),
        ]
    });
    columns(
        &[
            "ENDPOINT ID",
            "ALIAS",
            "STATE",
            "SEEN",
            "PRODUCT",
            "SOFTWARE",
        ],
        rows,
    )
}

/// Whether a device is there, in a line.
pub(crate) fn line(device: &Device, now: i64) -> String {
    let address = match &device.remote_address {
        Some(remote) => format!(", at {}", clean(remote)),
        None => String::new(),
    };
    format!(
        "{} is {}, seen {}{address}\n",
        clean(&device.endpoint_id),
        device.state(),
        device.seen(now)
    )
}

/// All that is known of a device. What is not known is left out.
pub(crate) fn card(device: &Device, now: i64) -> String {
    let lines = [
        ("Endpoint ID", clean(&device.endpoint_id)),
        ("Alias", shown(&device.alias)),
        ("Tags", clean(&device.tags.join(", "))),
        ("State", device.state()),
        ("Identity", device.identity().to_owned()),
        ("Seen", device.seen(now)),
        ("First seen", ago(now - device.first_seen)),
        ("Address", shown(&device.remote_address)),
        ("Protocol", clean(&device.protocol)),
        ("Versions", shown(&device.protocol_versions)),
        ("MTP", shown(&device.last_mtp)),
        ("Manufacturer", shown(&device.manufacturer)),
        ("OUI", shown(&device.oui)),
        ("Product class", shown(&device.product_class)),
        ("Serial number", shown(&device.serial_number)),
        ("Hardware", shown(&device.hardware_version)),
        ("Software", shown(&device.software_version)),
        ("Subscriptions", shown(&device.subscriptions)),
    ];
    let known = lines.into_iter().filter(|(_, value)| !value.is_empty());
    columns(&[], known.map(|(name, value)| vec![name.to_owned(), value]))
}

fn shown(text: &Option<String>) -> String {
    text.as_deref().map(clean).unwrap_or_default()
}

/// How long ago that is.
pub(super) fn ago(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    match seconds {
        ..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_listed_with_what_is_known() {
        let json = serde_json::json!({"endpoint_id": "os::1", "alias": null, "online": false,
            "manufacturer": "Example", "last_seen": 1000, "first_seen": 0, "protocol": "usp"});
        let device = Device::read(json).unwrap();
        let text = table(&[device], false, 181_000);
        assert_eq!(
            text,
            "ENDPOINT ID  ALIAS  STATE    SEEN       PRODUCT  SOFTWARE\nos::1               offline  3 min ago  Example\n"
        );
        assert!(table(&[], false, 0).contains("no devices yet"));
        assert!(table(&[], true, 0).contains("no device fits"));
    }

    #[test]
    fn who_has_just_gone_is_not_seen_now() {
        let mut device = Device {
            last_seen: 1000,
            ..Device::default()
        };
        assert_eq!(device.seen(1000), "0 s ago");
        assert_eq!(device.seen(900), "0 s ago");
        device.online = true;
        assert_eq!(device.seen(9_000_000), "now");
    }

    #[test]
    fn who_waits_to_be_approved_is_seen_to() {
        let device = Device {
            state: Some("pending".into()),
            ..Device::default()
        };
        assert_eq!(device.state(), "offline, pending");
    }

    #[test]
    fn a_card_leaves_out_what_is_not_known() {
        let device = Device {
            endpoint_id: "os::1".into(),
            online: true,
            first_seen: 0,
            ..Device::default()
        };
        assert_eq!(
            card(&device, 8_000_000),
            "Endpoint ID  os::1\nState        online\nSeen         now\nFirst seen   2 h ago\n"
        );
    }
}
