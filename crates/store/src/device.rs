//! What the inventory knows about a device.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::limits::{
    ALIAS_CHARACTERS_MAX, ENDPOINT_ID_BYTES_MAX, SEARCH_WORDS_MAX, TEXT_BYTES_MAX,
};
use crate::{DeviceState, Milliseconds, StoreError};

/// One device. Whether it is connected is not stored: that is known where its link is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Device {
    /// The Endpoint ID, unique.
    pub endpoint_id: String,
    /// A name that people gave it, unique.
    pub alias: Option<String>,
    /// The protocol that manages it.
    pub protocol: Protocol,
    /// What it said about itself.
    #[serde(flatten)]
    pub description: Description,
    /// When it was first seen.
    pub first_seen: Milliseconds,
    /// When it was last seen.
    pub last_seen: Milliseconds,
    /// Where it was last seen, as `address:port`.
    pub remote_address: Option<String>,
    /// The MTP by which it was last seen.
    pub last_mtp: Option<String>,
    /// Whether it is managed.
    pub state: DeviceState,
    /// Whether it has ever proved by a certificate that the Endpoint ID is its own. From then on it has to.
    pub proven: bool,
    /// What has become of the server's Subscriptions on it: `kept`, or what is wrong, in words; none where that is not known,
    /// or the server keeps none.
    pub subscriptions: Option<String>,
    /// The tags that people gave it, in order.
    pub tags: Vec<String>,
}

/// How a device is managed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TR-369.
    Usp,
}

/// A device was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Its Endpoint ID.
    pub endpoint_id: String,
    /// How it is managed.
    pub protocol: Protocol,
    /// When; earlier than what is known changes nothing but `first_seen`.
    pub at: Milliseconds,
    /// Its address, if there is one.
    pub remote_address: Option<String>,
    /// The MTP that it used, if known.
    pub mtp: Option<String>,
    /// What it is if it was not known before.
    pub state: DeviceState,
    /// Whether it has proved by a certificate that the Endpoint ID is its own.
    pub proven: bool,
}

/// What a device says about itself. What is none was not said and does not replace what is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Description {
    /// `Device.DeviceInfo.Manufacturer`
    pub manufacturer: Option<String>,
    /// `Device.DeviceInfo.ManufacturerOUI`
    pub oui: Option<String>,
    /// `Device.DeviceInfo.ProductClass`
    pub product_class: Option<String>,
    /// `Device.DeviceInfo.SerialNumber`
    pub serial_number: Option<String>,
    /// `Device.DeviceInfo.HardwareVersion`
    pub hardware_version: Option<String>,
    /// `Device.DeviceInfo.SoftwareVersion`
    pub software_version: Option<String>,
    /// The versions of the protocol that it supports, as it listed them: `1.3,1.4`.
    pub protocol_versions: Option<String>,
}

/// One page of the inventory, in order of the Endpoint IDs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// The devices.
    pub devices: Vec<Device>,
    /// Where the next page begins; none after the last.
    pub next: Option<String>,
}

/// Which devices are listed.
#[derive(Clone, Copy)]
pub struct Filter<'a> {
    /// Words that all have to occur in the Endpoint ID, the alias, the address, or what the device said about
    /// itself (ASCII letters in either case).
    pub text: &'a str,
    /// Whether the device with this Endpoint ID is wanted: for what the store does not know.
    pub keep: &'a (dyn Fn(&str) -> bool + 'a),
    /// What has to be in these fields (ASCII letters in either case). A `*` at the end stands for any end.
    pub fields: &'a [(Field, String)],
    /// Tags that the device has to have, all of them.
    pub tags: &'a [String],
}

/// What a device can be looked for by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Field {
    /// [`Description::hardware_version`]
    HardwareVersion,
    /// [`Description::manufacturer`]
    Manufacturer,
    /// [`Description::oui`]
    Oui,
    /// [`Description::product_class`]
    ProductClass,
    /// [`Description::serial_number`]
    SerialNumber,
    /// [`Description::software_version`]
    SoftwareVersion,
}

impl Field {
    /// The name of its column.
    pub(crate) fn column(self) -> &'static str {
        match self {
            Self::HardwareVersion => "hardware_version",
            Self::Manufacturer => "manufacturer",
            Self::Oui => "oui",
            Self::ProductClass => "product_class",
            Self::SerialNumber => "serial_number",
            Self::SoftwareVersion => "software_version",
        }
    }
}

impl fmt::Debug for Filter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter")
            .field("text", &self.text)
            .field("fields", &self.fields)
            .field("tags", &self.tags)
            .finish_non_exhaustive()
    }
}

impl Filter<'static> {
    /// Every device.
    pub const ALL: Self = Self {
        text: "",
        keep: &|_| true,
        fields: &[],
        tags: &[],
    };
}

impl Filter<'_> {
    /// Whether devices are looked for by what people know them by.
    pub(crate) fn looks_into_text(&self) -> bool {
        !self.fields.is_empty() || self.text.split_whitespace().next().is_some()
    }

    /// The words as they are compared.
    pub(crate) fn words(&self) -> Vec<String> {
        let words = self.text.split_whitespace().take(SEARCH_WORDS_MAX);
        words.map(str::to_ascii_lowercase).collect()
    }
}

impl Protocol {
    /// The name under which it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Usp => "usp",
        }
    }

    /// The protocol of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        (name == "usp").then_some(Self::Usp)
    }
}

impl Description {
    /// The same with every text within its limit.
    pub(crate) fn bounded(self) -> Self {
        let cut = |text: Option<String>| text.map(bounded);
        Self {
            manufacturer: cut(self.manufacturer),
            oui: cut(self.oui),
            product_class: cut(self.product_class),
            serial_number: cut(self.serial_number),
            hardware_version: cut(self.hardware_version),
            software_version: cut(self.software_version),
            protocol_versions: cut(self.protocol_versions),
        }
    }
}

impl Sighting {
    /// The same with every text within its limit.
    pub(crate) fn checked(self) -> Result<Self, StoreError> {
        check_endpoint_id(&self.endpoint_id)?;
        Ok(Self {
            remote_address: self.remote_address.map(bounded),
            mtp: self.mtp.map(bounded),
            ..self
        })
    }
}

/// An alias must be something that a person can type and see.
pub(crate) fn check_alias(alias: &str) -> Result<(), StoreError> {
    let reason = if alias.is_empty() {
        "it is empty; to take an alias away give none".to_owned()
    } else if alias.chars().count() > ALIAS_CHARACTERS_MAX {
        format!("it is longer than {ALIAS_CHARACTERS_MAX} characters")
    } else if alias.chars().any(char::is_control) {
        "it contains control characters".to_owned()
    } else if alias.trim() != alias {
        "it begins or ends with a blank".to_owned()
    } else if alias.matches(':').count() > 1 {
        // A device that comes with it as its name would be taken for the one that was meant.
        "it has the form of an Endpoint ID; at most one colon is allowed".to_owned()
    } else {
        return Ok(());
    };
    Err(StoreError::Invalid(format!(
        "the alias {alias:?}: {reason}"
    )))
}

pub(crate) fn check_endpoint_id(id: &str) -> Result<(), StoreError> {
    match id.len() {
        1..=ENDPOINT_ID_BYTES_MAX => Ok(()),
        length => Err(StoreError::Invalid(format!(
            "an Endpoint ID of {length} bytes; 1 to {ENDPOINT_ID_BYTES_MAX} are allowed"
        ))),
    }
}

fn bounded(text: String) -> String {
    cut(text, TEXT_BYTES_MAX)
}

/// At most so many bytes of a text, cut between characters.
pub(crate) fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let end = (0..=bytes_max)
            .rev()
            .find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
    }
    text
}
