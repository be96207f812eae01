//! What a server is started with. A TOML file has the same keys as [`Config`] has fields; a key that is not
//! known is an error.

mod api;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use usphere_mtp::limits;
use usphere_proto::EndpointId;
use usphere_runtime::TlsFiles;

pub use self::api::{Rate, Retention};
use crate::limits::CONFIG_BYTES_MAX;

/// The keys of the file, for suggestions.
const KEYS: [&str; 13] = [
    "api",
    "connections_max",
    "connections_per_source_max",
    "data",
    "endpoint_id",
    "insecure",
    "rate",
    "retention",
    "tls_ca",
    "tls_cert",
    "tls_key",
    "ws",
    "ws_path",
];

/// The configuration of a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Where the API listens; port 0 takes any free one.
    pub api: SocketAddr,
    /// Agents that may be connected at the same time. The process needs a file descriptor for each.
    pub connections_max: usize,
    /// Agents that may be connected at the same time from one IPv4 address or IPv6 /64; many can stand
    /// behind one address translator.
    pub connections_per_source_max: usize,
    /// The folder of everything that is kept. It is made if it is not there.
    pub data: PathBuf,
    /// The server's Endpoint ID from now on. Where it is `None`, the one that is kept; at first start, one
    /// is made.
    pub endpoint_id: Option<EndpointId>,
    /// Whether doors without TLS may be open to other hosts. Named in the log at every start.
    pub insecure: bool,
    /// How many requests the API takes.
    pub rate: Rate,
    /// How long things are kept.
    pub retention: Retention,
    /// What Agents have to speak TLS with, at the same door. Without it the door is plain.
    pub tls: Option<TlsFiles>,
    /// Where Agents connect over WebSocket; port 0 takes any free one.
    pub ws: SocketAddr,
    /// The path of that door, with its leading `/`.
    pub ws_path: String,
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read the configuration: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// What the file says cannot be used.
    #[error("{}: {error}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: Box<ConfigError>,
    },
    /// A key is not known.
    #[error("{key}: unknown key{}", suggestion.map(|it| format!(", did you mean `{it}`?")).unwrap_or_else(|| format!("; the keys are {}", KEYS.join(", "))))]
    UnknownKey {
        /// The key.
        key: String,
        /// The known key that is most like it.
        suggestion: Option<&'static str>,
    },
    /// The text is not TOML, or a value is of the wrong type.
    #[error("{0}")]
    Text(String),
    /// A value is not allowed.
    #[error("{key}: {reason}")]
    Value {
        /// The key.
        key: &'static str,
        /// What was expected.
        reason: String,
    },
}

#[derive(Deserialize)]
struct File {
    api: Option<SocketAddr>,
    connections_max: Option<usize>,
    connections_per_source_max: Option<usize>,
    data: Option<PathBuf>,
    endpoint_id: Option<String>,
    insecure: Option<bool>,
    rate: Option<Rate>,
    retention: Option<Retention>,
    tls_ca: Option<PathBuf>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    ws: Option<SocketAddr>,
    ws_path: Option<String>,
}

impl Config {
    /// The defaults, with this data folder: API on 127.0.0.1:8080, WebSocket on 127.0.0.1:8081 at `/usp`.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            api: SocketAddr::from(([127, 0, 0, 1], 8080)),
            connections_max: limits::CONNECTIONS_MAX,
            connections_per_source_max: limits::CONNECTIONS_PER_SOURCE_MAX,
            data: data.into(),
            endpoint_id: None,
            insecure: false,
            rate: Rate::default(),
            retention: Retention::default(),
            tls: None,
            ws: SocketAddr::from(([127, 0, 0, 1], 8081)),
            ws_path: "/usp".into(),
        }
    }

    /// Reads a configuration file; what it leaves out is as in [`Config::new`] with `data`.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the key and what was expected.
    pub fn from_file(path: &Path, data: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let failed = |reason: String| ConfigError::File {
            path: path.to_owned(),
            reason,
        };
        let size = std::fs::metadata(path)
            .map_err(|error| failed(error.to_string()))?
            .len();
        if size > CONFIG_BYTES_MAX as u64 {
            return Err(failed(format!(
                "{size} bytes, at most {CONFIG_BYTES_MAX} are allowed"
            )));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        Self::from_toml(&text, data).map_err(|error| ConfigError::InFile {
            path: path.to_owned(),
            error: Box::new(error),
        })
    }

    /// Reads the text of a configuration file; what it leaves out is as in [`Config::new`] with `data`.
    ///
    /// # Errors
    /// [`ConfigError`] names the key and what was expected.
    pub fn from_toml(text: &str, data: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| ConfigError::Text(error.to_string()))?;
        if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(ConfigError::UnknownKey {
                key: key.clone(),
                suggestion: nearest(key),
            });
        }
        let file: File =
            toml::from_str(text).map_err(|error| ConfigError::Text(error.to_string()))?;
        let defaults = Self::new(data);
        let tls = tls_files(file.tls_cert, file.tls_key, file.tls_ca)?;
        let config = Self {
            api: file.api.unwrap_or(defaults.api),
            connections_max: file.connections_max.unwrap_or(defaults.connections_max),
            connections_per_source_max: file
                .connections_per_source_max
                .unwrap_or(defaults.connections_per_source_max),
            data: file.data.unwrap_or(defaults.data),
            endpoint_id: file.endpoint_id.map(|id| endpoint_id(&id)).transpose()?,
            insecure: file.insecure.unwrap_or(defaults.insecure),
            rate: file.rate.unwrap_or_default(),
            retention: file.retention.unwrap_or_default(),
            tls,
            ws: file.ws.unwrap_or(defaults.ws),
            ws_path: file.ws_path.unwrap_or(defaults.ws_path),
        };
        for (key, count) in [
            ("connections_max", config.connections_max),
            (
                "connections_per_source_max",
                config.connections_per_source_max,
            ),
        ] {
            if count == 0 {
                let reason = "0, at least 1 is expected; no Agent could connect".to_owned();
                return Err(ConfigError::Value { key, reason });
            }
        }
        if let Some(key) = config.rate.zero().or(config.retention.zero()) {
            let reason = "0, at least 1 is expected".to_owned();
            return Err(ConfigError::Value { key, reason });
        }
        if !config.ws_path.starts_with('/') {
            let reason = format!(
                "{:?}, a path that begins with / is expected",
                config.ws_path
            );
            return Err(ConfigError::Value {
                key: "ws_path",
                reason,
            });
        }
        Ok(config)
    }
}

/// All three files or none.
fn tls_files(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    authorities: Option<PathBuf>,
) -> Result<Option<TlsFiles>, ConfigError> {
    let missing = match (&certificate, &key, &authorities) {
        (None, None, None) => return Ok(None),
        (None, ..) => "tls_cert",
        (_, None, _) => "tls_key",
        _ => "tls_ca",
    };
    match (certificate, key, authorities) {
        (Some(certificate), Some(key), Some(authorities)) => Ok(Some(TlsFiles {
            certificate,
            key,
            authorities,
        })),
        _ => Err(ConfigError::Value {
            key: missing,
            reason: "missing; TLS needs tls_cert, tls_key and tls_ca together".to_owned(),
        }),
    }
}

fn endpoint_id(text: &str) -> Result<EndpointId, ConfigError> {
    EndpointId::parse(text).map_err(|error| ConfigError::Value {
        key: "endpoint_id",
        reason: error.to_string(),
    })
}

/// The known key that takes the fewest edits, if those are few.
fn nearest(key: &str) -> Option<&'static str> {
    let key: Vec<char> = key.chars().take(32).collect();
    let distance = |known: &str| edits(&key, &known.chars().collect::<Vec<_>>());
    KEYS.into_iter()
        .min_by_key(|known| distance(known))
        .filter(|known| distance(known) <= 1 + known.len() / 3)
}

/// How many characters have to be put in, taken out or changed to turn one text into the other.
fn edits(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let change = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_default() {
        assert_eq!(Config::from_toml("", "d").unwrap(), Config::new("d"));
        let config =
            Config::from_toml("ws = \"127.0.0.1:9\"\nendpoint_id = \"self::lab\"\n", "d").unwrap();
        assert_eq!(config.ws.port(), 9);
        assert_eq!(config.endpoint_id.unwrap().as_str(), "self::lab");
        assert_eq!(config.api, Config::new("d").api);
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_likely_one() {
        let error = Config::from_toml("endpont_id = \"self::lab\"", "d").unwrap_err();
        assert_eq!(
            error.to_string(),
            "endpont_id: unknown key, did you mean `endpoint_id`?"
        );
        let error = Config::from_toml("[telemetry]\nx = 1", "d").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("the keys are api, connections_max"),
            "{error}"
        );
    }

    #[test]
    fn an_error_in_a_file_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.toml");
        std::fs::write(&path, "apii = 1").unwrap();
        let error = Config::from_file(&path, "d").unwrap_err().to_string();
        let expected = format!("{}: apii: unknown key, did you mean `api`?", path.display());
        assert_eq!(error, expected);
    }

    #[test]
    fn wrong_values_are_named() {
        for (text, expected) in [
            ("endpoint_id = \"nonsense\"", "endpoint_id"),
            ("ws_path = \"usp\"", "begins with /"),
            ("tls_cert = \"a\"\ntls_ca = \"b\"", "tls_key: missing"),
            ("connections_max = 0", "at least 1"),
            ("connections_per_source_max = 0", "at least 1"),
            ("[rate]\ntoken_burst = 0", "rate.token_burst: 0"),
            ("[retention]\naudit_days = 0", "retention.audit_days: 0"),
            ("[rate]\nburst = 1", "burst"),
            ("api = \"here\"", "api"),
            ("api = ", "api"),
        ] {
            let error = Config::from_toml(text, "d").unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
