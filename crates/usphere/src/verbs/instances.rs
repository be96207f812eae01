//! `usphere instances`: list the rows of tables.

use clap::Args;
use usphere_datamodel::operation::{Instances, Operation};

use super::operations::Later;
use crate::cli::reach::Reach;
use crate::failure::{Exit, Failure};

const USAGE: &str = "usphere instances DEVICE PATH...
       usphere instances --agent URL PATH...
       usphere instances --listen URL PATH...";

#[derive(Args, Debug)]
#[command(override_usage = USAGE)]
pub(crate) struct Options {
    /// The device, then tables and objects
    #[arg(value_name = "DEVICE PATH", required = true)]
    words: Vec<String>,
    /// Leave out the tables below the rows
    #[arg(long)]
    first_level: bool,
    #[command(flatten)]
    later: Later,
    #[command(flatten)]
    reach: Reach,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let (way, paths) = self.reach.way(self.words)?;
        let operation = Operation::Instances(Instances {
            paths: super::at_least_one(paths, "PATH", USAGE)?,
            first_level_only: self.first_level,
        });
        self.later.ask(way, self.reach.manner, operation)
    }
}
