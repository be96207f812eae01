//! Endpoint IDs: `authority-scheme ":" [authority-id] ":" instance-id`.
//!
//! An ID is opaque once it is read: compared byte by byte, never folded or decoded.

mod query;
mod rules;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

pub use self::query::{
    QueryError, append_eid, decode_query_value, eid_in_query, encode_query_value,
};
use crate::limits::ENDPOINT_ID_BYTES_MAX;

const URN_PREFIX: &str = "urn:bbf:usp:id:";

/// Identity of an Agent or Controller; cheap to clone.
///
/// Two ways lead to one. [`EndpointId::parse`] keeps every rule of the specification and is for
/// IDs that we give ourselves or are configured with. [`EndpointId::from_wire`] is for IDs that peers
/// give themselves: it wants the three parts and printable characters, so that a device with a
/// 51-character serial number can still be managed; [`EndpointId::fault`] says what is wrong with such an ID.
/// The check of a Record uses `from_wire`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(Arc<str>);

impl EndpointId {
    /// Reads an ID by every rule of its authority scheme. (R-ARC.2a, R-ARC.5, R-ARC.6)
    pub fn parse(text: &str) -> Result<Self, EndpointIdError> {
        let id = Self::from_wire(text)?;
        match id.fault() {
            Some(error) => Err(error),
            None => Ok(id),
        }
    }

    /// Reads the ID of a peer: three parts, a scheme and an instance-id that are not empty, no
    /// blanks, control or invisible characters, at most [`ENDPOINT_ID_BYTES_MAX`] bytes.
    pub fn from_wire(text: &str) -> Result<Self, EndpointIdError> {
        if text.len() > ENDPOINT_ID_BYTES_MAX {
            return Err(EndpointIdError::TooLong { bytes: text.len() });
        }
        let whole = || text.to_owned();
        let is_unprintable = |c: char| c.is_whitespace() || c.is_control() || is_invisible(c);
        if let Some(found) = text.chars().find(|c| is_unprintable(*c)) {
            return Err(EndpointIdError::Unprintable { id: whole(), found });
        }
        match text.splitn(3, ':').collect::<Vec<_>>()[..] {
            [scheme, _, instance] if !scheme.is_empty() && !instance.is_empty() => {
                Ok(Self(text.into()))
            }
            _ => Err(EndpointIdError::Shape { id: whole() }),
        }
    }

    /// Reads the form that stands in certificates, `urn:bbf:usp:id:` before the ID.
    pub fn from_urn(urn: &str) -> Result<Self, EndpointIdError> {
        // RFC 8141: "urn" and the namespace identifier are case-insensitive, the rest is not.
        match urn.split_at_checked(URN_PREFIX.len()) {
            Some((prefix, id)) if prefix.eq_ignore_ascii_case(URN_PREFIX) => Self::from_wire(id),
            _ => Err(EndpointIdError::Urn {
                urn: urn.chars().take(ENDPOINT_ID_BYTES_MAX).collect(),
            }),
        }
    }

    /// The form that stands in certificates.
    pub fn to_urn(&self) -> String {
        format!("{URN_PREFIX}{}", self.0)
    }

    /// The first rule of the specification that the ID breaks, if any.
    pub fn fault(&self) -> Option<EndpointIdError> {
        rules::check(self).err()
    }

    /// The whole ID.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The authority-scheme, where it is one that the specification knows.
    pub fn scheme(&self) -> Option<Scheme> {
        Scheme::from_name(self.parts().0)
    }

    /// The authority-id; often empty.
    pub fn authority_id(&self) -> &str {
        self.parts().1
    }

    /// The instance-id.
    pub fn instance_id(&self) -> &str {
        self.parts().2
    }

    /// Why the ID must not be used in production, if so. (R-ARC.3, R-ARC.4)
    pub fn production_warning(&self) -> Option<ProductionWarning> {
        rules::production_warning(self)
    }

    fn parts(&self) -> (&str, &str, &str) {
        let (scheme, rest) = self.0.split_once(':').unwrap_or((&self.0, ""));
        let (authority, instance) = rest.split_once(':').unwrap_or((rest, ""));
        (scheme, authority, instance)
    }
}

/// Whether a character shows nothing, or turns around those beside it: two IDs must not look the same.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    )
}

/// The authority schemes. (R-ARC.2a)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Company ID of the IEEE.
    Cid,
    /// For documents only.
    Doc,
    /// Fully qualified domain name.
    Fqdn,
    /// Identity of a mobile device.
    Imei,
    /// OUI, product class and serial number.
    Ops,
    /// OUI and serial number.
    Os,
    /// MAC address block of the IEEE.
    Oui,
    /// Private enterprise number of the IANA.
    Pen,
    /// For prototypes only.
    Proto,
    /// Made by the Endpoint itself.
    SelfAssigned,
    /// Given by a user or a management interface.
    User,
    /// UUID.
    Uuid,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 12] = [
        Self::Cid,
        Self::Doc,
        Self::Fqdn,
        Self::Imei,
        Self::Ops,
        Self::Os,
        Self::Oui,
        Self::Pen,
        Self::Proto,
        Self::SelfAssigned,
        Self::User,
        Self::Uuid,
    ];

    /// The name that stands in an Endpoint ID.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cid => "cid",
            Self::Doc => "doc",
            Self::Fqdn => "fqdn",
            Self::Imei => "imei",
            Self::Ops => "ops",
            Self::Os => "os",
            Self::Oui => "oui",
            Self::Pen => "pen",
            Self::Proto => "proto",
            Self::SelfAssigned => "self",
            Self::User => "user",
            Self::Uuid => "uuid",
        }
    }

    /// The scheme of that name; names are lower case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.name() == name)
    }
}

/// What is wrong with an Endpoint ID.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EndpointIdError {
    /// The authority-id breaks a rule of its scheme. (R-ARC.2a)
    #[error(
        "endpoint ID {id:?}: authority-id {authority:?} is not what scheme {scheme:?} wants: {wanted}"
    )]
    Authority {
        /// The whole ID.
        id: String,
        /// Its authority-id.
        authority: String,
        /// Its scheme.
        scheme: &'static str,
        /// The rule.
        wanted: &'static str,
    },
    /// The instance-id breaks a rule of its scheme. (R-ARC.2a)
    #[error(
        "endpoint ID {id:?}: instance-id {instance:?} is not what scheme {scheme:?} wants: {wanted}"
    )]
    Instance {
        /// The whole ID.
        id: String,
        /// Its instance-id.
        instance: String,
        /// Its scheme.
        scheme: &'static str,
        /// The rule.
        wanted: &'static str,
    },
    /// The instance-id has a character that must be percent-encoded. (R-ARC.5)
    #[error(
        "endpoint ID {id:?}: {found:?} in the instance-id; letters, digits, '-', '.', '_' and '%' with two \
         hexadecimal digits are allowed"
    )]
    InstanceCharacter {
        /// The whole ID.
        id: String,
        /// The first character at fault.
        found: char,
    },
    /// The instance-id is too long. (R-ARC.6)
    #[error("endpoint ID {id:?}: the instance-id has {length} characters, at most 50 are allowed")]
    InstanceTooLong {
        /// The whole ID.
        id: String,
        /// Characters of its instance-id.
        length: usize,
    },
    /// The scheme is none of the twelve. (R-ARC.2a)
    #[error(
        "endpoint ID {id:?}: unknown authority-scheme {scheme:?}; expected one of oui, cid, pen, self, user, os, \
         ops, uuid, imei, proto, doc, fqdn"
    )]
    Scheme {
        /// The whole ID.
        id: String,
        /// Its scheme.
        scheme: String,
    },
    /// It does not have three parts.
    #[error(
        "endpoint ID {id:?}: expected \"scheme:authority:instance\", such as \"self::my-agent\""
    )]
    Shape {
        /// The whole ID.
        id: String,
    },
    /// It is absurdly long.
    #[error(
        "endpoint ID of {bytes} bytes, at most {} are read",
        ENDPOINT_ID_BYTES_MAX
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It has a blank, or a control or invisible character.
    #[error("endpoint ID {id:?}: blank, control or invisible character {found:?}")]
    Unprintable {
        /// The whole ID.
        id: String,
        /// The first character at fault.
        found: char,
    },
    /// It is no URN of an Endpoint ID.
    #[error("{urn:?} is no endpoint ID of a certificate; expected \"urn:bbf:usp:id:\" and the ID")]
    Urn {
        /// What was read, cut where it is long.
        urn: String,
    },
}

/// Why an Endpoint ID must stay out of production.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProductionWarning {
    /// OUI 00256D is the Broadband Forum's. (R-ARC.3)
    #[error("OUI 00256D is reserved for documents and prototypes of the Broadband Forum")]
    ForumOui,
    /// Private enterprise number 3561 is the Broadband Forum's. (R-ARC.3)
    #[error(
        "enterprise number 3561 is reserved for documents and prototypes of the Broadband Forum"
    )]
    ForumPen,
    /// Schemes `proto` and `doc` are for prototypes and documents. (R-ARC.4)
    #[error("authority-scheme {:?} is not allowed in production", .0.name())]
    TestScheme(Scheme),
}

impl AsRef<str> for EndpointId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for EndpointId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointId({:?})", &*self.0)
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<EndpointId> for String {
    fn from(id: EndpointId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl FromStr for EndpointId {
    type Err = EndpointIdError;

    /// The same as [`EndpointId::parse`].
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl PartialEq<str> for EndpointId {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for EndpointId {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl Serialize for EndpointId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EndpointId {
    /// Reads as [`EndpointId::from_wire`] does: what was stored of a peer can be read back.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_wire(&text).map_err(de::Error::custom)
    }
}
