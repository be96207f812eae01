//! `usphere delete`: delete rows of tables.

use clap::Args;
use usphere_datamodel::operation::{Delete, Operation};

use super::operations::Later;
use crate::cli::reach::Reach;
use crate::failure::{Exit, Failure};

const USAGE: &str = "usphere delete DEVICE PATH...
       usphere delete --agent URL PATH...
       usphere delete --listen URL PATH...";

#[derive(Args, Debug)]
#[command(override_usage = USAGE)]
pub(crate) struct Options {
    /// The device, then the rows, or searches that find them
    #[arg(value_name = "DEVICE PATH", required = true)]
    words: Vec<String>,
    /// Delete each path on its own; without it, all or nothing
    #[arg(long)]
    allow_partial: bool,
    #[command(flatten)]
    later: Later,
    #[command(flatten)]
    reach: Reach,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let (way, paths) = self.reach.way(self.words)?;
        let operation = Operation::Delete(Delete {
            paths: super::at_least_one(paths, "PATH", USAGE)?,
            allow_partial: self.allow_partial,
        });
        self.later.ask(way, self.reach.manner, operation)
    }
}
