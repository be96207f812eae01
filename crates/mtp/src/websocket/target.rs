//! Where a WebSocket Endpoint is found: `ws://host:port/path`.

use std::fmt;
use std::str::FromStr;

use tokio_tungstenite::tungstenite::http::Uri;

use crate::limits::TARGET_PATH_BYTES_MAX;

const PORT_PLAIN: u16 = 80;
const PORT_TLS: u16 = 443;

/// The URI of a USP Endpoint that is reached over WebSocket. (R-WS.1, R-WS.2)
///
/// Parsed from and shown as `ws://host:port/path?query`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Name or address; an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path, with its leading `/`, and the query if there is one.
    pub path: String,
    /// Whether the scheme is `wss`.
    pub tls: bool,
}

impl Target {
    /// The authority part: `host:port`, an IPv6 address in brackets.
    pub fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let error = |expected| TargetError {
            text: text.chars().take(256).collect(),
            expected,
        };
        if text.contains('#') {
            return Err(error("no fragment (#)"));
        }
        let uri: Uri = text.parse().map_err(|_| error("ws://host:port/path"))?;
        let tls = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return Err(error("the scheme ws or wss")),
        };
        let authority = uri.authority().ok_or_else(|| error("a host"))?;
        if authority.as_str().contains('@') {
            return Err(error("no user name or password"));
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        if host.is_empty() {
            return Err(error("a host"));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        if path.len() > TARGET_PATH_BYTES_MAX {
            return Err(error("a path of at most 2048 bytes"));
        }
        let after_host = authority.as_str().strip_prefix(authority.host());
        let port = match after_host.and_then(|rest| rest.strip_prefix(':')) {
            Some(port) => port.parse().ok().filter(|port| *port != 0),
            None if tls => Some(PORT_TLS),
            None => Some(PORT_PLAIN),
        };
        Ok(Self {
            host: host.to_owned(),
            port: port.ok_or_else(|| error("a port from 1 to 65535"))?,
            path: if path.starts_with('/') {
                path.to_owned()
            } else {
                format!("/{path}")
            },
            tls,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

/// A text that is not the URI of a WebSocket Endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}: not a WebSocket address, {expected} is expected")]
pub struct TargetError {
    text: String,
    expected: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: R-WS.1, R-WS.2
    #[test]
    fn an_endpoint_is_a_path_of_a_websocket_uri() {
        let target: Target = "ws://acs.example.org:8081/usp/agent?tenant=7"
            .parse()
            .unwrap();
        assert_eq!(target.host, "acs.example.org");
        assert_eq!(target.port, 8081);
        assert_eq!(target.path, "/usp/agent?tenant=7");
        assert!(!target.tls);
        assert_eq!(
            target.to_string(),
            "ws://acs.example.org:8081/usp/agent?tenant=7"
        );
    }

    #[test]
    fn ports_and_paths_have_defaults_and_addresses_have_brackets() {
        assert_eq!(
            "ws://a".parse::<Target>().unwrap().to_string(),
            "ws://a:80/"
        );
        assert_eq!(
            "wss://a/x".parse::<Target>().unwrap().to_string(),
            "wss://a:443/x"
        );
        let target: Target = "ws://[::1]:9/usp".parse().unwrap();
        assert_eq!(target.host, "::1");
        assert_eq!(target.to_string(), "ws://[::1]:9/usp");
        assert_eq!("ws://a?x=1".parse::<Target>().unwrap().path, "/?x=1");
    }

    #[test]
    fn what_is_no_websocket_uri_is_refused_with_what_was_expected() {
        for (text, expected) in [
            ("http://a/", "scheme"),
            ("a:80/usp", ""),
            ("ws://", ""),
            ("ws:///usp", ""),
            ("ws://user:secret@a/", "user name"),
            ("ws://a/usp#top", "fragment"),
            ("ws://a:0/usp", "port"),
            ("ws://a:99999/usp", ""),
            ("", ""),
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
