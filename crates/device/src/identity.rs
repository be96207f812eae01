//! What the host is: its firmware's tables, its device tree, its first network card, its release.

use std::path::Path;

use usphere_datamodel::model::{Snapshot, SnapshotObject};
use usphere_datamodel::types::list;

use crate::config::{DeviceConfig, HostPaths};
use crate::files::{self, Reading, Unread, if_told};
use crate::limits::FILES_MAX;
use crate::objects::{DEVICE_INFO, OUI_UNKNOWN, VERSIONS, VERSIONS_MAX};
use crate::text::fit;

/// What is configured, and where nothing is, what the host tells; empty where it does not.
///
/// # Errors
/// When something that tells of it cannot be read for now.
pub(crate) fn fetch(config: &DeviceConfig, paths: &HostPaths) -> Result<Snapshot, Unread> {
    let mut facts = Facts::read(paths)?.into_values();
    for (name, value) in config.overrides() {
        if let Some(value) = value {
            facts.retain(|(known, _)| *known != name);
            facts.push((name, value.to_owned()));
        }
    }
    let categories = list::join(config.device_category.iter().map(String::as_str));
    facts.push(("DeviceCategory", categories));
    let values = facts.into_iter().map(|(name, value)| (name.into(), value));
    Ok(Snapshot {
        objects: vec![SnapshotObject {
            path: DEVICE_INFO.path.into(),
            keys: Vec::new(),
            values: values.collect(),
        }],
    })
}

/// What the host tells about itself.
#[derive(Debug, Default)]
struct Facts {
    manufacturer: String,
    oui: Option<String>,
    model: String,
    model_number: String,
    serial: String,
    hardware: String,
    bios: String,
    kernel: String,
    release: Release,
}

impl Facts {
    fn read(paths: &HostPaths) -> Result<Self, Unread> {
        let dmi = |names: &[&str]| first(&paths.sys.join("class/dmi/id"), names);
        let tree = |name: &str| first(&paths.sys.join("firmware/devicetree/base"), &[name]);
        let (tree_vendor, tree_number) =
            compatible(&paths.sys.join("firmware/devicetree/base/compatible"))?;
        let card = mac_address(&paths.sys.join("class/net"))?;
        let card_serial = || card.map(|mac| mac.map(|byte| format!("{byte:02X}")).concat());
        let model = dmi(&["product_name", "board_name"])?;
        let serial = dmi(&["product_serial", "board_serial", "chassis_serial"])?;
        let (tree_model, tree_serial) = (tree("model")?, tree("serial-number")?);
        Ok(Self {
            manufacturer: dmi(&["sys_vendor", "board_vendor", "chassis_vendor"])?
                .unwrap_or(tree_vendor),
            oui: card.and_then(oui),
            model: model.or(tree_model).unwrap_or_default(),
            model_number: dmi(&["product_sku"])?.unwrap_or(tree_number),
            serial: serial
                .or(tree_serial)
                .or_else(card_serial)
                .unwrap_or_default(),
            hardware: dmi(&["product_version", "board_version"])?.unwrap_or_default(),
            bios: dmi(&["bios_version"])?.unwrap_or_default(),
            kernel: first(&paths.proc.join("sys/kernel"), &["osrelease"])?.unwrap_or_default(),
            release: Release::read(&paths.etc.join("os-release"))?,
        })
    }

    fn into_values(self) -> Vec<(&'static str, String)> {
        let words = [&*self.manufacturer, &*self.model, &*self.release.name];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        vec![
            ("Description", fit(words.join(", ").as_bytes(), 256)),
            ("Manufacturer", self.manufacturer),
            (
                "ManufacturerOUI",
                self.oui.unwrap_or_else(|| OUI_UNKNOWN.to_owned()),
            ),
            ("ProductClass", self.model.clone()),
            ("ModelName", self.model),
            ("ModelNumber", self.model_number),
            ("SerialNumber", self.serial),
            ("HardwareVersion", self.hardware),
            ("SoftwareVersion", self.release.version),
            (
                "AdditionalHardwareVersion",
                versions(&[("BIOS", &self.bios)]),
            ),
            (
                "AdditionalSoftwareVersion",
                versions(&[("Linux", &self.kernel)]),
            ),
        ]
    }
}

/// A list of `what version`, shortened to what its parameter can hold.
fn versions(of: &[(&str, &str)]) -> String {
    let told = of.iter().filter(|(_, version)| !version.is_empty());
    let items: Vec<String> = told
        .map(|(what, version)| fit(format!("{what} {version}").as_bytes(), VERSIONS_MAX))
        .collect();
    let mut items: Vec<&str> = items.iter().map(String::as_str).collect();
    loop {
        let joined = list::join(items.iter().copied());
        if VERSIONS.canonical(&joined).is_ok() {
            return joined;
        }
        items.pop();
    }
}

/// The first of the files in `folder` that tells something.
fn first(folder: &Path, names: &[&str]) -> Reading<String> {
    for name in names {
        // Serial numbers are for root only.
        let content = if_told(files::bytes(&folder.join(name)))?;
        let text = fit(&content.unwrap_or_default(), 64);
        if !is_placeholder(&text) {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// What makers of mainboards leave in fields that they did not fill.
fn is_placeholder(text: &str) -> bool {
    const PLACEHOLDERS: [&str; 11] = [
        "",
        "0",
        "0123456789",
        "123456789",
        "default string",
        "invalid",
        "n/a",
        "none",
        "not applicable",
        "not specified",
        "unknown",
    ];
    let text = text.to_lowercase();
    PLACEHOLDERS.contains(&&*text)
        || text.contains("o.e.m")
        || text.starts_with("system ")
        || text.starts_with("to be filled")
        || text.bytes().all(|byte| byte == text.as_bytes()[0])
}

/// Vendor and model of a device tree's `compatible`: NUL-separated, `vendor,model` each, the most exact first.
fn compatible(path: &Path) -> Result<(String, String), Unread> {
    let content = if_told(files::bytes(path))?.unwrap_or_default();
    let exact = content.split(|byte| *byte == 0).next().unwrap_or_default();
    let exact = fit(exact, 129);
    let (vendor, model) = exact.split_once(',').unwrap_or(("", &exact));
    Ok((fit(vendor.as_bytes(), 64), fit(model.as_bytes(), 64)))
}

type MacAddress = [u8; 6];

/// The address of the first network card, by name, that is hardware and has an address of its own.
fn mac_address(cards: &Path) -> Reading<MacAddress> {
    let cards = if_told(files::list(cards, FILES_MAX))?;
    for card in cards.iter().filter(|card| card.join("device").exists()) {
        let kind = if_told(files::text(&card.join("addr_assign_type")))?;
        let is_own = kind.is_none_or(|kind| kind.trim() == "0");
        let address = if_told(files::text(&card.join("address")))?;
        let address = address.and_then(|address| parse_mac_address(address.trim()));
        if is_own && address.is_some() {
            return Ok(address);
        }
    }
    Ok(None)
}

fn parse_mac_address(text: &str) -> Option<MacAddress> {
    let mut mac = MacAddress::default();
    let mut parts = text.split(':');
    for byte in &mut mac {
        let part = parts.next().filter(|part| {
            part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit())
        })?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    (parts.next().is_none() && mac != MacAddress::default()).then_some(mac)
}

/// The manufacturer's part of an address; one that was made up locally has none.
fn oui(mac: MacAddress) -> Option<String> {
    const MULTICAST_OR_LOCAL: u8 = 0b11;
    let [first, second, third, ..] = mac;
    (first & MULTICAST_OR_LOCAL == 0).then(|| format!("{first:02X}{second:02X}{third:02X}"))
}

/// What `/etc/os-release` says.
#[derive(Debug, Default)]
struct Release {
    name: String,
    version: String,
}

impl Release {
    fn read(path: &Path) -> Result<Self, Unread> {
        let content = if_told(files::text(path))?.unwrap_or_default();
        let field = |name: &str| {
            let value = content
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
            Some(fit(unquote(value.trim()).as_bytes(), 64)).filter(|value| !value.is_empty())
        };
        Ok(Self {
            name: field("PRETTY_NAME")
                .or_else(|| field("NAME"))
                .unwrap_or_default(),
            version: field("VERSION_ID")
                .or_else(|| field("BUILD_ID"))
                .unwrap_or_default(),
        })
    }
}

/// A value as a shell would read it: quotes around it go, backslashes inside too.
fn unquote(value: &str) -> String {
    let quoted = |quote| {
        value
            .strip_prefix(quote)
            .and_then(|value: &str| value.strip_suffix(quote))
    };
    let inner = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
    let mut plain = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' {
            characters.next()
        } else {
            Some(character)
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_manufacturers_address_has_an_oui() {
        let of = |text| parse_mac_address(text).and_then(oui);
        assert_eq!(of("00:00:5e:00:53:01").as_deref(), Some("00005E"));
        assert_eq!(of("52:54:00:12:34:56"), None);
        for bad in [
            "",
            "00:00:00:00:00:00",
            "00:00:5e:00:53",
            "00:00:5e:00:53:01:02",
            "+0:00:5e:00:53:01",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn fields_that_nobody_filled_tell_nothing() {
        for text in [
            "",
            "To Be Filled By O.E.M.",
            "Default string",
            "System Product Name",
            "........",
            "00000000",
            "None",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["ThinkPad", "0A1B", "Systema"] {
            assert!(!is_placeholder(text), "{text}");
        }
    }

    #[test]
    fn release_values_are_read_as_a_shell_would() {
        for (written, read) in [
            ("12", "12"),
            ("\"a b\"", "a b"),
            ("'x'", "x"),
            (r#""a\"b""#, "a\"b"),
            ("\"", "\""),
            ("a\\", "a"),
        ] {
            assert_eq!(unquote(written), read);
        }
    }

    #[test]
    fn a_list_of_versions_always_fits() {
        assert_eq!(versions(&[("Linux", "6.1.0"), ("BIOS", "")]), "Linux 6.1.0");
        assert_eq!(versions(&[("Linux", &"9".repeat(64))]).len(), 64);
        assert_eq!(versions(&[("Linux", &",".repeat(64))]), "");
        assert_eq!(versions(&[]), "");
    }
}
