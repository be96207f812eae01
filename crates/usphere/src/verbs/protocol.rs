//! `usphere protocol`: show which versions of USP the device speaks.

use clap::Args;
use usphere_datamodel::operation::{Operation, SupportedProtocol};

use super::operations::Later;
use crate::cli::reach::Reach;
use crate::failure::{Exit, Failure};

#[derive(Args, Debug)]
#[command(override_usage = "usphere protocol DEVICE
       usphere protocol --agent URL
       usphere protocol --listen URL")]
pub(crate) struct Options {
    /// The device
    #[arg(value_name = "DEVICE")]
    device: Option<String>,
    #[command(flatten)]
    later: Later,
    #[command(flatten)]
    reach: Reach,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let (way, surplus) = self.reach.way(self.device.into_iter().collect())?;
        if let Some(word) = surplus.first() {
            return Err(Failure::usage(format_args!(
                "{word}: nothing is expected there"
            )));
        }
        let operation = Operation::SupportedProtocol(SupportedProtocol::default());
        self.later.ask(way, self.reach.manner, operation)
    }
}
