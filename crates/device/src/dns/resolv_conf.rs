//! The file of the resolver, line by line: what is not a server stays as it is. (resolv.conf(5))
//!
//! A server that Controllers have touched carries marks in a comment behind it; one that is switched off, or
//! has no address yet, is a comment altogether. Resolvers ignore both.

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

use crate::limits::DNS_SERVERS_MAX;

/// All lines.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ResolvConf {
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq)]
enum Line {
    Other(String),
    Server(Server),
}

/// One server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Server {
    /// How its row is called, whatever address it gets.
    pub(crate) name: String,
    /// None until it is given one.
    pub(crate) address: Option<IpAddr>,
    /// The interface through which a link-local address is reached.
    pub(crate) zone: Option<String>,
    /// Whether it is to be asked.
    pub(crate) enable: bool,
    /// What a Controller calls it.
    pub(crate) alias: Option<String>,
    /// Its line as it was found, while nothing has changed.
    source: Option<String>,
}

impl ResolvConf {
    /// Takes any text; of servers with one name, the first counts and the others are left as they are.
    pub(crate) fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.lines() {
            let server = Server::parse(line)
                .filter(|server| conf.find(&server.name).is_none())
                .filter(|_| conf.servers().count() < DNS_SERVERS_MAX);
            conf.lines.push(match server {
                Some(server) => Line::Server(server),
                None => Line::Other(line.to_owned()),
            });
        }
        conf
    }

    /// The servers in the order in which they are asked.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &Server> {
        self.lines.iter().filter_map(|line| match line {
            Line::Server(server) => Some(server),
            Line::Other(_) => None,
        })
    }

    /// The server called `name`.
    pub(crate) fn find(&self, name: &str) -> Option<&Server> {
        self.servers().find(|server| server.name == name)
    }

    /// The same, to be changed; its line is written anew.
    pub(crate) fn find_mut(&mut self, name: &str) -> Option<&mut Server> {
        let mut servers = self.lines.iter_mut().filter_map(|line| match line {
            Line::Server(server) => Some(server),
            Line::Other(_) => None,
        });
        let server = servers.find(|server| server.name == name)?;
        server.source = None;
        Some(server)
    }

    /// Appends a server that is off and has no address. False where one is called so already, or there is
    /// no room.
    pub(crate) fn add(&mut self, name: &str) -> bool {
        let has_room = self.find(name).is_none() && self.servers().count() < DNS_SERVERS_MAX;
        if has_room {
            self.lines.push(Line::Server(Server {
                name: name.to_owned(),
                address: None,
                zone: None,
                enable: false,
                alias: None,
                source: None,
            }));
        }
        has_room
    }

    /// Takes a server away, and tells where it was.
    pub(crate) fn remove(&mut self, name: &str) -> Option<(usize, Server)> {
        let at = self
            .lines
            .iter()
            .position(|line| matches!(line, Line::Server(server) if server.name == name))?;
        match self.lines.remove(at) {
            Line::Server(server) => Some((at, server)),
            Line::Other(_) => None,
        }
    }

    /// Puts a server back where it was.
    pub(crate) fn insert(&mut self, at: usize, server: Server) {
        let at = at.min(self.lines.len());
        self.lines.insert(at, Line::Server(server));
    }

    /// The domain that is appended to names without a dot, if the file names one.
    pub(crate) fn domain(&self) -> Option<&str> {
        let others = self.lines.iter().filter_map(|line| match line {
            Line::Other(line) => Some(line.as_str()),
            Line::Server(_) => None,
        });
        // The last of them counts.
        let mut named = others.filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            matches!(words.next(), Some("domain" | "search"))
                .then(|| words.next())
                .flatten()
        });
        named.next_back().map(|domain| domain.trim_end_matches('.'))
    }
}

impl Display for ResolvConf {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            match line {
                Line::Other(line) => writeln!(f, "{line}")?,
                Line::Server(server) => writeln!(f, "{server}")?,
            }
        }
        Ok(())
    }
}

/// Begins the comment with our marks, and a server that is off.
const MARK: &str = "# usphere";
const OFF: &str = "# usphere nameserver";

impl Server {
    /// Whether the resolver asks it.
    pub(crate) fn is_used(&self) -> bool {
        self.enable && self.address.is_some()
    }

    fn parse(line: &str) -> Option<Self> {
        let (words, marks, is_off) = match line.strip_prefix(OFF) {
            Some(rest) => (rest, rest, true),
            None => {
                let rest = line.strip_prefix("nameserver")?;
                let (words, marks) = rest.split_once(MARK).unwrap_or((rest, ""));
                (words, marks, false)
            }
        };
        if !words.is_empty() && !words.starts_with([' ', '\t']) {
            return None;
        }
        let first = words
            .split_ascii_whitespace()
            .next()
            .filter(|word| !word.contains('='));
        let (address, zone) = match first {
            Some(word) => {
                let (address, zone) = word.split_once('%').unwrap_or((word, ""));
                (Some(address.parse::<IpAddr>().ok()?), zone)
            }
            None => (None, ""),
        };
        let mark = |key: &str| {
            let mut marks = marks.split_ascii_whitespace();
            let value = marks.find_map(|mark| mark.strip_prefix(key)?.strip_prefix('='));
            value.map(decode)
        };
        Some(Self {
            name: mark("name").or_else(|| address.map(|address| address.to_string()))?,
            address,
            zone: Some(zone.to_owned()).filter(|zone| !zone.is_empty()),
            enable: !is_off || mark("enable").is_some_and(|enable| enable == "true"),
            alias: mark("alias"),
            source: Some(line.to_owned()),
        })
    }

    fn marks(&self) -> Vec<String> {
        let mut marks = Vec::new();
        if self.enable && self.address.is_none() {
            marks.push("enable=true".to_owned());
        }
        if self.address.map(|address| address.to_string()).as_ref() != Some(&self.name) {
            marks.push(format!("name={}", encode(&self.name)));
        }
        marks.extend(
            self.alias
                .as_deref()
                .map(|alias| format!("alias={}", encode(alias))),
        );
        marks
    }
}

impl Display for Server {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            return f.write_str(source);
        }
        f.write_str(if self.is_used() { "nameserver" } else { OFF })?;
        if let Some(address) = self.address {
            write!(f, " {address}")?;
            if let Some(zone) = &self.zone {
                write!(f, "%{zone}")?;
            }
        }
        let marks = self.marks().join(" ");
        match (marks.is_empty(), self.is_used()) {
            (true, _) => Ok(()),
            (false, true) => write!(f, " {MARK} {marks}"),
            (false, false) => write!(f, " {marks}"),
        }
    }
}

/// A value of a mark: one word of printable characters.
fn encode(value: &str) -> String {
    let mut encoded = String::new();
    for character in value.chars() {
        let is_plain = !character.is_whitespace() && !character.is_control() && character != '%';
        if is_plain {
            encoded.push(character);
        } else {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    encoded
}

fn decode(encoded: &str) -> String {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = &tail[if code.is_some() { 2 } else { 0 }..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = "# made by hand\nsearch home.arpa lan\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 trailing\n\
        nameserver fe80::1%eth0\nnameserver 192.0.2.1\nnameserver x\noptions edns0\n";

    #[test]
    fn what_is_not_changed_stays_letter_for_letter() {
        let conf = ResolvConf::parse(FILE);
        assert_eq!(conf.to_string(), FILE);
        let names: Vec<&str> = conf.servers().map(|server| &*server.name).collect();
        assert_eq!(names, ["192.0.2.1", "2001:db8::1", "fe80::1"]);
        assert_eq!(conf.domain(), Some("home.arpa"));
        assert_eq!(conf.find("fe80::1").unwrap().zone.as_deref(), Some("eth0"));
    }

    #[test]
    fn a_server_keeps_its_name_when_its_address_changes_and_when_it_is_off() {
        let mut conf = ResolvConf::parse(FILE);
        let server = conf.find_mut("192.0.2.1").unwrap();
        server.address = Some("192.0.2.9".parse().unwrap());
        assert!(
            conf.to_string()
                .contains("\nnameserver 192.0.2.9 # usphere name=192.0.2.1\n")
        );
        conf.find_mut("192.0.2.1").unwrap().enable = false;
        assert!(
            conf.to_string()
                .contains("\n# usphere nameserver 192.0.2.9 name=192.0.2.1\n")
        );
        let again = ResolvConf::parse(&conf.to_string());
        let server = again.find("192.0.2.1").unwrap();
        assert_eq!((server.enable, server.is_used()), (false, false));
    }

    #[test]
    fn a_server_that_is_taken_away_can_be_put_back() {
        let mut conf = ResolvConf::parse(FILE);
        let (at, server) = conf.remove("2001:db8::1").unwrap();
        assert_eq!(conf.find("2001:db8::1"), None);
        conf.insert(at, server);
        assert_eq!(conf.to_string(), FILE);
        assert_eq!(conf.remove("192.0.2.77"), None);
    }

    proptest! {
        #[test]
        fn whatever_a_server_is_it_is_read_again(
            address in proptest::option::of(any::<IpAddr>()),
            enable: bool,
            name in "[a-z0-9:.]{1,8}",
            alias in proptest::option::of(".{0,12}"),
        ) {
            let mut conf = ResolvConf::parse(FILE);
            prop_assume!(conf.add(&name));
            let server = conf.find_mut(&name).unwrap();
            (server.address, server.enable, server.alias) = (address, enable, alias);
            // A text that looks like an address of version 6 is not written as version 4 is.
            let expected = server.clone();
            let again = ResolvConf::parse(&conf.to_string());
            let found = again.find(&name).unwrap();
            prop_assert_eq!(
                (found.address, found.enable, &found.alias),
                (expected.address, expected.enable, &expected.alias)
            );
            prop_assert_eq!(again.to_string(), conf.to_string());
        }

        #[test]
        fn no_text_breaks_it(text in "(nameserver|# usphere|[ \t\n%=:.a-f0-9#])*") {
            let conf = ResolvConf::parse(&text);
            prop_assert_eq!(ResolvConf::parse(&conf.to_string()), conf);
        }
    }
}
