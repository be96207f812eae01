//! `usphere audit`: who changed what through the server.

use clap::Args;

use super::block_on;
use crate::cli::reach::{Manner, ServerReach};
use crate::clock::now;
use crate::defaults::AUDIT_LISTED;
use crate::failure::{Exit, Failure};
use crate::print;
use crate::print::audit::Entry;
use crate::transport::access::Audited;
use crate::transport::api::Api;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Only what was done with the token of this name; `root` is the one in the data folder
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Only what is called this: a verb, device.change, device.remove, token.create, …
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only what was done to this device, token or operation
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// At most so many, the newest
    #[arg(long, value_name = "N", default_value_t = AUDIT_LISTED)]
    limit: usize,
    #[command(flatten)]
    server: ServerReach,
    #[command(flatten)]
    manner: Manner,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let Self {
            actor,
            action,
            target,
            limit,
            server,
            manner,
        } = self;
        let wanted = Audited {
            actor,
            action,
            target,
            limit,
        };
        block_on(async {
            let mut api = Api::connect(&server, manner.timeout).await?;
            let entries = api.audit(&wanted).await?;
            if manner.json {
                return print::json(&entries);
            }
            let entries = entries.into_iter().map(Entry::read);
            let entries = entries.collect::<Result<Vec<_>, _>>()?;
            print::text(&print::audit::table(&entries, now()))
        })
    }
}
