//! What diagnostics have in common: their arguments, and the address of a host.

use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::ops::RangeInclusive;

use usphere_datamodel::FaultKind;
use usphere_datamodel::model::{Outputs, OwnerError};

/// The arguments of a command.
pub(crate) type Arguments = BTreeMap<String, String>;

/// Which IP is to be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Version {
    /// Either.
    Any,
    /// Version 4.
    V4,
    /// Version 6.
    V6,
}

impl Version {
    /// The argument `ProtocolVersion`.
    ///
    /// # Errors
    /// When it is none of the three words.
    pub(crate) fn read(arguments: &Arguments) -> Result<Self, OwnerError> {
        match text(arguments, "ProtocolVersion") {
            "Any" | "" => Ok(Self::Any),
            "IPv4" => Ok(Self::V4),
            "IPv6" => Ok(Self::V6),
            other => Err(wrong(
                "ProtocolVersion",
                &format!("{other:?} is none of Any, IPv4 and IPv6"),
            )),
        }
    }

    fn fits(self, address: &IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// An address of the host called `name`, as the host's own resolver gives it; that may take as long as its
/// servers are silent.
pub(crate) fn resolve(name: &str, version: Version) -> Option<IpAddr> {
    let addresses = (name, 0).to_socket_addrs().ok()?;
    let mut addresses = addresses.map(|address| address.ip());
    addresses.find(|address| version.fits(address))
}

/// The argument `name`; empty where there is none.
pub(crate) fn text<'a>(arguments: &'a Arguments, name: &str) -> &'a str {
    arguments.get(name).map(String::as_str).unwrap_or_default()
}

/// The argument `name`, a host's name or address.
///
/// # Errors
/// When it is empty, too long, or has characters that no name has.
pub(crate) fn host(arguments: &Arguments, name: &str) -> Result<String, OwnerError> {
    let text = text(arguments, name);
    let is_name = |character: char| character.is_ascii_graphic() && character != '/';
    if text.is_empty() || text.len() > 256 || !text.chars().all(is_name) {
        return Err(wrong(
            name,
            &format!("{text:?} is neither the name nor the address of a host"),
        ));
    }
    Ok(text.to_owned())
}

/// The argument `name`, a number in `range`; `otherwise` where it is not given.
///
/// # Errors
/// When it is no number, or too small or too large.
pub(crate) fn number(
    arguments: &Arguments,
    name: &str,
    range: RangeInclusive<u32>,
    otherwise: u32,
) -> Result<u32, OwnerError> {
    let text = text(arguments, name);
    if text.is_empty() {
        return Ok(otherwise);
    }
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        wrong(
            name,
            &format!(
                "{text:?} is not a number from {} to {}",
                range.start(),
                range.end()
            ),
        )
    })
}

/// Output arguments from names and values.
pub(crate) fn outputs<const N: usize>(values: [(&str, String); N]) -> Outputs {
    let values = values.into_iter();
    values
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The argument `name` is wrong for the reason `text`.
pub(crate) fn wrong(name: &str, text: &str) -> OwnerError {
    OwnerError {
        kind: FaultKind::ValueInvalid,
        text: format!("{name}: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(name: &str, value: &str) -> Arguments {
        [(name.to_owned(), value.to_owned())].into()
    }

    #[test]
    fn arguments_are_read_within_their_limits() {
        let size = |value| number(&arguments("Size", value), "Size", 1..=65_535, 38);
        assert_eq!(size(""), Ok(38));
        assert_eq!(size("65535"), Ok(65_535));
        for value in ["0", "65536", "-1", "x", "4294967296"] {
            assert_eq!(
                size(value).unwrap_err().kind,
                FaultKind::ValueInvalid,
                "{value}"
            );
        }
        for name in ["", "a b", "a\n", "http://a/", "\u{fffd}"] {
            assert!(host(&arguments("Host", name), "Host").is_err(), "{name:?}");
        }
        assert!(Version::read(&arguments("ProtocolVersion", "IPv5")).is_err());
    }

    #[test]
    fn an_address_is_its_own_name() {
        let v4: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(resolve("192.0.2.1", Version::Any), Some(v4));
        assert_eq!(resolve("192.0.2.1", Version::V6), None);
        assert_eq!(
            resolve("2001:db8::1", Version::V6).map(|address| address.is_ipv6()),
            Some(true)
        );
    }
}
