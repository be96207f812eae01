//! `usphere operations`: what was asked of devices through the server, and `--later`, which does not wait for it.

use std::time::Duration;

use clap::{Args, Subcommand};
use usphere_datamodel::operation::Operation;

use super::{ask, block_on, conclude};
use crate::cli::reach::{Manner, ServerReach, Way, read_time};
use crate::clock::now;
use crate::defaults::OPERATIONS_LISTED;
use crate::failure::{Exit, Failure};
use crate::print;
use crate::print::operations::Kept;
use crate::transport::api::{Api, Asking, Listed};

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List them, the newest first
    List {
        /// Only those on this device
        #[arg(long, value_name = "DEVICE")]
        device: Option<String>,
        /// Only those that are queued, sent, waiting, done, failed or expired
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = OPERATIONS_LISTED)]
        limit: usize,
        #[command(flatten)]
        server: ServerReach,
        #[command(flatten)]
        manner: Manner,
    },
    /// Show one, with what was asked and what came of it
    Show {
        /// Its ID, such as op-0065f0c1a2b30001
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        server: ServerReach,
        #[command(flatten)]
        manner: Manner,
    },
    /// Take one back that is queued
    Cancel {
        /// Its ID, such as op-0065f0c1a2b30001
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        server: ServerReach,
        #[command(flatten)]
        manner: Manner,
    },
}

/// Whether a verb waits for its answer.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "The server")]
pub(crate) struct Later {
    /// Do not wait for the answer, but print the ID of the operation: the server keeps it for a device that is away
    #[arg(long, conflicts_with_all = ["agent", "listen"])]
    later: bool,
    /// How long it may wait for the device. Seconds, or with ms, s, m, h; a day where not given
    #[arg(long, value_name = "TIME", value_parser = read_time, requires = "later")]
    expires: Option<Duration>,
    /// A name for this request of your choice: given again with the same request, it is the same operation, done once
    /// however often it is asked for, also when the answer got lost
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["agent", "listen"])]
    idempotency_key: Option<String>,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        block_on(self.action.run())
    }
}

impl Later {
    /// Whether it is asked for.
    pub(crate) fn is_wanted(&self) -> bool {
        self.later
    }

    /// Whether the operation has a name that it is asked for by again.
    pub(crate) fn has_key(&self) -> bool {
        self.idempotency_key.is_some()
    }

    /// Has an Operation carried out, now or later, and prints what came of it so far.
    pub(crate) fn ask(
        self,
        way: Way,
        manner: Manner,
        operation: Operation,
    ) -> Result<Exit, Failure> {
        match way {
            Way::Server { server, device, .. } if self.later => block_on(async {
                let mut api = Api::connect(&server, manner.timeout).await?;
                let key = self.idempotency_key.as_deref();
                let kept = api.submit(&device, &operation, self.expires, key).await?;
                if manner.json {
                    return print::json(&kept);
                }
                let kept = Kept::read(kept)?;
                print::text(&format!("{}\n", print::clean(&kept.id)))
            }),
            Way::Server { server, device, .. } if self.idempotency_key.is_some() => {
                block_on(async {
                    let mut api = Api::connect(&server, manner.timeout).await?;
                    let key = self.idempotency_key.as_deref();
                    let asking = key.map_or(Asking::Plainly, Asking::Keyed);
                    let answer = api.execute(&device, &operation, asking).await;
                    conclude(&operation, answer.map(|carried| carried.outcome), manner)
                })
            }
            way => ask(way, manner, operation),
        }
    }
}

impl Action {
    async fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::List {
                device,
                state,
                limit,
                server,
                manner,
            } => {
                let wanted = Listed {
                    device,
                    state,
                    limit,
                };
                let kept = Api::connect(&server, manner.timeout)
                    .await?
                    .operations(&wanted)
                    .await?;
                if manner.json {
                    return print::json(&kept);
                }
                let kept = kept.into_iter().map(Kept::read);
                let kept = kept.collect::<Result<Vec<_>, _>>()?;
                print::text(&print::operations::table(&kept, now()))
            }
            Self::Show { id, server, manner } => {
                let kept = Api::connect(&server, manner.timeout)
                    .await?
                    .operation(&id)
                    .await?;
                show(kept, manner)
            }
            Self::Cancel { id, server, manner } => {
                let mut api = Api::connect(&server, manner.timeout).await?;
                show(api.cancel(&id).await?, manner)
            }
        }
    }
}

fn show(kept: serde_json::Value, manner: Manner) -> Result<Exit, Failure> {
    if manner.json {
        return print::json(&kept);
    }
    print::text(&print::operations::card(&Kept::read(kept)?, now()))
}
