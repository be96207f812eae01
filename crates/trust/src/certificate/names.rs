//! The names that a certificate gives its owner, and what they match. (R-SEC.0a, R-SEC.11, R-SEC.12)

use std::fmt;
use std::net::IpAddr;

use usphere_proto::{EndpointId, Scheme};

/// An Endpoint ID in a subjectAltName: one Endpoint, or all whose instance-id fits a wildcard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EndpointName {
    /// Exactly this one.
    One(EndpointId),
    /// All that differ from it only where it has `*`. (R-SEC.11)
    Wildcard(EndpointId),
}

impl EndpointName {
    /// Reads the URN form of an Endpoint ID. `None` for anything else, and for wildcards where none are
    /// lawful: they have to be in the instance-id, the scheme has to be `oui`, `cid`, `pen`, `os` or `ops`,
    /// and in the last two the OUI has to be spelt out. (R-SEC.12)
    pub fn from_urn(urn: &str) -> Option<Self> {
        let id = EndpointId::from_urn(urn).ok()?;
        if !id.as_str().contains('*') {
            return Some(Self::One(id));
        }
        let lawful = !id.authority_id().contains('*')
            && match id.scheme()? {
                Scheme::Cid | Scheme::Oui | Scheme::Pen => true,
                Scheme::Ops | Scheme::Os => is_assigned(id.instance_id()),
                _ => false,
            };
        lawful.then_some(Self::Wildcard(id))
    }

    /// Whether this is a name of the Endpoint `id`. IDs are compared byte by byte.
    pub fn matches(&self, id: &EndpointId) -> bool {
        match self {
            Self::One(one) => one == id,
            Self::Wildcard(pattern) => {
                let scheme_of = |id: &EndpointId| {
                    let (scheme, _) = id.as_str().split_once(':').unwrap_or_default();
                    scheme.to_owned()
                };
                scheme_of(pattern) == scheme_of(id)
                    && pattern.authority_id() == id.authority_id()
                    && fits(pattern.instance_id(), id.instance_id())
            }
        }
    }
}

impl fmt::Display for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(id) | Self::Wildcard(id) => id.fmt(f),
        }
    }
}

/// Whether the instance-id of an `os` or `ops` ID names its OUI without a wildcard.
fn is_assigned(instance: &str) -> bool {
    let oui = instance.split_once('-').map(|(oui, _)| oui);
    oui.is_some_and(|oui| !oui.is_empty() && !oui.contains('*'))
}

/// Whether `text` fits `pattern`, in which `*` stands for one or more of the characters that an instance-id may
/// have. Takes time in proportion to the product of the lengths at worst.
fn fits(pattern: &str, text: &str) -> bool {
    let lawful = |byte: u8| byte.is_ascii_alphanumeric() || b"-._%".contains(&byte);
    if !text.bytes().all(lawful) {
        return false;
    }
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    // reached[j]: the pattern so far matches the first j characters.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for wanted in pattern {
        let mut next = vec![false; text.len() + 1];
        for (place, found) in text.iter().enumerate() {
            next[place + 1] = match wanted {
                b'*' => reached[place] || next[place],
                _ => reached[place] && wanted == found,
            };
        }
        reached = next;
    }
    reached[text.len()]
}

/// Whether the dNSName `name` permits the host name `host`: equal but for case, or a wildcard for the
/// whole first label. (RFC 6125, 6.4)
pub(super) fn permits(name: &str, host: &str) -> bool {
    let (name, host) = (name.trim_end_matches('.'), host.trim_end_matches('.'));
    if name.is_empty() || host.parse::<IpAddr>().is_ok() {
        return false;
    }
    let Some(domain) = name.strip_prefix("*.") else {
        return name.eq_ignore_ascii_case(host);
    };
    let under = host.split_once('.');
    domain.contains('.')
        && under.is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> EndpointId {
        EndpointId::from_wire(text).unwrap()
    }

    fn name(text: &str) -> Option<EndpointName> {
        EndpointName::from_urn(&format!("urn:bbf:usp:id:{text}"))
    }

    /// Proves: R-SEC.0a
    #[test]
    fn a_urn_names_the_one_endpoint_that_is_spelt_the_same() {
        let one = EndpointName::from_urn("URN:BBF:usp:id:self::Hallway%20lamp").unwrap();
        assert!(one.matches(&id("self::Hallway%20lamp")));
        for other in [
            "self::hallway%20lamp",
            "self::Hallway%2520lamp",
            "self::Hallway",
            "user::Hallway%20lamp",
            "self:x:Hallway%20lamp",
        ] {
            assert!(!one.matches(&id(other)), "{other}");
        }
        for urn in [
            "urn:bbf:usp:self::a",
            "self::a",
            "urn:bbf:usp:id:nonsense",
            "",
        ] {
            assert_eq!(EndpointName::from_urn(urn), None, "{urn}");
        }
    }

    /// Proves: R-SEC.11, R-SEC.12
    #[test]
    fn wildcards_count_only_where_the_assigning_entity_is_named() {
        let lawful = [
            ("oui:00256D:*", "oui:00256D:lamp-1"),
            ("oui:00256D:lamp-*", "oui:00256D:lamp-1"),
            ("cid:3AA3F8:*-home", "cid:3AA3F8:my-home"),
            ("pen:3561:a*c*e", "pen:3561:abcde"),
            ("os::00256D-*", "os::00256D-0123"),
            ("ops::00256D-*-*", "ops::00256D-STB-0123"),
        ];
        for (pattern, text) in lawful {
            let pattern = name(pattern).unwrap();
            assert!(matches!(pattern, EndpointName::Wildcard(_)));
            assert!(pattern.matches(&id(text)), "{pattern} {text}");
        }
        let unlawful = [
            "self::*",
            "user::a*",
            "uuid::*",
            "imei::*",
            "proto::*",
            "doc::*",
            "fqdn::*.example.com",
            "os::*",
            "os::*-0123",
            "os::0025*-0123",
            "ops::*-STB-0123",
            "oui:*:x",
            "*::x",
        ];
        for pattern in unlawful {
            assert_eq!(name(pattern), None, "{pattern}");
        }
    }

    /// Proves: R-SEC.11
    #[test]
    fn a_wildcard_stays_within_its_scheme_and_authority() {
        let pattern = name("oui:00256D:lamp-*").unwrap();
        for other in [
            "oui:00256E:lamp-1",
            "cid:00256D:lamp-1",
            "oui:00256D:lamp-",
            "oui:00256D:radio-1",
            "oui:00256D:lamp-*",
            "oui:00256D:lamp-1:x",
        ] {
            assert!(!pattern.matches(&id(other)), "{other}");
        }
    }

    #[test]
    fn a_dns_name_permits_hosts() {
        for (name, host) in [
            ("usp.example.com", "USP.example.com"),
            ("usp.example.com", "usp.example.com."),
            ("*.example.com", "usp.example.com"),
        ] {
            assert!(permits(name, host), "{name} {host}");
        }
        for (name, host) in [
            ("*.example.com", "example.com"),
            ("*.example.com", "a.usp.example.com"),
            ("u*.example.com", "usp.example.com"),
            ("*.com", "example.com"),
            ("*", "example"),
            ("", ""),
            ("*.0.0.1", "127.0.0.1"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert!(!permits(name, host), "{name} {host}");
        }
    }
}
