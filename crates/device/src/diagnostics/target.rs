//! What diagnostics have in common: their arguments, and the address of a host.

use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;

use usphere_datamodel::FaultKind;
use usphere_datamodel::model::{Outputs, OwnerError};

use super::CANCEL_PERIOD;
use crate::limits::RESOLVERS_MAX;

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

/// An address of the host called `name`, as the host's own resolver gives it. That may take as long as its
/// servers are silent, but no longer than until `is_cancelled` says so; None then, and where there is none.
pub(crate) fn resolve(
    name: &str,
    version: Version,
    is_cancelled: &dyn Fn() -> bool,
) -> Option<IpAddr> {
    static RESOLVERS: Resolvers = Resolvers(AtomicUsize::new(0));
    if let Ok(address) = name.parse() {
        return Some(address).filter(|address| version.fits(address));
    }
    let name = name.to_owned();
    let look_up = move || {
        let addresses = (name.as_str(), 0).to_socket_addrs();
        let addresses = addresses.map(|found| found.map(|address| address.ip()).collect());
        addresses.unwrap_or_default()
    };
    let addresses = RESOLVERS.run(look_up, is_cancelled)?;
    addresses.into_iter().find(|address| version.fits(address))
}

/// Threads that ask the host's resolver, which nothing can interrupt: what is cancelled is left to end by
/// itself. At most [`RESOLVERS_MAX`] at once.
struct Resolvers(AtomicUsize);

impl Resolvers {
    fn run(
        &'static self,
        look_up: impl FnOnce() -> Vec<IpAddr> + Send + 'static,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Option<Vec<IpAddr>> {
        let (found, wanted) = channel();
        let seat = self.seat()?;
        // It is in the network namespace of this thread.
        let started = thread::Builder::new()
            .name("resolver".to_owned())
            .spawn(move || {
                // Nobody may wait for it any more.
                let _ = found.send(look_up());
                drop(seat);
            });
        if let Err(error) = started {
            tracing::warn!("no thread can be had to look up a name: {error}");
            return None;
        }
        while !is_cancelled() {
            match wanted.recv_timeout(CANCEL_PERIOD) {
                Ok(addresses) => return Some(addresses),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        None
    }

    fn seat(&'static self) -> Option<Seat> {
        let seat = Seat(&self.0);
        let has_room = self.0.fetch_add(1, Ordering::Relaxed) < RESOLVERS_MAX;
        if !has_room {
            tracing::warn!("{RESOLVERS_MAX} names are being looked up already, another is not");
        }
        has_room.then_some(seat)
    }
}

/// The place of one thread; it is free again when this is dropped.
struct Seat(&'static AtomicUsize);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The argument `DataBlockSize`, bytes that one datagram of ICMP or UDP can carry over the `version` of IP;
/// `otherwise` where it is not given.
///
/// # Errors
/// When it is no number, or one datagram does not hold as much.
pub(crate) fn data_bytes(
    arguments: &Arguments,
    version: Version,
    otherwise: u32,
) -> Result<usize, OwnerError> {
    // Both headers are 8 bytes long. The length of a packet of IPv4 counts its own header of 20 bytes.
    const V4_MAX: u32 = 65_535 - 20 - 8;
    const V6_MAX: u32 = 65_535 - 8;
    let most = match version {
        Version::Any | Version::V4 => V4_MAX,
        Version::V6 => V6_MAX,
    };
    let bytes = number(arguments, "DataBlockSize", 1..=most, otherwise)?;
    Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
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
    use std::time::{Duration, Instant};

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
        let resolve = |name, version| resolve(name, version, &|| false);
        assert_eq!(resolve("192.0.2.1", Version::Any), Some(v4));
        assert_eq!(resolve("192.0.2.1", Version::V6), None);
        assert_eq!(
            resolve("2001:db8::1", Version::V6).map(|address| address.is_ipv6()),
            Some(true)
        );
    }

    #[test]
    fn a_resolver_that_is_silent_is_left_alone_when_it_is_cancelled_and_few_are() {
        static RESOLVERS: Resolvers = Resolvers(AtomicUsize::new(0));
        let began = Instant::now();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let ended = std::sync::Arc::new(std::sync::Mutex::new(ended));
        for _ in 0..RESOLVERS_MAX {
            let ended = std::sync::Arc::clone(&ended);
            let silent = move || {
                // Until the test lets go.
                let _ = ended.lock().map(|ended| ended.recv());
                Vec::new()
            };
            assert_eq!(RESOLVERS.run(silent, &|| true), None);
        }
        assert_eq!(RESOLVERS.run(Vec::new, &|| false), None, "no more of them");
        assert!(began.elapsed() < Duration::from_secs(10));
        drop(end);
        while RESOLVERS.0.load(Ordering::Relaxed) > 0 {
            assert!(began.elapsed() < Duration::from_secs(30));
            thread::sleep(Duration::from_millis(10));
        }
        let found = RESOLVERS.run(|| vec![[192, 0, 2, 1].into()], &|| false);
        assert_eq!(found.map(|found| found.len()), Some(1));
    }

    #[test]
    fn a_datagram_holds_as_much_as_its_version_of_ip_lets_it() {
        let size = |value, version| data_bytes(&arguments("DataBlockSize", value), version, 32);
        assert_eq!(size("65507", Version::V4), Ok(65_507));
        assert_eq!(size("65527", Version::V6), Ok(65_527));
        for (value, version) in [
            ("65508", Version::Any),
            ("65508", Version::V4),
            ("65535", Version::V6),
        ] {
            let error = size(value, version).unwrap_err();
            assert!(error.text.contains(value), "{error}");
        }
    }
}
