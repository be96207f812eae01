//! What the host's own DHCP client wrote down about its leases.
//!
//! Known are systemd-networkd, the internal client of NetworkManager, and ISC dhclient, also where
//! NetworkManager runs it. udhcpc keeps no file, dhcpcd one in a form of its own.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::dhclient::{self, Event};
use crate::config::HostPaths;
use crate::files::{self, Unread, if_told};
use crate::limits::{FILES_MAX, LEASE_ADDRESSES_MAX};

/// What a client was given over IPv4.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Lease4 {
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) mask: Option<Ipv4Addr>,
    pub(crate) routers: Vec<Ipv4Addr>,
    pub(crate) dns: Vec<Ipv4Addr>,
    pub(crate) server: Option<Ipv4Addr>,
    pub(crate) expiry: Expiry,
}

/// What a client was given over IPv6.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Lease6 {
    /// The client's DUID, in hexadecimal digits.
    pub(crate) duid: String,
    pub(crate) dns: Vec<IpAddr>,
    pub(crate) asks_addresses: bool,
    pub(crate) asks_prefixes: bool,
    pub(crate) expiry: Expiry,
}

/// When a lease ends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Expiry {
    /// In seconds since 1970.
    At(i64),
    /// It does not end.
    Never,
    /// Nobody tells.
    #[default]
    Unknown,
}

/// All leases, by the name of the interface.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Leases {
    pub(crate) v4: BTreeMap<String, Lease4>,
    pub(crate) v6: BTreeMap<String, Lease6>,
}

impl Expiry {
    /// Whether the lease holds at `now`, in seconds since 1970.
    pub(crate) fn holds(self, now: i64) -> bool {
        match self {
            Self::At(end) => now < end,
            Self::Never | Self::Unknown => true,
        }
    }

    /// Seconds that are left, at most what an int holds; -1 for ever, 0 where nobody tells.
    pub(crate) fn seconds_left(self, now: i64) -> i64 {
        match self {
            Self::At(end) => end.saturating_sub(now).clamp(0, i64::from(i32::MAX)),
            Self::Never => -1,
            Self::Unknown => 0,
        }
    }
}

impl Leases {
    /// Reads every file that there is and may be read. Of several leases of one interface, one that holds at
    /// `now`, in seconds since 1970, counts before one that has expired, then the one written last.
    ///
    /// # Errors
    /// When a file cannot be read for now.
    pub(crate) fn read(paths: &HostPaths, now: i64) -> Result<Self, Unread> {
        let mut found = Reader::new(now);
        for folder in ["lib/dhcp", "lib/dhclient", "lib/NetworkManager"] {
            for file in if_told(files::list(&paths.var.join(folder), FILES_MAX))? {
                found.file_of_client(&file)?;
            }
        }
        let names = interface_names(paths)?;
        let folder = paths.run.join("systemd/netif/leases");
        for file in if_told(files::list(&folder, FILES_MAX))? {
            let index = file.file_name().and_then(|name| name.to_str());
            if let Some(name) = index.and_then(|index| names.get(index)) {
                found.file_of_settings(&file, name)?;
            }
        }
        Ok(found.leases())
    }
}

/// How much a lease counts: whether it holds, and when the file that it is in was written.
type Rank = (bool, i64);

/// The best lease of each interface so far.
#[derive(Debug)]
struct Reader {
    now: i64,
    v4: BTreeMap<String, (Rank, Lease4)>,
    v6: BTreeMap<String, (Rank, Lease6)>,
}

impl Reader {
    fn new(now: i64) -> Self {
        Self {
            now,
            v4: BTreeMap::new(),
            v6: BTreeMap::new(),
        }
    }

    fn leases(self) -> Leases {
        let v4 = self.v4.into_iter();
        let v6 = self.v6.into_iter();
        Leases {
            v4: v4.map(|(name, (_, lease))| (name, lease)).collect(),
            v6: v6.map(|(name, (_, lease))| (name, lease)).collect(),
        }
    }

    fn file_of_client(&mut self, file: &Path) -> Result<(), Unread> {
        let Some(name) = file.file_name().and_then(|name| name.to_str()) else {
            return Ok(());
        };
        let is_lease = name.ends_with(".lease") || name.ends_with(".leases");
        if name.starts_with("dhclient") && is_lease {
            let text = if_told(files::table(file))?.unwrap_or_default();
            self.take_dhclient(&text, written(file).unwrap_or(0));
        } else if let Some(interface) = interface_of_internal(name) {
            self.file_of_settings(file, interface)?;
        }
        Ok(())
    }

    fn file_of_settings(&mut self, file: &Path, interface: &str) -> Result<(), Unread> {
        let text = if_told(files::text(file))?.unwrap_or_default();
        let written = written(file);
        if let Some(lease) = settings_lease(&text, written) {
            let rank = (lease.expiry.holds(self.now), written.unwrap_or(0));
            take(&mut self.v4, interface, rank, lease);
        }
        Ok(())
    }

    /// Leases stand one after the other, the newest of an interface last; the file was `written` then.
    fn take_dhclient(&mut self, text: &str, written: i64) {
        let mut at = Vec::new();
        let mut found = Found::default();
        for event in dhclient::events(text) {
            match event {
                Event::Open(words) => {
                    found.open(at.len(), &words);
                    at.push(words);
                }
                Event::Statement(words) => found.statement(&at, &words),
                Event::Close => {
                    at.pop();
                    if at.is_empty() {
                        self.keep(core::mem::take(&mut found), written);
                    }
                }
            }
        }
    }

    fn keep(&mut self, found: Found, written: i64) {
        let Some(interface) = found.interface else {
            return;
        };
        let rank = |expiry: Expiry| (expiry.holds(self.now), written);
        match found.version {
            Some(Version::V4) => {
                take(&mut self.v4, &interface, rank(found.v4.expiry), found.v4);
            }
            Some(Version::V6) => {
                take(&mut self.v6, &interface, rank(found.v6.expiry), found.v6);
            }
            None => {}
        }
    }
}

/// Keeps `lease` unless the one before counts more.
fn take<L>(known: &mut BTreeMap<String, (Rank, L)>, interface: &str, rank: Rank, lease: L) {
    let is_better = known
        .get(interface)
        .is_none_or(|(before, _)| *before <= rank);
    if is_better {
        known.insert(interface.to_owned(), (rank, lease));
    }
}

/// When a file was written, in seconds since 1970.
fn written(file: &Path) -> Option<i64> {
    let written = fs::metadata(file).and_then(|metadata| metadata.modified());
    let since = written.ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Version {
    V4,
    V6,
}

/// One lease of dhclient while it is read.
#[derive(Debug, Default)]
struct Found {
    version: Option<Version>,
    interface: Option<String>,
    v4: Lease4,
    v6: Lease6,
    starts: i64,
}

impl Found {
    fn open(&mut self, depth: usize, words: &[&str]) {
        match (depth, words.first().copied()) {
            (0, Some("lease")) => self.version = Some(Version::V4),
            (0, Some("lease6")) => self.version = Some(Version::V6),
            (1, Some("ia-na")) => self.v6.asks_addresses = true,
            (1, Some("ia-pd")) => self.v6.asks_prefixes = true,
            _ => {}
        }
    }

    fn statement(&mut self, at: &[Vec<&str>], words: &[&str]) {
        match (self.version, at.len(), words) {
            (_, 1, ["interface", name, ..]) if is_interface(name) => {
                self.interface = Some((*name).to_owned());
            }
            (Some(Version::V4), 1, words) => self.v4_statement(words),
            (Some(Version::V6), 1, ["option", "dhcp6.client-id", id]) => {
                let bytes = id.split(':').take(DUID_BYTES_MAX);
                self.v6.duid = bytes.map(two_digits).collect();
            }
            (Some(Version::V6), 1, ["option", "dhcp6.name-servers", servers @ ..]) => {
                self.v6.dns = addresses(servers);
            }
            (Some(Version::V6), 3, ["starts", seconds]) => {
                self.starts = seconds.parse().unwrap_or(0);
            }
            (Some(Version::V6), 3, ["max-life", seconds]) => {
                let life: Option<i64> = seconds.parse().ok();
                self.v6.expiry = match life {
                    Some(life) if life >= i64::from(u32::MAX) => Expiry::Never,
                    Some(life) => Expiry::At(self.starts.saturating_add(life)),
                    None => Expiry::Unknown,
                };
            }
            _ => {}
        }
    }

    fn v4_statement(&mut self, words: &[&str]) {
        match words {
            ["fixed-address", address] => self.v4.address = address.parse().ok(),
            ["option", "subnet-mask", mask] => self.v4.mask = mask.parse().ok(),
            ["option", "routers", routers @ ..] => self.v4.routers = addresses(routers),
            ["option", "domain-name-servers", servers @ ..] => self.v4.dns = addresses(servers),
            ["option", "dhcp-server-identifier", server] => self.v4.server = server.parse().ok(),
            ["expire", when @ ..] => self.v4.expiry = dhclient::time(when),
            _ => {}
        }
    }
}

/// What a network device can be called.
fn is_interface(name: &str) -> bool {
    (1..=15).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Longest DUID.
const DUID_BYTES_MAX: usize = 130;

/// `0:1:a` is what dhclient writes for the bytes 00 01 0A.
fn two_digits(byte: &str) -> String {
    match u8::from_str_radix(byte, 16) {
        Ok(byte) => format!("{byte:02X}"),
        Err(_) => String::new(),
    }
}

fn addresses<T: std::str::FromStr>(words: &[&str]) -> Vec<T> {
    let parsed = words.iter().filter_map(|word| word.parse().ok());
    parsed.take(LEASE_ADDRESSES_MAX).collect()
}

/// `internal-UUID-eth0.lease`
fn interface_of_internal(name: &str) -> Option<&str> {
    const UUID_BYTES: usize = 36;
    let rest = name.strip_prefix("internal-")?.strip_suffix(".lease")?;
    rest.get(UUID_BYTES..)?
        .strip_prefix('-')
        .filter(|name| is_interface(name))
}

/// `KEY=value` lines, as the DHCP library of systemd writes them. `written` is when the file was.
fn settings_lease(text: &str, written: Option<i64>) -> Option<Lease4> {
    let value = |key: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    };
    let list = |key: &str| -> Vec<Ipv4Addr> {
        let words: Vec<&str> = value(key)
            .unwrap_or_default()
            .split_ascii_whitespace()
            .collect();
        addresses(&words)
    };
    let life: Option<i64> = value("LIFETIME").and_then(|life| life.parse().ok());
    let expiry = match (life, written) {
        (Some(life), _) if life >= i64::from(u32::MAX) => Expiry::Never,
        (Some(life), Some(written)) => Expiry::At(written.saturating_add(life)),
        _ => Expiry::Unknown,
    };
    Some(Lease4 {
        address: Some(value("ADDRESS")?.parse().ok()?),
        mask: value("NETMASK").and_then(|mask| mask.parse().ok()),
        routers: list("ROUTER"),
        dns: list("DNS"),
        server: value("SERVER_ADDRESS").and_then(|server| server.parse().ok()),
        expiry,
    })
}

/// The names of interfaces by their index.
fn interface_names(paths: &HostPaths) -> Result<BTreeMap<String, String>, Unread> {
    let mut names = BTreeMap::new();
    for interface in if_told(files::list(&paths.sys.join("class/net"), FILES_MAX))? {
        let index = if_told(files::text(&interface.join("ifindex")))?;
        let name = interface.file_name().and_then(|name| name.to_str());
        if let (Some(index), Some(name)) = (index, name.filter(|name| is_interface(name))) {
            names.insert(index.trim().to_owned(), name.to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DHCLIENT: &str = r#"
lease {
  interface "eth0";
  fixed-address 192.0.2.10;
  expire 2 2020/01/01 00:00:00;
}
lease {
  interface "eth0";
  fixed-address 192.0.2.11;
  filename "a;b}c";
  option subnet-mask 255.255.255.0;
  option routers 192.0.2.1, 192.0.2.2;
  option domain-name-servers 192.0.2.53,198.51.100.53;
  option dhcp-server-identifier 192.0.2.1;
  renew 2 2026/01/01 00:00:00;
  expire 4 2026/01/01 12:00:00; # Thu
}
lease6 {
  interface "eth0";
  ia-na 12:34 {
    starts 1767225600;
    renew 0;
    iaaddr 2001:db8::77 {
      starts 1767225600;
      preferred-life 3600;
      max-life 7200;
    }
  }
  option dhcp6.client-id 0:1:0:1:2a:b;
  option dhcp6.name-servers 2001:db8::53,2001:db8::54;
}
"#;

    #[test]
    fn the_last_lease_of_an_interface_counts() {
        let mut reader = Reader::new(0);
        reader.take_dhclient(DHCLIENT, 0);
        let leases = reader.leases();
        let lease = &leases.v4["eth0"];
        assert_eq!(lease.address, Some(Ipv4Addr::new(192, 0, 2, 11)));
        assert_eq!(lease.mask, Some(Ipv4Addr::new(255, 255, 255, 0)));
        assert_eq!((lease.routers.len(), lease.dns.len()), (2, 2));
        assert_eq!(lease.server, Some(Ipv4Addr::new(192, 0, 2, 1)));
        assert_eq!(lease.expiry, Expiry::At(1_767_268_800));
        let lease = &leases.v6["eth0"];
        assert_eq!(lease.duid, "000100012A0B");
        assert_eq!(lease.dns.len(), 2);
        assert!(lease.asks_addresses && !lease.asks_prefixes);
        assert_eq!(lease.expiry, Expiry::At(1_767_232_800));
    }

    #[test]
    fn a_file_of_networkd_ends_its_lifetime_after_it_was_written() {
        let text = "# This is private data. Do not parse.\nADDRESS=192.0.2.10\nNETMASK=255.255.255.0\nROUTER=192.0.2.1\n\
            SERVER_ADDRESS=192.0.2.1\nLIFETIME=3600\nDNS=192.0.2.53 198.51.100.53\n";
        let lease = settings_lease(text, Some(1000)).unwrap();
        assert_eq!(lease.expiry, Expiry::At(4600));
        assert_eq!(lease.expiry.seconds_left(4000), 600);
        assert!(!lease.expiry.holds(4600));
        assert_eq!(lease.dns.len(), 2);
        assert_eq!(settings_lease("", None), None);
        let forever = text.replace("3600", "4294967295");
        let lease = settings_lease(&forever, Some(1000)).unwrap();
        assert_eq!(lease.expiry.seconds_left(0), -1);
    }

    #[test]
    fn a_lease_that_holds_counts_before_one_that_has_expired_and_the_newer_before_the_older() {
        let lease = |address: &str, end| {
            format!(
                "lease {{ interface \"eth0\"; fixed-address {address}; expire epoch {end}; }}\n"
            )
        };
        let address = |files: &[(&str, i64, i64)]| {
            let mut reader = Reader::new(1000);
            for (address, end, written) in files {
                reader.take_dhclient(&lease(address, *end), *written);
            }
            reader.leases().v4["eth0"]
                .address
                .map(|address| address.to_string())
        };
        let held = ("192.0.2.1", 2000, 500);
        let newer = ("192.0.2.2", 1500, 900);
        let expired = ("192.0.2.3", 999, 950);
        for order in [[held, newer, expired], [expired, newer, held]] {
            assert_eq!(address(&order).as_deref(), Some("192.0.2.2"));
        }
        for order in [[held, expired], [expired, held]] {
            assert_eq!(address(&order).as_deref(), Some("192.0.2.1"));
        }
    }

    #[test]
    fn the_internal_client_names_its_interface_in_the_name_of_the_file() {
        let uuid = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
        let name = format!("internal-{uuid}-wlan0.100.lease");
        assert_eq!(interface_of_internal(&name), Some("wlan0.100"));
        for name in ["internal-.lease", "internal-x-eth0.lease", "secret_key"] {
            assert_eq!(interface_of_internal(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "(lease6?|[{};\"#, \n]|interface|option|expire|never|epoch|[0-9a-f:/.])*") {
            Reader::new(0).take_dhclient(&text, 0);
            let _ = settings_lease(&text, Some(i64::MAX));
        }

        #[test]
        fn no_cut_breaks_it(cut in 0..DHCLIENT.len()) {
            Reader::new(0).take_dhclient(&DHCLIENT[..cut], 0);
        }
    }
}
