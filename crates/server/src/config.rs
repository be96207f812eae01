//! What a server is started with. A TOML file has the same keys as [`Config`] has fields; a key that is not
//! known is an error.

mod api;
mod keys;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use usphere_mtp::{files, limits};
use usphere_proto::EndpointId;
use usphere_runtime::TlsFiles;

pub use self::api::{Rate, Retention};
use crate::api_tls::ApiTlsFiles;
use crate::forwarded::TrustedProxies;
use crate::limits::CONFIG_BYTES_MAX;
use crate::links_config::LinksConfig;
use crate::onboarding::OnboardingConfig;

pub use self::keys::{Change, Key, keys};

/// The configuration of a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Where the API listens; port 0 takes any free one.
    pub api: SocketAddr,
    /// What the API speaks TLS with. Without it the API is plain.
    pub api_tls: Option<ApiTlsFiles>,
    /// The proxies that are believed when they name whom a request to the API comes from.
    pub api_trusted_proxies: TrustedProxies,
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
    /// What the file gives, by key, as the file writes it: what a reload is compared with.
    pub given: BTreeMap<String, String>,
    /// Whether doors without TLS may be open to other hosts. Named in the log at every start.
    pub insecure: bool,
    /// What is logged, for the program that starts the log.
    pub log: Option<String>,
    /// How a line of the log looks, for the program that starts the log.
    pub log_format: LogFormat,
    /// Where metrics and health are told without a token; none for nowhere.
    pub metrics: Option<SocketAddr>,
    /// How Agents are let in, and how their links are kept.
    pub links: LinksConfig,
    /// How devices are taken on board.
    pub onboarding: OnboardingConfig,
    /// How many requests the API takes.
    pub rate: Rate,
    /// How long things are kept.
    pub retention: Retention,
    /// What Agents have to speak TLS with, at the same door. Without it the door is plain.
    pub tls: Option<TlsFiles>,
    /// Whether Agents have to present a certificate there.
    pub tls_client: TlsClient,
    /// Where Agents connect over WebSocket; port 0 takes any free one.
    pub ws: SocketAddr,
    /// The path of that door, with its leading `/`.
    pub ws_path: String,
}

/// Whether Agents have to present a certificate over TLS. One that is presented has to be good either way.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum TlsClient {
    /// Who presents none proves nothing.
    Optional,
    /// Who presents none is refused.
    #[default]
    Required,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object in JSON.
    Json,
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
    /// Where in the file that is.
    #[error("line {line}, column {column}: {error}")]
    At {
        /// The line, from 1.
        line: usize,
        /// The character of that line, from 1.
        column: usize,
        /// What is wrong.
        error: Box<ConfigError>,
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
    #[error("{key}: unknown key{}", suggestion.map(|it| format!(", did you mean `{it}`?")).unwrap_or_else(|| "; docs/configuration.md has them all".to_owned()))]
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
#[serde(deny_unknown_fields)]
struct File {
    api: Option<SocketAddr>,
    api_tls_cert: Option<PathBuf>,
    api_tls_key: Option<PathBuf>,
    api_trusted_proxies: Option<Vec<String>>,
    connections_max: Option<usize>,
    connections_per_source_max: Option<usize>,
    data: Option<PathBuf>,
    endpoint_id: Option<String>,
    insecure: Option<bool>,
    log: Option<String>,
    log_format: Option<LogFormat>,
    metrics: Option<SocketAddr>,
    links: Option<LinksConfig>,
    #[serde(default)]
    onboarding: OnboardingConfig,
    rate: Option<Rate>,
    retention: Option<Retention>,
    tls_ca: Option<PathBuf>,
    tls_cert: Option<PathBuf>,
    #[serde(default)]
    tls_client: TlsClient,
    tls_key: Option<PathBuf>,
    ws: Option<SocketAddr>,
    ws_path: Option<String>,
}

impl Config {
    /// The defaults, with this data folder: API on 127.0.0.1:8080, WebSocket on 127.0.0.1:8081 at `/usp`.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            api: SocketAddr::from(([127, 0, 0, 1], 8080)),
            api_tls: None,
            api_trusted_proxies: TrustedProxies::default(),
            connections_max: limits::CONNECTIONS_MAX,
            connections_per_source_max: limits::CONNECTIONS_PER_SOURCE_MAX,
            data: data.into(),
            endpoint_id: None,
            given: BTreeMap::new(),
            insecure: false,
            log: None,
            log_format: LogFormat::default(),
            metrics: None,
            links: LinksConfig::default(),
            onboarding: OnboardingConfig::default(),
            rate: Rate::default(),
            retention: Retention::default(),
            tls: None,
            tls_client: TlsClient::default(),
            ws: SocketAddr::from(([127, 0, 0, 1], 8081)),
            ws_path: "/usp".into(),
        }
    }

    /// Whether somebody can come to the Agents' door who proves nothing. To one on loopback a proxy may bring whomever.
    pub(crate) fn takes_unproven(&self) -> bool {
        match self.tls {
            Some(_) => self.tls_client == TlsClient::Optional,
            None => true,
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
        let text =
            files::read_text(path, CONFIG_BYTES_MAX).map_err(|error| failed(error.to_string()))?;
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
        let given = keys::given(text)?;
        Self::judged(text, given, data).map_err(|error| match error {
            ConfigError::Value { key, .. } => match keys::place(text, key) {
                Some(at) => error.placed(text, at),
                None => error,
            },
            error => error,
        })
    }

    fn judged(
        text: &str,
        given: BTreeMap<String, String>,
        data: impl Into<PathBuf>,
    ) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(text).map_err(|error: toml::de::Error| {
            ConfigError::Text(error.to_string().trim_end().to_owned())
        })?;
        let defaults = Self::new(data);
        let tls = tls_files(file.tls_cert, file.tls_key, file.tls_ca)?;
        let api_tls = api_tls_files(file.api_tls_cert, file.api_tls_key)?;
        let proxies = file.api_trusted_proxies.unwrap_or_default();
        let config = Self {
            api: file.api.unwrap_or(defaults.api),
            api_tls,
            api_trusted_proxies: trusted_proxies(&proxies)?,
            connections_max: file.connections_max.unwrap_or(defaults.connections_max),
            connections_per_source_max: file
                .connections_per_source_max
                .unwrap_or(defaults.connections_per_source_max),
            data: file.data.unwrap_or(defaults.data),
            endpoint_id: file.endpoint_id.map(|id| endpoint_id(&id)).transpose()?,
            given,
            insecure: file.insecure.unwrap_or(defaults.insecure),
            log: file.log,
            log_format: file.log_format.unwrap_or_default(),
            metrics: file.metrics,
            links: file.links.unwrap_or(defaults.links).checked()?,
            onboarding: file.onboarding,
            rate: file.rate.unwrap_or_default(),
            retention: file.retention.unwrap_or_default(),
            tls,
            tls_client: file.tls_client,
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

/// Both files or none.
fn api_tls_files(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<ApiTlsFiles>, ConfigError> {
    let missing = match (certificate, key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => return Ok(Some(ApiTlsFiles { certificate, key })),
        (None, _) => "api_tls_cert",
        (_, None) => "api_tls_key",
    };
    Err(ConfigError::Value {
        key: missing,
        reason: "missing; the API needs api_tls_cert and api_tls_key together".to_owned(),
    })
}

fn trusted_proxies(texts: &[String]) -> Result<TrustedProxies, ConfigError> {
    TrustedProxies::read(texts.iter().map(String::as_str)).map_err(|reason| ConfigError::Value {
        key: "api_trusted_proxies",
        reason,
    })
}

fn endpoint_id(text: &str) -> Result<EndpointId, ConfigError> {
    EndpointId::parse(text).map_err(|error| ConfigError::Value {
        key: "endpoint_id",
        reason: error.to_string(),
    })
}

impl ConfigError {
    /// The same, with the line and the column of the byte `at`.
    fn placed(self, text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self::At {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            error: Box::new(self),
        }
    }
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

    /// What serde says that it knows, at the top or in a table.
    fn known_to_serde(table: &str) -> Vec<String> {
        let Err(error) = toml::from_str::<File>(&format!("{table}\n\u{7a}zz = 1")) else {
            panic!("it is not known")
        };
        let message = error.message();
        let expected = message.split("expected").nth(1).expect(message);
        expected
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_its_place_and_the_likely_one() {
        let error =
            Config::from_toml("insecure = false\n endpont_id = \"self::lab\"", "d").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2, column 2: endpont_id: unknown key, did you mean `endpoint_id`?"
        );
        let error = Config::from_toml("[telemetry]\nx = 1", "d").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 1, column 2: telemetry: unknown key; docs/configuration.md has them all"
        );
    }

    /// The list of keys is what is documented and checked; what is read are the fields.
    #[test]
    fn the_list_of_keys_is_what_is_read() {
        let tables: std::collections::BTreeSet<&str> = keys()
            .filter_map(|key| key.name.split_once('.'))
            .map(|(table, _)| table)
            .collect();
        let listed = |table: Option<&str>| -> std::collections::BTreeSet<String> {
            let names = keys().map(|key| match key.name.split_once('.') {
                Some((of, name)) => (Some(of), name),
                None => (None, key.name),
            });
            let names = names.filter(|(of, _)| *of == table);
            let names = names.map(|(_, name)| name.to_owned());
            match table {
                None => names
                    .chain(tables.iter().map(|table| (*table).to_owned()))
                    .collect(),
                Some(_) => names.collect(),
            }
        };
        assert_eq!(listed(None), known_to_serde("").into_iter().collect());
        for table in &tables {
            let known = known_to_serde(&format!("[{table}]")).into_iter().collect();
            assert_eq!(listed(Some(table)), known, "{table}");
        }
    }

    #[test]
    fn the_defaults_that_are_listed_are_the_defaults() {
        let listed: String = keys()
            .filter_map(|key| Some(format!("{} = {}\n", key.name, key.default?)))
            .collect();
        let config = Config::from_toml(&listed, "d").unwrap();
        let unsaid = Config {
            given: config.given.clone(),
            log: Some("info".to_owned()),
            ..Config::new("d")
        };
        assert_eq!(config, unsaid);
        let examples: String = keys()
            .map(|key| format!("{} = {}\n", key.name, key.example))
            .collect();
        Config::from_toml(&examples, "d").unwrap();
    }

    #[test]
    fn an_error_in_a_file_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.toml");
        std::fs::write(&path, "apii = 1").unwrap();
        let error = Config::from_file(&path, "d").unwrap_err().to_string();
        let expected = format!(
            "{}: line 1, column 1: apii: unknown key, did you mean `api`?",
            path.display()
        );
        assert_eq!(error, expected);
    }

    #[test]
    fn wrong_values_are_named() {
        for (text, expected) in [
            ("endpoint_id = \"nonsense\"", "endpoint_id"),
            ("ws_path = \"usp\"", "begins with /"),
            ("tls_cert = \"a\"\ntls_ca = \"b\"", "tls_key: missing"),
            ("api_tls_cert = \"a\"", "api_tls_key: missing"),
            (
                "api_trusted_proxies = [\"here\"]",
                "api_trusted_proxies: \"here\"",
            ),
            ("tls_client = \"never\"", "`optional` or `required`"),
            ("connections_max = 0", "at least 1"),
            ("connections_per_source_max = 0", "at least 1"),
            ("api = \"here\"", "line 1"),
            ("\nconnections_max = 0", "line 2, column 1"),
            ("log_format = \"xml\"", "`text` or `json`"),
            ("[onboarding]\nfirst_contact = \"never\"", "first_contact"),
            ("[onboarding]\nfirst = 1", "first"),
            ("[rate]\ntoken_burst = 0", "rate.token_burst: 0"),
            ("[retention]\naudit_days = 0", "retention.audit_days: 0"),
            ("[rate]\nburst = 1", "burst"),
            ("api = ", "api"),
        ] {
            let error = Config::from_toml(text, "d").unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn no_more_is_read_of_a_file_than_is_allowed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(CONFIG_BYTES_MAX + 1).unwrap();
        for (path, expected) in [
            (file.path(), "more than 1048576 bytes"),
            (Path::new("/dev/zero"), "no regular file"),
        ] {
            let error = Config::from_file(path, "d").unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
