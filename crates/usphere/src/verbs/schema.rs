//! `usphere schema`: show what there can be.

use clap::Args;
use usphere_datamodel::operation::{Operation, SupportedModel};

use super::operations::Later;
use crate::cli::reach::{Reach, Way};
use crate::failure::{Exit, Failure};

const USAGE: &str = "usphere schema DEVICE PATH...
       usphere schema --agent URL PATH...
       usphere schema --listen URL PATH...";

#[derive(Args, Debug)]
#[command(override_usage = USAGE)]
pub(crate) struct Options {
    /// The device, then objects, parameters, commands and events, with {i} for instances
    #[arg(value_name = "DEVICE PATH", required = true)]
    words: Vec<String>,
    /// Leave out what lies below the direct children
    #[arg(long)]
    first_level: bool,
    /// Ask the device itself, and have the server learn anew what its product can do
    #[arg(long, conflicts_with_all = ["agent", "listen", "later"])]
    fresh: bool,
    #[command(flatten)]
    later: Later,
    #[command(flatten)]
    reach: Reach,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let (mut way, paths) = self.reach.way(self.words)?;
        if let Way::Server { fresh, .. } = &mut way {
            *fresh = self.fresh;
        }
        let operation = Operation::SupportedModel(SupportedModel {
            first_level_only: self.first_level,
            ..SupportedModel::all(super::at_least_one(paths, "PATH", USAGE)?)
        });
        self.later.ask(way, self.reach.manner, operation)
    }
}
