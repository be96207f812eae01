//! `usphere subscriptions`: what the server wants to be told by every device.

use clap::{Args, Subcommand};
use usphere_datamodel::operation::NotificationKind;

use super::block_on;
use crate::cli::reach::{Manner, ServerReach};
use crate::failure::{Exit, Failure};
use crate::print;
use crate::print::subscriptions::{Subscription, table};
use crate::transport::api::Api;

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List them
    List {
        #[command(flatten)]
        server: ServerReach,
        #[command(flatten)]
        manner: Manner,
    },
    /// Have every device tell of something, from now on and whenever it comes back
    Add {
        /// What it is called; one of the same name is replaced
        #[arg(value_name = "NAME")]
        name: String,
        /// ValueChange, ObjectCreation, ObjectDeletion, OperationComplete or Event
        #[arg(long = "type", value_name = "TYPE", default_value_t = NotificationKind::ValueChange)]
        kind: NotificationKind,
        /// What it is about: parameters, objects, tables, commands or events
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<String>,
        #[command(flatten)]
        server: ServerReach,
        #[command(flatten)]
        manner: Manner,
    },
    /// Have no device tell of it any more
    Remove {
        /// What it is called
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        server: ServerReach,
        #[command(flatten)]
        manner: Manner,
    },
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
                let mut api = Api::connect(&server, manner.timeout).await?;
                let subscriptions = api.subscriptions().await?;
                if manner.json {
                    return print::json(&subscriptions);
                }
                let read = subscriptions.into_iter().map(Subscription::read);
                print::text(&table(&read.collect::<Result<Vec<_>, _>>()?))
            }
            Self::Add {
                name,
                kind,
                paths,
                server,
                manner,
            } => {
                let mut api = Api::connect(&server, manner.timeout).await?;
                let added = api.subscribe(&name, kind.as_str(), &paths).await?;
                if manner.json {
                    return print::json(&added);
                }
                print::text(&table(&[Subscription::read(added)?]))
            }
            Self::Remove {
                name,
                server,
                manner,
            } => {
                let mut api = Api::connect(&server, manner.timeout).await?;
                api.unsubscribe(&name).await?;
                if manner.json {
                    return print::json(&serde_json::json!({ "name": name }));
                }
                print::text(&format!("removed {}\n", print::clean(&name)))
            }
        }
    }
}
