//! The options that say whom a verb asks, and how long it waits.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use usphere_mtp::tls::WebClient;
use usphere_mtp::websocket::Target;
use usphere_proto::EndpointId;
use usphere_runtime::TlsFiles;
use usphere_server::limits::OPERATION_SECONDS_MAX;

use crate::data;
use crate::defaults::{
    API_URL, API_VARIABLE, CA_VARIABLE, CONTROLLER_ID, DATA_VARIABLE, SERVER_ROLE, TIMEOUT,
    TOKEN_FILE, TOKEN_VARIABLE,
};
use crate::failure::Failure;
use crate::tls::TlsPair;
use crate::verbs::certs;

/// Longest time-out that is taken: that of the server.
const TIMEOUT_MAX: Duration = Duration::from_secs(OPERATION_SECONDS_MAX);

/// Longest time that anything takes.
const TIME_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// How to reach the server.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "The server")]
pub(crate) struct ServerReach {
    /// Its address [env: USPHERE_API] [default: http://127.0.0.1:8080]
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// Its token [env: USPHERE_TOKEN] [default: what the file `token` in its data folder says]
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// Its data folder, where the token lies [env: USPHERE_DATA]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The CAs that vouch for those at the other end, PEM; for the server also [env: USPHERE_CA], and where neither is
    /// given those of `usphere certs` and of this host
    #[arg(
        long = "tls-ca",
        alias = "ca",
        value_name = "FILE",
        help_heading = "TLS (https://, wss://)"
    )]
    pub(crate) authorities: Option<PathBuf>,
}

/// How to reach a device without a server.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Without a server")]
pub(crate) struct DirectReach {
    /// Dial this Agent ourselves; DEVICE is left out
    #[arg(long, value_name = "URL", conflicts_with_all = ["listen", "server", "token", "data"])]
    pub(crate) agent: Option<Target>,
    /// Wait here for an Agent that dials in; DEVICE is left out
    #[arg(long, value_name = "URL", conflicts_with_all = ["server", "token", "data"])]
    pub(crate) listen: Option<Target>,
    /// Who we are to that Agent [default: self::usphere-cli]
    #[arg(long = "as", value_name = "ENDPOINT-ID", conflicts_with_all = ["server", "token", "data"])]
    pub(crate) own: Option<EndpointId>,
    #[command(flatten)]
    pub(crate) pair: TlsPair,
}

/// How to print, and how long to wait.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Manner {
    /// Print JSON; the shapes stand in docs/cli.md
    #[arg(long)]
    pub(crate) json: bool,
    /// How long each step may take: connecting, the answer. Seconds, or with ms, s, m, h; at most 600 s.
    /// Dialling an Agent is given up after 10 s at the latest. A server gives the device whole seconds, rounded up,
    /// and has 5 s more itself
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = read_duration)]
    pub(crate) timeout: Duration,
}

/// Everything a verb on a device takes beside its own arguments.
#[derive(Args, Clone, Debug)]
pub(crate) struct Reach {
    #[command(flatten)]
    server: ServerReach,
    #[command(flatten)]
    direct: DirectReach,
    #[command(flatten)]
    pub(crate) manner: Manner,
}

/// Whom to ask.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// An Agent that listens.
    Dial(Direct),
    /// An Agent that dials in.
    Listen(Direct),
    /// A device of the server.
    Server {
        server: ServerReach,
        device: String,
        /// Whether the device is to be asked itself, also where the server knows the answer.
        fresh: bool,
    },
}

/// A connection of our own.
#[derive(Clone, Debug)]
pub(crate) struct Direct {
    /// Where to.
    pub(crate) target: Target,
    /// Who we are.
    pub(crate) own: EndpointId,
    /// What we speak TLS with, where the target wants it.
    pub(crate) tls: Option<TlsFiles>,
}

impl Reach {
    /// How to reach the server.
    pub(crate) fn server(&self) -> &ServerReach {
        &self.server
    }

    /// Whom to ask, and the words that remain when the device is taken from them.
    ///
    /// # Errors
    /// Usage: a device too many or too few.
    pub(crate) fn way(&self, mut words: Vec<String>) -> Result<(Way, Vec<String>), Failure> {
        let own = || self.direct.own.clone().map_or_else(default_own, Ok);
        let first_is_path = words.first().is_some_and(|word| is_path(word));
        let first_is_id = words
            .first()
            .is_some_and(|word| !is_path(word) && EndpointId::from_wire(word).is_ok());
        let way = match (&self.direct.agent, &self.direct.listen) {
            (Some(_), _) | (_, Some(_)) if first_is_id => {
                let device = words.swap_remove(0);
                return Err(Failure::usage(format_args!(
                    "{device}: DEVICE is left out with --agent and --listen"
                ))
                .advise("with them the device is whoever is at the other end of the connection"));
            }
            (Some(target), _) => Way::Dial(self.to(target, own()?)?),
            (None, Some(target)) => Way::Listen(self.to(target, own()?)?),
            (None, None) => {
                if self.direct.own.is_some() {
                    return Err(Failure::usage("--as goes with --agent or --listen")
                        .advise("a server has an endpoint ID of its own"));
                }
                if words.is_empty() || first_is_path {
                    return Err(Failure::usage("DEVICE is missing before the paths").advise(
                        "`usphere devices list` shows the devices; without a server use --agent URL or --listen URL",
                    ));
                }
                Way::Server {
                    server: self.server.clone(),
                    device: words.remove(0),
                    fresh: false,
                }
            }
        };
        Ok((way, words))
    }

    fn to(&self, target: &Target, own: EndpointId) -> Result<Direct, Failure> {
        let options = || {
            let authorities = self.server.authorities.clone();
            self.direct.pair.clone().with(authorities)
        };
        let tls = target.tls.then(|| options().or_kept(&own));
        Ok(Direct {
            target: target.clone(),
            tls: tls.transpose()?,
            own,
        })
    }
}

impl ServerReach {
    /// The address: flag, environment, default.
    pub(crate) fn url(&self) -> String {
        self.server
            .clone()
            .or_else(|| data::variable(API_VARIABLE))
            .unwrap_or_else(|| API_URL.to_owned())
    }

    /// Whom to believe that it is the server: flag, environment, else whom `usphere certs` and this host trust.
    ///
    /// # Errors
    /// A file cannot be used.
    pub(crate) fn trusted(&self) -> Result<WebClient, Failure> {
        let named = self.authorities.clone();
        let named = named.or_else(|| data::variable(CA_VARIABLE).map(PathBuf::from));
        let trusted = match named {
            Some(file) => WebClient::trusting(&file),
            None => {
                let kept = certs::ca_certificate(&certs::folder(None));
                WebClient::of_this_host(kept.exists().then_some(kept.as_path()))
            }
        };
        trusted.map_err(Failure::local)
    }

    /// The token: flag, environment, file.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub(crate) fn token(&self) -> Result<String, Failure> {
        if let Some(token) = self
            .token
            .clone()
            .or_else(|| data::variable(TOKEN_VARIABLE))
        {
            return Ok(token);
        }
        let folder = self
            .data
            .clone()
            .or_else(|| data::variable(DATA_VARIABLE).map(PathBuf::from))
            .unwrap_or_else(|| data::default_folder(SERVER_ROLE));
        let path = folder.join(TOKEN_FILE);
        let shown = path.display();
        match data::read_line(&path) {
            Ok(Some(token)) if !token.is_empty() => Ok(token),
            Ok(_) => Err(Failure::local(format_args!("no token for the server: {shown} is not there")).advise(format!(
                "looked at --token, {TOKEN_VARIABLE}, then that file; --data DIR or {DATA_VARIABLE} name the server's data folder"
            ))),
            Err(error) => Err(
                Failure::local(format_args!("no token for the server: {shown} cannot be read: {error}"))
                    .advise(format!("run this as the user who runs the server, or give --token or {TOKEN_VARIABLE}")),
            ),
        }
    }
}

fn default_own() -> Result<EndpointId, Failure> {
    EndpointId::parse(CONTROLLER_ID).map_err(Failure::usage)
}

fn is_path(word: &str) -> bool {
    word.starts_with("Device.")
}

fn read_duration(text: &str) -> Result<Duration, String> {
    let time = read_time(text)?;
    if time > TIMEOUT_MAX {
        return Err(format!(
            "{text:?}: more than 0 and at most 600 s is allowed"
        ));
    }
    Ok(time)
}

/// Reads a time that is more than none.
pub(crate) fn read_time(text: &str) -> Result<Duration, String> {
    let expected = || format!("{text:?}: a time such as 30, 30s, 500ms, 2m or 1h is expected");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| expected())?;
    let time = match &text[digits.len()..] {
        "" | "s" => Duration::from_secs(number),
        "h" => Duration::from_secs(number.saturating_mul(3600)),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        "ms" => Duration::from_millis(number),
        _ => return Err(expected()),
    };
    match time <= TIME_MAX && !time.is_zero() {
        true => Ok(time),
        false => Err(format!(
            "{text:?}: more than 0 and at most 365 days is allowed"
        )),
    }
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            json: false,
            timeout: TIMEOUT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(agent: Option<&str>) -> Reach {
        Reach {
            server: ServerReach::default(),
            direct: DirectReach {
                agent: agent.map(|url| url.parse().unwrap()),
                ..DirectReach::default()
            },
            manner: Manner::default(),
        }
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_first_word_is_the_device_unless_an_agent_is_dialled() {
        let (way, rest) = reach(None)
            .way(words(&["gateway", "Device.Time."]))
            .unwrap();
        assert!(matches!(way, Way::Server { device, .. } if device == "gateway"));
        assert_eq!(rest, ["Device.Time."]);
        let (way, rest) = reach(Some("ws://127.0.0.1:1/usp"))
            .way(words(&["Device.Time.", "Device.X."]))
            .unwrap();
        assert!(matches!(way, Way::Dial(_)));
        assert_eq!(rest.len(), 2);
    }

    #[test]
    fn a_device_too_many_or_too_few_is_told() {
        let missing = reach(None).way(words(&["Device.Time."])).unwrap_err();
        assert!(missing.message.contains("missing"), "{missing}");
        let surplus = reach(Some("ws://127.0.0.1:1/usp"))
            .way(words(&["os::1", "Device.Time."]))
            .unwrap_err();
        assert!(surplus.message.contains("left out"), "{surplus}");
    }

    #[test]
    fn times_have_units() {
        assert_eq!(read_duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(read_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(read_duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(read_time("2h"), Ok(Duration::from_secs(7200)));
        for wrong in ["", "0", "x", "1h", "1d", "-1", "1e3s", "99999999999", "é"] {
            assert!(read_duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(read_duration("30s"), Ok(TIMEOUT));
    }
}
