//! Every key of the configuration file: what it means, what it may be, and when a change of it takes effect.
//!
//! A file is judged by this list before anything is made of it, and `docs/configuration.md` is made from it.

mod tables;

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use self::tables::{LINKS, ONBOARDING, RATE, RETENTION};
use super::ConfigError;

/// A key of the configuration file.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name; a key of a table is named with the table, as in `table.key`.
    pub name: &'static str,
    /// What kind of value it takes, in words.
    pub kind: &'static str,
    /// What it is where the file does not give it, as TOML; none where it is then absent or made.
    pub default: Option<&'static str>,
    /// A value that it may have, as TOML.
    pub example: &'static str,
    /// When a changed value takes effect.
    pub change: Change,
    /// What it does, in a sentence or two.
    pub meaning: &'static str,
}

/// When a changed value takes effect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// When the configuration is reloaded.
    Reload,
    /// When the server is started again.
    Restart,
}

/// The keys, in the order of the book: those of no table, and those of each table.
const GROUPS: &[&[Key]] = &[TOP, LINKS, ONBOARDING, RATE, RETENTION];

/// Every key of the configuration file, in the order of the book.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    GROUPS.iter().copied().flatten()
}

/// The keys of no table.
const TOP: &[Key] = &[
    Key {
        name: "data",
        kind: "folder",
        default: None,
        example: "\"/var/lib/usphere/server\"",
        change: Change::Restart,
        meaning: "The folder of everything that is kept; made if it is not there. Without it \
            `/var/lib/usphere/server` for root, else `~/.local/state/usphere/server`.",
    },
    Key {
        name: "endpoint_id",
        kind: "Endpoint ID",
        default: None,
        example: "\"self::server.example\"",
        change: Change::Restart,
        meaning: "Who the server is, from now on. Without it the one that is kept; at first start one is made.",
    },
    Key {
        name: "api",
        kind: "address:port",
        default: Some("\"127.0.0.1:8080\""),
        example: "\"127.0.0.1:8080\"",
        change: Change::Restart,
        meaning: "Where the API and the console listen; port 0 takes any free one. Off loopback it needs `api_tls_cert` \
            and `api_tls_key`, or `insecure`.",
    },
    Key {
        name: "api_tls_cert",
        kind: "file",
        default: None,
        example: "\"/var/lib/usphere/certs/self__server.example.pem\"",
        change: Change::Restart,
        meaning: "The certificate of the API, PEM, for the names by which it is reached. It goes with `api_tls_key`; with \
            them the API and the console are at `https://` and nowhere else. What is in the two files is taken up by a \
            reload; their names are by a restart.",
    },
    Key {
        name: "api_tls_key",
        kind: "file",
        default: None,
        example: "\"/var/lib/usphere/certs/self__server.example.key\"",
        change: Change::Restart,
        meaning: "Its private key, PEM, which only its owner may read.",
    },
    Key {
        name: "api_trusted_proxies",
        kind: "list of addresses and networks",
        default: Some("[]"),
        example: "[\"127.0.0.1\", \"10.0.0.0/8\"]",
        change: Change::Restart,
        meaning: "The proxies before the API whose `X-Forwarded-For` or `Forwarded` is believed, for the audit and for how \
            often an address may ask. Anybody else's is not looked at.",
    },
    Key {
        name: "ws",
        kind: "address:port",
        default: Some("\"127.0.0.1:8081\""),
        example: "\"0.0.0.0:8081\"",
        change: Change::Restart,
        meaning: "Where Agents connect over WebSocket; port 0 takes any free one.",
    },
    Key {
        name: "ws_path",
        kind: "path",
        default: Some("\"/usp\""),
        example: "\"/usp\"",
        change: Change::Restart,
        meaning: "The path of that door, with its leading `/`.",
    },
    Key {
        name: "tls_cert",
        kind: "file",
        default: None,
        example: "\"/var/lib/usphere/certs/self__server.example.pem\"",
        change: Change::Restart,
        meaning: "The server's certificate, PEM. `tls_cert`, `tls_key` and `tls_ca` go together; without them the door \
            is plain. What is in the three files is taken up by a reload; their names are by a restart.",
    },
    Key {
        name: "tls_key",
        kind: "file",
        default: None,
        example: "\"/var/lib/usphere/certs/self__server.example.key\"",
        change: Change::Restart,
        meaning: "Its private key, PEM, which only its owner may read.",
    },
    Key {
        name: "tls_ca",
        kind: "file",
        default: None,
        example: "\"/var/lib/usphere/certs/ca.pem\"",
        change: Change::Restart,
        meaning: "The CAs that vouch for Agents, PEM.",
    },
    Key {
        name: "tls_client",
        kind: "`required` or `optional`",
        default: Some("\"required\""),
        example: "\"required\"",
        change: Change::Restart,
        meaning: "Whether Agents have to present a certificate. With `optional`, those that present none come by their word \
            alone, and wait for approval unless `onboarding.first_contact` is `open`; docs/tls.md says what that is worth. \
            A certificate that is presented has to be good in any case.",
    },
    Key {
        name: "insecure",
        kind: "boolean",
        default: Some("false"),
        example: "false",
        change: Change::Restart,
        meaning: "Whether doors without TLS may be open to other hosts. Named in the log at every start.",
    },
    Key {
        name: "connections_max",
        kind: "number",
        default: Some("20000"),
        example: "20000",
        change: Change::Restart,
        meaning: "Agents that may be connected at the same time. The process needs an open file for each.",
    },
    Key {
        name: "connections_per_source_max",
        kind: "number",
        default: Some("1000"),
        example: "1000",
        change: Change::Restart,
        meaning: "Agents that may be connected at the same time from one IPv4 address or IPv6 /64; many can stand \
            behind one address translator.",
    },
    Key {
        name: "metrics",
        kind: "address:port",
        default: None,
        example: "\"127.0.0.1:9464\"",
        change: Change::Restart,
        meaning: "Where `/metrics`, `/healthz` and `/readyz` are served without a token, for a Prometheus on this host. \
            A loopback address, unless `insecure` is set. Without it `/metrics` is at the API only, with a token.",
    },
    Key {
        name: "log",
        kind: "filter",
        default: Some("\"info\""),
        example: "\"info,usphere_mtp=debug\"",
        change: Change::Reload,
        meaning: "What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`, `off`), or `module=level` with \
            commas between. `--log` and `USPHERE_LOG` override it.",
    },
    Key {
        name: "log_format",
        kind: "`text` or `json`",
        default: Some("\"text\""),
        example: "\"json\"",
        change: Change::Restart,
        meaning: "How a line of the log looks: for people, or an object in JSON for each, for programs.",
    },
];

/// What a file gives: the values by the names of their keys, as the file writes them. Refuses a key that is not
/// known.
pub(super) fn given(text: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let table = DeTable::parse(text)
        .map_err(|error| ConfigError::Text(error.to_string().trim_end().to_owned()))?;
    let mut found = Vec::new();
    collect("", table.get_ref(), &mut found);
    // The first in the file is told of.
    found.sort_by_key(|found| found.at);
    let mut given = BTreeMap::new();
    for Found { name, at, value } in found {
        let Some(value) = value.filter(|_| is_known(&name)) else {
            return Err(ConfigError::UnknownKey {
                suggestion: nearest(&name),
                key: name,
            }
            .placed(text, at));
        };
        given.insert(name, text.get(value).unwrap_or_default().to_owned());
    }
    Ok(given)
}

/// Where the file gives a key, in bytes.
pub(super) fn place(text: &str, key: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let mut found = Vec::new();
    collect("", table.get_ref(), &mut found);
    found
        .into_iter()
        .find(|found| found.name == key)
        .map(|found| found.at)
}

/// A key in a file.
struct Found {
    name: String,
    at: usize,
    /// Where its value is; none where it is a table that is not known.
    value: Option<std::ops::Range<usize>>,
}

fn collect(prefix: &str, table: &DeTable<'_>, found: &mut Vec<Found>) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        let at = key.span().start;
        match value.get_ref() {
            DeValue::Table(inner) if is_table(&name) => collect(&format!("{name}."), inner, found),
            DeValue::Table(_) => found.push(Found {
                name,
                at,
                value: None,
            }),
            _ => found.push(Found {
                name,
                at,
                value: Some(Spanned::span(value)),
            }),
        }
    }
}

fn is_known(name: &str) -> bool {
    keys().any(|key| key.name == name)
}

fn is_table(name: &str) -> bool {
    let within = |key: &Key| {
        let rest = key.name.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    keys().any(within)
}

/// The known key that takes the fewest edits, if those are few.
fn nearest(key: &str) -> Option<&'static str> {
    let key: String = key.chars().take(64).collect();
    let distance = |known: &str| strsim::damerau_levenshtein(&key, known);
    let tables = keys().filter_map(|key| Some(key.name.split_once('.')?.0));
    keys()
        .map(|known| known.name)
        .chain(tables)
        .min_by_key(|known| distance(known))
        .filter(|known| distance(known) <= 1 + known.len() / 3)
}
