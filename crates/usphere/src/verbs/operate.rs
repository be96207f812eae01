//! `usphere operate`: run a command.

use std::collections::BTreeMap;

use clap::Args;
use usphere_datamodel::operation::{Operate, Operation};

use super::assignment;
use crate::cli::reach::Reach;
use crate::failure::{Exit, Failure};

const USAGE: &str = "usphere operate DEVICE COMMAND [ARG=VALUE]...
       usphere operate --agent URL COMMAND [ARG=VALUE]...
       usphere operate --listen URL COMMAND [ARG=VALUE]...";

#[derive(Args, Debug)]
#[command(override_usage = USAGE)]
pub(crate) struct Options {
    /// The device, the path of the command with its (), and its input arguments
    #[arg(value_name = "DEVICE COMMAND ARG=VALUE", required = true)]
    words: Vec<String>,
    /// A text that comes back when a command that takes long is complete
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    command_key: String,
    #[command(flatten)]
    reach: Reach,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let (way, words) = self.reach.way(self.words)?;
        let operation = Operation::Operate(Operate {
            command_key: self.command_key,
            ..operate(&words)?
        });
        super::ask(way, self.reach.manner, operation)
    }
}

fn operate(words: &[String]) -> Result<Operate, Failure> {
    let Some((command, values)) = words.split_first() else {
        return Err(super::missing("COMMAND", USAGE)
            .advise("such as 'Device.LocalAgent.Controller.1.MTP.1.WebSocket.Reset()'"));
    };
    let mut arguments = BTreeMap::new();
    for word in values {
        let (name, value) = assignment::split(word)?;
        if arguments
            .insert(name.to_owned(), value.to_owned())
            .is_some()
        {
            return Err(Failure::usage(format_args!("{name} is given twice")));
        }
    }
    Ok(Operate {
        arguments,
        ..Operate::new(command.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_arguments_by_name() {
        let words: Vec<String> = ["Device.Reboot()", "Cause=a=b"].map(str::to_owned).into();
        let operate = operate(&words).unwrap();
        assert_eq!(operate.command, "Device.Reboot()");
        assert_eq!(operate.arguments["Cause"], "a=b");
        assert!(operate.send_resp);
        let twice: Vec<String> = ["C()", "A=1", "A=2"].map(str::to_owned).into();
        assert!(super::operate(&twice).is_err());
    }
}
