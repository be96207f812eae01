//! The table `[links]` of the configuration: how Agents are let in, and how their links are kept.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use usphere_mtp::limits;
use usphere_mtp::tls::Tls;
use usphere_mtp::websocket::{ListenerLimits, Settings};
use usphere_proto::EndpointId;

use crate::limits::{LINK_QUEUE_BYTES, LINK_QUEUE_RECORDS, PING_SECONDS, PONG_SECONDS};
use crate::{Config, ConfigError};

/// How Agents are let in, and how their links are kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct LinksConfig {
    /// Connections that are let in per second, in the long run. Whoever would have to wait for long is
    /// told when to come back.
    pub accepts_per_second: u32,
    /// Connections that are let in per second from one IPv4 address or IPv6 /64.
    pub accepts_per_source_per_second: u32,
    /// Handshakes that may be under way at the same time.
    pub handshakes_max: usize,
    /// Handshakes that may be under way at the same time with one IPv4 address or IPv6 /64.
    pub handshakes_per_source_max: usize,
    /// Seconds between two Pings. With `pong_seconds` it says how long a device that vanished without
    /// a word is still shown as online.
    pub ping_seconds: u32,
    /// Seconds in which a Ping has to be answered.
    pub pong_seconds: u32,
    /// Bytes that may wait to be read by one device; one that has more is cut.
    pub queue_bytes_max: usize,
    /// Records that may wait to be read by one device; one that has more is cut.
    pub queue_records_max: usize,
}

impl Default for LinksConfig {
    fn default() -> Self {
        Self {
            accepts_per_second: limits::ACCEPTS_PER_SECOND,
            accepts_per_source_per_second: limits::ACCEPTS_PER_SOURCE_PER_SECOND,
            handshakes_max: limits::HANDSHAKES_MAX,
            handshakes_per_source_max: limits::HANDSHAKES_PER_SOURCE_MAX,
            ping_seconds: PING_SECONDS,
            pong_seconds: PONG_SECONDS,
            queue_bytes_max: LINK_QUEUE_BYTES,
            queue_records_max: LINK_QUEUE_RECORDS,
        }
    }
}

impl LinksConfig {
    /// The same, where every value can be worked with.
    ///
    /// # Errors
    /// [`ConfigError`] names the key.
    pub(crate) fn checked(self) -> Result<Self, ConfigError> {
        let counts = [
            ("links.accepts_per_second", self.accepts_per_second as usize),
            (
                "links.accepts_per_source_per_second",
                self.accepts_per_source_per_second as usize,
            ),
            ("links.handshakes_max", self.handshakes_max),
            (
                "links.handshakes_per_source_max",
                self.handshakes_per_source_max,
            ),
            ("links.ping_seconds", self.ping_seconds as usize),
            ("links.pong_seconds", self.pong_seconds as usize),
            ("links.queue_records_max", self.queue_records_max),
        ];
        if let Some((key, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            let reason = "0, at least 1 is expected".to_owned();
            return Err(ConfigError::Value { key, reason });
        }
        if self.queue_bytes_max < crate::limits::BODY_BYTES_MAX {
            let least = crate::limits::BODY_BYTES_MAX;
            let reason = format!(
                "{}, at least {least} are expected: a large request would not fit",
                self.queue_bytes_max
            );
            let key = "links.queue_bytes_max";
            return Err(ConfigError::Value { key, reason });
        }
        Ok(self)
    }

    pub(crate) fn limits(&self, config: &Config) -> ListenerLimits {
        ListenerLimits {
            connections_max: config.connections_max,
            connections_per_source_max: config.connections_per_source_max,
            accepts_per_second: self.accepts_per_second,
            accept_burst: self.accepts_per_second,
            accepts_per_source_per_second: self.accepts_per_source_per_second,
            handshakes_max: self.handshakes_max,
            handshakes_per_source_max: self.handshakes_per_source_max,
            ..ListenerLimits::default()
        }
    }

    pub(crate) fn settings(&self, our_id: EndpointId, tls: Option<Arc<Tls>>) -> Settings {
        Settings {
            ping_interval: Duration::from_secs(self.ping_seconds.into()),
            pong_timeout: Duration::from_secs(self.pong_seconds.into()),
            queue_bytes_max: self.queue_bytes_max,
            queue_records_max: self.queue_records_max,
            tls,
            ..Settings::new(our_id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_default_and_what_is_wrong_is_named() {
        let config = Config::from_toml("[links]\nping_seconds = 5\n", "d").unwrap();
        let expected = LinksConfig {
            ping_seconds: 5,
            ..LinksConfig::default()
        };
        assert_eq!(config.links, expected);
        for (text, expected) in [
            ("ping_second = 5", "ping_second"),
            ("accepts_per_second = 0", "links.accepts_per_second: 0"),
            ("queue_bytes_max = 1000", "links.queue_bytes_max: 1000"),
        ] {
            let error = Config::from_toml(&format!("[links]\n{text}"), "d").unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
