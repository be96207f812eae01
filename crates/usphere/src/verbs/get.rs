//! `usphere get`: read values.

use clap::Args;
use usphere_datamodel::operation::{Get, Operation};

use super::fleet::Fleet;
use super::operations::Later;
use crate::cli::reach::Reach;
use crate::failure::{Exit, Failure};

const USAGE: &str = "usphere get DEVICE PATH...
       usphere get --all|--tag TAG|--search WORDS|--online PATH...
       usphere get --agent URL PATH...
       usphere get --listen URL PATH...";

#[derive(Args, Debug)]
#[command(override_usage = USAGE)]
pub(crate) struct Options {
    /// The device, then objects and parameters. Searches, wildcards and references are followed
    #[arg(value_name = "DEVICE PATH", required = true)]
    words: Vec<String>,
    /// How many levels of objects to go down; 0 for all
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_depth: u32,
    #[command(flatten)]
    fleet: Fleet,
    #[command(flatten)]
    later: Later,
    #[command(flatten)]
    reach: Reach,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        if self.fleet.is_wanted() {
            let (reach, depth) = (self.reach, self.max_depth);
            return self
                .fleet
                .get(reach.server(), reach.manner, &self.words, depth);
        }
        let (way, paths) = self.reach.way(self.words)?;
        let paths = super::at_least_one(paths, "PATH", USAGE)?;
        let operation = Operation::Get(Get {
            paths,
            max_depth: self.max_depth,
        });
        self.later.ask(way, self.reach.manner, operation)
    }
}
