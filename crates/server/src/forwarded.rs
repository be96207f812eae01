//! Whom a request comes from: the other end of its connection, or whom a proxy before it names.
//!
//! Nobody is believed but the proxies of the configuration: whoever could name an address could name another's.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::HeaderMap;
use axum::http::header::FORWARDED;
use ipnet::IpNet;

/// The header of proxies that know no RFC 7239.
const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The proxies that are believed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Those at these addresses and in these networks (`192.0.2.0/24`).
    ///
    /// # Errors
    /// Which is neither.
    pub fn read<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let read = |text: &'a str| {
            let address = IpAddr::from_str(text).map(|address| address.to_canonical().into());
            address.or_else(|_| text.parse()).map_err(|_| {
                format!("{text:?}, an address or a network such as 192.0.2.0/24 is expected")
            })
        };
        texts
            .into_iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Whom a request comes from. A proxy need not tell the port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Remote {
    pub(crate) address: IpAddr,
    port: Option<u16>,
}

impl Remote {
    /// Whom a request with these headers comes from, on a connection with `peer`.
    pub(crate) fn of(peer: SocketAddr, headers: &HeaderMap, proxies: &TrustedProxies) -> Self {
        let peer = Self::from(peer);
        if !proxies.contain(peer.address) {
            return peer;
        }
        let told = told(headers, X_FORWARDED_FOR, |text| {
            text.split(',').map(node).collect()
        });
        let told_anew = told_by_standard(headers);
        match (told, told_anew) {
            (None, None) => peer,
            (Some(nodes), None) | (None, Some(nodes)) => peer.behind(&nodes, proxies),
            // A proxy sets one of them, and passes the other on as the client made it up.
            (Some(one), Some(other)) => {
                let one = peer.behind(&one, proxies);
                let agree = one.address == peer.behind(&other, proxies).address;
                if agree { one } else { peer }
            }
        }
    }

    /// Who is behind this one: the last of `nodes` that no proxy of ours is. Each has named the one before it.
    fn behind(self, nodes: &[Option<Self>], proxies: &TrustedProxies) -> Self {
        let mut known = self;
        for node in nodes.iter().rev() {
            // Who is not named stays behind the one who did not name them.
            let Some(node) = node else { break };
            known = *node;
            if !proxies.contain(known.address) {
                break;
            }
        }
        known
    }
}

impl From<SocketAddr> for Remote {
    fn from(peer: SocketAddr) -> Self {
        Self {
            address: peer.ip(),
            port: Some(peer.port()),
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.address, port).fmt(f),
            None => self.address.fmt(f),
        }
    }
}

/// What all headers of this name tell together; none where there is none. What is no text names nobody.
fn told(
    headers: &HeaderMap,
    name: impl axum::http::header::AsHeaderName,
    read: impl Fn(&str) -> Vec<Option<Remote>>,
) -> Option<Vec<Option<Remote>>> {
    let mut nodes = None;
    for value in headers.get_all(name) {
        let more = value.to_str().map_or_else(|_| vec![None], &read);
        nodes.get_or_insert_with(Vec::new).extend(more);
    }
    nodes
}

/// What `Forwarded` tells. In one with an open quote nobody is told apart: what a proxy adds to a header that a client
/// has begun would be within that quote. (RFC 7239 4)
fn told_by_standard(headers: &HeaderMap) -> Option<Vec<Option<Remote>>> {
    let element = |element: &str| {
        let pairs = unquoted(element, ';').into_iter();
        let mut values = pairs.filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            name.eq_ignore_ascii_case("for").then_some(value)
        });
        let value = values.next()?;
        // Each parameter stands there once.
        if values.next().is_some() {
            return None;
        }
        let quoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
        node(quoted.unwrap_or(value))
    };
    told(headers, FORWARDED, |text| {
        if text.matches('"').count() % 2 == 1 {
            return vec![None];
        }
        unquoted(text, ',').into_iter().map(element).collect()
    })
}

/// An address, perhaps with a port; none for names that proxies make up. (RFC 7239 6)
fn node(text: &str) -> Option<Remote> {
    let text = text.trim();
    let within = text.strip_prefix('[').and_then(|v| v.strip_suffix(']'));
    let address = IpAddr::from_str(within.unwrap_or(text));
    let address = address.map(|address| Remote {
        address,
        port: None,
    });
    address
        .or_else(|_| SocketAddr::from_str(text).map(Remote::from))
        .ok()
}

/// Splits at `separator` where it does not stand between quotes.
fn unquoted(text: &str, separator: char) -> Vec<&str> {
    let mut is_quoted = false;
    text.split(|c| {
        is_quoted ^= c == '"';
        c == separator && !is_quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXIES: [&str; 3] = ["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"];

    /// Who is at the end of headers that come from `peer`.
    fn remote(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let proxies = TrustedProxies::read(PROXIES).unwrap();
        Remote::of(peer.parse().unwrap(), &map, &proxies).to_string()
    }

    #[test]
    fn a_proxy_of_ours_is_believed_and_nobody_else() {
        let told = ("x-forwarded-for", "192.0.2.7");
        assert_eq!(remote("127.0.0.1:5", &[told]), "192.0.2.7");
        assert_eq!(remote("[::ffff:10.1.2.3]:5", &[told]), "192.0.2.7");
        assert_eq!(remote("192.0.2.1:5", &[told]), "192.0.2.1:5");
        assert_eq!(remote("[::1]:5", &[told]), "[::1]:5");
        assert_eq!(remote("127.0.0.1:5", &[]), "127.0.0.1:5");
    }

    /// Not even who comes from this host.
    #[test]
    fn nobody_is_believed_where_no_proxy_is_named() {
        let headers = HeaderMap::from_iter([
            (
                X_FORWARDED_FOR.parse().unwrap(),
                "192.0.2.7".parse().unwrap(),
            ),
            (FORWARDED, "for=192.0.2.7".parse().unwrap()),
        ]);
        let peer = "127.0.0.1:5".parse().unwrap();
        let remote = Remote::of(peer, &headers, &TrustedProxies::default());
        assert_eq!(remote.to_string(), "127.0.0.1:5");
    }

    /// Whatever a client writes into a header stands before what proxies write there.
    #[test]
    fn the_last_that_is_no_proxy_of_ours_counts() {
        for (text, expected) in [
            ("198.51.100.9, 192.0.2.7", "192.0.2.7"),
            ("198.51.100.9, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
            ("10.0.0.3,10.0.0.2", "10.0.0.3"),
            ("192.0.2.7:4711", "192.0.2.7:4711"),
            ("[2001:dead::1]:80", "[2001:dead::1]:80"),
            ("nonsense, 192.0.2.7", "192.0.2.7"),
            ("192.0.2.7, nonsense", "127.0.0.1:5"),
            ("192.0.2.7, unknown, 10.0.0.2", "10.0.0.2"),
            ("", "127.0.0.1:5"),
        ] {
            let told = [("x-forwarded-for", text)];
            assert_eq!(remote("127.0.0.1:5", &told), expected, "{text}");
        }
        let lines = [
            ("x-forwarded-for", "198.51.100.9"),
            ("x-forwarded-for", "192.0.2.7"),
        ];
        assert_eq!(remote("127.0.0.1:5", &lines), "192.0.2.7");
    }

    #[test]
    fn the_standard_header_is_read_as_well() {
        for (text, expected) in [
            ("for=192.0.2.7", "192.0.2.7"),
            (
                "proto=https;For=\"[2001:dead::1]:47\";by=10.0.0.1",
                "[2001:dead::1]:47",
            ),
            (
                "for=198.51.100.9;x=\"a,for=1.2.3.4;\", for=192.0.2.7;proto=http",
                "192.0.2.7",
            ),
            ("for=192.0.2.7, for=_hidden", "127.0.0.1:5"),
            ("proto=https", "127.0.0.1:5"),
            ("for=198.51.100.9;for=192.0.2.7", "127.0.0.1:5"),
            // The client has begun this one, and the proxy added the last to it.
            ("for=198.51.100.9;x=\", for=192.0.2.7", "127.0.0.1:5"),
            (
                "for=198.51.100.9;x=\", for=\"[2001:dead::1]\"",
                "127.0.0.1:5",
            ),
            ("for=198.51.100.9;x=\"\\\", for=192.0.2.7", "192.0.2.7"),
        ] {
            let told = [("forwarded", text)];
            assert_eq!(remote("127.0.0.1:5", &told), expected, "{text}");
        }
    }

    /// One of them the proxy has set; the other may be the client's own.
    #[test]
    fn headers_that_contradict_each_other_tell_nothing() {
        let both = |one, other| {
            let headers = [("x-forwarded-for", one), ("forwarded", other)];
            remote("127.0.0.1:5", &headers)
        };
        assert_eq!(both("192.0.2.7", "for=192.0.2.7"), "192.0.2.7");
        assert_eq!(both("192.0.2.7", "for=192.0.2.8"), "127.0.0.1:5");
    }

    #[test]
    fn what_is_no_network_is_named() {
        let error = TrustedProxies::read(["10.0.0.1", "proxy.example"]).unwrap_err();
        assert!(error.starts_with("\"proxy.example\""), "{error}");
        assert!(TrustedProxies::read(["10.0.0.0/33"]).is_err());
    }
}
