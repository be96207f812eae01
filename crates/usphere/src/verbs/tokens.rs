//! `usphere tokens`: who else may use the server's API.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::block_on;
use crate::cli::reach::{Manner, ServerReach, read_time};
use crate::clock::now;
use crate::failure::{Exit, Failure};
use crate::print;
use crate::print::tokens::Token;
use crate::transport::api::Api;

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List them, without their secrets
    List {
        #[command(flatten)]
        server: ServerReach,
        #[command(flatten)]
        manner: Manner,
    },
    /// Make one and print it; it cannot be shown again
    Create {
        /// What it is for: letters, digits and -_.@
        #[arg(value_name = "NAME")]
        name: String,
        /// What it allows; each allows what those before it do
        #[arg(long, value_enum, value_name = "SCOPE")]
        scope: Scope,
        /// How long it is good. Seconds, or with ms, s, m, h; for ever where not given
        #[arg(long, value_name = "TIME", value_parser = read_time)]
        expires: Option<Duration>,
        #[command(flatten)]
        server: ServerReach,
        #[command(flatten)]
        manner: Manner,
    },
    /// Take one back: it is refused from now on, and the streams that it opened end
    Revoke {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        server: ServerReach,
        #[command(flatten)]
        manner: Manner,
    },
}

/// What a token allows.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scope {
    /// To read the server's metrics
    Metrics,
    /// To read what the server knows, and what devices say when they are asked
    Read,
    /// To change devices
    Operate,
    /// To change the server: its tokens, which devices it knows
    Admin,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        block_on(self.action.run())
    }
}

impl Action {
    async fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::List { server, manner } => {
                let tokens = connect(&server, manner).await?.tokens().await?;
                if manner.json {
                    return print::json(&tokens);
                }
                let tokens = tokens.into_iter().map(Token::read);
                let tokens = tokens.collect::<Result<Vec<_>, _>>()?;
                print::text(&print::tokens::table(&tokens, now()))
            }
            Self::Create {
                name,
                scope,
                expires,
                server,
                manner,
            } => {
                let seconds = expires.map(|time| time.as_millis().div_ceil(1000));
                let seconds = seconds.map(|seconds| u64::try_from(seconds).unwrap_or(u64::MAX));
                let mut api = connect(&server, manner).await?;
                let made = api.make_token(&name, scope.name(), seconds).await?;
                if manner.json {
                    return print::json(&made);
                }
                let token = Token::read(made)?;
                print::text(&format!("{}\n", print::clean(&token.token)))
            }
            Self::Revoke {
                name,
                server,
                manner,
            } => {
                let mut api = connect(&server, manner).await?;
                let revoked = api.revoke_token(&name).await;
                revoked.map_err(|failure| match failure.exit {
                    Exit::Absent => failure.advise("`usphere tokens list` shows the tokens"),
                    _ => failure,
                })?;
                if manner.json {
                    return print::json(&serde_json::json!({"name": name}));
                }
                print::text(&format!("revoked {}\n", print::clean(&name)))
            }
        }
    }
}

impl Scope {
    fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

async fn connect(server: &ServerReach, manner: Manner) -> Result<Api, Failure> {
    Api::connect(server, manner.timeout).await
}
