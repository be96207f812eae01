//! Where an Agent finds its server.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// Where the Agent finds its server: `mqtt://HOST:PORT`, `mqtts://…`, `stomp://…` or `stomps://…`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BrokerUrl {
    /// What is spoken.
    pub protocol: Protocol,
    /// Whether over TLS.
    pub tls: bool,
    /// Where we listen.
    pub address: SocketAddr,
}

/// What an Agent speaks to a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// MQTT 5 or 3.1.1.
    Mqtt,
    /// STOMP 1.2.
    Stomp,
}

/// A text that is no such URL.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "mqtt://ADDRESS:PORT, mqtts://…, stomp://… or stomps://… with an address of this host is expected"
)]
pub struct BrokerUrlError;

impl FromStr for BrokerUrl {
    type Err = BrokerUrlError;

    fn from_str(text: &str) -> Result<Self, BrokerUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(BrokerUrlError)?;
        let (protocol, tls) = match scheme {
            "mqtt" => (Protocol::Mqtt, false),
            "mqtts" => (Protocol::Mqtt, true),
            "stomp" => (Protocol::Stomp, false),
            "stomps" => (Protocol::Stomp, true),
            _ => return Err(BrokerUrlError),
        };
        let address = rest.trim_end_matches('/').parse();
        Ok(Self {
            protocol,
            tls,
            address: address.map_err(|_| BrokerUrlError)?,
        })
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.protocol, self.tls) {
            (Protocol::Mqtt, false) => "mqtt",
            (Protocol::Mqtt, true) => "mqtts",
            (Protocol::Stomp, false) => "stomp",
            (Protocol::Stomp, true) => "stomps",
        };
        write!(f, "{scheme}://{}", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_servers_are_read() {
        for text in ["mqtt://127.0.0.1:1883", "stomps://[::1]:61614"] {
            assert_eq!(text.parse::<BrokerUrl>().unwrap().to_string(), text);
        }
        for text in [
            "ws://127.0.0.1:1",
            "mqtt://here:1883",
            "mqtt://127.0.0.1",
            "mqtt",
        ] {
            assert!(text.parse::<BrokerUrl>().is_err(), "{text}");
        }
    }
}
